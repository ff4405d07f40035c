/* Token buckets in whole numbers. */
#include "policy/rate.h"

#define PARTS_OF_A_MESSAGE UINT64_C(1000000000000) /* a rate of N in 1000 s brings N of them in a nanosecond */
#define PARTS_OF_A_BYTE UINT64_C(1000000000)

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

struct rate_limit rate_messages(uint64_t per_kilosecond, uint64_t burst) {
    uint64_t per = least(per_kilosecond, RATE_MESSAGES_MAX * UINT64_C(1000));
    uint64_t second = per / 1000 ? per / 1000 : 1;
    return (struct rate_limit){per, PARTS_OF_A_MESSAGE, per ? least(burst ? burst : second, RATE_MESSAGES_MAX) : 0};
}

struct rate_limit rate_bytes(uint64_t per_second, uint64_t burst) {
    uint64_t per = least(per_second, RATE_BYTES_MAX);
    return (struct rate_limit){per, PARTS_OF_A_BYTE, per ? least(burst ? burst : per, RATE_BYTES_MAX) : 0};
}

/* What it may come to while some of it is lent. */
static uint64_t room(const struct rate *rate, const struct rate_limit *limit) {
    return rate->lent < limit->burst ? (limit->burst - rate->lent) * limit->unit : 0;
}

static void fill(struct rate *rate, const struct rate_limit *limit, struct mono now) {
    uint64_t most = room(rate, limit);
    if (now.ns <= rate->at.ns)
        return;
    uint64_t passed = (uint64_t)(now.ns - rate->at.ns);
    rate->at = now;
    if (rate->level >= most)
        return;
    uint64_t missing = most - rate->level;
    if (passed >= (missing + limit->per_ns - 1) / limit->per_ns)
        rate->level = most;
    else
        rate->level += passed * limit->per_ns;
}

void rate_init(struct rate *rate, const struct rate_limit *limit, struct mono now) {
    *rate = (struct rate){.level = limit->burst * limit->unit, .at = now};
}

uint64_t rate_left(struct rate *rate, const struct rate_limit *limit, struct mono now) {
    fill(rate, limit, now);
    return rate->level / limit->unit;
}

void rate_take(struct rate *rate, const struct rate_limit *limit, uint64_t count) {
    rate->level -= count * limit->unit;
}

int64_t rate_wait_ns(struct rate *rate, const struct rate_limit *limit, uint64_t count, struct mono now) {
    fill(rate, limit, now);
    if (count > limit->burst || (count > 0 && count * limit->unit > room(rate, limit)))
        return INT64_MAX;
    uint64_t wanted = count * limit->unit;
    return rate->level >= wanted ? 0 : (int64_t)((wanted - rate->level + limit->per_ns - 1) / limit->per_ns);
}

bool rate_is_full(struct rate *rate, const struct rate_limit *limit, struct mono now) {
    fill(rate, limit, now);
    return rate->lent == 0 && rate->level >= limit->burst * limit->unit;
}

void rate_lend(struct rate *rate, const struct rate_limit *limit, uint64_t count) {
    rate->level -= count * limit->unit;
    rate->lent += count;
}

void rate_settle(struct rate *rate, const struct rate_limit *limit, uint64_t spent, uint64_t back, struct mono now) {
    fill(rate, limit, now); /* up to now it was lent */
    spent = least(spent, rate->lent);
    back = least(back, rate->lent - spent);
    rate->lent -= spent + back;
    rate->level = least(rate->level + back * limit->unit, room(rate, limit));
}
