/* Small pure helpers on text: ASCII classes, numbers, UTF-8, base64, nearest names. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/slice.h"

static inline uint8_t text_lower(uint8_t c) {
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}
static inline bool text_is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}
static inline bool text_is_alpha(uint8_t c) {
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}
/* Value of a hexadecimal digit, or -1. */
static inline int text_hex_value(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* Decimal digits only, no sign, no space; false when empty, foreign or too big. */
bool text_to_u64(struct slice s, uint64_t *ret_value);
/* As above with an optional '-'. */
bool text_to_i64(struct slice s, int64_t *ret_value);
#define TEXT_U64_MAX 20
/* Writes decimal digits without NUL, returns their count (at most TEXT_U64_MAX). */
size_t text_from_u64(char out[static TEXT_U64_MAX], uint64_t value);
size_t text_from_i64(char out[static TEXT_U64_MAX + 1], int64_t value);

/* RFC 3629, no surrogates, nothing past U+10FFFF. */
bool text_is_utf8(struct slice s);
bool text_is_ascii(struct slice s);
/* Reads one code point of valid UTF-8 at s.data; returns its length in bytes, 0 when invalid or empty. */
size_t text_utf8_next(struct slice s, uint32_t *ret_point);
/* Writes one code point; returns 1..4. */
size_t text_utf8_put(uint8_t out[static 4], uint32_t point);

/* RFC 4648 section 4 (padding required, no other bytes) and section 5 without padding. */
static inline size_t text_base64_size(size_t bytes) {
    return (bytes + 2) / 3 * 4;
}
size_t text_base64_put(char *out, struct slice bytes); /* needs text_base64_size(), returns it */
/* Returns the decoded size, or SIZE_MAX when `text` is no canonical base64. `out` needs text.size / 4 * 3;
 * `out` NULL only measures and checks. */
size_t text_base64_get(uint8_t *out, struct slice text);
size_t text_base64url_put(char *out, struct slice bytes); /* needs (size * 4 + 2) / 3, returns it */

/* Edit distance up to `max` (max + 1 when farther), case ignored, two swapped neighbours count as one slip; for "did you
 * mean". Names over 63 bytes are never near. */
unsigned text_distance(struct slice a, struct slice b, unsigned max);

/* How far from `name` a candidate may be to be worth saying. */
unsigned text_slips_max(struct slice name);
/* The names of `count` candidates nearest to `name`: index, or -1 when none is close enough to be worth saying. */
int text_nearest(struct slice name, const struct slice *candidates, size_t count);

/* `name` matches `[a-z0-9][a-z0-9_-]{0,62}`: what systems, listeners, routes are called. */
bool text_is_name(struct slice name);

#endif
