#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pack.h"

static void what_is_packed_is_read_back(void **state) {
    struct buffer out;
    (void)state;
    buffer_init(&out, 1024);
    pack_u8(&out, 200);
    pack_u32(&out, 0x01020304);
    pack_u64(&out, UINT64_MAX - 1);
    pack_slice(&out, SLICE_OF("words"));
    pack_slice(&out, SLICE_OF(""));
    assert_int_equal(out.data[1], 4); /* little-endian */
    struct unpack in = unpack_from(buffer_slice(&out));
    assert_int_equal(unpack_u8(&in), 200);
    assert_int_equal(unpack_u32(&in), 0x01020304);
    assert_true(unpack_u64(&in) == UINT64_MAX - 1);
    assert_true(slice_is(unpack_slice(&in), "words"));
    assert_int_equal(unpack_slice(&in).size, 0);
    assert_true(unpack_is_over(&in));
    buffer_done(&out);
}

static void what_is_cut_is_bad_and_stays_so(void **state) {
    static const uint8_t bytes[] = {9, 0, 0, 0, 'x', 'y'};
    (void)state;
    for (size_t size = 0; size < sizeof bytes; size++) {
        struct unpack in = unpack_from(slice_make(bytes, size));
        assert_int_equal(unpack_slice(&in).size, 0);
        assert_true(in.is_bad);
        assert_int_equal(unpack_u8(&in), 0);
        assert_false(unpack_is_over(&in));
    }
}

/* RFC 3720 appendix B.4 and the usual check value. */
static void crc_has_its_known_values(void **state) {
    uint8_t zeros[32] = {0};
    (void)state;
    assert_int_equal(crc32c(0, SLICE_OF("123456789")), 0xe3069283);
    assert_int_equal(crc32c(0, slice_make(zeros, sizeof zeros)), 0x8a9136aa);
    assert_int_equal(crc32c(crc32c(0, SLICE_OF("12345")), SLICE_OF("6789")), 0xe3069283);
}

static void both_ways_to_a_crc_agree(void **state) {
    uint8_t bytes[67];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t from = 0; from < 9; from++)
        for (size_t to = from; to <= sizeof bytes; to++) {
            struct slice part = slice_make(bytes + from, to - from);
            assert_int_equal(crc32c(7, part), crc32c_portable(7, part));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_is_read_back),
        cmocka_unit_test(what_is_cut_is_bad_and_stays_so),
        cmocka_unit_test(crc_has_its_known_values),
        cmocka_unit_test(both_ways_to_a_crc_agree),
    };
    return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
