/* Which messages were taken already, by a print of what makes them one. Who brings one claims it before it is taken, so of
 * two that come at once one waits or goes; a claim ends accepted, and is remembered for its window, or released, as if it
 * had never come. Nothing of it looks at a clock or at the world. */
#ifndef POLICY_DEDUPE_H
#define POLICY_DEDUPE_H

#include "base/clock.h"
#include "base/slice.h"

#define DEDUPE_ENTRIES (1u << 18) /* then the one that would be forgotten first goes */
#define DEDUPE_PRINT_SIZE 16
#define DEDUPE_RECEIPT_SIZE 16
#define DEDUPE_PARTS_MAX 9 /* `dedupe.by`, and the target */
#define DEDUPE_CHUNK 1024 /* entries that are allocated together */
#define DEDUPE_CLASSES 48

struct dedupe_key {
    uint8_t bytes[16]; /* secret, and of all workers the same */
};

struct dedupe_print {
    uint8_t bytes[DEDUPE_PRINT_SIZE];
};

struct dedupe_entry {
    struct dedupe_print print;
    uint8_t receipt[DEDUPE_RECEIPT_SIZE]; /* of the first; zeros: it had none */
    int64_t ns; /* accepted: until when it is remembered; else its window */
    uint64_t claim; /* whose it is while that isn't decided; 0: it was accepted */
    uint32_t next; /* in its bucket, or among the free ones; index + 1 */
    uint32_t newer, older;
    uint8_t class;
};

/* Accepted ones stand in a list for each power of two of their windows, the oldest first: none outstays its window by more
 * than that again, and what counts is looked at exactly. */
struct dedupe {
    struct dedupe_entry *chunks[DEDUPE_ENTRIES / DEDUPE_CHUNK];
    uint32_t *buckets; /* NULL while nothing is remembered */
    uint32_t chunk_count;
    uint32_t free; /* index + 1 */
    uint32_t count, open;
    uint64_t classes; /* bits of those with entries */
    uint32_t oldest[DEDUPE_CLASSES], newest[DEDUPE_CLASSES];
    uint64_t evicted; /* accepted ones that were forgotten before their time */
};

enum dedupe_verdict {
    DEDUPE_NEW, /* it is theirs now, by that claim */
    DEDUPE_OPEN, /* the first isn't decided */
    DEDUPE_AGAIN, /* the first was accepted, and that is remembered */
    DEDUPE_FULL, /* too many aren't decided, or memory is out */
};

void dedupe_init(struct dedupe *all);
void dedupe_done(struct dedupe *all);
uint64_t dedupe_memory(const struct dedupe *all);

/* At most DEDUPE_PARTS_MAX; no two lists of parts have one print, but by a chance of 1 in 2^128 (SipHash-2-4). */
struct dedupe_print dedupe_print(const struct dedupe_key *key, const struct slice *parts, size_t count);

/* `claim` is not 0. AGAIN: *ret_receipt is that of the first, until the next call. `receipt` may be NULL. */
enum dedupe_verdict dedupe_claim(struct dedupe *all, const struct dedupe_print *print, uint64_t claim,
                                 int64_t window_ns, const uint8_t *receipt, struct mono now,
                                 const uint8_t **ret_receipt);
void dedupe_accept(struct dedupe *all, const struct dedupe_print *print, uint64_t claim, struct mono now);
void dedupe_release(struct dedupe *all, const struct dedupe_print *print, uint64_t claim);

#endif
