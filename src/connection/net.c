/* The table of connections: how they open, end and are freed; deadlines and actions. */
#include "connection/net.h"

#include "base/assert.h"
#include "base/memory.h"
#include "connection/inner.h"

#define CLOSE_TIMEOUT_NS (30 * NS_PER_S) /* where timeouts.write isn't said */
#define RATE_GRACE_NS (5 * NS_PER_S)     /* a unit has begun: nothing is expected yet */
#define RATE_WINDOW_S 5                  /* limits.min_rate is looked at over so long */
#define RATE_WINDOW_NS (RATE_WINDOW_S * NS_PER_S)
#define FIRST_SLOTS 16
#define AGAIN_NS NS_PER_MS

bool net_init(struct net *net, const struct net_calls *calls, void *user, uint32_t count_max, uint64_t seed) {
    *net = (struct net){.calls = calls, .user = user, .count_max = count_max};
    uuid_source_init(&net->worker.ids, seed);
    chain_pool_init(&net->pool);
    list_init(&net->open);
    list_init(&net->dirty);
    list_init(&net->dead);
    list_init(&net->parked);
    map_init(&net->sessions, seed);
    deadlines_init(&net->deadlines);
    buffer_init(&net->worker.scratch, 4u << 20);
    void *extra = memory_alloc(NET_EXTRA_SIZE);
    if (!extra)
        return false;
    buffer_init_fixed(&net->worker.extra, extra, NET_EXTRA_SIZE);
    return true;
}

static void free_connection(struct net *net, struct connection *c) {
    net->bytes -= sizeof *c + c->counted;
    if (c->state)
        c->protocol->done(c->state);
    memory_free(c->state);
    filtered_free(c);
    chain_done(&c->out);
    net_forget_partial(c);
    uint32_t slot = (uint32_t)c->handle;
    net->slots[slot] = NULL;
    net->generations[slot]++;
    if (slot < net->slot_free)
        net->slot_free = slot;
    memory_free(c);
}

void net_done(struct net *net) {
    for (uint32_t i = 0; i < net->slot_count; i++) {
        struct connection *c = net->slots[i];
        if (!c)
            continue;
        deadlines_clear(&net->deadlines, &c->deadline);
        free_connection(net, c);
    }
    map_done(&net->sessions);
    chain_pool_done(&net->pool);
    memory_free(net->plain);
    memory_free(net->worker.extra.data);
    buffer_done(&net->worker.scratch);
    coding_done(&net->worker.coder);
    websocket_worker_done(&net->worker.websocket);
    memory_free(net->worker.gift);
    while (net->worker.ring_count)
        memory_free(net->worker.rings[--net->worker.ring_count].entries);
    memory_free(net->slots);
    memory_free(net->generations);
    memory_free(net->actions);
    memory_free(net->listed);
    *net = (struct net){0};
}

struct connection *net_find(const struct net *net, uint64_t handle) {
    uint32_t slot = (uint32_t)handle;
    if (slot >= net->slot_count || !net->slots[slot] || net->slots[slot]->handle != handle ||
        net->slots[slot]->status >= CONNECTION_PARKED)
        return NULL;
    return net->slots[slot];
}

static bool grow_slots(struct net *net) {
    uint32_t count = net->slot_count ? net->slot_count * 2 : FIRST_SLOTS;
    struct connection **slots = memory_resize(net->slots, count * sizeof(struct connection *));
    if (!slots)
        return false;
    net->slots = slots;
    uint32_t *generations = memory_resize(net->generations, count * sizeof *generations);
    if (!generations)
        return false;
    net->generations = generations;
    for (uint32_t i = net->slot_count; i < count; i++) {
        slots[i] = NULL;
        generations[i] = 1;
    }
    net->slot_free = net->slot_count;
    net->slot_count = count;
    return true;
}

static bool take_slot(struct net *net, struct connection *c) {
    uint32_t slot = net->slot_free;
    while (slot < net->slot_count && net->slots[slot])
        slot++;
    if (slot == net->slot_count && !grow_slots(net))
        return false;
    net->slots[slot] = c;
    net->slot_free = slot + 1;
    c->handle = (uint64_t)net->generations[slot] << 32 | slot;
    return true;
}

static struct connection *new_connection(struct net *net, const struct protocol *protocol,
                                         const struct protocol_setup *setup) {
    if (net->count >= net->count_max)
        return NULL;
    struct connection *c = memory_new(sizeof *c);
    if (!c)
        return NULL;
    c->net = net;
    c->protocol = protocol;
    c->setup = setup;
    c->deadline.at = c->until = c->sink.due = MONO_NEVER;
    c->write_until = c->rate_until = c->begun = MONO_NEVER;
    c->listener = UINT32_MAX;
    c->state = memory_new(protocol->state_size);
    if (!c->state || !take_slot(net, c)) {
        memory_free(c->state);
        memory_free(c);
        return NULL;
    }
    net->bytes += sizeof *c; /* until free_connection() */
    c->sink.calls = &net->calls->protocol;
    c->sink.user = c;
    c->sink.out = &c->out;
    c->sink.presents = &setup->presents;
    chain_init(&c->out, &net->pool, protocol->is_datagram);
    list_add(&net->open, &c->node);
    net->count++;
    return c;
}

void net_open_protocol(struct connection *c, struct now now) {
    c->status = CONNECTION_OPEN;
    c->was_open = true;
    c->opened = now.mono;
    c->until = MONO_NEVER;
    c->sink.known = c->filtered && c->net->calls->known && c->net->calls->known(c->net->user, c);
    struct connection *parked = net_awaiting(c);
    if (parked) {
        net_adopt(c, parked, now);
        return;
    }
    c->protocol->open(c->state, c->setup, &c->net->worker, &c->sink, &c->peer, now);
    c->net->calls->opened(c->net->user, c, now);
    connection_touch(c);
}

static void connected(struct connection *c, struct now now) {
    if (c->setup->filter_count && !c->net->bare)
        filtered_begin(c, now);
    else
        net_open_protocol(c, now);
}

struct connection *net_accept(struct net *net, const struct protocol *protocol, const struct protocol_setup *setup,
                              uint32_t listener, const struct address *peer, struct now now) {
    net->now = now;
    struct connection *c = new_connection(net, protocol, setup);
    if (!c)
        return NULL;
    c->listener = listener;
    if (peer)
        c->peer = *peer;
    connected(c, now);
    return c;
}

struct connection *net_virtual(struct net *net, const struct protocol *protocol, const struct protocol_setup *setup,
                               uint32_t listener, const struct address *peer, struct now now) {
    net->now = now;
    struct connection *c = new_connection(net, protocol, setup);
    if (!c)
        return NULL;
    c->is_virtual = true;
    c->listener = listener;
    if (peer)
        c->peer = *peer;
    net_open_protocol(c, now);
    return c;
}

struct connection *net_dial(struct net *net, const struct protocol *protocol, const struct protocol_setup *setup,
                            uint64_t place, int64_t timeout_ns, void *owner, struct now now) {
    net->now = now;
    struct connection *c = new_connection(net, protocol, setup);
    if (!c)
        return NULL;
    if (!net_act(net, (struct net_action){.kind = NET_DIAL, .connection = c->handle, .place = place})) {
        list_remove(&net->open, &c->node);
        net->count--;
        free_connection(net, c);
        return NULL;
    }
    c->owner = owner;
    c->status = CONNECTION_DIALLING;
    c->opened = now.mono;
    c->until = mono_after(now.mono, timeout_ns);
    connection_touch(c);
    return c;
}

void net_connected(struct net *net, uint64_t handle, const struct address *peer, struct now now) {
    net->now = now;
    struct connection *c = net_find(net, handle);
    if (!c || c->status != CONNECTION_DIALLING)
        return;
    if (peer)
        c->peer = *peer;
    connected(c, now);
}

void net_lost(struct net *net, uint64_t handle, enum status status, struct now now) {
    net->now = now;
    struct connection *c = net_find(net, handle);
    if (c)
        connection_close(c, c->status == CONNECTION_CLOSING && c->reason != STATUS_OK ? c->reason : status);
}

void connection_close(struct connection *c, enum status status) {
    struct net *net = c->net;
    if (c->status == CONNECTION_CLOSED || net_park_if_lost(c, status))
        return;
    net_forget_session(c);
    c->linger = c->status == CONNECTION_CLOSING && c->sink.reading_done && !c->peer_ended && !c->sink.aborts;
    c->status = CONNECTION_CLOSED;
    c->sink.closing = true; /* a feed() that is under way stops */
    c->reason = status;
    c->sink.room = (struct protocol_room){0};
    deadlines_clear(&net->deadlines, &c->deadline);
    if (!c->was_parked) {
        list_remove(&net->open, &c->node);
        net->count--;
    }
    net->calls->closed(net->user, c, net->now);
    if (list_node_is_linked(&c->dirty))
        list_remove(&net->dirty, &c->dirty);
    list_add(&net->dead, &c->node);
    bool is_known = !c->is_virtual && !c->was_parked;
    c->close_told = !is_known || net_act(net, (struct net_action){.kind = NET_CLOSE, .connection = c->handle, .linger = c->linger, .reset = c->sink.aborts});
}

void connection_end(struct connection *c, enum status status) {
    if (c->status >= CONNECTION_CLOSING)
        return;
    if (c->status < CONNECTION_OPEN) {
        connection_close(c, status);
        return;
    }
    c->status = CONNECTION_CLOSING;
    c->sink.closing = true;
    c->reason = status;
    c->sink.room = (struct protocol_room){0};
    c->until = mono_after(c->net->now.mono, c->setup->timeouts.write_ns ? c->setup->timeouts.write_ns : CLOSE_TIMEOUT_NS);
    connection_touch(c);
}

void connection_shut(struct connection *c, enum status status, int64_t grace_ns) {
    if (c->status < CONNECTION_OPEN) {
        connection_close(c, status);
        return;
    }
    if (c->status != CONNECTION_OPEN)
        return;
    c->until = mono_min(c->until, mono_after(c->net->now.mono, grace_ns));
    c->reason = status;
    c->protocol->shut(c->state, status, c->net->now);
    connection_touch(c);
}

void connection_touch(struct connection *c) {
    if (c->status < CONNECTION_PARKED && !list_node_is_linked(&c->dirty))
        list_add(&c->net->dirty, &c->dirty);
}

static bool reserve_action(struct net *net) {
    if (net->action_count < net->action_capacity)
        return true;
    uint32_t capacity = net->action_capacity ? net->action_capacity * 2 : 64;
    struct net_action *actions = memory_resize(net->actions, capacity * sizeof *actions);
    if (!actions)
        return false;
    net->actions = actions;
    net->action_capacity = capacity;
    return true;
}

bool net_can_act(struct net *net) {
    return reserve_action(net);
}

bool net_act(struct net *net, struct net_action action) {
    if (!reserve_action(net))
        return false;
    net->actions[net->action_count++] = action;
    return true;
}

void net_fail(struct connection *c, enum status status, const char *words) {
    if (c->status != CONNECTION_OPEN || c->sink.closing)
        return;
    if (c->protocol->fail)
        c->protocol->fail(c->state, status, words, c->net->now);
    if (!c->sink.closing)
        connection_end(c, status);
    connection_touch(c);
}

void net_recount(struct connection *c) {
    const struct protocol_session *session = net_session(c);
    size_t before = c->counted, kept = session ? session->kept : 0;
    size_t weight = c->filtered && c->filtered->state ? c->filtered->filter->weight : 0;
    c->counted = (c->partial ? c->partial->capacity : 0) + c->sink.held + kept + weight;
    c->net->bytes += c->counted - before;
    if (c->net->is_short && c->counted > before && c->counted > kept + weight && !c->setup->is_admin)
        net_fail(c, STATUS_OVERLOADED, "`limits.memory` is reached");
}

/* -- peers that don't take what we write, or don't bring what they began -- */

/* Whether all is as it should be; else the connection is closed. */
static bool look_at_writing(struct connection *c, struct now now) {
    int64_t limit = c->setup->timeouts.write_ns;
    if (chain_unsent(&c->out) == 0) {
        c->write_until = MONO_NEVER;
    } else if (now.mono.ns - c->taken.ns < limit) {
        c->write_until = mono_after(c->taken, limit);
    } else {
        connection_close(c, STATUS_WRITE_TIMEOUT);
        return false;
    }
    return true;
}

/* Whether a unit has begun that only the peer can bring to its end. */
static bool waits_for_peer(const struct connection *c) {
    return c->status == CONNECTION_OPEN && (c->partial || c->sink.held) && connection_reads(c);
}

static void look_at_rate(struct connection *c, struct now now) {
    if (!waits_for_peer(c) || c->begun.ns == MONO_NEVER.ns) {
        c->rate_until = MONO_NEVER;
        return;
    }
    if (now.mono.ns - c->begun.ns >= RATE_GRACE_NS + RATE_WINDOW_NS) {
        if ((c->bytes_in - c->begun_bytes) / RATE_WINDOW_S < c->setup->limits.min_rate) {
            net_fail(c, STATUS_TOO_SLOW, "it came slower than `limits.min_rate`");
            return;
        }
        c->begun = mono_after(now.mono, -RATE_GRACE_NS); /* the next window; there is no second grace */
        c->begun_bytes = c->bytes_in;
    }
    c->rate_until = mono_after(c->begun, RATE_GRACE_NS + RATE_WINDOW_NS);
}

/* Both are looked at when they come due alone: whoever reads and writes all the time pays for neither. */
static void watch_peer(struct connection *c, struct now now) {
    if (chain_unsent(&c->out) > 0 && c->write_until.ns == MONO_NEVER.ns && c->setup->timeouts.write_ns && !c->out.datagrams)
        c->write_until = mono_after(now.mono, c->setup->timeouts.write_ns);
    if (!c->setup->limits.min_rate)
        return;
    if (!waits_for_peer(c)) {
        c->begun = MONO_NEVER;
        return;
    }
    if (c->begun.ns == MONO_NEVER.ns) {
        c->begun = now.mono;
        c->begun_bytes = c->bytes_in;
    }
    if (c->rate_until.ns == MONO_NEVER.ns)
        c->rate_until = mono_after(c->begun, RATE_GRACE_NS + RATE_WINDOW_NS);
}

void net_tick(struct net *net, struct now now) {
    net->now = now;
    struct deadline *deadline;
    while ((deadline = deadlines_take(&net->deadlines, now.mono))) {
        struct connection *c = LIST_ENTRY(deadline, struct connection, deadline);
        if (mono_due(c->until, now.mono)) {
            enum status status = c->status == CONNECTION_DIALLING   ? STATUS_CONNECT_TIMEOUT
                                 : c->status == CONNECTION_SECURING ? STATUS_HANDSHAKE_TIMEOUT
                                 : c->reason != STATUS_OK           ? c->reason
                                                                    : STATUS_WRITE_TIMEOUT;
            connection_close(c, status);
            continue;
        }
        if (mono_due(c->write_until, now.mono) && !look_at_writing(c, now))
            continue;
        if (c->status == CONNECTION_OPEN && mono_due(c->sink.due, now.mono)) {
            c->sink.due = MONO_NEVER;
            c->protocol->tick(c->state, now);
        }
        if (mono_due(c->rate_until, now.mono))
            look_at_rate(c, now);
        if (c->filtered)
            filtered_tick(c, now);
        connection_touch(c);
    }
}

struct mono net_due(const struct net *net) {
    struct mono next = deadlines_next(&net->deadlines);
    if (net->dirty.count || net->dead.count) /* no memory for an action: tried again */
        next = mono_min(next, mono_after(net->now.mono, AGAIN_NS));
    return next;
}

/* The first error is remembered in `closing`; what was written by then still goes out. */
static void look_after(struct connection *c, struct now now) {
    struct net *net = c->net;
    if (c->status == CONNECTION_OPEN && c->sink.gathers && !c->sink.closing)
        c->protocol->flush(c->state, now);
    net_recount(c);
    if (c->status == CONNECTION_OPEN && c->sink.closing) {
        enum status status = c->sink.close_status;
        if (net_park_if_lost(c, status))
            return;
        connection_end(c, status);
        list_remove(&net->dirty, &c->dirty); /* it is looked after here and now */
    }
    if (c->filtered)
        filtered_seal(c, now);
    uint64_t unsent = c->filtered ? filtered_unsent(c) : chain_unsent(&c->out);
    if (c->status == CONNECTION_CLOSING && unsent == 0) {
        connection_close(c, c->reason);
        return;
    }
    if (c->status != CONNECTION_DIALLING && unsent > 0 && !c->flushed) {
        c->flushed = net_act(net, (struct net_action){.kind = NET_FLUSH, .connection = c->handle});
        c->taken = now.mono;
        if (!c->flushed)
            connection_touch(c);
    }
    if (unsent == 0 && c->status == CONNECTION_OPEN) {
        chain_rest(&c->out);
        if (c->filtered)
            chain_rest(&c->filtered->wire);
        if (c->protocol->rest)
            c->protocol->rest(c->state);
        if (net->calls->rested)
            net->calls->rested(net->user, c, now);
    }
    bool off = !connection_reads(c) && c->status == CONNECTION_OPEN && !c->is_virtual;
    if (off != c->reads_off) {
        if (net_act(net, (struct net_action){.kind = NET_READ, .connection = c->handle, .on = !off}))
            c->reads_off = off;
        else
            connection_touch(c);
    }
    watch_peer(c, now);
    struct mono due = c->status == CONNECTION_OPEN ? mono_min(mono_min(c->sink.due, c->until), c->rate_until) : c->until;
    if (c->filtered)
        due = mono_min(due, c->filtered->sink.due);
    due = mono_min(due, c->write_until);
    if (due.ns != c->deadline.at.ns)
        deadlines_set(&net->deadlines, &c->deadline, due);
}

void net_settle(struct net *net, struct now now) {
    net->now = now;
    for (size_t left = net->dirty.count; left > 0 && net->dirty.count; left--) {
        struct connection *c = LIST_ENTRY(list_take_first(&net->dirty), struct connection, dirty);
        net_resume(c, now);
        if (c->status != CONNECTION_CLOSED && !list_node_is_linked(&c->dirty))
            look_after(c, now);
    }
}

const struct net_action *net_finish(struct net *net, struct now now, uint32_t *ret_count) {
    net_settle(net, now);
    for (struct list_node *node = list_first(&net->dead); node;) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        node = list_next(&net->dead, node);
        if (!c->close_told)
            c->close_told = net_act(net, (struct net_action){.kind = NET_CLOSE, .connection = c->handle, .linger = c->linger, .reset = c->sink.aborts});
        if (!c->close_told)
            continue; /* the world still has it: it keeps its slot until it is told */
        list_remove(&net->dead, &c->node);
        free_connection(net, c);
    }
    struct net_action *list = net->actions;
    uint32_t capacity = net->action_capacity;
    *ret_count = net->action_count;
    net->actions = net->listed;
    net->action_capacity = net->listed_capacity;
    net->listed = list;
    net->listed_capacity = capacity;
    net->action_count = 0;
    return list;
}
