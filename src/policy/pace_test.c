/* No minute has more than it may, none that is wanted has less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/rng.h"
#include "policy/pace.h"

#define START (7 * NS_PER_S)
#define GOES_MAX 20000

static int64_t goes[GOES_MAX];

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* Sends whatever it may for `minutes`, by `sharers` that are all greedy, each from its own beginning on; returns how many went. */
static unsigned run(uint64_t rate, uint32_t sharers, int64_t minutes, int64_t begin_apart_ns) {
    unsigned count = 0;
    int64_t end = START + minutes * 60 * NS_PER_S;
    for (uint32_t i = 0; i < sharers; i++) {
        struct pace pace = {0};
        struct mono at = {START + (int64_t)i * begin_apart_ns % (60 * NS_PER_S)};
        pace_set(&pace, rate, sharers, i);
        for (;;) {
            struct mono next = pace_next(&pace, at);
            at = next.ns > at.ns ? next : at;
            if (at.ns >= end)
                break;
            assert_true(count < GOES_MAX && pace_ready(&pace, at));
            pace_take(&pace, at);
            goes[count++] = at.ns;
        }
    }
    qsort(goes, count, sizeof *goes, compare);
    return count;
}

static void check_minutes(uint64_t rate, uint32_t sharers, unsigned count) {
    for (unsigned k = 0, first = 0; k < count; k++) {
        while (goes[k] - goes[first] >= 60 * NS_PER_S)
            first++;
        if (k - first + 1 > rate)
            fail_msg("%u a minute by %u: %u in one", (unsigned)rate, sharers, k - first + 1);
    }
}

static void no_minute_has_more_than_it_may(void **state) {
    static const struct {
        uint64_t rate;
        uint32_t sharers;
        unsigned least; /* in ten minutes */
    } rows[] = {{1, 1, 9},   {2, 1, 19},      {12, 1, 119}, {60, 1, 560}, {100, 1, 900}, {600, 1, 5400},
                {10, 4, 70}, {1000, 4, 9000}, {7, 7, 63},   {1, 2, 8},    {1, 4, 8},     {1, 8, 8},
                {2, 3, 18},  {3, 4, 28},      {5, 8, 48},   {7, 8, 68},   {31, 32, 300}};
    static const int64_t begins[] = {0, NS_PER_S, 7 * NS_PER_S, 13 * NS_PER_S, 59 * NS_PER_S};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t k = 0; k < COUNT_OF(begins); k++) {
            unsigned count = run(rows[i].rate, rows[i].sharers, 10, begins[k]);
            check_minutes(rows[i].rate, rows[i].sharers, count);
            if (count < rows[i].least * (k ? 8 : 10) / 10) /* some begin later */
                fail_msg("%u a minute by %u: %u in ten", (unsigned)rows[i].rate, rows[i].sharers, count);
        }
}

/* Each has something to send now and then, as chance has it: after silence, too, none of them goes but in its turn. */
static void silence_saves_nothing_up_where_turns_are_taken(void **state) {
    (void)state;
    for (uint64_t rate = 1; rate < 8; rate++) {
        struct rng rng;
        struct pace paces[8] = {{0}};
        unsigned count = 0;
        rng_init(&rng, rate);
        for (uint32_t i = 0; i < 8; i++)
            pace_set(&paces[i], rate, 8, i);
        for (int64_t at = START; at < START + 3600 * NS_PER_S; at += NS_PER_S / 4) {
            uint32_t who = (uint32_t)rng_below(&rng, 8);
            if (at / NS_PER_S % 300 < 250 || !pace_ready(&paces[who], (struct mono){at}))
                continue;
            pace_take(&paces[who], (struct mono){at});
            goes[count++] = at;
        }
        assert_true(count > rate);
        check_minutes(rate, 8, count);
    }
}

static void a_turn_begins_and_ends_by_itself(void **state) {
    struct pace pace = {0};
    struct mono now = {START};
    (void)state;
    pace_set(&pace, 1, 4, 2);
    for (int i = 0; i < 10; i++) {
        bool was_ready = pace_ready(&pace, now);
        struct mono changes = pace_changes(&pace, now);
        assert_true(changes.ns > now.ns && changes.ns - now.ns <= pace.interval_ns);
        assert_true(pace_ready(&pace, (struct mono){changes.ns - 1}) == was_ready);
        assert_true(pace_ready(&pace, changes) != was_ready);
        now = changes;
    }
    pace_set(&pace, 60, 1, 0);
    assert_true(pace_changes(&pace, now).ns == INT64_MAX);
    while (pace_ready(&pace, now))
        pace_take(&pace, now);
    assert_true(pace_changes(&pace, now).ns == pace_next(&pace, now).ns);
}

static void without_a_rate_nothing_waits(void **state) {
    struct pace pace = {0};
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(pace_ready(&pace, (struct mono){START}));
        pace_take(&pace, (struct mono){START});
    }
    pace_set(&pace, UINT64_MAX, 1, 0);
    assert_true(pace.interval_ns == 0);
}

static void a_burst_is_a_twelfth(void **state) {
    struct pace pace = {0};
    unsigned count = 0;
    (void)state;
    pace_set(&pace, 600, 1, 0);
    while (pace_ready(&pace, (struct mono){START}) && ++count)
        pace_take(&pace, (struct mono){START});
    assert_int_equal(count, 50);
}

static void what_went_counts_for_a_new_rate_too(void **state) {
    struct pace pace = {0};
    (void)state;
    pace_set(&pace, 1, 1, 0);
    pace_take(&pace, (struct mono){START});
    pace_set(&pace, 1, 1, 0);
    assert_false(pace_ready(&pace, (struct mono){START + 59 * NS_PER_S}));
    assert_true(pace_ready(&pace, (struct mono){START + 60 * NS_PER_S}));
    pace_set(&pace, 0, 1, 0);
    assert_true(pace_ready(&pace, (struct mono){START}));
}

static void nothing_goes_while_it_is_held(void **state) {
    struct pace pace = {0};
    (void)state;
    pace_hold(&pace, (struct mono){START + 5});
    pace_hold(&pace, (struct mono){START + 3});
    assert_false(pace_ready(&pace, (struct mono){START + 4}));
    assert_true(pace_ready(&pace, (struct mono){START + 5}));
    assert_true(pace_next(&pace, (struct mono){START}).ns == START + 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_minute_has_more_than_it_may),
        cmocka_unit_test(silence_saves_nothing_up_where_turns_are_taken),
        cmocka_unit_test(a_turn_begins_and_ends_by_itself),
        cmocka_unit_test(without_a_rate_nothing_waits),
        cmocka_unit_test(a_burst_is_a_twelfth),
        cmocka_unit_test(what_went_counts_for_a_new_rate_too),
        cmocka_unit_test(nothing_goes_while_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
