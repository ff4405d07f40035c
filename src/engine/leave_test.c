/* A drain closes idle connections one after the other: evenly, none twice, all in time. */
#include "engine/fixture.h"

static const char yaml[] = "listeners: {in: http://127.0.0.1:8080}\n"
                           "drain: {grace: 20s}\n"
                           "systems: {desk: {accept: true}}\n";

static struct engine *engine;
static struct now now;
static struct engine_actions actions;
static uint64_t handles[10001];

static void start(void) {
    fx_start(yaml);
    fx.plans[0]->listeners[0].protocol = &protocol_http1;
    engine = fx.engine;
    now = fx.now;
}

static void step(struct engine_input *input) {
    engine_step(engine, input, input ? 1 : 0, now, &actions);
}

static unsigned closes(void) {
    unsigned count = 0;
    for (uint32_t i = 0; i < actions.net_count; i++)
        count += actions.net[i].kind == NET_CLOSE;
    return count;
}

static void open_many(unsigned count) {
    struct address peer;
    assert_true(address_parse_ip(SLICE_OF("127.0.0.1"), &peer));
    for (unsigned i = 0; i < count; i++) {
        struct engine_input input = {.kind = INPUT_OPENED, .listener = 0, .peer = &peer};
        step(&input);
        assert_int_not_equal(input.ret_connection, 0);
        handles[i] = input.ret_connection;
    }
}

static void drain(void) {
    struct engine_input input = {.kind = INPUT_DRAIN};
    step(&input);
}

static void pass(int64_t ns) {
    now.mono.ns += ns;
    now.wall.ns += ns;
    step(NULL);
}

static void stop(void) {
    fx.now = now;
    fx_stop();
}

static void a_few_go_at_once(void **state) {
    (void)state;
    struct mono until;
    start();
    open_many(LEAVE_AT_ONCE);
    drain();
    assert_int_equal(closes(), LEAVE_AT_ONCE);
    assert_false(engine_spreads_until(engine, &until));
    stop();
}

static void one_more_than_a_few_and_they_go_one_after_the_other(void **state) {
    (void)state;
    struct mono until;
    unsigned gone;
    start();
    open_many(LEAVE_AT_ONCE + 1);
    int64_t began = now.mono.ns;
    drain();
    gone = closes();
    assert_true(gone >= 1 && gone < LEAVE_AT_ONCE);
    assert_true(engine_spreads_until(engine, &until));
    assert_int_equal(until.ns - began, (LEAVE_AT_ONCE + 1) * LEAVE_EACH_NS);
    while (engine_spreads_until(engine, &until)) {
        assert_true(actions.due.ns <= until.ns);
        pass(LEAVE_STEP_NS);
        gone += closes();
    }
    assert_int_equal(gone, LEAVE_AT_ONCE + 1);
    assert_true(now.mono.ns - began <= (LEAVE_AT_ONCE + 1) * LEAVE_EACH_NS + LEAVE_STEP_NS);
    stop();
}

/* 10,000 would take 20 s, one each 2 ms: half of the grace is all they get. */
static void many_go_evenly_within_half_of_the_grace(void **state) {
    (void)state;
    struct mono until;
    unsigned gone, seconds = 0;
    start();
    open_many(10000);
    drain();
    gone = closes();
    assert_true(gone <= 2);
    while (engine_spreads_until(engine, &until)) {
        for (int i = 0; i < 100; i++) {
            pass(LEAVE_STEP_NS);
            gone += closes();
        }
        seconds++;
        assert_in_range(gone, 1000 * seconds - 2, 1000 * seconds + 2);
    }
    assert_int_equal(seconds, 10);
    assert_int_equal(gone, 10000);
    stop();
}

/* A peer that asks before its turn is answered, and with that its connection ends. */
static void who_asks_meanwhile_is_told_with_its_answer(void **state) {
    (void)state;
    struct connection *c;
    uint8_t scratch[4096];
    start();
    open_many(100);
    drain();
    uint64_t last = 0;
    for (unsigned i = 0; i < 100 && !last; i++)
        if ((c = net_find(engine_net(engine), handles[i])) && !((struct session *)c->owner)->is_leaving)
            last = handles[i];
    assert_int_not_equal(last, 0);
    struct engine_input input = {
        .kind = INPUT_BYTES, .connection = last,
        .bytes = SLICE_OF("POST /v1/systems/desk/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi")};
    step(&input);
    c = net_find(engine_net(engine), last);
    assert_non_null(c);
    struct slice answer = chain_from(&c->out, 0, scratch, sizeof scratch);
    assert_true(slice_starts(answer, SLICE_OF("HTTP/1.1 503 ")));
    assert_non_null(memmem(answer.data, answer.size, "Connection: close\r\n", 19));
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_go_at_once),
        cmocka_unit_test(one_more_than_a_few_and_they_go_one_after_the_other),
        cmocka_unit_test(many_go_evenly_within_half_of_the_grace),
        cmocka_unit_test(who_asks_meanwhile_is_told_with_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
