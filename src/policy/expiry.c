/* Deadlines of messages. */
#include "policy/expiry.h"

static int64_t shorter(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* From now until the sender's expiry: 0 when it is past, EXPIRY_NONE when there is none. */
static int64_t time_left(const struct message *message, struct now now) {
    int64_t left;
    if (message->expiry.ns == INT64_MAX)
        return EXPIRY_NONE;
    if (message->expiry.ns <= now.wall.ns)
        return 0;
    if (__builtin_sub_overflow(message->expiry.ns, now.wall.ns, &left))
        return EXPIRY_NONE;
    return left;
}

struct expiry expiry_of(const struct message *message, const struct expiry_rules *rules, int64_t wait_ns,
                        struct now now) {
    int64_t given = time_left(message, now);
    int64_t left = shorter(given != EXPIRY_NONE ? given : rules->ttl_ns, rules->ttl_max_ns);
    struct expiry expiry = {.queue = MONO_NEVER};
    if (message_kind_asks(message->kind)) {
        int64_t waits = given == EXPIRY_NONE && wait_ns == EXPIRY_NONE ? rules->request_ns : wait_ns;
        expiry.is_reply = true;
        left = shorter(left, waits);
        expiry.queue = mono_after(now.mono, rules->queue_ns);
    }
    expiry.deadline = mono_after(now.mono, left);
    return expiry;
}

bool expiry_is_past(const struct message *message, struct now now) {
    return time_left(message, now) == 0;
}
