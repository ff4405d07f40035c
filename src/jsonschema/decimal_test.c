/* Exact numbers: how they compare, which are whole, which divide which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "jsonschema/decimal.h"

static struct decimal number(const char *text) {
    struct decimal out;
    assert_true(decimal_parse(slice_from(text), &out));
    return out;
}

static void numbers_have_an_order(void **state) {
    static const char *const ascending[] = {"-1e1000000000",
                                            "-10",
                                            "-9.5",
                                            "-1",
                                            "-0.1",
                                            "-1e-9",
                                            "0",
                                            "1e-1000000000",
                                            "0.001",
                                            "0.0011",
                                            "0.1",
                                            "1",
                                            "1.0000000000000000000000001",
                                            "2",
                                            "9",
                                            "10",
                                            "99",
                                            "100",
                                            "1e3",
                                            "12345678901234567890",
                                            "1e1000000000"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ascending); i++)
        for (size_t k = 0; k < COUNT_OF(ascending); k++) {
            struct decimal a = number(ascending[i]), b = number(ascending[k]);
            assert_int_equal(decimal_compare(&a, &b), i < k ? -1 : i > k);
        }
}

static void the_same_is_written_in_many_ways(void **state) {
    static const char *const same[][2] = {{"1", "1.0"},
                                          {"1", "10e-1"},
                                          {"100", "1E+2"},
                                          {"0", "-0.0e7"},
                                          {"0.50", "5e-1"},
                                          {"-1200", "-1.2e3"},
                                          {"0", "0e99999999999999999999"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        struct decimal a = number(same[i][0]), b = number(same[i][1]);
        assert_int_equal(decimal_compare(&a, &b), 0);
    }
}

static void some_are_whole(void **state) {
    static const char *const whole[] = {"0", "-0", "1", "1.0", "1.5e1", "100", "1e300", "-7"},
                             *const parts[] = {"1.5", "0.1", "1e-1", "15e-2", "-0.5"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        assert_true(decimal_is_integer(&(struct decimal[]){number(whole[i])}[0]));
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        assert_false(decimal_is_integer(&(struct decimal[]){number(parts[i])}[0]));
}

static void multiples_are_exact(void **state) {
    static const struct {
        const char *number, *divisor;
        bool is;
    } cases[] = {{"10", "5", true},
                 {"11", "5", false},
                 {"0", "7", true},
                 {"4.5", "1.5", true},
                 {"0.0075", "0.0001", true},
                 {"0.00751", "0.0001", false},
                 {"0.3", "0.1", true},
                 {"1e308", "0.5", true},
                 {"12391239123", "1e-8", true},
                 {"-9", "3", true},
                 {"100", "30", false},
                 {"300", "30", true},
                 {"5", "10", false},
                 {"1e1000000000", "7", false},
                 {"999999999999999999999999", "111111111111111111", false},
                 {"1000000000000000000000000000001", "1", true},
                 {"3", "6e-1", true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct decimal a = number(cases[i].number), b = number(cases[i].divisor);
        assert_true(decimal_is_divisor(&b));
        if (decimal_is_multiple(&a, &b) != cases[i].is)
            fail_msg("%s of %s", cases[i].number, cases[i].divisor);
    }
}

static void what_is_beyond_is_refused(void **state) {
    struct decimal out;
    (void)state;
    assert_false(decimal_parse(SLICE_OF("1e1000000001"), &out));
    assert_false(decimal_parse(SLICE_OF("1e-99999999999999999999999999"), &out));
    static const char *const divisors[] = {"0", "-1", "1234567890123456789"};
    for (size_t i = 0; i < COUNT_OF(divisors); i++)
        assert_false(decimal_is_divisor(&(struct decimal[]){number(divisors[i])}[0]));
    assert_true(decimal_is_divisor(&(struct decimal[]){number("123456789012345678e99")}[0]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_an_order),
        cmocka_unit_test(the_same_is_written_in_many_ways),
        cmocka_unit_test(some_are_whole),
        cmocka_unit_test(multiples_are_exact),
        cmocka_unit_test(what_is_beyond_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
