/* Dialling an endpoint: its name is looked up, then its addresses are tried one after the other. */
#include "platform/socket_peer.h"
#include "runtime/inner.h"

#define ADDRESSES_MAX 8

struct dial {
    struct loop_resolve *resolve;
    struct address addresses[ADDRESSES_MAX];
    size_t count;
    size_t next;
};

/* Kept after success too: it says that the link was dialled, and to whom. */
void dial_free(struct link *link) {
    if (!link->dial)
        return;
    if (link->dial->resolve)
        loop_resolve_forget(link->dial->resolve);
    memory_free(link->dial);
    link->dial = NULL;
}

static void connected(struct link *link) {
    link->state = LINK_OPEN;
    link_update(link);
    struct engine_input input = {.kind = INPUT_CONNECTED, .connection = link->connection,
                                 .peer = &link->dial->addresses[link->dial->next - 1]};
    worker_input(link->worker, &input);
}

static void drop_socket(struct link *link) {
    if (link->watch.loop)
        loop_unwatch(&link->watch);
    if (link->fd >= 0)
        socket_close(link->fd);
    link->fd = -1;
}

/* Tries the next address; the last one's failure is the dial's. */
static void try_next(struct link *link, enum status status) {
    struct dial *dial = link->dial;
    drop_socket(link);
    while (dial->next < dial->count) {
        const struct address *to = &dial->addresses[dial->next++];
        link->state = LINK_CONNECTING;
        status = link->is_datagram ? socket_dial_datagram(to, &link->fd, NULL) : socket_dial(to, &link->fd, NULL);
        if (status != STATUS_OK) {
            link->fd = -1;
            continue;
        }
        if (!link_watch(link)) {
            drop_socket(link);
            status = STATUS_NO_MEMORY;
            continue;
        }
        if (!link->is_datagram)
            return;
        link->peer = *to;
        connected(link);
        return;
    }
    link_lost(link, status);
}

void dial_ready(struct link *link) {
    enum status status = socket_dial_result(link->fd);
    if (status == STATUS_OK)
        connected(link);
    else
        try_next(link, status);
}

static void resolved(void *user, enum status status, const struct address *addresses, size_t count) {
    struct link *link = user;
    struct dial *dial = link->dial;
    dial->resolve = NULL;
    if (status == STATUS_CANCELLED)
        return; /* the worker ends */
    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++)
        dial->addresses[dial->count++] = addresses[i];
    try_next(link, status == STATUS_OK ? STATUS_RESOLVE_FAILED : status);
}

static void fail(struct worker *worker, uint64_t connection, enum status status) {
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = connection, .status = status};
    worker_input(worker, &input);
}

void dial_begin(struct worker *worker, uint64_t connection, uint64_t place) {
    const struct plan_endpoint *endpoint = engine_place(worker->engine, place);
    const struct config_url *url = &endpoint->config->url;
    struct link *link = link_new(worker, connection, endpoint->protocol);
    if (link)
        link->dial = memory_new(sizeof *link->dial);
    if (!link || !link->dial) {
        if (link)
            link_free(link);
        fail(worker, connection, STATUS_NO_MEMORY);
        return;
    }
    enum status status = seat_take_dialled(worker, &link->seat);
    if (status != STATUS_OK) {
        tally_limit(&worker->tally, "limits.connections");
        link_free(link);
        fail(worker, connection, status);
        return;
    }
    if (link->is_datagram) {
        uint32_t room = endpoint->setup.limits.message + 1;
        link->packet_room = room < 2048 ? 2048 : room > 65536 ? 65536 : room;
    }
    link->state = LINK_RESOLVING;
    if (url->is_address && address_parse_ip(url->host, &link->dial->addresses[0])) {
        link->dial->addresses[0].port = url->port;
        link->dial->count = 1;
        try_next(link, STATUS_RESOLVE_FAILED);
        return;
    }
    link->dial->resolve = loop_resolve(worker->loop, url->host, url->port, resolved, link);
    if (!link->dial->resolve)
        link_lost(link, STATUS_RESOLVE_FAILED);
}
