/* Datagrams of one socket, many at once. */
#include "platform/socket_cast.h"
#include "runtime/inner.h"

#define BATCHES_MAX 8 /* received in one turn */
#define OWN_NS (10 * NS_PER_S) /* addresses of this host are believed so long */

static bool is_own_address(struct worker *worker, const struct address *from) {
    struct own_addresses *own = &worker->own;
    struct mono now = worker_now(worker).mono;
    struct address plain = *from;
    plain.port = 0;
    plain.scope = 0;
    if (address_is_loopback(&plain))
        return true;
    if (mono_due(own->until, now)) {
        own->count = socket_own_addresses(own->items, OWN_ADDRESSES_MAX);
        own->until = mono_after(now, OWN_NS);
    }
    for (size_t i = 0; i < own->count; i++)
        if (address_equal(&own->items[i], &plain))
            return true;
    return false;
}

/* A datagram of a listener of ours is an answer, or forged: taken, the two would answer each other for ever. */
static bool is_own_listener(struct worker *worker, const struct address *from) {
    bool has_port = worker->generation->udp_ports[from->port / 8] >> from->port % 8 & 1;
    return has_port && is_own_address(worker, from);
}

/* Why a datagram of a listener goes no further; NULL: it does. "" counts nowhere: another worker has it as well. */
static const char *reason_to_drop(struct link *link, const struct socket_packet *packet, const struct address *from) {
    struct worker *worker = link->worker;
    const struct config *config = worker->generation->config;
    uint32_t listener = link->gate->index;
    if (packet->cast != SOCKET_UNICAST && worker->index != 0)
        return ""; /* to all: each socket that shares the port has a copy */
    if (packet->cast == SOCKET_BROADCAST && listener < config->listener_count && !config->listeners[listener].broadcast)
        return "broadcast";
    if (is_own_listener(worker, from))
        return "own-address";
    return NULL;
}

static bool is_taken(struct link *link, const struct socket_packet *packet, const struct address *from) {
    if (!link->gate)
        return address_equal(from, &link->peer);
    const char *why = reason_to_drop(link, packet, from);
    if (why && *why)
        tally_datagram_dropped(&link->worker->tally, link->gate->place->name, why, 1);
    else if (!why && packet->is_cut) /* it is longer than the limit, too: the protocol says so in the log */
        tally_datagram_dropped(&link->worker->tally, link->gate->place->name, "truncated", 1);
    return !why;
}

void packet_overflows(struct worker *worker) {
    for (struct list_node *node = list_first(&worker->gates); node; node = list_next(&worker->gates, node)) {
        struct gate *gate = LIST_ENTRY(node, struct gate, node);
        uint32_t count = gate->place->is_datagram ? socket_overflows(gate->fd) : 0;
        if (count != gate->overflows)
            tally_datagram_dropped(&worker->tally, gate->place->name, "receive-queue", (uint32_t)(count - gate->overflows));
        gate->overflows = count;
    }
}

static void receive(struct link *link) {
    struct worker *worker = link->worker;
    struct socket_packet packets[SOCKET_BATCH];
    struct engine_datagram datagrams[SOCKET_BATCH];
    size_t room = READ_BLOCK_SIZE / link->packet_room;
    if (room > SOCKET_BATCH)
        room = SOCKET_BATCH;
    for (int batch = 0; batch < BATCHES_MAX; batch++) {
        size_t bytes = 0;
        uint32_t count = 0;
        for (size_t i = 0; i < room; i++)
            packets[i] = (struct socket_packet){.data = worker->block + i * link->packet_room, .size = link->packet_room};
        struct socket_io io = socket_receive(link->fd, packets, room);
        if (io.result != SOCKET_MOVED)
            return; /* a datagram socket is not lost by what happens to one datagram */
        for (size_t i = 0; i < io.count; i++) {
            bytes += packets[i].size;
            struct address from = address_unmapped(&packets[i].peer);
            if (is_taken(link, &packets[i], &from))
                datagrams[count++] = (struct engine_datagram){slice_make(packets[i].data, packets[i].size), from};
        }
        tally_bytes(&worker->tally, link->protocol, link->peer.family != ADDRESS_NONE, false, bytes);
        struct engine_input input = {
            .kind = INPUT_DATAGRAMS, .connection = link->connection, .datagrams = datagrams, .count = count};
        worker_input(worker, &input);
        if (io.count < room)
            return;
    }
}

/* The first pieces of the chain as packets; returns how many. */
static size_t fill(const struct chain *chain, struct socket_packet *packets) {
    size_t count = 0;
    for (uint32_t i = 0; count < SOCKET_BATCH; i++) {
        const struct chain_piece *piece = chain_piece(chain, i);
        if (!piece || piece->size == 0)
            break;
        packets[count++] = (struct socket_packet){
            .data = piece->block->data + piece->at, .size = piece->size, .peer = piece->to};
    }
    return count;
}

/* What an earlier datagram met on its way is reported to the next send: that one deserves its own try. */
static struct socket_io send(struct link *link, const struct socket_packet *packets, size_t count) {
    struct socket_io io = socket_send(link->fd, packets, count);
    if (io.result == SOCKET_FAILED && (io.status == STATUS_REFUSED || io.status == STATUS_UNREACHABLE))
        io = socket_send(link->fd, packets, count);
    return io;
}

void packet_flush(struct link *link) {
    struct worker *worker = link->worker;
    struct socket_packet packets[SOCKET_BATCH];
    for (;;) {
        const struct connection *c = net_find(engine_net(worker->engine), link->connection);
        size_t count = c ? fill(&c->out, packets) : 0;
        if (count == 0)
            break;
        struct socket_io io = send(link, packets, count);
        if (io.result == SOCKET_AGAIN) {
            link->is_full = true;
            return;
        }
        uint32_t taken = io.result == SOCKET_MOVED ? (uint32_t)io.count : 1;
        size_t bytes = 0;
        for (uint32_t i = 0; i < taken; i++)
            bytes += packets[i].size;
        if (io.result == SOCKET_MOVED) {
            tally_bytes(&worker->tally, link->protocol, link->peer.family != ADDRESS_NONE, true, bytes);
        } else {
            tally_datagram_lost(&worker->tally, c, io.status);
        }
        struct engine_input input = {
            .kind = INPUT_WRITTEN, .connection = link->connection, .size = bytes, .pieces = taken,
                                     .status = io.result == SOCKET_MOVED ? STATUS_OK : io.status};
        worker_input(worker, &input);
    }
    link->is_full = false;
}

void packet_ready(struct link *link, unsigned events) {
    if (events & LOOP_WRITABLE && link->is_full) {
        link->is_full = false;
        packet_flush(link);
    }
    if (events & LOOP_READABLE && !link->reads_off)
        receive(link);
    link_update(link); /* also after LOOP_FAILED: receive() has cleared the error */
}
