/* The histogram: its error bound, its totals, its percentiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/rng.h"
#include "base/memory.h"
#include "telemetry/hdr.h"

static void buckets_are_adjacent_and_narrow(void **state) {
    (void)state;
    for (unsigned i = 0; i < HDR_BUCKETS; i++) {
        uint64_t low = hdr_bucket_low(i), high = hdr_bucket_high(i);
        assert_true(low <= high);
        assert_int_equal(hdr_bucket(low), i);
        assert_int_equal(hdr_bucket(high), i);
        if (i > 0)
            assert_true(hdr_bucket_high(i - 1) + 1 == low);
        if (i < HDR_BUCKETS - 1)
            assert_true((high - low) * 64 <= low); /* at most 1/64 wide */
    }
    assert_int_equal(hdr_bucket_low(0), 0);
    assert_int_equal(hdr_bucket(HDR_LIMIT - 1), HDR_BUCKETS - 1);
    assert_int_equal(hdr_bucket(UINT64_MAX), HDR_BUCKETS - 1);
}

static void one_value_is_told_within_one_percent(void **state) {
    (void)state;
    for (uint64_t value = 1; value < HDR_LIMIT / 2; value += value / 3 + 1) {
        struct hdr *hdr = memory_new(sizeof *hdr);
        hdr_record(hdr, value, 1);
        hdr_record(hdr, value * 2, 1); /* so that max doesn't hide the error */
        uint64_t told = hdr_percentile(hdr, 50);
        uint64_t error = told > value ? told - value : value - told;
        assert_true(error * 100 <= value);
        assert_true(hdr_max(hdr) == value * 2);
        memory_free(hdr);
    }
}

static void percentiles_follow_the_nearest_rank(void **state) {
    (void)state;
    struct hdr *hdr = memory_new(sizeof *hdr);
    assert_int_equal(hdr_percentile(hdr, 99), 0);
    for (uint64_t value = 1; value <= 50; value++)
        hdr_record(hdr, value, 1);
    static const struct {
        double percent;
        uint64_t value;
    } rows[] = {{0, 1}, {1, 1}, {2, 1}, {2.1, 2}, {50, 25}, {51, 26}, {98, 49}, {99.9, 50}, {100, 50}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(hdr_percentile(hdr, rows[i].percent), rows[i].value);
    memory_free(hdr);
}

static void counts_weigh_and_bounds_cumulate(void **state) {
    (void)state;
    struct hdr *hdr = memory_new(sizeof *hdr);
    hdr_record(hdr, 10, 5);
    hdr_record(hdr, 1000000, 3);
    hdr_record(hdr, HDR_LIMIT * 8, 2);
    hdr_record(hdr, 7, 0);
    assert_int_equal(hdr_count(hdr), 10);
    assert_true(hdr_sum(hdr) == 50 + 3000000 + HDR_LIMIT * 16);
    assert_true(hdr_max(hdr) == HDR_LIMIT * 8);
    assert_int_equal(hdr_count_to(hdr, 9), 0);
    assert_int_equal(hdr_count_to(hdr, 10), 5);
    assert_int_equal(hdr_count_to(hdr, 980000), 5);
    assert_int_equal(hdr_count_to(hdr, 1020000), 8);
    assert_int_equal(hdr_count_to(hdr, HDR_LIMIT), 8); /* what is past the range is past every bound */
    assert_int_equal(hdr_count_to(hdr, UINT64_MAX), 10);
    assert_true(hdr_percentile(hdr, 100) == HDR_LIMIT * 8);
    memory_free(hdr);
}

static void merged_parts_equal_the_whole(void **state) {
    (void)state;
    struct hdr *whole = memory_new(sizeof *whole), *sum = memory_new(sizeof *sum);
    struct hdr *parts[3];
    struct rng rng;
    rng_init(&rng, 7);
    for (size_t i = 0; i < 3; i++)
        parts[i] = memory_new(sizeof *parts[i]);
    for (size_t i = 0; i < 30000; i++) {
        uint64_t value = rng_next(&rng) >> (22 + rng_next(&rng) % 30);
        hdr_record(whole, value, 1 + i % 2);
        hdr_record(parts[i % 3], value, 1 + i % 2);
    }
    for (size_t i = 0; i < 3; i++)
        hdr_merge(sum, parts[i]);
    assert_true(hdr_count(sum) == hdr_count(whole) && hdr_sum(sum) == hdr_sum(whole));
    assert_true(hdr_max(sum) == hdr_max(whole));
    for (int percent = 0; percent <= 100; percent++)
        assert_true(hdr_percentile(sum, percent) == hdr_percentile(whole, percent));
    for (size_t i = 0; i < 3; i++)
        memory_free(parts[i]);
    memory_free(whole);
    memory_free(sum);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_adjacent_and_narrow),
        cmocka_unit_test(one_value_is_told_within_one_percent),
        cmocka_unit_test(percentiles_follow_the_nearest_rank),
        cmocka_unit_test(counts_weigh_and_bounds_cumulate),
        cmocka_unit_test(merged_parts_equal_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
