/* Builds and searches the ring. */
#include "policy/ring.h"

#include <stdlib.h>

#include "base/memory.h"

/* The finalizer of splitmix64. */
uint64_t ring_mix(uint64_t number) {
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

static uint32_t points_of(uint32_t weight, unsigned shift) {
    uint64_t points = ((uint64_t)weight * RING_POINTS_EACH) >> shift;
    return points == 0 && weight ? 1 : (uint32_t)points;
}

static uint64_t total_of(const struct ring_member *members, uint32_t count, unsigned shift) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += points_of(members[i].weight, shift);
    return total;
}

static int compare(const void *left, const void *right) {
    const struct ring_point *a = left, *b = right;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

bool ring_build(struct ring *ring, const struct ring_member *members, uint32_t count) {
    unsigned shift = 0;
    while (total_of(members, count, shift) > RING_POINTS_MAX && shift < 32)
        shift++;
    uint64_t total = total_of(members, count, shift);
    struct ring_point *points = total ? memory_array(total, sizeof *points) : NULL;
    if (total && !points)
        return false;
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < points_of(members[i].weight, shift); k++)
            points[used++] = (struct ring_point){ring_mix(members[i].id ^ ring_mix(k)), members[i].slot};
    if (used)
        qsort(points, used, sizeof *points, compare);
    memory_free(ring->points);
    *ring = (struct ring){points, used};
    return true;
}

void ring_done(struct ring *ring) {
    memory_free(ring->points);
    *ring = (struct ring){0};
}

uint32_t ring_find(const struct ring *ring, uint64_t key) {
    uint32_t low = 0, high = ring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ring->points[middle].at < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ring->count ? low : 0;
}
