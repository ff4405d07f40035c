/* The three states of a circuit breaker. */
#include "policy/breaker.h"

#include <string.h>

#include "base/assert.h"

const char *breaker_state_name(enum breaker_state state) {
    static const char *const names[] = {"closed", "open", "half-open"};
    ASSERT((unsigned)state < 3);
    return names[state];
}

bool breaker_may_send(const struct breaker *breaker, const struct breaker_config *config) {
    if (breaker->state == BREAKER_CLOSED)
        return true;
    return breaker->state == BREAKER_HALF_OPEN && breaker->trying + breaker->passed < config->probes;
}

void breaker_sent(struct breaker *breaker) {
    breaker->trying += breaker->state == BREAKER_HALF_OPEN;
}

/* Twice as long as last time, and half of it by chance, so that many don't come back at once. */
static void open(struct breaker *breaker, const struct breaker_config *config, struct mono now,
                 struct rng *rng) {
    unsigned doublings = breaker->opened < 30 ? breaker->opened : 30;
    int64_t pause = config->open_ns <= config->open_max_ns >> doublings ? config->open_ns << doublings
                                                                        : config->open_max_ns;
    if (pause < config->open_ns)
        pause = config->open_ns;
    pause += (int64_t)rng_below(rng, (uint64_t)pause + 1) - pause / 2;
    *breaker = (struct breaker){
        .state = BREAKER_OPEN, .opened = breaker->opened + 1, .until = mono_after(now, pause)};
}

static struct breaker_bucket *bucket_at(struct breaker *breaker, const struct breaker_config *config,
                                        struct mono now) {
    int64_t index = now.ns / (config->window_ns / BREAKER_BUCKETS + 1);
    struct breaker_bucket *bucket = &breaker->buckets[(uint64_t)index % BREAKER_BUCKETS];
    if (bucket->index != index)
        *bucket = (struct breaker_bucket){.index = index};
    return bucket;
}

static bool fails_too_often(const struct breaker *breaker, const struct breaker_config *config,
                            int64_t index) {
    uint64_t good = 0, bad = 0;
    for (unsigned i = 0; i < BREAKER_BUCKETS; i++) {
        if (breaker->buckets[i].index <= index - BREAKER_BUCKETS)
            continue;
        good += breaker->buckets[i].good;
        bad += breaker->buckets[i].bad;
    }
    return config->share_permille && good + bad >= config->min &&
           bad * 1000 >= (good + bad) * config->share_permille;
}

static bool heard_closed(struct breaker *breaker, const struct breaker_config *config, bool is_good,
                         struct mono now, struct rng *rng) {
    struct breaker_bucket *bucket = bucket_at(breaker, config, now);
    if (is_good) {
        bucket->good++;
        breaker->in_a_row = 0;
        return false;
    }
    bucket->bad++;
    breaker->in_a_row++;
    if (!(config->failures && breaker->in_a_row >= config->failures) &&
        !fails_too_often(breaker, config, bucket->index))
        return false;
    open(breaker, config, now, rng);
    return true;
}

bool breaker_heard(struct breaker *breaker, const struct breaker_config *config, enum attempt_result result,
                   struct mono now, struct rng *rng) {
    bool is_good = result == RESULT_OK;
    if (breaker->state == BREAKER_CLOSED)
        return heard_closed(breaker, config, is_good, now, rng);
    if (breaker->state == BREAKER_OPEN) /* sent before it opened */
        return false;
    breaker->trying -= breaker->trying > 0;
    if (!is_good) {
        open(breaker, config, now, rng);
        return true;
    }
    if (++breaker->passed < config->probes)
        return false;
    memset(breaker, 0, sizeof *breaker);
    return true;
}

bool breaker_look(struct breaker *breaker, struct mono now) {
    if (breaker->state == BREAKER_CLOSED || !mono_due(breaker->until, now))
        return false;
    breaker->until = mono_after(now, BREAKER_SILENT_NS);
    if (breaker->state == BREAKER_HALF_OPEN && !breaker->trying)
        return false;
    breaker->state = BREAKER_HALF_OPEN;
    breaker->trying = breaker->passed = 0;
    return true;
}
