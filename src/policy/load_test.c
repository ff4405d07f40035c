/* Shares that follow what takers say of themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/load.h"

#define AT(seconds) ((struct mono){(seconds) * NS_PER_S})

static void who_says_nothing_gets_its_weight(void **state) {
    (void)state;
    struct load load = {0};
    assert_int_equal(load_share(&load, AT(5)), 1000);
    assert_int_equal(load_capacity(&load, AT(5)), 0);
    assert_false(load_is_known(&load, AT(5)));
}

static void the_busier_the_less_in_steps_and_never_nothing(void **state) {
    static const uint32_t rows[][2] = {{0, 1000}, {100, 1000}, {125, 875}, {500, 500}, {700, 250}, {900, 125}, {1000, 50}, {5000, 50}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load load = {0};
        load_heard(&load, rows[i][0], 0, AT(1));
        assert_int_equal(load_share(&load, AT(2)), rows[i][1]);
    }
}

static void one_word_moves_it_half_the_way(void **state) {
    (void)state;
    struct load load = {0};
    load_heard(&load, 0, 0, AT(1));
    load_heard(&load, 1000, 0, AT(2));
    assert_int_equal(load_share(&load, AT(2)), 500);
    load_heard(&load, 1000, 0, AT(3));
    assert_int_equal(load_share(&load, AT(3)), 250);
}

static void what_trembles_changes_nothing(void **state) {
    (void)state;
    struct load load = {0};
    load_heard(&load, 560, 100, AT(1));
    uint32_t share = load_share(&load, AT(1));
    for (int i = 2; i < 200; i++) {
        load_heard(&load, i % 2 ? 510 : 610, i % 2 ? 95 : 105, AT(i));
        assert_int_equal(load_share(&load, AT(i)), share);
        assert_int_equal(load_capacity(&load, AT(i)), 100);
    }
    load_heard(&load, 560, 200, AT(200));
    assert_int_equal(load_capacity(&load, AT(200)), 200);
    load_heard(&load, 560, 5000, AT(201));
    assert_int_equal(load_capacity(&load, AT(201)), LOAD_CAPACITY_MAX);
}

static void silence_brings_its_weight_back(void **state) {
    (void)state;
    struct load load = {0};
    load_heard(&load, 1000, 7, AT(1));
    assert_int_equal(load_share(&load, AT(31)), 50);
    uint32_t before = 50;
    for (int i = 31; i <= 61; i++) {
        uint32_t share = load_share(&load, AT(i));
        assert_true(share >= before);
        before = share;
    }
    assert_true(load_is_known(&load, AT(60)));
    assert_int_equal(load_share(&load, AT(61)), 1000);
    assert_int_equal(load_capacity(&load, AT(61)), 0);
    load_heard(&load, 500, 0, AT(100)); /* as if it were the first time */
    assert_int_equal(load_share(&load, AT(100)), 500);
}

static void each_may_be_said_alone(void **state) {
    (void)state;
    struct load load = {0};
    load_heard(&load, UINT32_MAX, 30, AT(1));
    assert_int_equal(load_share(&load, AT(1)), 1000);
    load_heard(&load, 250, 0, AT(2));
    assert_int_equal(load_capacity(&load, AT(2)), 30);
    assert_int_equal(load_share(&load, AT(2)), 875);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_says_nothing_gets_its_weight),
        cmocka_unit_test(the_busier_the_less_in_steps_and_never_nothing),
        cmocka_unit_test(one_word_moves_it_half_the_way),
        cmocka_unit_test(what_trembles_changes_nothing),
        cmocka_unit_test(silence_brings_its_weight_back),
        cmocka_unit_test(each_may_be_said_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
