/* How slow an endpoint is, remembering the worst: a slower answer counts at once, faster ones only with time
 * (peak-EWMA). What isn't used is forgotten, so that a slow one is asked again. */
#ifndef POLICY_LATENCY_H
#define POLICY_LATENCY_H

#include <stdint.h>

#include "base/clock.h"

#define LATENCY_DECAY_NS (10 * NS_PER_S)
#define LATENCY_DEFAULT_NS (30 * NS_PER_MS) /* of one that nobody knows yet */
#define LATENCY_PENALTY_NS (5 * NS_PER_S) /* a quick refusal is no quick answer */

struct latency {
    int64_t value_ns;
    struct mono at; /* of `value_ns` */
};

void latency_init(struct latency *latency, struct mono now);
void latency_observe(struct latency *latency, int64_t sample_ns, struct mono now);
int64_t latency_at(const struct latency *latency, struct mono now);

#endif
