/* Events that leave changed: what was added, replaced and removed, byte for byte; the rest as it was. */
#include "message/fixture.h"

#include "base/assert.h"

#define HEAD "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\""

static uint8_t room[1 << 16];

static struct slice to_json(const struct message *message, const struct overlay *overlay) {
    static struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_encode_json(message, overlay, &out), STATUS_OK);
    assert_true(out.size <= message_encoded_bound(message, overlay, ENCODING_JSON));
    return buffer_slice(&out);
}

static void leaves_as(struct slice event, enum attribute removed, enum attribute set, struct slice text, const char *expected) {
    static struct fixture f;
    struct overlay overlay;
    assert_int_equal(fixture_json(&f, event), STATUS_OK);
    overlay_init(&overlay);
    if (removed != ATTRIBUTE_OTHER)
        overlay_remove(&overlay, removed);
    if (set != ATTRIBUTE_OTHER)
        overlay_set_text(&overlay, set, text);
    struct slice json = to_json(&f.message, &overlay);
    if (!slice_equal(json, slice_from(expected)))
        fail_msg("%.*s\nnot %s", SLICE_ARG(json), expected);
    fixture_done(&f);
}

/* What is removed or replaced makes the event be written anew: its data must stay what it is. */
static void data_stays_what_it_is_in_json(void **state) {
    (void)state;
    const enum attribute none = ATTRIBUTE_OTHER;
    leaves_as(SLICE_OF(HEAD ",\"authid\":\"x\",\"data_base64\":\"AQID\"}"), ATTRIBUTE_AUTHID, none, slice_from(""),
              HEAD ",\"data_base64\":\"AQID\"}");
    leaves_as(SLICE_OF(HEAD ",\"authid\":\"x\",\"datacontenttype\":\"text/plain\",\"data\":\"a\\n\\u00e9\"}"), ATTRIBUTE_AUTHID, none,
              slice_from(""), HEAD ",\"datacontenttype\":\"text/plain\",\"data\":\"a\\n\\u00e9\"}");
    leaves_as(SLICE_OF(HEAD ",\"authid\":\"x\",\"data\":{\"a\": [1, 2]}}"), ATTRIBUTE_AUTHID, none, slice_from(""),
              HEAD ",\"data\":{\"a\": [1, 2]}}");
    leaves_as(SLICE_OF(HEAD ",\"authid\":\"x\"}"), ATTRIBUTE_AUTHID, none, slice_from(""), HEAD "}");
}

/* A string is the text of a text type, and a JSON value of a JSON type: it changes its form with the type, never its bytes. */
static void data_changes_its_form_with_its_type(void **state) {
    (void)state;
    const enum attribute none = ATTRIBUTE_OTHER, type = ATTRIBUTE_DATACONTENTTYPE;
    leaves_as(SLICE_OF(HEAD ",\"data\":{\"a\":\"b\"}}"), none, type, SLICE_OF("text/plain"),
              HEAD ",\"datacontenttype\":\"text/plain\",\"data\":\"{\\\"a\\\":\\\"b\\\"}\"}");
    leaves_as(SLICE_OF(HEAD ",\"datacontenttype\":\"text/plain\",\"data\":\"a\\nb\"}"), type, none, slice_from(""),
              HEAD ",\"data_base64\":\"YQpi\"}");
    leaves_as(SLICE_OF(HEAD ",\"datacontenttype\":\"text/plain\",\"data\":\"a\\nb\"}"), none, type, SLICE_OF("image/png"),
              HEAD ",\"datacontenttype\":\"image/png\",\"data\":\"a\\nb\"}");
}

#define PROTO "\x0a\x01" "1" "\x12\x02/a" "\x1a\x03" "1.0" "\x22\x01t"
#define BLOB "\x2a\x0b\x0a\x03" "foo" "\x12\x04\x22\x02\x00\xff"       /* ce_bytes */
#define WHEN "\x2a\x0d\x0a\x03" "bar" "\x12\x06\x3a\x04\x08\x01\x10\x01" /* ce_timestamp: 1 s, 1 ns */
#define AUTH "\x2a\x0d\x0a\x06" "authid" "\x12\x03\x1a\x01x"

static void bytes_and_times_of_protobuf_are_text_elsewhere(void **state) {
    (void)state;
    static struct fixture f;
    struct buffer out;
    assert_int_equal(fixture_proto(&f, SLICE_OF(PROTO BLOB WHEN)), STATUS_OK);
    struct slice json = to_json(&f.message, NULL);
    assert_true(slice_equal(json, SLICE_OF(HEAD ",\"foo\":\"AP8=\",\"bar\":\"1970-01-01T00:00:01.000000001Z\"}")));
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_http_headers(&f.message, NULL, &out), STATUS_OK);
    assert_non_null(memmem(out.data, out.size, "ce-foo: AP8=\r\n", 14));
    assert_non_null(memmem(out.data, out.size, "ce-bar: 1970-01-01T00:00:01.000000001Z\r\n", 40));
    fixture_done(&f);
}

static void protobuf_that_is_written_anew_keeps_its_types(void **state) {
    (void)state;
    static struct fixture f, again;
    struct overlay overlay;
    struct buffer out;
    assert_int_equal(fixture_proto(&f, SLICE_OF(PROTO BLOB AUTH WHEN "\x3a\x02hi")), STATUS_OK);
    overlay_init(&overlay);
    overlay_remove(&overlay, ATTRIBUTE_AUTHID);
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_encode_proto(&f.message, &overlay, &out), STATUS_OK);
    assert_int_equal(fixture_proto(&again, buffer_slice(&out)), STATUS_OK);
    assert_false(message_has(&again.message, ATTRIBUTE_AUTHID));
    assert_int_equal(again.message.value_count, f.message.value_count - 1);
    assert_non_null(memmem(out.data, out.size, BLOB, sizeof BLOB - 1));
    assert_non_null(memmem(out.data, out.size, WHEN, sizeof WHEN - 1));
    assert_non_null(memmem(out.data, out.size, "\x3a\x02hi", 4));
    fixture_done(&f);
    fixture_done(&again);
}

/* In a buffer of each size an event is there whole, or the status says that it is not. */
static void a_buffer_that_is_too_small_is_told(void **state) {
    (void)state;
    static const struct slice events[] = {
        SLICE(HEAD "}"),
        SLICE(HEAD ",\"authid\":\"x\",\"foo\":7,\"data\":{\"a\":1}}"),
        SLICE(HEAD ",\"datacontenttype\":\"text/plain\",\"data\":\"a\\nb\"}"),
        SLICE(HEAD ",\"datacontenttype\":\"application/protobuf\",\"dataschema\":\"a.b:/C\",\"data_base64\":\"AQID\"}"),
    };
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        static struct fixture f;
        struct overlay overlay;
        struct buffer whole, out;
        uint8_t small[600];
        assert_int_equal(fixture_json(&f, events[i]), STATUS_OK);
        overlay_init(&overlay);
        overlay_remove(&overlay, ATTRIBUTE_AUTHID);
        overlay_set_text(&overlay, ATTRIBUTE_SUBJECT, SLICE_OF("s"));
        for (int proto = 0; proto < 2; proto++) {
            enum status (*encode)(const struct message *, const struct overlay *, struct buffer *) =
                proto ? message_encode_proto : message_encode_json;
            buffer_init_fixed(&whole, room, sizeof room);
            assert_int_equal(encode(&f.message, &overlay, &whole), STATUS_OK);
            for (size_t size = 0; size < whole.size; size++) {
                buffer_init_fixed(&out, small, size);
                assert_int_equal(encode(&f.message, &overlay, &out), STATUS_TOO_LARGE);
            }
        }
        fixture_done(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_stays_what_it_is_in_json),
        cmocka_unit_test(data_changes_its_form_with_its_type),
        cmocka_unit_test(bytes_and_times_of_protobuf_are_text_elsewhere),
        cmocka_unit_test(protobuf_that_is_written_anew_keeps_its_types),
        cmocka_unit_test(a_buffer_that_is_too_small_is_told),
    };
    return cmocka_run_group_tests_name("message/encode", tests, NULL, NULL);
}
