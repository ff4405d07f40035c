/* Requests of peers that fetch: what they mean, and their answers. */
#include "protocol/http1/api.h"
#include "protocol/http1/fixture.h"

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static char seen[512];

static void on_pull(void *user, uint64_t token, const struct pull *pull) {
    struct world *w = user;
    size_t size = (size_t)snprintf(seen, sizeof seen, "%d %.*s wait=%d max=%u enc=%d acks=%d", (int)pull->kind, SLICE_ARG(pull->system),
                                   (int)(pull->wait_ns / NS_PER_MS), (unsigned)pull->max, (int)(pull->encoding == ENCODING_PROTO),
                                   pull->has_acks);
    for (size_t i = 0; i < pull->ack_count && size < sizeof seen; i++)
        size += (size_t)snprintf(seen + size, sizeof seen - size, " %.*s=%d/%u", SLICE_ARG(pull->acks[i].id),
                                 (int)pull->acks[i].outcome, (unsigned)pull->acks[i].retry_ms);
    w->request_token = token;
}

static void on_cancelled(void *user, uint64_t token) {
    struct world *w = user;
    assert_int_equal(token, w->request_token);
    snprintf(seen, sizeof seen, "cancelled");
}

static void open(struct world *w) {
    world_init(w, PROTOCOL_ACCEPTED);
    w->calls.pull = on_pull;
    w->calls.cancelled = on_cancelled;
    world_open(w);
    seen[0] = 0;
}

static void get(struct world *w, const char *query, const char *lines) {
    char text[512];
    snprintf(text, sizeof text, "GET /v1/systems/lamp/messages%s HTTP/1.1\r\nHost: a\r\n%s\r\n", query, lines);
    world_give(w, slice_from(text));
}

static void expect_get(const char *query, const char *lines, const char *means) {
    struct world w;
    open(&w);
    get(&w, query, lines);
    assert_string_equal(seen, means);
    world_done(&w);
}

static void a_poll_says_how_long_and_how_many(void **state) {
    (void)state;
    expect_get("", "", "0 lamp wait=20000 max=10 enc=0 acks=0");
    expect_get("?wait=1500ms&max=1000", "", "0 lamp wait=1500 max=1000 enc=0 acks=0");
    expect_get("?max=1&wait=5m", "Accept: application/cloudevents-batch+protobuf\r\n", "0 lamp wait=300000 max=1 enc=1 acks=0");
    expect_get("?ack=explicit", "Accept: text/event-stream\r\n", "1 lamp wait=20000 max=10 enc=0 acks=1");
    expect_get("?ack=none", "Accept: */*;q=0.1, text/event-stream\r\n", "1 lamp wait=20000 max=10 enc=0 acks=0");
}

static void what_goes_past_a_limit_is_refused_by_name(void **state) {
    static const struct {
        const char *query, *word;
    } wrong[] = {{"?wait=5001h", "wait"}, {"?wait=301s", "`5m` at most"}, {"?wait=20", "`20s`"}, {"?wait=", "wait"}, {"?wait=s", "wait"},
                 {"?max=0", "`max`"},     {"?max=1001", "`max`"},         {"?max=-1", "`max`"},  {"?ack=yes", "`ack`"},
                 {"?ack=none", "text/event-stream"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct world w;
        open(&w);
        get(&w, wrong[i].query, "");
        world_check(&w, 400);
        CHECK_HAS(&w, wrong[i].word);
        get(&w, "", ""); /* and the connection goes on */
        assert_string_equal(seen, "0 lamp wait=20000 max=10 enc=0 acks=0");
        world_done(&w);
    }
}

static void give_acks(struct world *w, const char *body) {
    char text[1024];
    snprintf(text, sizeof text, "POST /v1/systems/lamp/acks HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
             (int)strlen(body), body);
    world_give(w, slice_from(text));
}

static void acks_are_read(void **state) {
    struct world w;
    (void)state;
    open(&w);
    give_acks(&w, " [ {\"deliveryid\":\"a1\",\"outcome\":\"accepted\"}, {\"outcome\":\"rejected\",\"deliveryid\":\"a2\"},"
                  "{\"deliveryid\":\"a3\",\"outcome\":\"retry\",\"retry_after\":\"1h\"}] ");
    assert_string_equal(seen, "2 lamp wait=0 max=0 enc=0 acks=0 a1=0/0 a2=1/0 a3=2/3600000");
    world_done(&w);
}

static void bad_acks_are_refused(void **state) {
    static const char *const wrong[] = {
        "", "{}", "[1]", "[{}]", "[", "[]]", "[{\"deliveryid\":\"x\"}]", "[{\"outcome\":\"retry\"}]", "[{\"deliveryid\":1,\"outcome\":\"retry\"}]",
        "[{\"deliveryid\":\"x\",\"outcome\":\"maybe\"}]", "[{\"deliveryid\":\"x\\u0041\",\"outcome\":\"retry\"}]",
        "[{\"deliveryid\":\"x\",\"outcome\":\"retry\",\"retry_after\":\"3601s\"}]", "[{\"deliveryid\":\"x\",\"outcome\":\"retry\",\"retry_after\":5}]",
        "[{\"deliveryid\":\"x\",\"outcome\":\"accepted\",\"retry_after\":\"1s\"}]", "[{\"deliveryid\":\"x\",\"deliveryid\":\"x\",\"outcome\":\"retry\"}]",
        "[{\"deliveryid\":\"x\",\"outcome\":\"retry\",\"more\":1}]", "[{\"deliveryid\":{},\"outcome\":\"retry\"}]",
        "[{\"deliveryid\":\"" X64 X64 "x\",\"outcome\":\"retry\"}]"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct world w;
        open(&w);
        give_acks(&w, wrong[i]);
        if (world_code(&w, 0) != 400)
            fail_msg("%s: %u", wrong[i], world_code(&w, 0));
        assert_string_equal(seen, "");
        world_done(&w);
    }
}

static void so_many_acks_and_no_more(void **state) {
    (void)state;
    for (unsigned count = 1000; count <= 1001; count++) {
        struct world w;
        struct buffer body, text;
        buffer_init(&body, 1 << 20);
        buffer_init(&text, 1 << 20);
        for (unsigned i = 0; i < count; i++)
            buffer_add_text(&body, i ? ",{\"deliveryid\":\"x\",\"outcome\":\"accepted\"}" : "[{\"deliveryid\":\"x\",\"outcome\":\"accepted\"}");
        buffer_add_byte(&body, ']');
        buffer_add_format(&text, "POST /v1/systems/lamp/acks HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                          body.size);
        buffer_add(&text, buffer_slice(&body));
        open(&w);
        world_give(&w, buffer_slice(&text));
        assert_int_equal(world_code(&w, 0), count == 1000 ? 0 : 400);
        assert_int_equal(seen[0] != 0, count == 1000);
        buffer_done(&body);
        buffer_done(&text);
        world_done(&w);
    }
}

static void a_poller_that_ends_its_side_waits_no_longer(void **state) {
    struct world w;
    (void)state;
    open(&w);
    get(&w, "", "");
    world_end(&w);
    assert_string_equal(seen, "cancelled");
    assert_true(w.sink.closing);
    protocol_http1.answer(w.state, w.request_token, &(struct protocol_answer){.code = 204}, w.now);
    assert_int_equal(world_code(&w, 0), 0);
    world_done(&w);
}

static void what_is_pipelined_waits_for_the_answer(void **state) {
    struct world w;
    (void)state;
    open(&w);
    get(&w, "", "");
    uint64_t first = w.request_token;
    get(&w, "?max=7", "");
    assert_true(w.sink.paused);
    protocol_http1.answer(w.state, first, &(struct protocol_answer){.code = 200, .content_type = SLICE_OF("a/b"), .body = SLICE_OF("[]")}, w.now);
    world_pump(&w);
    world_check(&w, 200);
    assert_string_equal(seen, "0 lamp wait=20000 max=7 enc=0 acks=0");
    assert_false(w.sink.paused);
    world_done(&w);
}

static void a_stream_ends_with_its_connection(void **state) {
    struct world w;
    (void)state;
    open(&w);
    get(&w, "", "Accept: text/event-stream\r\n");
    protocol_http1.stream(w.state, w.request_token, SLICE_OF("data: 0\n\n"), false, w.now); /* before its head: nothing */
    protocol_http1.answer(w.state, w.request_token,
                          &(struct protocol_answer){.code = 200, .is_stream = true, .content_type = SLICE_OF("text/event-stream")}, w.now);
    protocol_http1.stream(w.state, w.request_token, SLICE_OF("data: 1\n\n"), false, w.now);
    protocol_http1.stream(w.state, w.request_token, SLICE_OF("data: 2\n\n"), true, w.now);
    world_check(&w, 200);
    CHECK_HAS(&w, "Connection: close\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\ndata: 2\n\n");
    CHECK_LACKS(&w, "Content-Length");
    assert_true(w.sink.closing);
    world_done(&w);
}

static void get_reply(struct world *w, const char *rest, const char *lines) {
    char text[512];
    snprintf(text, sizeof text, "GET /v1/messages/%s HTTP/1.1\r\nHost: a\r\n%s\r\n", rest, lines);
    world_give(w, slice_from(text));
}

#define RECEIPT "019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701"

static void a_reply_is_asked_for_by_its_receipt(void **state) {
    static const struct {
        const char *rest, *means;
        unsigned code;
    } rows[] = {
        {RECEIPT "/reply", "3 " RECEIPT " wait=0 max=0 enc=0 acks=0", 0},
        {RECEIPT "/reply?wait=10s", "3 " RECEIPT " wait=10000 max=0 enc=0 acks=0", 0},
        {RECEIPT "/reply?wait=5m", "3 " RECEIPT " wait=300000 max=0 enc=0 acks=0", 0},
        {RECEIPT "/reply?wait=301s", "", 400},
        {RECEIPT "/reply?wait=10", "", 400},
        {"x" RECEIPT "/reply", "", 404},
        {"x/reply", "", 404},
        {"/reply", "", 404},
        {RECEIPT "/replies", "", 404},
        {RECEIPT, "", 404},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        open(&w);
        get_reply(&w, rows[i].rest, "");
        if (strcmp(seen, rows[i].means) != 0)
            fail_msg("%s: `%s`", rows[i].rest, seen);
        if (rows[i].code)
            world_check(&w, rows[i].code);
        world_done(&w);
    }
}

static void answer_with(struct world *w, unsigned form, const char *accept) {
    uint8_t bytes[512];
    struct buffer extra;
    struct message message;
    struct message_fault fault;
    buffer_init_fixed(&extra, bytes, sizeof bytes);
    message_init(&message, SLICE_OF("{\"eur\":9}"));
    message_add(&message, &extra, ATTRIBUTE_ID, SLICE_OF("r1"), &fault);
    message_add(&message, &extra, ATTRIBUTE_SOURCE, SLICE_OF("/p"), &fault);
    message_add(&message, &extra, ATTRIBUTE_TYPE, SLICE_OF("t"), &fault);
    message_add(&message, &extra, ATTRIBUTE_DATACONTENTTYPE, SLICE_OF("application/json"), &fault);
    message_set_data(&message, DATA_JSON);
    assert_int_equal(message_seal(&message, &extra, &fault), STATUS_OK);
    get_reply(w, RECEIPT "/reply", accept);
    struct protocol_answer answer = {.code = 200, .message = &message, .form = form};
    protocol_http1.answer(w->state, w->request_token, &answer, w->now);
    world_check(w, 200);
    CHECK_HAS(w, "Cache-Control: no-store\r\n");
    CHECK_HAS(w, "Intertie-Id: " RECEIPT "\r\n");
}

static void it_comes_in_the_form_that_was_promised_or_as_accept_says(void **state) {
    static const struct {
        unsigned form;
        const char *accept, *has;
    } rows[] = {
        {API_BINARY + 1, "", "ce-id: r1\r\n"},
        {API_JSON + 1, "", "Content-Type: application/cloudevents+json\r\n"},
        {API_PROTO + 1, "Accept: */*\r\n", "Content-Type: application/cloudevents+protobuf\r\n"},
        {API_BINARY + 1, "Accept: application/cloudevents+json\r\n",
         "Content-Type: application/cloudevents+json\r\n"},
        {API_JSON + 1, "Accept: application/cloudevents+protobuf\r\n",
         "Content-Type: application/cloudevents+protobuf\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        open(&w);
        answer_with(&w, rows[i].form, rows[i].accept);
        CHECK_HAS(&w, rows[i].has);
        world_done(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_asked_for_by_its_receipt),
        cmocka_unit_test(it_comes_in_the_form_that_was_promised_or_as_accept_says),
        cmocka_unit_test(a_poll_says_how_long_and_how_many),
        cmocka_unit_test(what_goes_past_a_limit_is_refused_by_name),
        cmocka_unit_test(acks_are_read),
        cmocka_unit_test(bad_acks_are_refused),
        cmocka_unit_test(so_many_acks_and_no_more),
        cmocka_unit_test(a_poller_that_ends_its_side_waits_no_longer),
        cmocka_unit_test(what_is_pipelined_waits_for_the_answer),
        cmocka_unit_test(a_stream_ends_with_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
