/* Dialling an endpoint: its name is looked up, then its addresses race (policy/race.h); the first that connects is it. */
#include "platform/socket_peer.h"
#include "policy/race.h"
#include "runtime/inner.h"

/* One address that is being tried. */
struct attempt {
    struct loop_watch watch;
    struct dial *dial;
    int fd; /* -1: free */
    uint8_t index;
};

struct dial {
    struct link *link;
    struct loop_resolve *resolve;
    struct race race;
    struct deadline stagger; /* when the next address has its turn */
    struct config_keepalive keepalive;
    struct socket_cast cast; /* datagrams */
    struct attempt attempts[RACE_RUNNERS_MAX];
};

static void drop(struct attempt *attempt) {
    if (attempt->watch.loop)
        loop_unwatch(&attempt->watch);
    if (attempt->fd >= 0)
        socket_close(attempt->fd);
    attempt->fd = -1;
}

void dial_free(struct link *link) {
    struct dial *dial = link->dial;
    if (!dial)
        return;
    if (dial->resolve)
        loop_resolve_forget(dial->resolve);
    for (int i = 0; i < RACE_RUNNERS_MAX; i++)
        drop(&dial->attempts[i]);
    deadlines_clear(&link->worker->dials, &dial->stagger);
    memory_free(dial);
    link->dial = NULL;
}

static void tell_connected(struct link *link, const struct address *peer) {
    struct engine_input input = {.kind = INPUT_CONNECTED, .connection = link->connection, .peer = peer};
    worker_input(link->worker, &input);
}

/* The winner's descriptor becomes the link's; the others are closed. */
static void connected(struct link *link, struct attempt *winner) {
    struct address peer = link->dial->race.addresses[winner->index];
    loop_unwatch(&winner->watch);
    link->fd = winner->fd;
    winner->fd = -1;
    link_keep_alive(link->fd, &link->dial->keepalive);
    dial_free(link);
    link->state = LINK_OPEN;
    if (link_watch(link))
        tell_connected(link, &peer);
    else
        link_lost(link, STATUS_NO_MEMORY);
}

static void go_on(struct link *link);

static void attempt_ready(void *user, unsigned events) {
    struct attempt *attempt = user;
    struct link *link = attempt->dial->link;
    (void)events;
    enum status status = socket_dial_result(attempt->fd);
    if (status == STATUS_OK) {
        connected(link, attempt);
        return;
    }
    drop(attempt);
    race_failed(&link->dial->race, status, worker_now(link->worker).mono);
    go_on(link);
}

static struct attempt *free_attempt(struct dial *dial) {
    for (int i = 0; i < RACE_RUNNERS_MAX; i++)
        if (dial->attempts[i].fd < 0)
            return &dial->attempts[i];
    UNREACHABLE();
}

static enum status try_address(struct link *link, uint8_t index) {
    struct attempt *attempt = free_attempt(link->dial);
    enum status status = socket_dial(&link->dial->race.addresses[index], &attempt->fd, NULL);
    if (status != STATUS_OK) {
        attempt->fd = -1;
        return status;
    }
    attempt->dial = link->dial;
    attempt->index = index;
    if (loop_watch(link->worker->loop, &attempt->watch, attempt->fd, LOOP_WRITABLE, attempt_ready, attempt))
        return STATUS_OK;
    drop(attempt);
    return STATUS_NO_MEMORY;
}

/* Starts what the race says; the last failure is the dial's. */
static void go_on(struct link *link) {
    struct dial *dial = link->dial;
    struct mono now = worker_now(link->worker).mono;
    int index;
    while ((index = race_start(&dial->race, now)) >= 0) {
        enum status status = try_address(link, (uint8_t)index);
        if (status != STATUS_OK)
            race_failed(&dial->race, status, now);
    }
    deadlines_set(&link->worker->dials, &dial->stagger, race_due(&dial->race));
    if (race_is_lost(&dial->race))
        link_lost(link, dial->race.status);
}

void dial_tick(struct worker *worker) {
    struct deadline *due;
    while ((due = deadlines_take(&worker->dials, worker_now(worker).mono)))
        go_on(LIST_ENTRY(due, struct dial, stagger)->link);
}

/* No connection has to come about: the first address that can be reached from here is it. */
static void dial_datagram(struct link *link) {
    struct dial *dial = link->dial;
    int index;
    while ((index = race_start(&dial->race, worker_now(link->worker).mono)) >= 0) {
        const struct address peer = dial->race.addresses[index];
        enum status status = socket_dial_datagram(&peer, &dial->cast, &link->fd, NULL);
        if (status == STATUS_OK) {
            link->state = LINK_OPEN;
            if (link_watch(link)) {
                link->peer = peer;
                dial_free(link);
                tell_connected(link, &peer);
                return;
            }
            link->state = LINK_CONNECTING;
            socket_close(link->fd);
            status = STATUS_NO_MEMORY;
        }
        link->fd = -1;
        race_failed(&dial->race, status, worker_now(link->worker).mono);
    }
    link_lost(link, dial->race.status);
}

static void begin_race(struct link *link, const struct address *addresses, size_t count) {
    race_init(&link->dial->race, addresses, count);
    link->state = LINK_CONNECTING;
    if (link->is_datagram)
        dial_datagram(link);
    else
        go_on(link);
}

static void resolved(void *user, enum status status, const struct address *addresses, size_t count) {
    struct link *link = user;
    link->dial->resolve = NULL;
    if (status == STATUS_CANCELLED)
        return; /* the worker ends */
    if (status == STATUS_OK)
        begin_race(link, addresses, count);
    else
        link_lost(link, status);
}

static void fail(struct worker *worker, uint64_t connection, enum status status) {
    struct engine_input input = {.kind = INPUT_CLOSED, .connection = connection, .status = status};
    worker_input(worker, &input);
}

static bool make_dial(struct link *link, const struct config_keepalive *keepalive) {
    struct dial *dial = link->dial = memory_new(sizeof *dial);
    if (!dial)
        return false;
    dial->link = link;
    dial->keepalive = *keepalive;
    dial->stagger.at = MONO_NEVER;
    for (int i = 0; i < RACE_RUNNERS_MAX; i++)
        dial->attempts[i].fd = -1;
    return link->is_dialled = true;
}

static enum status cast_of(const struct config_system *system, struct socket_cast *ret) {
    *ret = (struct socket_cast){.ttl = (uint8_t)system->multicast.ttl, .loop = system->multicast.loop, .broadcast = system->broadcast};
    return socket_interface(system->multicast.interface, &ret->interface, NULL);
}

void dial_begin(struct worker *worker, uint64_t connection, uint64_t place) {
    const struct plan_endpoint *endpoint = engine_place(worker->engine, place);
    if (!endpoint) {
        fail(worker, connection, STATUS_SYSTEM_REMOVED);
        return;
    }
    const struct config_system *system = &worker->generation->config->systems[endpoint->system];
    const struct config_url *url = &endpoint->config->url;
    struct link *link = link_new(worker, connection, endpoint->protocol);
    if (!link || !make_dial(link, &system->keepalive)) {
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
    struct address address;
    if (link->is_datagram && cast_of(system, &link->dial->cast) != STATUS_OK) {
        link_lost(link, STATUS_UNREACHABLE); /* the interface went away since the configuration was loaded */
        return;
    }
    link->state = LINK_RESOLVING;
    if (url->is_address && address_parse_ip(url->host, &address)) {
        address.port = url->port;
        begin_race(link, &address, 1);
        return;
    }
    link->dial->resolve = loop_resolve(worker->loop, url->host, url->port, resolved, link);
    if (!link->dial->resolve)
        link_lost(link, STATUS_RESOLVE_FAILED);
}
