/* No minute has more than it may, none that is wanted has less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "policy/pace.h"

#define START (7 * NS_PER_S)
#define GOES_MAX 20000

static int64_t goes[GOES_MAX];

/* Sends whatever it may for `minutes`, by `sharers` that are all greedy; returns how many went. */
static unsigned run(uint64_t rate, uint32_t sharers, int64_t minutes) {
    struct pace paces[8] = {{0}};
    unsigned count = 0;
    int64_t end = START + minutes * 60 * NS_PER_S;
    for (uint32_t i = 0; i < sharers; i++)
        pace_set(&paces[i], rate, sharers);
    for (;;) {
        struct pace *next = &paces[0];
        for (uint32_t i = 1; i < sharers; i++)
            if (pace_next(&paces[i]).ns < pace_next(next).ns)
                next = &paces[i];
        struct mono at = {pace_next(next).ns > START ? pace_next(next).ns : START};
        if (at.ns >= end)
            return count;
        assert_true(count < GOES_MAX && pace_ready(next, at));
        pace_take(next, at);
        goes[count++] = at.ns;
    }
}

static void no_minute_has_more_than_it_may(void **state) {
    static const struct {
        uint64_t rate;
        uint32_t sharers;
        unsigned least; /* in ten minutes */
    } rows[] = {{1, 1, 9}, {2, 1, 19}, {12, 1, 119}, {60, 1, 560}, {100, 1, 900}, {600, 1, 5400}, {10, 4, 70}, {1000, 4, 9000}, {7, 7, 63}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned count = run(rows[i].rate, rows[i].sharers, 10), first = 0;
        for (unsigned k = 0; k < count; k++) {
            while (goes[k] - goes[first] >= 60 * NS_PER_S)
                first++;
            if (k - first + 1 > rows[i].rate)
                fail_msg("%u a minute by %u: %u in one", (unsigned)rows[i].rate, rows[i].sharers, k - first + 1);
        }
        if (count < rows[i].least)
            fail_msg("%u a minute by %u: %u in ten", (unsigned)rows[i].rate, rows[i].sharers, count);
    }
}

static void more_sharers_than_a_minute_allows_take_turns(void **state) {
    (void)state;
    unsigned count = run(2, 8, 40);
    assert_in_range(count, 80 - 8, 80 + 8);
}

static void without_a_rate_nothing_waits(void **state) {
    struct pace pace = {0};
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(pace_ready(&pace, (struct mono){START}));
        pace_take(&pace, (struct mono){START});
    }
    pace_set(&pace, UINT64_MAX, 1);
    assert_true(pace.interval_ns == 0);
}

static void a_burst_is_a_twelfth(void **state) {
    struct pace pace = {0};
    unsigned count = 0;
    (void)state;
    pace_set(&pace, 600, 1);
    while (pace_ready(&pace, (struct mono){START}) && ++count)
        pace_take(&pace, (struct mono){START});
    assert_int_equal(count, 50);
}

static void what_went_counts_for_a_new_rate_too(void **state) {
    struct pace pace = {0};
    (void)state;
    pace_set(&pace, 1, 1);
    pace_take(&pace, (struct mono){START});
    pace_set(&pace, 1, 1);
    assert_false(pace_ready(&pace, (struct mono){START + 59 * NS_PER_S}));
    assert_true(pace_ready(&pace, (struct mono){START + 60 * NS_PER_S}));
    pace_set(&pace, 0, 1);
    assert_true(pace_ready(&pace, (struct mono){START}));
}

static void nothing_goes_while_it_is_held(void **state) {
    struct pace pace = {0};
    (void)state;
    pace_hold(&pace, (struct mono){START + 5});
    pace_hold(&pace, (struct mono){START + 3});
    assert_false(pace_ready(&pace, (struct mono){START + 4}));
    assert_true(pace_ready(&pace, (struct mono){START + 5}));
    assert_true(pace_next(&pace).ns == START + 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_minute_has_more_than_it_may),      cmocka_unit_test(more_sharers_than_a_minute_allows_take_turns),
        cmocka_unit_test(without_a_rate_nothing_waits),        cmocka_unit_test(a_burst_is_a_twelfth),
        cmocka_unit_test(what_went_counts_for_a_new_rate_too), cmocka_unit_test(nothing_goes_while_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
