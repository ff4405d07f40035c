/* A message is a CloudEvent 1.0 while it is inside.
 *
 * Its bytes are in two runs: `wire`, the encoded event as it came, and `extra`, what isn't verbatim in it
 * (unescaped strings, header values, what intertie wrote while wrapping). Everything else is offsets into the two
 * laid end to end, so that keeping a message is two memcpy. A message is decoded or built, then immutable.
 *
 * A fresh one borrows its bytes: it ends with the turn in which it was read. message_keep() copies it into one
 * right-sized block, which then is what limits count. Untouched events leave byte for byte (`wire`); what intertie
 * adds or removes is a small overlay, merged while encoding. `data` is never parsed unless a rule asks. */
#ifndef MESSAGE_MESSAGE_H
#define MESSAGE_MESSAGE_H

#include "base/block.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "message/attribute.h"

enum message_kind {
    KIND_EVENT, /* also when `messagetype` is absent */
    KIND_REQUEST,
    KIND_RESPONSE,
    KIND_COMMAND,
    KIND_QUERY,
    KIND_NOTIFICATION,
    KIND_HEARTBEAT,
    KIND_ERROR,
    KIND_COUNT
};

enum {
    PRIORITY_LOW = 1,
    PRIORITY_NORMAL,
    PRIORITY_HIGH,
    PRIORITY_CRITICAL,
    PRIORITY_EMERGENCY,
    PRIORITY_COUNT = 5,
};

enum message_encoding {
    ENCODING_NONE,  /* parts only: from headers, wrapped, or made here; `wire` holds `data` at most */
    ENCODING_JSON,  /* `wire` is application/cloudevents+json */
    ENCODING_PROTO, /* `wire` is application/cloudevents+protobuf */
};

enum data_form {
    DATA_NONE,   /* no data at all */
    DATA_BYTES,  /* verbatim */
    DATA_JSON,   /* verbatim JSON text, known to be valid */
    DATA_STRING, /* the inside of a JSON string, escapes and all: the payload is what it unescapes to */
    DATA_BASE64, /* base64 text: the payload is what it decodes to */
    DATA_TEXT,   /* verbatim, known to be UTF-8 */
    DATA_ANY,    /* the value of a google.protobuf.Any whose type URL is `dataschema` */
};

enum value_form {
    VALUE_TEXT,      /* canonical string form, verbatim at the span */
    VALUE_NUMBER,    /* `number`: integer or boolean */
    VALUE_BYTES,     /* raw bytes; canonical form is their base64 */
    VALUE_TIMESTAMP, /* an encoded google.protobuf.Timestamp; canonical form is RFC 3339 */
};

struct span {
    uint32_t at; /* into wire, then extra */
    uint32_t size;
};

/* One attribute as it came, in the order in which it came. */
struct value {
    uint32_t name_at; /* only for ATTRIBUTE_OTHER */
    uint8_t name_size;
    uint8_t known; /* enum attribute, or ATTRIBUTE_OTHER */
    uint8_t type;  /* enum attribute_type */
    uint8_t form;  /* enum value_form */
    union {
        struct span span;
        int32_t number;
    };
};

#define MESSAGE_VALUES_MAX 64 /* attributes of one event; one more is malformed-event */

struct message {
    const uint8_t *wire;
    const uint8_t *extra;
    uint32_t wire_size;
    uint32_t extra_size;
    struct block *block; /* NULL: borrowed. Else this struct itself stands in it (message_keep) */
    uint8_t encoding;    /* enum message_encoding */
    uint8_t kind;
    uint8_t priority; /* 1..5, 2 when absent */
    uint8_t data_form;
    uint8_t value_count;
    bool has_receipt;
    uint8_t marks; /* of the decoders, see store.h */
    uint8_t later; /* not 0: its sender fetches the reply later; what its protocol needs to know then, + 1 */
    uint32_t route; /* the REST route that it came by, counted from 1; 0: none. It stays within its worker */
    uint32_t wait_s; /* its sender waits so long for the reply; 0: it does not say */
    struct span data;
    struct wall expiry;  /* INT64_MAX: none given */
    uint8_t receipt[16]; /* our UUIDv7 for this message, when has_receipt */
    uint8_t slot[ATTRIBUTE_COUNT]; /* index into values + 1, 0 = absent */
    struct value values[MESSAGE_VALUES_MAX];
};

/* Why an event is invalid, in words that its sender understands: "`source` is missing". */
struct message_fault {
    enum status status;
    char attribute[24]; /* the attribute at fault, cut; empty when it is none */
    char text[120];
};

/* Fields that an earlier event had in the same place, byte for byte: they were looked at then. Senders say the same
 * source, type and content type again and again. All zero at the start; for one thread and one encoding. */
#define MESSAGE_SEEN_FIELDS 16
#define MESSAGE_SEEN_SIZE 64
struct message_seen {
    struct {
        uint8_t size; /* of the field; 0: none */
        uint8_t known;
        uint8_t type;
        uint8_t kind;     /* what it makes of the message, when it is its kind */
        uint8_t value_at; /* of its value, in the field */
        uint8_t value_size;
    } fields[MESSAGE_SEEN_FIELDS];
    uint8_t bytes[MESSAGE_SEEN_FIELDS][MESSAGE_SEEN_SIZE];
};

/* How to read an event. `extra` is scratch of the caller, appended to; it must not move or be freed while the message
 * is borrowed from, so it is a fixed buffer or is reserved beforehand; full: STATUS_TOO_LARGE. */
struct message_rules {
    const struct attribute_declared *declared; /* NULL: none */
    uint32_t size_max;                         /* of the encoded event */
    struct message_seen *seen;                 /* protobuf: NULL: every field is looked at */
};

/* The bytes at a span. */
static inline struct slice message_bytes(const struct message *message, struct span span) {
    const uint8_t *base = span.at < message->wire_size ? message->wire + span.at
                                                       : message->extra + (span.at - message->wire_size);
    return slice_make(base, span.size);
}

static inline bool message_has(const struct message *message, enum attribute attribute) {
    return message->slot[attribute] != 0;
}
/* NULL when absent. */
static inline const struct value *message_value(const struct message *message, enum attribute attribute) {
    return message->slot[attribute] ? &message->values[message->slot[attribute] - 1] : NULL;
}
/* Text of an attribute that is VALUE_TEXT (all String, URI and URI-reference ones always are); empty when absent. */
static inline struct slice message_text(const struct message *message, enum attribute attribute) {
    const struct value *value = message_value(message, attribute);
    return value && value->form == VALUE_TEXT ? message_bytes(message, value->span) : slice_make("", 0);
}
/* By name, also `ATTRIBUTE_OTHER` ones; NULL when absent. `specversion` and `data` aren't found. */
const struct value *message_find(const struct message *message, struct slice name);
struct slice value_name(const struct message *message, const struct value *value);
/* CloudEvents canonical string form (section 3.1). Points into the message or into `room`; a binary value's base64 that
 * doesn't fit is refused: data NULL. */
#define VALUE_ROOM 64
struct slice value_canonical(const struct message *message, const struct value *value, char *room, size_t room_size);
/* Of an Integer or Boolean, also when it is text; false when it is no such number. */
bool value_number(const struct message *message, const struct value *value, int32_t *ret_number);
/* Of a Timestamp; false when outside 1678..2262, which int64 nanoseconds can't hold. */
bool value_time(const struct message *message, const struct value *value, struct wall *ret_time);

/* -- making -- */

/* Starts an empty message of ENCODING_NONE: kind event, priority 2. `wire` is its future data (may be empty). From here
 * to message_seal() nobody else may append to the `extra` that is used; it may hold bytes of others before. */
void message_init(struct message *message, struct slice wire);
/* Each adds one attribute; the bytes are copied to `extra`. STATUS_MALFORMED_EVENT when it is there already or breaks
 * its type's rules (fault says which), STATUS_TOO_LARGE when extra or the table is full. Derived fields (kind, priority,
 * expiry) follow. */
enum status message_add(struct message *message, struct buffer *extra, enum attribute attribute, struct slice text,
                        struct message_fault *fault);
enum status message_add_named(struct message *message, struct buffer *extra, struct slice name, enum attribute_type type,
                              struct slice text, struct message_fault *fault);
/* The data is all of `wire`, in that form. */
void message_set_data(struct message *message, enum data_form form);
/* Checks what is required (id, source, type non-empty) and points the message at extra's bytes. */
enum status message_seal(struct message *message, const struct buffer *extra, struct message_fault *fault);

/* -- keeping -- */

/* What message_keep() would take, in bytes. */
size_t message_kept_size(const struct message *message);
/* A copy with its bytes in one block, one reference. `pool` may be NULL. NULL when memory is out. A kept message is referred to, not copied:
 * its struct has no room for more values than it uses. */
struct message *message_keep(const struct message *message, struct block_pool *pool);
struct message *message_ref(struct message *kept);
void message_unref(struct message *kept); /* NULL is fine */

/* -- data -- */

/* Size of the payload after unescaping or decoding. */
size_t message_data_size(const struct message *message);
/* Appends the payload's bytes. */
void message_data_write(const struct message *message, struct buffer *out);
/* The payload if it is verbatim (DATA_BYTES, JSON, TEXT, ANY), else data NULL. */
struct slice message_data_verbatim(const struct message *message);
/* Media type is JSON: absent (with JSON data), `*`+`/json`, `+json`; parameters dropped. */
bool message_data_is_json(const struct message *message);

/* -- changes -- */

#define OVERLAY_MAX 12

/* What leaves different from what came: sets (replacing) and removals of known attributes. */
struct overlay {
    uint64_t removed;
    uint64_t set;
    uint8_t count;
    struct overlay_entry {
        uint8_t attribute;
        bool is_number;
        int32_t number;
        struct slice text; /* borrowed: lives as long as the overlay */
    } entries[OVERLAY_MAX];
};

static inline void overlay_init(struct overlay *overlay) {
    overlay->removed = overlay->set = 0;
    overlay->count = 0;
}
/* `overlay` NULL counts as empty. */
static inline bool overlay_is_empty(const struct overlay *overlay) {
    return !overlay || (overlay->removed | overlay->set) == 0;
}
void overlay_set_text(struct overlay *overlay, enum attribute attribute, struct slice text);
void overlay_set_number(struct overlay *overlay, enum attribute attribute, int32_t number);
void overlay_remove(struct overlay *overlay, enum attribute attribute);

/* -- words -- */

struct slice message_kind_name(enum message_kind kind);
bool message_kind_find(struct slice name, enum message_kind *ret_kind);
/* low, normal, high, critical, emergency or 1..5 -> 1..5; 0 when it is none. */
int message_priority_find(struct slice name);
/* request and query: the sender waits for a reply. */
static inline bool message_kind_asks(unsigned kind) {
    return kind == KIND_REQUEST || kind == KIND_QUERY;
}
static inline bool message_kind_replies(unsigned kind) {
    return kind == KIND_RESPONSE || kind == KIND_ERROR;
}
/* event and notification go to many; the others have one recipient. */
static inline bool message_kind_fans_out(unsigned kind) {
    return kind == KIND_EVENT || kind == KIND_NOTIFICATION;
}

#endif
