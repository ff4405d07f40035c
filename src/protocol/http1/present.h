/* What a request of ours shows to whom it is for: a credential's header fields, and a signature over its body. */
#ifndef PROTOCOL_HTTP1_PRESENT_H
#define PROTOCOL_HTTP1_PRESENT_H

#include "protocol/http1/inner.h"

/* Bytes that all of it may need. */
size_t present_size(const struct http1 *h);
/* Header lines that every request shows, whatever is in it. */
void present_add(const struct http1 *h, struct buffer *out);
/* Whether a field of that name must not come from anywhere else. */
bool present_owns(const struct http1 *h, struct slice name);
/* Whether bodies are signed. */
bool present_signs(const struct http1 *h);
struct present_mark {
    size_t name, signatures; /* where they stand */
    int64_t time_s;
};
/* Where a message's body is signed, header lines with room for the signatures, which come once the body is there. */
struct present_mark present_begin(const struct http1 *h, const struct message *message, struct now now,
                                  struct buffer *out);
/* Signs what stands in the last `body_size` bytes of `out`, as it is sent. */
void present_sign(const struct http1 *h, struct present_mark mark, size_t body_size, struct buffer *out);

#endif
