/* The rates of a configuration, those that have one. */
#include "engine/plan_rate.h"

#include "engine/plan.h"

#define SECONDS_MAX UINT64_C(1000000000) /* thousandths of them; any byte rate is at its most by then */

const char *plan_rate_word(enum plan_rate_kind kind) {
    static const char *const words[PLAN_RATE_KINDS] = {"listener", "identity", "route", "system"};
    return words[kind];
}

static bool put_prefix(struct plan *plan, struct plan_rate *rate) {
    uint8_t bytes[PLAN_RATE_KEY_MAX];
    struct buffer out;
    buffer_init_fixed(&out, bytes, sizeof bytes);
    buffer_add_byte(&out, (uint8_t)rate->kind);
    buffer_add_byte(&out, (uint8_t)rate->by);
    for (int i = 0; i < PLAN_RATE_UNITS; i++) {
        buffer_add(&out, slice_make(&rate->limits[i].per_ns, sizeof rate->limits[i].per_ns));
        buffer_add(&out, slice_make(&rate->limits[i].burst, sizeof rate->limits[i].burst));
    }
    buffer_add(&out, rate->name);
    buffer_add_byte(&out, 0);
    rate->prefix = arena_copy(&plan->arena, buffer_slice(&out));
    return rate->prefix.data != NULL;
}

/* Where only messages are counted at once, bytes have as many seconds' worth. */
static uint64_t byte_burst(const struct config_rate *config) {
    if (config->messages == 0 || config->burst == 0)
        return config->messages ? 0 : config->burst;
    uint64_t seconds_1000 = config->burst * 1000000 / config->messages; /* thousandths */
    if (seconds_1000 > SECONDS_MAX)
        seconds_1000 = SECONDS_MAX;
    uint64_t bytes = config->bytes / 1000 * seconds_1000 + config->bytes % 1000 * seconds_1000 / 1000;
    return bytes ? bytes : 1;
}

static bool add(struct plan *plan, struct plan_rates *rates, const struct plan_rate **place, enum plan_rate_kind kind,
                struct slice name, const struct config_rate *config) {
    if (config->messages == 0 && config->bytes == 0)
        return true;
    struct plan_rate *rate = &rates->all[rates->count++];
    *rate = (struct plan_rate){.kind = kind, .by = config->by, .name = name};
    rate->limits[PLAN_RATE_MESSAGES] = rate_messages(config->messages, config->burst);
    rate->limits[PLAN_RATE_BYTES] = rate_bytes(config->bytes, byte_burst(config));
    *place = rate;
    if (kind == PLAN_RATE_LISTENER || kind == PLAN_RATE_IDENTITY)
        rates->any_arrival = true;
    else
        rates->any_way = true;
    return put_prefix(plan, rate);
}

/* What every system may be sent is no rate of each route. */
static struct config_rate own_rate(const struct config_policy *policy) {
    struct config_rate rate = policy->rate;
    if (!(policy->set & CONFIG_POLICY_BIT(RATE_MESSAGES)))
        rate.messages = 0;
    if (!(policy->set & CONFIG_POLICY_BIT(RATE_BYTES)))
        rate.bytes = 0;
    return rate;
}

static size_t route_count(const struct plan *plan) {
    size_t count = 0;
    for (size_t i = 0; i < plan->config->route_count; i++)
        count += plan->config->routes[i].enabled;
    return count;
}

bool plan_rates(struct plan *plan) {
    const struct config *config = plan->config;
    size_t routes = route_count(plan);
    struct plan_rates *rates = arena_new(&plan->arena, sizeof *rates);
    if (!rates)
        return false;
    rates->listeners = arena_array(&plan->arena, config->listener_count + 1, sizeof *rates->listeners);
    rates->identities = arena_array(&plan->arena, config->identity_count + 1, sizeof *rates->identities);
    rates->routes = arena_array(&plan->arena, routes + 1, sizeof *rates->routes);
    rates->systems = arena_array(&plan->arena, config->system_count + 1, sizeof *rates->systems);
    rates->all = arena_array(&plan->arena, config->listener_count + config->identity_count + routes + config->system_count + 1,
                             sizeof *rates->all);
    bool fine = rates->listeners && rates->identities && rates->routes && rates->systems && rates->all;
    for (size_t i = 0; fine && i < config->listener_count; i++)
        fine = add(plan, rates, &rates->listeners[i], PLAN_RATE_LISTENER, config->listeners[i].name, &config->listeners[i].rate);
    for (size_t i = 0; fine && i < config->identity_count; i++)
        fine = add(plan, rates, &rates->identities[i], PLAN_RATE_IDENTITY, config->identities[i].name,
                   &config->identities[i].rate);
    for (size_t i = 0; fine && i < routes; i++) {
        struct config_rate rate = own_rate(&plan->routes[i].config->policy);
        fine = add(plan, rates, &rates->routes[i], PLAN_RATE_ROUTE, plan->routes[i].config->name, &rate);
    }
    for (size_t i = 0; fine && i < config->system_count; i++)
        fine = add(plan, rates, &rates->systems[i], PLAN_RATE_SYSTEM, config->systems[i].name, &config->systems[i].policy.rate);
    plan->rates = rates->count ? rates : NULL;
    for (size_t i = 0; i < config->listener_count; i++)
        plan->listeners[i].setup.is_limited = plan->rates != NULL;
    return fine;
}

const struct plan_rate *plan_rate_find(const struct plan *plan, struct slice key) {
    for (uint32_t i = 0; plan->rates && i < plan->rates->count; i++)
        if (slice_starts(key, plan->rates->all[i].prefix))
            return &plan->rates->all[i];
    return NULL;
}
