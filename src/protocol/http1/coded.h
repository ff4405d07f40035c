/* Content codings on HTTP (RFC 9110 section 8.4): what comes packed is read, what leaves may be packed. Both only where
 * `compress` names the coding; a body that is passed on untouched keeps the coding that it came in. */
#ifndef PROTOCOL_HTTP1_CODED_H
#define PROTOCOL_HTTP1_CODED_H

#include "protocol/http1/inner.h"

/* Why a body can't be read here, or NULL. */
const char *coded_objection(const struct http1 *h, const struct http1_head *head);
/* `Accept-Encoding: ` and what `compress` names, or identity, with CRLF. */
void coded_accept_line(const struct http1 *h, struct buffer *out);
/* Replaces `body` by what it stands for, which lives until coding_rest() or the next of its kind. */
enum status coded_unpack(struct http1 *h, const struct http1_head *head, struct slice *body, struct message_fault *fault);

/* What the answer to this may be packed with; CODING_NONE: it goes as it is. */
enum coding coded_wanted(const struct http1 *h, const struct http1_head *head);
/* Replaces `body` where that makes it smaller, and returns with what. It lives until the next of its kind. */
enum coding coded_pack(struct http1 *h, enum coding wanted, struct slice *body);
/* The same for a message on its way out. */
void coded_leave(struct http1 *h, enum coding wanted, struct leave *leave, const struct message *message);
/* `Content-Encoding: ..` with CRLF; nothing for CODING_NONE. */
void coded_line(enum coding coding, struct buffer *out);
#define CODED_LINE_MAX 64 /* of coded_line() */
#define CODED_ACCEPT_MAX 64 /* of coded_accept_line() */
/* Whether answers of that size differ by what the request accepts. */
static inline bool coded_varies(const struct http1 *h, size_t size) {
    return h->setup->compress[0] && h->setup->role == PROTOCOL_ACCEPTED && size >= CODING_LEAST;
}

#endif
