/* Envelopes that were taken, as long as they would be good again. */
#include "protocol/datagram/replays.h"

#include "base/map.h"
#include "base/memory.h"

#define CAPACITY_FIRST 256u
#define CAPACITY_MAX (2 * REPLAYS_MAX)
#define FULL_MS 1000 /* a full table is looked through that often */

void replays_init(struct replays *replays, uint64_t seed) {
    *replays = (struct replays){.seed = seed};
}

void replays_done(struct replays *replays) {
    memory_free(replays->slots);
    *replays = (struct replays){0};
}

/* Where it stands, or would. There always is a free slot. */
static struct replay *find(const struct replays *replays, uint32_t kid, uint64_t nonce) {
    uint64_t key[2] = {nonce, kid};
    uint64_t at = map_hash(slice_make(key, sizeof key), replays->seed);
    for (;; at++) {
        struct replay *slot = &replays->slots[at & (replays->capacity - 1)];
        if (slot->until_ms == 0 || (slot->nonce == nonce && slot->kid == kid))
            return slot;
    }
}

/* Into a table without those that are over; of double size if that isn't enough. */
static bool rebuild(struct replays *replays, int64_t now_ms) {
    uint32_t living = 0;
    for (uint32_t i = 0; i < replays->capacity; i++)
        living += replays->slots[i].until_ms > now_ms;
    struct replays next = {.seed = replays->seed,
                           .capacity = replays->capacity ? replays->capacity : CAPACITY_FIRST};
    /* A quarter is kept free, or a full table would be rebuilt for each. */
    if (living > next.capacity / 4 && next.capacity < CAPACITY_MAX)
        next.capacity *= 2;
    if (living >= next.capacity / 2 || !(next.slots = memory_array(next.capacity, sizeof *next.slots)))
        return false;
    for (uint32_t i = 0; i < replays->capacity; i++) {
        const struct replay *old = &replays->slots[i];
        if (old->until_ms > now_ms) {
            *find(&next, old->kid, old->nonce) = *old;
            next.count++;
        }
    }
    memory_free(replays->slots);
    *replays = next;
    return true;
}

enum replays_verdict replays_add(struct replays *replays, uint32_t kid, uint64_t nonce, int64_t until_ms,
                                 int64_t now_ms) {
    struct replay *slot = replays->capacity ? find(replays, kid, nonce) : NULL;
    if (slot && slot->until_ms > now_ms)
        return REPLAYS_KNOWN;
    if (slot && slot->until_ms > 0) { /* it is over: taken anew */
        slot->until_ms = until_ms;
        return REPLAYS_NEW;
    }
    if (replays->count >= replays->capacity / 2) {
        if (replays->full_until_ms > now_ms)
            return REPLAYS_FULL;
        if (!rebuild(replays, now_ms)) {
            replays->full_until_ms = now_ms + FULL_MS;
            return REPLAYS_FULL;
        }
        slot = find(replays, kid, nonce);
    }
    *slot = (struct replay){nonce, until_ms, kid};
    replays->count++;
    return REPLAYS_NEW;
}

bool replays_take(struct replays *replays, uint32_t kid, uint64_t nonce, int64_t now_ms) {
    struct replay *slot = replays->capacity ? find(replays, kid, nonce) : NULL;
    if (!slot || slot->until_ms <= now_ms)
        return false;
    slot->until_ms = 1; /* not free, or those behind it would not be found */
    return true;
}
