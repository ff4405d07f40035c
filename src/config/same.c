/* Compares one thing of two configurations. References are compared by name: their indices mean nothing elsewhere. */
#include "config/same.h"

bool same_url(const struct config_url *a, const struct config_url *b) {
    return a->scheme == b->scheme && a->port == b->port && slice_equal(a->host, b->host) &&
           slice_equal(a->path, b->path);
}

static bool same_texts(const struct config_texts *a, const struct config_texts *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!slice_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool same_rate(const struct config_rate *a, const struct config_rate *b) {
    return a->messages == b->messages && a->bytes == b->bytes && a->burst == b->burst && a->by == b->by;
}

static struct slice system_name(const struct config *config, uint32_t index) {
    return index == CONFIG_NONE ? SLICE_OF("") : config->systems[index].name;
}

static bool same_retry(const struct config_retry *a, const struct config_retry *b) {
    return a->attempts == b->attempts && a->factor == b->factor && a->base_ns == b->base_ns && a->max_ns == b->max_ns &&
           a->outcomes == b->outcomes;
}

static bool same_outlier(const struct config_outlier *a, const struct config_outlier *b) {
    return a->on == b->on && a->consecutive == b->consecutive && a->failure_rate == b->failure_rate && a->max_ejected == b->max_ejected &&
           a->latency_ns == b->latency_ns && a->interval_ns == b->interval_ns && a->eject_ns == b->eject_ns &&
           a->eject_max_ns == b->eject_max_ns;
}

static bool same_breaker(const struct config_breaker *a, const struct config_breaker *b) {
    return a->on == b->on && a->failures == b->failures && a->share == b->share && a->window_ns == b->window_ns && a->min == b->min &&
           a->open_ns == b->open_ns && a->open_max_ns == b->open_max_ns && a->probes == b->probes;
}

static bool same_health(const struct config_health *a, const struct config_health *b) {
    return a->on == b->on && a->type == b->type && slice_equal(a->path, b->path) && slice_equal(a->send, b->send) &&
           slice_equal(a->expect, b->expect) && slice_equal(a->status, b->status) && slice_equal(a->body, b->body) &&
           a->interval_ns == b->interval_ns && a->timeout_ns == b->timeout_ns && a->rise == b->rise && a->fall == b->fall &&
           a->jitter == b->jitter;
}

/* Who gets a message, of those that could. */
static bool same_choice(const struct config_policy *a, const struct config_policy *b) {
    return a->balance.by == b->balance.by && slice_equal(a->balance.key, b->balance.key) && a->balance.sticky_ns == b->balance.sticky_ns &&
           a->zones.prefer == b->zones.prefer && a->zones.spill == b->zones.spill && a->panic == b->panic &&
           a->slow_start.over_ns == b->slow_start.over_ns && a->slow_start.from == b->slow_start.from &&
           same_outlier(&a->outlier, &b->outlier) && same_breaker(&a->breaker, &b->breaker) &&
           same_health(&a->health, &b->health);
}

static bool same_policy(const struct config_policy *a, const struct config_policy *b) {
    return memcmp(&a->timeouts, &b->timeouts, sizeof a->timeouts) == 0 && memcmp(&a->limits, &b->limits, sizeof a->limits) == 0 &&
           a->ttl_ns == b->ttl_ns && a->ttl_max_ns == b->ttl_max_ns && same_choice(a, b) && a->set == b->set &&
           a->idempotent == b->idempotent && same_retry(&a->retry, &b->retry) && same_retry(&a->redeliver, &b->redeliver) &&
           a->budget.min == b->budget.min && a->budget.share == b->budget.share && a->hedge_ns == b->hedge_ns && a->dead_letter == b->dead_letter &&
           a->dedupe.window_ns == b->dedupe.window_ns && slice_equal(a->dedupe.by, b->dedupe.by) && a->dedupe.events == b->dedupe.events && same_rate(&a->rate, &b->rate);
}

static bool same_allow(const struct config_listener *a, const struct config_listener *b) {
    if (a->allow_count != b->allow_count || a->default_count != b->default_count)
        return false;
    for (size_t i = 0; i < a->allow_count; i++)
        if (a->allow[i].bits != b->allow[i].bits ||
            !address_equal(&a->allow[i].network, &b->allow[i].network))
            return false;
    for (size_t i = 0; i < a->default_count; i++)
        if (!slice_equal(a->defaults[i].name, b->defaults[i].name) ||
            !slice_equal(a->defaults[i].value, b->defaults[i].value))
            return false;
    for (size_t i = 0; a->trusted_proxy_count == b->trusted_proxy_count && i < a->trusted_proxy_count; i++)
        if (a->trusted_proxies[i].bits != b->trusted_proxies[i].bits ||
            !address_equal(&a->trusted_proxies[i].network, &b->trusted_proxies[i].network))
            return false;
    return a->trusted_proxy_count == b->trusted_proxy_count;
}

static bool same_keepalive(const struct config_keepalive *a, const struct config_keepalive *b) {
    return a->idle_ns == b->idle_ns && a->interval_ns == b->interval_ns && a->count == b->count;
}

static bool same_multicast(const struct config_multicast *a, const struct config_multicast *b) {
    if (a->group_count != b->group_count || !slice_equal(a->interface, b->interface) || a->ttl != b->ttl ||
        a->loop != b->loop)
        return false;
    for (size_t i = 0; i < a->group_count; i++)
        if (!address_equal(&a->groups[i], &b->groups[i]))
            return false;
    return true;
}

bool same_credential(const struct config *before, uint32_t left, const struct config *after, uint32_t right) {
    const struct config_credential *a = &before->credentials[left], *b = &after->credentials[right];
    return a->kind == b->kind && slice_equal(a->user, b->user) && same_texts(&a->secrets, &b->secrets);
}

static bool same_envelope(const struct config *before, uint32_t left, const struct config *after, uint32_t right) {
    if (left == CONFIG_NONE || right == CONFIG_NONE)
        return left == right;
    return same_credential(before, left, after, right);
}

static bool same_cut(const struct config_cut *a, const struct config_cut *b) {
    return a->fixed == b->fixed && a->idle_ns == b->idle_ns && a->until.size == b->until.size &&
           memcmp(a->until.bytes, b->until.bytes, a->until.size) == 0;
}

static bool same_websocket(const struct config_websocket *a, const struct config_websocket *b) {
    return a->subprotocols == b->subprotocols && a->ping_ns == b->ping_ns && a->compression == b->compression;
}

static struct slice certificate_name(const struct config *config, uint32_t index) {
    return index == CONFIG_NONE ? SLICE_OF("") : config->certificates[index].name;
}

static struct slice authority_name(const struct config *config, uint32_t index) {
    return index == CONFIG_NONE ? SLICE_OF("") : config->authorities[index].name;
}

static bool same_tls(const struct config *before, const struct config_tls *a, const struct config *after, const struct config_tls *b) {
    if (a->certificate_count != b->certificate_count || a->authority_count != b->authority_count || a->client != b->client ||
        a->min_version != b->min_version || a->ciphers != b->ciphers || a->verify != b->verify ||
        !same_texts(&a->alpn, &b->alpn) || !slice_equal(a->server_name, b->server_name))
        return false;
    for (size_t i = 0; i < a->certificate_count; i++)
        if (!slice_equal(certificate_name(before, a->certificates[i]), certificate_name(after, b->certificates[i])))
            return false;
    for (size_t i = 0; i < a->authority_count; i++)
        if (!slice_equal(authority_name(before, a->authorities[i]), authority_name(after, b->authorities[i])))
            return false;
    return true;
}

bool same_listener(const struct config *before, uint32_t left, const struct config *after,
                          uint32_t right) {
    const struct config_listener *a = &before->listeners[left], *b = &after->listeners[right];
    return same_url(&a->url, &b->url) && a->auth == b->auth && a->anonymous == b->anonymous &&
           a->insecure == b->insecure && a->max_priority == b->max_priority && same_rate(&a->rate, &b->rate) && a->format == b->format &&
           a->frame == b->frame && same_cut(&a->cut, &b->cut) &&
           same_websocket(&a->websocket, &b->websocket) && same_texts(&a->origins, &b->origins) &&
           memcmp(a->compress, b->compress, sizeof a->compress) == 0 &&
           slice_equal(system_name(before, a->system), system_name(after, b->system)) && same_allow(a, b) &&
           same_tls(before, &a->tls, after, &b->tls) && memcmp(&a->limits, &b->limits, sizeof a->limits) == 0 &&
           memcmp(&a->timeouts, &b->timeouts, sizeof a->timeouts) == 0 && same_keepalive(&a->keepalive, &b->keepalive) &&
           same_multicast(&a->multicast, &b->multicast) && a->broadcast == b->broadcast &&
           same_envelope(before, a->envelope, after, b->envelope) &&
           a->proxy_protocol == b->proxy_protocol && a->async.keep_ns == b->async.keep_ns &&
           a->async.replies == b->async.replies;
}

static bool same_rest(const struct config_system *a, const struct config_system *b) {
    if (a->preserve_host != b->preserve_host || a->header_count != b->header_count)
        return false;
    for (unsigned i = 0; i < CONFIG_REST_COUNT; i++)
        if (!slice_equal(a->rest[i], b->rest[i]))
            return false;
    for (size_t i = 0; i < a->header_count; i++)
        if (!slice_equal(a->headers[i].name, b->headers[i].name) ||
            !slice_equal(a->headers[i].value, b->headers[i].value))
            return false;
    return true;
}

static bool same_discover(const struct config_discover *a, const struct config_discover *b) {
    return a->records == b->records && a->every_ns == b->every_ns && slice_equal(a->dns, b->dns) &&
           slice_equal(a->url, b->url);
}

bool same_system(const struct config *before, uint32_t left, const struct config *after, uint32_t right) {
    const struct config_system *a = &before->systems[left], *b = &after->systems[right];
    return same_rest(a, b) && same_discover(&a->discover, &b->discover) && a->lease_ns == b->lease_ns &&
           a->accept == b->accept && a->sessions == b->sessions && a->offline == b->offline &&
           same_texts(&a->source, &b->source) && a->stamp == b->stamp && a->format == b->format &&
           a->mode == b->mode && a->encoding == b->encoding && a->frame == b->frame &&
           same_cut(&a->cut, &b->cut) && a->reply == b->reply && a->greet.within_ns == b->greet.within_ns &&
           slice_equal(a->greet.expect, b->greet.expect) && slice_equal(a->greet.send, b->greet.send) &&
           memcmp(a->compress, b->compress, sizeof a->compress) == 0 &&
           same_websocket(&a->websocket, &b->websocket) && a->pool.max == b->pool.max &&
           a->pool.min == b->pool.min && a->pool.max_age_ns == b->pool.max_age_ns &&
           a->pool.max_requests == b->pool.max_requests && same_keepalive(&a->keepalive, &b->keepalive) &&
           a->pool.idle_ns == b->pool.idle_ns && a->pool.pipeline == b->pool.pipeline &&
           same_multicast(&a->multicast, &b->multicast) && a->broadcast == b->broadcast && a->message == b->message &&
           same_envelope(before, a->envelope, after, b->envelope) &&
           a->webhook.handshake == b->webhook.handshake && a->webhook.rate == b->webhook.rate &&
           a->proxy_protocol == b->proxy_protocol && a->batch.max == b->batch.max &&
           a->batch.wait_ns == b->batch.wait_ns && same_policy(&a->policy, &b->policy);
}

static bool same_indices(const struct config *before, const uint32_t *a, size_t a_count,
                         const struct config *after, const uint32_t *b, size_t b_count, bool are_listeners) {
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++) {
        struct slice left = are_listeners ? before->listeners[a[i]].name : before->systems[a[i]].name;
        struct slice right = are_listeners ? after->listeners[b[i]].name : after->systems[b[i]].name;
        if (!slice_equal(left, right))
            return false;
    }
    return true;
}

static bool same_match(const struct config *before, const struct config_match *a, const struct config *after,
                       const struct config_match *b) {
    if (a->kind != b->kind || a->type != b->type || !slice_equal(a->attribute, b->attribute) ||
        a->pattern_count != b->pattern_count)
        return false;
    for (size_t i = 0; i < a->pattern_count; i++)
        if (a->patterns[i].kind != b->patterns[i].kind ||
            !slice_equal(a->patterns[i].text, b->patterns[i].text) ||
            a->patterns[i].low != b->patterns[i].low || a->patterns[i].high != b->patterns[i].high)
            return false;
    return same_indices(before, a->indices, a->index_count, after, b->indices, b->index_count,
                        a->kind == CONFIG_MATCH_LISTENER);
}

static bool same_http(const struct config_http *a, const struct config_http *b) {
    if (!a || !b)
        return a == b;
    if (!same_texts(&a->methods, &b->methods) || !same_texts(&a->hosts, &b->hosts) ||
        !same_texts(&a->paths, &b->paths) || a->header_count != b->header_count)
        return false;
    for (size_t i = 0; i < a->header_count; i++)
        if (!slice_equal(a->headers[i].name, b->headers[i].name) ||
            !same_texts(&a->headers[i].values, &b->headers[i].values))
            return false;
    return true;
}

static bool same_ways(const struct config *before, const struct config_route *a, const struct config *after,
                      const struct config_route *b) {
    if (a->way != b->way || a->mirror.share != b->mirror.share || a->fault.on != b->fault.on ||
        a->fault.delay_ns != b->fault.delay_ns || a->fault.abort != b->fault.abort ||
        a->fault.share != b->fault.share ||
        !slice_equal(system_name(before, a->mirror.to), system_name(after, b->mirror.to)) ||
        !same_indices(before, a->to, a->to_count, after, b->to, b->to_count, false))
        return false;
    for (size_t i = 0; a->way == CONFIG_WAY_SPLIT && i < a->to_count; i++)
        if (a->weights[i] != b->weights[i])
            return false;
    return true;
}

bool same_route(const struct config *before, uint32_t left, const struct config *after, uint32_t right) {
    const struct config_route *a = &before->routes[left], *b = &after->routes[right];
    if (!slice_equal(a->when, b->when) || a->has_target != b->has_target || a->to_all != b->to_all ||
        a->order != b->order || a->enabled != b->enabled || a->trace != b->trace || a->match_count != b->match_count || a->stage_count != b->stage_count ||
        !same_policy(&a->policy, &b->policy))
        return false;
    for (size_t i = 0; i < a->match_count; i++)
        if (!same_match(before, &a->matches[i], after, &b->matches[i]))
            return false;
    for (size_t i = 0; i < a->stage_count; i++)
        if (!middleware_spec_same(&a->stages[i], &b->stages[i]))
            return false;
    if (!same_http(a->http, b->http) || !slice_equal(system_name(before, a->proxy), system_name(after, b->proxy)))
        return false;
    return same_ways(before, a, after, b) &&
           same_indices(before, a->except, a->except_count, after, b->except, b->except_count, false);
}

static bool same_rules(const struct config_rule *a, const struct config_rule *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (a[i].verb != b[i].verb || a[i].is_type != b[i].is_type || a[i].is_prefix != b[i].is_prefix ||
            !slice_equal(a[i].pattern, b[i].pattern))
            return false;
    return true;
}

bool same_identity(const struct config *before, uint32_t left, const struct config *after,
                          uint32_t right) {
    const struct config_identity *a = &before->identities[left], *b = &after->identities[right];
    if (!same_texts(&a->san, &b->san) || a->key_count != b->key_count || a->allow_count != b->allow_count ||
        a->deny_count != b->deny_count || a->max_priority != b->max_priority || !same_rate(&a->rate, &b->rate) ||
        !slice_equal(system_name(before, a->system), system_name(after, b->system)))
        return false;
    for (size_t i = 0; i < a->key_count; i++)
        if (memcmp(a->keys[i].hash, b->keys[i].hash, sizeof a->keys[i].hash) != 0 ||
            a->keys[i].expires.ns != b->keys[i].expires.ns)
            return false;
    return same_rules(a->allow, b->allow, a->allow_count) && same_rules(a->deny, b->deny, a->deny_count);
}

static struct slice credential_name(const struct config *config, uint32_t index) {
    return index == CONFIG_NONE ? SLICE_OF("") : config->credentials[index].name;
}

bool same_endpoint(const struct config *before, const struct config_endpoint *a, const struct config *after, const struct config_endpoint *b) {
    return a->enabled == b->enabled && a->weight == b->weight && a->tier == b->tier && slice_equal(a->zone, b->zone) &&
           slice_equal(a->name, b->name) && same_tls(before, &a->tls, after, &b->tls) &&
           slice_equal(credential_name(before, a->credential), credential_name(after, b->credential));
}
