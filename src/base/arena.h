/* Many small allocations with one end: config, one parse. Bounded. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks;
    size_t used;
    size_t max;
};

void arena_init(struct arena *arena, size_t max);
void arena_done(struct arena *arena);
/* Zeroed, aligned for anything; NULL past `max` or when memory is out. */
void *arena_new(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t count, size_t size);
/* A copy with NUL after it (not counted in the slice's size); data NULL on failure. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

#endif
