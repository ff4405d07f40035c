/* What a connection has yet to write: a chain of pieces in blocks. Small writes share a block; a message never straddles
 * two, so that one that was not written whole can be found again. Belongs to one thread. */
#ifndef BASE_CHAIN_H
#define BASE_CHAIN_H

#include <sys/uio.h>

#include "base/address.h"
#include "base/block.h"
#include "base/buffer.h"

#define CHAIN_RINGS 256
#define CHAIN_RING_SMALL 8 /* pieces: rings of so many fill the pool, larger ones the first sixteenth of it */
#define CHAIN_RING_MAX 256 /* pieces of a ring that the pool keeps */
#define CHAIN_BLOCK_SIZE 16384 /* smaller writes share blocks of this size */
#define CHAIN_FIRST_SIZE 2048  /* the first of a chain when no other is spare: many connections write one answer a turn */
#define CHAIN_FIRST_USE 1024   /* what is larger doesn't begin with a small one */

/* Spare blocks of one worker, so that a busy connection doesn't ask the heap each turn. */
struct chain_pool {
    struct block *spare[64];
    unsigned count;
    struct block *first[256]; /* of CHAIN_FIRST_SIZE */
    unsigned first_count;
    struct chain_ring { /* of chains that are empty */
        struct chain_piece *pieces;
        uint32_t capacity;
    } rings[CHAIN_RINGS];
    unsigned ring_count;
    uint64_t held; /* bytes in blocks of this pool, spare ones included */
};

void chain_pool_init(struct chain_pool *pool);
void chain_pool_done(struct chain_pool *pool);

struct chain_piece {
    struct block *block;
    uint32_t at;
    uint32_t size;
    struct address to; /* datagrams: where to; family 0: the connected peer */
};

struct chain {
    struct chain_pool *pool;
    struct chain_piece *pieces; /* ring */
    uint32_t first;
    uint32_t count;
    uint32_t capacity; /* power of two */
    bool datagrams;    /* pieces never merge: each is one datagram */
    uint32_t left;     /* room in the last piece's block, which is ours alone to go on filling; 0: none, or it isn't */
    uint8_t *fill;     /* where that room begins */
    uint64_t added;    /* bytes ever added */
    uint64_t written;  /* bytes ever written (or dropped); added - written = unsent */
};

void chain_init(struct chain *chain, struct chain_pool *pool, bool datagrams);
void chain_done(struct chain *chain);
/* It will be empty for a while: its ring goes to the pool. Does nothing when it isn't empty. */
void chain_rest(struct chain *chain);
static inline uint64_t chain_unsent(const struct chain *chain) {
    return chain->added - chain->written;
}
/* `count` contiguous bytes to fill; NULL when memory is out. chain_commit() then adds the first `size` of them. */
uint8_t *chain_reserve_slowly(struct chain *chain, size_t count);
void chain_commit(struct chain *chain, size_t size);
static inline uint8_t *chain_reserve(struct chain *chain, size_t count) {
    return count <= chain->left && !chain->datagrams ? chain->fill : chain_reserve_slowly(chain, count);
}
/* As a datagram to `to`. */
void chain_commit_to(struct chain *chain, size_t size, const struct address *to);
/* Copies. False when memory is out, nothing is added then. */
bool chain_add(struct chain *chain, struct slice bytes);
/* Refers to bytes of `block` (one reference is taken). */
bool chain_add_block(struct chain *chain, struct block *block, struct slice bytes);
/* The first pieces as vectors for writev; returns how many of at most `max`. Datagrams: one vector each. */
int chain_vectors(const struct chain *chain, struct iovec *out, int max);
const struct chain_piece *chain_piece(const struct chain *chain, uint32_t index); /* NULL past the end */
/* Bytes from absolute offset `from` on (as `added` counted them; not yet written): what of them is contiguous, at most
 * `max`, or, where that is less than there is, as many as fit copied into `scratch` of `max` bytes. Empty at the end. */
struct slice chain_from(const struct chain *chain, uint64_t from, uint8_t *scratch, size_t max);
/* The first `size` bytes are gone. */
void chain_written(struct chain *chain, uint64_t size);
/* Datagrams: the first `count` pieces are gone. */
void chain_written_pieces(struct chain *chain, uint32_t count);
/* The bytes from absolute offset `from` to `to` (as `added` counted them), contiguous because they were added at once.
 * They are still there if their block has any unsent byte; data NULL otherwise. */
struct slice chain_find(const struct chain *chain, uint64_t from, uint64_t to);

#endif
