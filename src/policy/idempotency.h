/* Requests that say who they are (`Idempotency-Key`): which run, which have run, and with what answer. The key of each is
 * its own sender's: `scope` is who that is. Nothing of it looks at a clock or at the world. */
#ifndef POLICY_IDEMPOTENCY_H
#define POLICY_IDEMPOTENCY_H

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

#define IDEMPOTENCY_KEEP_NS (24 * 3600 * NS_PER_S) /* from its beginning, and again from its answer on */
#define IDEMPOTENCY_ENTRIES 10000                  /* of all scopes: then the oldest that has its answer goes */
#define IDEMPOTENCY_SCOPE_ENTRIES 2500             /* of one scope: then the oldest of its own goes */
#define IDEMPOTENCY_BYTES (16u << 20)              /* of answers: then the oldest goes */
#define IDEMPOTENCY_PRINT_SIZE 32
#define IDEMPOTENCY_KEY_MAX 255
#define IDEMPOTENCY_SCOPE_MAX 255

enum idempotency_verdict {
    IDEMPOTENCY_NEW,      /* it runs now, for that claim */
    IDEMPOTENCY_RUNNING,  /* the first with that key has no answer yet */
    IDEMPOTENCY_CONFLICT, /* the first with that key asked for something else */
    IDEMPOTENCY_AGAIN,    /* the answer of the first */
    IDEMPOTENCY_FULL,     /* too many run at once */
};

struct idempotency_scope {
    struct list done; /* the oldest first */
    uint32_t count;   /* running and done */
    uint8_t size;
    uint8_t name[IDEMPOTENCY_SCOPE_MAX];
};

struct idempotency_entry {
    struct list_node node;       /* running, or done: the oldest first */
    struct list_node scope_node; /* done: in its scope's */
    struct idempotency_scope *scope;
    struct mono until;
    uint64_t claim; /* whose it is while it runs */
    bool is_done;
    unsigned code;        /* of the answer; 0: nobody knows what became of it */
    uint8_t *answer;      /* own; NULL: empty */
    size_t answer_size;
    uint8_t print[IDEMPOTENCY_PRINT_SIZE];
    uint16_t name_size;
    uint8_t name[]; /* scope, a zero, key */
};

struct idempotency {
    struct map entries, scopes;
    struct list running, done;
    uint64_t bytes;   /* of answers */
    uint64_t evicted; /* done ones that went before their time */
};

void idempotency_init(struct idempotency *all, uint64_t seed);
void idempotency_done(struct idempotency *all);
uint64_t idempotency_memory(const struct idempotency *all);

/* `scope` and `key` within their maxima. `print` tells what is asked for. AGAIN: *ret is that entry, until the next call. */
enum idempotency_verdict idempotency_claim(struct idempotency *all, struct slice scope, struct slice key,
                                           const uint8_t print[static IDEMPOTENCY_PRINT_SIZE], uint64_t claim, struct mono now,
                                           const struct idempotency_entry **ret);
/* What `claim` runs has its answer, which is copied. Where that finds no memory nobody knows what became of it. */
void idempotency_settle(struct idempotency *all, struct slice scope, struct slice key, uint64_t claim, unsigned code,
                        struct slice answer, struct mono now);
/* It came to nothing: the next with that key is the first. */
void idempotency_release(struct idempotency *all, struct slice scope, struct slice key, uint64_t claim);

#endif
