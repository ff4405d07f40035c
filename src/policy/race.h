/* Which address of a name to try next, and when (RFC 8305, "happy eyeballs"): families in turn, each a moment after the
 * one before or at once when that failed; the first that connects wins. Who dials carries it out. */
#ifndef POLICY_RACE_H
#define POLICY_RACE_H

#include "base/address.h"
#include "base/clock.h"
#include "base/status.h"

#define RACE_ADDRESSES_MAX 8
#define RACE_RUNNERS_MAX 3             /* attempts at once */
#define RACE_STAGGER_NS (250 * NS_PER_MS) /* RFC 8305 section 5: the recommended delay, no network is so slow that it pays to
                                           * know better */

struct race {
    struct address addresses[RACE_ADDRESSES_MAX]; /* in the order of their attempts */
    uint8_t count;
    uint8_t next;
    uint8_t running;
    struct mono next_at;
    enum status status; /* of the last attempt that failed */
};

/* The addresses as their resolver sorted them: the first one stays first, then families alternate (RFC 8305 section 4).
 * Repeated ones and those beyond RACE_ADDRESSES_MAX are left out. */
void race_init(struct race *race, const struct address *addresses, size_t count);
/* The index of the address to try now, which thereby runs; -1: none now. Call it until it says so. */
int race_start(struct race *race, struct mono now);
/* A running attempt came to nothing: the next need not wait. */
void race_failed(struct race *race, enum status status, struct mono now);
/* When race_start() has the next one; MONO_NEVER: not before one fails. */
struct mono race_due(const struct race *race);
/* Nothing runs, and there is nothing left to try. */
static inline bool race_is_lost(const struct race *race) {
    return race->running == 0 && race->next == race->count;
}

#endif
