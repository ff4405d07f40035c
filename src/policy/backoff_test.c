#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "policy/backoff.h"

static void bound_grows_to_the_maximum(void **state) {
    (void)state;
    static const struct {
        struct backoff backoff;
        unsigned retry;
        int64_t bound;
    } rows[] = {
        {{500, 60000, 2}, 0, 500},         {{500, 60000, 2}, 1, 1000},   {{500, 60000, 0}, 3, 4000},
        {{500, 60000, 2}, 6, 32000},       {{500, 60000, 2}, 7, 60000},  {{500, 60000, 2}, UINT32_MAX, 60000},
        {{500, 60000, 1}, UINT32_MAX, 500}, {{500, 60000, 10}, 2, 50000}, {{500, 500, 2}, 5, 500},
        {{INT64_MAX / 2, INT64_MAX, 3}, 1, INT64_MAX},
        {{.webhook = true}, 0, 0}, {{.webhook = true}, 1, 5 * NS_PER_S}, {{.webhook = true}, 3, 1800 * NS_PER_S},
        {{.webhook = true}, 9, 86400 * NS_PER_S}, {{.webhook = true}, UINT32_MAX, 86400 * NS_PER_S},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(backoff_bound(&rows[i].backoff, rows[i].retry) == rows[i].bound);
}

static void delays_fill_the_whole_range_evenly(void **state) {
    (void)state;
    const struct backoff backoff = {500 * NS_PER_MS, 60 * NS_PER_S, 2};
    struct rng rng;
    unsigned quarters[4] = {0};
    rng_init(&rng, 42);
    for (int i = 0; i < 4000; i++) {
        int64_t delay = backoff_delay(&backoff, 2, &rng);
        assert_true(delay >= 0 && delay <= 2 * NS_PER_S);
        quarters[delay == 2 * NS_PER_S ? 3 : delay / (NS_PER_S / 2)]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(quarters[i], 850, 1150);
    const struct backoff whole = {INT64_MAX, INT64_MAX, 2};
    assert_true(backoff_delay(&whole, 9, &rng) >= 0);
}

static void webhooks_wait_at_least_as_long_as_agreed(void **state) {
    (void)state;
    const struct backoff backoff = {.webhook = true};
    struct rng rng;
    rng_init(&rng, 7);
    for (unsigned retry = 0; retry < 12; retry++) {
        int64_t bound = backoff_bound(&backoff, retry);
        for (int i = 0; i < 200; i++) {
            int64_t delay = backoff_delay(&backoff, retry, &rng);
            assert_true(delay >= bound && delay <= bound + bound / 10);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bound_grows_to_the_maximum),
        cmocka_unit_test(delays_fill_the_whole_range_evenly),
        cmocka_unit_test(webhooks_wait_at_least_as_long_as_agreed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
