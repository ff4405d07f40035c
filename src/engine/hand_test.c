/* What a person sets of an endpoint, and when endpoints that may not be dialled are looked at again. */
#include "engine/fixture.h"
#include "engine/hand.h"

#define YAML(policy, a, b) \
    "listeners: {in: intertie://127.0.0.1:7460}\n" \
    "systems:\n" \
    "  crm: {}\n" \
    "  far: {" policy ", pool: {min: 1, max: 1}, endpoints: {a: {url: intertie://127.0.0.1:9" a "}, " \
    "b: {url: intertie://127.0.0.1:10" b "}}}\n"
#define LONE(policy) \
    "listeners: {in: intertie://127.0.0.1:7460}\n" \
    "systems:\n" \
    "  crm: {}\n" \
    "  far: {" policy ", pool: {min: 1, max: 1}, endpoints: {a: {url: intertie://127.0.0.1:9}}}\n"

static struct fixture_peer *crm, *a, *b;

static struct fixture_peer *connect_dial(unsigned dial) {
    struct fixture_peer *p = fx_connect(dial);
    fx_turn();
    return p;
}

static void start(const char *yaml) {
    fx_start(yaml);
    crm = fx_system("crm", false);
    a = b = NULL;
    if (fx.dial_count > 0)
        a = connect_dial(0);
    if (fx.dial_count > 1)
        b = connect_dial(1);
}

static void say(unsigned count, const char *words) {
    char name[16];
    for (unsigned i = 1; i <= count; i++) {
        (void)snprintf(name, sizeof name, "e%u", i);
        fx_say(crm, "crm", name, words);
        fx_turn();
    }
}

static unsigned got(struct fixture_peer *p) {
    unsigned count = p->got.size > 0;
    for (size_t i = 0; i < p->got.size; i++)
        count += p->got.data[i] == ' ';
    buffer_clear(&p->got);
    return count;
}

static struct endpoint *endpoint_at(unsigned index) {
    return engine_system(fx.engine, 1)->endpoints[index];
}

static uint32_t give(struct slice bytes) {
    struct engine_input input = {.kind = INPUT_HAND, .bytes = bytes};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    return input.count;
}

static uint32_t set(struct hand_command command) {
    struct buffer bytes;
    buffer_init(&bytes, 4096);
    if (!command.system.size)
        command.system = SLICE_OF("far");
    hand_command_write(&bytes, &command);
    uint32_t count = give(buffer_slice(&bytes));
    buffer_done(&bytes);
    return count;
}

static void set_state(const char *endpoint, enum engine_by_hand state) {
    assert_int_equal(
        set((struct hand_command){.endpoint = slice_from(endpoint), .has_state = true, .state = state}), 1);
}

static enum engine_endpoint_state state_of(unsigned index) {
    struct engine_endpoint_view view;
    engine_endpoint_view(fx.engine, 1, index, &view);
    return view.state;
}

static void drain_finishes_what_is_under_way(void **state) {
    (void)state;
    start(YAML("balance: {by: round_robin}", "", ""));
    say(4, "target=far");
    assert_int_equal(got(a), 2);
    assert_int_equal(got(b), 2);
    set_state("a", BY_HAND_DRAIN);
    assert_int_equal(state_of(0), ENDPOINT_DRAINING);
    say(4, "target=far");
    assert_int_equal(got(a), 0);
    assert_int_equal(got(b), 4);
    assert_true(fx_alive(a));
    fx_ack(a, 1, 2);
    fx_pass(10 * NS_PER_MS);
    fx_expect(&a->told, "shut:going-away"); /* nobody needs it any more */
    fx_lose(a);
    fx_turn();
    assert_int_equal(state_of(0), ENDPOINT_DRAINED);
    fx_pass(60 * NS_PER_S);
    assert_int_equal(fx.dial_count, 2); /* though one is to stay open */
    set_state("a", BY_HAND_UP);
    assert_int_equal(state_of(0), ENDPOINT_UP);
    assert_int_equal(fx.dial_count, 3);
    fx_stop();
}

static void down_is_at_once_and_what_was_there_goes_on_to_another(void **state) {
    (void)state;
    start(YAML("redeliver: {backoff: 1ms..2ms}", "", ""));
    say(2, "target=far");
    unsigned at_a = got(a);
    got(b);
    assert_true(at_a > 0);
    set_state("a", BY_HAND_DOWN);
    assert_int_equal(state_of(0), ENDPOINT_DOWN);
    assert_false(fx_alive(a));
    fx_pass(10 * NS_PER_MS);
    assert_int_equal(got(b), at_a);
    assert_int_equal(fx.dial_count, 2);
    fx_stop();
}

static void a_dial_that_is_called_off_is_no_failure(void **state) {
    (void)state;
    fx_start(YAML("outlier: {consecutive: 1, max_ejected: 100%}", "", ""));
    assert_int_equal(fx.dial_count, 2);
    set_state("b", BY_HAND_DOWN);
    assert_int_equal(endpoint_at(1)->connections, 0);
    assert_int_equal(endpoint_at(1)->failures, 0);
    assert_false(endpoint_at(1)->fitness.outlier.is_out);
    fx_stop();
}

static void a_weight_by_hand_counts_until_it_is_cleared(void **state) {
    (void)state;
    start(YAML("balance: {by: round_robin}", "", ""));
    assert_int_equal(set((struct hand_command){.endpoint = SLICE_OF("a"), .has_weight = true, .weight = 3}),
                     1);
    say(40, "target=far");
    assert_int_equal(got(a), 30);
    assert_int_equal(got(b), 10);
    assert_int_equal(set((struct hand_command){.endpoint = SLICE_OF("b"), .has_weight = true, .weight = 0}),
                     1);
    say(10, "target=far");
    assert_int_equal(got(a), 10);
    assert_int_equal(set((struct hand_command){.endpoint = SLICE_OF("a"), .clear = true}), 1);
    assert_int_equal(set((struct hand_command){.endpoint = SLICE_OF("b"), .clear = true}), 1);
    say(10, "target=far");
    assert_int_equal(got(a), 5);
    assert_int_equal(got(b), 5);
    assert_null(engine_system(fx.engine, 1)->recipient.choice); /* nothing is asked for any more but turns */
    fx_stop();
}

static void what_was_set_outlives_a_reload_that_leaves_the_endpoint(void **state) {
    (void)state;
    start(YAML("balance: {by: round_robin}", "", ""));
    set_state("a", BY_HAND_DOWN);
    fx_reload(YAML("balance: {by: least_request}", "", ", weight: 2"));
    assert_int_equal(state_of(0), ENDPOINT_DOWN);
    assert_int_equal(state_of(1), ENDPOINT_UP);
    say(5, "target=far");
    assert_int_equal(got(b), 5);
    fx_reload(YAML("balance: {by: least_request}", "1", "")); /* another place: another endpoint */
    assert_int_equal(state_of(0), ENDPOINT_UP);
    fx_stop();
}

static void up_forgets_what_kept_it_away(void **state) {
    (void)state;
    start(YAML(
        "outlier: {consecutive: 2, eject: 1h, max_ejected: 100%}, breaker: {failures: 2, open: 1h, open_max: 1h}",
        "", ""));
    for (int i = 0; i < 2; i++)
        endpoint_result(fx.engine, endpoint_at(0), RESULT_FAILED, NS_PER_MS);
    fx_turn();
    assert_int_equal(state_of(0), ENDPOINT_OPEN);
    assert_true(endpoint_at(0)->fitness.outlier.is_out);
    say(2, "target=far");
    assert_int_equal(got(a), 0);
    set_state("a", BY_HAND_UP);
    assert_int_equal(state_of(0), ENDPOINT_UP);
    assert_false(endpoint_at(0)->fitness.outlier.is_out);
    say(4, "target=far");
    assert_true(got(a) > 0);
    fx_stop();
}

static void where_all_are_down_a_question_ends_and_the_rest_waits(void **state) {
    (void)state;
    start(YAML("timeouts: {queue: 1s}", "", ""));
    set_state("a", BY_HAND_DOWN);
    set_state("b", BY_HAND_DOWN);
    fx_say(crm, "crm", "e1", "target=far");
    fx_say(crm, "crm", "q1", "target=far messagetype=query");
    fx_turn();
    fx_pass(2 * NS_PER_S);
    fx_expect(&fx.ended, "q1:dead:target-unavailable");
    assert_true(engine_is_quiet(fx.engine)); /* a stop needn't wait for it */
    assert_int_equal(fx.dial_count, 2);
    set_state("b", BY_HAND_UP);
    assert_int_equal(fx.dial_count, 3);
    b = connect_dial(2);
    fx_expect(&b->got, "e1");
    fx_stop();
}

static void what_is_no_command_changes_nothing(void **state) {
    (void)state;
    struct buffer bytes;
    start(YAML("balance: {by: round_robin}", "", ""));
    buffer_init(&bytes, 4096);
    hand_command_write(&bytes, &(struct hand_command){.system = SLICE_OF("far"),
                                                      .endpoint = SLICE_OF("a"),
                                                      .has_state = true,
                                                      .state = BY_HAND_DOWN});
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(give(slice_make(bytes.data, size)), 0);
    buffer_add_byte(&bytes, 0);
    assert_int_equal(give(buffer_slice(&bytes)), 0);
    buffer_done(&bytes);
    assert_int_equal(set((struct hand_command){.endpoint = SLICE_OF("c"), .clear = true}), 0);
    assert_int_equal(
        set((struct hand_command){.system = SLICE_OF("near"), .endpoint = SLICE_OF("a"), .clear = true}), 0);
    assert_int_equal(set((struct hand_command){
                         .endpoint = SLICE_OF("a"), .has_state = true, .state = (enum engine_by_hand)3}),
                     0);
    assert_int_equal(set((struct hand_command){
                         .endpoint = SLICE_OF("a"), .has_weight = true, .weight = HAND_WEIGHT_MAX + 1}),
                     0);
    assert_int_equal(state_of(0), ENDPOINT_UP);
    fx_stop();
}

/* Down is down, whatever could not be had. */
static void without_memory_down_is_obeyed_all_the_same(void **state) {
    (void)state;
    for (fx.failing = 0; fx.failing < 12; fx.failing++) {
        int64_t failing = fx.failing;
        start(YAML("balance: {by: round_robin}", "", ""));
        fx.failing = failing;
        memory_fail_after(failing);
        struct buffer bytes;
        buffer_init(&bytes, 4096);
        memory_fail_after(-1);
        hand_command_write(&bytes, &(struct hand_command){.system = SLICE_OF("far"),
                                                          .endpoint = SLICE_OF("a"),
                                                          .has_state = true,
                                                          .state = BY_HAND_DOWN});
        memory_fail_after(failing);
        give(buffer_slice(&bytes));
        memory_fail_after(-1);
        buffer_done(&bytes);
        assert_false(fx_alive(a));
        say(3, "target=far");
        assert_int_equal(fx.dial_count, 2);
        unsigned count = got(b);
        if (count != 3)
            fail_msg("%u arrived (allocation %d)", count, (int)failing);
        fx_stop();
    }
}

/* -- when to look again -- */

static void an_endpoint_that_may_not_be_dialled_is_no_reason_to_hurry(void **state) {
    (void)state;
    struct engine_actions actions;
    fx_start(LONE("breaker: {failures: 1, open: 10s, open_max: 10s}, redeliver: {backoff: 1ms..2ms}"));
    crm = fx_system("crm", false);
    a = connect_dial(0);
    fx_lose(a);
    endpoint_result(fx.engine, endpoint_at(0), RESULT_FAILED, NS_PER_MS);
    fx_turn();
    assert_int_equal(state_of(0), ENDPOINT_OPEN);
    say(1, "target=far");
    fx_pass(NS_PER_S); /* past the time of its next dial */
    engine_finish(fx.engine, fx.now, &actions);
    assert_true(actions.due.ns > fx.now.mono.ns);
    unsigned dials = fx.dial_count;
    fx_pass(20 * NS_PER_S);
    assert_int_equal(fx.dial_count, dials + 1); /* the breaker lets one try */
    fx_stop();
}

static void one_that_stays_open_is_dialled_when_it_serves_again(void **state) {
    (void)state;
    start(YAML("outlier: {consecutive: 1, eject: 10s, max_ejected: 100%}", "", ""));
    endpoint_result(fx.engine, endpoint_at(0), RESULT_FAILED, NS_PER_MS);
    fx_turn();
    assert_int_equal(state_of(0), ENDPOINT_EJECTED);
    fx_lose(a);
    fx_turn();
    fx_pass(5 * NS_PER_S);
    assert_int_equal(fx.dial_count, 2);
    fx_pass(6 * NS_PER_S);
    assert_int_equal(state_of(0), ENDPOINT_UP);
    assert_int_equal(fx.dial_count, 3); /* nobody had to wait for it */
    fx_stop();
}

static void what_waits_for_an_open_breaker_waits_for_somebody_who_is_away(void **state) {
    (void)state;
    fx_start(LONE("breaker: {failures: 1, open: 1h, open_max: 1h}, timeouts: {queue: 1s}"));
    crm = fx_system("crm", false);
    a = connect_dial(0);
    endpoint_result(fx.engine, endpoint_at(0), RESULT_FAILED, NS_PER_MS);
    fx_turn();
    assert_int_equal(state_of(0), ENDPOINT_OPEN);
    assert_true(fx_alive(a));
    fx_say(crm, "crm", "q1", "target=far messagetype=query");
    fx_turn();
    fx_pass(2 * NS_PER_S);
    fx_expect(&fx.ended, "q1:dead:target-unavailable");
    fx_stop();
}

/* It had gone as a taker before, and its greeting is due: no list of the system has it. */
static void a_system_may_go_before_a_connection_of_it_is_closed(void **state) {
    (void)state;
    fx_start(LONE("limits: {in_flight: 4}"));
    crm = fx_system("crm", false);
    fx.greets = true;
    a = connect_dial(0);
    fx.greets = false;
    a->sink->calls->unsubscribe(a->sink->user, 0);
    fx_turn();
    fx_reload("listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {}\n");
    if (fx_alive(a)) {
        a->sink->greets = false;
        a->sink->calls->room(a->sink->user);
    }
    fx_turn();
    fx_lose(a);
    fx_turn();
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drain_finishes_what_is_under_way),
        cmocka_unit_test(down_is_at_once_and_what_was_there_goes_on_to_another),
        cmocka_unit_test(a_dial_that_is_called_off_is_no_failure),
        cmocka_unit_test(a_weight_by_hand_counts_until_it_is_cleared),
        cmocka_unit_test(what_was_set_outlives_a_reload_that_leaves_the_endpoint),
        cmocka_unit_test(up_forgets_what_kept_it_away),
        cmocka_unit_test(where_all_are_down_a_question_ends_and_the_rest_waits),
        cmocka_unit_test(what_is_no_command_changes_nothing),
        cmocka_unit_test(without_memory_down_is_obeyed_all_the_same),
        cmocka_unit_test(an_endpoint_that_may_not_be_dialled_is_no_reason_to_hurry),
        cmocka_unit_test(one_that_stays_open_is_dialled_when_it_serves_again),
        cmocka_unit_test(what_waits_for_an_open_breaker_waits_for_somebody_who_is_away),
        cmocka_unit_test(a_system_may_go_before_a_connection_of_it_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
