/* Stream v1 from its preface to its end: handshake, every error by its code, time, drain, both roles together. */
#include "protocol/battery/rig.h"
#include "protocol/stream/fixture.h"

/* -- handshake -- */

static void hello_is_answered_by_welcome(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
    rig.acts_as = SLICE_OF("crm");
    rig_open(&rig);
    assert_int_equal(rig.sink.room.messages, 0);
    rig_feed(&rig, slice_make(PREFACE, 8));
    feed_text(&rig, FRAME_HELLO,
              "{\"client\":\"intertie/9\",\"system\":\"crm\",\"auth\":{\"method\":\"bearer\",\"token\":\"itk_x\"},"
              "\"enc\":[\"avro\",\"proto\",\"json\"],\"comp\":[\"zstd\",\"none\"],\"max_frame\":1048576,\"hb_ms\":5000,"
              "\"credit\":{\"msgs\":7,\"bytes\":1000},\"resume\":{\"session\":\"x\",\"rx\":1},\"later\":[1,{\"a\":2}]}");
    assert_string_equal(rig_log(&rig), "hello client=intertie/9 system=crm key=itk_x intertie window=7\nroom\n");
    struct slice bytes = slice_skip(output(&rig), 8);
    unsigned type;
    struct slice welcome = next_frame(&bytes, &type, NULL);
    assert_int_equal(type, FRAME_WELCOME);
    assert_true(contains(welcome, "\"system\":\"crm\""));
    assert_true(contains(welcome, "\"enc\":\"proto\",\"comp\":\"none\""));
    assert_true(contains(welcome, "\"hb_ms\":5000"));
    assert_true(contains(welcome, "\"credit\":{\"msgs\":64,\"bytes\":4194304}"));
    assert_true(contains(welcome, "\"resumed\":false"));
    assert_true(contains(welcome, "\"max_frame\":1048592"));
    assert_int_equal(rig.sink.room.messages, 7);
    assert_true(rig.sink.terms.acks && rig.sink.terms.can_reply && rig.sink.terms.is_intertie);
    rig_done(&rig);
}

struct bad_hello {
    const char *hello;
    unsigned code;
    enum status status;
    bool auth, keys_refused;
    enum status hello_as;
};

static void hellos_are_refused_by_code(void **state) {
    (void)state;
    static const struct bad_hello cases[] = {
        {"{", 9, STATUS_MALFORMED_CONTROL, 0, 0, 0},
        {"[]", 9, STATUS_MALFORMED_CONTROL, 0, 0, 0},
        {"{} 1", 9, STATUS_MALFORMED_CONTROL, 0, 0, 0},
        {"{\"client\":1}", 9, STATUS_MALFORMED_CONTROL, 0, 0, 0},
        {"{\"client\":\"a\",\"client\":\"b\"}", 9, STATUS_MALFORMED_CONTROL, 0, 0, 0},
        {"{\"credit\":{\"msgs\":-1}}", 9, STATUS_MALFORMED_CONTROL, 0, 0, 0},
        {"{\"client\":\"\\ud800\"}", 9, STATUS_MALFORMED_CONTROL, 0, 0, 0},
        {"{\"ack\":\"no\"}", 9, STATUS_MALFORMED_CONTROL, 0, 0, 0},
        {"{\"enc\":[\"avro\"]}", 4, STATUS_UNSUPPORTED_ENCODING, 0, 0, 0},
        {"{\"comp\":[\"zstd\"]}", 4, STATUS_UNSUPPORTED_ENCODING, 0, 0, 0},
        {"{}", 2, STATUS_UNAUTHENTICATED, true, 0, 0},
        {"{\"auth\":{\"method\":\"none\"}}", 2, STATUS_UNAUTHENTICATED, true, 0, 0},
        {"{\"auth\":{\"method\":\"bearer\"}}", 2, STATUS_UNAUTHENTICATED, 0, 0, 0},
        {"{\"auth\":{\"method\":\"mtls\"}}", 2, STATUS_UNAUTHENTICATED, 0, 0, 0},
        {"{\"auth\":{\"method\":\"bearer\",\"token\":\"itk_x\"}}", 2, STATUS_UNAUTHENTICATED, true, true, 0},
        {"{\"system\":\"crm\"}", 6, STATUS_FORBIDDEN, 0, 0, STATUS_FORBIDDEN},
        {"{\"auth\":{\"token\":\"itk_x\"}}", 2, STATUS_UNAUTHENTICATED, true, 0, STATUS_UNAUTHENTICATED},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
        rig.setup.auth = cases[i].auth;
        rig.setup.keys_refused = cases[i].keys_refused;
        rig.hello_as = cases[i].hello_as;
        rig_open(&rig);
        rig_feed(&rig, slice_make(PREFACE, 8));
        output(&rig);
        feed_text(&rig, FRAME_HELLO, cases[i].hello);
        assert_error(&rig, cases[i].code, cases[i].status);
        rig_done(&rig);
    }
}

static void other_versions_get_our_preface_and_a_close(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
    rig_open(&rig);
    rig_feed(&rig, slice_make("\xf5its\x02\0\0\0", 8));
    struct slice bytes = output(&rig);
    assert_int_equal(bytes.size, 8);
    assert_memory_equal(bytes.data, PREFACE, 8);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_UNSUPPORTED_VERSION);
    rig_done(&rig);
}

static void strangers_get_no_frame(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
    rig_open(&rig);
    rig_feed(&rig, SLICE_OF("GET"));
    assert_int_equal(output(&rig).size, 0);
    assert_int_equal(rig.sink.close_status, STATUS_PROTOCOL_ERROR);
    rig_done(&rig);
}

static void handshakes_have_a_deadline(void **state) {
    (void)state;
    for (int auth = 0; auth < 2; auth++) {
        struct rig rig;
        rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
        rig.setup.auth = auth;
        rig_open(&rig);
        rig_feed(&rig, slice_make(PREFACE, 8));
        rig_wait(&rig, auth ? 1 * NS_PER_S : 9 * NS_PER_S);
        assert_false(rig.sink.closing);
        rig_wait(&rig, 1 * NS_PER_S);
        assert_true(rig.sink.closing);
        assert_int_equal(rig.sink.close_status, auth ? STATUS_AUTH_TIMEOUT : STATUS_HEAD_TIMEOUT);
        rig_done(&rig);
    }
}

static void only_the_handshake_comes_first(void **state) {
    (void)state;
    for (unsigned type = 1; type <= FRAME_CANCEL; type++) {
        if (type == FRAME_HELLO || type == FRAME_ERROR)
            continue;
        struct rig rig;
        rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
        rig_open(&rig);
        rig_feed(&rig, slice_make(PREFACE, 8));
        output(&rig);
        feed_frame(&rig, type, 0, slice_make("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
        assert_error(&rig, 1, STATUS_PROTOCOL_ERROR);
        rig_done(&rig);
    }
}

/* -- errors of an open connection -- */

struct bad_frame {
    unsigned type, flags;
    struct slice payload;
    unsigned code;
    enum status status;
};

static void frames_are_refused_by_code(void **state) {
    (void)state;
    static const struct bad_frame cases[] = {
        {FRAME_HELLO, 0, SLICE("{}"), 1, STATUS_PROTOCOL_ERROR},
        {FRAME_WELCOME, 0, SLICE("{}"), 1, STATUS_PROTOCOL_ERROR},
        {FRAME_RESULT, 0, SLICE("{}"), 1, STATUS_PROTOCOL_ERROR},
        {0, 0, SLICE(""), 1, STATUS_PROTOCOL_ERROR},
        {15, 0, SLICE(""), 1, STATUS_PROTOCOL_ERROR},
        {FRAME_PING, 0, SLICE("1234567"), 9, STATUS_MALFORMED_CONTROL},
        {FRAME_PONG, 0, SLICE("123456789"), 9, STATUS_MALFORMED_CONTROL},
        {FRAME_CREDIT, 0, SLICE("1234567"), 9, STATUS_MALFORMED_CONTROL},
        {FRAME_CREDIT, 0, SLICE("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"), 9, STATUS_MALFORMED_CONTROL}, /* decreases */
        {FRAME_CANCEL, 0, SLICE("1234567"), 9, STATUS_MALFORMED_CONTROL},
        {FRAME_ACK, 0, SLICE("1234567"), 9, STATUS_MALFORMED_CONTROL},
        {FRAME_ACK, 0, SLICE("\0\0\0\0\0\0\0\0\0\1\0\0"), 9, STATUS_MALFORMED_CONTROL},  /* n without entries */
        {FRAME_ACK, 0, SLICE("\0\0\0\0\0\0\0\1\0\0\0\0"), 1, STATUS_PROTOCOL_ERROR},     /* never sent */
        {FRAME_ACK, 0, SLICE("\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"), 9, STATUS_MALFORMED_CONTROL},
        {FRAME_MSG, 0, SLICE("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"), 1, STATUS_PROTOCOL_ERROR},   /* short */
        {FRAME_MSG, 0, SLICE("\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0"), 14, STATUS_SEQ_GAP},
        {FRAME_MSG, 0, SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 14, STATUS_SEQ_GAP},
        {FRAME_MSG, 0, SLICE("\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0"), 1, STATUS_PROTOCOL_ERROR}, /* sub to a server */
        {FRAME_MSG, 0, SLICE("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"), 1, STATUS_PROTOCOL_ERROR}, /* reserved */
        {FRAME_MSG, MSG_COMPRESSED, SLICE("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"), 1, STATUS_PROTOCOL_ERROR},
        {FRAME_MSG, 0x40, SLICE("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"), 1, STATUS_PROTOCOL_ERROR},
        {FRAME_SUBSCRIBE, 0, SLICE("x"), 9, STATUS_MALFORMED_CONTROL},
        {FRAME_GOAWAY, 0, SLICE("x"), 9, STATUS_MALFORMED_CONTROL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        accepted(&rig);
        feed_frame(&rig, cases[i].type, cases[i].flags, cases[i].payload);
        assert_error(&rig, cases[i].code, cases[i].status);
        rig_done(&rig);
    }
}

static void too_large_frames_are_refused_at_their_header(void **state) {
    (void)state;
    static const struct {
        uint32_t size;
        uint8_t type;
        bool refused;
    } cases[] = {{1048592, FRAME_MSG, false}, {1048593, FRAME_MSG, true},  {UINT32_MAX, FRAME_MSG, true},
                 {16384, FRAME_PING, false},  {16385, FRAME_PING, true},   {16385, FRAME_SUBSCRIBE, true},
                 {1048592, FRAME_ACK, false}, {1048593, FRAME_ACK, true}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t header[FRAME_HEADER];
        struct rig rig;
        accepted(&rig);
        frame_put_header(header, cases[i].size, cases[i].type, 0);
        rig_feed(&rig, slice_make(header, sizeof header));
        if (cases[i].refused)
            assert_error(&rig, 7, STATUS_FRAME_TOO_LARGE);
        else
            assert_int_equal(rig.sink.want, FRAME_HEADER + cases[i].size);
        rig_done(&rig);
    }
}

static void unknown_frames_with_the_flag_are_skipped(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed_frame(&rig, 99, FRAME_FLAG_IGNORABLE, SLICE_OF("whatever"));
    assert_false(rig.sink.closing);
    feed_msg(&rig, 1, 0, EVENT);
    assert_string_equal(rig_log(&rig), "message 1 id=a event data=0\n");
    rig_done(&rig);
}

static void control_frames_are_limited(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    for (int second = 0; second < 3; second++) {
        for (int i = 0; i < 100; i++)
            feed_frame(&rig, FRAME_PING, 0, SLICE_OF("12345678"));
        assert_false(rig.sink.closing);
        output(&rig);
        rig_wait(&rig, NS_PER_S);
    }
    for (int i = 0; i < 101; i++)
        feed_frame(&rig, FRAME_PING, 0, SLICE_OF("12345678"));
    assert_error(&rig, 16, STATUS_RATE_LIMITED);
    rig_done(&rig);
}

/* -- time and ends -- */

static void silence_is_answered_by_ping_then_by_an_end(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    rig_wait(&rig, 8 * NS_PER_S);
    struct slice ping = only_frame(&rig, FRAME_PING);
    assert_int_equal(ping.size, 8);
    feed_frame(&rig, FRAME_PONG, 0, ping);
    rig_wait(&rig, 37 * NS_PER_S);
    assert_false(rig.sink.closing);
    rig_wait(&rig, 8 * NS_PER_S);
    assert_error(&rig, 10, STATUS_HEARTBEAT_TIMEOUT);
    rig_done(&rig);
}

static void pings_are_echoed(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed_frame(&rig, FRAME_PING, 0, SLICE_OF("abcdefgh"));
    assert_memory_equal(only_frame(&rig, FRAME_PONG).data, "abcdefgh", 8);
    rig_done(&rig);
}

static void draining_waits_for_what_is_open(void **state) {
    (void)state;
    static const char query[] =
        "{\"specversion\":\"1.0\",\"id\":\"q\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"query\"}";
    struct rig rig;
    accepted(&rig);
    feed_msg(&rig, 1, 0, query);
    sends(&rig, 1);
    rig.protocol->shut(rig.state, STATUS_SHUTDOWN, rig.now);
    assert_true(contains(only_frame(&rig, FRAME_GOAWAY), "\"code\":11"));
    assert_false(rig.sink.closing);
    settle(&rig, 1, 1, STATUS_OK, 0);
    assert_false(rig.sink.closing);
    feed_ack(&rig, 1, 0, NULL);
    assert_false(rig.sink.closing); /* the query has no reply yet */
    assert_int_equal(rig_send(&rig, made(KIND_RESPONSE)), STATUS_OK);
    assert_false(rig.sink.closing);
    feed_ack(&rig, 2, 0, NULL);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_SHUTDOWN);
    rig_done(&rig);
}

static void an_idle_connection_drains_at_once(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    rig.protocol->shut(rig.state, STATUS_SHUTDOWN, rig.now);
    only_frame(&rig, FRAME_GOAWAY);
    assert_true(rig.sink.closing);
    rig_done(&rig);
}

static void goaway_ends_new_work_and_has_a_deadline(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed_text(&rig, FRAME_GOAWAY, "{\"code\":11,\"drain_ms\":2000}");
    assert_int_equal(rig.sink.room.messages, 0);
    assert_false(rig.sink.closing);
    rig_wait(&rig, 2 * NS_PER_S);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_GOING_AWAY);
    rig_done(&rig);
}

static void an_ended_peer_still_gets_its_reply(void **state) {
    (void)state;
    static const char query[] =
        "{\"specversion\":\"1.0\",\"id\":\"q\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"query\"}";
    struct rig rig;
    accepted(&rig);
    feed_msg(&rig, 1, 0, query);
    rig_end(&rig);
    assert_false(rig.sink.closing);
    settle(&rig, 1, 1, STATUS_OK, 0);
    assert_int_equal(rig_send(&rig, made(KIND_RESPONSE)), STATUS_OK);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_PEER_CLOSED);
    assert_true(chain_unsent(&rig.out) > 0);
    rig_done(&rig);
}

static void the_peers_error_is_the_reason_of_the_close(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed_text(&rig, FRAME_ERROR, "{\"code\":8,\"slug\":\"flow-control\"}");
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_FLOW_CONTROL);
    assert_int_equal(output(&rig).size, 0);
    rig_done(&rig);
    accepted(&rig);
    feed_text(&rig, FRAME_ERROR, "{\"code\":1,\"slug\":\"unknown-target\"}");
    assert_int_equal(rig.sink.close_status, STATUS_UNKNOWN_TARGET);
    rig_done(&rig);
}

static void a_peer_that_reads_nothing_is_cut(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    rig.quiet = true;
    for (uint64_t seq = 1; seq < 500000 && !rig.sink.closing; seq++)
        feed_msg(&rig, seq, 0, "no event");
    assert_int_equal(rig.sink.close_status, STATUS_WRITE_TIMEOUT);
    assert_true(chain_unsent(&rig.out) < 6u << 20);
    rig_done(&rig);
}

/* -- both roles together -- */

static void pair(struct rig *client, struct rig *server) {
    rig_setup(client, &protocol_stream1, PROTOCOL_DIALLED);
    rig_setup(server, &protocol_stream1, PROTOCOL_ACCEPTED);
    client->setup.encoding = ENCODING_PROTO;
    client->setup.own_system = SLICE_OF("crm");
    client->setup.own_key = SLICE_OF("itk_secret");
    server->setup.auth = true;
    rig_open(client);
    rig_open(server);
    rig_exchange(client, server);
}

static void the_two_roles_understand_each_other(void **state) {
    (void)state;
    struct rig client, server;
    pair(&client, &server);
    assert_string_equal(rig_log(&server),
                        "hello client=intertie/" INTERTIE_VERSION " system=crm key=itk_secret intertie window=64\nroom\n");
    assert_string_equal(rig_log(&client), "room\n");
    assert_true(client.sink.terms.is_intertie && client.sink.terms.acks);
    for (int i = 0; i < 500; i++) {
        if (client.sink.room.messages == 0 || server.sink.room.messages == 0)
            rig_exchange(&client, &server);
        assert_int_equal(rig_send(&client, made(KIND_EVENT)), STATUS_OK);
        assert_int_equal(rig_send(&server, made(KIND_EVENT)), STATUS_OK);
    }
    rig_exchange(&client, &server);
    assert_int_equal(server.received, 500);
    assert_int_equal(client.received, 500);
    assert_int_equal(server.settled, 500);
    assert_int_equal(client.settled, 500);
    server.protocol->shut(server.state, STATUS_SHUTDOWN, server.now);
    rig_exchange(&client, &server);
    assert_true(server.sink.closing);
    assert_int_equal(client.sink.room.messages, 0);
    rig_end(&client);
    assert_int_equal(client.sink.close_status, STATUS_GOING_AWAY);
    rig_done(&client);
    rig_done(&server);
}

/* docs/stream-protocol.md, to the byte. */
static void the_documented_conversation_holds(void **state) {
    (void)state;
    static const struct slice said = SLICE("\xf5its\1\0\0\0"
                                           "\0\0\0\x22\1\0\0\0{\"client\":\"demo/1\",\"enc\":[\"json\"]}"
                                           "\0\0\0\x4e\4\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\1\0\0\0"
                                           "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/doors\",\"type\":\"open\"}");
    static const struct slice answers[] = {SLICE("\0\0\0\x0c\5\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0"),
                                           SLICE("\0\0\0\x1c\5\0\0\0\0\0\0\0\0\0\0\1\0\1\0\0"
                                                 "\0\0\0\0\0\0\0\1\1\0\0\x68\0\0\0\0")};
    for (int refused = 0; refused < 2; refused++) {
        struct rig rig;
        rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
        rig.settle_as = refused ? STATUS_NO_ROUTE : STATUS_OK;
        rig_open(&rig);
        rig_feed(&rig, said);
        assert_int_equal(rig.received, 1);
        struct slice bytes = output(&rig);
        assert_true(bytes.size > answers[refused].size);
        assert_memory_equal(bytes.data + bytes.size - answers[refused].size, answers[refused].data, answers[refused].size);
        rig_done(&rig);
    }
    struct message_rules rules = {.size_max = 100};
    struct message_fault fault;
    struct buffer extra;
    buffer_init_fixed(&extra, message_room, sizeof message_room);
    assert_int_equal(message_decode_proto(&made_message, SLICE_OF("\x0a\1" "7\x12\6/doors\x1a\3" "1.0\x22\4open"), &extra, &rules,
                                          &fault), STATUS_OK);
}

static void a_client_subscribes_as_told(void **state) {
    (void)state;
    static const struct protocol_subscription subscriptions[] = {
        {.sub = 1, .ack = true}, {.sub = 2, .filter = SLICE("type = 'a'"), .group = SLICE("g"), .max_inflight = 9, .ack = true}};
    for (int refused = 0; refused < 2; refused++) {
        struct rig client, server;
        rig_setup(&client, &protocol_stream1, PROTOCOL_DIALLED);
        rig_setup(&server, &protocol_stream1, PROTOCOL_ACCEPTED);
        client.setup.own_subscriptions = subscriptions;
        client.setup.own_subscription_count = COUNT_OF(subscriptions);
        server.subscribe_as = refused ? STATUS_UNKNOWN_TARGET : STATUS_OK;
        rig_open(&client);
        rig_open(&server);
        rig_exchange(&client, &server);
        const char *log = strstr(rig_log(&server), "subscribe");
        assert_non_null(log);
        assert_string_equal(log, "subscribe 1 filter= group= max=0 ack\nsubscribe 2 filter=type = 'a' group=g max=9 ack\n");
        assert_int_equal(client.sink.closing, refused);
        assert_int_equal(client.sink.close_status, refused ? STATUS_UNKNOWN_TARGET : STATUS_OK);
        rig_done(&client);
        rig_done(&server);
    }
}

static void a_client_gives_up_on_silence(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_stream1, PROTOCOL_DIALLED);
    rig_open(&rig);
    rig_wait(&rig, 10 * NS_PER_S);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_HEAD_TIMEOUT);
    rig_done(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_answered_by_welcome),
        cmocka_unit_test(hellos_are_refused_by_code),
        cmocka_unit_test(other_versions_get_our_preface_and_a_close),
        cmocka_unit_test(strangers_get_no_frame),
        cmocka_unit_test(handshakes_have_a_deadline),
        cmocka_unit_test(only_the_handshake_comes_first),
        cmocka_unit_test(frames_are_refused_by_code),
        cmocka_unit_test(too_large_frames_are_refused_at_their_header),
        cmocka_unit_test(unknown_frames_with_the_flag_are_skipped),
        cmocka_unit_test(control_frames_are_limited),
        cmocka_unit_test(silence_is_answered_by_ping_then_by_an_end),
        cmocka_unit_test(pings_are_echoed),
        cmocka_unit_test(draining_waits_for_what_is_open),
        cmocka_unit_test(an_idle_connection_drains_at_once),
        cmocka_unit_test(goaway_ends_new_work_and_has_a_deadline),
        cmocka_unit_test(an_ended_peer_still_gets_its_reply),
        cmocka_unit_test(the_peers_error_is_the_reason_of_the_close),
        cmocka_unit_test(a_peer_that_reads_nothing_is_cut),
        cmocka_unit_test(the_two_roles_understand_each_other),
        cmocka_unit_test(the_documented_conversation_holds),
        cmocka_unit_test(a_client_subscribes_as_told),
        cmocka_unit_test(a_client_gives_up_on_silence),
    };
    buffer_init(&wire, 16u << 20);
    return cmocka_run_group_tests_name("protocol/stream_life", tests, NULL, NULL);
}
