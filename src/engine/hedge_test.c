/* A second attempt beside one that takes long. */
#include "engine/fixture.h"
#include "engine/hedge.h"

#define HEAD "listeners: {in: intertie://127.0.0.1:7460}\nsystems:\n  crm: {accept: true}\n"
#define DESK(...) \
    HEAD "  desk: {accept: true, timeouts: {request: 10s, attempt: 2s}, retry: {backoff: 10ms..10ms, hedge: {after: 100ms}" __VA_ARGS__ "}}\n"

static struct fixture_peer *crm, *first, *second;

static void ask_words(const char *id, const char *words) {
    fx_say(crm, "crm", id, words);
    fx_turn();
}

static void ask(const char *id, const char *kind) {
    char words[60];
    (void)snprintf(words, sizeof words, "target=desk messagetype=%s", kind);
    ask_words(id, words);
}

/* Two sessions; the one that has the message is `first`. */
static void start_with(const char *yaml, const char *words) {
    fx_start(yaml);
    crm = fx_system("crm", true);
    struct fixture_peer *a = fx_system("desk", true), *b = fx_system("desk", true);
    ask_words("q1", words);
    first = a->got.size ? a : b;
    second = first == a ? b : a;
    fx_expect(&first->got, "q1");
    buffer_clear(&crm->told);
}

static void start(const char *yaml) {
    start_with(yaml, "target=desk messagetype=query");
}

static void answer(struct fixture_peer *p, const char *id, const char *cause) {
    char words[60];
    (void)snprintf(words, sizeof words, "messagetype=response causationid=%s", cause);
    fx_say(p, "desk", id, words);
    fx_turn();
}

static void expect_counts(uint64_t sent, uint64_t won, uint64_t late) {
    const struct engine_totals *totals = engine_totals(fx.engine);
    assert_int_equal(totals->hedges_sent, sent);
    assert_int_equal(totals->hedges_won, won);
    assert_int_equal(totals->hedges_late, late);
}

static void stop(void) {
    assert_null(engine_check(fx.engine));
    assert_int_equal(engine_totals(fx.engine)->held, 0);
    fx_stop();
}

static void who_is_quick_is_not_hedged(void **state) {
    (void)state;
    start(DESK());
    fx_pass(99 * NS_PER_MS);
    answer(first, "r1", "q1");
    fx_pass(NS_PER_S);
    fx_expect(&second->got, "");
    fx_expect(&crm->got, "response<q1");
    expect_counts(0, 0, 0);
    stop();
}

static void the_second_may_answer_first(void **state) {
    (void)state;
    start(DESK());
    fx_ack(first, 1, 1);
    fx_pass(100 * NS_PER_MS);
    fx_expect(&second->got, "q1*2");
    fx_expect(&first->got, "");
    answer(second, "r2", "q1");
    fx_expect(&crm->got, "response<q1");
    expect_counts(1, 1, 0);
    answer(first, "r1", "q1"); /* no news */
    fx_expect(&crm->got, "");
    fx_expect(&fx.ended, "");
    expect_counts(1, 1, 1);
    answer(first, "r1", "q1"); /* once is enough */
    fx_expect(&fx.ended, "r1:dropped:late-reply");
    stop();
}

static void the_first_may_answer_first(void **state) {
    (void)state;
    start(DESK());
    fx_pass(100 * NS_PER_MS);
    fx_expect(&second->got, "q1*2");
    fx_ack(second, 1, 1);
    answer(first, "r1", "q1");
    fx_expect(&crm->got, "response<q1");
    answer(second, "r2", "q1");
    fx_expect(&crm->got, "");
    fx_expect(&fx.ended, "");
    expect_counts(1, 0, 1);
    stop();
}

static void one_that_fails_leaves_it_to_the_other(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        start(DESK());
        fx_pass(100 * NS_PER_MS);
        fx_expect(&second->got, "q1*2");
        struct fixture_peer *failing = which ? second : first, *other = which ? first : second;
        fx_outcome(failing, 1, 1, VERDICT_RETRY, STATUS_UPSTREAM_ERROR);
        fx_turn();
        fx_pass(50 * NS_PER_MS);
        fx_expect(&fx.ended, "");
        fx_expect(&failing->got, "");
        fx_expect(&other->got, "");
        answer(other, "r", "q1");
        fx_expect(&crm->got, "response<q1");
        stop();
    }
}

static void one_that_is_lost_leaves_it_to_the_other(void **state) {
    (void)state;
    for (int which = 0; which < 4; which++) {
        start(DESK());
        fx_pass(100 * NS_PER_MS);
        struct fixture_peer *lost = which & 1 ? second : first, *other = which & 1 ? first : second;
        if (which & 2)
            fx_ack(other, 1, 1); /* it waits for its answer alone */
        fx_lose(lost);
        fx_turn();
        answer(other, "r", "q1");
        fx_expect(&crm->got, "response<q1");
        fx_expect(&fx.ended, "");
        stop();
    }
}

static void both_may_fail_and_attempts_are_counted(void **state) {
    (void)state;
    start(DESK());
    fx_pass(100 * NS_PER_MS);
    fx_outcome(first, 1, 1, VERDICT_RETRY, STATUS_UPSTREAM_ERROR);
    fx_turn();
    fx_outcome(second, 1, 1, VERDICT_RETRY, STATUS_UPSTREAM_ERROR);
    fx_turn();
    fx_pass(10 * NS_PER_MS);
    buffer_clear(&second->got);
    assert_int_equal(first->got.size, 4); /* q1*3 */
    fx_outcome(first, 2, 2, VERDICT_RETRY, STATUS_UPSTREAM_ERROR);
    fx_turn();
    fx_expect(&fx.ended, "q1:dead:upstream-error");
    stop();
}

static void it_is_never_beyond_its_time(void **state) {
    (void)state;
    start(HEAD "  desk: {accept: true, timeouts: {request: 80ms}, retry: {hedge: {after: 100ms}}}\n");
    fx_pass(80 * NS_PER_MS);
    fx_expect(&fx.ended, "q1:expired:reply-timeout");
    fx_pass(NS_PER_S);
    fx_expect(&second->got, "");
    stop();
    start(DESK());
    fx_pass(100 * NS_PER_MS);
    fx_expect(&second->got, "q1*2");
    fx_pass(10 * NS_PER_S);
    fx_expect(&fx.ended, "q1:expired:reply-timeout");
    stop();
}

static void the_budget_pays_for_it(void **state) {
    (void)state;
    start(DESK(", budget: {share: 0%, min: 1}"));
    ask("q2", "query");
    fx_pass(100 * NS_PER_MS);
    expect_counts(1, 0, 0);
    assert_int_equal(engine_totals(fx.engine)->hedges_unpaid, 1);
    answer(first, "r1", "q1");
    answer(second, "r2", "q2");
    stop();
}

static void no_attempt_is_left_for_it(void **state) {
    (void)state;
    start(DESK(", attempts: 1"));
    fx_pass(NS_PER_S);
    expect_counts(0, 0, 0);
    answer(first, "r1", "q1");
    stop();
}

static void only_what_may_come_twice_is_hedged(void **state) {
    (void)state;
    start_with(DESK(), "target=desk messagetype=request");
    fx_pass(NS_PER_S);
    fx_expect(&second->got, "");
    answer(first, "r1", "q1");
    stop();
    start_with(HEAD "  desk: {accept: true, idempotent: true, retry: {hedge: {after: 100ms}}}\n", "target=desk messagetype=request");
    fx_pass(100 * NS_PER_MS);
    fx_expect(&second->got, "q1*2");
    answer(second, "r1", "q1");
    fx_expect(&crm->got, "response<q1");
    stop();
}

static void nobody_else_is_there(void **state) {
    (void)state;
    start(DESK());
    fx_lose(second);
    fx_turn();
    fx_pass(100 * NS_PER_MS);
    expect_counts(0, 0, 0);
    answer(first, "r1", "q1");
    stop();
}

static void who_is_busy_is_asked_when_there_is_room(void **state) {
    (void)state;
    start(DESK());
    fx_room(second, 0);
    fx_pass(100 * NS_PER_MS);
    expect_counts(0, 0, 0);
    fx_room(second, 5);
    fx_pass(10 * NS_PER_MS);
    fx_expect(&second->got, "q1*2");
    answer(second, "r1", "q1");
    stop();
}

static void who_asked_is_gone(void **state) {
    (void)state;
    start(DESK());
    fx_pass(100 * NS_PER_MS);
    fx_lose(crm);
    fx_turn();
    fx_pass(11 * NS_PER_S);
    stop();
}

static void a_reload_ends_both(void **state) {
    (void)state;
    start(DESK());
    fx_pass(100 * NS_PER_MS);
    fx_reload(HEAD "  other: {accept: true}\n");
    fx_turn();
    stop();
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    for (int64_t at = 0; at < 20; at++) {
        start(DESK());
        fx.failing = at;
        memory_fail_after(at);
        fx_pass(100 * NS_PER_MS);
        memory_fail_after(-1);
        answer(first, "r1", "q1");
        fx_expect(&crm->got, "response<q1");
        stop();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_quick_is_not_hedged),
        cmocka_unit_test(the_second_may_answer_first),
        cmocka_unit_test(the_first_may_answer_first),
        cmocka_unit_test(one_that_fails_leaves_it_to_the_other),
        cmocka_unit_test(one_that_is_lost_leaves_it_to_the_other),
        cmocka_unit_test(both_may_fail_and_attempts_are_counted),
        cmocka_unit_test(it_is_never_beyond_its_time),
        cmocka_unit_test(the_budget_pays_for_it),
        cmocka_unit_test(no_attempt_is_left_for_it),
        cmocka_unit_test(only_what_may_come_twice_is_hedged),
        cmocka_unit_test(nobody_else_is_there),
        cmocka_unit_test(who_is_busy_is_asked_when_there_is_room),
        cmocka_unit_test(who_asked_is_gone),
        cmocka_unit_test(a_reload_ends_both),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
