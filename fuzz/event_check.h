/* What the event targets hold: whatever was decoded means the same after each encoding. */
#ifndef FUZZ_EVENT_CHECK_H
#define FUZZ_EVENT_CHECK_H

#include "base/assert.h"
#include "message/encoding.h"
#include "message/timestamp.h"

#define EVENT_SIZE_MAX 16384

static const struct attribute_declaration event_declarations[] = {
    {SLICE("tenant"), ATTRIBUTE_STRING}, {SLICE("amount"), ATTRIBUTE_INTEGER},        {SLICE("urgent"), ATTRIBUTE_BOOLEAN},
    {SLICE("blob"), ATTRIBUTE_BINARY},   {SLICE("where"), ATTRIBUTE_URI_REFERENCE}, {SLICE("due"), ATTRIBUTE_TIMESTAMP},
};
static const struct attribute_declared event_declared = {event_declarations, COUNT_OF(event_declarations)};
static const struct message_rules event_rules = {.declared = &event_declared, .size_max = 1 << 20};

/* Room for one decoded event. */
struct event {
    struct message message;
    struct message_fault fault;
    struct buffer extra;
    uint8_t room[1 << 17];
};

static inline void event_init(struct event *event) {
    buffer_init_fixed(&event->extra, event->room, sizeof event->room);
}

/* The year 0 is legal in RFC 3339 and not in google.protobuf.Timestamp. */
static inline bool event_fits_proto(const struct message *message) {
    for (size_t i = 0; i < message->value_count; i++) {
        const struct value *value = &message->values[i];
        int64_t seconds;
        int32_t nanos;
        if (value->type == ATTRIBUTE_TIMESTAMP && value->form == VALUE_TEXT &&
            timestamp_parse(message_bytes(message, value->span), &seconds, &nanos) && seconds < INT64_C(-62135596800))
            return false;
    }
    return true;
}

static inline void event_same_value(const struct message *a, const struct value *x, const struct message *b,
                                    const struct value *y) {
    static char left[1 << 17], right[1 << 17];
    struct slice s = value_canonical(a, x, left, sizeof left);
    struct slice t = value_canonical(b, y, right, sizeof right);
    int64_t seconds, other_seconds;
    int32_t nanos, other_nanos;
    ASSERT(s.data && t.data);
    if (x->type == ATTRIBUTE_TIMESTAMP) {
        ASSERT(timestamp_parse(s, &seconds, &nanos) && timestamp_parse(t, &other_seconds, &other_nanos));
        ASSERT(seconds == other_seconds && nanos == other_nanos);
        return;
    }
    ASSERT(slice_equal(s, t));
}

static inline void event_same(const struct message *a, const struct message *b, bool may_add_type) {
    static uint8_t one[1 << 17], two[1 << 17];
    bool added = may_add_type && a->data_form == DATA_JSON && !message_has(a, ATTRIBUTE_DATACONTENTTYPE);
    ASSERT(b->value_count == a->value_count + added);
    for (size_t i = 0; i < a->value_count; i++) {
        const struct value *other = message_find(b, value_name(a, &a->values[i]));
        ASSERT(other);
        event_same_value(a, &a->values[i], b, other);
    }
    ASSERT(a->kind == b->kind && a->priority == b->priority && a->expiry.ns == b->expiry.ns);
    struct buffer p, q;
    buffer_init_fixed(&p, one, sizeof one);
    buffer_init_fixed(&q, two, sizeof two);
    message_data_write(a, &p);
    message_data_write(b, &q);
    ASSERT(p.status == STATUS_OK && q.status == STATUS_OK);
    ASSERT(p.size == message_data_size(a) && slice_equal(buffer_slice(&p), buffer_slice(&q)));
}

static inline void event_through_http(const struct message *message) {
    static uint8_t head_room[1 << 17], body_room[1 << 17];
    static struct event back;
    struct buffer head, body;
    struct slice type = {0};
    buffer_init_fixed(&head, head_room, sizeof head_room);
    buffer_init_fixed(&body, body_room, sizeof body_room);
    ASSERT(message_http_headers(message, NULL, &head) == STATUS_OK);
    message_data_write(message, &body);
    event_init(&back);
    message_init(&back.message, buffer_slice(&body));
    struct slice lines = buffer_slice(&head);
    while (lines.size) {
        struct slice line = slice_head(lines, slice_find(lines, '\r'));
        size_t colon = slice_find(line, ':');
        ASSERT(colon + 2 <= line.size && lines.data[line.size + 1] == '\n');
        lines = slice_skip(lines, line.size + 2);
        for (size_t i = 0; i < line.size; i++)
            ASSERT(line.data[i] >= ' ' && line.data[i] <= '~');
        if (line.data[0] == 'C')
            type = slice_skip(line, colon + 2);
        else
            ASSERT(message_http_header(&back.message, &back.extra, slice_make(line.data + 3, colon - 3),
                                       slice_skip(line, colon + 1), &event_rules, &back.fault) == STATUS_OK);
    }
    ASSERT(message_http_finish(&back.message, &back.extra, type, &back.fault) == STATUS_OK);
    event_same(message, &back.message, true);
}

/* Encodes with and without changes, decodes again. */
static inline void event_check(const struct message *message) {
    static uint8_t room[1 << 18];
    static struct event back;
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    ASSERT(message_encode_json(message, NULL, &out) == STATUS_OK);
    ASSERT(out.size <= message_encoded_bound(message, NULL, ENCODING_JSON));
    event_init(&back);
    ASSERT(message_decode_json(&back.message, buffer_slice(&out), &back.extra, &event_rules, &back.fault) == STATUS_OK);
    event_same(message, &back.message, false);

    buffer_clear(&out);
    if (event_fits_proto(message)) {
        ASSERT(message_encode_proto(message, NULL, &out) == STATUS_OK);
        ASSERT(out.size <= message_encoded_bound(message, NULL, ENCODING_PROTO));
        event_init(&back);
        ASSERT(message_decode_proto(&back.message, buffer_slice(&out), &back.extra, &event_rules, &back.fault) == STATUS_OK);
        event_same(message, &back.message, message->encoding != ENCODING_PROTO);
    }
    event_through_http(message);

    /* Added, replaced, removed: the result is an event, with exactly that changed. */
    struct overlay overlay;
    overlay_init(&overlay);
    overlay_set_number(&overlay, ATTRIBUTE_PRIORITY, 5);
    overlay_set_text(&overlay, ATTRIBUTE_CORRELATIONID, SLICE_OF("c \"1\""));
    if (message->value_count > 60)
        return;
    for (int removes = 0; removes < 2; removes++) {
        if (removes)
            overlay_remove(&overlay, ATTRIBUTE_SUBJECT);
        for (int to_json = 0; to_json < 2; to_json++) {
            if (!to_json && !event_fits_proto(message))
                continue;
            buffer_clear(&out);
            event_init(&back);
            enum status status = to_json ? message_encode_json(message, &overlay, &out)
                                         : message_encode_proto(message, &overlay, &out);
            ASSERT(status == STATUS_OK);
            ASSERT(out.size <= message_encoded_bound(message, &overlay, to_json ? ENCODING_JSON : ENCODING_PROTO));
            status = to_json ? message_decode_json(&back.message, buffer_slice(&out), &back.extra, &event_rules, &back.fault)
                             : message_decode_proto(&back.message, buffer_slice(&out), &back.extra, &event_rules, &back.fault);
            ASSERT(status == STATUS_OK);
            ASSERT(back.message.priority == 5 && message_has(&back.message, ATTRIBUTE_CORRELATIONID));
            ASSERT(message_has(&back.message, ATTRIBUTE_SUBJECT) == (!removes && message_has(message, ATTRIBUTE_SUBJECT)));
            ASSERT(message_data_size(&back.message) == message_data_size(message));
        }
    }
}

static inline void event_check_kept(const struct message *message) {
    struct message *kept = message_keep(message, NULL);
    if (!kept)
        return;
    event_same(message, kept, false);
    message_unref(kept);
}

#endif
