/* The descriptor of one connection: bytes read become inputs, its out chain is written when the engine says so. */
#include "runtime/inner.h"

#define READ_SIZE (64u << 10)
#define READ_ON_SIZE 16384 /* after a read of so much, read on */
#define READS_MAX 32       /* in one turn */
/* What is read in one turn fits into what a recipient may have unsent (NET_UNSENT_MAX), so that it goes straight through
 * instead of waiting in a lane for the flush at the turn's end: 12 % faster than 512 KiB. */
#define READ_TURN_MAX (96u << 10)
#define WRITE_TURN_MAX (1u << 20)
#define VECTORS_MAX 64
#define LINGER_NS NS_PER_S
#define LINGER_BYTES (256u << 10)
#define FULL_LOOK_NS NS_PER_S
#define LINGERING_MAX 1024  /* of a worker; with more the oldest waits no longer */
#define TURNED_AWAY_MAX 256 /* of those, who were never in */

struct link *link_find(struct worker *worker, uint64_t connection) {
    uint32_t slot = (uint32_t)connection;
    struct link *link = slot < worker->link_count ? worker->links[slot] : NULL;
    return link && link->connection == connection ? link : NULL;
}

static bool reserve(struct worker *worker, uint32_t slot) {
    if (slot < worker->link_count)
        return true;
    uint32_t count = worker->link_count ? worker->link_count : 16;
    while (count <= slot)
        count *= 2;
    struct link **links = memory_resize(worker->links, count * sizeof(struct link *));
    if (!links)
        return false;
    memset(links + worker->link_count, 0, (count - worker->link_count) * sizeof(struct link *));
    worker->links = links;
    worker->link_count = count;
    return true;
}

struct link *link_new(struct worker *worker, uint64_t connection, const struct protocol *protocol) {
    uint32_t slot = (uint32_t)connection;
    if (!reserve(worker, slot))
        return NULL;
    struct link *link = memory_new(sizeof *link);
    if (!link)
        return NULL;
    ASSERT(!worker->links[slot]);
    link->worker = worker;
    link->connection = connection;
    link->protocol = protocol;
    link->is_datagram = protocol->is_datagram;
    link->fd = -1;
    worker->links[slot] = link;
    return link;
}

static void set_full(struct link *link, bool full) {
    struct worker *worker = link->worker;
    if (link->is_full != full && !link->is_datagram) {
        if (full && worker->full.count == 0)
            worker->full_at = mono_after(worker_now(worker).mono, FULL_LOOK_NS);
        if (full)
            list_add(&worker->full, &link->node);
        else
            list_remove(&worker->full, &link->node);
        link->untaken = full ? UINT32_MAX : 0;
    }
    link->is_full = full;
}

void link_full_look(struct worker *worker) {
    for (struct list_node *node = list_first(&worker->full); node;) {
        struct link *link = LIST_ENTRY(node, struct link, node);
        node = list_next(&worker->full, node);
        uint32_t untaken = link->state == LINK_OPEN ? socket_untaken(link->fd) : 0;
        if (untaken && untaken < link->untaken && link->untaken != UINT32_MAX) {
            struct engine_input input = {.kind = INPUT_WRITTEN, .connection = link->connection, .pieces = 1};
            worker_input(worker, &input);
        }
        link->untaken = untaken ? untaken : UINT32_MAX;
    }
    worker->full_at = worker->full.count ? mono_after(worker_now(worker).mono, FULL_LOOK_NS) : MONO_NEVER;
}

static void unlist(struct link *link) {
    uint32_t slot = (uint32_t)link->connection;
    set_full(link, false);
    seat_leave(link->worker, &link->seat);
    if (link->state == LINK_LINGERING)
        list_remove(&link->worker->lingering, &link->node);
    else if (slot < link->worker->link_count && link->worker->links[slot] == link)
        link->worker->links[slot] = NULL;
}

void link_free(struct link *link) {
    unlist(link);
    dial_free(link);
    if (link->watch.loop)
        loop_unwatch(&link->watch);
    if (link->is_datagram && link->gate)
        link->gate->link = NULL;
    else if (link->fd >= 0)
        socket_close(link->fd);
    memory_free(link);
}

/* What to wait for follows from the state alone. */
static unsigned wanted(const struct link *link) {
    switch ((enum link_state)link->state) {
    case LINK_OPEN:
        return (link->reads_off ? 0u : LOOP_READABLE) | (link->is_full ? LOOP_WRITABLE : 0u);
    case LINK_LINGERING:
        return LOOP_READABLE;
    case LINK_RESOLVING:
    case LINK_CONNECTING:
    case LINK_LOST:
        break;
    }
    return LOOP_NOTHING;
}

void link_update(struct link *link) {
    if (link->watch.loop)
        loop_modify(&link->watch, wanted(link));
}

bool link_watch(struct link *link) {
    if (!link->watch.loop)
        return loop_watch(link->worker->loop, &link->watch, link->fd, wanted(link), link_ready, link);
    link_update(link);
    return true;
}

void link_lost(struct link *link, enum status status) {
    if (link->state == LINK_LOST)
        return;
    link->state = LINK_LOST;
    link_update(link);
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = link->connection, .status = status};
    worker_input(link->worker, &input);
}

/* -- in -- */

/* Whether the engine still wants bytes of it within this turn: its buffer for what it can't use is bounded. */
static bool may_read_on(const struct link *link) {
    const struct connection *c = net_find(engine_net(link->worker->engine), link->connection);
    return c && connection_reads(c) && !c->sink.closing;
}

/* The PROXY header was read: now `limits.per_peer` can be looked at. */
static void look_at_peer(struct link *link) {
    const struct connection *c = net_find(engine_net(link->worker->engine), link->connection);
    const struct config *config = link->worker->generation->config;
    if (!c || !c->was_open)
        return;
    link->awaits_peer = false;
    if (c->listener >= config->listener_count ||
        seat_take_peer(&link->seat, config->listeners[c->listener].limits.per_peer, &c->peer) == STATUS_OK)
        return;
    tally_limit(&link->worker->tally, "listeners.limits.per_peer");
    link_lost(link, STATUS_TOO_MANY_CONNECTIONS);
}

static void take_bytes(struct link *link, size_t size) {
    tally_bytes(&link->worker->tally, link->protocol, link->is_dialled, false, size);
    struct engine_input input = {
        .kind = INPUT_BYTES, .connection = link->connection, .bytes = slice_make(link->worker->block, size)};
    worker_input(link->worker, &input);
    if (link->awaits_peer)
        look_at_peer(link);
}

static void take_end(struct link *link) {
    link->reads_off = true; /* a socket at its end stays readable for ever */
    link_update(link);
    struct engine_input input = {.kind = INPUT_ENDED, .connection = link->connection};
    worker_input(link->worker, &input);
}

static void read_stream(struct link *link) {
    size_t total = 0;
    for (int i = 0; i < READS_MAX && total < READ_TURN_MAX; i++) {
        struct socket_io io = socket_read(link->fd, link->worker->block, READ_SIZE);
        switch (io.result) {
        case SOCKET_MOVED:
            take_bytes(link, io.count);
            total += io.count;
            if (io.count < READ_ON_SIZE || !may_read_on(link))
                return;
            break;
        case SOCKET_AGAIN:
            return;
        case SOCKET_END:
            take_end(link);
            return;
        case SOCKET_FAILED:
            link_lost(link, io.status);
            return;
        }
    }
}

static void drop_input(struct link *link) {
    struct socket_io io;
    do {
        io = socket_read(link->fd, link->worker->block, READ_BLOCK_SIZE);
        link->dropped += (uint32_t)io.count;
    } while (io.result == SOCKET_MOVED && link->dropped < LINGER_BYTES);
    if (io.result == SOCKET_AGAIN)
        return;
    link_free(link);
}

void link_read(struct link *link, bool on) {
    if (link->state != LINK_OPEN)
        return;
    const struct connection *c = net_find(engine_net(link->worker->engine), link->connection);
    link->reads_off = !on || (c && c->peer_ended);
    link_update(link);
}

/* -- out -- */

static void write_stream(struct link *link) {
    struct worker *worker = link->worker;
    struct iovec vectors[VECTORS_MAX];
    size_t total = 0;
    while (total < WRITE_TURN_MAX) {
        const struct connection *c = net_find(engine_net(worker->engine), link->connection);
        int count = c ? chain_vectors(connection_wire(c), vectors, VECTORS_MAX) : 0;
        if (count == 0) {
            set_full(link, false);
            return;
        }
        size_t offered = 0;
        for (int i = 0; i < count; i++)
            offered += vectors[i].iov_len;
        struct socket_io io = socket_write(link->fd, vectors, (size_t)count);
        if (io.result == SOCKET_FAILED) {
            if (!link->reads_off)
                read_stream(link); /* what it said before it closed still waits there */
            link_lost(link, io.status);
            return;
        }
        if (io.result == SOCKET_MOVED) {
            tally_bytes(&worker->tally, link->protocol, link->is_dialled, true, io.count);
            total += io.count;
            struct engine_input input = {.kind = INPUT_WRITTEN, .connection = link->connection, .size = io.count};
            worker_input(worker, &input);
        }
        if (io.result != SOCKET_MOVED || io.count < offered)
            break;
    }
    set_full(link, true);
}

void link_flush(struct link *link) {
    if (link->state != LINK_OPEN || link->is_full)
        return; /* when full, it goes on by itself */
    if (link->is_datagram)
        packet_flush(link);
    else
        write_stream(link);
    link_update(link);
}

void link_keep_alive(int fd, const struct config_keepalive *keepalive) {
    bool off = keepalive->idle_ns >= CONFIG_FOREVER;
    socket_keep_alive(fd, off ? 0 : (int)(keepalive->idle_ns / NS_PER_S), (int)(keepalive->interval_ns / NS_PER_S), (int)keepalive->count);
}

/* -- readiness -- */

void link_ready(void *user, unsigned events) {
    struct link *link = user;
    if (link->is_datagram && link->state == LINK_OPEN) {
        packet_ready(link, events);
        return;
    }
    if (link->state == LINK_LINGERING) {
        drop_input(link);
        return;
    }
    if (link->state == LINK_OPEN && events & LOOP_WRITABLE && link->is_full) {
        set_full(link, false);
        write_stream(link);
    }
    if (link->state == LINK_OPEN && events & LOOP_READABLE && !link->reads_off)
        read_stream(link);
    if (link->state == LINK_OPEN && events & LOOP_FAILED) {
        enum status status = socket_dial_result(link->fd);
        link_lost(link, status == STATUS_OK ? STATUS_RESET : status);
    }
    if (link->state != LINK_LOST)
        link_update(link);
}

/* -- the end -- */

static void linger_on(struct link *link) {
    struct worker *worker = link->worker;
    if (worker->lingering.count >= LINGERING_MAX)
        link_free(LIST_ENTRY(list_first(&worker->lingering), struct link, node));
    link->state = LINK_LINGERING;
    link->until = mono_after(worker_now(worker).mono, LINGER_NS);
    list_add(&worker->lingering, &link->node);
}

void link_close(struct link *link, bool linger, bool reset) {
    if (reset && link->fd >= 0 && !link->is_datagram) {
        if (link->watch.loop)
            loop_unwatch(&link->watch);
        socket_close_reset(link->fd);
        link->fd = -1;
    }
    if (link->state != LINK_OPEN || !linger || link->is_datagram) {
        link_free(link);
        return;
    }
    /* A close with bytes unread would reset the connection, and our last answer with it (RFC 9112 section 9.6). */
    socket_shut(link->fd);
    unlist(link);
    linger_on(link);
    link_update(link);
}

void link_turn_away(struct worker *worker, int fd, struct slice words) {
    struct iovec vector = {(void *)(uintptr_t)words.data, words.size};
    struct link *link = NULL;
    if (words.size && worker->lingering.count < TURNED_AWAY_MAX && socket_write(fd, &vector, 1).result == SOCKET_MOVED)
        link = memory_new(sizeof *link);
    if (!link) {
        socket_close(fd);
        return;
    }
    socket_shut(fd);
    link->worker = worker;
    link->fd = fd;
    linger_on(link);
    if (!link_watch(link))
        link_free(link);
}

struct mono link_linger_due(const struct worker *worker) {
    struct list_node *first = list_first(&worker->lingering);
    return first ? LIST_ENTRY(first, struct link, node)->until : MONO_NEVER;
}

void link_linger_over(struct worker *worker) {
    struct list_node *node;
    while ((node = list_first(&worker->lingering))) {
        struct link *link = LIST_ENTRY(node, struct link, node);
        if (!mono_due(link->until, worker_now(worker).mono))
            return;
        link_free(link);
    }
}
