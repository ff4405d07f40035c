/* The out chain of a connection. */
#include "base/chain.h"

#include "base/assert.h"
#include "base/memory.h"

void chain_pool_init(struct chain_pool *pool) {
    *pool = (struct chain_pool){0};
}

void chain_pool_done(struct chain_pool *pool) {
    while (pool->count)
        block_unref(pool->spare[--pool->count]);
    while (pool->first_count)
        block_unref(pool->first[--pool->first_count]);
    while (pool->ring_count)
        memory_free(pool->rings[--pool->ring_count].pieces);
}

static struct block *pool_take_first(struct chain_pool *pool) {
    return pool->first_count ? pool->first[--pool->first_count] : block_new(CHAIN_FIRST_SIZE, &pool->held);
}

static struct block *pool_take(struct chain_pool *pool, size_t size) {
    if (size <= CHAIN_BLOCK_SIZE) {
        if (pool->count)
            return pool->spare[--pool->count];
        size = CHAIN_BLOCK_SIZE;
    }
    return block_new(size, &pool->held);
}

static void pool_give(struct chain_pool *pool, struct block *block) {
    bool ours = block->refs == 1 && block->gauge == &pool->held;
    if (ours && block->size == CHAIN_FIRST_SIZE && pool->first_count < COUNT_OF(pool->first))
        pool->first[pool->first_count++] = block;
    else if (ours && block->size == CHAIN_BLOCK_SIZE && pool->count < COUNT_OF(pool->spare))
        pool->spare[pool->count++] = block;
    else
        block_unref(block);
}

void chain_init(struct chain *chain, struct chain_pool *pool, bool datagrams) {
    *chain = (struct chain){.pool = pool, .datagrams = datagrams};
}

static struct chain_piece *piece_at(const struct chain *chain, uint32_t index) {
    return &chain->pieces[(chain->first + index) & (chain->capacity - 1)];
}

/* What comes next starts a block of its own. */
static void close_piece(struct chain *chain) {
    chain->fill = NULL;
    chain->left = 0;
}

static void drop_first(struct chain *chain) {
    if (chain->count == 1)
        close_piece(chain);
    pool_give(chain->pool, piece_at(chain, 0)->block);
    chain->first = (chain->first + 1) & (chain->capacity - 1);
    chain->count--;
}

void chain_done(struct chain *chain) {
    while (chain->count)
        drop_first(chain);
    memory_free(chain->pieces);
    chain->pieces = NULL;
    chain->capacity = 0;
}

static bool make_room(struct chain *chain) {
    if (chain->count < chain->capacity)
        return true;
    struct chain_pool *pool = chain->pool;
    if (!chain->capacity && pool->ring_count) {
        struct chain_ring ring = pool->rings[--pool->ring_count];
        chain->pieces = ring.pieces;
        chain->capacity = ring.capacity;
        chain->first = 0;
        return true;
    }
    uint32_t capacity = chain->capacity ? chain->capacity * 2 : 4;
    struct chain_piece *pieces = memory_array(capacity, sizeof *pieces);
    if (!pieces)
        return false;
    for (uint32_t i = 0; i < chain->count; i++)
        pieces[i] = *piece_at(chain, i);
    memory_free(chain->pieces);
    chain->pieces = pieces;
    chain->first = 0;
    chain->capacity = capacity;
    return true;
}

static struct chain_piece *last_piece(const struct chain *chain) {
    return piece_at(chain, chain->count - 1);
}

/* Whether the last piece's block is ours alone to go on filling. */
static bool is_open(const struct chain *chain) {
    return chain->fill != NULL;
}

/* A piece that was reserved and never used. */
static void drop_unused(struct chain *chain) {
    if (!is_open(chain) || last_piece(chain)->size)
        return;
    struct block *block = last_piece(chain)->block;
    chain->count--;
    close_piece(chain);
    if (block->refs > 1)
        block_unref(block);
    else
        pool_give(chain->pool, block);
}

void chain_rest(struct chain *chain) {
    struct chain_pool *pool = chain->pool;
    if (chain->count)
        drop_unused(chain);
    if (chain->count || !chain->capacity)
        return;
    if (pool->ring_count < (chain->capacity <= CHAIN_RING_SMALL ? CHAIN_RINGS : CHAIN_RINGS / 16) &&
        chain->capacity <= CHAIN_RING_MAX)
        pool->rings[pool->ring_count++] = (struct chain_ring){chain->pieces, chain->capacity};
    else
        memory_free(chain->pieces);
    chain->pieces = NULL;
    chain->capacity = 0;
}

/* Datagrams: each is a piece, though they share blocks. */
static uint8_t *next_datagram(struct chain *chain) {
    struct chain_piece *last = last_piece(chain);
    if (last->size) {
        struct block *block = block_ref(last->block);
        *piece_at(chain, chain->count++) = (struct chain_piece){.block = block, .at = (uint32_t)(chain->fill - block->data)};
    }
    return chain->fill;
}

uint8_t *chain_reserve_slowly(struct chain *chain, size_t count) {
    if (is_open(chain) && count <= chain->left && (!chain->datagrams || make_room(chain)))
        return chain->datagrams ? next_datagram(chain) : chain->fill;
    drop_unused(chain);
    if (count > UINT32_MAX / 2 || !make_room(chain))
        return NULL;
    bool is_first = chain->count == 0 && chain->pool->count == 0 && count <= CHAIN_FIRST_USE && !chain->datagrams;
    struct block *block = is_first ? pool_take_first(chain->pool) : pool_take(chain->pool, count);
    if (!block)
        return NULL;
    *piece_at(chain, chain->count++) = (struct chain_piece){.block = block};
    chain->fill = block->data;
    chain->left = (uint32_t)block->size;
    return block->data;
}

void chain_commit(struct chain *chain, size_t size) {
    ASSERT(chain->count > 0 && size <= chain->left);
    if (chain->datagrams && size == 0) { /* an unused reservation must not become an empty datagram */
        drop_unused(chain);
        return;
    }
    last_piece(chain)->size += (uint32_t)size;
    chain->fill += size;
    chain->left -= (uint32_t)size;
    chain->added += size;
}

void chain_commit_to(struct chain *chain, size_t size, const struct address *to) {
    ASSERT(chain->datagrams && chain->count > 0);
    piece_at(chain, chain->count - 1)->to = *to;
    chain_commit(chain, size);
}

bool chain_add(struct chain *chain, struct slice bytes) {
    if (bytes.size == 0)
        return true;
    uint8_t *at = chain_reserve(chain, bytes.size);
    if (!at)
        return false;
    memcpy(at, bytes.data, bytes.size);
    chain_commit(chain, bytes.size);
    return true;
}

bool chain_add_block(struct chain *chain, struct block *block, struct slice bytes) {
    ASSERT(bytes.data >= block->data && bytes.data + bytes.size <= block->data + block->size);
    drop_unused(chain);
    if (!make_room(chain))
        return false;
    close_piece(chain);
    *piece_at(chain, chain->count++) = (struct chain_piece){
        .block = block_ref(block), .at = (uint32_t)(bytes.data - block->data), .size = (uint32_t)bytes.size};
    chain->added += bytes.size;
    return true;
}

int chain_vectors(const struct chain *chain, struct iovec *out, int max) {
    int count = 0;
    for (uint32_t i = 0; i < chain->count && count < max; i++) {
        const struct chain_piece *piece = piece_at(chain, i);
        if (piece->size)
            out[count++] = (struct iovec){piece->block->data + piece->at, piece->size};
    }
    return count;
}

struct slice chain_from(const struct chain *chain, uint64_t from, uint8_t *scratch, size_t max) {
    uint64_t start = chain->written;
    size_t size = 0;
    ASSERT(from >= start);
    for (uint32_t i = 0; i < chain->count && size < max; i++) {
        const struct chain_piece *piece = piece_at(chain, i);
        uint64_t end = start + piece->size;
        if (end > from + size) {
            size_t skip = (size_t)(from + size - start), left = piece->size - skip;
            const uint8_t *at = piece->block->data + piece->at + skip;
            if (size == 0 && (left >= max || end == chain->added))
                return slice_make(at, left < max ? left : max);
            left = left < max - size ? left : max - size;
            memcpy(scratch + size, at, left);
            size += left;
        }
        start = end;
    }
    return slice_make(scratch, size);
}

const struct chain_piece *chain_piece(const struct chain *chain, uint32_t index) {
    return index < chain->count ? piece_at(chain, index) : NULL;
}

void chain_written(struct chain *chain, uint64_t size) {
    ASSERT(size <= chain_unsent(chain));
    chain->written += size;
    while (chain->count) {
        struct chain_piece *piece = piece_at(chain, 0);
        if (piece->size > size) {
            piece->at += (uint32_t)size;
            piece->size -= (uint32_t)size;
            return;
        }
        size -= piece->size;
        drop_first(chain);
    }
}

void chain_written_pieces(struct chain *chain, uint32_t count) {
    ASSERT(count <= chain->count);
    while (count--) {
        chain->written += piece_at(chain, 0)->size;
        drop_first(chain);
    }
}

struct slice chain_find(const struct chain *chain, uint64_t from, uint64_t to) {
    uint64_t end = chain->written;
    for (uint32_t i = 0; i < chain->count; i++) {
        const struct chain_piece *piece = piece_at(chain, i);
        uint64_t start = end;
        end += piece->size;
        if (to > end || to <= start)
            continue;
        uint64_t back = end - from; /* may reach before what is unsent: those bytes still stand in the block */
        uint64_t piece_end = (uint64_t)piece->at + piece->size;
        if (from < to && back <= piece_end)
            return slice_make(piece->block->data + (piece_end - back), (size_t)(to - from));
        break;
    }
    return slice_make(NULL, 0);
}
