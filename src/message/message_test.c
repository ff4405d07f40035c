/* Making and keeping messages, the tables of names, timestamps, identifiers, text checks. */
#include "message/fixture.h"

#include "base/assert.h"
#include "message/check.h"
#include "message/timestamp.h"
#include "message/uuid.h"

static void every_attribute_is_found_by_its_name(void **state) {
    (void)state;
    for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
        struct slice name = attribute_row((enum attribute)i)->name;
        assert_int_equal(attribute_find(name), i);
        assert_true(attribute_name_is_valid(name));
        char other[32];
        memcpy(other, name.data, name.size);
        other[name.size - 1] ^= 1;
        enum attribute near = attribute_find(slice_make(other, name.size));
        assert_true(near == ATTRIBUTE_OTHER || !slice_equal(attribute_row(near)->name, name));
    }
    assert_int_equal(attribute_find(SLICE_OF("")), ATTRIBUTE_OTHER);
    assert_int_equal(attribute_find(SLICE_OF("specversion")), ATTRIBUTE_OTHER);
    assert_int_equal(attribute_find(SLICE_OF("data")), ATTRIBUTE_OTHER);
    assert_int_equal(attribute_find(SLICE_OF("Priority")), ATTRIBUTE_OTHER);
    assert_int_equal(attribute_find(SLICE_OF("averyveryverylongattributename")), ATTRIBUTE_OTHER);
    assert_true(attribute_ours() & ATTRIBUTE_BIT(ATTRIBUTE_AUTHID));
    assert_false(attribute_ours() & ATTRIBUTE_BIT(ATTRIBUTE_TARGET));
    assert_false(attribute_name_is_valid(SLICE_OF("data_base64")));
}

static void kinds_and_priorities_have_names(void **state) {
    (void)state;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        enum message_kind kind;
        assert_true(message_kind_find(message_kind_name((enum message_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    enum message_kind kind;
    assert_false(message_kind_find(SLICE_OF("Event"), &kind));
    assert_int_equal(message_priority_find(SLICE_OF("low")), 1);
    assert_int_equal(message_priority_find(SLICE_OF("emergency")), 5);
    assert_int_equal(message_priority_find(SLICE_OF("3")), 3);
    assert_int_equal(message_priority_find(SLICE_OF("0")), 0);
    assert_int_equal(message_priority_find(SLICE_OF("6")), 0);
    assert_int_equal(message_priority_find(SLICE_OF("urgent")), 0);
}

static void timestamps_are_rfc_3339(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; /* INT64_MIN: refused */
        int32_t nanos;
        const char *formatted;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
        {"2026-11-22T22:10:42Z", 1795385442, 0, "2026-11-22T22:10:42Z"},
        {"2026-11-22t22:10:42z", 1795385442, 0, "2026-11-22T22:10:42Z"},
        {"2026-11-22T22:10:42.5+01:30", 1795380042, 500000000, "2026-11-22T20:40:42.500Z"},
        {"2026-11-22T22:10:42.000001-00:00", 1795385442, 1000, "2026-11-22T22:10:42.000001Z"},
        {"2026-11-22T22:10:42.1234567899Z", 1795385442, 123456789, "2026-11-22T22:10:42.123456789Z"},
        {"1969-12-31T23:59:59.999Z", -1, 999000000, "1969-12-31T23:59:59.999Z"},
        {"2000-02-29T00:00:00Z", 951782400, 0, "2000-02-29T00:00:00Z"},
        {"0000-01-01T00:00:00Z", -62167219200, 0, "0000-01-01T00:00:00Z"},
        {"9999-12-31T23:59:59Z", 253402300799, 0, "9999-12-31T23:59:59Z"},
        {"1998-12-31T23:59:60Z", 915148800, 0, "1999-01-01T00:00:00Z"},
        {"1998-12-31T15:59:60.5-08:00", 915148800, 500000000, "1999-01-01T00:00:00.500Z"},
        {"1998-12-31T22:59:60Z", INT64_MIN, 0, NULL},
        {"1998-12-31T23:58:60Z", INT64_MIN, 0, NULL},
        {"1998-12-31T23:59:61Z", INT64_MIN, 0, NULL},
        {"0000-01-01T00:00:00+00:01", INT64_MIN, 0, NULL},
        {"9999-12-31T23:59:59-00:01", INT64_MIN, 0, NULL},
        {"1900-02-29T00:00:00Z", INT64_MIN, 0, NULL},
        {"2026-13-01T00:00:00Z", INT64_MIN, 0, NULL},
        {"2026-00-01T00:00:00Z", INT64_MIN, 0, NULL},
        {"2026-01-00T00:00:00Z", INT64_MIN, 0, NULL},
        {"2026-04-31T00:00:00Z", INT64_MIN, 0, NULL},
        {"2026-01-01T24:00:00Z", INT64_MIN, 0, NULL},
        {"2026-01-01T00:60:00Z", INT64_MIN, 0, NULL},
        {"2026-01-01T00:00:00", INT64_MIN, 0, NULL},
        {"2026-01-01T00:00:00.Z", INT64_MIN, 0, NULL},
        {"2026-01-01T00:00:00,5Z", INT64_MIN, 0, NULL},
        {"2026-01-01T00:00Z", INT64_MIN, 0, NULL},
        {"2026-01-01 00:00:00Z", INT64_MIN, 0, NULL},
        {"2026-01-01T00:00:00+24:00", INT64_MIN, 0, NULL},
        {"2026-01-01T00:00:00+01:60", INT64_MIN, 0, NULL},
        {"2026-01-01T00:00:00+0100", INT64_MIN, 0, NULL},
        {"2026-01-01T00:00:00ZZ", INT64_MIN, 0, NULL},
        {"2026-1-01T00:00:00Z0", INT64_MIN, 0, NULL},
        {"-026-01-01T00:00:00Z", INT64_MIN, 0, NULL},
        {"", INT64_MIN, 0, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t seconds;
        int32_t nanos;
        char text[TIMESTAMP_TEXT_MAX];
        bool valid = timestamp_parse(slice_from(rows[i].text), &seconds, &nanos);
        if (valid != (rows[i].seconds != INT64_MIN))
            fail_msg("%s", rows[i].text);
        if (!valid)
            continue;
        if (seconds != rows[i].seconds || nanos != rows[i].nanos)
            fail_msg("%s: %lld %d", rows[i].text, (long long)seconds, nanos);
        assert_true(slice_is(slice_make(text, timestamp_format(seconds, nanos, text)), rows[i].formatted));
    }
    struct wall wall;
    assert_true(timestamp_to_wall(9223372036, 854775807, &wall) && wall.ns == INT64_MAX);
    assert_false(timestamp_to_wall(9223372036, 854775808, &wall));
    assert_false(timestamp_to_wall(253402300799, 0, &wall));
}

static void every_day_survives_format_and_parse(void **state) {
    (void)state;
    for (int64_t day = -719528; day < 2932897; day += 13) {
        char text[TIMESTAMP_TEXT_MAX];
        int64_t seconds;
        int32_t nanos;
        size_t size = timestamp_format(day * 86400 + 86399, 0, text);
        assert_true(timestamp_parse(slice_make(text, size), &seconds, &nanos));
        assert_true(seconds == day * 86400 + 86399);
    }
}

static void identifiers_ascend(void **state) {
    (void)state;
    struct uuid_source source;
    uint8_t last[16] = {0}, uuid[16], back[16];
    char text[UUID_TEXT_SIZE];
    uuid_source_init(&source, 1);
    for (int i = 0; i < 20000; i++) {
        /* The clock stands still, jumps back, goes on. */
        struct wall now = {NS_PER_MS * (i < 9000 ? 1000 : i < 12000 ? 500 : i)};
        uuid_make(&source, now, uuid);
        assert_true(memcmp(last, uuid, 16) < 0);
        assert_int_equal(uuid[6] >> 4, 7);
        assert_int_equal(uuid[8] >> 6, 2);
        memcpy(last, uuid, 16);
    }
    uuid_text(uuid, text);
    assert_true(uuid_parse(slice_make(text, sizeof text), back));
    assert_memory_equal(uuid, back, 16);
    assert_true(uuid_parse(SLICE_OF("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), back));
    uuid_text(back, text);
    assert_memory_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", UUID_TEXT_SIZE);
    assert_false(uuid_parse(SLICE_OF("017F22E2-79B0-7CC3-98C4-DC0C0C07398"), back));
    assert_false(uuid_parse(SLICE_OF("017F22E2-79B0-7CC3-98C4-DC0C0C07398G"), back));
    assert_false(uuid_parse(SLICE_OF("017F22E2079B0-7CC3-98C4-DC0C0C07398F"), back));
}

static void uris_have_rfc_3986_syntax(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool reference, absolute, type_url;
    } rows[] = {
        {"", true, false, false},
        {"/a/b", true, false, false},
        {"a", true, false, false},
        {"../a?b=c&d#e/f?", true, false, false},
        {"https://user@x.example:80/a;b=c?d#e", true, true, false},
        {"urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", true, true, false},
        {"mailto:a@b", true, true, false},
        {"//host/a", true, false, false},
        {"http://[::1]:80/x", true, true, false},
        {"//[v1.x]/", true, false, false},
        {"http://u@[::1]", true, true, false},
        {"http://[::1/", false, false, false},
        {"http://::1]/", false, false, false},
        {"http://[::1]x/", false, false, false},
        {"http://x/[::1]", false, false, false},
        {"/[a:b]", false, false, false},
        {"http://[a]/", false, false, false},
        {"http://[::1]/[", false, false, false},
        {"1a:b", false, false, false},
        {":a", false, false, false},
        {"a/b:c", true, false, false},
        {"./a:b", true, false, false},
        {"a b", false, false, false},
        {"a%20b", true, false, false},
        {"a%2", false, false, false},
        {"a%", false, false, false},
        {"a%gg", false, false, false},
        {"a#b#c", false, false, false},
        {"a\"b", false, false, false},
        {"a<b>", false, false, false},
        {"a\\b", false, false, false},
        {"a^b", false, false, false},
        {"a`b", false, false, false},
        {"{a}", false, false, false},
        {"caf\xc3\xa9", false, false, false},
        {"a\nb", false, false, false},
        {"type.googleapis.com/acme.v1.Order", true, false, true},
        {"example.com/x/y.Z", true, false, true},
        {"example.com/", true, false, false},
        {"example.com/a..b", true, false, false},
        {"example/Order", true, false, false},
        {"x.y/1a", true, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice text = slice_from(rows[i].text);
        if (check_uri_reference(text) != rows[i].reference || check_uri(text) != rows[i].absolute ||
            check_type_url(text) != rows[i].type_url)
            fail_msg("%s", rows[i].text);
    }
}

static void strings_are_checked_at_every_place_and_size(void **state) {
    (void)state;
    static const struct {
        struct slice bytes;
        bool valid;
    } bad[] = {
        {SLICE("\x1f"), false}, {SLICE("\x00"), false},         {SLICE("\x7f"), false},         {SLICE("\xc2\x80"), false},
        {SLICE("\xff"), false}, {SLICE("\xed\xa0\x80"), false}, {SLICE("\xef\xb7\x90"), false}, {SLICE("\xc2\xa0"), true},
        {SLICE("\xe2\x82\xac"), true},
    };
    for (size_t size = 0; size < 70; size++) {
        char text[80];
        memset(text, 'x', sizeof text);
        assert_true(check_string(slice_make(text, size)));
        for (size_t at = 0; at <= size; at++)
            for (size_t i = 0; i < COUNT_OF(bad); i++) {
                memset(text, 'x', sizeof text);
                memcpy(text + at, bad[i].bytes.data, bad[i].bytes.size);
                assert_int_equal(check_string(slice_make(text, size + bad[i].bytes.size)), bad[i].valid);
            }
    }
}

/* -- making -- */

static void make(struct fixture *f, struct buffer *extra, struct slice data) {
    message_init(&f->message, data);
    assert_int_equal(message_add(&f->message, extra, ATTRIBUTE_ID, SLICE_OF("1"), &f->fault), STATUS_OK);
    assert_int_equal(message_add(&f->message, extra, ATTRIBUTE_SOURCE, SLICE_OF("/a"), &f->fault), STATUS_OK);
    assert_int_equal(message_add(&f->message, extra, ATTRIBUTE_TYPE, SLICE_OF("t"), &f->fault), STATUS_OK);
    assert_int_equal(message_add(&f->message, extra, ATTRIBUTE_PRIORITY, SLICE_OF("4"), &f->fault), STATUS_OK);
    assert_int_equal(message_add(&f->message, extra, ATTRIBUTE_MESSAGETYPE, SLICE_OF("request"), &f->fault), STATUS_OK);
    assert_int_equal(message_add_named(&f->message, extra, SLICE_OF("foo"), ATTRIBUTE_BOOLEAN, SLICE_OF("true"), &f->fault), STATUS_OK);
    message_set_data(&f->message, DATA_TEXT);
    assert_int_equal(message_seal(&f->message, extra, &f->fault), STATUS_OK);
}

static void a_made_message_leaves_in_every_encoding(void **state) {
    (void)state;
    static struct fixture f, g;
    static uint8_t room[1024];
    struct buffer extra, out;
    /* A growing buffer that holds bytes of others already. */
    buffer_init(&extra, 4096);
    buffer_add_text(&extra, "of others");
    make(&f, &extra, SLICE_OF("hello"));
    assert_int_equal(f.message.priority, 4);
    assert_int_equal(f.message.kind, KIND_REQUEST);
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_encode_proto(&f.message, NULL, &out), STATUS_OK);
    assert_int_equal(fixture_proto(&g, buffer_slice(&out)), STATUS_OK);
    assert_same_meaning(&f.message, &g.message, true, false);
    fixture_done(&g);
    buffer_clear(&out);
    assert_int_equal(message_encode_json(&f.message, NULL, &out), STATUS_OK);
    assert_int_equal(fixture_json(&g, buffer_slice(&out)), STATUS_OK);
    assert_same_meaning(&f.message, &g.message, true, false);
    fixture_done(&g);
    buffer_done(&extra);
}

static void what_breaks_a_rule_is_not_added(void **state) {
    (void)state;
    struct message message;
    struct message_fault fault;
    uint8_t room[16];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    message_init(&message, SLICE_OF(""));
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_ID, SLICE_OF(""), &fault), STATUS_MALFORMED_EVENT);
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_PRIORITY, SLICE_OF("x"), &fault), STATUS_MALFORMED_EVENT);
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_TIME, SLICE_OF("x"), &fault), STATUS_MALFORMED_EVENT);
    assert_string_equal(fault.text, "`time` must be an RFC 3339 timestamp");
    assert_int_equal(message_add_named(&message, &extra, SLICE_OF("X"), ATTRIBUTE_STRING, SLICE_OF("x"), &fault), STATUS_MALFORMED_EVENT);
    assert_int_equal(message_add_named(&message, &extra, SLICE_OF("x"), ATTRIBUTE_STRING, SLICE_OF("\n"), &fault), STATUS_MALFORMED_EVENT);
    assert_int_equal(message.value_count, 0);
    assert_int_equal(extra.size, 0);
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_ID, SLICE_OF("12345678"), &fault), STATUS_OK);
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_ID, SLICE_OF("1"), &fault), STATUS_MALFORMED_EVENT);
    assert_int_equal(message_seal(&message, &extra, &fault), STATUS_MALFORMED_EVENT);
    assert_string_equal(fault.attribute, "source");
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_SOURCE, SLICE_OF("/23456789"), &fault), STATUS_TOO_LARGE);
}

/* -- keeping -- */

static const struct slice kept_event =
    SLICE("{\"specversion\":\"1.0\",\"id\":\"\\u0031\",\"source\":\"/a\",\"type\":\"t\",\"priority\":3,\"x\\u0079z\":\"w\",\"data\":[1]}");

static void a_kept_message_outlives_its_bytes(void **state) {
    (void)state;
    static struct fixture f, g;
    struct block_pool pool = {0};
    int64_t live = memory_live();
    assert_int_equal(fixture_json(&f, kept_event), STATUS_OK);
    assert_int_equal(fixture_json(&g, kept_event), STATUS_OK);
    f.message.has_receipt = true;
    struct message *kept = message_keep(&f.message, &pool);
    assert_non_null(kept);
    assert_int_equal(pool.held, message_kept_size(&f.message));
    assert_int_equal(pool.held, message_kept_size(kept));
    assert_true(pool.held < 600);
    memset(f.wire, 'x', kept_event.size);
    memset(f.room, 'x', sizeof f.room);
    fixture_done(&f);
    assert_same_meaning(&g.message, kept, true, false);
    assert_true(kept->has_receipt);
    assert_ptr_equal(message_ref(kept), kept);
    message_unref(kept);
    assert_true(pool.held > 0);
    message_unref(kept);
    message_unref(NULL);
    assert_int_equal(pool.held, 0);
    block_pool_done(&pool);
    assert_true(memory_live() == live);
    fixture_done(&g);
}

static void keeping_survives_each_failed_allocation(void **state) {
    (void)state;
#ifdef INTERTIE_DEBUG
    static struct fixture f;
    struct block_pool pool = {0};
    assert_int_equal(fixture_json(&f, kept_event), STATUS_OK);
    for (int64_t n = 0;; n++) {
        memory_fail_after(n);
        struct message *kept = message_keep(&f.message, &pool);
        bool failed = memory_has_failed();
        memory_fail_after(-1);
        assert_int_equal(kept == NULL, failed);
        message_unref(kept);
        assert_int_equal(pool.held, 0);
        if (!failed) {
            assert_true(n > 0);
            break;
        }
    }
    block_pool_done(&pool);
    fixture_done(&f);
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attribute_is_found_by_its_name),
        cmocka_unit_test(kinds_and_priorities_have_names),
        cmocka_unit_test(timestamps_are_rfc_3339),
        cmocka_unit_test(every_day_survives_format_and_parse),
        cmocka_unit_test(identifiers_ascend),
        cmocka_unit_test(uris_have_rfc_3986_syntax),
        cmocka_unit_test(strings_are_checked_at_every_place_and_size),
        cmocka_unit_test(a_made_message_leaves_in_every_encoding),
        cmocka_unit_test(what_breaks_a_rule_is_not_added),
        cmocka_unit_test(a_kept_message_outlives_its_bytes),
        cmocka_unit_test(keeping_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
