/* Seeded pseudo-randomness (xoshiro256**). Not for secrets: those come from platform. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
/* 0 .. bound - 1 without bias; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

#endif
