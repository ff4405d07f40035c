/* Peers that fetch: who is given what, how it is settled, and what becomes of what isn't. */
#include "engine/fixture.h"
#include "engine/poll.h"

static const char yaml[] =
    "listeners: {in: intertie://127.0.0.1:7460}\n"
    "systems:\n"
    "  crm: {}\n"
    "  kiosk: {accept: {sessions: 2}, timeouts: {ack: 10s}, limits: {in_flight: 4}}\n";

static struct fixture_peer *crm;

static void start(void) {
    fx_start(yaml);
    crm = fx_system("crm", false);
    fx.terms = (struct protocol_terms){.inline_reply = true, .when_full = PROTOCOL_FULL_WAIT};
}

static void ask_for(struct fixture_peer *p, struct pull pull) {
    if (!fx_alive(p))
        return;
    pull.system = SLICE_OF("kiosk");
    pull.encoding = ENCODING_JSON;
    p->sink->calls->pull(p->sink->user, ++p->tokens, &pull);
}

static void poll_for(struct fixture_peer *p, uint32_t max) {
    ask_for(p, (struct pull){.kind = PULL_POLL, .wait_ns = 20 * NS_PER_S, .max = max});
}

static struct fixture_peer *poller(uint32_t max) {
    struct fixture_peer *p = fx_accept(0);
    poll_for(p, max);
    fx_turn();
    return p;
}

/* The n-th deliveryid of its last answer. */
static struct slice id_of(const struct fixture_peer *p, unsigned n) {
    const char *at = (const char *)p->wire.data;
    for (unsigned i = 0; i <= n; i++) {
        at = strstr(at, "\"deliveryid\":\"");
        assert_non_null(at);
        at += 14;
    }
    return slice_make(at, POLL_ID_SIZE);
}

static void ack(struct fixture_peer *p, struct slice id, enum pull_outcome outcome, uint32_t retry_ms) {
    struct pull_ack one = {id, outcome, retry_ms};
    ask_for(p, (struct pull){.kind = PULL_ACKS, .acks = &one, .ack_count = 1});
    fx_turn();
}

static void holds(const struct fixture_peer *p, const char *piece) {
    if (!strstr((const char *)p->wire.data, piece))
        fail_msg("no `%s` in %s", piece, (const char *)p->wire.data);
}

static uint64_t delivered(void) {
    return engine_totals(fx.engine)->endings[ENDING_DELIVERED][STATUS_OK];
}

static void one_answer_has_what_is_there_up_to_max(void **state) {
    (void)state;
    start();
    for (int i = 1; i <= 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%d", i);
        fx_say(crm, "crm", id, "target=kiosk");
    }
    fx_turn();
    struct fixture_peer *p = poller(2);
    fx_expect(&p->told, "200:1");
    holds(p, "\"id\":\"e1\"");
    holds(p, "\"id\":\"e2\"");
    assert_null(strstr((char *)p->wire.data, "\"id\":\"e3\""));
    struct fixture_peer *other = poller(9);
    holds(other, "\"id\":\"e3\"");
    assert_true(delivered() == 0);
    ack(crm, id_of(p, 1), PULL_ACCEPTED, 0); /* not as crm, but anonymous, as both are */
    fx_stop();
}

static void an_ack_settles_once_by_any_connection(void **state) {
    (void)state;
    start();
    fx_say(crm, "crm", "e1", "target=kiosk");
    fx_turn();
    struct fixture_peer *p = poller(9), *other = fx_accept(0);
    char text[POLL_ID_SIZE];
    memcpy(text, id_of(p, 0).data, sizeof text);
    struct slice id = slice_make(text, sizeof text);
    ack(other, id, PULL_ACCEPTED, 0);
    fx_expect(&other->told, "204:1");
    assert_true(delivered() == 1);
    ack(other, id, PULL_ACCEPTED, 0);
    fx_expect(&other->told, "200:2");
    holds(other, "{\"late\":[\"");
    assert_true(delivered() == 1);
    text[POLL_ID_SIZE - 17] ^= 1; /* another nonce */
    ack(other, id, PULL_ACCEPTED, 0);
    fx_expect(&other->told, "200:3");
    fx_stop();
}

static void silence_redelivers_what_may_be_repeated(void **state) {
    (void)state;
    start();
    fx_say(crm, "crm", "e1", "target=kiosk");
    fx_say(crm, "crm", "c1", "target=kiosk messagetype=command");
    fx_say(crm, "crm", "n1", "target=kiosk messagetype=notification");
    fx_turn();
    struct fixture_peer *p = poller(9);
    fx_pass(11 * NS_PER_S);
    fx_expect(&fx.ended, "n1:dropped:outcome-unknown");
    fx_pass(500 * NS_PER_MS);
    poll_for(p, 9);
    fx_turn();
    holds(p, "\"deliveryattempt\":2");
    holds(p, "\"id\":\"e1\"");
    holds(p, "\"id\":\"c1\"");
    ack(p, id_of(p, 0), PULL_ACCEPTED, 0);
    assert_true(delivered() == 1);
    fx_stop();
}

static void an_ack_may_ask_for_later(void **state) {
    (void)state;
    start();
    fx_say(crm, "crm", "e1", "target=kiosk");
    fx_turn();
    struct fixture_peer *p = poller(9);
    ack(p, id_of(p, 0), PULL_RETRY, 5000);
    poll_for(p, 9);
    fx_pass(4 * NS_PER_S);
    fx_expect(&p->told, "200:1 204:2");
    fx_pass(2 * NS_PER_S);
    fx_expect(&p->told, "200:3");
    holds(p, "\"deliveryattempt\":2");
    ack(p, id_of(p, 0), PULL_REJECTED, 0);
    fx_expect(&fx.ended, "e1:dead:rejected-by-recipient");
    fx_stop();
}

static void what_waits_for_nobody_keeps_no_processor_busy(void **state) {
    (void)state;
    start();
    fx_say(crm, "crm", "e1", "target=kiosk");
    fx_turn();
    struct fixture_peer *p = poller(9);
    ack(p, id_of(p, 0), PULL_RETRY, 60000);
    fx_pass(30 * NS_PER_S); /* long past `timeouts.ack`, and nobody polls */
    assert_int_equal(fx.engine->polls.count, 1);
    const struct poll *poll = LIST_ENTRY(list_first(&fx.engine->polls), struct poll, node);
    assert_int_equal(poll->open, 1);
    assert_true(poll->sink->due.ns > fx.engine->now.mono.ns);
    fx_stop();
}

static void the_window_bounds_what_is_unsettled(void **state) {
    (void)state;
    start();
    for (int i = 1; i <= 6; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%d", i);
        fx_say(crm, "crm", id, "target=kiosk");
    }
    fx_turn();
    uint32_t window = (uint32_t)fx.plans[0]->config->systems[1].policy.limits.session_in_flight;
    struct fixture_peer *p = poller(9);
    unsigned count = 0;
    for (const char *at = (char *)p->wire.data; (at = strstr(at, "deliveryid")); at++)
        count++;
    assert_int_equal(count, window < 6 ? window : 6);
    fx_stop();
}

static void waiting_ends_with_nothing(void **state) {
    (void)state;
    start();
    struct fixture_peer *p = poller(9);
    fx_pass(19 * NS_PER_S);
    fx_expect(&p->told, "");
    fx_pass(2 * NS_PER_S);
    fx_expect(&p->told, "204:1");
    fx_stop();
}

static void a_poller_is_a_session_until_it_stays_away(void **state) {
    (void)state;
    struct engine_system_view view;
    start();
    struct fixture_peer *p = poller(9), *second = poller(9), *third = poller(9);
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.sessions, 1);
    fx_expect(&third->told, "too-many-connections:1");
    fx_lose(p);
    fx_say(crm, "crm", "e1", "target=kiosk");
    fx_turn();
    fx_expect(&second->told, "200:1");
    fx_pass(5 * NS_PER_S);
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.sessions, 1);
    fx_pass(6 * NS_PER_S);
    fx_pass(NS_PER_S);
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.sessions, 0);
    assert_int_equal(view.held[0], 1);
    fx_stop();
}

static void a_reply_settles_and_its_ack_is_not_late(void **state) {
    (void)state;
    start();
    fx_say(crm, "crm", "q1", "target=kiosk messagetype=query");
    fx_turn();
    struct fixture_peer *p = poller(9);
    char text[POLL_ID_SIZE];
    memcpy(text, id_of(p, 0).data, sizeof text);
    struct fixture_peer *kiosk = fx_accept(0);
    assert_int_equal(fx_hello(kiosk, "kiosk", NULL, false), STATUS_OK);
    fx_say(kiosk, "kiosk", "r1", "messagetype=response causationid=q1");
    fx_turn();
    ack(p, slice_make(text, sizeof text), PULL_ACCEPTED, 0);
    fx_expect(&p->told, "200:1 204:2");
    assert_true(engine_totals(fx.engine)->in_flight == 0);
    fx_stop();
}

static void a_stream_delivers_when_written(void **state) {
    (void)state;
    start();
    struct fixture_peer *p = fx_accept(0);
    p->stuck = true;
    ask_for(p, (struct pull){.kind = PULL_STREAM});
    fx_turn();
    fx_say(crm, "crm", "e1", "target=kiosk");
    fx_turn();
    buffer_add_byte(&p->got, 0);
    assert_non_null(strstr((char *)p->got.data, "event: message\ndata: {"));
    assert_true(delivered() == 0);
    fx_write(p, UINT64_MAX);
    fx_turn();
    assert_true(delivered() == 1);
    buffer_clear(&p->got);
    fx_pass(16 * NS_PER_S);
    fx_expect(&p->got, ":\n\n");
    fx_say(crm, "crm", "e2", "target=kiosk");
    fx_turn();
    fx_lose(p);
    fx_turn();
    struct fixture_peer *next = poller(9); /* what was not written goes to the next */
    holds(next, "\"id\":\"e2\"");
    assert_null(strstr((char *)next->wire.data, "deliveryattempt"));
    fx_stop();
}

static void a_stream_without_memory_delivers_nothing_unwritten(void **state) {
    (void)state;
    start();
    struct fixture_peer *p = fx_accept(0);
    ask_for(p, (struct pull){.kind = PULL_STREAM});
    fx_turn();
    p->starved = true;
    fx_say(crm, "crm", "e1", "target=kiosk");
    fx_turn();
    fx_lose(p);
    fx_turn();
    assert_true(delivered() == 0);
    holds(poller(9), "\"id\":\"e1\"");
    fx_stop();
}

static void what_a_drain_cuts_off_a_stream_is_unknown_not_unsent(void **state) {
    (void)state;
    start();
    struct fixture_peer *p = fx_accept(0);
    p->stuck = true;
    ask_for(p, (struct pull){.kind = PULL_STREAM});
    fx_turn();
    fx_say(crm, "crm", "n1", "target=kiosk messagetype=notification");
    fx_turn();
    struct engine_input input = {.kind = INPUT_DRAIN};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    fx_expect(&fx.ended, "n1:dropped:outcome-unknown"); /* its bytes still leave: a second copy would be one too many */
    fx_stop();
}

static void a_drain_answers_all_who_wait(void **state) {
    (void)state;
    start();
    struct fixture_peer *p = poller(9), *stream = fx_accept(0);
    ask_for(stream, (struct pull){.kind = PULL_STREAM});
    fx_turn();
    struct engine_input input = {.kind = INPUT_DRAIN};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    fx_expect(&p->told, "shut:going-away 204:1");
    assert_non_null(memchr(stream->told.data, 'e', stream->told.size));
    fx_stop();
}

/* Each allocation of a whole life fails once. */
static void failed_allocations_are_survived(void **state) {
    (void)state;
    for (fx.failing = 0; fx.failing < 300; ) {
        int64_t at = fx.failing;
        start();
        fx.failing = at;
        memory_fail_after(at);
        struct fixture_peer *p = fx_accept(0);
        poll_for(p, 2);
        fx_say(crm, "crm", "e1", "target=kiosk");
        fx_turn();
        if (fx_alive(p) && strstr(p->wire.size ? (char *)p->wire.data : "", "deliveryid"))
            ack(p, id_of(p, 0), PULL_ACCEPTED, 0);
        ask_for(p, (struct pull){.kind = PULL_STREAM});
        fx_say(crm, "crm", "e2", "target=kiosk");
        fx_turn();
        memory_fail_after(-1);
        fx_pass(30 * NS_PER_S);
        fx_stop();
        fx.failing = at + 1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_answer_has_what_is_there_up_to_max),
        cmocka_unit_test(an_ack_settles_once_by_any_connection),
        cmocka_unit_test(silence_redelivers_what_may_be_repeated),
        cmocka_unit_test(an_ack_may_ask_for_later),
        cmocka_unit_test(what_waits_for_nobody_keeps_no_processor_busy),
        cmocka_unit_test(the_window_bounds_what_is_unsettled),
        cmocka_unit_test(waiting_ends_with_nothing),
        cmocka_unit_test(a_poller_is_a_session_until_it_stays_away),
        cmocka_unit_test(a_reply_settles_and_its_ack_is_not_late),
        cmocka_unit_test(a_stream_delivers_when_written),
        cmocka_unit_test(a_stream_without_memory_delivers_nothing_unwritten),
        cmocka_unit_test(what_a_drain_cuts_off_a_stream_is_unknown_not_unsent),
        cmocka_unit_test(a_drain_answers_all_who_wait),
        cmocka_unit_test(failed_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
