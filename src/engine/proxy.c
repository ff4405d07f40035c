/* Streamed exchanges: their head decides where to, then two connections are a pair. */
#include "engine/proxy.h"

/* -- who is held back -- */

void proxy_hold(struct proxy *p, bool is_up, bool hold) {
    bool *held = is_up ? &p->up_held : &p->down_held;
    struct session *s = is_up ? p->up : p->down;
    if (*held == hold)
        return;
    *held = hold;
    if (s)
        connection_stop(s->connection, hold);
}

bool proxy_holds(const struct session *s) {
    return s->proxy && (s == s->proxy->up ? s->proxy->up_held : s->proxy->down_held);
}

void proxy_progress(struct session *s) {
    struct proxy *p = s->proxy;
    bool from_up = s == p->down; /* what is written here came from there */
    if (p->up && (from_up ? p->up_held : p->down_held) &&
        chain_unsent(&s->connection->out) <= PROXY_UNSENT_LOW)
        proxy_hold(p, from_up, false);
}

/* -- where to -- */

static bool is_free(const struct member *m) {
    const struct protocol_streams *streams =
        m->session && m->outlet->endpoint ? proxy_streams(m->session) : NULL;
    return streams && member_can_take(m) && streams->is_free(m->session->connection->state);
}

/* As for a message; but where a connection takes several of those at once, one with any under way is not free. */
static struct member *find_free(const struct proxy *p) {
    struct recipient *r = &p->system->recipient;
    struct member *m = recipient_pick(p->engine, r, NULL, &p->avoid);
    if (!m || is_free(m))
        return m;
    for (struct list_node *node = list_first(&r->members); node; node = list_next(&r->members, node)) {
        m = LIST_ENTRY(node, struct member, recipient_node);
        if (is_free(m))
            return m;
    }
    return NULL;
}

/* False: not there. */
static bool place(struct proxy *p, struct member *m) {
    struct engine *engine = p->engine;
    struct session *s = m->session;
    struct connection *c = s->connection;
    p->up_from = c->out.added;
    p->up_heard = c->bytes_in;
    enum status status = proxy_streams(s)->begin(c->state, &p->stream, engine->now);
    connection_touch(c);
    if (status != STATUS_OK) {
        proxy_abort(p, status, 0);
        return false;
    }
    p->up = s;
    p->setup = c->setup;
    p->placed = p->touched = engine->now.mono;
    p->tries++;
    avoid_add(&p->avoid, m->outlet);
    s->proxy = p;
    s->streamed++;
    member_took(engine, m);
    proxy_timer(p);
    proxy_hold(p, false, false);
    return true;
}

/* Endpoints that failed lately aren't dialled at once for each request; with no other there is no use in waiting. */
static bool may_come(const struct engine *engine, struct system *system, uint32_t *ret_retry_ms) {
    bool any = false;
    int64_t soonest = PROXY_REDIAL_NS;
    for (size_t i = 0; i < system->endpoint_count; i++) {
        struct endpoint *e = system->endpoints[i];
        int64_t since = engine->now.mono.ns - e->last_failed.ns;
        if (!e->plan->config->enabled)
            continue;
        if (e->connections == 0 && e->failures && since < PROXY_REDIAL_NS) {
            soonest = PROXY_REDIAL_NS - since < soonest ? PROXY_REDIAL_NS - since : soonest;
            continue;
        }
        if (e->connections == 0 && e->failures)
            e->next_dial = engine->now.mono;
        any = true;
    }
    *ret_retry_ms = (uint32_t)(soonest / NS_PER_MS);
    return any;
}

void proxy_wait(struct proxy *p) {
    struct recipient *r = &p->system->recipient;
    uint32_t retry_ms;
    p->waits = p->engine->now.mono;
    p->setup = NULL;
    if (p->stream.is_chunked || p->stream.length)
        proxy_hold(p, false, true);
    if (!may_come(p->engine, p->system, &retry_ms)) {
        proxy_abort(p, STATUS_TARGET_UNAVAILABLE, retry_ms);
        return;
    }
    list_add(&r->proxies, &p->wait_node);
    proxy_timer(p);
    recipient_wake(p->engine, r);
}

/* The pause after a close keeps messages from going round in circles with a peer that drops them. Here somebody waits, and
 * a request goes to few connections before it has failed. */
static void hasten(const struct engine *engine, struct recipient *r) {
    struct system *system = engine_system(engine, r->system);
    for (size_t i = 0; system && i < system->endpoint_count; i++)
        if (system->endpoints[i]->failures == 0)
            system->endpoints[i]->next_dial = engine->now.mono;
}

void proxy_pump(struct engine *engine, struct recipient *r) {
    struct member *m;
    while (r->proxies.count && (m = find_free(LIST_ENTRY(list_first(&r->proxies), struct proxy, wait_node))))
        place(LIST_ENTRY(list_take_first(&r->proxies), struct proxy, wait_node), m);
    if (r->proxies.count)
        hasten(engine, r);
}

/* -- its beginning -- */

static struct slice keep(struct proxy *p, struct slice text) {
    if (text.size)
        memcpy(p->bytes + p->size, text.data, text.size);
    p->size += text.size;
    return slice_make(p->bytes + p->size - text.size, text.size);
}

static struct proxy *proxy_new(struct engine *engine, struct session *s, const struct protocol_stream *stream,
                               const struct plan_target *target) {
    struct proxy *p = memory_alloc(sizeof *p + stream->method.size + stream->target.size +
                                   stream->fields.size + stream->host.size);
    if (!p)
        return NULL;
    *p = (struct proxy){.engine = engine,
                        .down = s,
                        .system = engine->systems[target->system],
                        .began = engine->now.mono,
                        .touched = engine->now.mono,
                        .request_ns = target->policy.timeouts.request_ns,
                        .attempt_ns = target->policy.timeouts.attempt_ns,
                        .queue_ns = target->policy.timeouts.queue_ns,
                        .timer = {.deadline = {.at = MONO_NEVER}, .kind = TIMER_PROXY},
                        .stream = *stream};
    p->stream.method = keep(p, stream->method);
    p->stream.target = keep(p, stream->target);
    p->stream.fields = keep(p, stream->fields);
    p->stream.host = keep(p, stream->host);
    s->proxy = p;
    list_add(&engine->proxies, &p->node);
    p->system->recipient.streams++;
    return p;
}

/* Whoever may call everything may, else who may call what these requests would be as messages. */
static bool is_allowed(const struct engine *engine, const struct session *s) {
    return s->identity == SECURITY_NONE || verdict_allows(engine->plan->security, s->identity, SECURITY_CALL,
                                                          SLICE_OF(""), SLICE_OF("intertie.http.request.v1"));
}

static void refuse(struct session *s, enum status status) {
    proxy_streams(s)->abort(s->connection->state, status, 0, s->engine->now);
    connection_touch(s->connection);
}

void proxy_begin(void *connection, const struct protocol_stream *stream) {
    struct session *s = ((struct connection *)connection)->owner;
    struct engine *engine = s->engine;
    const struct plan_route *route = &engine->plan->routes[stream->route];
    if (!is_allowed(engine, s) || engine->net.is_short) {
        refuse(s, engine->net.is_short ? STATUS_OVERLOADED : STATUS_FORBIDDEN);
        return;
    }
    struct proxy *p = proxy_new(engine, s, stream, &route->targets[0]);
    if (!p) {
        refuse(s, STATUS_NO_MEMORY);
        return;
    }
    struct recipient *r = &p->system->recipient;
    struct member *m = r->proxies.count ? NULL : find_free(p); /* those who wait come first */
    if (m)
        place(p, m);
    else
        proxy_wait(p);
}

/* -- what passes -- */

/* The last byte went to who asked: he is served already. */
static void answer_is_whole(struct proxy *p) {
    p->up->proxy = NULL;
    p->down->proxy = NULL;
    proxy_end(p, STATUS_OK);
}

void proxy_answer(void *connection, const struct protocol_stream_answer *answer) {
    struct session *s = ((struct connection *)connection)->owner;
    struct proxy *p = s->proxy;
    if (!p)
        return;
    struct connection *down = p->down->connection;
    bool is_final = answer->code >= 200 || answer->code == 101;
    p->touched = p->engine->now.mono;
    if (is_final) {
        p->has_answer = true;
        p->is_tunnel = answer->code == 101;
        p->code = answer->code;
        p->answered = p->engine->now.mono;
        proxy_result(p, proxy_result_of(answer->code));
    }
    bool ok = proxy_streams(p->down)->answer(down->state, answer, p->engine->now);
    connection_touch(down);
    if (!ok)
        proxy_abort(p, STATUS_NO_MEMORY, 0);
    else if (is_final && !answer->has_body && !p->is_tunnel)
        answer_is_whole(p);
    else if (is_final)
        proxy_timer(p);
}

bool proxy_data(void *connection, struct slice data, bool last) {
    struct session *s = ((struct connection *)connection)->owner;
    struct proxy *p = s->proxy;
    if (!p)
        return false;
    bool from_up = s == p->up;
    struct session *other = from_up ? p->down : p->up;
    *(from_up ? &p->bytes_out : &p->bytes_in) += data.size;
    p->touched = p->engine->now.mono;
    p->body_used |= !from_up;
    bool ok = other && proxy_streams(other)->data(other->connection->state, data, last, p->engine->now);
    if (!ok) {
        proxy_abort(p, STATUS_NO_MEMORY, 0);
        return false;
    }
    connection_touch(other->connection);
    if (last && (from_up || p->is_tunnel)) {
        answer_is_whole(p);
        return false;
    }
    if (!last && chain_unsent(&other->connection->out) > PROXY_UNSENT_MAX)
        proxy_hold(p, from_up, true);
    return from_up ? !p->up_held : !p->down_held;
}
