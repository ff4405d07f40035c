/* Datagrams: what is read, who is never listened to, who is answered and with how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/battery/rig.h"
#include "protocol/datagram/envelope.h"
#include "protocol/datagram/peers.h"

#define EVENT(id) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"t\"}"
#define QUERY(id) \
    "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"query\"}"

static void from(struct rig *rig, const char *source, struct slice bytes) {
    struct address address;
    assert_true(address_parse(slice_from(source), &address));
    rig->protocol->datagram(rig->state, bytes, &address, rig->now);
}

static void accepted(struct rig *rig, bool answers) {
    rig_setup(rig, &protocol_datagram, PROTOCOL_ACCEPTED);
    rig->settle_as = STATUS_COUNT;
    rig->setup.answers = answers;
    rig->setup.limits.message = 1200;
    rig_open(rig);
}

static struct message message;
static uint8_t message_room[4096];
static uint8_t data[2000];

static const struct message *made(enum message_kind kind, size_t size) {
    static struct buffer extra;
    buffer_init_fixed(&extra, message_room, sizeof message_room);
    rig_message(&message, &extra, kind, "m", slice_make(data, size));
    return &message;
}

static void the_first_byte_says_the_encoding(void **state) {
    (void)state;
    static const struct {
        struct slice bytes;
        const char *log;
    } cases[] = {
        {SLICE(EVENT("a")), "message 1 id=a event data=0\n"},
        {SLICE("[" EVENT("a") "," EVENT("b") "]"), "message 1 id=a event data=0\nmessage 2 id=b event data=0\n"},
        {SLICE("[]"), ""},
        {SLICE("\x0a\1a\x12\2/s\x1a\0031.0\x22\1t"), "message 1 id=a event data=0\n"},
        {SLICE("\xf5itu\1"), "invalid not-supported: this place takes no envelopes: it has no `envelope`\n"},
        {SLICE(""), ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        accepted(&rig, false);
        from(&rig, "10.0.0.1:5000", cases[i].bytes);
        assert_string_equal(rig_log(&rig), cases[i].log);
        rig_done(&rig);
    }
}

static void what_is_no_event_is_invalid_as_a_whole(void **state) {
    (void)state;
    static const struct slice cases[] = {
        SLICE("hello"), SLICE(" " EVENT("a")), SLICE(EVENT("a") "x"), SLICE("[" EVENT("a") ",{}]"), SLICE("["), SLICE("\0"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        accepted(&rig, true);
        from(&rig, "10.0.0.1:5000", cases[i]);
        assert_int_equal(rig.invalid, 1);
        assert_int_equal(rig.received, 0);
        assert_int_equal(chain_unsent(&rig.out), 0); /* and nobody is told */
        rig_done(&rig);
    }
}

static void some_sources_are_never_listened_to(void **state) {
    (void)state;
    static const struct {
        const char *source;
        bool taken;
    } cases[] = {
        {"10.0.0.1:5000", true},       {"10.0.0.1:0", false},      {"10.0.0.1:7", false},   {"10.0.0.1:19", false},
        {"10.0.0.1:53", false},        {"10.0.0.1:123", false},    {"10.0.0.1:1900", false}, {"224.0.0.1:5000", false},
        {"255.255.255.255:5000", false}, {"0.0.0.0:5000", false},  {"[ff02::1]:5000", false}, {"[::]:5000", false},
        {"[2001:db8::1]:5000", true},  {"[::ffff:239.1.1.1]:5000", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        accepted(&rig, true);
        from(&rig, cases[i].source, SLICE_OF(EVENT("a")));
        assert_int_equal(rig.received, cases[i].taken);
        assert_int_equal(rig.invalid, !cases[i].taken);
        rig_done(&rig);
    }
}

static struct slice wrapped_source, wrapped_type;

static void note_wrapped(struct rig *rig, uint64_t token, const struct message *m) {
    static char texts[2][64];
    (void)rig;
    (void)token;
    struct slice source = message_text(m, ATTRIBUTE_SOURCE), type = message_text(m, ATTRIBUTE_TYPE);
    memcpy(texts[0], source.data, source.size);
    memcpy(texts[1], type.data, type.size);
    wrapped_source = slice_make(texts[0], source.size);
    wrapped_type = slice_make(texts[1], type.size);
}

static void raw_ones_are_data_alone(void **state) {
    (void)state;
    static const struct protocol_default defaults[] = {{SLICE("messagetype"), SLICE("query")}};
    struct rig rig;
    rig_setup(&rig, &protocol_datagram, PROTOCOL_ACCEPTED);
    rig.settle_as = STATUS_COUNT;
    rig.setup.format = PROTOCOL_FORMAT_RAW;
    rig.setup.system = SLICE_OF("beacons");
    rig.setup.answers = true;
    rig.setup.defaults = defaults;
    rig.setup.default_count = 1;
    rig.on_message = note_wrapped;
    rig_open(&rig);
    assert_true(rig.sink.terms.keep);
    from(&rig, "10.0.0.1:5000", SLICE_OF("[\xf5{"));
    assert_int_equal(rig.last_kind, KIND_QUERY);
    assert_true(slice_is(wrapped_source, "/systems/beacons") && slice_is(wrapped_type, "intertie.udp.datagram.v1"));
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 1), STATUS_NOT_REPRESENTABLE);
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 2), 0, 1), STATUS_OK);
    assert_int_equal(chain_unsent(&rig.out), 2);
    rig_done(&rig);
    rig_setup(&rig, &protocol_datagram, PROTOCOL_DIALLED);
    rig.setup.format = PROTOCOL_FORMAT_RAW;
    rig.setup.limits.message = 1200;
    rig_open(&rig);
    assert_int_equal(rig_send(&rig, made(KIND_EVENT, 1201)), STATUS_TOO_LARGE);
    assert_int_equal(rig_send(&rig, made(KIND_EVENT, 1200)), STATUS_OK);
    assert_int_equal(chain_unsent(&rig.out), 1200);
    rig_done(&rig);
}

static void too_large_ones_are_refused(void **state) {
    (void)state;
    static uint8_t big[1201];
    struct rig rig;
    accepted(&rig, false);
    memset(big, ' ', sizeof big);
    memcpy(big, EVENT("a"), strlen(EVENT("a")));
    from(&rig, "10.0.0.1:5000", slice_make(big, 1200));
    assert_int_equal(rig.received, 1);
    from(&rig, "10.0.0.1:5000", slice_make(big, 1201));
    assert_string_equal(strstr(rig_log(&rig), "invalid"), "invalid too-large: datagram is larger than the limit\n");
    rig_done(&rig);
}

static void without_leave_nothing_is_answered(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig, false);
    assert_false(rig.sink.terms.inline_reply);
    assert_false(rig.sink.terms.can_reply);
    assert_int_equal(rig.sink.room.messages, 0);
    from(&rig, "10.0.0.1:5000", SLICE_OF(QUERY("a")));
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 1), STATUS_NOT_SUPPORTED);
    rig.protocol->settle(rig.state, 1, 1, STATUS_NO_ROUTE, 0, rig.now);
    assert_int_equal(chain_unsent(&rig.out), 0);
    rig_done(&rig);
}

static void a_reply_goes_to_who_asked(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig, true);
    assert_true(rig.sink.terms.inline_reply);
    from(&rig, "10.0.0.1:5000", SLICE_OF(QUERY("a")));
    from(&rig, "10.0.0.2:6000", SLICE_OF(QUERY("b")));
    from(&rig, "10.0.0.3:6000", SLICE_OF(EVENT("c")));
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 2), STATUS_OK);
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 2), STATUS_NOT_SUPPORTED); /* once */
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 3), STATUS_NOT_SUPPORTED); /* it didn't ask */
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 1), STATUS_OK);
    assert_int_equal(rig.out.count, 2);
    assert_int_equal(chain_piece(&rig.out, 0)->to.port, 6000);
    assert_int_equal(chain_piece(&rig.out, 1)->to.port, 5000);
    assert_int_equal(rig.out.pieces[0].block->data[chain_piece(&rig.out, 0)->at], '{');
    rig_done(&rig);
}

static void no_more_than_three_bytes_leave_for_one_that_came(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig, true);
    from(&rig, "10.0.0.1:5000", SLICE_OF(QUERY("a"))); /* 76 bytes */
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 200), 0, 1), STATUS_TOO_LARGE);
    assert_int_equal(chain_unsent(&rig.out), 0);
    for (int i = 0; i < 40; i++)
        from(&rig, "10.0.0.1:5000", SLICE_OF(EVENT("more")));
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 200), 0, 1), STATUS_OK);
    from(&rig, "10.0.0.1:5000", SLICE_OF(QUERY("b")));
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 1300), 0, 42), STATUS_TOO_LARGE); /* never above 1200 */
    rig_done(&rig);
}

static void peers_and_requests_are_bounded(void **state) {
    (void)state;
    struct rig rig;
    char source[32];
    int64_t live = memory_live();
    accepted(&rig, true);
    rig.quiet = true;
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(source, sizeof source, "10.0.%u.%u:5000", i / 250, i % 250 + 1);
        from(&rig, source, SLICE_OF(QUERY("a")));
    }
    assert_int_equal(rig.received, 1024);
    assert_int_equal(rig.invalid, 3000 - 1024);
    assert_true(memory_live() - live < PEERS_MAX + 10);
    assert_int_not_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 1), STATUS_OK); /* its peer is forgotten */
    rig.protocol->settle(rig.state, 1, 1024, STATUS_REPLY_TIMEOUT, 0, rig.now);
    from(&rig, "10.0.0.1:5000", SLICE_OF(QUERY("a")));
    assert_int_equal(rig.received, 1025);
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 1025), STATUS_OK);
    rig_done(&rig);
    assert_int_equal(memory_live(), live);
}

static void one_message_is_one_datagram(void **state) {
    (void)state;
    for (int proto = 0; proto < 2; proto++) {
        struct rig rig, back;
        rig_setup(&rig, &protocol_datagram, PROTOCOL_DIALLED);
        rig.setup.limits.message = 1200;
        rig.setup.encoding = proto ? ENCODING_PROTO : ENCODING_JSON;
        rig_open(&rig);
        assert_true(rig.sink.room.messages > 0);
        assert_int_equal(rig_send(&rig, made(KIND_EVENT, 100)), STATUS_OK);
        assert_int_equal(rig_send(&rig, made(KIND_EVENT, 2000)), STATUS_TOO_LARGE);
        assert_int_equal(rig_send(&rig, made(KIND_COMMAND, 0)), STATUS_OK);
        assert_int_equal(rig.out.count, 2);
        accepted(&back, false);
        for (uint32_t i = 0; i < 2; i++) {
            const struct chain_piece *piece = chain_piece(&rig.out, i);
            assert_int_equal(piece->to.family, ADDRESS_NONE);
            from(&back, "10.0.0.1:5000", slice_make(piece->block->data + piece->at, piece->size));
        }
        assert_string_equal(rig_log(&back), "message 1 id=m event data=100\nmessage 2 id=m command data=0\n");
        rig_done(&back);
        rig_done(&rig);
    }
}

static void replies_come_from_the_connected_peer_alone(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_datagram, PROTOCOL_DIALLED);
    rig_open(&rig);
    from(&rig, "127.0.0.1:40000", SLICE_OF(EVENT("a")));
    from(&rig, "127.0.0.1:40001", SLICE_OF(EVENT("b")));
    assert_int_equal(rig.received, 1);
    assert_int_equal(rig.invalid, 1);
    rig_done(&rig);
}

static void shutting_down_waits_for_answers(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig, true);
    from(&rig, "10.0.0.1:5000", SLICE_OF(QUERY("a")));
    rig.protocol->shut(rig.state, STATUS_SHUTDOWN, rig.now);
    assert_false(rig.sink.closing);
    assert_int_equal(rig_send_to(&rig, made(KIND_RESPONSE, 0), 0, 1), STATUS_OK);
    assert_true(rig.sink.closing);
    rig_done(&rig);
}

/* -- envelopes -- */

#define SECRET_KID 0x9f9f5111u /* of SHA-256("0123456789abcdef") */

static void with_secrets(struct rig *rig, enum protocol_role role) {
    static struct protocol_secret secrets[2];
    secrets[0] = (struct protocol_secret){SLICE_OF("0123456789abcdef"), SECRET_KID};
    secrets[1] = (struct protocol_secret){SLICE_OF("an older secret!"), 7};
    rig_setup(rig, &protocol_datagram, role);
    rig->settle_as = STATUS_COUNT;
    rig->setup.secrets = secrets;
    rig->setup.secret_count = 2;
    rig->setup.answers = role == PROTOCOL_ACCEPTED;
    rig->setup.limits.message = 1200;
    rig->now.wall.ns = INT64_C(1700000000) * NS_PER_S;
    rig_open(rig);
}

static struct slice sealed(const struct rig *rig, unsigned key, const char *event, int64_t after_ms, uint64_t nonce) {
    static uint8_t datagram[1300];
    size_t size = strlen(event);
    memcpy(datagram + ENVELOPE_SIZE, event, size);
    envelope_seal(datagram, size, &rig->setup.secrets[key], ENVELOPE_TO_LISTENER, rig->now.wall.ns / NS_PER_MS + after_ms, nonce);
    return slice_make(datagram, ENVELOPE_SIZE + size);
}

static void only_envelopes_are_taken_once_and_in_time(void **state) {
    (void)state;
    struct rig rig;
    with_secrets(&rig, PROTOCOL_ACCEPTED);
    assert_int_equal(envelope_kid(rig.setup.secrets[0].secret), SECRET_KID);
    from(&rig, "10.0.0.1:5000", SLICE_OF(EVENT("a")));
    assert_string_equal(rig_log(&rig), "invalid unauthenticated: an envelope is required here\n");
    from(&rig, "10.0.0.1:5000", sealed(&rig, 0, EVENT("b"), 0, 1));
    from(&rig, "10.0.0.1:5000", sealed(&rig, 1, EVENT("c"), 0, 1)); /* another secret's nonces are its own */
    assert_int_equal(rig.received, 2);
    from(&rig, "10.9.9.9:6000", sealed(&rig, 0, EVENT("b"), 0, 1));
    assert_non_null(strstr(rig_log(&rig), "invalid duplicate: envelope with a nonce that was taken already\n"));
    from(&rig, "10.0.0.1:5000", sealed(&rig, 0, EVENT("d"), 30001, 2));
    assert_non_null(strstr(rig_log(&rig), "invalid expired: envelope whose time is more than 30s off\n"));
    from(&rig, "10.0.0.1:5000", sealed(&rig, 0, EVENT("d"), -1, 3)); /* may have been taken before we were there */
    assert_non_null(strstr(rig_log(&rig), "invalid expired: envelope was made before this listener was opened\n"));
    rig.now.wall.ns += 10 * NS_PER_S;
    from(&rig, "10.0.0.1:5000", sealed(&rig, 0, EVENT("d"), -9999, 4));
    assert_int_equal(rig.received, 3);
    assert_int_equal(chain_unsent(&rig.out), 0); /* nobody is told anything */
    rig_done(&rig);
}

/* From the one's chain into the other. */
static void hand_over(struct rig *from_rig, uint32_t index, struct rig *to_rig, const char *source) {
    const struct chain_piece *piece = chain_piece(&from_rig->out, index);
    assert_non_null(piece);
    from(to_rig, source, slice_make(piece->block->data + piece->at, piece->size));
}

static void answers_come_in_envelopes_too_and_once(void **state) {
    (void)state;
    struct rig listener, dialler;
    with_secrets(&listener, PROTOCOL_ACCEPTED);
    with_secrets(&dialler, PROTOCOL_DIALLED);
    assert_int_equal(rig_send(&dialler, made(KIND_QUERY, 100)), STATUS_OK);
    hand_over(&dialler, 0, &listener, "10.0.0.1:5000");
    assert_int_equal(listener.last_kind, KIND_QUERY);
    hand_over(&dialler, 0, &dialler, "127.0.0.1:40000"); /* sent back to who made it */
    assert_non_null(strstr(rig_log(&dialler), "invalid unauthenticated: an envelope is required here\n"));
    assert_int_equal(rig_send_to(&listener, made(KIND_RESPONSE, 10), 0, 1), STATUS_OK);
    hand_over(&listener, 0, &dialler, "127.0.0.1:40000");
    assert_int_equal(dialler.received, 1);
    hand_over(&listener, 0, &dialler, "127.0.0.1:40000");
    assert_int_equal(dialler.received, 1);
    assert_non_null(strstr(rig_log(&dialler), "invalid duplicate: envelope of an answer that nobody waits for\n"));
    hand_over(&listener, 0, &listener, "10.0.0.1:5000");
    assert_int_equal(listener.received, 1);
    rig_done(&listener);
    rig_done(&dialler);
}

static void an_envelope_counts_within_the_limit(void **state) {
    (void)state;
    struct rig rig;
    with_secrets(&rig, PROTOCOL_DIALLED);
    rig_send(&rig, made(KIND_EVENT, 100));
    size_t around = chain_unsent(&rig.out) - 100;
    assert_int_equal(rig_send(&rig, made(KIND_EVENT, 1300)), STATUS_TOO_LARGE);
    for (size_t size = 700; size < 1200; size++) {
        uint64_t before = rig.out.added;
        enum status status = rig_send(&rig, made(KIND_EVENT, size));
        assert_true(status == STATUS_OK || status == STATUS_TOO_LARGE);
        assert_true(rig.out.added - before <= 1200);
    }
    assert_true(around > ENVELOPE_SIZE);
    rig_done(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_byte_says_the_encoding),
        cmocka_unit_test(what_is_no_event_is_invalid_as_a_whole),
        cmocka_unit_test(some_sources_are_never_listened_to),
        cmocka_unit_test(raw_ones_are_data_alone),
        cmocka_unit_test(too_large_ones_are_refused),
        cmocka_unit_test(without_leave_nothing_is_answered),
        cmocka_unit_test(a_reply_goes_to_who_asked),
        cmocka_unit_test(no_more_than_three_bytes_leave_for_one_that_came),
        cmocka_unit_test(peers_and_requests_are_bounded),
        cmocka_unit_test(one_message_is_one_datagram),
        cmocka_unit_test(replies_come_from_the_connected_peer_alone),
        cmocka_unit_test(shutting_down_waits_for_answers),
        cmocka_unit_test(only_envelopes_are_taken_once_and_in_time),
        cmocka_unit_test(answers_come_in_envelopes_too_and_once),
        cmocka_unit_test(an_envelope_counts_within_the_limit),
    };
    return cmocka_run_group_tests_name("protocol/datagram", tests, NULL, NULL);
}
