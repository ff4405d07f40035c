/* HTTP clients on keep-alive connections: each posts an event in binary mode (`rest`: a document that knows nothing of
 * events), `depth` at a time, and posts the next when one is answered; `closing`: on a connection of its own. With a backend (`counter`, see backend.c) or with subscribers (`sink`, their dialect) what
 * arrived there is what counts. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTH_MAX 64u
#define ANSWERS_SIZE 65536u
#define REQUEST_ROOM 1024u

struct client {
    struct stream stream;
    bool is_greeted; /* its handshake is over */
    unsigned open, posted; /* posted: on this connection */
    uint64_t first, next; /* of `started`: the oldest open request, the one to come */
    uint64_t started[DEPTH_MAX];
    size_t have;
    char *in;
};

static char *requests; /* `depth` of them, one after the other */
static size_t request_size;

static void make_requests(const struct options *options) {
    unsigned copies = options->depth;
    requests = malloc((size_t)copies * (REQUEST_ROOM + options->size));
    if (!requests || options->depth > DEPTH_MAX)
        die("depth is at most %u", DEPTH_MAX);
    static const char event[] = "ce-specversion: 1.0\r\nce-id: 019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701\r\n"
                                "ce-source: /systems/press\r\nce-type: com.example.tick\r\n"
                                "Content-Type: application/octet-stream\r\n";
    static const char rest[] = "User-Agent: load/1.0\r\nAccept: application/json\r\nX-Request-Id: 7f3a\r\n"
                               "Content-Type: application/json\r\n";
    int head = snprintf(requests, REQUEST_ROOM,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%sContent-Length: %u\r\n\r\n",
                        options->path, options->is_rest ? rest : event,
                        options->is_closing ? "Connection: close\r\n" : "", options->size);
    memset(requests + head, 'x', options->size);
    requests[head] = requests[(unsigned)head + options->size - 1] = '"';
    request_size = (size_t)head + options->size;
    for (unsigned i = 1; i < copies; i++)
        memcpy(requests + i * request_size, requests, request_size);
}

static void post(struct client *client, struct shared *shared, unsigned count) {
    uint64_t now = now_ns();
    for (unsigned i = 0; i < count; i++)
        client->started[client->next++ % DEPTH_MAX] = now;
    client->open += count;
    client->posted += count;
    shared_add(&shared->sent, count);
    stream_write_all(&client->stream, requests, count * request_size);
}

/* The end of the answer at the start of `text`, 0 when it isn't whole. Puts a mark behind the head meanwhile. */
static size_t answer_end(char *text, size_t size) {
    char *blank = memmem(text, size, "\r\n\r\n", 4);
    if (!blank)
        return 0;
    size_t head = (size_t)(blank - text) + 4, body = 0;
    blank[3] = '\0';
    const char *length = strcasestr(text, "\ncontent-length:");
    if (length)
        body = strtoul(length + 16, NULL, 10);
    else if (strcasestr(text, "\ntransfer-encoding:"))
        die("an answer in chunks");
    blank[3] = '\n';
    return size - head < body ? 0 : head + body;
}

static unsigned take_answers(struct client *client, const struct options *options, struct shared *shared) {
    unsigned answers = 0;
    size_t at = 0;
    uint64_t now = now_ns();
    for (size_t size; at < client->have && (size = answer_end(client->in + at, client->have - at)) > 0;
         at += size) {
        if (strtoul(client->in + at + 9, NULL, 10) != options->expect) {
            if (shared_get(&shared->bad) == 0)
                fprintf(stderr, "load: %.*s\n", (int)size, client->in + at);
            shared_add(&shared->bad, 1);
        }
        histogram_add(shared, now - client->started[client->first++ % DEPTH_MAX]);
        answers++;
    }
    client->have -= at;
    memmove(client->in, client->in + at, client->have);
    client->open -= answers;
    return answers;
}

static void open_client(struct client *client, int loop, const struct options *options) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    client->is_greeted = false;
    client->posted = 0;
    client->have = 0;
    stream_open(&client->stream, options);
    epoll_ctl(loop, EPOLL_CTL_ADD, client->stream.fd, &event);
}

/* The first posts of a connection, once its handshake is over. */
static bool is_greeted(struct client *client, const struct options *options, struct shared *shared) {
    if (client->is_greeted)
        return true;
    if (!stream_greet(&client->stream))
        return false;
    client->is_greeted = true;
    if (options->tls == TLS_RESUMED && client->next > 0 && !client->stream.is_resumed)
        shared_add(&shared->bad, 1);
    if (shared_get(&shared->stop) == GO)
        post(client, shared, options->depth);
    return true;
}

/* The server closed it, as it was asked to. */
static void open_again(struct client *client, int loop, const struct options *options,
                       struct shared *shared) {
    if (client->open || !client->posted)
        die("a connection was closed before its answer");
    stream_close(&client->stream);
    if (shared_get(&shared->stop) != GO)
        return;
    open_client(client, loop, options);
    is_greeted(client, options, shared);
}

static void on_readable(struct client *client, int loop, const struct options *options,
                        struct shared *shared) {
    if (!is_greeted(client, options, shared))
        return;
    ssize_t size = stream_read(&client->stream, client->in + client->have, ANSWERS_SIZE - client->have);
    if (size < 0)
        return;
    if (size == 0 && options->is_closing) {
        open_again(client, loop, options, shared);
        return;
    }
    if (size == 0)
        die("the server closed a connection%s", shared_get(&shared->bad) ? " after a refusal" : "");
    client->have += (size_t)size;
    unsigned answers = take_answers(client, options, shared);
    shared_add(&shared->answered, answers);
    if (answers && !options->is_closing && shared_get(&shared->stop) == GO)
        post(client, shared, answers);
}

static void run_clients(const struct options *options, struct shared *shared) {
    struct client *clients = calloc(options->connections, sizeof *clients);
    struct epoll_event events[256];
    int loop = epoll_create1(EPOLL_CLOEXEC);
    make_requests(options);
    for (unsigned i = 0; i < options->connections; i++) {
        struct client *client = &clients[i];
        client->in = malloc(ANSWERS_SIZE);
        open_client(client, loop, options);
    }
    shared_add(&shared->ready, 1);
    for (unsigned i = 0; i < options->connections; i++)
        is_greeted(&clients[i], options, shared);
    while (shared_get(&shared->stop) != STOP) {
        int count = epoll_wait(loop, events, 256, 20);
        for (int i = 0; i < count; i++)
            on_readable(events[i].data.ptr, loop, options, shared);
        if (shared_get(&shared->stop) == STOP_SENDING &&
            shared_get(&shared->answered) == shared_get(&shared->sent))
            shared_set(&shared->ended, 1);
    }
}

struct counter *counter_open(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct counter)) != 0)
        die("%s: %s", path, strerror(errno));
    void *memory = mmap(NULL, sizeof(struct counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        die("%s: %s", path, strerror(errno));
    close(fd);
    return memory;
}

int load_http(const struct options *options) {
    struct shared *shared = shared_new();
    struct measure measure;
    struct arrivals arrivals = {.counters = &shared->answered, .count = 1};
    if (options->counter)
        arrivals.counters = counter_open(options->counter);
    pid_t sub = 0;
    if (options->sink) {
        arrivals = (struct arrivals){.counters = shared->got, .count = options->subscribers};
        sub = role_start(subscribers, options, shared);
        role_wait(shared, 1);
    }
    arrivals.base = shared_get(arrivals.counters);
    pid_t pub = role_start(run_clients, options, shared);
    role_wait(shared, sub ? 2 : 1);
    measure_run(options, shared, pub, sub ? sub : options->backend, &arrivals, &measure);
    role_stop(shared, pub, sub, &arrivals);
    measure_print(options, shared, &measure, &arrivals, true);
    return 0;
}
