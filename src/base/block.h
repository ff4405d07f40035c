/* Counted memory for message bytes. Counts are plain integers: a block belongs to one thread. */
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#include <stdint.h>

#include "base/slice.h"

struct block {
    uint32_t refs;
    uint32_t size; /* usable bytes */
    uint64_t *gauge; /* bytes held by blocks of the same owner, or NULL */
    _Alignas(16) uint8_t data[];
};

/* One reference, content undefined. `gauge` (may be NULL) must outlive the block; it holds the bytes of living
 * blocks. NULL when memory is out. */
struct block *block_new(size_t size, uint64_t *gauge);
static inline struct block *block_ref(struct block *block) {
    block->refs++;
    return block;
}
/* NULL is fine. */
void block_unref(struct block *block);

#endif
