/* How long to wait before trying again: full jitter over a doubling bound, so that many who failed together don't
 * come back together. */
#ifndef POLICY_BACKOFF_H
#define POLICY_BACKOFF_H

#include <stdbool.h>

#include "base/rng.h"

struct backoff {
    int64_t base_ns; /* bound before the first retry; > 0 */
    int64_t max_ns;  /* the bound never gets higher; >= base_ns */
    uint32_t factor; /* by which it grows; 0 counts as 2 */
    bool webhook;    /* the pauses that senders of webhooks agree on instead: see backoff_bound() */
};

#define BACKOFF_WEBHOOK_STEPS 10

/* The bound before retry number `retry` (from 0). Webhook: 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, then
 * 24 h again. */
int64_t backoff_bound(const struct backoff *backoff, unsigned retry);
/* A delay of 0 .. bound; webhook: the bound and up to a tenth of it, because those who wait for hours are few and are to
 * wait for them. */
int64_t backoff_delay(const struct backoff *backoff, unsigned retry, struct rng *rng);

#endif
