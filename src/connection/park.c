/* Sessions that outlive their connection. The connection that was lost stays in the table as a place for protocol and
 * owner, unknown to the world; when the peer comes back, they move to its new connection, and the old one is freed. */
#include "base/assert.h"
#include "base/memory.h"
#include "connection/inner.h"

bool net_keep(struct connection *c, struct slice session) {
    struct net *net = c->net;
    if (!c->protocol->session)
        return false; /* it stands within another protocol, which ends with its connection */
    if (c->listener == UINT32_MAX)
        return true; /* who dials it again is known by its endpoint */
    if (map_get(&net->sessions, session) || !map_put(&net->sessions, session, c))
        return false;
    c->is_named = true;
    return true;
}

struct connection *net_kept(const struct net *net, struct slice session) {
    return map_get(&net->sessions, session);
}

void net_forget_session(struct connection *c) {
    struct net *net = c->net;
    const struct protocol_session *session = net_session(c);
    if (c->is_named && session)
        map_remove(&net->sessions, session->name);
    c->is_named = false;
    if (c->status == CONNECTION_PARKED) {
        list_remove(&net->parked, &c->node);
        net->parked_bytes -= session ? session->kept : 0;
        c->was_parked = true;
    }
}

/* What says nothing about the peer but that it can't be reached this way. */
static bool is_loss(enum status status) {
    return status == STATUS_PEER_CLOSED || status == STATUS_RESET || status == STATUS_UNREACHABLE || status == STATUS_IO_ERROR ||
           status == STATUS_HEARTBEAT_TIMEOUT || status == STATUS_WRITE_TIMEOUT || status == STATUS_TRUNCATED;
}

bool net_park_if_lost(struct connection *c, enum status status) {
    return is_loss(status) && net_park(c, status);
}

bool net_park(struct connection *c, enum status status) {
    struct net *net = c->net;
    const struct protocol_session *session = c->status == CONNECTION_OPEN && !net->parks_none ? net_session(c) : NULL;
    if (!session || net->parked.count >= NET_PARKED_MAX || net->parked_bytes + session->kept > NET_PARKED_BYTES || !net_can_act(net))
        return false;
    struct mono until = c->protocol->detach(c->state, net->now);
    if (until.ns <= net->now.mono.ns)
        return false;
    c->status = CONNECTION_PARKED;
    c->reason = status;
    c->sink.closing = c->sink.paused = false;
    c->sink.room = (struct protocol_room){0};
    c->sink.want = c->sink.held = 0;
    c->sink.due = c->write_until = c->rate_until = c->begun = MONO_NEVER;
    filtered_free(c);
    chain_done(&c->out);
    net_forget_partial(c);
    list_remove(&net->open, &c->node);
    net->count--;
    list_add(&net->parked, &c->node);
    net->parked_bytes += session->kept;
    net_recount(c);
    if (list_node_is_linked(&c->dirty))
        list_remove(&net->dirty, &c->dirty);
    c->until = until;
    deadlines_set(&net->deadlines, &c->deadline, until);
    net_act(net, (struct net_action){.kind = NET_CLOSE, .connection = c->handle});
    net->calls->parked(net->user, c, net->now);
    return true;
}

void net_unpark(struct net *net, const struct protocol_setup *setup, enum status status) {
    for (struct list_node *node = list_first(&net->parked); node;) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        node = list_next(&net->parked, node);
        if (!setup || c->setup == setup)
            connection_close(c, status);
    }
}

struct connection *net_awaiting(const struct connection *c) {
    for (struct list_node *node = list_first(&c->net->parked); node && c->listener == UINT32_MAX; node = list_next(&c->net->parked, node)) {
        struct connection *parked = LIST_ENTRY(node, struct connection, node);
        if (parked->setup == c->setup && parked->listener == UINT32_MAX)
            return parked;
    }
    return NULL;
}

void net_adopt(struct connection *c, struct connection *parked, struct now now) {
    struct net *net = c->net;
    bool is_named = parked->is_named;
    ASSERT(parked->status == CONNECTION_PARKED);
    net_forget_session(parked);
    deadlines_clear(&net->deadlines, &parked->deadline);
    c->protocol->done(c->state);
    memory_free(c->state);
    c->state = parked->state;
    c->protocol = parked->protocol;
    parked->state = NULL;
    c->sink.terms = parked->sink.terms;
    c->sink.room = (struct protocol_room){0};
    c->sink.due = MONO_NEVER;
    c->sink.want = c->sink.held = 0;
    if (is_named) /* without memory for its name, it ends with this connection */
        net_keep(c, c->protocol->session(c->state)->name);
    net_recount(parked);
    net_recount(c);
    net->calls->adopted(net->user, c, parked, now);
    parked->status = CONNECTION_CLOSED;
    parked->close_told = true;
    list_add(&net->dead, &parked->node);
    c->protocol->attach(c->state, c->setup, &c->sink, now);
    connection_touch(c);
}
