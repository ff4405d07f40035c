/* Requests and replies over two connections: an asker, and who answers. Closed loop: the next request leaves when the
 * reply is there. With `rate`: requests leave by a schedule, and latency counts from the scheduled time, so that a
 * slow server isn't asked less. */
#include "wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 65536u /* requests without reply */
#define FRAME 24 /* header and MSG header of stream v1 */
#define ID_SIZE 12

/* What asker and answerer say in a dialect. */
struct words {
    const struct dialect *dialect;
    void (*hello)(struct peer *peer, bool asks);
    size_t (*request)(uint8_t *out, const struct options *options, uint64_t number);
    /* `message`: what take() handed over. */
    size_t (*reply)(uint8_t *out, struct peer *peer, const uint8_t *message, size_t size);
};

/* -- stream v1 -- */

static void stream1_hello(struct peer *peer, bool asks) {
    peer->system = asks ? NULL : "desk";
    stream1_dialect.hello(peer);
}

static size_t put_text(uint8_t *at, unsigned tag, const char *text, size_t size) {
    at[0] = (uint8_t)(tag << 3 | 2);
    at[1] = (uint8_t)size;
    memcpy(at + 2, text, size);
    return size + 2;
}

static size_t put_extension(uint8_t *at, const char *name, const char *value, size_t value_size) {
    uint8_t inner[128];
    char entry[192];
    size_t inner_size = put_text(inner, 3, value, value_size);
    size_t size = put_text((uint8_t *)entry, 1, name, strlen(name));
    size += put_text((uint8_t *)entry + size, 2, (const char *)inner, inner_size);
    return put_text(at, 5, entry, size);
}

static size_t stream1_event(uint8_t *out, struct peer *peer, const char *id, const char *source,
                            unsigned data) {
    memset(out, 0, FRAME);
    size_t size = FRAME;
    size += put_text(out + size, 1, id, ID_SIZE);
    size += put_text(out + size, 2, source, strlen(source));
    size += put_text(out + size, 3, "1.0", 3);
    size += put_text(out + size, 4, "com.example.ask", 15);
    if (peer) {
        size += put_extension(out + size, "messagetype", "response", 8);
        size += put_extension(out + size, "causationid", id, ID_SIZE);
    } else {
        size += put_extension(out + size, "messagetype", "request", 7);
        size += put_extension(out + size, "target", "desk", 4);
    }
    out[size] = 6 << 3 | 2;
    out[size + 1] = (uint8_t)data;
    memset(out + size + 2, 'x', data);
    return size + 2 + data;
}

static size_t stream1_frame(uint8_t *out, size_t size, uint64_t seq) {
    put_u32(out, (uint32_t)(size - 8));
    out[4] = 4; /* MSG */
    out[5] = 1; /* NOACK */
    put_u64(out + 8, seq);
    out[20] = 1;
    return size;
}

static size_t stream1_request(uint8_t *out, const struct options *options, uint64_t number) {
    char id[ID_SIZE + 1];
    (void)snprintf(id, sizeof id, "%012llx", (unsigned long long)number);
    return stream1_frame(out, stream1_event(out, NULL, id, "/asker", options->size), number);
}

static size_t stream1_reply(uint8_t *out, struct peer *peer, const uint8_t *message, size_t size) {
    /* The id is the first field of the event as we make it; another router might reorder, ours leaves it untouched. */
    if (size < 16 + 2 + ID_SIZE || message[16] != (1 << 3 | 2) || message[17] != ID_SIZE)
        die("a request that we did not send");
    size_t made = stream1_event(out, peer, (const char *)message + 18, "/systems/desk", peer->options->size);
    return stream1_frame(out, made, ++peer->sent);
}

/* -- NATS -- */

static void nats_hello(struct peer *peer, bool asks) {
    static const char hello[] = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
    socket_write_all(peer->fd, hello, sizeof hello - 1);
    socket_write_all(peer->fd, asks ? "SUB r 1\r\n" : "SUB q 1\r\n", 9);
    socket_write_all(peer->fd, "PING\r\n", 6);
}

static size_t nats_publish(uint8_t *out, const char *head, unsigned data) {
    size_t size = (size_t)snprintf((char *)out, 64, "PUB %s %u\r\n", head, data);
    memset(out + size, 'x', data);
    memcpy(out + size + data, "\r\n", 2);
    return size + data + 2;
}

static size_t nats_request(uint8_t *out, const struct options *options, uint64_t number) {
    (void)number;
    return nats_publish(out, "q r", options->size);
}

static size_t nats_reply(uint8_t *out, struct peer *peer, const uint8_t *message, size_t size) {
    (void)message, (void)size;
    return nats_publish(out, "r", peer->options->size);
}

/* -- Redis, RESP3, since only there a subscriber may publish -- */

static void redis_hello(struct peer *peer, bool asks) {
    socket_write_all(peer->fd, "HELLO 3\r\n", 9);
    socket_write_all(peer->fd, asks ? "SUBSCRIBE r\r\n" : "SUBSCRIBE q\r\n", 13);
}

static size_t redis_publish(uint8_t *out, char channel, unsigned data) {
    size_t size =
        (size_t)snprintf((char *)out, 64, "*3\r\n$7\r\nPUBLISH\r\n$1\r\n%c\r\n$%u\r\n", channel, data);
    memset(out + size, 'x', data);
    memcpy(out + size + data, "\r\n", 2);
    return size + data + 2;
}

static size_t redis_request(uint8_t *out, const struct options *options, uint64_t number) {
    (void)number;
    return redis_publish(out, 'q', options->size);
}

static size_t redis_reply(uint8_t *out, struct peer *peer, const uint8_t *message, size_t size) {
    (void)message, (void)size;
    return redis_publish(out, 'r', peer->options->size);
}

static const struct words all_words[] = {
    {&stream1_dialect, stream1_hello, stream1_request, stream1_reply},
    {&nats_dialect, nats_hello, nats_request, nats_reply},
    {&redis_dialect, redis_hello, redis_request, redis_reply},
};

static const struct words *words_find(const char *name) {
    for (size_t i = 0; i < sizeof all_words / sizeof *all_words; i++)
        if (!strcmp(all_words[i].dialect->name, name))
            return &all_words[i];
    die("nobody asks in '%s'", name);
}

/* -- the two roles -- */

static const struct words *spoken;

static void open_peer(struct peer *peer, const struct options *options, bool asks) {
    spoken = words_find(options->dialect);
    *peer = (struct peer){.options = options, .subscribes = !asks, .in = malloc(IN_SIZE)};
    peer->fd = socket_connect(options->host, options->port);
    spoken->hello(peer, asks);
    peer_wait(peer, spoken->dialect);
    if (spoken->dialect == &redis_dialect) /* the answer to SUBSCRIBE is one more that is no message */
        nap(50000000);
    socket_nonblocking(peer->fd);
    while (spoken->dialect == &redis_dialect && peer_read(peer, spoken->dialect)) {
    }
    peer->got = 0;
}

static void answer(struct peer *peer, const uint8_t *message, size_t size) {
    static uint8_t out[8192];
    socket_write_all(peer->fd, out, spoken->reply(out, peer, message, size));
}

static bool await(struct peer *peer, uint64_t until) {
    uint64_t now = now_ns(), left = until > now ? until - now : 0;
    struct pollfd wait = {.fd = peer->fd, .events = POLLIN};
    struct timespec patience = {.tv_sec = (time_t)(left / 1000000000u),
                                .tv_nsec = (long)(left % 1000000000u)};
    return ppoll(&wait, 1, &patience, NULL) > 0 && peer_read(peer, spoken->dialect);
}

static void answerer(const struct options *options, struct shared *shared) {
    struct peer peer;
    open_peer(&peer, options, false);
    peer.on_message = answer;
    shared_add(&shared->ready, 1);
    while (shared_get(&shared->stop) != STOP)
        await(&peer, now_ns() + 20000000);
}

static uint64_t asked_at[OPEN_MAX]; /* by number of the request */

static void note_replies(struct peer *peer, struct shared *shared, uint64_t *noted) {
    uint64_t now = now_ns();
    for (; *noted < peer->got; (*noted)++)
        histogram_add(shared, now - asked_at[*noted % OPEN_MAX]);
    shared_set(&shared->got[0], peer->got);
}

static void asker(const struct options *options, struct shared *shared) {
    static uint8_t out[8192];
    struct peer peer;
    open_peer(&peer, options, true);
    shared_add(&shared->ready, 1);
    uint64_t asked = 0, noted = 0, period = options->rate ? 1000000000u / options->rate : 0, due = now_ns();
    while (shared_get(&shared->stop) != STOP) {
        bool may = shared_get(&shared->stop) == GO && (period ? now_ns() >= due : peer.got == asked);
        if (may && asked - peer.got < OPEN_MAX) {
            asked_at[asked % OPEN_MAX] = period ? due : now_ns();
            due += period;
            asked++;
            shared_set(&shared->sent, asked);
            socket_write_all(peer.fd, out, spoken->request(out, options, asked));
            continue;
        }
        if (shared_get(&shared->stop) != GO)
            shared_set(&shared->ended, 1);
        await(&peer, period && shared_get(&shared->stop) == GO ? due : now_ns() + 20000000);
        note_replies(&peer, shared, &noted);
    }
}

int load_ask(const struct options *options) {
    struct shared *shared = shared_new();
    struct measure measure;
    struct arrivals arrivals = {.counters = shared->got, .count = 1};
    if (options->size > 100)
        die("requests have at most 100 bytes");
    pid_t sub = role_start(answerer, options, shared);
    role_wait(shared, 1);
    pid_t pub = role_start(asker, options, shared);
    role_wait(shared, 2);
    measure_run(options, shared, pub, sub, &arrivals, &measure);
    role_stop(shared, pub, sub, &arrivals);
    measure_print(options, shared, &measure, &arrivals, true);
    return 0;
}
