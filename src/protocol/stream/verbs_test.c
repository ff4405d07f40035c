/* Stream v1: what the user may do at any time, and the members of control frames, each refusal by its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/battery/rig.h"
#include "protocol/stream/control.h"
#include "protocol/stream/frame.h"

static struct buffer wire;

static void feed_frame(struct rig *rig, unsigned type, struct slice payload) {
    uint8_t header[FRAME_HEADER];
    frame_put_header(header, (uint32_t)payload.size, (uint8_t)type, 0);
    rig_feed(rig, slice_make(header, sizeof header));
    if (payload.size)
        rig_feed(rig, payload);
}

static void open_as(struct rig *rig, enum protocol_role role, const char *words) {
    rig_setup(rig, &protocol_stream1, role);
    rig_open(rig);
    rig_feed(rig, slice_make("\xf5its\1\0\0\0", PREFACE_SIZE));
    feed_frame(rig, role == PROTOCOL_DIALLED ? FRAME_WELCOME : FRAME_HELLO, slice_from(words));
    assert_false(rig->sink.closing);
    buffer_clear(&wire);
    rig_take(rig, &wire);
    buffer_clear(&wire);
}

/* The only frame that was written since the last time. */
static struct slice frame_of(struct rig *rig, unsigned type) {
    buffer_clear(&wire);
    rig_take(rig, &wire);
    struct slice bytes = buffer_slice(&wire);
    assert_true(bytes.size >= FRAME_HEADER);
    assert_int_equal(bytes.data[4], type);
    assert_int_equal(bytes.size, FRAME_HEADER + frame_get32(bytes.data));
    return slice_skip(bytes, FRAME_HEADER);
}

static bool has(struct slice text, const char *part) {
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static struct message message;
static uint8_t room[1024];
static uint8_t large[60000];

static const struct message *made(enum message_kind kind, size_t size) {
    struct buffer extra;
    buffer_init_fixed(&extra, room, sizeof room);
    memset(large, 'x', sizeof large);
    rig_message(&message, &extra, kind, "a", slice_make(large, size));
    return &message;
}

/* -- verbs -- */

static void a_cancel_names_what_was_sent_and_nothing_else(void **state) {
    (void)state;
    struct rig rig;
    open_as(&rig, PROTOCOL_ACCEPTED, "{\"enc\":[\"json\"]}");
    rig.protocol->cancel(rig.state, 1, rig.now); /* nothing was sent */
    assert_int_equal(chain_unsent(&rig.out), 0);
    assert_int_equal(rig_send(&rig, made(KIND_QUERY, 3)), STATUS_OK);
    (void)frame_of(&rig, FRAME_MSG);
    rig.protocol->cancel(rig.state, 0, rig.now);
    rig.protocol->cancel(rig.state, 2, rig.now);
    assert_int_equal(chain_unsent(&rig.out), 0);
    rig.protocol->cancel(rig.state, 1, rig.now);
    struct slice payload = frame_of(&rig, FRAME_CANCEL);
    assert_int_equal(payload.size, 8);
    assert_int_equal(frame_get64(payload.data), 1);
    rig_end(&rig);
    assert_true(rig.sink.closing);
    rig.protocol->cancel(rig.state, 1, rig.now);
    assert_int_equal(chain_unsent(&rig.out), 0);
    rig_done(&rig);
}

static void a_message_of_any_size_leaves_whole(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 12000, 16000, 16384, 40000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct rig rig;
        struct message back;
        struct message_fault fault;
        struct buffer extra;
        uint8_t extra_room[1024];
        open_as(&rig, PROTOCOL_ACCEPTED, "{\"enc\":[\"proto\"]}");
        assert_int_equal(rig_send(&rig, made(KIND_EVENT, sizes[i])), STATUS_OK);
        struct slice payload = frame_of(&rig, FRAME_MSG);
        struct message_rules rules = {.size_max = 1u << 20};
        buffer_init_fixed(&extra, extra_room, sizeof extra_room);
        struct slice event = slice_skip(payload, FRAME_MSG_HEADER);
        assert_int_equal(message_decode_proto(&back, event, &extra, &rules, &fault), STATUS_OK);
        assert_int_equal(message_data_size(&back), sizes[i]);
        /* and as it came, on a connection that speaks the same */
        uint64_t before = rig.out.added;
        assert_int_equal(rig_send(&rig, &back), STATUS_OK);
        assert_int_equal(rig.out.added - before, FRAME_HEADER + FRAME_MSG_HEADER + event.size);
        rig_done(&rig);
    }
}

static void past_the_peers_frame_limit_nothing_is_written(void **state) {
    (void)state;
    struct rig rig;
    static uint8_t data[90000];
    struct buffer extra;
    open_as(&rig, PROTOCOL_ACCEPTED, "{\"enc\":[\"proto\"]}");
    buffer_init_fixed(&extra, room, sizeof room);
    rig_message(&message, &extra, KIND_EVENT, "a", slice_make(data, sizeof data));
    assert_int_equal(rig_send(&rig, &message), STATUS_TOO_LARGE);
    assert_int_equal(chain_unsent(&rig.out), 0);
    assert_int_equal(rig_send(&rig, made(KIND_EVENT, 3)), STATUS_OK); /* token and seq are as before */
    assert_int_equal(frame_get64(frame_of(&rig, FRAME_MSG).data), 1);
    rig_done(&rig);
}

static void credit_in_bytes_ends_the_room(void **state) {
    (void)state;
    struct rig rig;
    open_as(&rig, PROTOCOL_ACCEPTED, "{\"enc\":[\"json\"],\"credit\":{\"msgs\":100,\"bytes\":300}}");
    assert_int_equal(rig.sink.room.messages, 100);
    assert_int_equal(rig_send(&rig, made(KIND_EVENT, 0)), STATUS_OK);
    assert_true(rig.sink.room.messages > 0);
    assert_int_equal(rig_send(&rig, made(KIND_EVENT, 200)), STATUS_OK);
    assert_int_equal(rig.sink.room.messages, 0);
    rig_done(&rig);
}

static void shut_before_the_handshake_says_why(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_stream1, PROTOCOL_ACCEPTED);
    rig_open(&rig);
    rig_feed(&rig, slice_make("\xf5its\1\0\0\0", PREFACE_SIZE));
    buffer_clear(&wire);
    rig_take(&rig, &wire);
    rig.protocol->shut(rig.state, STATUS_SHUTDOWN, rig.now);
    assert_true(has(frame_of(&rig, FRAME_ERROR), "{\"code\":11,\"slug\":\"shutdown\"}"));
    assert_int_equal(rig.sink.close_status, STATUS_SHUTDOWN);
    rig.protocol->tick(rig.state, rig.now); /* what comes late changes nothing */
    rig.protocol->shut(rig.state, STATUS_GOING_AWAY, rig.now);
    assert_int_equal(chain_unsent(&rig.out), 0);
    assert_int_equal(rig.sink.close_status, STATUS_SHUTDOWN);
    rig_done(&rig);
}

static void one_goodbye_is_enough_and_ends_subscribing(void **state) {
    (void)state;
    struct rig rig;
    open_as(&rig, PROTOCOL_ACCEPTED, "{\"enc\":[\"json\"]}");
    assert_int_equal(rig_send(&rig, made(KIND_QUERY, 3)), STATUS_OK);
    (void)frame_of(&rig, FRAME_MSG);
    rig.protocol->shut(rig.state, STATUS_GOING_AWAY, rig.now);
    (void)frame_of(&rig, FRAME_GOAWAY);
    rig.protocol->shut(rig.state, STATUS_SHUTDOWN, rig.now);
    assert_int_equal(chain_unsent(&rig.out), 0);
    feed_frame(&rig, FRAME_SUBSCRIBE, SLICE_OF("{\"sub\":1,\"filter\":\"EXISTS id\"}"));
    struct slice result = frame_of(&rig, FRAME_RESULT);
    assert_true(has(result, "\"status\":503"));
    assert_true(has(result, "this connection is about to close"));
    rig_done(&rig);
}

/* Who isn't let in hears why: the preface and one ERROR frame, whole or not at all. */
static void who_is_not_let_in_is_told_whole(void **state) {
    (void)state;
    char out[256];
    size_t size = protocol_stream1.refusal(STATUS_TOO_MANY_CONNECTIONS, out, sizeof out);
    struct slice answer = slice_make(out, size);
    assert_true(slice_starts(answer, slice_make("\xf5its\1\0\0\0", PREFACE_SIZE)));
    struct slice frame = slice_skip(answer, PREFACE_SIZE);
    assert_int_equal(frame.data[4], FRAME_ERROR);
    assert_int_equal(frame.size, FRAME_HEADER + frame_get32(frame.data));
    assert_true(has(frame, "{\"code\":12,\"slug\":\"too-many-connections\"}"));
    for (size_t room_left = 0; room_left < size; room_left++)
        assert_int_equal(protocol_stream1.refusal(STATUS_TOO_MANY_CONNECTIONS, out, room_left), 0);
}

/* -- members of control frames -- */

struct wish {
    const char *json;
    enum status status;
    const char *words; /* part of them */
};

static void what_a_subscription_may_say(void **state) {
    (void)state;
    static const struct wish wishes[] = {
        {"{}", STATUS_OK, ""},
        {"{\"filter\":\"EXISTS id\",\"group\":\"g\",\"max_inflight\":4294967295,\"ack\":true,\"from\":\"new\"}", STATUS_OK, ""},
        {"{\"group\":null}", STATUS_OK, ""},
        {"{\"ack\":\"yes\"}", STATUS_MALFORMED_CONTROL, "`ack` must be true or false"},
        {"{\"durable\":\"d\"}", STATUS_NOT_SUPPORTED, "`durable` subscriptions are not supported yet"},
        {"{\"filters\":[]}", STATUS_NOT_SUPPORTED, "`filters` is not supported yet"},
        {"{\"from\":\"earliest\"}", STATUS_NOT_SUPPORTED, "`from`: \"earliest\" is not supported yet"},
        {"{\"from\":\"old\"}", STATUS_MALFORMED_CONTROL, "`from` must be"},
        {"{\"max_inflight\":4294967296}", STATUS_MALFORMED_CONTROL, "`max_inflight` is too big"},
    };
    for (size_t i = 0; i < COUNT_OF(wishes); i++) {
        struct control control;
        struct message_fault fault = {0};
        struct protocol_subscription subscription;
        struct buffer text;
        buffer_init_fixed(&text, room, sizeof room);
        assert_true(control_read(&control, slice_from(wishes[i].json), &text, &fault));
        enum status status = control_subscription(&control, &subscription, &fault);
        if (status != wishes[i].status || !strstr(fault.text, wishes[i].words))
            fail_msg("%s: %s: %s", wishes[i].json, status_reason(status), fault.text);
    }
}

static void what_is_no_control_object(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", "[]", "{", "{}x", "{\"sub\":-1}", "{\"sub\":1.5}", "{\"sub\":9223372036854775808}", "{\"sub\":\"1\"}",
        "{\"client\":1}", "{\"client\":\"\\ud800\"}", "{\"auth\":[]}", "{\"auth\":{\"token\":1}}", "{\"enc\":{}}",
        "{\"sub\":1,\"sub\":1}", "{\"auth\":{},\"auth\":{}}", "{\"x\":}", "{\"sub\":tru}", "{\"auth\":{\"x\":]}}",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct control control;
        struct message_fault fault = {0};
        struct buffer text;
        buffer_init_fixed(&text, room, sizeof room);
        if (control_read(&control, slice_from(wrong[i]), &text, &fault))
            fail_msg("%s is taken", wrong[i]);
        assert_true(fault.text[0]);
    }
}

static void what_a_hello_may_say_of_itself(void **state) {
    (void)state;
    static const struct {
        struct wish wish;
        bool auth, keys_refused;
    } rows[] = {
        {{"{}", STATUS_OK, ""}, false, false},
        {{"{\"auth\":{\"method\":\"none\"}}", STATUS_OK, ""}, false, true},
        {{"{\"auth\":{\"token\":\"itk_x\"}}", STATUS_OK, ""}, true, false},
        {{"{\"auth\":{\"method\":\"bearer\",\"token\":\"itk_x\"}}", STATUS_OK, ""}, true, false},
        {{"{}", STATUS_UNAUTHENTICATED, "a key is required here"}, true, false},
        {{"{\"auth\":{\"method\":\"none\"}}", STATUS_UNAUTHENTICATED, "a key is required here"}, true, false},
        {{"{\"auth\":{\"method\":\"jwt\"}}", STATUS_UNAUTHENTICATED, "this `auth.method` is not supported yet"}, false, false},
        {{"{\"auth\":{\"method\":\"bearer\"}}", STATUS_UNAUTHENTICATED, "`auth.token` is missing"}, false, false},
        {{"{\"auth\":{\"method\":\"none\",\"token\":\"itk_x\"}}", STATUS_UNAUTHENTICATED, "comes with the method"}, false, false},
        {{"{\"auth\":{\"token\":\"itk_x\"}}", STATUS_UNAUTHENTICATED, "keys in clear text are refused"}, true, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct protocol_setup setup = {.auth = rows[i].auth, .keys_refused = rows[i].keys_refused};
        struct protocol_hello hello = {0};
        struct control control;
        struct message_fault fault = {0};
        struct buffer text;
        buffer_init_fixed(&text, room, sizeof room);
        assert_true(control_read(&control, slice_from(rows[i].wish.json), &text, &fault));
        enum status status = control_identity(&control, &setup, false, &hello, &fault);
        if (status != rows[i].wish.status || !strstr(fault.text, rows[i].wish.words))
            fail_msg("%s: %s: %s", rows[i].wish.json, status_reason(status), fault.text);
        assert_int_equal(hello.key.size > 0, status == STATUS_OK && strstr(rows[i].wish.json, "itk_") != NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancel_names_what_was_sent_and_nothing_else),
        cmocka_unit_test(a_message_of_any_size_leaves_whole),
        cmocka_unit_test(past_the_peers_frame_limit_nothing_is_written),
        cmocka_unit_test(credit_in_bytes_ends_the_room),
        cmocka_unit_test(shut_before_the_handshake_says_why),
        cmocka_unit_test(one_goodbye_is_enough_and_ends_subscribing),
        cmocka_unit_test(who_is_not_let_in_is_told_whole),
        cmocka_unit_test(what_a_subscription_may_say),
        cmocka_unit_test(what_is_no_control_object),
        cmocka_unit_test(what_a_hello_may_say_of_itself),
    };
    buffer_init(&wire, 16u << 20);
    return cmocka_run_group_tests_name("protocol/stream_verbs", tests, NULL, NULL);
}
