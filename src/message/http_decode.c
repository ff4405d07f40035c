/* HTTP binding 1.0.2 section 3.1, binary mode: from header fields to a message. */
#include "base/text.h"
#include "message/check.h"
#include "message/encoding.h"
#include "message/store.h"

#define NAME_MAX_SIZE 64

/* Section 3.1.3.2: a quoted string loses its quotes and backslashes. `out` has room for the whole value. */
static size_t unquote(uint8_t *out, struct slice value) {
    size_t size = 0;
    struct slice inside = slice_make(value.data + 1, value.size - 2);
    for (size_t i = 0; i < inside.size; i++) {
        if (inside.data[i] == '\\' && i + 1 < inside.size)
            i++;
        out[size++] = inside.data[i];
    }
    return size;
}

static bool is_quoted(struct slice value) {
    if (value.size < 2 || value.data[0] != '"' || value.data[value.size - 1] != '"')
        return false;
    /* The last quote is the end, not an escaped one; none stands bare inside. */
    for (size_t i = 1; i + 1 < value.size; i++) {
        if (value.data[i] == '"')
            return false;
        if (value.data[i] == '\\' && ++i + 1 >= value.size)
            return false;
    }
    return true;
}

/* One round, in place; a percent sign without two hexadecimal digits stands for itself. */
static size_t percent_decode(uint8_t *bytes, size_t size) {
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        int high = bytes[i] == '%' && i + 2 < size ? text_hex_value(bytes[i + 1]) : -1;
        int low = high >= 0 ? text_hex_value(bytes[i + 2]) : -1;
        if (low >= 0) {
            bytes[written++] = (uint8_t)(high << 4 | low);
            i += 2;
        } else {
            bytes[written++] = bytes[i];
        }
    }
    return written;
}

/* Some SDKs don't encode: their URI came with its own escapes, which decoding has just broken. */
static bool keeps_raw(unsigned type, struct slice decoded, struct slice raw) {
    if (type == ATTRIBUTE_URI)
        return !check_uri(decoded) && check_uri(raw);
    return type == ATTRIBUTE_URI_REFERENCE && !check_uri_reference(decoded) && check_uri_reference(raw);
}

static enum status read_number(struct message *message, const struct store_name *name, struct slice text,
                               struct message_fault *fault) {
    int32_t number;
    bool parsed = name->type == ATTRIBUTE_INTEGER ? check_parse_integer(text, &number) : check_parse_boolean(text, &number);
    if (!parsed)
        return store_fault(fault, name->text, "must be %s",
                           name->type == ATTRIBUTE_INTEGER ? "an integer of 32 bits" : "true or false");
    return store_number(message, name, name->type, number, fault);
}

/* Undoes quotes and escapes into `bytes`, which has room for the whole value. */
static size_t decode_value(uint8_t *bytes, const struct store_name *name, struct slice value) {
    size_t size = value.size;
    if (is_quoted(value))
        size = unquote(bytes, value);
    else if (size)
        memcpy(bytes, value.data, size);
    if (slice_find(slice_make(bytes, size), '%') == size)
        return size;
    size = percent_decode(bytes, size);
    if (keeps_raw(name->type, slice_make(bytes, size), value)) {
        memcpy(bytes, value.data, value.size);
        size = value.size;
    }
    return size;
}

static enum status read_value(struct message *message, struct buffer *extra, const struct store_name *name,
                              struct slice value, struct message_fault *fault) {
    uint32_t at;
    uint8_t *bytes = store_extra(message, extra, value.size, &at);
    if (!bytes)
        return store_fault_status(fault, extra->status, "the attributes are too large");
    size_t size = decode_value(bytes, name, value);
    store_extra_trim(message, extra, value.size - size);
    struct slice text = slice_make(bytes, size);
    if (name->type == ATTRIBUTE_INTEGER || name->type == ATTRIBUTE_BOOLEAN) {
        store_extra_trim(message, extra, size);
        return read_number(message, name, text, fault);
    }
    if (name->known != ATTRIBUTE_OTHER && store_known_text(message, name->known, name->type, text, at))
        return STATUS_OK;
    if (!text_is_utf8(text))
        return store_fault(fault, name->text, "must be UTF-8");
    return store_text(message, name, name->type, text, at, fault);
}

static enum status read_specversion(struct message *message, struct slice value, struct message_fault *fault) {
    if (message->marks & MARK_SPECVERSION)
        return store_fault(fault, SLICE_OF("specversion"), "is there twice");
    if (!slice_equal(value, SLICE_OF("1.0")))
        return store_fault(fault, SLICE_OF("specversion"), "must be 1.0");
    message->marks |= MARK_SPECVERSION;
    return STATUS_OK;
}

enum status message_http_header(struct message *message, struct buffer *extra, struct slice name, struct slice value,
                                const struct message_rules *rules, struct message_fault *fault) {
    uint8_t lower[NAME_MAX_SIZE];
    struct store_name found;
    value = slice_trim(value);
    if (name.size > sizeof lower)
        return store_fault(fault, name, "is no legal attribute name: a-z and 0-9, 64 at most");
    for (size_t i = 0; i < name.size; i++)
        lower[i] = text_lower(name.data[i]);
    struct slice text = slice_make(lower, name.size);
    if (slice_equal(text, SLICE_OF("specversion")))
        return read_specversion(message, value, fault);
    enum status status = store_name(&found, text, rules, fault);
    if (status != STATUS_OK)
        return status;
    /* Section 3.1.1: it is mapped to Content-Type, and only to that. */
    if (found.known == ATTRIBUTE_DATACONTENTTYPE)
        return store_fault(fault, text, "must come as Content-Type, not as ce-datacontenttype");
    if (found.known == ATTRIBUTE_OTHER && !store_copy(message, extra, text, &found.at))
        return store_fault_status(fault, extra->status, "the attributes are too large");
    return read_value(message, extra, &found, value, fault);
}

/* The form says how the body may leave in other encodings: text that is UTF-8 as text, all else as bytes. */
static enum data_form form_of(struct slice body, struct slice content_type) {
    enum media_class class = media_class(content_type);
    if (body.size == 0)
        return DATA_NONE;
    return (class == MEDIA_CLASS_JSON || class == MEDIA_CLASS_TEXT) && text_is_utf8(body) ? DATA_TEXT : DATA_BYTES;
}

enum status message_http_finish(struct message *message, struct buffer *extra, struct slice content_type,
                                struct message_fault *fault) {
    if (!(message->marks & MARK_SPECVERSION))
        return store_fault(fault, SLICE_OF("specversion"), "is missing");
    content_type = content_type.data ? slice_trim(content_type) : content_type;
    if (content_type.data) {
        enum status status = message_add(message, extra, ATTRIBUTE_DATACONTENTTYPE, content_type, fault);
        if (status != STATUS_OK)
            return status;
    }
    message_set_data(message, form_of(slice_make(message->wire, message->wire_size), content_type));
    return message_seal(message, extra, fault);
}
