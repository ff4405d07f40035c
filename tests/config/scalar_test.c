/* Typed scalars by themselves, also those that no key has yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "config/scalar.h"

static struct scalar_why why;

static void refused(bool taken, const char *words) {
    assert_false(taken);
    assert_string_equal(why.text, words);
}

static void rates_are_per_thousand_seconds(void **state) {
    uint64_t rate = 7;
    (void)state;
    assert_true(scalar_rate(SLICE_OF("200/s"), &rate, &why));
    assert_int_equal(rate, 200000);
    assert_true(scalar_rate(SLICE_OF("10/m"), &rate, &why));
    assert_int_equal(rate, 166);
    assert_true(scalar_rate(SLICE_OF("1/h"), &rate, &why));
    assert_int_equal(rate, 0);
    rate = 7;
    refused(scalar_rate(SLICE_OF("200"), &rate, &why), "`200` is no rate; write one such as 200/s");
    refused(scalar_rate(SLICE_OF("200/d"), &rate, &why), "`200/d`: a rate is per s, m or h, as in 200/s");
    refused(scalar_rate(SLICE_OF("x/s"), &rate, &why), "`x` is no number");
    refused(scalar_rate(SLICE_OF("/s"), &rate, &why), "is empty; write a number");
    refused(scalar_rate(SLICE_OF("9223372036854775807/s"), &rate, &why), "`9223372036854775807/s` is too big");
    assert_int_equal(rate, 7); /* untouched */
}

static void byte_rates_have_sizes(void **state) {
    uint64_t rate = 7;
    (void)state;
    assert_true(scalar_byte_rate(SLICE_OF("5MiB/s"), &rate, &why));
    assert_int_equal(rate, 5 << 20);
    assert_true(scalar_byte_rate(SLICE_OF("6kB/m"), &rate, &why));
    assert_int_equal(rate, 100);
    rate = 7;
    refused(scalar_byte_rate(SLICE_OF("5MiB"), &rate, &why), "`5MiB` is no rate; write one such as 5MiB/s");
    refused(scalar_byte_rate(SLICE_OF("5/s"), &rate, &why), "`5` has no unit; write 5B");
    assert_int_equal(rate, 7);
}

static void shares_are_whole_percents(void **state) {
    uint32_t share = 7;
    static const char *const wrong[] = {"", "%", "101%", "20", "2.5%", "-1%"};
    (void)state;
    assert_true(scalar_share(SLICE_OF("0%"), &share, &why));
    assert_int_equal(share, 0);
    assert_true(scalar_share(SLICE_OF("100%"), &share, &why));
    assert_int_equal(share, 1000);
    share = 7;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(scalar_share(slice_from(wrong[i]), &share, &why));
    assert_string_equal(why.text, "`-1%` is no share; write one from 0% to 100%, such as 20%");
    assert_int_equal(share, 7);
}

static void whole_numbers_have_no_unit(void **state) {
    int64_t value = 7;
    (void)state;
    assert_true(scalar_integer(SLICE_OF("-3"), &value, &why));
    assert_int_equal(value, -3);
    refused(scalar_integer(SLICE_OF(""), &value, &why), "is empty; write a number");
    refused(scalar_integer(SLICE_OF("3s"), &value, &why), "`3s`: a count has no unit; write 3");
    assert_int_equal(value, -3);
}

static void prints(const char *words, int64_t ns, uint64_t bytes, const char *size) {
    struct buffer out;
    uint8_t room[64];
    buffer_init_fixed(&out, room, sizeof room);
    scalar_print_duration(&out, ns);
    assert_true(slice_is(buffer_slice(&out), words));
    buffer_clear(&out);
    scalar_print_size(&out, bytes);
    assert_true(slice_is(buffer_slice(&out), size));
}

static void values_are_printed_as_a_person_writes_them(void **state) {
    (void)state;
    prints("unlimited", CONFIG_FOREVER, CONFIG_UNLIMITED, "unlimited");
    prints("0s", 0, 0, "0B");
    prints("90s", 90 * NS_PER_S, 65536, "64KiB");
    prints("1500us", 1500000, 1500, "1500B");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_per_thousand_seconds),
        cmocka_unit_test(byte_rates_have_sizes),
        cmocka_unit_test(shares_are_whole_percents),
        cmocka_unit_test(whole_numbers_have_no_unit),
        cmocka_unit_test(values_are_printed_as_a_person_writes_them),
    };
    return cmocka_run_group_tests_name("config/scalar", tests, NULL, NULL);
}
