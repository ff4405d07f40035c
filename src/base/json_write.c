/* A JSON writer on a buffer. */
#include "base/json_write.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

/* How many bytes from the start need no escape and are UTF-8. */
static size_t plain_run(struct slice text) {
    size_t i = 0;
    while (i < text.size) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            break;
        uint32_t point;
        size_t length = c < 0x80 ? 1 : text_utf8_next(slice_skip(text, i), &point);
        if (length == 0)
            break;
        i += length;
    }
    return i;
}

static void escape_byte(struct buffer *out, uint8_t byte) {
    static const char short_form[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    static const char digits[] = "0123456789abcdef";
    if (byte >= 0x80) {
        buffer_add_text(out, "\xef\xbf\xbd"); /* no UTF-8: the replacement character */
    } else if (byte == '"' || byte == '\\' || (byte < 0x20 && short_form[byte])) {
        char two[2] = {'\\', byte < 0x20 ? short_form[byte] : (char)byte};
        buffer_add(out, slice_make(two, 2));
    } else {
        /* DEL needs no escape, but terminals and logs are better off with one. */
        char six[6] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
        buffer_add(out, slice_make(six, 6));
    }
}

void json_escape(struct buffer *out, struct slice text) {
    while (text.size) {
        size_t plain = plain_run(text);
        buffer_add(out, slice_head(text, plain));
        text = slice_skip(text, plain);
        if (text.size) {
            escape_byte(out, text.data[0]);
            text = slice_skip(text, 1);
        }
    }
}

static void begin_value(struct json_write *write) {
    if (write->needs_comma)
        buffer_add_byte(write->out, ',');
    write->needs_comma = true;
}

void json_write_object(struct json_write *write) {
    begin_value(write);
    buffer_add_byte(write->out, '{');
    write->needs_comma = false;
}

void json_write_object_end(struct json_write *write) {
    buffer_add_byte(write->out, '}');
    write->needs_comma = true;
}

void json_write_array(struct json_write *write) {
    begin_value(write);
    buffer_add_byte(write->out, '[');
    write->needs_comma = false;
}

void json_write_array_end(struct json_write *write) {
    buffer_add_byte(write->out, ']');
    write->needs_comma = true;
}

void json_write_name(struct json_write *write, struct slice name) {
    json_write_string(write, name);
    buffer_add_byte(write->out, ':');
    write->needs_comma = false;
}

void json_write_string(struct json_write *write, struct slice text) {
    begin_value(write);
    buffer_add_byte(write->out, '"');
    json_escape(write->out, text);
    buffer_add_byte(write->out, '"');
}

void json_write_i64(struct json_write *write, int64_t value) {
    begin_value(write);
    buffer_add_i64(write->out, value);
}

void json_write_u64(struct json_write *write, uint64_t value) {
    begin_value(write);
    buffer_add_u64(write->out, value);
}

void json_write_double(struct json_write *write, double value) {
    char text[40];
    if (value - value != 0) { /* RFC 8259 section 6: no infinity, no NaN */
        json_write_null(write);
        return;
    }
    /* A program that embeds us may have chosen a locale with a decimal comma. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(plain);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    uselocale(before);
    if (plain)
        freelocale(plain);
    begin_value(write);
    buffer_add_text(write->out, text);
}

void json_write_bool(struct json_write *write, bool value) {
    begin_value(write);
    buffer_add_text(write->out, value ? "true" : "false");
}

void json_write_null(struct json_write *write) {
    begin_value(write);
    buffer_add_text(write->out, "null");
}

void json_write_raw(struct json_write *write, struct slice json) {
    begin_value(write);
    buffer_add(write->out, json);
}

void json_write_base64(struct json_write *write, struct slice bytes) {
    begin_value(write);
    buffer_add_byte(write->out, '"');
    size_t size = text_base64_size(bytes.size);
    uint8_t *at = buffer_reserve(write->out, size);
    if (at)
        buffer_added(write->out, text_base64_put((char *)at, bytes));
    buffer_add_byte(write->out, '"');
}

void json_write_member(struct json_write *write, const char *name, struct slice text) {
    json_write_name(write, slice_from(name));
    json_write_string(write, text);
}

void json_write_member_text(struct json_write *write, const char *name, const char *text) {
    json_write_name(write, slice_from(name));
    if (text)
        json_write_string(write, slice_from(text));
    else
        json_write_null(write);
}

void json_write_member_i64(struct json_write *write, const char *name, int64_t value) {
    json_write_name(write, slice_from(name));
    json_write_i64(write, value);
}

void json_write_member_u64(struct json_write *write, const char *name, uint64_t value) {
    json_write_name(write, slice_from(name));
    json_write_u64(write, value);
}

void json_write_member_bool(struct json_write *write, const char *name, bool value) {
    json_write_name(write, slice_from(name));
    json_write_bool(write, value);
}

void json_write_member_raw(struct json_write *write, const char *name, struct slice json) {
    json_write_name(write, slice_from(name));
    json_write_raw(write, json);
}
