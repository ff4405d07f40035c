/* Which of several takers gets a message, and what takes one of them out of service. */
#include "engine/fixture.h"

#define YAML(policy, a, b) \
    "zone: here\n" \
    "listeners: {in: intertie://127.0.0.1:7460}\n" \
    "systems:\n" \
    "  crm: {}\n" \
    "  far: {" policy ", pool: {min: 1, max: 1}, endpoints: {a: {url: intertie://127.0.0.1:9" a "}, " \
    "b: {url: intertie://127.0.0.1:10" b "}}}\n"

static struct fixture_peer *crm, *a, *b;

static struct fixture_peer *connect_dial(unsigned dial) {
    struct fixture_peer *p = fx_connect(dial);
    fx_turn();
    return p;
}

static void start(const char *yaml) {
    fx_start(yaml);
    fx.terms.acks = true;
    crm = fx_system("crm", false);
    assert_int_equal(fx.dial_count, 2); /* one each is kept open */
    a = connect_dial(0);
    b = connect_dial(1);
}

static void say_more(unsigned count, const char *more) {
    static unsigned id;
    char name[16], words[80];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "e%u", id++);
        (void)snprintf(words, sizeof words, "target=far %s", more);
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

static void hears(unsigned index, unsigned times, enum attempt_result result) {
    for (unsigned i = 0; i < times; i++)
        endpoint_result(fx.engine, endpoint_at(index), result, NS_PER_MS);
    fx_turn();
}

static void weights_share(void **state) {
    (void)state;
    start(YAML("balance: {by: round_robin}", ", weight: 3", ""));
    say_more(40, "");
    assert_int_equal(got(a), 30);
    assert_int_equal(got(b), 10);
    fx_stop();
}

static void turns_alone_need_no_choice(void **state) {
    (void)state;
    start(YAML("balance: {by: round_robin}", "", ""));
    assert_null(engine_system(fx.engine, 1)->recipient.choice);
    say_more(10, "");
    assert_int_equal(got(a), 5);
    assert_int_equal(got(b), 5);
    fx_stop();
}

static void the_second_tier_waits_for_the_first_to_fail(void **state) {
    (void)state;
    start(YAML("outlier: {consecutive: 3, eject: 10s, max_ejected: 100%}", "", ", tier: 1"));
    say_more(10, "");
    assert_int_equal(got(a), 10);
    hears(0, 3, RESULT_FAILED);
    assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_EJECTED);
    assert_string_equal(endpoint_at(0)->fitness.why, "3 failures in a row (failed)");
    say_more(10, "");
    assert_int_equal(got(a), 0);
    assert_int_equal(got(b), 10);
    hears(1, 3, RESULT_FAILED); /* one always stays */
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UP);
    fx_pass(10 * NS_PER_S);
    fx_turn();
    assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_UP);
    say_more(10, "");
    assert_int_equal(got(a), 10);
    fx_stop();
}

static void local_ones_first(void **state) {
    (void)state;
    start(YAML("limits: {in_flight: 10}", ", zone: there", ", zone: here"));
    say_more(7, "");
    assert_int_equal(got(b), 7);
    say_more(4, "");
    assert_true(got(a) >= 2);
    fx_stop();
}

static void a_key_has_one_owner(void **state) {
    (void)state;
    start(YAML("balance: {by: hash, key: subject}", "", ""));
    unsigned owners = 0;
    for (unsigned key = 0; key < 8; key++) {
        char words[32];
        (void)snprintf(words, sizeof words, "subject=k%u", key);
        for (unsigned i = 0; i < 3; i++)
            say_more(1, words);
        unsigned one = got(a), other = got(b);
        assert_int_equal(one + other, 3);
        owners |= one > other ? 1 : 2;
        fx_ack(a, 1, a->tokens + 100);
        fx_ack(b, 1, b->tokens + 100);
    }
    assert_int_equal(owners, 3);
    fx_stop();
}

static void an_open_breaker_holds_then_tries_one(void **state) {
    (void)state;
    start(YAML("breaker: {failures: 2, open: 1s}", "", ""));
    hears(0, 2, RESULT_OVERLOADED);
    hears(1, 2, RESULT_OVERLOADED);
    assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_OPEN);
    say_more(3, "");
    assert_int_equal(got(a) + got(b), 0);
    fx_pass(2 * NS_PER_S);
    fx_turn();
    assert_int_equal(got(a), 1); /* one each may try */
    assert_int_equal(got(b), 1);
    assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_HALF_OPEN);
    hears(0, 1, RESULT_OK);
    assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_UP);
    fx_turn();
    assert_int_equal(got(a), 1);
    assert_null(engine_check(fx.engine));
    fx_stop();
}

static void a_reload_keeps_what_is_known(void **state) {
    (void)state;
    start(YAML("outlier: {consecutive: 3}, balance: {by: least_request}", "", ""));
    hears(0, 3, RESULT_RESET);
    say_more(4, "");
    assert_int_equal(got(b), 4);
    fx_reload(YAML("outlier: {consecutive: 4}, balance: {by: ewma}", ", weight: 2", ""));
    assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_EJECTED);
    say_more(4, "");
    assert_int_equal(got(b), 4);
    fx_reload(YAML("offline: hold", "", "")); /* turns again */
    assert_null(engine_system(fx.engine, 1)->recipient.choice);
    say_more(4, "");
    assert_int_equal(got(a), 2);
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_share),
        cmocka_unit_test(turns_alone_need_no_choice),
        cmocka_unit_test(the_second_tier_waits_for_the_first_to_fail),
        cmocka_unit_test(local_ones_first),
        cmocka_unit_test(a_key_has_one_owner),
        cmocka_unit_test(an_open_breaker_holds_then_tries_one),
        cmocka_unit_test(a_reload_keeps_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
