/* REST routes: where an HTTP request outside of the API goes. */
#include "base/assert.h"
#include "engine/inner.h"

_Static_assert(REST_PARAMETERS_MAX <= PROTOCOL_PARAMETERS, "all parts that a path names have room");

static void capture(const struct plan *plan, int index, struct slice path, struct protocol_way *ret) {
    struct rest_parameters parameters;
    rest_capture(&plan->rest_rules[index], path, &parameters);
    ret->parameter_count = parameters.count;
    for (unsigned i = 0; i < parameters.count; i++)
        ret->parameters[i] = (struct protocol_parameter){parameters.items[i].name, parameters.items[i].value};
}

void rest_way(void *connection, const struct protocol_ask *ask, struct protocol_way *ret) {
    struct connection *c = connection;
    const struct session *s = c->owner;
    const struct plan *plan = s->engine->plan;
    ret->is_found = ret->streams = false;
    if (!plan->rest)
        return;
    struct rest_ask asked = {.method = ask->method, .path = ask->path, .host = ask->host, .from = s->system,
                             .listener = s->listener ? c->listener : MATCH_NONE, .head = ask->head, .field = ask->field};
    int found = rest_find(plan->rest, &asked);
    if (found < 0)
        return;
    uint32_t index = (uint32_t)plan->rest_first + (uint32_t)found;
    ret->is_found = true;
    ret->streams = plan->routes[index].config->proxy != CONFIG_NONE;
    ret->route = ret->streams ? index : plan_route_mark(plan, index);
    ret->names_host = plan->rest_rules[found].host_count > 0;
    ret->peer = &c->peer;
    ret->parameter_count = 0;
    if (!ret->streams)
        capture(plan, found, ask->path, ret);
}
