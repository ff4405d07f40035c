/* The dialled role: what is sent, what each answer means, and when a connection may be used again. */
#include "protocol/http1/fixture.h"

static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"42\",\"source\":\"/doors/7\",\"type\":\"t\",\"data\":{\"door\":7}}";
static const char query[] = "{\"specversion\":\"1.0\",\"id\":\"q1\",\"source\":\"/systems/desk\",\"type\":\"t\",\"messagetype\":\"query\"}";

static void begin(struct world *w) {
    world_init(w, PROTOCOL_DIALLED);
    world_open(w);
}

static enum status send_json(struct world *w, const char *json, uint64_t token, bool asks) {
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[4096];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    assert_int_equal(message_decode_json(&message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = token, .attempt = 1, .asks = asks};
    enum status status = protocol_http1.send(w->state, &message, NULL, &options, w->now);
    world_flush(w);
    return status;
}

static void check_outcome(const struct world *w, uint64_t token, enum protocol_verdict verdict) {
    assert_int_equal(w->outcomes, 1);
    assert_true(w->outcome_token == token);
    assert_int_equal(w->outcome.verdict, verdict);
}

/* -- requests -- */

static void a_request_is_what_its_mode_says(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    assert_true(w.sink.terms.acks);
    assert_int_equal(w.sink.room.messages, 1);
    assert_int_equal(send_json(&w, event, 1, false), STATUS_OK);
    assert_string_equal(world_text(&w), "POST /in?x=1 HTTP/1.1\r\nHost: lamp.example:8080\r\nUser-Agent: intertie/0.1.0\r\n"
                                        "ce-specversion: 1.0\r\nce-id: 42\r\nce-source: /doors/7\r\nce-type: t\r\n"
                                        "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"door\":7}");
    assert_int_equal(w.sink.room.messages, 0);
    assert_int_equal(send_json(&w, event, 2, false), STATUS_OVERLOADED);
    world_done(&w);
    static const struct {
        enum protocol_content_mode mode;
        enum message_encoding encoding;
        bool asks;
        const char *has;
        const char *ends;
    } rows[] = {
        {PROTOCOL_MODE_STRUCTURED, ENCODING_JSON, false, "Content-Type: application/cloudevents+json\r\n", event},
        {PROTOCOL_MODE_STRUCTURED, ENCODING_NONE, true, "Prefer: reply\r\n", event},
        {PROTOCOL_MODE_STRUCTURED, ENCODING_PROTO, false, "Content-Type: application/cloudevents+protobuf\r\n", ":7}"},
        {PROTOCOL_MODE_BINARY, ENCODING_PROTO, false, "ce-id: 42\r\n", "{\"door\":7}"},
        {PROTOCOL_MODE_BATCH, ENCODING_JSON, false, "Content-Type: application/cloudevents-batch+json\r\n", ":7}}]"},
        {PROTOCOL_MODE_BATCH, ENCODING_PROTO, false, "Content-Type: application/cloudevents-batch+protobuf\r\n", ":7}"},
        {PROTOCOL_MODE_BATCH, ENCODING_JSON, true, "Content-Type: application/cloudevents+json\r\n", event},
        {PROTOCOL_MODE_AUTO, ENCODING_PROTO, true, "Prefer: reply\r\n", "{\"door\":7}"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        world_init(&w, PROTOCOL_DIALLED);
        w.setup.mode = rows[i].mode;
        w.setup.encoding = rows[i].encoding;
        world_open(&w);
        assert_int_equal(send_json(&w, event, 1, rows[i].asks), STATUS_OK);
        CHECK_HAS(&w, rows[i].has);
        const char *text = world_text(&w), *body = strstr(text, "\r\n\r\n") + 4;
        assert_string_equal(text + strlen(text) - strlen(rows[i].ends), rows[i].ends);
        /* Content-Length is the truth. */
        assert_int_equal(strtoul(strstr(text, "Content-Length: ") + 16, NULL, 10), w.out.size - (size_t)(body - text));
        assert_int_equal(strstr(text, "Prefer: reply\r\n") != NULL, rows[i].asks);
        world_done(&w);
    }
}

/* What an accepting side of ours makes of each mode is the same event. */
static void all_modes_arrive_as_the_same_event(void **state) {
    (void)state;
    static const enum protocol_content_mode modes[] = {PROTOCOL_MODE_AUTO, PROTOCOL_MODE_BINARY, PROTOCOL_MODE_STRUCTURED,
                                                       PROTOCOL_MODE_BATCH};
    static const char plain[] = "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/a\",\"type\":\"t\",\"priority\":5,"
                                "\"datacontenttype\":\"text/plain\",\"data\":\"x\"}";
    for (size_t i = 0; i < COUNT_OF(modes); i++)
        for (int proto = 0; proto < 2; proto++) {
            struct world *client = test_malloc(sizeof *client), *server = test_malloc(sizeof *server);
            world_init(client, PROTOCOL_DIALLED);
            client->setup.mode = modes[i];
            client->setup.encoding = proto ? ENCODING_PROTO : ENCODING_JSON;
            client->setup.path = SLICE_OF("/v1/messages");
            world_open(client);
            world_init(server, PROTOCOL_ACCEPTED);
            world_open(server);
            assert_int_equal(send_json(client, plain, 1, false), STATUS_OK);
            world_give(server, buffer_slice(&client->out));
            assert_int_equal(server->messages, 1);
            assert_string_equal(server->seen[0].json, plain);
            world_give(client, buffer_slice(&server->out));
            check_outcome(client, 1, VERDICT_ACCEPTED);
            world_done(client);
            world_done(server);
            test_free(client);
            test_free(server);
        }
}

static void a_header_can_not_be_injected(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.mode = PROTOCOL_MODE_BINARY;
    world_open(&w);
    struct message message;
    struct message_fault fault;
    uint8_t room[1024];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    message_init(&message, SLICE_OF("x"));
    message_set_data(&message, DATA_BYTES);
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_ID, SLICE_OF("1"), &fault), STATUS_OK);
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_SOURCE, SLICE_OF("/a"), &fault), STATUS_OK);
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_TYPE, SLICE_OF("t"), &fault), STATUS_OK);
    assert_int_equal(message_add(&message, &extra, ATTRIBUTE_SUBJECT, SLICE_OF("\xc3\xa9 \"%"), &fault), STATUS_OK);
    assert_int_equal(message_seal(&message, &extra, &fault), STATUS_OK);
    assert_int_equal(protocol_http1.send(w.state, &message, NULL, &(struct protocol_send){.token = 1}, w.now), STATUS_OK);
    CHECK_HAS(&w, "ce-subject: %C3%A9%20%22%25\r\n");
    world_done(&w);
}

/* -- outcomes -- */

static void each_status_has_its_outcome(void **state) {
    (void)state;
    static const struct {
        unsigned code;
        enum protocol_verdict verdict;
    } rows[] = {
        {200, VERDICT_ACCEPTED}, {201, VERDICT_ACCEPTED}, {202, VERDICT_ACCEPTED}, {204, VERDICT_ACCEPTED},
        {301, VERDICT_REJECTED}, {304, VERDICT_REJECTED}, {308, VERDICT_REJECTED}, {400, VERDICT_REJECTED},
        {401, VERDICT_REJECTED}, {403, VERDICT_REJECTED}, {404, VERDICT_RETRY},    {405, VERDICT_REJECTED},
        {408, VERDICT_RETRY},    {409, VERDICT_RETRY},    {410, VERDICT_REJECTED}, {411, VERDICT_REJECTED},
        {413, VERDICT_REJECTED}, {414, VERDICT_REJECTED}, {415, VERDICT_REJECTED}, {418, VERDICT_REJECTED},
        {422, VERDICT_REJECTED}, {425, VERDICT_RETRY},    {429, VERDICT_RETRY},    {431, VERDICT_REJECTED},
        {500, VERDICT_RETRY},    {501, VERDICT_REJECTED}, {502, VERDICT_RETRY},    {503, VERDICT_RETRY},
        {504, VERDICT_RETRY},    {599, VERDICT_RETRY},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            struct world w;
            char answer[256];
            bool bodiless = rows[i].code == 204 || rows[i].code == 304;
            begin(&w);
            assert_int_equal(send_json(&w, event, 7, false), STATUS_OK);
            snprintf(answer, sizeof answer, "HTTP/1.1 %u Whatever\r\nRetry-After: 30\r\n%s\r\n%s", rows[i].code,
                     bodiless ? "" : "Content-Length: 2\r\n", bodiless ? "" : "no");
            if (bytewise)
                world_give_bytewise(&w, slice_from(answer));
            else
                world_give(&w, slice_from(answer));
            if (w.outcomes != 1 || w.outcome.verdict != rows[i].verdict)
                fail_msg("%u: %u", rows[i].code, w.outcome.verdict);
            check_outcome(&w, 7, rows[i].verdict);
            assert_int_equal(w.outcome.retry_ms, rows[i].verdict == VERDICT_RETRY ? 30000 : 0);
            assert_int_equal(w.outcome.status == STATUS_OK, rows[i].verdict == VERDICT_ACCEPTED);
            /* and the connection is free again */
            assert_false(w.sink.closing);
            assert_int_equal(w.sink.room.messages, 1);
            assert_int_equal(w.rooms, 1);
            assert_int_equal(send_json(&w, event, 8, false), STATUS_OK);
            world_done(&w);
        }
}

struct vector {
    const char *name;
    struct slice answer;
    bool outcome;
    bool reusable;
    bool ends; /* the peer closes after it */
};

/* Rule 19: the same parser; whatever leaves a doubt about where an answer ends closes the connection. */
static const struct vector vectors[] = {
    {"ok-length", SLICE("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"), true, true, false},
    {"ok-no-reason", SLICE("HTTP/1.1 202 \r\nContent-Length: 0\r\n\r\n"), true, true, false},
    {"ok-no-reason-no-space", SLICE("HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n"), true, true, false},
    {"ok-chunked", SLICE("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), true, true, false},
    {"ok-204", SLICE("HTTP/1.1 204 No Content\r\n\r\n"), true, true, false},
    {"304-length-of-the-other", SLICE("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), true, true, false},
    {"interim-then-final", SLICE("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n"),
     true, true, false},
    {"close", SLICE("HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), true, false, false},
    {"1.0", SLICE("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), true, false, false},
    {"1.0-keep-alive", SLICE("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n"), true, true, false},
    {"until-close", SLICE("HTTP/1.1 200 OK\r\n\r\nsome"), true, false, true},
    {"ended-before", SLICE(""), false, false, true},
    {"ended-in-head", SLICE("HTTP/1.1 20"), false, false, true},
    {"ended-in-body", SLICE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), true, false, true},
    {"ended-in-chunks", SLICE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), true, false, true},
    {"rule19-101", SLICE("HTTP/1.1 101 Switching\r\n\r\n"), false, false, false},
    {"rule19-too-many-interim", SLICE("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
                                      "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
                                      "HTTP/1.1 100 C\r\n\r\n"), false, false, false},
    {"rule19-second-answer", SLICE("HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\nHTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n"), true, false,
     false},
    {"rule19-extra-bytes", SLICE("HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n\n"), true, false, false},
    {"rule4-length-and-coding", SLICE("HTTP/1.1 202 A\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), false, false,
     false},
    {"rule5-length-twice", SLICE("HTTP/1.1 202 A\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"), false, false, false},
    {"rule5-bad-length", SLICE("HTTP/1.1 202 A\r\nContent-Length: +0\r\n\r\n"), false, false, false},
    {"rule6-identity", SLICE("HTTP/1.1 202 A\r\nTransfer-Encoding: identity\r\n\r\n"), false, false, false},
    {"rule6-gzip", SLICE("HTTP/1.1 202 A\r\nTransfer-Encoding: gzip\r\n\r\n"), false, false, false},
    {"rule7-bad-chunk", SLICE("HTTP/1.1 202 A\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"), true, false, false},
    {"rule1-bare-lf", SLICE("HTTP/1.1 202 A\nContent-Length: 0\r\n\r\n"), false, false, false},
    {"rule1-nul", SLICE("HTTP/1.1 202 A\r\nX: \0\r\nContent-Length: 0\r\n\r\n"), false, false, false},
    {"rule2-space-before-colon", SLICE("HTTP/1.1 202 A\r\nContent-Length : 0\r\n\r\n"), false, false, false},
    {"rule3-obs-fold", SLICE("HTTP/1.1 202 A\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"), false, false, false},
    {"rule10-2.0", SLICE("HTTP/2.0 202 A\r\nContent-Length: 0\r\n\r\n"), false, false, false},
    {"rule10-not-http", SLICE("SSH-2.0-OpenSSH\r\n"), false, false, false},
    {"status-two-digits", SLICE("HTTP/1.1 20 A\r\n\r\n"), false, false, false},
    {"status-four-digits", SLICE("HTTP/1.1 2020 A\r\n\r\n"), false, false, false},
    {"status-600", SLICE("HTTP/1.1 600 A\r\n\r\n"), false, false, false},
    {"rule12-empty-line", SLICE("\r\nHTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n"), false, false, false},
    {"204-with-length", SLICE("HTTP/1.1 204 A\r\nContent-Length: 3\r\n\r\nabc"), false, false, false},
    {"204-with-chunks", SLICE("HTTP/1.1 204 A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), false, false, false},
};

static void vectors_close_or_keep(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++)
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            const struct vector *v = &vectors[i];
            struct world w;
            begin(&w);
            assert_int_equal(send_json(&w, event, 1, false), STATUS_OK);
            if (bytewise)
                world_give_bytewise(&w, v->answer);
            else
                world_give(&w, v->answer);
            if (v->ends)
                world_end(&w);
            if (w.outcomes != v->outcome || w.sink.closing != !v->reusable)
                fail_msg("%s: %u outcomes, closing=%d", v->name, w.outcomes, w.sink.closing);
            assert_int_equal(w.sink.room.messages, v->reusable);
            if (w.sink.closing)
                assert_int_not_equal(w.sink.close_status, STATUS_OK);
            world_done(&w);
        }
}

/* -- replies -- */

static void a_reply_is_handed_up_then_the_outcome(void **state) {
    (void)state;
    static const struct {
        const char *name;
        const char *answer;
        bool ends;
        const char *seen;
    } rows[] = {
        {"structured", "HTTP/1.1 200 OK\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 80\r\n\r\n"
                       "{\"specversion\":\"1.0\",\"id\":\"r\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"response\"}", false, "\"id\":\"r\""},
        {"binary", "HTTP/1.1 200 OK\r\nce-specversion: 1.0\r\nce-id: r\r\nce-source: /s\r\nce-type: t\r\nce-messagetype: error\r\n"
                   "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nno", false, "\"messagetype\":\"error\""},
        {"plain", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}", false,
         "\"source\":\"/systems/pricing\",\"type\":\"intertie.http.message.v1\",\"time\":\"2026-11-22T22:00:00Z\",\"messagetype\":\"response\""},
        {"plain-chunked", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", false,
         "\"data\":\"ab\""},
        {"plain-until-close", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nab", true, "\"data\":\"ab\""},
        {"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "\"messagetype\":\"response\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            struct world w;
            begin(&w);
            assert_int_equal(send_json(&w, query, 9, true), STATUS_OK);
            if (bytewise)
                world_give_bytewise(&w, slice_from(rows[i].answer));
            else
                world_give(&w, slice_from(rows[i].answer));
            if (rows[i].ends)
                world_end(&w);
            if (w.messages != 1 || !strstr(w.seen[0].json, rows[i].seen))
                fail_msg("%s: %u messages: %s", rows[i].name, w.messages, w.seen[0].json);
            assert_true(w.seen[0].reply_to == 9);
            assert_true(w.seen[0].token == 1);
            check_outcome(&w, 9, VERDICT_ACCEPTED);
            assert_int_equal(w.sink.closing, rows[i].ends);
            world_done(&w);
        }
}

static void what_is_no_reply_is_none(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        bool asks;
        enum protocol_verdict verdict;
        unsigned invalids;
    } rows[] = {
        {"HTTP/1.1 202 A\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 2\r\n\r\n{}", true, VERDICT_ACCEPTED, 0},
        {"HTTP/1.1 204 A\r\n\r\n", true, VERDICT_ACCEPTED, 0},
        {"HTTP/1.1 200 A\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 2\r\n\r\n{}", false, VERDICT_ACCEPTED, 0},
        {"HTTP/1.1 200 A\r\nContent-Type: application/cloudevents+json\r\nContent-Length: 2\r\n\r\n{}", true, VERDICT_REJECTED, 1},
        {"HTTP/1.1 200 A\r\nContent-Type: application/cloudevents-batch+json\r\nContent-Length: 2\r\n\r\n[]", true, VERDICT_REJECTED, 1},
        {"HTTP/1.1 200 A\r\nce-id: 1\r\nContent-Length: 0\r\n\r\n", true, VERDICT_REJECTED, 1},
        {"HTTP/1.1 500 A\r\nContent-Length: 2\r\n\r\nno", true, VERDICT_RETRY, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        begin(&w);
        assert_int_equal(send_json(&w, query, 1, rows[i].asks), STATUS_OK);
        world_give(&w, slice_from(rows[i].answer));
        assert_int_equal(w.messages, 0);
        check_outcome(&w, 1, rows[i].verdict);
        assert_int_equal(w.invalids, rows[i].invalids);
        assert_false(w.sink.closing);
        world_done(&w);
    }
}

static void a_reply_has_its_limit(void **state) {
    (void)state;
    char answer[512];
    for (int framing = 0; framing < 3; framing++)
        for (int extra = 0; extra < 2; extra++) {
            struct world w;
            int size = 64 + extra;
            world_init(&w, PROTOCOL_DIALLED);
            w.setup.limits.message = 64;
            world_open(&w);
            assert_int_equal(send_json(&w, query, 1, true), STATUS_OK);
            if (framing == 0)
                snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%0*d", size, size, 1);
            else if (framing == 1)
                snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%0*d\r\n0\r\n\r\n", size, size, 1);
            else
                snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n\r\n%0*d", size, 1);
            world_give(&w, slice_from(answer));
            if (framing == 2)
                world_end(&w);
            check_outcome(&w, 1, extra ? VERDICT_REJECTED : VERDICT_ACCEPTED);
            assert_int_equal(w.messages, !extra);
            assert_int_equal(w.outcome.status, extra ? STATUS_TOO_LARGE : STATUS_OK);
            assert_int_equal(w.sink.closing, extra || framing == 2);
            world_done(&w);
        }
}

/* -- time and endings -- */

static void silence_ends_the_attempt(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    assert_int_equal(send_json(&w, event, 1, false), STATUS_OK);
    world_give(&w, SLICE_OF("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2"));
    world_wait(&w, 4 * NS_PER_S);
    assert_false(w.sink.closing);
    world_wait(&w, 2 * NS_PER_S);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_REPLY_TIMEOUT);
    assert_int_equal(w.outcomes, 0); /* nobody knows */
    world_done(&w);
    begin(&w);
    world_wait(&w, 61 * NS_PER_S);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_IDLE_TIMEOUT);
    world_done(&w);
}

static void an_answer_before_the_request_is_out_closes(void **state) {
    (void)state;
    struct world w;
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[256];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    begin(&w);
    assert_int_equal(message_decode_json(&message, slice_from(event), &extra, &rules, &fault), STATUS_OK);
    assert_int_equal(protocol_http1.send(w.state, &message, NULL, &(struct protocol_send){.token = 1}, w.now), STATUS_OK);
    assert_true(chain_unsent(&w.chain) > 0);
    world_give(&w, SLICE_OF("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"));
    check_outcome(&w, 1, VERDICT_REJECTED);
    assert_true(w.sink.closing);
    world_done(&w);
}

static void idle_connections_hear_nothing(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    world_give(&w, SLICE_OF("HTTP/1.1 408 Request Timeout\r\n"));
    assert_true(w.sink.closing && w.sink.close_status == STATUS_PROTOCOL_ERROR);
    world_done(&w);
    begin(&w);
    world_end(&w);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_PEER_CLOSED);
    world_done(&w);
}

static void shut_waits_for_what_is_in_flight(void **state) {
    (void)state;
    struct world w;
    begin(&w);
    protocol_http1.shut(w.state, STATUS_SYSTEM_REMOVED, w.now);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_SYSTEM_REMOVED);
    world_done(&w);
    begin(&w);
    assert_int_equal(send_json(&w, event, 1, false), STATUS_OK);
    protocol_http1.shut(w.state, STATUS_SYSTEM_REMOVED, w.now);
    assert_false(w.sink.closing);
    world_give(&w, SLICE_OF("HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n"));
    check_outcome(&w, 1, VERDICT_ACCEPTED);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_SYSTEM_REMOVED);
    world_done(&w);
}

static void nothing_is_left_in_out_when_send_fails(void **state) {
    (void)state;
#ifdef INTERTIE_DEBUG
    for (int64_t skip = 0; skip < 20; skip++) {
        struct world w;
        begin(&w);
        buffer_reserve(&w.out, 4096);
        memory_fail_after(skip);
        enum status status = send_json(&w, event, 1, false);
        bool failed = memory_has_failed();
        memory_fail_after(-1);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_int_equal(w.out.size, 0);
            assert_int_equal(w.sink.room.messages, 1);
        }
        world_done(&w);
        if (!failed)
            return;
    }
    fail();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_what_its_mode_says),
        cmocka_unit_test(all_modes_arrive_as_the_same_event),
        cmocka_unit_test(a_header_can_not_be_injected),
        cmocka_unit_test(each_status_has_its_outcome),
        cmocka_unit_test(vectors_close_or_keep),
        cmocka_unit_test(a_reply_is_handed_up_then_the_outcome),
        cmocka_unit_test(what_is_no_reply_is_none),
        cmocka_unit_test(a_reply_has_its_limit),
        cmocka_unit_test(silence_ends_the_attempt),
        cmocka_unit_test(an_answer_before_the_request_is_out_closes),
        cmocka_unit_test(idle_connections_hear_nothing),
        cmocka_unit_test(shut_waits_for_what_is_in_flight),
        cmocka_unit_test(nothing_is_left_in_out_when_send_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
