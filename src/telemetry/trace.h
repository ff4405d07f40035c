/* What happened to single messages, kept for a while: a ring of small records in memory, the oldest overwritten. It grows
 * to its size as it is written to, chunk by chunk. One thread. Pure: times are told. */
#ifndef TELEMETRY_TRACE_H
#define TELEMETRY_TRACE_H

#include "base/clock.h"
#include "base/list.h"
#include "base/slice.h"

#define TRACE_CHUNK 8192u     /* bytes; of these whole records are overwritten at once */
#define TRACE_CHUNKS_LEAST 2u /* of a ring that is on */
#define TRACE_TEXTS 6u
#define TRACE_TEXT_MAX 160u /* of each; longer ones are cut */

enum trace_step {
    TRACE_RECEIVED, /* texts: event id, type, source, where it came in, peer (a struct address), receipt (16 bytes).
                     * small: kind, priority, is late; size: of its data; number: wall time */
    TRACE_ALLOWED,  /* texts: sending system, identity. small: priority */
    TRACE_ROUTED,   /* texts: system, route. small: priority, is a subscription; size: messages before it in its lane */
    TRACE_WAITS,    /* texts: system that has no room; its sender isn't told yet */
    TRACE_QUEUED,   /* texts: system. size: messages before it in its lane */
    TRACE_HANDED,   /* texts: system. size: the worker that gets it */
    TRACE_SENT,     /* texts: SYSTEM/ENDPOINT or system, protocol. small: attempt; size: bytes written for it */
    TRACE_FAILED,   /* texts: endpoint, what it said. status; small: attempt, enum retry_fate, enum retry_why; size: code,
                     * number: time until the next attempt, -1: there is none */
    TRACE_ANSWERED, /* texts: system, type. size: of its data */
    TRACE_ENDED,    /* texts: system, detail. status; small: attempt, enum engine_ending; size: the code that its sender
                     * was told, number: duration */
    TRACE_STEPS
};
const char *trace_step_name(enum trace_step step);

struct trace_record {
    struct mono at;
    uint64_t trace; /* whose */
    uint64_t number;
    uint32_t size;
    uint16_t status;
    uint8_t step;
    uint8_t small[3];
    struct slice texts[TRACE_TEXTS]; /* as read: borrowed until the ring is written to */
};

struct trace_chunk {
    struct list_node node;
    uint32_t used;
    uint32_t count;
    uint8_t bytes[TRACE_CHUNK];
};

struct trace_ring {
    struct list chunks; /* the oldest first; the last is being filled */
    uint32_t chunks_max; /* 0: nothing is kept */
    uint64_t added, lost; /* records since the start; no memory for them */
    uint64_t kept;        /* gauge */
};

void trace_ring_init(struct trace_ring *ring);
void trace_ring_done(struct trace_ring *ring);
/* `bytes` at most, but two chunks at least; 0: nothing is kept. What has no room any more goes, the oldest first. */
void trace_ring_resize(struct trace_ring *ring, uint64_t bytes);
void trace_ring_add(struct trace_ring *ring, const struct trace_record *record);
uint64_t trace_ring_memory(const struct trace_ring *ring);

/* Reading, the oldest first. Begin with a zeroed cursor; the ring isn't written to meanwhile. */
struct trace_cursor {
    struct list_node *chunk;
    uint32_t at;
    bool has_begun;
};
bool trace_ring_next(const struct trace_ring *ring, struct trace_cursor *cursor, struct trace_record *ret);

#endif
