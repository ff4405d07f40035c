/* Exponential backoff with full jitter. */
#include "policy/backoff.h"

int64_t backoff_bound(const struct backoff *backoff, unsigned retry) {
    int64_t bound = backoff->base_ns;
    int64_t factor = backoff->factor ? backoff->factor : 2;
    if (factor == 1)
        retry = 0;
    for (; retry > 0 && bound < backoff->max_ns; retry--)
        if (__builtin_mul_overflow(bound, factor, &bound))
            return backoff->max_ns;
    return bound < backoff->max_ns ? bound : backoff->max_ns;
}

int64_t backoff_delay(const struct backoff *backoff, unsigned retry, struct rng *rng) {
    return (int64_t)rng_below(rng, (uint64_t)backoff_bound(backoff, retry) + 1);
}
