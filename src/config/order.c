/* Routes as they are looked through: by `order`, then as written. */
#include <stdlib.h>

#include "config/work.h"

/* Stable: equal orders stay as they came. */
static int route_before(const void *left, const void *right) {
    const struct config_route *a = *(const struct config_route *const *)left, *b = *(const struct config_route *const *)right;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return a < b ? -1 : a > b;
}

enum status order_routes(struct config *config) {
    if (config->route_count == 0)
        return STATUS_OK;
    struct config_route **order = arena_array(&config->arena, config->route_count, sizeof *order);
    struct config_route *sorted = arena_array(&config->arena, config->route_count, sizeof *sorted);
    if (!order || !sorted)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < config->route_count; i++)
        order[i] = &config->routes[i];
    qsort(order, config->route_count, sizeof *order, route_before);
    for (size_t i = 0; i < config->route_count; i++)
        sorted[i] = *order[i];
    config->routes = sorted;
    return STATUS_OK;
}
