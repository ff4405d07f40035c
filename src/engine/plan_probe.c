/* How an endpoint is asked whether it is well: its own setup, with what is asked. */
#include "engine/plan.h"
#include "protocol/probe/probe.h"

static enum config_health_type type_of(const struct config_url *url, enum config_health_type said) {
    enum config_scheme scheme = config_scheme_plain(url->scheme);
    if (said != CONFIG_HEALTH_AUTO)
        return said;
    return scheme == CONFIG_SCHEME_HTTP       ? CONFIG_HEALTH_HTTP
           : scheme == CONFIG_SCHEME_WS       ? CONFIG_HEALTH_WEBSOCKET
           : scheme == CONFIG_SCHEME_INTERTIE ? CONFIG_HEALTH_STREAM
           : scheme == CONFIG_SCHEME_UDP      ? CONFIG_HEALTH_UDP
                                              : CONFIG_HEALTH_TCP;
}

static const struct protocol *row_of(enum config_health_type type) {
    return type == CONFIG_HEALTH_HTTP        ? &protocol_probe_http
           : type == CONFIG_HEALTH_WEBSOCKET ? &protocol_probe_websocket
           : type == CONFIG_HEALTH_STREAM    ? &protocol_probe_stream
           : type == CONFIG_HEALTH_UDP       ? &protocol_probe_datagram
                                             : &protocol_probe_bytes;
}

bool plan_probe(struct plan *plan, struct plan_endpoint *endpoint, const struct config_health *config) {
    enum config_health_type type = type_of(&endpoint->config->url, config->type);
    bool has_bytes = type == CONFIG_HEALTH_TCP || type == CONFIG_HEALTH_UDP;
    if (!config->on)
        return true;
    struct plan_probe *probe = arena_new(&plan->arena, sizeof *probe);
    if (!probe)
        return false;
    struct protocol_setup *setup = &probe->setup;
    *setup = endpoint->setup;
    setup->timeouts.attempt_ns = config->timeout_ns;
    setup->expiry_ns = 0;
    setup->check.low = 200;
    setup->check.high = 299;
    if (config->status.size)
        (void)config_codes(config->status, &setup->check.low, &setup->check.high);
    setup->check.body = config->body;
    if (has_bytes) {
        setup->check.send = config->send;
        setup->check.expect = config->expect;
    }
    if (config->path.size)
        setup->path = config->path;
    else if (type == CONFIG_HEALTH_HTTP)
        setup->path = SLICE_OF("/");
    probe->protocol = row_of(type);
    probe->pace = (struct health_config){config->interval_ns, (uint32_t)config->rise, (uint32_t)config->fall,
                                         config->jitter};
    endpoint->probe = probe;
    return true;
}

bool plan_probe_same(const struct plan_probe *a, const struct plan_probe *b) {
    const struct protocol_setup *x = &a->setup, *y = &b->setup;
    return a->protocol == b->protocol && a->pace.interval_ns == b->pace.interval_ns &&
           a->pace.rise == b->pace.rise && a->pace.fall == b->pace.fall &&
           a->pace.jitter_permille == b->pace.jitter_permille &&
           x->timeouts.attempt_ns == y->timeouts.attempt_ns && slice_equal(x->path, y->path) &&
           x->check.low == y->check.low && x->check.high == y->check.high &&
           slice_equal(x->check.send, y->check.send) && slice_equal(x->check.expect, y->check.expect) &&
           slice_equal(x->check.body, y->check.body);
}
