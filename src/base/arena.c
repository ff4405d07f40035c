/* Many small allocations with one end. */
#include "base/arena.h"

#include "base/memory.h"

#define CHUNK_SIZE 8192
#define ALIGNMENT 16

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    _Alignas(ALIGNMENT) uint8_t data[];
};

void arena_init(struct arena *arena, size_t max) {
    *arena = (struct arena){.max = max};
}

void arena_done(struct arena *arena) {
    while (arena->chunks) {
        struct arena_chunk *next = arena->chunks->next;
        memory_free(arena->chunks);
        arena->chunks = next;
    }
    arena->used = 0;
}

void *arena_new(struct arena *arena, size_t size) {
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size == 0)
        size = ALIGNMENT;
    if (size > arena->max - arena->used)
        return NULL;
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t capacity = size > CHUNK_SIZE / 2 ? size : CHUNK_SIZE;
        chunk = memory_new(sizeof *chunk + capacity);
        if (!chunk)
            return NULL;
        chunk->size = capacity;
        if (arena->chunks && capacity == size) { /* a big one goes behind, so that the open chunk stays open */
            chunk->next = arena->chunks->next;
            arena->chunks->next = chunk;
        } else {
            chunk->next = arena->chunks;
            arena->chunks = chunk;
        }
    }
    void *at = chunk->data + chunk->used;
    chunk->used += size;
    arena->used += size;
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_new(arena, total);
}

struct slice arena_copy(struct arena *arena, struct slice bytes) {
    uint8_t *copy = arena_new(arena, bytes.size + 1);
    if (!copy)
        return slice_make(NULL, 0);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return slice_make(copy, bytes.size);
}
