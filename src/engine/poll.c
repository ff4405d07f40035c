/* Peers that fetch: who may, their sessions, and the requests that wait. */
#include "engine/poll.h"

enum status poll_admit(const struct engine *engine, const struct session *s, struct slice name, uint32_t *ret_system) {
    uint32_t system = plan_system(engine->plan, name);
    if (system == CONFIG_NONE)
        return STATUS_UNKNOWN_TARGET;
    if (s->system != CONFIG_NONE && s->system != system)
        return STATUS_FORBIDDEN;
    *ret_system = system;
    return verdict_act(engine->plan->security, s->identity, system);
}

/* -- sessions -- */

static struct poll *find(struct engine *engine, const struct session *s, uint32_t system) {
    for (struct list_node *node = list_first(&engine->polls); node; node = list_next(&engine->polls, node)) {
        struct poll *p = LIST_ENTRY(node, struct poll, node);
        const struct session *own = p->connection->owner;
        if (!p->is_stream && own && p->connection->status == CONNECTION_OPEN && own->system == system &&
            own->identity == s->identity)
            return p;
    }
    return NULL;
}

static struct poll *begin(struct engine *engine, const struct session *s, uint32_t system, const struct pull *pull,
                          enum status *ret_status) {
    const struct connection *c = s->connection;
    const struct config_policy *policy = &engine_system(engine, system)->config->policy;
    struct connection *own = net_virtual(&engine->net, &poll_row, c->setup, c->listener, &c->peer, engine->now);
    *ret_status = STATUS_NO_MEMORY;
    if (!own || own->status != CONNECTION_OPEN)
        return NULL;
    struct session *session = own->owner;
    struct poll *p = own->state;
    p->engine = engine;
    p->nonce = rng_next(&engine->rng);
    p->is_stream = pull->kind == PULL_STREAM;
    p->has_acks = !p->is_stream || pull->has_acks;
    p->limit = (uint32_t)policy->limits.session_in_flight;
    p->ack_ns = policy->timeouts.ack_ns;
    list_add(&engine->polls, &p->node);
    session->system = system;
    session->identity = s->identity;
    *ret_status = session_serve(engine, session, 0);
    if (*ret_status == STATUS_OK)
        return p;
    connection_close(own, *ret_status);
    return NULL;
}

/* Its connection is closed: nobody waits any longer, and what isn't settled goes back. */
void poll_closed(struct engine *engine, struct session *s) {
    struct poll *p = s->connection->state;
    if (!list_node_is_linked(&p->node))
        return;
    list_remove(&engine->polls, &p->node);
    enum status reason = s->connection->reason != STATUS_OK ? s->connection->reason : STATUS_GOING_AWAY;
    struct list_node *node;
    while ((node = list_first(&p->waits))) {
        struct poll_wait *w = LIST_ENTRY(node, struct poll_wait, node);
        struct session *waiting = w->session;
        uint64_t token = w->token;
        poll_wait_free(w);
        if (p->is_stream)
            connection_end(waiting->connection, reason);
        else
            poll_refuse(waiting, token, reason, "");
    }
    poll_give_back(p);
}

bool poll_is_idle(const struct session *s) {
    return s->connection->protocol == &poll_row && ((const struct poll *)s->connection->state)->waits.count == 0;
}

/* -- requests -- */

static struct poll_wait *wait_new(struct engine *engine, struct session *s, uint64_t token, const struct pull *pull) {
    struct poll_wait *w = session_work(s) ? memory_new(sizeof *w) : NULL;
    if (!w)
        return NULL;
    bool is_stream = pull->kind == PULL_STREAM;
    w->session = s;
    w->token = token;
    w->max = is_stream ? UINT32_MAX : pull->max;
    w->is_proto = pull->encoding == ENCODING_PROTO && !is_stream;
    w->until = mono_after(engine->now.mono, is_stream ? POLL_HEARTBEAT_NS : pull->wait_ns);
    buffer_init(&w->bytes, POLL_ANSWER_MAX);
    return w;
}

static const char *words_of(enum status status) {
    switch ((unsigned)status) {
    case STATUS_UNKNOWN_TARGET:
        return "no system of that name";
    case STATUS_FORBIDDEN:
        return "this system's messages are not for you, or it has no `accept`";
    case STATUS_TOO_MANY_CONNECTIONS:
        return "more of this system than `accept.sessions` fetch at once";
    default:
        return "";
    }
}

/* STATUS_OK: it waits. */
static enum status wait_for(struct engine *engine, struct session *s, uint64_t token, const struct pull *pull, uint32_t system) {
    enum status status = STATUS_OK;
    const struct config_system *config = engine_system(engine, system)->config;
    if (engine->draining)
        return STATUS_SHUTDOWN;
    if (!config->accept)
        return STATUS_FORBIDDEN;
    if (engine->net.is_short || s->work->wait) /* one exchange at a time */
        return STATUS_OVERLOADED;
    struct poll *p = pull->kind == PULL_STREAM ? NULL : find(engine, s, system);
    if (p && p->waits.count >= config->sessions)
        return STATUS_TOO_MANY_CONNECTIONS;
    struct poll_wait *w = wait_new(engine, s, token, pull);
    if (!w)
        return STATUS_NO_MEMORY;
    if (!p)
        p = begin(engine, s, system, pull, &status);
    if (!p) {
        memory_free(w);
        return status;
    }
    s->work->wait = w;
    poll_join(p, w);
    return STATUS_OK;
}

static void open_stream(struct session *s, uint64_t token) {
    poll_answer(s, token, &(struct protocol_answer){.code = 200, .is_stream = true, .content_type = SLICE_OF("text/event-stream"),
                                                    .lines = SLICE_OF("Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n")});
    struct connection *c = s->connection;
    c->protocol->stream(c->state, token, SLICE_OF("retry: 2000\n\n"), false, s->engine->now);
}

void poll_request(void *connection, uint64_t token, const struct pull *pull) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s->engine;
    uint32_t system = CONFIG_NONE;
    if (pull->kind == PULL_REPLY) {
        replies_fetch(engine, s, token, pull);
        return;
    }
    enum status status = poll_admit(engine, s, pull->system, &system);
    if (status == STATUS_OK && pull->kind == PULL_ACKS) {
        ask_begin(engine, s, token, pull);
        return;
    }
    if (status == STATUS_OK)
        status = wait_for(engine, s, token, pull, system);
    if (status != STATUS_OK)
        poll_refuse(s, token, status, words_of(status));
    else if (pull->kind == PULL_STREAM && s->work->wait)
        open_stream(s, token);
}

/* Who waited is gone. What was gathered for it in this turn was never written. */
void poll_cancel(struct engine *engine, struct poll_wait *w) {
    struct poll *p = w->poll;
    (void)engine;
    poll_written(p, w);
    poll_take_back(p, w);
    poll_wait_free(w);
    if (p->is_stream && !p->has_acks)
        connection_close(p->connection, STATUS_PEER_CLOSED);
    else
        poll_look(p);
}

void poll_progress(struct engine *engine, struct poll_wait *w) {
    (void)engine;
    poll_written(w->poll, w);
    poll_look(w->poll);
}
