/* The decision about one failed attempt. */
#include "policy/retry.h"

#include "base/assert.h"

const char *retry_outcome_name(enum retry_outcome outcome) {
    return result_name(retry_result(outcome));
}

const char *retry_why_name(enum retry_why why) {
    static const char *const names[RETRY_WHY_COUNT] = {"again", "unsafe", "outcome", "attempts", "late", "budget"};
    return names[why];
}

static const enum status timeouts[] = {STATUS_REPLY_TIMEOUT, STATUS_HEARTBEAT_TIMEOUT, STATUS_IDLE_TIMEOUT,
                                       STATUS_WRITE_TIMEOUT, STATUS_CONNECT_TIMEOUT,
                                       STATUS_OUTCOME_UNKNOWN}; /* the last: an ack was due, and did not come */
static const enum status refusals[] = {STATUS_OVERLOADED, STATUS_RATE_LIMITED, STATUS_SLOW_CONSUMER,
                                       STATUS_TARGET_UNAVAILABLE};

enum retry_outcome retry_outcome_of(enum retry_fate fate, enum status status) {
    if (fate == RETRY_UNSENT)
        return RETRY_UNREACHABLE;
    for (size_t i = 0; i < COUNT_OF(timeouts); i++)
        if (status == timeouts[i])
            return RETRY_TIMEOUT;
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        if (status == refusals[i])
            return RETRY_OVERLOADED;
    return fate == RETRY_UNKNOWN ? RETRY_RESET : RETRY_FAILED;
}

bool retry_is_safe(const struct retry_rules *rules, enum message_kind kind, bool acks) {
    return kind == KIND_QUERY || kind == KIND_EVENT || (kind == KIND_COMMAND && (acks || rules->idempotent)) ||
           (kind == KIND_REQUEST && rules->idempotent);
}

/* Who says "not now" has not taken it; who says that something went wrong may have begun with it. */
static bool may_be_there(enum retry_fate fate, enum retry_outcome outcome) {
    return fate == RETRY_UNKNOWN || (fate == RETRY_REFUSED && outcome != RETRY_OVERLOADED);
}

enum retry_why retry_decide(const struct retry_rules *rules, const struct retry_view *view, struct rng *rng, struct mono now,
                            struct mono *ret_at) {
    enum retry_outcome outcome = retry_outcome_of(view->fate, view->status);
    if (may_be_there(view->fate, outcome) && !retry_is_safe(rules, view->kind, view->acks))
        return RETRY_NOT_SAFE;
    if (!(rules->outcomes & RETRY_BIT(outcome)))
        return RETRY_NOT_LISTED;
    if (view->fate == RETRY_UNSENT) { /* no attempt was made, so none is spent; its own time is looked at before it leaves */
        *ret_at = now;
        return RETRY_AGAIN;
    }
    if (view->kind == KIND_NOTIFICATION || view->attempt >= rules->attempts)
        return RETRY_SPENT;
    int64_t delay = backoff_delay(&rules->backoff, view->attempt - 1, rng);
    struct mono at = mono_after(now, delay > view->after_ns ? delay : view->after_ns);
    if (at.ns >= view->deadline.ns)
        return RETRY_TOO_LATE;
    *ret_at = at;
    return RETRY_AGAIN;
}
