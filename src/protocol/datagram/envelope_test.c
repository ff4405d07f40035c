/* Envelopes: what stands where, who made them, when they are good, and that each is good once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "protocol/datagram/envelope.h"
#include "protocol/datagram/replays.h"

#define NOW_MS INT64_C(1700000000000)

static const uint8_t zeros[16];

static struct protocol_secret of(struct slice secret) {
    return (struct protocol_secret){secret, envelope_kid(secret)};
}

/* Made with Python's hmac and hashlib. */
static void vectors_are_met(void **state) {
    (void)state;
    static const struct {
        struct slice secret;
        int64_t ts_ms;
        uint64_t nonce;
        struct slice event;
        enum envelope_direction direction;
        const char *hex;
    } cases[] = {
        {SLICE("0123456789abcdef"), 1700000000000, UINT64_C(0x1), SLICE("{}"), ENVELOPE_TO_LISTENER,
         "f5697475019f9f51110000018bcfe5680000000000000000010d68f33b6abd506a9dd44e50fc7e5bfa7b7d"},
        {SLICE("a secret that is longer than one block of SHA-256, which has sixty-four bytes"),
         1700000000123, UINT64_C(0xfedcba9876543210), SLICE("hello"), ENVELOPE_TO_DIALLER,
         "f569747502fbba78b50000018bcfe5687bfedcba987654321069c2bfcb08e3875cdfad3ffc0c49a06e68656c6c6f"},
        {{zeros, 16},
         0,
         UINT64_C(0x0),
         SLICE(""),
         ENVELOPE_TO_LISTENER,
         "f569747501374708ff000000000000000000000000000000008819a037472e8f9d0850f4d9e4452a81"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t datagram[100];
        struct protocol_secret secret = of(cases[i].secret);
        struct envelope envelope;
        size_t size = ENVELOPE_SIZE + cases[i].event.size;
        memcpy(datagram + ENVELOPE_SIZE, cases[i].event.data, cases[i].event.size);
        envelope_seal(datagram, cases[i].event.size, &secret, cases[i].direction, cases[i].ts_ms,
                      cases[i].nonce);
        assert_int_equal(strlen(cases[i].hex), 2 * size);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(datagram[k], text_hex_value((uint8_t)cases[i].hex[2 * k]) << 4 |
                                              text_hex_value((uint8_t)cases[i].hex[2 * k + 1]));
        assert_int_equal(envelope_open(slice_make(datagram, size), &secret, 1, cases[i].direction,
                                       cases[i].ts_ms, &envelope),
                         ENVELOPE_GOOD);
        assert_int_equal(envelope.ts_ms, cases[i].ts_ms);
        assert_true(envelope.nonce == cases[i].nonce && slice_equal(envelope.event, cases[i].event));
    }
}

static size_t sealed(uint8_t *out, const struct protocol_secret *secret, int64_t ts_ms) {
    memcpy(out + ENVELOPE_SIZE, "{\"a\":1}", 7);
    envelope_seal(out, 7, secret, ENVELOPE_TO_LISTENER, ts_ms, 77);
    return ENVELOPE_SIZE + 7;
}

static enum envelope_verdict opened(const uint8_t *datagram, size_t size,
                                    const struct protocol_secret *secrets, size_t count) {
    struct envelope envelope;
    return envelope_open(slice_make(datagram, size), secrets, count, ENVELOPE_TO_LISTENER, NOW_MS, &envelope);
}

static void each_byte_and_each_cut_counts(void **state) {
    (void)state;
    struct protocol_secret secret = of(SLICE_OF("0123456789abcdef"));
    uint8_t datagram[64];
    size_t size = sealed(datagram, &secret, NOW_MS);
    assert_int_equal(opened(datagram, size, &secret, 1), ENVELOPE_GOOD);
    for (size_t i = 0; i < size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            datagram[i] ^= (uint8_t)(1u << bit);
            enum envelope_verdict due = i < 5 ? ENVELOPE_MISSING : i < 9 ? ENVELOPE_STRANGE : ENVELOPE_FORGED;
            assert_int_equal(opened(datagram, size, &secret, 1), due);
            datagram[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(opened(datagram, cut, &secret, 1),
                         cut < ENVELOPE_SIZE ? ENVELOPE_MISSING : ENVELOPE_FORGED);
}

static void it_is_good_within_its_window(void **state) {
    (void)state;
    static const struct {
        int64_t after_ms;
        enum envelope_verdict verdict;
    } cases[] = {
        {0, ENVELOPE_GOOD},      {30000, ENVELOPE_GOOD},  {30001, ENVELOPE_LATE},
        {-30000, ENVELOPE_GOOD}, {-30001, ENVELOPE_LATE}, {-NOW_MS - 1, ENVELOPE_LATE}, /* past 2^63 */
    };
    struct protocol_secret secret = of(SLICE_OF("0123456789abcdef"));
    uint8_t datagram[64];
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(opened(datagram, sealed(datagram, &secret, NOW_MS + cases[i].after_ms), &secret, 1),
                         cases[i].verdict);
}

static void any_of_several_secrets_is_good(void **state) {
    (void)state;
    struct protocol_secret secrets[3] = {of(SLICE_OF("new-new-new-new-")), of(SLICE_OF("old-old-old-old-")),
                                         of(SLICE_OF("else-else-else-"))};
    uint8_t datagram[64];
    struct envelope envelope;
    size_t size = sealed(datagram, &secrets[1], NOW_MS);
    assert_int_equal(
        envelope_open(slice_make(datagram, size), secrets, 2, ENVELOPE_TO_LISTENER, NOW_MS, &envelope),
        ENVELOPE_GOOD);
    assert_int_equal(envelope.key, 1);
    assert_int_equal(opened(datagram, size, secrets, 1), ENVELOPE_STRANGE);
    secrets[0].kid = secrets[1].kid; /* as of one secret in four thousand million */
    assert_int_equal(opened(datagram, size, secrets, 2), ENVELOPE_GOOD);
    assert_int_equal(opened(datagram, size, secrets, 1), ENVELOPE_FORGED);
    assert_int_equal(
        envelope_open(slice_make(datagram, size), secrets, 2, ENVELOPE_TO_DIALLER, NOW_MS, &envelope),
        ENVELOPE_MISSING);
}

static void each_is_good_once(void **state) {
    (void)state;
    struct replays replays;
    int64_t live = memory_live();
    replays_init(&replays, 5);
    for (uint64_t nonce = 0; nonce < 5000; nonce++)
        assert_int_equal(replays_add(&replays, 1, nonce, NOW_MS + 30000, NOW_MS), REPLAYS_NEW);
    for (uint64_t nonce = 0; nonce < 5000; nonce++) {
        assert_int_equal(replays_add(&replays, 1, nonce, NOW_MS + 30000, NOW_MS + 29999), REPLAYS_KNOWN);
        assert_int_equal(replays_add(&replays, 2, nonce, NOW_MS + 30000, NOW_MS), REPLAYS_NEW);
    }
    assert_int_equal(replays_add(&replays, 1, 7, NOW_MS + 60000, NOW_MS + 30000),
                     REPLAYS_NEW); /* long after */
    assert_int_equal(replays_add(&replays, 1, 7, NOW_MS + 60000, NOW_MS + 30000), REPLAYS_KNOWN);
    replays_done(&replays);
    assert_int_equal(memory_live(), live);
}

static void what_cannot_be_remembered_is_not_taken(void **state) {
    (void)state;
    struct replays replays;
    replays_init(&replays, 5);
    memory_fail_after(0);
    assert_int_equal(replays_add(&replays, 1, 1, NOW_MS + 30000, NOW_MS - 2000), REPLAYS_FULL);
    memory_fail_after(-1);
    for (uint64_t nonce = 0; nonce < REPLAYS_MAX; nonce++)
        assert_int_equal(replays_add(&replays, 1, nonce, NOW_MS + 30000, NOW_MS), REPLAYS_NEW);
    assert_int_equal(replays_add(&replays, 1, REPLAYS_MAX, NOW_MS + 30000, NOW_MS), REPLAYS_FULL);
    assert_int_equal(replays_add(&replays, 1, 9, NOW_MS + 30000, NOW_MS), REPLAYS_KNOWN);
    assert_int_equal(replays.capacity, 2 * REPLAYS_MAX);
    assert_int_equal(replays_add(&replays, 1, REPLAYS_MAX, NOW_MS + 70000, NOW_MS + 40000), REPLAYS_NEW);
    assert_int_equal(replays.count, 1); /* those that are over made room */
    replays_done(&replays);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_met),
        cmocka_unit_test(each_byte_and_each_cut_counts),
        cmocka_unit_test(it_is_good_within_its_window),
        cmocka_unit_test(any_of_several_secrets_is_good),
        cmocka_unit_test(each_is_good_once),
        cmocka_unit_test(what_cannot_be_remembered_is_not_taken),
    };
    return cmocka_run_group_tests_name("protocol/datagram-envelope", tests, NULL, NULL);
}
