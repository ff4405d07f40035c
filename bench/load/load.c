/* The load generator:  load KIND key=value ...  See README.md for kinds and keys. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kind {
    const char *name;
    int (*run)(const struct options *options);
} kinds[] = {
    {"pubsub", load_pubsub}, {"http", load_http}, {"backend", load_backend}, {"udp", load_udp},
    {"echo", load_echo},     {"ask", load_ask},   {"idle", load_idle},       {"start", load_start},
    {"survive", load_survive},
};

static void read_servers(struct options *options, const char *list) {
    char *end;
    for (const char *at = list; *at && options->server_count < SERVERS_MAX; at = *end ? end + 1 : end)
        options->servers[options->server_count++] = (pid_t)strtol(at, &end, 10);
}

static enum tls tls_named(const char *name) {
    static const char *const names[] = {[TLS_NONE] = "none", [TLS_FULL] = "full", [TLS_RESUMED] = "resumed"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return (enum tls)i;
    die("tls is none, full or resumed, not '%s'", name);
}

static void read_text(struct options *options, const char *key, const char *value) {
    if (!strcmp(key, "dialect"))
        options->dialect = value;
    else if (!strcmp(key, "sink"))
        options->sink = value;
    else if (!strcmp(key, "host"))
        options->host = value;
    else if (!strcmp(key, "path"))
        options->path = value;
    else if (!strcmp(key, "kind"))
        options->kind = *value ? value : NULL;
    else if (!strcmp(key, "counter"))
        options->counter = value;
    else if (!strcmp(key, "ports"))
        options->ports = value;
    else if (!strcmp(key, "fault"))
        options->fault = value;
    else if (!strcmp(key, "tls"))
        options->tls = tls_named(value);
    else if (!strcmp(key, "backend"))
        options->backend = (pid_t)strtol(value, NULL, 10);
    else if (!strcmp(key, "servers"))
        read_servers(options, value);
    else
        die("no key '%s'", key);
}

static void read_option(struct options *options, const char *key, const char *value) {
    struct {
        const char *name;
        unsigned *to;
    } counts[] = {{"size", &options->size},
                  {"subscribers", &options->subscribers},
                  {"connections", &options->connections},
                  {"depth", &options->depth},
                  {"rate", &options->rate},
                  {"slow", &options->slow},
                  {"expect", &options->expect}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (!strcmp(counts[i].name, key)) {
            *counts[i].to = (unsigned)strtoul(value, NULL, 10);
            return;
        }
    }
    if (!strcmp(key, "port"))
        options->port = (uint16_t)strtoul(value, NULL, 10);
    else if (!strcmp(key, "sink_port"))
        options->sink_port = (uint16_t)strtoul(value, NULL, 10);
    else if (!strcmp(key, "from"))
        options->from = (uint16_t)strtoul(value, NULL, 10);
    else if (!strcmp(key, "sink_from"))
        options->sink_from = (uint16_t)strtoul(value, NULL, 10);
    else if (!strcmp(key, "warm"))
        options->warm = strtod(value, NULL);
    else if (!strcmp(key, "seconds"))
        options->seconds = strtod(value, NULL);
    else if (!strcmp(key, "count"))
        options->count = strtoull(value, NULL, 10);
    else if (!strcmp(key, "window"))
        options->window = strtoull(value, NULL, 10);
    else if (!strcmp(key, "encoded"))
        options->is_encoded = *value == '1';
    else if (!strcmp(key, "rest"))
        options->is_rest = *value == '1';
    else if (!strcmp(key, "closing"))
        options->is_closing = *value == '1';
    else if (!strcmp(key, "acknowledged"))
        options->acknowledged = *value == '1';
    else
        read_text(options, key, value);
}

int main(int argc, char **argv) {
    struct options options = {.dialect = "stream1",
                              .host = "127.0.0.1",
                              .size = 256,
                              .subscribers = 1,
                              .connections = 64,
                              .depth = 1,
                              .warm = 0.5,
                              .seconds = 3,
                              .window = 4u << 20,
                              .expect = 204,
                              .fault = "none",
                              .path = "/"};
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--")) {
            options.command = argv + i + 1;
            break;
        }
        char *value = strchr(argv[i], '=');
        if (!value)
            die("'%s' is not key=value", argv[i]);
        *value++ = '\0';
        read_option(&options, argv[i], value);
    }
    if (!options.sink_port)
        options.sink_port = options.port;
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, argv[1]))
            return kinds[i].run(&options);
    die("usage: load KIND key=value ...");
}
