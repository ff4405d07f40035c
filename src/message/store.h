/* How decoders and makers put values into a message: one door, so that type, range, duplicates and derived fields are
 * checked once for all encodings. Internal to this room. */
#ifndef MESSAGE_STORE_H
#define MESSAGE_STORE_H

#include "message/check.h"
#include "message/message.h"

/* message->marks */
enum {
    MARK_NULLS = 1,       /* the JSON has members that are null: nothing may be spliced in */
    MARK_SPECVERSION = 2, /* specversion 1.0 was seen */
};

/* The data type of protobuf's proto_data. */
#define MEDIA_PROTOBUF "application/protobuf"
#define MEDIA_JSON "application/json"

struct store_name {
    struct slice text;
    uint32_t at;        /* where it stands, in wire and extra; only used for ATTRIBUTE_OTHER */
    uint8_t known;      /* enum attribute */
    bool is_declared;   /* `type` binds */
    uint8_t type;       /* enum attribute_type; of unknown and undeclared ones STRING */
};

/* Resets all but the values. The message has no extra bytes yet. */
void store_begin(struct message *message, struct slice wire, enum message_encoding encoding);

/* What kind and expiry follow from the text of these two attributes. */
void store_derive(struct message *message, unsigned known, struct slice text);

/* Looks a name up: known, declared or neither. STATUS_MALFORMED_EVENT when it is no legal name. */
enum status store_name(struct store_name *ret_name, struct slice text, const struct message_rules *rules,
                       struct message_fault *fault);
/* The same when attribute_find() has been asked already. */
enum status store_name_known(struct store_name *ret_name, unsigned known, struct slice text, const struct message_rules *rules,
                             struct message_fault *fault);
/* Each checks and adds one value; refused when it is there already. `at` is where `text` stands. */
enum status store_text(struct message *message, const struct store_name *name, unsigned type, struct slice text, uint32_t at,
                       struct message_fault *fault);
/* The common cases without the way through names and faults: a known attribute, the first of its name, whose value is
 * legal. False: nothing was done, ask store_text() or store_number(). `type` is the attribute's. */
static inline struct value *store_slot(struct message *message, unsigned known, unsigned type, unsigned form) {
    struct value *value = &message->values[message->value_count++];
    value->name_at = 0;
    value->name_size = 0;
    value->known = (uint8_t)known;
    value->type = (uint8_t)type;
    value->form = (uint8_t)form;
    message->slot[known] = message->value_count;
    return value;
}
static inline bool store_known_text(struct message *message, unsigned known, unsigned type, struct slice text, uint32_t at) {
    if (message->slot[known] || text.size == 0 || message->value_count == MESSAGE_VALUES_MAX)
        return false;
    bool is_simple = type == ATTRIBUTE_STRING && !(CHECK_SPECIAL & ATTRIBUTE_BIT(known)) && check_is_plain(text);
    if (!is_simple && check_text(known, type, text))
        return false;
    struct value *value = store_slot(message, known, type, VALUE_TEXT);
    value->span.at = at;
    value->span.size = (uint32_t)text.size;
    if (ATTRIBUTE_BIT(known) & (ATTRIBUTE_BIT(ATTRIBUTE_MESSAGETYPE) | ATTRIBUTE_BIT(ATTRIBUTE_EXPIRYTIME)))
        store_derive(message, known, text);
    return true;
}
static inline bool store_known_number(struct message *message, unsigned known, unsigned type, int32_t number) {
    if (message->slot[known] || message->value_count == MESSAGE_VALUES_MAX || check_number(known, type, number))
        return false;
    store_slot(message, known, type, VALUE_NUMBER)->number = number;
    if (known == ATTRIBUTE_PRIORITY)
        message->priority = (uint8_t)number;
    return true;
}
bool store_known_timestamp(struct message *message, unsigned known, struct slice encoded, uint32_t at);
enum status store_number(struct message *message, const struct store_name *name, unsigned type, int32_t number,
                         struct message_fault *fault);
/* VALUE_BYTES, of Binary. */
enum status store_bytes(struct message *message, const struct store_name *name, struct slice bytes, uint32_t at,
                        struct message_fault *fault);
/* VALUE_TIMESTAMP, whose encoded form stands at `at`. */
enum status store_timestamp(struct message *message, const struct store_name *name, int64_t seconds, int32_t nanos,
                            struct slice encoded, uint32_t at, struct message_fault *fault);

/* Appends bytes to extra and says where they stand. NULL (STATUS_TOO_LARGE or NO_MEMORY in extra) when there is no
 * room. While a message is made, its extra bytes are the last `extra_size` of the buffer. */
uint8_t *store_extra(struct message *message, struct buffer *extra, size_t size, uint32_t *ret_at);
/* Gives back what was reserved but not used. */
void store_extra_trim(struct message *message, struct buffer *extra, size_t unused);
/* Copies. False when there is no room. */
bool store_copy(struct message *message, struct buffer *extra, struct slice bytes, uint32_t *ret_at);

/* Whether id, source and type are there. */
enum status store_required(const struct message *message, struct message_fault *fault);

/* Fills `fault` (may be NULL): "`attribute` words". `attribute` may be empty: only the words. Returns
 * STATUS_MALFORMED_EVENT. */
enum status store_fault(struct message_fault *fault, struct slice attribute, const char *format, ...)
    __attribute__((cold, format(printf, 3, 4)));
/* As above with another status. */
enum status store_fault_status(struct message_fault *fault, enum status status, const char *text) __attribute__((cold));

/* Parses seconds and nanos of an encoded google.protobuf.Timestamp, checking their ranges. */
bool timestamp_decode(struct slice encoded, int64_t *ret_seconds, int32_t *ret_nanos);

/* What a data content type says about the bytes. */
enum media_class {
    MEDIA_CLASS_NONE,  /* no datacontenttype */
    MEDIA_CLASS_JSON,  /* `*`+`/json`, `*`+`/`+`*+json` */
    MEDIA_CLASS_TEXT,  /* text, XML, forms; in UTF-8 */
    MEDIA_CLASS_OTHER,
};
enum media_class media_class(struct slice type);

#endif
