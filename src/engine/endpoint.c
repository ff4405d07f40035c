/* Endpoints that we dial: when, how many connections, and how long to stay away after a failure. */
#include "engine/hand.h"
#include "engine/ways.h"

#define BACKOFF_BASE_NS (500 * NS_PER_MS)
#define BACKOFF_MAX_NS (60 * NS_PER_S)
#define CUTS_AT_ONCE 64

struct endpoint *endpoint_new(struct system *system, const struct plan_endpoint *plan) {
    struct endpoint *e = memory_new(sizeof *e);
    if (!e)
        return NULL;
    e->plan = plan;
    e->system = system;
    e->outlet.endpoint = e;
    e->outlet.recipient = &system->recipient;
    e->outlet.slot = BALANCE_NONE;
    list_init(&e->outlet.ready);
    e->redial = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_REDIAL};
    probing_init(&e->probing);
    e->age = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_AGE};
    e->paced = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_PACE};
    return e;
}

static uint32_t connections_max(const struct endpoint *e) {
    uint64_t max = e->system->config->pool.max;
    if (e->plan->protocol->pool_max && e->plan->protocol->pool_max < max)
        max = e->plan->protocol->pool_max;
    return max > UINT32_MAX ? UINT32_MAX : (uint32_t)max;
}

/* So many messages one of its connections takes at once, where that was declared. */
uint64_t endpoint_takes(const struct endpoint *e) {
    const struct protocol_setup *setup = &e->plan->setup;
    return (uint64_t)(setup->pipeline ? setup->pipeline : 1) * (setup->batch.max ? setup->batch.max : 1);
}

static bool may_dial(struct engine *engine, const struct endpoint *e) {
    if (e->failures && e->connections > e->open) /* one finds out for all */
        return false;
    return !e->removed && choice_serves(engine, e) && e->plan->config->enabled && e->connections - e->retiring < connections_max(e) &&
           mono_due(e->next_dial, engine->now.mono) && endpoint_wants_dial(e, engine->now.mono);
}

uint64_t endpoint_place(const struct engine *engine, const struct endpoint *e) {
    (void)engine;
    return (uint64_t)e->plan->system << 32 | e->position;
}

static void dial(struct engine *engine, struct endpoint *e) {
    e->connections++;
    struct connection *c = net_dial(&engine->net, e->plan->protocol, &e->plan->setup, endpoint_place(engine, e),
                                    e->system->config->policy.timeouts.connect_ns, e, engine->now);
    if (c) {
        c->sink.consent = &e->consent;
        return;
    }
    e->connections--;
    e->next_dial = mono_after(engine->now.mono, BACKOFF_BASE_NS);
    timer_set(engine, &e->redial, e->next_dial);
}

bool endpoint_warm(struct engine *engine, struct endpoint *e) {
    if (e->connections > e->open || !may_dial(engine, e))
        return false;
    dial(engine, e);
    return true;
}

uint32_t endpoint_capacity(const struct endpoint *e) {
    bool is_web = config_scheme_plain(e->plan->config->url.scheme) == CONFIG_SCHEME_HTTP;
    uint64_t each = is_web ? endpoint_takes(e) : e->system->config->policy.limits.in_flight;
    uint64_t all = each * connections_max(e);
    return each > UINT32_MAX || all > UINT32_MAX ? UINT32_MAX : (uint32_t)all;
}

/* Somebody waits for this system: dial where nothing is under way, round robin; one more where all are busy. */
void endpoint_want(struct engine *engine, struct system *system) {
    if (system->endpoint_count == 0)
        return;
    uint64_t dialling = 0;
    for (size_t i = 0; i < system->endpoint_count; i++) {
        const struct endpoint *e = system->endpoints[i];
        dialling += (e->connections - e->open) * endpoint_takes(e);
    }
    uint64_t waiting = system->recipient.queued + system->recipient.waiting + system->recipient.proxies.count;
    for (size_t i = 0; i < system->endpoint_count && dialling < waiting; i++) {
        struct endpoint *e = system->endpoints[(system->dial_cursor + i) % system->endpoint_count];
        if (!may_dial(engine, e)) {
            bool is_short = e->connections == 0 ||
                            (system->recipient.proxies.count && !mono_due(e->next_dial, engine->now.mono));
            /* one that has no connection, and may have none for another reason than the time, isn't waited for here:
             * it is looked at when that reason goes */
            if (is_short && !e->removed && e->plan->config->enabled && !e->consent.gone && hand_allows(e) &&
                !mono_due(e->next_dial, engine->now.mono))
                timer_set(engine, &e->redial, e->next_dial);
            continue;
        }
        dial(engine, e);
        dialling += endpoint_takes(e);
    }
    system->dial_cursor++;
}

void endpoint_want_other(struct engine *engine, struct system *system, const struct outlet *outlet) {
    struct endpoint *idle = NULL;
    for (size_t i = 0; i < system->endpoint_count; i++) {
        struct endpoint *e = system->endpoints[i];
        if (&e->outlet == outlet)
            continue;
        if (e->connections)
            return;
        if (!idle && may_dial(engine, e))
            idle = e;
    }
    if (idle)
        dial(engine, idle);
}

/* Protocols that keep a connection are dialled at once: the system may send, too. One worker does. */
void endpoint_start(struct engine *engine, struct endpoint *e) {
    if (e->plan->protocol->keeps_open && engine->options.worker == 0 && e->connections == 0 && may_dial(engine, e))
        dial(engine, e);
    while (!engine->draining && pool_is_short(e) && may_dial(engine, e)) {
        uint32_t before = e->connections;
        dial(engine, e);
        if (e->connections == before)
            return; /* tried again when its timer says so */
    }
}

/* Whether turns go among those of its system that are connected, and it isn't: with little to do nobody would dial it. */
static bool is_left_out(const struct endpoint *e) {
    return e->connections == 0 && !e->removed && !e->system->recipient.choice && !e->plan->protocol->keeps_open &&
           !e->plan->protocol->is_datagram;
}

/* One of several was dialled: the next one is. So all are in the end, one after the other. */
static void dial_next(struct engine *engine, const struct endpoint *e) {
    const struct system *system = e->system;
    for (size_t i = 0; i < system->endpoint_count; i++) {
        struct endpoint *other = system->endpoints[i];
        if (other == e || !is_left_out(other) || !may_dial(engine, other))
            continue;
        timer_set(engine, &other->redial, engine->now.mono);
        return;
    }
}

static bool is_in_use(const struct system *system) {
    for (size_t i = 0; i < system->endpoint_count; i++)
        if (system->endpoints[i]->open)
            return true;
    return false;
}

void endpoint_opened(struct engine *engine, struct endpoint *e) {
    e->open++;
    e->failures = 0;
    e->next_dial = (struct mono){0};
    endpoint_consented(engine, e);
    if (e->system->endpoint_count > 1)
        dial_next(engine, e);
    if (failover_names(engine, &e->system->recipient))
        recipient_wake(engine, &e->system->recipient);
}

void endpoint_closed(struct engine *engine, struct endpoint *e, const struct connection *c, bool was_open) {
    e->connections--;
    if (was_open)
        e->open--;
    if (e->removed) { /* its system may be gone, too */
        if (e->connections == 0)
            endpoint_free(engine, e);
        return;
    }
    endpoint_leave(engine, e);
    /* It was dialled along with one that has failed already, which says how long to stay away. */
    bool is_same = !mono_due(e->next_dial, engine->now.mono);
    if (!was_open && c->reason == STATUS_GOING_AWAY) {
        /* it was told to, and nothing was learnt */
    } else if (!was_open && is_same) {
        endpoint_result(engine, e, RESULT_UNREACHABLE, -1);
        e->last_failed = engine->now.mono;
        fail_askers(engine, e->system);
    } else if (!was_open) {
        int64_t delay = BACKOFF_BASE_NS << (e->failures < 7 ? e->failures : 7);
        if (delay > BACKOFF_MAX_NS)
            delay = BACKOFF_MAX_NS;
        if (delay > STANDBY_HOLD_NS && failover_names(engine, &e->system->recipient))
            delay = STANDBY_HOLD_NS; /* when it is back is to be known, though nobody waits for it */
        delay = delay / 2 + (int64_t)rng_below(&engine->rng, (uint64_t)(delay / 2)); /* jitter, but never at once */
        e->failures++;
        endpoint_result(engine, e, RESULT_UNREACHABLE, -1);
        e->last_failed = engine->now.mono;
        e->next_dial = mono_after(engine->now.mono, delay);
        net_unpark(&engine->net, c->setup, STATUS_PEER_CLOSED); /* it will not come back soon: others may take that */
        if (failover_names(engine, &e->system->recipient)) {
            failover_look(engine, e->system);
            recipient_wake(engine, &e->system->recipient);
        }
        fail_askers(engine, e->system);
    } else if (c->reason != STATUS_IDLE_TIMEOUT && c->reason != STATUS_GOING_AWAY) {
        bool dropped = c->bytes_in == 0 && engine->now.mono.ns - c->opened.ns < NS_PER_S;
        /* a peer that takes us in and drops us at once is no loop, and no reason to use attempts up */
        e->next_dial = mono_after(engine->now.mono, dropped ? BACKOFF_BASE_NS : 10 * NS_PER_MS);
    }
    hand_rests(engine, e);
    if (!hand_allows(e))
        return;
    if (e->system->endpoint_count > 1 && !was_open)
        dial_next(engine, e);
    bool is_lost = c->reason != STATUS_IDLE_TIMEOUT && is_left_out(e) && is_in_use(e->system);
    if (is_lost || pool_is_short(e) ||
        (e->connections == 0 && (e->plan->protocol->keeps_open || e->system->recipient.queued ||
                                 e->system->recipient.proxies.count ||
                                 (e->failures && failover_names(engine, &e->system->recipient)))))
        timer_set(engine, &e->redial, e->next_dial);
}

void endpoint_free(struct engine *engine, struct endpoint *e) {
    deadlines_clear(&engine->deadlines, &e->redial.deadline);
    deadlines_clear(&engine->deadlines, &e->age.deadline);
    probing_stop(engine, e);
    deadlines_clear(&engine->deadlines, &e->paced.deadline);
    found_leave(engine, e->found);
    memory_free(e);
}

void endpoint_retire(struct engine *engine, struct endpoint *e) {
    e->removed = true;
    choice_leave(engine, &e->outlet);
    deadlines_clear(&engine->deadlines, &e->redial.deadline);
    deadlines_clear(&engine->deadlines, &e->age.deadline);
    probing_stop(engine, e);
    deadlines_clear(&engine->deadlines, &e->paced.deadline);
    if (e->connections == 0) {
        endpoint_free(engine, e);
        return;
    }
    endpoint_empty(engine, e, true);
}

void endpoint_empty(struct engine *engine, struct endpoint *e, bool now) {
    for (struct list_node *node = list_first(&engine->net.open); node;) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        node = list_next(&engine->net.open, node);
        bool dialling = c->status < CONNECTION_OPEN && c->owner == e;
        struct session *s = c->was_open ? c->owner : NULL;
        if (dialling || (now && s && s->endpoint == e))
            connection_shut(c, STATUS_GOING_AWAY, engine->plan->config->drain.grace_ns);
        else if (s && s->endpoint == e)
            pool_retire(engine, s);
    }
}

static const struct endpoint *endpoint_of(const struct connection *c) {
    const struct session *s = c->was_open ? c->owner : NULL;
    if (c->listener != UINT32_MAX || c->is_virtual)
        return NULL;
    return c->was_open ? s ? s->endpoint : NULL : c->owner;
}

/* By handle, a few at a time: one that ends may end others. */
void endpoint_cut(struct engine *engine, const struct system *system, const struct endpoint *only,
                  enum status status) {
    uint64_t handles[CUTS_AT_ONCE];
    unsigned count;
    do {
        count = 0;
        for (struct list_node *node = list_first(&engine->net.open); node && count < CUTS_AT_ONCE;
             node = list_next(&engine->net.open, node)) {
            const struct connection *c = LIST_ENTRY(node, struct connection, node);
            const struct endpoint *e = endpoint_of(c);
            if (e && e->system == system && (!only || e == only))
                handles[count++] = c->handle;
        }
        for (unsigned i = 0; i < count; i++) {
            struct connection *c = net_find(&engine->net, handles[i]);
            if (c)
                connection_close(c, status);
        }
    } while (count == CUTS_AT_ONCE);
}

void endpoint_redial(struct engine *engine, struct endpoint *e) {
    const struct recipient *r = &e->system->recipient;
    if (engine->draining && r->queued == 0 && r->proxies.count == 0)
        return;
    if (r->queued || r->waiting || r->proxies.count)
        recipient_wake(engine, &e->system->recipient);
    else if (is_left_out(e) && may_dial(engine, e) && is_in_use(e->system))
        dial(engine, e);
    else
        endpoint_start(engine, e);
    if (e->failures && e->connections == 0 && failover_names(engine, r) && may_dial(engine, e))
        dial(engine, e);
}

/* Every dialled endpoint failed since `since`, and nobody dialled in: waiting longer helps nobody who waits for a reply. */
bool system_is_hopeless(const struct system *system, struct mono since) {
    if (system->endpoint_count == 0 || system->recipient.members.count)
        return false;
    for (size_t i = 0; i < system->endpoint_count; i++) {
        const struct endpoint *e = system->endpoints[i];
        if (e->plan->config->enabled && hand_allows(e) && (e->failures == 0 || e->last_failed.ns < since.ns))
            return false;
    }
    return true;
}

void fail_askers(struct engine *engine, struct system *system) {
    struct recipient *r = &system->recipient;
    proxy_hopeless(engine, system);
    for (int lane = 0; lane < PRIORITY_COUNT; lane++) {
        for (struct list_node *node = list_first(&r->queue[lane]); node;) {
            struct delivery *d = LIST_ENTRY(node, struct delivery, node);
            node = list_next(&r->queue[lane], node);
            if (d->asks && system_is_hopeless(system, d->received))
                delivery_end(engine, d, ENDING_DEAD, STATUS_TARGET_UNAVAILABLE);
        }
    }
}
