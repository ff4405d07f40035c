/* HTTP binding 1.0.2 section 3.1, binary mode: from a message to header fields. */
#include "base/text.h"
#include "message/encode.h"

#define AUTO_HEADERS_MAX (6 * 1024)

/* Section 3.1.3.2: space, double quote, percent sign and all outside U+0021..U+007E. */
static const bool needs_percent_table[256] = {
    [0 ... ' '] = true, ['"'] = true, ['%'] = true, [0x7f ... 0xff] = true,
};

static inline bool needs_percent(uint8_t c) {
    return needs_percent_table[c];
}

static bool needs_encoding(struct slice text) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    size_t i = 0;
    for (; i + 8 <= text.size; i += 8) {
        uint64_t word;
        memcpy(&word, text.data + i, sizeof word);
        uint64_t quote = word ^ ones * '"', percent = word ^ ones * '%', del = word ^ ones * 0x7f;
        /* A high bit where one does, or where a lower one that does has borrowed: which it is, is told below. */
        if ((word | (word - ones * 0x21) | (quote - ones) | (percent - ones) | (del - ones)) & highs)
            break;
    }
    for (; i < text.size; i++)
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

/* `plainly`: STATUS_NOT_SUPPORTED where a header needs escapes. */
static enum status write_value(const struct leaving *leaving, bool plainly, struct buffer *out) {
    char room[VALUE_ROOM];
    if (leaving->form == VALUE_BYTES) {
        base64_encode(out, leaving->bytes);
        return STATUS_OK;
    }
    struct slice text = leaving_canonical(leaving, room, sizeof room);
    if (!needs_encoding(text)) { /* so it is ASCII */
        buffer_add(out, text);
        return STATUS_OK;
    }
    if (plainly)
        return STATUS_NOT_SUPPORTED;
    if (!text_is_utf8(text))
        return STATUS_MALFORMED_EVENT;
    percent_encode(out, text);
    return STATUS_OK;
}

/* Content-Type goes as it is: nothing in a header undoes an encoding of it. */
static enum status write_content_type(struct slice type, struct buffer *out) {
    for (size_t i = 0; i < type.size; i++)
        if (type.data[i] < ' ' || type.data[i] > '~')
            return STATUS_MALFORMED_EVENT;
    buffer_add(out, SLICE_OF("Content-Type: "));
    buffer_add(out, type);
    buffer_add(out, SLICE_OF("\r\n"));
    return STATUS_OK;
}

static enum status write_headers(const struct message *message, const struct overlay *overlay, bool plainly,
                                 struct buffer *out) {
    struct slice type = encode_content_type(message, overlay);
    struct leaving leaving;
    unsigned position = 0;
    buffer_add(out, SLICE_OF("ce-specversion: 1.0\r\n"));
    while (leaving_next(message, overlay, &position, &leaving)) {
        if (leaving.known == ATTRIBUTE_DATACONTENTTYPE)
            continue;
        buffer_add(out, SLICE_OF("ce-"));
        buffer_add(out, leaving.name);
        buffer_add(out, SLICE_OF(": "));
        enum status status = write_value(&leaving, plainly, out);
        if (status != STATUS_OK)
            return status;
        buffer_add(out, SLICE_OF("\r\n"));
    }
    if (encode_adds_json_type(message, overlay))
        type = SLICE_OF(MEDIA_JSON);
    enum status status = type.size ? write_content_type(type, out) : STATUS_OK;
    return status != STATUS_OK ? status : out->status;
}

enum status message_http_headers(const struct message *message, const struct overlay *overlay, struct buffer *out) {
    return write_headers(message, overlay, false, out);
}

enum status message_http_plain_headers(const struct message *message, const struct overlay *overlay, struct buffer *out) {
    size_t before = out->size;
    enum status status = write_headers(message, overlay, true, out);
    if (status != STATUS_OK)
        return status;
    return out->size - before > AUTO_HEADERS_MAX ? STATUS_NOT_SUPPORTED : STATUS_OK;
}
