/* The dialects of lines, JSON lines, NATS and Redis, and bytes of any kind as the floor forwards them. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The end of the line that begins at `at` (behind its LF), 0 when it isn't there yet. */
static size_t line_end(const uint8_t *bytes, size_t size, size_t at) {
    const uint8_t *end = at < size ? memchr(bytes + at, '\n', size - at) : NULL;
    return end ? (size_t)(end - bytes) + 1 : 0;
}

/* -- JSON lines -- */

const char ndjson_subscribe[] =
    "{\"specversion\":\"1.0\",\"id\":\"s\",\"source\":\"/load\",\"type\":\"intertie.ctl.subscribe.v1\","
    "\"data\":{\"filter\":\"type = 'com.example.tick'\",\"max_inflight\":4096}}\n";

static void ndjson_hello(struct peer *peer) {
    if (peer->subscribes)
        socket_write_all(peer->fd, ndjson_subscribe, sizeof ndjson_subscribe - 1);
    else
        peer->is_open = true;
}

static size_t ndjson_make(uint8_t *out, const struct options *options) {
    size_t size = event_json(out, options);
    out[size] = '\n';
    return size + 1;
}

static size_t ndjson_take(struct peer *peer, const uint8_t *bytes, size_t size) {
    size_t at = 0;
    for (size_t end; (end = line_end(bytes, size, at)) > 0; at = end) {
        if (peer->is_open && peer->subscribes) {
            peer->got++;
            continue;
        }
        if (!memmem(bytes + at, end - at, "\"response\"", 10))
            die("%.*s", (int)(end - at), (const char *)bytes + at);
        peer->is_open = true;
    }
    return at;
}

const struct dialect ndjson_dialect = {
    .name = "ndjson", .port = 7460, .hello = ndjson_hello, .make = ndjson_make, .take = ndjson_take};

/* -- NATS -- */

static void nats_hello(struct peer *peer) {
    static const char hello[] = "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n";
    socket_write_all(peer->fd, hello, sizeof hello - 1);
    if (peer->subscribes)
        socket_write_all(peer->fd, "SUB s 1\r\n", 9);
    socket_write_all(peer->fd, "PING\r\n", 6);
}

static size_t nats_make(uint8_t *out, const struct options *options) {
    size_t size = (size_t)snprintf((char *)out, 64, "PUB s %u\r\n", options->size);
    memset(out + size, 'x', options->size);
    size += options->size;
    memcpy(out + size, "\r\n", 2);
    return size + 2;
}

static size_t nats_take(struct peer *peer, const uint8_t *bytes, size_t size) {
    size_t at = 0;
    for (size_t end; (end = line_end(bytes, size, at)) > 0; at = end) {
        if (bytes[at] == 'M') { /* MSG subject sid size */
            size_t space = end - 2, body = 0;
            while (bytes[space - 1] != ' ')
                space--;
            while (bytes[space] != '\r')
                body = body * 10 + (size_t)(bytes[space++] - '0');
            if (size - end < body + 2)
                break;
            end += body + 2;
            peer_got(peer, bytes + at, end - at);
        } else if (!memcmp(bytes + at, "PI", 2)) {
            socket_write_all(peer->fd, "PONG\r\n", 6);
        } else if (!memcmp(bytes + at, "PO", 2)) {
            peer->is_open = true;
        } else if (bytes[at] == '-') {
            die("%.*s", (int)(end - at), (const char *)bytes + at);
        }
    }
    return at;
}

const struct dialect nats_dialect = {
    .name = "nats", .port = 4222, .hello = nats_hello, .make = nats_make, .take = nats_take};

/* -- Redis -- */

static void redis_hello(struct peer *peer) {
    if (peer->subscribes)
        socket_write_all(peer->fd, "SUBSCRIBE s\r\n", 13);
    else
        peer->is_open = true;
}

static size_t redis_make(uint8_t *out, const struct options *options) {
    size_t size =
        (size_t)snprintf((char *)out, 64, "*3\r\n$7\r\nPUBLISH\r\n$1\r\ns\r\n$%u\r\n", options->size);
    memset(out + size, 'x', options->size);
    size += options->size;
    memcpy(out + size, "\r\n", 2);
    return size + 2;
}

/* A value of RESP from `at` on: its end, 0 when it isn't whole. */
static size_t redis_value(const uint8_t *bytes, size_t size, size_t at) {
    size_t end = line_end(bytes, size, at);
    if (!end || !strchr("$*>%", bytes[at]))
        return end;
    size_t number = strtoul((const char *)bytes + at + 1, NULL, 10) * (bytes[at] == '%' ? 2 : 1);
    if (bytes[at] == '$')
        return size - end < number + 2 ? 0 : end + number + 2;
    for (; number > 0 && end; number--)
        end = redis_value(bytes, size, end);
    return end;
}

static size_t redis_take(struct peer *peer, const uint8_t *bytes, size_t size) {
    size_t at = 0;
    for (size_t end; at < size && (end = redis_value(bytes, size, at)) > 0; at = end) {
        if (bytes[at] == '-')
            die("%.*s", (int)(end - at), (const char *)bytes + at);
        if (peer->is_open && (bytes[at] == '*' || bytes[at] == '>'))
            peer_got(peer, bytes + at, end - at);
        peer->is_open = true;
    }
    return at;
}

const struct dialect redis_dialect = {
    .name = "redis", .port = 6379, .hello = redis_hello, .make = redis_make, .take = redis_take};

/* -- bytes as stream v1 would send them, through a forwarder that parses nothing -- */

static void raw_hello(struct peer *peer) {
    uint8_t *one = malloc(MESSAGE_ROOM);
    peer->body = one ? stream1_dialect.make(one, peer->options) : 0;
    free(one);
    peer->is_open = true;
}

static size_t raw_make(uint8_t *out, const struct options *options) {
    return stream1_dialect.make(out, options);
}

static size_t raw_take(struct peer *peer, const uint8_t *bytes, size_t size) {
    (void)bytes;
    uint64_t whole = size / peer->body;
    peer->got += whole;
    return whole * peer->body;
}

const struct dialect raw_dialect = {
    .name = "raw", .port = 7000, .hello = raw_hello, .make = raw_make, .take = raw_take};

/* -- what nchan streams to a subscriber by HTTP: a head, then the messages' data, each ended by LF -- */

static void nchan_hello(struct peer *peer) {
    static const char request[] = "GET /subscribe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    socket_write_all(peer->fd, request, sizeof request - 1);
}

static size_t nchan_take(struct peer *peer, const uint8_t *bytes, size_t size) {
    size_t at = 0;
    if (!peer->is_open) {
        const uint8_t *blank = memmem(bytes, size, "\r\n\r\n", 4);
        if (!blank)
            return 0;
        if (memcmp(bytes + 9, "200", 3) || memmem(bytes, (size_t)(blank - bytes), "chunked", 7))
            die("%.*s", (int)(blank - bytes), (const char *)bytes);
        peer->is_open = true;
        at = (size_t)(blank - bytes) + 4;
    }
    for (size_t end; (end = line_end(bytes, size, at)) > 0; at = end)
        peer->got += end - at > 1;
    return at;
}

static size_t nchan_make(uint8_t *out, const struct options *options) {
    (void)out;
    (void)options;
    die("nchan takes messages by HTTP");
}

const struct dialect nchan_dialect = {
    .name = "nchan", .port = 80, .hello = nchan_hello, .make = nchan_make, .take = nchan_take};

const struct dialect *dialect_find(const char *name) {
    static const struct dialect *const all[] = {&stream1_dialect, &ndjson_dialect,  &nats_dialect,
                                                &redis_dialect,   &raw_dialect,     &nchan_dialect,
                                                &ws_dialect,      &nchan_ws_dialect};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i]->name, name))
            return all[i];
    die("no dialect '%s'", name);
}
