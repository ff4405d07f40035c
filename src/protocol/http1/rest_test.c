/* REST: requests that become messages, messages that become requests, and what never passes from hop to hop. */
#include "protocol/http1/fixture.h"

#include "message/template.h"
#include "protocol/http1/fields.h"

/* -- accepted -- */

struct rest_world {
    struct world w; /* first: it is the user */
    struct protocol_way way;
    char asked[256];
};

static void find_way(void *user, const struct protocol_ask *ask, struct protocol_way *ret) {
    struct rest_world *r = user;
    *ret = r->way;
    snprintf(r->asked, sizeof r->asked, "%.*s %.*s @%.*s", SLICE_ARG(ask->method), SLICE_ARG(ask->path), SLICE_ARG(ask->host));
    if (slice_is(ask->path, "/none"))
        ret->is_found = false;
}

static void begin(struct rest_world *r) {
    memset(r, 0, sizeof *r);
    world_init(&r->w, PROTOCOL_ACCEPTED);
    r->w.calls.way = find_way;
    r->w.holds = true;
    r->way = (struct protocol_way){.is_found = true, .route = 7};
    world_open(&r->w);
}

#define GET(path, more) SLICE_OF("GET " path " HTTP/1.1\r\nHost: a.example\r\n" more "\r\n")

static void a_request_is_a_message_with_all_its_parts(void **state) {
    (void)state;
    struct rest_world r;
    begin(&r);
    r.way.parameter_count = 1;
    r.way.parameters[0] = (struct protocol_parameter){SLICE("sku"), SLICE("A-1")};
    world_give(&r.w, SLICE_OF("PUT /p/%41-1?x=%2f HTTP/1.1\r\nHost: a.example:80\r\nX-One: 1\r\nX-Quote: a\"b\r\nx-one: 2\r\n"
                              "Content-Type: text/plain\r\nIdempotency-Key: k1\r\nContent-Length: 5\r\n\r\nhello"));
    assert_int_equal(r.w.messages, 1);
    assert_string_equal(r.asked, "PUT /p/A-1 @a.example:80");
    const char *json = r.w.seen[0].json;
    static const char *const pieces[] = {
        "\"type\":\"intertie.http.request.v1\"", "\"messagetype\":\"request\"", "\"subject\":\"/p/A-1\"", "\"httpmethod\":\"PUT\"",
        "\"httptarget\":\"/p/%41-1?x=%2f\"", "\"httpauthority\":\"a.example:80\"", "\"httpscheme\":\"http\"",
        "[\\\"X-One\\\",\\\"1\\\"],[\\\"X-Quote\\\",\\\"a\\\\\\\"b\\\"],[\\\"x-one\\\",\\\"2\\\"]", "\"httpparams\":\"{\\\"sku\\\":\\\"A-1\\\"}\"",
        "\"idempotencykey\":\"k1\"", "\"datacontenttype\":\"text/plain\"", "\"data\":\"hello\"",
    };
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        if (!strstr(json, pieces[i]))
            fail_msg("no %s in %s", pieces[i], json);
    assert_null(strstr(json, "\\\"Host\\\""));
    assert_null(strstr(json, "ontent-"));
    world_done(&r.w);
}

static void safe_methods_are_queries(void **state) {
    (void)state;
    static const struct {
        struct slice head;
        enum message_kind kind;
    } rows[] = {
        {SLICE("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), KIND_QUERY},        {SLICE("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n"), KIND_QUERY},
        {SLICE("OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n"), KIND_QUERY},    {SLICE("DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n"), KIND_REQUEST},
        {SLICE("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"), KIND_REQUEST},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rest_world r;
        begin(&r);
        world_give_bytewise(&r.w, rows[i].head);
        assert_int_equal(r.w.messages, 1);
        assert_int_equal(r.w.seen[0].kind, rows[i].kind);
        world_done(&r.w);
    }
}

static void the_api_and_unknown_paths_are_no_rest(void **state) {
    (void)state;
    struct rest_world r;
    begin(&r);
    world_give(&r.w, GET("/v1/other", ""));
    world_check(&r.w, 404);
    world_forget(&r.w);
    world_give(&r.w, GET("/x/../v1/more", ""));
    world_check(&r.w, 404);
    world_forget(&r.w);
    world_give(&r.w, GET("/none", ""));
    world_check(&r.w, 404);
    world_forget(&r.w);
    world_give(&r.w, SLICE_OF("TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    world_check(&r.w, 405);
    assert_int_equal(r.w.messages, 0);
    world_done(&r.w);
}

static void hop_by_hop_fields_and_lies_stay_behind(void **state) {
    (void)state;
    struct rest_world r;
    begin(&r);
    world_give(&r.w, GET("/a", "Connection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\n"
                               "HTTP2-Settings: x\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nX-Forwarded-For: 6.6.6.6\r\n"
                               "Forwarded: for=6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nX-Real-IP: 6.6.6.6\r\nX-Kept: yes\r\n"));
    static const char *const gone[] = {"X-Named", "Keep-Alive", "TE\\", "Trailer", "Upgrade", "HTTP2", "Proxy-", "6.6.6.6", "gopher"};
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        if (strstr(r.w.seen[0].json, gone[i]))
            fail_msg("%s in %s", gone[i], r.w.seen[0].json);
    assert_non_null(strstr(r.w.seen[0].json, "[\\\"X-Kept\\\",\\\"yes\\\"]"));
    assert_non_null(strstr(r.w.seen[0].json, "[\\\"X-Forwarded-For\\\",\\\"unknown\\\"]"));
    world_done(&r.w);
}

static void a_trusted_proxy_is_believed(void **state) {
    (void)state;
    struct rest_world r;
    struct address peer;
    struct cidr cidr;
    assert_true(address_parse(SLICE_OF("10.0.0.7:99"), &peer) && cidr_parse(SLICE_OF("10.0.0.0/24"), &cidr));
    for (int trusted = 0; trusted < 2; trusted++) {
        begin(&r);
        r.w.setup.trusted = &cidr;
        r.w.setup.trusted_count = (size_t)trusted;
        r.way.peer = &peer;
        world_give(&r.w, GET("/a", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: gopher\r\n"));
        assert_int_equal(strstr(r.w.seen[0].json, "1.2.3.4") != NULL, trusted);
        assert_int_equal(strstr(r.w.seen[0].json, "gopher") != NULL, trusted);
        assert_non_null(strstr(r.w.seen[0].json, "[\\\"X-Forwarded-For\\\",\\\"10.0.0.7\\\"]"));
        assert_non_null(strstr(r.w.seen[0].json, "for=10.0.0.7;host="));
        world_done(&r.w);
    }
}

static void a_circle_is_508_and_the_last_hop_answers_options(void **state) {
    (void)state;
    struct rest_world r;
    begin(&r);
    world_give(&r.w, GET("/a", "Via: 1.0 other, 1.1 Intertie (x)\r\n"));
    world_check(&r.w, 508);
    world_forget(&r.w);
    world_give(&r.w, SLICE_OF("OPTIONS /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n"));
    world_check(&r.w, 204);
    CHECK_HAS(&r.w, "Allow: GET");
    assert_int_equal(r.w.messages, 0);
    world_give(&r.w, SLICE_OF("OPTIONS /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n"));
    assert_non_null(strstr(r.w.seen[0].json, "[\\\"Max-Forwards\\\",\\\"6\\\"]"));
    world_done(&r.w);
}

static enum status reply(struct rest_world *r, const char *json) {
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[4096];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = 1, .reply_to = r->w.seen[0].token, .attempt = 1};
    enum status status = protocol_http1.send(r->w.state, &message, NULL, &options, r->w.now);
    world_flush(&r->w);
    return status;
}

#define REPLY(more) "{\"specversion\":\"1.0\",\"id\":\"r\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"response\"" more "}"

static void replies_become_answers(void **state) {
    (void)state;
    static const struct {
        const char *json;
        unsigned code;
        const char *has;
        const char *body;
    } rows[] = {
        {REPLY(",\"data\":{\"a\":1}"), 200, "Content-Length: 7\r\n", "{\"a\":1}"},
        {REPLY(""), 204, "Via: 1.1 intertie\r\n", ""},
        {REPLY(",\"httpstatus\":404,\"datacontenttype\":\"text/plain\",\"data\":\"no\""), 404, "Content-Type: text/plain\r\n", "no"},
        {REPLY(",\"httpstatus\":204,\"data\":{\"a\":1}"), 204, "HTTP/1.1 204", ""},
        {REPLY(",\"httpstatus\":304,\"data\":{\"a\":1}"), 304, "HTTP/1.1 304", ""},
        {REPLY(",\"httpstatus\":101"), 502, "HTTP/1.1 502", ""},
        {REPLY(",\"httpstatus\":200,\"data_base64\":\"AAEC\""), 200, "Content-Length: 3\r\n", NULL},
        {REPLY(",\"httpstatus\":201,\"httpheaders\":\"[[\\\"Location\\\",\\\"/x\\\"],[\\\"Connection\\\",\\\"close\\\"]]\""), 201, "Location: /x\r\n", ""},
        {"{\"specversion\":\"1.0\",\"id\":\"r\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"error\",\"data\":{\"status\":409}}", 409, "409", NULL},
        {"{\"specversion\":\"1.0\",\"id\":\"r\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"error\",\"data\":{\"status\":200}}", 502, "502", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rest_world r;
        begin(&r);
        world_give(&r.w, GET("/a", ""));
        assert_int_equal(reply(&r, rows[i].json), STATUS_OK);
        world_check(&r.w, rows[i].code);
        CHECK_HAS(&r.w, rows[i].has);
        CHECK_LACKS(&r.w, "Connection: close");
        if (rows[i].body)
            assert_string_equal(strstr(world_text(&r.w), "\r\n\r\n") + 4, rows[i].body);
        world_give(&r.w, GET("/again", "")); /* the connection goes on */
        assert_int_equal(r.w.messages, 2);
        world_done(&r.w);
    }
}

static void no_line_end_gets_out_of_a_reply(void **state) {
    (void)state;
    static const char *const bad[] = {
        REPLY(",\"httpheaders\":\"[[\\\"X\\\",\\\"a\\\\r\\\\nSet-Cookie: b\\\"]]\""),
        REPLY(",\"httpheaders\":\"[[\\\"X\\\\r\\\\nY\\\",\\\"a\\\"]]\""),
        REPLY(",\"httpheaders\":\"[[\\\"X Y\\\",\\\"a\\\"]]\""),
        REPLY(",\"httpheaders\":\"[[\\\"X\\\",\\\"a\\\\u0000\\\"]]\""),
        REPLY(",\"httpheaders\":\"[[\\\"Content-Length\\\",\\\"a\\\"]]\""),
        REPLY(",\"httpheaders\":\"no json\""),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct rest_world r;
        begin(&r);
        world_give(&r.w, GET("/a", ""));
        assert_int_equal(reply(&r, bad[i]), STATUS_NOT_REPRESENTABLE);
        assert_int_equal(r.w.out.size, 0);
        world_done(&r.w);
    }
}

static void head_has_the_length_and_no_body(void **state) {
    (void)state;
    struct rest_world r;
    begin(&r);
    world_give(&r.w, SLICE_OF("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(reply(&r, REPLY(",\"httpstatus\":200,\"httpheaders\":\"[[\\\"Content-Length\\\",\\\"1234\\\"]]\"")), STATUS_OK);
    CHECK_HAS(&r.w, "Content-Length: 1234\r\n");
    assert_string_equal(strstr(world_text(&r.w), "\r\n\r\n") + 4, "");
    world_done(&r.w);
}

/* -- dialled -- */

struct service {
    struct world w;
    struct arena arena;
    struct protocol_rest rest;
    struct protocol_header header;
};

static const struct template *compile(struct service *s, const char *text) {
    const struct template *template;
    struct template_fault fault;
    assert_int_equal(template_compile(slice_from(text), NULL, &s->arena, &template, &fault), STATUS_OK);
    return template;
}

static void serve(struct service *s) {
    memset(s, 0, sizeof *s);
    world_init(&s->w, PROTOCOL_DIALLED);
    arena_init(&s->arena, 1 << 20);
    static const struct slice methods[] = {SLICE("GET"), SLICE("PUT"), SLICE("POST"), SLICE("POST")};
    for (int i = 0; i < PROTOCOL_REST_COUNT; i++)
        s->rest.by_kind[i].method = methods[i];
    s->rest.by_kind[PROTOCOL_REST_QUERY].path = compile(s, "/products/{subject}?v={data:/v|1}");
    s->header = (struct protocol_header){SLICE("X-Key"), compile(s, "k-{type}")};
    s->w.setup.rest = &s->rest;
    s->w.setup.headers = &s->header;
    s->w.setup.header_count = 1;
    s->w.setup.path = SLICE_OF("/base/");
    s->w.holds = true;
    world_open(&s->w);
}

static void stop(struct service *s) {
    world_done(&s->w);
    arena_done(&s->arena);
}

static enum status send(struct service *s, const char *json, bool asks) {
    static uint64_t token;
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[4096];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = ++token, .attempt = 1, .asks = asks};
    enum status status = protocol_http1.send(s->w.state, &message, NULL, &options, s->w.now);
    world_flush(&s->w);
    return status;
}

#define EVENT(more) "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"" more "}"

static void kinds_become_methods_and_templates_paths(void **state) {
    (void)state;
    static const struct {
        const char *json, *line, *ends;
    } rows[] = {
        {EVENT(",\"messagetype\":\"query\",\"subject\":\"a b/c\",\"data\":{\"v\":2}"), "GET /base/products/a%20b%2Fc?v=2 HTTP/1.1\r\n", "\r\n\r\n"},
        {EVENT(",\"messagetype\":\"command\",\"data\":{\"v\":2}"), "PUT /base/ HTTP/1.1\r\n", "\r\n\r\n{\"v\":2}"},
        {EVENT(",\"messagetype\":\"request\""), "POST /base/ HTTP/1.1\r\n", "Content-Length: 0\r\n\r\n"},
        {EVENT(""), "POST /base/ HTTP/1.1\r\n", "Content-Length: 0\r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct service s;
        serve(&s);
        assert_int_equal(send(&s, rows[i].json, false), STATUS_OK);
        const char *text = world_text(&s.w);
        assert_memory_equal(text, rows[i].line, strlen(rows[i].line));
        assert_string_equal(text + strlen(text) - strlen(rows[i].ends), rows[i].ends);
        CHECK_HAS(&s.w, "Host: lamp.example:8080\r\n");
        CHECK_HAS(&s.w, "X-Key: k-t\r\n");
        CHECK_HAS(&s.w, "ce-id: 1\r\n");
        CHECK_HAS(&s.w, "Via: 1.1 intertie\r\n");
        stop(&s);
    }
}

#define CAME(more) \
    EVENT(",\"messagetype\":\"request\",\"httpmethod\":\"PATCH\",\"httptarget\":\"/a?b=%2f\",\"httpauthority\":\"front.example\"," \
          "\"httpheaders\":\"[[\\\"X-One\\\",\\\"1\\\"],[\\\"X-Key\\\",\\\"theirs\\\"],[\\\"Host\\\",\\\"evil\\\"],[\\\"Upgrade\\\",\\\"h2c\\\"]]\"" more)

static void what_came_by_http_keeps_its_parts(void **state) {
    (void)state;
    for (int keeps = 0; keeps < 2; keeps++) {
        struct service s;
        serve(&s);
        s.w.setup.preserve_host = keeps;
        assert_int_equal(send(&s, CAME(",\"datacontenttype\":\"text/plain\",\"data\":\"x\""), true), STATUS_OK);
        CHECK_HAS(&s.w, "PATCH /base/a?b=%2f HTTP/1.1\r\n");
        CHECK_HAS(&s.w, keeps ? "\r\nHost: front.example\r\n" : "\r\nHost: lamp.example:8080\r\n");
        CHECK_HAS(&s.w, "X-One: 1\r\n");
        CHECK_HAS(&s.w, "Content-Type: text/plain\r\n");
        CHECK_HAS(&s.w, "Content-Length: 1\r\n\r\nx");
        CHECK_LACKS(&s.w, "theirs"); /* the configuration's value replaces it */
        CHECK_LACKS(&s.w, "evil");
        CHECK_LACKS(&s.w, "Upgrade");
        CHECK_LACKS(&s.w, "ce-");
        stop(&s);
    }
}

static void what_no_request_can_hold_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *json;
        enum status status;
    } rows[] = {
        {EVENT(",\"messagetype\":\"query\""), STATUS_TEMPLATE_MISSING},
        {EVENT(",\"messagetype\":\"query\",\"httpmethod\":\"GET x\",\"httptarget\":\"/\""), STATUS_NOT_REPRESENTABLE},
        {EVENT(",\"messagetype\":\"query\",\"httpmethod\":\"CONNECT\",\"httptarget\":\"/\""), STATUS_NOT_REPRESENTABLE},
        {EVENT(",\"messagetype\":\"query\",\"httpmethod\":\"GET\",\"httptarget\":\"//evil#x\""), STATUS_NOT_REPRESENTABLE},
        {EVENT(",\"messagetype\":\"query\",\"httpmethod\":\"GET\",\"httptarget\":\"http://evil/\""), STATUS_NOT_REPRESENTABLE},
        {EVENT(",\"messagetype\":\"query\",\"httpmethod\":\"GET\",\"httptarget\":\"/a\",\"httpheaders\":\"[[\\\"a\\\",\\\"\\\\r\\\\nb: c\\\"]]\""),
         STATUS_NOT_REPRESENTABLE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct service s;
        serve(&s);
        assert_int_equal(send(&s, rows[i].json, true), rows[i].status);
        assert_int_equal(s.w.out.size, 0);
        assert_int_equal(s.w.sink.room.messages, 1); /* the connection is as it was */
        stop(&s);
    }
}

static void every_answer_is_a_response_also_an_error(void **state) {
    (void)state;
    struct service s;
    serve(&s);
    assert_int_equal(send(&s, CAME(""), true), STATUS_OK);
    world_give(&s.w, SLICE_OF("HTTP/1.1 404 Not Found\r\nX-A: 1\r\nConnection: X-B\r\nX-B: 2\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno"));
    assert_int_equal(s.w.messages, 1);
    const char *json = s.w.seen[0].json;
    static const char *const pieces[] = {"\"type\":\"intertie.http.response.v1\"", "\"messagetype\":\"response\"", "\"httpstatus\":404",
                                         "\"httpheaders\":\"[[\\\"X-A\\\",\\\"1\\\"]]\"", "\"datacontenttype\":\"text/plain\"", "\"data\":\"no\""};
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        if (!strstr(json, pieces[i]))
            fail_msg("no %s in %s", pieces[i], json);
    assert_int_equal(s.w.outcome.verdict, VERDICT_ACCEPTED);
    assert_int_equal(s.w.sink.room.messages, 1);
    stop(&s);
}

static void an_answer_to_head_ends_with_its_head(void **state) {
    (void)state;
    struct service s;
    serve(&s);
    assert_int_equal(send(&s, EVENT(",\"messagetype\":\"query\",\"httpmethod\":\"HEAD\",\"httptarget\":\"/a\",\"httpheaders\":\"[]\""), true), STATUS_OK);
    world_give(&s.w, SLICE_OF("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"));
    assert_int_equal(s.w.messages, 1);
    assert_non_null(strstr(s.w.seen[0].json, "[\\\"Content-Length\\\",\\\"1234\\\"]"));
    assert_int_equal(s.w.sink.room.messages, 1);
    assert_false(s.w.sink.closing);
    stop(&s);
}

static void what_nobody_waits_for_has_its_status_as_outcome(void **state) {
    (void)state;
    struct service s;
    serve(&s);
    assert_int_equal(send(&s, EVENT(",\"messagetype\":\"command\""), false), STATUS_OK);
    world_give(&s.w, SLICE_OF("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
    assert_int_equal(s.w.messages, 0);
    assert_int_equal(s.w.outcome.verdict, VERDICT_RETRY);
    stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_a_message_with_all_its_parts),
        cmocka_unit_test(safe_methods_are_queries),
        cmocka_unit_test(the_api_and_unknown_paths_are_no_rest),
        cmocka_unit_test(hop_by_hop_fields_and_lies_stay_behind),
        cmocka_unit_test(a_trusted_proxy_is_believed),
        cmocka_unit_test(a_circle_is_508_and_the_last_hop_answers_options),
        cmocka_unit_test(replies_become_answers),
        cmocka_unit_test(no_line_end_gets_out_of_a_reply),
        cmocka_unit_test(head_has_the_length_and_no_body),
        cmocka_unit_test(kinds_become_methods_and_templates_paths),
        cmocka_unit_test(what_came_by_http_keeps_its_parts),
        cmocka_unit_test(what_no_request_can_hold_is_refused),
        cmocka_unit_test(every_answer_is_a_response_also_an_error),
        cmocka_unit_test(an_answer_to_head_ends_with_its_head),
        cmocka_unit_test(what_nobody_waits_for_has_its_status_as_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
