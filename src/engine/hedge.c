/* A second attempt beside one that takes long. */
#include "engine/hedge.h"

#define AGAIN_NS (10 * NS_PER_MS) /* nobody else was ready */

struct hedge_late {
    uint64_t keys[HEDGE_LATE_MAX]; /* 0: none */
    uint32_t next;
};

/* -- answers that come too late -- */

static uint64_t late_key(uint32_t system, struct slice id) {
    return map_hash(id, (uint64_t)system + 1) | 1;
}

static void expect_late(struct engine *engine, const struct delivery *d) {
    if (!engine->hedge_late)
        engine->hedge_late = memory_new(sizeof *engine->hedge_late);
    if (!engine->hedge_late)
        return; /* it will be told of as any late reply */
    struct hedge_late *late = engine->hedge_late;
    late->keys[late->next] = late_key(d->recipient->system, message_text(d->message, ATTRIBUTE_ID));
    late->next = (late->next + 1) % HEDGE_LATE_MAX;
}

bool hedge_is_late(struct engine *engine, const struct message *reply, uint32_t from) {
    struct slice cause = message_text(reply, ATTRIBUTE_CAUSATIONID);
    uint64_t key = late_key(from, cause);
    for (uint32_t i = 0; cause.size && i < HEDGE_LATE_MAX; i++)
        if (engine->hedge_late->keys[i] == key) {
            engine->hedge_late->keys[i] = 0;
            engine->totals.hedges_late++;
            return true;
        }
    return false;
}

/* -- two that are one -- */

/* Off the connection, without a word about the endpoint: it was only slower, or not even that. */
static void cancel_flight(struct delivery *d) {
    struct session *s = d->session;
    for (uint32_t i = 0; s && i < s->flight_count; i++) {
        struct flight *f = flight_find(s, s->flight_base + i);
        if (f->delivery != d)
            continue;
        f->delivery = NULL;
        f->over = true;
        connection_cancel(s->connection, s->flight_base + i);
    }
    d->session = NULL;
}

/* Out of whatever list its state put it into. */
static void leave_place(struct engine *engine, struct delivery *d) {
    if (d->state == DELIVERY_QUEUED || d->state == DELIVERY_BLOCKED) {
        recipient_unqueue(d);
    } else if (d->state == DELIVERY_LATER) {
        attempt_unwait(d);
    } else {
        if (d->state == DELIVERY_SENT)
            cancel_flight(d);
        attempt_unlist(engine, d);
    }
}

static void unpair(struct delivery *d) {
    d->twin->twin = NULL;
    d->twin = NULL;
}

/* The second attempt is no more. */
static void drop(struct engine *engine, struct delivery *hedge) {
    expect_late(engine, hedge);
    unpair(hedge);
    leave_place(engine, hedge);
    delivery_free(engine, hedge);
}

void hedge_part(struct engine *engine, struct delivery *d) {
    if (d->is_hedge)
        unpair(d);
    else
        drop(engine, d->twin);
}

/* The first attempt is over or given up; the request has the second one's place now. */
static void adopt(struct engine *engine, struct delivery *d) {
    struct delivery *hedge = d->twin;
    struct recipient *r = d->recipient;
    bool was_under_way = d->state == DELIVERY_SENT || d->state == DELIVERY_ASKED;
    if (was_under_way)
        expect_late(engine, d);
    leave_place(engine, d);
    d->state = hedge->state;
    d->session = hedge->session;
    d->sent_to = hedge->sent_to;
    d->hedge_due = MONO_NEVER;
    for (uint32_t i = 0; d->session && i < d->session->flight_count; i++) {
        struct flight *f = flight_find(d->session, d->session->flight_base + i);
        if (f->delivery == hedge)
            f->delivery = d;
    }
    list_remove(hedge->state == DELIVERY_SENT ? &r->sent : &r->asked, &hedge->node);
    list_add(d->state == DELIVERY_SENT ? &r->sent : &r->asked, &d->node);
    unpair(d);
    delivery_free(engine, hedge);
    if (d->state == DELIVERY_ASKED)
        key_release(engine, d); /* it is there: the next of its key may follow */
    timer_set(engine, &d->timer, attempt_due(engine, d));
}

/* -- asking another -- */

struct mono hedge_begin(const struct engine *engine, const struct delivery *d) {
    int64_t after = d->timed && !d->foreign && !d->is_hedge && !d->twin ? attempt_policy(engine, d)->hedge_ns : 0;
    return after && d->attempt < d->attempts ? mono_after(engine->now.mono, after) : MONO_NEVER;
}

static const struct outlet *outlet_of(const struct recipient *r, uint32_t id) {
    for (struct list_node *node = list_first(&r->members); node; node = list_next(&r->members, node)) {
        const struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        if (m->outlet->id == id)
            return m->outlet;
    }
    return NULL;
}

/* Somebody else of this worker's could ever be asked. */
static bool has_other(const struct engine *engine, const struct recipient *r, uint32_t first) {
    const struct system *system = engine_system(engine, r->system);
    for (size_t i = 0; system && &system->recipient == r && i < system->endpoint_count; i++)
        if (system->endpoints[i]->outlet.id != first && system->endpoints[i]->plan->config->enabled)
            return true;
    for (struct list_node *node = list_first(&r->members); node; node = list_next(&r->members, node)) {
        const struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        if (m->session && m->outlet->id != first)
            return true;
    }
    return false;
}

/* Another endpoint or session, of this worker, that has room; NULL: there is none now. */
static struct member *another(struct engine *engine, struct delivery *d) {
    struct recipient *r = d->recipient;
    struct avoid avoid = d->avoid;
    const struct outlet *first = outlet_of(r, d->sent_to);
    if (first)
        avoid_add(&avoid, first);
    struct member *m = recipient_is_ready(engine, r) ? recipient_pick(engine, r, d->message, &avoid) : NULL;
    if (m && m->session && m->outlet->id != d->sent_to && member_can_take(m))
        return m;
    struct system *system = engine_system(engine, r->system);
    if (first && system && &system->recipient == r)
        endpoint_want_other(engine, system, first);
    return NULL;
}

static void ask_too(struct engine *engine, struct delivery *d, struct member *m) {
    struct recipient *r = d->recipient;
    struct delivery *hedge = delivery_new(engine, r, d->message);
    if (!hedge)
        return;
    d->attempt++;
    hedge->is_hedge = hedge->asks = true;
    hedge->attempt = d->attempt;
    hedge->attempts = d->attempts;
    hedge->attempt_ns = d->attempt_ns;
    hedge->request_due = d->request_due;
    hedge->route = d->route;
    hedge->trace = d->trace;
    hedge->from = d->from;
    hedge->received = d->received;
    hedge->state = DELIVERY_SENT;
    hedge->session = m->session;
    hedge->twin = d;
    d->twin = hedge;
    list_add(&r->sent, &hedge->node);
    if (member_send(engine, m, hedge->message, hedge, hedge->attempt, hedge->from) != STATUS_OK) {
        hedge->session = NULL;
        drop(engine, hedge);
        return;
    }
    engine->totals.hedges_sent++;
}

void hedge_ring(struct engine *engine, struct delivery *d) {
    struct member *m = another(engine, d);
    bool waits = !m && has_other(engine, d->recipient, d->sent_to);
    d->hedge_due = waits ? mono_after(engine->now.mono, AGAIN_NS) : MONO_NEVER;
    if (m && attempt_pays(engine, d))
        ask_too(engine, d, m);
    else if (m)
        engine->totals.hedges_unpaid++;
    timer_set(engine, &d->timer, mono_min(mono_min(d->request_due, d->step_due), d->hedge_due));
}

/* -- what becomes of them -- */

bool hedge_stands_in(struct engine *engine, struct delivery *d, const struct outlet *outlet) {
    if (d->is_hedge) {
        struct delivery *first = d->twin;
        if (outlet)
            avoid_add(&first->avoid, outlet);
        drop(engine, d);
        return true;
    }
    if (outlet)
        avoid_add(&d->avoid, outlet);
    adopt(engine, d);
    return true;
}

struct delivery *hedge_answered(struct engine *engine, struct delivery *d) {
    if (!d->is_hedge)
        return d;
    struct delivery *first = d->twin;
    engine->totals.hedges_won++;
    adopt(engine, first);
    return first;
}

void hedge_answered_by(struct engine *engine, struct delivery *d, const struct session *s) {
    for (struct list_node *node = s ? list_first(&s->members) : NULL; node; node = list_next(&s->members, node))
        if (LIST_ENTRY(node, struct member, session_node)->outlet->id == d->twin->sent_to) {
            hedge_answered(engine, d->twin);
            return;
        }
}

const char *hedge_check(const struct delivery *d) {
    if (d->is_hedge && (!d->twin || d->twin->is_hedge || d->twin->twin != d))
        return "a second attempt without its first";
    if (d->is_hedge && (d->pending || d->asker || d->later || d->key_head))
        return "a second attempt has what belongs to its request";
    if (d->is_hedge && d->recipient != d->twin->recipient)
        return "two attempts of one request are with two recipients";
    return NULL;
}
