/* Counted memory for message bytes. */
#include "base/block.h"

#include "base/assert.h"
#include "base/memory.h"

struct block *block_new(size_t size, uint64_t *gauge) {
    ASSERT(size <= UINT32_MAX - sizeof(struct block));
    struct block *block = memory_alloc(sizeof *block + size);
    if (!block)
        return NULL;
    block->refs = 1;
    block->size = (uint32_t)size;
    block->gauge = gauge;
    if (gauge)
        *gauge += size;
    return block;
}

void block_unref(struct block *block) {
    if (!block)
        return;
    ASSERT(block->refs > 0);
    if (--block->refs > 0)
        return;
    if (block->gauge)
        *block->gauge -= block->size;
    memory_free(block);
}
