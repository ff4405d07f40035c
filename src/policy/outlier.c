/* Counts what attempts came to, for one endpoint. */
#include "policy/outlier.h"

static void forget(struct outlier *outlier) {
    outlier->theirs_in_a_row = outlier->ours_in_a_row = 0;
    outlier->good = outlier->bad = 0;
    outlier->latency_us = 0;
}

enum outlier_why outlier_heard(struct outlier *outlier, const struct outlier_config *config,
                               enum attempt_result result, int64_t latency_ns) {
    if (outlier->is_out) /* what was under way when it went says nothing new */
        return OUTLIER_FINE;
    if (result == RESULT_OK) {
        outlier->theirs_in_a_row = outlier->ours_in_a_row = 0;
        outlier->good++;
        outlier->latency_us += latency_ns > 0 ? (uint64_t)latency_ns / 1000 : 0;
        return OUTLIER_FINE;
    }
    outlier->bad++;
    uint32_t *in_a_row = result_is_local(result) ? &outlier->ours_in_a_row : &outlier->theirs_in_a_row;
    (*in_a_row)++;
    return config->consecutive && *in_a_row >= config->consecutive ? OUTLIER_CONSECUTIVE : OUTLIER_FINE;
}

enum outlier_why outlier_interval(struct outlier *outlier, const struct outlier_config *config) {
    uint64_t good = outlier->good, bad = outlier->bad, latency_us = outlier->latency_us;
    outlier->good = outlier->bad = 0;
    outlier->latency_us = 0;
    if (outlier->is_out)
        return OUTLIER_FINE;
    if (config->failure_permille && good + bad >= OUTLIER_RATE_MIN &&
        bad * 1000 >= (good + bad) * config->failure_permille)
        return OUTLIER_RATE;
    if (config->latency_ns && good >= OUTLIER_LATENCY_MIN &&
        latency_us / good * 1000 > (uint64_t)config->latency_ns)
        return OUTLIER_LATENCY;
    if (outlier->times)
        outlier->times--;
    return OUTLIER_FINE;
}

bool outlier_may_eject(const struct outlier_config *config, uint32_t ejected, uint32_t total) {
    uint64_t most = (uint64_t)total * config->max_ejected_permille / 1000;
    if (most == 0 && config->max_ejected_permille)
        most = 1;
    return ejected < most && ejected + 1 < total;
}

void outlier_eject(struct outlier *outlier, const struct outlier_config *config, struct mono now) {
    outlier->times++;
    int64_t longest = config->eject_max_ns > config->eject_ns ? config->eject_max_ns : config->eject_ns;
    int64_t time = config->eject_ns <= longest / outlier->times ? config->eject_ns * outlier->times : longest;
    forget(outlier);
    outlier->is_out = true;
    outlier->until = mono_after(now, time);
}

void outlier_return(struct outlier *outlier) {
    forget(outlier);
    outlier->is_out = false;
}
