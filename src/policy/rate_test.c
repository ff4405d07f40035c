/* Token buckets: what passes over any window is at most the rate times the window and the burst, lent tokens included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "policy/rate.h"

#define S NS_PER_S
#define MS NS_PER_MS

static struct mono at(int64_t ns) {
    return (struct mono){ns};
}

static void a_burst_passes_at_once_and_then_its_rate(void **state) {
    struct rate_limit limit = rate_messages(10000, 20); /* 10/s */
    struct rate rate;
    (void)state;
    rate_init(&rate, &limit, at(5 * S));
    assert_int_equal(rate_left(&rate, &limit, at(5 * S)), 20);
    rate_take(&rate, &limit, 20);
    assert_int_equal(rate_left(&rate, &limit, at(5 * S)), 0);
    assert_int_equal(rate_wait_ns(&rate, &limit, 1, at(5 * S)), 100 * MS);
    assert_int_equal(rate_left(&rate, &limit, at(5 * S + 100 * MS - 1)), 0);
    assert_int_equal(rate_left(&rate, &limit, at(5 * S + 100 * MS)), 1);
    assert_int_equal(rate_left(&rate, &limit, at(6 * S)), 10);
    assert_false(rate_is_full(&rate, &limit, at(7 * S - 1)));
    assert_true(rate_is_full(&rate, &limit, at(7 * S)));
    assert_int_equal(rate_left(&rate, &limit, at(3600 * S)), 20);
}

static void limits_are_read_as_they_are_written(void **state) {
    static const struct {
        uint64_t per_kilosecond, burst, want;
    } cases[] = {{200000, 0, 200}, {200000, 400, 400}, {166, 0, 1}, {1, 0, 1}, {1500, 0, 1}, {0, 9, 0}, {UINT64_MAX, 0, RATE_MESSAGES_MAX}, {1000, UINT64_MAX, RATE_MESSAGES_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(rate_messages(cases[i].per_kilosecond, cases[i].burst).burst, cases[i].want);
    assert_int_equal(rate_bytes(5 << 20, 0).burst, 5 << 20);
    assert_int_equal(rate_bytes(100, 1000).burst, 1000);
    assert_int_equal(rate_bytes(0, 1000).burst, 0);
    assert_true(rate_bytes(UINT64_MAX, UINT64_MAX).burst == RATE_BYTES_MAX);
}

static void slow_rates_lose_nothing_to_rounding(void **state) {
    struct rate_limit limit = rate_messages(3, 1); /* one each 333.3.. s */
    struct rate rate;
    unsigned passed = 0;
    (void)state;
    rate_init(&rate, &limit, at(0));
    for (int64_t now = 0; now <= 1000000 * S; now += S / 3)
        if (rate_left(&rate, &limit, at(now))) {
            rate_take(&rate, &limit, 1);
            passed++;
        }
    assert_in_range(passed, 2990, 3001);
}

static void a_clock_that_stands_or_goes_back_brings_nothing(void **state) {
    struct rate_limit limit = rate_messages(1000, 1);
    struct rate rate;
    (void)state;
    rate_init(&rate, &limit, at(5 * S));
    rate_take(&rate, &limit, 1);
    assert_int_equal(rate_left(&rate, &limit, at(4 * S)), 0);
    assert_int_equal(rate_left(&rate, &limit, at(6 * S - 1)), 0);
    assert_int_equal(rate_left(&rate, &limit, at(6 * S)), 1);
}

static void what_is_larger_than_the_burst_never_passes(void **state) {
    struct rate_limit limit = rate_bytes(1000, 0);
    struct rate rate;
    (void)state;
    rate_init(&rate, &limit, at(0));
    assert_int_equal(rate_wait_ns(&rate, &limit, 1000, at(0)), 0);
    assert_true(rate_wait_ns(&rate, &limit, 1001, at(0)) == INT64_MAX);
}

static void what_is_lent_is_missing_until_it_is_told_of(void **state) {
    struct rate_limit limit = rate_messages(10000, 10);
    struct rate rate;
    (void)state;
    rate_init(&rate, &limit, at(0));
    rate_lend(&rate, &limit, 4);
    assert_int_equal(rate_left(&rate, &limit, at(100 * S)), 6); /* the four may still be spent at once, with these */
    assert_true(rate_wait_ns(&rate, &limit, 7, at(100 * S)) == INT64_MAX);
    rate_settle(&rate, &limit, 1, 2, at(100 * S));
    assert_int_equal(rate_left(&rate, &limit, at(100 * S)), 8);
    assert_int_equal(rate_left(&rate, &limit, at(101 * S)), 9); /* one is out still */
    rate_settle(&rate, &limit, 9, 9, at(101 * S));              /* more than that is not believed */
    assert_int_equal(rate_left(&rate, &limit, at(101 * S)), 9);
    assert_int_equal(rate_left(&rate, &limit, at(102 * S)), 10);
}

/* -- any window -- */

#define EVENTS 4000
#define HOLDERS 3

struct passed {
    int64_t at;
    uint64_t count;
};

/* The most that passes over any window which begins and ends with one of the events. */
static void check_windows(const struct passed *events, size_t count, uint64_t burst, uint64_t per_1000_s) {
    for (size_t i = 0; i < count; i++) {
        uint64_t sum = 0;
        for (size_t k = i; k < count && k < i + 400; k++) {
            sum += events[k].count;
            uint64_t window = (uint64_t)(events[k].at - events[i].at);
            uint64_t allowed = burst + (uint64_t)((double)window * (double)per_1000_s / 1e12 + 1e-6);
            if (sum > allowed)
                fail_msg("%llu passed in %llu ns, %llu may", (unsigned long long)sum, (unsigned long long)window,
                         (unsigned long long)allowed);
        }
    }
}

struct holder {
    uint64_t tokens, spent;
};

static void one_step(struct rng *rng, struct rate *rate, const struct rate_limit *limit, struct holder *holders, struct mono now,
                     struct passed *out) {
    struct holder *holder = &holders[rng_below(rng, HOLDERS)];
    uint64_t left = rate_left(rate, limit, now), count = 0;
    *out = (struct passed){now.ns, 0};
    switch (rng_below(rng, 5)) {
    case 0: /* the home lets pass */
        count = rng_below(rng, limit->burst + 2);
        if (count <= left) {
            rate_take(rate, limit, count);
            out->count = count;
        }
        return;
    case 1:
        count = rng_below(rng, left + 1);
        rate_lend(rate, limit, count);
        holder->tokens += count;
        return;
    case 2:
    case 3: /* somebody else does */
        count = rng_below(rng, holder->tokens + 1);
        holder->tokens -= count;
        holder->spent += count;
        out->count = count;
        return;
    default: /* tells of it, and gives back some */
        count = rng_below(rng, holder->tokens + 1);
        rate_settle(rate, limit, holder->spent, count, now);
        holder->tokens -= count;
        holder->spent = 0;
        return;
    }
}

static void no_window_has_more_than_its_rate_and_the_burst(void **state) {
    static struct passed events[EVENTS];
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        struct rate_limit limit = rate_messages(1 + rng_below(&rng, 400000), 1 + rng_below(&rng, 60));
        struct rate rate;
        struct holder holders[HOLDERS] = {{0, 0}};
        int64_t now = (int64_t)rng_below(&rng, 100) * S;
        rate_init(&rate, &limit, at(now));
        for (size_t i = 0; i < EVENTS; i++) {
            now += (int64_t)rng_below(&rng, rng_below(&rng, 20) == 0 ? 3 * S : 10 * MS);
            one_step(&rng, &rate, &limit, holders, at(now), &events[i]);
        }
        check_windows(events, EVENTS, limit.burst, limit.per_ns);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_at_once_and_then_its_rate),
        cmocka_unit_test(limits_are_read_as_they_are_written),
        cmocka_unit_test(slow_rates_lose_nothing_to_rounding),
        cmocka_unit_test(a_clock_that_stands_or_goes_back_brings_nothing),
        cmocka_unit_test(what_is_larger_than_the_burst_never_passes),
        cmocka_unit_test(what_is_lent_is_missing_until_it_is_told_of),
        cmocka_unit_test(no_window_has_more_than_its_rate_and_the_burst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
