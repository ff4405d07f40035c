/* What a taker says of itself in heartbeats: how busy it is, and how much it can take. Its share of the messages follows that,
 * evened out and in steps; once it says nothing any more, it goes back to what the configuration says. */
#ifndef POLICY_LOAD_H
#define POLICY_LOAD_H

#include <stdbool.h>

#include "base/clock.h"

#define LOAD_FRESH_NS (30 * NS_PER_S) /* so long what was heard holds */
#define LOAD_DECAY_NS (30 * NS_PER_S) /* and so long it fades then */
#define LOAD_STEP 125u     /* permille: smaller differences change nothing */
#define LOAD_LEAST 50u     /* permille of its share that a taker gets however busy it is: so it is heard when it is not */
#define LOAD_CAPACITY_MAX 1000u

struct load {
    struct mono heard;     /* last; 0: never, or it is forgotten */
    uint32_t busy;         /* permille, evened out */
    uint32_t share;        /* permille, in steps: what follows from it */
    uint32_t capacity;     /* 0: it says none */
};

/* `busy`: permille, or UINT32_MAX: it doesn't say. `capacity`: 0: it doesn't say. */
void load_heard(struct load *load, uint32_t busy, uint32_t capacity, struct mono now);
/* Permille of its weight that it gets: 1000 where nothing is known. */
uint32_t load_share(const struct load *load, struct mono now);
/* In the place of its weight; 0: none. */
uint32_t load_capacity(const struct load *load, struct mono now);
/* Something of it is in force, or fades. */
bool load_is_known(const struct load *load, struct mono now);

#endif
