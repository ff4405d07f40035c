/* A message on its way out over HTTP: header lines and body, in the content mode that fits. */
#ifndef PROTOCOL_HTTP1_LEAVE_H
#define PROTOCOL_HTTP1_LEAVE_H

#include "protocol/http1/api.h"

struct leave {
    enum api_mode mode;
    enum coding coding; /* of the body */
    bool varies;        /* by what the request accepts */
    struct slice lines; /* header lines about the body, each with its CRLF; not its length and coding */
    struct slice body;  /* data NULL: it is the message's payload */
    size_t body_size;
};

/* `otherwise`: the mode for what would need escapes or much room in headers; API_BINARY: none, they are escaped.
 * `mode`: API_BINARY, API_JSON, API_PROTO, API_BATCH_JSON or API_BATCH_PROTO (of one event). What no header can hold leaves as
 * API_JSON instead. The slices point into `scratch`, which is cleared first, or into the message. */
enum status leave_prepare(struct leave *leave, enum api_mode mode, enum api_mode otherwise,
                          const struct message *message, const struct overlay *overlay, struct buffer *scratch);
/* Appends lines, those about length and coding, empty line and, unless `only_head`, the body. */
void leave_write(const struct leave *leave, const struct message *message, bool only_head, struct buffer *out);
/* Content-Type of a structured mode or a batch. */
struct slice leave_media(enum api_mode mode);
#define LEAVE_LINES_MAX 128
static inline size_t leave_size(const struct leave *leave) {
    return leave->lines.size + LEAVE_LINES_MAX + leave->body_size;
}

#endif
