/* Sorts statuses by what they say of the endpoint that they came from. */
#include "policy/result.h"

#include "base/assert.h"

const char *result_name(enum attempt_result result) {
    static const char *const names[RESULT_COUNT] = {"ok",      "unreachable", "reset",
                                                    "timeout", "overloaded",  "failed"};
    ASSERT((unsigned)result < RESULT_COUNT);
    return names[result];
}

/* Those that aren't here refuse the message itself, or are none of the endpoint's doing. */
static const uint8_t results[STATUS_COUNT] = {
    [STATUS_REFUSED] = RESULT_UNREACHABLE,
    [STATUS_UNREACHABLE] = RESULT_UNREACHABLE,
    [STATUS_RESOLVE_FAILED] = RESULT_UNREACHABLE,
    [STATUS_NAME_NOT_FOUND] = RESULT_UNREACHABLE,
    [STATUS_RESOLVE_TIMEOUT] = RESULT_UNREACHABLE,
    [STATUS_CONNECT_TIMEOUT] = RESULT_UNREACHABLE,
    [STATUS_HANDSHAKE_FAILED] = RESULT_UNREACHABLE,
    [STATUS_HANDSHAKE_TIMEOUT] = RESULT_UNREACHABLE,
    [STATUS_CERTIFICATE_REFUSED] = RESULT_UNREACHABLE,
    [STATUS_BAD_GREETING] = RESULT_UNREACHABLE,
    [STATUS_PEER_CLOSED] = RESULT_RESET,
    [STATUS_RESET] = RESULT_RESET,
    [STATUS_TRUNCATED] = RESULT_RESET,
    [STATUS_PROTOCOL_ERROR] = RESULT_RESET,
    [STATUS_REPLY_TIMEOUT] = RESULT_TIMEOUT,
    [STATUS_HEARTBEAT_TIMEOUT] = RESULT_TIMEOUT,
    [STATUS_WRITE_TIMEOUT] = RESULT_TIMEOUT,
    [STATUS_HEAD_TIMEOUT] = RESULT_TIMEOUT,
    [STATUS_OVERLOADED] = RESULT_OVERLOADED,
    [STATUS_RATE_LIMITED] = RESULT_OVERLOADED,
    [STATUS_TARGET_UNAVAILABLE] = RESULT_OVERLOADED,
    [STATUS_TOO_MANY_CONNECTIONS] = RESULT_OVERLOADED,
    [STATUS_SLOW_CONSUMER] = RESULT_OVERLOADED,
    [STATUS_UPSTREAM_ERROR] = RESULT_FAILED,
    [STATUS_OUTCOME_UNKNOWN] = RESULT_FAILED,
    [STATUS_RETRIES_EXHAUSTED] = RESULT_FAILED,
    [STATUS_INTERNAL] = RESULT_FAILED,
    [STATUS_NO_MEMORY] = RESULT_FAILED,
};

enum attempt_result result_of(enum status status) {
    ASSERT((unsigned)status < STATUS_COUNT);
    return (enum attempt_result)results[status];
}
