/* JSON lines and the sniffing of the first byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/battery/rig.h"

static struct buffer wire;

#define EVENT(id) "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"t\"}"
#define KIND(id, kind) \
    "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"t\",\"messagetype\":\"" kind "\"}"
#define CTL(id, word, more) \
    "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"intertie.ctl." word ".v1\"" more "}\n"

static void feed(struct rig *rig, const char *text) {
    rig_feed(rig, slice_from(text));
}

/* What it wrote since the last time, as text. */
static const char *output(struct rig *rig) {
    buffer_clear(&wire);
    rig_take(rig, &wire);
    buffer_add_byte(&wire, 0);
    return (const char *)wire.data;
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("`%s` is not in `%s`", part, text);
}

static unsigned line_count(const char *text) {
    unsigned count = 0;
    while ((text = strchr(text, '\n'))) {
        count++;
        text++;
    }
    return count;
}

static void accepted(struct rig *rig) {
    rig_setup(rig, &protocol_ndjson, PROTOCOL_ACCEPTED);
    rig->settle_as = STATUS_COUNT;
    rig_open(rig);
}

static void settle(struct rig *rig, uint64_t first, uint64_t last, enum status status) {
    rig->protocol->settle(rig->state, first, last, status, 0, rig->now);
}

static struct message message;
static uint8_t message_room[8192];

static const struct message *made(enum message_kind kind, const char *id) {
    static struct buffer extra;
    buffer_init_fixed(&extra, message_room, sizeof message_room);
    rig_message(&message, &extra, kind, id, slice_make(NULL, 0));
    return &message;
}

/* -- lines -- */

static void each_line_is_an_event(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, "\n" EVENT("a") "\n  \r\n" EVENT("b") "\r\n" EVENT("c"));
    assert_string_equal(rig_log(&rig), "message 1 id=a event data=0\nmessage 2 id=b event data=0\n");
    feed(&rig, "\n");
    assert_string_equal(rig_log(&rig), "message 3 id=c event data=0\n");
    settle(&rig, 1, 3, STATUS_OK);
    assert_string_equal(output(&rig), ""); /* who wants acknowledgements speaks stream v1 or HTTP */
    rig_done(&rig);
}

static void the_last_line_may_lack_its_end(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, EVENT("a"));
    rig_end(&rig);
    assert_string_equal(rig_log(&rig), "message 1 id=a event data=0\n");
    assert_false(rig.sink.closing);
    settle(&rig, 1, 1, STATUS_OK);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_PEER_CLOSED);
    rig_done(&rig);
}

static void a_bad_line_is_answered_and_the_next_is_read(void **state) {
    (void)state;
    static const struct {
        const char *line, *answer;
    } cases[] = {
        {"{\"id\":\"x\",\"specversion\":\"1.0\"}", "\"causationid\":\"x\""},
        {"{\"id\":\"x\",\"data\":}", "\"causationid\":\"x\""},
        {"{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"\"}", "`source`"},
        {"hello", "\"reason\":\"malformed-event\""},
        {"[]", "\"status\":400"},
        {"{\"id\":1}", "application/problem+json"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        accepted(&rig);
        feed(&rig, cases[i].line);
        feed(&rig, "\n" EVENT("a") "\n");
        const char *text = output(&rig);
        assert_int_equal(line_count(text), 1);
        assert_has(text, "\"messagetype\":\"error\"");
        assert_has(text, cases[i].answer);
        assert_int_equal(rig.invalid, 1);
        assert_int_equal(rig.received, 1);
        rig_done(&rig);
    }
}

static void answers_are_events_themselves(void **state) {
    (void)state;
    struct rig rig, other;
    accepted(&rig);
    feed(&rig, "{\"id\":\"x\"}\n" CTL("h", "hello", ",\"data\":{\"system\":\"crm\"}") CTL("p", "ping", ""));
    struct slice bytes = slice_from(output(&rig));
    rig_setup(&other, &protocol_ndjson, PROTOCOL_DIALLED);
    other.settle_as = STATUS_COUNT;
    rig_open(&other);
    rig_feed(&other, slice_head(bytes, slice_find(bytes, '\n') + 1));
    assert_has(rig_log(&other), " error data=");
    rig_done(&other);
    rig_done(&rig);
}

static void too_long_lines_end_the_connection(void **state) {
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        char line[400];
        struct rig rig;
        rig_setup(&rig, &protocol_ndjson, PROTOCOL_ACCEPTED);
        rig.setup.limits.message = 200;
        rig_open(&rig);
        memset(line, ' ', sizeof line);
        memcpy(line, EVENT("a"), strlen(EVENT("a")));
        line[200] = '\n'; /* just fits */
        rig_feed(&rig, slice_make(line, 201));
        assert_int_equal(rig.received, 1);
        line[200] = '\r';
        line[201] = '\n';
        rig_feed(&rig, slice_make(line, 202));
        assert_int_equal(rig.received, 2);
        line[200] = line[201] = ' ';
        line[202] = '\n';
        rig_feed(&rig, slice_make(line, whole ? 203 : 202));
        const char *text = output(&rig);
        assert_has(text, "\"reason\":\"too-large\"");
        assert_has(text, "\"status\":413");
        assert_true(rig.sink.closing);
        assert_int_equal(rig.sink.close_status, STATUS_TOO_LARGE);
        assert_int_equal(rig.received, 2);
        rig_done(&rig);
    }
}

static void floods_of_bad_lines_end_the_connection(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    for (int i = 0; i < 100; i++)
        feed(&rig, "x\n");
    assert_false(rig.sink.closing);
    feed(&rig, "x\n");
    assert_int_equal(rig.sink.close_status, STATUS_RATE_LIMITED);
    rig_done(&rig);
}

static void a_peer_that_reads_nothing_is_cut(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_ndjson, PROTOCOL_ACCEPTED);
    rig.quiet = true;
    rig.settle_as = STATUS_NO_ROUTE;
    rig_open(&rig);
    for (int i = 0; i < 100000 && !rig.sink.closing; i++)
        feed(&rig, EVENT("a") "\n");
    assert_int_equal(rig.sink.close_status, STATUS_WRITE_TIMEOUT);
    assert_true(chain_unsent(&rig.out) < 6u << 20);
    rig_done(&rig);
}

/* -- settlement -- */

static void refusals_name_the_event(void **state) {
    (void)state;
    char long_id[600], line[1024];
    struct rig rig;
    accepted(&rig);
    memset(long_id, 'i', sizeof long_id - 1);
    long_id[300] = 0; /* not in line with the entry */
    snprintf(line, sizeof line, "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"/s\",\"type\":\"t\"}\n", long_id);
    feed(&rig, EVENT("a") "\n");
    feed(&rig, line);
    settle(&rig, 2, 2, STATUS_NO_ROUTE);
    const char *text = output(&rig);
    assert_has(text, long_id);
    assert_has(text, "\"reason\":\"no-route\"");
    settle(&rig, 1, 1, STATUS_OVERLOADED);
    text = output(&rig);
    assert_has(text, "\"causationid\":\"a\"");
    assert_has(text, "\"status\":503");
    rig_done(&rig);
}

static void of_a_duplicate_nothing_is_said_as_of_what_is_accepted(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, EVENT("a") "\n" KIND("b", "query") "\n");
    settle(&rig, 1, 1, STATUS_DUPLICATE);
    assert_string_equal(output(&rig), "");
    settle(&rig, 2, 2, STATUS_DUPLICATE); /* another with its id is asked already */
    assert_has(output(&rig), "\"reason\":\"duplicate\"");
    rig_done(&rig);
}

static size_t words(void *user, uint64_t token, enum status status, char *out, size_t room) {
    (void)user;
    (void)status;
    return (size_t)snprintf(out, room, "about %u", (unsigned)token);
}

static void refusals_carry_the_users_words(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    rig.calls.detail = words;
    feed(&rig, EVENT("a") "\n");
    settle(&rig, 1, 1, STATUS_UNKNOWN_TARGET);
    assert_has(output(&rig), "\"detail\":\"about 1\"");
    rig_done(&rig);
}

static void errors_about_replies_are_never_told(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, KIND("a", "response") "\n" KIND("b", "error") "\n");
    settle(&rig, 1, 2, STATUS_LATE_REPLY);
    assert_string_equal(output(&rig), "");
    rig_done(&rig);
}

static void reading_stops_at_the_window(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig); /* window 64 */
    for (int i = 0; i < 64; i++)
        feed(&rig, EVENT("a") "\n");
    assert_true(rig.sink.paused);
    settle(&rig, 64, 64, STATUS_OK);
    assert_false(rig.sink.paused);
    rig_done(&rig);
}

/* -- out -- */

static void line_ends_inside_become_spaces(void **state) {
    (void)state;
    static const char pretty[] = "{\r\n \"specversion\": \"1.0\",\n \"id\": \"a\",\"source\":\"/s\",\"type\":\"t\"\n,\"data\":[1,\n2]}";
    struct rig rig;
    struct buffer extra;
    struct message_fault fault;
    struct message_rules rules = {.size_max = 4096};
    accepted(&rig);
    buffer_init_fixed(&extra, message_room, sizeof message_room);
    assert_int_equal(message_decode_json(&message, slice_from(pretty), &extra, &rules, &fault), STATUS_OK);
    assert_int_equal(rig_send(&rig, &message), STATUS_OK);
    const char *text = output(&rig);
    assert_int_equal(line_count(text), 1);
    assert_int_equal(strlen(text), sizeof pretty);
    assert_has(text, "{   \"specversion\": \"1.0\",  \"id\"");
    assert_null(strchr(text, '\r'));
    rig_done(&rig);
}

static void an_unwritten_line_can_be_recovered(void **state) {
    (void)state;
    struct rig rig;
    struct message back;
    accepted(&rig);
    assert_int_equal(rig_send(&rig, made(KIND_COMMAND, "a")), STATUS_OK);
    struct slice sent = chain_find(&rig.out, 0, rig.out.added);
    assert_true(rig.protocol->recover(rig.state, sent, &back));
    assert_int_equal(back.kind, KIND_COMMAND);
    assert_false(rig.protocol->recover(rig.state, slice_head(sent, 20), &back));
    rig_done(&rig);
}

/* -- control -- */

static void hello_offers_the_session(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    rig.acts_as = SLICE_OF("crm");
    feed(&rig, CTL("h", "hello", ",\"data\":{\"client\":\"me/1\",\"system\":\"crm\",\"auth\":{\"method\":\"bearer\","
                                 "\"token\":\"itk_1\"}}"));
    assert_string_equal(rig_log(&rig), "hello client=me/1 system=crm key=itk_1 serves window=0\n");
    const char *text = output(&rig);
    assert_has(text, "\"type\":\"intertie.ctl.hello.v1\"");
    assert_has(text, "\"causationid\":\"h\"");
    assert_has(text, "\"system\":\"crm\"");
    assert_false(rig.sink.terms.acks);
    feed(&rig, CTL("h2", "hello", ""));
    assert_has(output(&rig), "\"reason\":\"protocol-error\"");
    assert_false(rig.sink.closing);
    rig_done(&rig);
}

static void where_keys_are_required_nothing_goes_before_hello(void **state) {
    (void)state;
    static const struct {
        const char *line;
        enum status status;
        enum status hello_as;
    } cases[] = {
        {EVENT("a") "\n", STATUS_UNAUTHENTICATED, 0},
        {CTL("h", "hello", ""), STATUS_UNAUTHENTICATED, 0},
        {CTL("h", "hello", ",\"data\":{\"auth\":{\"token\":\"k\"}}"), STATUS_FORBIDDEN, STATUS_FORBIDDEN},
        {CTL("h", "hello", ",\"data\":{\"auth\":{\"token\":\"k\"}}"), STATUS_OK, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        rig_setup(&rig, &protocol_ndjson, PROTOCOL_ACCEPTED);
        rig.setup.auth = true;
        rig.hello_as = cases[i].hello_as;
        rig_open(&rig);
        assert_int_equal(rig.sink.room.messages, 0);
        feed(&rig, cases[i].line);
        assert_int_equal(rig.sink.closing, cases[i].status != STATUS_OK);
        assert_int_equal(rig.sink.close_status, cases[i].status);
        assert_int_equal(rig.received, 0);
        if (cases[i].status)
            assert_has(output(&rig), status_reason(cases[i].status));
        rig_done(&rig);
    }
    struct rig rig;
    rig_setup(&rig, &protocol_ndjson, PROTOCOL_ACCEPTED);
    rig.setup.auth = true;
    rig_open(&rig);
    feed(&rig, CTL("s", "subscribe", ""));
    assert_has(output(&rig), "unauthenticated");
    rig_wait(&rig, 2 * NS_PER_S);
    assert_int_equal(rig.sink.close_status, STATUS_AUTH_TIMEOUT);
    assert_has(output(&rig), "auth-timeout");
    rig_done(&rig);
}

static void subscriptions_with_acks_settle_by_id(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, CTL("s", "subscribe", ",\"data\":{\"filter\":\"type = 't'\",\"ack\":true,\"max_inflight\":5}"));
    assert_string_equal(rig_log(&rig), "subscribe 0 filter=type = 't' group= max=5 ack\n");
    assert_true(rig.sink.terms.acks);
    assert_has(output(&rig), "\"causationid\":\"s\"");
    static const char *const ids[] = {"a", "b", "c", "a"};
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_int_equal(rig_send(&rig, made(KIND_EVENT, ids[i])), STATUS_OK);
    output(&rig);
    feed(&rig, CTL("1", "ack", ",\"causationid\":\"b\""));
    feed(&rig, CTL("2", "ack", ",\"causationid\":\"b\"")); /* twice: harmless */
    feed(&rig, CTL("3", "nack", ",\"causationid\":\"a\",\"data\":{\"retry_ms\":250}"));
    feed(&rig, CTL("4", "nack", ",\"causationid\":\"c\""));
    feed(&rig, CTL("5", "ack", ",\"causationid\":\"a\""));
    feed(&rig, CTL("6", "ack", ",\"causationid\":\"zz\""));
    assert_string_equal(rig_log(&rig), "outcome 2-2 accepted retry_ms=0\n"
                                       "outcome 1-1 retry overloaded retry_ms=250\n"
                                       "outcome 3-3 rejected rejected-by-recipient retry_ms=0\n"
                                       "outcome 4-4 accepted retry_ms=0\n");
    assert_string_equal(output(&rig), "");
    feed(&rig, CTL("7", "ack", ""));
    assert_has(output(&rig), "`causationid` is missing");
    rig_done(&rig);
}

static void unsettled_events_are_bounded(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, CTL("h", "hello", ",\"data\":{\"ack\":true,\"credit\":{\"msgs\":2000}}"));
    unsigned sent = 0;
    rig_log(&rig);
    while (rig.sink.room.messages && sent < 5000) {
        char id[16];
        snprintf(id, sizeof id, "%u", sent++);
        assert_int_equal(rig_send(&rig, made(KIND_EVENT, id)), STATUS_OK);
    }
    assert_int_equal(sent, 1024);
    feed(&rig, CTL("1", "ack", ",\"causationid\":\"1\"")); /* the oldest still bounds the ring */
    assert_int_equal(rig.sink.room.messages, 0);
    feed(&rig, CTL("1", "ack", ",\"causationid\":\"0\""));
    assert_int_equal(rig.sink.room.messages, 2);
    rig_done(&rig);
}

static void credit_is_a_total(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, CTL("h", "hello", ",\"data\":{\"credit\":{\"msgs\":1}}"));
    assert_int_equal(rig_send(&rig, made(KIND_EVENT, "a")), STATUS_OK);
    assert_int_equal(rig.sink.room.messages, 0);
    rig_log(&rig);
    feed(&rig, CTL("c", "credit", ",\"data\":{\"msgs\":3}"));
    assert_string_equal(rig_log(&rig), "room\n");
    assert_int_equal(rig.sink.room.messages, 2);
    output(&rig);
    feed(&rig, CTL("c", "credit", ",\"data\":{\"msgs\":2}"));
    assert_has(output(&rig), "malformed-control");
    rig_done(&rig);
}

static void what_control_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *line, *reason;
    } cases[] = {
        {CTL("x", "subscribe", ",\"data\":{\"durable\":\"d\"}"), "not-supported"},
        {CTL("x", "subscribe", ",\"data\":{\"from\":\"earliest\"}"), "not-supported"},
        {CTL("x", "subscribe", ",\"data\":[]"), "malformed-control"},
        {CTL("x", "subscribe", ",\"data_base64\":\"e30=\""), "malformed-control"},
        {CTL("x", "resume", ""), "not-supported"},
        {CTL("x", "credit", ""), "malformed-control"},
        {"{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"/s\",\"type\":\"intertie.ctl.hello.v2\"}\n", "not-supported"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        accepted(&rig);
        feed(&rig, cases[i].line);
        const char *text = output(&rig);
        assert_has(text, cases[i].reason);
        assert_has(text, "\"causationid\":\"x\"");
        assert_int_equal(rig.invalid, 1);
        assert_false(rig.sink.closing);
        rig_done(&rig);
    }
}

static void who_was_dialled_may_not_control_us(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_ndjson, PROTOCOL_DIALLED);
    rig_open(&rig);
    feed(&rig, CTL("x", "subscribe", ""));
    assert_has(output(&rig), "malformed-event");
    assert_int_equal(rig.invalid, 1);
    assert_int_equal(rig.received, 0);
    rig_done(&rig);
}

/* -- ends -- */

static void idle_connections_end(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    rig_wait(&rig, 50 * NS_PER_S);
    feed(&rig, CTL("p", "ping", ""));
    assert_has(output(&rig), "intertie.ctl.ping.v1");
    rig_wait(&rig, 50 * NS_PER_S);
    assert_false(rig.sink.closing);
    rig_wait(&rig, 60 * NS_PER_S);
    assert_int_equal(rig.sink.close_status, STATUS_IDLE_TIMEOUT);
    rig_done(&rig);
}

static void a_query_is_answered_after_its_sender_shut_down(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, KIND("q", "query") "\n");
    rig_end(&rig);
    settle(&rig, 1, 1, STATUS_OK);
    assert_false(rig.sink.closing);
    assert_true(rig.sink.room.messages > 0);
    assert_int_equal(rig_send(&rig, made(KIND_RESPONSE, "r")), STATUS_OK);
    assert_true(rig.sink.closing);
    assert_has(output(&rig), "\"id\":\"r\"");
    rig_done(&rig);
}

static void shutting_down_waits_for_what_is_open(void **state) {
    (void)state;
    struct rig rig;
    accepted(&rig);
    feed(&rig, KIND("q", "query") "\n");
    rig.protocol->shut(rig.state, STATUS_SHUTDOWN, rig.now);
    settle(&rig, 1, 1, STATUS_OK);
    assert_false(rig.sink.closing);
    assert_int_equal(rig_send(&rig, made(KIND_ERROR, "r")), STATUS_OK);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_SHUTDOWN);
    rig_done(&rig);
}

/* -- sniffing -- */

static void the_first_byte_decides(void **state) {
    (void)state;
    static const struct {
        struct slice bytes;
        const struct protocol *becomes;
        const char *answer;
    } cases[] = {
        {SLICE("\xf5"), &protocol_stream1, ""},
        {SLICE("{"), &protocol_ndjson, ""},
        {SLICE(" {"), &protocol_ndjson, ""},
        {SLICE("\r\n"), &protocol_ndjson, ""},
        {SLICE("GET / HTTP/1.1\r\n"), NULL, "this port speaks CloudEvents as JSON lines, or intertie stream v1\r\n"},
        {SLICE("\x16\x03\x01"), NULL, ""},
        {SLICE("\0"), NULL, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        rig_setup(&rig, &protocol_stream, PROTOCOL_ACCEPTED);
        rig_open(&rig);
        rig_feed(&rig, cases[i].bytes);
        if (cases[i].becomes)
            assert_ptr_equal(rig.protocol, cases[i].becomes);
        else
            assert_int_equal(rig.sink.close_status, STATUS_PROTOCOL_ERROR);
        assert_string_equal(output(&rig), cases[i].answer);
        rig_done(&rig);
    }
}

static void silence_before_the_first_byte_ends(void **state) {
    (void)state;
    for (int auth = 0; auth < 2; auth++) {
        struct rig rig;
        rig_setup(&rig, &protocol_stream, PROTOCOL_ACCEPTED);
        rig.setup.auth = auth;
        rig_open(&rig);
        rig_wait(&rig, (auth ? 2 : 60) * NS_PER_S);
        assert_true(rig.sink.closing);
        assert_int_equal(rig.sink.close_status, auth ? STATUS_AUTH_TIMEOUT : STATUS_IDLE_TIMEOUT);
        rig_done(&rig);
    }
}

/* Before the first byte there is nobody to send to, nothing to settle, and nothing to give back. */
static void before_the_first_byte_only_the_end_can_come(void **state) {
    (void)state;
    struct rig rig;
    struct message event, back;
    struct buffer extra;
    uint8_t room[512];
    rig_setup(&rig, &protocol_stream, PROTOCOL_ACCEPTED);
    rig_open(&rig);
    buffer_init_fixed(&extra, room, sizeof room);
    rig_message(&event, &extra, KIND_EVENT, "a", SLICE_OF("x"));
    assert_int_equal(rig.sink.room.messages, 0);
    assert_int_equal(rig_send(&rig, &event), STATUS_NOT_SUPPORTED);
    rig.protocol->settle(rig.state, 1, 1, STATUS_OK, 0, rig.now);
    rig.protocol->cancel(rig.state, 1, rig.now);
    assert_false(rig.protocol->recover(rig.state, SLICE_OF("{}\n"), &back));
    assert_false(rig.sink.closing);
    rig.protocol->shut(rig.state, STATUS_GOING_AWAY, rig.now);
    assert_int_equal(rig.sink.close_status, STATUS_GOING_AWAY);
    assert_string_equal(output(&rig), "");
    rig_done(&rig);
}

static void who_dials_does_not_sniff(void **state) {
    (void)state;
    struct rig rig;
    rig_setup(&rig, &protocol_stream, PROTOCOL_DIALLED);
    rig_open(&rig);
    assert_true(rig.sink.closing);
    assert_int_equal(rig.sink.close_status, STATUS_NOT_SUPPORTED);
    rig_done(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_an_event),
        cmocka_unit_test(the_last_line_may_lack_its_end),
        cmocka_unit_test(a_bad_line_is_answered_and_the_next_is_read),
        cmocka_unit_test(answers_are_events_themselves),
        cmocka_unit_test(too_long_lines_end_the_connection),
        cmocka_unit_test(floods_of_bad_lines_end_the_connection),
        cmocka_unit_test(a_peer_that_reads_nothing_is_cut),
        cmocka_unit_test(refusals_name_the_event),
        cmocka_unit_test(refusals_carry_the_users_words),
        cmocka_unit_test(of_a_duplicate_nothing_is_said_as_of_what_is_accepted),
        cmocka_unit_test(errors_about_replies_are_never_told),
        cmocka_unit_test(reading_stops_at_the_window),
        cmocka_unit_test(line_ends_inside_become_spaces),
        cmocka_unit_test(an_unwritten_line_can_be_recovered),
        cmocka_unit_test(hello_offers_the_session),
        cmocka_unit_test(where_keys_are_required_nothing_goes_before_hello),
        cmocka_unit_test(subscriptions_with_acks_settle_by_id),
        cmocka_unit_test(unsettled_events_are_bounded),
        cmocka_unit_test(credit_is_a_total),
        cmocka_unit_test(what_control_is_refused),
        cmocka_unit_test(who_was_dialled_may_not_control_us),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(a_query_is_answered_after_its_sender_shut_down),
        cmocka_unit_test(shutting_down_waits_for_what_is_open),
        cmocka_unit_test(the_first_byte_decides),
        cmocka_unit_test(silence_before_the_first_byte_ends),
        cmocka_unit_test(before_the_first_byte_only_the_end_can_come),
        cmocka_unit_test(who_dials_does_not_sniff),
    };
    buffer_init(&wire, 16u << 20);
    return cmocka_run_group_tests_name("protocol/ndjson", tests, NULL, NULL);
}
