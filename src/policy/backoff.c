/* Exponential backoff with full jitter. */
#include "policy/backoff.h"

#include "base/clock.h"

#define MINUTE (60 * NS_PER_S)
#define HOUR (60 * MINUTE)

/* As Standard Webhooks has it. */
static const int64_t webhook[BACKOFF_WEBHOOK_STEPS] = {0,        5 * NS_PER_S, 5 * MINUTE, 30 * MINUTE, 2 * HOUR,
                                                       5 * HOUR, 10 * HOUR,    14 * HOUR,  20 * HOUR,   24 * HOUR};

int64_t backoff_bound(const struct backoff *backoff, unsigned retry) {
    if (backoff->webhook)
        return webhook[retry < BACKOFF_WEBHOOK_STEPS ? retry : BACKOFF_WEBHOOK_STEPS - 1];
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
    int64_t bound = backoff_bound(backoff, retry);
    if (backoff->webhook)
        return bound + (int64_t)rng_below(rng, (uint64_t)(bound / 10) + 1);
    return (int64_t)rng_below(rng, (uint64_t)bound + 1);
}
