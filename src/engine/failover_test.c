/* Systems that stand in for each other. */
#include "engine/fixture.h"
#include "engine/ways.h"

#define HEAD "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n"
#define QUICK "retry: {backoff: 10ms..10ms}, redeliver: {backoff: 100ms..100ms}, timeouts: {request: 60s, queue: 60s}"
#define DIALLED \
    HEAD "  a: {url: intertie://127.0.0.1:7461, " QUICK "}\n  b: {url: intertie://127.0.0.1:7462, " QUICK "}\n" \
         "routes: {r: {match: {}, failover: [a, b]}}\n"
#define SESSIONS \
    HEAD "  a: {accept: true, " QUICK "}\n  b: {accept: true, " QUICK "}\nroutes: {r: {match: {}, failover: [a, b]}}\n"

static struct fixture_peer *crm, *a, *b;

static unsigned dial_of(uint32_t system) {
    for (unsigned i = fx.dial_count; i-- > 0;)
        if (fx.dials[i].place >> 32 == system && net_find(engine_net(fx.engine), fx.dials[i].connection) &&
            !fx_peer_of(fx.dials[i].connection))
            return i;
    fail_msg("nobody dials system %u", (unsigned)system);
    return 0;
}

static struct fixture_peer *connect_to(uint32_t system) {
    struct fixture_peer *p = fx_connect(dial_of(system));
    fx_turn();
    return p;
}

static void refuse(uint32_t system) {
    fx_refuse_dial(dial_of(system));
    fx_turn();
}

static void say(const char *id, const char *words) {
    fx_say(crm, "crm", id, words);
    fx_turn();
}

static void start(const char *yaml) {
    fx_start(yaml);
    crm = fx_system("crm", true);
}

static void lose(struct fixture_peer *p) {
    fx_lose(p);
    fx_turn();
}

static void stop(void) {
    assert_null(engine_check(fx.engine));
    fx_stop();
}

static void the_first_that_can_gets_it(void **state) {
    (void)state;
    start(SESSIONS);
    a = fx_system("a", true);
    b = fx_system("b", true);
    say("e1", "");
    fx_expect(&a->got, "e1");
    lose(a);
    say("e2", "");
    fx_expect(&b->got, "e2");
    fx_pass(100 * NS_PER_MS);
    fx_expect(&b->got, "e1*2"); /* it was on its way, and is an event: it may come twice */
    assert_int_equal(engine_totals(fx.engine)->failover_chosen, 1);
    assert_int_equal(engine_totals(fx.engine)->failover_moved, 1);
    stop();
}

static void it_comes_back_without_flapping(void **state) {
    (void)state;
    start(SESSIONS);
    a = fx_system("a", true);
    b = fx_system("b", true);
    say("e1", "");
    fx_ack(a, 1, 1);
    lose(a);
    say("e2", "");
    fx_expect(&b->got, "e2");
    a = fx_system("a", true);
    say("e3", "");
    fx_expect(&b->got, "e3");
    fx_pass(STANDBY_HOLD_NS - 1);
    say("e4", "");
    fx_expect(&b->got, "e4");
    fx_pass(1);
    say("e5", "");
    fx_expect(&a->got, "e5");
    stop();
}

static void who_has_just_come_back_is_better_than_nobody(void **state) {
    (void)state;
    start(SESSIONS);
    a = fx_system("a", true);
    say("e1", "");
    fx_ack(a, 1, 1);
    lose(a);
    a = fx_system("a", true);
    say("e2", "");
    fx_expect(&a->got, "e2");
    stop();
}

static void with_nobody_there_the_first_holds_until_one_comes(void **state) {
    struct engine_system_view view;
    (void)state;
    start(SESSIONS);
    say("e1", "");
    say("e2", "partitionkey=k");
    say("e3", "partitionkey=k");
    say("e4", "partitionkey=k");
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.held[0], 4);
    fx_expect(&crm->told, "ok:1 ok:2 ok:3 ok:4");
    b = fx_system("b", true);
    fx_expect(&b->got, "e1 e2"); /* one of a key at a time */
    fx_ack(b, 1, 2);
    fx_turn();
    fx_expect(&b->got, "e3");
    fx_ack(b, 3, 3);
    fx_turn();
    fx_expect(&b->got, "e4");
    stop();
}

static void what_waits_for_a_system_that_fails_goes_on(void **state) {
    (void)state;
    start(DIALLED);
    say("e1", "");
    say("q1", "messagetype=query");
    refuse(1); /* nobody had tried before */
    b = connect_to(2);
    fx_expect(&b->got, "e1 q1");
    say("e2", "");
    fx_expect(&b->got, "e2");
    assert_int_equal(engine_totals(fx.engine)->failover_moved, 2);
    fx_expect(&fx.ended, "");
    stop();
}

static void a_reply_comes_from_whoever_was_asked_last(void **state) {
    (void)state;
    start(SESSIONS);
    a = fx_system("a", true);
    b = fx_system("b", true);
    say("q1", "messagetype=query");
    fx_expect(&a->got, "q1");
    lose(a);
    fx_pass(10 * NS_PER_MS);
    fx_expect(&b->got, "q1*2");
    fx_say(b, "b", "r1", "messagetype=response causationid=q1");
    fx_turn();
    fx_expect(&crm->got, "response<q1");
    fx_expect(&fx.ended, "");
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    stop();
}

static void what_must_not_come_twice_stays_where_it_is(void **state) {
    (void)state;
    start(SESSIONS);
    a = fx_system("a", true);
    b = fx_system("b", true);
    say("r1", "messagetype=request");
    fx_expect(&a->got, "r1");
    lose(a); /* it was written: it may be there */
    fx_pass(NS_PER_S);
    fx_expect(&b->got, "");
    fx_expect(&fx.ended, "r1:dead:outcome-unknown");
    stop();
}

static void what_never_left_goes_on_at_once_and_costs_no_attempt(void **state) {
    (void)state;
    start(SESSIONS);
    a = fx_system("a", true);
    b = fx_system("b", true);
    a->stuck = true;
    say("r1", "messagetype=request");
    say("r2", "messagetype=request");
    lose(a);
    fx_expect(&b->got, "r1 r2");
    fx_expect(&fx.ended, "");
    stop();
}

static void who_refuses_is_followed_by_the_next_system(void **state) {
    (void)state;
    start(SESSIONS);
    a = fx_system("a", true);
    b = fx_system("b", true);
    say("q1", "messagetype=query");
    fx_outcome(a, 1, 1, VERDICT_RETRY, STATUS_OVERLOADED);
    fx_turn();
    fx_pass(10 * NS_PER_MS);
    fx_expect(&b->got, "q1*2");
    fx_outcome(b, 1, 1, VERDICT_RETRY, STATUS_OVERLOADED);
    fx_turn();
    fx_pass(10 * NS_PER_MS);
    fx_expect(&a->got, "q1 q1*3");
    fx_outcome(a, 2, 2, VERDICT_RETRY, STATUS_OVERLOADED);
    fx_turn();
    fx_pass(NS_PER_S);
    fx_expect(&fx.ended, "q1:dead:overloaded"); /* attempts are counted over all systems */
    stop();
}

static void another_endpoint_comes_before_another_system(void **state) {
    (void)state;
    start(SESSIONS);
    struct fixture_peer *a2 = fx_system("a", true);
    a = fx_system("a", true);
    b = fx_system("b", true);
    say("q1", "messagetype=query");
    struct fixture_peer *first = a->got.size ? a : a2, *second = first == a ? a2 : a;
    fx_outcome(first, 1, 1, VERDICT_RETRY, STATUS_OVERLOADED);
    fx_turn();
    fx_pass(10 * NS_PER_MS);
    fx_expect(&second->got, "q1*2");
    fx_outcome(second, 1, 1, VERDICT_RETRY, STATUS_OVERLOADED);
    fx_turn();
    fx_pass(10 * NS_PER_MS);
    fx_expect(&b->got, "q1*3");
    stop();
}

static void a_full_queue_sends_new_ones_on_and_keeps_what_it_has(void **state) {
    struct engine_system_view view;
    (void)state;
    start(HEAD "  a: {accept: true, limits: {queue: {messages: 10}}}\n  b: {accept: true}\nroutes: {r: {match: {}, failover: [a, b]}}\n");
    a = fx_system("a", true);
    b = fx_system("b", true);
    fx_room(a, 0);
    char id[16];
    for (int i = 0; i < 15; i++) {
        (void)snprintf(id, sizeof id, "e%d", i);
        say(id, "");
    }
    engine_system_view(fx.engine, 1, &view);
    assert_in_range(view.held[0], 8, 10);
    assert_int_equal(engine_totals(fx.engine)->waiting, 0);
    assert_true(b->got.size > 0);
    fx_room(a, 100);
    fx_turn();
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.held[0], 0);
    assert_int_equal(engine_totals(fx.engine)->failover_moved, 0);
    stop();
}

static void who_offers_no_holding_is_passed_over(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true, offline: refuse}\n  b: {accept: true}\nroutes: {r: {match: {}, failover: [a, b]}}\n");
    say("e1", "");
    fx_expect(&crm->told, "ok:1");
    b = fx_system("b", true);
    fx_expect(&b->got, "e1");
    stop();
}

static void what_its_breaker_keeps_from_going_there_goes_on(void **state) {
    (void)state;
    start(HEAD "  a: {url: intertie://127.0.0.1:7461, breaker: {failures: 1, open: 1s, open_max: 1s}, " QUICK "}\n"
               "  b: {accept: true, " QUICK "}\nroutes: {r: {match: {}, failover: [a, b]}}\n");
    b = fx_system("b", true);
    say("e1", "");
    a = connect_to(1);
    fx_expect(&a->got, "e1");
    fx_outcome(a, 1, 1, VERDICT_RETRY, STATUS_UPSTREAM_ERROR);
    fx_turn();
    say("e2", "");
    fx_expect(&b->got, "e2");
    fx_pass(100 * NS_PER_MS);
    fx_expect(&b->got, "e1*2");
    fx_pass(2 * NS_PER_S); /* half open: but it was out just now */
    say("e3", "");
    fx_expect(&b->got, "e3");
    fx_pass(STANDBY_HOLD_NS);
    say("e4", "");
    fx_expect(&a->got, "e4");
    stop();
}

static void it_is_dialled_again_though_nobody_waits_for_it(void **state) {
    (void)state;
    start(DIALLED);
    say("e1", "");
    refuse(1);
    b = connect_to(2);
    for (int i = 0; i < 6; i++) {
        fx_ack(b, (uint64_t)i + 1, (uint64_t)i + 1);
        say("e", "");
        fx_pass(STANDBY_HOLD_NS);
        refuse(1);
    }
    fx_ack(b, 7, 7);
    fx_pass(STANDBY_HOLD_NS);
    a = connect_to(1);
    fx_pass(STANDBY_HOLD_NS);
    say("e9", "");
    fx_expect(&a->got, "e9");
    stop();
}

static void a_reload_that_takes_the_list_away_leaves_what_waits(void **state) {
    (void)state;
    start(SESSIONS);
    say("e1", "");
    fx_reload(HEAD "  a: {accept: true}\n  b: {accept: true}\nroutes: {r: {match: {}, to: b}}\n");
    b = fx_system("b", true);
    fx_expect(&b->got, "");
    a = fx_system("a", true);
    fx_expect(&a->got, "e1");
    stop();
}

static void two_requests_of_one_id_never_wait_for_one_system(void **state) {
    (void)state;
    start(SESSIONS);
    b = fx_system("b", true);
    say("q1", "messagetype=query target=b");
    fx_expect(&b->got, "q1");
    say("q1", "messagetype=query target=a"); /* by its target: it takes no route of several */
    a = fx_system("a", true);
    fx_expect(&a->got, "q1");
    stop();
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    for (int64_t at = 0; at < 60; at++) {
        start(SESSIONS);
        say("q0", "messagetype=query");
        say("e1", "partitionkey=k");
        say("e2", "partitionkey=k");
        fx.failing = at;
        memory_fail_after(at);
        b = fx_accept(0);
        fx_hello(b, "b", NULL, true);
        fx_turn();
        memory_fail_after(-1);
        fx_turn();
        stop();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_can_gets_it),
        cmocka_unit_test(it_comes_back_without_flapping),
        cmocka_unit_test(who_has_just_come_back_is_better_than_nobody),
        cmocka_unit_test(with_nobody_there_the_first_holds_until_one_comes),
        cmocka_unit_test(what_waits_for_a_system_that_fails_goes_on),
        cmocka_unit_test(a_reply_comes_from_whoever_was_asked_last),
        cmocka_unit_test(what_must_not_come_twice_stays_where_it_is),
        cmocka_unit_test(what_never_left_goes_on_at_once_and_costs_no_attempt),
        cmocka_unit_test(who_refuses_is_followed_by_the_next_system),
        cmocka_unit_test(another_endpoint_comes_before_another_system),
        cmocka_unit_test(a_full_queue_sends_new_ones_on_and_keeps_what_it_has),
        cmocka_unit_test(who_offers_no_holding_is_passed_over),
        cmocka_unit_test(what_its_breaker_keeps_from_going_there_goes_on),
        cmocka_unit_test(it_is_dialled_again_though_nobody_waits_for_it),
        cmocka_unit_test(a_reload_that_takes_the_list_away_leaves_what_waits),
        cmocka_unit_test(two_requests_of_one_id_never_wait_for_one_system),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
