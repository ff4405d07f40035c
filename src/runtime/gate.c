/* A listener's socket on one worker. */
#include "runtime/inner.h"

#define ACCEPTS_MAX 64 /* in one turn */
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)

static void tell_pause(struct worker *worker, enum status status) {
    if (worker->is_accept_told)
        return;
    worker->is_accept_told = true;
    struct log_record record;
    log_record_init(&record, LOG_LEVEL_ERROR, LOG_ROOM_RUNTIME, worker_now(worker).wall, "accepting paused");
    log_add_text(&record, "reason", slice_from(status_reason(status)));
    pen_write(&worker->pen, &record);
}

/* No more descriptors or memory: the backlog stays readable, so looking again at once would only burn the core. */
static void pause_all(struct worker *worker, enum status status) {
    tell_pause(worker, status);
    worker->accept_again = mono_after(worker_now(worker).mono, ACCEPT_PAUSE_NS);
    for (struct list_node *node = list_first(&worker->gates); node; node = list_next(&worker->gates, node)) {
        struct gate *gate = LIST_ENTRY(node, struct gate, node);
        if (gate->watch.loop)
            loop_modify(&gate->watch, LOOP_NOTHING);
    }
}

static void try_to_listen(struct gate *gate);

void gate_resume(struct worker *worker) {
    worker->accept_again = MONO_NEVER;
    for (struct list_node *node = list_first(&worker->gates); node; node = list_next(&worker->gates, node)) {
        struct gate *gate = LIST_ENTRY(node, struct gate, node);
        if (gate->watch.loop)
            loop_modify(&gate->watch, LOOP_READABLE);
        else if (gate->is_deaf)
            try_to_listen(gate);
    }
}

/* In the first second each has a line, then one stands for those of a second: a flood must not become one of lines. */
static void tell_refused(struct gate *gate, const struct address *peer, enum status status, const char *limit) {
    struct worker *worker = gate->worker;
    struct log_record record;
    char text[ADDRESS_TEXT_MAX];
    if (gate->told.ns && worker_now(worker).mono.ns - gate->told.ns < NS_PER_S) {
        gate->refused++;
        return;
    }
    log_record_init(&record, LOG_LEVEL_WARN, LOG_ROOM_CONNECTION, worker_now(worker).wall, "connection refused");
    log_add_text(&record, "listener", gate->place->name);
    log_add_text(&record, "reason", slice_from(status_reason(status)));
    if (limit)
        log_add_text(&record, "limit", slice_from(limit));
    if (peer->family != ADDRESS_NONE) {
        address_print(text, peer);
        log_add_text(&record, "peer", slice_from(text));
    }
    if (gate->refused)
        log_add_u64(&record, "more", gate->refused); /* before this one, untold */
    gate->told = worker_now(worker).mono;
    gate->refused = 0;
    pen_write(&worker->pen, &record);
}

static const struct config_listener *listener_of(const struct gate *gate) {
    const struct config *config = gate->worker->generation->config;
    return gate->index < config->listener_count ? &config->listeners[gate->index] : NULL;
}

/* In the protocol of the listener, where it has a form for that. */
static struct slice last_words(const struct gate *gate, enum status status, char *out, size_t room) {
    const struct plan *plan = gate->worker->generation->plan;
    const struct protocol *protocol = listener_of(gate) ? plan->listeners[gate->index].protocol : protocol_find(SLICE_OF("http1"));
    return slice_make(out, protocol->refusal ? protocol->refusal(status, out, room) : 0);
}

static void refuse(struct gate *gate, int fd, const struct address *peer, enum status status, const char *limit) {
    struct worker *worker = gate->worker;
    char words[600];
    tally_refused(&worker->tally, gate->place->name, status);
    if (limit)
        tally_limit(&worker->tally, limit);
    tell_refused(gate, peer, status, limit);
    /* Whom `allow` does not name learns nothing. */
    link_turn_away(worker, fd, status == STATUS_FORBIDDEN ? slice_make("", 0)
                                                          : last_words(gate, status, words, sizeof words));
}

static void welcome(struct gate *gate, int fd, const struct address *peer) {
    struct worker *worker = gate->worker;
    struct address from = address_unmapped(peer);
    struct engine_input input = {.kind = INPUT_OPENED, .listener = gate->index, .peer = &from};
    struct seat seat;
    const char *limit = NULL;
    enum status status = seat_take(worker, gate->place, listener_of(gate), &from, &seat, &limit);
    if (status != STATUS_OK) {
        refuse(gate, fd, &from, status, limit);
        return;
    }
    worker_input(worker, &input);
    if (input.ret_connection == 0) {
        seat_leave(worker, &seat);
        refuse(gate, fd, &from, input.status, input.status == STATUS_OVERLOADED ? "limits.memory" : NULL);
        return;
    }
    const struct connection *c = net_find(engine_net(worker->engine), input.ret_connection);
    struct link *link = c ? link_new(worker, input.ret_connection, c->protocol) : NULL;
    if (!link) {
        seat_leave(worker, &seat);
        socket_close(fd);
        struct engine_input lost = {
            .kind = INPUT_CLOSED, .connection = input.ret_connection, .status = STATUS_NO_MEMORY};
        worker_input(worker, &lost);
        return;
    }
    link->seat = seat;
    link->awaits_peer = listener_of(gate) && listener_of(gate)->proxy_protocol;
    link->fd = fd;
    link->state = LINK_OPEN;
    if (!link_watch(link))
        link_lost(link, STATUS_NO_MEMORY);
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct gate *gate) {
    struct address peer;
    int fd;
    struct socket_io io = socket_accept(gate->fd, &fd, &peer);
    if (io.result == SOCKET_MOVED) {
        gate->worker->is_accept_told = false;
        welcome(gate, fd, &peer);
        return true;
    }
    if (io.result == SOCKET_FAILED)
        pause_all(gate->worker, io.status);
    return false;
}

static void gate_ready(void *user, unsigned events) {
    struct gate *gate = user;
    (void)events;
    for (int i = 0; i < ACCEPTS_MAX && accept_one(gate); i++)
        ;
}

/* -- datagrams: the socket is a connection from the start -- */

static void close_datagrams(struct gate *gate) {
    struct engine_input input = {
        .kind = INPUT_CLOSED, .connection = gate->link->connection, .status = STATUS_GOING_AWAY};
    link_free(gate->link);
    worker_input(gate->worker, &input);
}

static bool open_datagrams(struct gate *gate) {
    struct worker *worker = gate->worker;
    struct engine_input input = {.kind = INPUT_OPENED, .listener = gate->index};
    worker_input(worker, &input);
    const struct connection *c = net_find(engine_net(worker->engine), input.ret_connection);
    gate->link = c ? link_new(worker, input.ret_connection, c->protocol) : NULL;
    if (!gate->link) {
        struct engine_input lost = {.kind = INPUT_CLOSED, .connection = input.ret_connection, .status = STATUS_NO_MEMORY};
        worker_input(worker, &lost);
        return false;
    }
    gate->link->fd = gate->fd;
    gate->link->gate = gate;
    gate->link->state = LINK_OPEN;
    /* One byte more than allowed, so that what is too long is seen to be. */
    uint32_t room = c->setup->limits.message + 1;
    gate->link->packet_room = room < 2048 ? 2048 : room > 65536 ? 65536 : room;
    if (link_watch(gate->link))
        return true;
    close_datagrams(gate);
    return false;
}

static bool listen_at(struct gate *gate) {
    if (gate->place->is_datagram)
        return open_datagrams(gate);
    return loop_watch(gate->worker->loop, &gate->watch, gate->fd, LOOP_READABLE, gate_ready, gate);
}

/* A listener that is bound and deaf would be a lie: it is told, and tried again. */
static void try_to_listen(struct gate *gate) {
    gate->is_deaf = !listen_at(gate);
    if (gate->is_deaf)
        pause_all(gate->worker, STATUS_NO_MEMORY);
}

void gate_reopen(struct gate *gate) {
    if (gate->link)
        close_datagrams(gate);
    worker_turn(gate->worker); /* the old connection's slot is free before the new one comes */
    try_to_listen(gate);
}

void gate_open(struct worker *worker, struct gate *gate, struct place *place, uint32_t index) {
    gate->worker = worker;
    gate->place = place;
    gate->index = index;
    gate->fd = place->fds[worker->index];
    place->fds[worker->index] = -1;
    list_add(&worker->gates, &gate->node);
    try_to_listen(gate);
}

void gate_close(struct gate *gate) {
    if (gate->watch.loop)
        loop_unwatch(&gate->watch);
    if (gate->link)
        close_datagrams(gate);
    list_remove(&gate->worker->gates, &gate->node);
    socket_close(gate->fd);
    memory_free(gate);
}

void gate_empty(struct gate *gate) {
    if (!gate->place->is_datagram)
        for (int i = 0; i < SOCKET_BACKLOG && accept_one(gate); i++)
            ;
    gate_close(gate);
}
