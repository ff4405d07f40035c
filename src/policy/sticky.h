/* Who stays with whom: a bounded table from a session's key to the id of the taker that it had last. Full, it forgets
 * whoever was silent longest. */
#ifndef POLICY_STICKY_H
#define POLICY_STICKY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define STICKY_MAX 65536 /* sessions of one table */

struct sticky_entry {
    uint64_t key;
    uint64_t id;
    struct mono until;
    uint32_t next; /* in its bucket: index + 1 */
    uint32_t older, newer; /* by last use: index + 1 */
};

struct sticky {
    struct sticky_entry *entries;
    uint32_t *buckets; /* index + 1 */
    uint32_t count, capacity; /* a power of two */
    uint32_t oldest, newest;
    uint64_t forgotten; /* before their time: the table was full */
};

/* Zeroed is empty. */
void sticky_done(struct sticky *sticky);
/* The id, 0: none (any more). */
uint64_t sticky_get(const struct sticky *sticky, uint64_t key, struct mono now);
/* From now on, or still, it is `id` for so long. False when memory is out: nobody stays. */
bool sticky_put(struct sticky *sticky, uint64_t key, uint64_t id, struct mono now, int64_t stay_ns);

#endif
