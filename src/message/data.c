/* The payload of a message: its size, its bytes, what its media type says. */
#include "base/assert.h"
#include "base/json.h"
#include "base/text.h"
#include "message/store.h"

static bool ends_nocase(struct slice s, struct slice end) {
    return s.size >= end.size && slice_equal_nocase(slice_skip(s, s.size - end.size), end);
}

/* Whether `; charset=` names something other than UTF-8 or its subset. */
static bool has_foreign_charset(struct slice parameters) {
    while (parameters.size) {
        struct slice one = slice_head(parameters, slice_find(parameters, ';'));
        parameters = slice_skip(parameters, one.size + 1);
        one = slice_trim(one);
        if (!slice_starts_nocase(one, SLICE_OF("charset=")))
            continue;
        one = slice_skip(one, 8);
        if (one.size > 1 && one.data[0] == '"')
            one = slice_make(one.data + 1, one.size - 2);
        return !slice_equal_nocase(one, SLICE_OF("utf-8")) && !slice_equal_nocase(one, SLICE_OF("us-ascii"));
    }
    return false;
}

enum media_class media_class(struct slice type) {
    if (type.size == 0)
        return MEDIA_CLASS_NONE;
    if (slice_equal(type, SLICE_OF(MEDIA_JSON)))
        return MEDIA_CLASS_JSON;
    struct slice name = slice_head(type, slice_find(type, ';'));
    struct slice parameters = slice_skip(type, name.size);
    name = slice_trim(name);
    if (ends_nocase(name, SLICE_OF("/json")) || ends_nocase(name, SLICE_OF("+json")))
        return MEDIA_CLASS_JSON;
    bool is_text = slice_starts_nocase(name, SLICE_OF("text/")) || ends_nocase(name, SLICE_OF("/xml")) ||
                   ends_nocase(name, SLICE_OF("+xml")) ||
                   slice_equal_nocase(name, SLICE_OF("application/x-www-form-urlencoded"));
    return is_text && !has_foreign_charset(parameters) ? MEDIA_CLASS_TEXT : MEDIA_CLASS_OTHER;
}

bool message_data_is_json(const struct message *message) {
    enum media_class class = media_class(message_text(message, ATTRIBUTE_DATACONTENTTYPE));
    return class == MEDIA_CLASS_JSON || (class == MEDIA_CLASS_NONE && message->data_form == DATA_JSON);
}

static size_t base64_decoded_size(struct slice text) {
    size_t size = text.size / 4 * 3;
    if (size && text.data[text.size - 1] == '=')
        size -= text.data[text.size - 2] == '=' ? 2 : 1;
    return size;
}

size_t message_data_size(const struct message *message) {
    struct slice bytes = message_bytes(message, message->data);
    switch ((enum data_form)message->data_form) {
    case DATA_NONE:
        return 0;
    case DATA_STRING:
        return json_unescape(NULL, bytes);
    case DATA_BASE64:
        return base64_decoded_size(bytes);
    case DATA_BYTES:
    case DATA_JSON:
    case DATA_TEXT:
    case DATA_ANY:
        return bytes.size;
    }
    UNREACHABLE();
}

void message_data_write(const struct message *message, struct buffer *out) {
    struct slice verbatim = message_data_verbatim(message);
    if (verbatim.data) {
        buffer_add(out, verbatim);
        return;
    }
    struct slice bytes = message_bytes(message, message->data);
    if (message->data_form == DATA_NONE || bytes.size == 0)
        return;
    size_t size = message_data_size(message);
    /* text_base64_get() writes whole groups only where they are whole: the decoded size is enough. */
    uint8_t *at = buffer_reserve(out, size);
    if (!at)
        return;
    buffer_added(out, message->data_form == DATA_STRING ? json_unescape(at, bytes) : text_base64_get(at, bytes));
}

struct slice message_data_verbatim(const struct message *message) {
    if (message->data_form == DATA_NONE || message->data_form == DATA_STRING || message->data_form == DATA_BASE64)
        return slice_make(NULL, 0);
    return message_bytes(message, message->data);
}
