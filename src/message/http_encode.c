/* HTTP binding 1.0.2 section 3.1, binary mode: from a message to header fields. */
#include "base/text.h"
#include "message/encode.h"

#define AUTO_HEADERS_MAX (6 * 1024)

/* Section 3.1.3.2: space, double quote, percent sign and all outside U+0021..U+007E. */
static inline bool needs_percent(uint8_t c) {
    return c <= ' ' || c > '~' || c == '"' || c == '%';
}

static bool needs_encoding(struct slice text) {
    for (size_t i = 0; i < text.size; i++)
        if (needs_percent(text.data[i]))
            return true;
    return false;
}

static void percent_encode(struct buffer *out, struct slice text) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        char three[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (needs_percent(c))
            buffer_add(out, slice_make(three, 3));
        else
            buffer_add_byte(out, c);
    }
}

static void base64_encode(struct buffer *out, struct slice bytes) {
    uint8_t *at = buffer_reserve(out, text_base64_size(bytes.size));
    if (at)
        buffer_added(out, text_base64_put((char *)at, bytes));
}

static enum status write_value(const struct leaving *leaving, struct buffer *out) {
    char room[VALUE_ROOM];
    if (leaving->form == VALUE_BYTES) {
        base64_encode(out, leaving->bytes);
        return STATUS_OK;
    }
    struct slice text = leaving_canonical(leaving, room, sizeof room);
    if (!text_is_utf8(text))
        return STATUS_MALFORMED_EVENT;
    if (needs_encoding(text))
        percent_encode(out, text);
    else
        buffer_add(out, text);
    return STATUS_OK;
}

/* Content-Type goes as it is: nothing in a header undoes an encoding of it. */
static enum status write_content_type(struct slice type, struct buffer *out) {
    for (size_t i = 0; i < type.size; i++)
        if (type.data[i] < ' ' || type.data[i] > '~')
            return STATUS_MALFORMED_EVENT;
    buffer_add_text(out, "Content-Type: ");
    buffer_add(out, type);
    buffer_add_text(out, "\r\n");
    return STATUS_OK;
}

enum status message_http_headers(const struct message *message, const struct overlay *overlay, struct buffer *out) {
    struct slice type = encode_content_type(message, overlay);
    struct leaving leaving;
    unsigned position = 0;
    buffer_add_text(out, "ce-specversion: 1.0\r\n");
    while (leaving_next(message, overlay, &position, &leaving)) {
        if (leaving.known == ATTRIBUTE_DATACONTENTTYPE)
            continue;
        buffer_add_text(out, "ce-");
        buffer_add(out, leaving.name);
        buffer_add_text(out, ": ");
        enum status status = write_value(&leaving, out);
        if (status != STATUS_OK)
            return status;
        buffer_add_text(out, "\r\n");
    }
    if (encode_adds_json_type(message, overlay))
        type = SLICE_OF(MEDIA_JSON);
    enum status status = type.size ? write_content_type(type, out) : STATUS_OK;
    return status != STATUS_OK ? status : out->status;
}

bool message_http_fits_binary(const struct message *message, const struct overlay *overlay) {
    struct leaving leaving;
    unsigned position = 0;
    size_t total = sizeof "ce-specversion: 1.0\r\n";
    while (leaving_next(message, overlay, &position, &leaving)) {
        char room[VALUE_ROOM];
        size_t size = leaving.form == VALUE_BYTES ? text_base64_size(leaving.bytes.size) : 0;
        if (leaving.form != VALUE_BYTES) {
            struct slice text = leaving_canonical(&leaving, room, sizeof room);
            size = text.size;
            /* Parameters have spaces, and Content-Type is never encoded. */
            if (leaving.known != ATTRIBUTE_DATACONTENTTYPE && needs_encoding(text))
                return false;
        }
        total += leaving.name.size + size + sizeof "ce-: \r\n";
        if (total > AUTO_HEADERS_MAX)
            return false;
    }
    return true;
}
