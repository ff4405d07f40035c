/* Framings of TCP streams: what each cuts, refuses and can't say; data alone in both roles; replies by order; greetings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/battery/rig.h"

#define MAX 64 /* limits.message of most tests */

static char seen[4096]; /* payloads that came, each in <> */

static void note_payload(struct rig *rig, uint64_t token, const struct message *message) {
    uint8_t room[512];
    struct buffer out;
    (void)rig;
    (void)token;
    buffer_init_fixed(&out, room, sizeof room);
    message_data_write(message, &out);
    size_t used = strlen(seen);
    snprintf(seen + used, sizeof seen - used, "<%.*s>", SLICE_ARG(buffer_slice(&out)));
}

static void begin(struct rig *rig, const struct protocol *protocol, enum protocol_role role, struct protocol_frame frame) {
    rig_setup(rig, protocol, role);
    rig->setup.frame = frame;
    rig->setup.format = PROTOCOL_FORMAT_RAW;
    rig->setup.system = SLICE_OF("scales");
    rig->setup.limits.message = MAX;
    rig->on_message = note_payload;
    seen[0] = '\0';
}

static void begin_raw(struct rig *rig, struct protocol_frame frame) {
    begin(rig, &protocol_frames, PROTOCOL_ACCEPTED, frame);
    rig_open(rig);
}

static void assert_closed(struct rig *rig, const char *reason) {
    assert_true(rig->sink.closing);
    assert_string_equal(status_reason(rig->sink.close_status), reason);
}

static struct slice taken(struct rig *rig) {
    static struct buffer out;
    static uint8_t room[8192];
    buffer_init_fixed(&out, room, sizeof room);
    rig_take(rig, &out);
    return buffer_slice(&out);
}

static void assert_taken(struct rig *rig, struct slice expected) {
    struct slice is = taken(rig);
    if (!slice_equal(is, expected))
        fail_msg("%.*s left, %.*s was due", SLICE_ARG(is), SLICE_ARG(expected));
}

static enum status send_data(struct rig *rig, enum message_kind kind, struct slice data, uint64_t reply_to) {
    uint8_t room[1024];
    struct buffer extra;
    struct message message;
    buffer_init_fixed(&extra, room, sizeof room);
    rig_message(&message, &extra, kind, "m", data);
    return rig_send_to(rig, &message, 0, reply_to);
}

#define FRAME(kind) {.framing = PROTOCOL_FRAME_##kind}
#define A8 "aaaaaaaa"
#define A64 A8 A8 A8 A8 A8 A8 A8 A8

static const struct {
    const char *name;
    struct protocol_frame frame;
    struct slice wire;
    const char *payloads;
    const char *reason; /* NULL: it goes on */
    const char *at_end; /* the reason when the stream ends behind these bytes; NULL: peer-closed */
} cuts[] = {
    {"lines", FRAME(LINE), SLICE("one\ntwo\r\n\nx\ry\n"), "<one><two><><x\ry>", NULL, NULL},
    {"a line of the greatest size", FRAME(LINE), SLICE(A64 "\r\n"), "<" A64 ">", NULL, NULL},
    {"a line that is one too long", FRAME(LINE), SLICE(A64 "a\n"), "", "too-large", NULL},
    {"crlf", FRAME(CRLF), SLICE("one\r\na\nb\rc\r\n\r\n\r\r\n"), "<one><a\nb\rc><><\r>", NULL, NULL},
    {"crlf of the greatest size", FRAME(CRLF), SLICE(A64 "\r\n"), "<" A64 ">", NULL, NULL},
    {"crlf one too long", FRAME(CRLF), SLICE(A64 "a\r\n"), "", "too-large", NULL},
    {"half a crlf frame", FRAME(CRLF), SLICE("one\r\ntwo\n"), "<one>", NULL, "protocol-error"},
    {"len16be", FRAME(LEN16BE), SLICE("\0\3one\0\0\0\1x"), "<one><><x>", NULL, NULL},
    {"len16be of the greatest size", FRAME(LEN16BE), SLICE("\0\x40" A64), "<" A64 ">", NULL, NULL},
    {"len16be one too large", FRAME(LEN16BE), SLICE("\0\x41"), "", "too-large", NULL},
    {"half a len16be", FRAME(LEN16BE), SLICE("\0"), "", NULL, "protocol-error"},
    {"half a len16be frame", FRAME(LEN16BE), SLICE("\0\3on"), "", NULL, "protocol-error"},
    {"len32be", FRAME(LEN32BE), SLICE("\0\0\0\3one\0\0\0\0\0\0\0\1x"), "<one><><x>", NULL, NULL},
    {"len32be of the greatest size", FRAME(LEN32BE), SLICE("\0\0\0\x40" A64), "<" A64 ">", NULL, NULL},
    {"len32be one too large", FRAME(LEN32BE), SLICE("\0\0\0\x41"), "", "too-large", NULL},
    {"len32be of 4 GiB", FRAME(LEN32BE), SLICE("\xff\xff\xff\xff"), "", "too-large", NULL},
    {"half a len32be frame", FRAME(LEN32BE), SLICE("\0\0\0\1"), "", NULL, "protocol-error"},
    {"varint", FRAME(VARINT), SLICE("\3one\0\1x"), "<one><><x>", NULL, NULL},
    {"varint of the greatest size", FRAME(VARINT), SLICE("\x40" A64), "<" A64 ">", NULL, NULL},
    {"varint one too large", FRAME(VARINT), SLICE("\x41"), "", "too-large", NULL},
    {"varint of two bytes", FRAME(VARINT), SLICE("\x80\1"), "", "too-large", NULL},
    {"a padded varint", FRAME(VARINT), SLICE("\x81\0x"), "", "protocol-error", NULL},
    {"a varint of six bytes", FRAME(VARINT), SLICE("\x80\x80\x80\x80\x80\1"), "", "protocol-error", NULL},
    {"half a varint", FRAME(VARINT), SLICE("\x81"), "", NULL, "protocol-error"},
    {"octet-count", FRAME(OCTET_COUNT), SLICE("3 one11 hello there1 x"), "<one><hello there><x>", NULL, NULL},
    {"octet-count of the greatest size", FRAME(OCTET_COUNT), SLICE("64 " A64), "<" A64 ">", NULL, NULL},
    {"octet-count one too large", FRAME(OCTET_COUNT), SLICE("65 "), "", "too-large", NULL},
    {"octet-count of nothing", FRAME(OCTET_COUNT), SLICE("0 "), "", "protocol-error", NULL},
    {"octet-count with a leading zero", FRAME(OCTET_COUNT), SLICE("03 one"), "", "protocol-error", NULL},
    {"octet-count without digits", FRAME(OCTET_COUNT), SLICE(" one"), "", "protocol-error", NULL},
    {"octet-count with a sign", FRAME(OCTET_COUNT), SLICE("+3 one"), "", "protocol-error", NULL},
    {"octet-count of eleven digits", FRAME(OCTET_COUNT), SLICE("11111111111"), "", "protocol-error", NULL},
    {"octet-count, then a line's end", FRAME(OCTET_COUNT), SLICE("3 one\n"), "<one>", "protocol-error", NULL},
    {"half an octet-count frame", FRAME(OCTET_COUNT), SLICE("3 on"), "", NULL, "protocol-error"},
    {"mllp", FRAME(MLLP), SLICE("\x0bone\x1c\r\x0b\x1c\r\x0bx\ry\x1c\x1c\r"), "<one><><x\ry\x1c>", NULL, NULL},
    {"mllp of the greatest size", FRAME(MLLP), SLICE("\x0b" A64 "\x1c\r"), "<" A64 ">", NULL, NULL},
    {"mllp one too long", FRAME(MLLP), SLICE("\x0b" A64 "a\x1c\r"), "", "too-large", NULL},
    {"mllp with something between", FRAME(MLLP), SLICE("\x0bone\x1c\r\n"), "<one>", "protocol-error", NULL},
    {"half an mllp frame", FRAME(MLLP), SLICE("\x0bone\x1c"), "", NULL, "protocol-error"},
    {"fixed", {PROTOCOL_FRAME_FIXED, .fixed = 3}, SLICE("onetwo"), "<one><two>", NULL, NULL},
    {"half a fixed frame", {PROTOCOL_FRAME_FIXED, .fixed = 3}, SLICE("onetw"), "<one>", NULL, "protocol-error"},
    {"until", {PROTOCOL_FRAME_UNTIL, .until = SLICE("--")}, SLICE("one--a-b----"), "<one><a-b><>", NULL, NULL},
    {"until, of the greatest size", {PROTOCOL_FRAME_UNTIL, .until = SLICE("--")}, SLICE(A64 "--"), "<" A64 ">", NULL, NULL},
    {"until, one too long", {PROTOCOL_FRAME_UNTIL, .until = SLICE("--")}, SLICE(A64 "a--"), "", "too-large", NULL},
    {"half an until frame", {PROTOCOL_FRAME_UNTIL, .until = SLICE("--")}, SLICE("one-"), "", NULL, "protocol-error"},
};

static void check_cut(size_t i, size_t portion, size_t upto) {
    struct rig rig;
    struct slice wire = slice_head(cuts[i].wire, upto);
    begin_raw(&rig, cuts[i].frame);
    for (size_t at = 0; at < wire.size; at += portion)
        rig_feed(&rig, slice_head(slice_skip(wire, at), portion));
    if (upto < cuts[i].wire.size) { /* cut anywhere: no more than the whole says, and the rest may come */
        if (strncmp(seen, cuts[i].payloads, strlen(seen)) != 0)
            fail_msg("%s cut at %zu: %s", cuts[i].name, upto, seen);
        rig_feed(&rig, slice_skip(cuts[i].wire, upto));
    }
    if (strcmp(seen, cuts[i].payloads) != 0)
        fail_msg("%s in portions of %zu: %s", cuts[i].name, portion, seen);
    if (rig.sink.closing != (cuts[i].reason != NULL))
        fail_msg("%s in portions of %zu: %s", cuts[i].name, portion, rig_log(&rig));
    if (!cuts[i].reason)
        rig_end(&rig);
    const char *reason = cuts[i].reason ? cuts[i].reason : cuts[i].at_end ? cuts[i].at_end : "peer-closed";
    if (strcmp(status_reason(rig.sink.close_status), reason) != 0)
        fail_msg("%s: %s", cuts[i].name, rig_log(&rig));
    assert_int_equal(rig.invalid, cuts[i].reason || cuts[i].at_end);
    assert_int_equal(taken(&rig).size, 0); /* data alone has no word for an error */
    rig_done(&rig);
}

static void each_framing_cuts_and_refuses_as_it_says(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        check_cut(i, cuts[i].wire.size, SIZE_MAX);
        for (size_t portion = 1; portion < 5; portion++)
            check_cut(i, portion, SIZE_MAX);
        for (size_t upto = 0; upto < cuts[i].wire.size; upto++)
            check_cut(i, upto + 1, upto);
    }
}

static const struct {
    struct protocol_frame frame;
    struct slice data;
    enum status status;
    struct slice wire;
} sends[] = {
    {FRAME(LINE), SLICE("one"), STATUS_OK, SLICE("one\n")},
    {FRAME(LINE), SLICE(""), STATUS_OK, SLICE("\n")},
    {FRAME(LINE), SLICE("a\rb"), STATUS_OK, SLICE("a\rb\n")},
    {FRAME(LINE), SLICE("a\nb"), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {FRAME(LINE), SLICE("a\r"), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {FRAME(CRLF), SLICE("a\nb\r"), STATUS_OK, SLICE("a\nb\r\r\n")},
    {FRAME(CRLF), SLICE("a\r\nb"), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {FRAME(LEN16BE), SLICE("one"), STATUS_OK, SLICE("\0\3one")},
    {FRAME(LEN16BE), SLICE(""), STATUS_OK, SLICE("\0\0")},
    {FRAME(LEN32BE), SLICE("one"), STATUS_OK, SLICE("\0\0\0\3one")},
    {FRAME(VARINT), SLICE("one"), STATUS_OK, SLICE("\3one")},
    {FRAME(VARINT), SLICE(A64 A64), STATUS_OK, SLICE("\x80\1" A64 A64)},
    {FRAME(OCTET_COUNT), SLICE("hello there"), STATUS_OK, SLICE("11 hello there")},
    {FRAME(OCTET_COUNT), SLICE(""), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {FRAME(MLLP), SLICE("a\x1c"), STATUS_OK, SLICE("\x0b""a\x1c\x1c\r")},
    {FRAME(MLLP), SLICE("a\x1c\rb"), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {{PROTOCOL_FRAME_FIXED, .fixed = 3}, SLICE("one"), STATUS_OK, SLICE("one")},
    {{PROTOCOL_FRAME_FIXED, .fixed = 3}, SLICE("four"), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {{PROTOCOL_FRAME_FIXED, .fixed = 3}, SLICE(""), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {{PROTOCOL_FRAME_IDLE, .idle_ns = NS_PER_MS}, SLICE("one"), STATUS_OK, SLICE("one")},
    {{PROTOCOL_FRAME_IDLE, .idle_ns = NS_PER_MS}, SLICE(""), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {{PROTOCOL_FRAME_UNTIL, .until = SLICE("--")}, SLICE("a"), STATUS_OK, SLICE("a--")},
    {{PROTOCOL_FRAME_UNTIL, .until = SLICE("--")}, SLICE("a-"), STATUS_NOT_REPRESENTABLE, SLICE("")}, /* a---: ends too soon */
    {{PROTOCOL_FRAME_UNTIL, .until = SLICE("--")}, SLICE("a--b"), STATUS_NOT_REPRESENTABLE, SLICE("")},
    {{PROTOCOL_FRAME_UNTIL, .until = SLICE("abab")}, SLICE("xab"), STATUS_NOT_REPRESENTABLE, SLICE("")},
};

static void what_a_frame_can_not_say_is_refused_and_nothing_leaves(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sends); i++) {
        struct rig rig;
        begin(&rig, &protocol_frames, PROTOCOL_DIALLED, sends[i].frame);
        rig_open(&rig);
        enum status status = send_data(&rig, KIND_EVENT, sends[i].data, 0);
        if (status != sends[i].status)
            fail_msg("%zu: %s", i, status_reason(status));
        assert_taken(&rig, sends[i].wire);
        assert_false(rig.sink.closing);
        rig_done(&rig);
    }
}

static void len16be_has_a_greatest_size(void **state) {
    (void)state;
    static uint8_t bytes[65536];
    struct rig rig;
    begin(&rig, &protocol_frames, PROTOCOL_DIALLED, (struct protocol_frame)FRAME(LEN16BE));
    rig_open(&rig);
    assert_int_equal(send_data(&rig, KIND_EVENT, slice_make(bytes, 65536), 0), STATUS_TOO_LARGE);
    assert_int_equal(chain_unsent(&rig.out), 0);
    assert_int_equal(send_data(&rig, KIND_EVENT, slice_make(bytes, 65535), 0), STATUS_OK);
    assert_int_equal(chain_unsent(&rig.out), 65537);
    rig_done(&rig);
}

/* -- what a frame becomes -- */

static char attributes[1024];

static void note_attributes(struct rig *rig, uint64_t token, const struct message *message) {
    (void)token;
    struct slice id = message_text(message, ATTRIBUTE_ID), source = message_text(message, ATTRIBUTE_SOURCE),
                 type = message_text(message, ATTRIBUTE_TYPE), media = message_text(message, ATTRIBUTE_DATACONTENTTYPE),
                 target = message_text(message, ATTRIBUTE_TARGET);
    char receipt[UUID_TEXT_SIZE];
    uuid_text(message->receipt, receipt);
    assert_true(message->has_receipt && slice_equal(id, slice_make(receipt, sizeof receipt)));
    assert_true(message_has(message, ATTRIBUTE_TIME));
    note_payload(rig, token, message);
    snprintf(attributes, sizeof attributes, "%.*s %.*s %.*s %.*s", SLICE_ARG(source), SLICE_ARG(type), SLICE_ARG(media),
             SLICE_ARG(target));
}

static void a_frame_is_wrapped_with_defaults(void **state) {
    (void)state;
    static const struct protocol_default defaults[] = {{SLICE("type"), SLICE("com.acme.weight")},
                                                       {SLICE("target"), SLICE("warehouse")},
                                                       {SLICE("datacontenttype"), SLICE("text/plain")}};
    struct rig rig;
    begin(&rig, &protocol_frames, PROTOCOL_ACCEPTED, (struct protocol_frame)FRAME(LINE));
    rig.on_message = note_attributes;
    rig_open(&rig);
    rig_feed(&rig, SLICE_OF("12 kg\n"));
    assert_string_equal(attributes, "/systems/scales intertie.tcp.frame.v1 application/octet-stream ");
    rig_done(&rig);
    begin(&rig, &protocol_frames, PROTOCOL_ACCEPTED, (struct protocol_frame)FRAME(LINE));
    rig.on_message = note_attributes;
    rig.setup.defaults = defaults;
    rig.setup.default_count = COUNT_OF(defaults);
    rig.setup.system = slice_make("", 0);
    rig.setup.public_url = SLICE_OF("https://gw");
    rig_open(&rig);
    rig_feed(&rig, SLICE_OF("12 kg\n"));
    assert_string_equal(attributes, "https://gw/listeners/test com.acme.weight text/plain warehouse");
    rig_done(&rig);
}

static void where_a_key_is_required_data_alone_is_not_taken(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, &protocol_frames, PROTOCOL_ACCEPTED, (struct protocol_frame)FRAME(LINE));
    rig.setup.auth = true;
    rig_open(&rig);
    rig_feed(&rig, SLICE_OF("one\n"));
    assert_closed(&rig, "unauthenticated");
    assert_taken(&rig, SLICE_OF(""));
    assert_int_equal(rig.received, 0);
    rig_done(&rig);
}

/* -- pauses -- */

static void idle_ends_a_frame_when_nothing_came(void **state) {
    (void)state;
    struct rig rig;
    begin_raw(&rig, (struct protocol_frame){PROTOCOL_FRAME_IDLE, .idle_ns = 20 * NS_PER_MS});
    rig_feed(&rig, SLICE_OF("on"));
    rig_wait(&rig, 19 * NS_PER_MS);
    rig_feed(&rig, SLICE_OF("e"));
    rig_wait(&rig, 19 * NS_PER_MS);
    assert_string_equal(seen, "");
    assert_true(rig.sink.held > 0);
    rig_wait(&rig, NS_PER_MS);
    assert_string_equal(seen, "<one>");
    assert_int_equal(rig.sink.held, 0);
    rig_feed(&rig, SLICE_OF("two"));
    rig_end(&rig);
    assert_string_equal(seen, "<one><two>");
    assert_closed(&rig, "peer-closed");
    rig_done(&rig);
}

static void idle_holds_no_more_than_the_limit(void **state) {
    (void)state;
    struct rig rig;
    begin_raw(&rig, (struct protocol_frame){PROTOCOL_FRAME_IDLE, .idle_ns = 20 * NS_PER_MS});
    rig_feed(&rig, SLICE_OF(A64));
    assert_false(rig.sink.closing);
    rig_feed(&rig, SLICE_OF("a"));
    assert_closed(&rig, "too-large");
    rig_done(&rig);
}

static void what_leaves_by_pauses_has_a_pause_behind_it(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, &protocol_frames, PROTOCOL_DIALLED, (struct protocol_frame){PROTOCOL_FRAME_IDLE, .idle_ns = 20 * NS_PER_MS});
    rig_open(&rig);
    assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("one"), 0), STATUS_OK);
    assert_int_equal(rig.sink.room.messages, 0);
    rig_wait(&rig, NS_PER_S); /* it isn't written: no pause has begun */
    assert_int_equal(rig.sink.room.messages, 0);
    assert_taken(&rig, SLICE_OF("one"));
    rig_wait(&rig, 39 * NS_PER_MS);
    assert_int_equal(rig.sink.room.messages, 0);
    rig_wait(&rig, NS_PER_MS);
    assert_true(rig.sink.room.messages > 0);
    assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("two"), 0), STATUS_OK);
    assert_taken(&rig, SLICE_OF("two"));
    rig_done(&rig);
}

/* -- questions -- */

static void asking_listener(struct rig *rig, struct protocol_frame frame) {
    static const struct protocol_default defaults[] = {{SLICE("messagetype"), SLICE("query")}};
    begin(rig, &protocol_frames, PROTOCOL_ACCEPTED, frame);
    rig->setup.defaults = defaults;
    rig->setup.default_count = 1;
    rig->settle_as = STATUS_COUNT;
    rig_open(rig);
}

static void answers_leave_as_frames_in_the_order_of_the_questions(void **state) {
    (void)state;
    struct rig rig;
    asking_listener(&rig, (struct protocol_frame)FRAME(LINE));
    assert_true(rig.sink.terms.inline_reply && rig.sink.room.messages == 0);
    rig_feed(&rig, SLICE_OF("a?\nb?\n"));
    assert_string_equal(seen, "<a?>");
    assert_true(rig.sink.paused);
    assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("news"), 0), STATUS_NOT_SUPPORTED);
    assert_int_equal(send_data(&rig, KIND_RESPONSE, SLICE_OF("two\nlines"), 1), STATUS_NOT_REPRESENTABLE);
    assert_int_equal(send_data(&rig, KIND_RESPONSE, SLICE_OF("a!"), 1), STATUS_OK);
    assert_false(rig.sink.paused);
    assert_int_equal(send_data(&rig, KIND_RESPONSE, SLICE_OF("a!"), 1), STATUS_NOT_SUPPORTED);
    rig_feed(&rig, slice_make("", 0));
    assert_string_equal(seen, "<a?><b?>");
    rig_end(&rig);
    assert_false(rig.sink.closing); /* it ended its side, and is owed an answer */
    assert_int_equal(send_data(&rig, KIND_RESPONSE, SLICE_OF("b!"), 2), STATUS_OK);
    assert_taken(&rig, SLICE_OF("a!\nb!\n"));
    rig_end(&rig);
    assert_closed(&rig, "peer-closed");
    rig_done(&rig);
}

static void a_question_without_answer_ends_the_connection(void **state) {
    (void)state;
    struct rig rig;
    asking_listener(&rig, (struct protocol_frame)FRAME(LINE));
    rig_feed(&rig, SLICE_OF("a?\n"));
    rig.protocol->settle(rig.state, 1, 1, STATUS_REPLY_TIMEOUT, 0, rig.now);
    assert_closed(&rig, "reply-timeout");
    assert_taken(&rig, SLICE_OF(""));
    rig_done(&rig);
}

static void by_pauses_one_question_at_a_time(void **state) {
    (void)state;
    struct rig rig;
    asking_listener(&rig, (struct protocol_frame){PROTOCOL_FRAME_IDLE, .idle_ns = 20 * NS_PER_MS});
    rig_feed(&rig, SLICE_OF("a?"));
    rig_wait(&rig, 20 * NS_PER_MS);
    assert_string_equal(seen, "<a?>");
    assert_false(rig.sink.paused); /* unread, two frames would become one */
    rig_feed(&rig, SLICE_OF("b?"));
    rig_wait(&rig, 20 * NS_PER_MS);
    assert_closed(&rig, "protocol-error");
    rig_done(&rig);
}

/* -- replies by order -- */

static void begin_fifo(struct rig *rig, uint32_t pipeline) {
    begin(rig, &protocol_fifo, PROTOCOL_DIALLED, (struct protocol_frame)FRAME(LINE));
    rig->setup.pipeline = pipeline;
    rig_open(rig);
}

static void the_next_frame_answers_the_oldest_request(void **state) {
    (void)state;
    struct rig rig;
    begin_fifo(&rig, 2);
    assert_true(rig.sink.terms.acks);
    assert_int_equal(rig.sink.room.messages, 2);
    assert_int_equal(send_data(&rig, KIND_QUERY, SLICE_OF("a?"), 0), STATUS_OK);
    assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("news"), 0), STATUS_OK);
    assert_int_equal(send_data(&rig, KIND_REQUEST, SLICE_OF("b?"), 0), STATUS_OK);
    assert_int_equal(rig.sink.room.messages, 0);
    assert_taken(&rig, SLICE_OF("a?\nnews\nb?\n"));
    assert_int_equal(rig.ends[2], 1); /* what asks nothing is delivered once it is written */
    rig_feed(&rig, SLICE_OF("a!\nb!\n"));
    assert_string_equal(seen, "<a!><b!>");
    assert_true(rig.ends[1] == 1 && rig.ends[3] == 1);
    assert_int_equal(rig.last_kind, KIND_RESPONSE);
    assert_int_equal(rig.sink.room.messages, 2);
    rig_done(&rig);
}

static void one_request_at_a_time_unless_pipelined(void **state) {
    (void)state;
    struct rig rig;
    begin_fifo(&rig, 0);
    assert_int_equal(rig.sink.room.messages, 1);
    assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("news"), 0), STATUS_OK);
    assert_int_equal(rig.sink.room.messages, 1);
    assert_int_equal(send_data(&rig, KIND_QUERY, SLICE_OF("a?"), 0), STATUS_OK);
    assert_int_equal(rig.sink.room.messages, 0);
    rig_done(&rig);
}

static void a_frame_that_nobody_asked_for_ends_a_fifo(void **state) {
    (void)state;
    struct rig rig;
    begin_fifo(&rig, 1);
    rig_feed(&rig, SLICE_OF("news\n"));
    assert_closed(&rig, "protocol-error");
    assert_string_equal(seen, "");
    rig_done(&rig);
    begin_fifo(&rig, 1);
    assert_int_equal(send_data(&rig, KIND_QUERY, SLICE_OF("a?"), 0), STATUS_OK);
    rig_feed(&rig, SLICE_OF("too soon\n")); /* nothing of the question is written yet */
    assert_closed(&rig, "protocol-error");
    rig_done(&rig);
}

static void a_reply_that_does_not_come_ends_a_fifo(void **state) {
    (void)state;
    struct rig rig;
    begin_fifo(&rig, 2);
    assert_int_equal(send_data(&rig, KIND_QUERY, SLICE_OF("a?"), 0), STATUS_OK);
    assert_taken(&rig, SLICE_OF("a?\n"));
    rig_wait(&rig, 3 * NS_PER_S);
    assert_int_equal(send_data(&rig, KIND_QUERY, SLICE_OF("b?"), 0), STATUS_OK);
    assert_taken(&rig, SLICE_OF("b?\n"));
    rig.protocol->cancel(rig.state, 1, rig.now); /* nobody waits for it: it keeps its place */
    rig_wait(&rig, NS_PER_S);
    rig_feed(&rig, SLICE_OF("a!\n"));
    assert_string_equal(seen, "<a!>");
    rig_wait(&rig, 4 * NS_PER_S - 1);
    assert_false(rig.sink.closing);
    rig_wait(&rig, 1);
    assert_closed(&rig, "reply-timeout");
    rig_done(&rig);
}

static void without_fifo_nothing_is_asked_and_frames_are_events(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, &protocol_frames, PROTOCOL_DIALLED, (struct protocol_frame)FRAME(LINE));
    rig_open(&rig);
    assert_int_equal(send_data(&rig, KIND_QUERY, SLICE_OF("a?"), 0), STATUS_NOT_SUPPORTED);
    rig_feed(&rig, SLICE_OF("news\n"));
    assert_string_equal(seen, "<news>");
    assert_int_equal(rig.last_kind, KIND_EVENT);
    assert_taken(&rig, SLICE_OF(""));
    rig_done(&rig);
}

/* -- greetings -- */

static void begin_greeted(struct rig *rig, struct slice expect, struct slice answer) {
    begin(rig, &protocol_fifo, PROTOCOL_DIALLED, (struct protocol_frame)FRAME(CRLF));
    rig->setup.greet = (struct protocol_greet){expect, answer, 5 * NS_PER_S};
    rig_open(rig);
}

static void nothing_is_sent_before_the_greeting(void **state) {
    (void)state;
    struct rig rig;
    begin_greeted(&rig, SLICE_OF("WMS 4*"), SLICE_OF("HELLO gw"));
    assert_true(rig.sink.greets && rig.sink.room.messages == 0);
    assert_taken(&rig, SLICE_OF(""));
    rig_feed(&rig, SLICE_OF("WMS 4.2 ready\r\n"));
    assert_true(!rig.sink.greets && rig.sink.room.messages == 1);
    assert_taken(&rig, SLICE_OF("HELLO gw\r\n"));
    assert_int_equal(send_data(&rig, KIND_QUERY, SLICE_OF("a?"), 0), STATUS_OK);
    assert_taken(&rig, SLICE_OF("a?\r\n"));
    rig_wait(&rig, 4 * NS_PER_S);
    assert_false(rig.sink.closing);
    rig_done(&rig);
}

static void another_greeting_or_none_ends_it(void **state) {
    (void)state;
    static const char *const wrong[] = {"WMS 3.9\r\n", "\r\n", "XWMS 4\r\n"};
    struct rig rig;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        begin_greeted(&rig, SLICE_OF("WMS 4*"), slice_make("", 0));
        rig_feed(&rig, slice_from(wrong[i]));
        assert_closed(&rig, "bad-greeting");
        assert_true(rig.sink.greets);
        rig_done(&rig);
    }
    begin_greeted(&rig, SLICE_OF("WMS 4*"), slice_make("", 0));
    rig_wait(&rig, 5 * NS_PER_S - 1);
    assert_false(rig.sink.closing);
    rig_wait(&rig, 1);
    assert_closed(&rig, "bad-greeting");
    rig_done(&rig);
    begin_greeted(&rig, SLICE_OF("WMS 4*"), slice_make("", 0));
    rig_end(&rig);
    assert_closed(&rig, "peer-closed");
    assert_true(rig.sink.greets);
    rig_done(&rig);
}

static void a_star_in_what_is_expected_is_anything(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool good;
    } cases[] = {{"*", "", true},      {"*", "x", true},        {"a*c", "abc", true}, {"a*c", "ac", true},
                 {"a*c", "abd", false}, {"a*b*c", "axbxbyc", true}, {"a", "ab", false},  {"ab*", "a", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        begin_greeted(&rig, slice_from(cases[i].pattern), slice_make("", 0));
        rig_feed(&rig, slice_from(cases[i].text));
        rig_feed(&rig, SLICE_OF("\r\n"));
        assert_int_equal(!rig.sink.closing, cases[i].good);
        rig_done(&rig);
    }
}

static void a_greeting_of_ours_alone_goes_first(void **state) {
    (void)state;
    struct rig rig;
    begin_greeted(&rig, slice_make("", 0), SLICE_OF("HELLO gw"));
    assert_false(rig.sink.greets);
    assert_int_equal(rig.sink.room.messages, 1);
    assert_taken(&rig, SLICE_OF("HELLO gw\r\n"));
    rig_done(&rig);
}

/* -- events in frames -- */

static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"t\",\"target\":\"x\"}";

static void a_bad_event_is_told_in_the_frame_that_it_came_in(void **state) {
    (void)state;
    struct rig rig;
    begin(&rig, &protocol_frames, PROTOCOL_ACCEPTED, (struct protocol_frame)FRAME(MLLP));
    rig.setup.format = PROTOCOL_FORMAT_CLOUDEVENTS;
    rig.setup.limits.message = 1000;
    rig_open(&rig);
    rig_feed(&rig, SLICE_OF("\x0b{\"id\":\"7\"}\x1c\r"));
    struct slice out = taken(&rig);
    assert_true(out.size > 3 && out.data[0] == 0x0b && out.data[out.size - 1] == '\r');
    assert_non_null(memmem(out.data, out.size, "\"causationid\":\"7\"", 17));
    assert_non_null(memmem(out.data, out.size, "malformed-event", 15));
    rig_feed(&rig, SLICE_OF("x"));
    assert_closed(&rig, "protocol-error");
    out = taken(&rig);
    assert_non_null(memmem(out.data, out.size, "a frame begins with 78", 22));
    rig_done(&rig);
}

static void who_sends_json_gets_json_and_who_sends_protobuf_protobuf(void **state) {
    (void)state;
    struct rig rig, other;
    uint8_t bytes[1024];
    struct buffer out;
    rig_setup(&rig, &protocol_frames, PROTOCOL_ACCEPTED);
    rig.setup.frame = (struct protocol_frame)FRAME(VARINT);
    rig_open(&rig);
    buffer_init_fixed(&out, bytes, sizeof bytes);
    buffer_add_byte(&out, sizeof event - 1);
    buffer_add_text(&out, event);
    rig_feed(&rig, buffer_slice(&out));
    assert_int_equal(rig.received, 1);
    assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("x"), 0), STATUS_OK);
    assert_int_equal(taken(&rig).data[2], '{');
    rig_setup(&other, &protocol_frames, PROTOCOL_DIALLED);
    other.setup.frame = rig.setup.frame;
    rig_open(&other);
    assert_int_equal(send_data(&other, KIND_EVENT, SLICE_OF("x"), 0), STATUS_OK);
    rig_move(&other, &rig, NULL);
    assert_int_equal(rig.received, 2);
    assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("x"), 0), STATUS_OK);
    assert_int_equal(taken(&rig).data[1], 0x1a); /* field 3 of a CloudEvent: spec_version */
    rig_feed(&rig, SLICE_OF("\2\x0a\x05")); /* no event: the error is protobuf too */
    assert_int_equal(taken(&rig).data[2], 0x1a);
    rig_done(&other);
    rig_done(&rig);
}

static void a_message_that_was_not_written_can_be_had_again_unless_raw(void **state) {
    (void)state;
    static const enum protocol_framing framings[] = {PROTOCOL_FRAME_LINE,   PROTOCOL_FRAME_CRLF,        PROTOCOL_FRAME_LEN16BE,
                                                     PROTOCOL_FRAME_LEN32BE, PROTOCOL_FRAME_VARINT,     PROTOCOL_FRAME_OCTET_COUNT,
                                                     PROTOCOL_FRAME_MLLP,   PROTOCOL_FRAME_UNTIL};
    for (size_t i = 0; i < COUNT_OF(framings); i++) {
        struct rig rig;
        struct message back;
        rig_setup(&rig, &protocol_frames, PROTOCOL_DIALLED);
        rig.setup.frame = (struct protocol_frame){framings[i], .until = SLICE("--")};
        rig_open(&rig);
        assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("x"), 0), STATUS_OK);
        struct slice sent = chain_find(&rig.out, 0, rig.out.added);
        assert_false(rig.sink.terms.keep);
        assert_true(rig.protocol->recover(rig.state, sent, &back));
        assert_true(slice_is(message_text(&back, ATTRIBUTE_ID), "m"));
        assert_false(rig.protocol->recover(rig.state, slice_head(sent, sent.size - 1), &back));
        rig_done(&rig);
    }
    struct rig rig;
    struct message back;
    begin(&rig, &protocol_frames, PROTOCOL_DIALLED, (struct protocol_frame)FRAME(LINE));
    rig_open(&rig);
    assert_int_equal(send_data(&rig, KIND_EVENT, SLICE_OF("x"), 0), STATUS_OK);
    assert_true(rig.sink.terms.keep);
    assert_false(rig.protocol->recover(rig.state, chain_find(&rig.out, 0, rig.out.added), &back));
    rig_done(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_framing_cuts_and_refuses_as_it_says),
        cmocka_unit_test(what_a_frame_can_not_say_is_refused_and_nothing_leaves),
        cmocka_unit_test(len16be_has_a_greatest_size),
        cmocka_unit_test(a_frame_is_wrapped_with_defaults),
        cmocka_unit_test(where_a_key_is_required_data_alone_is_not_taken),
        cmocka_unit_test(idle_ends_a_frame_when_nothing_came),
        cmocka_unit_test(idle_holds_no_more_than_the_limit),
        cmocka_unit_test(what_leaves_by_pauses_has_a_pause_behind_it),
        cmocka_unit_test(answers_leave_as_frames_in_the_order_of_the_questions),
        cmocka_unit_test(a_question_without_answer_ends_the_connection),
        cmocka_unit_test(by_pauses_one_question_at_a_time),
        cmocka_unit_test(the_next_frame_answers_the_oldest_request),
        cmocka_unit_test(one_request_at_a_time_unless_pipelined),
        cmocka_unit_test(a_frame_that_nobody_asked_for_ends_a_fifo),
        cmocka_unit_test(a_reply_that_does_not_come_ends_a_fifo),
        cmocka_unit_test(without_fifo_nothing_is_asked_and_frames_are_events),
        cmocka_unit_test(nothing_is_sent_before_the_greeting),
        cmocka_unit_test(another_greeting_or_none_ends_it),
        cmocka_unit_test(a_star_in_what_is_expected_is_anything),
        cmocka_unit_test(a_greeting_of_ours_alone_goes_first),
        cmocka_unit_test(a_bad_event_is_told_in_the_frame_that_it_came_in),
        cmocka_unit_test(who_sends_json_gets_json_and_who_sends_protobuf_protobuf),
        cmocka_unit_test(a_message_that_was_not_written_can_be_had_again_unless_raw),
    };
    return cmocka_run_group_tests_name("protocol/frames", tests, NULL, NULL);
}
