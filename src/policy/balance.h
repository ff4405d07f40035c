/* Which taker gets the next message: among those that are on, each by its weight. Takers are numbered slots; their owner
 * says what may be sent where (`balance_set`), what was sent and what became of it. Each call takes O(log n), but that a
 * slot comes, goes or changes its weight costs the hash a new ring at the next pick. */
#ifndef POLICY_BALANCE_H
#define POLICY_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "policy/chance.h"
#include "policy/heap.h"
#include "policy/latency.h"
#include "policy/ring.h"

enum balance_by {
    BALANCE_ROUND_ROBIN, /* smooth: 3 and 1 give a a b a, never a a a b */
    BALANCE_LEAST_REQUEST, /* who has the least under way */
    BALANCE_P2C, /* of two at random, who has less under way */
    BALANCE_EWMA, /* of two at random, who will probably be through first */
    BALANCE_HASH, /* the key's, unless that one has more than its share by a quarter */
    BALANCE_RANDOM,
};

#define BALANCE_NONE UINT32_MAX
#define BALANCE_AVOID_MAX 8u /* more are not looked at */
#define BALANCE_WEIGHT_ONE 1000u /* weight 1: so a slow start may give less */
#define BALANCE_WEIGHT_MAX 1000u /* that may be asked for, in ones */
#define BALANCE_BOUND_PERCENT \
    125u /* of its share: more than that under way, and the hash goes on to the next */

struct balance_place {
    uint64_t id; /* its own, the same wherever it is known: what the hash goes by */
    uint32_t weight; /* as asked for, times BALANCE_WEIGHT_ONE; what the ring is made of */
    uint32_t ramp; /* permille of that which it gets now */
    uint32_t capacity; /* messages it can have under way; 0: not known */
    bool is_used; /* the slot is somebody's */
    bool is_active; /* may be sent to: up, not ejected, of a tier that serves */
    bool is_ready; /* and has room */
    bool is_local; /* of our zone */
};

struct balance_slot {
    struct balance_place place;
    struct latency latency;
    uint32_t in_flight;
    uint64_t
        turn; /* round robin: its virtual deadline when it was last on; least request: when it was last sent to */
};

/* Those that one pick chooses from. */
struct balance_group {
    struct heap heap; /* round robin, least request */
    struct chance chance; /* all others */
    uint64_t weight; /* of those that are on */
    uint64_t in_flight; /* theirs */
    uint32_t count; /* of those */
    uint64_t now; /* round robin: virtual time */
};

struct balance {
    enum balance_by by;
    uint32_t spill_permille; /* 0: zones mean nothing */
    struct balance_slot *slots;
    uint32_t capacity;
    struct balance_group all, local;
    uint64_t local_in_flight, local_capacity; /* of the active local ones, ready or not */
    struct ring ring;
    bool ring_is_old;
    uint64_t turns; /* sent so far */
    struct rng rng;
};

void balance_init(struct balance *balance, enum balance_by by, uint32_t spill_permille, uint64_t seed);
void balance_done(struct balance *balance);
/* Before slots below `count` are set. False when memory is out: nothing has changed. */
bool balance_reserve(struct balance *balance, uint32_t count);
void balance_set(struct balance *balance, uint32_t slot, struct balance_place place, struct mono now);
static inline bool balance_is_ready(const struct balance *balance) {
    return balance->all.count > 0;
}
/* BALANCE_NONE only when none is on. `avoid`: slots that are taken only when there is no other; BALANCE_NONE in it means
 * nothing. `key` is the hash's. */
uint32_t balance_pick(struct balance *balance, uint64_t key, const uint32_t *avoid, unsigned avoid_count,
                      struct mono now);
void balance_sent(struct balance *balance, uint32_t slot);
void balance_landed(struct balance *balance, uint32_t slot, uint32_t count);
/* It answered after so long; -1: it failed, or has too much. */
void balance_heard(struct balance *balance, uint32_t slot, int64_t latency_ns, struct mono now);

#endif
