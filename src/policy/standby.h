/* Whether what was out may be chosen again: only when it has stayed for a while, and after each relapse for longer. */
#ifndef POLICY_STANDBY_H
#define POLICY_STANDBY_H

#include <stdbool.h>

#include "base/clock.h"

#define STANDBY_HOLD_NS (5 * NS_PER_S) /* it must have stayed for so long */
#define STANDBY_HOLD_MAX_NS (60 * NS_PER_S)
#define STANDBY_RELAPSE 4 /* gone again before so many times that: the next time it is doubled */

struct standby {
    bool is_able;
    struct mono since; /* that it is so */
    int64_t hold_ns;   /* 0: it never was out since it first came */
};

/* True: that is a change. */
bool standby_see(struct standby *standby, bool is_able, struct mono now);
/* It is able, and has been for long enough. */
bool standby_is_steady(const struct standby *standby, struct mono now);

#endif
