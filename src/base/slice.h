/* A borrowed run of bytes. It ends with the call that it was given to, unless a contract says longer. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data;
    size_t size;
};

/* From a string literal, usable in static initialisers. */
#define SLICE(literal) {(const uint8_t *)("" literal), sizeof(literal) - 1}
#define SLICE_OF(literal) ((struct slice)SLICE(literal))
/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).size, (const char *)(s).data

static inline struct slice slice_make(const void *data, size_t size) {
    return (struct slice){(const uint8_t *)data, size};
}

static inline struct slice slice_from(const char *text) {
    return slice_make(text, text ? strlen(text) : 0);
}

static inline bool slice_equal(struct slice a, struct slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice a, const char *text) {
    return slice_equal(a, slice_from(text));
}

static inline bool slice_starts(struct slice s, struct slice prefix) {
    return s.size >= prefix.size && (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}

/* What is left after the first `count` bytes (all of them at most). */
static inline struct slice slice_skip(struct slice s, size_t count) {
    if (count > s.size)
        count = s.size;
    return slice_make(s.data + count, s.size - count);
}

static inline struct slice slice_head(struct slice s, size_t count) {
    return slice_make(s.data, count < s.size ? count : s.size);
}

/* ASCII case ignored. */
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_starts_nocase(struct slice s, struct slice prefix);
/* Byte order, shorter first among equals: for sorting. */
int slice_compare(struct slice a, struct slice b);
/* Position of `byte`, or s.size. */
size_t slice_find(struct slice s, uint8_t byte);
/* Without ASCII space and tab at both ends. */
struct slice slice_trim(struct slice s);

#endif
