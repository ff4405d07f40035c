/* Counts checks in a row, and paces them. */
#include "policy/health.h"

bool health_checked(struct health *health, const struct health_config *config, bool is_good) {
    bool is_first = !health->was_asked;
    health->was_asked = true;
    if (is_good != health->is_down) { /* it says what is known */
        health->in_a_row = 0;
        return false;
    }
    health->in_a_row++;
    if (health->in_a_row < (health->is_down ? config->rise : config->fall) && !is_first)
        return false;
    health->is_down = !health->is_down;
    health->in_a_row = 0;
    return true;
}

int64_t health_pause(const struct health *health, const struct health_config *config, bool is_idle,
                     struct rng *rng) {
    int64_t pause = config->interval_ns;
    if (health->in_a_row) {
        if (pause > HEALTH_CHANGING_NS)
            pause = HEALTH_CHANGING_NS;
    } else if (is_idle && !health->is_down && pause < HEALTH_IDLE_NS) {
        pause = HEALTH_IDLE_NS;
    }
    uint64_t spread = (uint64_t)pause * config->jitter_permille / 1000;
    return spread ? pause - (int64_t)spread + (int64_t)rng_below(rng, 2 * spread + 1) : pause;
}
