/* Decay in whole numbers: the same on every machine, so that a recorded run replays. */
#include "policy/latency.h"

#define ONE 65536

/* e^(-elapsed / LATENCY_DECAY_NS), of ONE. */
static int64_t left_after(int64_t elapsed_ns) {
    if (elapsed_ns <= 0)
        return ONE;
    if (elapsed_ns > 20 * LATENCY_DECAY_NS)
        return 0;
    int64_t halvings = elapsed_ns / 1000 * 94548 / (LATENCY_DECAY_NS / 1000); /* of ONE each: ONE / ln 2 */
    int64_t part = halvings % ONE;
    /* 2^-x between 0 and 1: the parabola through both ends, half a percent off in the middle */
    int64_t factor = ONE - part * 43024 / ONE + part * part / ONE * 10256 / ONE;
    return factor >> (halvings / ONE);
}

void latency_init(struct latency *latency, struct mono now) {
    *latency = (struct latency){LATENCY_DEFAULT_NS, now};
}

int64_t latency_at(const struct latency *latency, struct mono now) {
    int64_t value = latency->value_ns / 1000 * left_after(now.ns - latency->at.ns) / ONE * 1000;
    return value > 1000 ? value : 1000;
}

void latency_observe(struct latency *latency, int64_t sample_ns, struct mono now) {
    int64_t keep = left_after(now.ns - latency->at.ns);
    if (sample_ns < 0)
        sample_ns = 0;
    if (sample_ns > 3600 * NS_PER_S)
        sample_ns = 3600 * NS_PER_S;
    if (sample_ns > latency->value_ns)
        latency->value_ns = sample_ns;
    else
        latency->value_ns = sample_ns + (latency->value_ns - sample_ns) / 1000 * keep / ONE * 1000;
    latency->at = now;
}
