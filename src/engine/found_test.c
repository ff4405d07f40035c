/* Endpoints that aren't in the configuration: they come, change and go as by a reload. */
#include "engine/fixture.h"

#define YAML(more) \
    "listeners: {in: intertie://127.0.0.1:7460}\n" \
    "systems:\n" \
    "  crm: {}\n" \
    "  far: {" more "}\n"
#define DISCOVER "discover: {dns: far.test, url: 'http://{host}:{port}/'}"
#define ONE "http://127.0.0.1:9001/"
#define TWO "http://127.0.0.1:9002/"

static struct fixture_peer *crm;

static struct found_entry entry(const char *name, const char *url) {
    return (struct found_entry){slice_from(name), slice_from(url), SLICE(""), 1, 0, FOUND_DNS};
}

static enum status say_found(const char *system, const struct found_entry *entries, size_t count) {
    struct buffer bytes;
    buffer_init(&bytes, 1u << 20);
    found_pack(&bytes, slice_from(system), entries, count);
    struct engine_input input = {.kind = INPUT_FOUND, .bytes = buffer_slice(&bytes)};
    engine_input(fx.engine, &input, fx.now);
    for (size_t i = 0; i < fx.engine->system_count; i++)
        for (size_t k = 0; k < fx.engine->systems[i]->endpoint_count; k++)
            if (fx.engine->systems[i]->endpoints[k]->found)
                fx.engine->systems[i]->endpoints[k]->found->plan.protocol = &fixture_row;
    fx_turn();
    buffer_done(&bytes);
    return input.status;
}
#define FOUND(...) \
    say_found("far", (const struct found_entry[]){__VA_ARGS__}, \
              sizeof((const struct found_entry[]){__VA_ARGS__}) / sizeof(struct found_entry))

static const struct system *far(void) {
    return fx.engine->systems[1];
}

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

static void who_is_found_gets_what_is_held(void **state) {
    (void)state;
    start(YAML(DISCOVER));
    say("e1");
    assert_int_equal(fx.dial_count, 0);
    assert_int_equal(FOUND(entry("one", ONE)), STATUS_OK);
    assert_int_equal(fx.dial_count, 1);
    assert_string_equal((const char *)engine_place(fx.engine, fx.dials[0].place)->config->url.text.data, ONE);
    struct fixture_peer *one = connect_dial(0);
    fx_expect(&one->got, "e1");
    struct engine_endpoint_view view;
    engine_endpoint_view(fx.engine, 1, 0, &view);
    assert_string_equal(view.origin, "dns");
    fx_stop();
}

static void who_stays_is_not_touched_and_who_goes_finishes(void **state) {
    (void)state;
    start(YAML(DISCOVER));
    FOUND(entry("one", ONE), entry("two", TWO));
    say("e1");
    struct fixture_peer *one = connect_dial(0);
    fx_expect(&one->got, "e1");
    const struct endpoint *before = far()->endpoints[0];
    FOUND(entry("one", ONE));
    assert_ptr_equal(far()->endpoints[0], before);
    assert_int_equal(far()->endpoint_count, 1);
    assert_true(fx_alive(one));
    FOUND(entry("two", TWO));
    fx_expect(&one->told, "shut:going-away");
    fx_ack(one, 1, 1);
    fx_turn();
    assert_int_equal(engine_totals(fx.engine)->endings[ENDING_DELIVERED][STATUS_OK], 1);
    say("e2");
    struct fixture_peer *two = connect_dial(fx.dial_count - 1);
    fx_expect(&two->got, "e2");
    fx_stop();
}

static void who_comes_starts_slowly(void **state) {
    (void)state;
    start(YAML(DISCOVER ", slow_start: {over: 10s, from: 10%}"));
    FOUND(entry("one", ONE));
    fx_pass(20 * NS_PER_S);
    FOUND(entry("one", ONE), entry("two", TWO));
    fx_pass(NS_PER_MS);
    const struct choice *c = far()->recipient.choice;
    assert_non_null(c);
    assert_int_equal(c->balance.slots[far()->endpoints[0]->outlet.slot].place.ramp, 1000);
    assert_true(c->balance.slots[far()->endpoints[1]->outlet.slot].place.ramp < 200);
    fx_pass(11 * NS_PER_S);
    assert_int_equal(c->balance.slots[far()->endpoints[1]->outlet.slot].place.ramp, 1000);
    fx_stop();
}

static void another_weight_keeps_its_connections(void **state) {
    (void)state;
    start(YAML(DISCOVER));
    FOUND(entry("one", ONE));
    say("e1");
    struct fixture_peer *one = connect_dial(0);
    fx_expect(&one->got, "e1");
    struct found_entry heavy = entry("one", ONE);
    heavy.weight = 7;
    heavy.tier = 2;
    FOUND(heavy);
    assert_true(fx_alive(one));
    assert_int_equal(fx.engine->found_before.count, 1); /* what its connection was opened with */
    assert_int_equal(far()->endpoints[0]->plan->config->weight, 7);
    assert_int_equal(far()->endpoints[0]->plan->config->tier, 2);
    fx_ack(one, 1, 1);
    say("e2");
    fx_expect(&one->got, "e2");
    fx_lose(one);
    fx_turn();
    FOUND(heavy);
    assert_int_equal(fx.engine->found_before.count, 0);
    fx_stop();
}

static void who_is_written_down_is_that(void **state) {
    (void)state;
    start(YAML("endpoints: {a: '" ONE "'}, " DISCOVER));
    FOUND(entry("one", ONE), entry("two", TWO), entry("again", TWO));
    assert_int_equal(far()->endpoint_count, 2);
    assert_null(far()->endpoints[0]->found);
    assert_non_null(far()->endpoints[1]->found);
    FOUND();
    assert_int_equal(far()->endpoint_count, 1);
    fx_stop();
}

static void a_reload_keeps_those_that_it_still_means(void **state) {
    (void)state;
    start(YAML(DISCOVER));
    FOUND(entry("one", ONE), entry("two", TWO));
    say("e1");
    struct fixture_peer *one = connect_dial(0);
    fx_expect(&one->got, "e1");
    const struct endpoint *before = far()->endpoints[0];
    fx_reload(YAML(DISCOVER ", offline: refuse"));
    assert_int_equal(far()->endpoint_count, 2);
    assert_ptr_equal(far()->endpoints[0], before);
    assert_true(fx_alive(one));
    assert_ptr_equal(before->plan, &before->found->plan);
    fx_ack(one, 1, 1);
    fx_turn();
    fx_reload(YAML("url: '" ONE "'")); /* now it is written down, and the other one is nobody's */
    assert_int_equal(far()->endpoint_count, 1);
    assert_ptr_equal(far()->endpoints[0], before);
    assert_null(before->found);
    assert_true(fx_alive(one));
    fx_stop();
}

static void what_does_not_fit_is_left_out(void **state) {
    (void)state;
    start(YAML(DISCOVER));
    struct found_entry registered = entry("reg", TWO);
    registered.origin = FOUND_REGISTERED; /* nobody may */
    FOUND(entry("bad", "htp://x"), registered, entry("tls", "https://127.0.0.1/"), entry("one", ONE));
    assert_int_equal(far()->endpoint_count, 1);
    assert_int_equal(say_found("crm", (const struct found_entry[]){entry("one", ONE)}, 1), STATUS_OK);
    assert_int_equal(fx.engine->systems[0]->endpoint_count, 0); /* it has no endpoints at all */
    assert_int_equal(say_found("nobody", NULL, 0), STATUS_OK);
    struct engine_input broken = {.kind = INPUT_FOUND, .bytes = SLICE_OF("\x03\0\0\0far\xff\xff\xff\xff")};
    engine_input(fx.engine, &broken, fx.now);
    fx_turn();
    assert_int_equal(far()->endpoint_count, 1);
    fx_stop();
}

/* Whichever allocation fails: what was there works on, and the next time is whole. */
static void want_of_memory_is_survived(void **state) {
    (void)state;
    int failed = 1;
    for (int64_t n = 0; failed; n++) {
        start(YAML(DISCOVER));
        FOUND(entry("one", ONE));
        fx.failing = n;
        struct buffer bytes;
        struct found_entry both[] = {entry("one", ONE), entry("two", TWO)};
        buffer_init(&bytes, 1u << 20);
        found_pack(&bytes, SLICE_OF("far"), both, 2);
        struct engine_input input = {.kind = INPUT_FOUND, .bytes = buffer_slice(&bytes)};
        memory_fail_after(n);
        engine_input(fx.engine, &input, fx.now);
        failed = memory_has_failed();
        memory_fail_after(-1);
        fx_turn();
        buffer_done(&bytes);
        assert_true(far()->endpoint_count >= 1);
        FOUND(both[0], both[1]);
        assert_int_equal(far()->endpoint_count, 2);
        fx_stop();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_found_gets_what_is_held),
        cmocka_unit_test(who_stays_is_not_touched_and_who_goes_finishes),
        cmocka_unit_test(who_comes_starts_slowly),
        cmocka_unit_test(another_weight_keeps_its_connections),
        cmocka_unit_test(who_is_written_down_is_that),
        cmocka_unit_test(a_reload_keeps_those_that_it_still_means),
        cmocka_unit_test(what_does_not_fit_is_left_out),
        cmocka_unit_test(want_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
