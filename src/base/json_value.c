/* What JSON's strings and numbers mean, duplicate names, and positions for people. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/text.h"

static uint32_t hex4(const uint8_t *at) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)text_hex_value(at[i]);
    return value;
}

/* Reads what is behind a backslash; moves `*at` behind it. False for a lone surrogate. */
static bool read_escape(const uint8_t **at, const uint8_t *end, uint32_t *ret_point) {
    const uint8_t *p = *at + 1;
    switch (**at) {
    case 'b':
        *ret_point = '\b';
        break;
    case 'f':
        *ret_point = '\f';
        break;
    case 'n':
        *ret_point = '\n';
        break;
    case 'r':
        *ret_point = '\r';
        break;
    case 't':
        *ret_point = '\t';
        break;
    case 'u': {
        uint32_t point = hex4(p);
        p += 4;
        if (point >= 0xd800 && point <= 0xdfff) {
            /* RFC 8259 section 7: a pair of six-character escapes. */
            if (point >= 0xdc00 || end - p < 6 || p[0] != '\\' || p[1] != 'u')
                return false;
            uint32_t low = hex4(p + 2);
            if (low < 0xdc00 || low > 0xdfff)
                return false;
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        }
        *ret_point = point;
        break;
    }
    default: /* quote, backslash, slash */
        *ret_point = **at;
        break;
    }
    *at = p;
    return true;
}

size_t json_unescape(uint8_t *out, struct slice raw) {
    const uint8_t *at = raw.data;
    const uint8_t *end = raw.data + raw.size;
    size_t size = 0;
    while (at < end) {
        const uint8_t *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash ? backslash : end) - at);
        if (out && plain)
            memcpy(out + size, at, plain);
        size += plain;
        at += plain;
        if (!backslash)
            break;
        at++;
        uint32_t point;
        uint8_t bytes[4];
        if (!read_escape(&at, end, &point))
            return SIZE_MAX;
        size_t count = text_utf8_put(bytes, point);
        if (out)
            memcpy(out + size, bytes, count);
        size += count;
    }
    return size;
}

/* The next byte of what a string means; surrogates that stand alone come as if they were code points. */
struct meaning {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t bytes[4];
    uint8_t count;
    uint8_t next;
};

static int meaning_next(struct meaning *meaning) {
    if (meaning->next < meaning->count)
        return meaning->bytes[meaning->next++];
    if (meaning->at == meaning->end)
        return -1;
    if (*meaning->at != '\\')
        return *meaning->at++;
    uint32_t point;
    const uint8_t *at = meaning->at + 1;
    if (!read_escape(&at, meaning->end, &point)) {
        point = hex4(at + 1);
        at += 5;
    }
    meaning->at = at;
    meaning->count = (uint8_t)text_utf8_put(meaning->bytes, point);
    meaning->next = 1;
    return meaning->bytes[0];
}

static bool same_meaning(struct slice a, struct slice b) {
    struct meaning left = {.at = a.data, .end = a.data + a.size};
    struct meaning right = {.at = b.data, .end = b.data + b.size};
    for (;;) {
        int byte = meaning_next(&left);
        if (byte != meaning_next(&right))
            return false;
        if (byte < 0)
            return true;
    }
}

bool json_item_is(const struct json_item *item, struct slice text) {
    if (!item->has_escapes)
        return slice_equal(item->raw, text);
    struct meaning meaning = {.at = item->raw.data, .end = item->raw.data + item->raw.size};
    for (size_t i = 0; i < text.size; i++)
        if (meaning_next(&meaning) != text.data[i])
            return false;
    return meaning_next(&meaning) < 0;
}

enum json_names_result json_names_add(struct json_names *names, const struct json_item *name) {
    for (size_t i = 0; i < names->count; i++) {
        const struct json_item *other = &names->items[i];
        bool verbatim = !name->has_escapes && !other->has_escapes;
        if (verbatim ? slice_equal(name->raw, other->raw) : same_meaning(name->raw, other->raw))
            return JSON_NAMES_DUPLICATE;
    }
    if (names->count == JSON_NAMES_MAX)
        return JSON_NAMES_FULL;
    names->items[names->count++] = *name;
    return JSON_NAMES_NEW;
}

bool json_number_is_integer(struct slice raw) {
    for (size_t i = 0; i < raw.size; i++)
        if (!text_is_digit(raw.data[i]) && raw.data[i] != '-')
            return false;
    return raw.size > 0;
}

bool json_number_to_i64(struct slice raw, int64_t *ret_value) {
    return text_to_i64(raw, ret_value);
}

#define NUMBER_TEXT_MAX 1024

bool json_number_to_double(struct slice raw, double *ret_value) {
    char text[NUMBER_TEXT_MAX + 1];
    if (raw.size == 0 || raw.size > NUMBER_TEXT_MAX)
        return false;
    memcpy(text, raw.data, raw.size);
    text[raw.size] = '\0';
    /* A program that embeds us may have chosen a locale with a decimal comma. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return false;
    char *end;
    double value = strtod_l(text, &end, plain);
    freelocale(plain);
    if (*end != '\0' || value - value != 0) /* infinite: too big */
        return false;
    *ret_value = value;
    return true;
}

struct json_position json_position(struct slice text, size_t offset) {
    struct json_position position = {.line = 1, .column = 1};
    size_t line_at = 0;
    if (offset > text.size)
        offset = text.size;
    for (size_t i = 0; i < offset; i++)
        if (text.data[i] == '\n') {
            position.line++;
            line_at = i + 1;
        }
    for (size_t i = line_at; i < offset; i++)
        position.column += (text.data[i] & 0xc0) != 0x80; /* a continuation byte starts no code point */
    position.column_byte = offset - line_at + 1;
    struct slice rest = slice_skip(text, line_at);
    position.text = slice_head(rest, slice_find(rest, '\n'));
    if (position.text.size && position.text.data[position.text.size - 1] == '\r')
        position.text.size--;
    return position;
}
