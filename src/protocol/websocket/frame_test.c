/* Heads, masks, close codes and UTF-8 in parts; SHA-1; deflate a message at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include "protocol/websocket/deflate.h"
#include "protocol/websocket/frame.h"
#include "protocol/http1/sha1.h"

static void heads_are_read_as_they_were_written(void **state) {
    static const uint64_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 1u << 30, UINT64_MAX >> 1};
    static const uint8_t key[4] = {1, 2, 3, 4};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (int masked = 0; masked < 2; masked++) {
            uint8_t bytes[WS_HEAD_MAX];
            struct ws_head head;
            const char *words;
            size_t size = ws_head_write(bytes, WS_BINARY, masked, sizes[i], masked ? key : NULL);
            assert_int_equal(size, ws_head_size(sizes[i], masked));
            for (size_t cut = 0; cut < size; cut++) {
                assert_int_equal(ws_head_read(&head, slice_make(bytes, cut), &words), WS_MORE);
                assert_true(head.size > cut && head.size <= size);
            }
            assert_int_equal(ws_head_read(&head, slice_make(bytes, size), &words), WS_DONE);
            assert_true(head.fin && head.rsv1 == (masked != 0) && !head.rsv2 && !head.rsv3);
            assert_true(head.payload == sizes[i] && head.size == size && head.opcode == WS_BINARY);
            assert_true(!masked || memcmp(head.key, key, 4) == 0);
        }
}

static void lengths_that_are_not_the_shortest_are_refused(void **state) {
    static const struct slice heads[] = {
        SLICE("\x82\x7e\x00\x7d"), SLICE("\x82\x7e\x00\x00"), SLICE("\x82\x7f\0\0\0\0\0\0\xff\xff"),
        SLICE("\x82\x7f\0\0\0\0\0\0\0\1"), SLICE("\x82\x7f\x80\0\0\0\0\0\0\0"), SLICE("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct ws_head head;
        const char *words = NULL;
        assert_int_equal(ws_head_read(&head, heads[i], &words), WS_BAD);
        assert_non_null(words);
    }
}

static void a_mask_undoes_itself_at_any_size(void **state) {
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t plain[40], masked[40], again[40];
    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7);
    for (size_t size = 0; size <= sizeof plain; size++) {
        ws_mask(masked, plain, size, key);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(masked[i], plain[i] ^ key[i % 4]);
        ws_mask(again, masked, size, key);
        assert_memory_equal(again, plain, size);
    }
    ws_mask(masked, (const uint8_t *)"Hello", 5, key); /* RFC 6455 section 5.7 */
    assert_memory_equal(masked, "\x7f\x9f\x4d\x51\x58", 5);
}

static void close_codes_of_the_wire(void **state) {
    (void)state;
    static const unsigned legal[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const unsigned illegal[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < COUNT_OF(legal); i++)
        assert_true(ws_close_is_legal(legal[i]));
    for (size_t i = 0; i < COUNT_OF(illegal); i++)
        assert_false(ws_close_is_legal(illegal[i]));
}

/* Whether `text`, given in parts of `step` bytes, passes and may end. */
static bool passes(struct slice text, size_t step) {
    struct ws_utf8 utf8 = {0};
    for (size_t at = 0; at < text.size; at += step)
        if (!ws_utf8_next(&utf8, slice_head(slice_skip(text, at), step)))
            return false;
    return ws_utf8_is_whole(&utf8);
}

static void utf8_in_parts_is_what_it_is_as_a_whole(void **state) {
    struct rng rng;
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xec,
                                    0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff, 'a'};
    (void)state;
    rng_init(&rng, 5);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[12];
        size_t size = rng_below(&rng, sizeof bytes + 1);
        for (size_t i = 0; i < size; i++)
            bytes[i] = edges[rng_below(&rng, sizeof edges)];
        struct slice text = slice_make(bytes, size);
        for (size_t step = 1; step <= 5; step++)
            assert_int_equal(passes(text, step), text_is_utf8(text));
    }
    assert_true(passes(SLICE_OF("12345678\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80" "12345678"), 3));
    struct ws_utf8 utf8 = {0};
    assert_false(ws_utf8_next(&utf8, SLICE_OF("\xed\xa0"))); /* a surrogate is known before it is whole */
}

static void sha1_of_the_standard(void **state) {
    static const struct {
        struct slice text;
        const char *hash;
    } vectors[] = {
        {SLICE(""), "\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09"},
        {SLICE("abc"), "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d"},
        {SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
         "\x84\x98\x3e\x44\x1c\x3b\xd2\x6e\xba\xae\x4a\xa1\xf9\x51\x29\xe5\xe5\x46\x70\xf1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint8_t hash[SHA1_SIZE];
        sha1(vectors[i].text, hash);
        assert_memory_equal(hash, vectors[i].hash, SHA1_SIZE);
    }
}

/* -- deflate -- */

static void what_is_deflated_comes_back(void **state) {
    struct ws_zip *zip = NULL;
    struct buffer packed, plain;
    static uint8_t text[200000];
    (void)state;
    buffer_init(&packed, sizeof text + 16);
    buffer_init(&plain, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)((size_t)"intertie "[i % 9] + (i / 5000) % 3);
    for (unsigned bits = 9; bits <= 15; bits++)
        for (size_t size = 1024; size <= sizeof text; size *= 3) {
            if (!ws_deflate(&zip, slice_make(text, size), bits, &packed))
                fail_msg("%zu bytes don't get smaller", size);
            if (packed.size * 90 > size || size < 65536u)
                assert_int_equal(ws_inflate(&zip, buffer_slice(&packed), &plain), STATUS_OK);
            else
                break;
            assert_int_equal(plain.size, size);
            assert_memory_equal(plain.data, text, size);
        }
    ws_zip_done(&zip);
    buffer_done(&packed);
    buffer_done(&plain);
}

static void vectors_of_the_standard_inflate(void **state) {
    static const struct {
        struct slice packed;
        const char *plain;
    } vectors[] = {
        {SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello"},                             /* RFC 7692 section 7.2.3.1 */
        {SLICE("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello"},             /* 7.2.3.3: not compressed */
        {SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello"},                         /* 7.2.3.4: a final block */
        {SLICE("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello"},     /* 7.2.3.5: two blocks */
        {SLICE("\x00"), ""},
    };
    struct ws_zip *zip = NULL;
    struct buffer plain;
    (void)state;
    buffer_init(&plain, 100);
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        assert_int_equal(ws_inflate(&zip, vectors[i].packed, &plain), STATUS_OK);
        assert_true(slice_equal(buffer_slice(&plain), slice_from(vectors[i].plain)));
    }
    buffer_done(&plain);
    buffer_init(&plain, 4);
    assert_int_equal(ws_inflate(&zip, vectors[0].packed, &plain), STATUS_TOO_LARGE);
    buffer_done(&plain);
    buffer_init(&plain, 5); /* just as much */
    assert_int_equal(ws_inflate(&zip, vectors[0].packed, &plain), STATUS_OK);
    assert_int_equal(ws_inflate(&zip, SLICE_OF("\xff\xff\xff\xff\xff"), &plain), STATUS_MALFORMED_EVENT);
    static const struct slice hello = SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00");
    for (size_t size = 1; size + 1 < hello.size; size++) /* the last byte is padding */
        assert_int_equal(ws_inflate(&zip, slice_head(hello, size), &plain), STATUS_MALFORMED_EVENT);
    buffer_done(&plain);
    ws_zip_done(&zip);
}

static void a_ratio_that_no_honest_sender_has_is_refused(void **state) {
    struct ws_zip *zip = NULL;
    struct buffer packed, plain;
    static uint8_t zeros[1 << 20];
    (void)state;
    buffer_init(&packed, sizeof zeros + 16);
    buffer_init(&plain, 16 << 20);
    assert_true(ws_deflate(&zip, slice_make(zeros, sizeof zeros), 15, &packed));
    assert_int_equal(ws_inflate(&zip, buffer_slice(&packed), &plain), STATUS_TOO_LARGE);
    assert_true(plain.size < sizeof zeros); /* it stopped on the way */
    assert_true(ws_deflate(&zip, slice_make(zeros, WS_INFLATE_RATIO_FROM), 15, &packed));
    assert_int_equal(ws_inflate(&zip, buffer_slice(&packed), &plain), STATUS_OK); /* so little may be of nothing */
    buffer_done(&packed);
    buffer_done(&plain);
    ws_zip_done(&zip);
}

static void deflate_bears_that_memory_runs_out(void **state) {
    static uint8_t text[5000];
    int64_t live = memory_live();
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)('a' + i % 17);
    for (int64_t n = 0;; n++) {
        struct ws_zip *zip = NULL;
        struct buffer packed, plain;
        buffer_init(&packed, 8000);
        buffer_init(&plain, 8000);
        memory_fail_after(n);
        bool ok = ws_deflate(&zip, slice_make(text, sizeof text), 15, &packed) &&
                  ws_inflate(&zip, buffer_slice(&packed), &plain) == STATUS_OK;
        int failed = memory_has_failed();
        memory_fail_after(-1);
        assert_int_equal(ok, !failed);
        buffer_done(&packed);
        buffer_done(&plain);
        ws_zip_done(&zip);
        assert_true(memory_live() == live);
        if (!failed)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read_as_they_were_written),
        cmocka_unit_test(lengths_that_are_not_the_shortest_are_refused),
        cmocka_unit_test(a_mask_undoes_itself_at_any_size),
        cmocka_unit_test(close_codes_of_the_wire),
        cmocka_unit_test(utf8_in_parts_is_what_it_is_as_a_whole),
        cmocka_unit_test(sha1_of_the_standard),
        cmocka_unit_test(what_is_deflated_comes_back),
        cmocka_unit_test(vectors_of_the_standard_inflate),
        cmocka_unit_test(a_ratio_that_no_honest_sender_has_is_refused),
        cmocka_unit_test(deflate_bears_that_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
