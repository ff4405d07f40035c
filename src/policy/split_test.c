/* Shares by weight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/split.h"

static void each_place_is_somebodys(void **state) {
    static const uint64_t weights[] = {2, 0, 3, 1};
    static const size_t whose[] = {0, 0, 2, 2, 2, 3};
    (void)state;
    for (uint64_t place = 0; place < 6; place++)
        assert_int_equal(split_at(weights, 4, place), whose[place]);
}

static void hashes_are_cut_where_weights_say(void **state) {
    static const uint64_t weights[] = {95, 5};
    (void)state;
    assert_int_equal(split_by_hash(weights, 2, 100, 0), 0);
    assert_int_equal(split_by_hash(weights, 2, 100, UINT64_MAX), 1);
    uint64_t edge = UINT64_MAX / 100 * 95;
    assert_int_equal(split_by_hash(weights, 2, 100, edge - (UINT64_C(1) << 40)), 0);
    assert_int_equal(split_by_hash(weights, 2, 100, edge + (UINT64_C(1) << 40)), 1);
}

static void other_weights_move_only_what_must(void **state) {
    static const uint64_t before[] = {95, 5}, after[] = {90, 10};
    struct rng rng;
    unsigned moved = 0;
    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 10000; i++) {
        uint64_t hash = rng_next(&rng);
        size_t was = split_by_hash(before, 2, 100, hash), is = split_by_hash(after, 2, 100, hash);
        assert_true(was == is || (was == 0 && is == 1));
        moved += was != is;
    }
    assert_in_range(moved, 400, 600);
}

static void chance_keeps_the_proportion(void **state) {
    static const uint64_t weights[] = {1, 3};
    struct rng rng;
    unsigned counts[2] = {0};
    (void)state;
    rng_init(&rng, 7);
    for (int i = 0; i < 40000; i++)
        counts[split_by_chance(weights, 2, 4, &rng)]++;
    assert_in_range(counts[0], 9650, 10350);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_is_somebodys),
        cmocka_unit_test(hashes_are_cut_where_weights_say),
        cmocka_unit_test(other_weights_move_only_what_must),
        cmocka_unit_test(chance_keeps_the_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
