/* The data API's mapping between HTTP requests (or answers) and messages: paths, content modes, wrapping. */
#ifndef PROTOCOL_HTTP1_API_H
#define PROTOCOL_HTTP1_API_H

#include "message/encoding.h"
#include "protocol/http1/parse.h"
#include "protocol/protocol.h"

#define API_TTL_MAX UINT32_MAX /* seconds */

enum api_place {
    API_MESSAGES,  /* POST /v1/messages, /v1/systems/NAME/messages */
    API_PULL,     /* GET /v1/systems/NAME/messages */
    API_REPLY,    /* GET /v1/messages/ID/reply */
    API_ACKS,     /* POST /v1/systems/NAME/acks */
    API_WEBSOCKET, /* GET /v1/ws, to be upgraded */
    API_PLANNED,   /* a path of a later version */
    API_NO_METHOD, /* that path has other methods */
    API_OPTIONS,   /* OPTIONS of a path or `*` */
    API_BAD_NAME,  /* no system can be called so */
    API_UNKNOWN,
};

struct api_route {
    enum api_place place;
    struct slice target; /* of /v1/systems/NAME/messages; API_REPLY: the ID; else empty. Points into the head or into `room` */
    const char *allow;   /* methods of this path */
    bool is_messages;    /* it takes events */
};

#define API_ROOM 512
/* `room` (API_ROOM bytes) lives as long as the route. */
void api_route(const struct http1_head *head, uint8_t *room, struct api_route *route);

/* HTTP binding section 3, which looks at Content-Type first. */
enum api_mode {
    API_BINARY,
    API_JSON,
    API_PROTO,
    API_BATCH_JSON,
    API_BATCH_PROTO,
    API_PLAIN,
    API_INCOMPLETE, /* some, but not all of the required ce- headers */
    API_UNKNOWN_FORMAT,
};
enum api_mode api_mode(const struct http1_head *head);

/* The media type before its parameters, trimmed. */
struct slice api_media(struct slice content_type);
bool api_is_json(struct slice content_type);
/* The event format that `Accept` asks for by name; ENCODING_NONE: none. */
enum message_encoding api_accepts(struct slice accept);
/* `;q=` of an element of Accept or its like, in thousandths. */
unsigned api_weight(struct slice element);

/* What the parts of a request say beside the event itself. */
struct api_hints {
    const struct http1_head *head;
    const struct message_rules *rules;
    struct slice target; /* of the path; empty: none */
    struct wall expiry;  /* of TTL; INT64_MAX: none */
    struct wall now;
    /* for wrapping alone */
    const struct protocol_default *defaults;
    size_t default_count;
    struct slice id;          /* text of the receipt */
    struct slice source;
    struct slice messagetype; /* empty: as defaults say */
};

/* False with a fault when `TTL` is no number. */
bool api_ttl(struct api_hints *hints, struct message_fault *fault);

/* One event of any mode but a batch (its elements: API_JSON, API_PROTO). The message borrows from `body` and `extra`;
 * `own` takes a protobuf event that had to be encoded anew. */
enum status api_decode(struct message *message, enum api_mode mode, struct slice body, struct buffer *extra,
                       struct buffer *own, const struct api_hints *hints, struct message_fault *fault);

#endif
