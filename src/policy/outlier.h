/* Passive health: an endpoint that fails much more than it should is ejected for a while, longer each time. What others
 * have to say is counted here for one endpoint; who may be ejected is decided with a look at all (`outlier_may_eject`). */
#ifndef POLICY_OUTLIER_H
#define POLICY_OUTLIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "policy/result.h"

#define OUTLIER_RATE_MIN 50 /* results in an interval, before their share of failures means something */
#define OUTLIER_LATENCY_MIN 20 /* likewise for how long they took */

struct outlier_config {
    uint32_t consecutive; /* 0: not looked at */
    uint32_t failure_permille; /* 0: not looked at */
    int64_t latency_ns; /* 0: not looked at */
    int64_t eject_ns, eject_max_ns;
    uint32_t max_ejected_permille;
};

enum outlier_why { OUTLIER_FINE, OUTLIER_CONSECUTIVE, OUTLIER_RATE, OUTLIER_LATENCY };

struct outlier {
    uint32_t theirs_in_a_row; /* failures that it told of itself */
    uint32_t ours_in_a_row; /* those that were seen from here: not reached, cut, no answer */
    uint32_t good, bad; /* in this interval */
    uint64_t latency_us; /* sum of those that were good */
    uint32_t times; /* it was ejected; falls by one each interval that it is not */
    bool is_out;
    struct mono until; /* while it is */
};

/* Why it should be ejected now; FINE mostly. */
enum outlier_why outlier_heard(struct outlier *outlier, const struct outlier_config *config,
                               enum attempt_result result, int64_t latency_ns);
/* The end of an interval: what its results together say. They begin anew. */
enum outlier_why outlier_interval(struct outlier *outlier, const struct outlier_config *config);
/* Whether one more of `total` may go when `ejected` are out: at least one may, but one always stays. */
bool outlier_may_eject(const struct outlier_config *config, uint32_t ejected, uint32_t total);
void outlier_eject(struct outlier *outlier, const struct outlier_config *config, struct mono now);
/* It is back. */
void outlier_return(struct outlier *outlier);

#endif
