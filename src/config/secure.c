/* Secure unless told (rule 0.9), and what a wire can't do. */
#include "base/assert.h"
#include "config/url.h"
#include "config/work.h"

static bool is_true(const struct node *map, const char *key) {
    const struct node *node = node_get(map, slice_from(key));
    return node && node->kind == NODE_SCALAR && slice_is(node->text, "true");
}

static bool list_has(const struct node *list, const char *word) {
    for (const struct node *item = list && list->kind == NODE_LIST ? list->first : NULL; item; item = item->next)
        if (item->kind == NODE_SCALAR && slice_is(item->text, word))
            return true;
    return false;
}

/* The URL of this map, if it is one that exists now. */
static const struct node *url_of(const struct work *work, const struct node *map, enum url_role role, const char *row_path, struct config_url *ret_url) {
    const struct node *node = node_get(map, SLICE_OF("url"));
    const struct schema *schema = schema_find(work->schema, slice_from(row_path));
    struct scalar_why why;
    bool planned;
    if (!node || node->kind != NODE_SCALAR || node->unknown || !schema || !schema->row ||
        !url_parse(node->text, role, schema->row->values, ret_url, &planned, &why))
        return NULL;
    return node;
}

static bool carries_keys(enum config_scheme scheme) {
    return scheme == CONFIG_SCHEME_HTTP || scheme == CONFIG_SCHEME_WS || scheme == CONFIG_SCHEME_TCP || scheme == CONFIG_SCHEME_INTERTIE;
}

static void check_open(struct work *work, const struct node *listener, const struct node *at, const struct config_url *url, const struct trail *trail) {
    const struct node *auth = node_get(listener, SLICE_OF("auth"));
    const struct node *system = node_get(listener, SLICE_OF("system"));
    const struct node *allow = node_get(listener, SLICE_OF("allow"));
    struct trail at_url = {trail, SLICE_OF("url")}, at_auth = {trail, SLICE_OF("auth")};
    if (url->is_loopback)
        return;
    bool is_named = system && (allow || node_get(listener, SLICE_OF("envelope")));
    if (!auth && !is_named && !is_true(listener, "anonymous"))
        work_error(work, at->at, &at_url, "`%.*s` is no loopback address: it needs %s`system` with `allow`, or the plain word `anonymous: true`",
                   SCALAR_SHOWN(url->host), carries_keys(config_scheme_plain(url->scheme)) ? "`auth`, or " : "");
    if (list_has(auth, "key") && carries_keys(url->scheme) && !is_true(listener, "insecure"))
        work_error(work, auth->at, &at_auth, "keys would cross the network in clear text; if that is meant, write `insecure: true`");
}

struct wire_key {
    const char *path;
    unsigned schemes; /* bits of enum config_scheme on which it means something */
};

#define ON(scheme) (1u << CONFIG_SCHEME_##scheme)
#define HTTPS_TOO (ON(HTTP) | ON(HTTPS) | ON(WS) | ON(WSS))
#define SOCKETS (ON(WS) | ON(WSS))
#define SECURED (ON(HTTPS) | ON(WSS) | ON(TLS) | ON(INTERTIE_TLS))
#define STREAMS (ON(TCP) | ON(TLS) | ON(INTERTIE) | ON(INTERTIE_TLS))

static const struct wire_key listener_keys[] = {
    {"frame", ON(TCP) | ON(TLS)},
    {"auth", HTTPS_TOO | STREAMS},
    {"limits.per_source", ON(UDP)},
    {"multicast", ON(UDP)},
    {"broadcast", ON(UDP)},
    {"envelope", ON(UDP)},
    {"limits.header", HTTPS_TOO},
    {"limits.fields", HTTPS_TOO},
    {"tls", SECURED},
    {"tls.alpn", ON(TLS)},
    {"timeouts.tls", SECURED},
    {"timeouts.head", HTTPS_TOO | STREAMS},
    {"timeouts.auth", HTTPS_TOO | STREAMS},
    {"timeouts.idle", HTTPS_TOO | STREAMS},
    {"compress", ON(HTTP) | ON(HTTPS) | STREAMS},
    {"async", ON(HTTP) | ON(HTTPS)},
    {"origins", HTTPS_TOO},
    {"websocket", HTTPS_TOO},
    {"keepalive", HTTPS_TOO | STREAMS},
    {"proxy_protocol", HTTPS_TOO | STREAMS},
    {"trusted_proxies", HTTPS_TOO | STREAMS},
};

static const struct wire_key system_keys[] = {
    {"frame", ON(TCP) | ON(TLS)},
    {"limits.message", ON(UDP)},
    {"multicast", ON(UDP)},
    {"broadcast", ON(UDP)},
    {"envelope", ON(UDP)},
    {"mode", ON(HTTP) | ON(HTTPS)},
    {"websocket", SOCKETS},
    {"tls", SECURED},
    {"pool", HTTPS_TOO | STREAMS},
    {"pool.pipeline", HTTPS_TOO | ON(TCP) | ON(TLS)},
    {"reply", ON(TCP) | ON(TLS)},
    {"greet", ON(TCP) | ON(TLS)},
    {"batch", ON(HTTP) | ON(HTTPS)},
    {"webhook", ON(HTTP) | ON(HTTPS)},
    {"compress", ON(HTTP) | ON(HTTPS) | ON(INTERTIE) | ON(INTERTIE_TLS)},
    {"keepalive", HTTPS_TOO | STREAMS},
    {"proxy_protocol", HTTPS_TOO | STREAMS},
};

static const struct node *below(const struct node *map, const char *path) {
    struct slice rest = slice_from(path);
    while (map && rest.size) {
        struct slice part = slice_head(rest, slice_find(rest, '.'));
        map = node_get(map, part);
        rest = slice_skip(rest, part.size + 1);
    }
    return map;
}

static void check_wire(struct work *work, const struct node *map, const struct wire_key *keys, size_t count, unsigned schemes, const char *what,
                       const struct trail *trail) {
    for (size_t i = 0; i < count; i++) {
        const struct node *node = below(map, keys[i].path);
        struct trail here = {trail, slice_from(keys[i].path)};
        if (node && schemes && !(keys[i].schemes & schemes))
            work_error(work, node->key_at, &here, "means nothing on %s", what);
    }
}

/* The value of `messagetype`, `priority` and `target` in defaults. */
static void check_defaults(struct work *work, const struct node *listener, const struct trail *trail) {
    const struct node *defaults = node_get(listener, SLICE_OF("defaults"));
    struct trail at = {trail, SLICE_OF("defaults")};
    for (const struct node *child = defaults && defaults->kind == NODE_MAP ? defaults->first : NULL; child; child = child->next) {
        struct trail here = {&at, child->key};
        struct scalar_why why;
        enum attribute_type type;
        enum attribute known;
        struct config_pattern pattern;
        uint32_t index;
        bool planned;
        if (child->kind != NODE_SCALAR || child->unknown || !work_attribute(work, child->key, &type, &known))
            continue;
        const struct node *systems = node_get(work->root, SLICE_OF("systems"));
        if (known == ATTRIBUTE_TARGET && !slice_is(child->text, "all") && !node_get(systems, child->text))
            refer_unknown(work, child->at, &here, "system", child->text, systems);
        else if (known == ATTRIBUTE_MESSAGETYPE && !scalar_enum(child->text, "event|request|response|command|query|notification|heartbeat|error", &index, &planned, &why))
            work_why(work, child->at, &here, &why);
        else if ((type == ATTRIBUTE_INTEGER || type == ATTRIBUTE_BOOLEAN) && (!scalar_pattern(child->text, type, known == ATTRIBUTE_PRIORITY, &pattern, &why)))
            work_why(work, child->at, &here, &why);
    }
}

static bool same_port(const struct config_url *a, const struct config_url *b) {
    bool same_transport = (a->scheme == CONFIG_SCHEME_UDP) == (b->scheme == CONFIG_SCHEME_UDP);
    return same_transport && a->port && a->port == b->port && slice_equal_nocase(a->host, b->host);
}

static void check_twice(struct work *work, const struct node *listeners, const struct node *self, const struct node *at, const struct config_url *url,
                        const struct trail *trail) {
    struct config_url other;
    struct trail here = {trail, SLICE_OF("url")};
    for (const struct node *before = listeners->first; before != self; before = before->next) {
        if (before->kind == NODE_MAP && url_of(work, before, URL_LISTENER, "listeners.*.url", &other) && same_port(url, &other)) {
            work_error(work, at->at, &here, "the listener `%.*s` (line %u) has this address already", SLICE_ARG(before->key), before->key_at.line);
            return;
        }
    }
}

/* `false` stands alone, and stream v1 has no gzip. */
static void check_compress(struct work *work, const struct node *map, unsigned schemes, const struct trail *trail) {
    const struct node *list = node_get(map, SLICE_OF("compress"));
    struct trail here = {trail, SLICE_OF("compress")};
    bool is_list = list && list->kind == NODE_LIST && list->count > 0;
    if (is_list && list->count > 1 && list_has(list, "false"))
        work_error(work, list->at, &here, "`false` stands alone");
    else if (is_list && schemes && !(schemes & ~STREAMS) && !list_has(list, "zstd") && !list_has(list, "deflate") && !list_has(list, "false"))
        work_error(work, list->at, &here, "streams have `zstd` and `deflate`");
}

/* `scheme://host[:port]` as browsers write it (RFC 6454 section 6.2). */
static bool is_origin(struct slice text) {
    struct slice rest = slice_starts(text, SLICE_OF("https://")) ? slice_skip(text, 8)
                        : slice_starts(text, SLICE_OF("http://")) ? slice_skip(text, 7)
                                                                   : slice_make("", 0);
    for (size_t i = 0; i < rest.size; i++)
        if (rest.data[i] <= ' ' || rest.data[i] >= 0x7f || strchr("/?#@,\"", rest.data[i]) || (rest.data[i] >= 'A' && rest.data[i] <= 'Z'))
            return false;
    return rest.size > 0 && rest.size <= 300;
}

static void check_origins(struct work *work, const struct node *listener, const struct trail *trail) {
    const struct node *list = node_get(listener, SLICE_OF("origins"));
    struct trail here = {trail, SLICE_OF("origins")};
    for (const struct node *item = list && list->kind == NODE_LIST ? list->first : NULL; item; item = item->next)
        if (item->kind == NODE_SCALAR && !item->unknown && !is_origin(item->text))
            work_error(work, item->at, &here, "`%.*s` is no origin; write one as browsers do: https://desk.example, with a port only where it isn't the usual one",
                       SCALAR_SHOWN(item->text));
}

/* Whoever may write a PROXY header may say that he is anybody. */
static void check_proxies(struct work *work, const struct node *listener, const struct trail *trail) {
    const struct node *header = node_get(listener, SLICE_OF("proxy_protocol"));
    struct trail here = {trail, SLICE_OF("proxy_protocol")};
    if (is_true(listener, "proxy_protocol") && !node_get(listener, SLICE_OF("trusted_proxies")))
        work_error(work, header->at, &here, "needs `trusted_proxies`: the addresses of the proxies whose word counts");
}

static void check_listener(struct work *work, const struct node *listeners, const struct node *listener, const struct trail *trail) {
    struct config_url url;
    check_defaults(work, listener, trail);
    const struct node *at = url_of(work, listener, URL_LISTENER, "listeners.*.url", &url);
    if (!at)
        return;
    check_open(work, listener, at, &url, trail);
    secure_listener_tls(work, listener, at, config_scheme_is_tls(url.scheme), trail);
    check_compress(work, listener, 1u << url.scheme, trail);
    check_proxies(work, listener, trail);
    check_origins(work, listener, trail);
    frames_listener(work, listener, 1u << url.scheme, trail);
    casts_listener(work, listener, &url, trail);
    check_wire(work, listener, listener_keys, COUNT_OF(listener_keys), 1u << url.scheme, config_scheme_name(url.scheme), trail);
    check_twice(work, listeners, listener, at, &url, trail);
}

static void check_batch(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *batch = node_get(system, SLICE_OF("batch")), *mode = node_get(system, SLICE_OF("mode"));
    struct trail here = {trail, SLICE_OF("batch")};
    if (batch && mode && mode->kind == NODE_SCALAR && !slice_is(mode->text, "batch") && !slice_is(mode->text, "auto"))
        work_error(work, batch->key_at, &here, "means nothing with `mode: %.*s`", SCALAR_SHOWN(mode->text));
}

/* The handshake asks for one address, and its rate counts events: neither can be said of what else goes there. */
static void check_webhook(struct work *work, const struct node *system, const struct trail *trail) {
    const struct node *handshake = below(system, "webhook.handshake"), *rate = below(system, "webhook.rate"), *format = node_get(system, SLICE_OF("format"));
    struct trail group = {trail, SLICE_OF("webhook")}, at_rate = {&group, SLICE_OF("rate")}, here = {&group, SLICE_OF("handshake")};
    bool asks = handshake && handshake->kind == NODE_SCALAR && slice_is(handshake->text, "true");
    if (rate && !asks)
        work_error(work, rate->key_at, &at_rate, "means something with `handshake: true` only");
    if (asks && format && format->kind == NODE_SCALAR && slice_is(format->text, "rest"))
        work_error(work, handshake->key_at, &here, "asks for one address; `format: rest` (line %u) sends to many", format->key_at.line);
    if (asks && refer_is_proxied(work, system->key))
        work_error(work, handshake->key_at, &here, "is for events; a `proxy` route leads here, whose requests aren't asked for");
}

static unsigned schemes_of(const struct work *work, const struct node *system) {
    struct config_url url;
    const struct node *discover = node_get(system, SLICE_OF("discover"));
    struct scalar_why why;
    unsigned schemes = 0;
    if (node_get(system, SLICE_OF("register")))
        return 0; /* whatever registers: judged then */
    if (discover && !found_url(work, node_get(discover, SLICE_OF("url")), &url, &why))
        return 0;
    if (discover)
        schemes |= 1u << url.scheme;
    if (url_of(work, system, URL_ENDPOINT, "systems.*.url", &url))
        return schemes | 1u << url.scheme;
    const struct node *endpoints = node_get(system, SLICE_OF("endpoints"));
    for (const struct node *endpoint = endpoints && endpoints->kind == NODE_MAP ? endpoints->first : NULL; endpoint; endpoint = endpoint->next) {
        if (!url_of(work, endpoint, URL_ENDPOINT, "systems.*.endpoints.*.url", &url))
            return 0; /* unknown: judge nothing */
        schemes |= 1u << url.scheme;
    }
    return schemes;
}

static void check_casts(struct work *work, const struct node *system, const struct trail *trail) {
    struct config_url url;
    if (url_of(work, system, URL_ENDPOINT, "systems.*.url", &url))
        casts_system(work, system, &url, trail);
}

static void check_admin(struct work *work) {
    const struct node *admin = node_get(work->root, SLICE_OF("admin"));
    struct config_url url;
    const struct node *at = url_of(work, admin, URL_ADMIN, "admin.url", &url);
    if (at && !url.is_loopback)
        work_say(work, false, at->at, "admin.url", "off loopback it would need TLS and `auth`, which are not supported yet in " CONFIG_VERSION);
    const struct node *listeners = node_get(work->root, SLICE_OF("listeners"));
    struct config_url other;
    for (const struct node *child = at && listeners ? listeners->first : NULL; child; child = child->next)
        if (child->kind == NODE_MAP && url_of(work, child, URL_LISTENER, "listeners.*.url", &other) && same_port(&url, &other))
            work_say(work, false, at->at, "admin.url", "the listener `%.*s` (line %u) has this address already", SLICE_ARG(child->key), child->key_at.line);
}

void secure_all(struct work *work) {
    struct trail root = {NULL, {NULL, 0}}, at_listeners = {&root, SLICE_OF("listeners")}, at_systems = {&root, SLICE_OF("systems")};
    const struct node *listeners = node_get(work->root, SLICE_OF("listeners"));
    for (const struct node *child = listeners && listeners->kind == NODE_MAP ? listeners->first : NULL; child; child = child->next) {
        struct trail here = {&at_listeners, child->key};
        if (child->kind == NODE_MAP)
            check_listener(work, listeners, child, &here);
    }
    const struct node *systems = node_get(work->root, SLICE_OF("systems"));
    for (const struct node *child = systems && systems->kind == NODE_MAP ? systems->first : NULL; child; child = child->next) {
        struct trail here = {&at_systems, child->key};
        if (child->kind != NODE_MAP)
            continue;
        found_system(work, child, &here);
        check_batch(work, child, &here);
        check_webhook(work, child, &here);
        secure_system_tls(work, child, &here);
        frames_system(work, child, schemes_of(work, child), &here);
        health_system(work, child, schemes_of(work, child), &here);
        check_casts(work, child, &here);
        check_compress(work, child, schemes_of(work, child), &here);
        check_wire(work, child, system_keys, COUNT_OF(system_keys), schemes_of(work, child), "the wires of this system", &here);
    }
    check_admin(work);
}
