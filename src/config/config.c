/* Questions to a finished configuration. */
#include "config/config.h"

#include "base/memory.h"

void config_free(struct config *config) {
    if (!config)
        return;
    arena_done(&config->arena);
    memory_free(config);
}

uint32_t config_system_find(const struct config *config, struct slice name) {
    for (size_t i = 0; i < config->system_count; i++)
        if (slice_equal(config->systems[i].name, name))
            return (uint32_t)i;
    return CONFIG_NONE;
}

uint32_t config_listener_find(const struct config *config, struct slice name) {
    for (size_t i = 0; i < config->listener_count; i++)
        if (slice_equal(config->listeners[i].name, name))
            return (uint32_t)i;
    return CONFIG_NONE;
}

struct config_policy config_policy_of(const struct config *config, const struct config_route *route, const struct config_system *system) {
    struct config_policy policy = system ? system->policy : config->defaults;
    if (!route)
        return policy;
    uint32_t set = route->policy.set;
    const struct config_policy *near = &route->policy;
    if (set & 1u << CONFIG_POLICY_ATTEMPT)
        policy.timeouts.attempt_ns = near->timeouts.attempt_ns;
    if (set & 1u << CONFIG_POLICY_REQUEST)
        policy.timeouts.request_ns = near->timeouts.request_ns;
    if (set & 1u << CONFIG_POLICY_QUEUE)
        policy.timeouts.queue_ns = near->timeouts.queue_ns;
    policy.ttl_ns = near->ttl_ns; /* routes only: systems have none of their own */
    policy.ttl_max_ns = near->ttl_max_ns;
    policy.set |= set;
    return policy;
}

enum config_scheme config_scheme_plain(enum config_scheme scheme) {
    return scheme == CONFIG_SCHEME_HTTPS          ? CONFIG_SCHEME_HTTP
           : scheme == CONFIG_SCHEME_WSS          ? CONFIG_SCHEME_WS
           : scheme == CONFIG_SCHEME_TLS          ? CONFIG_SCHEME_TCP
           : scheme == CONFIG_SCHEME_INTERTIE_TLS ? CONFIG_SCHEME_INTERTIE
                                                  : scheme;
}
