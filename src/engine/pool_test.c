/* How many connections an endpoint has, and when one of them has served long enough. */
#include "engine/fixture.h"

#define HOUR (3600 * NS_PER_S)

#define YAML(pool)                                       \
    "listeners: {in: intertie://127.0.0.1:7460}\n"       \
    "systems:\n"                                         \
    "  crm: {}\n"                                        \
    "  far: {url: intertie://127.0.0.1:9, pool: " pool "}\n"

static struct fixture_peer *crm;

static void start(const char *yaml) {
    fx_start(yaml);
    crm = fx_system("crm", false);
}

static void say(const char *id) {
    fx_say(crm, "crm", id, "target=far");
    fx_turn();
}

static struct fixture_peer *connect_dial(unsigned dial) {
    struct fixture_peer *p = fx_connect(dial);
    fx_turn();
    return p;
}

static bool is_open(const struct fixture_peer *p) {
    return net_find(engine_net(fx.engine), p->handle) != NULL;
}

static void so_many_are_kept_open(void **state) {
    (void)state;
    start(YAML("{min: 2, max: 3}"));
    assert_int_equal(fx.dial_count, 2);
    struct fixture_peer *a = connect_dial(0), *b = connect_dial(1);
    assert_true(a->sink->stays && b->sink->stays);
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = a->handle, .status = STATUS_PEER_CLOSED};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    fx_pass(NS_PER_S);
    assert_int_equal(fx.dial_count, 3);
    fx_stop();
}

static void no_more_are_kept_open_than_there_may_be(void **state) {
    (void)state;
    start(YAML("{min: 5, max: 2}"));
    assert_int_equal(fx.dial_count, 2);
    fx_pass(NS_PER_S);
    assert_int_equal(fx.dial_count, 2);
    fx_stop();
}

static void the_last_of_so_many_messages_ends_it_when_it_is_settled(void **state) {
    (void)state;
    start(YAML("{max: 1, max_requests: 2}"));
    say("e1");
    assert_int_equal(fx.dial_count, 1);
    struct fixture_peer *a = connect_dial(0);
    say("e2");
    say("e3");
    fx_expect(&a->got, "e1 e2");
    assert_int_equal(fx.dial_count, 2); /* its place is free already */
    struct fixture_peer *b = connect_dial(1);
    fx_expect(&b->got, "e3");
    fx_pass(NS_PER_S);
    assert_true(is_open(a));
    fx_expect(&a->told, "");
    fx_ack(a, 1, 2);
    fx_turn();
    fx_pass(NS_PER_S);
    fx_expect(&a->told, "shut:going-away");
    fx_ack(b, 1, 1);
    fx_turn();
    assert_int_equal(engine_totals(fx.engine)->endings[ENDING_DELIVERED][STATUS_OK], 3);
    fx_stop();
}

static void an_old_one_is_replaced_a_little_early(void **state) {
    (void)state;
    start(YAML("{max: 1, max_age: 1h}"));
    say("e1");
    struct fixture_peer *a = connect_dial(0);
    fx_ack(a, 1, 1);
    fx_pass(HOUR * 9 / 10 - NS_PER_S);
    fx_expect(&a->told, "");
    fx_pass(HOUR / 10 + NS_PER_S);
    fx_expect(&a->told, "shut:going-away");
    say("e2");
    assert_int_equal(fx.dial_count, 2);
    fx_stop();
}

static void unlimited_age_is_none(void **state) {
    (void)state;
    start(YAML("{max: 1, max_age: unlimited}"));
    say("e1");
    struct fixture_peer *a = connect_dial(0);
    fx_ack(a, 1, 1);
    fx_pass(300 * 24 * HOUR);
    fx_expect(&a->told, "");
    assert_true(is_open(a));
    fx_stop();
}

/* A message that is never settled does not keep it for ever. */
static void what_is_never_settled_is_cut(void **state) {
    (void)state;
    start(YAML("{max: 1, max_requests: 1}, timeouts: {ack: 10s, request: 5s}"));
    say("e1");
    struct fixture_peer *a = connect_dial(0);
    fx_expect(&a->got, "e1");
    fx_pass(9 * NS_PER_S);
    assert_true(is_open(a));
    fx_pass(2 * NS_PER_S);
    assert_false(is_open(a));
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_are_kept_open),
        cmocka_unit_test(no_more_are_kept_open_than_there_may_be),
        cmocka_unit_test(the_last_of_so_many_messages_ends_it_when_it_is_settled),
        cmocka_unit_test(an_old_one_is_replaced_a_little_early),
        cmocka_unit_test(unlimited_age_is_none),
        cmocka_unit_test(what_is_never_settled_is_cut),
    };
    return cmocka_run_group_tests_name("engine/pool", tests, NULL, NULL);
}
