/* Hash map from bytes to a pointer, seeded so that remote keys can't pile up. Keys are borrowed from the values. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct map_slot {
    uint64_t hash; /* 0: never used */
    struct slice key;
    void *value; /* NULL: was removed */
};

struct map {
    struct map_slot *slots;
    size_t capacity; /* power of two, or 0 */
    size_t count;
    size_t used; /* count and removed ones */
    uint64_t seed;
};

void map_init(struct map *map, uint64_t seed);
void map_done(struct map *map);
/* NULL when absent. */
void *map_get(const struct map *map, struct slice key);
/* Adds or replaces. The key's bytes must live as long as the entry. False when memory is out (map unchanged). */
bool map_put(struct map *map, struct slice key, void *value);
/* The removed value, or NULL. */
void *map_remove(struct map *map, struct slice key);
/* Walks all entries in no promised order: start with *position = 0; NULL at the end. */
void *map_next(const struct map *map, size_t *position);

uint64_t map_hash(struct slice key, uint64_t seed);

#endif
