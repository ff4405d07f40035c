/* Of a minute's number N a burst B and then one each 60 s / (N - B + 1): in any minute they are N together. */
#include "policy/pace.h"

#define MINUTE_NS (60 * NS_PER_S)

void pace_set(struct pace *pace, uint64_t per_minute, uint32_t sharers) {
    uint64_t sharing = sharers ? sharers : 1, share = per_minute / sharing;
    if (per_minute == 0 || share > (uint64_t)MINUTE_NS) {
        pace->interval_ns = pace->slack_ns = 0;
        return;
    }
    if (share == 0) {
        pace->interval_ns = (int64_t)(((uint64_t)MINUTE_NS * sharing + per_minute - 1) / per_minute);
        pace->slack_ns = 0;
        return;
    }
    uint64_t more = share / PACE_BURST_SHARE, left;
    more = more ? more - 1 : 0; /* beside the one that always may */
    left = share - more;
    pace->interval_ns = (int64_t)(((uint64_t)MINUTE_NS + left - 1) / left);
    pace->slack_ns = (int64_t)more * pace->interval_ns;
}

struct mono pace_next(const struct pace *pace) {
    struct mono next = {pace->interval_ns ? pace->due.ns - pace->slack_ns : 0};
    return next.ns > pace->held.ns ? next : pace->held;
}

void pace_take(struct pace *pace, struct mono now) {
    if (pace->interval_ns == 0)
        return;
    pace->due = mono_after(pace->due.ns > now.ns ? pace->due : now, pace->interval_ns);
}

void pace_hold(struct pace *pace, struct mono until) {
    if (until.ns > pace->held.ns)
        pace->held = until;
}
