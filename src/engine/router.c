/* Where a message goes: its target, or the first route that matches; and every subscription that wants it. */
#include "engine/inner.h"

static void add_subscriptions(struct engine *engine, const struct message *message, struct routing *out) {
    for (struct list_node *node = list_first(&engine->subscriptions); node;
         node = list_next(&engine->subscriptions, node)) {
        struct recipient *r = LIST_ENTRY(node, struct recipient, node);
        if (r->gone || !verdict_receives(engine->plan->security, r->identity, message) ||
            (r->filter && !cesql_matches(r->filter, message, engine->now)))
            continue;
        if (out->subscription_count == MEMO_SUBSCRIPTIONS) {
            ending_tell(engine, message, r, CONFIG_NONE, ENDING_DROPPED, STATUS_OVERLOADED, 1, 0);
            out->is_cut = true;
            continue;
        }
        out->subscriptions[out->subscription_count++] = r;
    }
}

static bool can_receive(const struct engine *engine, uint32_t system) {
    const struct system *found = engine_system(engine, system);
    return found && (found->endpoint_count > 0 || found->config->accept || found->config->found);
}

static void to_target(struct engine *engine, const struct session *s, const struct message *message, uint32_t from,
                      struct slice target, struct routing *out) {
    struct match_input input = {.message = message, .from = from, .now = engine->now,
                                .listener = s && s->listener ? s->connection->listener : MATCH_NONE};
    const struct plan *plan = engine->plan;
    out->route = match_first(plan->match, &input, -1);
    if (slice_is(target, "all")) {
        out->to_all = true;
        out->targets = plan->direct;
        out->target_count = (uint32_t)plan->config->system_count;
        return;
    }
    uint32_t system = plan_system(plan, target);
    if (system == CONFIG_NONE || !can_receive(engine, system)) {
        out->status = STATUS_UNKNOWN_TARGET;
        return;
    }
    out->targets = &plan->direct[system];
    out->target_count = 1;
    if (out->route >= 0 && plan->routes[out->route].targets[system].system == system)
        out->targets = &plan->routes[out->route].targets[system];
}

static void by_route(struct engine *engine, const struct session *s, const struct message *message, uint32_t from,
                     struct routing *out) {
    struct match_input input = {.message = message, .from = from, .now = engine->now,
                                .listener = s && s->listener ? s->connection->listener : MATCH_NONE};
    const struct plan *plan = engine->plan;
    /* A REST route was found by its request. */
    out->route = message->route ? plan_route_index(plan, message->route) : match_first(plan->match, &input, -1);
    if (out->route >= 0) {
        const struct plan_route *route = &plan->routes[out->route];
        out->targets = route->targets;
        out->target_count = (uint32_t)route->target_count;
        out->to_all = route->config->to_all;
        out->way = (uint8_t)route->config->way;
    }
}

/* `all` is every system that can receive, but the sender and those excepted. */
bool router_skips(const struct engine *engine, const struct routing *routing, uint32_t system, uint32_t from) {
    if (!routing->to_all)
        return false;
    if (system == from || !can_receive(engine, system))
        return true;
    const struct plan_route *route = routing->route >= 0 ? &engine->plan->routes[routing->route] : NULL;
    for (size_t i = 0; route && i < route->config->except_count; i++)
        if (route->config->except[i] == system)
            return true;
    return false;
}

void router_find(struct engine *engine, const struct session *s, const struct message *message, uint32_t from,
                 struct routing *out) {
    out->status = STATUS_OK;
    out->targets = NULL;
    out->target_count = out->subscription_count = 0;
    out->route = -1;
    out->to_all = out->is_cut = false;
    out->way = CONFIG_WAY_COPIES;
    struct slice target = message_text(message, ATTRIBUTE_TARGET);
    bool fans = message_kind_fans_out(message->kind);
    if (target.size)
        to_target(engine, s, message, from, target, out);
    else
        by_route(engine, s, message, from, out);
    if (out->status != STATUS_OK)
        return;
    if (!fans && (out->to_all || (out->target_count > 1 && out->way == CONFIG_WAY_COPIES))) {
        out->status = STATUS_MANY_TARGETS;
        return;
    }
    if (fans && target.size == 0)
        add_subscriptions(engine, message, out);
    if (out->target_count == 0 && out->subscription_count == 0)
        out->status = STATUS_NO_ROUTE;
}
