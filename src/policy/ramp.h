/* Slow start: who comes (back) gets little at first and its full share after a while. */
#ifndef POLICY_RAMP_H
#define POLICY_RAMP_H

#include "base/clock.h"

/* Permille of its weight that one gets that is there since `since`: from `from` straight up to 1000 after `over_ns`. */
static inline uint32_t ramp_at(struct mono since, struct mono now, int64_t over_ns, uint32_t from_permille) {
    int64_t elapsed = now.ns - since.ns;
    if (elapsed >= over_ns || over_ns <= 0)
        return 1000;
    if (elapsed < 0)
        elapsed = 0;
    uint32_t permille = from_permille + (uint32_t)((1000 - from_permille) * (uint64_t)(elapsed / 1000) /
                                                   (uint64_t)(over_ns / 1000 + 1));
    return permille ? permille : 1;
}

#endif
