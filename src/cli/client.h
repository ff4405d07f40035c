/* A peer that speaks one protocol to one address: what listen, and send and call over other wires than HTTP, stand on.
 * One net with one connection, no router. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/cli.h"
#include "cli/secure.h"
#include "config/config.h"
#include "connection/net.h"

struct client;

struct client_calls {
    void (*opened)(struct client *client);
    void (*message)(struct client *client, uint64_t token, struct message *message);
    void (*outcome)(struct client *client, uint64_t token, struct protocol_outcome outcome);
};

struct client_place {
    struct config_url url;
    bool wants_stream; /* tcp: speak stream v1 instead of JSON lines (a router's listener takes both) */
    bool is_framed;    /* tcp: `frame`, and not by JSON lines */
    bool is_raw;       /* tcp, udp: data alone */
    bool asks;         /* tcp, is_raw: the next frame is the reply */
    struct protocol_frame frame;
    uint8_t until[CONFIG_UNTIL_MAX];
};

struct client_options {
    const struct cli_options *cli; /* outlives the client */
    const struct client_calls *calls;
    void *user;
    struct client_place place;
    struct slice system;
    struct slice key;
    struct protocol_subscription subscription;
    bool subscribes;
    uint32_t window; /* messages that may come before the first is settled; 0: as usual */
};

/* A place's scheme, TLS left out. */
static inline enum config_scheme client_scheme(const struct client_place *place) {
    return config_scheme_plain(place->url.scheme);
}

/* NULL with `fault`. */
struct client *client_new(const struct client_options *options, struct fault *fault);
void client_free(struct client *client);
void *client_user(const struct client *client);
/* Works until client_stop(), the deadline (STATUS_REPLY_TIMEOUT), a signal (STATUS_CANCELLED), or the connection's end
 * (its reason). */
enum status client_run(struct client *client, struct mono deadline);
/* More about why its connection ended; may be empty. */
const char *client_words(const struct client *client);
/* client_run() returns OK once everything written has left. */
void client_stop(struct client *client);
/* After STATUS_CANCELLED: the exit code that says which signal it was. */
int client_signal_code(const struct client *client);
struct connection *client_connection(const struct client *client); /* NULL when it isn't open */
/* Returns the token, 0 when it can't be sent (`status` says why). */
uint64_t client_post(struct client *client, const struct message *message, bool asks, uint64_t reply_to,
                     enum status *ret_status);
/* Everything written has left. */
bool client_is_flushed(const struct client *client);

/* Parses --url; CLI_USAGE (told) when it is none that can be dialled. */
int client_url(const struct cli_options *options, const char *text, struct client_place *ret_place);
/* Reads --frame and --format into `place`; CLI_USAGE (told) when they are none, or mean nothing there. */
int client_frame(const struct cli_options *options, struct client_place *place);
/* The listener of the running router that fits: `streams` first tcp or intertie, else http first. NULL text: told.
 * The text is the caller's to memory_free(). */
char *client_find_listener(const struct cli_options *options, bool streams, int *ret_code);

#endif
