/* The JSON event format: what is accepted, what is refused and in which words, how events are changed. */
#include "message/fixture.h"

#include "base/assert.h"
#include "base/json.h"

#define REST "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\""
#define EVENT(more) SLICE("{" REST more "}")

struct row {
    struct slice event;
    const char *attribute; /* at fault; NULL: the event is valid */
    const char *words;     /* part of the fault's text */
};

static const struct attribute_declaration declarations[] = {
    {SLICE("tenant"), ATTRIBUTE_STRING},   {SLICE("amount"), ATTRIBUTE_INTEGER}, {SLICE("urgent"), ATTRIBUTE_BOOLEAN},
    {SLICE("blob"), ATTRIBUTE_BINARY},     {SLICE("link"), ATTRIBUTE_URI},       {SLICE("due"), ATTRIBUTE_TIMESTAMP},
    {SLICE("where"), ATTRIBUTE_URI_REFERENCE},
};
static const struct attribute_declared declared = {declarations, COUNT_OF(declarations)};

static const struct row rows[] = {
    {EVENT(""), NULL, NULL},
    {SLICE(" \r\n\t{" REST "} \n"), NULL, NULL},
    /* frame */
    {SLICE(""), "", "JSON"},
    {SLICE("   "), "", "JSON"},
    {SLICE("[]"), "", "JSON object"},
    {SLICE("\"x\""), "", "JSON object"},
    {SLICE("null"), "", "JSON object"},
    {SLICE("{" REST "}}"), "", "JSON: more text"},
    {SLICE("{" REST ",}"), "", "JSON: name"},
    {SLICE("{" REST), "", "JSON: text ends too early at byte 54"},
    {SLICE("{" REST "}\x0c"), "", "JSON"},
    {SLICE("\xef\xbb\xbf{" REST "}"), "", "JSON"},
    {EVENT(",\"data\":{\"a\":01}"), "", "leading zero"},
    {EVENT(",\"data\":\"\xff\""), "", "invalid UTF-8"},
    {EVENT(",\"data\":[}"), "", "JSON"},
    /* what must be there */
    {SLICE("{}"), "specversion", "is missing"},
    {SLICE("{\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\"}"), "specversion", "is missing"},
    {SLICE("{\"specversion\":\"1.0\",\"source\":\"/a\",\"type\":\"t\"}"), "id", "is missing"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"t\"}"), "source", "is missing"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\"}"), "type", "is missing"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":null,\"source\":\"/a\",\"type\":\"t\"}"), "id", "is missing"},
    {SLICE("{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\"}"), "specversion", "must be"},
    {SLICE("{\"specversion\":\"1.0.2\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\"}"), "specversion", "must be"},
    {SLICE("{\"specversion\":1.0,\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\"}"), "specversion", "must be"},
    {SLICE("{\"specversion\":null,\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\"}"), "specversion", "must be"},
    {SLICE("{\"specversion\":\"1.\\u0030\",\"i\\u0064\":\"1\",\"source\":\"\\/a\",\"type\":\"t\"}"), NULL, NULL},
    {SLICE("{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/a\",\"type\":\"t\"}"), "id", "empty"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"\",\"type\":\"t\"}"), "source", "empty"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"\"}"), "type", "empty"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":1,\"source\":\"/a\",\"type\":\"t\"}"), "id", "string"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"a b\",\"type\":\"t\"}"), "source", "URI-reference"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a%2\",\"type\":\"t\"}"), "source", "URI-reference"},
    {SLICE("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"urn:x:y?z#f\",\"type\":\"t\"}"), NULL, NULL},
    /* at most once */
    {EVENT(",\"id\":\"2\""), "id", "twice"},
    {EVENT(",\"i\\u0064\":\"2\""), "id", "twice"},
    {EVENT(",\"id\":null"), "id", "twice"},
    {EVENT(",\"specversion\":\"1.0\""), "specversion", "twice"},
    {EVENT(",\"subject\":null,\"subject\":\"x\""), "subject", "twice"},
    {EVENT(",\"subject\":null,\"subject\":null"), "subject", "twice"},
    {EVENT(",\"foo\":\"a\",\"foo\":\"b\""), "foo", "twice"},
    {EVENT(",\"foo\":null,\"foo\":\"b\""), "foo", "twice"},
    {EVENT(",\"foo\":\"b\",\"foo\":null"), "foo", "twice"},
    {EVENT(",\"foo\":null,\"bar\":null,\"foo\":null"), "foo", "twice"},
    {EVENT(",\"data\":1,\"data\":1"), "data", "twice"},
    {EVENT(",\"data_base64\":\"\",\"data_base64\":\"\""), "data_base64", "twice"},
    {EVENT(",\"data\":1,\"data_base64\":\"AA==\""), "", "both"},
    {EVENT(",\"data_base64\":\"AA==\",\"data\":null"), "", "both"},
    /* null is absent */
    {EVENT(",\"subject\":null,\"foo\":null,\"priority\":null"), NULL, NULL},
    /* names */
    {EVENT(",\"Foo\":\"x\""), "Foo", "name"},
    {EVENT(",\"foo-bar\":\"x\""), "foo-bar", "name"},
    {EVENT(",\"foo_bar\":\"x\""), "foo_bar", "name"},
    {EVENT(",\"\":\"x\""), "", "name"},
    {EVENT(",\"f\xc3\xa9\":\"x\""), "f", "name"},
    {EVENT(",\"a123456789b123456789c123456789d123456789e123456789f123456789g123\":\"x\""), NULL, NULL},
    {EVENT(",\"a123456789b123456789c123456789d123456789e123456789f123456789g1234\":\"x\""), "a123456789b123456789c12", "name"},
    {EVENT(",\"7up\":\"x\""), NULL, NULL},
    /* types of what isn't known */
    {EVENT(",\"foo\":\"x\",\"bar\":1,\"baz\":false"), NULL, NULL},
    {EVENT(",\"foo\":1.5"), "foo", "integer of 32 bits"},
    {EVENT(",\"foo\":1e2"), "foo", "integer of 32 bits"},
    {EVENT(",\"foo\":2147483647,\"bar\":-2147483648"), NULL, NULL},
    {EVENT(",\"foo\":2147483648"), "foo", "integer of 32 bits"},
    {EVENT(",\"foo\":-2147483649"), "foo", "integer of 32 bits"},
    {EVENT(",\"foo\":99999999999999999999999"), "foo", "integer of 32 bits"},
    {EVENT(",\"foo\":{}"), "foo", "object"},
    {EVENT(",\"foo\":[]"), "foo", "array"},
    {EVENT(",\"foo\":\"tab\\t\""), "foo", "control"},
    {EVENT(",\"foo\":\"\x7f\""), "foo", "control"},
    {EVENT(",\"foo\":\"\\u0085\""), "foo", "control"},
    {EVENT(",\"foo\":\"\\uffff\""), "foo", "noncharacter"},
    {EVENT(",\"foo\":\"\\ufdd0\""), "foo", "noncharacter"},
    {EVENT(",\"foo\":\"\\ud83f\\udffe\""), "foo", "noncharacter"},
    {EVENT(",\"foo\":\"\\ud800\""), "", "lone surrogate"},
    {EVENT(",\"foo\":\"\\ud83d\\ude00 fine \xf0\x9f\x98\x80\""), NULL, NULL},
    /* types of what is known */
    {EVENT(",\"subject\":\"\""), "subject", "empty"},
    {EVENT(",\"subject\":7"), "subject", "string"},
    {EVENT(",\"subject\":true"), "subject", "string"},
    {EVENT(",\"subject\":{}"), "subject", "object"},
    {EVENT(",\"time\":\"2026-11-22T22:10:42Z\""), NULL, NULL},
    {EVENT(",\"time\":\"2026-11-22 22:10:42Z\""), "time", "RFC 3339"},
    {EVENT(",\"time\":\"2026-02-30T00:00:00Z\""), "time", "RFC 3339"},
    {EVENT(",\"time\":\"2026-11-22T22:10:42\""), "time", "RFC 3339"},
    {EVENT(",\"time\":1700000000"), "time", "string"},
    {EVENT(",\"dataschema\":\"/relative\""), "dataschema", "absolute URI"},
    {EVENT(",\"dataschema\":\"https://x.example/a?b#c\""), NULL, NULL},
    {EVENT(",\"dataschema\":\"type.googleapis.com/acme.Order\""), NULL, NULL},
    {EVENT(",\"dataschema\":\"\""), "dataschema", "empty"},
    {EVENT(",\"datacontenttype\":\"json\""), "datacontenttype", "media type"},
    {EVENT(",\"datacontenttype\":\"application/\""), "datacontenttype", "media type"},
    {EVENT(",\"datacontenttype\":\"text/plain; charset\""), "datacontenttype", "media type"},
    {EVENT(",\"datacontenttype\":\"text/plain; charset=\\\"utf-8\\\";x=y\""), NULL, NULL},
    {EVENT(",\"datacontenttype\":\"a/b \""), "datacontenttype", "media type"},
    {EVENT(",\"priority\":1"), NULL, NULL},
    {EVENT(",\"priority\":5"), NULL, NULL},
    {EVENT(",\"priority\":0"), "priority", "from 1 to 5"},
    {EVENT(",\"priority\":6"), "priority", "from 1 to 5"},
    {EVENT(",\"priority\":-1"), "priority", "from 1 to 5"},
    {EVENT(",\"priority\":2.0"), "priority", "integer"},
    {EVENT(",\"priority\":\"3\""), "priority", "JSON number"},
    {EVENT(",\"priority\":true"), "priority", "JSON number"},
    {EVENT(",\"maxattempts\":0"), "maxattempts", "from 1 to 100"},
    {EVENT(",\"maxattempts\":101"), "maxattempts", "from 1 to 100"},
    {EVENT(",\"messagetype\":\"query\""), NULL, NULL},
    {EVENT(",\"messagetype\":\"Query\""), "messagetype", "must be event"},
    {EVENT(",\"messagetype\":\"\""), "messagetype", "empty"},
    {EVENT(",\"target\":\"all\""), NULL, NULL},
    {EVENT(",\"target\":\"billing-2\""), NULL, NULL},
    {EVENT(",\"target\":\"Billing\""), "target", "name of a system"},
    {EVENT(",\"target\":\"-x\""), "target", "name of a system"},
    {EVENT(",\"expirytime\":\"tomorrow\""), "expirytime", "RFC 3339"},
    {EVENT(",\"deprecated\":true"), NULL, NULL},
    {EVENT(",\"deprecated\":\"true\""), "deprecated", "JSON boolean"},
    {EVENT(",\"deprecated\":1"), "deprecated", "JSON boolean"},
    {EVENT(",\"dssematerial\":\"AA=\""), "dssematerial", "base64"},
    {EVENT(",\"sampledrate\":0"), "sampledrate", "greater than 0"},
    /* declared by the configuration */
    {EVENT(",\"tenant\":\"x\",\"amount\":3,\"urgent\":true,\"blob\":\"AAE=\",\"link\":\"a:b\",\"where\":\"../x\","
           "\"due\":\"2026-01-01T00:00:00Z\""), NULL, NULL},
    {EVENT(",\"tenant\":3"), "tenant", "JSON string"},
    {EVENT(",\"amount\":\"3\""), "amount", "JSON number"},
    {EVENT(",\"amount\":true"), "amount", "JSON number"},
    {EVENT(",\"urgent\":\"yes\""), "urgent", "JSON boolean"},
    {EVENT(",\"blob\":\"A\""), "blob", "base64"},
    {EVENT(",\"blob\":\"AAF=\""), "blob", "base64"},
    {EVENT(",\"link\":\"relative\""), "link", "absolute URI"},
    {EVENT(",\"where\":\"a b\""), "where", "URI-reference"},
    {EVENT(",\"due\":\"soon\""), "due", "RFC 3339"},
    /* data */
    {EVENT(",\"data\":null"), NULL, NULL},
    {EVENT(",\"data\":{\"a\":1,\"a\":2}"), NULL, NULL},
    {EVENT(",\"datacontenttype\":\"text/plain\",\"data\":\"x\""), NULL, NULL},
    {EVENT(",\"data\":\"x\",\"datacontenttype\":\"text/plain\""), NULL, NULL},
    {EVENT(",\"datacontenttype\":\"text/plain\",\"data\":{}"), "data", "must be a string"},
    {EVENT(",\"datacontenttype\":\"text/plain\",\"data\":null"), "data", "must be a string"},
    {EVENT(",\"datacontenttype\":\"text/plain\",\"data\":\"\\udc00\""), "data", "lone surrogate"},
    {EVENT(",\"datacontenttype\":\"application/JSON\",\"data\":{}"), NULL, NULL},
    {EVENT(",\"datacontenttype\":\"application/x+Json;v=1\",\"data\":{}"), NULL, NULL},
    {EVENT(",\"data_base64\":\"\""), NULL, NULL},
    {EVENT(",\"data_base64\":\"AAE\""), "data_base64", "base64"},
    {EVENT(",\"data_base64\":\"A A=\""), "data_base64", "base64"},
    {EVENT(",\"data_base64\":\"AA-_\""), "data_base64", "base64"},
    {EVENT(",\"data_base64\":7"), "data_base64", "string"},
    {EVENT(",\"data_base64\":null"), "data_base64", "string"},
};

static void what_the_format_calls_invalid_is_refused_by_name(void **state) {
    (void)state;
    static struct fixture f;
    const struct message_rules rules = {.declared = &declared, .size_max = 1 << 20};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum status status = fixture_json_by(&f, rows[i].event, &rules);
        if ((status == STATUS_OK) != !rows[i].attribute)
            fail_msg("row %zu: %.*s: %s", i, SLICE_ARG(rows[i].event), f.fault.text);
        if (rows[i].attribute) {
            assert_int_equal(status, STATUS_MALFORMED_EVENT);
            assert_int_equal(f.fault.status, STATUS_MALFORMED_EVENT);
            if (strcmp(f.fault.attribute, rows[i].attribute) != 0 || !strstr(f.fault.text, rows[i].words))
                fail_msg("row %zu: `%s`: %s", i, f.fault.attribute, f.fault.text);
        }
        fixture_done(&f);
    }
}

static void every_cut_of_an_event_is_refused(void **state) {
    (void)state;
    static struct fixture f;
    struct slice event = EVENT(",\"priority\":3,\"s\\u0075bject\":\"\\u20ac\",\"data\":{\"a\":[1,true]}");
    for (size_t size = 0; size <= event.size; size++) {
        enum status status = fixture_json(&f, slice_head(event, size));
        assert_int_equal(status, size == event.size ? STATUS_OK : STATUS_MALFORMED_EVENT);
        fixture_done(&f);
    }
}

static void size_count_and_room_are_limited(void **state) {
    (void)state;
    static struct fixture f;
    struct slice event = EVENT(",\"foo\":\"\\u0041\"");
    struct message_rules rules = {.size_max = (uint32_t)event.size - 1};
    assert_int_equal(fixture_json_by(&f, event, &rules), STATUS_TOO_LARGE);
    assert_int_equal(f.fault.status, STATUS_TOO_LARGE);
    rules.size_max++;
    fixture_done(&f);
    assert_int_equal(fixture_json_by(&f, event, &rules), STATUS_OK);
    buffer_init_fixed(&f.extra, f.room, 3);
    assert_int_equal(message_decode_json(&f.message, event, &f.extra, &rules, &f.fault), STATUS_TOO_LARGE);
    fixture_done(&f);
    static char many[8192];
    for (int count = 61; count <= 62; count++) { /* and three that are required */
        size_t size = (size_t)snprintf(many, sizeof many, "{" REST);
        for (int i = 0; i < count; i++)
            size += (size_t)snprintf(many + size, sizeof many - size, ",\"x%d\":\"y\"", i);
        size += (size_t)snprintf(many + size, sizeof many - size, "}");
        assert_int_equal(fixture_json(&f, slice_make(many, size)), count == 61 ? STATUS_OK : STATUS_MALFORMED_EVENT);
        fixture_done(&f);
    }
}

static void fields_are_derived(void **state) {
    (void)state;
    static struct fixture f;
    struct slice event = EVENT(",\"messagetype\":\"command\",\"priority\":4,\"target\":\"x\","
                               "\"expirytime\":\"1970-01-01T00:00:01.5+00:00\",\"t\\u0069me\":\"2026-01-01T00:00:00z\"");
    assert_int_equal(fixture_json(&f, event), STATUS_OK);
    assert_int_equal(f.message.kind, KIND_COMMAND);
    assert_int_equal(f.message.priority, PRIORITY_CRITICAL);
    assert_true(f.message.expiry.ns == 1500000000);
    assert_true(slice_is(message_text(&f.message, ATTRIBUTE_TIME), "2026-01-01T00:00:00z"));
    assert_true(slice_is(message_text(&f.message, ATTRIBUTE_TARGET), "x"));
    assert_false(message_has(&f.message, ATTRIBUTE_SUBJECT));
    assert_int_equal(message_text(&f.message, ATTRIBUTE_SUBJECT).size, 0);
    assert_null(message_find(&f.message, SLICE_OF("specversion")));
    fixture_done(&f);
    assert_int_equal(fixture_json(&f, (struct slice)EVENT(",\"expirytime\":\"9999-01-01T00:00:00Z\"")), STATUS_OK);
    assert_true(f.message.expiry.ns == INT64_MAX);
    assert_int_equal(f.message.kind, KIND_EVENT);
    assert_int_equal(f.message.priority, PRIORITY_NORMAL);
    fixture_done(&f);
    assert_int_equal(fixture_json(&f, (struct slice)EVENT(",\"expirytime\":\"0001-01-01T00:00:00Z\"")), STATUS_OK);
    assert_true(f.message.expiry.ns == INT64_MIN);
    fixture_done(&f);
}

static void data_keeps_its_bytes(void **state) {
    (void)state;
    static struct fixture f;
    static const struct {
        struct slice event;
        enum data_form form;
        struct slice payload;
    } cases[] = {
        {EVENT(""), DATA_NONE, SLICE("")},
        {EVENT(",\"data\" : { \"b\":1.0, \"a\":\"\\u00e9\" } "), DATA_JSON, SLICE("{ \"b\":1.0, \"a\":\"\\u00e9\" }")},
        {EVENT(",\"data\":\"te\\nxt\""), DATA_JSON, SLICE("\"te\\nxt\"")},
        {EVENT(",\"data\":null"), DATA_JSON, SLICE("null")},
        {EVENT(",\"data\":\"\",\"datacontenttype\":\"text/plain\""), DATA_TEXT, SLICE("")},
        {EVENT(",\"data\":\"text\",\"datacontenttype\":\"text/plain\""), DATA_TEXT, SLICE("text")},
        {EVENT(",\"data\":\"te\\nxt\",\"datacontenttype\":\"text/plain\""), DATA_STRING, SLICE("te\nxt")},
        {EVENT(",\"data_base64\":\"AAECAw==\""), DATA_BASE64, SLICE("\x00\x01\x02\x03")},
        {EVENT(",\"data_base64\":\"\\/\\/8=\""), DATA_BASE64, SLICE("\xff\xff")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t room[64];
        struct buffer out;
        buffer_init_fixed(&out, room, sizeof room);
        assert_int_equal(fixture_json(&f, cases[i].event), STATUS_OK);
        assert_int_equal(f.message.data_form, cases[i].form);
        assert_true(slice_equal(fixture_payload(&f.message, &out), cases[i].payload));
        assert_int_equal(message_data_size(&f.message), cases[i].payload.size);
        fixture_done(&f);
    }
}

/* -- encoding -- */

static struct slice encode(const struct fixture *f, const struct overlay *overlay) {
    static uint8_t room[4096];
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    assert_int_equal(message_encode_json(&f->message, overlay, &out), STATUS_OK);
    assert_true(out.size <= message_encoded_bound(&f->message, overlay, ENCODING_JSON));
    assert_true(json_is_valid(buffer_slice(&out), 0));
    return buffer_slice(&out);
}

static void assert_text(struct slice got, const char *expected) {
    if (!slice_is(got, expected))
        fail_msg("got      %.*s\nexpected %s", SLICE_ARG(got), expected);
}

static void an_untouched_event_leaves_byte_for_byte(void **state) {
    (void)state;
    static struct fixture f;
    assert_int_equal(fixture_json(&f, SLICE_OF("\n{ " REST " , \"x\":null,\"data\" : 1.50 }\n")), STATUS_OK);
    assert_text(encode(&f, NULL), "{ " REST " , \"x\":null,\"data\" : 1.50 }");
    struct overlay overlay;
    overlay_init(&overlay);
    assert_text(encode(&f, &overlay), "{ " REST " , \"x\":null,\"data\" : 1.50 }");
    fixture_done(&f);
}

static void additions_are_spliced_in(void **state) {
    (void)state;
    static struct fixture f;
    struct overlay overlay;
    overlay_init(&overlay);
    overlay_set_number(&overlay, ATTRIBUTE_DELIVERYATTEMPT, 2);
    overlay_set_text(&overlay, ATTRIBUTE_CORRELATIONID, SLICE_OF("a\"b"));
    overlay_remove(&overlay, ATTRIBUTE_AUTHID); /* that isn't there */
    assert_int_equal(fixture_json(&f, SLICE_OF("{ " REST ", \"data\" :  1 }")), STATUS_OK);
    assert_text(encode(&f, &overlay), "{ " REST ", \"data\" :  1 ,\"deliveryattempt\":2,\"correlationid\":\"a\\\"b\"}");
    fixture_done(&f);
    /* A null member of that name would be a duplicate. */
    assert_int_equal(fixture_json(&f, SLICE_OF("{" REST ",\"correlationid\":null,\"data\":1}")), STATUS_OK);
    assert_text(encode(&f, &overlay), "{" REST ",\"deliveryattempt\":2,\"correlationid\":\"a\\\"b\",\"data\":1}");
    fixture_done(&f);
}

static void changes_keep_the_order_of_the_rest(void **state) {
    (void)state;
    static struct fixture f;
    struct overlay overlay;
    overlay_init(&overlay);
    overlay_set_text(&overlay, ATTRIBUTE_TARGET, SLICE_OF("new"));
    overlay_set_number(&overlay, ATTRIBUTE_PRIORITY, 1);
    overlay_set_number(&overlay, ATTRIBUTE_PRIORITY, 5);
    overlay_remove(&overlay, ATTRIBUTE_AUTHID);
    overlay_set_number(&overlay, ATTRIBUTE_INTERTIEHOPS, 1);
    overlay_set_text(&overlay, ATTRIBUTE_SUBJECT, SLICE_OF("gone"));
    overlay_remove(&overlay, ATTRIBUTE_SUBJECT);
    assert_int_equal(fixture_json(&f, SLICE_OF("{\"foo\":\"\\u0041\\n\\u00e9\",\"data\":{ },\"authid\":\"x\",\"target\":\"old\"," REST
                                               ",\"bar\":-7,\"baz\":true}")),
                     STATUS_MALFORMED_EVENT); /* a line feed is no String */
    fixture_done(&f);
    assert_int_equal(fixture_json(&f, SLICE_OF("{\"foo\":\"\\u0041\\\"\\u00e9\",\"data\":{ },\"authid\":\"x\",\"target\":\"old\"," REST
                                               ",\"bar\":-7,\"baz\":true}")),
                     STATUS_OK);
    assert_text(encode(&f, &overlay), "{\"specversion\":\"1.0\",\"foo\":\"A\\\"\xc3\xa9\",\"target\":\"new\",\"id\":\"1\",\"source\":\"/a\","
                                      "\"type\":\"t\",\"bar\":-7,\"baz\":true,\"priority\":5,\"intertiehops\":1,\"data\":{ }}");
    fixture_done(&f);
}

static void data_follows_a_changed_content_type(void **state) {
    (void)state;
    static struct fixture f;
    struct overlay overlay;
    overlay_init(&overlay);
    overlay_set_text(&overlay, ATTRIBUTE_DATACONTENTTYPE, SLICE_OF("text/plain"));
    assert_int_equal(fixture_json(&f, SLICE_OF("{" REST ",\"data\":\"x\"}")), STATUS_OK);
    assert_text(encode(&f, &overlay), "{" REST ",\"datacontenttype\":\"text/plain\",\"data\":\"\\\"x\\\"\"}");
    fixture_done(&f);
    overlay_init(&overlay);
    overlay_remove(&overlay, ATTRIBUTE_DATACONTENTTYPE);
    assert_int_equal(fixture_json(&f, SLICE_OF("{" REST ",\"datacontenttype\":\"text/plain\",\"data\":\"\\u0041B\"}")), STATUS_OK);
    assert_text(encode(&f, &overlay), "{" REST ",\"data_base64\":\"QUI=\"}");
    fixture_done(&f);
}

static void encoding_stops_at_the_buffers_max(void **state) {
    (void)state;
    static struct fixture f;
    uint8_t room[64];
    struct buffer out;
    assert_int_equal(fixture_json(&f, SLICE_OF("{" REST ",\"data\":\"x\"}")), STATUS_OK);
    for (size_t size = 1; size < 64; size++) {
        buffer_init_fixed(&out, room, size);
        assert_int_equal(message_encode_json(&f.message, NULL, &out), STATUS_TOO_LARGE);
    }
    fixture_done(&f);
}

/* -- batches -- */

static void batches_are_checked_whole_then_handed_out(void **state) {
    (void)state;
    struct message_batch batch;
    struct message_fault fault;
    struct slice event;
    assert_int_equal(message_batch_open(&batch, SLICE_OF(" [ {\"a\":[1]} ,\n\"x\" , 7,{}] "), false, &fault), STATUS_OK);
    static const char *const expected[] = {"{\"a\":[1]}", "\"x\"", "7", "{}"};
    for (uint32_t i = 0; i < COUNT_OF(expected); i++) {
        assert_true(message_batch_next(&batch, &event));
        assert_text(event, expected[i]);
        assert_int_equal(batch.index, i + 1);
    }
    assert_false(message_batch_next(&batch, &event));
    assert_false(message_batch_next(&batch, &event));
    assert_int_equal(message_batch_open(&batch, SLICE_OF("[]"), false, &fault), STATUS_OK);
    assert_false(message_batch_next(&batch, &event));
    static const struct slice broken[] = {SLICE(""), SLICE("{}"), SLICE("[{}"), SLICE("[{},]"), SLICE("[{}]x"), SLICE("[{}{}]")};
    for (size_t i = 0; i < COUNT_OF(broken); i++)
        assert_int_equal(message_batch_open(&batch, broken[i], false, &fault), STATUS_MALFORMED_EVENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_format_calls_invalid_is_refused_by_name),
        cmocka_unit_test(every_cut_of_an_event_is_refused),
        cmocka_unit_test(size_count_and_room_are_limited),
        cmocka_unit_test(fields_are_derived),
        cmocka_unit_test(data_keeps_its_bytes),
        cmocka_unit_test(an_untouched_event_leaves_byte_for_byte),
        cmocka_unit_test(additions_are_spliced_in),
        cmocka_unit_test(changes_keep_the_order_of_the_rest),
        cmocka_unit_test(data_follows_a_changed_content_type),
        cmocka_unit_test(encoding_stops_at_the_buffers_max),
        cmocka_unit_test(batches_are_checked_whole_then_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
