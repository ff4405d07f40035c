/* How fast a peer may be sent to that named a rate: so many in any minute and no more, a few of them at once. Generic cell
 * rate (ITU-T I.371) without a clock of its own; where there are more senders than a minute allows messages, their turns are
 * moments that come round, as of a watch that all of them see. */
#ifndef POLICY_PACE_H
#define POLICY_PACE_H

#include <stdbool.h>

#include "base/clock.h"

struct pace {
    int64_t interval_ns; /* between two, on average; 0: as fast as one likes */
    int64_t slack_ns; /* so much earlier than their time they may go: a burst */
    int64_t turn_ns; /* so long is a turn; 0: there are none */
    int64_t phase_ns; /* turns begin so long after each multiple of the interval */
    struct mono due; /* the time of the next */
    struct mono held; /* nothing goes before */
};

#define PACE_BURST_SHARE 12 /* of a minute's number may go at once: five seconds' worth */

/* `per_minute` 0: no bound. Each of `sharers` has an equal share of whole ones; where there are more of them than a minute
 * allows, each has its turn once in so many minutes, the one with number `index` (from 0) behind that before it. What was
 * sent so far still counts. */
void pace_set(struct pace *pace, uint64_t per_minute, uint32_t sharers, uint32_t index);
/* When the next may go: not before `now`, where that tells. */
struct mono pace_next(const struct pace *pace, struct mono now);
static inline bool pace_ready(const struct pace *pace, struct mono now) {
    return mono_due(pace_next(pace, now), now);
}
/* When that will be otherwise without anything being sent. */
struct mono pace_changes(const struct pace *pace, struct mono now);
/* One goes. */
void pace_take(struct pace *pace, struct mono now);
/* Nothing goes before `until`. */
void pace_hold(struct pace *pace, struct mono until);

#endif
