/* What is thought of endpoints, beside whether they are connected: what became of what they were sent, and what of it
 * takes them out of service. Each worker judges by its own connections. */
#include "engine/inner.h"

#include <stdio.h>

static const struct config_policy *policy_of(const struct endpoint *e) {
    return &e->system->config->policy;
}

static struct outlier_config outlier_of(const struct endpoint *e) {
    const struct config_outlier *config = &policy_of(e)->outlier;
    return (struct outlier_config){
        (uint32_t)config->consecutive, config->failure_rate, config->latency_ns, config->eject_ns,
        config->eject_max_ns,          config->max_ejected};
}

static struct breaker_config breaker_of(const struct endpoint *e) {
    const struct config_breaker *config = &policy_of(e)->breaker;
    return (struct breaker_config){(uint32_t)config->failures, config->share,   (uint32_t)config->min,
                                   config->window_ns,          config->open_ns, config->open_max_ns,
                                   (uint32_t)config->probes};
}

const char *engine_endpoint_state_name(enum engine_endpoint_state state) {
    static const char *const names[ENDPOINT_STATE_COUNT] = {"up",      "half-open", "open",     "unhealthy",
                                                            "ejected", "down",      "draining", "drained"};
    return names[state];
}

const char *engine_consent_name(enum engine_consent consent) {
    static const char *const names[] = {"none", "wanted", "given", "gone"};
    return names[consent];
}

enum engine_endpoint_state fitness_state(const struct endpoint *e) {
    const struct fitness *f = &e->fitness;
    if (!e->plan->config->enabled || f->is_gone || f->by_hand == BY_HAND_DOWN)
        return ENDPOINT_DOWN;
    if (f->by_hand == BY_HAND_DRAIN)
        return e->connections || e->outlet.in_flight ? ENDPOINT_DRAINING : ENDPOINT_DRAINED;
    if (f->breaker.state == BREAKER_OPEN)
        return ENDPOINT_OPEN;
    if (e->probing.health.is_down)
        return ENDPOINT_UNHEALTHY;
    if (f->outlier.is_out)
        return ENDPOINT_EJECTED;
    return f->breaker.state == BREAKER_HALF_OPEN ? ENDPOINT_HALF_OPEN : ENDPOINT_UP;
}

bool fitness_is_healthy(const struct endpoint *e) {
    return !e->probing.health.is_down && !e->fitness.outlier.is_out && e->fitness.breaker.state != BREAKER_OPEN;
}

/* Even in a panic: who set it wants it so. */
bool fitness_may_send(const struct endpoint *e) {
    struct breaker_config config = breaker_of(e);
    return breaker_may_send(&e->fitness.breaker, &config);
}

uint32_t fitness_weight(const struct endpoint *e) {
    return e->fitness.has_weight ? e->fitness.weight : (uint32_t)e->plan->config->weight;
}

/* Of its checks, and of what is set by hand, one worker tells for all; of what comes to rest, each that had something. */
static bool is_told(const struct engine *engine, const struct endpoint *e, enum engine_endpoint_state state) {
    enum engine_endpoint_state before = e->fitness.told;
    if (state == ENDPOINT_DRAINED && before == ENDPOINT_DRAINING)
        return true;
    if (state >= ENDPOINT_DOWN || before >= ENDPOINT_DOWN)
        return e->fitness.is_gone || engine->options.worker == 0;
    return (state != ENDPOINT_UNHEALTHY && before != ENDPOINT_UNHEALTHY) || probing_is_home(engine, e);
}

void fitness_look(struct engine *engine, struct endpoint *e) {
    struct fitness *f = &e->fitness;
    enum engine_endpoint_state state = fitness_state(e);
    if (e->system->recipient.choice)
        choice_changed(engine, e->system->recipient.choice);
    if (state == f->told)
        return;
    bool told = is_told(engine, e, state);
    f->told = state;
    f->changed = engine->now.wall;
    if (state == ENDPOINT_UP && f->by_hand == BY_HAND_UP)
        f->why[0] = '\0';
    if (state <= ENDPOINT_HALF_OPEN) /* what is to stay open, or a minimum of it, may be dialled again */
        timer_set(engine, &e->redial,
                  mono_due(e->next_dial, engine->now.mono) ? engine->now.mono : e->next_dial);
    if (told)
        fitness_tell(engine, e);
}

void fitness_tell(struct engine *engine, struct endpoint *e) {
    if (!engine->options.calls || !engine->options.calls->endpoint)
        return;
    struct engine_endpoint_view view;
    engine_endpoint_view(engine, e->plan->system, e->position, &view);
    engine->options.calls->endpoint(engine->options.user, &view);
}

/* -- ejection -- */

static bool may_eject(const struct endpoint *e, const struct outlier_config *config) {
    uint32_t total = 0, out = 0;
    for (size_t i = 0; i < e->system->endpoint_count; i++) {
        const struct endpoint *other = e->system->endpoints[i];
        total += other->plan->config->enabled && other->fitness.by_hand == BY_HAND_UP;
        out += other->fitness.outlier.is_out;
    }
    return outlier_may_eject(config, out, total);
}

static void eject(struct engine *engine, struct endpoint *e, const struct outlier_config *config,
                  enum outlier_why why, enum attempt_result last) {
    struct fitness *f = &e->fitness;
    if (why == OUTLIER_FINE || !may_eject(e, config))
        return;
    if (why == OUTLIER_CONSECUTIVE)
        (void)snprintf(f->why, sizeof f->why, "%u failures in a row (%s)", config->consecutive,
                       result_name(last));
    else if (why == OUTLIER_RATE)
        (void)snprintf(f->why, sizeof f->why, "at least %u%% failed", config->failure_permille / 10);
    else
        (void)snprintf(f->why, sizeof f->why, "slower than %lld ms on average",
                       (long long)(config->latency_ns / NS_PER_MS));
    outlier_eject(&f->outlier, config, engine->now.mono);
    timer_set(engine, &e->system->recipient.choice->look, engine->now.mono); /* to learn when it is over */
    fitness_look(engine, e);
}

void fitness_interval(struct engine *engine, struct endpoint *e) {
    struct outlier_config config = outlier_of(e);
    eject(engine, e, &config, outlier_interval(&e->fitness.outlier, &config), RESULT_OK);
}

/* -- time and results -- */

struct mono fitness_tick(struct engine *engine, struct endpoint *e) {
    struct fitness *f = &e->fitness;
    struct mono next = MONO_NEVER;
    bool changed = breaker_look(&f->breaker, engine->now.mono);
    if (f->outlier.is_out && mono_due(f->outlier.until, engine->now.mono)) {
        outlier_return(&f->outlier);
        changed = true;
    }
    if (changed)
        fitness_look(engine, e);
    if (f->outlier.is_out)
        next = f->outlier.until;
    if (f->breaker.state != BREAKER_CLOSED)
        next = mono_min(next, f->breaker.until);
    return next;
}

static void tell_breaker(struct engine *engine, struct endpoint *e, enum attempt_result result) {
    struct breaker_config config = breaker_of(e);
    struct fitness *f = &e->fitness;
    bool changed = breaker_heard(&f->breaker, &config, result, engine->now.mono, &engine->rng);
    if (changed && f->breaker.state == BREAKER_OPEN)
        (void)snprintf(f->why, sizeof f->why, "too many failures, the last: %s", result_name(result));
    if (changed) {
        timer_set(engine, &e->system->recipient.choice->look, engine->now.mono);
        fitness_look(engine, e);
    } else if (f->breaker.state == BREAKER_HALF_OPEN) {
        choice_changed(engine, e->system->recipient.choice);
    }
}

void endpoint_result(struct engine *engine, struct endpoint *e, enum attempt_result result,
                     int64_t latency_ns) {
    e->results[result]++;
    if (e->probing.is_idle)
        probing_busy(engine, e);
    if (e->outlet.slot == BALANCE_NONE) /* of one that was removed its system may be gone, too */
        return;
    const struct config_policy *policy = policy_of(e);
    struct choice *choice = e->system->recipient.choice;
    if (result != RESULT_OK || latency_ns >= 0)
        balance_heard(&choice->balance, e->outlet.slot, result == RESULT_OK ? latency_ns : -1,
                      engine->now.mono);
    if (policy->outlier.on) {
        struct outlier_config config = outlier_of(e);
        eject(engine, e, &config, outlier_heard(&e->fitness.outlier, &config, result, latency_ns), result);
    }
    if (policy->breaker.on)
        tell_breaker(engine, e, result);
}

/* -- views -- */

size_t engine_endpoint_count(const struct engine *engine, size_t system) {
    return engine->systems[system]->endpoint_count;
}

static enum engine_consent consent_of(const struct endpoint *e) {
    if (e->consent.gone)
        return CONSENT_GONE;
    if (e->plan->setup.webhook.origin.size == 0)
        return CONSENT_NONE;
    return e->consent.given ? CONSENT_GIVEN : CONSENT_WANTED;
}

/* What weighs most, as fitness_state() has it. */
static const char *why_of(const struct endpoint *e) {
    if (!e->plan->config->enabled)
        return "disabled in the configuration";
    return e->fitness.by_hand == BY_HAND_UP || e->fitness.is_gone ? e->fitness.why : "set by hand";
}

void engine_endpoint_view(const struct engine *engine, size_t system, size_t index,
                          struct engine_endpoint_view *ret) {
    const struct endpoint *e = engine->systems[system]->endpoints[index];
    const struct fitness *f = &e->fitness;
    *ret = (struct engine_endpoint_view){.name = e->plan->setup.name,
                                         .url = e->plan->config->url.text,
                                         .state = fitness_state(e),
                                         .why = why_of(e),
                                         .since = f->changed,
                                         .weight = fitness_weight(e),
                                         .tier = (uint32_t)e->plan->config->tier,
                                         .zone = e->plan->config->zone,
                                         .origin =
                                             found_origin_name(e->found ? e->found->origin : FOUND_WRITTEN),
                                         .in_flight = e->outlet.in_flight,
                                         .connections = e->open,
                                         .failures = e->failures,
                                         .is_by_hand = f->by_hand != BY_HAND_UP || f->has_weight,
                                         .by_hand = f->by_hand,
                                         .has_weight = f->has_weight,
                                         .is_ejected = f->outlier.is_out,
                                         .circuit = f->breaker.state,
                                         .consent = consent_of(e),
                                         .rate = e->consent.given ? e->consent.rate : 0};
    memcpy(ret->results, e->results, sizeof ret->results);
}
