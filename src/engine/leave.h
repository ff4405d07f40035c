/* How those who are connected are told to go when the worker drains: a few at once, many one after the other, so that they
 * don't all dial elsewhere at the same moment. */
#ifndef ENGINE_LEAVE_H
#define ENGINE_LEAVE_H

#include "engine/choice.h"

struct engine;

#define LEAVE_AT_ONCE 32               /* no more than these: they go at once */
#define LEAVE_EACH_NS (2 * NS_PER_MS)  /* so long after each other, */
                                       /* and all within half of what is left of drain.grace */
#define LEAVE_STEP_NS (10 * NS_PER_MS) /* those of so long go together */

struct leave {
    struct timer timer;
    struct mono began; /* the drain */
    struct mono from, until; /* the closes are spread over */
    uint64_t total, gone;
    bool all; /* those too who take messages */
};

/* `all`: those go too who stayed for what was held. */
void leave_begin(struct engine *engine, bool all);
void leave_ring(struct engine *engine);

#endif
