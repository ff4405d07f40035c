/* A configuration compiled for engines: protocols and setups of listeners and endpoints, routes as a match table, who
 * gets what with which policy. Immutable and shared by all workers; whoever made it frees it after the last engine let
 * go. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "base/fault.h"
#include "base/map.h"
#include "config/config.h"
#include "engine/plan_rate.h"
#include "connection/net.h"
#include "policy/health.h"
#include "policy/match.h"
#include "policy/rest.h"
#include "security/identity.h"

#define HOPS_MAX 16

struct plan_target {
    uint32_t system;
    struct config_policy policy;
};

struct plan_route {
    const struct config_route *config;
    const struct config_fault *fault; /* trouble made on purpose; NULL: none */
    const struct plan_target *mirror; /* who gets a copy more; NULL: nobody */
    uint64_t weights; /* CONFIG_WAY_SPLIT: their sum */
    struct plan_target
        *targets; /* has_target: by system index, `system` CONFIG_NONE where it doesn't match */
    size_t target_count;
    const struct middleware_chain *chain; /* NULL: it has none */
};

/* How an endpoint is asked whether it is well. */
struct plan_probe {
    const struct protocol *protocol;
    struct protocol_setup setup;
    struct health_config pace;
};

struct plan_endpoint {
    const struct config_endpoint *config;
    const struct plan_probe *probe; /* NULL: it isn't asked */
    const struct protocol *protocol;
    struct protocol_setup setup;
    uint32_t system;
};

/* Whose turn it is by what a message says: `balance.key`. */
struct plan_key {
    enum attribute attribute;  /* ATTRIBUTE_OTHER: as the program says */
    const struct cesql *cesql; /* NULL: there is no key */
};

struct plan_listener {
    const struct config_listener *config;
    const struct protocol *protocol;
    struct protocol_setup setup;
    const struct cidr *allow;
    size_t allow_count;
};

struct plan {
    struct arena arena;
    const struct config *config;
    uint32_t generation; /* set by whoever puts it in force; ascending */
    struct plan_listener *listeners;   /* by config index */
    struct plan_endpoint **endpoints;  /* by system index, then endpoint index */
    struct plan_route *routes;         /* those that are enabled, in order: for messages, then for HTTP requests */
    size_t route_count;
    size_t rest_first;                 /* index of the first for HTTP requests */
    const struct rest_rule *rest_rules;
    const struct rest_table *rest;     /* NULL: there are none */
    struct plan_target *direct;        /* by system index: by the target alone */
    const struct match_table *match;
    const struct security *security;
    struct plan_key *keys;          /* by system index */
    struct map system_names;        /* name -> &direct[i] */
    struct protocol_setup admin;    /* http1, is_admin */
    const struct plan_rates *rates; /* NULL: nothing has one */
    uint64_t reads; /* known attributes that any rule reads */
    uint32_t dedupes; /* kinds of messages of which some may have been taken before: bits */
    bool has_mirrors, has_hedges;
    const bool *fails_over; /* by system index: a `failover` names it; NULL: none does */
    bool memo_ok; /* no rule reads data, time or other attributes */
};

/* NULL with `fault`. `config` must outlive it. */
struct plan *plan_new(const struct config *config, struct fault *fault);
void plan_free(struct plan *plan);
/* An endpoint that isn't in the configuration, with memory of its own. `config` must outlive it. */
enum status plan_found(const struct plan *plan, struct arena *arena, uint32_t system,
                       const struct config_endpoint *config, struct plan_endpoint *ret, struct fault *fault);
/* plan_chain.c: the middleware of all routes. */
enum status plan_chains(struct plan *plan, struct fault *fault);
/* plan_tls.c: gives `setup` its filter where the scheme has TLS. False when memory is out. */
bool plan_tls(struct plan *plan, struct protocol_setup *setup, const struct config_url *url, const struct config_tls *config,
              int64_t timeout_ns);
/* plan_present.c: what is shown to that endpoint. False when memory is out. */
bool plan_presents(struct plan *plan, struct protocol_setup *setup, const struct config_endpoint *config);
/* plan_probe.c: gives the endpoint its probe, where there is to be one. False when memory is out. */
bool plan_probe(struct plan *plan, struct plan_endpoint *endpoint, const struct config_health *config);
/* What is known by the one holds for the other. */
bool plan_probe_same(const struct plan_probe *a, const struct plan_probe *b);
/* CONFIG_NONE when nobody has that name. */
uint32_t plan_system(const struct plan *plan, struct slice name);
/* What message->route says of a route: of another plan it means nothing. */
static inline uint32_t plan_route_mark(const struct plan *plan, uint32_t index) {
    return (plan->generation & 0xff) << 24 | ((index + 1) & 0xffffff);
}
/* -1: of another plan. */
static inline int32_t plan_route_index(const struct plan *plan, uint32_t mark) {
    return mark >> 24 == (plan->generation & 0xff) ? (int32_t)(mark & 0xffffff) - 1 : -1;
}
/* The protocol row for a scheme, NULL when it has none. */
const struct protocol *plan_protocol(enum config_scheme scheme, enum protocol_role role);

#endif
