/* Endpoints that are asked whether they are well: when, what follows, and how another worker learns of it. */
#include "engine/fixture.h"

#define YAML(health) \
    "listeners: {in: intertie://127.0.0.1:7460}\n" \
    "systems:\n" \
    "  crm: {}\n" \
    "  far: {" health ", pool: {min: 1, max: 1}, slow_start: {over: 0s}, " \
    "endpoints: {a: {url: http://127.0.0.1:91}, b: {url: http://127.0.0.1:92}}}\n"
#define HEALTH "health: {path: /healthz, jitter: 0%}"

static struct fixture_peer *crm, *a, *b;

static struct endpoint *endpoint_at(unsigned index) {
    return engine_system(fx.engine, 1)->endpoints[index];
}

static struct fixture_peer *connect_dial(unsigned dial) {
    struct fixture_peer *p = fx_connect(dial);
    fx_turn();
    return p;
}

static void start(const char *yaml) {
    fx_start(yaml);
    crm = fx_system("crm", false);
    assert_int_equal(fx.dial_count, 4); /* one each is kept open, and both are asked */
    a = connect_dial(0);
    b = connect_dial(1);
    fx.dial_count = 0;
}

static bool is_asking(unsigned index) {
    return endpoint_at(index)->probing.connection != 0;
}

static void put(enum engine_input_kind kind, uint64_t handle, struct slice bytes, enum status status) {
    struct engine_input input = {.kind = kind, .connection = handle, .bytes = bytes, .status = status};
    engine_input(fx.engine, &input, fx.now);
}

static void connect_probe(unsigned index) {
    uint64_t handle = endpoint_at(index)->probing.connection;
    assert_true(handle != 0);
    put(INPUT_CONNECTED, handle, slice_make("", 0), STATUS_OK);
    struct engine_input input = {.kind = INPUT_WRITTEN,
                                 .connection = handle,
                                 .size = chain_unsent(&net_find(engine_net(fx.engine), handle)->out)};
    engine_input(fx.engine, &input, fx.now);
}

static void answer(unsigned index, unsigned code) {
    char text[80];
    uint64_t handle = endpoint_at(index)->probing.connection;
    connect_probe(index);
    (void)snprintf(text, sizeof text, "HTTP/1.1 %u X\r\nContent-Length: 0\r\n\r\n", code);
    put(INPUT_BYTES, handle, slice_from(text), STATUS_OK);
}

/* As time goes by: each probe that begins is answered. */
static unsigned pass(unsigned seconds, unsigned code_a, unsigned code_b) {
    unsigned asked = 0;
    for (unsigned i = 0; i < seconds; i++) {
        fx.dial_count = 0;
        fx_pass(NS_PER_S);
        for (unsigned k = 0; k < 2; k++)
            if (is_asking(k)) {
                answer(k, k ? code_b : code_a);
                asked += k == 1;
            }
        fx_turn();
    }
    return asked;
}

static void say(unsigned count) {
    static unsigned id;
    char name[16];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "e%u", id++);
        fx_say(crm, "crm", name, "target=far");
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

static void who_is_down_gets_nothing_until_it_is_back(void **state) {
    (void)state;
    start(YAML(HEALTH));
    say(4); /* not known yet: both are used */
    assert_int_equal(got(a), 2);
    assert_int_equal(got(b), 2);
    answer(0, 200);
    answer(1, 503);
    fx_turn();
    assert_false(is_asking(0) || is_asking(1));
    assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_UP);
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UNHEALTHY);
    assert_string_equal(endpoint_at(1)->fitness.why, "GET /healthz: 503");
    say(10);
    assert_int_equal(got(a), 10);
    assert_int_equal(got(b), 0);
    assert_int_equal(pass(5, 200, 200), 1); /* one good one isn't enough, and makes it look sooner */
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UNHEALTHY);
    assert_int_equal(pass(1, 200, 200), 1);
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UP);
    assert_string_equal(endpoint_at(1)->fitness.why, "");
    say(10);
    assert_int_equal(got(b), 5);
    fx_stop();
}

static void one_that_was_well_falls_after_three(void **state) {
    (void)state;
    start(YAML(HEALTH));
    answer(0, 200);
    answer(1, 200);
    fx_turn();
    assert_int_equal(pass(5, 200, 500), 1);
    assert_int_equal(pass(1, 200, 500), 1);
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UP);
    assert_int_equal(pass(1, 200, 500), 1);
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UNHEALTHY);
    fx_stop();
}

static void nobody_there_and_silence_are_bad(void **state) {
    (void)state;
    start(YAML(HEALTH));
    put(INPUT_CLOSED, endpoint_at(0)->probing.connection, slice_make("", 0), STATUS_REFUSED);
    fx_turn();
    assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_UNHEALTHY);
    assert_string_equal(endpoint_at(0)->fitness.why, "no connection: refused");
    connect_probe(1);
    fx_pass(2 * NS_PER_S - 1);
    assert_true(is_asking(1));
    fx_pass(1);
    assert_false(is_asking(1));
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UNHEALTHY);
    assert_string_equal(endpoint_at(1)->fitness.why, "no answer within 2000 ms");
    say(4); /* all are down: likelier the judgement is wrong */
    assert_int_equal(got(a) + got(b), 4);
    fx_stop();
}

static void a_dial_that_hangs_is_bad_too(void **state) {
    (void)state;
    start(YAML("health: {timeout: 500ms, jitter: 0%}"));
    fx_pass(500 * NS_PER_MS);
    assert_false(is_asking(0) || is_asking(1));
    assert_string_equal(endpoint_at(1)->fitness.why, "no connection: connect-timeout");
    fx_stop();
}

static void who_gets_nothing_is_asked_less_often(void **state) {
    (void)state;
    start(YAML(HEALTH));
    answer(0, 200);
    answer(1, 200);
    fx_turn();
    assert_int_equal(pass(5, 200, 200), 1);
    assert_int_equal(pass(59, 200, 200), 0);
    assert_int_equal(pass(1, 200, 200), 1);
    assert_int_equal(pass(2, 200, 200), 0);
    endpoint_result(fx.engine, endpoint_at(1), RESULT_OK, NS_PER_MS); /* from now on it counts again */
    assert_int_equal(pass(3, 200, 200), 1);
    fx_stop();
}

static void a_reload_keeps_what_is_known_where_it_is_asked_the_same(void **state) {
    (void)state;
    start(YAML(HEALTH));
    answer(0, 200);
    answer(1, 503);
    fx_turn();
    fx_reload(YAML(HEALTH ", balance: {by: least_request}"));
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UNHEALTHY);
    assert_false(is_asking(1));
    assert_int_equal(pass(5, 200, 503), 1);
    fx_reload(YAML("health: {path: /ready, jitter: 0%}")); /* another question */
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UP);
    assert_true(is_asking(0) && is_asking(1));
    fx_stop();
}

static void off_is_off_and_a_drain_asks_nobody(void **state) {
    struct engine_input drain = {.kind = INPUT_DRAIN};
    (void)state;
    start(YAML(HEALTH));
    answer(1, 503);
    fx_turn();
    fx_reload(YAML("health: false"));
    assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UP);
    assert_null(engine_system(fx.engine, 1)->recipient.choice);
    assert_false(is_asking(0));
    assert_int_equal(pass(70, 200, 200), 0);
    fx_reload(YAML(HEALTH));
    assert_true(is_asking(0));
    engine_input(fx.engine, &drain, fx.now);
    fx_turn();
    assert_false(is_asking(0) || is_asking(1));
    assert_int_equal(pass(70, 200, 200), 0);
    fx_stop();
}

/* Want of memory says nothing about an endpoint, and ends by itself. */
static void every_failed_allocation_is_survived(void **state) {
    int64_t live = memory_live(), n = 0;
    (void)state;
    for (int failed = 1; failed; n++) {
        start(YAML(HEALTH));
        memory_fail_after(n);
        for (unsigned i = 0; i < 2; i++)
            if (is_asking(i))
                answer(i, i ? 503 : 200);
        fx_turn();
        pass(12, 200, 503);
        failed = memory_has_failed();
        memory_fail_after(-1);
        pass(12, 200, 503);
        assert_int_equal(fitness_state(endpoint_at(0)), ENDPOINT_UP);
        assert_int_equal(fitness_state(endpoint_at(1)), ENDPOINT_UNHEALTHY);
        fx_stop();
        assert_int_equal(memory_live(), live);
    }
    assert_true(n > 5);
}

/* -- two workers -- */

static struct engine *workers[2];

static void turn(unsigned worker, bool is_lost) {
    struct engine_actions actions;
    fx.engine = workers[worker];
    engine_finish(fx.engine, fx.now, &actions);
    for (uint32_t i = 0; i < actions.mail_count; i++) {
        struct engine_input input = {.kind = INPUT_MAIL,
                                     .from = worker,
                                     .bytes = slice_make(actions.mail[i].parcel->data, actions.mail[i].size)};
        if (!is_lost)
            engine_input(workers[!worker], &input, fx.now);
        block_unref(actions.mail[i].parcel);
        actions.mail[i].parcel = NULL;
    }
    assert_null(engine_check(fx.engine));
}

static enum engine_endpoint_state state_with(unsigned worker, unsigned index) {
    fx.engine = workers[worker];
    return fitness_state(endpoint_at(index));
}

static void answer_at(unsigned worker, unsigned code, bool is_lost) {
    fx.engine = workers[worker];
    answer(0, code);
    turn(worker, is_lost);
    turn(!worker, false);
}

static void one_worker_asks_and_tells_the_other(void **state) {
    (void)state;
    fx_start(YAML("health: {jitter: 0%, rise: 1, fall: 1}"));
    engine_free(fx.engine);
    for (unsigned i = 0; i < 2; i++) {
        struct engine_options options = {.worker = i, .workers = 2, .seed = 1 + i, .calls = &fixture_calls};
        struct engine_input input = {.kind = INPUT_CONFIG, .plan = fx.plans[0]};
        workers[i] = engine_new(&options);
        engine_input(workers[i], &input, fx.now);
        turn(i, false);
    }
    fx.engine = workers[0];
    unsigned home = is_asking(0) ? 0 : 1;
    fx.engine = workers[!home];
    assert_false(is_asking(0)); /* nobody asks twice */
    answer_at(home, 503, false);
    assert_int_equal(state_with(home, 0), ENDPOINT_UNHEALTHY);
    assert_int_equal(state_with(!home, 0), ENDPOINT_UNHEALTHY);
    assert_string_equal(endpoint_at(0)->fitness.why, "GET /: 503");
    fx.now.mono.ns += 5 * NS_PER_S;
    turn(home, false);
    answer_at(home, 200, true); /* that letter is lost.. */
    assert_int_equal(state_with(home, 0), ENDPOINT_UP);
    assert_int_equal(state_with(!home, 0), ENDPOINT_UNHEALTHY);
    fx.now.mono.ns += 60 * NS_PER_S;
    turn(home, false);
    answer_at(home, 200, false); /* ..the next one says it again */
    assert_int_equal(state_with(!home, 0), ENDPOINT_UP);
    endpoint_result(workers[!home], workers[!home]->systems[1]->endpoints[0], RESULT_OK, NS_PER_MS);
    turn(!home, false); /* its home hears that it is in use */
    fx.engine = workers[home];
    assert_int_equal(endpoint_at(0)->probing.timer.deadline.at.ns, fx.now.mono.ns + 5 * NS_PER_S);
    engine_free(workers[0]);
    fx.engine = workers[1];
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_down_gets_nothing_until_it_is_back),
        cmocka_unit_test(one_that_was_well_falls_after_three),
        cmocka_unit_test(nobody_there_and_silence_are_bad),
        cmocka_unit_test(a_dial_that_hangs_is_bad_too),
        cmocka_unit_test(who_gets_nothing_is_asked_less_often),
        cmocka_unit_test(a_reload_keeps_what_is_known_where_it_is_asked_the_same),
        cmocka_unit_test(off_is_off_and_a_drain_asks_nobody),
        cmocka_unit_test(every_failed_allocation_is_survived),
        cmocka_unit_test(one_worker_asks_and_tells_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
