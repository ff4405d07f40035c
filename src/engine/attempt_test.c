/* What happens when an attempt fails. */
#include "engine/fixture.h"

#define DESK(...) \
    "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n" \
    "  desk: {accept: true, timeouts: {request: 60s, queue: 60s}, retry: {backoff: 10ms..10ms}, " \
    "redeliver: {backoff: 100ms..100ms}" __VA_ARGS__ "}\n"

static struct fixture_peer *crm;

static void start(const char *yaml) {
    fx_start(yaml);
    crm = fx_system("crm", true);
}

static void answer(const struct fixture_peer *p, uint64_t token, enum protocol_verdict verdict, enum status status, uint32_t retry_ms) {
    p->sink->calls->outcome(p->sink->user, token, token, (struct protocol_outcome){verdict, status, retry_ms});
    fx_turn();
}

static void ask(const char *id, const char *kind) {
    char words[60];
    (void)snprintf(words, sizeof words, "target=desk messagetype=%s", kind);
    fx_say(crm, "crm", id, words);
    fx_turn();
}

static void expect_rest(void) {
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    assert_null(engine_check(fx.engine));
}

static void another_taker_comes_first(void **state) {
    (void)state;
    start(DESK());
    struct fixture_peer *a = fx_system("desk", true), *b = fx_system("desk", true);
    ask("e1", "event");
    struct fixture_peer *first = a->got.size ? a : b, *second = first == a ? b : a;
    fx_expect(&first->got, "e1");
    answer(first, 1, VERDICT_RETRY, STATUS_OVERLOADED, 0);
    fx_pass(100 * NS_PER_MS);
    fx_expect(&first->got, "");
    fx_expect(&second->got, "e1*2");
    answer(second, 1, VERDICT_RETRY, STATUS_OVERLOADED, 0);
    fx_pass(100 * NS_PER_MS);
    assert_int_equal(a->got.size + b->got.size, 4); /* both were tried: any will do */
    fx_stop();
}

static void what_waits_keeps_nobody_waiting(void **state) {
    (void)state;
    start(DESK(", limits: {in_flight: 1}"));
    struct fixture_peer *desk = fx_system("desk", true);
    ask("e1", "event");
    answer(desk, 1, VERDICT_RETRY, STATUS_OVERLOADED, 7000);
    ask("e2", "event");
    fx_expect(&desk->got, "e1 e2");
    fx_ack(desk, 2, 2);
    fx_pass(6 * NS_PER_S);
    fx_expect(&desk->got, "");
    fx_pass(2 * NS_PER_S);
    fx_expect(&desk->got, "e1*2");
    fx_ack(desk, 3, 3);
    fx_turn();
    expect_rest();
    fx_stop();
}

static void it_still_counts_as_held(void **state) {
    struct engine_system_view view;
    (void)state;
    start(DESK(", limits: {queue: {messages: 2}}"));
    struct fixture_peer *desk = fx_system("desk", true);
    ask("e1", "event");
    ask("e2", "event");
    answer(desk, 1, VERDICT_RETRY, STATUS_OVERLOADED, 60000);
    answer(desk, 2, VERDICT_RETRY, STATUS_OVERLOADED, 60000);
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.held[0], 2);
    assert_int_equal(view.retry_later, 2);
    fx_lose(desk);
    fx_say(crm, "crm", "e3", "target=desk");
    fx_turn();
    assert_int_equal(engine_totals(fx.engine)->waiting, 1); /* no room for a third */
    fx_stop();
}

static void which_failures_are_followed_by_another_attempt(void **state) {
    static const struct {
        const char *policy, *kind;
        enum protocol_verdict verdict;
        enum status status;
        const char *again, *ended;
    } rows[] = {
        {"", "event", VERDICT_RETRY, STATUS_UPSTREAM_ERROR, "m*2", ""},
        {"", "event", VERDICT_REJECTED, STATUS_REJECTED, "", "m:dead:rejected-by-recipient"},
        {"", "command", VERDICT_RETRY, STATUS_UPSTREAM_ERROR, "m*2", ""},
        {"", "notification", VERDICT_RETRY, STATUS_OVERLOADED, "", "m:dropped:retries-exhausted"},
        {"", "query", VERDICT_RETRY, STATUS_UPSTREAM_ERROR, "m*2", ""},
        {"", "query", VERDICT_UNKNOWN, STATUS_REPLY_TIMEOUT, "m*2", ""},
        {"", "request", VERDICT_RETRY, STATUS_OVERLOADED, "m*2", ""}, /* it was not taken */
        {"", "request", VERDICT_RETRY, STATUS_UPSTREAM_ERROR, "", "m:dead:upstream-error"},
        {"", "request", VERDICT_UNKNOWN, STATUS_RESET, "", "m:dead:outcome-unknown"},
        {", idempotent: true", "request", VERDICT_RETRY, STATUS_UPSTREAM_ERROR, "m*2", ""},
        {", idempotent: true", "request", VERDICT_UNKNOWN, STATUS_RESET, "m*2", ""},
        {", policy: few", "query", VERDICT_RETRY, STATUS_OVERLOADED, "", "m:dead:overloaded"},
        {", policy: few", "query", VERDICT_UNKNOWN, STATUS_RESET, "m*2", ""},
        {", policy: few", "event", VERDICT_RETRY, STATUS_OVERLOADED, "", "m:dead:overloaded"},
        {", policy: few", "event", VERDICT_UNKNOWN, STATUS_REPLY_TIMEOUT, "", "m:dead:outcome-unknown"},
        {", policy: once", "event", VERDICT_RETRY, STATUS_OVERLOADED, "", "m:dead:retries-exhausted"},
        {", policy: once", "query", VERDICT_RETRY, STATUS_OVERLOADED, "", "m:dead:overloaded"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char yaml[900];
        (void)snprintf(yaml, sizeof yaml,
                       "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n  desk: {accept: true%s}\n"
                       "policies:\n  default: {retry: {backoff: 10ms..10ms}, redeliver: {backoff: 100ms..100ms}}\n"
                       "  few: {retry: {outcomes: [reset, timeout]}, redeliver: {outcomes: reset}}\n"
                       "  once: {retry: {attempts: 1}, redeliver: {attempts: 1}}\n", rows[i].policy);
        start(yaml);
        struct fixture_peer *desk = fx_system("desk", true);
        ask("m", rows[i].kind);
        fx_expect(&desk->got, "m");
        answer(desk, 1, rows[i].verdict, rows[i].status, 0);
        fx_pass(100 * NS_PER_MS);
        fx_expect(&desk->got, rows[i].again);
        fx_expect(&fx.ended, rows[i].ended);
        fx_stop();
    }
}

static void the_nearest_policy_counts_key_by_key(void **state) {
    (void)state;
    start("listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n"
          "  desk: {accept: true, redeliver: {attempts: 3, backoff: 100ms..100ms}}\n"
          "routes: {r: {match: {type: com.example.*}, to: desk, redeliver: {attempts: 2}}}\n");
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "r1", "");
    fx_say(crm, "crm", "t1", "target=desk");
    fx_turn();
    fx_expect(&desk->got, "r1 t1");
    for (uint64_t token = 1; token <= 2; token++)
        answer(desk, token, VERDICT_RETRY, STATUS_OVERLOADED, 0);
    fx_pass(100 * NS_PER_MS);
    assert_int_equal(desk->got.size, 9); /* both again, after the pause of the system */
    for (uint64_t token = 3; token <= 4; token++)
        answer(desk, token, VERDICT_RETRY, STATUS_OVERLOADED, 0);
    fx_expect(&fx.ended, "r1:dead:retries-exhausted");
    buffer_clear(&desk->got);
    fx_pass(100 * NS_PER_MS);
    fx_expect(&desk->got, "t1*3");
    fx_stop();
}

static void a_silent_attempt_is_given_up_for_another(void **state) {
    (void)state;
    start(DESK());
    struct fixture_peer *a = fx_system("desk", true), *b = fx_system("desk", true);
    ask("q1", "query");
    struct fixture_peer *first = a->got.size ? a : b, *second = first == a ? b : a;
    fx_pass(4900 * NS_PER_MS);
    fx_expect(&second->got, "");
    fx_pass(200 * NS_PER_MS); /* given up */
    fx_pass(20 * NS_PER_MS);
    fx_expect(&second->got, "q1*2");
    fx_ack(second, 1, 1); /* taken, but no reply */
    fx_pass(5 * NS_PER_S);
    fx_pass(20 * NS_PER_MS);
    assert_true(a->got.size + b->got.size > 0); /* the last: it has until the end */
    fx_pass(40 * NS_PER_S);
    fx_expect(&fx.ended, "");
    fx_say(first, "desk", "p1", "messagetype=response causationid=q1"); /* the first answers after all */
    fx_turn();
    fx_expect(&crm->got, "response<q1");
    expect_rest();
    fx_stop();
}

static void a_request_that_must_not_come_twice_has_until_the_end(void **state) {
    (void)state;
    start(DESK());
    struct fixture_peer *desk = fx_system("desk", true);
    ask("q1", "request");
    fx_pass(59 * NS_PER_S);
    fx_expect(&desk->got, "q1");
    fx_expect(&fx.ended, "");
    fx_pass(2 * NS_PER_S);
    fx_expect(&fx.ended, "q1:expired:reply-timeout");
    expect_rest();
    fx_stop();
}

static void retries_of_those_who_wait_have_a_budget(void **state) {
    struct engine_system_view view;
    (void)state;
    start("listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n"
          "  desk: {accept: true, timeouts: {request: 60s}, retry: {backoff: 10ms..10ms, budget: {share: 20%, min: 3}}}\n");
    struct fixture_peer *desk = fx_system("desk", true);
    for (int i = 0; i < 30; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "q%d", i);
        ask(id, "query");
    }
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.retry_budget_left, 6);
    for (uint64_t token = 1; token <= 30; token++)
        answer(desk, token, VERDICT_RETRY, STATUS_OVERLOADED, 0);
    engine_system_view(fx.engine, 1, &view);
    assert_in_range(view.retry_later, 3, 6); /* it shrinks with what is under way */
    assert_int_equal(view.retry_budget_left, 0);
    assert_int_equal(engine_totals(fx.engine)->endings[ENDING_DEAD][STATUS_OVERLOADED], 30 - view.retry_later);
    fx_pass(10 * NS_PER_MS);
    for (uint64_t token = 31; token <= 30 + view.retry_later; token++)
        answer(desk, token, VERDICT_ACCEPTED, STATUS_OK, 0);
    fx_pass(61 * NS_PER_S);
    expect_rest();
    engine_system_view(fx.engine, 1, &view);
    assert_int_equal(view.retry_budget_left, 3);
    fx_stop();
}

static void nothing_is_sent_after_its_time(void **state) {
    (void)state;
    start(DESK());
    struct fixture_peer *desk = fx_system("desk", true);
    fx_say(crm, "crm", "e1", "target=desk expirytime=2026-09-21T14:13:30Z"); /* in ten seconds */
    fx_turn();
    answer(desk, 1, VERDICT_RETRY, STATUS_OVERLOADED, 60000);
    buffer_clear(&desk->got);
    fx_pass(9 * NS_PER_S);
    fx_expect(&fx.ended, "");
    fx_pass(2 * NS_PER_S);
    fx_expect(&fx.ended, "e1:expired:expired");
    fx_pass(60 * NS_PER_S);
    fx_expect(&desk->got, "");
    expect_rest();
    fx_stop();
}

static void who_waits_is_told_at_once_when_no_retry_can_be_in_time(void **state) {
    (void)state;
    start(DESK());
    struct fixture_peer *desk = fx_system("desk", true);
    ask("q1", "query");
    answer(desk, 1, VERDICT_RETRY, STATUS_TARGET_UNAVAILABLE, 120000);
    fx_expect(&fx.ended, "q1:dead:target-unavailable");
    fx_expect(&crm->got, "error<q1");
    expect_rest();
    fx_stop();
}

static void what_nobody_asks_for_any_more_is_not_tried_again(void **state) {
    (void)state;
    start(DESK());
    struct fixture_peer *desk = fx_system("desk", true);
    ask("q1", "query");
    answer(desk, 1, VERDICT_RETRY, STATUS_OVERLOADED, 5000);
    fx_lose(crm);
    fx_turn();
    fx_expect(&fx.ended, "q1:dropped:cancelled");
    expect_rest();
    fx_stop();
}

static void what_waits_for_a_system_ends_with_it(void **state) {
    (void)state;
    start(DESK());
    struct fixture_peer *desk = fx_system("desk", true);
    ask("e1", "event");
    fx_say(crm, "crm", "k1", "target=desk partitionkey=k");
    fx_say(crm, "crm", "k2", "target=desk partitionkey=k");
    fx_turn();
    answer(desk, 1, VERDICT_RETRY, STATUS_OVERLOADED, 5000);
    answer(desk, 2, VERDICT_RETRY, STATUS_OVERLOADED, 5000);
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = fx_load("listeners: {in: intertie://127.0.0.1:7460}\nsystems: {crm: {}}\n")};
    engine_input(fx.engine, &input, fx.now);
    fx_turn();
    assert_int_equal(engine_totals(fx.engine)->endings[ENDING_DEAD][STATUS_SYSTEM_REMOVED], 3);
    expect_rest();
    fx_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_taker_comes_first),
        cmocka_unit_test(what_waits_keeps_nobody_waiting),
        cmocka_unit_test(it_still_counts_as_held),
        cmocka_unit_test(which_failures_are_followed_by_another_attempt),
        cmocka_unit_test(the_nearest_policy_counts_key_by_key),
        cmocka_unit_test(a_silent_attempt_is_given_up_for_another),
        cmocka_unit_test(a_request_that_must_not_come_twice_has_until_the_end),
        cmocka_unit_test(retries_of_those_who_wait_have_a_budget),
        cmocka_unit_test(nothing_is_sent_after_its_time),
        cmocka_unit_test(who_waits_is_told_at_once_when_no_retry_can_be_in_time),
        cmocka_unit_test(what_nobody_asks_for_any_more_is_not_tried_again),
        cmocka_unit_test(what_waits_for_a_system_ends_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
