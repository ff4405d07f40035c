/* HTTP requests that are no calls of our API: where they go, how they become messages and requests again, and exchanges
 * that are streamed from one connection to another without ever being a message. */
#ifndef PROTOCOL_REST_H
#define PROTOCOL_REST_H

#include "base/address.h"
#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"
#include "message/template.h"

/* -- where a request goes -- */

/* Asked with the head alone. All borrowed. */
struct protocol_ask {
    struct slice method;
    struct slice path; /* normal form, begins with '/' */
    struct slice host; /* authority; may be empty */
    const void *head;
    /* The field of that name (lower case) number `index`; data NULL: none (any more). */
    struct slice (*field)(const void *head, struct slice name, unsigned index);
};

#define PROTOCOL_PARAMETERS 16

enum protocol_way_kind {
    PROTOCOL_WAY_NONE,
    PROTOCOL_WAY_MESSAGE, /* it becomes a message with this `route` */
    PROTOCOL_WAY_STREAM,  /* calls->stream_begin() */
};

struct protocol_way {
    enum protocol_way_kind kind;
    uint32_t route;  /* for message->route and stream_begin() */
    bool names_host; /* the route says for which hosts it is */
    const struct address *peer; /* who asks; NULL: nobody knows */
    unsigned parameter_count;
    struct protocol_parameter { /* borrowed from the path and the configuration */
        struct slice name;
        struct slice value;
    } parameters[PROTOCOL_PARAMETERS];
};

/* -- dialled: how messages become requests -- */

enum protocol_rest_kind { PROTOCOL_REST_QUERY, PROTOCOL_REST_COMMAND, PROTOCOL_REST_REQUEST, PROTOCOL_REST_OTHER, PROTOCOL_REST_COUNT };

struct protocol_rest {
    struct {
        struct slice method;
        const struct template *path; /* NULL: the URL's own */
    } by_kind[PROTOCOL_REST_COUNT];
};

struct protocol_header {
    struct slice name;
    const struct template *value;
};

/* -- streamed exchanges --
 *
 * An accepted connection has a request for stream_begin(); the user finds a dialled one that is free and begins it there.
 * Body bytes then go up by calls->stream_data() of one and down by streams->data() of the other, both ways at once. */

struct protocol_stream {
    uint32_t route;
    struct slice line;   /* METHOD SP TARGET SP VERSION CRLF */
    struct slice fields; /* header lines that go on, each with its CRLF; no Host */
    struct slice host;   /* as it was asked for */
    uint64_t length;     /* of the body, when it isn't chunked */
    bool is_chunked;
    bool is_head;        /* its answer has no body */
    bool is_upgrade;     /* to WebSocket, if the other side agrees */
    bool is_idempotent;  /* may be sent again where nothing of an answer came (RFC 9110 section 9.2.2) */
};

struct protocol_stream_answer {
    unsigned code;       /* 1xx: more heads follow; 101: only to an upgrade, then both are a tunnel */
    struct slice fields; /* header lines that go on, Content-Type too; no framing */
    uint64_t length;     /* of the body, when is_sized; to HEAD: what is said */
    bool is_sized;
    bool has_body;
};

/* What a protocol can do whose exchanges are streamed. `state` is the connection's protocol state; outside of a net call
 * connection_touch() must follow. */
struct protocol_streams {
    /* dialled: nothing is on its way, and a request may be */
    bool (*is_free)(const void *state);
    enum status (*begin)(void *state, const struct protocol_stream *stream, struct now now);
    /* accepted: the answer's head */
    enum status (*answer)(void *state, const struct protocol_stream_answer *answer, struct now now);
    /* More of the body for the peer, or of the tunnel. `last`: that was all. False: it could not be added. */
    bool (*data)(void *state, struct slice data, bool last, struct now now);
    /* stream_data() said no; now it may be called again. */
    void (*resume)(void *state, struct now now);
    /* It goes no further. accepted: a problem where no answer has begun, else the connection ends; dialled: it ends. */
    void (*abort)(void *state, enum status status, struct slice detail, struct now now);
};

#endif
