/* The value of `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header, section 2). */
#ifndef PROTOCOL_HTTP1_ONCE_KEY_H
#define PROTOCOL_HTTP1_ONCE_KEY_H

#include "base/slice.h"

#define ONCE_KEY_MAX 255

/* A String of structured fields (RFC 9651 section 3.3.3) and perhaps its parameters, which say nothing; or, as many send
 * it, the bare key: visible ASCII without quotes, backslashes, commas and semicolons. 1 to ONCE_KEY_MAX bytes: *ret points
 * into the value, or into `room` where something was escaped. False: it is neither. */
bool once_key(struct slice value, uint8_t room[static ONCE_KEY_MAX], struct slice *ret);

#endif
