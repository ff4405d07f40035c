/* Token buckets: over any window of time no more passes than the rate times the window, and the burst. Exact, in whole numbers:
 * the level is counted in parts of a token so small that each nanosecond brings a whole number of them.
 *
 * A bucket may lend tokens to others who let things pass in its name. What is lent counts as if it were still in the bucket
 * until it is told that it was spent or came back: the bucket fills up only to what is missing. So what they and the bucket let
 * pass together is bounded as if there were only the bucket. */
#ifndef POLICY_RATE_H
#define POLICY_RATE_H

#include <stdbool.h>

#include "base/clock.h"

#define RATE_MESSAGES_MAX 9000000u            /* a second, and at once: the level must fit its number */
#define RATE_BYTES_MAX UINT64_C(9000000000)

struct rate_limit {
    uint64_t per_ns; /* parts that a nanosecond brings */
    uint64_t unit;   /* parts of a token */
    uint64_t burst;  /* tokens; 0: no limit */
};

struct rate {
    uint64_t level; /* parts */
    uint64_t lent;  /* tokens */
    struct mono at; /* when the level was that */
};

/* Of messages in 1000 seconds; `burst` 0: one second's worth, of messages at least one. 0 a second: no limit. Above the maxima
 * it is those. */
struct rate_limit rate_messages(uint64_t per_kilosecond, uint64_t burst);
struct rate_limit rate_bytes(uint64_t per_second, uint64_t burst);

/* Full. */
void rate_init(struct rate *rate, const struct rate_limit *limit, struct mono now);
/* Whole tokens that are there. */
uint64_t rate_left(struct rate *rate, const struct rate_limit *limit, struct mono now);
/* Takes `count`, which are there. */
void rate_take(struct rate *rate, const struct rate_limit *limit, uint64_t count);
/* So long until there are `count` if nobody takes any and nothing comes back: 0 now, INT64_MAX never. */
int64_t rate_wait_ns(struct rate *rate, const struct rate_limit *limit, uint64_t count, struct mono now);
bool rate_is_full(struct rate *rate, const struct rate_limit *limit, struct mono now);

/* Takes `count`, which are there, for somebody else. */
void rate_lend(struct rate *rate, const struct rate_limit *limit, uint64_t count);
/* Of what was lent so many were spent, so many come back. */
void rate_settle(struct rate *rate, const struct rate_limit *limit, uint64_t spent, uint64_t back, struct mono now);

#endif
