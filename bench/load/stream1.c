/* Stream v1 as docs/stream-protocol.md has it: what a client needs that sends or counts. */
#include "wire.h"

#include <stdio.h>
#include <string.h>

#define PREFACE "\xf5its\x01\x00\x00\x00"
#define HEADER 8
#define MSG_HEADER 16

enum type {
    HELLO = 1,
    WELCOME = 2,
    MSG = 4,
    ACK = 5,
    CREDIT = 6,
    SUBSCRIBE = 7,
    RESULT = 9,
    PING = 10,
    PONG = 11,
    GOAWAY = 12,
    ERROR = 13
};
#define NOACK 1

static void send_frame(struct peer *peer, enum type type, const void *payload, size_t size) {
    uint8_t frame[1024];
    put_u32(frame, (uint32_t)size);
    frame[4] = (uint8_t)type;
    frame[5] = frame[6] = frame[7] = 0;
    memcpy(frame + HEADER, payload, size);
    socket_write_all(peer->fd, frame, HEADER + size);
}

static void hello(struct peer *peer) {
    char text[512];
    socket_write_all(peer->fd, PREFACE, HEADER);
    /* A subscriber that doesn't acknowledge grants all credit at once. */
    const char *ack = peer->options->acknowledged ? "true" : "false";
    int size = snprintf(
        text, sizeof text,
        "{\"client\":\"load/1\",\"enc\":[\"proto\"],\"max_frame\":1048576,\"hb_ms\":60000,\"ack\":%s,"
        "\"credit\":{\"msgs\":1000000000000,\"bytes\":1000000000000000}%s%s%s}",
        ack, peer->system ? ",\"system\":\"" : "", peer->system ? peer->system : "",
        peer->system ? "\"" : "");
    send_frame(peer, HELLO, text, (size_t)size);
    if (!peer->subscribes)
        return;
    size = snprintf(text, sizeof text, "{\"sub\":1,%s\"max_inflight\":4096,\"ack\":%s}",
                    peer->system ? "" : "\"filter\":\"type = 'com.example.tick'\",", ack);
    send_frame(peer, SUBSCRIBE, text, (size_t)size);
}

static size_t make(uint8_t *out, const struct options *options) {
    size_t event = event_proto(out + HEADER + MSG_HEADER, options);
    memset(out, 0, HEADER + MSG_HEADER);
    put_u32(out, (uint32_t)(MSG_HEADER + event));
    out[4] = MSG;
    out[5] = options->acknowledged ? 0 : NOACK;
    out[HEADER + 12] = 1; /* attempt */
    return HEADER + MSG_HEADER + event;
}

static void take_control(struct peer *peer, unsigned type, const uint8_t *payload, size_t size) {
    switch (type) {
    case WELCOME: {
        /* The first credit is in its JSON. */
        char text[4096];
        (void)snprintf(text, sizeof text, "%.*s", (int)size, (const char *)payload);
        const char *credit = strstr(text, "\"credit\"");
        unsigned long long messages, bytes;
        if (!credit || sscanf(credit, "\"credit\":{\"msgs\":%llu,\"bytes\":%llu", &messages, &bytes) != 2)
            die("no credit in %s", text);
        peer->credit = messages;
        peer->credit_bytes = bytes;
        peer->is_open = !peer->subscribes;
        break;
    }
    case RESULT:
        if (!memmem(payload, size, "\"status\":200", 12))
            die("%.*s", (int)size, (const char *)payload);
        peer->is_open = true;
        break;
    case CREDIT:
        peer->credit = get_u64(payload);
        peer->credit_bytes = get_u64(payload + 8);
        break;
    case PING:
        send_frame(peer, PONG, payload, size);
        break;
    case ACK:
        if (size > 12 && (payload[8] | payload[9]))
            die("the server refused message %llu with code %u", (unsigned long long)get_u64(payload + 12),
                (unsigned)(payload[22] << 8 | payload[23]));
        break;
    case ERROR:
    case GOAWAY:
        die("%.*s", (int)size, (const char *)payload);
    default:
        break;
    }
}

static size_t take(struct peer *peer, const uint8_t *bytes, size_t size) {
    size_t at = 0;
    if (!peer->is_open && size >= HEADER && bytes[0] == 0xf5)
        at = HEADER; /* the preface */
    while (size - at >= HEADER) {
        size_t payload = get_u32(bytes + at);
        if (size - at - HEADER < payload)
            break;
        if (bytes[at + 4] == MSG)
            peer_got(peer, bytes + at + HEADER, payload);
        else
            take_control(peer, bytes[at + 4], bytes + at + HEADER, payload);
        at += HEADER + payload;
    }
    return at;
}

static uint64_t allow(struct peer *peer, uint8_t *messages, size_t message_size, uint64_t count) {
    uint64_t payload = message_size - HEADER, done = 0;
    while (done < count && peer->sent < peer->credit && peer->sent_bytes < peer->credit_bytes) {
        put_u64(messages + done * message_size + HEADER, ++peer->sent);
        peer->sent_bytes += payload;
        done++;
    }
    return done;
}

static void after(struct peer *peer) {
    if (!peer->subscribes || !peer->options->acknowledged || peer->got == peer->told)
        return;
    uint8_t ack[12] = {0};
    put_u64(ack, peer->got);
    send_frame(peer, ACK, ack, sizeof ack);
    peer->told = peer->got;
}

const struct dialect stream1_dialect = {.name = "stream1",
                                        .port = 7460,
                                        .hello = hello,
                                        .make = make,
                                        .take = take,
                                        .allow = allow,
                                        .after = after};
