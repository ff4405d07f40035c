/* Frames of a connection: each rule of RFC 6455 and 7692 that can be broken, whole and byte by byte; pings; goodbyes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/battery/rig.h"
#include "protocol/websocket/deflate.h"
#include "protocol/websocket/websocket.h"

#define MAX 200 /* limits.message */

static uint32_t message_max = MAX;
static size_t last_size; /* of the data that came last */
static char seen[4096]; /* payloads that came, each in <> */

static void note_payload(struct rig *rig, uint64_t token, const struct message *message) {
    uint8_t room[1024];
    struct buffer out;
    (void)rig;
    (void)token;
    buffer_init_fixed(&out, room, sizeof room);
    last_size = message_data_size(message);
    message_data_write(message, &out);
    size_t used = strlen(seen);
    snprintf(seen + used, sizeof seen - used, "<%.*s>", SLICE_ARG(buffer_slice(&out)));
}

static void begin(struct rig *rig, enum protocol_role role, enum ws_content content, bool deflate) {
    struct ws_agreed agreed = {.content = content, .deflate = deflate};
    rig_setup(rig, &protocol_websocket, role);
    rig->setup.system = SLICE_OF("ticks");
    rig->setup.format = content == WS_PLAIN ? PROTOCOL_FORMAT_RAW : PROTOCOL_FORMAT_AUTO;
    rig->setup.limits.message = message_max;
    rig->setup.websocket.ping_ns = 20 * NS_PER_S;
    rig->setup.timeouts.idle_ns = 300 * NS_PER_S;
    rig->on_message = note_payload;
    seen[0] = '\0';
    assert_true(ws_gift_put(&rig->worker, &agreed, true));
    rig_open(rig);
}

static struct slice taken(struct rig *rig) {
    static uint8_t room[8192];
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    rig_take(rig, &out);
    return buffer_slice(&out);
}

/* The code of the close frame that left; 0: none did. */
static unsigned close_code_of(struct slice wire) {
    struct ws_head head;
    const char *words;
    while (wire.size && ws_head_read(&head, wire, &words) == WS_DONE) {
        if (head.opcode == WS_CLOSE)
            return (unsigned)(wire.data[head.size] << 8 | wire.data[head.size + 1]);
        wire = slice_skip(wire, head.size + (size_t)head.payload);
    }
    return 0;
}

#define K "\0\0\0\0" /* a mask that changes nothing */
#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

static const struct {
    const char *name;
    struct slice wire;
    const char *payloads;
    unsigned code; /* of our close frame; 0: it goes on */
    bool deflate;
} rules[] = {
    {"text", SLICE("\x81\x83" K "one"), "<one>", 0, false},
    {"binary", SLICE("\x82\x83" K "\xff\xfe\xfd"), "<\xff\xfe\xfd>", 0, false},
    {"nothing", SLICE("\x81\x80" K), "<>", 0, false},
    {"three parts", SLICE("\x01\x81" K "a\x00\x81" K "b\x80\x81" K "c"), "<abc>", 0, false},
    {"parts of nothing", SLICE("\x01\x80" K "\x00\x80" K "\x80\x80" K), "<>", 0, false},
    {"a ping between parts", SLICE("\x01\x81" K "a\x89\x80" K "\x80\x81" K "b"), "<ab>", 0, false},
    {"two messages", SLICE("\x81\x81" K "a\x81\x81" K "b"), "<a><b>", 0, false},
    {"parts, then one", SLICE("\x01\x81" K "a\x80\x81" K "b\x81\x81" K "c"), "<ab><c>", 0, false},
    {"a pong that nobody asked for", SLICE("\x8a\x81" K "x\x81\x81" K "a"), "<a>", 0, false},
    {"not masked", SLICE("\x81\x03one"), "", 1002, false},
    {"RSV1 without an extension", SLICE("\xc1\x83" K "one"), "", 1002, false},
    {"RSV2", SLICE("\xa1\x83" K "one"), "", 1002, true},
    {"RSV3", SLICE("\x91\x83" K "one"), "", 1002, true},
    {"RSV1 on a continuation", SLICE("\x41\x80" K "\xc0\x80" K), "", 1002, true},
    {"RSV1 on a ping", SLICE("\xc9\x80" K), "", 1002, true},
    {"opcode 3", SLICE("\x83\x80" K), "", 1002, false},
    {"opcode 7", SLICE("\x87\x80" K), "", 1002, false},
    {"opcode 11", SLICE("\x8b\x80" K), "", 1002, false},
    {"opcode 15", SLICE("\x8f\x80" K), "", 1002, false},
    {"a ping of 126 bytes", SLICE("\x89\xfe\x00\x7e" K), "", 1002, false},
    {"a ping in parts", SLICE("\x09\x80" K), "", 1002, false},
    {"a close in parts", SLICE("\x08\x80" K), "", 1002, false},
    {"a continuation of nothing", SLICE("\x80\x81" K "a"), "", 1002, false},
    {"a continuation behind the end", SLICE("\x81\x81" K "a\x80\x81" K "b"), "<a>", 1002, false},
    {"a message in a message", SLICE("\x01\x81" K "a\x81\x81" K "b"), "", 1002, false},
    {"16 bits for 125", SLICE("\x81\xfe\x00\x7d" K), "", 1002, false},
    {"64 bits for 65535", SLICE("\x81\xff\0\0\0\0\0\0\xff\xff" K), "", 1002, false},
    {"a length with its highest bit", SLICE("\x81\xff\x80\0\0\0\0\0\0\0" K), "", 1002, false},
    {"text that is not UTF-8", SLICE("\x81\x82" K "\xc3\x28"), "", 1007, false},
    {"text that ends in a character", SLICE("\x81\x81" K "\xc3"), "", 1007, false},
    {"a character in two parts", SLICE("\x01\x81" K "\xc3\x80\x81" K "\xa9"), "<\xc3\xa9>", 0, false},
    {"half a surrogate, in a first part", SLICE("\x01\x82" K "\xed\xa0"), "", 1007, false},
    {"one byte past the limit", SLICE("\x81\xfe\x00\xc9" K), "", 1009, false},
    {"just the limit", SLICE("\x81\xfe\x00\xc8" K A100 A100), "<" A100 A100 ">", 0, false},
    {"parts past the limit", SLICE("\x01\xe4" K A100 "\x00\xe4" K A100 "\x80\x81" K), "", 1009, false},
    {"a close", SLICE("\x88\x82" K "\x03\xe8"), "", 1000, false},
    {"a close with 4000 and a reason", SLICE("\x88\x85" K "\x0f\xa0" "bye"), "", 4000, false},
    {"a close of one byte", SLICE("\x88\x81" K "\x03"), "", 1002, false},
    {"a close with 1005", SLICE("\x88\x82" K "\x03\xed"), "", 1002, false},
    {"a close with 1016", SLICE("\x88\x82" K "\x03\xf8"), "", 1002, false},
    {"a close with 2999", SLICE("\x88\x82" K "\x0b\xb7"), "", 1002, false},
    {"a close with 65535", SLICE("\x88\x82" K "\xff\xff"), "", 1002, false},
    {"a close whose reason is not UTF-8", SLICE("\x88\x83" K "\x03\xe8\xff"), "", 1007, false},
    {"deflated", SLICE("\xc1\x87" K "\xf2\x48\xcd\xc9\xc9\x07\x00"), "<Hello>", 0, true},
    {"deflated, in parts", SLICE("\x41\x83" K "\xf2\x48\xcd\x80\x84" K "\xc9\xc9\x07\x00"), "<Hello>", 0, true},
    {"not deflated, though it might be", SLICE("\x81\x83" K "one"), "<one>", 0, true},
    {"what is no deflate", SLICE("\xc1\x84" K "\xff\xff\xff\xff"), "", 1007, true},
    {"deflated text that is not UTF-8", SLICE("\xc1\x87" K "\x00\x01\x00\xfe\xff\xff\x00"), "", 1007, true},
};

static void each_rule_has_its_answer(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        for (size_t step = 1; step <= rules[i].wire.size; step += step == 1 ? 1 : rules[i].wire.size) {
            struct rig rig;
            begin(&rig, PROTOCOL_ACCEPTED, WS_PLAIN, rules[i].deflate);
            size_t part = step == 1 ? 1 : rules[i].wire.size;
            for (size_t at = 0; at < rules[i].wire.size && !rig.sink.closing; at += part)
                rig_feed(&rig, slice_head(slice_skip(rules[i].wire, at), part));
            unsigned code = close_code_of(taken(&rig));
            if (strcmp(seen, rules[i].payloads) != 0 || code != rules[i].code || rig.sink.closing != (code != 0))
                fail_msg("%s (by %zu): %s, close %u (%s)", rules[i].name, part, seen, code,
                         rig.sink.closing ? status_reason(rig.sink.close_status) : "goes on");
            rig_done(&rig);
        }
}

static void a_server_that_masks_is_refused_by_who_dialled(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig, PROTOCOL_DIALLED, WS_PLAIN, false);
    rig_feed(&rig, SLICE_OF("\x81\x03one"));
    assert_string_equal(seen, "<one>");
    rig_feed(&rig, SLICE_OF("\x81\x83" K "two"));
    assert_true(rig.sink.closing && rig.sink.close_status == STATUS_PROTOCOL_ERROR);
    struct slice wire = taken(&rig);
    assert_true(wire.size > 6 && wire.data[0] == 0x88 && wire.data[1] & 0x80); /* our close is masked */
    rig_done(&rig);
}

static void subprotocols_have_their_kind_of_message(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig, PROTOCOL_ACCEPTED, WS_JSON, false);
    rig_feed(&rig, SLICE_OF("\x82\x82" K "{}"));
    assert_int_equal(close_code_of(taken(&rig)), 1003);
    rig_done(&rig);
    begin(&rig, PROTOCOL_ACCEPTED, WS_PROTO, false);
    rig_feed(&rig, SLICE_OF("\x81\x82" K "{}"));
    assert_int_equal(close_code_of(taken(&rig)), 1003);
    rig_done(&rig);
}

static void pings_are_answered_in_order_with_what_they_brought(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig, PROTOCOL_ACCEPTED, WS_PLAIN, false);
    rig_feed(&rig, SLICE_OF("\x89\x82" K "p1\x89\x80" K "\x89\x82" K "p3"));
    assert_true(slice_equal(taken(&rig), SLICE_OF("\x8a\x02p1\x8a\x00\x8a\x02p3")));
    rig_done(&rig);
}

static void a_flood_of_pings_ends_it(void **state) {
    struct rig rig;
    unsigned count = 0;
    (void)state;
    begin(&rig, PROTOCOL_ACCEPTED, WS_PLAIN, false);
    for (; !rig.sink.closing && count < 200; count++)
        rig_feed(&rig, SLICE_OF("\x89\x80" K));
    assert_int_equal(count, UNITS_CONTROL_RATE + 1);
    assert_int_equal(close_code_of(taken(&rig)), 1008);
    rig_done(&rig);
    begin(&rig, PROTOCOL_ACCEPTED, WS_PLAIN, false);
    for (unsigned second = 0; second < 3; second++, rig_wait(&rig, NS_PER_S))
        for (unsigned i = 0; i < UNITS_CONTROL_RATE; i++)
            rig_feed(&rig, SLICE_OF("\x89\x80" K));
    assert_false(rig.sink.closing);
    rig_done(&rig);
}

static void a_silent_peer_is_asked_and_then_left(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig, PROTOCOL_ACCEPTED, WS_PLAIN, false);
    rig_wait(&rig, 21 * NS_PER_S);
    assert_true(slice_equal(taken(&rig), SLICE_OF("\x89\x08intertie")));
    rig_feed(&rig, SLICE_OF("\x8a\x88" K "intertie"));
    rig_wait(&rig, 20 * NS_PER_S);
    assert_int_equal(taken(&rig).size, 0); /* it has just spoken */
    rig_wait(&rig, 20 * NS_PER_S);
    assert_true(slice_equal(taken(&rig), SLICE_OF("\x89\x08intertie")));
    rig_wait(&rig, 20 * NS_PER_S);
    assert_int_equal(close_code_of(taken(&rig)), 1001);
    assert_false(rig.sink.closing); /* it may still say goodbye */
    rig_wait(&rig, 6 * NS_PER_S);
    assert_true(rig.sink.closing && rig.sink.close_status == STATUS_HEARTBEAT_TIMEOUT);
    rig_done(&rig);
}

static void our_goodbye_waits_for_its_answer(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig, PROTOCOL_ACCEPTED, WS_PLAIN, false);
    rig.protocol->shut(rig.state, STATUS_SHUTDOWN, rig.now);
    assert_int_equal(close_code_of(taken(&rig)), 1001);
    assert_false(rig.sink.closing);
    rig_feed(&rig, SLICE_OF("\x81\x81" K "x")); /* too late */
    assert_string_equal(seen, "");
    rig_feed(&rig, SLICE_OF("\x88\x82" K "\x03\xe9"));
    assert_true(rig.sink.closing && rig.sink.close_status == STATUS_SHUTDOWN);
    assert_int_equal(taken(&rig).size, 0); /* a close is answered once */
    rig_done(&rig);
}

static void a_goodbye_that_nobody_answers_ends_after_five_seconds(void **state) {
    struct rig rig;
    (void)state;
    begin(&rig, PROTOCOL_ACCEPTED, WS_PLAIN, false);
    rig.protocol->shut(rig.state, STATUS_SHUTDOWN, rig.now);
    rig_wait(&rig, 4900 * NS_PER_MS);
    assert_false(rig.sink.closing);
    rig_wait(&rig, 200 * NS_PER_MS);
    assert_true(rig.sink.closing && rig.sink.close_status == STATUS_SHUTDOWN);
    rig_done(&rig);
}

static void large_messages_leave_deflated_and_come_back(void **state) {
    struct rig rig, peer;
    static char text[6000];
    uint8_t room[8192];
    struct buffer extra, wire;
    struct message message, again;
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "a line of text, "[i % 16];
    message_max = 65536;
    for (int role = 0; role < 2; role++) {
        begin(&rig, (enum protocol_role)role, WS_JSON, true);
        begin(&peer, (enum protocol_role)!role, WS_JSON, true);
        buffer_init_fixed(&extra, room, sizeof room);
        rig_message(&message, &extra, KIND_EVENT, "m", slice_make(text, sizeof text));
        buffer_init(&wire, 65536);
        assert_int_equal(rig_send(&rig, &message), STATUS_OK);
        rig_take(&rig, &wire);
        assert_true(wire.size < 1000 && wire.data[0] == 0xc1);
        assert_true(rig.protocol->recover(rig.state, buffer_slice(&wire), &again));
        assert_int_equal(message_data_size(&again), sizeof text);
        rig_feed(&peer, buffer_slice(&wire));
        assert_int_equal(peer.received, 1);
        assert_int_equal(last_size, sizeof text);
        buffer_done(&wire);
        rig_done(&rig);
        rig_done(&peer);
    }
    message_max = MAX;
}

static void a_bomb_is_refused(void **state) {
    struct rig rig;
    struct ws_zip *zip = NULL;
    struct buffer packed;
    static uint8_t zeros[1 << 20];
    uint8_t head[WS_HEAD_MAX];
    (void)state;
    message_max = 64u << 20;
    begin(&rig, PROTOCOL_DIALLED, WS_PLAIN, true);
    message_max = MAX;
    buffer_init(&packed, sizeof zeros + 16);
    assert_true(ws_deflate(&zip, slice_make(zeros, sizeof zeros), 15, &packed));
    rig_feed(&rig, slice_make(head, ws_head_write(head, WS_BINARY, true, packed.size, NULL)));
    rig_feed(&rig, buffer_slice(&packed));
    assert_true(rig.sink.closing && rig.sink.close_status == STATUS_TOO_LARGE);
    ws_zip_done(&zip);
    buffer_done(&packed);
    rig_done(&rig);
}

/* -- the dialled role's handshake -- */

static void dial(struct rig *rig) {
    rig_setup(rig, &protocol_websocket_dial, PROTOCOL_DIALLED);
    rig->setup.host = SLICE_OF("feed.example:8080");
    rig->setup.path = SLICE_OF("/v2?x=1");
    rig->setup.websocket.contents = WS_CONTENT_BIT(WS_JSON);
    rig->setup.limits.header = 4096;
    rig->setup.limits.fields = 50;
    rig_open(rig);
}

/* The answer to what `rig` asked. */
static struct slice answer_to(struct slice request) {
    static uint8_t room[1024];
    struct buffer out;
    struct http1_head head;
    struct ws_rules may = {.contents = WS_CONTENT_OURS, .deflate = true};
    struct ws_agreed agreed;
    const char *words;
    assert_int_equal(http1_parse_request(&head, request, (struct http1_limits){4096, 50}), HTTP1_DONE);
    assert_true(slice_is(head.target, "/v2?x=1") && slice_is(head.host, "feed.example:8080"));
    assert_int_equal(ws_request_check(&head, &may, &agreed, &words), STATUS_OK);
    buffer_init_fixed(&out, room, sizeof room);
    ws_answer_write(&head, &agreed, &out);
    return buffer_slice(&out);
}

static void who_dials_asks_and_becomes_a_websocket(void **state) {
    struct rig rig;
    (void)state;
    dial(&rig);
    assert_true(rig.sink.greets && rig.sink.room.messages == 0);
    struct slice answer = answer_to(taken(&rig));
    for (size_t i = 0; i < answer.size; i++)
        rig_feed(&rig, slice_make(answer.data + i, 1));
    assert_int_equal(rig.becomes, 1);
    assert_true(!rig.sink.greets && rig.sink.room.messages > 0);
    rig_done(&rig);
}

static void what_comes_right_behind_the_answer_is_read(void **state) {
    static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}";
    struct rig rig;
    struct buffer wire;
    uint8_t room[2048], head[WS_HEAD_MAX];
    (void)state;
    dial(&rig);
    buffer_init_fixed(&wire, room, sizeof room);
    buffer_add(&wire, answer_to(taken(&rig)));
    buffer_add(&wire, slice_make(head, ws_head_write(head, WS_TEXT, false, sizeof event - 1, NULL)));
    buffer_add_text(&wire, event);
    rig_feed(&rig, buffer_slice(&wire));
    assert_int_equal(rig.received, 1);
    rig_done(&rig);
}

static void a_refused_handshake_is_a_failed_dial(void **state) {
    static const struct {
        const char *answer;
        enum status status;
    } rows[] = {
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", STATUS_FORBIDDEN},
        {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", STATUS_UPSTREAM_ERROR},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", STATUS_UPSTREAM_ERROR},
        {"SSH-2.0-x\r\n\r\n", STATUS_UPSTREAM_ERROR},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rig rig;
        dial(&rig);
        rig_feed(&rig, slice_from(rows[i].answer));
        assert_true(rig.sink.closing && rig.sink.greets);
        assert_string_equal(status_reason(rig.sink.close_status), status_reason(rows[i].status));
        rig_done(&rig);
    }
    struct rig rig;
    dial(&rig);
    rig_wait(&rig, 60 * NS_PER_S);
    assert_true(rig.sink.closing && rig.sink.close_status == STATUS_HEAD_TIMEOUT);
    rig_done(&rig);
    dial(&rig);
    rig_end(&rig);
    assert_true(rig.sink.closing && rig.sink.close_status == STATUS_PEER_CLOSED);
    rig_done(&rig);
}

/* Its deadline for a hello is over; what is left is the peer's time to answer our close frame. */
static void a_stranger_is_sent_off_without_haste(void **state) {
    struct ws_agreed agreed = {.content = WS_JSON};
    struct rig rig;
    (void)state;
    rig_setup(&rig, &protocol_websocket, PROTOCOL_ACCEPTED);
    rig.setup.auth = true;
    assert_true(ws_gift_put(&rig.worker, &agreed, false));
    rig_open(&rig);
    assert_true(rig.sink.due.ns == RIG_START_NS + 2 * NS_PER_S); /* timeouts.auth */
    rig.now.mono = rig.sink.due;
    rig.protocol->tick(rig.state, rig.now);
    assert_int_equal(close_code_of(taken(&rig)), status_row(STATUS_AUTH_TIMEOUT)->websocket);
    assert_false(rig.sink.closing);
    assert_true(rig.sink.due.ns == RIG_START_NS + 7 * NS_PER_S); /* not now, again and again */
    rig_wait(&rig, 5 * NS_PER_S);
    assert_true(rig.sink.closing && rig.sink.close_status == STATUS_AUTH_TIMEOUT);
    rig_done(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_is_sent_off_without_haste),
        cmocka_unit_test(each_rule_has_its_answer),
        cmocka_unit_test(a_server_that_masks_is_refused_by_who_dialled),
        cmocka_unit_test(subprotocols_have_their_kind_of_message),
        cmocka_unit_test(pings_are_answered_in_order_with_what_they_brought),
        cmocka_unit_test(a_flood_of_pings_ends_it),
        cmocka_unit_test(a_silent_peer_is_asked_and_then_left),
        cmocka_unit_test(our_goodbye_waits_for_its_answer),
        cmocka_unit_test(a_goodbye_that_nobody_answers_ends_after_five_seconds),
        cmocka_unit_test(large_messages_leave_deflated_and_come_back),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(who_dials_asks_and_becomes_a_websocket),
        cmocka_unit_test(what_comes_right_behind_the_answer_is_read),
        cmocka_unit_test(a_refused_handshake_is_a_failed_dial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
