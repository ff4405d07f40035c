/* Whether a message is taken: there is room with every recipient, or it waits, or it is refused. Accepted means kept. */
#include "engine/chain.h"
#include "engine/hand.h"
#include "engine/ways.h"

#include <stdio.h>

#define SLOW_CONSUMER_NS (50 * NS_PER_MS)

static struct recipient *recipient_of(const struct engine *engine, uint32_t system) {
    struct system *found = engine_system(engine, system);
    return found ? &found->recipient : NULL;
}

/* Straight through: nothing waits before it and somebody has room. */
static inline struct member *straight(struct engine *engine, struct recipient *r, const struct message *message) {
    if (!engine->options.cut_through || r->queued || r->waiting ||
        message_has(message, ATTRIBUTE_PARTITIONKEY))
        return NULL;
    struct member *m = r->choice ? recipient_pick(engine, r, message, NULL) : recipient_first(r);
    return m && member_can_take(m) ? m : NULL;
}

/* It was taken, and can't be sent on. */
static void die(struct engine *engine, const struct message *message, struct recipient *r, uint32_t from, enum status status) {
    struct dead_facts facts = {r, from, engine->mark, status, 1, 0};
    const struct plan *plan = engine->plan;
    int32_t index = plan_route_index(plan, engine->mark);
    const struct config_policy *policy = index >= 0 ? &plan->routes[index].config->policy
                                         : r->system < plan->config->system_count ? &plan->direct[r->system].policy
                                                                                  : &plan->config->defaults;
    ending_tell(engine, message, r, from, ending_dead(engine, message, policy, &facts), status, 1, 0);
}

/* One copy for one recipient. `*kept` is made when the first needs it and shared by the others. */
static enum status place(struct engine *engine, struct recipient *r, const struct message *message,
                         struct message **kept, uint32_t from, struct mono received, int64_t attempt_ns) {
    struct member *m = straight(engine, r, message);
    if (m && m->session && !m->session->connection->sink.terms.acks && !m->session->connection->sink.terms.keep && !engine->tracing.mark) {
        engine->totals.cut_through++;
        enum status status = member_send(engine, m, message, NULL, 1, from);
        if (status == STATUS_OK)
            return STATUS_OK;
        die(engine, message, r, from, status);
        return STATUS_OK; /* it was taken, and this is what became of it */
    }
    struct delivery *d = delivery_new(engine, r, *kept ? *kept : message);
    if (!d)
        return STATUS_NO_MEMORY;
    if (!*kept)
        *kept = message_ref(d->message); /* of its own: the first copy may end before the next is made */
    d->from = from;
    d->received = received;
    d->attempt_ns = attempt_ns;
    d->route = engine->mark;
    d->trace = engine->tracing.mark;
    if (d->trace)
        trace_routed(engine, r, d->trace);
    uint32_t home = mail_home(engine, r, message);
    if (home != engine->options.worker && mail_go_home(engine, d, home) == STATUS_OK)
        return STATUS_OK;
    if (m) {
        d->state = DELIVERY_SENT;
        list_add(&r->sent, &d->node);
        d->session = m->session;
        engine->totals.cut_through++;
        enum status status = member_send(engine, m, d->message, d, 1, from);
        if (status == STATUS_OK)
            return STATUS_OK;
        d->session = NULL;
        delivery_end(engine, d, ENDING_DEAD, status);
        return STATUS_OK;
    }
    recipient_queue(engine, d, false);
    return STATUS_OK;
}

static bool nobody_can(const struct engine *engine, const struct recipient *r) {
    const struct system *system = engine_system(engine, r->system);
    if (!system || system->config->offline != CONFIG_OFFLINE_REFUSE || r->members.count || r->is_subscription)
        return false;
    for (size_t i = 0; i < system->endpoint_count; i++) { /* most are dialled only when there is something for them */
        const struct endpoint *e = system->endpoints[i];
        if (e->plan->config->enabled && hand_allows(e) &&
            (e->failures == 0 || mono_due(e->next_dial, engine->now.mono)))
            return false;
    }
    return true;
}

/* request and query: the delivery is theirs until the reply. */
static enum offer ask(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                      const struct routing *routing, uint32_t from, struct mono received, enum status *ret_status) {
    const struct config_policy *policy = &routing->targets[0].policy;
    struct recipient *r = recipient_of(engine, routing->targets[0].system);
    struct delivery *d = delivery_new(engine, r, message);
    *ret_status = STATUS_NO_MEMORY;
    if (!d)
        return OFFER_REFUSED;
    d->asks = true;
    d->attempt_ns = policy->timeouts.attempt_ns;
    d->attempts = (uint8_t)policy->retry.attempts;
    d->timed = message->kind == KIND_QUERY || policy->idempotent;
    d->route = engine->mark;
    d->from = from;
    d->received = received;
    d->trace = engine->tracing.mark;
    if (d->trace)
        trace_routed(engine, r, d->trace);
    if (!reply_expect(engine, d)) {
        delivery_free(engine, d);
        *ret_status = STATUS_DUPLICATE;
        return OFFER_REFUSED;
    }
    if (s->connection->sink.terms.inline_reply || s->connection->sink.terms.can_reply) { /* else `replyto` gets it */
        if (!session_work(s)) {
            delivery_free(engine, d);
            return OFFER_REFUSED;
        }
        d->asker = s;
        d->asker_token = token;
        list_add(&s->work->asked, &d->asker_node);
    }
    d->request_due = mono_after(received, policy->timeouts.request_ns);
    if (message->expiry.ns != INT64_MAX)
        d->request_due = mono_after(engine->now.mono, message->expiry.ns - engine->now.wall.ns);
    if (message->wait_s && !message->later)
        d->request_due = mono_min(d->request_due, mono_after(received, (int64_t)message->wait_s * NS_PER_S));
    if (d->asker && message->later)
        replies_begin(engine, d);
    uint32_t home = mail_home(engine, r, message);
    struct member *m = home == engine->options.worker ? straight(engine, r, message) : NULL;
    timer_set(engine, &d->timer, m && m->session ? attempt_due(engine, d) : d->request_due);
    /* What it may fail with must reach an exchange whose message was already taken: accepted first. */
    if (message->kind == KIND_QUERY)
        once_accepted(s, true);
    session_accept(engine, s, token);
    if (home != engine->options.worker && mail_go_home(engine, d, home) == STATUS_OK)
        return OFFER_TAKEN;
    m = straight(engine, r, message); /* accepting it may have moved something */
    if (!m) {
        timer_set(engine, &d->timer, mono_min(d->request_due, mono_after(received, policy->timeouts.queue_ns)));
        recipient_queue(engine, d, false);
        return OFFER_TAKEN;
    }
    d->state = DELIVERY_SENT;
    list_add(&r->sent, &d->node);
    d->session = m->session;
    engine->totals.cut_through++;
    enum status status = member_send(engine, m, d->message, d, 1, from);
    if (status != STATUS_OK) {
        d->session = NULL;
        delivery_end(engine, d, ENDING_DEAD, status);
    }
    return OFFER_TAKEN;
}

/* A message that would fit must not overtake a larger one that waits for room. */
static bool others_wait(const struct engine *engine, const struct recipient *r,
                        const struct message *message) {
    return r->waiting && !engine->again && room_has_others(r, message->priority);
}

/* Every recipient that the route names must have room; a subscription only slows the sender for a moment. */
static enum offer check_room(struct engine *engine, const struct message *message, const struct routing *routing,
                             struct recipient **ret_full, enum status *ret_status) {
    size_t size = message_kept_size(message);
    for (uint32_t i = 0; i < routing->target_count; i++) {
        struct recipient *r = recipient_of(engine, routing->targets[i].system);
        if (routing->to_all)
            continue;
        if (nobody_can(engine, r)) {
            *ret_status = STATUS_TARGET_UNAVAILABLE;
            return OFFER_REFUSED;
        }
        enum room_verdict room = room_look(r, message, size);
        if (!others_wait(engine, r, message) && (room == ROOM_FREE || straight(engine, r, message)))
            continue;
        *ret_full = r;
        *ret_status = STATUS_OVERLOADED;
        (void)snprintf(engine->detail, sizeof engine->detail, "%s", room_words(room));
        return room == ROOM_SHED || room == ROOM_NEVER
                   ? OFFER_REFUSED
                   : OFFER_LATER; /* it would wait for ever, and others behind it */
    }
    for (uint32_t i = 0; i < routing->subscription_count; i++) {
        struct recipient *r = routing->subscriptions[i];
        enum room_verdict room = room_look(r, message, size);
        if (r->slow || room == ROOM_SHED || room == ROOM_NEVER)
            continue;
        if (others_wait(engine, r, message) || (room != ROOM_FREE && !straight(engine, r, message))) {
            *ret_full = r;
            return OFFER_LATER;
        }
    }
    return OFFER_TAKEN;
}

/* Data alone has no place for what it answers, unless its order says it. */
static bool can_answer(const struct engine *engine, uint32_t index) {
    const struct system *system = engine_system(engine, index);
    return !system || system->config->format != CONFIG_FORMAT_RAW || system->config->reply == CONFIG_REPLY_FIFO || system->config->accept;
}

static enum offer take(struct engine *engine, struct session *s, uint64_t token,
                       const struct message *message, const struct routing *routing, uint32_t from,
                       struct mono received, struct recipient **ret_full, enum status *ret_status) {
    if (message_kind_asks(message->kind) && !can_answer(engine, routing->targets[0].system)) {
        *ret_status = STATUS_NOT_SUPPORTED;
        return OFFER_REFUSED;
    }
    enum offer room = check_room(engine, message, routing, ret_full, ret_status);
    if (room != OFFER_TAKEN)
        return room;
    engine->mark = routing->route >= 0 ? plan_route_mark(engine->plan, (uint32_t)routing->route) : 0;
    if (message_kind_asks(message->kind))
        return ask(engine, s, token, message, routing, from, received, ret_status);
    engine->ours = flight_ours(message);
    struct message *kept = message->block ? message_ref((struct message *)(uintptr_t)message) : NULL;
    size_t size = message_kept_size(message);
    for (uint32_t i = 0; i < routing->target_count; i++) {
        struct recipient *r = recipient_of(engine, routing->targets[i].system);
        if (router_skips(engine, routing, routing->targets[i].system, from))
            continue;
        if (routing->to_all && ((!straight(engine, r, message) && room_look(r, message, size) != ROOM_FREE) ||
                                nobody_can(engine, r))) {
            die(engine, message, r, from,
                nobody_can(engine, r) ? STATUS_TARGET_UNAVAILABLE : STATUS_OVERLOADED);
            continue;
        }
        if (routing->to_all && engine->plan->rates && !rate_copies(engine, s, message, r->system, from)) {
            die(engine, message, r, from, STATUS_RATE_LIMITED);
            continue;
        }
        enum status status = place(engine, r, message, &kept, from, received, routing->targets[i].policy.timeouts.attempt_ns);
        if (status != STATUS_OK) {
            if (i == 0) {
                *ret_status = status;
                message_unref(kept);
                return OFFER_REFUSED;
            }
            ending_tell(engine, message, r, from, ENDING_DEAD, status, 1, 0);
        }
    }
    for (uint32_t i = 0; i < routing->subscription_count; i++) {
        struct recipient *r = routing->subscriptions[i];
        enum room_verdict verdict =
            room_look(r, message, size); /* full, and not slow: check_room() found somebody who takes it */
        if (verdict != ROOM_FREE && (r->slow || verdict != ROOM_FULL) && !straight(engine, r, message)) {
            ending_tell(engine, message, r, from, ENDING_DROPPED,
                        r->slow ? STATUS_SLOW_CONSUMER : STATUS_OVERLOADED, 1, 0);
            continue;
        }
        if (place(engine, r, message, &kept, from, received, 0) != STATUS_OK)
            ending_tell(engine, message, r, from, ENDING_DROPPED, STATUS_NO_MEMORY, 1, 0);
    }
    message_unref(kept);
    session_accept(engine, s, token);
    return OFFER_TAKEN;
}

enum offer offer_message(struct engine *engine, struct session *s, uint64_t token,
                         const struct message *message, const struct routing *routing, uint32_t from,
                         struct mono received, struct recipient **ret_full, enum status *ret_status) {
    if (chain_of(engine, routing)) {
        enum chain_fate fate = chain_run(engine, s, token, &message, routing, from, ret_status);
        if (fate != CHAIN_ON)
            return fate == CHAIN_OVER ? OFFER_TAKEN : OFFER_REFUSED;
    }
    enum offer offer = take(engine, s, token, message, routing, from, received, ret_full, ret_status);
    if (offer == OFFER_TAKEN)
        mirror_look(engine, message, routing, from);
    return offer;
}

/* -- those who wait -- */

static void arm(struct engine *engine, struct waiter *w) {
    struct mono at = w->until;
    if (w->recipient->is_subscription)
        at = mono_min(at, mono_after(engine->now.mono, SLOW_CONSUMER_NS));
    timer_set(engine, &w->timer, at);
}

void offer_wait(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                uint32_t from, struct recipient *full, int64_t limit_ns) {
    struct waiter *w = session_work(s) ? memory_new(sizeof *w) : NULL;
    struct message *kept = w ? message_keep(message, &engine->kept) : NULL;
    if (!kept) {
        memory_free(w);
        session_refuse(engine, s, token, STATUS_NO_MEMORY, 0);
        return;
    }
    w->message = kept;
    w->session = s;
    w->token = token;
    w->from = from;
    w->pick = engine->pick;
    w->generation = engine->plan->generation;
    w->recipient = full;
    w->received = engine->now.mono;
    w->trace = engine->tracing.mark;
    if (w->trace)
        trace_waits(engine, full);
    w->claim = dedupe_take_claim(engine);
    w->timer = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_WAITER};
    room_wait(full, w, false);
    list_add(&s->work->waiters, &w->session_node);
    engine->totals.waiting++;
    w->until = mono_after(engine->now.mono, limit_ns);
    arm(engine, w);
    if (s->connection->sink.terms.when_full == PROTOCOL_FULL_STOP)
        connection_stop(s->connection, true);
    recipient_wake(engine, full);
}

void waiter_free(struct engine *engine, struct waiter *w) {
    room_leave(w->recipient, w);
    if (w->recipient == &engine->delayed)
        engine->delayed.queued_bytes -= message_kept_size(w->message);
    list_remove(&w->session->work->waiters, &w->session_node);
    deadlines_clear(&engine->deadlines, &w->timer.deadline);
    engine->totals.waiting--;
    if (w->session->work->waiters.count == 0)
        connection_stop(w->session->connection, false);
    dedupe_settle(engine, &w->claim, false); /* it wasn't taken, or that was said */
    message_unref(w->message);
    memory_free(w);
}

/* Whether it could be settled now, one way or the other. */
bool offer_try(struct engine *engine, struct waiter *w) {
    uint32_t from = w->from;
    struct routing routing;
    struct recipient *full = NULL;
    enum status status = STATUS_OK;
    struct session *s = w->session;
    uint64_t token = w->token;
    router_find(engine, s, w->message, from, &routing);
    enum offer offer = OFFER_REFUSED;
    if (w->message->expiry.ns <= engine->now.wall.ns)
        status = STATUS_EXPIRED;
    else if (routing.status != STATUS_OK)
        status = routing.status;
    else {
        if (routing.way != CONFIG_WAY_COPIES)
            ways_again(engine, w, &routing);
        /* The waiters themselves would forbid the straight way: they are served in turn, and it is this one's. What was
         * delayed has had no turn yet. */
        room_leave(w->recipient, w);
        engine->again = w->recipient != &engine->delayed;
        uint64_t outer = engine->tracing.mark;
        engine->tracing.mark = w->trace;
        offer = offer_message(engine, s, token, w->message, &routing, from, w->received, &full, &status);
        engine->again = false;
        engine->tracing.mark = outer;
        room_wait(w->recipient, w, true);
    }
    if (offer == OFFER_LATER) {
        if (full != w->recipient) {
            room_leave(w->recipient, w);
            if (w->recipient == &engine->delayed) {
                engine->delayed.queued_bytes -= message_kept_size(w->message);
                if (s->connection->sink.terms.when_full == PROTOCOL_FULL_STOP)
                    connection_stop(s->connection, true);
            }
            w->pick = engine->pick;
            w->generation = engine->plan->generation;
            w->recipient = full;
            room_wait(full, w, false);
            deadlines_clear(&engine->deadlines, &w->timer.deadline);
            arm(engine, w); /* each recipient has its own patience */
        }
        return false;
    }
    if (offer == OFFER_REFUSED) {
        ending_waiter(engine, w, status, 0);
        session_refuse(engine, s, token, status, 0);
        engine->detail[0] = '\0';
    }
    dedupe_settle(engine, &w->claim, offer == OFFER_TAKEN);
    waiter_free(engine, w);
    return true;
}

void offer_again(struct engine *engine, struct recipient *r) {
    for (unsigned priority = PRIORITY_EMERGENCY; priority >= PRIORITY_LOW && r->waiting;) {
        const struct list *list = &r->waiters[priority - 1];
        struct waiter *w = list->count ? LIST_ENTRY(list_first(list), struct waiter, node) : NULL;
        if (w && (offer_try(engine, w) || list_first(list) != &w->node))
            continue; /* it went on, if only to wait for another: the next may fit here */
        if (w && !room_is_lane_full(r, priority))
            return;
        priority--;
    }
}

void waiter_late(struct engine *engine, struct waiter *w) {
    struct recipient *r = w->recipient;
    if (r == &engine->delayed) {
        fault_over(engine, w);
        return;
    }
    if (r->is_subscription) {
        r->slow = true;
        offer_again(engine, r);
        return;
    }
    bool nobody = !choice_has_somebody(engine, r);
    enum status status = nobody ? STATUS_TARGET_UNAVAILABLE : STATUS_OVERLOADED;
    ending_waiter(engine, w, status, 0);
    session_refuse(engine, w->session, w->token, status, 1000);
    waiter_free(engine, w);
}
