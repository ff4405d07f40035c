/* A Fenwick tree over weights. */
#include "policy/chance.h"

#include "base/assert.h"
#include "base/memory.h"

static void add(struct chance *chance, uint32_t slot, uint64_t change) {
    for (uint32_t i = slot + 1; i <= chance->capacity; i += i & -i)
        chance->sums[i] += change; /* modulo 2^64, as a fall is added too */
}

bool chance_reserve(struct chance *chance, uint32_t slots) {
    uint32_t capacity = chance->capacity ? chance->capacity : 8;
    if (slots <= chance->capacity)
        return true;
    while (capacity < slots)
        capacity *= 2;
    struct chance larger = {memory_array((size_t)capacity + 1, sizeof *larger.sums),
                            memory_array(capacity, sizeof *larger.weights), capacity, 0};
    if (!larger.sums || !larger.weights) {
        chance_done(&larger);
        return false;
    }
    for (uint32_t i = 0; i < chance->capacity; i++)
        chance_set(&larger, i, chance->weights[i]);
    chance_done(chance);
    *chance = larger;
    return true;
}

void chance_done(struct chance *chance) {
    memory_free(chance->sums);
    memory_free(chance->weights);
    *chance = (struct chance){0};
}

void chance_set(struct chance *chance, uint32_t slot, uint32_t weight) {
    uint32_t old = chance->weights[slot];
    if (old == weight)
        return;
    chance->weights[slot] = weight;
    chance->total += (uint64_t)weight - old;
    add(chance, slot, (uint64_t)weight - old);
}

uint32_t chance_at(const struct chance *chance, uint64_t point) {
    ASSERT(point < chance->total);
    uint32_t found = 0;
    for (uint32_t step = chance->capacity; step; step /= 2) {
        if (found + step <= chance->capacity && chance->sums[found + step] <= point) {
            found += step;
            point -= chance->sums[found];
        }
    }
    return found;
}
