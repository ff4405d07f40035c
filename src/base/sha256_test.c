/* SHA-256 against the standard's examples and another implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/sha256.h"

static void to_text(const uint8_t hash[static SHA256_SIZE], char out[static 65]) {
    for (int i = 0; i < SHA256_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static void assert_hash(struct slice bytes, size_t step, const char *expected) {
    struct sha256 s;
    uint8_t hash[SHA256_SIZE];
    char text[65];
    sha256_init(&s);
    for (size_t at = 0; at < bytes.size; at += step)
        sha256_add(&s, slice_head(slice_skip(bytes, at), step));
    sha256_end(&s, hash);
    to_text(hash, text);
    assert_string_equal(text, expected);
}

/* The examples that NIST publishes with FIPS 180-4. */
static void hashes_are_those_of_the_standard(void **state) {
    (void)state;
    static uint8_t million[1000000];
    memset(million, 'a', sizeof million);
    assert_hash(SLICE_OF("abc"), 64, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash(SLICE_OF("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), 64,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_hash(slice_make(million, sizeof million), sizeof million,
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Around the ends of blocks; byte i is 7i + 3. The values are another implementation's. */
static void sizes_around_blocks_hash_alike_in_any_steps(void **state) {
    (void)state;
    static const struct {
        size_t size;
        const char *hash;
    } rows[] = {
        {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {1, "084fed08b978af4d7d196a7446a86b58009e636b611db16211b65a9aadff29c5"},
        {3, "6ab0dba1f4f1dfbb37b4f9eeb092c09fca4900ad32bdcd147d8dde35d6c87c35"},
        {54, "160bbf14b458c877b7049e7cb5771dd653930f97d20bdd8ee795c16062906233"},
        {55, "e7313d333c272e639f790978283f9eb392e843d0f29b7016828bb1daa4aac70b"},
        {56, "4324d65f3c103567f5589c710bc08f8523f929a9272e3af36fc968e52abc6c27"},
        {57, "35df609437dcfea3279283ab79fd554e2bf78f8f7ae2de532d8ee300b09e8f73"},
        {63, "81c80242132f230c3bd41b3e63bbcff16107339549214a99614ff26664625055"},
        {64, "39e3d7b6b5d075d37d053ad89b24b41bef4f3c29760c84447cab3f3be1882241"},
        {65, "aacca6ff74fdbb296d165a45cecfa04e5127bc008770fbbdd48006f2d2fae95e"},
        {111, "67d9492e628fd376e0b2efec8ca2b99b123e202cf620deb270728df979b2f73e"},
        {112, "96b928cff8528dbb99602c709a65b846cb6467acb8b722f0d758e4dc27bfc508"},
        {119, "9ce7368e4daf32341631b492e80359dc9f594b48453cd0dd5bf0b19279cc177e"},
        {120, "7836b787757e95e58b3ca5aec90b1b004e8deba1e50e9675af9cabf1a13a04b5"},
        {127, "a8d23e75d936f303d248888d9b165ee543f4cbafcad3c9dd2a79bd84faa11d07"},
        {128, "d2742f1f4ac6bb7ca2b239ee18402ba8b3f9f8e652d2a72973c2b9ba11c08cf6"},
        {129, "307f8fc2c1622b92762e818d39a185d4d667ad49a4b07ceae1f4afa008a93ec4"},
        {1000, "1e9bc38cbf860b9ec31918b065f9b52476c549a782e0e7990bed8ce3868d2371"},
    };
    uint8_t bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(7 * i + 3);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t step = 1; step < 140; step += 23)
            assert_hash(slice_make(bytes, rows[i].size), step, rows[i].hash);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_standard),
        cmocka_unit_test(sizes_around_blocks_hash_alike_in_any_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
