/* One publisher as fast as it may, some subscribers that count. Not more than `window` bytes are under way, since some
 * peers would drop what their subscribers don't take in time; those that grant credit are held to it, too. */
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_BYTES (256u << 10)

static struct peer *peer_open(const struct options *options, const struct dialect *dialect, bool subscribes) {
    struct peer *peer = calloc(1, sizeof *peer);
    uint16_t port = subscribes ? options->sink_port : options->port;
    if (!peer || !(peer->in = malloc(IN_SIZE)))
        die("out of memory");
    peer->options = options;
    peer->subscribes = subscribes;
    peer->fd = socket_connect_from(options->host, port, subscribes ? options->sink_from : options->from);
    dialect->hello(peer);
    peer_wait(peer, dialect);
    socket_nonblocking(peer->fd);
    return peer;
}

bool peer_read(struct peer *peer, const struct dialect *dialect) {
    ssize_t size = read(peer->fd, peer->in + peer->have, IN_SIZE - peer->have);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size <= 0)
        die("%s closed the connection%s%s", dialect->name, size < 0 ? ": " : "",
            size < 0 ? strerror(errno) : "");
    peer->have += (size_t)size;
    size_t used = dialect->take(peer, peer->in, peer->have);
    peer->have -= used;
    memmove(peer->in, peer->in + used, peer->have);
    if (peer->have == IN_SIZE)
        die("a message larger than %u bytes", IN_SIZE);
    return true;
}

void peer_wait(struct peer *peer, const struct dialect *dialect) {
    while (!peer->is_open)
        peer_read(peer, dialect);
}

void subscribers(const struct options *options, struct shared *shared) {
    const struct dialect *dialect = dialect_find(options->sink ? options->sink : options->dialect);
    struct peer *peers[SINKS_MAX];
    struct epoll_event events[SINKS_MAX];
    int loop = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < options->subscribers; i++) {
        peers[i] = peer_open(options, dialect, true);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(loop, EPOLL_CTL_ADD, peers[i]->fd, &event);
    }
    shared_add(&shared->ready, 1);
    while (shared_get(&shared->stop) != STOP) {
        int count = epoll_wait(loop, events, SINKS_MAX, 20);
        for (int i = 0; i < count; i++) {
            struct peer *peer = peers[events[i].data.u32];
            if (!peer_read(peer, dialect))
                continue;
            if (dialect->after)
                dialect->after(peer);
            shared_set(&shared->got[events[i].data.u32], peer->got);
        }
    }
}

/* How many messages the slowest subscriber still leaves us to send. */
static uint64_t window_left(const struct options *options, const struct shared *shared, uint64_t sent,
                            uint64_t window) {
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < options->subscribers; i++) {
        uint64_t got = shared_get(&shared->got[i]);
        least = got < least ? got : least;
    }
    return sent - least < window ? window - (sent - least) : 0;
}

/* Writes what it can and reads meanwhile, so that answers never fill the peer's buffers. */
static void write_batch(struct peer *peer, const struct dialect *dialect, const struct shared *shared,
                        const uint8_t *bytes, size_t size) {
    while (size > 0 && shared_get(&shared->stop) != STOP) {
        ssize_t written = send(peer->fd, bytes, size, MSG_NOSIGNAL);
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            die("write to %s: %s", dialect->name, strerror(errno));
        struct pollfd wait = {.fd = peer->fd, .events = POLLIN | POLLOUT};
        if (poll(&wait, 1, 20) > 0 && wait.revents & POLLIN)
            peer_read(peer, dialect);
    }
}

/* Waits for credit or for subscribers: by reading where something may come, else by a nap of 50 us. */
static void wait_turn(struct peer *peer, const struct dialect *dialect, bool by_credit) {
    struct pollfd wait = {.fd = peer->fd, .events = POLLIN};
    if (by_credit)
        poll(&wait, 1, 20);
    else
        nap(50000);
    peer_read(peer, dialect);
}

static void publisher(const struct options *options, struct shared *shared) {
    const struct dialect *dialect = dialect_find(options->dialect);
    struct peer *peer = peer_open(options, dialect, false);
    uint8_t *batch = malloc(BATCH_BYTES + MESSAGE_ROOM);
    if (!batch)
        die("out of memory");
    size_t message = dialect->make(batch, options);
    uint64_t most = BATCH_BYTES / message ? BATCH_BYTES / message : 1, sent = 0;
    uint64_t window = options->window / message > 16 ? options->window / message : 16;
    for (uint64_t i = 1; i < most; i++)
        memcpy(batch + i * message, batch, message);
    shared_add(&shared->ready, 1);
    while (!shared_get(&shared->stop)) {
        uint64_t count = window_left(options, shared, sent, window);
        count = count < most ? count : most;
        uint64_t allowed = dialect->allow ? dialect->allow(peer, batch, message, count) : count;
        if (allowed == 0) {
            wait_turn(peer, dialect, count > 0);
            continue;
        }
        sent += allowed;
        shared_set(&shared->sent, sent);
        write_batch(peer, dialect, shared, batch, allowed * message);
        peer_read(peer, dialect);
    }
    /* It stays, and reads: closing with answers unread would reset the connection, and lose what it sent last. */
    shared_set(&shared->ended, 1);
    while (shared_get(&shared->stop) != STOP)
        wait_turn(peer, dialect, true);
}

int load_pubsub(const struct options *options) {
    struct shared *shared = shared_new();
    struct measure measure;
    struct arrivals arrivals = {.counters = shared->got, .count = options->subscribers};
    if (options->subscribers == 0 || options->subscribers > SINKS_MAX)
        die("subscribers is 1 to %d", SINKS_MAX);
    pid_t sub = role_start(subscribers, options, shared);
    role_wait(shared, 1);
    pid_t pub = role_start(publisher, options, shared);
    role_wait(shared, 2);
    measure_run(options, shared, pub, sub, &arrivals, &measure);
    role_stop(shared, pub, sub, &arrivals);
    measure_print(options, shared, &measure, &arrivals, false);
    return 0;
}
