/* What the step costs without sockets: stream v1 protobuf in and out, 256-byte events, as ns a message and as a multiple
 * of a calibration loop (decode the head, hash, copy) timed in the same run. Peers' own work isn't counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/memory.h"
#include "message/encoding.h"
#include "simulation/node.h"

#define WINDOW 256
#define OUT_SIZE (4u << 20)

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* -- a peer: a dialled stream v1 instance outside the measured part -- */

struct peer {
    struct net net;
    struct protocol_setup setup;
    struct protocol_subscription subscription;
    struct connection *connection;
    uint64_t engine_side; /* the engine's connection */
    uint64_t tokens;
    uint64_t got;
    uint8_t *bytes; /* what it wrote */
    size_t size;
};

static struct now clock_now = {{NS_PER_S}, {INT64_C(1790000000) * NS_PER_S}};

static void on_message(void *connection, uint64_t token, struct message *message, uint64_t reply_to) {
    struct connection *c = connection;
    struct peer *peer = c->net->user;
    (void)message;
    (void)reply_to;
    peer->got++;
    connection_settle(c, token, token, STATUS_OK, 0);
}
static void on_outcome(void *c, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    (void)c, (void)first, (void)last;
    ASSERT(outcome.verdict == VERDICT_ACCEPTED);
}
static void on_room(void *c) {
    (void)c;
}
static void on_opened(void *user, struct connection *c, struct now now) {
    (void)now;
    ((struct peer *)user)->connection = c;
}
static void on_progress(void *user, struct connection *c, struct now now) {
    (void)user, (void)c, (void)now;
}
static void on_closed(void *user, struct connection *c, struct now now) {
    (void)user, (void)now;
    fprintf(stderr, "a peer was closed: %s\n", status_reason(c->reason));
    exit(1);
}
static void on_invalid(void *c, const struct message_fault *fault) {
    (void)c;
    fprintf(stderr, "invalid: %s\n", fault->text);
    exit(1);
}
static const struct net_calls peer_calls = {
    .protocol = {.message = on_message, .outcome = on_outcome, .room = on_room, .invalid = on_invalid},
    .opened = on_opened, .progress = on_progress, .closed = on_closed};

static void collect(struct peer *peer) {
    uint32_t count;
    net_finish(&peer->net, clock_now, &count);
    struct iovec vectors[64];
    int found;
    while ((found = chain_vectors(&peer->connection->out, vectors, 64)) > 0) {
        size_t size = 0;
        for (int i = 0; i < found; i++) {
            ASSERT(peer->size + vectors[i].iov_len <= OUT_SIZE);
            memcpy(peer->bytes + peer->size, vectors[i].iov_base, vectors[i].iov_len);
            peer->size += vectors[i].iov_len;
            size += vectors[i].iov_len;
        }
        net_written(&peer->net, peer->connection->handle, size, 0, clock_now);
        net_finish(&peer->net, clock_now, &count);
    }
}

/* -- the measured part -- */

static double spent_ns;

static void to_engine(struct engine *engine, struct peer *peer) {
    struct engine_input input = {.kind = INPUT_BYTES, .connection = peer->engine_side,
                                 .bytes = slice_make(peer->bytes, peer->size)};
    struct engine_actions actions;
    double start = now_ns();
    engine_step(engine, &input, 1, clock_now, &actions);
    spent_ns += now_ns() - start;
    peer->size = 0;
}

static uint8_t *wire;

/* What the engine wrote to `peer`, released as a world would, then fed to the peer. */
static void from_engine(struct engine *engine, struct peer *peer) {
    struct connection *c = net_find(engine_net(engine), peer->engine_side);
    struct iovec vectors[64];
    int found;
    while ((found = chain_vectors(&c->out, vectors, 64)) > 0) {
        size_t size = 0;
        for (int i = 0; i < found; i++) {
            memcpy(wire + size, vectors[i].iov_base, vectors[i].iov_len);
            size += vectors[i].iov_len;
        }
        struct engine_input input = {.kind = INPUT_WRITTEN, .connection = peer->engine_side, .size = size};
        struct engine_actions actions;
        double start = now_ns();
        engine_step(engine, &input, 1, clock_now, &actions);
        spent_ns += now_ns() - start;
        net_bytes(&peer->net, peer->connection->handle, slice_make(wire, size), clock_now);
        collect(peer);
    }
}

static void peer_open(struct peer *peer, struct engine *engine, const char *system, const char *filter, bool ack) {
    *peer = (struct peer){.bytes = memory_alloc(OUT_SIZE)};
    ASSERT(peer->bytes && net_init(&peer->net, &peer_calls, peer, 8, 1));
    peer->setup = (struct protocol_setup){.role = PROTOCOL_DIALLED, .encoding = ENCODING_PROTO,
                                          .own_system = slice_from(system), .own_client = SLICE("bench/1"), .own_subscriptions = &peer->subscription};
    peer->setup.limits.message = 1u << 20;
    peer->setup.limits.window = 4096;
    peer->setup.limits.window_bytes = 64u << 20;
    peer->setup.timeouts.idle_ns = peer->setup.timeouts.head_ns = peer->setup.timeouts.heartbeat_ns = 3600 * NS_PER_S;
    peer->subscription = (struct protocol_subscription){.sub = 1, .filter = slice_from(filter ? filter : ""),
                                                        .max_inflight = 4096, .ack = ack};
    peer->setup.own_subscription_count = filter != NULL;
    struct connection *c = net_dial(&peer->net, protocol_find(SLICE_OF("stream1")), &peer->setup, 0, NS_PER_S, NULL, clock_now);
    net_connected(&peer->net, c->handle, NULL, clock_now);
    struct engine_input opened = {.kind = INPUT_OPENED, .listener = 0};
    engine_input(engine, &opened, clock_now);
    ASSERT(opened.ret_connection);
    peer->engine_side = opened.ret_connection;
    for (int i = 0; i < 8; i++) {
        collect(peer);
        if (peer->size)
            to_engine(engine, peer);
        from_engine(engine, peer);
    }
    ASSERT(peer->connection->sink.room.messages > 0);
}

/* An event whose protobuf encoding has exactly `size` bytes. */
static struct message *event_of(size_t size) {
    static uint8_t data[65536], extra_bytes[1024];
    memset(data, 'x', sizeof data);
    for (size_t payload = 1; payload <= size; payload++) {
        struct message message;
        struct message_fault fault;
        struct buffer extra, out;
        uint8_t encoded[70000];
        buffer_init_fixed(&extra, extra_bytes, sizeof extra_bytes);
        message_init(&message, slice_make(data, payload));
        message_add(&message, &extra, ATTRIBUTE_ID, SLICE_OF("019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701"), &fault);
        message_add(&message, &extra, ATTRIBUTE_SOURCE, SLICE_OF("/systems/press"), &fault);
        message_add(&message, &extra, ATTRIBUTE_TYPE, SLICE_OF("com.example.tick"), &fault);
        message_add(&message, &extra, ATTRIBUTE_TIME, SLICE_OF("2026-11-22T22:10:42.123Z"), &fault);
        message_set_data(&message, DATA_BYTES);
        ASSERT(message_seal(&message, &extra, &fault) == STATUS_OK);
        buffer_init_fixed(&out, encoded, sizeof encoded);
        ASSERT(message_encode_proto(&message, NULL, &out) == STATUS_OK);
        if (out.size < size)
            continue;
        struct message_rules rules = {.size_max = UINT32_MAX};
        struct message decoded;
        buffer_init_fixed(&extra, extra_bytes, sizeof extra_bytes);
        ASSERT(message_decode_proto(&decoded, buffer_slice(&out), &extra, &rules, &fault) == STATUS_OK);
        return message_keep(&decoded, NULL);
    }
    UNREACHABLE();
}

/* Decode the head, hash, copy: what no router can do without. */
static double calibrate(const struct message *event) {
    static uint8_t from[512 * 300], to[512 * 300];
    size_t size = event->wire_size;
    volatile uint64_t sum = 0;
    for (int i = 0; i < 512; i++)
        memcpy(from + (size_t)i * size, event->wire, size);
    double best = 1e18;
    for (int run = 0; run < 20; run++) {
        double start = now_ns();
        for (int i = 0; i < 512; i++) {
            const uint8_t *at = from + (size_t)i * size;
            uint32_t head;
            memcpy(&head, at, 4);
            sum += map_hash(slice_make(at, 64), head);
            memcpy(to + (size_t)i * size, at, size);
        }
        double took = (now_ns() - start) / 512;
        best = took < best ? took : best;
    }
    (void)sum;
    return best;
}

struct shape {
    const char *name;
    unsigned subscribers;
    bool acks;
    unsigned routes;
};

static double measure(const struct shape *shape, const struct message *event, unsigned turns, const char *more) {
    struct buffer yaml;
    struct fault fault;
    struct node_config config;
    buffer_init(&yaml, 16u << 20);
    buffer_add_text(&yaml, "listeners: {stream: intertie://127.0.0.1:7460}\nsystems: {sink: {accept: true}, press: {}}\nroutes:\n");
    for (unsigned i = 0; i < shape->routes; i++)
        buffer_add_format(&yaml, "  r%u: {match: {type: com.example.r%u.*}, to: sink}\n", i, i);
    buffer_add_text(&yaml, "  last: {match: {type: com.other.*}, to: sink}\n");
    buffer_add_text(&yaml, more);
    if (!node_config_load(&config, buffer_slice(&yaml), &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        exit(1);
    }
    struct engine_options options = {.workers = 1, .seed = 1, .cut_through = true, .memo = true};
    struct engine *engine = engine_new(&options);
    struct engine_input plan = {.kind = INPUT_CONFIG, .plan = config.plan};
    engine_input(engine, &plan, clock_now);
    struct peer publisher, *subscribers = memory_array(shape->subscribers, sizeof *subscribers);
    peer_open(&publisher, engine, "press", NULL, true);
    for (unsigned i = 0; i < shape->subscribers; i++)
        peer_open(&subscribers[i], engine, "", "type = 'com.example.tick'", shape->acks);
    spent_ns = 0;
    uint64_t sent = 0;
    for (unsigned turn = 0; turn < turns; turn++) {
        unsigned batch = 0;
        while (batch < WINDOW / 2 && connection_has_room(publisher.connection)) {
            struct protocol_send send = {.token = ++publisher.tokens, .attempt = 1};
            ASSERT(connection_send(publisher.connection, event, NULL, &send) == STATUS_OK);
            batch++;
        }
        collect(&publisher);
        ASSERT(batch > 0);
        sent += batch;
        to_engine(engine, &publisher);
        for (unsigned i = 0; i < shape->subscribers; i++) {
            from_engine(engine, &subscribers[i]);
            if (subscribers[i].size)
                to_engine(engine, &subscribers[i]);
        }
        from_engine(engine, &publisher);
        clock_now.mono.ns += 60 * NS_PER_MS;
        struct engine_input time = {.kind = INPUT_TIME};
        struct engine_actions actions;
        engine_step(engine, &time, 1, clock_now, &actions);
        for (unsigned i = 0; i < shape->subscribers; i++) {
            net_tick(&subscribers[i].net, clock_now);
            collect(&subscribers[i]);
            if (subscribers[i].size)
                to_engine(engine, &subscribers[i]);
        }
        from_engine(engine, &publisher);
    }
    for (unsigned i = 0; i < shape->subscribers; i++)
        ASSERT(subscribers[i].got == sent);
    double result = spent_ns / (double)(sent * shape->subscribers);
    engine_free(engine);
    node_config_free(&config);
    for (unsigned i = 0; i < shape->subscribers; i++) {
        net_done(&subscribers[i].net);
        memory_free(subscribers[i].bytes);
    }
    memory_free(subscribers);
    net_done(&publisher.net);
    memory_free(publisher.bytes);
    buffer_done(&yaml);
    return result;
}

int main(int argc, char **argv) {
    static const struct shape shapes[] = {
        {"1 -> 1", 1, false, 1},           {"1 -> 1 acknowledged", 1, true, 1}, {"1 -> 8 a delivery", 8, false, 1},
        {"1 -> 1, 100 routes", 1, false, 100}, {"1 -> 1, 10000 routes", 1, false, 10000},
    };
    /* bench-step [turns [part of a shape's name [more configuration]]]: one shape alone is what a profiler wants. */
    unsigned turns = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000;
    wire = memory_alloc(OUT_SIZE);
    struct message *event = event_of(256);
    double unit = calibrate(event);
    printf("calibration: %.1f ns (decode head, hash, copy of %u bytes)\n", unit, event->wire_size);
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        double best = 1e18;
        if (argc > 2 && !strstr(shapes[i].name, argv[2]))
            continue;
        for (int run = 0; run < 5; run++) {
            double ns = measure(&shapes[i], event, turns, argc > 3 ? argv[3] : "");
            best = ns < best ? ns : best;
        }
        printf("%-24s %7.1f ns   %5.1f x calibration\n", shapes[i].name, best, best / unit);
    }
    message_unref(event);
    memory_free(wire);
    return 0;
}
