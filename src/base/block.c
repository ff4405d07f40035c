/* Counted memory for message bytes. */
#include "base/block.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/memory.h"

#define CLASS_SIZE 256
#define SPARE_MAX 512 /* of each class */

#define POOLED_MAX (BLOCK_CLASSES * CLASS_SIZE)

/* Spare blocks are nobody's: an address sanitizer shall cry when they are touched. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define HIDE(at, size) ASAN_POISON_MEMORY_REGION(at, size)
#define SHOW(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
#else
#define HIDE(at, size) ((void)(at), (void)(size))
#define SHOW(at, size) ((void)(at), (void)(size))
#endif

struct block *block_new(size_t size, uint64_t *gauge) {
    ASSERT(size <= UINT32_MAX - sizeof(struct block));
    struct block *block = memory_alloc(sizeof *block + size);
    if (!block)
        return NULL;
    block->refs = 1;
    block->class = 0;
    block->size = (uint32_t)size;
    block->gauge = gauge;
    if (gauge)
        *gauge += size;
    return block;
}

/* -- pools -- */

/* Spare ones are linked by their gauge, which nobody reads. */
static struct block *next_spare(const struct block *block) {
    return (struct block *)(void *)block->gauge;
}

void block_pool_init(struct block_pool *pool) {
    *pool = (struct block_pool){0};
}

void block_pool_done(struct block_pool *pool) {
    for (size_t i = 0; i < BLOCK_CLASSES; i++)
        while (pool->spare[i]) {
            struct block *block = pool->spare[i];
            pool->spare[i] = next_spare(block);
            SHOW(block->data, (i + 1) * CLASS_SIZE);
            memory_free(block);
        }
    *pool = (struct block_pool){.held = pool->held};
}

struct block *block_take(struct block_pool *pool, size_t size) {
    size_t class = (size + CLASS_SIZE - 1) / CLASS_SIZE;
    if (size == 0 || size > POOLED_MAX)
        return block_new(size, &pool->held);
    struct block *block = pool->spare[class - 1];
    if (block) {
        pool->spare[class - 1] = next_spare(block);
        pool->spare_count[class - 1]--;
        SHOW(block->data, class * CLASS_SIZE);
    } else if (!(block = memory_alloc(sizeof *block + class * CLASS_SIZE))) {
        return NULL;
    }
    *block = (struct block){.refs = 1, .class = (uint8_t)class, .size = (uint32_t)size, .gauge = &pool->held};
    pool->held += size;
    return block;
}

/* True: it is spare now. */
static bool give_back(struct block *block) {
    if (block->class == 0)
        return false;
    struct block_pool *pool = (struct block_pool *)(void *)((char *)block->gauge - offsetof(struct block_pool, held));
    size_t class = block->class - 1u;
    if (pool->spare_count[class] == SPARE_MAX)
        return false;
    block->gauge = (uint64_t *)(void *)pool->spare[class];
    pool->spare[class] = block;
    pool->spare_count[class]++;
    HIDE(block->data, (class + 1) * CLASS_SIZE);
    return true;
}

void block_unref(struct block *block) {
    if (!block)
        return;
    ASSERT(block->refs > 0);
    if (--block->refs > 0)
        return;
    if (block->gauge)
        *block->gauge -= block->size;
    if (!give_back(block))
        memory_free(block);
}
