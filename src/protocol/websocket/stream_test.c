/* Stream v1 as messages of a WebSocket: one frame in each, no preface; what breaks that, and how it ends. */
#include "protocol/battery/rig.h"
#include "protocol/stream/fixture.h"
#include "protocol/websocket/websocket.h"

static void begin(struct rig *rig, enum protocol_role role) {
    rig_setup(rig, &protocol_websocket_stream, role);
    rig->acts_as = SLICE_OF("crm");
    rig_open(rig);
}

/* A message of the peer's: masked by nothing where it is a client. */
static void feed_message(struct rig *rig, unsigned opcode, struct slice payload, bool final) {
    static const uint8_t key[4];
    uint8_t head[WS_HEAD_MAX];
    struct buffer out;
    bool is_client = rig->setup.role == PROTOCOL_ACCEPTED;
    buffer_init(&out, 4u << 20);
    size_t size = ws_head_write(head, opcode, false, payload.size, is_client ? key : NULL);
    if (!final)
        head[0] &= 0x7f;
    buffer_add(&out, slice_make(head, size));
    buffer_add(&out, payload);
    rig_feed(rig, buffer_slice(&out));
    buffer_done(&out);
}

static void feed_as_message(struct rig *rig, unsigned type, unsigned flags, struct slice payload) {
    struct buffer out;
    buffer_init(&out, 4u << 20);
    put_frame(&out, type, flags, payload);
    feed_message(rig, WS_BINARY, buffer_slice(&out), true);
    buffer_done(&out);
}

#define HELLO "{\"system\":\"crm\",\"enc\":[\"json\"]}"

/* The next message that left: its opcode, and its payload in `ret`. */
static unsigned next_message(struct slice *left, struct slice *ret) {
    struct ws_head head;
    const char *words;
    assert_int_equal(ws_head_read(&head, *left, &words), WS_DONE);
    assert_true(head.fin && !head.rsv1 && left->size >= head.size + head.payload);
    *ret = slice_make(left->data + head.size, (size_t)head.payload);
    if (head.masked)
        ws_mask((uint8_t *)(uintptr_t)ret->data, ret->data, ret->size, head.key);
    *left = slice_skip(*left, head.size + (size_t)head.payload);
    return head.opcode;
}

/* It is one frame, of that type. */
static void is_frame(struct slice payload, unsigned type) {
    assert_true(payload.size >= FRAME_HEADER);
    assert_int_equal(frame_get32(payload.data), payload.size - FRAME_HEADER);
    assert_int_equal(payload.data[4], type);
}

static void hello(struct rig *rig) {
    feed_as_message(rig, FRAME_HELLO, 0, SLICE_OF(HELLO));
    struct slice left = output(rig), payload;
    assert_int_equal(next_message(&left, &payload), WS_BINARY);
    is_frame(payload, FRAME_WELCOME);
    assert_int_equal(left.size, 0);
    rig_log(rig);
}

static void each_frame_is_a_message_and_there_is_no_preface(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, PROTOCOL_ACCEPTED);
    assert_int_equal(output(&rig).size, 0);
    hello(&rig);
    uint8_t msg[FRAME_MSG_HEADER + sizeof EVENT - 1] = {0};
    frame_put64(msg, 1);
    memcpy(msg + FRAME_MSG_HEADER, EVENT, sizeof EVENT - 1);
    feed_as_message(&rig, FRAME_MSG, 0, slice_make(msg, sizeof msg));
    assert_int_equal(rig.received, 1);
    struct slice left = output(&rig), payload;
    assert_int_equal(next_message(&left, &payload), WS_BINARY);
    is_frame(payload, FRAME_ACK);
    assert_int_equal(left.size, 0);
    rig_done(&rig);
    begin(&rig, PROTOCOL_DIALLED);
    left = output(&rig);
    assert_int_equal(next_message(&left, &payload), WS_BINARY);
    is_frame(payload, FRAME_HELLO);
    assert_int_equal(left.size, 0);
    rig_done(&rig);
}

static void a_frame_may_come_in_parts_with_pings_between(void **state) {
    (void)state;
    struct rig rig;
    struct buffer frame;
    struct slice payload;
    buffer_init(&frame, 65536);
    begin(&rig, PROTOCOL_ACCEPTED);
    put_frame(&frame, FRAME_HELLO, 0, SLICE_OF(HELLO));
    feed_message(&rig, WS_BINARY, slice_head(buffer_slice(&frame), 5), false);
    feed_message(&rig, WS_PING, SLICE_OF("here?"), true);
    struct slice left = output(&rig);
    assert_int_equal(next_message(&left, &payload), WS_PONG);
    assert_true(slice_is(payload, "here?"));
    feed_message(&rig, WS_CONTINUATION, slice_skip(buffer_slice(&frame), 5), true);
    left = output(&rig);
    assert_int_equal(next_message(&left, &payload), WS_BINARY);
    is_frame(payload, FRAME_WELCOME);
    buffer_done(&frame);
    rig_done(&rig);
}

#define FRAME(size, type, text) "\0\0\0" size type "\0\0\0" text

static void what_is_not_one_frame_is_refused_with_its_code(void **state) {
    static const struct { const char *name; unsigned opcode; struct slice payload; unsigned code; } cases[] = {
        {"text", WS_TEXT, SLICE("{}"), 1003},
        {"nothing", WS_BINARY, SLICE(""), 1002},
        {"half a header", WS_BINARY, SLICE("\0\0\0"), 1002},
        {"half a frame", WS_BINARY, SLICE(FRAME("\x09", "\x0a", "1234567")), 1002},
        {"two frames", WS_BINARY, SLICE(FRAME("\x08", "\x0a", "12345678") FRAME("\x08", "\x0a", "12345678")), 1002},
        {"a preface", WS_BINARY, SLICE("\xf5its\1\0\0\0"), 1002},
        {"an unknown opcode", 3, SLICE(""), 1002},
        {"a continuation of nothing", WS_CONTINUATION, SLICE(""), 1002},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        begin(&rig, PROTOCOL_ACCEPTED);
        hello(&rig);
        feed_message(&rig, cases[i].opcode, cases[i].payload, true);
        struct slice left = output(&rig), payload;
        assert_int_equal(next_message(&left, &payload), WS_CLOSE);
        if ((unsigned)(payload.data[0] << 8 | payload.data[1]) != cases[i].code)
            fail_msg("%s: %d", cases[i].name, payload.data[0] << 8 | payload.data[1]);
        assert_int_equal(rig.invalid, 1);
        rig_done(&rig);
    }
}

/* What stream v1 itself refuses it says in its own words, then WebSocket says goodbye. */
static void errors_of_the_stream_come_before_the_goodbye(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, PROTOCOL_ACCEPTED);
    hello(&rig);
    feed_as_message(&rig, FRAME_CREDIT, 0, SLICE_OF("x"));
    struct slice left = output(&rig), payload;
    assert_int_equal(next_message(&left, &payload), WS_BINARY);
    is_frame(payload, FRAME_ERROR);
    assert_int_equal(next_message(&left, &payload), WS_CLOSE);
    assert_int_equal(left.size, 0);
    assert_false(rig.sink.closing); /* its answer is waited for */
    feed_message(&rig, WS_CLOSE, SLICE_OF("\x03\xea"), true);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_MALFORMED_CONTROL);
    rig_done(&rig);
}

static void a_peer_that_does_not_answer_a_goodbye_is_left(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, PROTOCOL_ACCEPTED);
    hello(&rig);
    feed_as_message(&rig, FRAME_CREDIT, 0, SLICE_OF("x"));
    output(&rig);
    rig_wait(&rig, WEBSOCKET_CLOSE_NS + NS_PER_S);
    assert_true(rig.sink.closing);
    rig_done(&rig);
}

static void a_shutdown_is_a_goaway_then_a_close(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, PROTOCOL_ACCEPTED);
    hello(&rig);
    rig.protocol->shut(rig.state, STATUS_GOING_AWAY, rig.now);
    struct slice left = output(&rig), payload;
    assert_int_equal(next_message(&left, &payload), WS_BINARY);
    is_frame(payload, FRAME_GOAWAY);
    assert_int_equal(next_message(&left, &payload), WS_CLOSE); /* nothing is open: there is nothing to wait for */
    assert_int_equal(payload.data[0] << 8 | payload.data[1], 1001);
    feed_message(&rig, WS_CLOSE, SLICE_OF("\x03\xe9"), true);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_GOING_AWAY);
    rig_done(&rig);
}

static void a_peers_goodbye_is_answered_and_nothing_follows_it(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, PROTOCOL_ACCEPTED);
    hello(&rig);
    feed_message(&rig, WS_CLOSE, SLICE_OF("\x03\xe8"), true);
    struct slice left = output(&rig), payload;
    assert_int_equal(next_message(&left, &payload), WS_CLOSE);
    assert_int_equal(left.size, 0);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_PEER_CLOSED);
    rig_done(&rig);
}

/* A frame may be as large as WELCOME says, not one byte larger. */
static void frames_have_the_size_that_was_agreed_on(void **state) {
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct rig rig;
        begin(&rig, PROTOCOL_ACCEPTED);
        hello(&rig);
        size_t size = rig.setup.limits.message + FRAME_MSG_HEADER + FRAME_HEADER + (size_t)over;
        uint8_t *bytes = calloc(1, size);
        assert_non_null(bytes);
        frame_put_header(bytes, (uint32_t)(size - FRAME_HEADER), FRAME_MSG, 0);
        frame_put64(bytes + FRAME_HEADER, 1);
        feed_message(&rig, WS_BINARY, slice_make(bytes, size), true);
        struct slice left = output(&rig), payload;
        assert_int_equal(next_message(&left, &payload), over ? WS_CLOSE : WS_BINARY);
        if (over)
            assert_int_equal(payload.data[0] << 8 | payload.data[1], 1009);
        else
            is_frame(payload, FRAME_ACK); /* zeros are no event: it is refused by itself */
        free(bytes);
        rig_done(&rig);
    }
}

static void who_was_known_in_the_handshake_need_not_say_it_again(void **state) {
    (void)state;
    for (int says = 0; says < 2; says++) {
        struct ws_agreed agreed = {.content = WS_STREAM};
        struct rig rig;
        rig_setup(&rig, &protocol_websocket_stream, PROTOCOL_ACCEPTED);
        rig.setup.auth = true;
        assert_true(ws_gift_put(&rig.worker, &agreed, true));
        struct ws_gift *gift = rig.worker.gift;
        memcpy(gift->key, "itk_a", gift->key_size = 5);
        memcpy(gift->system, "crm", gift->system_size = 3);
        rig_open(&rig);
        feed_as_message(&rig, FRAME_HELLO, 0, says ? SLICE_OF("{\"system\":\"erp\",\"auth\":{\"method\":\"bearer\",\"token\":\"itk_b\"}}") : SLICE_OF("{}"));
        const char *log = rig_log(&rig);
        assert_non_null(strstr(log, says ? "system=erp key=itk_b" : "system=crm key=itk_a"));
        rig_done(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_is_a_message_and_there_is_no_preface),
        cmocka_unit_test(a_frame_may_come_in_parts_with_pings_between),
        cmocka_unit_test(what_is_not_one_frame_is_refused_with_its_code),
        cmocka_unit_test(errors_of_the_stream_come_before_the_goodbye),
        cmocka_unit_test(a_peer_that_does_not_answer_a_goodbye_is_left),
        cmocka_unit_test(a_shutdown_is_a_goaway_then_a_close),
        cmocka_unit_test(a_peers_goodbye_is_answered_and_nothing_follows_it),
        cmocka_unit_test(frames_have_the_size_that_was_agreed_on),
        cmocka_unit_test(who_was_known_in_the_handshake_need_not_say_it_again),
    };
    buffer_init(&wire, 16u << 20);
    return cmocka_run_group_tests_name("protocol/websocket_stream", tests, NULL, NULL);
}
