/* The step: inputs are handed to whom they concern, the turn is ended, actions are listed. It decides nothing itself. */
#include "engine/chain.h"
#include "engine/hand.h"
#include "engine/ways.h"

static const struct net_calls calls = {
    .protocol =
        {
            .message = intake_message,
            .invalid = session_invalid,
            .dropped = session_dropped,
            .outcome = flight_outcome,
            .cancelled = session_cancelled,
            .room = session_room,
            .hello = session_hello,
            .subscribe = session_subscribe,
            .unsubscribe = session_unsubscribe,
            .request = session_request,
            .pull = poll_request,
            .claim = once_claim,
            .claimed = once_ended,
            .detail = session_detail,
            .limits = rate_lines,
            .way = rest_way,
            .stream_begin = proxy_begin,
            .stream_answer = proxy_answer,
            .stream_data = proxy_data,
            .stream_failed = proxy_failed,
            .keep = session_keep,
            .resume = session_resume,
        },
    .known = session_is_known,
    .opened = session_opened,
    .progress = session_progress,
    .rested = session_rested,
    .parked = session_parked,
    .adopted = session_adopted,
    .closed = session_closed,
};

struct engine *engine_new(const struct engine_options *options) {
    struct engine *engine = memory_new(sizeof *engine);
    if (!engine)
        return NULL;
    engine->options = *options;
    rng_init(&engine->rng, options->seed);
    list_init(&engine->subscriptions);
    dead_init(engine);
    list_init(&engine->polls);
    list_init(&engine->proxies);
    list_init(&engine->asks);
    list_init(&engine->probings);
    list_init(&engine->pumps);
    list_init(&engine->found_before);
    list_init(&engine->settles);
    list_init(&engine->memos);
    map_init(&engine->moved, options->seed);
    replies_init(engine, options->seed);
    idempotency_init(&engine->once, options->seed);
    list_init(&engine->unsettled);
    rates_init(engine);
    session_work_init(&engine->no_work, NULL);
    deadlines_init(&engine->deadlines);
    dedupe_begin(engine);
    fault_init(engine);
    engine->generation = 1;
    engine->subscription_memo_ok = true;
    engine->memory_max = UINT64_MAX;
    if (engine->options.workers == 0)
        engine->options.workers = 1;
    trace_init(engine);
    if (!chains_new(engine) || !post_new(engine) || !net_init(&engine->net, &calls, engine, options->connections_max ? options->connections_max : UINT32_MAX,
                  rng_next(&engine->rng))) {
        engine_free(engine);
        return NULL;
    }
    engine->leave.timer = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_LEAVE};
    engine->net.worker.secret = options->seed;
    engine->net.worker.ids.node = options->worker % UUID_NODES;
    return engine;
}

void engine_free(struct engine *engine) {
    if (!engine)
        return;
    probing_pause(engine);
    engine->net.parks_none = true;
    net_unpark(&engine->net, NULL, STATUS_SHUTDOWN);
    while (engine->net.open.count) {
        struct connection *c = LIST_ENTRY(list_first(&engine->net.open), struct connection, node);
        connection_close(c, STATUS_SHUTDOWN);
    }
    fault_done(engine);
    memory_free(engine->hedge_late);
    engine->hedge_late = NULL;
    ask_done(engine);
    while (engine->subscriptions.count) {
        struct recipient *r = LIST_ENTRY(list_first(&engine->subscriptions), struct recipient, node);
        member_leave(engine, LIST_ENTRY(list_first(&r->members), struct member, recipient_node));
    }
    for (size_t i = 0; i < engine->system_count; i++) {
        struct recipient *r = &engine->systems[i]->recipient;
        while (r->members.count)
            member_leave(engine, LIST_ENTRY(list_first(&r->members), struct member, recipient_node));
        while (r->asked.count)
            delivery_end(engine, LIST_ENTRY(list_first(&r->asked), struct delivery, node), ENDING_DEAD, STATUS_SHUTDOWN);
        while (r->later.count)
            delivery_end(engine, LIST_ENTRY(list_first(&r->later), struct delivery, node), ENDING_DEAD, STATUS_SHUTDOWN);
        for (int lane = 0; lane < PRIORITY_COUNT; lane++) /* last: what ended may have let the next of its key in */
            while (r->queue[lane].count)
                delivery_end(engine, LIST_ENTRY(list_first(&r->queue[lane]), struct delivery, node), ENDING_DEAD,
                             STATUS_SHUTDOWN);
    }
    dead_done(engine);
    trace_done(engine);
    for (size_t i = 0; i < engine->system_count; i++) /* not before: what another held may have come from it */
        system_free(engine, engine->systems[i]);
    memory_free(engine->systems);
    uint32_t count;
    if (engine->net.calls)
        net_finish(&engine->net, engine->now, &count);
    net_done(&engine->net);
    found_done(engine);
    while (engine->spare_deliveries) {
        struct delivery *next = (struct delivery *)(void *)engine->spare_deliveries->node.next;
        memory_free(engine->spare_deliveries);
        engine->spare_deliveries = next;
    }
    memo_done(engine);
    replies_done(engine);
    once_done(engine);
    dedupe_end(engine);
    rates_done(engine);
    map_done(&engine->moved);
    memory_free(engine->spare_work);
    while (engine->spare_flight_count)
        memory_free(engine->spare_flights[--engine->spare_flight_count].flights);
    chains_free(engine);
    post_free(engine);
    block_pool_done(&engine->kept);
    memory_free(engine->received_by);
    memory_free(engine);
}

struct net *engine_net(struct engine *engine) {
    return &engine->net;
}

const struct plan *engine_plan(const struct engine *engine) {
    return engine->plan;
}

const struct plan_endpoint *engine_place(const struct engine *engine, uint64_t place) {
    return place == ENGINE_NOWHERE ? NULL : engine->systems[place >> 32]->endpoints[(uint32_t)place]->plan;
}

/* A reload in the same turn, after the dial was wanted, may have moved its endpoint to another place, or taken it away. */
static uint64_t place_now(const struct engine *engine, uint64_t connection) {
    const struct connection *c = net_find(&engine->net, connection);
    for (size_t i = 0; c && i < engine->system_count; i++)
        for (size_t k = 0; engine->systems[i] && k < engine->systems[i]->endpoint_count; k++)
            if (engine->systems[i]->endpoints[k] == c->owner)
                return (uint64_t)i << 32 | k;
    return ENGINE_NOWHERE;
}

static void place_dials(struct engine *engine) {
    for (uint32_t i = 0; i < engine->net.action_count; i++) {
        struct net_action *action = &engine->net.actions[i];
        if (action->kind == NET_DIAL)
            action->place = place_now(engine, action->connection);
    }
    engine->is_replaced = false;
}

static bool is_allowed(const struct plan_listener *listener, const struct address *peer) {
    for (size_t i = 0; i < listener->allow_count; i++)
        if (peer && cidr_has(&listener->allow[i], peer))
            return true;
    return listener->allow_count == 0;
}

static void accept_peer(struct engine *engine, struct engine_input *input) {
    const struct plan *plan = engine->plan;
    const struct protocol_setup *setup = &plan->admin;
    const struct protocol *protocol = protocol_find(SLICE_OF("http1"));
    input->ret_connection = 0;
    input->status = STATUS_FORBIDDEN;
    if (input->listener != ENGINE_ADMIN_LISTENER) {
        if (input->listener >= plan->config->listener_count)
            return;
        const struct plan_listener *listener = &plan->listeners[input->listener];
        setup = &listener->setup;
        protocol = listener->protocol;
        if (!protocol->is_datagram && !is_allowed(listener, input->peer))
            return;
        input->status = STATUS_OVERLOADED;
        if (!protocol->is_datagram && engine->net.is_short)
            return;
    }
    input->status = engine->net.count >= engine->net.count_max ? STATUS_TOO_MANY_CONNECTIONS : STATUS_NO_MEMORY;
    struct connection *c = net_accept(&engine->net, protocol, setup, input->listener, input->peer, engine->now);
    if (c)
        input->ret_connection = c->handle;
}

static void take_datagrams(struct engine *engine, const struct engine_input *input) {
    struct connection *c = net_find(&engine->net, input->connection);
    if (!c)
        return;
    const struct plan_listener *listener =
        c->listener < engine->plan->config->listener_count ? &engine->plan->listeners[c->listener] : NULL;
    for (uint32_t i = 0; i < input->count; i++) {
        if (listener && !is_allowed(listener, &input->datagrams[i].from)) {
            engine->totals.invalid++;
            ending_count(engine, NULL, ENDING_REJECTED, STATUS_FORBIDDEN, 0, -1);
            continue;
        }
        engine->rates.sender = &input->datagrams[i].from;
        net_datagram(&engine->net, input->connection, input->datagrams[i].bytes, &input->datagrams[i].from, engine->now);
    }
    engine->rates.sender = NULL;
}

/* Those who take messages stay: what is held for them, by any worker, was accepted. Others may go when they have their
 * answers. */
static void drain(struct engine *engine) {
    bool again = engine->draining;
    if (!again)
        engine->generation++;
    engine->draining = engine->net.parks_none = true;
    net_unpark(&engine->net, NULL, STATUS_GOING_AWAY); /* nobody comes back to who leaves */
    replies_drain(engine);
    probing_pause(engine);
    fault_release(engine);
    leave_begin(engine, again);
}

static void datagram_refused(struct engine *engine, const struct engine_input *input) {
    struct connection *c = net_find(&engine->net, input->connection);
    if (c && c->owner && c->out.datagrams && input->pieces)
        flight_refused(engine, c->owner, input->status);
}

void engine_input(struct engine *engine, struct engine_input *input, struct now now) {
    struct net *net = &engine->net;
    engine->now = now;
    net->now = now;
    if (engine->memory_max != UINT64_MAX)
        shed_look(engine);
    switch (input->kind) {
    case INPUT_OPENED:
        accept_peer(engine, input);
        break;
    case INPUT_CONNECTED:
        net_connected(net, input->connection, input->peer, now);
        break;
    case INPUT_BYTES:
        net_bytes(net, input->connection, input->bytes, now);
        break;
    case INPUT_DATAGRAMS:
        take_datagrams(engine, input);
        break;
    case INPUT_ENDED:
        net_ended(net, input->connection, now);
        break;
    case INPUT_WRITTEN:
        if (input->status != STATUS_OK)
            datagram_refused(engine, input);
        net_written(net, input->connection, input->size, input->pieces, now);
        break;
    case INPUT_CLOSED:
        net_lost(net, input->connection, input->status, now);
        break;
    case INPUT_MAIL:
        mail_read(engine, input->from, input->bytes);
        break;
    case INPUT_CONFIG:
        input->status = configure(engine, input->plan, input->change);
        break;
    case INPUT_DEAD:
        dead_input(engine, input);
        break;
    case INPUT_HAND:
        hand_input(engine, input);
        break;
    case INPUT_FOUND:
        found_input(engine, input);
        break;
    case INPUT_DRAIN:
        drain(engine);
        break;
    case INPUT_MEMORY:
        engine->elsewhere_bytes = input->size;
        break;
    case INPUT_TIME:
        break;
    }
}

static void ring(struct engine *engine) {
    struct deadline *due;
    while ((due = deadlines_take(&engine->deadlines, engine->now.mono))) {
        struct timer *timer = LIST_ENTRY(due, struct timer, deadline);
        switch ((enum timer_kind)timer->kind) {
        case TIMER_DELIVERY:
            delivery_late(engine, LIST_ENTRY(timer, struct delivery, timer));
            break;
        case TIMER_WAITER:
            waiter_late(engine, LIST_ENTRY(timer, struct waiter, timer));
            break;
        case TIMER_SWEEP:
            recipient_sweep(engine, LIST_ENTRY(timer, struct recipient, sweep));
            break;
        case TIMER_REDIAL:
            endpoint_redial(engine, LIST_ENTRY(timer, struct endpoint, redial));
            break;
        case TIMER_PACE:
            endpoint_paced(engine, LIST_ENTRY(timer, struct endpoint, paced));
            break;
        case TIMER_AGE:
            pool_look(engine, LIST_ENTRY(timer, struct endpoint, age));
            break;
        case TIMER_ACKS:
            flight_acks_late(engine, LIST_ENTRY(timer, struct session_work, acks)->session);
            break;
        case TIMER_DEAD:
            dead_ring(engine);
            break;
        case TIMER_CHOICE:
            choice_ring(engine, LIST_ENTRY(timer, struct choice, look));
            break;
        case TIMER_ASK:
            ask_ring(engine, timer);
            break;
        case TIMER_LATER:
            replies_ring(engine, timer);
            break;
        case TIMER_FETCH:
            replies_fetch_ring(engine, timer);
            break;
        case TIMER_PROXY:
            proxy_late(engine, timer);
            break;
        case TIMER_LEAVE:
            leave_ring(engine);
            break;
        case TIMER_RATES:
            rates_ring(engine);
            break;
        case TIMER_PROBE:
            probing_ring(engine, timer);
            break;
        case TIMER_DEDUPE:
            dedupe_ring(engine);
            break;
        }
    }
}

static void pump(struct engine *engine) {
    struct list_node *node;
    while ((node = list_take_first(&engine->pumps)))
        recipient_pump(engine, LIST_ENTRY(node, struct recipient, pump_node));
}

/* What one part wakes in another is settled within the turn: the rounds end because each moves messages on. */
#define ROUNDS_MAX 64

void engine_finish(struct engine *engine, struct now now, struct engine_actions *ret) {
    engine->now = now;
    net_tick(&engine->net, now);
    ring(engine);
    for (int i = 0; i < ROUNDS_MAX && (engine->pumps.count || engine->settles.count || engine->net.dirty.count); i++) {
        pump(engine);
        session_settle_all(engine);
        net_settle(&engine->net, now);
    }
    *ret = (struct engine_actions){.due = MONO_NEVER};
    if (!once_resend(engine) || !dedupe_resend(engine))
        ret->due = mono_after(now.mono, NS_PER_MS);
    post_collect(engine, ret);
    if (engine->is_replaced)
        place_dials(engine);
    ret->net = net_finish(&engine->net, now, &ret->net_count);
    ret->due = mono_min(ret->due, mono_min(net_due(&engine->net), deadlines_next(&engine->deadlines)));
    if (engine->pumps.count || engine->settles.count || engine->net.dirty.count)
        ret->due = now.mono;
}

void engine_step(struct engine *engine, struct engine_input *inputs, size_t count, struct now now,
                 struct engine_actions *ret) {
    for (size_t i = 0; i < count; i++)
        engine_input(engine, &inputs[i], now);
    engine_finish(engine, now, ret);
}

const struct engine_totals *engine_totals(const struct engine *engine) {
    return &engine->totals;
}

uint64_t engine_received_by(const struct engine *engine, uint32_t listener) {
    size_t count = engine->plan ? engine->plan->config->listener_count : 0;
    return engine->plan ? engine->received_by[listener < count ? listener : count] : 0;
}

size_t engine_system_count(const struct engine *engine) {
    return engine->system_count;
}

void engine_system_view(const struct engine *engine, size_t index, struct engine_system_view *ret) {
    const struct system *system = engine->systems[index];
    const struct recipient *r = &system->recipient;
    *ret = (struct engine_system_view){.name = system->name, .endpoints = (uint32_t)system->endpoint_count,
                                       .sessions = system->sessions, .held_bytes = r->queued_bytes + r->later_bytes,
                                       .in_flight = r->in_flight, .awaiting_reply = r->asked.count, .streams = r->streams,
                                       .received = system->received, .holding_since = r->holding_since, .retry_later = r->later.count,
                                       .retry_budget_left = attempt_budget_left(engine, r),
                                       .heartbeat = system->heartbeat_at};
    for (size_t i = 0; i < system->endpoint_count; i++) {
        ret->endpoints_up += system->endpoints[i]->open > 0;
        ret->endpoints_failing += system->endpoints[i]->open == 0 && system->endpoints[i]->failures > 0;
        ret->connections += system->endpoints[i]->open;
    }
    ret->held[0] = r->queued + r->later.count;
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        struct list_node *head = list_first(&r->queue[i]);
        ret->held[i + 1] = r->queue[i].count;
        ret->oldest[i + 1] = head ? LIST_ENTRY(head, struct delivery, node)->received : MONO_NEVER;
    }
    for (struct list_node *node = list_first(&r->later); node; node = list_next(&r->later, node)) {
        const struct delivery *d = LIST_ENTRY(node, struct delivery, node);
        ret->held[d->priority]++;
        ret->oldest[d->priority] = mono_min(ret->oldest[d->priority], d->received);
    }
    memcpy(ret->endings, r->endings, sizeof ret->endings);
}

/* An endpoint that isn't known to fail: a dial may still bring what is held there. */
static bool may_be_there(const struct system *system) {
    for (size_t i = 0; i < system->endpoint_count; i++)
        if (system->endpoints[i]->open > 0 ||
            (system->endpoints[i]->failures == 0 && hand_allows(system->endpoints[i])))
            return true;
    return false;
}

/* Others are with their key's worker, and with nobody there they wait in its lanes. */
static bool awaits_reply(const struct recipient *r) {
    for (struct list_node *node = list_first(&r->asked); node; node = list_next(&r->asked, node))
        if (LIST_ENTRY(node, struct delivery, node)->state == DELIVERY_ASKED)
            return true;
    return false;
}

bool engine_is_quiet(const struct engine *engine) {
    if (engine->totals.waiting || engine->deduping.held || engine->settles.count || engine->proxies.count)
        return false;
    for (size_t i = 0; i < engine->system_count; i++) {
        const struct recipient *r = &engine->systems[i]->recipient;
        bool somebody = r->members.count || may_be_there(engine->systems[i]);
        if (r->in_flight || ((r->queued || r->later.count) && somebody) || (somebody ? r->asked.count > 0 : awaits_reply(r)))
            return false;
    }
    for (struct list_node *node = list_first(&engine->subscriptions); node; node = list_next(&engine->subscriptions, node)) {
        const struct recipient *r = LIST_ENTRY(node, struct recipient, node);
        if (r->in_flight || r->queued || r->later.count)
            return false;
    }
    return true;
}
