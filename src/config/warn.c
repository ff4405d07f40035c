/* What is allowed and probably not meant: routes never reached, systems and policies never used. */
#include "base/memory.h"
#include "config/work.h"

#define PAIRS_MAX 2000u /* routes; beyond, only catch-alls are looked at */

static bool pattern_covers(const struct config_pattern *wide, const struct config_pattern *narrow) {
    if (wide->kind == CONFIG_PATTERN_RANGE)
        return narrow->kind == CONFIG_PATTERN_RANGE && wide->low <= narrow->low && narrow->high <= wide->high;
    if (wide->kind == CONFIG_PATTERN_EXACT)
        return narrow->kind == CONFIG_PATTERN_EXACT && slice_equal(wide->text, narrow->text);
    return narrow->kind != CONFIG_PATTERN_RANGE && slice_starts(narrow->text, wide->text);
}

static bool patterns_cover(const struct config_match *wide, const struct config_match *narrow) {
    for (size_t i = 0; i < narrow->pattern_count; i++) {
        bool covered = false;
        for (size_t k = 0; k < wide->pattern_count && !covered; k++)
            covered = pattern_covers(&wide->patterns[k], &narrow->patterns[i]);
        if (!covered)
            return false;
    }
    return true;
}

static bool indices_cover(const struct config_match *wide, const struct config_match *narrow) {
    for (size_t i = 0; i < narrow->index_count; i++) {
        bool covered = false;
        for (size_t k = 0; k < wide->index_count && !covered; k++)
            covered = wide->indices[k] == narrow->indices[i];
        if (!covered)
            return false;
    }
    return true;
}

static bool line_covers(const struct config_match *wide, const struct config_route *narrow) {
    for (size_t i = 0; i < narrow->match_count; i++) {
        const struct config_match *line = &narrow->matches[i];
        if (line->kind != wide->kind)
            continue;
        if (line->kind == CONFIG_MATCH_ATTRIBUTE ? slice_equal(line->attribute, wide->attribute) && patterns_cover(wide, line) : indices_cover(wide, line))
            return true;
    }
    return false;
}

/* Whether each message that `later` would match is taken by `earlier`. */
static bool takes_all(const struct config_route *earlier, const struct config_route *later) {
    if (!earlier->enabled || earlier->when.size || earlier->has_target != later->has_target || earlier->http || later->http)
        return false;
    for (size_t i = 0; i < earlier->match_count; i++)
        if (!line_covers(&earlier->matches[i], later))
            return false;
    return true;
}

static void warn(struct work *work, const char *map, struct slice name, const char *what, struct slice other) {
    const struct node *node = node_get(node_find(work->root, map), name);
    char path[TRAIL_MAX];
    struct trail root = {NULL, {NULL, 0}}, at = {&root, slice_from(map)}, here = {&at, name};
    if (node)
        config_report_add(work->report, true, false, node->key_at, trail_text(&here, path), SLICE_OF(""), other.size ? "%s `%.*s`" : "%s%.*s", what,
                          SLICE_ARG(other));
}

static void warn_routes(struct work *work, const struct config *config) {
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *later = &config->routes[i];
        if (!later->enabled)
            continue;
        for (size_t k = 0; k < i; k++) {
            const struct config_route *earlier = &config->routes[k];
            if (config->route_count > PAIRS_MAX && earlier->match_count)
                continue;
            if (takes_all(earlier, later)) {
                warn(work, "routes", later->name, "is never reached: all that it matches goes to the route", earlier->name);
                break;
            }
        }
    }
}

static void use(bool *used, const uint32_t *indices, size_t count) {
    for (size_t i = 0; i < count; i++)
        used[indices[i]] = true;
}

static void use_by_routes(const struct config *config, bool *used) {
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        use(used, route->to, route->to_count);
        use(used, &route->proxy, route->proxy != CONFIG_NONE);
        use(used, &route->mirror.to, route->mirror.to != CONFIG_NONE);
        for (size_t k = 0; k < config->system_count && route->to_all; k++)
            used[k] = true;
        for (size_t k = 0; k < route->match_count; k++) {
            const struct config_match *match = &route->matches[k];
            if (match->kind == CONFIG_MATCH_FROM)
                use(used, match->indices, match->index_count);
            for (size_t p = 0; p < match->pattern_count && slice_is(match->attribute, "target"); p++) {
                uint32_t system = config_system_find(config, match->patterns[p].text);
                if (system != CONFIG_NONE)
                    used[system] = true;
            }
        }
    }
}

static void warn_systems(struct work *work, const struct config *config) {
    bool *used = arena_array(work->arena, config->system_count + 1, sizeof *used);
    if (!used) {
        work->report->status = STATUS_NO_MEMORY;
        return;
    }
    use_by_routes(config, used);
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].system != CONFIG_NONE)
            used[config->listeners[i].system] = true;
    for (size_t i = 0; i < config->identity_count; i++)
        if (config->identities[i].system != CONFIG_NONE)
            used[config->identities[i].system] = true;
    for (size_t i = 0; i < config->system_count; i++)
        if (!used[i])
            warn(work, "systems", config->systems[i].name, "no route, listener or identity names it; only messages with this target reach it", SLICE_OF(""));
}

static bool names_policy(const struct node *map, struct slice name) {
    for (const struct node *child = map ? map->first : NULL; child; child = child->next) {
        const struct node *policy = node_get(child, SLICE_OF("policy"));
        if (policy && policy->kind == NODE_SCALAR && slice_equal(policy->text, name))
            return true;
    }
    return false;
}

static void warn_policies(struct work *work) {
    const struct node *policies = node_get(work->root, SLICE_OF("policies"));
    for (const struct node *child = policies && policies->kind == NODE_MAP ? policies->first : NULL; child; child = child->next)
        if (!slice_is(child->key, "default") && !names_policy(node_get(work->root, SLICE_OF("systems")), child->key) &&
            !names_policy(node_get(work->root, SLICE_OF("routes")), child->key))
            warn(work, "policies", child->key, "no system or route names it", SLICE_OF(""));
}

static void warn_keys(struct work *work, const struct config *config) {
    bool any_key = false;
    for (size_t i = 0; i < config->identity_count; i++) {
        any_key |= config->identities[i].key_count > 0;
        if (config->identities[i].key_count == 0 && config->identities[i].san.count == 0)
            warn(work, "security.identities", config->identities[i].name, "has no key and no certificate: nobody can be it", SLICE_OF(""));
    }
    for (size_t i = 0; i < config->listener_count && !any_key; i++)
        if (config->listeners[i].auth & CONFIG_AUTH_KEY && !config->listeners[i].anonymous)
            warn(work, "listeners", config->listeners[i].name, "asks for a key, but no identity has one: nobody can come in", SLICE_OF(""));
}

static void warn_credentials(struct work *work, const struct config *config) {
    bool *used = arena_array(work->arena, config->credential_count + 1, sizeof *used);
    if (!used) {
        work->report->status = STATUS_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < config->listener_count; i++)
        use(used, &config->listeners[i].envelope, config->listeners[i].envelope != CONFIG_NONE);
    for (size_t i = 0; i < config->system_count; i++) {
        const struct config_system *system = &config->systems[i];
        use(used, &system->envelope, system->envelope != CONFIG_NONE);
        for (size_t k = 0; k < system->endpoint_count; k++)
            use(used, &system->endpoints[k].credential, system->endpoints[k].credential != CONFIG_NONE);
    }
    for (size_t i = 0; i < config->credential_count; i++)
        if (!used[i])
            warn(work, "security.credentials", config->credentials[i].name, "no `auth` or `envelope` names it", SLICE_OF(""));
}

static void warn_traces(struct work *work, const struct config *config) {
    for (size_t i = 0; i < config->route_count; i++)
        if (config->routes[i].trace == CONFIG_TRACE_ALL && config->telemetry.trace_ring == 0)
            warn(work, "routes", config->routes[i].name, "`trace: all` keeps nothing: `telemetry.trace_ring` is 0B", SLICE_OF(""));
}

/* Loud: who reads the log or validates a file must not miss it. */
static void warn_faults(struct work *work, const struct config *config) {
    for (size_t i = 0; i < config->route_count; i++)
        if (config->routes[i].fault.on)
            warn(work, "routes", config->routes[i].name, "makes trouble on purpose: see its `fault`",
                 SLICE_OF(""));
}

void warn_all(struct work *work, const struct config *config) {
    warn_faults(work, config);
    warn_routes(work, config);
    warn_systems(work, config);
    warn_policies(work);
    warn_keys(work, config);
    warn_credentials(work, config);
    warn_traces(work, config);
}
