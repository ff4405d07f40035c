/* `health`: what asks an endpoint must fit its wire, and silence is no answer. */
#include "config/work.h"

#define ON(scheme) (1u << CONFIG_SCHEME_##scheme)
#define REQUESTS (ON(HTTP) | ON(HTTPS))
#define SOCKETS (ON(WS) | ON(WSS))
#define PLAIN (ON(TCP) | ON(TLS))
#define OURS (ON(INTERTIE) | ON(INTERTIE_TLS))
#define TEXT_MAX 256
#define HOLDERS 3

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

static bool code_of(struct slice text, uint16_t *ret) {
    if (text.size != 3 || !is_digit(text.data[0]) || !is_digit(text.data[1]) || !is_digit(text.data[2]))
        return false;
    *ret = (uint16_t)((text.data[0] - '0') * 100 + (text.data[1] - '0') * 10 + (text.data[2] - '0'));
    return *ret >= 200 && *ret <= 599;
}

bool config_codes(struct slice text, uint16_t *ret_low, uint16_t *ret_high) {
    uint16_t low, high;
    if (text.size == 3 && text.data[0] >= '2' && text.data[0] <= '5' && text.data[1] == 'x' &&
        text.data[2] == 'x') {
        low = (uint16_t)((text.data[0] - '0') * 100);
        high = (uint16_t)(low + 99);
    } else if (text.size == 8 && text.data[3] == '.' && text.data[4] == '.') {
        if (!code_of(slice_head(text, 3), &low) || !code_of(slice_skip(text, 5), &high) || low > high)
            return false;
    } else if (code_of(text, &low)) {
        high = low;
    } else {
        return false;
    }
    *ret_low = low;
    *ret_high = high;
    return true;
}

/* -- values -- */

static const struct node *scalar_of(const struct node *map, const char *key) {
    const struct node *node = map && map->kind == NODE_MAP ? node_get(map, slice_from(key)) : NULL;
    return node && node->kind == NODE_SCALAR && !node->unknown ? node : NULL;
}

static bool is_path(struct slice text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f || text.data[i] == '#')
            return false;
    return text.size && text.data[0] == '/';
}

static void check_size(struct work *work, const struct node *node, const struct trail *trail) {
    if (node && node->text.size > TEXT_MAX)
        work_error(work, node->at, trail, "has more than %d bytes", TEXT_MAX);
}

void health_values(struct work *work, const struct node *holder, const struct trail *trail) {
    const struct node *health = node_get(holder, SLICE_OF("health"));
    const struct node *expect =
        health && health->kind == NODE_MAP ? node_get(health, SLICE_OF("expect")) : NULL;
    const struct node *path = scalar_of(health, "path"), *status = scalar_of(expect, "status");
    struct trail here = {trail, SLICE_OF("health")}, at_path = {&here, SLICE_OF("path")},
                 at_send = {&here, SLICE_OF("send")}, at_expect = {&here, SLICE_OF("expect")},
                 at_status = {&at_expect, SLICE_OF("status")}, at_body = {&at_expect, SLICE_OF("body")};
    uint16_t low, high;
    if (path && !is_path(path->text))
        work_error(work, path->at, &at_path,
                   "a path begins with `/` and has no spaces, fragment or control characters");
    if (status && !config_codes(status->text, &low, &high))
        work_error(work, status->at, &at_status, "`%.*s` is no status; write 204, 2xx or 200..204",
                   SCALAR_SHOWN(status->text));
    if (expect && expect->kind == NODE_MAP && !expect->first)
        work_error(work, expect->at, &at_expect, "expects nothing; leave it out");
    check_size(work, scalar_of(health, "send"), &at_send);
    check_size(work, scalar_of(health, "expect"), &at_expect);
    check_size(work, scalar_of(expect, "body"), &at_body);
}

/* -- what fits -- */

struct asks { /* nearest wins */
    const struct node *holders[HOLDERS]; /* their `health` */
    bool on;
    struct slice type;
    const struct node *type_node, *send, *expect;
};

static struct asks asks_of(const struct work *work, const struct node *system) {
    const struct node *policies = node_get(work->root, SLICE_OF("policies")),
                      *name = scalar_of(system, "policy");
    bool has_policies = policies && policies->kind == NODE_MAP, is_said = false;
    const struct node *users[HOLDERS] = {system, name && has_policies ? node_get(policies, name->text) : NULL,
                                         has_policies ? node_get(policies, SLICE_OF("default")) : NULL};
    struct asks asks = {.on = false};
    for (size_t i = 0; i < HOLDERS; i++) {
        const struct node *health =
            users[i] && users[i]->kind == NODE_MAP ? node_get(users[i], SLICE_OF("health")) : NULL;
        if (!health)
            continue;
        if (!is_said)
            asks.on = health->kind == NODE_MAP;
        is_said = true;
        asks.type_node = asks.type_node ? asks.type_node : scalar_of(health, "type");
        asks.send = asks.send ? asks.send : scalar_of(health, "send");
        asks.expect = asks.expect ? asks.expect : scalar_of(health, "expect");
    }
    asks.type = asks.type_node ? asks.type_node->text : slice_make("", 0);
    return asks;
}

/* The wires on which this kind of probe is possible; 0: no such kind. */
static unsigned wires_of(struct slice type) {
    return slice_is(type, "http")        ? REQUESTS | SOCKETS
           : slice_is(type, "websocket") ? SOCKETS
           : slice_is(type, "tcp")       ? REQUESTS | SOCKETS | PLAIN | OURS
           : slice_is(type, "stream")    ? OURS
           : slice_is(type, "udp")       ? ON(UDP)
                                         : 0;
}

/* Of the system's own: a key that no probe of its endpoints looks at. */
static void check_useless(struct work *work, const struct node *own, struct slice type, unsigned schemes,
                          const struct trail *here) {
    bool is_auto = type.size == 0;
    bool pages = is_auto ? (schemes & REQUESTS) != 0 : slice_is(type, "http");
    bool paths = pages || (is_auto ? (schemes & SOCKETS) != 0 : slice_is(type, "websocket"));
    bool bytes =
        is_auto ? (schemes & (PLAIN | ON(UDP))) != 0 : slice_is(type, "tcp") || slice_is(type, "udp");
    const struct node *path = node_get(own, SLICE_OF("path")), *send = node_get(own, SLICE_OF("send")),
                      *expect = node_get(own, SLICE_OF("expect"));
    struct trail at_path = {here, SLICE_OF("path")}, at_send = {here, SLICE_OF("send")},
                 at_expect = {here, SLICE_OF("expect")};
    if (path && !paths)
        work_error(work, path->key_at, &at_path, "means nothing here: only HTTP and WebSocket have paths");
    if (send && !bytes)
        work_error(work, send->key_at, &at_send, "means nothing here: only tcp and udp probes send bytes");
    if (expect && expect->kind == NODE_MAP && !pages)
        work_error(work, expect->key_at, &at_expect,
                   "`status` and `body` are for http probes; here it is how the answer begins");
    if (expect && expect->kind == NODE_SCALAR && !bytes)
        work_error(work, expect->key_at, &at_expect,
                   pages ? "is a map for http probes: `{status: 200}`"
                         : "means nothing for this kind of probe");
}

void health_system(struct work *work, const struct node *system, unsigned schemes,
                   const struct trail *trail) {
    const struct node *own = node_get(system, SLICE_OF("health"));
    const struct node *at = own && own->kind == NODE_MAP ? own : NULL;
    struct asks asks = asks_of(work, system);
    struct trail here = {trail, SLICE_OF("health")}, at_type = {&here, SLICE_OF("type")},
                 at_send = {&here, SLICE_OF("send")};
    unsigned wires = wires_of(asks.type);
    if (at && !node_get(system, SLICE_OF("url")) && !node_get(system, SLICE_OF("endpoints")) && !node_get(system, SLICE_OF("discover")) &&
        !node_get(system, SLICE_OF("register")))
        work_error(
            work, at->key_at, &here,
            "means nothing without `url` or `endpoints`: sessions show themselves that they are there");
    if (!asks.on || !schemes || (asks.type.size && !wires))
        return;
    if (wires && schemes & ~wires) {
        work_error(work,
                   at && node_get(at, SLICE_OF("type")) ? asks.type_node->at
                   : at                                 ? at->key_at
                                                        : system->key_at,
                   &at_type, "`%.*s` is no way to ask every endpoint of this system",
                   SCALAR_SHOWN(asks.type));
        return;
    }
    if (at)
        check_useless(work, at, asks.type, schemes, &here);
    bool is_tcp = wires ? slice_is(asks.type, "tcp") : (schemes & PLAIN) != 0;
    if (schemes & ON(UDP) && (!asks.send || !asks.expect))
        work_error(work, at ? at->key_at : system->key_at, &here,
                   "a datagram must be answered to say anything: `send` and `expect` are due");
    else if (is_tcp && asks.send && !asks.expect)
        work_error(work, asks.send->at, &at_send, "without `expect` nobody looks at the answer");
}
