/* WebSocket clients, each of which sends a message, gets it back and sends the next, `depth` at a time. The message is an
 * event for a system of the client's own name, c0, c1, ..., so that a router gives it back to who sent it, where a server
 * that echoes does so anyway. */
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DEPTH_MAX 256u
#define ECHO_IN 65536u

struct echoer {
    int fd;
    uint64_t first, next; /* of `started` */
    uint64_t started[DEPTH_MAX];
    size_t frame_size, have;
    uint8_t *frames; /* `depth` of them */
    uint8_t *in;
};

static void make_frames(struct echoer *echoer, const struct options *options, unsigned number) {
    uint8_t event[4096];
    size_t size = (size_t)snprintf((char *)event, sizeof event,
                                   "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/systems/c%u\","
                                   "\"type\":\"com.example.echo\",\"target\":\"c%u\",\"data\":\"",
                                   number, number);
    size_t data = options->size > size + 2 ? options->size - size - 2 : 1;
    if (size + data + 2 > sizeof event || options->depth > DEPTH_MAX)
        die("size is at most %zu, depth %u", sizeof event, DEPTH_MAX);
    memset(event + size, 'x', data);
    memcpy(event + size + data, "\"}", 2);
    size += data + 2;
    echoer->frames = malloc((size + 16) * options->depth);
    echoer->in = malloc(ECHO_IN);
    if (!echoer->frames || !echoer->in)
        die("out of memory");
    echoer->frame_size = ws_frame(echoer->frames, event, size);
    for (unsigned i = 1; i < options->depth; i++)
        memcpy(echoer->frames + i * echoer->frame_size, echoer->frames, echoer->frame_size);
}

static void say(struct echoer *echoer, struct shared *shared, unsigned count) {
    uint64_t now = now_ns();
    for (unsigned i = 0; i < count; i++)
        echoer->started[echoer->next++ % DEPTH_MAX] = now;
    shared_add(&shared->sent, count);
    socket_write_all(echoer->fd, echoer->frames, count * echoer->frame_size);
}

static unsigned take_echoes(struct echoer *echoer, struct shared *shared) {
    struct ws_message message;
    unsigned count = 0;
    size_t at = 0;
    uint64_t now = now_ns();
    for (size_t used; (used = ws_next(echoer->in + at, echoer->have - at, &message)) > 0; at += used) {
        if (message.opcode > 2)
            continue;
        if (!memmem(message.body, message.size, "com.example.echo", 16)) {
            if (shared_get(&shared->bad) == 0)
                fprintf(stderr, "load: %.*s\n", (int)message.size, (const char *)message.body);
            shared_add(&shared->bad, 1);
        }
        histogram_add(shared, now - echoer->started[echoer->first++ % DEPTH_MAX]);
        count++;
    }
    echoer->have -= at;
    memmove(echoer->in, echoer->in + at, echoer->have);
    return count;
}

static void on_readable(struct echoer *echoer, struct shared *shared) {
    ssize_t size = read(echoer->fd, echoer->in + echoer->have, ECHO_IN - echoer->have);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0)
        die("the server closed a connection");
    echoer->have += (size_t)size;
    unsigned count = take_echoes(echoer, shared);
    shared_add(&shared->answered, count);
    if (count && shared_get(&shared->stop) == GO)
        say(echoer, shared, count);
}

static void open_echoer(struct echoer *echoer, const struct options *options, unsigned number) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s?system=c%u", options->path, number);
    make_frames(echoer, options, number);
    echoer->fd = socket_connect(options->host, options->port);
    ws_handshake(echoer->fd, path, "cloudevents.json");
    socket_nonblocking(echoer->fd);
}

static void run_echoers(const struct options *options, struct shared *shared) {
    struct echoer *echoers = calloc(options->connections, sizeof *echoers);
    struct epoll_event events[256];
    int loop = epoll_create1(EPOLL_CLOEXEC);
    if (!echoers)
        die("out of memory");
    for (unsigned i = 0; i < options->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &echoers[i]};
        open_echoer(&echoers[i], options, i);
        epoll_ctl(loop, EPOLL_CTL_ADD, echoers[i].fd, &event);
    }
    shared_add(&shared->ready, 1);
    for (unsigned i = 0; i < options->connections; i++)
        say(&echoers[i], shared, options->depth);
    while (shared_get(&shared->stop) != STOP) {
        int count = epoll_wait(loop, events, 256, 20);
        for (int i = 0; i < count; i++)
            on_readable(events[i].data.ptr, shared);
        if (shared_get(&shared->stop) == STOP_SENDING &&
            shared_get(&shared->answered) == shared_get(&shared->sent))
            shared_set(&shared->ended, 1);
    }
}

int load_echo(const struct options *options) {
    struct shared *shared = shared_new();
    struct measure measure;
    struct arrivals arrivals = {.counters = &shared->answered, .count = 1};
    pid_t pub = role_start(run_echoers, options, shared);
    role_wait(shared, 1);
    measure_run(options, shared, pub, 0, &arrivals, &measure);
    role_stop(shared, pub, 0, &arrivals);
    measure_print(options, shared, &measure, &arrivals, true);
    return 0;
}
