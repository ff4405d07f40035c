/* Where a route's messages go beside or instead of `to`: failover, split, mirror; and trouble made on purpose. */
#include "base/assert.h"
#include "base/text.h"
#include "config/work.h"

static const struct node *systems_of(const struct work *work) {
    const struct node *systems = node_get(work->root, SLICE_OF("systems"));
    return systems && systems->kind == NODE_MAP ? systems : NULL;
}

static void check_receiver(struct work *work, struct slice name, struct config_place at,
                           const struct trail *trail) {
    const struct node *system = node_get(systems_of(work), name);
    if (system && refer_only_sends(system))
        work_error(work, at, trail,
                   "the system `%.*s` (line %u) only sends: it has no `url`, `endpoints` or `accept`",
                   SCALAR_SHOWN(name), system->key_at.line);
}

static void check_failover(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *list = node_get(route, SLICE_OF("failover"));
    struct trail here = {trail, SLICE_OF("failover")};
    if (!list || list->kind != NODE_LIST)
        return;
    for (const struct node *item = list->first; item; item = item->next)
        if (item->kind == NODE_SCALAR)
            check_receiver(work, item->text, item->at, &here);
}

static void check_split(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *split = node_get(route, SLICE_OF("split")), *systems = systems_of(work);
    struct trail here = {trail, SLICE_OF("split")};
    struct scalar_why why;
    uint64_t sum = 0, weight;
    bool is_sure = true;
    if (!split || split->kind != NODE_MAP)
        return;
    for (const struct node *child = split->first; child; child = child->next) {
        struct trail at = {&here, child->key};
        if (!node_get(systems, child->key))
            refer_unknown(work, child->key_at, &at, "system", child->key, systems);
        check_receiver(work, child->key, child->key_at, &at);
        bool is_known =
            child->kind == NODE_SCALAR && !child->unknown && scalar_count(child->text, &weight, &why);
        sum += is_known ? weight : 0;
        is_sure = is_sure && is_known;
    }
    if (is_sure && sum == 0)
        work_error(work, split->at, &here, split->first ? "all weights are 0" : "names no system");
}

/* `way`: what says where to, with the systems as items of a list or keys of a map. */
static bool has_system(const struct node *way, struct slice name) {
    for (const struct node *child = way ? way->first : NULL; child; child = child->next) {
        struct slice one = way->kind == NODE_LIST && child->kind == NODE_SCALAR ? child->text : child->key;
        if (slice_equal(one, name) || (way->kind == NODE_LIST && slice_is(one, "all")))
            return true;
    }
    return false;
}

static void check_mirror(struct work *work, const struct node *route, const struct trail *trail) {
    static const char *const ways[] = {"to", "failover", "split"};
    const struct node *mirror = node_get(route, SLICE_OF("mirror")), *to = node_get(mirror, SLICE_OF("to"));
    struct trail here = {trail, SLICE_OF("mirror")}, at = {&here, SLICE_OF("to")};
    if (!mirror || mirror->kind != NODE_MAP)
        return;
    if (!to)
        work_error(work, mirror->key_at, &here, "says nowhere where to: `to` is missing");
    if (node_get(route, SLICE_OF("proxy")))
        work_error(work, mirror->key_at, &here, "copies messages; what `proxy` streams are none");
    if (!to || to->kind != NODE_SCALAR || to->unknown)
        return;
    check_receiver(work, to->text, to->at, &at);
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        if (has_system(node_get(route, slice_from(ways[i])), to->text))
            work_error(work, to->at, &at, "`%s` already names `%.*s`", ways[i], SCALAR_SHOWN(to->text));
}

enum status ways_reason(struct slice reason) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        const struct status_row *row = status_row((enum status)i);
        bool is_of_messages = row->stream >= 100 && row->http >= 400;
        if (is_of_messages && slice_is(reason, row->reason))
            return (enum status)i;
    }
    return STATUS_OK;
}

static void check_fault(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *fault = node_get(route, SLICE_OF("fault")),
                      *reason = node_get(fault, SLICE_OF("abort"));
    struct trail here = {trail, SLICE_OF("fault")}, at = {&here, SLICE_OF("abort")};
    if (!fault || fault->kind != NODE_MAP)
        return;
    if (!work->options->allow_faults)
        work_error(work, fault->key_at, &here,
                   "makes trouble on purpose, which is refused without `--allow-faults`");
    if (!reason && !node_get(fault, SLICE_OF("delay")))
        work_error(work, fault->key_at, &here, "does nothing: `delay` or `abort` is missing");
    if (node_get(route, SLICE_OF("proxy")))
        work_error(work, fault->key_at, &here, "is for messages; what `proxy` streams are none");
    if (reason && reason->kind == NODE_SCALAR && !reason->unknown && ways_reason(reason->text) == STATUS_OK)
        work_error(work, reason->at, &at,
                   "`%.*s` is no reason that a message can be refused for, such as `overloaded`",
                   SCALAR_SHOWN(reason->text));
}

void ways_route(struct work *work, const struct node *route, const struct trail *trail) {
    check_failover(work, route, trail);
    check_split(work, route, trail);
    check_mirror(work, route, trail);
    check_fault(work, route, trail);
}

/* -- building -- */

static uint32_t *indices(struct config *config, const struct node *way, size_t *ret_count) {
    uint32_t *systems = arena_array(&config->arena, (way ? way->count : 0) + 1, sizeof *systems);
    *ret_count = 0;
    for (const struct node *child = way && systems ? way->first : NULL; child; child = child->next)
        systems[(*ret_count)++] =
            config_system_find(config, way->kind == NODE_LIST ? child->text : child->key);
    return systems;
}

static bool weigh(struct config *config, struct config_route *route, const struct node *split) {
    struct scalar_why why;
    size_t count = 0;
    route->weights = arena_array(&config->arena, split->count + 1, sizeof *route->weights);
    for (const struct node *child = split->first; child && route->weights; child = child->next)
        scalar_count(child->text, &route->weights[count++], &why);
    return route->weights != NULL;
}

static bool build(struct config *config, struct config_route *route, const struct node *node) {
    const struct node *to = node_get(node, SLICE_OF("to")), *failover = node_get(node, SLICE_OF("failover"));
    const struct node *split = node_get(node, SLICE_OF("split")), *fault = node_get(node, SLICE_OF("fault"));
    const struct node *mirror = node_get(node_get(node, SLICE_OF("mirror")), SLICE_OF("to")),
                      *abort = node_get(fault, SLICE_OF("abort"));
    route->to_all = to && to->first && slice_is(to->first->text, "all");
    route->way = failover ? CONFIG_WAY_FAILOVER : split ? CONFIG_WAY_SPLIT : CONFIG_WAY_COPIES;
    route->mirror.to = mirror ? config_system_find(config, mirror->text) : CONFIG_NONE;
    route->fault.on = fault && fault->kind == NODE_MAP;
    route->fault.abort = abort ? ways_reason(abort->text) : STATUS_OK;
    route->to = indices(config,
                        route->to_all ? NULL
                        : failover    ? failover
                        : split       ? split
                                      : to,
                        &route->to_count);
    return route->to && (route->way != CONFIG_WAY_SPLIT || weigh(config, route, split));
}

enum status ways_build(const struct work *work, struct config *config) {
    const struct node *routes = node_get(work->root, SLICE_OF("routes"));
    for (size_t i = 0; i < config->route_count; i++)
        if (!build(config, &config->routes[i], node_get(routes, config->routes[i].name)))
            return STATUS_NO_MEMORY;
    return STATUS_OK;
}
