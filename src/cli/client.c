/* One connection of a command: a net, the loop and a socket. */
#include "cli/client.h"

#include <signal.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "cli/control.h"
#include "config/scalar.h"
#include "config/url.h"
#include "platform/clock.h"
#include "platform/entropy.h"
#include "platform/loop.h"
#include "platform/socket.h"

#define READ_SIZE 65536
#define DIAL_NS (5 * NS_PER_S)

struct client {
    struct client_options options;
    struct net net;
    struct loop *loop;
    struct loop_watch watch;
    struct protocol_setup setup;
    struct cli_secure secure;
    const struct protocol *protocol;
    struct connection *connection;
    uint64_t handle;
    int fd;
    struct address address;
    bool connecting, stopped, late, over, wants_write, reads_off, was_opened;
    int signal_number;
    enum status reason;
    uint64_t tokens;
    uint8_t *room;
    char host[300], path[2048]; /* of WebSocket's handshake */
    char words[160];
};

/* -- protocol calls -- */

static struct client *client_of(void *connection) {
    return ((struct connection *)connection)->net->user;
}

static void on_message(void *connection, uint64_t token, struct message *message, uint64_t reply_to) {
    struct client *client = client_of(connection);
    (void)reply_to;
    client->options.calls->message(client, token, message);
}

static void on_outcome(void *connection, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    struct client *client = client_of(connection);
    for (uint64_t token = first; token <= last && client->options.calls->outcome; token++)
        client->options.calls->outcome(client, token, outcome);
}

static void open_once(struct client *client) {
    struct connection *c = client->connection;
    if (!c || c->sink.room.messages == 0 || client->was_opened)
        return;
    client->was_opened = true;
    if (client->options.calls->opened)
        client->options.calls->opened(client);
}

static void on_room(void *connection) {
    open_once(client_of(connection));
}

static enum status on_hello(void *connection, const struct protocol_hello *hello, struct slice *ret_system) {
    (void)connection;
    *ret_system = hello->system;
    return STATUS_OK;
}

static enum status on_subscribe(void *connection, const struct protocol_subscription *sub, struct message_fault *fault) {
    (void)connection;
    (void)sub;
    *fault = (struct message_fault){.status = STATUS_NOT_SUPPORTED};
    return STATUS_NOT_SUPPORTED;
}

static void on_unsubscribe(void *connection, uint32_t sub) {
    (void)connection;
    (void)sub;
}

static void on_cancelled(void *connection, uint64_t token) {
    (void)connection;
    (void)token;
}

static void on_invalid(void *connection, const struct message_fault *fault) {
    (void)connection;
    cli_say("what came is no message: %s", fault->text);
}

static void on_opened(void *user, struct connection *c, struct now now) {
    struct client *client = user;
    (void)now;
    client->connection = c;
}

static void on_progress(void *user, struct connection *c, struct now now) {
    (void)c;
    (void)now;
    open_once(user);
}

static void on_closed(void *user, struct connection *c, struct now now) {
    struct client *client = user;
    (void)now;
    client->connection = NULL;
    client->over = true;
    client->reason = c->reason;
    if (c->filtered)
        (void)snprintf(client->words, sizeof client->words, "%s", c->filtered->sink.words);
}

static const struct net_calls net_calls = {
    .protocol = {.message = on_message, .invalid = on_invalid, .outcome = on_outcome, .cancelled = on_cancelled,
                 .room = on_room, .hello = on_hello, .subscribe = on_subscribe, .unsubscribe = on_unsubscribe},
    .opened = on_opened, .progress = on_progress, .closed = on_closed};

/* -- the socket -- */

static unsigned wanted(const struct client *client) {
    return (client->reads_off ? 0u : LOOP_READABLE) | (client->connecting || client->wants_write ? LOOP_WRITABLE : 0u);
}

static void read_datagrams(struct client *client) {
    struct socket_packet packet = {.data = client->room, .size = READ_SIZE};
    while (socket_receive(client->fd, &packet, 1).result == SOCKET_MOVED) {
        if (address_equal(&packet.peer, &client->address))
            net_datagram(&client->net, client->handle, slice_make(packet.data, packet.size), &packet.peer, platform_now());
        packet.size = READ_SIZE;
    }
}

static void read_all(struct client *client) {
    if (client->protocol->is_datagram) {
        read_datagrams(client);
        return;
    }
    for (int i = 0; i < 32 && !client->reads_off && !client->over; i++) {
        struct socket_io io = socket_read(client->fd, client->room, READ_SIZE);
        struct now now = platform_now();
        if (io.result == SOCKET_AGAIN)
            return;
        if (io.result == SOCKET_MOVED) {
            net_bytes(&client->net, client->handle, slice_make(client->room, io.count), now);
            if (client->connection && client->connection->sink.closing)
                return; /* why it closes is known now; the end that comes next says less */
            continue;
        }
        if (io.result == SOCKET_END)
            net_ended(&client->net, client->handle, now);
        net_lost(&client->net, client->handle, io.result == SOCKET_END ? STATUS_PEER_CLOSED : io.status, now);
        return;
    }
}

static void on_ready(void *user, unsigned events) {
    struct client *client = user;
    if (client->connecting && events & (LOOP_WRITABLE | LOOP_FAILED)) {
        client->connecting = false;
        enum status status = socket_dial_result(client->fd);
        if (status == STATUS_OK)
            net_connected(&client->net, client->handle, &client->address, platform_now());
        else
            net_lost(&client->net, client->handle, status, platform_now());
        return;
    }
    if (events & (LOOP_READABLE | LOOP_FAILED))
        read_all(client);
    if (events & LOOP_WRITABLE)
        client->wants_write = false;
}

static void dial(struct client *client) {
    enum status status;
    if (client->protocol->is_datagram) {
        struct address any = {.family = client->address.family};
        status = socket_datagram(&any, 0, &client->fd, NULL);
    } else {
        status = socket_dial(&client->address, &client->fd, NULL);
        client->connecting = true;
    }
    if (status == STATUS_OK && !loop_watch(client->loop, &client->watch, client->fd, LOOP_WRITABLE, on_ready, client))
        status = STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        net_lost(&client->net, client->handle, status, platform_now());
    else if (client->protocol->is_datagram)
        net_connected(&client->net, client->handle, &client->address, platform_now());
}

static void on_resolved(void *user, enum status status, const struct address *addresses, size_t count) {
    struct client *client = user;
    if (status != STATUS_OK || count == 0) {
        net_lost(&client->net, client->handle, STATUS_RESOLVE_FAILED, platform_now());
        return;
    }
    client->address = addresses[0];
    dial(client);
}

static void start_dial(struct client *client) {
    const struct config_url *url = &client->options.place.url;
    struct address address;
    if (address_parse_ip(url->host, &address)) {
        client->address = address;
        client->address.port = url->port;
        dial(client);
    } else if (!loop_resolve(client->loop, url->host, url->port, on_resolved, client)) {
        net_lost(&client->net, client->handle, STATUS_RESOLVE_FAILED, platform_now());
    }
}

static bool flush(struct client *client) {
    struct connection *c = net_find(&client->net, client->handle);
    if (!c || client->fd < 0)
        return false;
    if (client->protocol->is_datagram) {
        uint32_t count = 0;
        const struct chain_piece *piece;
        for (; (piece = chain_piece(&c->out, count)); count++) {
            struct socket_packet packet = {.data = piece->block->data + piece->at, .size = piece->size, .peer = client->address};
            if (socket_send(client->fd, &packet, 1).result == SOCKET_AGAIN)
                break;
        }
        net_written(&client->net, client->handle, 0, count, platform_now());
        client->wants_write = chain_unsent(&c->out) > 0;
        return count > 0;
    }
    struct iovec parts[16];
    int count = chain_vectors(connection_wire(c), parts, 16);
    struct socket_io io = count ? socket_write(client->fd, parts, (size_t)count) : (struct socket_io){0};
    if (count && io.result == SOCKET_MOVED) {
        net_written(&client->net, client->handle, io.count, 0, platform_now());
        c = net_find(&client->net, client->handle);
        client->wants_write = c && chain_unsent(connection_wire(c)) > 0;
        return true;
    }
    client->wants_write = count > 0;
    if (count && io.result == SOCKET_FAILED)
        net_lost(&client->net, client->handle, io.status, platform_now());
    return false;
}

static void carry_out(struct client *client) {
    for (int round = 0; round < 100; round++) {
        uint32_t count;
        bool again = false, flushes = false;
        net_tick(&client->net, platform_now());
        const struct net_action *actions = net_finish(&client->net, platform_now(), &count);
        for (uint32_t i = 0; i < count; i++) {
            if (actions[i].kind == NET_READ)
                client->reads_off = !actions[i].on;
            else if (actions[i].kind == NET_FLUSH)
                flushes = true;
            else if (actions[i].kind == NET_CLOSE)
                client->over = true;
            else
                again = true;
        }
        if (again)
            start_dial(client);
        if (flushes || (!client->wants_write && client->connection && chain_unsent(connection_wire(client->connection))))
            again |= flush(client);
        if (!again)
            break;
    }
    if (client->watch.loop && !client->over)
        loop_modify(&client->watch, wanted(client));
}

/* -- life -- */

static void on_timer(void *user) {
    (void)user; /* a turn is all that is needed: deadlines are looked at there */
}

static void on_signal(void *user, int number) {
    ((struct client *)user)->signal_number = number;
}

static const struct protocol *choose(const struct client_place *place) {
    enum config_scheme scheme = client_scheme(place);
    if (scheme == CONFIG_SCHEME_TCP && place->is_framed)
        return place->is_raw && place->asks ? &protocol_fifo : &protocol_frames;
    if (scheme == CONFIG_SCHEME_TCP)
        return place->wants_stream ? &protocol_stream1 : &protocol_ndjson;
    if (scheme == CONFIG_SCHEME_INTERTIE)
        return &protocol_stream1;
    if (scheme == CONFIG_SCHEME_WS)
        return place->is_framed ? NULL : &protocol_websocket_dial;
    return scheme == CONFIG_SCHEME_UDP ? &protocol_datagram : NULL;
}

/* Host, path and whom we serve, as the handshake of WebSocket says them. */
static void set_up_websocket(struct client *client) {
    const struct config_url *url = &client->options.place.url;
    struct protocol_setup *setup = &client->setup;
    struct slice system = client->options.system;
    bool v6 = url->is_address && slice_find(url->host, ':') < url->host.size;
    bool has_query = slice_find(url->path, '?') < url->path.size;
    int size = snprintf(client->host, sizeof client->host, "%s%.*s%s:%u", v6 ? "[" : "", SLICE_ARG(url->host), v6 ? "]" : "", (unsigned)url->port);
    setup->host = slice_make(client->host, (size_t)size);
    size = snprintf(client->path, sizeof client->path, "%.*s%s%.*s", SLICE_ARG(url->path),
                    !system.size ? "" : has_query ? "&system=" : "?system=", SLICE_ARG(system));
    setup->path = slice_make(client->path, (size_t)size < sizeof client->path ? (size_t)size : sizeof client->path - 1);
    setup->websocket.contents = client->options.place.is_raw ? WS_CONTENT_BIT(WS_PLAIN) : WS_CONTENT_BIT(WS_JSON);
    setup->websocket.deflate = true;
    setup->websocket.ping_ns = 30 * NS_PER_S;
}

static void set_up(struct client *client) {
    static const struct protocol_default text[] = {{SLICE("datacontenttype"), SLICE("text/plain; charset=utf-8")}};
    struct protocol_setup *setup = &client->setup;
    setup->defaults = text; /* of raw ones; what is no UTF-8 is shown as bytes all the same */
    setup->default_count = COUNT_OF(text);
    setup->role = PROTOCOL_DIALLED;
    setup->name = setup->node = SLICE_OF("intertie-cli");
    setup->limits.message = client->protocol->is_datagram ? 1200 : 16u << 20;
    setup->limits.header = 32u << 10;
    setup->limits.fields = 100;
    setup->limits.window = client->options.window ? client->options.window : 256;
    setup->limits.window_bytes = 16u << 20;
    setup->timeouts.head_ns = setup->timeouts.auth_ns = DIAL_NS;
    setup->timeouts.idle_ns = 24 * 3600 * NS_PER_S;
    setup->timeouts.heartbeat_ns = 15 * NS_PER_S;
    setup->timeouts.attempt_ns = 3600 * NS_PER_S;
    setup->frame = client->options.place.frame;
    setup->frame.until.data = client->options.place.until;
    setup->format = client->options.place.is_raw ? PROTOCOL_FORMAT_RAW : PROTOCOL_FORMAT_CLOUDEVENTS;
    setup->encoding = setup->frame.framing == PROTOCOL_FRAME_VARINT ? ENCODING_PROTO : ENCODING_JSON;
    setup->answers = true;
    setup->own_client = SLICE_OF("intertie-cli/" INTERTIE_VERSION);
    setup->own_system = client->options.system;
    setup->own_key = client->options.key;
    setup->own_subscriptions = &client->options.subscription;
    setup->own_subscription_count = client->options.subscribes;
    if (client_scheme(&client->options.place) == CONFIG_SCHEME_WS)
        set_up_websocket(client);
    if (client->secure.worker) {
        client->net.worker.tls = client->secure.worker;
        setup->filters = &client->secure.use;
        setup->filter_count = 1;
        setup->timeouts.filters_ns = DIAL_NS;
        setup->is_secure = true;
    }
}

struct client *client_new(const struct client_options *options, struct fault *fault) {
    struct client *client = memory_new(sizeof *client);
    uint64_t seed = 0;
    if (!client || !entropy_seed(&seed)) {
        memory_free(client);
        fault_set(fault, STATUS_NO_MEMORY, 0, "no memory or no randomness");
        return NULL;
    }
    client->options = *options;
    client->fd = -1;
    client->protocol = choose(&options->place);
    client->room = memory_alloc(READ_SIZE);
    struct loop_owner owner = {.user = client, .on_timer = on_timer, .on_wake = on_timer};
    client->loop = loop_new(&owner);
    if (!client->protocol || !client->room || !client->loop || !net_init(&client->net, &net_calls, client, 4, seed)) {
        client_free(client);
        fault_set(fault, STATUS_NOT_SUPPORTED, 0, "that URL can't be spoken to this way");
        return NULL;
    }
    if (cli_secure_open(&client->secure, options->cli, &client->options.place.url, fault) != STATUS_OK) {
        client_free(client);
        return NULL;
    }
    loop_signal(client->loop, SIGINT, on_signal, client);
    loop_signal(client->loop, SIGTERM, on_signal, client);
    set_up(client);
    struct connection *c = net_dial(&client->net, client->protocol, &client->setup, 0, DIAL_NS, NULL, platform_now());
    if (!c) {
        client_free(client);
        fault_set(fault, STATUS_NO_MEMORY, 0, "no memory");
        return NULL;
    }
    client->handle = c->handle;
    return client;
}

void client_free(struct client *client) {
    if (client->watch.loop)
        loop_unwatch(&client->watch);
    if (client->fd >= 0)
        socket_close(client->fd);
    if (client->net.calls)
        net_done(&client->net);
    cli_secure_close(&client->secure);
    if (client->loop)
        loop_free(client->loop);
    memory_free(client->room);
    memory_free(client);
}

void *client_user(const struct client *client) {
    return client->options.user;
}

enum status client_run(struct client *client, struct mono deadline) {
    for (;;) {
        carry_out(client);
        open_once(client);
        carry_out(client);
        if (client->signal_number)
            return STATUS_CANCELLED;
        if (client->stopped && client_is_flushed(client))
            return STATUS_OK;
        if (client->over)
            return client->reason == STATUS_OK ? STATUS_PEER_CLOSED : client->reason;
        struct mono now = platform_now().mono;
        if (mono_due(deadline, now))
            return STATUS_REPLY_TIMEOUT;
        loop_timer_at(client->loop, mono_min(deadline, net_due(&client->net)));
        loop_run_once(client->loop, true);
    }
}

int client_signal_code(const struct client *client) {
    return 128 + client->signal_number;
}

const char *client_words(const struct client *client) {
    return client->words;
}

void client_stop(struct client *client) {
    client->stopped = true;
}

struct connection *client_connection(const struct client *client) {
    return client->connection;
}

uint64_t client_post(struct client *client, const struct message *message, bool asks, uint64_t reply_to,
                     enum status *ret_status) {
    struct protocol_send options = {.token = client->tokens + 1, .reply_to = reply_to, .attempt = 1, .asks = asks};
    *ret_status = client->connection ? connection_send(client->connection, message, NULL, &options) : STATUS_PEER_CLOSED;
    return *ret_status == STATUS_OK ? ++client->tokens : 0;
}

bool client_is_flushed(const struct client *client) {
    return !client->connection || (chain_unsent(&client->connection->out) == 0 && chain_unsent(connection_wire(client->connection)) == 0);
}

/* -- where to -- */

int client_url(const struct cli_options *options, const char *text, struct client_place *ret) {
    struct scalar_why why;
    bool planned = false;
    *ret = (struct client_place){0};
    if (!url_parse(slice_from(text), URL_ENDPOINT,
                   "http|https|ws|wss|tcp|tls|intertie|intertie+tls|udp|grpc|grpcs|mqtt|mqtts|nats|kafka|amqp|amqps", &ret->url,
                   &planned, &why))
        return cli_fail(options, planned ? CLI_FAILED : CLI_USAGE, planned ? "not-supported" : "usage", "--url: %s", why.text);
    if (!config_scheme_is_tls(ret->url.scheme) && (options->ca || options->cert || options->cert_key))
        return cli_fail(options, CLI_USAGE, "usage", "--ca, --cert and --cert-key mean nothing on %s",
                        config_scheme_name(ret->url.scheme));
    if (options->cert_key && !options->cert)
        return cli_fail(options, CLI_USAGE, "usage", "--cert-key needs --cert");
    if (client_scheme(ret) != CONFIG_SCHEME_HTTP && !choose(ret))
        return cli_fail(options, CLI_FAILED, "not-supported", "--url: %s is not supported yet in " INTERTIE_VERSION,
                        config_scheme_name(ret->url.scheme));
    return CLI_DONE;
}

/* The value of `{KEY: VALUE}`, the braces and blanks left out; empty when it is none of that key. */
static struct slice frame_value(struct slice text, const char *key) {
    if (text.size > 1 && text.data[0] == '{' && text.data[text.size - 1] == '}')
        text = slice_trim(slice_make(text.data + 1, text.size - 2));
    size_t colon = slice_find(text, ':');
    if (colon == text.size || !slice_is(slice_trim(slice_head(text, colon)), key))
        return slice_make("", 0);
    struct slice value = slice_trim(slice_skip(text, colon + 1));
    bool quoted = value.size > 1 && (value.data[0] == '"' || value.data[0] == '\'') && value.data[value.size - 1] == value.data[0];
    return quoted ? slice_make(value.data + 1, value.size - 2) : value;
}

/* The grammar of the configuration: a word, or {fixed: 64}, {idle: 20ms}, {until: "hex 1c0d"}. */
static bool read_frame(struct slice text, struct client_place *place, struct scalar_why *why) {
    struct slice fixed = frame_value(text, "fixed"), idle = frame_value(text, "idle"), until = frame_value(text, "until");
    struct config_until bytes;
    uint64_t size = 0;
    uint32_t index;
    bool planned;
    if (fixed.size) {
        place->frame.framing = PROTOCOL_FRAME_FIXED;
        bool fine = scalar_count(fixed, &size, why);
        place->frame.fixed = (uint32_t)size;
        return fine && ((size > 0 && size <= 16u << 20) || scalar_refuse(why, "`%llu` is no size from 1 to 16777216", (unsigned long long)size));
    }
    if (idle.size) {
        place->frame.framing = PROTOCOL_FRAME_IDLE;
        return scalar_duration(idle, &place->frame.idle_ns, why) &&
               (place->frame.idle_ns >= NS_PER_MS || scalar_refuse(why, "a pause of less than 1ms can't be seen"));
    }
    if (until.size) {
        place->frame.framing = PROTOCOL_FRAME_UNTIL;
        if (!scalar_until(until, &bytes, why))
            return false;
        memcpy(place->until, bytes.bytes, bytes.size);
        place->frame.until.size = bytes.size;
        return true;
    }
    if (!scalar_enum(text, "line|crlf|len16be|len32be|varint|octet-count|mllp", &index, &planned, why))
        return false;
    place->frame.framing = (enum protocol_framing)index;
    return true;
}

int client_frame(const struct cli_options *options, struct client_place *place) {
    struct scalar_why why;
    struct slice format = slice_from(options->format ? options->format : "cloudevents");
    enum config_scheme scheme = client_scheme(place);
    bool is_tcp = scheme == CONFIG_SCHEME_TCP, is_udp = scheme == CONFIG_SCHEME_UDP, is_ws = scheme == CONFIG_SCHEME_WS;
    place->is_raw = slice_is(format, "raw");
    if (!place->is_raw && !slice_is(format, "cloudevents"))
        return cli_fail(options, CLI_USAGE, "usage", "--format: cloudevents or raw");
    if (options->frame && !is_tcp)
        return cli_fail(options, CLI_USAGE, "usage", "--frame means nothing but on tcp");
    if (place->is_raw && !is_tcp && !is_udp && !is_ws)
        return cli_fail(options, CLI_USAGE, "usage", "--format raw is for tcp, udp and ws");
    if (options->frame && !read_frame(slice_trim(slice_from(options->frame)), place, &why))
        return cli_fail(options, CLI_USAGE, "usage", "--frame: %s", why.text);
    bool by_size = place->frame.framing == PROTOCOL_FRAME_FIXED || place->frame.framing == PROTOCOL_FRAME_IDLE;
    if (by_size && !place->is_raw)
        return cli_fail(options, CLI_USAGE, "usage", "--frame %s needs --format raw", options->frame);
    place->is_framed = is_tcp && (place->is_raw || (options->frame && place->frame.framing != PROTOCOL_FRAME_LINE));
    return CLI_DONE;
}

char *client_find_listener(const struct cli_options *options, bool streams, int *ret_code) {
    static const char *const first[2][3] = {{"http", "intertie", "tcp"}, {"intertie", "tcp", NULL}};
    struct http_reply reply;
    char *found = NULL;
    *ret_code = control_ask(options, "GET", "/api/v1/listeners", slice_make("", 0), &reply);
    for (size_t i = 0; *ret_code == CLI_DONE && i < 3 && first[streams][i] && !found; i++) {
        struct slice listener;
        for (size_t at = 0; json_element(json_member(buffer_slice(&reply.body), "listeners"), &at, &listener) && !found;) {
            struct slice scheme = json_member(listener, "scheme"), url = json_member(listener, "url");
            if (slice_is(scheme, first[streams][i]) && !slice_is(json_member(listener, "admin"), "true"))
                found = memory_copy_text((const char *)url.data, url.size);
        }
    }
    http_reply_done(&reply);
    if (!found && *ret_code == CLI_DONE)
        *ret_code = cli_fail(options, CLI_FAILED, "no-listener", "the running router has no listener for this; say --url");
    return found;
}
