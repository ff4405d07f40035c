/* Questions to a finished configuration. */
#include "config/config.h"

#include <string.h>

#include "base/memory.h"
#include "config/rows.h"

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
    const struct config_policy *near = &route->policy;
    for (size_t i = 0; i < rows_policy.count; i++) {
        const struct config_row *row = &rows_policy.rows[i];
        if (row->policy && row->flags & ROW_ROUTE && near->set & UINT64_C(1) << (row->policy - 1))
            memcpy((uint8_t *)&policy + row->field - 1, (const uint8_t *)near + row->field - 1, row_value_size(row));
    }
    policy.ttl_ns = near->ttl_ns; /* routes only: systems have none of their own */
    policy.ttl_max_ns = near->ttl_max_ns;
    policy.dedupe = near->dedupe;
    policy.set |= near->set;
    return policy;
}

enum config_scheme config_scheme_plain(enum config_scheme scheme) {
    return scheme == CONFIG_SCHEME_HTTPS          ? CONFIG_SCHEME_HTTP
           : scheme == CONFIG_SCHEME_WSS          ? CONFIG_SCHEME_WS
           : scheme == CONFIG_SCHEME_TLS          ? CONFIG_SCHEME_TCP
           : scheme == CONFIG_SCHEME_INTERTIE_TLS ? CONFIG_SCHEME_INTERTIE
                                                  : scheme;
}
