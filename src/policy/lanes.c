/* Smooth weighted round robin over four lanes, and a token bucket for the fifth. */
#include "policy/lanes.h"

#define BUCKET_MAX (LANES_EMERGENCY_BURST * LANES_EMERGENCY_EVERY)

static const int16_t weights[PRIORITY_COUNT - 1] = {1, 2, 4, 8};

void lanes_init(struct lanes *lanes) {
    *lanes = (struct lanes){.emergency = BUCKET_MAX};
}

/* Each lane that waits is credited its weight; the one with most goes and pays for all. */
static unsigned pick_weighted(struct lanes *lanes, unsigned waiting) {
    int best = -1;
    int16_t total = 0;
    for (int i = 0; i < PRIORITY_COUNT - 1; i++) {
        if (!(waiting & LANE_BIT(i + 1)))
            continue;
        lanes->credit[i] = (int16_t)(lanes->credit[i] + weights[i]);
        total = (int16_t)(total + weights[i]);
        if (best < 0 || lanes->credit[i] >= lanes->credit[best])
            best = i;
    }
    if (best < 0)
        return 0;
    lanes->credit[best] = (int16_t)(lanes->credit[best] - total);
    return (unsigned)best + 1;
}

/* Past its share: takes every other turn of critical, or all when nothing critical waits. */
static unsigned pick_as_critical(struct lanes *lanes, unsigned waiting) {
    unsigned picked = pick_weighted(lanes, waiting | LANE_BIT(PRIORITY_CRITICAL));
    if (picked != PRIORITY_CRITICAL)
        return picked;
    bool critical_waits = waiting & LANE_BIT(PRIORITY_CRITICAL);
    lanes->emergency_last = !critical_waits || !lanes->emergency_last;
    return lanes->emergency_last ? PRIORITY_EMERGENCY : PRIORITY_CRITICAL;
}

unsigned lanes_pick(struct lanes *lanes, unsigned waiting) {
    unsigned others = waiting & ~LANE_BIT(PRIORITY_EMERGENCY);
    if (!waiting)
        return 0;
    if (lanes->emergency < BUCKET_MAX)
        lanes->emergency++;
    if (others == waiting)
        return pick_weighted(lanes, waiting);
    if (!others) /* takes nothing from anybody */
        return PRIORITY_EMERGENCY;
    if (lanes->emergency >= LANES_EMERGENCY_EVERY) {
        lanes->emergency -= LANES_EMERGENCY_EVERY;
        return PRIORITY_EMERGENCY;
    }
    return pick_as_critical(lanes, others);
}
