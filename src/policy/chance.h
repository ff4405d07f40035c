/* Numbered slots with weights: one by a point in their sum, so a random point gives each its share. O(log n). */
#ifndef POLICY_CHANCE_H
#define POLICY_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t *sums; /* a Fenwick tree: sums[i] is the weight of the slots from i - (i & -i) up to i - 1 */
    uint32_t *weights;
    uint32_t capacity; /* a power of two, or 0 */
    uint64_t total;
};

/* Zeroed is empty. False when memory is out: nothing has changed. */
bool chance_reserve(struct chance *chance, uint32_t slots);
void chance_done(struct chance *chance);
void chance_set(struct chance *chance, uint32_t slot, uint32_t weight); /* 0: never found */
/* The slot at this point, 0 <= point < total. */
uint32_t chance_at(const struct chance *chance, uint64_t point);

#endif
