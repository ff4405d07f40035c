/* What a worker shows of itself: copied under a short lock a few times a second, read by whoever asks. */
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
    memory_free(view->connections);
    pthread_mutex_destroy(&view->lock);
}

static void copy_name(char *out, size_t room, struct slice name, struct slice *ret) {
    size_t size = name.size < room ? name.size : room;
    memcpy(out, name.data, size);
    *ret = slice_make(out, size);
}

static bool reserve_systems(struct view *view, size_t count) {
    if (count <= view->system_capacity)
        return true;
    struct view_system *systems = memory_resize(view->systems, count * sizeof *systems);
    if (!systems)
        return false;
    view->systems = systems;
    view->system_capacity = count;
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
    for (size_t i = 0; i < view->system_count; i++) {
        struct view_system *out = &view->systems[i];
        engine_system_view(worker->engine, i, &out->view);
        copy_name(out->name, sizeof out->name, out->view.name, &out->view.name);
    }
    view->connection_count = reserve_connections(view, connections) ? connections : 0;
    struct list_node *node = list_first(&net->open);
    for (size_t i = 0; i < view->connection_count && node; i++, node = list_next(&net->open, node))
        show_connection(worker, &view->connections[i], LIST_ENTRY(node, struct connection, node), now);
    pthread_mutex_unlock(&view->lock);
}
