/* Where a route's messages go when it names more than one system, and what is done to them on purpose. */
#include "engine/fixture.h"
#include "engine/ways.h"

#define HEAD "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n"
#define TWO HEAD "  a: {accept: true}\n  b: {accept: true}\n"

static struct fixture_peer *crm, *a, *b;
static bool takes_all; /* a and b acknowledge at once */

static void start(const char *yaml) {
    takes_all = true;
    fx_start(yaml);
    crm = fx_system("crm", true);
    a = fx_system("a", true);
    b = fx_system("b", true);
}

static void stop(void) {
    assert_null(engine_check(fx.engine));
    fx_stop();
}

/* Words that were noted. */
static unsigned count_of(const struct buffer *log) {
    unsigned count = log->size > 0;
    for (size_t i = 0; i < log->size; i++)
        count += log->data[i] == ' ';
    return count;
}

static void say(const char *id, const char *words) {
    fx_say(crm, "crm", id, words);
    fx_turn();
}

/* All that it has. */
static void ack(struct fixture_peer *p) {
    const struct connection *c = net_find(engine_net(fx.engine), p->handle);
    const struct session *s = c->owner;
    if (s->flight_count)
        fx_ack(p, s->flight_base, s->flight_next - 1);
    fx_turn();
}

static void say_many(unsigned count, const char *words) {
    char id[16];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(id, sizeof id, "m%u", i);
        say(id, words);
        if (takes_all) {
            ack(a);
            ack(b);
        }
    }
}

/* -- split -- */

static void a_split_keeps_its_proportion(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, split: {a: 95, b: 5}}}\n");
    say_many(4000, "");
    unsigned at_a = count_of(&a->got), at_b = count_of(&b->got);
    assert_int_equal(at_a + at_b, 4000);
    assert_in_range(at_b, 145, 255); /* 200 expected, four times the deviation of 13.8 */
    stop();
    unsigned before = at_b; /* the same seed gives the same again */
    start(TWO "routes: {r: {match: {}, split: {a: 95, b: 5}}}\n");
    say_many(4000, "");
    assert_int_equal(count_of(&b->got), before);
    stop();
}

static void weight_nought_gets_nothing(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, split: {a: 0, b: 1}}}\n");
    say_many(50, "");
    assert_int_equal(count_of(&a->got), 0);
    assert_int_equal(count_of(&b->got), 50);
    stop();
}

static void a_key_stays_with_its_system(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, split: {a: 50, b: 50}}}\n");
    unsigned at_a = 0;
    for (unsigned key = 0; key < 200; key++) {
        char words[40], id[16];
        (void)snprintf(words, sizeof words, "partitionkey=k%u", key);
        for (unsigned i = 0; i < 3; i++) {
            (void)snprintf(id, sizeof id, "k%u-%u", key, i);
            say(id, words);
            ack(a);
            ack(b);
        }
        assert_true(count_of(&a->got) == 0 || count_of(&b->got) == 0);
        assert_int_equal(count_of(&a->got) + count_of(&b->got), 3);
        at_a += count_of(&a->got) > 0;
        buffer_clear(&a->got);
        buffer_clear(&b->got);
    }
    assert_in_range(at_a, 70, 130);
    stop();
}

static void a_query_is_split_too(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, split: {a: 1, b: 0}}}\n");
    say("q1", "messagetype=query");
    fx_expect(&a->got, "q1");
    fx_expect(&fx.ended, "");
    stop();
}

static void one_that_waits_keeps_its_choice(void **state) {
    (void)state;
    start(
        HEAD
        "  a: {accept: true, limits: {queue: {messages: 1}}}\n  b: {accept: true, limits: {queue: {messages: 1}}}\n"
        "routes: {r: {match: {}, split: {a: 50, b: 50}}}\n");
    fx_room(a, 0);
    fx_room(b, 0);
    takes_all = false;
    say_many(40, ""); /* one is held for each, the others wait */
    uint64_t waiting = engine_totals(fx.engine)->waiting;
    assert_int_equal(waiting, 38);
    fx_room(a, 1000);
    fx_turn();
    unsigned at_a = count_of(&a->got);
    assert_int_equal(engine_totals(fx.engine)->waiting, 39 - at_a); /* none of b's came over */
    fx_pass(NS_PER_S);
    assert_int_equal(count_of(&a->got), at_a);
    fx_room(b, 1000);
    fx_turn();
    assert_int_equal(count_of(&a->got) + count_of(&b->got), 40);
    stop();
}

/* -- mirror -- */

#define MIRROR(...) TWO "routes: {r: {match: {}, to: a, mirror: {to: b" __VA_ARGS__ "}}}\n"

static void a_mirror_gets_a_copy(void **state) {
    (void)state;
    start(MIRROR());
    say("e1", "");
    fx_expect(&a->got, "e1");
    fx_expect(&b->got, "e1");
    fx_expect(&crm->told, "ok:1");
    fx_ack(a, 1, 1);
    fx_ack(b, 1, 1);
    fx_turn();
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    assert_int_equal(engine_totals(fx.engine)->mirror_copies, 1);
    stop();
}

static void a_mirrors_fate_is_not_told(void **state) {
    static const struct {
        enum protocol_verdict verdict;
        enum status status;
    } rows[] = {{VERDICT_REJECTED, STATUS_REJECTED},
                {VERDICT_RETRY, STATUS_OVERLOADED},
                {VERDICT_UNKNOWN, STATUS_RESET}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        start(MIRROR());
        say("e1", "");
        fx_ack(a, 1, 1);
        fx_outcome(b, 1, 1, rows[i].verdict, rows[i].status);
        fx_turn();
        fx_pass(60 * NS_PER_S);
        fx_expect(&b->got, "e1"); /* once */
        fx_expect(&fx.ended, "");
        assert_int_equal(engine_totals(fx.engine)->dead_held, 0);
        assert_int_equal(engine_totals(fx.engine)->held, 0);
        stop();
    }
}

static void a_mirror_never_vetoes_nor_slows(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true}\n  b: {accept: true, limits: {queue: {messages: 20}}}\n"
               "routes: {r: {match: {}, to: a, mirror: {to: b}}}\n");
    fx_room(b, 0);
    takes_all = false;
    say_many(50, "");
    assert_int_equal(count_of(&a->got), 50);
    fx_expect(
        &crm->told,
        "ok:1 ok:2 ok:3 ok:4 ok:5 ok:6 ok:7 ok:8 ok:9 ok:10 ok:11 ok:12 ok:13 ok:14 ok:15 ok:16 ok:17 ok:18 "
        "ok:19 ok:20 ok:21 ok:22 ok:23 ok:24 ok:25 ok:26 ok:27 ok:28 ok:29 ok:30 ok:31 ok:32 ok:33 ok:34 ok:35 "
        "ok:36 ok:37 ok:38 ok:39 ok:40 ok:41 ok:42 ok:43 ok:44 ok:45 ok:46 ok:47 ok:48 ok:49 ok:50");
    struct engine_system_view view;
    engine_system_view(fx.engine, 2, &view);
    assert_int_equal(view.held[0], 11); /* about half of its queue, so that others find room */
    assert_int_equal(engine_totals(fx.engine)->mirror_skipped, 39);
    say("own", "target=b");
    assert_int_equal(engine_totals(fx.engine)->waiting, 0);
    fx_pass(6 * NS_PER_S); /* what nobody took in time is dropped */
    engine_system_view(fx.engine, 2, &view);
    assert_int_equal(view.held[0], 1);
    stop();
}

static void answer(struct fixture_peer *p, const char *from, const char *id, const char *cause) {
    char words[80];
    (void)snprintf(words, sizeof words, "messagetype=response causationid=%s", cause);
    fx_say(p, from, id, words);
    fx_turn();
}

static void a_mirrors_reply_is_dropped_and_counted(void **state) {
    (void)state;
    start(MIRROR());
    say("q1", "messagetype=query");
    buffer_clear(&crm->told);
    fx_expect(&b->got, "q1");
    fx_ack(b, 1, 1);
    answer(b, "b", "r1", "q1"); /* before the one that counts */
    fx_expect(&crm->got, "");
    assert_int_equal(engine_totals(fx.engine)->mirror_replies, 1);
    fx_ack(a, 1, 1);
    answer(a, "a", "r2", "q1");
    fx_expect(&crm->got, "response<q1");
    fx_expect(&fx.ended, "");
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    stop();
}

static void a_mirror_makes_way_for_what_is_meant(void **state) {
    (void)state;
    start(MIRROR());
    say("q1", "messagetype=query");
    say("q1", "messagetype=query target=b");
    answer(b, "b", "r1", "q1");
    fx_expect(&crm->got, "response<q1");
    assert_int_equal(engine_totals(fx.engine)->mirror_replies, 0);
    stop();
}

static void a_mirror_gets_its_share(void **state) {
    (void)state;
    start(MIRROR(", share: 10%"));
    say_many(900, "");
    assert_int_equal(count_of(&a->got), 900);
    assert_in_range(count_of(&b->got), 54, 126); /* 90, four deviations of 9 */
    assert_int_equal(engine_totals(fx.engine)->mirror_copies, count_of(&b->got));
    stop();
}

static void copies_for_a_mirror_are_bounded(void **state) {
    (void)state;
    start(MIRROR());
    takes_all = false;
    say_many(MIRROR_COPIES_MAX + 1, "");
    assert_int_equal(engine_totals(fx.engine)->mirror_copies, MIRROR_COPIES_MAX);
    assert_int_equal(engine_totals(fx.engine)->mirror_skipped, 1);
    stop();
}

/* -- faults -- */

static void a_message_is_aborted_on_purpose(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, to: a, fault: {abort: target-unavailable}}}\n");
    say("e1", "");
    say("q1", "messagetype=query");
    fx_expect(&crm->told, "target-unavailable:1 target-unavailable:2");
    fx_expect(&fx.ended, "e1:rejected:target-unavailable q1:rejected:target-unavailable");
    fx_expect(&a->got, "");
    assert_int_equal(engine_totals(fx.engine)->faults_aborted, 2);
    stop();
}

static void a_message_is_delayed_on_purpose(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, to: a, fault: {delay: 100ms}}}\n");
    say("e1", "");
    fx_pass(50 * NS_PER_MS);
    say("e2", "");
    fx_expect(&a->got, "");
    fx_expect(&crm->told, "");
    fx_pass(50 * NS_PER_MS);
    fx_expect(&a->got, "e1");
    fx_expect(&crm->told, "ok:1");
    fx_pass(50 * NS_PER_MS);
    fx_expect(&a->got, "e2");
    assert_int_equal(engine_totals(fx.engine)->faults_delayed, 2);
    assert_int_equal(engine_totals(fx.engine)->waiting, 0);
    stop();
}

static void delay_comes_before_abort(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, to: a, fault: {delay: 100ms, abort: overloaded}}}\n");
    say("e1", "");
    fx_expect(&crm->told, "");
    fx_pass(100 * NS_PER_MS);
    fx_expect(&crm->told, "overloaded:1");
    fx_expect(&fx.ended, "e1:rejected:overloaded");
    stop();
}

static void a_fault_meets_its_share(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, to: a, fault: {abort: overloaded, share: 30%}}}\n");
    say_many(1000, "");
    assert_in_range(engine_totals(fx.engine)->faults_aborted, 240, 360);
    assert_int_equal(count_of(&a->got) + engine_totals(fx.engine)->faults_aborted, 1000);
    stop();
}

static void what_is_delayed_is_bounded(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, to: a, fault: {delay: 1s}}}\n");
    say_many(FAULT_DELAYED_MAX + 1, "");
    assert_int_equal(engine_totals(fx.engine)->faults_delayed, FAULT_DELAYED_MAX);
    assert_int_equal(engine_totals(fx.engine)->faults_skipped, 1);
    assert_int_equal(count_of(&a->got), 1);
    fx_pass(NS_PER_S);
    for (int i = 0; i < 8; i++)
        ack(a); /* it has so many windows of messages */
    assert_int_equal(count_of(&a->got), FAULT_DELAYED_MAX + 1);
    stop();
}

static void a_drain_ends_delays(void **state) {
    struct engine_input input = {.kind = INPUT_DRAIN};
    (void)state;
    start(TWO "routes: {r: {match: {}, to: a, fault: {delay: 60s}}}\n");
    say("e1", "");
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    fx_expect(&a->got, "e1");
    assert_int_equal(engine_totals(fx.engine)->waiting, 0);
    stop();
}

static void who_leaves_takes_what_is_delayed_along(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, to: a, fault: {delay: 1s}}}\n");
    say("e1", "");
    fx_lose(crm);
    fx_turn();
    assert_int_equal(engine_totals(fx.engine)->waiting, 0);
    fx_pass(2 * NS_PER_S);
    fx_expect(&a->got, "");
    stop();
}

static void what_is_delayed_waits_for_room_then(void **state) {
    (void)state;
    start(HEAD "  a: {accept: true, limits: {queue: {messages: 1}}}\n  b: {accept: true}\n"
               "routes: {r: {match: {}, to: a, fault: {delay: 100ms}}}\n");
    fx_room(a, 0);
    say("held", "target=a");
    say("e1", "");
    fx_pass(100 * NS_PER_MS);
    assert_int_equal(engine_totals(fx.engine)->waiting, 1);
    fx_room(a, 10);
    fx_turn();
    fx_expect(&a->got, "held e1");
    stop();
}

static void a_delay_survives_a_reload(void **state) {
    (void)state;
    start(TWO "routes: {r: {match: {}, to: a, fault: {delay: 100ms, abort: overloaded}}}\n");
    say("e1", "");
    fx_reload(TWO "routes: {r: {match: {}, to: b}}\n");
    fx_pass(100 * NS_PER_MS);
    fx_expect(&b->got, "e1");
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_split_keeps_its_proportion),
        cmocka_unit_test(weight_nought_gets_nothing),
        cmocka_unit_test(a_key_stays_with_its_system),
        cmocka_unit_test(a_query_is_split_too),
        cmocka_unit_test(one_that_waits_keeps_its_choice),
        cmocka_unit_test(a_mirror_gets_a_copy),
        cmocka_unit_test(a_mirrors_fate_is_not_told),
        cmocka_unit_test(a_mirror_never_vetoes_nor_slows),
        cmocka_unit_test(a_mirrors_reply_is_dropped_and_counted),
        cmocka_unit_test(a_mirror_makes_way_for_what_is_meant),
        cmocka_unit_test(a_mirror_gets_its_share),
        cmocka_unit_test(copies_for_a_mirror_are_bounded),
        cmocka_unit_test(a_message_is_aborted_on_purpose),
        cmocka_unit_test(a_message_is_delayed_on_purpose),
        cmocka_unit_test(delay_comes_before_abort),
        cmocka_unit_test(a_fault_meets_its_share),
        cmocka_unit_test(what_is_delayed_is_bounded),
        cmocka_unit_test(a_drain_ends_delays),
        cmocka_unit_test(who_leaves_takes_what_is_delayed_along),
        cmocka_unit_test(what_is_delayed_waits_for_room_then),
        cmocka_unit_test(a_delay_survives_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
