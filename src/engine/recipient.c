/* Lanes and takers: who can take a message for a recipient now, and what waits until somebody can. */
#include "engine/ways.h"

#define SWEEP_EVERY_NS (100 * NS_PER_MS)
#define SESSION_LIMIT 256

void recipient_init(struct recipient *r, uint32_t system, struct slice name, uint64_t messages, uint64_t bytes,
                    uint64_t seed) {
    *r = (struct recipient){.system = system, .name = name, .queue_messages_max = messages, .queue_bytes_max = bytes};
    lanes_init(&r->lanes);
    for (int i = 0; i < PRIORITY_COUNT; i++)
        list_init(&r->queue[i]);
    list_init(&r->sent);
    list_init(&r->asked);
    list_init(&r->later);
    for (int i = 0; i < PRIORITY_COUNT; i++)
        list_init(&r->waiters[i]);
    list_init(&r->outlets_ready);
    list_init(&r->members);
    list_init(&r->proxies);
    map_init(&r->keys, seed);
    r->sweep = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_SWEEP};
}

void recipient_done(struct engine *engine, struct recipient *r) {
    deadlines_clear(&engine->deadlines, &r->sweep.deadline);
    if (list_node_is_linked(&r->pump_node))
        list_remove(&engine->pumps, &r->pump_node);
    map_done(&r->keys);
}

bool recipient_has_room(const struct recipient *r, size_t size) {
    return r->queued + r->later.count < r->queue_messages_max && r->queued_bytes + r->later_bytes + size <= r->queue_bytes_max;
}

/* -- takers -- */

static void outlet_is_full(struct engine *engine, struct outlet *outlet) {
    list_remove(&outlet->recipient->outlets_ready, &outlet->node);
    choice_place(engine, outlet);
}

void member_moves(struct engine *engine, struct member *m) {
    struct outlet *outlet = m->outlet;
    struct recipient *r = m->recipient;
    if (!list_node_is_linked(&m->ready_node)) {
        list_add(&outlet->ready, &m->ready_node);
        if (!list_node_is_linked(&outlet->node)) {
            list_add(&r->outlets_ready, &outlet->node);
            choice_place(engine, outlet);
        }
        if (r->queued || r->waiting || r->proxies.count)
            recipient_wake(engine, r);
    } else {
        list_remove(&outlet->ready, &m->ready_node);
        if (outlet->ready.count == 0)
            outlet_is_full(engine, outlet);
    }
}

bool recipient_is_ready(struct engine *engine, struct recipient *r) {
    return r->choice ? choice_is_ready(engine, r->choice) : r->outlets_ready.count > 0;
}

void avoid_add(struct avoid *avoid, const struct outlet *outlet) {
    if (avoid_has(avoid, outlet))
        return;
    memmove(avoid->outlets + 1, avoid->outlets, sizeof avoid->outlets - sizeof avoid->outlets[0]);
    avoid->outlets[0] = outlet->id;
}

bool avoid_has(const struct avoid *avoid, const struct outlet *outlet) {
    for (unsigned i = 0; i < AVOID_MAX; i++)
        if (avoid->outlets[i] == outlet->id)
            return true;
    return false;
}

/* Those that are avoided are few: at most so many are passed over. */
struct member *recipient_pick(struct engine *engine, struct recipient *r, const struct message *message,
                              const struct avoid *avoid) {
    struct list_node *node = list_first(&r->outlets_ready);
    if (r->choice) {
        struct outlet *chosen = node ? choice_pick(engine, r->choice, message, avoid) : NULL;
        return chosen ? LIST_ENTRY(list_first(&chosen->ready), struct member, ready_node) : NULL;
    }
    while (node && avoid && avoid->outlets[0] && avoid_has(avoid, LIST_ENTRY(node, struct outlet, node)))
        node = list_next(&r->outlets_ready, node);
    if (!node && !(node = list_first(&r->outlets_ready)))
        return NULL;
    struct outlet *outlet = LIST_ENTRY(node, struct outlet, node);
    return LIST_ENTRY(list_first(&outlet->ready), struct member, ready_node);
}

/* Round robin: over endpoints and sessions first, then over an endpoint's connections; but a connection that takes many
 * at once is filled before the next: what leaves together costs one write, one read and one answer. */
static void rotate(struct member *m) {
    struct recipient *r = m->recipient;
    bool fills = m->outlet->endpoint && endpoint_takes(m->outlet->endpoint) > 1;
    if (list_node_is_linked(&m->ready_node) && m->outlet->ready.count > 1 && !fills) {
        list_remove(&m->outlet->ready, &m->ready_node);
        list_add(&m->outlet->ready, &m->ready_node);
    }
    if (list_node_is_linked(&m->outlet->node) && r->outlets_ready.count > 1) {
        list_remove(&r->outlets_ready, &m->outlet->node);
        list_add(&r->outlets_ready, &m->outlet->node);
    }
}

void member_took(struct engine *engine, struct member *m) {
    member_look(engine, m);
    if (m->outlet->ready.count > 1 || m->recipient->outlets_ready.count > 1)
        rotate(m);
}

enum status member_send(struct engine *engine, struct member *m, const struct message *message,
                        struct delivery *delivery, uint8_t attempt, uint32_t from) {
    enum status status = m->session ? flight_send(engine, m, message, delivery, attempt, from)
                                    : mail_deliver(engine, m, delivery);
    member_took(engine, m);
    if (m->recipient->choice)
        choice_sent(engine, m);
    return status;
}

static bool give_outlet(struct engine *engine, struct member *m) {
    m->outlet = memory_new(sizeof *m->outlet);
    if (!m->outlet)
        return false;
    m->own_outlet = true;
    m->outlet->recipient = m->recipient;
    m->outlet->id = ++engine->outlet_ids;
    m->outlet->slot = BALANCE_NONE;
    m->outlet->member = m;
    list_init(&m->outlet->ready);
    if (choice_join(engine, m->outlet))
        return true;
    memory_free(m->outlet);
    return false;
}

static void join(struct engine *engine, struct member *m) {
    struct recipient *r = m->recipient;
    list_add(&r->members, &m->recipient_node);
    r->holding_since.ns = 0;
    member_look(engine, m);
    if (r->queued || failover_names(engine, r))
        recipient_wake(engine, r);
}

/* A session of another worker. Without memory it just isn't used from here. */
void member_new_remote(struct engine *engine, struct recipient *r, uint32_t worker, uint64_t handle, uint32_t sub,
                       uint32_t limit) {
    struct member *m = memory_new(sizeof *m);
    if (!m)
        return;
    m->recipient = r;
    m->worker = worker;
    m->handle = handle;
    m->sub = sub;
    m->limit = limit;
    if (!give_outlet(engine, m)) {
        memory_free(m);
        return;
    }
    join(engine, m);
}

struct member *member_new(struct engine *engine, struct session *session, struct recipient *r,
                          struct endpoint *endpoint, uint32_t sub, uint32_t limit) {
    struct member *m = session_work(session) ? memory_new(sizeof *m) : NULL;
    if (!m)
        return NULL;
    m->session = session;
    m->recipient = r;
    m->sub = sub;
    m->limit = limit ? limit : SESSION_LIMIT;
    if (endpoint) {
        m->outlet = &endpoint->outlet;
    } else {
        if (!give_outlet(engine, m)) {
            memory_free(m);
            return NULL;
        }
    }
    list_add(&session->members, &m->session_node);
    join(engine, m);
    if (!endpoint)
        mail_presence(engine, m, true);
    return m;
}

/* Its flights outlive it on the session only while the session ends; they must not point here. */
static void forget_flights(struct engine *engine, struct member *m) {
    for (uint32_t i = 0; i < m->session->flight_count; i++) {
        struct flight *f = flight_find(m->session, m->session->flight_base + i);
        if (f->member == m) {
            f->member = NULL;
            choice_count(m, -1);
            m->recipient->in_flight--;
            engine->totals.in_flight--;
        }
    }
    for (struct list_node *node = list_first(&m->session->work->foreign); node;) {
        struct delivery *d = LIST_ENTRY(node, struct delivery, node);
        node = list_next(&m->session->work->foreign, node);
        if (d->member == m)
            delivery_end(engine, d, ENDING_DEAD, STATUS_PEER_CLOSED);
    }
    if (m->own_outlet)
        mail_presence(engine, m, false);
    list_remove(&m->session->members, &m->session_node);
}

/* What was handed to it is still told of by its worker. */
static void forget_mail(struct engine *engine, struct member *m) {
    for (struct list_node *node = list_first(&m->recipient->asked); node; node = list_next(&m->recipient->asked, node)) {
        struct delivery *d = LIST_ENTRY(node, struct delivery, node);
        if (d->member == m)
            mail_landed(engine, d);
    }
}

void member_free(struct engine *engine, struct member *m) {
    struct recipient *r = m->recipient;
    if (m->session)
        forget_flights(engine, m);
    else
        forget_mail(engine, m);
    if (list_node_is_linked(&m->ready_node)) {
        list_remove(&m->outlet->ready, &m->ready_node);
        if (m->outlet->ready.count == 0)
            outlet_is_full(engine, m->outlet);
    }
    list_remove(&r->members, &m->recipient_node);
    if (r->members.count == 0 && r->queued)
        r->holding_since = engine->now.wall;
    if (failover_names(engine, r))
        recipient_wake(engine, r);
    if (m->own_outlet) {
        choice_leave(engine, m->outlet);
        memory_free(m->outlet);
    }
    memory_free(m);
}

/* -- lanes -- */

static struct slice key_of(const struct delivery *d) {
    return message_text(d->message, ATTRIBUTE_PARTITIONKEY);
}

/* Of those with the same partition key and priority only one is under way. True: `d` has to wait for another. */
static bool key_blocks(struct delivery *d) {
    struct slice name = key_of(d);
    struct recipient *r = d->recipient;
    if (name.size == 0 || d->key_head || d->is_mirror)
        return false;
    uint8_t bytes[1 + 1024];
    if (name.size > sizeof bytes - 1)
        name.size = sizeof bytes - 1; /* longer keys share their order: more order than promised, never less */
    bytes[0] = d->priority;
    memcpy(bytes + 1, name.data, name.size);
    struct slice full = slice_make(bytes, name.size + 1);
    struct key_lane *key = map_get(&r->keys, full);
    if (key) {
        d->key = key;
        list_add(&key->blocked, &d->node);
        return true;
    }
    key = memory_alloc(sizeof *key + full.size);
    if (!key)
        return false;
    memcpy(key + 1, full.data, full.size);
    key->name = slice_make(key + 1, full.size);
    key->head = d;
    list_init(&key->blocked);
    if (!map_put(&r->keys, key->name, key)) {
        memory_free(key);
        return false;
    }
    d->key = key;
    d->key_head = true;
    return false;
}

void key_release(struct engine *engine, struct delivery *d) {
    struct key_lane *key = d->key;
    if (!key || !d->key_head)
        return;
    d->key = NULL;
    d->key_head = false;
    struct list_node *node = list_take_first(&key->blocked);
    if (!node) {
        map_remove(&d->recipient->keys, key->name);
        memory_free(key);
        return;
    }
    struct delivery *next = LIST_ENTRY(node, struct delivery, node);
    key->head = next;
    next->key_head = true;
    next->state = DELIVERY_QUEUED;
    list_add(&next->recipient->queue[next->priority - 1], &next->node);
    recipient_wake(engine, next->recipient);
}

static void sweep_at(struct engine *engine, struct recipient *r, const struct delivery *d) {
    int64_t left = d->message->expiry.ns - engine->now.wall.ns;
    if (d->message->expiry.ns == INT64_MAX)
        return;
    struct mono at = mono_after(engine->now.mono, left > 0 ? left : 0);
    if (at.ns < r->sweep.deadline.at.ns)
        timer_set(engine, &r->sweep, at);
}

/* Into its lane; `first`: at its head, because it came back unsent. */
void recipient_queue(struct engine *engine, struct delivery *d, bool first) {
    struct recipient *r = d->recipient;
    if (d->trace)
        trace_queued(engine, d);
    r->queued++;
    r->queued_bytes += message_kept_size(d->message);
    room_add(r, d);
    if (r->members.count == 0 && r->holding_since.ns == 0)
        r->holding_since = engine->now.wall;
    sweep_at(engine, r, d);
    if (key_blocks(d)) {
        d->state = DELIVERY_BLOCKED;
        return;
    }
    d->state = DELIVERY_QUEUED;
    if (first)
        list_add_first(&r->queue[d->priority - 1], &d->node);
    else
        list_add(&r->queue[d->priority - 1], &d->node);
    recipient_wake(engine, r);
}

void recipient_unqueue(struct delivery *d) {
    struct recipient *r = d->recipient;
    if (d->state == DELIVERY_BLOCKED) {
        list_remove(&d->key->blocked, &d->node);
        d->key = NULL;
    } else {
        list_remove(&r->queue[d->priority - 1], &d->node);
    }
    r->queued--;
    r->queued_bytes -= message_kept_size(d->message);
    room_remove(r, d);
    if (r->queued == 0)
        r->holding_since.ns = 0;
    if (r->slow && r->queued * 2 <= r->queue_messages_max && r->queued_bytes * 2 <= r->queue_bytes_max)
        r->slow = false;
}

void recipient_wake(struct engine *engine, struct recipient *r) {
    if (!list_node_is_linked(&r->pump_node))
        list_add(&engine->pumps, &r->pump_node);
}

static struct delivery *next_queued(struct recipient *r) {
    unsigned available = 0;
    for (unsigned i = 0; i < PRIORITY_COUNT; i++)
        available |= r->queue[i].count ? LANE_BIT(i + 1) : 0;
    unsigned priority = lanes_pick(&r->lanes, available);
    return priority ? LIST_ENTRY(list_first(&r->queue[priority - 1]), struct delivery, node) : NULL;
}

/* Some may have lost their room since they were last looked at. */
static struct member *pick_able(struct engine *engine, struct recipient *r, const struct delivery *d) {
    struct member *m;
    while ((m = recipient_pick(engine, r, d->message, &d->avoid)) && !member_can_take(m))
        member_look(engine, m);
    return m;
}

/* Sends while there is something in the lanes and somebody to take it. */
void recipient_pump(struct engine *engine, struct recipient *r) {
    struct delivery *d;
    if (r->proxies.count)
        proxy_pump(engine, r);
    while (recipient_is_ready(engine, r) && (d = next_queued(r))) {
        struct member *m = pick_able(engine, r, d);
        if (!m)
            break;
        if (d->message->expiry.ns <= engine->now.wall.ns) {
            delivery_end(engine, d, ENDING_EXPIRED, STATUS_EXPIRED);
            continue;
        }
        if (d->timed)
            timer_set(engine, &d->timer, attempt_due(engine, d));
        recipient_unqueue(d);
        d->state = DELIVERY_SENT;
        list_add(&r->sent, &d->node);
        d->session = m->session;
        enum status status = member_send(engine, m, d->message, d, d->attempt, d->from);
        if (status != STATUS_OK) {
            list_remove(&r->sent, &d->node);
            d->session = NULL;
            r->queued++;
            r->queued_bytes += message_kept_size(d->message);
            room_add(r, d);
            list_add_first(&r->queue[d->priority - 1], &d->node);
            d->state = DELIVERY_QUEUED;
            delivery_end(engine, d, ENDING_DEAD, status);
        }
    }
    if (r->waiting)
        offer_again(engine, r);
    if (failover_names(engine, r))
        failover_look(engine, engine_system(engine, r->system));
    if ((r->queued || r->waiting || r->proxies.count) && !r->is_subscription) {
        struct system *system = engine_system(engine, r->system);
        if (system && &system->recipient == r)
            endpoint_want(engine, system);
    }
}

/* Ends what expired in the lanes while nobody took it. */
void recipient_sweep(struct engine *engine, struct recipient *r) {
    int64_t earliest = INT64_MAX;
    for (int lane = 0; lane < PRIORITY_COUNT; lane++) {
        for (struct list_node *node = list_first(&r->queue[lane]); node;) {
            struct delivery *d = LIST_ENTRY(node, struct delivery, node);
            node = list_next(&r->queue[lane], node);
            if (d->message->expiry.ns <= engine->now.wall.ns)
                delivery_end(engine, d, ENDING_EXPIRED, STATUS_EXPIRED);
            else if (d->message->expiry.ns < earliest)
                earliest = d->message->expiry.ns;
        }
    }
    size_t position = 0;
    struct key_lane *key;
    while ((key = map_next(&r->keys, &position))) {
        for (struct list_node *node = list_first(&key->blocked); node;) {
            struct delivery *d = LIST_ENTRY(node, struct delivery, node);
            node = list_next(&key->blocked, node);
            if (d->message->expiry.ns <= engine->now.wall.ns)
                delivery_end(engine, d, ENDING_EXPIRED, STATUS_EXPIRED);
            else if (d->message->expiry.ns < earliest)
                earliest = d->message->expiry.ns;
        }
    }
    if (earliest == INT64_MAX)
        return;
    int64_t left = earliest - engine->now.wall.ns;
    timer_set(engine, &r->sweep, mono_after(engine->now.mono, left > SWEEP_EVERY_NS ? left : SWEEP_EVERY_NS));
}
