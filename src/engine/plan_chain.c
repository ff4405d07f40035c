/* The middleware of routes, compiled. */
#include "engine/plan.h"

enum status plan_chains(struct plan *plan, struct fault *fault) {
    struct middleware_fault why;
    for (size_t i = 0; i < plan->route_count; i++) {
        const struct config_route *route = plan->routes[i].config;
        if (!route->stage_count)
            continue;
        enum status status = middleware_compile(route->stages, route->stage_count, &plan->config->extensions,
                                                &plan->arena, &plan->routes[i].chain, &why);
        if (status != STATUS_OK)
            return fault_set(fault, status, 0, "routes.%.*s.middleware: stage %zu: %s",
                             SLICE_ARG(route->name), why.stage, why.text);
    }
    return STATUS_OK;
}
