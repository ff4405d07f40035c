/* What one attempt at an endpoint came to: the words of `retry.outcomes`, which balancers, outlier detection and breakers
 * count too. */
#ifndef POLICY_RESULT_H
#define POLICY_RESULT_H

#include <stdbool.h>

#include "base/status.h"

enum attempt_result {
    RESULT_OK,
    RESULT_UNREACHABLE, /* no connection: refused, not found, no handshake */
    RESULT_RESET, /* the connection ended while it was under way */
    RESULT_TIMEOUT, /* no answer in time */
    RESULT_OVERLOADED, /* it says that it has too much: 429, 503 */
    RESULT_FAILED, /* it says that it can't: 500, 502, a negative acknowledgement */
    RESULT_COUNT
};

const char *result_name(enum attempt_result result);
/* What a status says of the endpoint that it came from. A refusal of the message itself speaks well of the endpoint. */
enum attempt_result result_of(enum status status);
/* The endpoint itself could not be reached or broke off: what the peer's own words don't explain. */
static inline bool result_is_local(enum attempt_result result) {
    return result == RESULT_UNREACHABLE || result == RESULT_RESET || result == RESULT_TIMEOUT;
}

#endif
