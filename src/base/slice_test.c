/* Slices: borrowed runs of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/slice.h"

static void compare_orders_bytes_then_length(void **state) {
    static const struct {
        struct slice a, b;
        int order;
    } rows[] = {
        {SLICE(""), SLICE(""), 0},       {SLICE(""), SLICE("a"), -1},   {SLICE("a"), SLICE("a"), 0},
        {SLICE("a"), SLICE("b"), -1},    {SLICE("ab"), SLICE("a"), 1},  {SLICE("\x80"), SLICE("a"), 1},
        {SLICE("a\0b"), SLICE("a\0c"), -1}, {SLICE("B"), SLICE("a"), -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int order = slice_compare(rows[i].a, rows[i].b), back = slice_compare(rows[i].b, rows[i].a);
        assert_int_equal((order > 0) - (order < 0), rows[i].order);
        assert_int_equal((back > 0) - (back < 0), -rows[i].order);
        assert_int_equal(slice_equal(rows[i].a, rows[i].b), rows[i].order == 0);
    }
}

static void case_is_ignored_in_ascii_only(void **state) {
    (void)state;
    assert_true(slice_equal_nocase(SLICE_OF("Content-TYPE"), SLICE_OF("content-type")));
    assert_false(slice_equal_nocase(SLICE_OF("content-type"), SLICE_OF("content-typ")));
    assert_false(slice_equal_nocase(SLICE_OF("\xc3\x84"), SLICE_OF("\xc3\xa4"))); /* Ä and ä */
    assert_false(slice_equal_nocase(SLICE_OF("@"), SLICE_OF("`")));
    assert_false(slice_equal_nocase(SLICE_OF("["), SLICE_OF("{")));
    assert_true(slice_starts_nocase(SLICE_OF("Bearer x"), SLICE_OF("bearer ")));
    assert_false(slice_starts_nocase(SLICE_OF("Bear"), SLICE_OF("bearer")));
}

static void prefixes_and_parts_stay_inside(void **state) {
    struct slice text = SLICE("abcdef");
    (void)state;
    assert_true(slice_is(slice_skip(text, 2), "cdef"));
    assert_true(slice_is(slice_skip(text, 6), ""));
    assert_true(slice_is(slice_skip(text, SIZE_MAX), ""));
    assert_ptr_equal(slice_skip(text, SIZE_MAX).data, text.data + 6);
    assert_true(slice_is(slice_head(text, 2), "ab"));
    assert_true(slice_is(slice_head(text, SIZE_MAX), "abcdef"));
    assert_true(slice_starts(text, SLICE_OF("")));
    assert_true(slice_starts(text, text));
    assert_false(slice_starts(text, SLICE_OF("abcdefg")));
    assert_false(slice_starts(text, SLICE_OF("b")));
    assert_true(slice_is(slice_make(NULL, 0), ""));
    assert_int_equal(slice_from(NULL).size, 0);
}

static void find_gives_the_first_place_or_the_size(void **state) {
    (void)state;
    assert_int_equal(slice_find(SLICE_OF("a:b:c"), ':'), 1);
    assert_int_equal(slice_find(SLICE_OF("abc"), ':'), 3);
    assert_int_equal(slice_find(SLICE_OF("a\0b"), 0), 1);
    assert_int_equal(slice_find(slice_make(NULL, 0), 'x'), 0);
}

static void trim_takes_space_and_tab_only(void **state) {
    (void)state;
    assert_true(slice_is(slice_trim(SLICE_OF(" \t a b\t ")), "a b"));
    assert_true(slice_is(slice_trim(SLICE_OF(" \t ")), ""));
    assert_true(slice_is(slice_trim(SLICE_OF("\r\na\n")), "\r\na\n"));
    assert_true(slice_is(slice_trim(slice_make(NULL, 0)), ""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare_orders_bytes_then_length),
        cmocka_unit_test(case_is_ignored_in_ascii_only),
        cmocka_unit_test(prefixes_and_parts_stay_inside),
        cmocka_unit_test(find_gives_the_first_place_or_the_size),
        cmocka_unit_test(trim_takes_space_and_tab_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
