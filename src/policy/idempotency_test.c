/* Requests with keys: each runs once, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "policy/idempotency.h"

static struct idempotency all;
static struct mono now;
static const struct idempotency_entry *found;

static enum idempotency_verdict claim(const char *scope, const char *key, uint8_t what, uint64_t who) {
    uint8_t print[IDEMPOTENCY_PRINT_SIZE] = {what};
    return idempotency_claim(&all, slice_from(scope), slice_from(key), print, who, now, &found);
}

static void settle(const char *scope, const char *key, uint64_t who, unsigned code, const char *answer) {
    idempotency_settle(&all, slice_from(scope), slice_from(key), who, code, slice_from(answer), now);
}

static void begin(void) {
    now.ns = NS_PER_S;
    idempotency_init(&all, 7);
}

static void each_key_runs_once_and_answers_again(void **state) {
    (void)state;
    begin();
    assert_int_equal(claim("a", "k", 1, 1), IDEMPOTENCY_NEW);
    assert_int_equal(claim("a", "k", 1, 2), IDEMPOTENCY_RUNNING);
    assert_int_equal(claim("a", "k", 2, 2), IDEMPOTENCY_CONFLICT);
    assert_int_equal(claim("b", "k", 2, 2), IDEMPOTENCY_NEW); /* somebody else's */
    assert_int_equal(claim("a", "l", 2, 3), IDEMPOTENCY_NEW);
    settle("a", "k", 1, 202, "lines");
    assert_int_equal(claim("a", "k", 1, 2), IDEMPOTENCY_AGAIN);
    assert_int_equal(found->code, 202);
    assert_true(slice_is(slice_make(found->answer, found->answer_size), "lines"));
    assert_int_equal(claim("a", "k", 2, 2), IDEMPOTENCY_CONFLICT);
    assert_true(all.bytes == 5);
    idempotency_done(&all);
    assert_true(all.bytes == 0);
}

static void a_scope_and_a_key_are_not_mixed_up(void **state) {
    (void)state;
    begin();
    assert_int_equal(claim("a", "bc", 1, 1), IDEMPOTENCY_NEW);
    assert_int_equal(claim("ab", "c", 1, 1), IDEMPOTENCY_NEW);
    assert_int_equal(claim("", "abc", 1, 1), IDEMPOTENCY_NEW);
    idempotency_done(&all);
}

static void only_who_runs_it_settles_or_releases(void **state) {
    (void)state;
    begin();
    claim("a", "k", 1, 1);
    settle("a", "k", 2, 202, "");
    idempotency_release(&all, SLICE_OF("a"), SLICE_OF("k"), 2);
    assert_int_equal(claim("a", "k", 1, 2), IDEMPOTENCY_RUNNING);
    idempotency_release(&all, SLICE_OF("a"), SLICE_OF("k"), 1);
    assert_int_equal(claim("a", "k", 2, 2), IDEMPOTENCY_NEW);
    settle("a", "k", 1, 500, ""); /* the one that was released */
    assert_int_equal(claim("a", "k", 2, 3), IDEMPOTENCY_RUNNING);
    settle("a", "k", 2, 202, "");
    idempotency_release(&all, SLICE_OF("a"), SLICE_OF("k"), 2);
    assert_int_equal(claim("a", "k", 2, 3), IDEMPOTENCY_AGAIN);
    settle("a", "none", 2, 202, "");
    idempotency_done(&all);
}

static void a_day_after_its_answer_it_is_forgotten(void **state) {
    (void)state;
    begin();
    claim("a", "k", 1, 1);
    claim("a", "runs", 1, 2);
    now.ns += NS_PER_S;
    settle("a", "k", 1, 202, "x");
    now.ns += IDEMPOTENCY_KEEP_NS - NS_PER_S - 1;
    assert_int_equal(claim("a", "runs", 1, 3), IDEMPOTENCY_RUNNING);
    now.ns += 1;
    assert_int_equal(claim("a", "runs", 1, 3), IDEMPOTENCY_NEW); /* its end was never told */
    assert_int_equal(claim("a", "k", 1, 4), IDEMPOTENCY_AGAIN);
    now.ns += NS_PER_S;
    assert_int_equal(claim("a", "k", 1, 5), IDEMPOTENCY_NEW);
    assert_true(all.bytes == 0 && all.evicted == 0);
    idempotency_done(&all);
}

static void one_past_a_scopes_share_its_own_oldest_goes(void **state) {
    char key[16];
    (void)state;
    begin();
    claim("b", "k", 1, 1);
    settle("b", "k", 1, 202, "");
    for (unsigned i = 0; i < IDEMPOTENCY_SCOPE_ENTRIES; i++) {
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(claim("a", key, 1, 1), IDEMPOTENCY_NEW);
    }
    assert_int_equal(claim("a", "more", 1, 1), IDEMPOTENCY_FULL); /* all of them run */
    settle("a", "7", 1, 202, "");
    assert_int_equal(claim("a", "more", 1, 1), IDEMPOTENCY_NEW);
    assert_int_equal(claim("b", "k", 1, 2), IDEMPOTENCY_AGAIN);
    assert_true(all.evicted == 1);
    idempotency_done(&all);
}

static void one_past_all_the_oldest_answer_goes(void **state) {
    char scope[16], key[16];
    (void)state;
    begin();
    for (unsigned i = 0; i < IDEMPOTENCY_ENTRIES; i++) {
        snprintf(scope, sizeof scope, "s%u", i % 5);
        snprintf(key, sizeof key, "%u", i);
        assert_int_equal(claim(scope, key, 1, 1), IDEMPOTENCY_NEW);
        settle(scope, key, 1, 202, "");
    }
    assert_int_equal(claim("new", "k", 1, 1), IDEMPOTENCY_NEW);
    assert_int_equal(claim("s1", "1", 1, 2), IDEMPOTENCY_AGAIN);
    assert_int_equal(claim("s0", "0", 1, 2), IDEMPOTENCY_NEW);
    assert_int_equal(all.running.count + all.done.count, IDEMPOTENCY_ENTRIES);
    idempotency_done(&all);
}

static void past_the_bytes_the_oldest_answers_go(void **state) {
    static char large[(6u << 20) + 1];
    (void)state;
    begin();
    memset(large, 'x', sizeof large - 1);
    for (unsigned i = 0; i < 3; i++) {
        char key[2] = {(char)('a' + i), 0};
        claim("s", key, 1, 1);
        settle("s", key, 1, 200, large);
        assert_true(all.bytes <= IDEMPOTENCY_BYTES);
    }
    assert_int_equal(claim("s", "a", 1, 1), IDEMPOTENCY_NEW);
    assert_int_equal(claim("s", "b", 1, 1), IDEMPOTENCY_AGAIN);
    idempotency_done(&all);
}

static void without_memory_nothing_runs_twice(void **state) {
    (void)state;
    for (int64_t n = 0; n < 8; n++) {
        begin();
        memory_fail_after(n);
        enum idempotency_verdict first = claim("a", "k", 1, 1);
        if (first == IDEMPOTENCY_NEW)
            settle("a", "k", 1, 202, "answer");
        memory_fail_after(-1);
        assert_true(first == IDEMPOTENCY_NEW || first == IDEMPOTENCY_FULL);
        assert_int_equal(claim("a", "k", 1, 2), first == IDEMPOTENCY_NEW ? IDEMPOTENCY_AGAIN : IDEMPOTENCY_NEW);
        if (first == IDEMPOTENCY_NEW)
            assert_true(found->code == 202 || (found->code == 0 && found->answer_size == 0));
        idempotency_done(&all);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_runs_once_and_answers_again),
        cmocka_unit_test(a_scope_and_a_key_are_not_mixed_up),
        cmocka_unit_test(only_who_runs_it_settles_or_releases),
        cmocka_unit_test(a_day_after_its_answer_it_is_forgotten),
        cmocka_unit_test(one_past_a_scopes_share_its_own_oldest_goes),
        cmocka_unit_test(one_past_all_the_oldest_answer_goes),
        cmocka_unit_test(past_the_bytes_the_oldest_answers_go),
        cmocka_unit_test(without_memory_nothing_runs_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
