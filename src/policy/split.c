/* Shares by weight: a line of their length, cut where one ends and the next begins. */
#include "policy/split.h"

#include "base/assert.h"

size_t split_at(const uint64_t *weights, size_t count, uint64_t place) {
    size_t i = 0;
    for (; i < count && place >= weights[i]; i++)
        place -= weights[i];
    ASSERT(i < count); /* it was below their sum */
    return i;
}

size_t split_by_hash(const uint64_t *weights, size_t count, uint64_t sum, uint64_t hash) {
    ASSERT(sum > 0 && sum <= UINT32_MAX);
    return split_at(weights, count, (hash >> 32) * sum >> 32);
}

size_t split_by_chance(const uint64_t *weights, size_t count, uint64_t sum, struct rng *rng) {
    return split_at(weights, count, rng_below(rng, sum));
}
