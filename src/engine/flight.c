/* Messages on their way out of a connection: a ring by outbound token. They end when the peer settles them, or, where
 * nobody acknowledges, when their last byte is written; a connection that ends gives them back. */
#include "engine/inner.h"

struct flight *flight_find(struct session *s, uint64_t token) {
    uint64_t index = token - s->flight_base;
    if (index >= s->flight_count)
        return NULL;
    return &s->flights[(s->flight_first + (uint32_t)index) & (s->flight_capacity - 1)];
}

static bool reserve(struct session *s) {
    if (s->flight_count < s->flight_capacity)
        return true;
    if (!s->flights && s->engine->spare_flight_count) {
        struct flight_ring spare = s->engine->spare_flights[--s->engine->spare_flight_count];
        s->flights = spare.flights;
        s->flight_first = 0;
        s->flight_capacity = spare.capacity;
        return true;
    }
    uint32_t capacity = s->flight_capacity ? s->flight_capacity * 2 : 8;
    struct flight *flights = memory_array(capacity, sizeof *flights);
    if (!flights)
        return false;
    for (uint32_t i = 0; i < s->flight_count; i++)
        flights[i] = *flight_find(s, s->flight_base + i);
    memory_free(s->flights);
    s->flights = flights;
    s->flight_first = 0;
    s->flight_capacity = capacity;
    return true;
}

void flights_give(struct engine *engine, struct session *s) {
    if (engine->spare_flight_count < SPARE_FLIGHTS && s->flight_capacity <= SPARE_FLIGHTS_MAX)
        engine->spare_flights[engine->spare_flight_count++] = (struct flight_ring){s->flights, s->flight_capacity};
    else
        memory_free(s->flights);
    s->flights = NULL;
    s->flight_capacity = 0;
}

static struct flight *push(struct session *s) {
    uint32_t index = (s->flight_first + s->flight_count++) & (s->flight_capacity - 1);
    struct flight *f = &s->flights[index];
    *f = (struct flight){.end = s->connection->out.added};
    s->flight_next++;
    return f;
}

static void pop(struct session *s) {
    s->flight_first = (s->flight_first + 1) & (s->flight_capacity - 1);
    s->flight_count--;
    s->flight_base++;
}

/* Attributes that only intertie may set never pass through from peers: which of them a message brought. */
uint64_t flight_ours(const struct message *message) {
    uint64_t present = 0;
    for (unsigned i = 0; i < message->value_count; i++)
        present |= message->values[i].known < ATTRIBUTE_COUNT ? ATTRIBUTE_BIT(message->values[i].known) : 0;
    return present & attribute_ours();
}

static void count_hop(const struct message *message, struct overlay *overlay) {
    const struct value *value = message_value(message, ATTRIBUTE_INTERTIEHOPS);
    int32_t hops = 0;
    if (value)
        value_number(message, value, &hops);
    overlay_set_number(overlay, ATTRIBUTE_INTERTIEHOPS, hops + 1);
}

static void stamp(struct engine *engine, uint32_t from, struct overlay *overlay) {
    const struct system *sender = engine_system(engine, from);
    overlay_set_text(overlay, ATTRIBUTE_AUTHTYPE, sender ? SLICE_OF("system") : SLICE_OF("unauthenticated"));
    if (sender)
        overlay_set_text(overlay, ATTRIBUTE_AUTHID, sender->name);
}

enum status flight_send(struct engine *engine, struct member *m, const struct message *message,
                        struct delivery *delivery, uint8_t attempt, uint32_t from) {
    struct session *s = m->session;
    struct connection *c = s->connection;
    struct overlay overlay;
    overlay_init(&overlay);
    overlay.removed = !delivery ? engine->ours : delivery->is_dead_letter ? 0 : flight_ours(message);
    if (attempt > 1)
        overlay_set_number(&overlay, ATTRIBUTE_DELIVERYATTEMPT, attempt);
    if (c->sink.terms.is_intertie)
        count_hop(message, &overlay);
    const struct system *system = engine_system(engine, m->recipient->system);
    if (system && system->config->stamp)
        stamp(engine, from, &overlay);
    if (!reserve(s))
        return STATUS_NO_MEMORY;
    struct protocol_send options = {.token = s->flight_next, .sub = m->sub, .attempt = attempt,
                                    .asks = message_kind_asks(message->kind), .timeout_ns = delivery ? attempt_patience(engine, delivery) : 0};
    uint64_t before = c->out.added;
    enum status status = connection_send(c, message, &overlay, &options);
    if (status != STATUS_OK)
        return status;
    struct flight *f = push(s);
    f->size = (uint32_t)(f->end - before);
    f->delivery = delivery;
    if (delivery)
        delivery->sent_to = m->outlet->id;
    f->member = m;
    f->priority = message->priority;
    f->from = from;
    f->expiry = message->expiry;
    f->sent = engine->now.mono;
    choice_count(m, 1);
    m->in_flight++;
    m->recipient->in_flight++;
    engine->totals.in_flight++;
    if (c->sink.terms.acks && !c->sink.terms.times_acks && s->work->acks.deadline.at.ns == INT64_MAX && system)
        timer_set(engine, &s->work->acks, mono_after(engine->now.mono, system->config->policy.timeouts.ack_ns));
    if (delivery && delivery->trace)
        trace_sent(engine, delivery->trace, m, attempt, f->size);
    if (s->endpoint) {
        endpoint_sent(engine, s->endpoint);
        pool_sent(engine, s);
    }
    return STATUS_OK;
}

/* For another worker, straight through. */
enum status flight_pass(struct engine *engine, struct member *m, const struct message *message, uint8_t attempt,
                        uint32_t from, uint32_t origin, uint64_t origin_id) {
    engine->ours = flight_ours(message);
    enum status status = flight_send(engine, m, message, NULL, attempt, from);
    if (status != STATUS_OK)
        return status;
    struct flight *f = flight_find(m->session, m->session->flight_next - 1);
    f->foreign = true;
    f->origin = origin;
    f->origin_id = origin_id;
    return STATUS_OK;
}

/* A reply to a peer that asked. */
enum status flight_answer(struct engine *engine, struct session *s, const struct message *message,
                          const struct overlay *overlay, uint64_t reply_to) {
    if (!reserve(s))
        return STATUS_NO_MEMORY;
    struct protocol_send options = {.token = s->flight_next, .reply_to = reply_to, .attempt = 1};
    uint64_t before = s->connection->out.added;
    enum status status = connection_send(s->connection, message, overlay, &options);
    if (status != STATUS_OK)
        return status;
    struct flight *f = push(s);
    f->size = (uint32_t)(f->end - before);
    f->over = true;
    f->sent = engine->now.mono;
    return STATUS_OK;
}

/* The flight is off the connection's hands. Whether its member can take more now is looked at once, after all of them. */
static inline void land(struct engine *engine, struct flight *f) {
    struct member *m = f->member;
    if (!m)
        return;
    f->member = NULL;
    choice_count(m, -1);
    m->in_flight--;
    m->recipient->in_flight--;
    engine->totals.in_flight--;
}

/* It arrived. */
static void delivered(struct engine *engine, struct flight *f, struct recipient *recipient) {
    struct delivery *d = f->delivery;
    if (f->over)
        return;
    f->over = true;
    if (f->foreign) {
        mail_tell(engine, f->origin, f->origin_id, ENDING_DELIVERED, STATUS_OK, false);
        return;
    }
    if (d)
        recipient = d->recipient; /* its member may have left meanwhile */
    if (!d) {
        ending_count(engine, recipient, ENDING_DELIVERED, STATUS_OK, f->priority, engine->now.mono.ns - f->sent.ns);
        return;
    }
    f->delivery = NULL;
    d->session = NULL;
    if (!d->asks) {
        list_remove(&recipient->sent, &d->node);
        d->state = DELIVERY_ASKED; /* any list will do: it ends now */
        list_add(&recipient->asked, &d->node);
        delivery_end(engine, d, ENDING_DELIVERED, STATUS_OK);
        return;
    }
    list_remove(&recipient->sent, &d->node);
    d->state = DELIVERY_ASKED;
    list_add(&recipient->asked, &d->node);
    if (d->foreign)
        mail_outcome(engine, d, ENDING_DELIVERED, STATUS_OK, false);
    key_release(engine, d);
}

/* Other workers' deliveries, as this session has room. */
void foreign_flush(struct engine *engine, struct session *s) {
    while (s->work->foreign.count && connection_has_room(s->connection)) {
        struct delivery *d = LIST_ENTRY(list_first(&s->work->foreign), struct delivery, node);
        struct member *m = d->member;
        d->member = NULL;
        list_remove(&s->work->foreign, &d->node);
        d->state = DELIVERY_SENT;
        list_add(&m->recipient->sent, &d->node);
        if (d->timed)
            timer_set(engine, &d->timer, attempt_due(engine, d));
        enum status status = d->message->expiry.ns <= engine->now.wall.ns
                                 ? STATUS_EXPIRED
                                 : flight_send(engine, m, d->message, d, d->attempt, d->from);
        member_look(engine, m);
        if (status == STATUS_OK)
            continue;
        d->session = NULL;
        delivery_end(engine, d, status == STATUS_EXPIRED ? ENDING_EXPIRED : ENDING_DEAD, status);
    }
}

/* How many flights from the first on went straight through alike and are written: they need no look of their own. */
static uint32_t written_run(struct session *s, uint64_t written) {
    const struct flight *first = flight_find(s, s->flight_base);
    uint32_t count = 0;
    if (first->delivery || first->foreign || first->over || !first->member)
        return 0;
    while (count < s->flight_count) {
        const struct flight *f = flight_find(s, s->flight_base + count);
        if (f->end > written || f->member != first->member || f->delivery || f->foreign || f->over || f->priority != first->priority ||
            f->sent.ns != first->sent.ns)
            break;
        count++;
    }
    return count;
}

static void land_run(struct engine *engine, struct session *s, uint32_t count) {
    const struct flight *first = flight_find(s, s->flight_base);
    struct member *m = first->member;
    uint8_t priority = first->priority;
    int64_t duration_ns = engine->now.mono.ns - first->sent.ns;
    s->flight_first = (s->flight_first + count) & (s->flight_capacity - 1);
    s->flight_count -= count;
    s->flight_base += count;
    choice_count(m, -(int32_t)count);
    m->in_flight -= count;
    m->recipient->in_flight -= count;
    engine->totals.in_flight -= count;
    engine->taker = s->connection->protocol;
    ending_count_run(engine, m->recipient, ENDING_DELIVERED, STATUS_OK, priority, duration_ns, count);
    engine->taker = NULL;
}

void flight_progress(struct engine *engine, struct session *s) {
    if (s->connection->sink.terms.acks)
        return;
    while (s->flight_count) {
        struct flight *f = flight_find(s, s->flight_base);
        if (f->end > s->connection->out.written)
            break;
        uint32_t run = written_run(s, s->connection->out.written);
        if (run) {
            land_run(engine, s, run);
            continue;
        }
        struct recipient *recipient = f->member ? f->member->recipient : NULL;
        struct flight copy = *f;
        pop(s); /* before anything can send on this session again */
        land(engine, &copy);
        engine->taker = s->connection->protocol;
        delivered(engine, &copy, recipient);
        engine->taker = NULL;
    }
}

static void tell_result(struct engine *engine, const struct outlet *outlet, const struct flight *f, enum attempt_result result) {
    if (outlet && outlet->endpoint)
        endpoint_result(engine, outlet->endpoint, result, engine->now.mono.ns - f->sent.ns);
}

/* What its ending, if this is one, can tell of the last attempt. */
static void say(struct engine *engine, const struct outlet *outlet, enum status status) {
    engine->said.status = status;
    engine->said.endpoint = outlet && outlet->endpoint ? outlet->endpoint->plan->config->name : slice_make("", 0);
}

/* What follows is about another, and the names may be gone by then. */
static void say_no_more(struct engine *engine) {
    say(engine, NULL, STATUS_OK);
}

/* It isn't there, or nobody knows: its attempt is over. */
static void failed(struct engine *engine, struct flight *f, struct recipient *recipient, const struct attempt_failure *failure) {
    struct delivery *d = f->delivery;
    f->over = true;
    f->delivery = NULL;
    say(engine, failure->outlet, failure->status);
    if (failure->fate != RETRY_UNSENT)
        tell_result(engine, failure->outlet, f, retry_result(retry_outcome_of(failure->fate, failure->status)));
    if (f->foreign) {
        mail_failed(engine, f->origin, f->origin_id, failure);
        say_no_more(engine);
        return;
    }
    if (!d) {
        ending_count(engine, recipient, ENDING_DEAD,
                     failure->fate == RETRY_UNKNOWN ? STATUS_OUTCOME_UNKNOWN : STATUS_RETRIES_EXHAUSTED, f->priority,
                     engine->now.mono.ns - f->sent.ns);
        say_no_more(engine);
        return;
    }
    d->session = NULL;
    attempt_failed(engine, d, failure);
    say_no_more(engine);
}

static void refused(struct engine *engine, struct flight *f, struct recipient *recipient, const struct outlet *outlet,
                    struct protocol_outcome outcome) {
    struct delivery *d = f->delivery;
    if (f->over)
        return;
    if (outcome.verdict == VERDICT_RETRY && outcome.status == STATUS_RATE_LIMITED && outlet && outlet->endpoint)
        endpoint_rest(engine, outlet->endpoint, outcome.retry_ms);
    if (outcome.verdict == VERDICT_RETRY) {
        failed(engine, f, recipient,
               &(struct attempt_failure){RETRY_REFUSED, outcome.status, outcome.retry_ms, true, outlet});
        return;
    }
    f->over = true;
    enum engine_ending ending = outcome.verdict == VERDICT_EXPIRED ? ENDING_EXPIRED : ENDING_DEAD;
    if (f->foreign) {
        mail_tell(engine, f->origin, f->origin_id, ending, outcome.status, false);
        return;
    }
    if (!d) {
        ending_count(engine, recipient, ending, outcome.status, f->priority, engine->now.mono.ns - f->sent.ns);
        return;
    }
    say(engine, outlet, outcome.status);
    bool drops = d->message->kind == KIND_NOTIFICATION;
    delivery_end(engine, d, drops && ending == ENDING_DEAD ? ENDING_DROPPED : ending, outcome.status);
    say_no_more(engine);
}

static void give_back(struct engine *engine, struct session *s, struct flight *f, const struct outlet *outlet, enum retry_fate fate,
                      enum status status);

/* The peer has not taken it. Where it refused it among others, that was an attempt of its own, and no reason to wait. */
static void untaken(struct engine *engine, struct session *s, struct flight *f, struct recipient *recipient,
                    const struct outlet *outlet, enum status status) {
    bool tried = status != STATUS_OK;
    struct delivery *d = f->delivery;
    if (f->over)
        return;
    if (f->foreign) { /* its owner counts */
        give_back(engine, s, f, outlet, tried ? RETRY_UNKNOWN : RETRY_UNSENT, status);
        return;
    }
    if (!d || (tried && !attempt_is_left(engine, d))) {
        refused(engine, f, recipient, outlet, (struct protocol_outcome){VERDICT_RETRY, status, 0});
        return;
    }
    if (tried && engine->tracing.is_on)
        trace_failed(engine, d, &(struct attempt_failure){RETRY_REFUSED, status, 0, true, outlet}, RETRY_AGAIN, 0);
    d->attempt = (uint8_t)(d->attempt + tried);
    if (tried)
        ending_retried(engine, recipient, RETRY_REFUSED, status, RETRY_AGAIN);
    f->over = true;
    f->delivery = NULL;
    d->session = NULL;
    attempt_at_once(engine, d);
}

void flight_outcome(void *connection, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s->engine;
    bool is_good = outcome.verdict == VERDICT_ACCEPTED;
    if (!is_good) {
        engine->said.code = engine->net.worker.answer.code;
        engine->said.words = engine->net.worker.answer.words;
    }
    for (uint64_t token = first; token <= last; token++) {
        struct flight *f = flight_find(s, token);
        if (!f || f->acked)
            continue;
        f->acked = true;
        struct recipient *recipient = f->member ? f->member->recipient : NULL;
        const struct outlet *outlet = f->member ? f->member->outlet : NULL;
        land(engine, f);
        f = flight_find(s, token);
        engine->taker = c->protocol;
        if (outcome.verdict == VERDICT_ACCEPTED || outcome.verdict == VERDICT_REJECTED || outcome.verdict == VERDICT_EXPIRED)
            tell_result(engine, outlet, f, RESULT_OK);
        if (outcome.verdict == VERDICT_ACCEPTED)
            delivered(engine, f, recipient);
        else if (outcome.verdict == VERDICT_UNSENT)
            untaken(engine, s, f, recipient, outlet, outcome.status);
        else if (outcome.verdict == VERDICT_UNKNOWN)
            give_back(engine, s, f, outlet, RETRY_UNKNOWN, outcome.status);
        else
            refused(engine, f, recipient, outlet, outcome);
        engine->taker = NULL;
    }
    while (s->flight_count && flight_find(s, s->flight_base)->acked)
        pop(s);
    if (!is_good)
        memset(&engine->said, 0, sizeof engine->said);
    session_look(engine, s);
}

/* The delivery ends while its flight isn't settled: what comes later about it counts no more. */
void flight_forget(struct session *s, struct delivery *d) {
    for (uint32_t i = 0; s && i < s->flight_count; i++) {
        struct flight *f = flight_find(s, s->flight_base + i);
        if (f->delivery == d) {
            f->delivery = NULL;
            f->over = true;
            if (s->connection->sink.terms.times_acks)
                connection_cancel(s->connection, s->flight_base + i);
        }
    }
}

const struct outlet *flight_give_up(struct session *s, struct delivery *d) {
    const struct outlet *outlet = NULL;
    for (uint32_t i = 0; i < s->flight_count; i++) {
        struct flight *f = flight_find(s, s->flight_base + i);
        if (f->delivery != d)
            continue;
        outlet = f->member ? f->member->outlet : NULL;
        tell_result(s->engine, outlet, f, RESULT_TIMEOUT);
        f->delivery = NULL;
        f->over = true;
        connection_cancel(s->connection, s->flight_base + i);
    }
    return outlet;
}

/* The oldest flights weren't acknowledged in time. */
void flight_acks_late(struct engine *engine, struct session *s) {
    struct mono next = MONO_NEVER;
    for (uint32_t i = 0; i < s->flight_count; i++) {
        struct flight *f = flight_find(s, s->flight_base + i);
        struct recipient *recipient = f->delivery ? f->delivery->recipient : f->member ? f->member->recipient : NULL;
        if (f->over || f->acked || !recipient)
            continue;
        const struct system *system = engine_system(engine, recipient->system);
        if (!system)
            continue;
        struct mono due = mono_after(f->sent, system->config->policy.timeouts.ack_ns);
        if (!mono_due(due, engine->now.mono)) {
            next = due;
            break;
        }
        if (f->delivery && f->delivery->asks)
            continue; /* its own deadline tells */
        const struct outlet *outlet = f->member ? f->member->outlet : NULL;
        land(engine, f); /* a peer that forgets one must not lose its window for good */
        failed(engine, f, recipient, &(struct attempt_failure){RETRY_UNKNOWN, STATUS_OUTCOME_UNKNOWN, 0, true, outlet});
    }
    timer_set(engine, &s->work->acks, next);
    session_look(engine, s);
}

/* Cut-through messages have no record of their own: their bytes still stand in the chain. */
static struct delivery *recover(struct engine *engine, struct session *s, struct flight *f,
                                struct recipient *recipient) {
    struct slice bytes = chain_find(&s->connection->out, f->end - f->size, f->end);
    struct message message;
    if (!bytes.data || !s->connection->protocol->recover ||
        !s->connection->protocol->recover(s->connection->state, bytes, &message))
        return NULL;
    message.priority = f->priority; /* as it was decided, not as its sender wished */
    message.expiry = f->expiry;
    struct delivery *d = delivery_new(engine, recipient, &message);
    if (d) {
        d->from = f->from;
        d->state = DELIVERY_SENT;
        list_add(&recipient->sent, &d->node);
    }
    return d;
}

static void give_back(struct engine *engine, struct session *s, struct flight *f, const struct outlet *outlet, enum retry_fate fate,
                      enum status status) {
    struct delivery *d = f->delivery;
    struct recipient *recipient = d ? d->recipient : f->member ? f->member->recipient : NULL;
    if (f->over)
        return;
    land(engine, f);
    if (!d && !f->foreign && recipient)
        f->delivery = recover(engine, s, f, recipient);
    struct attempt_failure failure = {fate, fate == RETRY_UNSENT ? STATUS_PEER_CLOSED : status, 0,
                                      s->connection->sink.terms.acks, outlet};
    failed(engine, f, recipient, &failure);
}

/* The connection is over: the newest first, so that the lanes have them in order again. */
void flight_abandon(struct engine *engine, struct session *s) {
    for (uint32_t i = s->flight_count; i-- > 0;) {
        struct flight *f = flight_find(s, s->flight_base + i);
        bool unsent = f->end - f->size >= s->connection->out.written && !f->tried;
        if (!f->over)
            give_back(engine, s, f, f->member ? f->member->outlet : NULL, unsent ? RETRY_UNSENT : RETRY_UNKNOWN,
                      s->connection->reason);
        else
            land(engine, f);
    }
    s->flight_count = 0;
}

void flight_refused(struct engine *engine, struct session *s, enum status status) {
    struct flight *f = s->flight_count ? flight_find(s, s->flight_base) : NULL;
    if (!f || f->over)
        return;
    struct recipient *recipient = f->member ? f->member->recipient : NULL;
    if (!f->delivery && !f->foreign && recipient)
        f->delivery = recover(engine, s, f, recipient); /* so that the log can say what was lost */
    refused(engine, f, recipient, NULL, (struct protocol_outcome){VERDICT_REJECTED, status, 0});
}
