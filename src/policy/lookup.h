/* When a name is asked for again, and what becomes of the answer that there was: endpoints that DNS knows. */
#ifndef POLICY_LOOKUP_H
#define POLICY_LOOKUP_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/rng.h"

#define LOOKUP_TTL_MIN_NS NS_PER_S /* records of 0 s would make it ask without end */
#define LOOKUP_TTL_MAX_NS (3600 * NS_PER_S) /* whatever the records say */
#define LOOKUP_NONE_NS (5 * NS_PER_S) /* a name that isn't there is asked for so soon again */
#define LOOKUP_HOLD_NS (30 * NS_PER_S) /* and so long said to be missing, before that is believed */
#define LOOKUP_FAILED_MIN_NS NS_PER_S /* nobody answered: the pauses double */
#define LOOKUP_FAILED_MAX_NS (30 * NS_PER_S)
#define LOOKUP_JITTER_PERMILLE 100 /* of each pause, on top */

enum lookup_outcome {
    LOOKUP_FOUND,
    LOOKUP_NONE, /* there is an answer: nothing has that name */
    LOOKUP_FAILED, /* no answer, or none that can be read */
};

struct lookup {
    int64_t every_ns; /* 0: as the records live */
    uint32_t failures; /* in a row */
    struct mono missing_since; /* 0: it isn't */
};

enum lookup_what { LOOKUP_KEEP, LOOKUP_TAKE, LOOKUP_EMPTY };

/* What to do with those that are known, and after how long to ask again. `ttl_ns`: of what was found. What was known
 * stays while nobody answers, however long; while the answer is that there is nothing, for LOOKUP_HOLD_NS. */
enum lookup_what lookup_answered(struct lookup *lookup, enum lookup_outcome outcome, int64_t ttl_ns,
                                 struct rng *rng, struct mono now, int64_t *ret_pause_ns);

#endif
