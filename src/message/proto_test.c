/* The protobuf event format: what is accepted, what is refused, how events are changed. */
#include "message/fixture.h"

#include "base/assert.h"

/* id 1, source /a, specversion 1.0, type t */
#define ID "\x0a\x01" "1"
#define SOURCE "\x12\x02/a"
#define VERSION "\x1a\x03" "1.0"
#define TYPE "\x22\x01t"
#define HEAD ID SOURCE VERSION TYPE
#define EVENT(more) SLICE(HEAD more)

struct row {
    struct slice event;
    const char *attribute; /* at fault; NULL: the event is valid */
    const char *words;
};

static const struct attribute_declaration declarations[] = {
    {SLICE("amount"), ATTRIBUTE_INTEGER},
    {SLICE("where"), ATTRIBUTE_URI_REFERENCE},
};
static const struct attribute_declared declared = {declarations, COUNT_OF(declarations)};

static const struct row rows[] = {
    {EVENT(""), NULL, NULL},
    {SLICE(TYPE VERSION SOURCE ID), NULL, NULL},
    /* frame */
    {SLICE(""), "specversion", "is missing"},
    {SLICE("\x0a"), "", "broken"},
    {SLICE("\x0a\x02" "1"), "", "broken"},
    {SLICE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "", "broken"},
    {SLICE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "", "broken"},
    {EVENT("\x02\x01x"), "", "broken"},     /* field 0 */
    {EVENT("\x08\x01"), "", "broken"},      /* a known field as a varint */
    {EVENT("\x30\x01"), "", "broken"},
    {EVENT("\x4b\x4c"), "", "broken"},      /* a group */
    {EVENT("\x4e"), "", "broken"},          /* wire type 6 */
    /* unknown fields: varint, fixed64, length, fixed32 */
    {EVENT("\x48\x96\x01\x51" "12345678" "\x5a\x03xyz" "\x65" "1234"), NULL, NULL},
    {EVENT("\x51" "1234567"), "", "broken"},
    {EVENT("\x65" "123"), "", "broken"},
    {EVENT("\x48\x80"), "", "broken"},
    {EVENT("\xfa\x01\x01x"), NULL, NULL},   /* field 31 */
    /* required */
    {SLICE(SOURCE VERSION TYPE), "id", "is missing"},
    {SLICE(ID VERSION TYPE), "source", "is missing"},
    {SLICE(ID SOURCE VERSION), "type", "is missing"},
    {SLICE(ID SOURCE TYPE), "specversion", "is missing"},
    {SLICE(ID SOURCE TYPE "\x1a\x03" "0.3"), "specversion", "must be"},
    {EVENT(VERSION), "specversion", "twice"},
    {EVENT(ID), "id", "twice"},
    {SLICE("\x0a\x00" SOURCE VERSION TYPE), "id", "empty"},
    {SLICE("\x0a\x01\xff" SOURCE VERSION TYPE), "id", "text"},
    {SLICE("\x0a\x01\x1f" SOURCE VERSION TYPE), "id", "control"},
    {SLICE(ID "\x12\x01 " VERSION TYPE), "source", "URI-reference"},
    /* attributes: entry 0A key 12 value */
    {EVENT("\x2a\x0a\x0a\x03" "foo" "\x12\x03\x1a\x01x"), NULL, NULL},
    {EVENT("\x2a\x0a\x12\x03\x1a\x01x" "\x0a\x03" "foo"), NULL, NULL},
    {EVENT("\x2a\x0a\x0a\x03" "foo" "\x12\x03\x1a\x01x" "\x2a\x0a\x0a\x03" "foo" "\x12\x03\x1a\x01x"), "foo", "twice"},
    {EVENT("\x2a\x05\x0a\x03" "foo"), "foo", "no value"},
    {EVENT("\x2a\x07\x0a\x03" "foo" "\x12\x00"), "foo", "no value"},
    {EVENT("\x2a\x0a\x0a\x03" "foo" "\x12\x03\x42\x01x"), "foo", "no value"},
    {EVENT("\x2a\x0d\x0a\x03" "foo" "\x12\x06\x1a\x01x\x1a\x01y"), "foo", "two values"},
    {EVENT("\x2a\x05\x12\x03\x1a\x01x"), "", "name"},
    {EVENT("\x2a\x0a\x0a\x03" "Foo" "\x12\x03\x1a\x01x"), "Foo", "name"},
    {EVENT("\x2a\x0b\x0a\x04" "data" "\x12\x03\x1a\x01x"), "data", "name"},
    {EVENT("\x2a\x09\x0a\x02" "id" "\x12\x03\x1a\x01x"), "id", "among"},
    {EVENT("\x2a\x12\x0a\x0b" "specversion" "\x12\x03\x1a\x01x"), "specversion", "name"},
    {EVENT("\x2a\x0b\x0a\x03" "foo" "\x12\x03\x1a\x01x"), "", "broken"},
    /* one of each type */
    {EVENT("\x2a\x09\x0a\x03" "foo" "\x12\x02\x08\x01"), NULL, NULL},
    {EVENT("\x2a\x09\x0a\x03" "foo" "\x12\x02\x10\x07"), NULL, NULL},
    {EVENT("\x2a\x12\x0a\x03" "foo" "\x12\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NULL, NULL}, /* -1 */
    {EVENT("\x2a\x0d\x0a\x03" "foo" "\x12\x06\x10\x80\x80\x80\x80\x08"), "foo", "32 bits"}, /* 2^31 */
    {EVENT("\x2a\x12\x0a\x03" "foo" "\x12\x0b\x10\xff\xff\xff\xff\xf7\xff\xff\xff\xff\x01"), "foo", "32 bits"},
    {EVENT("\x2a\x0b\x0a\x03" "foo" "\x12\x04\x22\x02\x00\xff"), NULL, NULL},
    {EVENT("\x2a\x0c\x0a\x03" "foo" "\x12\x05\x2a\x03" "a:b"), NULL, NULL},
    {EVENT("\x2a\x0c\x0a\x03" "foo" "\x12\x05\x2a\x03" "a/b"), "foo", "absolute URI"},
    {EVENT("\x2a\x0c\x0a\x03" "foo" "\x12\x05\x32\x03" "a/b"), NULL, NULL},
    {EVENT("\x2a\x0c\x0a\x03" "foo" "\x12\x05\x32\x03" "a b"), "foo", "URI-reference"},
    {EVENT("\x2a\x09\x0a\x03" "foo" "\x12\x02\x3a\x00"), NULL, NULL}, /* 1970 */
    {EVENT("\x2a\x0d\x0a\x03" "foo" "\x12\x06\x3a\x04\x08\x01\x10\x01"), NULL, NULL},
    {EVENT("\x2a\x11\x0a\x03" "foo" "\x12\x0a\x3a\x08\x08\x01\x10\x80\x94\xeb\xdc\x03"), "foo", "Timestamp"}, /* 1e9 ns */
    {EVENT("\x2a\x12\x0a\x03" "foo" "\x12\x0b\x3a\x09\x08\xff\xff\xff\xff\xff\xff\xff\x7f"), "foo", "Timestamp"},
    {EVENT("\x2a\x0b\x0a\x03" "foo" "\x12\x04\x3a\x02\x0a\x00"), "foo", "Timestamp"},
    /* types of what is known and declared */
    {EVENT("\x2a\x0e\x0a\x07" "subject" "\x12\x03\x1a\x01x"), NULL, NULL},
    {EVENT("\x2a\x0d\x0a\x07" "subject" "\x12\x02\x1a\x00"), "subject", "empty"},
    {EVENT("\x2a\x0d\x0a\x07" "subject" "\x12\x02\x10\x01"), "subject", "ce_string"},
    {EVENT("\x2a\x1f\x0a\x04" "time" "\x12\x17\x1a\x15" "2026-11-22T22:10:42Z "), "time", "ce_timestamp"},
    {EVENT("\x2a\x0a\x0a\x04" "time" "\x12\x02\x3a\x00"), NULL, NULL},
    {EVENT("\x2a\x13\x0a\x0a" "dataschema" "\x12\x05\x1a\x03" "a:b"), "dataschema", "ce_uri"},
    {EVENT("\x2a\x13\x0a\x0a" "dataschema" "\x12\x05\x2a\x03" "a:b"), NULL, NULL},
    {EVENT("\x2a\x10\x0a\x07" "replyto" "\x12\x05\x2a\x03" "a:b"), NULL, NULL}, /* a URI is a URI-reference */
    {EVENT("\x2a\x10\x0a\x07" "replyto" "\x12\x05\x1a\x03" "a:b"), "replyto", "ce_uri_ref"},
    {EVENT("\x2a\x0e\x0a\x08" "priority" "\x12\x02\x10\x05"), NULL, NULL},
    {EVENT("\x2a\x0e\x0a\x08" "priority" "\x12\x02\x10\x06"), "priority", "from 1 to 5"},
    {EVENT("\x2a\x0f\x0a\x08" "priority" "\x12\x03\x1a\x01" "3"), "priority", "ce_integer"},
    {EVENT("\x2a\x0c\x0a\x06" "amount" "\x12\x02\x10\x06"), NULL, NULL},
    {EVENT("\x2a\x0c\x0a\x06" "amount" "\x12\x02\x08\x01"), "amount", "ce_integer"},
    {EVENT("\x2a\x0e\x0a\x05" "where" "\x12\x05\x1a\x03" "a/b"), "where", "ce_uri_ref"},
    /* data */
    {EVENT("\x32\x02\x00\xff"), NULL, NULL},
    {EVENT("\x3a\x02hi"), NULL, NULL},
    {EVENT("\x3a\x01\xff"), "text_data", "UTF-8"},
    {EVENT("\x32\x00\x3a\x00"), "", "more than one data"},
    {EVENT("\x32\x00\x32\x00"), "", "more than one data"},
    {EVENT("\x42\x0a\x0a\x05" "a.b/C" "\x12\x01x"), NULL, NULL},
    {EVENT("\x42\x07\x0a\x05" "a.b/C"), NULL, NULL},
    {EVENT("\x42\x03\x12\x01x"), "proto_data", "type URL"},
    {EVENT("\x42\x06\x0a\x04" "noqu"), "proto_data", "type URL"},
    {EVENT("\x42\x00\x32\x00"), "proto_data", "type URL"},
};

static void what_the_format_calls_invalid_is_refused_by_name(void **state) {
    (void)state;
    static struct fixture f;
    const struct message_rules rules = {.declared = &declared, .size_max = 1 << 20};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum status status = fixture_proto_by(&f, rows[i].event, &rules);
        if ((status == STATUS_OK) != !rows[i].attribute)
            fail_msg("row %zu: %s", i, f.fault.text);
        if (rows[i].attribute) {
            assert_int_equal(status, STATUS_MALFORMED_EVENT);
            if (strcmp(f.fault.attribute, rows[i].attribute) != 0 || !strstr(f.fault.text, rows[i].words))
                fail_msg("row %zu: `%s`: %s", i, f.fault.attribute, f.fault.text);
        }
        fixture_done(&f);
    }
}

static void garbage_and_cuts_never_read_past_the_end(void **state) {
    (void)state;
    static struct fixture f;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t size = 0; size < rows[i].event.size; size++) {
            (void)fixture_proto(&f, slice_head(rows[i].event, size));
            fixture_done(&f);
        }
}

static void values_have_their_type_and_canonical_form(void **state) {
    (void)state;
    static const struct {
        struct slice event;
        enum attribute_type type;
        const char *canonical;
    } cases[] = {
        {EVENT("\x2a\x09\x0a\x03" "foo" "\x12\x02\x08\x01"), ATTRIBUTE_BOOLEAN, "true"},
        {EVENT("\x2a\x09\x0a\x03" "foo" "\x12\x02\x08\x00"), ATTRIBUTE_BOOLEAN, "false"},
        {EVENT("\x2a\x12\x0a\x03" "foo" "\x12\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), ATTRIBUTE_INTEGER, "-1"},
        {EVENT("\x2a\x0b\x0a\x03" "foo" "\x12\x04\x22\x02\x00\xff"), ATTRIBUTE_BINARY, "AP8="},
        {EVENT("\x2a\x0c\x0a\x03" "foo" "\x12\x05\x32\x03" "a/b"), ATTRIBUTE_URI_REFERENCE, "a/b"},
        {EVENT("\x2a\x0d\x0a\x03" "foo" "\x12\x06\x3a\x04\x08\x01\x10\x01"), ATTRIBUTE_TIMESTAMP, "1970-01-01T00:00:01.000000001Z"},
    };
    static struct fixture f;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char room[VALUE_ROOM];
        assert_int_equal(fixture_proto(&f, cases[i].event), STATUS_OK);
        const struct value *value = message_find(&f.message, SLICE_OF("foo"));
        assert_non_null(value);
        assert_int_equal(value->type, cases[i].type);
        assert_true(slice_is(value_canonical(&f.message, value, room, sizeof room), cases[i].canonical));
        if (value->form == VALUE_BYTES)
            assert_null(value_canonical(&f.message, value, room, 3).data);
        fixture_done(&f);
    }
}

static struct slice encode(const struct fixture *f, const struct overlay *overlay) {
    static uint8_t room[4096];
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_encode_proto(&f->message, overlay, &out), STATUS_OK);
    assert_true(out.size <= message_encoded_bound(&f->message, overlay, ENCODING_PROTO));
    return buffer_slice(&out);
}

static void assert_bytes(struct slice got, struct slice expected) {
    assert_int_equal(got.size, expected.size);
    assert_memory_equal(got.data, expected.data, expected.size);
}

#define BEGIN "\x0a\x02" "a1" "\x12\x0e" "/systems/press" "\x1a\x03" "1.0" "\x22\x10" "com.example.tick"
#define KIND(size, inner, kind) "\x2a" size "\x0a\x0b" "messagetype\x12" inner "\x1a" kind

/* What was seen in one event spares work in the next; it never changes what that says. */
static void what_was_seen_before_changes_nothing(void **state) {
    (void)state;
    static const struct slice events[] = {
        SLICE(BEGIN KIND("\x16", "\x07", "\x05" "event")),
        SLICE(BEGIN KIND("\x16", "\x07", "\x05" "query")),
        SLICE(BEGIN KIND("\x16", "\x07", "\x05" "query") KIND("\x16", "\x07", "\x05" "query")), /* twice */
        SLICE(BEGIN KIND("\x16", "\x07", "\x05" "quere")),                                    /* none */
        SLICE(BEGIN KIND("\x16", "\x07", "\x05" "query")),
        SLICE(BEGIN),
        SLICE("\x0a\x02" "a1" "\x12\x0e" "/systems/press" "\x12\x0e" "/systems/press" "\x1a\x03" "1.0" "\x22\x01" "t"),
        SLICE("\x0a\x02" "a1" "\x12\x0e" "/systems/p\x00" "ess" "\x1a\x03" "1.0" "\x22\x10" "com.example.tick"),
        SLICE("\x0a\x02" "a1" "\x12\x0e" "/systems/dress" "\x1a\x03" "1.0" "\x22\x10" "com.example.tick"),
        SLICE("\x12\x0e" "/systems/dress" "\x0a\x02" "a1" "\x22\x10" "com.example.tick" "\x1a\x03" "1.0"),
        SLICE("\x0a\x02" "a1" "\x12\x0e" "/systems/dress" "\x1a\x03" "1.0"), /* no type, though it was seen */
    };
    static struct fixture f, g;
    static struct message_seen seen;
    struct message_rules rules = {.size_max = 1 << 20, .seen = &seen};
    unsigned valid = 0;
    for (size_t before = 0; before < COUNT_OF(events); before++)
        for (size_t i = 0; i < COUNT_OF(events); i++) {
            memset(&seen, 0, sizeof seen);
            fixture_proto_by(&f, events[before], &rules);
            fixture_done(&f);
            enum status status = fixture_proto_by(&f, events[i], &rules);
            assert_int_equal(status, fixture_proto(&g, events[i]));
            if (status == STATUS_OK) {
                assert_same_meaning(&g.message, &f.message, true, false);
                assert_int_equal(f.message.kind, g.message.kind);
                valid++;
            } else {
                assert_string_equal(f.fault.text, g.fault.text);
            }
            fixture_done(&f);
            fixture_done(&g);
        }
    assert_int_equal(valid, 6 * COUNT_OF(events));
    fixture_proto_by(&f, events[1], &rules);
    assert_true(seen.fields[1].size == 16 && seen.fields[0].size == 0); /* or nothing was tried */
    fixture_done(&f);
}

static void an_untouched_event_leaves_byte_for_byte(void **state) {
    (void)state;
    static struct fixture f;
    struct slice event = EVENT("\x48\x01\x3a\x02hi\x2a\x0a\x0a\x03" "foo" "\x12\x03\x1a\x01x");
    assert_int_equal(fixture_proto(&f, event), STATUS_OK);
    assert_bytes(encode(&f, NULL), event);
    struct overlay overlay;
    overlay_init(&overlay);
    overlay_set_number(&overlay, ATTRIBUTE_DELIVERYATTEMPT, 2);
    overlay_set_text(&overlay, ATTRIBUTE_DLTIME, SLICE_OF("1970-01-01T00:00:01Z"));
    assert_bytes(encode(&f, &overlay),
                 (struct slice)EVENT("\x48\x01\x3a\x02hi\x2a\x0a\x0a\x03" "foo" "\x12\x03\x1a\x01x"
                                     "\x2a\x15\x0a\x0f" "deliveryattempt" "\x12\x02\x10\x02"
                                     "\x2a\x0e\x0a\x06" "dltime" "\x12\x04\x3a\x02\x08\x01"));
    fixture_done(&f);
}

static void changes_are_written_anew(void **state) {
    (void)state;
    static struct fixture f;
    struct overlay overlay;
    overlay_init(&overlay);
    overlay_set_text(&overlay, ATTRIBUTE_SOURCE, SLICE_OF("/b"));
    overlay_set_number(&overlay, ATTRIBUTE_PRIORITY, 1);
    overlay_remove(&overlay, ATTRIBUTE_AUTHID);
    assert_int_equal(fixture_proto(&f, (struct slice)EVENT("\x3a\x02hi"
                                                           "\x2a\x0d\x0a\x06" "authid" "\x12\x03\x1a\x01x"
                                                           "\x2a\x0a\x0a\x03" "foo" "\x12\x03\x1a\x01x")),
                     STATUS_OK);
    assert_bytes(encode(&f, &overlay),
                 SLICE_OF(VERSION ID "\x12\x02/b" TYPE "\x2a\x0a\x0a\x03" "foo" "\x12\x03\x1a\x01x"
                          "\x2a\x0e\x0a\x08" "priority" "\x12\x02\x10\x01" "\x3a\x02hi"));
    fixture_done(&f);
}

static void an_any_says_its_schema_and_type(void **state) {
    (void)state;
    static struct fixture f, g;
    static uint8_t room[512];
    struct buffer out;
    assert_int_equal(fixture_proto(&f, (struct slice)EVENT("\x42\x0a\x0a\x05" "a.b/C" "\x12\x01x")), STATUS_OK);
    assert_true(slice_is(message_text(&f.message, ATTRIBUTE_DATASCHEMA), "a.b/C"));
    assert_true(slice_is(message_text(&f.message, ATTRIBUTE_DATACONTENTTYPE), "application/protobuf"));
    assert_int_equal(f.message.data_form, DATA_ANY);
    /* Through JSON it comes back as an Any. */
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_encode_json(&f.message, NULL, &out), STATUS_OK);
    assert_int_equal(fixture_json(&g, buffer_slice(&out)), STATUS_OK);
    assert_same_meaning(&f.message, &g.message, true, false);
    fixture_done(&f);
    assert_int_equal(fixture_proto(&f, encode(&g, NULL)), STATUS_OK);
    assert_int_equal(f.message.data_form, DATA_ANY);
    assert_same_meaning(&f.message, &g.message, true, false);
    fixture_done(&f);
    fixture_done(&g);
    /* A schema that was spelled out stands; then the payload is bytes. */
    assert_int_equal(fixture_proto(&f, (struct slice)EVENT("\x42\x0a\x0a\x05" "a.b/C" "\x12\x01x"
                                                           "\x2a\x13\x0a\x0a" "dataschema" "\x12\x05\x2a\x03" "a:b")),
                     STATUS_OK);
    assert_true(slice_is(message_text(&f.message, ATTRIBUTE_DATASCHEMA), "a:b"));
    assert_int_equal(f.message.data_form, DATA_BYTES);
    fixture_done(&f);
}

static void json_data_gets_its_content_type_spelled_out(void **state) {
    (void)state;
    static struct fixture f;
    assert_int_equal(fixture_json(&f, SLICE_OF("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\",\"data\":7}")), STATUS_OK);
    assert_bytes(encode(&f, NULL), SLICE_OF(VERSION ID SOURCE TYPE "\x2a\x25\x0a\x0f" "datacontenttype"
                                            "\x12\x12\x1a\x10" "application/json" "\x3a\x01" "7"));
    fixture_done(&f);
}

static void a_time_that_the_format_cannot_hold_is_refused(void **state) {
    (void)state;
    static struct fixture f;
    uint8_t room[256];
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(fixture_json(&f, SLICE_OF("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\",\"time\":\"0000-01-01T00:00:00Z\"}")), STATUS_OK);
    assert_int_equal(message_encode_proto(&f.message, NULL, &out), STATUS_MALFORMED_EVENT);
    fixture_done(&f);
}

static void batches_are_checked_whole_then_handed_out(void **state) {
    (void)state;
    struct message_batch batch;
    struct message_fault fault;
    struct slice event;
    assert_int_equal(message_batch_open(&batch, SLICE_OF("\x0a\x01x\x10\x05\x0a\x00"), true, &fault), STATUS_OK);
    assert_true(message_batch_next(&batch, &event) && slice_is(event, "x"));
    assert_true(message_batch_next(&batch, &event) && event.size == 0);
    assert_false(message_batch_next(&batch, &event));
    assert_int_equal(message_batch_open(&batch, (struct slice){0}, true, &fault), STATUS_OK);
    assert_false(message_batch_next(&batch, &event));
    assert_int_equal(message_batch_open(&batch, SLICE_OF("\x0a\x02x"), true, &fault), STATUS_MALFORMED_EVENT);
    assert_int_equal(message_batch_open(&batch, SLICE_OF("\x08\x01"), true, &fault), STATUS_MALFORMED_EVENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_format_calls_invalid_is_refused_by_name),
        cmocka_unit_test(garbage_and_cuts_never_read_past_the_end),
        cmocka_unit_test(values_have_their_type_and_canonical_form),
        cmocka_unit_test(what_was_seen_before_changes_nothing),
        cmocka_unit_test(an_untouched_event_leaves_byte_for_byte),
        cmocka_unit_test(changes_are_written_anew),
        cmocka_unit_test(an_any_says_its_schema_and_type),
        cmocka_unit_test(json_data_gets_its_content_type_spelled_out),
        cmocka_unit_test(a_time_that_the_format_cannot_hold_is_refused),
        cmocka_unit_test(batches_are_checked_whole_then_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
