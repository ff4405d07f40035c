/* A ring of records of their own lengths. No record spans two chunks, so the oldest go a chunk at a time and nothing has
 * to be found out about what is left. */
#include "telemetry/trace.h"

#include <string.h>

#include "base/memory.h"

/* As it stands in a chunk; its texts follow. */
struct entry {
    int64_t at;
    uint64_t trace;
    uint64_t number;
    uint32_t size;
    uint16_t status;
    uint8_t step;
    uint8_t small[3];
    uint8_t sizes[TRACE_TEXTS];
};
_Static_assert(sizeof(struct entry) == 40, "no padding but what is written down");
_Static_assert(sizeof(struct entry) + TRACE_TEXTS * TRACE_TEXT_MAX <= TRACE_CHUNK, "any record fits a chunk");
_Static_assert(TRACE_TEXT_MAX <= UINT8_MAX, "its size is a byte");

const char *trace_step_name(enum trace_step step) {
    static const char *const names[TRACE_STEPS] = {"received", "allowed", "routed", "waits",    "queued",
                                                   "handed",   "sent",    "failed", "answered", "ended"};
    return names[step];
}

void trace_ring_init(struct trace_ring *ring) {
    *ring = (struct trace_ring){.chunks_max = 0};
    list_init(&ring->chunks);
}

static void drop_first(struct trace_ring *ring) {
    struct trace_chunk *chunk = LIST_ENTRY(list_take_first(&ring->chunks), struct trace_chunk, node);
    ring->kept -= chunk->count;
    memory_free(chunk);
}

void trace_ring_done(struct trace_ring *ring) {
    while (ring->chunks.count)
        drop_first(ring);
}

void trace_ring_resize(struct trace_ring *ring, uint64_t bytes) {
    uint64_t chunks = bytes / sizeof(struct trace_chunk);
    if (bytes && chunks < TRACE_CHUNKS_LEAST)
        chunks = TRACE_CHUNKS_LEAST;
    ring->chunks_max = chunks > UINT32_MAX ? UINT32_MAX : (uint32_t)chunks;
    while (ring->chunks.count > ring->chunks_max)
        drop_first(ring);
}

/* A new chunk, or the oldest again; NULL: there is no memory for the first. */
static struct trace_chunk *next_chunk(struct trace_ring *ring) {
    struct trace_chunk *chunk = ring->chunks.count < ring->chunks_max ? memory_alloc(sizeof *chunk) : NULL;
    if (!chunk) {
        struct list_node *oldest = list_take_first(&ring->chunks);
        if (!oldest)
            return NULL;
        chunk = LIST_ENTRY(oldest, struct trace_chunk, node);
        ring->kept -= chunk->count;
    }
    chunk->used = chunk->count = 0;
    chunk->node = (struct list_node){NULL, NULL};
    list_add(&ring->chunks, &chunk->node);
    return chunk;
}

void trace_ring_add(struct trace_ring *ring, const struct trace_record *record) {
    struct entry entry = {record->at.ns, record->trace, record->number, record->size, record->status, record->step,
                          {record->small[0], record->small[1], record->small[2]}, {0}};
    uint32_t size = sizeof entry;
    if (ring->chunks_max == 0)
        return;
    for (unsigned i = 0; i < TRACE_TEXTS; i++) {
        entry.sizes[i] = (uint8_t)(record->texts[i].size < TRACE_TEXT_MAX ? record->texts[i].size : TRACE_TEXT_MAX);
        size += entry.sizes[i];
    }
    struct trace_chunk *chunk =
        ring->chunks.count ? LIST_ENTRY(ring->chunks.head.previous, struct trace_chunk, node) : NULL;
    if (!chunk || size > TRACE_CHUNK - chunk->used)
        chunk = next_chunk(ring);
    ring->added++;
    if (!chunk) {
        ring->lost++;
        return;
    }
    uint8_t *at = chunk->bytes + chunk->used;
    memcpy(at, &entry, sizeof entry);
    at += sizeof entry;
    for (unsigned i = 0; i < TRACE_TEXTS; i++) {
        if (entry.sizes[i])
            memcpy(at, record->texts[i].data, entry.sizes[i]);
        at += entry.sizes[i];
    }
    chunk->used += size;
    chunk->count++;
    ring->kept++;
}

uint64_t trace_ring_memory(const struct trace_ring *ring) {
    return ring->chunks.count * sizeof(struct trace_chunk);
}

bool trace_ring_next(const struct trace_ring *ring, struct trace_cursor *cursor, struct trace_record *ret) {
    if (!cursor->has_begun)
        *cursor = (struct trace_cursor){.chunk = list_first(&ring->chunks), .has_begun = true};
    while (cursor->chunk) {
        const struct trace_chunk *chunk = LIST_ENTRY(cursor->chunk, struct trace_chunk, node);
        if (cursor->at < chunk->used) {
            struct entry entry;
            const uint8_t *at = chunk->bytes + cursor->at;
            memcpy(&entry, at, sizeof entry);
            at += sizeof entry;
            *ret = (struct trace_record){{entry.at}, entry.trace, entry.number, entry.size, entry.status, entry.step,
                                         {entry.small[0], entry.small[1], entry.small[2]}, {{0}}};
            for (unsigned i = 0; i < TRACE_TEXTS; i++) {
                ret->texts[i] = slice_make(at, entry.sizes[i]);
                at += entry.sizes[i];
            }
            cursor->at = (uint32_t)(at - chunk->bytes);
            return true;
        }
        cursor->chunk = list_next(&ring->chunks, cursor->chunk);
        cursor->at = 0;
    }
    return false;
}
