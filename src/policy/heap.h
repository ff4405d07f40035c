/* Numbered slots in the order of a key: which has the least? All but `heap_reserve` take O(log n) and no memory. */
#ifndef POLICY_HEAP_H
#define POLICY_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_entry {
    uint64_t key;
    uint64_t tie; /* decides between equal keys; equal too: the lower slot */
    uint32_t slot;
};

struct heap {
    struct heap_entry *entries;
    uint32_t *places; /* by slot: index in `entries` + 1; 0: not in it */
    uint32_t count;
    uint32_t capacity; /* slots 0 .. capacity - 1 */
};

/* Zeroed is empty. False when memory is out: nothing has changed. */
bool heap_reserve(struct heap *heap, uint32_t slots);
void heap_done(struct heap *heap);
/* Adds or moves. */
void heap_set(struct heap *heap, uint32_t slot, uint64_t key, uint64_t tie);
void heap_remove(struct heap *heap, uint32_t slot); /* fine when it isn't in it */
/* NULL when empty. Valid until the next change. */
const struct heap_entry *heap_first(const struct heap *heap);
const struct heap_entry *heap_get(const struct heap *heap, uint32_t slot); /* NULL: not in it */

#endif
