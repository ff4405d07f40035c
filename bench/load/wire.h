/* The dialects of publishers and subscribers. */
#ifndef BENCH_LOAD_WIRE_H
#define BENCH_LOAD_WIRE_H

#include "load.h"

#define IN_SIZE (512u << 10)
#define MESSAGE_ROOM (256u << 10) /* of one message with its frame */

struct peer {
    const struct options *options;
    int fd;
    bool subscribes;
    bool is_open;
    size_t have; /* bytes in `in` */
    uint8_t *in;
    uint64_t got;
    size_t body; /* of the messages that come: raw only */
    /* Called for each message, if set: stream v1 hands over the payload of MSG. */
    void (*on_message)(struct peer *peer, const uint8_t *message, size_t size);
    /* stream v1 */
    const char *system; /* whom we serve instead of subscribing */
    uint64_t credit, credit_bytes; /* what the server granted */
    uint64_t sent, sent_bytes;
    uint64_t told; /* messages that we acknowledged */
};

struct dialect {
    const char *name;
    uint16_t port; /* where it is usually spoken */
    /* Says who we are and, for subscribers, what we want. The socket still blocks. */
    void (*hello)(struct peer *peer);
    /* One message with its frame; returns its size. */
    size_t (*make)(uint8_t *out, const struct options *options);
    /* Takes whole units, counts messages in peer->got, returns the bytes used. */
    size_t (*take)(struct peer *peer, const uint8_t *bytes, size_t size);
    /* How many of `count` messages may go now; NULL: all. Numbers them. */
    uint64_t (*allow)(struct peer *peer, uint8_t *messages, size_t message_size, uint64_t count);
    /* After a turn of reading; NULL: nothing to say. */
    void (*after)(struct peer *peer);
};

extern const struct dialect stream1_dialect, ndjson_dialect, nats_dialect, redis_dialect, raw_dialect,
    nchan_dialect, ws_dialect, nchan_ws_dialect;
extern const char ndjson_subscribe[]; /* a line, with its end */
static inline void peer_got(struct peer *peer, const uint8_t *message, size_t size) {
    peer->got++;
    if (peer->on_message)
        peer->on_message(peer, message, size);
}
const struct dialect *dialect_find(const char *name);

/* Reads once and takes what is whole. False when nothing was there. */
bool peer_read(struct peer *peer, const struct dialect *dialect);
/* Reads until the peer is open (only while the socket blocks). */
void peer_wait(struct peer *peer, const struct dialect *dialect);

/* -- ws.c -- */
struct ws_message {
    unsigned opcode;
    const uint8_t *body;
    size_t size;
};
/* The socket still blocks. `subprotocol` may be empty. */
void ws_handshake(int fd, const char *path, const char *subprotocol);
/* A masked text frame; `out` has room for 14 bytes more than `size`. */
size_t ws_frame(uint8_t *out, const uint8_t *body, size_t size);
/* The frame at the start of `bytes`: its size, 0 when it isn't whole. A close frame ends the role. */
size_t ws_next(const uint8_t *bytes, size_t size, struct ws_message *ret);

/* -- event.c -- */
/* A CloudEvent in protobuf or JSON of options->size bytes: of data, or in all. Returns its size. */
size_t event_proto(uint8_t *out, const struct options *options);
size_t event_json(uint8_t *out, const struct options *options);

static inline void put_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}
static inline void put_u64(uint8_t *at, uint64_t value) {
    value = __builtin_bswap64(value);
    __builtin_memcpy(at, &value, 8);
}
static inline uint32_t get_u32(const uint8_t *at) {
    uint32_t value;
    __builtin_memcpy(&value, at, 4);
    return __builtin_bswap32(value);
}
static inline uint64_t get_u64(const uint8_t *at) {
    uint64_t value;
    __builtin_memcpy(&value, at, 8);
    return __builtin_bswap64(value);
}

#endif
