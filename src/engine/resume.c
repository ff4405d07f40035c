/* Sessions between two connections: what is under way to a peer that was lost stays with it until it comes back, or until
 * nobody expects that any more. */
#include "engine/inner.h"

bool session_keep(void *connection, struct slice name) {
    struct connection *c = connection;
    return net_keep(c, name);
}

/* The same peer: by identity, by system, and at the same place of ours. */
static bool is_same(const struct session *a, const struct session *b) {
    return a->identity == b->identity && a->system == b->system && a->listener == b->listener && !a->endpoint && !b->endpoint;
}

bool session_resume(void *connection, struct slice name) {
    struct connection *c = connection, *kept = net_kept(c->net, name);
    if (!kept || kept == c || kept->protocol != c->protocol || !is_same(c->owner, kept->owner))
        return false;
    /* One connection a session: the newer wins. */
    if (kept->status != CONNECTION_PARKED && !net_park(kept, STATUS_SESSION_UNKNOWN))
        return false;
    c->net->resumes = kept;
    return true;
}

static struct slice handle_of(const struct session *s) {
    return slice_make(&s->work->announced, sizeof s->work->announced);
}

struct session *session_by_handle(struct engine *engine, uint64_t handle) {
    const struct connection *c = net_find(&engine->net, handle);
    if (c)
        return c->was_open ? c->owner : NULL;
    return map_get(&engine->moved, slice_make(&handle, sizeof handle));
}

void session_moved_done(struct engine *engine, struct session *s) {
    if (map_get(&engine->moved, handle_of(s)) == s)
        map_remove(&engine->moved, handle_of(s));
}

static void look_at_members(struct engine *engine, struct session *s) {
    for (struct list_node *node = list_first(&s->members); node; node = list_next(&s->members, node))
        member_look(engine, LIST_ENTRY(node, struct member, session_node));
}

void session_parked(void *user, struct connection *c, struct now now) {
    struct engine *engine = user;
    struct session *s = c->owner;
    engine->now = now;
    engine->totals.connections--;
    if (engine->options.calls && engine->options.calls->connection)
        engine->options.calls->connection(engine->options.user, c, false);
    look_at_members(engine, s);
    /* What other workers hand to it waits here too. Without memory for this they are told that it is gone. */
    if (s->members.count && !map_get(&engine->moved, handle_of(s)))
        map_put(&engine->moved, handle_of(s), s);
    if (s->work != &engine->no_work)
        timer_set(engine, &s->work->acks, MONO_NEVER); /* who isn't there can't acknowledge */
    if (s->members.count && s->work != &engine->no_work)
        mail_pause(engine, s, 0); /* and other workers keep what they would hand over: another session may come meanwhile */
    if (s->retiring) {
        s->endpoint->retiring--; /* of the connection that is lost: the next one is new */
        s->retiring = false;
    }
    if (s->endpoint)
        endpoint_closed(engine, s->endpoint, c, s->is_there);
}

/* The session that the new connection began with is nobody's. */
static void discard(struct engine *engine, struct session *s) {
    if (list_node_is_linked(&s->settle_node))
        list_remove(&engine->settles, &s->settle_node);
    memory_free(s->flights);
    if (s->work != &engine->no_work)
        memory_free(s->work);
    memo_leave(engine, s);
    memory_free(s);
}

static void wait_for_acks(struct engine *engine, struct session *s) {
    const struct system *system = engine_system(engine, s->system);
    for (uint32_t i = 0; i < s->flight_count; i++) {
        struct flight *f = flight_find(s, s->flight_base + i);
        f->sent = engine->now.mono;
        f->tried = true;
    }
    if (s->flight_count && system && s->work != &engine->no_work)
        timer_set(engine, &s->work->acks, mono_after(engine->now.mono, system->config->policy.timeouts.ack_ns));
}

void session_adopted(void *user, struct connection *c, struct connection *parked, struct now now) {
    struct engine *engine = user;
    struct session *s = parked->owner;
    engine->now = now;
    if (s->endpoint) { /* dialled: it was not opened for itself */
        endpoint_opened(engine, s->endpoint);
        engine->totals.connections++;
        if (engine->options.calls && engine->options.calls->connection)
            engine->options.calls->connection(engine->options.user, c, true);
    } else {
        discard(engine, c->owner);
    }
    parked->owner = NULL;
    c->owner = s;
    s->connection = c;
    wait_for_acks(engine, s);
    if (s->members.count && s->work != &engine->no_work)
        mail_pause(engine, s, UINT32_MAX);
}

/* One that waits makes room for one that is there. */
bool session_make_place(struct engine *engine, const struct session *s) {
    for (struct list_node *node = list_first(&engine->net.parked); node; node = list_next(&engine->net.parked, node)) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        const struct session *other = c->owner;
        if (!other->serving || other->system != s->system || other->identity != s->identity)
            continue;
        connection_close(c, STATUS_SESSION_UNKNOWN);
        return true;
    }
    return false;
}
