/* What the ring of traces has of messages: which are recorded, and what is said of them. */
#include "engine/fixture.h"

#define YAML(...) \
    "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n" \
    "  desk: {accept: true, timeouts: {request: 60s, queue: 60s}, redeliver: {backoff: 100ms..100ms}}\n" __VA_ARGS__

static struct fixture_peer *crm, *desk;
static struct buffer story;

static void add(void *user, const struct trace_record *record) {
    (void)user;
    fx_note(&story, "%s", trace_step_name((enum trace_step)record->step));
    if (record->step == TRACE_SENT)
        fx_note(&story, "#%u", record->small[0]);
    if (record->step == TRACE_FAILED)
        fx_note(&story, "(%s%s)", status_reason((enum status)record->status), (int64_t)record->number < 0 ? "" : ",again");
    if (record->step == TRACE_ENDED)
        fx_note(&story, "(%s:%s)", engine_ending_name((enum engine_ending)record->small[1]), status_reason((enum status)record->status));
}

/* What became of it, in words. */
static void expect(const char *id, const char *words) {
    uint64_t found[TRACE_FOUND_MAX];
    size_t count = trace_find(fx.engine, slice_from(id), found);
    buffer_clear(&story);
    for (size_t i = 0; i < count; i++)
        trace_each(fx.engine, found[i], add, NULL);
    fx_expect(&story, words);
    assert_null(engine_check(fx.engine));
}

static void start(const char *yaml) {
    fx_start(yaml);
    crm = fx_system("crm", true);
    desk = fx_system("desk", true);
    buffer_init(&story, 1 << 16);
}

static void stop(void) {
    buffer_done(&story);
    fx_stop();
}

static void say(const char *id, const char *words) {
    fx_say(crm, "crm", id, words);
    fx_turn();
}

static void the_first_of_a_connection_and_one_in_so_many(void **state) {
    char id[24];
    unsigned kept = 0;
    uint64_t found[TRACE_FOUND_MAX];
    (void)state;
    start(YAML());
    for (unsigned i = 0; i < 2 * TRACE_SAMPLE + 2; i++) {
        (void)snprintf(id, sizeof id, "e%u", i);
        say(id, "target=desk");
        fx_ack(desk, i + 1, i + 1);
        fx_turn();
        kept += trace_find(fx.engine, slice_from(id), found) > 0;
    }
    expect("e0", "received allowed routed sent #1 ended (delivered:ok)");
    expect("e1", "");
    assert_int_equal(kept, 3);
    stop();
}

static void a_route_may_have_all_of_them(void **state) {
    (void)state;
    start(YAML("routes: {each: {match: {}, to: desk, trace: all}}\n"));
    say("e1", "target=desk");
    say("e2", "");
    say("e3", "target=desk");
    fx_ack(desk, 1, 3);
    fx_turn();
    expect("e2", "received allowed routed sent #1 ended (delivered:ok)");
    expect("e3", "");
    fx_reload(YAML("routes: {each: {match: {}, to: desk}}\n"));
    say("e4", "");
    expect("e4", "");
    stop();
}

static void what_fails_is_recorded_from_then_on(void **state) {
    (void)state;
    start(YAML());
    say("e1", "target=desk");
    say("e2", "target=desk");
    fx_ack(desk, 1, 1);
    fx_outcome(desk, 2, 2, VERDICT_RETRY, STATUS_OVERLOADED);
    fx_pass(100 * NS_PER_MS);
    fx_ack(desk, 3, 3);
    fx_turn();
    expect("e2", "received allowed failed (overloaded,again) queued sent #2 ended (delivered:ok)");
    say("e3", "target=nobody");
    expect("e3", "received allowed ended (rejected:unknown-target)");
    say("e4", "target=desk");
    fx_outcome(desk, 4, 4, VERDICT_REJECTED, STATUS_REJECTED);
    fx_turn();
    expect("e4", "received allowed ended (dead:rejected-by-recipient)");
    stop();
}

static void requests_and_their_answers(void **state) {
    (void)state;
    start(YAML());
    say("e1", "target=desk");
    say("q1", "target=desk messagetype=query");
    fx_say(desk, "desk", "a1", "messagetype=response causationid=q1");
    fx_turn();
    expect("q1", "received allowed routed sent #1 answered ended (replied:ok)");
    say("q2", "target=desk messagetype=query");
    fx_pass(61 * NS_PER_S);
    expect("q2", "received allowed routed sent #1 ended (expired:reply-timeout)");
    stop();
}

static void what_waits_says_so(void **state) {
    (void)state;
    start(YAML());
    fx_lose(desk);
    say("e1", "target=desk expirytime=2020-01-01T00:00:00Z");
    say("q1", "target=desk messagetype=query");
    desk = fx_system("desk", true);
    fx_turn();
    expect("q1", "received allowed routed queued sent #1");
    stop();
}

static void one_id_may_be_of_several(void **state) {
    uint64_t found[TRACE_FOUND_MAX];
    (void)state;
    start(YAML("routes: {each: {match: {}, to: desk, trace: all}}\n"));
    for (unsigned i = 0; i < TRACE_FOUND_MAX + 1; i++)
        say("same", "");
    assert_int_equal(trace_find(fx.engine, SLICE_OF("same"), found), TRACE_FOUND_MAX);
    assert_true(found[0] < found[TRACE_FOUND_MAX - 1]);
    assert_int_equal(trace_find(fx.engine, SLICE_OF("sam"), found), 0);
    assert_int_equal(trace_find(fx.engine, SLICE_OF(""), found), 0);
    stop();
}

static void switched_off_nothing_is_kept(void **state) {
    (void)state;
    start(YAML("telemetry: {trace_ring: 0B}\n"));
    say("e1", "target=desk");
    say("e2", "target=nobody");
    expect("e1", "");
    expect("e2", "");
    assert_false(trace_facts(fx.engine).is_on);
    fx_reload(YAML());
    say("e3", "target=nobody");
    expect("e3", "received allowed ended (rejected:unknown-target)");
    fx_reload(YAML("telemetry: {trace_ring: 0B}\n"));
    expect("e3", "");
    stop();
}

static void without_memory_messages_go_on(void **state) {
    (void)state;
    for (int64_t skip = 0; skip < 12; skip++) {
        start(YAML());
        memory_fail_after(skip);
        say("q1", "target=desk messagetype=event");
        memory_fail_after(-1);
        assert_null(engine_check(fx.engine));
        stop();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_a_connection_and_one_in_so_many),
        cmocka_unit_test(a_route_may_have_all_of_them),
        cmocka_unit_test(what_fails_is_recorded_from_then_on),
        cmocka_unit_test(requests_and_their_answers),
        cmocka_unit_test(what_waits_says_so),
        cmocka_unit_test(one_id_may_be_of_several),
        cmocka_unit_test(switched_off_nothing_is_kept),
        cmocka_unit_test(without_memory_messages_go_on),
    };
    return cmocka_run_group_tests_name("engine/trace", tests, NULL, NULL);
}
