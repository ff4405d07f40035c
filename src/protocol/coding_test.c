/* Content codings: what honest tools make is read, what isn't honest is refused by name, memory may fail anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "protocol/coding.h"

#define MAX 1000000u
static const char plain[] = "intertie intertie intertie intertie \n";

/* Made by Python's gzip and zlib, and by zstd(1). */
#define GZIP "1f8b0800000000000203cbcc2b492d2ac94c55c8c4cde00200a5b64e5d25000000"
#define GZIP_NAMED "1f8b08080000000002ff6e616d652e74787400cbcc2b492d2ac94c55c8c4cde00200a5b64e5d25000000"
#define GZIP_HELLO "1f8b0800000000000203cb48cdc9c9570000f6f981ed06000000"
#define GZIP_WORLD "1f8b08000000000002032bcf2fca4901004311773a05000000"
#define ZLIB "789ccbcc2b492d2ac94c55c8c4cde00200178e0e1b"
#define ZLIB_DICTIONARY "78bb0f5e0365cb84d20a78185c00178e0e1b"
#define RAW_DEFLATE "cbcc2b492d2ac94c55c8c4cde00200"
#define ZSTD "28b52ffd242585000050696e746572746965200a01000ccb11331c05af"
#define ZSTD_NO_SIZE "28b52ffd045885000050696e746572746965200a01000ccb11331c05af"
#define ZSTD_SKIPPABLE "5a2a4d1803000000616263"
#define ZSTD_ZEROS "28b52ffd04585400001000000100fbff39c002036a0800c4e97470" /* 200,000 of them, no size told */
#define ZSTD_DICTIONARY "28b52ffd210107"

struct fixture {
    struct coder *coder;
    const char *words;
    struct slice bytes;
};

static size_t unhex(const char *hex, uint8_t *out) {
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return size;
}

/* From a copy of its exact size, so that a read past its end is seen. */
static enum status unpack(struct fixture *f, enum coding coding, struct slice packed, size_t max) {
    uint8_t *copy = test_malloc(packed.size + 1);
    if (packed.size)
        memcpy(copy, packed.data, packed.size);
    uint8_t *exact = realloc(NULL, packed.size ? packed.size : 1);
    assert_non_null(exact);
    memcpy(exact, copy, packed.size);
    test_free(copy);
    enum status status = coding_unpack(&f->coder, coding, slice_make(exact, packed.size), max, &f->bytes, &f->words);
    free(exact);
    return status;
}

static enum status unpack_hex(struct fixture *f, enum coding coding, const char *hex, size_t max) {
    uint8_t bytes[1024];
    return unpack(f, coding, slice_make(bytes, unhex(hex, bytes)), max);
}

static void test_what_other_tools_pack_is_read(void **state) {
    static const struct {
        enum coding coding;
        const char *hex, *out;
    } rows[] = {
        {CODING_GZIP, GZIP, plain},
        {CODING_GZIP, GZIP_NAMED, plain},
        {CODING_GZIP, GZIP_HELLO GZIP_WORLD, "hello world"}, /* RFC 1952 section 2.2 */
        {CODING_DEFLATE, ZLIB, plain},
        {CODING_ZSTD, ZSTD, plain},
        {CODING_ZSTD, ZSTD_NO_SIZE, plain},
        {CODING_ZSTD, ZSTD_SKIPPABLE ZSTD, plain}, /* RFC 8878 section 3.1.2 */
        {CODING_ZSTD, ZSTD_SKIPPABLE, ""},
    };
    struct fixture f = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(unpack_hex(&f, rows[i].coding, rows[i].hex, MAX), STATUS_OK);
        assert_int_equal(f.bytes.size, strlen(rows[i].out));
        assert_memory_equal(f.bytes.data, rows[i].out, f.bytes.size);
    }
    assert_int_equal(unpack_hex(&f, CODING_ZSTD, ZSTD ZSTD_NO_SIZE, MAX), STATUS_OK);
    assert_int_equal(f.bytes.size, 2 * strlen(plain));
    coding_done(&f.coder);
}

static void test_every_truncation_is_refused(void **state) {
    static const struct {
        enum coding coding;
        const char *hex;
    } rows[] = {{CODING_GZIP, GZIP}, {CODING_GZIP, GZIP_NAMED}, {CODING_DEFLATE, ZLIB}, {CODING_ZSTD, ZSTD}, {CODING_ZSTD, ZSTD_NO_SIZE}};
    struct fixture f = {0};
    uint8_t bytes[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = unhex(rows[i].hex, bytes);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(unpack(&f, rows[i].coding, slice_make(bytes, cut), MAX), STATUS_MALFORMED_EVENT);
            assert_true(f.words[0]);
        }
    }
    coding_done(&f.coder);
}

static void test_what_is_damaged_or_not_that_coding_is_refused(void **state) {
    static const struct {
        enum coding coding;
        const char *hex, *words;
    } rows[] = {
        {CODING_GZIP, GZIP "00", "something stands behind"},
        {CODING_GZIP, GZIP "1f00", "something stands behind"},
        {CODING_GZIP, "1f8b0800000000000203cbcc2b492d2ac94c55c8c4cde00200a5b64e5c25000000", "damaged"},
        {CODING_GZIP, "1f8b0800000000000203cbcc2b492d2ac94c55c8c4cde00200a5b64e5d26000000", "damaged"},
        {CODING_GZIP, ZLIB, "damaged"},
        {CODING_GZIP, "68656c6c6f", "damaged"},
        {CODING_DEFLATE, RAW_DEFLATE, "damaged"}, /* RFC 9110 section 8.4.1.2: it is the zlib format */
        {CODING_DEFLATE, ZLIB_DICTIONARY, "dictionary"},
        {CODING_DEFLATE, ZLIB ZLIB, "something stands behind"},
        {CODING_DEFLATE, GZIP, "damaged"},
        {CODING_ZSTD, ZSTD "00", "something stands behind"},
        {CODING_ZSTD, ZSTD_SKIPPABLE "ff", "something stands behind"},
        {CODING_ZSTD, GZIP, "not zstd"},
        {CODING_ZSTD, "27b52ffd242585000050696e746572746965200a01000ccb11331c05af", "not zstd"}, /* of another version */
        {CODING_ZSTD, "28b52ffd242585000050696e746572746965200a01000ccb11331c05ae", "damaged"},
        {CODING_ZSTD, ZSTD_DICTIONARY, "cut short"},
    };
    struct fixture f = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(unpack_hex(&f, rows[i].coding, rows[i].hex, MAX), STATUS_MALFORMED_EVENT);
        if (!strstr(f.words, rows[i].words))
            fail_msg("row %zu: %s", i, f.words);
        assert_int_equal(unpack_hex(&f, CODING_GZIP, GZIP, MAX), STATUS_OK); /* the contexts are as new */
        assert_int_equal(unpack_hex(&f, CODING_ZSTD, ZSTD, MAX), STATUS_OK);
    }
    coding_done(&f.coder);
}

static void test_more_than_allowed_is_refused_and_just_as_much_is_not(void **state) {
    static const struct {
        enum coding coding;
        const char *hex;
    } rows[] = {{CODING_GZIP, GZIP}, {CODING_DEFLATE, ZLIB}, {CODING_ZSTD, ZSTD}, {CODING_ZSTD, ZSTD_NO_SIZE}};
    struct fixture f = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(unpack_hex(&f, rows[i].coding, rows[i].hex, strlen(plain)), STATUS_OK);
        assert_int_equal(unpack_hex(&f, rows[i].coding, rows[i].hex, strlen(plain) - 1), STATUS_TOO_LARGE);
        assert_non_null(strstr(f.words, "limits.message"));
    }
    coding_done(&f.coder);
}

static struct slice pack(struct fixture *f, enum coding coding, const uint8_t *bytes, size_t size) {
    struct slice packed;
    assert_int_equal(coding_pack(&f->coder, coding, slice_make(bytes, size), &packed), STATUS_OK);
    return packed;
}

static void test_a_bomb_is_refused_by_its_ratio(void **state) {
    /* 65536 zeros, up to where any ratio will do, and one more. */
    static const char *const just[CODING_COUNT] = {[CODING_ZSTD] = "28b52ffd04585500001000000100fb7f1d6001a41557f1", [CODING_GZIP] = "1f8b0800000000000203edc101010000008090feafee080a0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006aeb8e97d700000100",
        [CODING_DEFLATE] = "78daedc101010000008090feafee080a0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006a000f0001"};
    static const char *const more[CODING_COUNT] = {[CODING_ZSTD] = "28b52ffd04585500001000000100fc7f1d6001f3b3ecf6", [CODING_GZIP] = "1f8b0800000000000203edc101010000008220ffafae2140010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000c00df3430de501000100",
        [CODING_DEFLATE] = "78daedc101010000008220ffafae2140010000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000c00d00100001"};
    struct fixture f = {0};
    (void)state;
    for (enum coding coding = CODING_ZSTD; coding < CODING_COUNT; coding++) {
        assert_int_equal(unpack_hex(&f, coding, just[coding], 4 << 20), STATUS_OK);
        assert_int_equal(f.bytes.size, CODING_RATIO_FROM);
        assert_int_equal(unpack_hex(&f, coding, more[coding], 4 << 20), STATUS_TOO_LARGE);
        assert_non_null(strstr(f.words, "100 times"));
    }
    assert_int_equal(unpack_hex(&f, CODING_ZSTD, ZSTD_ZEROS, 4 << 20), STATUS_TOO_LARGE);
    coding_done(&f.coder);
}

static void test_what_would_be_taken_for_a_bomb_is_not_packed(void **state) {
    enum { SIZE = 1 << 20 };
    struct fixture f = {0};
    struct slice packed;
    uint8_t *zeros = test_calloc(1, SIZE);
    (void)state;
    for (enum coding coding = CODING_ZSTD; coding < CODING_COUNT; coding++) {
        assert_int_equal(coding_pack(&f.coder, coding, slice_make(zeros, SIZE), &packed), STATUS_TOO_LARGE);
        packed = pack(&f, coding, zeros, CODING_RATIO_FROM);
        assert_int_equal(unpack(&f, coding, packed, SIZE), STATUS_OK);
    }
    test_free(zeros);
    coding_done(&f.coder);
}

static void test_a_recovered_body_leaves_the_other_alone(void **state) {
    struct fixture f = {0};
    struct slice again;
    uint8_t bytes[256];
    (void)state;
    assert_int_equal(unpack_hex(&f, CODING_ZSTD, ZSTD, MAX), STATUS_OK);
    assert_int_equal(coding_recover(&f.coder, CODING_GZIP, slice_make(bytes, unhex(GZIP_HELLO GZIP_WORLD, bytes)), MAX, &again), STATUS_OK);
    assert_true(slice_is(again, "hello world"));
    assert_true(slice_is(f.bytes, plain));
    coding_done(&f.coder);
}

static void test_members_without_end_are_refused(void **state) {
    static const char *const empty[CODING_COUNT] = {[CODING_ZSTD] = ZSTD_SKIPPABLE, [CODING_GZIP] = "1f8b080000000000020303000000000000000000"};
    struct fixture f = {0};
    uint8_t one[64], *many;
    (void)state;
    for (enum coding coding = CODING_ZSTD; coding <= CODING_GZIP; coding++) {
        size_t size = unhex(empty[coding], one);
        many = test_malloc(size * (CODING_MEMBERS_MAX + 1));
        for (size_t i = 0; i <= CODING_MEMBERS_MAX; i++)
            memcpy(many + i * size, one, size);
        assert_int_equal(unpack(&f, coding, slice_make(many, size * CODING_MEMBERS_MAX), MAX), STATUS_OK);
        assert_int_equal(unpack(&f, coding, slice_make(many, size * (CODING_MEMBERS_MAX + 1)), MAX), STATUS_MALFORMED_EVENT);
        assert_non_null(strstr(f.words, "1024"));
        test_free(many);
    }
    coding_done(&f.coder);
}

static void test_round_trip_at_every_kind_of_size(void **state) {
    static const size_t sizes[] = {64, 1024, 1025, 16384, 65536, 262145, 1 << 20};
    struct fixture f = {0};
    uint8_t *bytes = test_malloc(1 << 20);
    (void)state;
    for (size_t i = 0; i < (size_t)1 << 20; i++)
        bytes[i] = (uint8_t)((size_t)"intertie"[i * 7 % 8] ^ (i % 37 == 0 ? i >> 8 : 0));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (enum coding coding = CODING_ZSTD; coding < CODING_COUNT; coding++) {
            struct slice packed = pack(&f, coding, bytes, sizes[i]);
            assert_true(packed.size < sizes[i]);
            assert_int_equal(unpack(&f, coding, packed, 1 << 20), STATUS_OK);
            assert_int_equal(f.bytes.size, sizes[i]);
            assert_memory_equal(f.bytes.data, bytes, sizes[i]);
            coding_rest(f.coder);
        }
    test_free(bytes);
    coding_done(&f.coder);
}

static void test_what_does_not_get_smaller_is_left_alone(void **state) {
    struct fixture f = {0};
    struct slice packed;
    uint8_t noise[4096];
    uint32_t seed = 1;
    (void)state;
    for (size_t i = 0; i < sizeof noise; i++) {
        seed = seed * 1664525u + 1013904223u;
        noise[i] = (uint8_t)(seed >> 24);
    }
    for (enum coding coding = CODING_ZSTD; coding < CODING_COUNT; coding++) {
        assert_int_equal(coding_pack(&f.coder, coding, slice_make(noise, sizeof noise), &packed), STATUS_TOO_LARGE);
        assert_int_equal(coding_pack(&f.coder, coding, slice_make(noise, 1), &packed), STATUS_TOO_LARGE);
        assert_int_equal(coding_pack(&f.coder, coding, slice_make(noise, 0), &packed), STATUS_TOO_LARGE);
        struct slice after = pack(&f, coding, (const uint8_t *)plain, strlen(plain)); /* the context is as new */
        assert_int_equal(unpack(&f, coding, after, MAX), STATUS_OK);
        assert_memory_equal(f.bytes.data, plain, strlen(plain));
    }
    coding_done(&f.coder);
}

static void test_names(void **state) {
    (void)state;
    assert_int_equal(coding_find(SLICE_OF("zstd")), CODING_ZSTD);
    assert_int_equal(coding_find(SLICE_OF("GZip")), CODING_GZIP);
    assert_int_equal(coding_find(SLICE_OF("x-gzip")), CODING_GZIP);
    assert_int_equal(coding_find(SLICE_OF("deflate")), CODING_DEFLATE);
    assert_int_equal(coding_find(SLICE_OF("identity")), CODING_NONE);
    assert_int_equal(coding_find(SLICE_OF("br")), CODING_NONE);
    assert_int_equal(coding_find(SLICE_OF("")), CODING_NONE);
}

/* Returns whether an allocation failed. */
static bool try_with_failure(enum coding coding, int64_t skip) {
    struct coder *coder = NULL;
    struct slice packed, bytes = {0};
    const char *words;
    uint8_t text[8192], out[sizeof text];
    memset(text, 'x', sizeof text);
    memory_fail_after(skip);
    enum status status = coding_pack(&coder, coding, slice_make(text, sizeof text), &packed);
    if (status == STATUS_OK) {
        assert_true(packed.size < sizeof out);
        memcpy(out, packed.data, packed.size);
        status = coding_unpack(&coder, coding, slice_make(out, packed.size), sizeof text, &bytes, &words);
    }
    bool failed = memory_has_failed();
    memory_fail_after(-1);
    assert_int_equal(status, failed ? STATUS_NO_MEMORY : STATUS_OK);
    if (failed) { /* and it works again afterwards */
        assert_int_equal(coding_pack(&coder, coding, slice_make(text, sizeof text), &packed), STATUS_OK);
        assert_int_equal(coding_unpack(&coder, coding, packed, sizeof text, &bytes, &words), STATUS_OK);
    }
    assert_int_equal(bytes.size, sizeof text);
    coding_done(&coder);
    return failed;
}

static void test_every_failing_allocation_is_survived(void **state) {
    int64_t live = memory_live();
    (void)state;
    for (enum coding coding = CODING_ZSTD; coding < CODING_COUNT; coding++)
        for (int64_t skip = 0; try_with_failure(coding, skip); skip++)
            assert_true(skip < 1000);
    assert_int_equal(memory_live(), live);
}

static void test_large_buffers_are_given_back(void **state) {
    enum { SIZE = 1 << 20 };
    struct fixture f = {0};
    uint8_t *bytes = test_calloc(1, SIZE);
    (void)state;
    for (size_t i = 0; i < SIZE; i += 16)
        bytes[i] = (uint8_t)(i * 2654435761u >> 20);
    struct slice packed = pack(&f, CODING_GZIP, bytes, SIZE);
    assert_int_equal(unpack(&f, CODING_GZIP, packed, SIZE), STATUS_OK);
    coding_rest(f.coder);
    assert_true(memory_live_bytes() < SIZE);
    coding_rest(NULL); /* nothing was ever needed */
    test_free(bytes);
    coding_done(&f.coder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_other_tools_pack_is_read),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_what_is_damaged_or_not_that_coding_is_refused),
        cmocka_unit_test(test_more_than_allowed_is_refused_and_just_as_much_is_not),
        cmocka_unit_test(test_a_bomb_is_refused_by_its_ratio),
        cmocka_unit_test(test_what_would_be_taken_for_a_bomb_is_not_packed),
        cmocka_unit_test(test_a_recovered_body_leaves_the_other_alone),
        cmocka_unit_test(test_members_without_end_are_refused),
        cmocka_unit_test(test_round_trip_at_every_kind_of_size),
        cmocka_unit_test(test_what_does_not_get_smaller_is_left_alone),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_every_failing_allocation_is_survived),
        cmocka_unit_test(test_large_buffers_are_given_back),
    };
    return cmocka_run_group_tests_name("coding", tests, NULL, NULL);
}
