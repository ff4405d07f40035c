/* What was taken before is told so and not taken again, whichever of two workers it comes to. */
#include "engine/pair.h"
#include "engine/parcel.h"

static const char yaml[] =
    "listeners: {in: intertie://127.0.0.1:7460}\n"
    "systems:\n"
    "  crm: {}\n"
    "  desk: {accept: true}\n"
    "  other: {accept: true, offline: refuse}\n"
    "  tight: {accept: true, limits: {queue: {messages: 1}}}\n"
    "routes:\n"
    "  twice: {match: {type: com.example.twice}, to: desk}\n"
    "  once: {match: {type: com.example.once}, to: desk, dedupe: {window: 1m}}\n"
    "  never: {match: {type: com.example.never}, to: desk, dedupe: {window: 0s}}\n"
    "  subjects: {match: {type: com.example.subject}, to: desk, dedupe: {by: [source, subject]}}\n";

#define COMMAND "type=com.example.do messagetype=command target="

static void a_command_is_taken_once(void **state) {
    (void)state;
    fx_start(yaml);
    struct fixture_peer *crm = fx_system("crm", false), *again = fx_system("crm", false),
                        *desk = fx_system("desk", true);
    fx_say(crm, "crm", "c1", COMMAND "desk");
    fx_turn();
    fx_say(crm, "crm", "c1", COMMAND "desk");
    fx_say(again, "crm", "c1", COMMAND "desk");
    fx_say(again, "crm", "c2", COMMAND "desk");
    fx_turn();
    fx_expect(&crm->told, "ok:1 duplicate:2");
    fx_expect(&again->told, "duplicate:1 ok:2");
    fx_expect(&desk->got, "c1 c2");
    fx_expect(&fx.ended, "c1:dropped:duplicate c1:dropped:duplicate");
    assert_int_equal(engine_totals(fx.engine)->dedupe_kept, 2);
    fx_stop();
}

static void events_are_looked_for_where_it_is_written(void **state) {
    (void)state;
    fx_start(yaml);
    struct fixture_peer *crm = fx_system("crm", false), *desk = fx_system("desk", true);
    static const char *const types[] = {"type=com.example.twice", "type=com.example.once",
                                        "type=com.example.once messagetype=notification",
                                        "type=com.example.never messagetype=command"};
    static const char *const told[] = {"ok:1-2", "duplicate:4 ok:3", "ok:5-6", "ok:7-8"};
    static const char *const got[] = {"e0 e0", "e1", "e2 e2", "e3 e3"};
    for (unsigned i = 0; i < COUNT_OF(types); i++) {
        char id[4];
        (void)snprintf(id, sizeof id, "e%u", i);
        fx_say(crm, "crm", id, types[i]);
        fx_say(crm, "crm", id, types[i]);
        fx_turn();
        fx_expect(&crm->told, told[i]);
        fx_expect(&desk->got, got[i]);
    }
    fx_stop();
}

static void whoever_is_asked_for_a_reply_is_asked_again(void **state) {
    (void)state;
    fx_start(yaml);
    struct fixture_peer *crm = fx_system("crm", false), *desk = fx_system("desk", true);
    fx_say(crm, "crm", "q1", "type=com.example.once messagetype=query");
    fx_turn();
    fx_say(desk, "desk", "r1", "messagetype=response causationid=q1");
    fx_turn();
    fx_say(crm, "crm", "q1", "type=com.example.once messagetype=query");
    fx_turn();
    fx_expect(&desk->got, "q1 q1");
    fx_stop();
}

static void what_makes_it_one_is_as_configured(void **state) {
    (void)state;
    fx_start(yaml);
    struct fixture_peer *crm = fx_system("crm", false), *desk = fx_system("desk", true),
                        *other = fx_system("other", true);
    fx_say(crm, "crm", "s1", "type=com.example.subject subject=a");
    fx_say(crm, "crm", "s2", "type=com.example.subject subject=a");
    fx_say(crm, "crm", "s3", "type=com.example.subject subject=b");
    fx_say(crm, "crm", "s4", "type=com.example.subject");
    fx_say(crm, "crm", "s4", "type=com.example.subject"); /* it lacks what it would be known by */
    fx_turn();
    fx_expect(&desk->got, "s1 s3 s4 s4");
    fx_say(crm, "crm", "c1", COMMAND "desk"); /* for each of two, one */
    fx_say(crm, "crm", "c1", COMMAND "other");
    fx_turn();
    fx_expect(&desk->got, "c1");
    fx_expect(&other->got, "c1");
    fx_stop();
}

static void what_was_refused_may_come_again(void **state) {
    (void)state;
    fx_start(yaml);
    struct fixture_peer *crm = fx_system("crm", false);
    fx_say(crm, "crm", "c1", COMMAND "other");
    fx_turn();
    fx_expect(&crm->told, "target-unavailable:1");
    struct fixture_peer *other = fx_system("other", true);
    fx_say(crm, "crm", "c1", COMMAND "other");
    fx_turn();
    fx_expect(&crm->told, "ok:2");
    fx_expect(&other->got, "c1");
    fx_stop();
}

static void the_window_outlives_a_reload_and_ends(void **state) {
    (void)state;
    fx_start(yaml);
    struct fixture_peer *crm = fx_system("crm", false), *desk = fx_system("desk", true);
    fx_say(crm, "crm", "c1", COMMAND "desk");
    fx_turn();
    fx_ack(desk, 1, 1);
    fx_reload(yaml);
    fx_pass(299 * NS_PER_S);
    fx_say(crm, "crm", "c1", COMMAND "desk");
    fx_turn();
    fx_expect(&crm->told, "ok:1 duplicate:2");
    fx_pass(NS_PER_S);
    fx_say(crm, "crm", "c1", COMMAND "desk");
    fx_turn();
    fx_expect(&crm->told, "ok:3");
    fx_expect(&desk->got, "c1 c1");
    fx_stop();
}

static void until_the_first_is_taken_the_second_may_come_later(void **state) {
    (void)state;
    fx_start(yaml);
    struct fixture_peer *crm = fx_system("crm", false), *again = fx_system("crm", false),
                        *third = fx_system("crm", false);
    fx_say(crm, "crm", "c0", COMMAND "tight");
    fx_say(crm, "crm", "c1", COMMAND "tight"); /* there is room for one */
    fx_turn();
    fx_say(again, "crm", "c1", COMMAND "tight");
    fx_turn();
    fx_expect(&again->told, "in-progress:1");
    fx_lose(crm); /* it gives up: it wasn't taken */
    fx_turn();
    fx_say(again, "crm", "c1", COMMAND "tight");
    fx_say(third, "crm", "c1", COMMAND "tight");
    fx_turn();
    fx_expect(&third->told, "in-progress:1");
    struct fixture_peer *tight = fx_system("tight", true);
    fx_turn();
    fx_say(third, "crm", "c1", COMMAND "tight");
    fx_turn();
    fx_expect(&again->told, "ok:2");
    fx_expect(&third->told, "duplicate:2");
    fx_expect(&tight->got, "c0 c1");
    fx_stop();
}

/* -- two workers -- */

static void settle(void) {
    for (int i = 0; i < 8; i++) {
        turn(0);
        turn(1);
        post(0, false);
        post(1, false);
    }
}

static void start(void) {
    workers_start(yaml, 2);
}

static struct fixture_peer *peer_at(unsigned worker, const char *system, bool serves) {
    at(worker);
    struct fixture_peer *p = fx_accept(0);
    assert_non_null(p);
    assert_int_equal(fx_hello(p, system, NULL, serves), STATUS_OK);
    turn(worker);
    return p;
}

/* An id of a command for `desk` whose home is that worker. */
static const char *id_at(unsigned home, unsigned nth) {
    static char id[8];
    struct dedupe_key key = {{0}};
    for (unsigned i = 0;; i++) {
        (void)snprintf(id, sizeof id, "c%u", i);
        struct slice parts[] = {SLICE_OF("desk"), SLICE_OF("/systems/crm"), slice_from(id)};
        struct dedupe_print print = dedupe_print(&key, parts, 3);
        uint32_t word;
        memcpy(&word, print.bytes + 4, sizeof word);
        if (word % 2 == home && nth-- == 0)
            return id;
    }
}

static void say_at(unsigned worker, struct fixture_peer *p, const char *id, const char *words) {
    at(worker);
    fx_say(p, "crm", id, words);
    turn(worker);
}

static void two_workers_take_it_once(void **state) {
    (void)state;
    for (unsigned home = 0; home < 2; home++) {
        start();
        struct fixture_peer *desk = peer_at(0, "desk", true),
                            *crm[2] = {peer_at(0, "crm", false), peer_at(1, "crm", false)};
        settle();
        const char *id = id_at(home, 0);
        say_at(0, crm[0], id, COMMAND "desk");
        say_at(1, crm[1], id, COMMAND "desk");
        settle();
        bool first_waits = home == 1; /* its verdict is with the other, who claimed at once */
        fx_expect(&crm[first_waits]->told, "ok:1");
        fx_expect(&crm[!first_waits]->told, "duplicate:1");
        fx_expect(&desk->got, id);
        for (unsigned i = 0; i < 2; i++)
            say_at(i, crm[i], id, COMMAND "desk");
        settle();
        fx_expect(&crm[0]->told, "duplicate:2");
        fx_expect(&crm[1]->told, "duplicate:2");
        assert_int_equal(engine_totals(workers[home])->dedupe_kept, 1);
        assert_int_equal(engine_totals(workers[!home])->dedupe_kept, 0);
        workers_stop();
    }
}

static void what_comes_behind_it_on_its_connection_stays_behind_it(void **state) {
    char remote[8], local[8], expected[40];
    (void)state;
    start();
    struct fixture_peer *desk = peer_at(0, "desk", true), *crm = peer_at(0, "crm", false),
                        *other = peer_at(0, "crm", false);
    settle();
    (void)snprintf(remote, sizeof remote, "%s", id_at(1, 0));
    (void)snprintf(local, sizeof local, "%s", id_at(0, 0));
    say_at(0, crm, remote, COMMAND "desk");
    say_at(0, crm, "e1", "type=com.example.twice");
    say_at(0, crm, local, COMMAND "desk");
    say_at(0, crm, local, COMMAND "desk");
    say_at(0, other, "e2", "type=com.example.twice"); /* nobody else waits for it */
    fx_expect(&desk->got, "e2");
    fx_expect(&other->told, "ok:1");
    assert_false(engine_is_quiet(workers[0]));
    settle();
    (void)snprintf(expected, sizeof expected, "%s e1 %s", remote, local);
    fx_expect(&desk->got, expected);
    fx_expect(&crm->told, "in-progress:4 ok:1-3");
    workers_stop();
}

static void a_verdict_that_never_comes_is_not_waited_for_for_ever(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = peer_at(0, "desk", true), *crm = peer_at(0, "crm", false);
    settle();
    const char *id = id_at(1, 0);
    say_at(0, crm, id, COMMAND "desk");
    post(0, false);
    fx.now.mono.ns += 10 * NS_PER_S;
    turn(0);
    fx_expect(&crm->told, "overloaded:1");
    settle(); /* now it comes, and finds nobody */
    say_at(0, crm, id, COMMAND "desk");
    settle();
    fx_expect(&crm->told, "ok:2");
    fx_expect(&desk->got, id);
    workers_stop();
}

static void who_leaves_meanwhile_has_taken_nothing(void **state) {
    (void)state;
    for (unsigned lost = 0; lost < 2; lost++) {
        start();
        struct fixture_peer *desk = peer_at(0, "desk", true), *crm = peer_at(0, "crm", false),
                            *again = peer_at(1, "crm", false);
        settle();
        const char *id = id_at(1, 0);
        say_at(0, crm, id, COMMAND "desk");
        post(0, lost);
        at(0);
        fx_lose(crm);
        settle();
        say_at(1, again, id, COMMAND "desk");
        settle();
        fx_expect(&again->told, "ok:1");
        fx_expect(&desk->got, id);
        assert_int_equal(workers[0]->deduping.held, 0);
        workers_stop();
    }
}

static void who_sends_much_of_it_is_not_read_for_a_while(void **state) {
    char id[8];
    (void)state;
    start();
    fx.terms.when_full = PROTOCOL_FULL_STOP;
    struct fixture_peer *desk = peer_at(0, "desk", true), *crm = peer_at(0, "crm", false);
    settle();
    for (unsigned i = 0; i < DEDUPE_HOLDS_STOP; i++) {
        assert_false(crm->reads_off);
        (void)snprintf(id, sizeof id, "%s", id_at(1, i));
        say_at(0, crm, id, COMMAND "desk");
    }
    assert_true(crm->reads_off);
    settle();
    assert_false(crm->reads_off);
    assert_int_equal(engine_totals(workers[0])->accepted, DEDUPE_HOLDS_STOP);
    (void)desk;
    workers_stop();
}

/* Whichever allocation fails, it isn't taken twice, and nothing is held for ever. */
static void want_of_memory_never_makes_two_of_it(void **state) {
    (void)state;
    for (int64_t nth = 0; nth < 60; nth++) {
        start();
        fx.failing = nth;
        struct fixture_peer *desk = peer_at(0, "desk", true),
                            *crm[2] = {peer_at(0, "crm", false), peer_at(1, "crm", false)};
        settle();
        const char *id = id_at(1, 0);
        memory_fail_after(nth);
        say_at(0, crm[0], id, COMMAND "desk");
        settle();
        say_at(1, crm[1], id, COMMAND "desk");
        settle();
        memory_fail_after(-1);
        fx.now.mono.ns += 11 * NS_PER_S;
        settle();
        for (unsigned i = 0; i < 2; i++)
            say_at(i, crm[i], id, COMMAND "desk");
        settle();
        uint64_t accepted = engine_totals(workers[0])->accepted + engine_totals(workers[1])->accepted;
        if (accepted != 1)
            fail_msg("allocation %d: %d were taken", (int)nth, (int)accepted);
        assert_int_equal(workers[0]->deduping.held + workers[1]->deduping.held, 0);
        (void)desk;
        workers_stop();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_taken_once),
        cmocka_unit_test(events_are_looked_for_where_it_is_written),
        cmocka_unit_test(whoever_is_asked_for_a_reply_is_asked_again),
        cmocka_unit_test(what_makes_it_one_is_as_configured),
        cmocka_unit_test(what_was_refused_may_come_again),
        cmocka_unit_test(the_window_outlives_a_reload_and_ends),
        cmocka_unit_test(until_the_first_is_taken_the_second_may_come_later),
        cmocka_unit_test(two_workers_take_it_once),
        cmocka_unit_test(what_comes_behind_it_on_its_connection_stays_behind_it),
        cmocka_unit_test(a_verdict_that_never_comes_is_not_waited_for_for_ever),
        cmocka_unit_test(who_leaves_meanwhile_has_taken_nothing),
        cmocka_unit_test(who_sends_much_of_it_is_not_read_for_a_while),
        cmocka_unit_test(want_of_memory_never_makes_two_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
