/* Middleware at its place: after the route, before anybody gets the message. */
#include "engine/chain.h"
#include "engine/fixture.h"

static struct fixture_peer *crm, *desk;

static void start(const char *stages, const char *more) {
    char yaml[2048];
    (void)snprintf(
        yaml, sizeof yaml,
        "listeners: {in: intertie://127.0.0.1:7460}\n"
        "extensions: {tenant: string}\n"
        "systems: {crm: {}, desk: {accept: true, limits: {queue: {messages: 1}, in_flight: 1}%s}}\n"
        "routes: {one: {match: {type: com.example.*}, to: desk, middleware: %s}, two: {match: {type: other}, to: desk}}\n",
        more, stages);
    fx_start(yaml);
    crm = fx_system("crm", false);
    desk = fx_system("desk", true);
}

static void stop(void) {
    assert_true(engine_totals(fx.engine)->held == 0);
    fx_stop();
}

static void say(const char *id, const char *words) {
    fx_say(crm, "crm", id, words);
    fx_turn();
}

static void filtered_messages_are_taken_and_dropped(void **state) {
    (void)state;
    start("{filter: subject = 'a'}", "");
    say("1", "subject=b");
    fx_expect(&crm->told, "ok:1");
    fx_expect(&fx.ended, "1:dropped:filtered");
    say("2", "subject=a");
    fx_expect(&desk->got, "2");
    fx_expect(&crm->told, "ok:2");
    fx_ack(desk, 1, 1);
    say("3", "type=other subject=b"); /* another route has no filter */
    fx_expect(&desk->got, "3");
    fx_ack(desk, 2, 2);
    stop();
}

static void who_waits_for_a_reply_hears_of_the_filter(void **state) {
    (void)state;
    start("{filter: subject = 'a'}", "");
    say("1", "subject=b messagetype=query");
    fx_expect(&crm->told, "filtered:1");
    fx_expect(&fx.ended, "1:rejected:filtered");
    fx_expect(&desk->got, "");
    assert_int_equal(fx.engine->detail[0], 0);
    stop();
}

/* The memo of a connection knows the route of the last message, and must not know more. */
static void the_memo_passes_no_stage_by(void **state) {
    (void)state;
    start("[{filter: subject <> 'b'}, {transform: {set: {tenant: 't-{subject}'}}}]", "");
    for (uint64_t i = 1; i < 4; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%d", (int)i);
        say(id, "subject=a");
        assert_non_null(strstr((char *)desk->wire.data, "\"tenant\":\"t-a\""));
        fx_ack(desk, i, i);
        say("b", "subject=b");
    }
    fx_expect(&desk->got, "1 2 3");
    fx_expect(&fx.ended, "b:dropped:filtered b:dropped:filtered b:dropped:filtered");
    stop();
}

static void transforms_reach_queues_and_subscriptions(void **state) {
    (void)state;
    start("{transform: {set: {subject: 'x{subject}', type: changed}}}", "");
    struct fixture_peer *other = fx_system("crm", false);
    assert_int_equal(fx_subscribe(other, 1, "type = 'com.example.t'", ""), STATUS_OK);
    fx_turn();
    say("1", "subject=1");
    say("2", "subject=2"); /* queued: one may be in flight */
    fx_expect(&desk->got, "1");
    assert_non_null(strstr((char *)desk->wire.data, "\"subject\":\"x1\""));
    fx_ack(desk, 1, 1);
    fx_turn();
    fx_expect(&desk->got, "2");
    assert_non_null(strstr((char *)desk->wire.data, "\"subject\":\"x2\""));
    assert_non_null(strstr((char *)desk->wire.data, "\"type\":\"changed\""));
    assert_non_null(strstr((char *)other->wire.data, "\"type\":\"changed\""));
    fx_ack(other, 1, 2);
    fx_ack(desk, 2, 2);
    fx_turn();
    stop();
}

/* What waits for room waits as it came: once. */
static void who_waits_is_not_changed_twice(void **state) {
    (void)state;
    start("{transform: {set: {subject: 'x{subject}', type: elsewhere}}}", "");
    say("1", "subject=1");
    say("2", "subject=2");
    say("3", "subject=3");
    fx_expect(&crm->told, "ok:1 ok:2");
    for (uint64_t i = 1; i < 4; i++) {
        fx_ack(desk, i, i);
        fx_turn();
    }
    fx_expect(&desk->got, "1 2 3");
    assert_non_null(strstr((char *)desk->wire.data, "\"subject\":\"x3\""));
    fx_expect(&crm->told, "ok:3");
    stop();
}

static void a_reload_changes_what_waits(void **state) {
    (void)state;
    start("{transform: {set: {subject: 'x{subject}'}}}", "");
    say("1", "subject=1");
    say("2", "subject=2");
    say("3", "subject=3");
    fx_reload(
        "listeners: {in: intertie://127.0.0.1:7460}\n"
        "systems: {crm: {}, desk: {accept: true, limits: {queue: {messages: 1}, in_flight: 1}}}\n"
        "routes: {one: {match: {type: com.example.*}, to: desk, middleware: {filter: subject <> '3'}}}\n");
    for (uint64_t i = 1; i < 3; i++) {
        fx_ack(desk, i, i);
        fx_turn();
    }
    fx_expect(&desk->got, "1 2");
    fx_expect(&fx.ended, "3:dropped:filtered");
    stop();
}

static void refusals_have_words(void **state) {
    (void)state;
    start("{transform: {set: {subject: '{tenant}'}}}", "");
    say("1", "");
    fx_expect(&crm->told, "template-missing:1");
    fx_expect(&fx.ended, "1:rejected:template-missing");
    stop();
}

static void the_cap_of_a_life_holds(void **state) {
    (void)state;
    start("{transform: {set: {expirytime: '2036-01-01T00:00:00Z'}}}", ", offline: hold");
    say("0", "");
    say("1", "");
    fx_ack(desk, 1, 1);
    fx_turn();
    fx_ack(desk, 2, 2);
    fx_turn();
    stop();
    start("{transform: {set: {expirytime: '2016-01-01T00:00:00Z'}}}", "");
    say("1", "");
    fx_expect(&crm->told, "expired:1");
    stop();
}

static void want_of_memory_is_told(void **state) {
    (void)state;
    for (int64_t n = 0; n < 40; n++) {
        start("[{filter: subject = 'a'}, {transform: {set: {'data:/a': '{id}', tenant: b}}}]", "");
        fx.failing = n;
        memory_fail_after(n);
        say("1", "subject=a");
        bool failed = memory_has_failed();
        memory_fail_after(-1);
        if (fx_alive(desk)) {
            fx_ack(desk, 1, 1);
            fx_turn();
        }
        stop();
        if (!failed)
            return;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filtered_messages_are_taken_and_dropped),
        cmocka_unit_test(who_waits_for_a_reply_hears_of_the_filter),
        cmocka_unit_test(the_memo_passes_no_stage_by),
        cmocka_unit_test(transforms_reach_queues_and_subscriptions),
        cmocka_unit_test(who_waits_is_not_changed_twice),
        cmocka_unit_test(a_reload_changes_what_waits),
        cmocka_unit_test(refusals_have_words),
        cmocka_unit_test(the_cap_of_a_life_holds),
        cmocka_unit_test(want_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
