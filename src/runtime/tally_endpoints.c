/* The metrics of endpoints. Which there are may change with each look: what is gone is not shown any more. */
#include "base/map.h"
#include "runtime/inner.h"

static void hide(struct tally *tally) {
    for (size_t i = 0; i < tally->endpoint_count; i++) {
        const struct tally_endpoint *at = &tally->endpoints[i];
        metrics_set(tally->set, at->up, 0);
        metrics_set(tally->set, at->ejected, 0);
        metrics_set(tally->set, at->in_flight, 0);
        metrics_set(tally->set, at->circuit, 0);
    }
}

void tally_endpoints_forget(struct tally *tally) {
    if (tally->set)
        hide(tally);
    memory_free(tally->endpoints);
    tally->endpoints = NULL;
    tally->endpoint_count = 0;
}

static bool reserve(struct tally *tally, size_t count) {
    if (count == tally->endpoint_count)
        return true;
    struct tally_endpoint *endpoints = memory_array(count + 1, sizeof *endpoints);
    if (!endpoints)
        return false;
    tally_endpoints_forget(tally);
    tally->endpoints = endpoints;
    tally->endpoint_count = count;
    return true;
}

static struct tally_endpoint series_of(struct metrics *set, struct slice full) {
    size_t cut = slice_find(full, '/');
    struct slice system = slice_head(full, cut), name = slice_skip(full, cut + 1);
    return (struct tally_endpoint){.name = map_hash(full, 0),
                                   .up = METRICS_SERIES(set, METRIC_ENDPOINT_UP, system, name),
                                   .ejected = METRICS_SERIES(set, METRIC_ENDPOINT_EJECTED, system, name),
                                   .in_flight = METRICS_SERIES(set, METRIC_ENDPOINT_IN_FLIGHT, system, name),
                                   .circuit = METRICS_SERIES(set, METRIC_CIRCUIT_STATE, system, name)};
}

static void show(struct tally *tally, const struct tally_endpoint *at,
                 const struct engine_endpoint_view *view) {
    static const uint8_t circuits[] = {[BREAKER_CLOSED] = 0, [BREAKER_HALF_OPEN] = 1, [BREAKER_OPEN] = 2};
    metrics_set(tally->set, at->up, 1 + endpoint_view_serves(view));
    metrics_set(tally->set, at->ejected, 1 + view->is_ejected);
    metrics_set(tally->set, at->in_flight, view->in_flight);
    metrics_set(tally->set, at->circuit, 1 + circuits[view->circuit]);
}

/* False: another has the place of one that was there. Then all were hidden, and are to be shown again. */
static bool show_all(struct tally *tally, const struct engine *engine) {
    size_t at = 0;
    bool same = true;
    for (size_t i = 0; i < engine_system_count(engine); i++)
        for (size_t k = 0; k < engine_endpoint_count(engine, i); k++) {
            struct engine_endpoint_view view;
            struct tally_endpoint *series = &tally->endpoints[at++];
            engine_endpoint_view(engine, i, k, &view);
            bool is_new = series->name != map_hash(view.name, 0);
            if (is_new && series->name && same) {
                hide(tally);
                same = false;
            }
            if (is_new)
                *series = series_of(tally->set, view.name);
            show(tally, series, &view);
        }
    return same;
}

void tally_endpoints(struct tally *tally, const struct engine *engine) {
    size_t count = 0;
    for (size_t i = 0; i < engine_system_count(engine); i++)
        count += engine_endpoint_count(engine, i);
    if (reserve(tally, count) && !show_all(tally, engine))
        (void)show_all(tally, engine);
}
