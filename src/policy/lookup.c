/* The pauses between questions. */
#include "policy/lookup.h"

static int64_t spread(int64_t pause, struct rng *rng) {
    int64_t most = pause / 1000 * LOOKUP_JITTER_PERMILLE;
    return pause + (most > 0 ? (int64_t)rng_below(rng, (uint64_t)most + 1) : 0);
}

static int64_t within(int64_t value, int64_t least, int64_t most) {
    return value < least ? least : value > most ? most : value;
}

enum lookup_what lookup_answered(struct lookup *l, enum lookup_outcome outcome, int64_t ttl_ns,
                                 struct rng *rng, struct mono now, int64_t *ret_pause_ns) {
    enum lookup_what what = LOOKUP_KEEP;
    int64_t pause = l->every_ns ? l->every_ns : within(ttl_ns, LOOKUP_TTL_MIN_NS, LOOKUP_TTL_MAX_NS);
    if (outcome == LOOKUP_FOUND) {
        l->failures = 0;
        l->missing_since = (struct mono){0};
        what = LOOKUP_TAKE;
    } else if (outcome == LOOKUP_NONE) {
        l->failures = 0;
        pause = l->every_ns && l->every_ns < LOOKUP_NONE_NS ? l->every_ns : LOOKUP_NONE_NS;
        if (l->missing_since.ns == 0)
            l->missing_since = now;
        if (now.ns - l->missing_since.ns >= LOOKUP_HOLD_NS)
            what = LOOKUP_EMPTY;
    } else {
        pause = within(LOOKUP_FAILED_MIN_NS << (l->failures < 10 ? l->failures : 10), LOOKUP_FAILED_MIN_NS,
                       LOOKUP_FAILED_MAX_NS);
        l->failures += l->failures < UINT32_MAX;
    }
    *ret_pause_ns = spread(pause, rng);
    return what;
}
