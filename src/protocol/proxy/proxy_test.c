/* PROXY headers: vectors, byte by byte, one past each limit; who is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "protocol/proxy/header.h"
#include "protocol/proxy/proxy.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x01\x0a\x00\x00\x02\xdc\x04\x01\xbb" /* 192.0.2.1:56324 to 10.0.0.2:443 */
#define V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2" "\x00\x50\x01\xbb"
#define BYTES(text) {(const uint8_t *)(text), sizeof(text) - 1}

static const struct vector {
    struct slice bytes;
    enum proxy_result result;
    const char *source; /* NULL: not shown */
} vectors[] = {
    /* version 1, section 2.1 */
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_WHOLE, "255.255.255.255:65535"},
    {BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), PROXY_WHOLE,
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 0 443\r\n"), PROXY_WHOLE, "192.0.2.1:0"},
    {BYTES("PROXY UNKNOWN\r\n"), PROXY_WHOLE, NULL},
    {BYTES("PROXY UNKNOWN ffff:f...f:ffff whatever it says\r\n"), PROXY_WHOLE, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 56324 443"), PROXY_MORE, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 56324 443\r"), PROXY_MORE, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 56324 443\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 56324\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 56324 443 1\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP4  192.0.2.1 10.0.0.2 56324 443\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 65536 443\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 056 443\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 -1 443\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP4 192.0.2.01 10.0.0.2 1 443\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP4 ::1 ::1 1 443\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY TCP6 192.0.2.1 10.0.0.2 1 443\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY UDP4 192.0.2.1 10.0.0.2 1 443\r\n"), PROXY_BROKEN, NULL},
    {BYTES("PROXY \r\n"), PROXY_BROKEN, NULL},
    {BYTES("proxy UNKNOWN\r\n"), PROXY_BROKEN, NULL},
    {BYTES("GET / HTTP/1.1\r\n"), PROXY_BROKEN, NULL},
    {BYTES("{"), PROXY_BROKEN, NULL},
    /* version 2, section 2.2 */
    {BYTES(SIG "\x21\x11\0\x0c" V4), PROXY_WHOLE, "192.0.2.1:56324"},
    {BYTES(SIG "\x21\x21\0\x24" V6), PROXY_WHOLE, "[2001:db8::1]:80"},
    {BYTES(SIG "\x20\x00\0\0"), PROXY_WHOLE, NULL},
    {BYTES(SIG "\x20\x11\0\x0c" V4), PROXY_WHOLE, NULL},
    {BYTES(SIG "\x20\xff\0\x02zz"), PROXY_WHOLE, NULL}, /* LOCAL: all of the block is passed over */
    {BYTES(SIG "\x21\x00\0\0"), PROXY_WHOLE, NULL},
    {BYTES(SIG "\x21\x11\0\x14" V4 "\x01\0\x05" "hello"), PROXY_WHOLE, "192.0.2.1:56324"},
    {BYTES(SIG "\x21\x11\0\x14" V4 "\x01\0\x06" "hello"), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x11\0\x0e" V4 "\x01\0"), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x11\0\x13" V4 "\x03\0\x04\x8e\xb2\xbd\xa8"), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x11\0\x12" V4 "\x03\0\x03" "abc"), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x11\0\x0b\xc0\x00\x02\x01\x0a\x00\x00\x02\xdc\x04\x01"), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x12\0\x0c" V4), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x41\0\x0c" V4), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x13\0\x0c" V4), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x22\x11\0\x0c" V4), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x11\x11\0\x0c" V4), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x11\xff\xff" V4), PROXY_BROKEN, NULL},
    {BYTES(SIG "\x21\x11\0\x0d" V4), PROXY_MORE, NULL},
    {BYTES("\r\n\r\n\0\r\nQUIX"), PROXY_BROKEN, NULL},
};

static void vectors_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct proxy_header header = {0};
        const char *why = NULL;
        char text[ADDRESS_TEXT_MAX];
        enum proxy_result result = proxy_header_read(vectors[i].bytes, &header, &why);
        if (result != vectors[i].result)
            fail_msg("vector %zu: %s", i, why ? why : "not refused");
        assert_true((why != NULL) == (result == PROXY_BROKEN));
        if (result != PROXY_WHOLE)
            continue;
        assert_int_equal(header.size, vectors[i].bytes.size);
        assert_int_equal(header.is_shown, vectors[i].source != NULL);
        if (header.is_shown) {
            address_print(text, &header.source);
            assert_string_equal(text, vectors[i].source);
        }
    }
}

static void a_beginning_waits_for_the_rest(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct proxy_header header;
        const char *why;
        for (size_t size = 0; size < vectors[i].bytes.size; size++) {
            uint8_t *exact = memory_alloc(size + 1); /* one byte past it is the sanitizer's */
            memcpy(exact, vectors[i].bytes.data, size);
            enum proxy_result result = proxy_header_read(slice_make(exact, size), &header, &why);
            if (vectors[i].result != PROXY_BROKEN)
                assert_int_equal(result, PROXY_MORE);
            if (vectors[i].result == PROXY_WHOLE)
                assert_in_range(proxy_header_wants(slice_make(exact, size)), 1, vectors[i].bytes.size - size);
            memory_free(exact);
        }
    }
}

static void a_checksum_counts_where_it_stands(void **state) {
    uint8_t bytes[] = SIG "\x21\x11\0\x13" V4 "\x03\0\x04\0\0\0";
    struct proxy_header header;
    const char *why;
    unsigned good = 0;
    (void)state;
    /* CRC32C of the header with zeroes in its place, by a table of its own */
    uint32_t table[256], crc = UINT32_MAX;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82f63b78u : table[i] >> 1;
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        crc = crc >> 8 ^ table[(crc ^ bytes[i]) & 255];
    crc = ~crc;
    for (int i = 0; i < 4; i++)
        bytes[sizeof bytes - 4 + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    assert_int_equal(proxy_header_read(slice_make(bytes, sizeof bytes), &header, &why), PROXY_WHOLE);
    for (size_t i = 16; i < sizeof bytes; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1 << bit);
            good += proxy_header_read(slice_make(bytes, sizeof bytes), &header, &why) == PROXY_WHOLE && i != 28;
            bytes[i] ^= (uint8_t)(1 << bit);
        }
    assert_int_equal(good, 0); /* but for the type of the TLV, which then is another's */
}

static void a_line_of_more_than_107_bytes_is_refused(void **state) {
    char line[200];
    struct proxy_header header;
    const char *why;
    (void)state;
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + 105, "\r\n", 2);
    assert_int_equal(proxy_header_read(slice_make(line, 107), &header, &why), PROXY_WHOLE);
    memcpy(line + 105, "x\r\n", 3);
    assert_int_equal(proxy_header_read(slice_make(line, 108), &header, &why), PROXY_BROKEN);
}

static void a_header_of_more_than_4096_bytes_is_refused(void **state) {
    static uint8_t bytes[4200] = SIG "\x20\x00";
    struct proxy_header header;
    const char *why;
    (void)state;
    for (unsigned over = 0; over < 2; over++) {
        unsigned length = PROXY_HEADER_MAX - 16 + over;
        bytes[14] = (uint8_t)(length >> 8);
        bytes[15] = (uint8_t)length;
        assert_int_equal(proxy_header_read(slice_make(bytes, 16 + length), &header, &why), over ? PROXY_BROKEN : PROXY_WHOLE);
    }
}

/* -- the filter -- */

static struct cidr proxies[1], allow[1];
static struct proxy_trust trust = {.proxies = proxies, .proxy_count = 1, .allow = allow};

struct try {
    enum status status;
    bool over, changed;
    struct address peer;
    size_t left;
};

static struct try give(const char *from, struct slice bytes, size_t step) {
    struct filter_sink sink = {.due = MONO_NEVER};
    struct address peer;
    void *state = memory_new(proxy_in.state_size);
    assert_true(address_parse(slice_from(from), &peer));
    assert_true(cidr_parse(SLICE_OF("10.0.0.0/8"), &proxies[0]) && cidr_parse(SLICE_OF("192.0.2.0/24"), &allow[0]));
    proxy_in.open(state, &trust, NULL, NULL, &sink, &peer, (struct now){0});
    size_t left = bytes.size;
    while (left && sink.status == STATUS_OK && !sink.over) {
        struct slice part = slice_make(bytes.data + bytes.size - left, step < left ? step : left);
        size_t before = part.size;
        assert_int_equal(proxy_in.feed(state, &part, NULL, 0, (struct now){0}), 0);
        left -= before - part.size;
    }
    proxy_in.done(state);
    memory_free(state);
    return (struct try){sink.status, sink.over, sink.peer_changed, sink.peer, left};
}

static void what_stands_behind_is_left(void **state) {
    static const struct slice all[] = {BYTES(SIG "\x21\x11\0\x0c" V4 "hello"), BYTES("PROXY TCP4 192.0.2.1 10.0.0.2 56324 443\r\nhello")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        for (size_t step = 1; step <= all[i].size; step++) {
            struct try got = give("10.1.1.1:999", all[i], step);
            assert_int_equal(got.status, STATUS_OK);
            assert_true(got.over && got.changed);
            assert_int_equal(got.left, 5);
            assert_int_equal(got.peer.port, 56324);
        }
}

static void only_trusted_proxies_are_believed(void **state) {
    (void)state;
    assert_int_equal(give("11.1.1.1:999", SLICE_OF("PROXY UNKNOWN\r\n"), 100).status, STATUS_FORBIDDEN);
    assert_int_equal(give("192.0.2.1:999", SLICE_OF("PROXY UNKNOWN\r\n"), 100).status, STATUS_FORBIDDEN);
    assert_int_equal(give("10.0.0.1:999", SLICE_OF("PROXY UNKNOWN\r\n"), 100).status, STATUS_OK);
    assert_false(give("10.0.0.1:999", SLICE_OF("PROXY UNKNOWN\r\n"), 100).changed);
    assert_int_equal(give("10.0.0.1:999", SLICE_OF("GET / HTTP/1.1\r\n"), 100).status, STATUS_PROTOCOL_ERROR);
}

static void whom_allow_does_not_name_is_refused(void **state) {
    (void)state;
    trust.allow_count = 1;
    assert_int_equal(give("10.0.0.1:9", SLICE_OF("PROXY TCP4 192.0.2.9 10.0.0.2 1 2\r\n"), 7).status, STATUS_OK);
    assert_int_equal(give("10.0.0.1:9", SLICE_OF("PROXY TCP4 192.0.3.9 10.0.0.2 1 2\r\n"), 7).status, STATUS_FORBIDDEN);
    trust.allow_count = 0;
}

static void a_failed_allocation_is_survived(void **state) {
    (void)state;
    struct filter_sink sink = {.due = MONO_NEVER};
    struct address peer = {.family = ADDRESS_IPV4, .bytes = {10, 0, 0, 1}};
    void *at = memory_new(proxy_in.state_size);
    struct slice bytes = SLICE_OF("PROXY UNKNOWN\r\n");
    proxy_in.open(at, &trust, NULL, NULL, &sink, &peer, (struct now){0});
    memory_fail_after(0);
    proxy_in.feed(at, &bytes, NULL, 0, (struct now){0});
    memory_fail_after(-1);
    assert_int_equal(sink.status, STATUS_NO_MEMORY);
    proxy_in.done(at);
    memory_free(at);
}

static void we_say_that_we_speak_for_ourselves(void **state) {
    (void)state;
    for (unsigned version = 1; version <= 2; version++) {
        struct proxy_header header;
        const char *why;
        struct slice own = proxy_header_own(version);
        assert_int_equal(proxy_header_read(own, &header, &why), PROXY_WHOLE);
        assert_false(header.is_shown);
        assert_int_equal(header.size, own.size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_read),
        cmocka_unit_test(a_beginning_waits_for_the_rest),
        cmocka_unit_test(a_checksum_counts_where_it_stands),
        cmocka_unit_test(a_line_of_more_than_107_bytes_is_refused),
        cmocka_unit_test(a_header_of_more_than_4096_bytes_is_refused),
        cmocka_unit_test(what_stands_behind_is_left),
        cmocka_unit_test(only_trusted_proxies_are_believed),
        cmocka_unit_test(whom_allow_does_not_name_is_refused),
        cmocka_unit_test(a_failed_allocation_is_survived),
        cmocka_unit_test(we_say_that_we_speak_for_ourselves),
    };
    return cmocka_run_group_tests_name("protocol/proxy", tests, NULL, NULL);
}
