/* Holds `connections` that did one thing and then nothing, until standard input ends: HTTP ones posted one event (in TLS,
 * if asked), those of a dialect said who they are. Prints a line when all are there. */
#include "wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void await(const struct stream *stream) {
    struct pollfd wait = {.fd = stream->fd, .events = POLLIN};
    if (poll(&wait, 1, 10000) != 1)
        die("no answer in time");
}

static void post_once(const struct options *options) {
    char text[4096];
    struct stream stream = {0}; /* stays open, and is never looked at again */
    ssize_t got;
    int size = snprintf(
        text, sizeof text,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /idle\r\n"
        "ce-type: com.example.tick\r\nContent-Length: 2\r\n\r\n{}",
        options->path);
    stream_open(&stream, options);
    while (!stream_greet(&stream))
        await(&stream);
    stream_write_all(&stream, text, (size_t)size);
    while ((got = stream_read(&stream, text, sizeof text)) < 0)
        await(&stream);
    if (got < 12 || strtoul(text + 9, NULL, 10) != options->expect)
        die("no answer as expected: %.*s", got > 0 ? (int)got : 0, text);
}

int load_idle(const struct options *options) {
    bool is_http = !strcmp(options->dialect, "http");
    const struct dialect *dialect = is_http ? NULL : dialect_find(options->dialect);
    struct peer peer = {.options = options, .in = malloc(IN_SIZE)};
    for (unsigned i = 0; i < options->connections; i++) {
        if (is_http) {
            post_once(options);
            continue;
        }
        peer.fd = socket_connect(options->host, options->port);
        peer.is_open = false;
        peer.have = 0;
        dialect->hello(&peer);
        peer_wait(&peer, dialect);
    }
    printf("%u\n", options->connections);
    (void)fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}
