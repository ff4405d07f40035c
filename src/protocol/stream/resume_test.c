/* Resume of stream v1: a session between two connections, in every state that matters, at both ends. */
#include "protocol/battery/rig.h"
#include "protocol/stream/fixture.h"

#define RESUMABLE "{\"enc\":[\"json\"],\"expiry_ms\":60000}"

static struct slice kept_name;
static bool resume_as;
static unsigned resumes;

static bool on_keep(void *user, struct slice session) {
    (void)user;
    kept_name = session;
    return true;
}

static bool on_resume(void *user, struct slice session) {
    (void)user;
    (void)session;
    resumes++;
    return resume_as;
}

static void setup(struct rig *rig, enum protocol_role role) {
    rig_setup(rig, &protocol_stream1, role);
    rig->settle_as = STATUS_COUNT;
    rig->setup.encoding = ENCODING_JSON;
    rig->setup.expiry_ns = 60 * NS_PER_S;
    rig->setup.limits.window = 8;
    rig->calls.keep = on_keep;
    rig->calls.resume = on_resume;
}

static void open_resumable(struct rig *rig) {
    setup(rig, PROTOCOL_ACCEPTED);
    open_with(rig, RESUMABLE);
}

static const struct protocol_session *session_of(const struct rig *rig) {
    return protocol_stream1.session(rig->state);
}

/* As the connection room does when the transport is lost. */
static bool lose(struct rig *rig) {
    struct mono until = protocol_stream1.detach(rig->state, rig->now);
    chain_done(&rig->out);
    chain_init(&rig->out, &rig->pool, false);
    buffer_clear(&rig->partial);
    rig->sink.closing = rig->sink.reading_done = rig->ended = false;
    rig->sink.room = (struct protocol_room){0};
    rig->sink.due = MONO_NEVER;
    return until.ns > rig->now.mono.ns;
}

/* And when the client is back: the HELLO that asked for it is read again. */
static void come_back(struct rig *rig, uint64_t rx, uint64_t acked) {
    char hello[256];
    protocol_stream1.attach(rig->state, &rig->setup, &rig->sink, rig->now);
    snprintf(hello, sizeof hello, "{\"enc\":[\"json\"],\"expiry_ms\":60000,\"resume\":{\"session\":\"%.*s\",\"rx\":%u,\"acked\":%u}}",
             SLICE_ARG(kept_name), (unsigned)rx, (unsigned)acked);
    feed_text(rig, FRAME_HELLO, hello);
}

static void send_one(struct rig *rig, const char *id) {
    uint8_t room[1024];
    struct buffer extra;
    struct message message;
    buffer_init_fixed(&extra, room, sizeof room);
    rig_message(&message, &extra, KIND_EVENT, id, slice_make(NULL, 0));
    assert_int_equal(rig_send(rig, &message), STATUS_OK);
}

/* All frames that were written, in short: `W msg1 ack2(1:rejected) credit`. */
static const char *story(struct rig *rig) {
    static char text[1024];
    static const char *const outcomes[] = {"accepted", "rejected", "retry", "duplicate", "expired"};
    struct slice bytes = output(rig);
    size_t size = 0;
    text[0] = '\0';
    while (bytes.size) {
        unsigned type;
        struct slice payload = next_frame(&bytes, &type, NULL);
        if (type == FRAME_MSG) {
            size += (size_t)snprintf(text + size, sizeof text - size, "msg%u ", (unsigned)frame_get64(payload.data));
        } else if (type == FRAME_ACK) {
            unsigned count = frame_get16(payload.data + 8);
            size += (size_t)snprintf(text + size, sizeof text - size, "ack%u", (unsigned)frame_get64(payload.data));
            for (unsigned i = 0; i < count; i++) {
                const uint8_t *at = payload.data + FRAME_ACK_HEADER + i * FRAME_ACK_ENTRY;
                size += (size_t)snprintf(text + size, sizeof text - size, "(%u:%s)", (unsigned)frame_get64(at), outcomes[at[8]]);
            }
            size += (size_t)snprintf(text + size, sizeof text - size, " ");
        } else {
            size += (size_t)snprintf(text + size, sizeof text - size, "%s ", type == FRAME_WELCOME ? "welcome" : type == FRAME_CREDIT ? "credit" : type == FRAME_ERROR ? "error" : "other");
        }
    }
    return text;
}

static void a_session_has_a_name_where_both_want_it_to_last(void **state) {
    static const struct {
        const char *hello, *has;
        int64_t expiry_ns;
        bool named;
    } rows[] = {
        {RESUMABLE, "\"expiry_ms\":60000", 60 * NS_PER_S, true},
        {"{\"expiry_ms\":5000}", "\"expiry_ms\":5000", 60 * NS_PER_S, true},
        {"{\"expiry_ms\":3600000}", "\"expiry_ms\":60000", 60 * NS_PER_S, true},
        {"{}", "\"expiry_ms\":0", 60 * NS_PER_S, false},
        {RESUMABLE, "\"expiry_ms\":0", 0, false},
        {"{\"expiry_ms\":60000,\"ack\":false}", "\"expiry_ms\":0", 60 * NS_PER_S, false}, /* what isn't acknowledged can't be resumed */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig rig;
        setup(&rig, PROTOCOL_ACCEPTED);
        rig.setup.expiry_ns = rows[i].expiry_ns;
        rig_open(&rig);
        rig_feed(&rig, slice_make(PREFACE, 8));
        feed_text(&rig, FRAME_HELLO, rows[i].hello);
        struct slice bytes = output(&rig);
        assert_true(contains(bytes, rows[i].has));
        assert_true(contains(bytes, "\"resumed\":false"));
        assert_int_equal(session_of(&rig) ? session_of(&rig)->name.size : 0, rows[i].named ? 22 : 0);
        assert_int_equal(lose(&rig), rows[i].named);
        rig_done(&rig);
    }
}

static void names_differ_and_tell_nothing(void **state) {
    struct rig a, b;
    char first[32];
    (void)state;
    open_resumable(&a);
    snprintf(first, sizeof first, "%.*s", SLICE_ARG(kept_name));
    open_resumable(&b);
    assert_string_not_equal(first, "");
    assert_int_equal(strlen(first), 22);
    b.worker.sessions = 0;
    rig_done(&a);
    rig_done(&b);
    open_resumable(&a);
    a.worker.secret = 1;
    rig_done(&a);
    setup(&b, PROTOCOL_ACCEPTED);
    b.worker.secret = 2; /* the same number, another secret */
    open_with(&b, RESUMABLE);
    assert_int_not_equal(strncmp(first, (const char *)kept_name.data, 22), 0);
    rig_done(&b);
}

static void what_the_peer_has_not_seen_is_sent_again_with_its_numbers(void **state) {
    static const struct {
        unsigned rx;
        const char *story;
    } rows[] = {{0, "welcome msg1 msg2 msg3 ack0 "}, {1, "welcome msg2 msg3 ack0 "}, {3, "welcome ack0 "}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig rig;
        open_resumable(&rig);
        for (unsigned k = 0; k < 3; k++)
            send_one(&rig, "a");
        assert_string_equal(story(&rig), "msg1 msg2 msg3 ");
        assert_true(lose(&rig));
        come_back(&rig, rows[i].rx, 0);
        assert_string_equal(story(&rig), rows[i].story);
        assert_true(rig.sink.room.messages > 0);
        feed_ack(&rig, 3, 0, NULL);
        assert_int_equal(rig.settled, 3);
        assert_int_equal(session_of(&rig)->kept, 0);
        send_one(&rig, "b");
        assert_string_equal(story(&rig), "msg4 ");
        rig_done(&rig);
    }
}

static void a_message_that_was_settled_is_not_sent_again(void **state) {
    struct rig rig;
    (void)state;
    open_resumable(&rig);
    for (unsigned k = 0; k < 4; k++)
        send_one(&rig, "a");
    feed_ack(&rig, 2, 0, NULL);
    story(&rig);
    assert_true(lose(&rig));
    come_back(&rig, 2, 0);
    assert_string_equal(story(&rig), "welcome msg3 msg4 ack0 ");
    rig_done(&rig);
}

static void what_was_said_of_the_peers_messages_is_said_again(void **state) {
    struct rig rig;
    (void)state;
    open_resumable(&rig);
    for (unsigned seq = 1; seq <= 5; seq++)
        feed_msg(&rig, seq, 0, EVENT);
    protocol_stream1.settle(rig.state, 1, 1, STATUS_OK, 0, rig.now);
    protocol_stream1.settle(rig.state, 2, 2, STATUS_NO_ROUTE, 0, rig.now);
    story(&rig);
    assert_true(lose(&rig));
    /* while nobody is there */
    protocol_stream1.settle(rig.state, 3, 3, STATUS_OVERLOADED, 100, rig.now);
    protocol_stream1.settle(rig.state, 5, 5, STATUS_OK, 0, rig.now);
    assert_int_equal(rig.out.added, 0);
    come_back(&rig, 0, 1);
    assert_string_equal(story(&rig), "welcome ack3(2:rejected)(3:retry)(5:accepted) ");
    feed_msg(&rig, 6, 0, EVENT);
    assert_int_equal(rig.received, 6);
    protocol_stream1.settle(rig.state, 4, 4, STATUS_OK, 0, rig.now);
    assert_string_equal(story(&rig), "ack5 ");
    rig_done(&rig);
}

static void what_the_peer_knows_is_not_said_again(void **state) {
    struct rig rig;
    (void)state;
    open_resumable(&rig);
    for (unsigned seq = 1; seq <= 3; seq++)
        feed_msg(&rig, seq, 0, EVENT);
    protocol_stream1.settle(rig.state, 1, 3, STATUS_NO_ROUTE, 0, rig.now);
    story(&rig);
    assert_true(lose(&rig));
    come_back(&rig, 0, 2);
    assert_string_equal(story(&rig), "welcome ack3(3:rejected) ");
    rig_done(&rig);
}

static void an_invalid_message_is_refused_again(void **state) {
    struct rig rig;
    (void)state;
    open_resumable(&rig);
    feed_msg(&rig, 1, 0, "{}");
    story(&rig);
    assert_true(lose(&rig));
    come_back(&rig, 0, 0);
    assert_string_equal(story(&rig), "welcome ack1(1:rejected) ");
    rig_done(&rig);
}

static void numbers_that_cannot_be_are_a_gap(void **state) {
    static const struct {
        unsigned rx, acked;
    } rows[] = {{4, 0}, {1, 0}, {3, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig rig;
        open_resumable(&rig);
        for (unsigned k = 0; k < 3; k++)
            send_one(&rig, "a");
        feed_ack(&rig, 2, 0, NULL); /* it has seen two at least */
        feed_msg(&rig, 1, 0, EVENT);
        protocol_stream1.settle(rig.state, 1, 1, STATUS_OK, 0, rig.now);
        story(&rig);
        assert_true(lose(&rig));
        come_back(&rig, rows[i].rx, rows[i].acked);
        assert_error(&rig, 14, STATUS_SEQ_GAP);
        assert_false(lose(&rig)); /* who lost count can't come back */
        rig_done(&rig);
    }
}

static void credit_totals_survive(void **state) {
    struct rig rig;
    (void)state;
    setup(&rig, PROTOCOL_ACCEPTED);
    open_with(&rig, "{\"enc\":[\"json\"],\"expiry_ms\":60000,\"credit\":{\"msgs\":2,\"bytes\":100000}}");
    send_one(&rig, "a");
    send_one(&rig, "b");
    assert_int_equal(rig.sink.room.messages, 0);
    assert_true(lose(&rig));
    come_back(&rig, 2, 0);
    assert_int_equal(rig.sink.room.messages, 0); /* what it said before counts */
    feed_ack(&rig, 2, 0, NULL);
    uint8_t credit[16];
    frame_put64(credit, 3);
    frame_put64(credit + 8, 100000);
    feed_frame(&rig, FRAME_CREDIT, 0, slice_make(credit, sizeof credit));
    assert_int_equal(rig.sink.room.messages, 1);
    rig_done(&rig);
}

static void a_goodbye_or_an_error_ends_the_session(void **state) {
    struct rig rig;
    (void)state;
    open_resumable(&rig);
    feed_text(&rig, FRAME_GOAWAY, "{\"code\":11}");
    assert_false(lose(&rig));
    rig_done(&rig);
    open_resumable(&rig);
    protocol_stream1.shut(rig.state, STATUS_GOING_AWAY, rig.now);
    assert_false(lose(&rig));
    rig_done(&rig);
    open_resumable(&rig);
    rig_end(&rig); /* a half close that isn't said is a loss */
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_PEER_CLOSED);
    assert_true(lose(&rig));
    rig_done(&rig);
}

static void a_lost_session_that_is_lost_again_has_no_longer_life(void **state) {
    struct rig rig;
    (void)state;
    open_resumable(&rig);
    assert_true(lose(&rig));
    rig.now.mono.ns += 59 * NS_PER_S;
    protocol_stream1.attach(rig.state, &rig.setup, &rig.sink, rig.now);
    assert_true(lose(&rig)); /* before HELLO */
    rig.now.mono.ns += 2 * NS_PER_S;
    assert_false(lose(&rig));
    rig_done(&rig);
}

static void hello_asks_for_the_session_and_is_left_to_it(void **state) {
    struct rig rig;
    (void)state;
    for (int there = 0; there < 2; there++) {
        setup(&rig, PROTOCOL_ACCEPTED);
        resume_as = there;
        resumes = 0;
        rig_open(&rig);
        rig_feed(&rig, slice_make(PREFACE, 8));
        struct buffer out;
        buffer_init(&out, 4096);
        put_frame(&out, FRAME_HELLO, 0, slice_from("{\"expiry_ms\":1000,\"resume\":{\"session\":\"x\",\"rx\":0,\"acked\":0}}"));
        size_t used = protocol_stream1.feed(rig.state, buffer_slice(&out), false, rig.now);
        assert_int_equal(resumes, 1);
        assert_int_equal(used, there ? 0 : out.size);
        if (!there)
            assert_true(contains(output(&rig), "\"resumed\":false"));
        buffer_done(&out);
        rig_done(&rig);
    }
    resume_as = false;
}

static void there_is_no_room_past_what_is_kept(void **state) {
    enum { SIZE = 700 << 10 };
    static uint8_t room[1024];
    struct rig rig;
    struct buffer extra;
    struct message message;
    char *data = test_malloc(SIZE);
    (void)state;
    memset(data, 'x', SIZE);
    setup(&rig, PROTOCOL_ACCEPTED);
    open_with(&rig, "{\"enc\":[\"json\"],\"expiry_ms\":60000,\"max_frame\":1048576,\"credit\":{\"msgs\":100,\"bytes\":100000000}}");
    for (unsigned i = 0; i < 5; i++) {
        assert_true(rig.sink.room.messages > 0);
        buffer_init_fixed(&extra, room, sizeof room);
        rig_message(&message, &extra, KIND_EVENT, "a", slice_make(data, SIZE));
        assert_int_equal(rig_send(&rig, &message), STATUS_OK);
    }
    assert_int_equal(rig.sink.room.messages, 0); /* 4 MiB */
    assert_true(session_of(&rig)->kept >= 4u << 20);
    feed_ack(&rig, 1, 0, NULL);
    assert_true(rig.sink.room.messages > 0);
    test_free(data);
    rig_done(&rig);
}

/* -- the dialled role -- */

static void a_client_says_where_it_was_and_goes_on(void **state) {
    struct rig rig;
    (void)state;
    setup(&rig, PROTOCOL_DIALLED);
    rig_open(&rig);
    assert_true(contains(output(&rig), "\"expiry_ms\":60000"));
    rig_feed(&rig, slice_make(PREFACE, 8));
    feed_text(&rig, FRAME_WELCOME, "{\"enc\":\"json\",\"session\":\"abc\",\"expiry_ms\":60000}");
    assert_true(slice_is(session_of(&rig)->name, "abc"));
    for (unsigned k = 0; k < 3; k++)
        send_one(&rig, "a");
    feed_msg(&rig, 1, 0, EVENT);
    feed_msg(&rig, 2, 0, EVENT);
    feed_ack(&rig, 1, 0, NULL);
    story(&rig);
    assert_true(lose(&rig));
    protocol_stream1.attach(rig.state, &rig.setup, &rig.sink, rig.now);
    struct slice hello = output(&rig);
    assert_memory_equal(hello.data, PREFACE, 8);
    assert_true(contains(hello, "\"resume\":{\"session\":\"abc\",\"rx\":2,\"acked\":1}"));
    rig_feed(&rig, slice_make(PREFACE, 8));
    assert_int_equal(rig.sink.room.messages, 0); /* not before WELCOME */
    feed_text(&rig, FRAME_WELCOME, "{\"enc\":\"json\",\"session\":\"abc\",\"expiry_ms\":60000,\"resumed\":true,\"rx\":2,\"acked\":0}");
    assert_string_equal(story(&rig), "msg3 ack0 ");
    assert_true(rig.sink.room.messages > 0);
    rig_done(&rig);
}

static void a_client_whose_session_is_gone_begins_anew(void **state) {
    struct rig rig;
    (void)state;
    setup(&rig, PROTOCOL_DIALLED);
    rig_open(&rig);
    rig_feed(&rig, slice_make(PREFACE, 8));
    feed_text(&rig, FRAME_WELCOME, "{\"enc\":\"json\",\"session\":\"abc\",\"expiry_ms\":60000}");
    send_one(&rig, "a");
    output(&rig);
    assert_true(lose(&rig));
    protocol_stream1.attach(rig.state, &rig.setup, &rig.sink, rig.now);
    output(&rig);
    rig_feed(&rig, slice_make(PREFACE, 8));
    feed_text(&rig, FRAME_WELCOME, "{\"enc\":\"json\",\"session\":\"xyz\",\"expiry_ms\":60000,\"resumed\":false}");
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_SESSION_UNKNOWN);
    rig_done(&rig);
}

static void every_failing_allocation_is_survived(void **state) {
    (void)state;
#ifdef INTERTIE_DEBUG
    for (int64_t n = 0, failed = 1; failed; n++) {
        struct rig rig;
        open_resumable(&rig);
        memory_fail_after(n);
        uint8_t room[1024];
        struct buffer extra;
        struct message message;
        buffer_init_fixed(&extra, room, sizeof room);
        rig_message(&message, &extra, KIND_EVENT, "a", slice_make(NULL, 0));
        uint8_t frame[512] = {0};
        frame_put_header(frame, FRAME_MSG_HEADER + 2, FRAME_MSG, 0);
        frame_put64(frame + FRAME_HEADER, 1);
        memcpy(frame + FRAME_HEADER + FRAME_MSG_HEADER, "{}", 2);
        struct protocol_send options = {.token = 1, .attempt = 1};
        bool sent = protocol_stream1.send(rig.state, &message, NULL, &options, rig.now) == STATUS_OK;
        protocol_stream1.feed(rig.state, slice_make(frame, FRAME_HEADER + FRAME_MSG_HEADER + 2), false, rig.now);
        failed = memory_has_failed();
        memory_fail_after(-1);
        bool kept = !rig.sink.closing && lose(&rig);
        if (!failed) {
            assert_true(sent && kept);
            come_back(&rig, 0, 0);
            assert_string_equal(story(&rig), "welcome msg1 ack1(1:rejected) ");
        }
        rig_done(&rig);
    }
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_has_a_name_where_both_want_it_to_last),
        cmocka_unit_test(names_differ_and_tell_nothing),
        cmocka_unit_test(what_the_peer_has_not_seen_is_sent_again_with_its_numbers),
        cmocka_unit_test(a_message_that_was_settled_is_not_sent_again),
        cmocka_unit_test(what_was_said_of_the_peers_messages_is_said_again),
        cmocka_unit_test(what_the_peer_knows_is_not_said_again),
        cmocka_unit_test(an_invalid_message_is_refused_again),
        cmocka_unit_test(numbers_that_cannot_be_are_a_gap),
        cmocka_unit_test(credit_totals_survive),
        cmocka_unit_test(a_goodbye_or_an_error_ends_the_session),
        cmocka_unit_test(a_lost_session_that_is_lost_again_has_no_longer_life),
        cmocka_unit_test(hello_asks_for_the_session_and_is_left_to_it),
        cmocka_unit_test(there_is_no_room_past_what_is_kept),
        cmocka_unit_test(a_client_says_where_it_was_and_goes_on),
        cmocka_unit_test(a_client_whose_session_is_gone_begins_anew),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    buffer_init(&wire, 16u << 20);
    int failed = cmocka_run_group_tests_name("stream_resume", tests, NULL, NULL);
    buffer_done(&wire);
    return failed;
}
