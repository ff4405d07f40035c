/* Whether a message whose attempt failed is tried again, and after how long.
 *
 * What certainly wasn't taken may always be tried again. Of what may have been taken only what does no harm twice: query
 * and event, a command whose recipient acknowledges, and whatever its owner calls idempotent; a notification isn't worth
 * it. Never past the message's own time. */
#ifndef POLICY_RETRY_H
#define POLICY_RETRY_H

#include "base/clock.h"
#include "base/status.h"
#include "message/message.h"
#include "policy/backoff.h"
#include "policy/result.h"

/* What kinds of failure there are, for the `outcomes` of a policy and the label of a metric. */
/* The results of policy/result.h that aren't good, in their order. */
enum retry_outcome {
    RETRY_UNREACHABLE, /* it did not leave: the connection ended before */
    RETRY_RESET,       /* the connection ended while it was under way */
    RETRY_TIMEOUT,     /* nothing was heard of it in time */
    RETRY_OVERLOADED,  /* the recipient does not take it now */
    RETRY_FAILED,      /* the recipient says that it failed */
    RETRY_OUTCOME_COUNT
};
#define RETRY_BIT(outcome) (1u << (outcome))
#define RETRY_ALL (RETRY_BIT(RETRY_OUTCOME_COUNT) - 1)
static inline enum attempt_result retry_result(enum retry_outcome outcome) {
    return (enum attempt_result)(RESULT_UNREACHABLE + outcome);
}
const char *retry_outcome_name(enum retry_outcome outcome);

/* What is known of the message after the attempt. */
enum retry_fate {
    RETRY_UNSENT,  /* it certainly isn't there */
    RETRY_REFUSED, /* the recipient answered: not now, or not like this */
    RETRY_UNKNOWN, /* it may be there */
};
enum retry_outcome retry_outcome_of(enum retry_fate fate, enum status status);

struct retry_rules {
    uint32_t attempts; /* in all; at least 1 */
    uint32_t outcomes; /* RETRY_BITs after which another attempt is made */
    bool idempotent;   /* request and command may be repeated */
    struct backoff backoff;
};

struct retry_view {
    enum message_kind kind;
    bool acks;            /* its recipient acknowledges by protocol */
    uint32_t attempt;     /* the one that failed; 1 is the first */
    enum retry_fate fate;
    enum status status;   /* why it failed */
    int64_t after_ns;     /* not before, as the recipient says; 0: no say */
    struct mono deadline; /* nothing is sent then any more; MONO_NEVER: none */
};

enum retry_why {
    RETRY_AGAIN,
    RETRY_NOT_SAFE,     /* it may be there, and must not be there twice */
    RETRY_NOT_LISTED,   /* `outcomes` leaves this one out */
    RETRY_SPENT,        /* that was the last attempt */
    RETRY_TOO_LATE,     /* its time ends before it could be tried again */
    RETRY_NO_BUDGET,    /* too many are being retried: see budget.h */
    RETRY_WHY_COUNT
};
const char *retry_why_name(enum retry_why why);

/* Whether it would do no harm if it came twice. */
bool retry_is_safe(const struct retry_rules *rules, enum message_kind kind, bool acks);
/* RETRY_AGAIN: not before `ret_at`, which is `now` for what did not leave. */
enum retry_why retry_decide(const struct retry_rules *rules, const struct retry_view *view, struct rng *rng, struct mono now,
                            struct mono *ret_at);

#endif
