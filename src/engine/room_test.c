/* Room in queues: the low are refused first, each lane has its own limit, and who waits for one doesn't stand before others. */
#include "engine/fixture.h"

static const char yaml[] =
    "listeners: {in: intertie://127.0.0.1:7460}\n"
    "systems:\n"
    "  crm: {}\n"
    "  desk: {accept: true, limits: {queue: {messages: 20}}}\n"
    "  lanes: {accept: true, limits: {queue: {messages: 100}, lanes: {2: {messages: 2}, emergency: {bytes: 1KiB}}}}\n"
    "  two: {accept: true, limits: {queue: {messages: 2}}}\n"
    "routes:\n"
    "  every: {match: {type: com.example.all}, to: all}\n";

static struct fixture_peer *crm;

static void start(void) {
    fx_start(yaml);
    crm = fx_system("crm", false);
}

static struct fixture_peer *closed_taker(const char *system) {
    fx.room = 0;
    struct fixture_peer *p = fx_system(system, true);
    fx.room = UINT32_MAX;
    return p;
}

static void say(const char *id, const char *target, int priority) {
    char words[60];
    (void)snprintf(words, sizeof words, "target=%s priority=%d", target, priority);
    fx_say(crm, "crm", id, words);
    fx_turn();
}

static void say_many(unsigned count, const char *target, int priority) {
    for (unsigned i = 0; i < count; i++)
        say("e", target, priority);
}

static void the_low_are_refused_before_the_queue_is_full(void **state) {
    (void)state;
    start();
    closed_taker("desk");
    say_many(14, "desk", 1); /* 70 % of 20 */
    fx_expect(&crm->told, "ok:1 ok:2 ok:3 ok:4 ok:5 ok:6 ok:7 ok:8 ok:9 ok:10 ok:11 ok:12 ok:13 ok:14");
    say("low", "desk", 1);
    fx_expect(&crm->told, "overloaded:15");
    say_many(4, "desk", 2); /* 90 % */
    fx_expect(&crm->told, "ok:16 ok:17 ok:18 ok:19");
    say("normal", "desk", 2);
    fx_expect(&crm->told, ""); /* held back, not refused */
    assert_int_equal(engine_totals(fx.engine)->waiting, 1);
    say("high", "desk", 3);
    fx_expect(&crm->told, "ok:21"); /* who is more urgent doesn't wait for it */
    say("urgent", "desk", 5);
    fx_expect(&crm->told, "ok:22");
    say("one past", "desk", 5);
    fx_expect(&crm->told, "");
    assert_int_equal(engine_totals(fx.engine)->waiting, 2);
    assert_null(engine_check(fx.engine));
    fx_stop();
}

static void nothing_that_was_accepted_is_pushed_out(void **state) {
    (void)state;
    start();
    struct fixture_peer *desk = closed_taker("desk");
    say_many(14, "desk", 1);
    for (int i = 0; i < 8; i++)
        say("urgent", "desk", 5);
    fx_room(desk, 40);
    fx_turn();
    fx_ack(desk, 1, 22);
    fx_turn();
    assert_true(engine_totals(fx.engine)->endings[ENDING_DELIVERED][STATUS_OK] == 22);
    assert_true(engine_totals(fx.engine)->endings[ENDING_DEAD][STATUS_OVERLOADED] == 0);
    assert_true(engine_totals(fx.engine)->held == 0);
    fx_stop();
}

static void the_low_go_straight_while_nothing_waits(void **state) {
    (void)state;
    start();
    struct fixture_peer *two = fx_system("two", true);
    say("a", "two", 1);
    say("b", "two", 1);
    say("c", "two", 1);
    fx_expect(&two->got, "a b c");
    fx_stop();
}

static void a_queue_of_a_few_has_none_to_spare(void **state) {
    (void)state;
    start();
    closed_taker("two");
    say_many(2, "two", 1);
    fx_expect(&crm->told, "ok:1 ok:2");
    say("one past", "two", 1);
    fx_expect(&crm->told, ""); /* full is full: it waits */
    fx_stop();
}

static void each_lane_has_its_limit_of_messages(void **state) {
    (void)state;
    start();
    struct fixture_peer *lanes = closed_taker("lanes");
    say_many(2, "lanes", 2);
    say("one past", "lanes", 2);
    say("next", "lanes", 2);
    fx_expect(&crm->told, "ok:1 ok:2");
    say("low", "lanes", 1); /* those who wait for their own lane stand before nobody else */
    say("high", "lanes", 3);
    fx_expect(&crm->told, "ok:5 ok:6");
    assert_null(engine_check(fx.engine));
    fx_room(lanes, 20);
    fx_turn();
    fx_expect(&crm->told, "ok:3-4");
    buffer_add_byte(&lanes->got, 0);
    const char *got = (const char *)lanes->got.data, *past = strstr(got, "one past"),
               *next = strstr(got, "next");
    assert_true(past && next && past < next);
    fx_stop();
}

static void each_lane_has_its_limit_of_bytes(void **state) {
    (void)state;
    char words[1200] = "target=lanes priority=5 subject=";
    start();
    struct fixture_peer *lanes = closed_taker("lanes");
    size_t used = strlen(words);
    memset(words + used, 's', 600);
    fx_say(crm, "crm", "e1", words);
    fx_turn();
    fx_say(crm, "crm", "e2", words);
    fx_turn();
    fx_expect(&crm->told, "ok:1");
    assert_int_equal(engine_totals(fx.engine)->waiting, 1);
    memset(words + used, 's', 1100);
    fx_say(crm, "crm", "e3", words); /* larger than the lane: it would wait for ever */
    fx_turn();
    fx_expect(&crm->told, "overloaded:3");
    fx_room(lanes, 20);
    fx_turn();
    fx_expect(&lanes->got, "e1 e2");
    fx_stop();
}

static void copies_for_all_do_not_veto(void **state) {
    (void)state;
    start();
    closed_taker("two");
    say_many(2, "two", 1);
    buffer_clear(&crm->told);
    fx_say(crm, "crm", "e", "target=all priority=1");
    fx_turn();
    fx_expect(&crm->told, "ok:3");
    assert_true(engine_totals(fx.engine)->endings[ENDING_DEAD][STATUS_OVERLOADED] == 1);
    fx_stop();
}

static void a_reload_changes_the_limits_of_lanes(void **state) {
    (void)state;
    start();
    closed_taker("lanes");
    say_many(2, "lanes", 2);
    say("one past", "lanes", 2);
    buffer_clear(&crm->told);
    fx_reload("listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {}\n"
              "  lanes: {accept: true, limits: {lanes: {normal: {messages: 3}}}}\n");
    fx_turn();
    fx_expect(&crm->told, "ok:3");
    say("one past", "lanes", 2);
    fx_expect(&crm->told, "");
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_low_are_refused_before_the_queue_is_full),
        cmocka_unit_test(nothing_that_was_accepted_is_pushed_out),
        cmocka_unit_test(the_low_go_straight_while_nothing_waits),
        cmocka_unit_test(a_queue_of_a_few_has_none_to_spare),
        cmocka_unit_test(each_lane_has_its_limit_of_messages),
        cmocka_unit_test(each_lane_has_its_limit_of_bytes),
        cmocka_unit_test(copies_for_all_do_not_veto),
        cmocka_unit_test(a_reload_changes_the_limits_of_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
