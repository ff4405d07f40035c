/* The data API: its answers to the letter, content modes, wrapping, hints and replies. */
#include "protocol/http1/api_kit.h"

/* -- the transcripts of the user's manual -- */

static void an_event_is_accepted(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    post_text(&w, "/v1/messages", "ce-specversion: 1.0\r\nce-id: 42\r\nce-source: /doors/7\r\nce-type: com.example.alarm.raised\r\n"
                                  "Content-Type: application/json\r\n", "{\"door\":7}");
    check_seen(&w, "\"id\":\"42\",\"source\":\"/doors/7\",\"type\":\"com.example.alarm.raised\"");
    check_seen(&w, "\"data\":{\"door\":7}");
    check_text(&w, "HTTP/1.1 202 Accepted\r\n" DATE "Intertie-Id: @\r\nContent-Length: 0\r\n\r\n", last(&w)->receipt);
    world_done(&w);
}

static enum status reply_json(struct world *w, uint64_t token, const char *json) {
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[4096];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
    enum status status =
        protocol_http1.send(w->state, &message, NULL, &(struct protocol_send){.token = 1, .reply_to = token, .attempt = 1}, w->now);
    world_pump(w);
    return status;
}

static const char query[] = "{\"specversion\":\"1.0\",\"id\":\"q1\",\"source\":\"/systems/desk\",\"type\":\"com.example.price.get\","
                            "\"messagetype\":\"query\",\"data\":{\"sku\":\"A-1\"}}";
static const char reply[] = "{\"specversion\":\"1.0\",\"id\":\"9f1\",\"source\":\"/systems/pricing\",\"type\":\"com.example.price\","
                            "\"messagetype\":\"response\",\"target\":\"desk\",\"causationid\":\"q1\",\"correlationid\":\"q1\","
                            "\"data\":{\"sku\":\"A-1\",\"eur\":9.5}}";

static void a_query_is_answered_in_its_mode(void **state) {
    (void)state;
    struct world w;
    char expected[1024];
    begin(&w);
    w.holds = true;
    post_text(&w, "/v1/systems/pricing/messages", JSON_TYPE, query);
    assert_true(last(&w)->inline_reply);
    assert_int_equal(last(&w)->kind, KIND_QUERY);
    check_seen(&w, "\"target\":\"pricing\"");
    assert_string_equal(world_text(&w), "");
    assert_int_equal(reply_json(&w, 1, reply), STATUS_OK);
    snprintf(expected, sizeof expected, "HTTP/1.1 200 OK\r\n" DATE JSON_TYPE "Content-Length: %zu\r\n\r\n%s", strlen(reply), reply);
    assert_string_equal(world_text(&w), expected);
    assert_false(w.sink.paused);
    /* There is no second one. */
    assert_int_equal(reply_json(&w, 1, reply), STATUS_NOT_SUPPORTED);
    world_done(&w);
}

static void accept_chooses_the_mode(void **state) {
    (void)state;
    static const struct {
        const char *headers;
        const char *type;
    } rows[] = {
        {JSON_TYPE, "application/cloudevents+json"},
        {JSON_TYPE "Accept: */*\r\n", "application/cloudevents+json"},
        {JSON_TYPE "Accept: application/json\r\n", "application/cloudevents+json"},
        {JSON_TYPE "Accept: text/html, Application/CloudEvents+Protobuf\r\n", "application/cloudevents+protobuf"},
        {JSON_TYPE "Accept: application/cloudevents+protobuf;q=0\r\n", "application/cloudevents+json"},
        {JSON_TYPE "Accept: application/cloudevents+json;q=0.5, application/cloudevents+protobuf; q=0.75\r\n",
         "application/cloudevents+protobuf"},
        {JSON_TYPE "Accept: application/cloudevents+json, application/cloudevents+protobuf;q=0.9\r\n", "application/cloudevents+json"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        char expected[128];
        begin(&w);
        w.holds = true;
        post_text(&w, "/v1/messages", rows[i].headers, query);
        assert_int_equal(reply_json(&w, 1, reply), STATUS_OK);
        snprintf(expected, sizeof expected, "Content-Type: %s\r\n", rows[i].type);
        CHECK_HAS(&w, expected);
        world_done(&w);
    }
}

static void a_binary_query_is_answered_binary(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    w.holds = true;
    post_text(&w, "/v1/messages", "ce-specversion: 1.0\r\nce-id: q1\r\nce-source: /a\r\nce-type: t\r\nce-messagetype: query\r\n", "");
    assert_int_equal(reply_json(&w, 1, reply), STATUS_OK);
    CHECK_HAS(&w, "ce-id: 9f1\r\n");
    CHECK_HAS(&w, "ce-messagetype: response\r\n");
    CHECK_HAS(&w, "Content-Type: application/json\r\n");
    CHECK_HAS(&w, "Content-Length: 23\r\n\r\n{\"sku\":\"A-1\",\"eur\":9.5}");
    world_done(&w);
}

static void no_reply_in_time_is_504(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    w.holds = true;
    post_text(&w, "/v1/messages", JSON_TYPE, query);
    world_settle(&w, 1, STATUS_REPLY_TIMEOUT);
    check_text(&w, "HTTP/1.1 504 Gateway Timeout\r\n" DATE "Content-Type: application/problem+json\r\nContent-Length: 143\r\n\r\n"
                   "{\"type\":\"/problems/reply-timeout\",\"title\":\"No reply in time\",\"status\":504,\"reason\":\"reply-timeout\","
                   "\"id\":\"@\"}", last(&w)->receipt);
    world_done(&w);
}

#define BAD_RESULT "{\"index\":1,\"status\":400,\"problem\":{\"type\":\"/problems/malformed-event\",\"title\":\"Malformed event\"," \
                   "\"status\":400,\"reason\":\"malformed-event\",\"detail\":\"`source` is missing\"}}"

static void a_batch_has_a_result_each(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    post_text(&w, "/v1/messages", "Content-Type: application/cloudevents-batch+json\r\n",
              "[{\"specversion\":\"1.0\",\"id\":\"42\",\"source\":\"/doors/7\",\"type\":\"t\"},"
              " {\"specversion\":\"1.0\",\"id\":\"43\",\"type\":\"t\"}]");
    assert_int_equal(w.messages, 1);
    assert_int_equal(w.invalids, 1);
    assert_false(last(&w)->inline_reply);
    char size[64];
    const char *body = "[{\"index\":0,\"id\":\"42\",\"status\":202,\"receipt\":\"@\"}," BAD_RESULT "]";
    char expected[1024];
    snprintf(size, sizeof size, "%zu", strlen(body) + UUID_TEXT_SIZE - 1);
    snprintf(expected, sizeof expected, "HTTP/1.1 200 OK\r\n" DATE "Content-Type: application/json\r\nContent-Length: %s\r\n\r\n%s", size, body);
    check_text(&w, expected, last(&w)->receipt);
    world_done(&w);
}

static void a_plain_body_is_wrapped(void **state) {
    (void)state;
    struct world w;
    char id[64];
    begin(&w);
    post_text(&w, "/v1/systems/lamp/messages", "Content-Type: text/plain\r\n", "blink");
    snprintf(id, sizeof id, "\"id\":\"%s\"", last(&w)->receipt);
    check_seen(&w, id);
    check_seen(&w, "\"type\":\"intertie.http.message.v1\"");
    check_seen(&w, "\"source\":\"/listeners/web\"");
    check_seen(&w, "\"time\":\"2026-11-22T22:00:00Z\"");
    check_seen(&w, "\"target\":\"lamp\"");
    check_seen(&w, "\"datacontenttype\":\"text/plain\"");
    check_seen(&w, "\"data\":\"blink\"");
    check_text(&w, "HTTP/1.1 202 Accepted\r\n" DATE "Intertie-Id: @\r\nContent-Length: 0\r\n\r\n", last(&w)->receipt);
    world_done(&w);
}

static void an_unknown_target_is_told_with_the_nearest_name(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    w.answer = STATUS_UNKNOWN_TARGET;
    w.words = "no system `lmap`; did you mean `lamp`?";
    post_text(&w, "/v1/systems/lmap/messages", "Content-Type: text/plain\r\n", "blink");
    check_text(&w, "HTTP/1.1 404 Not Found\r\n" DATE "Content-Type: application/problem+json\r\nContent-Length: 193\r\n\r\n"
                   "{\"type\":\"/problems/unknown-target\",\"title\":\"Unknown target\",\"status\":404,\"reason\":\"unknown-target\","
                   "\"detail\":\"no system `lmap`; did you mean `lamp`?\",\"id\":\"@\"}", last(&w)->receipt);
    world_done(&w);
}

/* -- paths -- */

static void paths_and_methods(void **state) {
    (void)state;
    static const struct {
        const char *line;
        unsigned code;
        const char *has;
    } rows[] = {
        {"POST /v1/messages", 202, "Intertie-Id: "},
        {"POST /v1/messages?x=1", 202, "Intertie-Id: "},
        {"POST /v1/systems/all/messages", 202, ""},
        {"GET /v1/messages", 405, "Allow: POST, OPTIONS\r\n"},
        {"DELETE /v1/systems/lamp/messages", 405, "Allow: GET, POST, OPTIONS\r\n"},
        {"OPTIONS /v1/messages", 204, "Allow: POST, OPTIONS\r\n"},
        {"HEAD /v1/systems/lamp/messages", 405, ""},
        {"GET /v1/systems/lamp/acks", 405, "Allow: POST, OPTIONS"},
        {"GET /v1/ws?system=lamp", 501, ""},
        {"GET /v1/messages/019ab3d0-7710-7c02-8e11-0a6c5d9e4b12/reply", 501, "nobody takes messages here"},
        {"POST /v1/systems/LAMP/messages", 404, "\"reason\":\"unknown-target\""},
        {"POST /v1/systems//messages", 404, ""},
        {"POST /v1/systems/lamp", 404, "\"reason\":\"not-found\""},
        {"POST /v1/systems/lamp/messages/", 404, ""},
        {"POST /v1/Messages", 404, ""},
        {"GET /", 404, ""},
        {"POST /v2/messages", 404, ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        char request[256];
        begin(&w);
        snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].line);
        world_give(&w, slice_from(request));
        if (world_code(&w, 0) != rows[i].code || !strstr(world_text(&w), rows[i].has))
            fail_msg("%s: %s", rows[i].line, world_text(&w));
        assert_int_equal(w.messages, rows[i].code == 202);
        assert_false(w.sink.closing);
        world_done(&w);
    }
}

static void consent_is_given_where_events_are_taken(void **state) {
    (void)state;
    static const struct {
        const char *request;
        const char *origin, *rate; /* NULL: no consent */
        unsigned code;
        bool auth;
    } rows[] = {
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: events.example.com\r\nWebHook-Request-Rate: 120\r\n\r\n",
         "events.example.com", "120", 204, false},
        {"OPTIONS /v1/systems/lamp/messages HTTP/1.1\r\nHost: a\r\nwebhook-request-origin: events.example.com:81\r\n\r\n",
         "events.example.com:81", "*", 204, false},
        {"OPTIONS /v1/./messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\nWebHook-Request-Rate: 0\r\n\r\n", "a.b", "*", 204, false},
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\nWebHook-Request-Rate: 1234567890\r\n\r\n", "a.b", "*", 204, false},
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\nWebHook-Request-Rate: -1\r\n\r\n", "a.b", "*", 204, false},
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\nWebHook-Request-Callback: http://c.d/e\r\n\r\n", "a.b", "*", 204, false},
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\n\r\n", "a.b", "*", 204, true}, /* no key yet */
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n", NULL, NULL, 204, false},
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\n\r\n", NULL, NULL, 401, true},
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: \r\n\r\n", NULL, NULL, 204, false},
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a b\r\n\r\n", NULL, NULL, 204, false},
        {"OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: <b>\r\n\r\n", NULL, NULL, 204, false},
        {"OPTIONS /v1/systems/lamp/acks HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\n\r\n", NULL, NULL, 204, false},
        {"OPTIONS /v1/systems/LAMP/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\n\r\n", NULL, NULL, 404, false},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\n\r\n", NULL, NULL, 204, false},
        {"POST /v1/messages HTTP/1.1\r\nHost: a\r\nWebHook-Request-Origin: a.b\r\nContent-Length: 0\r\n\r\n", NULL, NULL, 202, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        char expected[256];
        world_init(&w, PROTOCOL_ACCEPTED);
        w.setup.auth = rows[i].auth;
        w.hello_answer = rows[i].auth ? STATUS_UNAUTHENTICATED : STATUS_OK;
        world_open(&w);
        world_give(&w, slice_from(rows[i].request));
        snprintf(expected, sizeof expected, "WebHook-Allowed-Origin: %s\r\nWebHook-Allowed-Rate: %s\r\n", rows[i].origin ? rows[i].origin : "",
                 rows[i].rate ? rows[i].rate : "");
        bool gives = strstr(world_text(&w), "WebHook-") != NULL;
        if (world_code(&w, 0) != rows[i].code || gives != (rows[i].origin != NULL) || (gives && !strstr(world_text(&w), expected)))
            fail_msg("%s: %s", rows[i].request, world_text(&w));
        if (gives)
            assert_non_null(strstr(world_text(&w), "POST"));
        assert_false(w.sink.closing && rows[i].code != 401);
        world_done(&w);
    }
}

static void a_page_may_ask_for_consent_too(void **state) {
    (void)state;
    static const struct slice origins[] = {SLICE("https://app.example")};
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    w.setup.origins = origins;
    w.setup.origin_count = 1;
    world_open(&w);
    world_give(&w, SLICE_OF("OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: OPTIONS\r\n"
                            "Access-Control-Request-Headers: webhook-request-origin\r\n\r\n"));
    CHECK_HAS(&w, "Access-Control-Allow-Headers: webhook-request-origin\r\n");
    assert_null(strstr(world_text(&w), "WebHook-Allowed"));
    world_forget(&w);
    world_give(&w, SLICE_OF("OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
                            "WebHook-Request-Origin: app.example\r\n\r\n"));
    CHECK_HAS(&w, "Allow: POST, OPTIONS\r\nAccess-Control-Allow-Methods: GET, POST, OPTIONS\r\n");
    CHECK_HAS(&w, "Access-Control-Allow-Origin: https://app.example\r\n");
    CHECK_HAS(&w, "WebHook-Allowed-Origin: app.example\r\nWebHook-Allowed-Rate: *\r\n");
    world_forget(&w);
    world_give(&w, SLICE_OF("OPTIONS /v1/messages HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nWebHook-Request-Origin: a.b\r\n\r\n"));
    world_check(&w, 403);
    assert_null(strstr(world_text(&w), "WebHook-Allowed"));
    world_done(&w);
}

static void the_path_names_the_target(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\",\"target\":\"lamp\",\"subject\":null}";
    post_text(&w, "/v1/systems/lamp/messages", JSON_TYPE, event);
    assert_string_equal(last(&w)->json, event); /* untouched */
    world_forget(&w);
    post_text(&w, "/v1/systems/desk/messages", JSON_TYPE, event);
    world_check(&w, 400);
    CHECK_HAS(&w, "\"detail\":\"`target` of the event");
    world_forget(&w);
    post_text(&w, "/v1/systems/all/messages", JSON_TYPE, "{\"specversion\":\"1.0\",\"id\":\"\\u0031\",\"source\":\"/a\",\"type\":\"t\",\"x\":\"y\",\"data\":[1, 2]}");
    world_check(&w, 202);
    assert_string_equal(last(&w)->json, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\",\"x\":\"y\",\"target\":\"all\",\"data\":[1, 2]}");
    post_text(&w, "/v1/systems/lamp/messages", "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\n", "");
    check_seen(&w, "\"target\":\"lamp\"");
    world_forget(&w);
    post_text(&w, "/v1/systems/lamp/messages", "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\nce-target: desk\r\n", "");
    world_check(&w, 400);
    /* protobuf: id 1, source /a, specversion, type t, text_data */
    static const struct slice proto = SLICE("\x0a\x01" "1" "\x12\x02/a\x1a\x03" "1.0\x22\x01t\x3a\x02hi");
    world_forget(&w);
    post(&w, "/v1/systems/lamp/messages", "Content-Type: application/cloudevents+protobuf\r\n", proto);
    world_check(&w, 202);
    check_seen(&w, "\"target\":\"lamp\"");
    world_done(&w);
}

/* -- content modes -- */

static void content_modes(void **state) {
    (void)state;
    static const struct {
        const char *headers;
        const char *body;
        unsigned code;
        const char *seen;
    } rows[] = {
        {"Content-Type: application/cloudevents+json; charset=UTF-8\r\n", query, 202, "\"id\":\"q1\""},
        {"Content-Type: APPLICATION/CLOUDEVENTS+JSON;charset=\"utf-8\"\r\n", query, 202, "\"id\":\"q1\""},
        {"Content-Type: application/cloudevents+json; charset=utf-16\r\n", query, 415, NULL},
        {"Content-Type: application/cloudevents+xml\r\n", "<x/>", 415, NULL},
        {"Content-Type: application/cloudevents\r\n", query, 415, NULL},
        {"Content-Type: application/cloudevents-batch+xml\r\n", "", 415, NULL},
        {"ce-id: 1\r\n", "", 400, NULL},
        {"ce-id: 1\r\nce-source: /a\r\nce-type: t\r\n", "", 400, NULL},
        {"ce-subject: s\r\n", "hi", 202, "\"type\":\"intertie.http.message.v1\""},
        {"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\nce-subject: a%20b\r\n", "", 202, "\"subject\":\"a b\""},
        {"ce-specversion: 0.3\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\n", "", 400, NULL},
        {"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\nce-priority: 9\r\n", "", 400, NULL},
        {"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\nce-datacontenttype: x/y\r\n", "", 400, NULL},
        {JSON_TYPE, "{", 400, NULL},
        {JSON_TYPE, "", 400, NULL},
        {"Content-Type: application/cloudevents+protobuf\r\n", "\xff\xff", 400, NULL},
        {"", "", 202, "\"source\":\"/listeners/web\""},
        {"", "bytes", 202, "\"data_base64\":\"Ynl0ZXM=\""},
        {"Content-Type: application/json\r\n", "{\"a\":1}", 202, "\"data\":{\"a\":1}"},
        {"Content-Type: application/x-www-form-urlencoded\r\n", "a=b", 202, "\"data\":\"a=b\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        begin(&w);
        post_text(&w, "/v1/messages", rows[i].headers, rows[i].body);
        if (world_code(&w, 0) != rows[i].code)
            fail_msg("%s %s: %s", rows[i].headers, rows[i].body, world_text(&w));
        if (rows[i].seen)
            check_seen(&w, rows[i].seen);
        else
            assert_int_equal(w.messages, 0);
        assert_int_equal(w.invalids, rows[i].code != 202);
        assert_false(w.sink.closing);
        world_done(&w);
    }
}

static void formats_of_a_listener(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_ACCEPTED);
    w.setup.format = PROTOCOL_FORMAT_CLOUDEVENTS;
    world_open(&w);
    post_text(&w, "/v1/messages", "Content-Type: text/plain\r\n", "blink");
    world_check(&w, 415);
    world_done(&w);
    static const struct protocol_default defaults[] = {
        {SLICE("type"), SLICE("com.acme.tick")}, {SLICE("messagetype"), SLICE("notification")},
        {SLICE("priority"), SLICE("4")},         {SLICE("target"), SLICE("desk")},
        {SLICE("tenant"), SLICE("a%41")},        {SLICE("datacontenttype"), SLICE("text/csv")},
    };
    world_init(&w, PROTOCOL_ACCEPTED);
    w.setup.format = PROTOCOL_FORMAT_RAW;
    w.setup.defaults = defaults;
    w.setup.default_count = COUNT_OF(defaults);
    w.setup.system = SLICE_OF("scales");
    w.setup.public_url = SLICE_OF("https://gw.acme.example");
    world_open(&w);
    post_text(&w, "/v1/messages", "", "1,2");
    check_seen(&w, "\"type\":\"com.acme.tick\"");
    check_seen(&w, "\"priority\":4");
    check_seen(&w, "\"target\":\"desk\"");
    check_seen(&w, "\"tenant\":\"a%41\"");
    check_seen(&w, "\"source\":\"https://gw.acme.example/systems/scales\"");
    check_seen(&w, "\"data\":\"1,2\"");
    assert_int_equal(last(&w)->kind, KIND_NOTIFICATION);
    post_text(&w, "/v1/systems/lamp/messages", JSON_TYPE, query);
    check_seen(&w, "\"target\":\"lamp\"");
    check_seen(&w, "\"datacontenttype\":\"application/cloudevents+json\"");
    world_forget(&w);
    w.answer = STATUS_NO_ROUTE;
    post_text(&w, "/v1/messages", "", "x");
    CHECK_HAS(&w, "\"type\":\"https://gw.acme.example/problems/no-route\"");
    world_done(&w);
}

/* Defaults have the types that were declared; one that isn't of its type is told to whoever posts. */
static void declared_defaults_keep_their_types(void **state) {
    (void)state;
    static const struct attribute_declaration declarations[] = {{SLICE("amount"), ATTRIBUTE_INTEGER}, {SLICE("vat"), ATTRIBUTE_BOOLEAN}};
    static const struct attribute_declared declared = {declarations, COUNT_OF(declarations)};
    static const struct protocol_default good[] = {{SLICE("amount"), SLICE("-3")}, {SLICE("vat"), SLICE("true")}};
    static const struct protocol_default bad[] = {{SLICE("amount"), SLICE("three")}};
    for (int i = 0; i < 2; i++) {
        struct world w;
        world_init(&w, PROTOCOL_ACCEPTED);
        w.setup.format = PROTOCOL_FORMAT_RAW;
        w.setup.declared = &declared;
        w.setup.defaults = i ? bad : good;
        w.setup.default_count = i ? COUNT_OF(bad) : COUNT_OF(good);
        world_open(&w);
        post_text(&w, "/v1/messages", "", "x");
        if (i) {
            assert_int_equal(w.messages, 0);
            CHECK_HAS(&w, "`amount` must be an integer of 32 bits");
        } else {
            check_seen(&w, "\"amount\":-3,\"vat\":true");
        }
        world_done(&w);
    }
}

/* -- hints -- */

static void ttl_becomes_expiry(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    int64_t due = w.now.wall.ns + 30 * NS_PER_S;
    post_text(&w, "/v1/messages", "TTL: 30\r\n", "x");
    assert_true(last(&w)->expiry_ns == due);
    check_seen(&w, "\"expirytime\":\"2026-11-22T22:00:30Z\"");
    post_text(&w, "/v1/messages", "TTL: 30\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /a\r\nce-type: t\r\n"
                                  "ce-expirytime: 2026-11-22T23:00:00Z\r\n", "");
    assert_true(last(&w)->expiry_ns == w.now.wall.ns + 3600 * NS_PER_S); /* the event's own counts */
    /* structured: honoured, and the event stays as it is */
    post_text(&w, "/v1/messages", "TTL: 30\r\n" JSON_TYPE, query);
    assert_true(last(&w)->expiry_ns == due);
    assert_string_equal(last(&w)->json, query);
    post_text(&w, "/v1/messages", JSON_TYPE, query);
    assert_false(last(&w)->has_expiry);
    static const char *wrong[] = {"TTL: -1\r\n", "TTL: 5s\r\n", "TTL:\r\n", "TTL: 1.5\r\n"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        world_forget(&w);
        post_text(&w, "/v1/messages", wrong[i], "x");
        world_check(&w, 400);
        CHECK_HAS(&w, "`TTL` must be a number of seconds");
    }
    post_text(&w, "/v1/messages", "TTL: 99999999999999\r\n", "x");
    assert_true(last(&w)->has_expiry);
    world_done(&w);
}

static void trace_context_comes_from_headers(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool good;
    } rows[] = {
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", true},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false},
        {"", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        char headers[256];
        begin(&w);
        snprintf(headers, sizeof headers, "traceparent: %s\r\ntracestate: a=b\r\n", rows[i].value);
        post_text(&w, "/v1/messages", headers, "x");
        assert_int_equal(strstr(last(&w)->json, "traceparent") != NULL, rows[i].good);
        assert_int_equal(strstr(last(&w)->json, "\"tracestate\":\"a=b\"") != NULL, rows[i].good);
        world_done(&w);
    }
    struct world w;
    begin(&w);
    post_text(&w, "/v1/messages", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nce-specversion: 1.0\r\n"
                                  "ce-id: 1\r\nce-source: /a\r\nce-type: t\r\nce-traceparent: mine\r\n", "");
    check_seen(&w, "\"traceparent\":\"mine\"");
    post_text(&w, "/v1/messages", "Idempotency-Key: \"k-1\"\r\n", "x");
    check_seen(&w, "\"idempotencykey\":\"k-1\"");
    world_done(&w);
}

/* -- refusals -- */

static void refusals_carry_what_belongs_to_them(void **state) {
    (void)state;
    for (unsigned status = 1; status < STATUS_COUNT; status++) {
        struct world w;
        char reason[64];
        begin(&w);
        w.answer = (enum status)status;
        w.retry_ms = 2500;
        post_text(&w, "/v1/messages", "", "x");
        unsigned code = status_row(w.answer)->http;
        world_check(&w, code);
        snprintf(reason, sizeof reason, "\"reason\":\"%s\"", status_reason(w.answer));
        CHECK_HAS(&w, reason);
        CHECK_HAS(&w, last(&w)->receipt);
        assert_int_equal(strstr(world_text(&w), "Retry-After: 3\r\n") != NULL, code == 429 || code == 503 || status == STATUS_IN_PROGRESS);
        assert_int_equal(strstr(world_text(&w), "WWW-Authenticate: Bearer\r\n") != NULL, code == 401);
        assert_false(w.sink.closing);
        world_done(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_accepted),
        cmocka_unit_test(a_query_is_answered_in_its_mode),
        cmocka_unit_test(accept_chooses_the_mode),
        cmocka_unit_test(a_binary_query_is_answered_binary),
        cmocka_unit_test(no_reply_in_time_is_504),
        cmocka_unit_test(a_batch_has_a_result_each),
        cmocka_unit_test(a_plain_body_is_wrapped),
        cmocka_unit_test(an_unknown_target_is_told_with_the_nearest_name),
        cmocka_unit_test(paths_and_methods),
        cmocka_unit_test(consent_is_given_where_events_are_taken),
        cmocka_unit_test(a_page_may_ask_for_consent_too),
        cmocka_unit_test(the_path_names_the_target),
        cmocka_unit_test(content_modes),
        cmocka_unit_test(formats_of_a_listener),
        cmocka_unit_test(declared_defaults_keep_their_types),
        cmocka_unit_test(ttl_becomes_expiry),
        cmocka_unit_test(trace_context_comes_from_headers),
        cmocka_unit_test(refusals_carry_what_belongs_to_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
