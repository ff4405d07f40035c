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

void gate_resume(struct worker *worker) {
    worker->accept_again = MONO_NEVER;
    for (struct list_node *node = list_first(&worker->gates); node; node = list_next(&worker->gates, node)) {
        struct gate *gate = LIST_ENTRY(node, struct gate, node);
        if (gate->watch.loop)
            loop_modify(&gate->watch, LOOP_READABLE);
    }
}

static void welcome(struct gate *gate, int fd, const struct address *peer) {
    struct worker *worker = gate->worker;
    struct address from = address_unmapped(peer);
    struct engine_input input = {.kind = INPUT_OPENED, .listener = gate->index, .peer = &from};
    worker_input(worker, &input);
    if (input.ret_connection == 0) {
        tally_refused(&worker->tally, gate->place->name, STATUS_FORBIDDEN);
        socket_close(fd);
        return;
    }
    const struct connection *c = net_find(engine_net(worker->engine), input.ret_connection);
    struct link *link = c ? link_new(worker, input.ret_connection, c->protocol) : NULL;
    if (!link) {
        socket_close(fd);
        struct engine_input lost = {
            .kind = INPUT_CLOSED, .connection = input.ret_connection, .status = STATUS_NO_MEMORY};
        worker_input(worker, &lost);
        return;
    }
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

static bool open_datagrams(struct gate *gate) {
    struct worker *worker = gate->worker;
    struct engine_input input = {.kind = INPUT_OPENED, .listener = gate->index};
    worker_input(worker, &input);
    const struct connection *c = net_find(engine_net(worker->engine), input.ret_connection);
    gate->link = c ? link_new(worker, input.ret_connection, c->protocol) : NULL;
    if (!gate->link)
        return false;
    gate->link->fd = gate->fd;
    gate->link->gate = gate;
    gate->link->state = LINK_OPEN;
    /* One byte more than allowed, so that what is too long is seen to be. */
    uint32_t room = c->setup->limits.message + 1;
    gate->link->packet_room = room < 2048 ? 2048 : room > 65536 ? 65536 : room;
    return link_watch(gate->link);
}

static void close_datagrams(struct gate *gate) {
    struct engine_input input = {
        .kind = INPUT_CLOSED, .connection = gate->link->connection, .status = STATUS_GOING_AWAY};
    link_free(gate->link);
    worker_input(gate->worker, &input);
}

void gate_reopen(struct gate *gate) {
    if (gate->link)
        close_datagrams(gate);
    worker_turn(gate->worker); /* the old connection's slot is free before the new one comes */
    bool opened = open_datagrams(gate);
    ASSERT(opened);
}

bool gate_open(struct worker *worker, struct place *place, uint32_t index) {
    struct gate *gate = memory_new(sizeof *gate);
    if (!gate)
        return false;
    gate->worker = worker;
    gate->place = place;
    gate->index = index;
    gate->fd = place->fds[worker->index];
    place->fds[worker->index] = -1;
    list_add(&worker->gates, &gate->node);
    if (place->is_datagram)
        return open_datagrams(gate);
    return loop_watch(worker->loop, &gate->watch, gate->fd, LOOP_READABLE, gate_ready, gate);
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
