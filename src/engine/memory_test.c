/* Memory that runs out anywhere in a day of an engine: somebody is refused, nothing breaks, nothing is lost track of. */
#include "engine/fixture.h"

static const char yaml[] = "listeners: {in: intertie://127.0.0.1:7460}\n"
                           "systems:\n"
                           "  crm: {}\n"
                           "  watch: {}\n"
                           "  desk: {accept: true, stamp: true, timeouts: {request: 10s}}\n"
                           "  tiny: {accept: true, limits: {queue: {messages: 1}}}\n"
                           "  far: tcp://127.0.0.1:1\n"
                           "routes: {both: {match: {type: com.example.both}, to: [desk, far]}}\n";

/* A peer that says who it is; NULL when the engine could not take it. */
static struct fixture_peer *peer(const char *system, bool serves) {
    struct fixture_peer *p = fx_accept(0);
    fx_hello(p, system, NULL, serves);
    fx_turn();
    return p;
}

static void open_all(struct fixture_peer **crm, struct fixture_peer **desk, struct fixture_peer **watch) {
    *crm = peer("crm", false);
    *desk = peer("desk", true);
    *watch = peer("watch", false);
    fx_subscribe(*watch, 1, "type LIKE 'com.example.%' AND EXISTS id", "g");
    fx_turn();
}

static void ask_and_answer(struct fixture_peer *crm, struct fixture_peer *desk) {
    fx_say(crm, "crm", "q1", "target=desk messagetype=query");
    fx_say(crm, "crm", "q2", "target=desk messagetype=request replyto=/systems/desk");
    fx_say(crm, "crm", "q3", "target=far messagetype=query");
    fx_turn();
    fx_ack(desk, 1, 64);
    fx_room(crm, 0);
    fx_say(desk, "desk", "r1", "messagetype=response causationid=q1");
    fx_turn();
    fx_room(crm, UINT32_MAX);
    fx_turn();
    fx_pass(11 * NS_PER_S); /* q2 gets an error */
}

static void fill_lanes(struct fixture_peer *crm, struct fixture_peer *desk) {
    fx_room(desk, 0);
    fx_say(crm, "crm", "k1", "target=desk partitionkey=a");
    fx_say(crm, "crm", "k2", "target=desk partitionkey=a");
    fx_say(crm, "crm", "k3", "target=desk partitionkey=b priority=5");
    fx_say(crm, "crm", "b1", "type=com.example.both");
    fx_say(crm, "crm", "a1", "target=all");
    fx_say(crm, "crm", "t1", "target=tiny");
    fx_say(crm, "crm", "t2", "target=tiny"); /* waits */
    fx_turn();
    fx_room(desk, UINT32_MAX);
    fx_turn();
    fx_ack(desk, 1, 64);
    fx_turn();
}

static void lose_and_come_back(struct fixture_peer *crm, struct fixture_peer *desk) {
    if (desk)
        desk->stuck = true;
    fx_say(crm, "crm", "e1", "target=desk");
    fx_say(crm, "crm", "e2", "target=desk messagetype=command");
    fx_turn();
    if (fx_alive(desk))
        fx_write(desk, 5);
    fx_lose(desk);
    fx_turn();
    fx.terms.acks = false; /* so that it goes straight through, and is found again in the chain */
    desk = peer("desk", true);
    if (desk)
        desk->stuck = true;
    fx_say(crm, "crm", "e3", "target=desk");
    fx_turn();
    fx_lose(desk);
    fx_turn();
    peer("desk", true);
    if (fx.dial_count && net_find(engine_net(fx.engine), fx.dials[fx.dial_count - 1].connection))
        fx_connect(fx.dial_count - 1);
    fx_turn();
    fx_lose(crm);
    fx_turn();
    fx_pass(40 * NS_PER_S);
}

static void story(void) {
    struct fixture_peer *crm, *desk, *watch;
    open_all(&crm, &desk, &watch);
    ask_and_answer(crm, desk);
    fill_lanes(crm, desk);
    fx_ack(watch, 1, 64);
    lose_and_come_back(crm, desk);
}

static void survive(bool shortcuts) {
    int64_t live = memory_live(), n = 0;
    for (int failed = 1; failed; n++) {
        fx_start(yaml);
        fx.engine->options.cut_through = shortcuts;
        fx.failing = n;
        memory_fail_after(n);
        story();
        failed = memory_has_failed();
        memory_fail_after(-1);
        fx_turn();
        if (!failed)
            assert_true(engine_totals(fx.engine)->endings[ENDING_DELIVERED][STATUS_OK] >= 8);
        fx_stop();
        if (memory_live() != live)
            fail_msg("allocation %d: %d are left", (int)n, (int)(memory_live() - live));
    }
    assert_true(n > 60); /* or the story is none */
}

static void every_failed_allocation_of_a_day_is_survived(void **state) {
    (void)state;
    survive(true);
    survive(false);
}

static const char other_yaml[] = "listeners: {in: intertie://127.0.0.1:7460, more: intertie://127.0.0.1:7461}\n"
                                 "systems:\n"
                                 "  crm: {}\n"
                                 "  watch: {}\n"
                                 "  desk: {accept: true}\n"
                                 "  fresh: {endpoints: {a: tcp://127.0.0.1:2, b: tcp://127.0.0.1:3}}\n"
                                 "  far: {endpoints: {old: tcp://127.0.0.1:1, new: tcp://127.0.0.1:4}}\n";

/* It lacks memory: the old one is in force, and what is held is held. Then it has it. */
static void a_reload_without_memory_changes_nothing(void **state) {
    int64_t live = memory_live(), n = 0;
    (void)state;
    for (bool failed = true; failed; n++) {
        fx_start(yaml);
        struct fixture_peer *crm = peer("crm", false);
        fx_say(crm, "crm", "e1", "target=desk");
        fx_say(crm, "crm", "e2", "target=tiny");
        fx_say(crm, "crm", "e3", "target=far");
        fx_turn();
        const struct plan *before = engine_plan(fx.engine);
        struct engine_input input = {.kind = INPUT_CONFIG, .plan = fx_load(other_yaml)};
        memory_fail_after(n);
        engine_input(fx.engine, &input, fx.now);
        bool has_failed = memory_has_failed();
        memory_fail_after(-1);
        failed = input.status == STATUS_NO_MEMORY;
        assert_true(!failed || has_failed);
        assert_ptr_equal(engine_plan(fx.engine), failed ? before : input.plan);
        fx_turn();
        assert_null(engine_check(fx.engine));
        assert_int_equal(engine_system_count(fx.engine), 5);
        if (failed) {
            assert_int_equal(engine_totals(fx.engine)->held, 3);
            input = (struct engine_input){.kind = INPUT_CONFIG, .plan = input.plan};
            engine_input(fx.engine, &input, fx.now);
            assert_int_equal(input.status, STATUS_OK);
            fx_turn();
        }
        assert_int_equal(engine_totals(fx.engine)->held, 2);
        assert_int_equal(engine_totals(fx.engine)->endings[ENDING_DEAD][STATUS_SYSTEM_REMOVED], 1);
        fx_stop();
        if (memory_live() != live)
            fail_msg("allocation %d: %d are left", (int)n, (int)(memory_live() - live));
    }
    assert_true(n > 15); /* or it takes none */
}

/* With the memory at hand a change can't fail, whatever else does. */
static void a_change_that_is_prepared_takes_place(void **state) {
    int64_t live = memory_live();
    (void)state;
    for (int64_t n = 0; n < 8; n++) {
        fx_start(yaml);
        struct engine_input input = {.kind = INPUT_CONFIG, .plan = fx_load(other_yaml)};
        input.change = engine_change_new(input.plan);
        assert_non_null(input.change);
        memory_fail_after(n);
        engine_input(fx.engine, &input, fx.now);
        memory_fail_after(-1);
        assert_int_equal(input.status, STATUS_OK);
        assert_ptr_equal(engine_plan(fx.engine), input.plan);
        fx_turn();
        assert_null(engine_check(fx.engine));
        fx_stop();
        assert_true(memory_live() == live);
    }
}

static void an_engine_that_gets_no_memory_is_none(void **state) {
    int64_t live = memory_live();
    struct engine_options options = {.workers = 4, .seed = 1};
    (void)state;
    for (int64_t n = 0;; n++) {
        memory_fail_after(n);
        struct engine *engine = engine_new(&options);
        int failed = memory_has_failed();
        memory_fail_after(-1);
        assert_true((engine == NULL) == failed);
        engine_free(engine);
        assert_true(memory_live() == live);
        if (!failed)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_that_gets_no_memory_is_none),
        cmocka_unit_test(every_failed_allocation_of_a_day_is_survived),
        cmocka_unit_test(a_reload_without_memory_changes_nothing),
        cmocka_unit_test(a_change_that_is_prepared_takes_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
