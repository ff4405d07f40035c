#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/budget.h"

static void a_share_of_what_is_in_flight_and_a_few_anyway(void **state) {
    (void)state;
    static const struct {
        struct budget budget;
        uint64_t in_flight, all;
    } rows[] = {
        {{3, 200}, 0, 3},         {{3, 200}, 15, 3},  {{3, 200}, 19, 3},        {{3, 200}, 20, 4},
        {{3, 200}, 1000, 200},    {{0, 200}, 4, 0},   {{0, 0}, 1000000, 0},     {{0, 1000}, 12345, 12345},
        {{5, 0}, 1000000, 5},     {{3, 1}, 4000, 4},  {{3, 200}, UINT64_MAX / 1000, UINT64_MAX / 1000 / 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(budget_of(&rows[i].budget, rows[i].in_flight), rows[i].all);
}

static void one_more_only_while_there_is_some_left(void **state) {
    (void)state;
    const struct budget budget = {3, 200};
    assert_true(budget_allows(&budget, 0, 2));
    assert_false(budget_allows(&budget, 0, 3));
    assert_true(budget_allows(&budget, 100, 19));
    assert_false(budget_allows(&budget, 100, 20));
    assert_false(budget_allows(&(struct budget){0, 0}, 100, 0));
}

static void what_is_left_is_told_in_thousandths(void **state) {
    (void)state;
    const struct budget budget = {4, 200};
    assert_int_equal(budget_left(&budget, 0, 0), 1000);
    assert_int_equal(budget_left(&budget, 0, 1), 750);
    assert_int_equal(budget_left(&budget, 0, 4), 0);
    assert_int_equal(budget_left(&budget, 0, 9), 0);
    assert_int_equal(budget_left(&(struct budget){0, 0}, 50, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_of_what_is_in_flight_and_a_few_anyway),
        cmocka_unit_test(one_more_only_while_there_is_some_left),
        cmocka_unit_test(what_is_left_is_told_in_thousandths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
