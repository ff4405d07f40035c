/* A strict JSON reader (RFC 8259) that pulls one token after another out of a slice.
 *
 * It takes no memory and copies nothing: strings and numbers come as slices of the text. Everything the grammar or
 * UTF-8 forbids is an error with an offset and words, and sticks. A byte order mark, comments, trailing commas, NaN
 * and bytes after the value are such errors. Escaped lone surrogates are legal grammar: the reader lets them pass, so
 * that a payload stays verbatim; json_unescape() refuses them, because they are no text. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/slice.h"

#define JSON_DEPTH_DEFAULT 64
#define JSON_DEPTH_LIMIT 256 /* the most that json_init() takes */

enum json_type {
    JSON_ERROR, /* json->error says why, json_offset() where; comes again on each call */
    JSON_END,   /* the whole text was one value */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_NAME, /* of a member; its value comes next */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_item {
    enum json_type type;
    bool has_escapes; /* names and strings: `raw` isn't what it means; see json_unescape() */
    size_t at;        /* offset of the first byte (of a string: its quote) */
    struct slice raw; /* names and strings: between the quotes; else all bytes of the token */
};

struct json {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    const char *error; /* NULL: none yet */
    uint16_t depth;
    uint16_t depth_max;
    uint8_t expect;
    uint64_t objects[JSON_DEPTH_LIMIT / 64]; /* bit per level: object, else array */
};

/* `text` is borrowed as long as the reader and its items are used. `depth_max` arrays and objects may be open at once
 * (0: JSON_DEPTH_DEFAULT). */
void json_init(struct json *json, struct slice text, unsigned depth_max);
/* The next token. `item` is filled also on JSON_ERROR (type and at). */
enum json_type json_next(struct json *json, struct json_item *item);
/* Where a value comes next (at the start, after a name, in an array): passes over all of it, checking it. `item` tells
 * its type (JSON_OBJECT or JSON_ARRAY for the whole of one) and its raw bytes, of strings between the quotes. At the
 * end of an array JSON_ARRAY_END, and as json_next() otherwise. */
enum json_type json_skip(struct json *json, struct json_item *item);
/* Where the reader stands, or where the error is. */
static inline size_t json_offset(const struct json *json) {
    return (size_t)(json->at - json->start);
}
/* Whether `text` is exactly one JSON value, with white space around it at most. */
bool json_is_valid(struct slice text, unsigned depth_max);

/* -- strings -- */

/* Resolves the escapes of a string that the reader gave. `out` has room for raw.size bytes (it never gets longer), or
 * is NULL to measure. Returns the size, or SIZE_MAX for a lone surrogate. */
size_t json_unescape(uint8_t *out, struct slice raw);
/* Whether a name or a string means exactly `text`. */
bool json_item_is(const struct json_item *item, struct slice text);

/* -- numbers, of JSON_NUMBER's raw bytes -- */

/* Without fraction and exponent; `-0` is one. */
bool json_number_is_integer(struct slice raw);
/* Exact: false for a fraction, an exponent, or out of range. */
bool json_number_to_i64(struct slice raw, int64_t *ret_value);
/* Nearest double; false when too big for one or written with more than 1024 bytes. */
bool json_number_to_double(struct slice raw, double *ret_value);

/* -- duplicate members -- */

#define JSON_NAMES_MAX 64

/* The names seen in one object; for small objects, it compares each with each. */
struct json_names {
    size_t count;
    struct json_item items[JSON_NAMES_MAX];
};

enum json_names_result {
    JSON_NAMES_NEW,
    JSON_NAMES_DUPLICATE,
    JSON_NAMES_FULL,
};

static inline void json_names_init(struct json_names *names) {
    names->count = 0;
}
/* Names are equal when they mean the same after unescaping. */
enum json_names_result json_names_add(struct json_names *names, const struct json_item *name);

/* -- positions, for people -- */

struct json_position {
    size_t line;        /* from 1 */
    size_t column;      /* from 1, in code points */
    size_t column_byte; /* from 1 */
    struct slice text;  /* the line, without its end */
};

struct json_position json_position(struct slice text, size_t offset);

#endif
