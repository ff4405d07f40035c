/* Consistent hashing: each slot has points on a ring, a key belongs to the first point after it. Points come from the
 * slot's own id, so a slot that comes or goes moves only its share of the keys, and all who know the same ids agree. */
#ifndef POLICY_RING_H
#define POLICY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_POINTS_EACH 160u /* of a slot of weight 1: their shares differ by some 8 % */
#define RING_POINTS_MAX (1u << 18) /* in all; past that each has fewer */

struct ring_member {
    uint64_t id;
    uint32_t slot;
    uint32_t weight;
};

struct ring_point {
    uint64_t at;
    uint32_t slot;
};

struct ring {
    struct ring_point *points; /* ascending */
    uint32_t count;
};

/* Replaces what was there; O(n log n). False when memory is out: the old one stays. */
bool ring_build(struct ring *ring, const struct ring_member *members, uint32_t count);
void ring_done(struct ring *ring);
/* Index of the key's point; the next owners follow it, round the end. Only when count > 0. O(log n). */
uint32_t ring_find(const struct ring *ring, uint64_t key);
/* Spreads numbers that may be alike over all 64 bits. */
uint64_t ring_mix(uint64_t number);

#endif
