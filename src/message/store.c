/* How decoders and makers put values into a message. */
#include "message/store.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "message/timestamp.h"

void store_begin(struct message *message, struct slice wire, enum message_encoding encoding) {
    /* Not the values: they are 1 KiB that mostly stays unused. The size is hidden from the compiler, which would take
     * `rep stos`: slow to start, for so few bytes. */
    size_t size = offsetof(struct message, values);
    __asm__("" : "+r"(size));
    memset(message, 0, size);
    message->wire = wire.size ? wire.data : (const uint8_t *)"";
    message->wire_size = (uint32_t)wire.size;
    message->extra = (const uint8_t *)"";
    message->encoding = (uint8_t)encoding;
    message->kind = KIND_EVENT;
    message->priority = PRIORITY_NORMAL;
    message->expiry.ns = INT64_MAX;
}

enum status store_fault(struct message_fault *fault, struct slice attribute, const char *format, ...) {
    if (!fault)
        return STATUS_MALFORMED_EVENT;
    fault->status = STATUS_MALFORMED_EVENT;
    size_t size = attribute.size < sizeof fault->attribute ? attribute.size : sizeof fault->attribute - 1;
    if (size)
        memcpy(fault->attribute, attribute.data, size);
    fault->attribute[size] = '\0';
    size_t used = 0;
    if (attribute.size)
        used = (size_t)snprintf(fault->text, sizeof fault->text, "`%s` ", fault->attribute);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text + used, sizeof fault->text - used, format, arguments);
    va_end(arguments);
    return STATUS_MALFORMED_EVENT;
}

enum status store_fault_status(struct message_fault *fault, enum status status, const char *text) {
    store_fault(fault, (struct slice){0}, "%s", text);
    if (fault)
        fault->status = status;
    return status;
}

/* A name for a fault: not text that could break a log line. */
static struct slice printable(struct slice name) {
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x20 || name.data[i] > 0x7e)
            return slice_head(name, i);
    return name;
}

enum status store_name(struct store_name *ret_name, struct slice text, const struct message_rules *rules,
                       struct message_fault *fault) {
    return store_name_known(ret_name, attribute_find(text), text, rules, fault);
}

enum status store_name_known(struct store_name *ret_name, unsigned known, struct slice text, const struct message_rules *rules,
                             struct message_fault *fault) {
    ret_name->text = text;
    ret_name->at = 0;
    ret_name->known = (uint8_t)known;
    ret_name->is_declared = true;
    if (ret_name->known != ATTRIBUTE_OTHER) {
        ret_name->type = (uint8_t)attribute_row(ret_name->known)->type;
        return STATUS_OK;
    }
    if (!attribute_name_is_valid(text))
        return store_fault(fault, printable(text), "is no legal attribute name: a-z and 0-9, 64 at most");
    const struct attribute_declared *declared = rules ? rules->declared : NULL;
    for (size_t i = 0; declared && i < declared->count; i++)
        if (slice_equal(declared->rows[i].name, text)) {
            ret_name->type = (uint8_t)declared->rows[i].type;
            return STATUS_OK;
        }
    ret_name->is_declared = false;
    ret_name->type = ATTRIBUTE_STRING;
    return STATUS_OK;
}

static bool is_present(const struct message *message, const struct store_name *name) {
    if (name->known != ATTRIBUTE_OTHER)
        return message->slot[name->known] != 0;
    for (size_t i = 0; i < message->value_count; i++) {
        const struct value *value = &message->values[i];
        if (value->known == ATTRIBUTE_OTHER && slice_equal(value_name(message, value), name->text))
            return true;
    }
    return false;
}

/* A new value of the table, or NULL with the fault filled. */
static struct value *add(struct message *message, const struct store_name *name, unsigned type, unsigned form,
                         struct message_fault *fault) {
    if (is_present(message, name)) {
        store_fault(fault, name->text, "is there twice");
        return NULL;
    }
    if (message->value_count == MESSAGE_VALUES_MAX) {
        store_fault(fault, name->text, "is one attribute too many: %d at most", MESSAGE_VALUES_MAX);
        return NULL;
    }
    struct value *value = &message->values[message->value_count++];
    value->name_at = name->known == ATTRIBUTE_OTHER ? name->at : 0;
    value->name_size = name->known == ATTRIBUTE_OTHER ? (uint8_t)name->text.size : 0;
    value->known = name->known;
    value->type = (uint8_t)type;
    value->form = (uint8_t)form;
    if (name->known != ATTRIBUTE_OTHER)
        message->slot[name->known] = message->value_count;
    return value;
}

static void derive_expiry(struct message *message, int64_t seconds, int32_t nanos) {
    /* Before 1678 is over, after 2262 is never. */
    if (!timestamp_to_wall(seconds, nanos, &message->expiry))
        message->expiry.ns = seconds < 0 ? INT64_MIN : INT64_MAX;
}

void store_derive(struct message *message, unsigned known, struct slice text) {
    enum message_kind kind;
    int64_t seconds;
    int32_t nanos;
    if (known == ATTRIBUTE_MESSAGETYPE && message_kind_find(text, &kind))
        message->kind = (uint8_t)kind;
    if (known == ATTRIBUTE_EXPIRYTIME && timestamp_parse(text, &seconds, &nanos))
        derive_expiry(message, seconds, nanos);
}

enum status store_text(struct message *message, const struct store_name *name, unsigned type, struct slice text, uint32_t at,
                       struct message_fault *fault) {
    const char *why = check_text(name->known, type, text);
    if (why)
        return store_fault(fault, name->text, "%s", why);
    struct value *value = add(message, name, type, VALUE_TEXT, fault);
    if (!value)
        return STATUS_MALFORMED_EVENT;
    value->span.at = text.size ? at : 0;
    value->span.size = (uint32_t)text.size;
    if (name->known == ATTRIBUTE_MESSAGETYPE || name->known == ATTRIBUTE_EXPIRYTIME)
        store_derive(message, name->known, text);
    return STATUS_OK;
}

enum status store_number(struct message *message, const struct store_name *name, unsigned type, int32_t number,
                         struct message_fault *fault) {
    const char *why = check_number(name->known, type, number);
    if (why)
        return store_fault(fault, name->text, "%s", why);
    struct value *value = add(message, name, type, VALUE_NUMBER, fault);
    if (!value)
        return STATUS_MALFORMED_EVENT;
    value->span = (struct span){0}; /* no bytes of whatever was here before: messages travel between workers as they are */
    value->number = number;
    if (name->known == ATTRIBUTE_PRIORITY)
        message->priority = (uint8_t)number;
    return STATUS_OK;
}

enum status store_bytes(struct message *message, const struct store_name *name, struct slice bytes, uint32_t at,
                        struct message_fault *fault) {
    struct value *value = add(message, name, ATTRIBUTE_BINARY, VALUE_BYTES, fault);
    if (!value)
        return STATUS_MALFORMED_EVENT;
    value->span.at = bytes.size ? at : 0;
    value->span.size = (uint32_t)bytes.size;
    return STATUS_OK;
}

enum status store_timestamp(struct message *message, const struct store_name *name, int64_t seconds, int32_t nanos,
                            struct slice encoded, uint32_t at, struct message_fault *fault) {
    struct value *value = add(message, name, ATTRIBUTE_TIMESTAMP, VALUE_TIMESTAMP, fault);
    if (!value)
        return STATUS_MALFORMED_EVENT;
    value->span.at = encoded.size ? at : 0;
    value->span.size = (uint32_t)encoded.size;
    if (name->known == ATTRIBUTE_EXPIRYTIME)
        derive_expiry(message, seconds, nanos);
    return STATUS_OK;
}

bool store_known_timestamp(struct message *message, unsigned known, struct slice encoded, uint32_t at) {
    int64_t seconds;
    int32_t nanos;
    if (message->slot[known] || message->value_count == MESSAGE_VALUES_MAX || encoded.size == 0 ||
        !timestamp_decode(encoded, &seconds, &nanos))
        return false;
    struct value *value = store_slot(message, known, ATTRIBUTE_TIMESTAMP, VALUE_TIMESTAMP);
    value->span.at = at;
    value->span.size = (uint32_t)encoded.size;
    if (known == ATTRIBUTE_EXPIRYTIME)
        derive_expiry(message, seconds, nanos);
    return true;
}

uint8_t *store_extra(struct message *message, struct buffer *extra, size_t size, uint32_t *ret_at) {
    static uint8_t nothing;
    if (size == 0) {
        *ret_at = 0;
        return &nothing;
    }
    if (size > UINT32_MAX / 2 - message->extra_size) {
        extra->status = STATUS_TOO_LARGE;
        return NULL;
    }
    size_t start = extra->size - message->extra_size;
    uint8_t *at = buffer_reserve(extra, size);
    if (!at)
        return NULL;
    *ret_at = message->wire_size + message->extra_size;
    buffer_added(extra, size);
    message->extra = extra->data + start;
    message->extra_size += (uint32_t)size;
    return at;
}

void store_extra_trim(struct message *message, struct buffer *extra, size_t unused) {
    ASSERT(unused <= message->extra_size);
    extra->size -= unused;
    message->extra_size -= (uint32_t)unused;
}

bool store_copy(struct message *message, struct buffer *extra, struct slice bytes, uint32_t *ret_at) {
    uint8_t *at = store_extra(message, extra, bytes.size, ret_at);
    if (!at)
        return false;
    if (bytes.size)
        memcpy(at, bytes.data, bytes.size);
    return true;
}

enum status store_required(const struct message *message, struct message_fault *fault) {
    static const uint8_t required[] = {ATTRIBUTE_ID, ATTRIBUTE_SOURCE, ATTRIBUTE_TYPE};
    for (size_t i = 0; i < COUNT_OF(required); i++)
        if (!message->slot[required[i]])
            return store_fault(fault, attribute_row(required[i])->name, "is missing");
    return STATUS_OK;
}
