/* The structs, from a tree in which no mistake is left. What rows give a field to is stored by their type; the rest,
 * which needs more than one look, is spelled out here. */
#include "base/assert.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/url.h"
#include "config/work.h"
#include "policy/retry.h"

struct build {
    struct work *work;
    struct config *config;
    struct scalar_why why;
    bool failed;
};

static void *take(struct build *build, size_t count, size_t size) {
    void *memory = arena_array(&build->config->arena, count ? count : 1, size);
    build->failed |= !memory;
    return memory;
}

static struct slice keep(struct build *build, struct slice text) {
    if (text.size == 0)
        return SLICE_OF("");
    struct slice copy = arena_copy(&build->config->arena, text);
    build->failed |= !copy.data;
    return copy;
}

/* -- by row -- */

static void store(void *object, uint16_t field, const void *value, size_t size) {
    memcpy((uint8_t *)object + field - 1, value, size);
}

static void store_number(struct build *build, void *object, const struct config_row *row, struct slice text) {
    uint64_t count = CONFIG_UNLIMITED;
    int64_t number = CONFIG_FOREVER;
    bool is_unlimited = slice_is(text, "unlimited");
    if (row->type == ROW_DURATION && !is_unlimited)
        scalar_duration(text, &number, &build->why);
    else if (row->type == ROW_INTEGER)
        scalar_integer(text, &number, &build->why);
    else if (row->type == ROW_SIZE && !is_unlimited)
        scalar_size(text, &count, &build->why);
    else if (row->type == ROW_PRIORITY)
        scalar_priority(text, &count, &build->why);
    else if (row->type == ROW_BYTE_RATE && !is_unlimited)
        scalar_byte_rate(text, &count, &build->why);
    else if (row->type == ROW_RATE)
        scalar_rate(text, &count, &build->why);
    else if (row->type == ROW_WORKERS && slice_is(text, "auto"))
        count = 0;
    else if (!is_unlimited)
        scalar_count(text, &count, &build->why);
    if (row->type == ROW_DURATION || row->type == ROW_INTEGER)
        store(object, row->field, &number, sizeof number);
    else
        store(object, row->field, &count, sizeof count);
}

/* The directory of the file in which the node stands, for relative paths. */
static struct slice directory_of(const struct build *build, uint32_t file) {
    const struct config_report *report = build->work->report;
    struct slice name = report->files[file < report->file_count ? file : 0].name;
    if (name.size && name.data[0] == '-')
        name = report->files[0].name;
    while (name.size && name.data[name.size - 1] != '/')
        name.size--;
    return name;
}

static struct slice path_of(struct build *build, const struct node *node, struct slice text) {
    struct slice directory = node ? directory_of(build, node->at.file) : SLICE_OF("");
    if (text.size == 0 || text.data[0] == '/' || directory.size == 0)
        return keep(build, text);
    uint8_t *joined = take(build, directory.size + text.size + 1, 1);
    if (!joined)
        return SLICE_OF("");
    memcpy(joined, directory.data, directory.size);
    memcpy(joined + directory.size, text.data, text.size);
    return slice_make(joined, directory.size + text.size);
}

static void store_text(struct build *build, void *object, const struct config_row *row, struct slice text, const struct node *node) {
    bool flag, planned;
    uint32_t index = 0;
    if (row->type == ROW_BOOLEAN) {
        flag = slice_is(text, "true");
        store(object, row->field, &flag, sizeof flag);
    } else if (row->type == ROW_ENUM) {
        scalar_enum(text, row->values, &index, &planned, &build->why);
        index += (uint32_t)row->least;
        store(object, row->field, &index, sizeof index);
    } else {
        struct slice copy = row->type == ROW_PATH ? path_of(build, node, text) : keep(build, text);
        store(object, row->field, &copy, sizeof copy);
    }
}

static void store_share(struct build *build, void *object, const struct config_row *row, struct slice text) {
    uint32_t permille = 0;
    scalar_share(text, &permille, &build->why);
    store(object, row->field, &permille, sizeof permille);
}

static void store_row(struct build *build, void *object, const struct config_row *row, struct slice text, const struct node *node) {
    if (row->type == ROW_SHARE)
        store_share(build, object, row, text);
    else if (row->type == ROW_BOOLEAN || row->type == ROW_ENUM || row->type == ROW_NAME || row->type == ROW_TEXT || row->type == ROW_PATH ||
        row->type == ROW_HTTP_URL || row->type == ROW_CESQL || row->type == ROW_TEMPLATE || row->type == ROW_ATTRIBUTE)
        store_text(build, object, row, text, node);
    else
        store_number(build, object, row, text);
}

static const struct node *find(const struct node *map, const char *path) {
    struct slice rest = slice_from(path);
    while (map && rest.size) {
        struct slice part = slice_head(rest, slice_find(rest, '.'));
        map = node_get(map, part);
        rest = slice_skip(rest, part.size + 1);
    }
    return map;
}

/* Fills `object` from the table: the map's value, else the row's default, which is text like any other. */
static void fill(struct build *build, void *object, const struct config_rows *table, const struct node *map) {
    for (size_t i = 0; i < table->count; i++) {
        const struct config_row *row = &table->rows[i];
        const struct node *node = row->field && map ? find(map, row->path) : NULL;
        if (!row->field)
            continue;
        if (node && node->kind == NODE_SCALAR)
            store_row(build, object, row, node->text, node);
        else if (row->fallback && row->fallback[0] != '(')
            store_row(build, object, row, slice_from(row->fallback), NULL);
    }
}

/* Words of an enum, each a bit. */
static void store_bits(struct build *build, void *object, const struct config_row *row, const struct node *node) {
    uint32_t bits = 0, index = 0;
    bool planned;
    for (const struct node *item = node->kind == NODE_LIST ? node->first : node; item; item = node->kind == NODE_LIST ? item->next : NULL)
        if (scalar_enum(item->text, row->values, &index, &planned, &build->why))
            bits |= 1u << index;
    store(object, row->field, &bits, sizeof bits);
}

/* `backoff` as one value: its `base` and `max`, whose rows follow; `webhook` is a base of nothing. */
static void store_range(struct build *build, struct config_policy *policy, const struct config_row *row, struct slice text, bool marks) {
    int64_t low = 0, high = 0;
    bool is_webhook = slice_is(text, "webhook");
    if (!is_webhook && !scalar_range(text, &low, &high, &build->why))
        return;
    store(policy, row[1].field, &low, sizeof low);
    if (!is_webhook)
        store(policy, row[2].field, &high, sizeof high);
    if (marks)
        policy->set |= UINT64_C(1) << (row[1].policy - 1) | (is_webhook ? 0 : UINT64_C(1) << (row[2].policy - 1));
}

/* Names, as one text. No attribute's name has a comma. */
static void store_names(struct build *build, void *object, const struct config_row *row, const struct node *list) {
    size_t size = 0;
    for (const struct node *item = list->first; item; item = item->next)
        size += item->text.size + 1;
    uint8_t *joined = take(build, size + 1, 1), *at = joined;
    for (const struct node *item = joined ? list->first : NULL; item; item = item->next) {
        memcpy(at, item->text.data, item->text.size);
        at[item->text.size] = ',';
        at += item->text.size + 1;
    }
    store(object, row->field, &(struct slice){joined, joined ? size - 1 : 0}, sizeof(struct slice));
}

static uint32_t index_of(const struct node *map, struct slice name) {
    uint32_t index = 0;
    for (const struct node *child = map ? map->first : NULL; child; child = child->next, index++)
        if (slice_equal(child->key, name))
            return index;
    return CONFIG_NONE;
}

/* One of its words, else a system: behind them. */
static void store_or_system(struct build *build, void *object, const struct config_row *row, struct slice text) {
    uint32_t index = 0;
    bool planned;
    if (!scalar_enum(text, row->values, &index, &planned, &build->why))
        index = CONFIG_DEAD_LETTER_SYSTEM + index_of(node_find(build->work->root, "systems"), text);
    store(object, row->field, &index, sizeof index);
}

/* Policy rows: only what the map has, with its bits. */
static void lay(struct build *build, struct config_policy *policy, const struct node *map, bool marks) {
    for (size_t i = 0; map && i < rows_policy.count; i++) {
        const struct config_row *row = &rows_policy.rows[i];
        const struct node *node = row->policy || row->type == ROW_RANGE ? find(map, row->path) : NULL;
        bool is_bits = row->type == ROW_ENUM && row->flags & ROW_LIST, is_names = row->type == ROW_ATTRIBUTE;
        if (!node || (node->kind != NODE_SCALAR && !((is_bits || is_names) && node->kind == NODE_LIST)))
            continue;
        if (row->type == ROW_RANGE) {
            store_range(build, policy, row, node->text, marks);
            continue;
        }
        if (row->flags & ROW_OR_SYSTEM)
            store_or_system(build, policy, row, node->text);
        else if (is_bits)
            store_bits(build, policy, row, node);
        else if (is_names && node->kind == NODE_LIST)
            store_names(build, policy, row, node);
        else
            store_row(build, policy, row, node->text, node);
        if (row->policy == 1 + CONFIG_POLICY_IN_FLIGHT)
            policy->limits.session_in_flight = policy->limits.in_flight;
        if (marks)
            policy->set |= UINT64_C(1) << (row->policy - 1);
    }
}

/* What is off until it is there: a map, be it empty, or `false` of whoever is nearer. */
static void lay_switch(bool *on, const struct node *map, const char *name) {
    const struct node *node = map ? node_get(map, slice_from(name)) : NULL;
    if (node)
        *on = node->kind == NODE_MAP;
}

static void lay_all(struct build *build, struct config_policy *policy, const struct node *map, bool marks) {
    lay(build, policy, map, marks);
    rates_lay_lanes(policy, map);
    lay_switch(&policy->outlier.on, map, "outlier");
    lay_switch(&policy->breaker.on, map, "breaker");
    lay_switch(&policy->health.on, map, "health");
    lay_switch(&policy->dedupe.events, map, "dedupe");
}

static const struct node *section(const struct build *build, const char *name) {
    const struct node *node = node_find(build->work->root, name);
    return node && node->kind == NODE_MAP ? node : NULL;
}

/* Of a range in one word it is `base` and `max`, the rows behind it, that have a value. */
static void mark_origins(uint8_t *origins, const struct node *map, enum config_origin origin) {
    for (size_t i = 0; origins && map && i < rows_policy.count; i++) {
        const struct config_row *row = &rows_policy.rows[i];
        const struct node *node = find(map, row->path);
        if (node)
            origins[i] = (uint8_t)origin;
        if (node && row->type == ROW_RANGE && node->kind == NODE_SCALAR) {
            origins[i + 1] = (uint8_t)origin;
            if (!slice_is(node->text, "webhook"))
                origins[i + 2] = (uint8_t)origin;
        }
    }
}

/* The origins of all that build_policy() gives, and the name of the policy in `user`. */
static const uint8_t *build_origins(struct build *build, struct slice *ret_name, const struct node *user) {
    const struct node *name = node_get(user, SLICE_OF("policy")), *policies = section(build, "policies");
    uint8_t *origins = take(build, rows_policy.count, sizeof *origins);
    mark_origins(origins, node_get(policies, SLICE_OF("default")), CONFIG_ORIGIN_DEFAULT);
    *ret_name = SLICE_OF("");
    if (name && name->kind == NODE_SCALAR) {
        *ret_name = keep(build, name->text);
        mark_origins(origins, node_get(policies, name->text), CONFIG_ORIGIN_NAMED);
    }
    mark_origins(origins, user, CONFIG_ORIGIN_OWN);
    return origins;
}

static void build_policy(struct build *build, struct config_policy *policy, const struct node *user) {
    const struct node *name = node_get(user, SLICE_OF("policy"));
    *policy = build->config->defaults;
    if (name && name->kind == NODE_SCALAR)
        lay_all(build, policy, node_get(section(build, "policies"), name->text), true);
    lay_all(build, policy, user, true);
}

/* -- parts -- */

static bool build_url(struct build *build, struct config_url *url, struct slice text, enum url_role role) {
    bool planned;
    return url_parse(keep(build, text), role, "http|https|ws|wss|tcp|tls|intertie|intertie+tls|udp", url, &planned, &build->why);
}

static uint32_t *build_indices(struct build *build, const struct node *list, const char *map, size_t *ret_count) {
    const struct node *names = section(build, map);
    uint32_t *indices = take(build, list ? list->count : 0, sizeof *indices);
    *ret_count = 0;
    for (const struct node *item = list && indices ? list->first : NULL; item; item = item->next)
        indices[(*ret_count)++] = index_of(names, item->text);
    return indices;
}

static struct config_texts build_texts(struct build *build, const struct node *list) {
    struct config_texts texts = {take(build, list ? list->count : 0, sizeof *texts.items), 0};
    for (const struct node *item = list && texts.items ? list->first : NULL; item; item = item->next)
        texts.items[texts.count++] = keep(build, item->text);
    return texts;
}

static void build_auth(struct config_listener *listener, const struct node *list) {
    for (const struct node *item = list ? list->first : NULL; item; item = item->next)
        listener->auth |= slice_is(item->text, "key") ? CONFIG_AUTH_KEY : slice_is(item->text, "jwt") ? CONFIG_AUTH_JWT : CONFIG_AUTH_CERTIFICATE;
}

static struct cidr *build_cidrs(struct build *build, const struct node *list, size_t *ret_count) {
    struct cidr *cidrs = take(build, list ? list->count : 0, sizeof *cidrs);
    *ret_count = 0;
    for (const struct node *item = list && cidrs ? list->first : NULL; item; item = item->next)
        if (scalar_cidr(item->text, &cidrs[*ret_count], &build->why))
            ++*ret_count;
    return cidrs;
}

static bool has_group(const struct config_multicast *multicast, const struct address *group) {
    for (size_t i = 0; i < multicast->group_count; i++)
        if (address_equal(&multicast->groups[i], group))
            return true;
    return false;
}

static void add_group(struct config_multicast *multicast, struct slice text) {
    struct address group;
    if (address_parse_ip(text, &group) && address_is_multicast(&group) && !has_group(multicast, &group))
        multicast->groups[multicast->group_count++] = group;
}

static void build_groups(struct build *build, struct config_listener *listener, const struct node *list) {
    struct config_multicast *multicast = &listener->multicast;
    multicast->groups = take(build, (list ? list->count : 0) + 1, sizeof *multicast->groups);
    for (const struct node *item = list && multicast->groups ? list->first : NULL; item; item = item->next)
        add_group(multicast, item->text);
    if (multicast->groups && listener->url.scheme == CONFIG_SCHEME_UDP)
        add_group(multicast, listener->url.host);
}

static void build_compress(uint8_t *compress, const struct node *list) {
    size_t count = 0;
    for (const struct node *item = list ? list->first : NULL; item && count + 1 < CODING_COUNT; item = item->next) {
        enum coding coding = coding_find(item->text);
        if (coding != CODING_NONE && !memchr(compress, (int)coding, count))
            compress[count++] = (uint8_t)coding;
    }
}

static uint32_t build_subprotocols(const struct node *node) {
    const struct node *list = find(node, "websocket.subprotocols");
    uint32_t bits = 0;
    for (const struct node *item = list ? list->first : NULL; item; item = item->next)
        bits |= slice_is(item->text, "cloudevents.json")    ? CONFIG_WEBSOCKET_JSON
                : slice_is(item->text, "cloudevents.proto") ? CONFIG_WEBSOCKET_PROTO
                                                            : CONFIG_WEBSOCKET_STREAM;
    return bits;
}

/* `frame` as a map: the one key that it has. */
static enum config_frame build_cut(struct build *build, struct config_cut *cut, const struct node *node, enum config_frame frame) {
    const struct node *until = find(node, "frame.until");
    if (find(node, "frame.fixed"))
        return CONFIG_FRAME_FIXED;
    if (find(node, "frame.idle"))
        return CONFIG_FRAME_IDLE;
    if (!until)
        return frame;
    if (!scalar_until(until->text, &cut->until, &build->why))
        build->failed = true;
    return CONFIG_FRAME_UNTIL;
}

/* An endpoint's: what it doesn't say itself its system says. */
static const struct node *of_either(const struct node *own, const struct node *system, const char *path) {
    const struct node *node = find(own, path);
    return node ? node : find(system, path);
}

static uint32_t *build_names(struct build *build, const struct node *names, const char *map, size_t *ret_count) {
    if (names && names->kind == NODE_LIST)
        return build_indices(build, names, map, ret_count);
    uint32_t *one = take(build, 1, sizeof *one);
    *ret_count = names && one ? 1 : 0;
    if (*ret_count)
        one[0] = index_of(section(build, map), names->text);
    return one;
}

static void build_dialled_tls(struct build *build, struct config_tls *tls, const struct config_url *url, const struct node *own,
                              const struct node *system) {
    const struct node *verify = of_either(own, system, "tls.verify"), *version = of_either(own, system, "tls.min_version");
    const struct node *name = of_either(own, system, "tls.server_name");
    tls->certificates = build_names(build, of_either(own, system, "tls.certificate"), "security.certificates", &tls->certificate_count);
    tls->authorities = build_names(build, of_either(own, system, "tls.authorities"), "security.authorities", &tls->authority_count);
    tls->verify = !verify || slice_is(verify->text, "true");
    tls->min_version = version && slice_is(version->text, "1.3") ? CONFIG_TLS_1_3 : CONFIG_TLS_1_2;
    tls->server_name = name ? keep(build, name->text) : url->host;
}

static void build_accepted_tls(struct build *build, struct config_tls *tls, const struct node *node) {
    tls->certificates = build_names(build, find(node, "tls.certificates"), "security.certificates", &tls->certificate_count);
    tls->authorities = build_names(build, find(node, "tls.authorities"), "security.authorities", &tls->authority_count);
    tls->alpn = build_texts(build, find(node, "tls.alpn"));
}

static void build_certificate(struct build *build, struct config_certificate *certificate, const struct node *node) {
    const struct node *cert = node_get(node, SLICE_OF("cert")), *key = node_get(node, SLICE_OF("key"));
    certificate->name = keep(build, node->key);
    certificate->cert_path = path_of(build, cert, cert ? cert->text : SLICE_OF(""));
    certificate->key_path = path_of(build, key, key ? key->text : SLICE_OF(""));
}

static void build_authority(struct build *build, struct config_authority *authority, const struct node *node) {
    authority->name = keep(build, node->key);
    authority->path = path_of(build, node, node->text);
}

static void build_listener(struct build *build, struct config_listener *listener, const struct node *node) {
    const struct node *system = node_get(node, SLICE_OF("system"));
    const struct node *defaults = node_get(node, SLICE_OF("defaults"));
    const struct node *url = node_get(node, SLICE_OF("url"));
    fill(build, listener, &rows_listener, node);
    listener->name = keep(build, node->key);
    listener->frame = build_cut(build, &listener->cut, node, listener->frame);
    if (!url || !build_url(build, &listener->url, url->text, URL_LISTENER))
        build->failed = true;
    bool is_http = listener->url.scheme == CONFIG_SCHEME_HTTP || listener->url.scheme == CONFIG_SCHEME_HTTPS;
    bool is_web = is_http || listener->url.scheme == CONFIG_SCHEME_WS || listener->url.scheme == CONFIG_SCHEME_WSS;
    if (!node_get(node, SLICE_OF("format")))
        listener->format = is_web ? CONFIG_FORMAT_AUTO : CONFIG_FORMAT_CLOUDEVENTS;
    if (!find(node, "timeouts.idle"))
        listener->timeouts.idle_ns = (is_http ? 60 : 300) * NS_PER_S;
    if (!find(node, "limits.message") && listener->url.scheme == CONFIG_SCHEME_UDP)
        listener->limits.message = 1200;
    if (listener->limits.message > build->config->message_max)
        listener->limits.message = build->config->message_max;
    listener->system = system ? index_of(section(build, "systems"), system->text) : CONFIG_NONE;
    build_auth(listener, node_get(node, SLICE_OF("auth")));
    build_accepted_tls(build, &listener->tls, node);
    build_compress(listener->compress, node_get(node, SLICE_OF("compress")));
    listener->websocket.subprotocols = build_subprotocols(node);
    listener->origins = build_texts(build, node_get(node, SLICE_OF("origins")));
    build_groups(build, listener, find(node, "multicast.groups"));
    listener->allow = build_cidrs(build, node_get(node, SLICE_OF("allow")), &listener->allow_count);
    listener->trusted_proxies = build_cidrs(build, node_get(node, SLICE_OF("trusted_proxies")), &listener->trusted_proxy_count);
    listener->defaults = take(build, defaults ? defaults->count : 0, sizeof *listener->defaults);
    for (const struct node *child = defaults && listener->defaults ? defaults->first : NULL; child; child = child->next)
        listener->defaults[listener->default_count++] = (struct config_attribute){keep(build, child->key), keep(build, child->text)};
}

static void build_endpoint(struct build *build, struct config_system *system, const struct node *map, struct slice name,
                           const struct node *owner) {
    struct config_endpoint *endpoint = &system->endpoints[system->endpoint_count++];
    const struct node *url = node_get(map, SLICE_OF("url"));
    fill(build, endpoint, &rows_endpoint, map);
    endpoint->name = keep(build, name);
    if (!url || !build_url(build, &endpoint->url, url->text, URL_ENDPOINT))
        build->failed = true;
    build_dialled_tls(build, &endpoint->tls, &endpoint->url, map, owner);
}

static void build_endpoints(struct build *build, struct config_system *system, const struct node *node) {
    const struct node *endpoints = node_get(node, SLICE_OF("endpoints"));
    system->endpoints = take(build, endpoints ? endpoints->count : 1, sizeof *system->endpoints);
    if (!system->endpoints)
        return;
    for (const struct node *child = endpoints ? endpoints->first : NULL; child; child = child->next)
        build_endpoint(build, system, child, child->key, node);
    system->is_bare = node_get(node, SLICE_OF("url")) != NULL;
    if (system->is_bare)
        build_endpoint(build, system, node, SLICE_OF("main"), node);
}

/* What is known of endpoints before they are. With addresses for hosts, the name that was asked for is the one to show. */
static void build_found(struct build *build, struct config_system *system, const struct node *node) {
    const struct config_url url = {.host = system->discover.records == CONFIG_RECORDS_A ? system->discover.dns
                                                                                        : SLICE_OF("")};
    if (system->discover.dns.size == 0 && system->lease_ns == 0)
        return;
    system->found = take(build, 1, sizeof *system->found);
    if (!system->found)
        return;
    *system->found = (struct config_endpoint){.credential = CONFIG_NONE, .enabled = true, .weight = 1};
    build_dialled_tls(build, &system->found->tls, &url, NULL, node);
}

static void build_system(struct build *build, struct config_system *system, const struct node *node) {
    const struct node *accept = node_get(node, SLICE_OF("accept"));
    const struct node *source = node_get(node, SLICE_OF("source"));
    const struct node *headers = node_get(node, SLICE_OF("headers"));
    fill(build, system, &rows_system, node);
    system->name = keep(build, node->key);
    system->headers = take(build, headers ? headers->count : 0, sizeof *system->headers);
    for (const struct node *child = headers && system->headers ? headers->first : NULL; child; child = child->next)
        system->headers[system->header_count++] = (struct config_attribute){keep(build, child->key), keep(build, child->text)};
    system->accept = accept && accept->kind == NODE_MAP;
    system->frame = build_cut(build, &system->cut, node, system->frame);
    if (system->frame == CONFIG_FRAME_VARINT && !node_get(node, SLICE_OF("encoding")))
        system->encoding = CONFIG_ENCODING_PROTOBUF; /* as protobuf's writeDelimitedTo */
    build_compress(system->compress, node_get(node, SLICE_OF("compress")));
    system->websocket.subprotocols = build_subprotocols(node);
    if (node_get(node, SLICE_OF("batch")) && system->mode == CONFIG_MODE_AUTO)
        system->mode = CONFIG_MODE_BATCH;
    system->source = build_texts(build, source);
    if (!source && system->source.items) {
        char text[80];
        struct buffer out;
        buffer_init_fixed(&out, text, sizeof text);
        buffer_add_text(&out, "/systems/");
        buffer_add(&out, node->key);
        system->source.items[system->source.count++] = keep(build, buffer_slice(&out));
    }
    build_endpoints(build, system, node);
    build_found(build, system, node);
    build_policy(build, &system->policy, node);
    system->origins = build_origins(build, &system->policy_name, node);
}

static void build_match(struct build *build, struct config_match *match, const struct node *node) {
    enum attribute known;
    bool is_from = slice_is(node->key, "from");
    if (is_from || slice_is(node->key, "listener")) {
        match->kind = is_from ? CONFIG_MATCH_FROM : CONFIG_MATCH_LISTENER;
        match->indices = build_indices(build, node, is_from ? "systems" : "listeners", &match->index_count);
        return;
    }
    match->attribute = keep(build, node->key);
    if (!work_attribute(build->work, node->key, &match->type, &known))
        build->failed = true;
    match->patterns = take(build, node->count, sizeof *match->patterns);
    for (const struct node *item = match->patterns ? node->first : NULL; item; item = item->next) {
        struct config_pattern *pattern = &match->patterns[match->pattern_count];
        if (scalar_pattern(item->text, match->type, known == ATTRIBUTE_PRIORITY, pattern, &build->why))
            pattern->text = keep(build, pattern->text);
        else
            build->failed = true;
        match->pattern_count++;
    }
}

static struct slice lowered(struct build *build, struct slice text) {
    struct slice copy = keep(build, text);
    for (size_t i = 0; i < copy.size; i++)
        ((uint8_t *)(uintptr_t)copy.data)[i] = text_lower(copy.data[i]);
    return copy;
}

static void build_http(struct build *build, struct config_route *route, const struct node *node) {
    const struct node *headers = node_get(node, SLICE_OF("header"));
    struct config_http *http = take(build, 1, sizeof *http);
    if (!(route->http = http))
        return;
    http->methods = build_texts(build, node_get(node, SLICE_OF("method")));
    http->hosts = build_texts(build, node_get(node, SLICE_OF("host")));
    http->paths = build_texts(build, node_get(node, SLICE_OF("path")));
    http->headers = take(build, headers ? headers->count : 0, sizeof *http->headers);
    for (const struct node *child = headers && http->headers ? headers->first : NULL; child; child = child->next)
        http->headers[http->header_count++] = (struct config_http_header){lowered(build, child->key), build_texts(build, child)};
}

static void build_route(struct build *build, struct config_route *route, const struct node *node) {
    const struct node *match = node_get(node, SLICE_OF("match"));
    fill(build, route, &rows_route, node);
    route->name = keep(build, node->key);
    route->matches = take(build, match ? match->count : 0, sizeof *route->matches);
    for (const struct node *child = match && route->matches ? match->first : NULL; child; child = child->next) {
        if (slice_is(child->key, "http"))
            build_http(build, route, child);
        else
            build_match(build, &route->matches[route->match_count++], child);
    }
    const struct node *proxy = node_get(node, SLICE_OF("proxy"));
    route->proxy = proxy ? index_of(section(build, "systems"), proxy->text) : CONFIG_NONE;
    route->has_target = node_get(match, SLICE_OF("target")) != NULL;
    route->except = build_indices(build, node_get(node, SLICE_OF("except")), "systems", &route->except_count);
    build_policy(build, &route->policy, node);
    route->origins = build_origins(build, &route->policy_name, node);
    build->failed |= !chains_build(build->work, build->config, route, node);
    const struct config_report *report = build->work->report;
    route->file = keep(build, report->files[node->key_at.file < report->file_count ? node->key_at.file : 0].name);
    route->line = node->key_at.line;
}

static struct config_rule *build_rules(struct build *build, const struct node *list, size_t *ret_count) {
    struct config_rule *rules = take(build, list ? list->count : 0, sizeof *rules);
    *ret_count = 0;
    for (const struct node *item = list && rules ? list->first : NULL; item; item = item->next)
        if (scalar_rule(item->text, &rules[*ret_count], &build->why)) {
            rules[*ret_count].pattern = keep(build, rules[*ret_count].pattern);
            ++*ret_count;
        }
    return rules;
}

static void build_identity(struct build *build, struct config_identity *identity, const struct node *node) {
    const struct node *system = node_get(node, SLICE_OF("system"));
    const struct node *keys = node_get(node, SLICE_OF("keys"));
    fill(build, identity, &rows_identity, node);
    identity->name = keep(build, node->key);
    identity->system = system ? index_of(section(build, "systems"), system->text) : CONFIG_NONE;
    identity->allow = build_rules(build, node_get(node, SLICE_OF("allow")), &identity->allow_count);
    identity->deny = build_rules(build, node_get(node, SLICE_OF("deny")), &identity->deny_count);
    identity->san = build_texts(build, find(node, "certificate.san"));
    identity->keys = take(build, keys ? keys->count : 0, sizeof *identity->keys);
    for (const struct node *child = keys && identity->keys ? keys->first : NULL; child; child = child->next) {
        struct config_key *key = &identity->keys[identity->key_count++];
        const struct node *hash = node_get(child, SLICE_OF("hash")), *expires = node_get(child, SLICE_OF("expires"));
        key->name = keep(build, child->key);
        key->expires.ns = INT64_MAX;
        if (!hash || !scalar_hash(hash->text, key->hash, &build->why) || (expires && !scalar_date(expires->text, &key->expires, &build->why)))
            build->failed = true;
    }
}

static void build_extensions(struct build *build) {
    const struct attribute_declared *from = &build->work->declared;
    struct attribute_declaration *rows = take(build, from->count, sizeof *rows);
    for (size_t i = 0; rows && i < from->count; i++)
        rows[i] = (struct attribute_declaration){keep(build, from->rows[i].name), from->rows[i].type};
    build->config->extensions = (struct attribute_declared){rows, from->count};
}

static void build_process(struct build *build) {
    struct config *config = build->config;
    const struct node *levels = section(build, "log.levels");
    const struct node *admin = node_find(build->work->root, "admin.url");
    struct node *defaults = node_find(build->work->root, "policies.default");
    bool planned;
    uint32_t index = 0;
    fill(build, config, &rows_process, build->work->root);
    fill(build, config, &rows_observe, build->work->root);
    fill(build, &config->defaults, &rows_policy, NULL);
    config->defaults.limits.session_in_flight = 256;
    for (int i = 0; i < CONFIG_LANES; i++)
        config->defaults.limits.lanes[i] = (struct config_lane){CONFIG_UNLIMITED, CONFIG_UNLIMITED};
    config->defaults.retry.outcomes = config->defaults.redeliver.outcomes = RETRY_ALL;
    lay_all(build, &config->defaults, defaults, false);
    if (!build_url(build, &config->admin.url, admin ? admin->text : SLICE_OF("http://127.0.0.1:7470"), URL_ADMIN))
        build->failed = true;
    config->log.levels = take(build, levels ? levels->count : 0, sizeof *config->log.levels);
    for (const struct node *child = levels && config->log.levels ? levels->first : NULL; child; child = child->next) {
        scalar_enum(child->text, "debug|info|warn|error", &index, &planned, &build->why);
        config->log.levels[config->log.level_count++] = (struct config_room_level){keep(build, child->key), (enum config_log_level)index};
    }
    build_extensions(build);
}

/* Makes the array for a section and builds each entry. */
#define BUILD_SECTION(build, path, array, total, function) \
    do { \
        const struct node *map_ = section(build, path); \
        (array) = take(build, map_ ? map_->count : 0, sizeof *(array)); \
        for (const struct node *child_ = map_ && (array) ? map_->first : NULL; child_ && !(build)->failed; child_ = child_->next) \
            function(build, &(array)[(total)++], child_); \
    } while (0)

static void build_digest(struct build *build) {
    static const char digits[] = "0123456789abcdef";
    struct buffer out;
    buffer_init(&out, CONFIG_ARENA_MAX);
    print_tree(build->work, false, &out);
    uint64_t hash = map_hash(buffer_slice(&out), UINT64_C(0x9e3779b97f4a7c15));
    for (unsigned i = 0; i < 6; i++)
        build->config->digest[i] = digits[hash >> (4 * i) & 15];
    build->config->text = keep(build, buffer_slice(&out));
    build->failed |= out.status != STATUS_OK;
    buffer_done(&out);
}

enum status build_all(struct work *work, struct config *config) {
    struct build build = {.work = work, .config = config};
    build_process(&build);
    BUILD_SECTION(&build, "security.certificates", config->certificates, config->certificate_count, build_certificate);
    BUILD_SECTION(&build, "security.authorities", config->authorities, config->authority_count, build_authority);
    BUILD_SECTION(&build, "listeners", config->listeners, config->listener_count, build_listener);
    BUILD_SECTION(&build, "systems", config->systems, config->system_count, build_system);
    BUILD_SECTION(&build, "routes", config->routes, config->route_count, build_route);
    BUILD_SECTION(&build, "security.identities", config->identities, config->identity_count, build_identity);
    build.failed |= ways_build(work, config) != STATUS_OK;
    build.failed |= credential_build(work, config) != STATUS_OK;
    build.failed |= order_routes(config) != STATUS_OK;
    config->path = keep(&build, work->report->files[0].name);
    config->environment = keep(&build, work->options->environment);
    if (!build.failed)
        build_digest(&build);
    return build.failed ? STATUS_NO_MEMORY : STATUS_OK;
}
