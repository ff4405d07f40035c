/* Datagrams of one socket, many at once. */
#include "runtime/inner.h"

#define BATCHES_MAX 8 /* received in one turn */

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
            if (link->peer.family == ADDRESS_NONE || address_equal(&from, &link->peer))
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
            .kind = INPUT_WRITTEN, .connection = link->connection, .size = bytes, .pieces = taken};
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
