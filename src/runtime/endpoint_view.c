/* What the workers think of endpoints, put together: the worst of it, and how many would send there all the same. */
#include "runtime/inner.h"

enum severity { UP, HALF_OPEN, UNREACHABLE, EJECTED, OPEN, UNHEALTHY, DRAINED, DRAINING, DOWN };

static enum severity severity_of(const struct engine_endpoint_view *view) {
    static const uint8_t severities[ENDPOINT_STATE_COUNT] = {[ENDPOINT_UP] = UP,
                                                             [ENDPOINT_HALF_OPEN] = HALF_OPEN,
                                                             [ENDPOINT_OPEN] = OPEN,
                                                             [ENDPOINT_UNHEALTHY] = UNHEALTHY,
                                                             [ENDPOINT_EJECTED] = EJECTED,
                                                             [ENDPOINT_DOWN] = DOWN,
                                                             [ENDPOINT_DRAINING] = DRAINING,
                                                             [ENDPOINT_DRAINED] = DRAINED};
    bool fails = view->failures > 0 && view->connections == 0;
    return view->state <= ENDPOINT_HALF_OPEN && fails ? UNREACHABLE : (enum severity)severities[view->state];
}

bool endpoint_view_serves(const struct engine_endpoint_view *view) {
    return severity_of(view) <= HALF_OPEN;
}

static struct slice copy(struct arena *arena, struct slice text) {
    struct slice copied = arena_copy(arena, text);
    return copied.data ? copied : slice_make("", 0);
}

/* Its texts as the worst has them. */
static void set_worst(struct arena *arena, struct runtime_endpoint_view *out, const struct view_endpoint *one,
                      enum severity severity) {
    out->severity = severity;
    out->sum.state = one->view.state;
    out->state = severity == UNREACHABLE ? "unreachable" : engine_endpoint_state_name(one->view.state);
    out->sum.since = one->view.since;
    out->why = copy(arena, slice_from(one->why));
}

static void add(struct arena *arena, struct runtime_endpoint_view *out, const struct view_endpoint *one) {
    const struct engine_endpoint_view *view = &one->view;
    struct engine_endpoint_view *sum = &out->sum;
    enum severity severity = severity_of(view);
    if (severity > out->severity)
        set_worst(arena, out, one, severity);
    out->workers++;
    out->serving += severity <= HALF_OPEN;
    out->ejected += view->is_ejected;
    sum->in_flight += view->in_flight;
    sum->connections += view->connections;
    sum->failures = view->failures > sum->failures ? view->failures : sum->failures;
    if (view->circuit != BREAKER_CLOSED && sum->circuit != BREAKER_OPEN)
        sum->circuit = view->circuit;
    if (view->consent > sum->consent) /* one that was told so is enough */
        sum->consent = view->consent;
    sum->rate = view->rate ? view->rate : sum->rate;
    for (int i = 0; i < RESULT_COUNT; i++)
        sum->results[i] += view->results[i];
}

static struct runtime_endpoint_view *begin(struct arena *arena, struct runtime_endpoint_view *out,
                                           const struct view_endpoint *one, struct slice name) {
    size_t cut = slice_find(name, '/');
    *out = (struct runtime_endpoint_view){.sum = one->view};
    struct engine_endpoint_view *sum = &out->sum;
    out->system = copy(arena, slice_head(name, cut));
    sum->name = copy(arena, slice_skip(name, cut + 1));
    sum->url = copy(arena, slice_make(one->place, sum->url.size));
    sum->zone = copy(arena, slice_make(one->zone, sum->zone.size));
    sum->why = "";
    sum->in_flight = sum->connections = sum->failures = 0;
    memset(sum->results, 0, sizeof sum->results);
    set_worst(arena, out, one, UP);
    return out;
}

/* The lists of two workers mostly have the same at the same place. */
static struct runtime_endpoint_view *find(const struct endpoint_views *views, size_t hint,
                                          struct slice name) {
    size_t cut = slice_find(name, '/');
    struct slice system = slice_head(name, cut), endpoint = slice_skip(name, cut + 1);
    for (size_t i = 0; i < views->count; i++) {
        struct runtime_endpoint_view *at = &views->list[(hint + i) % views->count];
        if (slice_equal(at->sum.name, endpoint) && slice_equal(at->system, system))
            return at;
    }
    return NULL;
}

bool endpoint_views_add(struct endpoint_views *views, struct arena *arena, const struct view *view) {
    size_t room = views->count + view->endpoint_count;
    struct runtime_endpoint_view *list = arena_array(arena, room + 1, sizeof *list);
    if (!list)
        return false;
    if (views->count)
        memcpy(list, views->list, views->count * sizeof *list);
    views->list = list;
    for (size_t i = 0; i < view->endpoint_count; i++) {
        const struct view_endpoint *one = &view->endpoints[i];
        struct slice name = slice_make(one->name, one->view.name.size);
        struct runtime_endpoint_view *at = find(views, i, name);
        add(arena, at ? at : begin(arena, &views->list[views->count++], one, name), one);
    }
    return true;
}

bool endpoint_views_give(const struct endpoint_views *views, struct arena *arena,
                         struct runtime_system_view *system) {
    size_t count = 0;
    for (size_t i = 0; i < views->count; i++)
        count += slice_equal(views->list[i].system, system->sum.name);
    struct runtime_endpoint_view *list = arena_array(arena, count + 1, sizeof *list);
    if (!list)
        return false;
    for (size_t i = 0; i < views->count; i++) {
        if (!slice_equal(views->list[i].system, system->sum.name))
            continue;
        struct runtime_endpoint_view *at = &list[system->endpoint_count++];
        *at = views->list[i];
        if (at->severity == UNREACHABLE && at->sum.connections == 0)
            at->serving = 0; /* others just haven't tried yet */
        system->endpoints_serving += at->serving > 0;
        system->endpoints_fine += at->serving == at->workers;
    }
    system->endpoints = list;
    return true;
}
