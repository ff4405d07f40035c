/* What came without being an event becomes one: the payload is its data, its attributes are made up from what the
 * configuration says. One way for all protocols. */
#ifndef PROTOCOL_WRAP_H
#define PROTOCOL_WRAP_H

#include "protocol/protocol.h"

#define WRAP_SOURCE_MAX 512

struct wrap {
    const struct attribute_declared *declared;
    const struct protocol_default *defaults;
    size_t default_count;
    struct slice id;          /* text of the receipt */
    struct slice source;      /* unless defaults have one, as are the next two */
    struct slice type;
    struct slice messagetype; /* not empty: whatever defaults say */
    struct slice target;      /* not empty: it is given elsewhere, the one of defaults doesn't count */
    struct wall now;
};

/* PUBLIC_URL/systems/SYSTEM, or of the listener where nobody knows the system. Written to `room`. */
struct slice wrap_source(const struct protocol_setup *setup, struct slice system, char *room, size_t size);
/* Starts `message` with `body` as its future data: defaults, then what is still required. More attributes may be added
 * before wrap_finish(). */
enum status wrap_begin(struct message *message, struct slice body, struct buffer *extra, const struct wrap *wrap,
                       struct message_fault *fault);
/* `own`: what its sender says it is. Else as defaults say, else `otherwise`. data NULL: unknown. */
struct slice wrap_content_type(const struct wrap *wrap, struct slice own, struct slice otherwise);
enum status wrap_finish(struct message *message, struct buffer *extra, struct slice content_type,
                        struct message_fault *fault);

/* All of it, where the bytes are all that came: from setup->system, with a receipt as id. `type` and `media` unless
 * defaults say; `messagetype` whatever they say, unless it is empty. */
enum status wrap_payload(const struct protocol_setup *setup, struct protocol_worker *worker, struct slice payload,
                         struct slice type, struct slice messagetype, struct slice media, struct message *message,
                         struct message_fault *fault, struct now now);

#endif
