/* Helpers on text: numbers, UTF-8, base64, nearest names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/rng.h"
#include "base/text.h"

static void numbers_are_digits_that_fit(void **state) {
    static const struct {
        struct slice text;
        bool good;
        uint64_t value;
    } rows[] = {
        {SLICE("0"), true, 0},
        {SLICE("007"), true, 7},
        {SLICE("18446744073709551615"), true, UINT64_MAX},
        {SLICE("18446744073709551616"), false, 0},
        {SLICE("99999999999999999999"), false, 0},
        {SLICE("184467440737095516150"), false, 0},
        {SLICE(""), false, 0},
        {SLICE("+1"), false, 0},
        {SLICE("-1"), false, 0},
        {SLICE(" 1"), false, 0},
        {SLICE("1 "), false, 0},
        {SLICE("1\0"), false, 0},
        {SLICE("0x1"), false, 0},
        {SLICE("\xd9\xa1"), false, 0}, /* a digit, but no ASCII one */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value = 42;
        assert_int_equal(text_to_u64(rows[i].text, &value), rows[i].good);
        assert_true(value == (rows[i].good ? rows[i].value : 42));
    }
}

static void signed_numbers_reach_both_ends(void **state) {
    int64_t value = 42;
    (void)state;
    assert_true(text_to_i64(SLICE_OF("-9223372036854775808"), &value) && value == INT64_MIN);
    assert_true(text_to_i64(SLICE_OF("9223372036854775807"), &value) && value == INT64_MAX);
    assert_true(text_to_i64(SLICE_OF("-0"), &value) && value == 0);
    assert_false(text_to_i64(SLICE_OF("-9223372036854775809"), &value));
    assert_false(text_to_i64(SLICE_OF("9223372036854775808"), &value));
    assert_false(text_to_i64(SLICE_OF("-"), &value));
    assert_false(text_to_i64(SLICE_OF("--1"), &value));
    assert_true(value == 0);
}

static void numbers_survive_a_round_trip(void **state) {
    struct rng rng;
    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 2000; i++) {
        uint64_t value = rng_next(&rng) >> rng_below(&rng, 64), back = 0;
        int64_t number = (int64_t)rng_next(&rng) >> rng_below(&rng, 63), number_back = 0;
        char digits[TEXT_U64_MAX + 1];
        assert_true(text_to_u64(slice_make(digits, text_from_u64(digits, value)), &back) && back == value);
        assert_true(text_to_i64(slice_make(digits, text_from_i64(digits, number)), &number_back) && number_back == number);
    }
    char digits[TEXT_U64_MAX + 1];
    assert_int_equal(text_from_u64(digits, UINT64_MAX), TEXT_U64_MAX);
    assert_int_equal(text_from_i64(digits, INT64_MIN), TEXT_U64_MAX);
    assert_memory_equal(digits, "-9223372036854775808", TEXT_U64_MAX);
}

/* RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF. */
static void utf8_is_strict(void **state) {
    static const struct {
        struct slice text;
        bool good;
    } rows[] = {
        {SLICE(""), true},
        {SLICE("plain ascii, longer than a word"), true},
        {SLICE("\x7f"), true},
        {SLICE("\xc2\x80"), true},
        {SLICE("\xdf\xbf"), true},
        {SLICE("\xe0\xa0\x80"), true},
        {SLICE("\xed\x9f\xbf"), true},
        {SLICE("\xee\x80\x80"), true},
        {SLICE("\xef\xbf\xbf"), true},
        {SLICE("\xf0\x90\x80\x80"), true},
        {SLICE("\xf4\x8f\xbf\xbf"), true},
        {SLICE("seven by\xc3\xa4tes"), true},
        {SLICE("\x80"), false},
        {SLICE("\xbf"), false},
        {SLICE("\xc0\x80"), false},
        {SLICE("\xc1\xbf"), false},
        {SLICE("\xe0\x9f\xbf"), false},
        {SLICE("\xed\xa0\x80"), false},
        {SLICE("\xed\xbf\xbf"), false},
        {SLICE("\xf0\x8f\xbf\xbf"), false},
        {SLICE("\xf4\x90\x80\x80"), false},
        {SLICE("\xf5\x80\x80\x80"), false},
        {SLICE("\xff"), false},
        {SLICE("\xc3"), false},
        {SLICE("\xe2\x82"), false},
        {SLICE("\xf0\x9f\x98"), false},
        {SLICE("\xc3("), false},
        {SLICE("12345678\xff"), false},
        {SLICE("1234567\xff"), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(text_is_utf8(rows[i].text), rows[i].good);
}

static void every_code_point_survives_a_round_trip(void **state) {
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        uint8_t bytes[4];
        uint32_t back = 0;
        size_t size = text_utf8_put(bytes, point);
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        size_t read = text_utf8_next(slice_make(bytes, size), &back);
        if (read != (surrogate ? 0 : size) || (!surrogate && back != point))
            fail_msg("U+%04X", point);
    }
}

static void ascii_is_seen_at_every_place(void **state) {
    (void)state;
    for (size_t size = 0; size < 20; size++) {
        for (size_t at = 0; at < size; at++) {
            uint8_t bytes[20];
            memset(bytes, 'a', sizeof bytes);
            assert_true(text_is_ascii(slice_make(bytes, size)));
            bytes[at] = 0x80;
            assert_false(text_is_ascii(slice_make(bytes, size)));
        }
    }
}

/* RFC 4648 section 10 */
static void base64_matches_the_vectors(void **state) {
    static const struct {
        struct slice bytes, padded, url;
    } rows[] = {
        {SLICE(""), SLICE(""), SLICE("")},
        {SLICE("f"), SLICE("Zg=="), SLICE("Zg")},
        {SLICE("fo"), SLICE("Zm8="), SLICE("Zm8")},
        {SLICE("foo"), SLICE("Zm9v"), SLICE("Zm9v")},
        {SLICE("foob"), SLICE("Zm9vYg=="), SLICE("Zm9vYg")},
        {SLICE("fooba"), SLICE("Zm9vYmE="), SLICE("Zm9vYmE")},
        {SLICE("foobar"), SLICE("Zm9vYmFy"), SLICE("Zm9vYmFy")},
        {SLICE("\xfb\xff\xbf"), SLICE("+/+/"), SLICE("-_-_")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char out[16];
        uint8_t back[16];
        assert_int_equal(text_base64_size(rows[i].bytes.size), rows[i].padded.size);
        assert_true(slice_equal(slice_make(out, text_base64_put(out, rows[i].bytes)), rows[i].padded));
        assert_true(slice_equal(slice_make(out, text_base64url_put(out, rows[i].bytes)), rows[i].url));
        assert_int_equal(text_base64_get(NULL, rows[i].padded), rows[i].bytes.size);
        assert_true(slice_equal(slice_make(back, text_base64_get(back, rows[i].padded)), rows[i].bytes));
    }
}

static void base64_that_is_not_canonical_is_refused(void **state) {
    static const struct slice rows[] = {
        SLICE("Z"),    SLICE("Zg"),   SLICE("Zg="),      SLICE("Zh=="), SLICE("Zm9="),     SLICE("===="), SLICE("Z==="),
        SLICE("=Zg="), SLICE("Zg=v"), SLICE("Zg==Zm9v"), SLICE("-_-_"), SLICE("Zm9v\n   "), SLICE("Zm 9"), SLICE("Zm9\xff"),
        SLICE("Zm9v="),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_true(text_base64_get(NULL, rows[i]) == SIZE_MAX);
}

static void distance_counts_slips(void **state) {
    static const struct {
        struct slice a, b;
        unsigned distance;
    } rows[] = {
        {SLICE(""), SLICE(""), 0},         {SLICE(""), SLICE("ab"), 2},     {SLICE("lamp"), SLICE("lamp"), 0},
        {SLICE("lamp"), SLICE("LAMP"), 0}, {SLICE("lmap"), SLICE("lamp"), 1}, {SLICE("lam"), SLICE("lamp"), 1},
        {SLICE("lamps"), SLICE("lamp"), 1}, {SLICE("lump"), SLICE("lamp"), 1}, {SLICE("name"), SLICE("frame"), 2},
        {SLICE("kitten"), SLICE("sitting"), 3}, {SLICE("ca"), SLICE("abc"), 3}, {SLICE("abcdefgh"), SLICE("x"), 5},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(text_distance(rows[i].a, rows[i].b, 4), rows[i].distance);
        assert_int_equal(text_distance(rows[i].b, rows[i].a, 4), rows[i].distance);
    }
    char longest[64];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(text_distance(slice_make(longest, 63), slice_make(longest, 63), 3), 0);
    assert_int_equal(text_distance(slice_make(longest, 64), slice_make(longest, 64), 3), 4);
}

static void only_what_is_near_is_suggested(void **state) {
    static const struct slice names[] = {
        SLICE("frame"), SLICE("lamp"), SLICE("pricing"), SLICE("timeouts"), SLICE("url"), SLICE("dead_letter"), SLICE("a"),
        SLICE("warehouse-north"),
    };
    static const struct {
        struct slice text;
        int near;
    } rows[] = {
        {SLICE("name"), -1},     {SLICE("frme"), 0},      {SLICE("lmap"), 1},        {SLICE("lump"), 1},
        {SLICE("lims"), -1},     {SLICE("pricng"), 2},    {SLICE("prcng"), -1},      {SLICE("timeout"), 3},
        {SLICE("tiemouts"), 3},  {SLICE("tmieotus"), 3},  {SLICE("uri"), 4},         {SLICE("deadletter"), 5},
        {SLICE("b"), -1},        {SLICE(""), -1},         {SLICE("warehuose-nroht"), 7}, {SLICE("completely-else"), -1},
        {SLICE("at"), 6},        {SLICE("xy"), -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int near = text_nearest(rows[i].text, names, COUNT_OF(names));
        if (near != rows[i].near)
            fail_msg("%.*s: %d", SLICE_ARG(rows[i].text), near);
    }
    assert_int_equal(text_nearest(SLICE_OF("lamp"), names, 0), -1);
}

static void names_keep_to_their_letters(void **state) {
    static const struct {
        struct slice text;
        bool good;
    } rows[] = {
        {SLICE("a"), true},   {SLICE("0"), true},   {SLICE("a-b_c9"), true}, {SLICE(""), false},   {SLICE("-a"), false},
        {SLICE("_a"), false}, {SLICE("A"), false},  {SLICE("a.b"), false},   {SLICE("a b"), false}, {SLICE("\xc3\xa4"), false},
        {SLICE("123456789012345678901234567890123456789012345678901234567890123"), true},
        {SLICE("1234567890123456789012345678901234567890123456789012345678901234"), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(text_is_name(rows[i].text), rows[i].good);
}

static void hexadecimal_digits_have_their_value(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        assert_int_equal(text_hex_value((uint8_t)c), value);
        assert_int_equal(text_is_alpha((uint8_t)c), (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_digits_that_fit),
        cmocka_unit_test(signed_numbers_reach_both_ends),
        cmocka_unit_test(numbers_survive_a_round_trip),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(every_code_point_survives_a_round_trip),
        cmocka_unit_test(ascii_is_seen_at_every_place),
        cmocka_unit_test(base64_matches_the_vectors),
        cmocka_unit_test(base64_that_is_not_canonical_is_refused),
        cmocka_unit_test(distance_counts_slips),
        cmocka_unit_test(only_what_is_near_is_suggested),
        cmocka_unit_test(names_keep_to_their_letters),
        cmocka_unit_test(hexadecimal_digits_have_their_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
