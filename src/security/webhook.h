/* Signatures of what is posted, as Standard Webhooks 1.0 has them: who knows the secret can tell that a body is ours, is
 * whole, and when it was sent. */
#ifndef SECURITY_WEBHOOK_H
#define SECURITY_WEBHOOK_H

#include "base/slice.h"

#define WEBHOOK_ID_SIZE 36 /* msg_ and 32 hexadecimal digits */
#define WEBHOOK_SIGNATURE_SIZE 47 /* v1, and 44 characters of base64 */

/* The name of a message, the same each time that it is sent. Receivers drop what they know already by it alone, and an
 * event's id is its own only together with its source: so it is made of both. No NUL. */
void webhook_id(struct slice source, struct slice id, char ret_text[static WEBHOOK_ID_SIZE]);
/* HMAC-SHA256 over `id.time_s.body`; `secret`: its bytes, of any number. No NUL. */
void webhook_sign(struct slice secret, struct slice id, int64_t time_s, struct slice body,
                  char ret_text[static WEBHOOK_SIGNATURE_SIZE]);

#endif
