/* SHA-256, FIPS 180-4 sections 4.1.2, 4.2.2, 5 and 6.2. */
#include "base/sha256.h"

#include <string.h>

static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t x) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(x >> (24 - 8 * i));
}

/* Section 6.2.2, steps 1. */
static void spread(uint32_t w[static 64], const uint8_t *block) {
    for (int t = 0; t < 16; t++)
        w[t] = get32(block + 4 * t);
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
}

/* Steps 2 to 4; the eight letters of the standard are x[0] to x[7]. */
static void compress(uint32_t state[static 8], const uint8_t *block) {
    uint32_t w[64], x[8];
    spread(w, block);
    memcpy(x, state, sizeof x);
    for (int t = 0; t < 64; t++) {
        uint32_t s1 = rotate(x[4], 6) ^ rotate(x[4], 11) ^ rotate(x[4], 25);
        uint32_t choice = (x[4] & x[5]) ^ (~x[4] & x[6]);
        uint32_t t1 = x[7] + s1 + choice + rounds[t] + w[t];
        uint32_t s0 = rotate(x[0], 2) ^ rotate(x[0], 13) ^ rotate(x[0], 22);
        uint32_t majority = (x[0] & x[1]) ^ (x[0] & x[2]) ^ (x[1] & x[2]);
        memmove(x + 1, x, 7 * sizeof x[0]);
        x[4] += t1;
        x[0] = t1 + s0 + majority;
    }
    for (int i = 0; i < 8; i++)
        state[i] += x[i];
    explicit_bzero(w, sizeof w);
    explicit_bzero(x, sizeof x);
}

void sha256_init(struct sha256 *s) {
    memcpy(s->state, first, sizeof first);
    s->size = 0;
}

void sha256_add(struct sha256 *s, struct slice bytes) {
    while (bytes.size) {
        size_t used = s->size % 64;
        size_t count = bytes.size < 64 - used ? bytes.size : 64 - used;
        memcpy(s->block + used, bytes.data, count);
        s->size += count;
        bytes = slice_skip(bytes, count);
        if (used + count == 64)
            compress(s->state, s->block);
    }
}

/* Section 5.1.1: a one bit, zeros, and the size in bits at the end of a block. */
void sha256_end(struct sha256 *s, uint8_t ret_hash[static SHA256_SIZE]) {
    uint64_t bits = s->size * 8;
    uint8_t end[72] = {0x80};
    size_t used = s->size % 64;
    size_t fill = used < 56 ? 56 - used : 120 - used;
    put32(end + fill, (uint32_t)(bits >> 32));
    put32(end + fill + 4, (uint32_t)bits);
    sha256_add(s, slice_make(end, fill + 8));
    for (int i = 0; i < 8; i++)
        put32(ret_hash + 4 * i, s->state[i]);
    explicit_bzero(s, sizeof *s);
}
