/* What a worker shows of itself: copied under a short lock a few times a second, read by whoever asks. */
#include <stdio.h>

#include "runtime/inner.h"

bool view_init(struct view *view) {
    *view = (struct view){.is_inited = true};
    pthread_mutex_init(&view->lock, NULL);
    return true;
}

void view_done(struct view *view) {
    if (!view->is_inited)
        return;
    memory_free(view->systems);
    memory_free(view->endpoints);
    memory_free(view->connections);
    pthread_mutex_destroy(&view->lock);
}

static void copy_name(char *out, size_t room, struct slice name, struct slice *ret) {
    size_t size = name.size < room ? name.size : room;
    if (size)
        memcpy(out, name.data, size);
    *ret = slice_make(out, size);
}

static bool reserve_systems(struct view *view, size_t count) {
    if (count <= view->system_capacity)
        return true;
    struct view_system *systems = memory_resize(view->systems, count * sizeof *systems);
    if (!systems)
        return false;
    memset(systems + view->system_capacity, 0, (count - view->system_capacity) * sizeof *systems);
    view->systems = systems;
    view->system_capacity = count;
    return true;
}

static bool reserve_endpoints(struct view *view, size_t count) {
    if (count <= view->endpoint_capacity)
        return true;
    struct view_endpoint *endpoints = memory_resize(view->endpoints, count * sizeof *endpoints);
    if (!endpoints)
        return false;
    view->endpoints = endpoints;
    view->endpoint_capacity = count;
    return true;
}

static bool reserve_connections(struct view *view, size_t count) {
    if (count <= view->connection_capacity)
        return true;
    size_t capacity = count + count / 2 + 16;
    if (capacity > RUNTIME_CONNECTIONS_SHOWN)
        capacity = RUNTIME_CONNECTIONS_SHOWN; /* never less than `count` */
    struct view_connection *connections = memory_resize(view->connections, capacity * sizeof *connections);
    if (!connections)
        return false;
    view->connections = connections;
    view->connection_capacity = capacity;
    return true;
}

static struct slice state_of(const struct connection *c) {
    return c->status == CONNECTION_DIALLING ? SLICE_OF("dialling")
           : c->status == CONNECTION_SECURING ? SLICE_OF("securing")
           : c->status == CONNECTION_OPEN   ? SLICE_OF("open")
                                            : SLICE_OF("closing");
}

static void show_connection(const struct worker *worker, struct view_connection *out, const struct connection *c,
                            struct mono now) {
    out->view = (struct runtime_connection_view){
        .handle = c->handle, .worker = worker->index, .dialled = c->setup->role == PROTOCOL_DIALLED,
        .protocol = slice_from(c->protocol->name), .state = state_of(c), .peer = c->peer,
        .age_ns = now.ns - c->opened.ns, .bytes_in = c->bytes_in, .bytes_out = c->out.written,
        .unsent = chain_unsent(&c->out)};
    copy_name(out->name, sizeof out->name, c->setup->name, &out->view.name);
}

/* Path and query may hold secrets, and so may what stands before the host. */
static struct slice place_of(struct slice url) {
    size_t scheme = 0;
    while (scheme + 3 <= url.size && memcmp(url.data + scheme, "://", 3) != 0)
        scheme++;
    struct slice rest = slice_skip(url, scheme + 3);
    rest = slice_head(rest, slice_find(rest, '/'));
    rest = slice_head(rest, slice_find(rest, '?'));
    if (slice_find(rest, '@') < rest.size)
        return slice_make("", 0);
    return slice_make(url.data, (size_t)(rest.data + rest.size - url.data));
}

static void show_endpoint(struct view_endpoint *out) {
    (void)snprintf(out->why, sizeof out->why, "%s", out->view.why);
    copy_name(out->name, sizeof out->name, out->view.name, &out->view.name);
    copy_name(out->place, sizeof out->place, place_of(out->view.url), &out->view.url);
    copy_name(out->zone, sizeof out->zone, out->view.zone, &out->view.zone);
}

static void publish_endpoints(struct view *view, const struct engine *engine) {
    size_t systems = engine_system_count(engine), count = 0;
    for (size_t i = 0; i < systems; i++)
        count += engine_endpoint_count(engine, i);
    view->endpoint_count = 0;
    if (!reserve_endpoints(view, count))
        return;
    for (size_t i = 0; i < systems; i++)
        for (size_t k = 0; k < engine_endpoint_count(engine, i); k++) {
            struct view_endpoint *out = &view->endpoints[view->endpoint_count++];
            engine_endpoint_view(engine, i, k, &out->view);
            show_endpoint(out);
        }
}

static void set_rate(struct view_system *out, bool is_same, struct mono now) {
    uint64_t total = out->view.endings[ENDING_DELIVERED] + out->view.endings[ENDING_REPLIED];
    int64_t passed = now.ns - out->out_at.ns;
    if (is_same && out->out_at.ns && passed < NS_PER_S)
        return;
    bool is_known = is_same && out->out_at.ns && total >= out->out;
    out->out_per_second = is_known ? (double)(total - out->out) * 1e9 / (double)passed : 0;
    out->out = total;
    out->out_at = now;
}

static void publish_system(struct view_system *out, const struct engine *engine, size_t index,
                           struct mono now) {
    struct slice before = slice_make(out->name, out->view.name.size);
    engine_system_view(engine, index, &out->view);
    bool is_same = slice_equal(before, out->view.name);
    copy_name(out->name, sizeof out->name, out->view.name, &out->view.name);
    set_rate(out, is_same, now);
}

void view_publish(struct worker *worker) {
    struct view *view = &worker->view;
    struct net *net = engine_net(worker->engine);
    size_t systems = engine_system_count(worker->engine);
    size_t connections = net->open.count < RUNTIME_CONNECTIONS_SHOWN ? net->open.count : RUNTIME_CONNECTIONS_SHOWN;
    struct mono now = worker_now(worker).mono;
    tally_publish(&worker->tally, worker->engine, now);
    pthread_mutex_lock(&view->lock);
    view->totals = *engine_totals(worker->engine);
    view->totals.connections = net->open.count;
    view->system_count = reserve_systems(view, systems) ? systems : 0;
    for (size_t i = 0; i < view->system_count; i++)
        publish_system(&view->systems[i], worker->engine, i, now);
    publish_endpoints(view, worker->engine);
    view->connection_count = reserve_connections(view, connections) ? connections : 0;
    struct list_node *node = list_first(&net->open);
    for (size_t i = 0; i < view->connection_count && node; i++, node = list_next(&net->open, node))
        show_connection(worker, &view->connections[i], LIST_ENTRY(node, struct connection, node), now);
    pthread_mutex_unlock(&view->lock);
}
