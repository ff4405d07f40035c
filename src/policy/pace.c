/* Of a minute's number N a burst B and then one each 60 s / (N - B + 1): in any minute they are N together. */
#include "policy/pace.h"

#define MINUTE_NS (60 * NS_PER_S)
#define TURN_SHARE 16 /* of the time between two turns: so long is one */

/* Any N + 1 turns that follow each other last a minute at least, from the end of the first to the beginning of the last. */
static void take_turns(struct pace *pace, uint64_t per_minute, uint64_t sharers, uint32_t index) {
    uint64_t apart =
        ((uint64_t)MINUTE_NS * TURN_SHARE + TURN_SHARE * per_minute - 2) / (TURN_SHARE * per_minute - 1);
    pace->interval_ns = (int64_t)(apart * sharers);
    pace->turn_ns = (int64_t)(apart / TURN_SHARE);
    pace->phase_ns = (int64_t)(apart * (index % sharers));
    pace->slack_ns = 0;
}

void pace_set(struct pace *pace, uint64_t per_minute, uint32_t sharers, uint32_t index) {
    uint64_t sharing = sharers ? sharers : 1, share = per_minute / sharing;
    pace->turn_ns = pace->phase_ns = 0;
    if (per_minute == 0 || share > (uint64_t)MINUTE_NS) {
        pace->interval_ns = pace->slack_ns = 0;
        return;
    }
    if (share == 0) {
        take_turns(pace, per_minute, sharing, index);
        return;
    }
    uint64_t more = share / PACE_BURST_SHARE, left;
    more = more ? more - 1 : 0; /* beside the one that always may */
    left = share - more;
    pace->interval_ns = (int64_t)(((uint64_t)MINUTE_NS + left - 1) / left);
    pace->slack_ns = (int64_t)more * pace->interval_ns;
}

/* So long ago its last turn began. */
static int64_t since_turn(const struct pace *pace, struct mono at) {
    int64_t since = (at.ns - pace->phase_ns) % pace->interval_ns;
    return since < 0 ? since + pace->interval_ns : since;
}

struct mono pace_next(const struct pace *pace, struct mono now) {
    struct mono next = {pace->interval_ns ? pace->due.ns - pace->slack_ns : 0};
    if (pace->held.ns > next.ns)
        next = pace->held;
    if (pace->turn_ns == 0)
        return next;
    if (now.ns > next.ns)
        next = now;
    int64_t since = since_turn(pace, next);
    return since < pace->turn_ns ? next : mono_after(next, pace->interval_ns - since);
}

struct mono pace_changes(const struct pace *pace, struct mono now) {
    struct mono next = pace_next(pace, now);
    if (next.ns > now.ns)
        return next;
    return pace->turn_ns ? mono_after(now, pace->turn_ns - since_turn(pace, now)) : MONO_NEVER;
}

void pace_take(struct pace *pace, struct mono now) {
    if (pace->interval_ns == 0)
        return;
    if (pace->turn_ns)
        pace->due = mono_after(now, pace->interval_ns - since_turn(pace, now));
    else
        pace->due = mono_after(pace->due.ns > now.ns ? pace->due : now, pace->interval_ns);
}

void pace_hold(struct pace *pace, struct mono until) {
    if (until.ns > pace->held.ns)
        pace->held = until;
}
