/* Of several systems that a route names, the one that gets a message. */
#include "engine/ways.h"

#include "policy/split.h"

#define SPLIT_SEED 3 /* other than those of homes and rings: their parts must not fall together */

static void narrow(struct engine *engine, struct routing *routing, size_t index) {
    engine->pick = (uint32_t)index + 1;
    routing->targets += index;
    routing->target_count = 1;
    routing->way = CONFIG_WAY_COPIES;
}

/* Every route that splits to the same systems in the same shares sends a key to the same. */
static size_t by_weight(struct engine *engine, const struct plan_route *route,
                        const struct message *message) {
    const struct config_route *config = route->config;
    struct slice key = message_text(message, ATTRIBUTE_PARTITIONKEY);
    return key.size
               ? split_by_hash(config->weights, config->to_count, route->weights, map_hash(key, SPLIT_SEED))
               : split_by_chance(config->weights, config->to_count, route->weights, &engine->rng);
}

static size_t choose(struct engine *engine, const struct message *message, const struct routing *routing) {
    return routing->way == CONFIG_WAY_FAILOVER
               ? failover_choose(engine, message, routing)
               : by_weight(engine, &engine->plan->routes[routing->route], message);
}

const struct routing *ways_choose(struct engine *engine, const struct message *message,
                                  const struct routing *routing) {
    struct routing *chosen = &engine->routing;
    if (routing != chosen)
        memcpy(chosen, routing,
               offsetof(struct routing, subscriptions) +
                   routing->subscription_count * sizeof *routing->subscriptions);
    narrow(engine, chosen, choose(engine, message, routing));
    return chosen;
}

void ways_again(struct engine *engine, const struct waiter *waiter, struct routing *routing) {
    bool stands = routing->way == CONFIG_WAY_SPLIT && waiter->pick && waiter->pick <= routing->target_count &&
                  waiter->generation == engine->plan->generation;
    narrow(engine, routing, stands ? waiter->pick - 1 : choose(engine, waiter->message, routing));
}
