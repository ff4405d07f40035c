/* What HTTP/1.1 offers beside messages: requests that a table of handlers answers (the admin API), and their answers. */
#ifndef PROTOCOL_HTTP1_HTTP1_H
#define PROTOCOL_HTTP1_HTTP1_H

#include "protocol/protocol.h"

struct http1_head;

/* A well-formed, authenticated request, whole with its body. Everything is borrowed for the call. */
struct protocol_request {
    struct slice method; /* case-sensitive token */
    struct slice path;   /* starts with '/'; normal form: escapes of ordinary characters resolved, no dot segments.
                          * What can't be resolved safely (`%2F`, `%00`) stays escaped and so matches nothing */
    struct slice query;  /* after '?', as it came; empty: none */
    struct slice host;   /* the authority that is asked for; empty: none (HTTP/1.0) */
    struct slice content_type;
    struct slice accept;
    struct slice body; /* chunks are joined already */
    struct slice system; /* whom the peer acts as, as calls->hello said; empty: nobody */
    bool is_json;        /* Content-Type is application/json or ends in +json */
    const struct http1_head *head;
};

/* First field of that name (lower case); data NULL when absent. */
struct slice http1_field(const struct protocol_request *request, struct slice name);
/* Value of a query parameter as it came, escapes and all; data NULL when absent, empty for a bare name. */
struct slice http1_parameter(const struct protocol_request *request, struct slice name);

/* Answers a calls->request token, from within that call or later; tokens that aren't open are ignored. `state` is the
 * connection's protocol state; outside of a net call connection_touch() must follow. `content_type` empty: none.
 * `lines`: further header lines, each with its CRLF. For HEAD the body is measured, not sent. */
void http1_answer(void *state, uint64_t token, unsigned code, struct slice content_type, struct slice body,
                  struct slice lines, struct now now);
/* The same with a problem document (RFC 9457) of a status; `detail` empty: its title alone. */
void http1_answer_problem(void *state, uint64_t token, enum status status, struct slice detail, struct now now);

#endif
