/* Shares by what takers say of themselves. */
#include "policy/load.h"

static uint32_t apart(uint32_t a, uint32_t b) {
    return a > b ? a - b : b - a;
}

bool load_is_known(const struct load *l, struct mono now) {
    return l->heard.ns != 0 && now.ns - l->heard.ns < LOAD_FRESH_NS + LOAD_DECAY_NS;
}

/* Half of what it says now, half of what it said before. The share moves when it is a whole step off, so that what trembles
 * around an edge changes nothing. */
void load_heard(struct load *l, uint32_t busy, uint32_t capacity, struct mono now) {
    bool is_first = !load_is_known(l, now);
    if (is_first)
        *l = (struct load){.share = 1000};
    if (busy != UINT32_MAX) {
        busy = busy > 1000 ? 1000 : busy;
        l->busy = is_first ? busy : (l->busy + busy + 1) / 2;
        uint32_t free = 1000 - l->busy;
        if (apart(free, l->share) >= LOAD_STEP || (free <= LOAD_LEAST && l->share > LOAD_LEAST))
            l->share = (free + LOAD_STEP / 2) / LOAD_STEP * LOAD_STEP;
        if (l->share < LOAD_LEAST)
            l->share = LOAD_LEAST;
    }
    capacity = capacity > LOAD_CAPACITY_MAX ? LOAD_CAPACITY_MAX : capacity;
    if (capacity && (l->capacity == 0 || apart(capacity, l->capacity) * 1000 >= l->capacity * LOAD_STEP))
        l->capacity = capacity;
    l->heard = now;
}

uint32_t load_share(const struct load *l, struct mono now) {
    if (!load_is_known(l, now))
        return 1000;
    int64_t late = now.ns - l->heard.ns - LOAD_FRESH_NS;
    if (late <= 0)
        return l->share;
    uint32_t back = l->share + (uint32_t)((1000 - l->share) * (uint64_t)(late / NS_PER_MS) / (LOAD_DECAY_NS / NS_PER_MS));
    return back / LOAD_STEP * LOAD_STEP > l->share ? back / LOAD_STEP * LOAD_STEP : l->share;
}

uint32_t load_capacity(const struct load *l, struct mono now) {
    return load_is_known(l, now) ? l->capacity : 0;
}
