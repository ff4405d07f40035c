/* Which of several gets it, each its share by weight. */
#ifndef POLICY_SPLIT_H
#define POLICY_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

/* `place`: below the sum of all weights, which is above 0. */
size_t split_at(const uint64_t *weights, size_t count, uint64_t place);
/* By a hash: the same always goes to the same. Where only weights change and their sum doesn't, only what must move does. */
size_t split_by_hash(const uint64_t *weights, size_t count, uint64_t sum, uint64_t hash);
size_t split_by_chance(const uint64_t *weights, size_t count, uint64_t sum, struct rng *rng);

#endif
