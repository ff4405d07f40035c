/* What spans several keys: what excludes, needs or contradicts each other. */
#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/url.h"
#include "config/work.h"

void refer_unknown(struct work *work, struct config_place at, const struct trail *trail, const char *noun, struct slice name,
                   const struct node *map) {
    char path[TRAIL_MAX];
    const struct node *near = NULL;
    unsigned best = text_slips_max(name) + 1;
    for (const struct node *child = map && map->kind == NODE_MAP ? map->first : NULL; child; child = child->next) {
        unsigned distance = text_distance(name, child->key, best - 1);
        if (distance < best) {
            best = distance;
            near = child;
        }
    }
    if (near)
        config_report_add(work->report, false, false, at, trail_text(trail, path), near->key, "no %s `%.*s`; did you mean `%.*s` (line %u)?", noun,
                          SCALAR_SHOWN(name), SLICE_ARG(near->key), near->key_at.line);
    else
        config_report_add(work->report, false, false, at, trail_text(trail, path), SLICE_OF(""), "no %s `%.*s`", noun, SCALAR_SHOWN(name));
}

static const struct node *section(const struct work *work, const char *name) {
    const struct node *node = node_get(work->root, slice_from(name));
    return node && node->kind == NODE_MAP ? node : NULL;
}

/* -- policies: a key where it can mean nothing is an error, also when a policy brings it -- */

static void brought(struct work *work, const struct schema *schema, const struct node *map, const struct node *user, const struct trail *trail,
                    unsigned flag, const struct trail *in_policy) {
    for (const struct node *child = map->first; child; child = child->next) {
        const struct schema *inner = schema_fixed(schema, child->key);
        struct trail here = {in_policy, child->key};
        char path[TRAIL_MAX];
        if (!inner)
            continue;
        bool is_leaf = child->kind != NODE_MAP || !inner->first;
        if (inner->row && !(inner->row->flags & flag) && (is_leaf || inner->row->type != ROW_GROUP || !inner->first))
            work_error(work, user->at, trail, "the policy `%.*s` sets `%.*s` (line %u), which means nothing in a %s", SCALAR_SHOWN(user->text),
                       SLICE_ARG(trail_text(&here, path)), child->key_at.line, flag == ROW_ROUTE ? "route" : "system");
        else if (child->kind == NODE_MAP)
            brought(work, inner, child, user, trail, flag, &here);
    }
}

static void check_policy(struct work *work, const struct node *user, const struct trail *trail, unsigned flag) {
    const struct node *policies = section(work, "policies");
    const struct node *name = node_get(user, SLICE_OF("policy"));
    const struct schema *schema = schema_find(work->schema, SLICE_OF("policies.*"));
    struct trail here = {trail, SLICE_OF("policy")};
    struct trail top = {NULL, {NULL, 0}};
    if (!name || name->kind != NODE_SCALAR || !policies)
        return;
    const struct node *policy = node_get(policies, name->text);
    if (policy && policy->kind == NODE_MAP && schema)
        brought(work, schema, policy, name, &here, flag, &top);
}

/* -- routes -- */

static bool names_target(const struct node *route) {
    return node_get(node_get(route, SLICE_OF("match")), SLICE_OF("target")) != NULL;
}

static void check_where(struct work *work, const struct node *route, const struct trail *trail) {
    static const char *const ways[] = {"to", "failover", "split", "proxy"};
    const struct node *first = NULL;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        const struct node *way = node_get(route, slice_from(ways[i]));
        struct trail here = {trail, slice_from(ways[i])};
        if (!way)
            continue;
        if (first)
            work_error(work, way->key_at, &here, "`%.*s` (line %u) says where already", SLICE_ARG(first->key), first->key_at.line);
        else if (names_target(route))
            work_error(work, way->key_at, &here, "the messages of this route name their target: it says how, not where");
        first = first ? first : way;
    }
    if (!first && !names_target(route) && node_get(route, SLICE_OF("match")))
        work_error(work, route->key_at, trail, "says nowhere where to: `to` is missing");
}

static bool wants_one(struct slice kind) {
    return slice_is(kind, "request") || slice_is(kind, "query") || slice_is(kind, "command");
}

/* A kind that has one recipient, on a route to several. */
static void check_many(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *to = node_get(route, SLICE_OF("to"));
    const struct node *kinds = node_get(node_get(route, SLICE_OF("match")), SLICE_OF("messagetype"));
    struct trail here = {trail, SLICE_OF("to")};
    if (!to || to->kind != NODE_LIST || !to->first || !kinds || kinds->kind != NODE_LIST || !kinds->first)
        return;
    bool is_all = slice_is(to->first->text, "all");
    for (const struct node *kind = kinds->first; kind; kind = kind->next)
        if (kind->kind != NODE_SCALAR || !wants_one(kind->text))
            return;
    if (is_all || to->count > 1)
        work_error(work, to->at, &here, "a %.*s goes to one system, this names %s", SCALAR_SHOWN(kinds->first->text), is_all ? "all" : "several");
}

static void check_except(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *to = node_get(route, SLICE_OF("to"));
    const struct node *except = node_get(route, SLICE_OF("except"));
    struct trail here = {trail, SLICE_OF("except")};
    bool is_all = to && to->kind == NODE_LIST && to->count == 1 && slice_is(to->first->text, "all");
    if (except && !is_all)
        work_error(work, except->key_at, &here, "means something with `to: all` only");
}

bool refer_only_sends(const struct node *system) {
    const struct node *accept = node_get(system, SLICE_OF("accept"));
    bool may_dial_in = accept && accept->kind != NODE_SCALAR; /* `accept: false` */
    return system->kind == NODE_MAP && !node_get(system, SLICE_OF("url")) && !node_get(system, SLICE_OF("endpoints")) &&
           !may_dial_in && !node_get(system, SLICE_OF("discover")) && !node_get(system, SLICE_OF("register"));
}

static void check_receivers(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *to = node_get(route, SLICE_OF("to"));
    const struct node *systems = section(work, "systems");
    struct trail here = {trail, SLICE_OF("to")};
    if (!to || to->kind != NODE_LIST)
        return;
    for (const struct node *item = to->first; item; item = item->next) {
        const struct node *system = item->kind == NODE_SCALAR ? node_get(systems, item->text) : NULL;
        if (system && refer_only_sends(system))
            work_error(work, item->at, &here,
                       "the system `%.*s` (line %u) only sends: it has no `url`, `endpoints` or `accept`",
                       SCALAR_SHOWN(item->text), system->key_at.line);
    }
}

static void check_ttl(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *ttl = node_get(route, SLICE_OF("ttl")), *most = node_get(route, SLICE_OF("ttl_max"));
    struct trail here = {trail, SLICE_OF("ttl")};
    struct scalar_why why;
    int64_t life, life_max;
    if (ttl && most && scalar_duration(ttl->text, &life, &why) && scalar_duration(most->text, &life_max, &why) && life > life_max)
        work_error(work, ttl->at, &here, "`%.*s` is above `ttl_max`, %.*s", SCALAR_SHOWN(ttl->text), SCALAR_SHOWN(most->text));
}

/* Of one place: what other places say is looked at nearest first, so they may contradict each other. */
static void check_backoff(struct work *work, const struct node *holder, const struct trail *trail, const char *name) {
    const struct node *backoff = node_get(node_get(holder, slice_from(name)), SLICE_OF("backoff"));
    const struct node *base = node_get(backoff, SLICE_OF("base")), *most = node_get(backoff, SLICE_OF("max"));
    struct trail in = {trail, slice_from(name)}, at = {&in, SLICE_OF("backoff")}, here = {&at, SLICE_OF("base")};
    struct scalar_why why;
    int64_t first, last;
    if (base && most && scalar_duration(base->text, &first, &why) && scalar_duration(most->text, &last, &why) && first > last)
        work_error(work, base->at, &here, "`%.*s` is above `max`, %.*s", SCALAR_SHOWN(base->text), SCALAR_SHOWN(most->text));
}

static void check_attempts(struct work *work, const struct node *holder, const struct trail *trail) {
    check_backoff(work, holder, trail, "retry");
    check_backoff(work, holder, trail, "redeliver");
    health_values(work, holder, trail);
    rates_values(work, holder, trail);
}

static void check_route(struct work *work, const struct node *route, const struct trail *trail) {
    check_where(work, route, trail);
    check_many(work, route, trail);
    check_except(work, route, trail);
    check_receivers(work, route, trail);
    check_policy(work, route, trail, ROW_ROUTE);
    check_ttl(work, route, trail);
    check_attempts(work, route, trail);
    refer_rest_route(work, route, trail);
    chains_route(work, route, trail);
    ways_route(work, route, trail);
}

/* -- systems -- */

/* Nearest wins: the system, its policy, `policies.default`. NULL: nobody says. */
static const struct node *said(const struct work *work, const struct node *system, const char *group, const char *key) {
    const struct node *policies = section(work, "policies"), *name = node_get(system, SLICE_OF("policy"));
    const struct node *holders[] = {system, name && name->kind == NODE_SCALAR ? node_get(policies, name->text) : NULL,
                                    node_get(policies, SLICE_OF("default"))};
    for (size_t i = 0; i < COUNT_OF(holders); i++) {
        const struct node *node = node_get(node_get(holders[i], slice_from(group)), slice_from(key));
        if (node && node->kind == NODE_SCALAR)
            return node;
    }
    return NULL;
}

/* Hash and sticky go by a key, and nothing else does. Told where the system itself has a say in it. */
static void check_balance(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *by = said(work, system, "balance", "by"), *key = said(work, system, "balance", "key");
    const struct node *sticky = said(work, system, "balance", "sticky"), *own = node_get(system, SLICE_OF("balance"));
    bool hashes = by && slice_is(by->text, "hash");
    struct trail here = {trail, SLICE_OF("balance")};
    if ((hashes || sticky) && !key)
        work_error(work, own ? own->key_at : system->key_at, &here, "`%s` needs a `key`: an attribute, or CESQL", hashes ? "hash" : "sticky");
    else if (key && !hashes && !sticky && node_get(own, SLICE_OF("key")))
        work_error(work, key->at, &here, "`key` means something with `by: hash` or `sticky` only");
}

static void check_system(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *url = node_get(system, SLICE_OF("url"));
    const struct node *endpoints = node_get(system, SLICE_OF("endpoints"));
    const struct node *later = url && endpoints && url->key_at.line > endpoints->key_at.line ? url : endpoints;
    if (url && endpoints) {
        struct trail here = {trail, later->key};
        work_error(work, later->key_at, &here, "`url` and `endpoints` exclude each other; `url` is one endpoint named `main`");
    }
    if (endpoints && endpoints->kind == NODE_MAP && !endpoints->first) {
        struct trail here = {trail, endpoints->key};
        work_error(work, endpoints->at, &here, "names none; leave it out for a system that only sends");
    }
    check_policy(work, system, trail, ROW_SYSTEM);
    check_balance(work, system, trail);
    check_attempts(work, system, trail);
    refer_rest_system(work, system, trail);
}

/* -- identities -- */

static void check_rules(struct work *work, const struct node *identity, const struct trail *trail, const char *name) {
    const struct node *rules = node_get(identity, slice_from(name));
    const struct node *systems = section(work, "systems");
    struct trail here = {trail, slice_from(name)};
    struct config_rule rule;
    struct scalar_why why;
    if (!rules || rules->kind != NODE_LIST)
        return;
    for (const struct node *item = rules->first; item; item = item->next)
        if (item->kind == NODE_SCALAR && !item->unknown && scalar_rule(item->text, &rule, &why) && !rule.is_type && !rule.is_prefix &&
            !node_get(systems, rule.pattern) && !slice_is(rule.pattern, "all"))
            refer_unknown(work, item->at, &here, "system", rule.pattern, systems);
}

static const struct node *names_of(const struct node *identity) {
    const struct node *certificate = node_get(identity, SLICE_OF("certificate"));
    return certificate && certificate->kind == NODE_MAP ? node_get(certificate, SLICE_OF("san")) : NULL;
}

static bool has_name(const struct node *names, struct slice name) {
    for (const struct node *item = names && names->kind == NODE_LIST ? names->first : NULL; item; item = item->next)
        if (item->kind == NODE_SCALAR && !item->unknown && slice_equal_nocase(item->text, name))
            return true;
    return false;
}

/* A certificate makes its bearer one identity: the same name at two would make it whichever stands first. */
static void check_names(struct work *work, const struct node *identities, const struct node *self, const struct trail *trail) {
    const struct node *names = names_of(self);
    struct trail certificate = {trail, SLICE_OF("certificate")}, here = {&certificate, SLICE_OF("san")};
    for (const struct node *item = names && names->kind == NODE_LIST ? names->first : NULL; item; item = item->next)
        for (const struct node *other = identities->first; other != self && item->kind == NODE_SCALAR && !item->unknown; other = other->next)
            if (has_name(names_of(other), item->text)) {
                work_error(work, item->at, &here, "`%.*s` is a name of the identity `%.*s` (line %u) too; a certificate belongs to one identity",
                           SCALAR_SHOWN(item->text), SLICE_ARG(other->key), other->key_at.line);
                break;
            }
}

static void check_identity(struct work *work, const struct node *identity, const struct trail *trail, struct node *all) {
    const struct node *keys = node_get(identity, SLICE_OF("keys"));
    struct trail in_keys = {trail, SLICE_OF("keys")};
    check_rules(work, identity, trail, "allow");
    check_rules(work, identity, trail, "deny");
    for (const struct node *key = keys && keys->kind == NODE_MAP ? keys->first : NULL; key; key = key->next) {
        const struct node *hash = node_get(key, SLICE_OF("hash"));
        struct trail at = {&in_keys, key->key}, here = {&at, SLICE_OF("hash")};
        if (!hash || hash->kind != NODE_SCALAR || hash->unknown)
            continue;
        const struct node *other = node_get(all, hash->text);
        struct node *seen = other ? NULL : tree_node(&work->tree, NODE_SCALAR, hash->at);
        if (other)
            work_error(work, hash->at, &here, "this key stands on line %u too; a key belongs to one identity", other->at.line);
        if (seen) {
            seen->key = hash->text;
            node_append(&work->tree, all, seen);
        }
    }
}

/* -- the process -- */

static void check_message_limits(struct work *work) {
    const struct node *process = node_find(work->root, "limits.message");
    const struct node *listeners = section(work, "listeners");
    struct scalar_why why;
    uint64_t most = 1 << 20, value;
    if (process && process->kind == NODE_SCALAR)
        scalar_size(process->text, &most, &why);
    for (const struct node *listener = listeners ? listeners->first : NULL; listener; listener = listener->next) {
        const struct node *limit = node_get(node_get(listener, SLICE_OF("limits")), SLICE_OF("message"));
        if (!limit || limit->kind != NODE_SCALAR || !scalar_size(limit->text, &value, &why) || value <= most)
            continue;
        struct trail root = {NULL, {NULL, 0}}, at = {&root, SLICE_OF("listeners")}, name = {&at, listener->key}, limits = {&name, SLICE_OF("limits")},
                     here = {&limits, SLICE_OF("message")};
        work_error(work, limit->at, &here, "`%.*s` is above that of the process; raise `limits.message` too", SCALAR_SHOWN(limit->text));
    }
}

static void each(struct work *work, const char *name, void (*check)(struct work *, const struct node *, const struct trail *)) {
    const struct node *map = section(work, name);
    struct trail root = {NULL, {NULL, 0}}, at = {&root, slice_from(name)};
    for (const struct node *child = map ? map->first : NULL; child; child = child->next) {
        struct trail here = {&at, child->key};
        if (child->kind == NODE_MAP)
            check(work, child, &here);
    }
}

void refer_all(struct work *work) {
    each(work, "routes", check_route);
    chains_named(work);
    each(work, "listeners", rates_holder);
    each(work, "systems", check_system);
    each(work, "policies", check_attempts);
    const struct node *security = section(work, "security");
    const struct node *identities = node_get(security, SLICE_OF("identities"));
    struct node *seen = tree_node(&work->tree, NODE_MAP, (struct config_place){0});
    struct trail root = {NULL, {NULL, 0}}, at = {&root, SLICE_OF("security")}, all = {&at, SLICE_OF("identities")};
    for (const struct node *child = identities && identities->kind == NODE_MAP ? identities->first : NULL; child && seen; child = child->next) {
        struct trail here = {&all, child->key};
        if (child->kind == NODE_MAP) {
            check_identity(work, child, &here, seen);
            rates_holder(work, child, &here);
            check_names(work, identities, child, &here);
        }
    }
    check_message_limits(work);
}
