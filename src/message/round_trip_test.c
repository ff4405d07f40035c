/* What an event means survives every way between the encodings. */
#include "message/fixture.h"

#include "base/assert.h"

enum way { WAY_JSON, WAY_PROTO, WAY_HTTP, WAY_COUNT };

/* Encodes and decodes again. */
static void pass(const struct message *from, enum way way, struct fixture *to) {
    static uint8_t room[1 << 17], body_room[1 << 17];
    struct buffer out, body;
    buffer_init_fixed(&out, room, sizeof room);
    buffer_init_fixed(&body, body_room, sizeof body_room);
    enum status status = STATUS_OK;
    switch (way) {
    case WAY_JSON:
        assert_int_equal(message_encode_json(from, NULL, &out), STATUS_OK);
        assert_true(out.size <= message_encoded_bound(from, NULL, ENCODING_JSON));
        status = fixture_json(to, buffer_slice(&out));
        break;
    case WAY_PROTO:
        assert_int_equal(message_encode_proto(from, NULL, &out), STATUS_OK);
        assert_true(out.size <= message_encoded_bound(from, NULL, ENCODING_PROTO));
        status = fixture_proto(to, buffer_slice(&out));
        break;
    case WAY_HTTP:
    case WAY_COUNT:
        assert_int_equal(message_http_headers(from, NULL, &out), STATUS_OK);
        message_data_write(from, &body);
        status = fixture_http(to, buffer_slice(&out), buffer_slice(&body));
        break;
    }
    if (status != STATUS_OK)
        fail_msg("way %d: %s\n%.*s", way, to->fault.text, SLICE_ARG(buffer_slice(&out)));
}

#define HEAD "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\""

static const struct slice events[] = {
    SLICE(HEAD "}"),
    SLICE(HEAD ",\"data\":{\"a\":[1,2.50,\"\\u00e9\"]}}"),
    SLICE(HEAD ",\"data\":null}"),
    SLICE(HEAD ",\"data\":\"just a string\"}"),
    SLICE(HEAD ",\"datacontenttype\":\"application/json\",\"data\":7}"),
    SLICE(HEAD ",\"datacontenttype\":\"application/vnd.x+json; charset=utf-8\",\"data\":[]}"),
    SLICE(HEAD ",\"datacontenttype\":\"text/plain\",\"data\":\"plain\"}"),
    SLICE(HEAD ",\"datacontenttype\":\"text/plain\",\"data\":\"line\\nline \\u20ac \\\"q\\\"\"}"),
    SLICE(HEAD ",\"datacontenttype\":\"text/plain; charset=latin1\",\"data\":\"caf\xc3\xa9\"}"),
    SLICE(HEAD ",\"datacontenttype\":\"application/octet-stream\",\"data\":\"text all the same\"}"),
    SLICE(HEAD ",\"datacontenttype\":\"image/png\",\"data_base64\":\"AAECAw==\"}"),
    SLICE(HEAD ",\"data_base64\":\"e30\\u003d\"}"),
    SLICE(HEAD ",\"datacontenttype\":\"application/json\",\"data_base64\":\"bm8ganNvbg==\"}"),
    SLICE(HEAD ",\"subject\":\"a b%20c \\\"d\\\" \xe2\x82\xac\",\"time\":\"2026-11-22T22:10:42.5+01:00\","
               "\"dataschema\":\"https://x.example/s#1\"}"),
    SLICE(HEAD ",\"messagetype\":\"query\",\"target\":\"billing\",\"priority\":5,\"correlationid\":\"c\","
               "\"replyto\":\"/systems/x\",\"expirytime\":\"2030-01-01T00:00:00Z\",\"maxattempts\":3,"
               "\"partitionkey\":\"k\",\"deprecated\":true,\"dssematerial\":\"AAEC\",\"sampledrate\":2147483647,"
               "\"severitynumber\":-2147483648,\"tracestate\":\"\"}"),
    SLICE(HEAD ",\"foo\":\"\",\"bar\":\"x\\\\y\\\"\"}"),
    SLICE(HEAD ",\"msgheaders\":\"{\\\"x-y\\\":\\\"z\\\"}\",\"\\u0061bc\":\"d\"}"),
};

static void every_event_survives_every_pair_of_encodings(void **state) {
    (void)state;
    static struct fixture first, second, third;
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        assert_int_equal(fixture_json(&first, events[i]), STATUS_OK);
        for (int a = 0; a < WAY_COUNT; a++) {
            pass(&first.message, (enum way)a, &second);
            assert_same_meaning(&first.message, &second.message, true, true);
            for (int b = 0; b < WAY_COUNT; b++) {
                pass(&second.message, (enum way)b, &third);
                assert_same_meaning(&first.message, &third.message, true, true);
                fixture_done(&third);
            }
            fixture_done(&second);
        }
        fixture_done(&first);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_survives_every_pair_of_encodings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
