/* The values of a policy that count for one system by one route, as text, and where each comes from. For explanations. */
#ifndef CONFIG_ORIGIN_H
#define CONFIG_ORIGIN_H

#include "base/buffer.h"
#include "config/config.h"

struct config_value {
    const char *key; /* below a policy: `timeouts.request` */
    enum config_origin origin;
    bool by_route; /* the route is its holder, else the system */
};

/* How many indices config_value() takes. */
size_t config_value_count(void);

/* Value number `index` of config_policy_of(config, route, system); `route` may be NULL. `value` gets it as one would
 * write it, `origin` the path of who brought it: `routes.prices`, `policies.fast`, `systems.billing`, `policies.default`,
 * `built in`. False, with nothing added: there is none, it isn't set, or what it belongs to is off. */
bool config_value(const struct config *config, const struct config_route *route,
                  const struct config_system *system, size_t index, struct config_value *ret,
                  struct buffer *value, struct buffer *origin);

#endif
