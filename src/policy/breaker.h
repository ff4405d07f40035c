/* A circuit breaker for one endpoint. Closed: all passes. Too many failures open it: nothing passes for a while, twice as
 * long each time. Then it is half open: a few may try. One that fails opens it again; when all were good it closes. */
#ifndef POLICY_BREAKER_H
#define POLICY_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"
#include "policy/result.h"

#define BREAKER_BUCKETS 10 /* that a window is made of */
#define BREAKER_SILENT_NS (30 * NS_PER_S) /* half open: tries of which nothing was heard for so long count no more */

struct breaker_config {
    uint32_t failures; /* in a row; 0: not looked at */
    uint32_t share_permille; /* of those in the window; 0: not looked at */
    uint32_t min; /* so many must be in it */
    int64_t window_ns;
    int64_t open_ns, open_max_ns;
    uint32_t probes; /* at least 1 */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    enum breaker_state state;
    uint32_t in_a_row;
    uint32_t opened; /* times in a row: how long the next pause is */
    uint32_t trying; /* half open: on their way */
    uint32_t passed; /* half open: good */
    struct mono until; /* open: when it is half open. Half open: when tries are given up */
    struct breaker_bucket {
        int64_t index; /* time / (window / BREAKER_BUCKETS) */
        uint32_t good, bad;
    } buckets[BREAKER_BUCKETS];
};

/* Whether one more may be sent. */
bool breaker_may_send(const struct breaker *breaker, const struct breaker_config *config);
void breaker_sent(struct breaker *breaker);
/* True: the state changed. */
bool breaker_heard(struct breaker *breaker, const struct breaker_config *config, enum attempt_result result,
                   struct mono now, struct rng *rng);
/* Its time has come: open becomes half open, and half open tries anew. True: something changed. */
bool breaker_look(struct breaker *breaker, struct mono now);
const char *breaker_state_name(enum breaker_state state);

#endif
