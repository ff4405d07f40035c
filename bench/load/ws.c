/* WebSocket from the client's side (RFC 6455): a handshake, masked frames out, whole frames in; nothing is deflated, since
 * nothing is offered. Our own events over it, and nchan's channels. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t mask[4] = {0x5a, 0x3c, 0x96, 0x0f};

void ws_handshake(int fd, const char *path, const char *subprotocol) {
    char text[4096];
    size_t have = 0;
    int size = snprintf(
        text, sizeof text,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
        path, *subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol, *subprotocol ? "\r\n" : "");
    socket_write_all(fd, text, (size_t)size);
    /* A byte at a time, so that nothing of the first frame is taken. */
    while (have < 4 || memcmp(text + have - 4, "\r\n\r\n", 4)) {
        if (have == sizeof text - 1 || read(fd, text + have, 1) != 1)
            die("no answer to a WebSocket handshake");
        have++;
    }
    if (strncmp(text, "HTTP/1.1 101", 12) != 0)
        die("%.*s", (int)have, text);
}

size_t ws_frame(uint8_t *out, const uint8_t *body, size_t size) {
    size_t head = 2;
    out[0] = 0x81;
    if (size < 126) {
        out[1] = (uint8_t)(0x80 | size);
    } else if (size < 65536) {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(size >> 8);
        out[3] = (uint8_t)size;
        head = 4;
    } else {
        out[1] = 0x80 | 127;
        put_u64(out + 2, size);
        head = 10;
    }
    memcpy(out + head, mask, 4);
    head += 4;
    for (size_t i = 0; i < size; i++)
        out[head + i] = body[i] ^ mask[i & 3];
    return head + size;
}

size_t ws_next(const uint8_t *bytes, size_t size, struct ws_message *ret) {
    if (size < 2)
        return 0;
    size_t head = 2;
    uint64_t body = bytes[1] & 0x7f;
    if (body >= 126) {
        head = body == 126 ? 4 : 10;
        if (size < head)
            return 0;
        body = body == 126 ? (uint64_t)bytes[2] << 8 | bytes[3] : get_u64(bytes + 2);
    }
    if (size - head < body)
        return 0;
    *ret = (struct ws_message){.opcode = bytes[0] & 0x0f, .body = bytes + head, .size = (size_t)body};
    if (ret->opcode == 8)
        die("closed: %d %.*s", body >= 2 ? bytes[head] << 8 | bytes[head + 1] : 0,
            body > 2 ? (int)body - 2 : 0, (const char *)bytes + head + 2);
    return head + (size_t)body;
}

static size_t make_event(uint8_t *out, const struct options *options) {
    uint8_t *event = malloc(MESSAGE_ROOM);
    if (!event)
        die("out of memory");
    size_t size = ws_frame(out, event, event_json(event, options));
    free(event);
    return size;
}

/* -- events in JSON: what subscribes and what is answered is as with JSON lines -- */

static void ws_hello(struct peer *peer) {
    uint8_t frame[512];
    ws_handshake(peer->fd, peer->options->path, "cloudevents.json");
    if (peer->subscribes)
        socket_write_all(peer->fd, frame,
                         ws_frame(frame, (const uint8_t *)ndjson_subscribe, strlen(ndjson_subscribe)));
    else
        peer->is_open = true;
}

static size_t ws_take(struct peer *peer, const uint8_t *bytes, size_t size) {
    struct ws_message message;
    size_t at = 0;
    for (size_t used; (used = ws_next(bytes + at, size - at, &message)) > 0; at += used) {
        if (message.opcode > 2)
            continue;
        if (peer->is_open && peer->subscribes) {
            peer_got(peer, message.body, message.size);
            continue;
        }
        if (!memmem(message.body, message.size, "\"response\"", 10))
            die("%.*s", (int)message.size, (const char *)message.body);
        peer->is_open = true;
    }
    return at;
}

const struct dialect ws_dialect = {
    .name = "ws", .port = 8080, .hello = ws_hello, .make = make_event, .take = ws_take};

/* -- nchan: it answers publishers, each message with what became of it -- */

static void nchan_ws_hello(struct peer *peer) {
    ws_handshake(peer->fd, peer->subscribes ? "/subscribe-ws" : "/publish-ws", "");
    peer->is_open = true;
}

static size_t nchan_ws_take(struct peer *peer, const uint8_t *bytes, size_t size) {
    struct ws_message message;
    size_t at = 0;
    for (size_t used; (used = ws_next(bytes + at, size - at, &message)) > 0; at += used)
        if (message.opcode <= 2)
            peer_got(peer, message.body, message.size);
    return at;
}

const struct dialect nchan_ws_dialect = {
    .name = "nchan-ws", .port = 80, .hello = nchan_ws_hello, .make = make_event, .take = nchan_ws_take};
