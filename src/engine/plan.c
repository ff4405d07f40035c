/* Compiles a configuration for engines. */
#include "engine/plan.h"

#include "base/memory.h"
#include "protocol/datagram/envelope.h"
#include "protocol/proxy/proxy.h"

#define PLAN_SIZE_MAX (256u << 20)
#define WINDOW_MESSAGES 1024
#define WINDOW_BYTES (4u << 20)
#define HEARTBEAT_NS (15 * NS_PER_S)
#define EXPIRY_NS (60 * NS_PER_S) /* of a session without its connection */
#define WRITE_NS (30 * NS_PER_S) /* of dialled connections and the admin's */
#define ADMIN_MIN_RATE 1024

const struct protocol *plan_protocol(enum config_scheme scheme, enum protocol_role role) {
    scheme = config_scheme_plain(scheme);
    if (scheme == CONFIG_SCHEME_HTTP)
        return protocol_find(SLICE_OF("http1"));
    if (scheme == CONFIG_SCHEME_WS)
        return role == PROTOCOL_ACCEPTED ? protocol_find(SLICE_OF("http1")) : &protocol_websocket_dial;
    if (scheme == CONFIG_SCHEME_TCP)
        return protocol_find(role == PROTOCOL_ACCEPTED ? SLICE_OF("stream") : SLICE_OF("ndjson"));
    if (scheme == CONFIG_SCHEME_INTERTIE)
        return protocol_find(SLICE_OF("stream1"));
    if (scheme == CONFIG_SCHEME_UDP)
        return protocol_find(SLICE_OF("datagram"));
    return NULL;
}

/* Where lines are spoken on plain streams, other frames and data alone may be, too. */
static const struct protocol *framed(const struct protocol *row, enum config_frame frame, enum config_format format,
                                     enum config_reply reply) {
    bool is_plain = row == protocol_find(SLICE_OF("stream")) || row == protocol_find(SLICE_OF("ndjson"));
    if (!is_plain || frame == CONFIG_FRAME_AUTO)
        return row;
    if (format == CONFIG_FORMAT_RAW)
        return protocol_find(reply == CONFIG_REPLY_FIFO ? SLICE_OF("fifo") : SLICE_OF("frames"));
    return protocol_find(frame == CONFIG_FRAME_LINE ? SLICE_OF("ndjson") : SLICE_OF("frames"));
}

static enum protocol_format format_of(enum config_format format) {
    return format == CONFIG_FORMAT_AUTO  ? PROTOCOL_FORMAT_AUTO
           : format == CONFIG_FORMAT_RAW ? PROTOCOL_FORMAT_RAW
                                         : PROTOCOL_FORMAT_CLOUDEVENTS;
}

/* The words of both are in the same order, of which `auto` has no framing. */
static struct protocol_frame frame_of(enum config_frame frame, const struct config_cut *cut) {
    enum protocol_framing framing = frame == CONFIG_FRAME_AUTO ? PROTOCOL_FRAME_LINE
                                                               : (enum protocol_framing)(frame - CONFIG_FRAME_LINE);
    return (struct protocol_frame){framing, (uint32_t)cut->fixed, cut->idle_ns, slice_make(cut->until.bytes, cut->until.size)};
}

uint32_t plan_system(const struct plan *plan, struct slice name) {
    const struct plan_target *target = map_get(&plan->system_names, name);
    return target ? target->system : CONFIG_NONE;
}

static enum status no_memory(struct fault *fault) {
    return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for the configuration");
}

static void common_setup(const struct plan *plan, struct protocol_setup *setup) {
    const struct config *config = plan->config;
    setup->node = config->name;
    setup->public_url = config->public_url;
    setup->declared = &config->extensions;
    setup->limits.header = 32u << 10;
    setup->limits.fields = 100;
    setup->limits.window = WINDOW_MESSAGES;
    setup->limits.window_bytes = WINDOW_BYTES;
    setup->timeouts.head_ns = 10 * NS_PER_S;
    setup->timeouts.auth_ns = 2 * NS_PER_S;
    setup->timeouts.idle_ns = 60 * NS_PER_S;
    setup->timeouts.heartbeat_ns = HEARTBEAT_NS;
    setup->expiry_ns = EXPIRY_NS;
    setup->timeouts.attempt_ns = 5 * NS_PER_S;
    setup->timeouts.write_ns = WRITE_NS;
}

/* What the messages of a WebSocket may be. `plain`: data alone, `events`: CloudEvents. */
static void websocket_setup(struct protocol_setup *setup, const struct config_websocket *config, bool plain, bool events, unsigned usual) {
    unsigned ours = config->subprotocols ? 0 : usual;
    ours |= config->subprotocols & CONFIG_WEBSOCKET_JSON ? WS_CONTENT_BIT(WS_JSON) : 0;
    ours |= config->subprotocols & CONFIG_WEBSOCKET_PROTO ? WS_CONTENT_BIT(WS_PROTO) : 0;
    ours |= config->subprotocols & CONFIG_WEBSOCKET_STREAM ? WS_CONTENT_BIT(WS_STREAM) : 0;
    setup->websocket.contents = (plain ? WS_CONTENT_BIT(WS_PLAIN) : 0) | (events ? ours : 0);
    setup->websocket.deflate = config->compression;
    setup->websocket.ping_ns = config->ping_ns == CONFIG_FOREVER ? 0 : config->ping_ns;
}

static uint32_t small(uint64_t value) {
    return value > INT32_MAX ? INT32_MAX : (uint32_t)value;
}

/* Before the filters that `setup` has, with a time of its own. */
static bool filter_first(struct plan *plan, struct protocol_setup *setup, const struct filter *filter, const void *profile) {
    struct filter_use *uses = arena_array(&plan->arena, setup->filter_count + 1, sizeof *uses);
    if (!uses || !profile)
        return false;
    uses[0] = (struct filter_use){filter, profile};
    for (size_t i = 0; i < setup->filter_count; i++)
        uses[i + 1] = setup->filters[i];
    setup->filters = uses;
    setup->filter_count++;
    setup->timeouts.filters_ns += setup->timeouts.head_ns;
    return true;
}

/* Who connected is known when the header was read: `allow` is looked at then. */
static bool proxied(struct plan *plan, struct plan_listener *out, const struct config_listener *config) {
    struct proxy_trust *trust = arena_new(&plan->arena, sizeof *trust);
    if (trust)
        *trust = (struct proxy_trust){config->trusted_proxies, config->trusted_proxy_count, config->allow, config->allow_count};
    out->allow_count = 0;
    return filter_first(plan, &out->setup, &proxy_in, trust);
}

static bool says_proxy(struct plan *plan, struct protocol_setup *setup, enum config_proxy version) {
    unsigned *profile = arena_new(&plan->arena, sizeof *profile);
    if (profile)
        *profile = version == CONFIG_PROXY_V1 ? 1 : 2;
    return filter_first(plan, setup, &proxy_out, profile);
}

/* CONFIG_NONE: none. */
static bool envelope_secrets(struct plan *plan, struct protocol_setup *setup, uint32_t index) {
    if (index == CONFIG_NONE)
        return true;
    const struct config_texts *from = &plan->config->credentials[index].secrets;
    struct protocol_secret *secrets = arena_array(&plan->arena, from->count + 1, sizeof *secrets);
    for (size_t i = 0; secrets && i < from->count; i++)
        secrets[i] = (struct protocol_secret){from->items[i], envelope_kid(from->items[i])};
    setup->secrets = secrets;
    setup->secret_count = from->count;
    return secrets != NULL;
}

static enum status listener(struct plan *plan, struct plan_listener *out, const struct config_listener *config,
                            struct fault *fault) {
    struct protocol_setup *setup = &out->setup;
    out->config = config;
    out->protocol = framed(plan_protocol(config->url.scheme, PROTOCOL_ACCEPTED), config->frame, config->format, CONFIG_REPLY_NONE);
    if (!out->protocol)
        return fault_set(fault, STATUS_NOT_SUPPORTED, 0, "listeners.%.*s: %s is not supported yet",
                         SLICE_ARG(config->name), config_scheme_name(config->url.scheme));
    common_setup(plan, setup);
    setup->role = PROTOCOL_ACCEPTED;
    setup->name = config->name;
    setup->limits.message = small(config->limits.message);
    setup->limits.header = small(config->limits.header);
    setup->limits.fields = small(config->limits.fields);
    setup->timeouts.head_ns = config->timeouts.head_ns;
    setup->timeouts.auth_ns = config->timeouts.auth_ns;
    setup->timeouts.idle_ns = config->timeouts.idle_ns;
    setup->timeouts.write_ns = config->timeouts.write_ns;
    setup->limits.min_rate = config->limits.min_rate == CONFIG_UNLIMITED ? 0 : config->limits.min_rate;
    setup->limits.per_source = config->limits.per_source == CONFIG_UNLIMITED ? 0 : small(config->limits.per_source);
    setup->auth = config->auth != 0;
    setup->is_loopback = config->url.is_loopback;
    setup->keys_refused = !config->url.is_loopback && !config->insecure && !config_scheme_is_tls(config->url.scheme);
    setup->format = format_of(config->format);
    setup->frame = frame_of(config->frame, &config->cut);
    memcpy(setup->compress, config->compress, sizeof setup->compress);
    setup->websocket.only = config_scheme_plain(config->url.scheme) == CONFIG_SCHEME_WS;
    websocket_setup(setup, &config->websocket, setup->websocket.only && config->format != CONFIG_FORMAT_CLOUDEVENTS,
                    config->format != CONFIG_FORMAT_RAW || !setup->websocket.only, WS_CONTENT_OURS);
    setup->path = config->url.path;
    setup->origins = config->origins.items;
    setup->origin_count = config->origins.count;
    setup->trusted = config->trusted_proxies;
    setup->trusted_count = config->trusted_proxy_count;
    setup->answers = config->system != CONFIG_NONE && (config->allow_count > 0 || config->envelope != CONFIG_NONE);
    if (config->system != CONFIG_NONE)
        setup->system = plan->config->systems[config->system].name;
    if (!plan_tls(plan, setup, &config->url, &config->tls, config->timeouts.tls_ns) ||
        !envelope_secrets(plan, setup, config->envelope))
        return no_memory(fault);
    struct protocol_default *defaults = arena_array(&plan->arena, config->default_count + 1, sizeof *defaults);
    if (!defaults)
        return no_memory(fault);
    for (size_t i = 0; i < config->default_count; i++)
        defaults[i] = (struct protocol_default){config->defaults[i].name, config->defaults[i].value};
    setup->defaults = defaults;
    setup->default_count = config->default_count;
    out->allow = config->allow;
    out->allow_count = config->allow_count;
    if (config->proxy_protocol && !proxied(plan, out, config))
        return no_memory(fault);
    return STATUS_OK;
}

/* SYSTEM/ENDPOINT */
static struct slice endpoint_name(struct plan *plan, struct slice system, struct slice endpoint) {
    uint8_t *text = arena_new(&plan->arena, system.size + endpoint.size + 1);
    if (!text)
        return slice_make(NULL, 0);
    memcpy(text, system.data, system.size);
    text[system.size] = '/';
    memcpy(text + system.size + 1, endpoint.data, endpoint.size);
    return slice_make(text, system.size + endpoint.size + 1);
}

static struct slice host_and_port(struct plan *plan, const struct config_url *url) {
    struct buffer text;
    uint8_t bytes[300];
    buffer_init_fixed(&text, bytes, sizeof bytes);
    bool v6 = url->is_address && slice_find(url->host, ':') < url->host.size;
    if (v6)
        buffer_add_byte(&text, '[');
    buffer_add(&text, url->host);
    if (v6)
        buffer_add_byte(&text, ']');
    enum config_scheme plain = config_scheme_plain(url->scheme);
    bool is_web = plain == CONFIG_SCHEME_HTTP || plain == CONFIG_SCHEME_WS;
    if (!is_web || url->port != (plain == url->scheme ? 80 : 443)) {
        buffer_add_byte(&text, ':');
        buffer_add_u64(&text, url->port);
    }
    return arena_copy(&plan->arena, buffer_slice(&text));
}

/* `GET /products/{subject}`; checked already, so that only memory may fail. */
static enum status rest_service(struct plan *plan, struct protocol_setup *setup, const struct config_system *owner, struct fault *fault) {
    const struct config *config = plan->config;
    static const struct slice methods[PROTOCOL_REST_COUNT] = {SLICE("GET"), SLICE("PUT"), SLICE("POST"), SLICE("POST")};
    struct protocol_rest *rest = arena_new(&plan->arena, sizeof *rest);
    struct template_fault why;
    for (unsigned i = 0; rest && i < PROTOCOL_REST_COUNT; i++) {
        size_t space = slice_find(owner->rest[i], ' ');
        struct slice path = owner->rest[i].size ? slice_trim(slice_skip(owner->rest[i], space)) : owner->rest[i];
        rest->by_kind[i].method = owner->rest[i].size ? slice_head(owner->rest[i], space) : methods[i];
        rest->by_kind[i].path = NULL;
        if (path.size && template_compile(path, &config->extensions, &plan->arena, &rest->by_kind[i].path, &why) != STATUS_OK)
            return fault_set(fault, why.status, 0, "systems.%.*s.rest: %s", SLICE_ARG(owner->name), why.text);
    }
    setup->rest = rest;
    return rest ? STATUS_OK : no_memory(fault);
}

static enum status added_headers(struct plan *plan, struct protocol_setup *setup, const struct config_system *owner, struct fault *fault) {
    struct protocol_header *headers = arena_array(&plan->arena, owner->header_count + 1, sizeof *headers);
    struct template_fault why;
    if (!headers)
        return no_memory(fault);
    for (size_t i = 0; i < owner->header_count; i++) {
        headers[i].name = owner->headers[i].name;
        if (template_compile(owner->headers[i].value, &plan->config->extensions, &plan->arena, &headers[i].value, &why) != STATUS_OK)
            return fault_set(fault, why.status, 0, "systems.%.*s.headers: %s", SLICE_ARG(owner->name), why.text);
    }
    setup->headers = headers;
    setup->header_count = owner->header_count;
    setup->preserve_host = owner->preserve_host;
    return owner->format == CONFIG_FORMAT_REST ? rest_service(plan, setup, owner, fault) : STATUS_OK;
}

/* Who we say that we are: the host of `public_url`, else our name. */
static struct slice origin_name(const struct config *config) {
    struct slice rest = config->public_url;
    size_t colon = slice_find(rest, ':');
    if (colon + 3 >= rest.size)
        return config->name;
    rest = slice_skip(rest, colon + 3);
    rest = slice_head(rest, slice_find(rest, '/'));
    return rest.size && rest.data[0] == '[' ? slice_head(rest, slice_find(rest, ']') + 1) : slice_head(rest, slice_find(rest, ':'));
}

static enum status endpoint(struct plan *plan, struct plan_endpoint *out, uint32_t system,
                            const struct config_endpoint *config, struct fault *fault) {
    const struct config_system *owner = &plan->config->systems[system];
    struct protocol_setup *setup = &out->setup;
    out->config = config;
    out->system = system;
    out->protocol = framed(plan_protocol(config->url.scheme, PROTOCOL_DIALLED), owner->frame, owner->format, owner->reply);
    if (!out->protocol)
        return fault_set(fault, STATUS_NOT_SUPPORTED, 0, "systems.%.*s: %s is not supported yet", SLICE_ARG(owner->name),
                         config_scheme_name(config->url.scheme));
    common_setup(plan, setup);
    setup->role = PROTOCOL_DIALLED;
    setup->name = endpoint_name(plan, owner->name, config->name);
    setup->limits.message = small(out->protocol->is_datagram ? owner->message : plan->config->message_max);
    setup->timeouts.attempt_ns = owner->policy.timeouts.attempt_ns;
    setup->timeouts.idle_ns = out->protocol->keeps_open ? 5 * 60 * NS_PER_S : owner->pool.idle_ns;
    setup->is_loopback = config->url.is_loopback;
    setup->system = owner->name;
    setup->answers = true;
    setup->host = host_and_port(plan, &config->url);
    setup->path = config->url.path.size ? config->url.path : SLICE_OF("/");
    websocket_setup(setup, &owner->websocket, owner->format == CONFIG_FORMAT_RAW, owner->format != CONFIG_FORMAT_RAW, WS_CONTENT_EVENTS);
    if (out->protocol == &protocol_websocket_dial)
        setup->expiry_ns = 0; /* a session of stream v1 there would have to wait for the handshake: it ends with its connection */
    setup->mode = (enum protocol_content_mode)owner->mode;
    setup->format = format_of(owner->format);
    setup->frame = frame_of(owner->frame, &owner->cut);
    setup->greet = (struct protocol_greet){owner->greet.expect, owner->greet.send, owner->greet.within_ns};
    setup->pipeline = small(owner->pool.pipeline);
    setup->batch.max = owner->mode == CONFIG_MODE_BATCH ? small(owner->batch.max) : 0;
    setup->batch.wait_ns = owner->batch.wait_ns;
    if (owner->webhook.handshake) {
        setup->webhook.origin = origin_name(plan->config);
        uint64_t rate = owner->webhook.rate < UINT32_MAX ? owner->webhook.rate : UINT32_MAX;
        setup->webhook.rate = small((rate * 60 + 999) / 1000); /* a minute, as it was written */
    }
    memcpy(setup->compress, owner->compress, sizeof setup->compress);
    setup->encoding = owner->encoding == CONFIG_ENCODING_PROTOBUF ? ENCODING_PROTO : ENCODING_JSON;
    if (!setup->name.data || !setup->host.data || !plan_presents(plan, setup, config) ||
        !plan_tls(plan, setup, &config->url, &config->tls, owner->policy.timeouts.connect_ns) ||
        !envelope_secrets(plan, setup, out->protocol->is_datagram ? owner->envelope : CONFIG_NONE))
        return no_memory(fault);
    if (owner->proxy_protocol != CONFIG_PROXY_NONE && !says_proxy(plan, setup, owner->proxy_protocol))
        return no_memory(fault);
    enum status status = added_headers(plan, setup, owner, fault);
    return status == STATUS_OK && !plan_probe(plan, out, &owner->policy.health) ? no_memory(fault) : status;
}

enum status plan_found(const struct plan *plan, struct arena *arena, uint32_t system,
                       const struct config_endpoint *config, struct plan_endpoint *ret, struct fault *fault) {
    struct plan own = *plan; /* but for where memory comes from */
    struct fault ignored;
    own.arena = *arena;
    enum status status = endpoint(&own, ret, system, config, fault ? fault : &ignored);
    *arena = own.arena;
    return status;
}

/* Which kinds may have to be looked up, of what goes by this policy. */
static uint32_t dedupes(const struct config_policy *policy) {
    if (policy->dedupe.window_ns == 0)
        return 0;
    return 1u << KIND_COMMAND | (policy->dedupe.events ? 1u << KIND_EVENT : 0);
}

/* Checked already, so that only memory may fail. */
static bool balance_key(struct plan *plan, struct plan_key *key, struct slice text) {
    struct cesql_options options = {.declared = &plan->config->extensions, .require_declared = true};
    struct cesql_fault why;
    *key = (struct plan_key){.attribute = attribute_find(text)};
    return text.size == 0 || cesql_compile(text, &options, &plan->arena, &key->cesql, &why, NULL) == STATUS_OK;
}

static enum status systems(struct plan *plan, struct fault *fault) {
    const struct config *config = plan->config;
    plan->direct = arena_array(&plan->arena, config->system_count + 1, sizeof *plan->direct);
    plan->endpoints = arena_array(&plan->arena, config->system_count + 1, sizeof(struct plan_endpoint *));
    plan->keys = arena_array(&plan->arena, config->system_count + 1, sizeof *plan->keys);
    if (!plan->direct || !plan->endpoints || !plan->keys)
        return no_memory(fault);
    for (uint32_t i = 0; i < config->system_count; i++) {
        const struct config_system *system = &config->systems[i];
        plan->direct[i] = (struct plan_target){i, config_policy_of(config, NULL, system)};
        plan->dedupes |= dedupes(&system->policy);
        plan->has_hedges |= plan->direct[i].policy.hedge_ns > 0;
        plan->endpoints[i] = arena_array(&plan->arena, system->endpoint_count + 1, sizeof **plan->endpoints);
        if (!balance_key(plan, &plan->keys[i], system->policy.balance.key))
            return no_memory(fault);
        if (!plan->endpoints[i] || !map_put(&plan->system_names, system->name, &plan->direct[i]))
            return no_memory(fault);
        for (size_t k = 0; k < system->endpoint_count; k++) {
            enum status status = endpoint(plan, &plan->endpoints[i][k], i, &system->endpoints[k], fault);
            if (status != STATUS_OK)
                return status;
        }
    }
    return STATUS_OK;
}

/* -- routes -- */

static bool predicates(struct plan *plan, const struct config_route *route, struct match_rule *rule) {
    struct match_predicate *out = arena_array(&plan->arena, route->match_count + 1, sizeof *out);
    if (!out)
        return false;
    rule->predicates = out;
    for (size_t i = 0; i < route->match_count; i++) {
        const struct config_match *match = &route->matches[i];
        if (match->kind == CONFIG_MATCH_FROM) {
            rule->from = match->indices;
            rule->from_count = match->index_count;
            continue;
        }
        if (match->kind == CONFIG_MATCH_LISTENER) {
            rule->listeners = match->indices;
            rule->listener_count = match->index_count;
            continue;
        }
        struct match_pattern *patterns = arena_array(&plan->arena, match->pattern_count + 1, sizeof *patterns);
        if (!patterns)
            return false;
        for (size_t k = 0; k < match->pattern_count; k++)
            patterns[k] = (struct match_pattern){(enum match_pattern_kind)match->patterns[k].kind, match->patterns[k].text,
                                                 match->patterns[k].low, match->patterns[k].high};
        out[rule->predicate_count++] = (struct match_predicate){match->attribute, patterns, match->pattern_count};
    }
    return true;
}

/* What else is done with its messages. */
static bool beside(struct plan *plan, const struct config_route *route, struct plan_route *out) {
    const struct config *config = plan->config;
    out->fault = route->fault.on ? &route->fault : NULL;
    for (size_t i = 0; route->way == CONFIG_WAY_SPLIT && i < route->to_count; i++)
        out->weights += route->weights[i];
    if (route->way == CONFIG_WAY_FAILOVER) {
        bool *names = plan->fails_over ? (bool *)(uintptr_t)plan->fails_over : arena_array(&plan->arena, config->system_count + 1, sizeof *names);
        if (!names)
            return false;
        for (size_t i = 0; i < route->to_count; i++)
            names[route->to[i]] = true;
        plan->fails_over = names;
    }
    if (route->mirror.to == CONFIG_NONE)
        return true;
    struct plan_target *mirror = arena_new(&plan->arena, sizeof *mirror);
    if (!mirror)
        return false;
    *mirror = (struct plan_target){route->mirror.to,
                                   config_policy_of(config, route, &config->systems[route->mirror.to])};
    out->mirror = mirror;
    plan->has_mirrors = true;
    return true;
}

static bool targets(struct plan *plan, const struct config_route *route, struct plan_route *out) {
    const struct config *config = plan->config;
    bool every = route->to_all || route->has_target;
    const uint32_t *to = route->proxy == CONFIG_NONE ? route->to : &route->proxy;
    out->config = route;
    out->target_count = every ? config->system_count : route->proxy == CONFIG_NONE ? route->to_count : 1;
    out->targets = arena_array(&plan->arena, out->target_count + 1, sizeof *out->targets);
    if (!out->targets || !beside(plan, route, out))
        return false;
    for (uint32_t i = 0; i < out->target_count; i++) {
        uint32_t system = every ? i : to[i];
        out->targets[i] = (struct plan_target){system, config_policy_of(config, route, &config->systems[system])};
        plan->has_hedges |= out->targets[i].policy.hedge_ns > 0;
    }
    plan->dedupes |= dedupes(&route->policy);
    return true;
}

static bool rest_headers(struct plan *plan, const struct config_http *http, struct rest_rule *rule) {
    struct rest_header *headers = arena_array(&plan->arena, http->header_count + 1, sizeof *headers);
    for (size_t i = 0; headers && i < http->header_count; i++)
        headers[i] = (struct rest_header){http->headers[i].name, http->headers[i].values.items, http->headers[i].values.count};
    rule->headers = headers;
    rule->header_count = http->header_count;
    return headers != NULL;
}

static bool rest_rule(struct plan *plan, const struct config_route *route, struct rest_rule *rule) {
    const struct config_http *http = route->http;
    *rule = (struct rest_rule){.methods = http->methods.items, .method_count = http->methods.count, .hosts = http->hosts.items,
                               .host_count = http->hosts.count, .paths = http->paths.items, .path_count = http->paths.count};
    for (size_t i = 0; i < route->match_count; i++) {
        const struct config_match *match = &route->matches[i];
        if (match->kind == CONFIG_MATCH_FROM) {
            rule->from = match->indices;
            rule->from_count = match->index_count;
        } else if (match->kind == CONFIG_MATCH_LISTENER) {
            rule->listeners = match->indices;
            rule->listener_count = match->index_count;
        }
    }
    return rest_headers(plan, http, rule);
}

/* Behind those for messages, in an order and a table of their own. */
static enum status rest_routes(struct plan *plan, size_t first, struct fault *fault) {
    const struct config *config = plan->config;
    struct rest_rule *rules = arena_array(&plan->arena, config->route_count + 1, sizeof *rules);
    size_t count = 0;
    if (!rules)
        return no_memory(fault);
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        if (!route->enabled || !route->http)
            continue;
        if (!rest_rule(plan, route, &rules[count]) || !targets(plan, route, &plan->routes[first + count]))
            return no_memory(fault);
        count++;
    }
    plan->rest_first = first;
    plan->rest_rules = rules;
    plan->route_count = first + count;
    if (count && rest_compile(rules, count, &plan->arena, &plan->rest) != STATUS_OK)
        return no_memory(fault);
    return plan_chains(plan, fault);
}

static enum status routes(struct plan *plan, struct fault *fault) {
    const struct config *config = plan->config;
    struct match_rule *rules = arena_array(&plan->arena, config->route_count + 1, sizeof *rules);
    plan->routes = arena_array(&plan->arena, config->route_count + 1, sizeof *plan->routes);
    size_t count = 0;
    if (!rules || !plan->routes)
        return no_memory(fault);
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        if (!route->enabled || route->http)
            continue;
        if (!predicates(plan, route, &rules[count]) || !targets(plan, route, &plan->routes[count]))
            return no_memory(fault);
        if (route->when.size) {
            struct cesql_options options = {.declared = &config->extensions, .require_declared = true};
            struct cesql_fault why;
            if (cesql_compile(route->when, &options, &plan->arena, &rules[count].when, &why, NULL) != STATUS_OK)
                return fault_set(fault, STATUS_BAD_CONFIG, 0, "routes.%.*s.when: %s", SLICE_ARG(route->name), why.text);
        }
        count++;
    }
    if (match_compile(rules, count, &plan->arena, &plan->match) != STATUS_OK)
        return no_memory(fault);
    struct match_reads reads = match_reads(plan->match);
    plan->reads = reads.attributes;
    plan->memo_ok = !reads.others && !reads.data && !reads.time;
    return rest_routes(plan, count, fault);
}

/* -- identities -- */

static bool rules_of(struct plan *plan, const struct config_rule *from, size_t count, const struct security_rule **ret) {
    struct security_rule *rules = arena_array(&plan->arena, count + 1, sizeof *rules);
    if (!rules)
        return false;
    for (size_t i = 0; i < count; i++)
        rules[i] = (struct security_rule){(enum security_verb)from[i].verb, from[i].is_type, from[i].is_prefix,
                                          from[i].pattern};
    *ret = rules;
    return true;
}

static bool identity(struct plan *plan, const struct config_identity *from, struct security_identity *out) {
    struct security_key *keys = arena_array(&plan->arena, from->key_count + 1, sizeof *keys);
    if (!keys)
        return false;
    for (size_t i = 0; i < from->key_count; i++) {
        memcpy(keys[i].hash, from->keys[i].hash, sizeof keys[i].hash);
        keys[i].expires = from->keys[i].expires;
    }
    *out = (struct security_identity){
        .name = from->name, .system = from->system, .keys = keys, .key_count = from->key_count,
        .names = from->san.items, .name_count = from->san.count,
        .allow_count = from->allow_count, .deny_count = from->deny_count, .max_priority = (uint8_t)from->max_priority};
    return rules_of(plan, from->allow, from->allow_count, &out->allow) &&
           rules_of(plan, from->deny, from->deny_count, &out->deny);
}

static enum status identities(struct plan *plan, struct fault *fault) {
    const struct config *config = plan->config;
    struct security_identity *list = arena_array(&plan->arena, config->identity_count + 1, sizeof *list);
    struct security_system *names = arena_array(&plan->arena, config->system_count + 1, sizeof *names);
    struct security_view *view = arena_new(&plan->arena, sizeof *view);
    if (!list || !names || !view)
        return no_memory(fault);
    for (size_t i = 0; i < config->identity_count; i++)
        if (!identity(plan, &config->identities[i], &list[i]))
            return no_memory(fault);
    for (size_t i = 0; i < config->system_count; i++)
        names[i] = (struct security_system){config->systems[i].name, config->systems[i].source.items,
                                            config->systems[i].source.count};
    *view = (struct security_view){.identities = list, .identity_count = config->identity_count, .systems = names,
                                   .system_count = config->system_count, .public_url = config->public_url};
    return security_compile(view, &plan->arena, &plan->security) == STATUS_OK ? STATUS_OK : no_memory(fault);
}

static void admin(struct plan *plan) {
    struct protocol_setup *setup = &plan->admin;
    common_setup(plan, setup);
    setup->role = PROTOCOL_ACCEPTED;
    setup->name = SLICE_OF("admin");
    setup->limits.message = 1u << 20;
    setup->limits.min_rate = ADMIN_MIN_RATE;
    setup->is_loopback = true;
    setup->is_admin = true;
}

struct plan *plan_new(const struct config *config, struct fault *fault) {
    struct plan *plan = memory_new(sizeof *plan);
    if (!plan) {
        no_memory(fault);
        return NULL;
    }
    arena_init(&plan->arena, PLAN_SIZE_MAX);
    map_init(&plan->system_names, 1);
    plan->config = config;
    plan->dedupes = dedupes(&config->defaults);
    enum status status = systems(plan, fault);
    plan->listeners = arena_array(&plan->arena, config->listener_count + 1, sizeof *plan->listeners);
    if (status == STATUS_OK && !plan->listeners)
        status = no_memory(fault);
    for (size_t i = 0; status == STATUS_OK && i < config->listener_count; i++)
        status = listener(plan, &plan->listeners[i], &config->listeners[i], fault);
    if (status == STATUS_OK)
        status = routes(plan, fault);
    if (status == STATUS_OK)
        status = identities(plan, fault);
    if (status == STATUS_OK && !plan_rates(plan))
        status = no_memory(fault);
    admin(plan);
    if (status != STATUS_OK) {
        plan_free(plan);
        return NULL;
    }
    return plan;
}

void plan_free(struct plan *plan) {
    if (!plan)
        return;
    map_done(&plan->system_names);
    arena_done(&plan->arena);
    memory_free(plan);
}
