/* A JSON writer on a buffer: commas come by themselves, text is escaped as RFC 8259 section 7 asks.
 * Whether everything fitted is the buffer's status. Nesting and name-value order are the caller's. */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

#include "base/buffer.h"

struct json_write {
    struct buffer *out;
    bool needs_comma;
};

static inline void json_write_init(struct json_write *write, struct buffer *out) {
    write->out = out;
    write->needs_comma = false;
}

void json_write_object(struct json_write *write);
void json_write_object_end(struct json_write *write);
void json_write_array(struct json_write *write);
void json_write_array_end(struct json_write *write);
/* The name of the next member. */
void json_write_name(struct json_write *write, struct slice name);

/* Bytes that aren't UTF-8 become U+FFFD, so that what we write is always JSON. */
void json_write_string(struct json_write *write, struct slice text);
void json_write_i64(struct json_write *write, int64_t value);
void json_write_u64(struct json_write *write, uint64_t value);
void json_write_double(struct json_write *write, double value); /* shortest form that reads back; not finite: null */
void json_write_bool(struct json_write *write, bool value);
void json_write_null(struct json_write *write);
/* Bytes that are a JSON value already. */
void json_write_raw(struct json_write *write, struct slice json);
/* Base64 of bytes, as a string. */
void json_write_base64(struct json_write *write, struct slice bytes);

/* Name and value in one. */
void json_write_member(struct json_write *write, const char *name, struct slice text);
void json_write_member_text(struct json_write *write, const char *name, const char *text); /* NULL: null */
void json_write_member_i64(struct json_write *write, const char *name, int64_t value);
void json_write_member_u64(struct json_write *write, const char *name, uint64_t value);
void json_write_member_bool(struct json_write *write, const char *name, bool value);
void json_write_member_raw(struct json_write *write, const char *name, struct slice json);

/* Only the escaped inside of a string, no quotes: for those who build the rest themselves. */
void json_escape(struct buffer *out, struct slice text);
/* An upper bound of what json_escape() appends. */
static inline size_t json_escape_bound(size_t size) {
    return 6 * size;
}

#endif
