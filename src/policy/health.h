/* What active checks say of an endpoint: it falls after some bad ones in a row and rises after some good ones. One that has
 * not been asked yet counts as up, or nothing would pass until then. */
#ifndef POLICY_HEALTH_H
#define POLICY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/rng.h"

#define HEALTH_CHANGING_NS NS_PER_S /* between checks while it is about to change, if `interval` is longer */
#define HEALTH_IDLE_NS (60 * NS_PER_S) /* while nothing is sent to its system, if `interval` is shorter */

struct health_config {
    int64_t interval_ns;
    uint32_t rise, fall; /* at least 1 */
    uint32_t jitter_permille;
};

struct health {
    bool is_down;
    bool was_asked;
    uint32_t in_a_row; /* checks that spoke against the state it is in */
};

/* True: it changed. The first check of all decides at once when it is bad: nobody has relied on it yet. */
bool health_checked(struct health *health, const struct health_config *config, bool is_good);
/* How long until the next check. `is_idle`: nothing was sent to its system since the last one. */
int64_t health_pause(const struct health *health, const struct health_config *config, bool is_idle,
                     struct rng *rng);

#endif
