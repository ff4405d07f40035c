#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rng.h"
#include "policy/lanes.h"

#define ALL 0x1fu

static void count_picks(struct lanes *lanes, unsigned waiting, unsigned total, unsigned counts[PRIORITY_COUNT + 1]) {
    for (unsigned i = 0; i <= PRIORITY_COUNT; i++)
        counts[i] = 0;
    for (unsigned i = 0; i < total; i++)
        counts[lanes_pick(lanes, waiting)]++;
}

static void nothing_waits_nothing_goes(void **state) {
    (void)state;
    struct lanes lanes;
    lanes_init(&lanes);
    assert_int_equal(lanes_pick(&lanes, 0), 0);
    for (unsigned priority = 1; priority <= PRIORITY_COUNT; priority++)
        for (int i = 0; i < 1000; i++)
            assert_int_equal(lanes_pick(&lanes, LANE_BIT(priority)), priority);
}

static void shares_are_eight_four_two_one(void **state) {
    (void)state;
    struct lanes lanes;
    unsigned counts[PRIORITY_COUNT + 1];
    lanes_init(&lanes);
    count_picks(&lanes, ALL & ~LANE_BIT(PRIORITY_EMERGENCY), 15 * 40, counts);
    assert_int_equal(counts[PRIORITY_CRITICAL], 320);
    assert_int_equal(counts[PRIORITY_HIGH], 160);
    assert_int_equal(counts[PRIORITY_NORMAL], 80);
    assert_int_equal(counts[PRIORITY_LOW], 40);
    count_picks(&lanes, LANE_BIT(PRIORITY_HIGH) | LANE_BIT(PRIORITY_LOW), 5 * 40, counts);
    assert_int_equal(counts[PRIORITY_HIGH], 160);
    assert_int_equal(counts[PRIORITY_LOW], 40);
}

static void a_late_emergency_goes_first(void **state) {
    (void)state;
    struct lanes lanes;
    unsigned counts[PRIORITY_COUNT + 1];
    lanes_init(&lanes);
    count_picks(&lanes, ALL & ~LANE_BIT(PRIORITY_EMERGENCY), 1000, counts);
    for (int i = 0; i < LANES_EMERGENCY_BURST; i++)
        assert_int_equal(lanes_pick(&lanes, ALL), PRIORITY_EMERGENCY);
}

static void past_its_share_emergency_counts_as_critical(void **state) {
    (void)state;
    struct lanes lanes;
    unsigned counts[PRIORITY_COUNT + 1];
    lanes_init(&lanes);
    count_picks(&lanes, ALL, 1000, counts); /* the burst is gone */
    count_picks(&lanes, ALL, 75 * 100, counts);
    /* A fifth strictly; of the rest 8 of 15 turns are shared with critical. */
    assert_in_range(counts[PRIORITY_EMERGENCY], 1500 + 1600 - 3, 1500 + 1600 + 3);
    assert_in_range(counts[PRIORITY_CRITICAL], 1600 - 3, 1600 + 3);
    assert_in_range(counts[PRIORITY_HIGH], 1600 - 3, 1600 + 3);
    assert_in_range(counts[PRIORITY_NORMAL], 800 - 3, 800 + 3);
    assert_in_range(counts[PRIORITY_LOW], 400 - 3, 400 + 3);
    count_picks(&lanes, LANE_BIT(PRIORITY_EMERGENCY) | LANE_BIT(PRIORITY_LOW), 45 * 100, counts);
    assert_in_range(counts[PRIORITY_LOW], 400 - 3, 400 + 3); /* a ninth of four fifths */
}

static void emergency_alone_costs_nothing(void **state) {
    (void)state;
    struct lanes lanes;
    unsigned counts[PRIORITY_COUNT + 1];
    lanes_init(&lanes);
    count_picks(&lanes, LANE_BIT(PRIORITY_EMERGENCY), 10000, counts);
    assert_int_equal(counts[PRIORITY_EMERGENCY], 10000);
    for (int i = 0; i < LANES_EMERGENCY_BURST; i++)
        assert_int_equal(lanes_pick(&lanes, ALL), PRIORITY_EMERGENCY);
}

/* Whatever comes and goes: a lane that keeps waiting is served within a bounded number of picks. */
static void nothing_starves(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct rng rng;
        struct lanes lanes;
        rng_init(&rng, seed);
        lanes_init(&lanes);
        unsigned patient = 1 + (unsigned)(seed % PRIORITY_COUNT), waited = 0;
        for (int i = 0; i < 20000; i++) {
            unsigned waiting = (unsigned)rng_below(&rng, 32) | LANE_BIT(patient);
            unsigned picked = lanes_pick(&lanes, waiting);
            assert_true(waiting & LANE_BIT(picked));
            waited = picked == patient ? 0 : waited + 1;
            assert_true(waited < LANES_EMERGENCY_BURST + 100);
            for (int lane = 0; lane < PRIORITY_COUNT - 1; lane++)
                assert_in_range(lanes.credit[lane] + 1000, 0, 2000);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_waits_nothing_goes),
        cmocka_unit_test(shares_are_eight_four_two_one),
        cmocka_unit_test(a_late_emergency_goes_first),
        cmocka_unit_test(past_its_share_emergency_counts_as_critical),
        cmocka_unit_test(emergency_alone_costs_nothing),
        cmocka_unit_test(nothing_starves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
