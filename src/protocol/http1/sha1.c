/* SHA-1: RFC 3174 section 6.1, one call. */
#include "protocol/http1/sha1.h"

#include <string.h>

static uint32_t turn(uint32_t word, unsigned bits) {
    return word << bits | word >> (32 - bits);
}

static uint32_t mix(unsigned t, uint32_t b, uint32_t c, uint32_t d) {
    if (t < 20)
        return ((b & c) | (~b & d)) + 0x5a827999;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ed9eba1;
    if (t < 60)
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    return (b ^ c ^ d) + 0xca62c1d6;
}

static void block(uint32_t hash[static 5], const uint8_t *bytes) {
    uint32_t w[80], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    for (unsigned t = 0; t < 16; t++)
        w[t] = (uint32_t)bytes[t * 4] << 24 | (uint32_t)bytes[t * 4 + 1] << 16 | (uint32_t)bytes[t * 4 + 2] << 8 | bytes[t * 4 + 3];
    for (unsigned t = 16; t < 80; t++)
        w[t] = turn(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (unsigned t = 0; t < 80; t++) {
        uint32_t next = turn(a, 5) + mix(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = turn(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void sha1(struct slice bytes, uint8_t out[static SHA1_SIZE]) {
    uint32_t hash[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t last[128] = {0};
    size_t whole = bytes.size / 64 * 64, rest = bytes.size - whole;
    size_t end = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)bytes.size * 8;
    for (size_t at = 0; at < whole; at += 64)
        block(hash, bytes.data + at);
    if (rest)
        memcpy(last, bytes.data + whole, rest);
    last[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++)
        last[end - 1 - i] = (uint8_t)(bits >> (8 * i));
    for (size_t at = 0; at < end; at += 64)
        block(hash, last + at);
    for (unsigned i = 0; i < SHA1_SIZE; i++)
        out[i] = (uint8_t)(hash[i / 4] >> (24 - 8 * (i % 4)));
}
