/* HTTP binary mode: header fields in and out. */
#include "message/fixture.h"

#include "base/assert.h"

#define HEAD "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\n"

struct row {
    struct slice lines;
    const char *attribute; /* at fault; NULL: valid */
    const char *words;
};

static const struct attribute_declaration declarations[] = {
    {SLICE("amount"), ATTRIBUTE_INTEGER},
    {SLICE("urgent"), ATTRIBUTE_BOOLEAN},
};
static const struct attribute_declared declared = {declarations, COUNT_OF(declarations)};

static const struct row rows[] = {
    {SLICE(HEAD), NULL, NULL},
    {SLICE("CE-SpecVersion: 1.0\r\nCe-ID: 1\r\nce-SOURCE: /a\r\nce-type: t\r\n"), NULL, NULL},
    {SLICE("ce-id: 1\r\nce-source: /a\r\nce-type: t\r\n"), "specversion", "is missing"},
    {SLICE("ce-specversion: 1.0\r\nce-source: /a\r\nce-type: t\r\n"), "id", "is missing"},
    {SLICE("ce-specversion: 1.0\r\nce-id: 1\r\nce-type: t\r\n"), "source", "is missing"},
    {SLICE("ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\n"), "type", "is missing"},
    {SLICE("ce-specversion: 0.3\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\n"), "specversion", "must be"},
    {SLICE(HEAD "ce-specversion: 1.0\r\n"), "specversion", "twice"},
    {SLICE(HEAD "ce-id: 2\r\n"), "id", "twice"},
    {SLICE(HEAD "ce-foo: 2\r\nCe-Foo: 2\r\n"), "foo", "twice"},
    {SLICE(HEAD "ce-datacontenttype: a/b\r\n"), "datacontenttype", "Content-Type"},
    {SLICE(HEAD "content-type: nonsense\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "Content-Type: text/plain; charset=utf-8\r\n"), NULL, NULL},
    {SLICE(HEAD "ce-data: x\r\n"), "data", "name"},
    {SLICE(HEAD "ce-foo-bar: x\r\n"), "foo-bar", "name"},
    {SLICE(HEAD "ce-: x\r\n"), "", "name"},
    {SLICE(HEAD "ce-foo: %C0%A0\r\n"), "foo", "UTF-8"},
    {SLICE(HEAD "ce-foo: \xff\r\n"), "foo", "UTF-8"},
    {SLICE(HEAD "ce-foo: %0A\r\n"), "foo", "control"},
    {SLICE(HEAD "ce-foo: %ED%A0%80\r\n"), "foo", "UTF-8"},
    {SLICE(HEAD "ce-foo:\r\n"), NULL, NULL},
    {SLICE(HEAD "ce-subject:\r\n"), "subject", "empty"},
    {SLICE(HEAD "ce-priority: 5\r\n"), NULL, NULL},
    {SLICE(HEAD "ce-priority: 05\r\n"), "priority", "integer"},
    {SLICE(HEAD "ce-priority: +5\r\n"), "priority", "integer"},
    {SLICE(HEAD "ce-priority: high\r\n"), "priority", "integer"},
    {SLICE(HEAD "ce-priority:\r\n"), "priority", "integer"},
    {SLICE(HEAD "ce-priority: 9\r\n"), "priority", "from 1 to 5"},
    {SLICE(HEAD "ce-amount: -2147483648\r\nce-urgent: true\r\n"), NULL, NULL},
    {SLICE(HEAD "ce-amount: 2147483648\r\n"), "amount", "integer"},
    {SLICE(HEAD "ce-urgent: TRUE\r\n"), "urgent", "true or false"},
    {SLICE(HEAD "content-type: text/plain;\r\n"), NULL, NULL},
    {SLICE(HEAD "content-type: text/plain; a=\"b\\\"c\"; d=e\r\n"), NULL, NULL},
    {SLICE(HEAD "content-type: text/plain; a=\"b\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "content-type: text/plain; a=\"b\\\"\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "content-type: text/plain; a\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "content-type: text/plain; =b\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "content-type: text/plain; a=\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "content-type: text/plain x\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "content-type: text/\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "content-type: /plain\r\n"), "datacontenttype", "media type"},
    {SLICE(HEAD "ce-httpstatus: 599\r\n"), NULL, NULL},
    {SLICE(HEAD "ce-httpstatus: 99\r\n"), "httpstatus", "from 100 to 599"},
    {SLICE(HEAD "ce-maxattempts: 101\r\n"), "maxattempts", "from 1 to 100"},
    {SLICE(HEAD "ce-sampledrate: 0\r\n"), "sampledrate", "greater than 0"},
    {SLICE(HEAD "ce-intertiehops: -1\r\n"), "intertiehops", "negative"},
    {SLICE(HEAD "ce-time: 2026-11-22T22:10:42Z\r\n"), NULL, NULL},
    {SLICE(HEAD "ce-time: Sun, 22 Nov 2026 22:10:42 GMT\r\n"), "time", "RFC 3339"},
    {SLICE(HEAD "ce-messagetype: shout\r\n"), "messagetype", "must be event"},
    {SLICE(HEAD "ce-dataschema: x\r\n"), "dataschema", "absolute URI"},
};

static void what_the_binding_calls_invalid_is_refused_by_name(void **state) {
    (void)state;
    static struct fixture f;
    const struct message_rules rules = {.declared = &declared, .size_max = 1 << 20};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum status status = fixture_http_by(&f, rows[i].lines, SLICE_OF("x"), &rules);
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

static void values_are_unquoted_then_percent_decoded_once(void **state) {
    (void)state;
    static const struct {
        struct slice lines;
        const char *name;
        const char *meant;
    } cases[] = {
        {SLICE("ce-subject: plain\r\n"), "subject", "plain"},
        {SLICE("ce-subject:   raw space \xc3\xa9 \r\n"), "subject", "raw space \xc3\xa9"},
        {SLICE("ce-subject: a%20b%25\r\n"), "subject", "a b%"},
        {SLICE("ce-subject: a%2520b\r\n"), "subject", "a%20b"},
        {SLICE("ce-subject: %41%62\r\n"), "subject", "Ab"},
        {SLICE("ce-subject: Euro%20%E2%82%AC%20%f0%9f%98%80\r\n"), "subject", "Euro \xe2\x82\xac \xf0\x9f\x98\x80"},
        {SLICE("ce-subject: 100%\r\n"), "subject", "100%"},
        {SLICE("ce-subject: 5%4\r\n"), "subject", "5%4"},
        {SLICE("ce-subject: %zz%4g\r\n"), "subject", "%zz%4g"},
        {SLICE("ce-subject: \"quoted text\"\r\n"), "subject", "quoted text"},
        {SLICE("ce-subject: \"a \\\"b\\\" \\\\ %41\"\r\n"), "subject", "a \"b\" \\ A"},
        {SLICE("ce-subject: \"\r\n"), "subject", "\""},
        {SLICE("ce-subject: \"open\r\n"), "subject", "\"open"},
        {SLICE("ce-subject: \"a\" \"b\"\r\n"), "subject", "\"a\" \"b\""},
        {SLICE("ce-subject: \"a\\\"\r\n"), "subject", "\"a\\\""},
        /* one who doesn't encode sends the URI's own escapes */
        {SLICE("ce-replyto: https://x/a%20b\r\n"), "replyto", "https://x/a%20b"},
        {SLICE("ce-replyto: https://x/a%2520b\r\n"), "replyto", "https://x/a%20b"},
        {SLICE("ce-dataschema: https://x/a%5Db\r\n"), "dataschema", "https://x/a%5Db"},
    };
    static struct fixture f;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fixture_init(&f, SLICE_OF(""));
        message_init(&f.message, SLICE_OF(""));
        struct slice lines = cases[i].lines;
        size_t colon = slice_find(lines, ':');
        assert_int_equal(message_http_header(&f.message, &f.extra, slice_make(lines.data + 3, colon - 3),
                                             slice_make(lines.data + colon + 1, lines.size - colon - 3), &fixture_rules,
                                             &f.fault),
                         STATUS_OK);
        const struct value *value = message_find(&f.message, slice_from(cases[i].name));
        struct slice got = message_bytes(&f.message, value->span);
        if (!slice_is(got, cases[i].meant))
            fail_msg("%.*s became %.*s", SLICE_ARG(lines), SLICE_ARG(got));
        fixture_done(&f);
    }
}

static struct slice headers(const struct fixture *f, const struct overlay *overlay) {
    static uint8_t room[4096];
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_http_headers(&f->message, overlay, &out), STATUS_OK);
    return buffer_slice(&out);
}

#define JSON_HEAD "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\""

static enum status plainly(const struct fixture *f, const struct overlay *overlay) {
    uint8_t room[8192];
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    return message_http_plain_headers(&f->message, overlay, &out);
}

static void headers_are_written_percent_encoded(void **state) {
    (void)state;
    static struct fixture f;
    struct overlay overlay;
    overlay_init(&overlay);
    overlay_set_number(&overlay, ATTRIBUTE_DELIVERYATTEMPT, 2);
    overlay_remove(&overlay, ATTRIBUTE_AUTHID);
    assert_int_equal(fixture_json(&f, SLICE_OF(JSON_HEAD ",\"subject\":\"a b\\\"%~\xe2\x82\xac\",\"priority\":3,\"urgent\":true,"
                                                         "\"authid\":\"x\",\"datacontenttype\":\"text/plain; charset=utf-8\",\"data\":\"x\"}")),
                     STATUS_OK);
    assert_true(slice_is(headers(&f, &overlay),
                         "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\n"
                         "ce-subject: a%20b%22%25~%E2%82%AC\r\nce-priority: 3\r\nce-urgent: true\r\n"
                         "ce-deliveryattempt: 2\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    assert_int_equal(plainly(&f, NULL), STATUS_NOT_SUPPORTED);
    overlay_set_text(&overlay, ATTRIBUTE_SUBJECT, SLICE_OF("plain"));
    assert_int_equal(plainly(&f, &overlay), STATUS_OK);
    fixture_done(&f);
}

static void json_data_gets_its_content_type_spelled_out(void **state) {
    (void)state;
    static struct fixture f;
    assert_int_equal(fixture_json(&f, SLICE_OF(JSON_HEAD ",\"data\":7}")), STATUS_OK);
    assert_true(slice_is(headers(&f, NULL), HEAD "Content-Type: application/json\r\n"));
    fixture_done(&f);
    assert_int_equal(fixture_json(&f, SLICE_OF(JSON_HEAD "}")), STATUS_OK);
    assert_true(slice_is(headers(&f, NULL), HEAD));
    fixture_done(&f);
}

static void no_overlay_can_inject_a_header(void **state) {
    (void)state;
    static struct fixture f;
    uint8_t room[512];
    struct buffer out;
    struct overlay overlay;
    assert_int_equal(fixture_json(&f, SLICE_OF(JSON_HEAD "}")), STATUS_OK);
    overlay_init(&overlay);
    overlay_set_text(&overlay, ATTRIBUTE_DLDETAIL, SLICE_OF("a\r\nx: y"));
    assert_true(slice_is(headers(&f, &overlay), HEAD "ce-dldetail: a%0D%0Ax:%20y\r\n"));
    overlay_init(&overlay);
    overlay_set_text(&overlay, ATTRIBUTE_DATACONTENTTYPE, SLICE_OF("a/b\r\nx: y"));
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_http_headers(&f.message, &overlay, &out), STATUS_MALFORMED_EVENT);
    overlay_init(&overlay);
    overlay_set_text(&overlay, ATTRIBUTE_DLDETAIL, SLICE_OF("\xff"));
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_http_headers(&f.message, &overlay, &out), STATUS_MALFORMED_EVENT);
    fixture_done(&f);
}

static void long_headers_do_not_fit_binary(void **state) {
    (void)state;
    static struct fixture f;
    static char event[8192];
    for (int size = 6000; size <= 6200; size += 200) {
        int n = snprintf(event, sizeof event, JSON_HEAD ",\"subject\":\"%0*d\"}", size, 0);
        assert_int_equal(fixture_json(&f, slice_make(event, (size_t)n)), STATUS_OK);
        assert_int_equal(plainly(&f, NULL), size == 6000 ? STATUS_OK : STATUS_NOT_SUPPORTED);
        fixture_done(&f);
    }
}

static void the_body_leaves_as_what_it_says_it_is(void **state) {
    (void)state;
    static struct fixture f;
    static const struct {
        struct slice content_type, body;
        const char *json; /* the end of the event */
    } cases[] = {
        {SLICE("Content-Type: application/json\r\n"), SLICE("{\"a\": 1}"), ",\"datacontenttype\":\"application/json\",\"data\":{\"a\": 1}}"},
        {SLICE("Content-Type: application/json\r\n"), SLICE("{oops"), ",\"datacontenttype\":\"application/json\",\"data_base64\":\"e29vcHM=\"}"},
        {SLICE("Content-Type: text/plain\r\n"), SLICE("a\nb"), ",\"datacontenttype\":\"text/plain\",\"data\":\"a\\nb\"}"},
        {SLICE("Content-Type: text/plain; charset=latin1\r\n"), SLICE("ab"), ",\"datacontenttype\":\"text/plain; charset=latin1\",\"data_base64\":\"YWI=\"}"},
        {SLICE("Content-Type: text/plain\r\n"), SLICE("\xff"), ",\"datacontenttype\":\"text/plain\",\"data_base64\":\"/w==\"}"},
        {SLICE("Content-Type: image/png\r\n"), SLICE("ab"), ",\"datacontenttype\":\"image/png\",\"data_base64\":\"YWI=\"}"},
        {SLICE(""), SLICE("{}"), ",\"data_base64\":\"e30=\"}"},
        {SLICE("Content-Type: application/json\r\n"), SLICE(""), ",\"datacontenttype\":\"application/json\"}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char lines[256], expected[256];
        uint8_t room[512];
        struct buffer out;
        buffer_init_fixed(&out, room, sizeof room);
        int size = snprintf(lines, sizeof lines, HEAD "%s", cases[i].content_type.data);
        assert_int_equal(fixture_http(&f, slice_make(lines, (size_t)size), cases[i].body), STATUS_OK);
        assert_int_equal(message_encode_json(&f.message, NULL, &out), STATUS_OK);
        snprintf(expected, sizeof expected, JSON_HEAD "%s", cases[i].json);
        if (!slice_is(buffer_slice(&out), expected))
            fail_msg("%.*s", SLICE_ARG(buffer_slice(&out)));
        fixture_done(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_binding_calls_invalid_is_refused_by_name),
        cmocka_unit_test(values_are_unquoted_then_percent_decoded_once),
        cmocka_unit_test(headers_are_written_percent_encoded),
        cmocka_unit_test(json_data_gets_its_content_type_spelled_out),
        cmocka_unit_test(no_overlay_can_inject_a_header),
        cmocka_unit_test(long_headers_do_not_fit_binary),
        cmocka_unit_test(the_body_leaves_as_what_it_says_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
