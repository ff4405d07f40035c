/* HTTP requests that are no calls of our API: where they go, and how they become messages and requests again. */
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

struct protocol_way {
    bool is_found;
    bool streams;    /* it goes on as it comes and is never a message */
    uint32_t route;  /* for message->route, or for protocol_stream */
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

#endif
