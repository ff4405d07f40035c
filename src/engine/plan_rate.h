/* Limits of rate as the engine looks at them. */
#ifndef ENGINE_PLAN_RATE_H
#define ENGINE_PLAN_RATE_H

#include "base/slice.h"
#include "config/config.h"
#include "policy/rate.h"

struct plan;

enum plan_rate_kind { PLAN_RATE_LISTENER, PLAN_RATE_IDENTITY, PLAN_RATE_ROUTE, PLAN_RATE_SYSTEM, PLAN_RATE_KINDS };
const char *plan_rate_word(enum plan_rate_kind kind);

enum { PLAN_RATE_MESSAGES, PLAN_RATE_BYTES, PLAN_RATE_UNITS };

struct plan_rate {
    enum plan_rate_kind kind;
    enum config_rate_by by;
    struct rate_limit limits[PLAN_RATE_UNITS];
    struct slice name;   /* of what has it */
    struct slice prefix; /* of its buckets' keys: all that they are alike in, the limits too */
};

struct plan_rates {
    const struct plan_rate **listeners; /* by their indices in the configuration; NULL: it has none */
    const struct plan_rate **identities;
    const struct plan_rate **routes; /* by index in plan->routes */
    const struct plan_rate **systems;
    struct plan_rate *all;
    uint32_t count;
    bool any_arrival; /* of a listener or an identity */
    bool any_way;     /* of a route or a system */
};

#define PLAN_RATE_KEY_MAX 256

/* Sets plan->rates, if there is any; after its routes and listeners. False when memory is out. */
bool plan_rates(struct plan *plan);
/* Whose bucket that key names; NULL: nobody's in this plan. */
const struct plan_rate *plan_rate_find(const struct plan *plan, struct slice key);

#endif
