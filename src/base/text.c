/* Small pure helpers on text. */
#include "base/text.h"

bool text_to_u64(struct slice s, uint64_t *ret_value) {
    uint64_t value = 0;
    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (!text_is_digit(s.data[i]) || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.data[i] - '0'), &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool text_to_i64(struct slice s, int64_t *ret_value) {
    bool negative = s.size > 0 && s.data[0] == '-';
    uint64_t value;
    if (!text_to_u64(slice_skip(s, negative), &value) || value > (uint64_t)INT64_MAX + negative)
        return false;
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

size_t text_from_u64(char out[static TEXT_U64_MAX], uint64_t value) {
    char digits[TEXT_U64_MAX];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

size_t text_from_i64(char out[static TEXT_U64_MAX + 1], int64_t value) {
    if (value >= 0)
        return text_from_u64(out, (uint64_t)value);
    out[0] = '-';
    return 1 + text_from_u64(out + 1, 0 - (uint64_t)value);
}

bool text_is_ascii(struct slice s) {
    size_t i = 0;
    for (; i + 8 <= s.size; i += 8) {
        uint64_t word;
        memcpy(&word, s.data + i, 8);
        if (word & UINT64_C(0x8080808080808080))
            return false;
    }
    for (; i < s.size; i++)
        if (s.data[i] & 0x80)
            return false;
    return true;
}

size_t text_utf8_next(struct slice s, uint32_t *ret_point) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (s.size == 0)
        return 0;
    uint8_t first = s.data[0];
    if (first < 0x80) {
        *ret_point = first;
        return 1;
    }
    size_t length = first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
    if (length == 0 || s.size < length)
        return 0;
    uint32_t point = first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((s.data[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s.data[i] & 0x3fu);
    }
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return length;
}

bool text_is_utf8(struct slice s) {
    while (s.size) {
        if (s.size >= 8) {
            uint64_t word;
            memcpy(&word, s.data, 8);
            if (!(word & UINT64_C(0x8080808080808080))) {
                s = slice_skip(s, 8);
                continue;
            }
        }
        uint32_t point;
        size_t length = text_utf8_next(s, &point);
        if (length == 0)
            return false;
        s = slice_skip(s, length);
    }
    return true;
}

size_t text_utf8_put(uint8_t out[static 4], uint32_t point) {
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xc0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xe0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | point >> 18);
    out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (point & 0x3f));
    return 4;
}

static const char base64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t base64_encode(char *out, struct slice in, const char *set, bool pad) {
    char *at = out;
    size_t i = 0;
    for (; i + 3 <= in.size; i += 3) {
        uint32_t v = (uint32_t)in.data[i] << 16 | (uint32_t)in.data[i + 1] << 8 | in.data[i + 2];
        *at++ = set[v >> 18];
        *at++ = set[v >> 12 & 63];
        *at++ = set[v >> 6 & 63];
        *at++ = set[v & 63];
    }
    size_t rest = in.size - i;
    if (rest) {
        uint32_t v = (uint32_t)in.data[i] << 16 | (rest == 2 ? (uint32_t)in.data[i + 1] << 8 : 0);
        *at++ = set[v >> 18];
        *at++ = set[v >> 12 & 63];
        if (rest == 2)
            *at++ = set[v >> 6 & 63];
        else if (pad)
            *at++ = '=';
        if (pad)
            *at++ = '=';
    }
    return (size_t)(at - out);
}

size_t text_base64_put(char *out, struct slice bytes) {
    return base64_encode(out, bytes, base64_std, true);
}

size_t text_base64url_put(char *out, struct slice bytes) {
    return base64_encode(out, bytes, base64_url, false);
}

static int base64_value(uint8_t c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t text_base64_get(uint8_t *out, struct slice text) {
    if (text.size % 4)
        return SIZE_MAX;
    size_t written = 0;
    for (size_t i = 0; i < text.size; i += 4) {
        bool last = i + 4 == text.size;
        size_t pad = last ? (size_t)((text.data[i + 3] == '=') + (text.data[i + 3] == '=' && text.data[i + 2] == '=')) : 0;
        uint32_t v = 0;
        for (size_t k = 0; k < 4 - pad; k++) {
            int value = base64_value(text.data[i + k]);
            if (value < 0)
                return SIZE_MAX;
            v |= (uint32_t)value << (18 - 6 * k);
        }
        if (v & (pad == 1 ? 0xffu : pad == 2 ? 0xffffu : 0))
            return SIZE_MAX; /* bits after the end: not canonical */
        for (size_t k = 0; k < 3 - pad; k++, written++)
            if (out)
                out[written] = (uint8_t)(v >> (16 - 8 * k));
    }
    return written;
}

#define DISTANCE_SIZE_MAX 63

/* Optimal string alignment: as Levenshtein's, and two neighbours that changed places count once. */
unsigned text_distance(struct slice a, struct slice b, unsigned max) {
    unsigned rows[3][DISTANCE_SIZE_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    if (a.size > DISTANCE_SIZE_MAX || b.size > DISTANCE_SIZE_MAX)
        return max + 1;
    for (size_t j = 0; j <= b.size; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a.size; i++) {
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
        row[0] = (unsigned)i;
        uint8_t here = text_lower(a.data[i - 1]);
        for (size_t j = 1; j <= b.size; j++) {
            uint8_t there = text_lower(b.data[j - 1]);
            unsigned least = above[j - 1] + (here != there);
            if (above[j] + 1 < least)
                least = above[j] + 1;
            if (row[j - 1] + 1 < least)
                least = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && here == text_lower(b.data[j - 2]) && text_lower(a.data[i - 2]) == there;
            if (swapped && before[j - 2] + 1 < least)
                least = before[j - 2] + 1;
            row[j] = least;
        }
    }
    return row[b.size] > max ? max + 1 : row[b.size];
}

/* One slip in a short name, two from eight letters on, three from twelve: `name` isn't meant to be `frame`. A name that
 * shares nothing with another is not near it. */
unsigned text_slips_max(struct slice name) {
    unsigned slips = name.size < 8 ? 1 : name.size < 12 ? 2 : 3;
    return name.size > 1 ? slips : 0;
}

int text_nearest(struct slice name, const struct slice *candidates, size_t count) {
    unsigned limit = text_slips_max(name);
    unsigned best = limit + 1;
    int found = -1;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = text_distance(name, candidates[i], limit);
        if (distance < best) {
            best = distance;
            found = (int)i;
        }
    }
    return found;
}

bool text_is_name(struct slice name) {
    if (name.size == 0 || name.size > 63)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool word = (c >= 'a' && c <= 'z') || text_is_digit(c);
        if (!word && (i == 0 || (c != '_' && c != '-')))
            return false;
    }
    return true;
}
