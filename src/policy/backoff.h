/* How long to wait before trying again: full jitter over a doubling bound, so that many who failed together don't
 * come back together. */
#ifndef POLICY_BACKOFF_H
#define POLICY_BACKOFF_H

#include "base/rng.h"

struct backoff {
    int64_t base_ns; /* bound before the first retry; > 0 */
    int64_t max_ns;  /* the bound never gets higher; >= base_ns */
    uint32_t factor; /* by which it grows; 0 counts as 2 */
};

/* The bound before retry number `retry` (from 0). */
int64_t backoff_bound(const struct backoff *backoff, unsigned retry);
/* A delay of 0 .. bound. */
int64_t backoff_delay(const struct backoff *backoff, unsigned retry, struct rng *rng);

#endif
