/* For tests of this room only: decode into one message with room beside it, compare what two messages mean. */
#ifndef MESSAGE_FIXTURE_H
#define MESSAGE_FIXTURE_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/memory.h"
#include "message/encoding.h"

struct fixture {
    struct message message;
    struct message_fault fault;
    struct buffer extra;
    uint8_t *wire; /* an exact-size copy, so that a read past the end is seen */
    uint8_t room[8192];
};

static const struct message_rules fixture_rules = {.size_max = 1 << 20};

static inline void fixture_init(struct fixture *f, struct slice wire) {
    f->wire = test_malloc(wire.size + 1);
    if (wire.size)
        memcpy(f->wire, wire.data, wire.size);
    buffer_init_fixed(&f->extra, f->room, sizeof f->room);
    memset(&f->fault, 0, sizeof f->fault);
}
static inline void fixture_done(struct fixture *f) {
    test_free(f->wire);
}

static inline enum status fixture_json_by(struct fixture *f, struct slice wire, const struct message_rules *rules) {
    fixture_init(f, wire);
    return message_decode_json(&f->message, slice_make(f->wire, wire.size), &f->extra, rules, &f->fault);
}
static inline enum status fixture_json(struct fixture *f, struct slice wire) {
    return fixture_json_by(f, wire, &fixture_rules);
}
static inline enum status fixture_proto_by(struct fixture *f, struct slice wire, const struct message_rules *rules) {
    fixture_init(f, wire);
    return message_decode_proto(&f->message, slice_make(f->wire, wire.size), &f->extra, rules, &f->fault);
}
static inline enum status fixture_proto(struct fixture *f, struct slice wire) {
    return fixture_proto_by(f, wire, &fixture_rules);
}

/* Header lines as message_http_headers() writes them, and a body. */
static inline enum status fixture_http_by(struct fixture *f, struct slice lines, struct slice body,
                                          const struct message_rules *rules) {
    struct slice content_type = {NULL, 0};
    fixture_init(f, body);
    message_init(&f->message, slice_make(f->wire, body.size));
    while (lines.size) {
        struct slice line = slice_head(lines, slice_find(lines, '\r'));
        size_t colon = slice_find(line, ':');
        lines = slice_skip(lines, line.size + 2);
        struct slice name = slice_head(line, colon);
        struct slice value = slice_trim(slice_skip(line, colon + 1));
        if (slice_equal_nocase(name, SLICE_OF("content-type"))) {
            content_type = value;
            continue;
        }
        assert_true(slice_starts_nocase(name, SLICE_OF("ce-")));
        enum status status =
            message_http_header(&f->message, &f->extra, slice_skip(name, 3), value, rules, &f->fault);
        if (status != STATUS_OK)
            return status;
    }
    return message_http_finish(&f->message, &f->extra, content_type, &f->fault);
}
static inline enum status fixture_http(struct fixture *f, struct slice lines, struct slice body) {
    return fixture_http_by(f, lines, body, &fixture_rules);
}

static inline struct slice fixture_payload(const struct message *message, struct buffer *out) {
    buffer_clear(out);
    message_data_write(message, out);
    assert_int_equal(out->status, STATUS_OK);
    return buffer_slice(out);
}

static inline struct slice fixture_canonical(const struct message *message, const struct value *value, char *room,
                                             size_t size) {
    struct slice text = value_canonical(message, value, room, size);
    assert_non_null(text.data);
    return text;
}

/* Same attributes by name and canonical form (and type, unless headers lost it), same payload, same derived fields.
 * `grown`: b may have a datacontenttype that a has not. */
static inline void assert_same_meaning(const struct message *a, const struct message *b, bool types, bool grown) {
    static char left[65536], right[65536];
    static uint8_t one[1 << 17], two[1 << 17];
    size_t more = grown && !message_has(a, ATTRIBUTE_DATACONTENTTYPE) && message_has(b, ATTRIBUTE_DATACONTENTTYPE);
    assert_int_equal(a->value_count + more, b->value_count);
    for (size_t i = 0; i < a->value_count; i++) {
        const struct value *value = &a->values[i];
        const struct value *other = message_find(b, value_name(a, value));
        assert_non_null(other);
        struct slice x = fixture_canonical(a, value, left, sizeof left);
        struct slice y = fixture_canonical(b, other, right, sizeof right);
        if (value->type != ATTRIBUTE_TIMESTAMP) {
            assert_int_equal(x.size, y.size);
            assert_memory_equal(x.data, y.data, x.size);
        } else if (other->type == ATTRIBUTE_TIMESTAMP) {
            struct wall t, u;
            bool fits = value_time(a, value, &t);
            assert_int_equal(fits, value_time(b, other, &u));
            assert_true(!fits || t.ns == u.ns);
        }
        if (types)
            assert_int_equal(value->type, other->type);
    }
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->priority, b->priority);
    assert_true(a->expiry.ns == b->expiry.ns);
    struct buffer p, q;
    buffer_init_fixed(&p, one, sizeof one);
    buffer_init_fixed(&q, two, sizeof two);
    struct slice x = fixture_payload(a, &p), y = fixture_payload(b, &q);
    assert_int_equal(x.size, y.size);
    if (x.size)
        assert_memory_equal(x.data, y.data, x.size);
    assert_int_equal(x.size, message_data_size(a));
}

#endif
