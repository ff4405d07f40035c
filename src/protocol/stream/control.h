/* What control frames and NDJSON control events say: JSON objects of which unknown members are ignored. */
#ifndef PROTOCOL_STREAM_CONTROL_H
#define PROTOCOL_STREAM_CONTROL_H

#include "base/json_write.h"
#include "protocol/protocol.h"

/* Columns: NAME, path of the member, types that it may have. */
#define CONTROL_TABLE(X) \
    X(CLIENT, "client", TEXT) \
    X(SYSTEM, "system", TEXT) \
    X(AUTH, "auth", OBJECT) \
    X(AUTH_METHOD, "auth/method", TEXT) \
    X(AUTH_TOKEN, "auth/token", TEXT) \
    X(ENC, "enc", TEXT | CONTROL_LIST) \
    X(COMP, "comp", TEXT | CONTROL_LIST) \
    X(MAX_FRAME, "max_frame", COUNT) \
    X(HB_MS, "hb_ms", COUNT) \
    X(CREDIT, "credit", OBJECT) \
    X(CREDIT_MSGS, "credit/msgs", COUNT) \
    X(CREDIT_BYTES, "credit/bytes", COUNT) \
    X(RESUME, "resume", OBJECT) \
    X(RESUME_SESSION, "resume/session", TEXT) \
    X(RESUME_RX, "resume/rx", COUNT) \
    X(RESUME_ACKED, "resume/acked", COUNT) \
    X(EXPIRY_MS, "expiry_ms", COUNT) \
    X(SESSION, "session", TEXT) \
    X(RESUMED, "resumed", BOOL) \
    X(RX, "rx", COUNT) \
    X(ACKED, "acked", COUNT) \
    X(SERVER, "server", TEXT) \
    X(ACK, "ack", TEXT | CONTROL_BOOL) \
    X(SUB, "sub", COUNT) \
    X(FILTER, "filter", TEXT) \
    X(FILTERS, "filters", LIST) \
    X(GROUP, "group", TEXT) \
    X(DURABLE, "durable", TEXT) \
    X(FROM, "from", TEXT) \
    X(MAX_INFLIGHT, "max_inflight", COUNT) \
    X(CODE, "code", COUNT) \
    X(SLUG, "slug", TEXT) \
    X(DRAIN_MS, "drain_ms", COUNT) \
    X(STATUS, "status", COUNT) \
    X(PROBLEM, "problem", OBJECT) \
    X(PROBLEM_REASON, "problem/reason", TEXT) \
    X(MSGS, "msgs", COUNT) \
    X(RETRY_MS, "retry_ms", COUNT)

enum control_member {
#define CONTROL_ENUM(NAME, path, types) CONTROL_##NAME##_MEMBER,
    CONTROL_TABLE(CONTROL_ENUM)
#undef CONTROL_ENUM
    CONTROL_MEMBER_COUNT
};

enum control_type {
    CONTROL_ABSENT = 0,
    CONTROL_TEXT = 1,
    CONTROL_COUNT = 2, /* a whole number from 0 to 2^63 - 1 */
    CONTROL_BOOL = 4,
    CONTROL_LIST = 8,
    CONTROL_OBJECT = 16,
};

struct control {
    struct control_value {
        uint8_t type; /* enum control_type; ABSENT also for null */
        uint64_t count; /* also of BOOL */
        struct slice text; /* TEXT unescaped, LIST and OBJECT as JSON; borrowed from the input and `room` */
    } values[CONTROL_MEMBER_COUNT];
};

/* False when `json` is no object, has a known member twice or one of the wrong type; fault->text says which. What must
 * be unescaped is appended to `room`. */
bool control_read(struct control *control, struct slice json, struct buffer *room, struct message_fault *fault);

#define CONTROL(control, NAME) (&(control)->values[CONTROL_##NAME##_MEMBER])
static inline uint64_t control_count(const struct control_value *value, uint64_t otherwise) {
    return value->type == CONTROL_COUNT ? value->count : otherwise;
}
static inline bool control_bool(const struct control_value *value, bool otherwise) {
    return value->type == CONTROL_BOOL ? value->count != 0 : otherwise;
}
/* Whether a list of strings (or one string) has `text`; `ret_index` (may be NULL): at which place. */
bool control_list_has(const struct control_value *value, struct slice text, size_t *ret_index);

/* SUBSCRIBE's members but `sub`, which NDJSON has none of. STATUS_OK or what is not supported or malformed. */
enum status control_subscription(const struct control *control, struct protocol_subscription *ret_subscription,
                                 struct message_fault *fault);
/* Who HELLO says that the peer is, as far as keys go. STATUS_UNAUTHENTICATED when that can't be taken here. */
enum status control_identity(const struct control *control, const struct protocol_setup *setup, bool known,
                             struct protocol_hello *hello, struct message_fault *fault);

/* An RFC 9457 problem as one JSON object. `detail` may be NULL, `id` empty. */
void control_problem(struct json_write *json, const struct protocol_setup *setup, enum status status,
                     const char *detail, struct slice id);

/* Fills `fault` and returns `status`. */
enum status control_fault(struct message_fault *fault, enum status status, const char *format, ...)
    __attribute__((cold, format(printf, 3, 4)));

#endif
