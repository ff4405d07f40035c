/* Until when a message is good, from what its sender and the policy say. */
#ifndef POLICY_EXPIRY_H
#define POLICY_EXPIRY_H

#include "message/message.h"

#define EXPIRY_NONE INT64_MAX /* a duration that isn't given, or is unlimited */

struct expiry_rules {
    int64_t ttl_ns;     /* for messages whose sender gave no expiry */
    int64_t ttl_max_ns; /* cap on what senders give, and on ttl */
    int64_t request_ns; /* how long a request or query waits whose sender gave neither expiry nor `wait` */
    int64_t queue_ns;   /* how long one that waits for an answer may wait for its turn */
};

struct expiry {
    struct mono deadline; /* MONO_NEVER: none. At or before now: expired on arrival */
    struct mono queue;    /* leave the lane by then, else target-unavailable or overloaded; MONO_NEVER: only `deadline` */
    bool is_reply;        /* the deadline is about the reply: past it reply-timeout, not expired */
};

/* `wait_ns` is what the carrier says about how long the sender waits (HTTP `Prefer: wait`), or EXPIRY_NONE. The wall
 * time of `expirytime` becomes monotonic here, once: later jumps of the wall clock change nothing. */
struct expiry expiry_of(const struct message *message, const struct expiry_rules *rules, int64_t wait_ns,
                        struct now now);
/* Whether the sender's own expiry has passed when the message comes in. */
bool expiry_is_past(const struct message *message, struct now now);

#endif
