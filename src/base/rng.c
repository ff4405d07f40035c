/* xoshiro256** by Blackman and Vigna (public domain algorithm), seeded by splitmix64. */
#include "base/rng.h"

#include "base/assert.h"

static uint64_t rotate(uint64_t value, int by) {
    return value << by | value >> (64 - by);
}

void rng_init(struct rng *rng, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        rng->state[i] = z ^ z >> 31;
    }
}

uint64_t rng_next(struct rng *rng) {
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound) {
    ASSERT(bound > 0);
    uint64_t reject = (0 - bound) % bound; /* the first `reject` values would make small results likelier */
    uint64_t value;
    do
        value = rng_next(rng);
    while (value < reject);
    return value % bound;
}
