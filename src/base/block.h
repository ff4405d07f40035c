/* Counted memory for message bytes. Counts are plain integers: a block belongs to one thread. */
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#include <stdint.h>

#include "base/slice.h"

struct block {
    uint32_t refs : 24;
    uint32_t class : 8; /* of its owner's pool; 0: none */
    uint32_t size;      /* usable bytes */
    uint64_t *gauge; /* bytes held by blocks of the same owner, or NULL */
    _Alignas(16) uint8_t data[];
};

/* One reference, content undefined. `gauge` (may be NULL) must outlive the block; it holds the bytes of living
 * blocks. NULL when memory is out. */
struct block *block_new(size_t size, uint64_t *gauge);

/* Spare small blocks of one owner: what comes and goes with each message needn't ask the heap. */
#define BLOCK_CLASSES 8 /* multiples of 256 bytes */
struct block_pool {
    uint64_t held; /* bytes in living blocks, spare ones not included */
    struct block *spare[BLOCK_CLASSES];
    uint32_t spare_count[BLOCK_CLASSES];
};

void block_pool_init(struct block_pool *pool);
/* Frees what is spare; blocks that live on must be gone before. */
void block_pool_done(struct block_pool *pool);
/* As block_new(), counted by the pool. */
struct block *block_take(struct block_pool *pool, size_t size);

static inline struct block *block_ref(struct block *block) {
    block->refs++;
    return block;
}
/* NULL is fine. */
void block_unref(struct block *block);

#endif
