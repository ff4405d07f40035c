/* The dialled role with many events on one connection: requests ahead of their answers, and batches. */
#include "protocol/http1/fixture.h"

#define OK "HTTP/1.1 204 A\r\n\r\n"
#define EVENT_FORMAT "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/doors/7\",\"type\":\"t\",\"data\":{\"door\":7}}"

static void begin(struct world *w, uint32_t pipeline, uint32_t batch) {
    world_init(w, PROTOCOL_DIALLED);
    w->setup.pipeline = pipeline;
    w->setup.batch.max = batch;
    w->setup.mode = batch ? PROTOCOL_MODE_BATCH : PROTOCOL_MODE_AUTO;
    world_open(w);
}

/* Event number `token`, not written yet. */
static enum status hand_over(struct world *w, uint64_t token, uint8_t attempt, bool asks) {
    char json[256];
    struct message message;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 1 << 20};
    uint8_t room[1024];
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    snprintf(json, sizeof json, EVENT_FORMAT, (unsigned)token);
    assert_int_equal(message_decode_json(&message, slice_from(json), &extra, &rules, &fault), STATUS_OK);
    struct protocol_send options = {.token = token, .attempt = attempt, .asks = asks};
    return protocol_http1.send(w->state, &message, NULL, &options, w->now);
}

static void hand_over_all(struct world *w, uint64_t first, uint64_t last) {
    for (uint64_t token = first; token <= last; token++)
        assert_int_equal(hand_over(w, token, 1, false), STATUS_OK);
}

static void send_all(struct world *w, uint64_t first, uint64_t last) {
    hand_over_all(w, first, last);
    world_flush(w);
}

static unsigned count(struct world *w, const char *what) {
    unsigned found = 0;
    for (const char *at = world_text(w); (at = strstr(at, what)); at += strlen(what))
        found++;
    return found;
}

#define CHECK_TOLD(w, text) assert_string_equal((w)->told, text)

/* -- pipelining -- */

static void requests_go_ahead_of_their_answers_up_to_the_limit(void **state) {
    (void)state;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        struct world w;
        begin(&w, 3, 0);
        assert_int_equal(w.sink.room.messages, 3);
        send_all(&w, 1, 3);
        assert_int_equal(count(&w, "POST "), 3);
        assert_int_equal(w.sink.room.messages, 0);
        assert_int_equal(hand_over(&w, 4, 1, false), STATUS_OVERLOADED);
        struct slice answers = SLICE_OF("HTTP/1.1 202 A\r\nContent-Length: 2\r\n\r\nok" OK "HTTP/1.1 500 A\r\nContent-Length: 0\r\n\r\n");
        if (bytewise)
            world_give_bytewise(&w, answers);
        else
            world_give(&w, answers);
        CHECK_TOLD(&w, "1 accepted; 2 accepted; 3 retry; ");
        assert_int_equal(w.sink.room.messages, 3);
        assert_int_equal(w.rooms, 1); /* it grew from nothing once */
        assert_false(w.sink.closing);
        world_give(&w, SLICE_OF(OK)); /* answers nothing */
        assert_true(w.sink.closing && w.sink.close_status == STATUS_PROTOCOL_ERROR);
        world_done(&w);
    }
}

static void replies_meet_their_own_requests(void **state) {
    (void)state;
    struct world w;
    begin(&w, 4, 0);
    assert_int_equal(hand_over(&w, 1, 1, true), STATUS_OK);
    assert_int_equal(hand_over(&w, 2, 1, false), STATUS_OK);
    assert_int_equal(hand_over(&w, 3, 1, true), STATUS_OK);
    world_flush(&w);
    world_give(&w, SLICE_OF("HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\na"
                            "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\nb"
                            "HTTP/1.1 200 A\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"));
    assert_int_equal(w.messages, 2);
    assert_true(w.seen[0].reply_to == 1 && w.seen[1].reply_to == 3);
    CHECK_TOLD(&w, "1 accepted; 2 accepted; 3 accepted; ");
    world_done(&w);
}

/* RFC 9112 section 9.6: behind an answer with `close` nothing was looked at. */
static void what_is_behind_a_closing_answer_was_not_sent(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        bool ends;
        const char *told;
    } rows[] = {
        {OK "HTTP/1.1 202 A\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false,
         "1 accepted; 2 accepted; 4 unsent; 3 unsent; "},
        {"HTTP/1.0 200 A\r\nContent-Length: 0\r\n\r\n", false, "1 accepted; 4 unsent; 3 unsent; 2 unsent; "},
        {"HTTP/1.1 200 A\r\n\r\nto the end", true, "1 accepted; 4 unsent; 3 unsent; 2 unsent; "},
        {OK, true, "1 accepted; "},                        /* a close without a word: nobody knows */
        {OK "HTTP/1.1 202 A\r\nContent-Le", true, "1 accepted; "},
        {OK "garbage\r\n\r\n", false, "1 accepted; "},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world w;
        begin(&w, 4, 0);
        send_all(&w, 1, 4);
        world_give(&w, slice_from(rows[i].answer));
        if (rows[i].ends)
            world_end(&w);
        CHECK_TOLD(&w, rows[i].told);
        assert_true(w.sink.closing);
        assert_int_equal(w.sink.room.messages, 0);
        world_done(&w);
    }
}

static void the_attempt_of_the_oldest_is_the_deadline(void **state) {
    (void)state;
    struct world w;
    begin(&w, 2, 0);
    send_all(&w, 1, 1);
    world_wait(&w, 3 * NS_PER_S);
    send_all(&w, 2, 2);
    world_wait(&w, NS_PER_S);
    world_give(&w, SLICE_OF(OK)); /* at 4 s of 5: the second has until 8 */
    world_wait(&w, 3 * NS_PER_S);
    assert_false(w.sink.closing);
    world_wait(&w, 2 * NS_PER_S);
    assert_true(w.sink.closing && w.sink.close_status == STATUS_REPLY_TIMEOUT);
    CHECK_TOLD(&w, "1 accepted; ");
    world_done(&w);
}

/* The first answer may come while later requests are still on their way out. */
static void only_an_answer_to_what_is_not_out_is_early(void **state) {
    (void)state;
    struct world w;
    begin(&w, 2, 0);
    send_all(&w, 1, 1);
    hand_over_all(&w, 2, 2);
    assert_true(chain_unsent(&w.chain) > 0);
    buffer_add(&w.partial, SLICE_OF(OK));
    world_pump(&w);
    assert_false(w.sink.closing);
    CHECK_TOLD(&w, "1 accepted; ");
    hand_over_all(&w, 3, 3);
    world_give(&w, SLICE_OF(OK));
    assert_false(w.sink.closing);
    buffer_add(&w.partial, SLICE_OF("HTTP/1.1 413 A\r\nContent-Length: 0\r\n\r\n"));
    hand_over_all(&w, 4, 4);
    world_pump(&w);
    CHECK_TOLD(&w, "1 accepted; 2 accepted; 3 rejected; ");
    assert_false(w.sink.closing); /* the third was out, the fourth is its own matter */
    world_done(&w);
}

static void shut_waits_for_all_answers(void **state) {
    (void)state;
    struct world w;
    begin(&w, 4, 0);
    send_all(&w, 1, 2);
    protocol_http1.shut(w.state, STATUS_SYSTEM_REMOVED, w.now);
    assert_int_equal(w.sink.room.messages, 0);
    world_give(&w, SLICE_OF(OK));
    assert_false(w.sink.closing);
    assert_int_equal(w.sink.room.messages, 0);
    world_give(&w, SLICE_OF(OK));
    assert_true(w.sink.closing && w.sink.close_status == STATUS_SYSTEM_REMOVED);
    CHECK_TOLD(&w, "1 accepted; 2 accepted; ");
    world_done(&w);
}

/* -- batches -- */

static void what_comes_together_goes_together(void **state) {
    (void)state;
    for (int proto = 0; proto < 2; proto++) {
        struct world *client = test_malloc(sizeof *client), *server = test_malloc(sizeof *server);
        world_init(client, PROTOCOL_DIALLED);
        client->setup.batch.max = 10;
        client->setup.mode = PROTOCOL_MODE_BATCH;
        client->setup.encoding = proto ? ENCODING_PROTO : ENCODING_JSON;
        client->setup.path = SLICE_OF("/v1/messages");
        world_open(client);
        world_init(server, PROTOCOL_ACCEPTED);
        world_open(server);
        assert_int_equal(client->sink.room.messages, 10);
        hand_over_all(client, 1, 3);
        assert_int_equal(client->out.size, 0);
        assert_true(client->sink.gathers);
        world_flush(client);
        assert_int_equal(count(client, "POST "), 1);
        CHECK_HAS(client, proto ? "cloudevents-batch+protobuf\r\n" : "cloudevents-batch+json\r\n");
        assert_int_equal(client->sink.room.messages, 0);
        assert_false(client->sink.gathers);
        world_give(server, buffer_slice(&client->out));
        assert_int_equal(server->messages, 3);
        for (unsigned i = 0; i < 3; i++) {
            char id[16];
            snprintf(id, sizeof id, "\"id\":\"%u\"", i + 1);
            assert_non_null(strstr(server->seen[i].json, id));
            assert_non_null(strstr(server->seen[i].json, "\"data\":{\"door\":7}"));
        }
        world_give(client, buffer_slice(&server->out));
        CHECK_TOLD(client, "1-3 accepted; ");
        assert_int_equal(client->sink.room.messages, 10);
        world_done(client);
        world_done(server);
        test_free(client);
        test_free(server);
    }
}

static void a_batch_has_its_limits(void **state) {
    (void)state;
    struct world w;
    begin(&w, 2, 4);
    assert_int_equal(w.sink.room.messages, 8);
    hand_over_all(&w, 1, 8);
    assert_int_equal(w.sink.room.messages, 0);
    world_flush(&w);
    assert_int_equal(count(&w, "POST "), 2);
    world_give(&w, SLICE_OF(OK));
    assert_int_equal(w.sink.room.messages, 4);
    world_give(&w, SLICE_OF("HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n"));
    CHECK_TOLD(&w, "1-4 accepted; 5-8 retry; ");
    world_done(&w);
    /* bytes: what does not fit begins the next one, and waits for its turn */
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.batch.max = 10;
    w.setup.mode = PROTOCOL_MODE_BATCH;
    w.setup.limits.message = 250; /* room for two */
    world_open(&w);
    send_all(&w, 1, 3);
    assert_int_equal(count(&w, "POST "), 1);
    assert_int_equal(count(&w, "\"id\""), 2);
    assert_int_equal(w.sink.room.messages, 0);
    world_give(&w, SLICE_OF(OK));
    assert_int_equal(count(&w, "POST "), 2);
    world_give(&w, SLICE_OF(OK));
    CHECK_TOLD(&w, "1-2 accepted; 3 accepted; ");
    world_done(&w);
}

static void a_batch_waits_for_company_when_told_to(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.batch.max = 3;
    w.setup.batch.wait_ns = 20 * NS_PER_MS;
    w.setup.mode = PROTOCOL_MODE_BATCH;
    world_open(&w);
    send_all(&w, 1, 1);
    world_wait(&w, 15 * NS_PER_MS);
    send_all(&w, 2, 2);
    assert_int_equal(w.out.size, 0);
    world_wait(&w, 5 * NS_PER_MS); /* of the first */
    assert_int_equal(count(&w, "\"id\""), 2);
    world_give(&w, SLICE_OF(OK));
    send_all(&w, 3, 5); /* full: at once */
    assert_int_equal(count(&w, "POST "), 2);
    world_give(&w, SLICE_OF(OK));
    send_all(&w, 6, 6);
    protocol_http1.shut(w.state, STATUS_GOING_AWAY, w.now); /* the end waits for nobody */
    assert_int_equal(count(&w, "POST "), 3);
    world_give(&w, SLICE_OF(OK));
    CHECK_TOLD(&w, "1-2 accepted; 3-5 accepted; 6 accepted; ");
    assert_true(w.sink.closing && w.sink.close_status == STATUS_GOING_AWAY);
    world_done(&w);
}

static void a_refused_batch_goes_one_by_one(void **state) {
    (void)state;
    static const unsigned codes[] = {400, 413, 415, 422};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct world w;
        char answer[128];
        begin(&w, 1, 10);
        send_all(&w, 1, 3);
        world_forget(&w);
        snprintf(answer, sizeof answer, "HTTP/1.1 %u A\r\nContent-Length: 2\r\n\r\nno", codes[i]);
        world_give(&w, slice_from(answer));
        CHECK_TOLD(&w, "");
        assert_int_equal(w.sink.room.messages, 0);
        assert_int_equal(count(&w, "POST "), 1);
        CHECK_HAS(&w, "Content-Type: application/cloudevents+json\r\n");
        CHECK_HAS(&w, "\"id\":\"1\"");
        world_give(&w, SLICE_OF(OK));
        world_give(&w, SLICE_OF("HTTP/1.1 422 A\r\nContent-Length: 0\r\n\r\n"));
        assert_int_equal(count(&w, "POST "), 3);
        world_give(&w, SLICE_OF(OK));
        CHECK_TOLD(&w, "1 accepted; 2 rejected; 3 accepted; ");
        world_forget(&w);
        /* 415: that was about batches, not about these events */
        assert_int_equal(w.sink.room.messages, codes[i] == 415 ? 1 : 10);
        send_all(&w, 4, 4);
        assert_int_equal(count(&w, "cloudevents-batch+json"), codes[i] != 415);
        world_done(&w);
    }
}

static void a_refusal_that_closes_gives_the_batch_back(void **state) {
    (void)state;
    struct world w;
    begin(&w, 2, 2);
    send_all(&w, 1, 4);
    world_give(&w, SLICE_OF("HTTP/1.1 413 A\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
    CHECK_TOLD(&w, "4 unsent; 3 unsent; 2 unsent; 1 unsent; ");
    assert_int_equal(w.outcome.status, STATUS_REJECTED); /* an attempt: it is not tried in a batch again */
    assert_true(w.sink.closing);
    world_done(&w);
    begin(&w, 1, 2);
    assert_int_equal(hand_over(&w, 1, 1, false), STATUS_OK);
    assert_int_equal(hand_over(&w, 2, 2, false), STATUS_OK); /* its second attempt */
    world_flush(&w);
    assert_int_equal(count(&w, "POST "), 1);
    world_give(&w, SLICE_OF(OK));
    CHECK_HAS(&w, "Content-Type: application/cloudevents+json\r\n");
    world_give(&w, SLICE_OF(OK));
    CHECK_TOLD(&w, "1 accepted; 2 accepted; ");
    world_done(&w);
}

/* What asks can't share an answer; it keeps its place all the same. */
static void questions_go_alone_in_their_order(void **state) {
    (void)state;
    struct world w;
    begin(&w, 3, 10);
    hand_over_all(&w, 1, 2);
    assert_int_equal(hand_over(&w, 3, 1, true), STATUS_OK);
    hand_over_all(&w, 4, 5);
    assert_int_equal(w.sink.room.messages, 8);
    world_flush(&w);
    assert_int_equal(count(&w, "POST "), 3);
    assert_int_equal(count(&w, "Prefer: reply\r\n"), 1);
    world_give(&w, SLICE_OF(OK "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\nx" OK));
    CHECK_TOLD(&w, "1-2 accepted; 3 accepted; 4-5 accepted; ");
    assert_true(w.messages == 1 && w.seen[0].reply_to == 3);
    world_done(&w);
}

static void what_waits_for_a_request_is_unsent_when_the_peer_leaves(void **state) {
    (void)state;
    struct world w;
    world_init(&w, PROTOCOL_DIALLED);
    w.setup.batch.max = 10;
    w.setup.mode = PROTOCOL_MODE_BATCH;
    w.setup.limits.message = 250;
    world_open(&w);
    send_all(&w, 1, 3); /* the third waits */
    world_give(&w, SLICE_OF("HTTP/1.1 202 A\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
    CHECK_TOLD(&w, "1-2 accepted; 3 unsent; ");
    assert_int_equal(w.outcome.status, STATUS_OK);
    assert_true(w.sink.closing);
    world_done(&w);
}

static void no_memory_leaves_all_as_it_was(void **state) {
    (void)state;
#ifdef INTERTIE_DEBUG
    for (int batch = 0; batch < 2; batch++)
        for (int64_t skip = 0;; skip++) {
            struct world w;
            begin(&w, 4, batch ? 10 : 0);
            buffer_reserve(&w.out, 8192);
            memory_fail_after(skip);
            uint64_t token = 1;
            for (int i = 0; i < 4; i++)
                token += hand_over(&w, token, 1, false) == STATUS_OK;
            world_flush(&w);
            bool failed = memory_has_failed();
            memory_fail_after(-1);
            assert_int_equal(w.outcomes, 0);
            if (!w.sink.closing) { /* a batch that can't be written ends the connection */
                unsigned requests = count(&w, "POST ");
                assert_int_equal(requests, batch ? token > 1 : token - 1);
                for (unsigned i = 0; i < requests; i++)
                    world_give(&w, SLICE_OF(OK));
                assert_int_equal(w.outcomes, requests);
                assert_false(w.sink.closing);
            }
            world_done(&w);
            if (!failed)
                break;
            assert_true(skip < 50);
        }
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_go_ahead_of_their_answers_up_to_the_limit),
        cmocka_unit_test(replies_meet_their_own_requests),
        cmocka_unit_test(what_is_behind_a_closing_answer_was_not_sent),
        cmocka_unit_test(the_attempt_of_the_oldest_is_the_deadline),
        cmocka_unit_test(only_an_answer_to_what_is_not_out_is_early),
        cmocka_unit_test(shut_waits_for_all_answers),
        cmocka_unit_test(what_comes_together_goes_together),
        cmocka_unit_test(a_batch_has_its_limits),
        cmocka_unit_test(a_batch_waits_for_company_when_told_to),
        cmocka_unit_test(a_refused_batch_goes_one_by_one),
        cmocka_unit_test(a_refusal_that_closes_gives_the_batch_back),
        cmocka_unit_test(questions_go_alone_in_their_order),
        cmocka_unit_test(what_waits_for_a_request_is_unsent_when_the_peer_leaves),
        cmocka_unit_test(no_memory_leaves_all_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
