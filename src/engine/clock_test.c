/* The wall clock steps, forth and back. What depends on it (expiry) follows it, no earlier and no further; what is a
 * length of time (replies, waiting for room) does not notice; nothing is lost. */
#include "engine/fixture.h"

#include "base/rng.h"

#define HOUR (3600 * NS_PER_S)
#define DAY (24 * HOUR)
#define IN_TEN_SECONDS "expirytime=2026-09-21T14:13:30Z"
#define IN_AN_HOUR "expirytime=2026-09-21T15:13:20Z"
#define IN_TEN_DAYS "expirytime=2026-10-01T14:13:20Z"

static const char yaml[] = "listeners: {in: intertie://127.0.0.1:7460}\n"
                           "systems:\n"
                           "  crm: {}\n"
                           "  desk: {accept: true}\n"
                           "  tiny: {accept: true, limits: {queue: {messages: 1}}, timeouts: {queue: 2s}}\n";

static struct fixture_peer *crm;

static void start(void) {
    fx_start(yaml);
    crm = fx_system("crm", false);
}

static uint64_t count(enum engine_ending ending, enum status status) {
    return engine_totals(fx.engine)->endings[ending][status];
}

static void say_many(unsigned number, const char *words) {
    char id[16];
    for (unsigned i = 0; i < number; i++) {
        snprintf(id, sizeof id, "e%u", i);
        fx_say(crm, "crm", id, words);
    }
    fx_turn();
    fx_expect(&crm->told, number == 1 ? "ok:1" : "ok:1-40");
}

static void step(int64_t ns) {
    fx.now.wall.ns += ns;
    fx_pass(NS_PER_MS);
}

static void a_step_forth_expires_what_is_over_and_nothing_else(void **state) {
    (void)state;
    start();
    say_many(40, "target=desk " IN_AN_HOUR);
    for (int i = 0; i < 40; i++)
        fx_say(crm, "crm", "k", i % 2 ? "target=desk" : "target=desk " IN_TEN_DAYS);
    step(DAY);
    struct fixture_peer *desk = fx_system("desk", true);
    fx_ack(desk, 1, 40);
    fx_turn();
    assert_int_equal(count(ENDING_EXPIRED, STATUS_EXPIRED), 40);
    assert_int_equal(count(ENDING_DELIVERED, STATUS_OK), 40);
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    fx_stop();
}

static void a_step_back_expires_nothing_until_the_clock_says_so(void **state) {
    (void)state;
    start();
    say_many(40, "target=desk " IN_TEN_SECONDS);
    step(-DAY);
    for (int i = 0; i < 60; i++)
        fx_pass(10 * NS_PER_S); /* past where the deadline was set for */
    assert_int_equal(count(ENDING_EXPIRED, STATUS_EXPIRED), 0);
    step(DAY - 600 * NS_PER_S);
    assert_int_equal(count(ENDING_EXPIRED, STATUS_EXPIRED), 0);
    fx_pass(20 * NS_PER_S);
    struct fixture_peer *desk = fx_system("desk", true);
    fx_turn();
    assert_int_equal(count(ENDING_EXPIRED, STATUS_EXPIRED), 40);
    fx_expect(&desk->got, "");
    fx_stop();
}

static void a_reply_is_waited_for_as_long_whatever_the_clock_does(void **state) {
    (void)state;
    for (int64_t jump = -DAY; jump <= DAY; jump += 2 * DAY) {
        start();
        struct fixture_peer *desk = fx_system("desk", true);
        fx_say(crm, "crm", "q1", "messagetype=query target=desk");
        fx_turn();
        fx_expect(&desk->got, "q1");
        step(jump);
        fx_pass(14 * NS_PER_S);
        fx_expect(&fx.ended, "");
        fx_pass(2 * NS_PER_S);
        fx_expect(&fx.ended, "q1:expired:reply-timeout");
        fx_stop();
    }
}

static void room_is_waited_for_as_long_whatever_the_clock_does(void **state) {
    (void)state;
    for (int64_t jump = -DAY; jump <= DAY; jump += 2 * DAY) {
        start();
        fx_say(crm, "crm", "e1", "target=tiny");
        fx_say(crm, "crm", "q2", "messagetype=query target=tiny");
        fx_turn();
        step(jump);
        fx_pass(1500 * NS_PER_MS);
        fx_expect(&fx.ended, "");
        fx_pass(NS_PER_S);
        fx_expect(&fx.ended, "q2:rejected:target-unavailable");
        fx_stop();
    }
}

/* A clock that goes mad for a while: connections stay, and in the end all arrives. */
static void steps_back_and_forth_lose_nothing(void **state) {
    struct rng rng;
    (void)state;
    rng_init(&rng, 7);
    start();
    struct fixture_peer *reader = fx_system("desk", false);
    struct wall begin = fx.now.wall;
    say_many(40, "target=desk " IN_TEN_DAYS);
    for (int i = 0; i < 1000; i++) {
        fx.now.wall.ns = begin.ns + (int64_t)(rng_next(&rng) % (uint64_t)(8 * DAY)) - 4 * DAY;
        fx_pass(NS_PER_MS);
    }
    assert_int_equal(count(ENDING_EXPIRED, STATUS_EXPIRED), 0);
    assert_true(fx_alive(crm) && fx_alive(reader));
    struct fixture_peer *desk = fx_system("desk", true);
    fx_ack(desk, 1, 40);
    fx_turn();
    assert_int_equal(count(ENDING_DELIVERED, STATUS_OK), 40);
    fx_stop();
}

static void receipts_ascend_although_the_clock_goes_back(void **state) {
    struct uuid_source source;
    uint8_t before[16] = {0}, now[16];
    struct wall wall = {INT64_C(1790000000) * NS_PER_S};
    (void)state;
    uuid_source_init(&source, 1);
    for (int i = 0; i < 100000; i++) {
        wall.ns += i % 10 == 9 ? -HOUR : NS_PER_MS;
        uuid_make(&source, wall, now);
        assert_true(memcmp(before, now, sizeof now) < 0);
        memcpy(before, now, sizeof now);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_forth_expires_what_is_over_and_nothing_else),
        cmocka_unit_test(a_step_back_expires_nothing_until_the_clock_says_so),
        cmocka_unit_test(a_reply_is_waited_for_as_long_whatever_the_clock_does),
        cmocka_unit_test(room_is_waited_for_as_long_whatever_the_clock_does),
        cmocka_unit_test(steps_back_and_forth_lose_nothing),
        cmocka_unit_test(receipts_ascend_although_the_clock_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
