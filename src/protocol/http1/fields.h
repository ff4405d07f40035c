/* Which header fields go on to the next hop, and what is added there (RFC 9110 section 7.6, RFC 7239). */
#ifndef PROTOCOL_HTTP1_FIELDS_H
#define PROTOCOL_HTTP1_FIELDS_H

#include "base/buffer.h"
#include "protocol/http1/inner.h"
#include "protocol/http1/parse.h"

/* Where fields are written: as lines, or as the pairs of `httpheaders`. */
struct fields_out {
    struct buffer *buffer;
    bool as_pairs;
};
void fields_add(const struct fields_out *out, struct slice name, struct slice value);

/* Fields of a request that go on: no hop-by-hop ones, no Host, no framing, no credentials, of Forwarded and
 * X-Forwarded-* only what a trusted peer says; then what we say about the `peer` (NULL: not known). `content_type`: with it. */
void fields_request(const struct http1 *h, const struct http1_head *head, const struct address *peer, bool content_type,
                    const struct fields_out *out);
/* Fields of an answer that go on. `length`: with Content-Length, where it says what a body would have had. */
void fields_answer(const struct http1_head *head, bool content_type, bool length, const struct fields_out *out);
/* `Via: 1.1 NODE`. */
void fields_via(const struct http1 *h, const struct fields_out *out);

/* Connection-specific, whatever Connection says (RFC 9110 section 7.6.1). */
bool fields_is_hop(struct slice name);
/* Whether Via names this node: the request went round in a circle. */
bool fields_loops(const struct http1 *h, const struct http1_head *head);
/* Both Upgrade and Connection ask for WebSocket, in a request that may (RFC 6455 section 4.1). */
bool fields_upgrades(const struct http1_head *head);
/* A name and value that a head may have: no way for a line end to get in. */
bool fields_is_legal(struct slice name, struct slice value);

#endif
