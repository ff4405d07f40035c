/* What a connection that waits holds, in bytes of the heap: as accepted, and after it was used. The descriptor's record of
 * the runtime comes on top. */
#include "engine/fixture.h"

#define CONNECTIONS 600 /* more than there are memos */
#define BLOCK 8         /* what the heap adds to each allocation, and rounding is in the usable size */

static const char yaml[] = "listeners:\n  web: http://127.0.0.1:8080\n  lines: tcp://127.0.0.1:7000\n"
                           "  stream: intertie://127.0.0.1:7460\n"
                           "systems: {desk: {accept: true}}\n"
                           "routes: {every: {match: {}, to: desk}}\n";

static const char request[] = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nce-specversion: 1.0\r\nce-id: 1\r\n"
                              "ce-source: /a\r\nce-type: tick\r\nContent-Length: 2\r\n\r\nhi";
static const char chunked[] = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nce-specversion: 1.0\r\nce-id: 1\r\n"
                              "ce-source: /a\r\nce-type: tick\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
static const char line[] = "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/a\",\"type\":\"tick\"}\n";

static const char hello[] = "{\"specversion\":\"1.0\",\"id\":\"h\",\"source\":\"/me\",\"type\":\"intertie.ctl.hello.v1\","
                            "\"data\":{\"system\":\"desk\"}}\n";

static struct engine *engine;
static struct now now;

static void carry_out(void) {
    for (bool again = true; again;) {
        struct engine_actions actions;
        struct net_action all[2 * CONNECTIONS];
        again = false;
        engine_finish(engine, now, &actions);
        assert_true(actions.net_count <= COUNT_OF(all));
        if (actions.net_count)
            memcpy(all, actions.net, actions.net_count * sizeof *all);
        for (uint32_t i = 0; i < actions.net_count; i++) {
            const struct connection *c = net_find(engine_net(engine), all[i].connection);
            if (all[i].kind != NET_FLUSH || !c)
                continue;
            struct engine_input input = {
                .kind = INPUT_WRITTEN, .connection = all[i].connection, .size = chain_unsent(&c->out)};
            engine_input(engine, &input, now);
            again = true;
        }
    }
}

static uint64_t accept_one(uint32_t listener) {
    struct address peer = {.family = ADDRESS_IPV4, .port = 5000, .bytes = {127, 0, 0, 1}};
    struct engine_input input = {.kind = INPUT_OPENED, .listener = listener, .peer = &peer};
    engine_input(engine, &input, now);
    assert_true(input.ret_connection != 0);
    return input.ret_connection;
}

static void say(uint64_t connection, const char *bytes, size_t size) {
    struct engine_input input = {.kind = INPUT_BYTES, .connection = connection, .bytes = slice_make(bytes, size)};
    engine_input(engine, &input, now);
}

static int64_t held(void) {
    return memory_live_bytes() + BLOCK * memory_live();
}

/* Tables by slot double as they grow: their share is bounded, not constant. */
static void measure(uint32_t listener, const char *bytes, size_t size, int64_t fresh_max, int64_t used_max) {
    static uint64_t handles[CONNECTIONS];
    int64_t before = held();
    for (size_t i = 0; i < CONNECTIONS; i++)
        handles[i] = accept_one(listener);
    carry_out();
    int64_t fresh = (held() - before) / CONNECTIONS;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < CONNECTIONS; i++) {
            say(handles[i], bytes, size / 2); /* in two parts, so that the first is kept for a moment */
            carry_out();
            say(handles[i], bytes + size / 2, size - size / 2);
            carry_out();
        }
    assert_int_equal(engine->totals.received, 3 * CONNECTIONS);
    assert_int_equal(engine->totals.held, 0);
    /* Spare blocks and rings are the worker's, some 400 KiB at most and of a fixed number: not of each connection. */
    int64_t spare = (int64_t)(engine->memos.count * sizeof(struct memo)) + (int64_t)engine->net.pool.held +
                    (int64_t)trace_ring_memory(&engine->tracing.ring) + (int64_t)engine->tracing.ring.chunks.count * BLOCK;
    int64_t used = (held() - before - spare) / CONNECTIONS;
    print_message("a connection holds %d bytes, %d after it was used\n", (int)fresh, (int)used);
    assert_true(fresh <= fresh_max);
    assert_true(used <= used_max);
}

static void with_engine(uint32_t listener, const char *bytes, size_t size, int64_t fresh_max, int64_t used_max) {
    struct fault fault;
    struct engine_options options = {.workers = 1, .seed = 1, .cut_through = true, .memo = true};
    now = (struct now){.mono = {NS_PER_S}, .wall = {INT64_C(1790000000) * NS_PER_S}};
    struct config *config = fx_config(yaml);
    struct plan *plan = plan_new(config, &fault);
    engine = engine_new(&options);
    assert_true(plan && engine);
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = plan};
    engine_input(engine, &input, now);
    carry_out();
    say(accept_one(1), hello, sizeof hello - 1); /* it takes what the others send */
    carry_out();
    measure(listener, bytes, size, fresh_max, used_max);
    engine_free(engine);
    plan_free(plan);
    config_free(config);
}

static void http_connections_hold_little(void **state) {
    (void)state;
    with_engine(0, request, sizeof request - 1, 850, 850);
}

static void chunks_leave_nothing_behind(void **state) {
    (void)state;
    with_engine(0, chunked, sizeof chunked - 1, 850, 850);
}

static void connections_of_lines_hold_little(void **state) {
    (void)state;
    with_engine(1, line, sizeof line - 1, 850, 960);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_connections_hold_little),
        cmocka_unit_test(chunks_leave_nothing_behind),
        cmocka_unit_test(connections_of_lines_hold_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
