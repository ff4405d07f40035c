/* How streamed exchanges end, and which of them begin again on another connection. */
#include "engine/proxy.h"

/* -- told -- */

static struct slice path_of(const struct proxy *p) {
    return slice_head(p->stream.target, slice_find(p->stream.target, '?'));
}

static void tell(const struct proxy *p, enum status status) {
    const struct engine *engine = p->engine;
    if (!engine->options.calls || !engine->options.calls->exchanged)
        return;
    struct engine_exchange exchange = {.method = p->stream.method,
                                       .path = path_of(p),
                                       .system = p->system->name,
                                       .endpoint = p->setup ? p->setup->name : slice_make("", 0),
                                       .system_index = p->system->index,
                                       .code = p->code,
                                       .status = status,
                                       .bytes_in = p->bytes_in,
                                       .bytes_out = p->bytes_out,
                                       .duration_ns = engine->now.mono.ns - p->began.ns,
                                       .answer_ns = p->has_answer ? p->answered.ns - p->began.ns : -1,
                                       .tries = p->tries,
                                       .is_tunnel = p->is_tunnel};
    engine->options.calls->exchanged(engine->options.user, &exchange);
}

enum attempt_result proxy_result_of(unsigned code) {
    if (code == 429 || code == 503)
        return RESULT_OVERLOADED;
    return code == 500 || code == 502 ? RESULT_FAILED : RESULT_OK;
}

void proxy_result(const struct proxy *p, enum attempt_result result) {
    if (p->up && p->up->endpoint)
        endpoint_result(p->engine, p->up->endpoint, result, p->engine->now.mono.ns - p->placed.ns);
}

/* -- ends -- */

/* Nobody calls up about it any more when this begins. */
void proxy_end(struct proxy *p, enum status status) {
    struct engine *engine = p->engine;
    struct session *up = p->up;
    tell(p, status);
    proxy_hold(p, false, false);
    proxy_hold(p, true, false);
    p->down->proxy = NULL;
    if (up)
        up->proxy = NULL;
    if (list_node_is_linked(&p->wait_node))
        list_remove(&p->system->recipient.proxies, &p->wait_node);
    list_remove(&engine->proxies, &p->node);
    deadlines_clear(&engine->deadlines, &p->timer.deadline);
    p->system->recipient.streams--;
    memory_free(p);
    if (up)
        pool_sent(engine, up);
}

/* In the middle of an exchange a connection can't be used for another. */
static void cut_up(struct proxy *p, enum status status) {
    struct session *up = p->up;
    if (!up)
        return;
    up->proxy = NULL;
    connection_close(up->connection, status);
}

void proxy_abort(struct proxy *p, enum status status, uint32_t retry_ms) {
    struct session *down = p->down;
    struct session *up = p->up;
    down->proxy = NULL;
    proxy_streams(down)->abort(down->connection->state, status, retry_ms, p->engine->now);
    connection_touch(down->connection);
    if (!p->code)
        p->code = status_row(status)->http;
    if (up)
        up->proxy = NULL;
    proxy_hold(p, true, false);
    cut_up(p, STATUS_CANCELLED);
    p->up = NULL;
    proxy_end(p, status);
}

/* -- one side fails -- */

/* RFC 9110 section 9.2.2: what was not sent may go again; what was, if asking twice does no harm and its connection was
 * perhaps closed before it heard of it. Whatever has passed of a body is gone. */
static bool may_repeat(const struct proxy *p) {
    const struct connection *c = p->up->connection;
    bool unsent = c->out.written <= p->up_from, unheard = c->bytes_in == p->up_heard;
    bool was_used = p->up->streamed > 1 || p->up->flight_next > 1;
    if (p->has_answer || p->body_used || p->tries >= PROXY_TRIES_MAX || p->up->endpoint->removed)
        return false;
    return unsent ||
           (unheard && was_used && p->stream.is_idempotent && !p->stream.is_chunked && !p->stream.length);
}

static bool is_time(enum status status) {
    return status == STATUS_WRITE_TIMEOUT || status == STATUS_REPLY_TIMEOUT || status == STATUS_TOO_SLOW;
}

void proxy_lost(struct proxy *p, enum status reason) {
    struct session *up = p->up;
    bool again = may_repeat(p) && reason != STATUS_PROTOCOL_ERROR;
    if (!p->has_answer)
        proxy_result(p, is_time(reason)                   ? RESULT_TIMEOUT
                        : reason == STATUS_PROTOCOL_ERROR ? RESULT_FAILED
                                                          : RESULT_RESET);
    up->proxy = NULL;
    proxy_hold(p, true, false);
    if (again) {
        p->up = NULL;
        proxy_wait(p);
        return;
    }
    p->up = NULL;
    connection_close(up->connection, reason);
    proxy_abort(p, is_time(reason) ? STATUS_REPLY_TIMEOUT : STATUS_UPSTREAM_ERROR, 0);
}

/* Who asked is gone: nobody wants the rest. */
static void cancel(struct proxy *p, enum status status) {
    proxy_hold(p, true, false);
    cut_up(p, STATUS_CANCELLED);
    p->up = NULL;
    proxy_end(p, status);
}

void proxy_failed(void *connection, enum status status) {
    struct session *s = ((struct connection *)connection)->owner;
    struct proxy *p = s->proxy;
    if (!p)
        return;
    if (s == p->up)
        proxy_lost(p, status);
    else
        cancel(p, status);
}

void proxy_closed(struct engine *engine, struct session *s) {
    struct proxy *p = s->proxy;
    (void)engine;
    if (s == p->up)
        proxy_lost(p, s->connection->reason);
    else
        cancel(p, s->connection->reason == STATUS_OK ? STATUS_CANCELLED : s->connection->reason);
}

/* -- time -- */

/* Another try is allowed and there is somebody else for it: then one attempt need not take all the time there is. */
static bool may_try_other(const struct proxy *p) {
    return !p->body_used && p->stream.is_idempotent && !p->stream.is_chunked && !p->stream.length &&
           !p->stream.is_upgrade && p->tries < PROXY_TRIES_MAX && p->system->endpoint_count > 1;
}

static struct mono later(struct mono a, struct mono b) {
    return a.ns > b.ns ? a : b;
}

/* Until the answer begins the request has its time, which runs while nothing of its body passes. */
static struct mono due(const struct proxy *p) {
    if (p->has_answer)
        return mono_after(p->touched, PROXY_IDLE_NS);
    struct mono all = mono_after(later(p->began, p->body_used ? p->touched : p->began), p->request_ns);
    if (!p->up)
        return mono_min(all, mono_after(p->waits, p->queue_ns));
    return may_try_other(p) ? mono_min(all, mono_after(p->placed, p->attempt_ns)) : all;
}

/* Deadlines that move later are looked at when they ring. */
void proxy_timer(struct proxy *p) {
    struct mono at = due(p);
    if (at.ns < p->timer.deadline.at.ns)
        timer_set(p->engine, &p->timer, at);
}

static void try_other(struct proxy *p) {
    struct session *up = p->up;
    proxy_result(p, RESULT_TIMEOUT);
    up->proxy = NULL;
    proxy_hold(p, true, false);
    p->up = NULL;
    connection_close(up->connection, STATUS_REPLY_TIMEOUT);
    proxy_wait(p);
}

void proxy_late(struct engine *engine, struct timer *timer) {
    struct proxy *p = LIST_ENTRY(timer, struct proxy, timer);
    struct mono at = due(p);
    if (at.ns > engine->now.mono.ns) {
        timer_set(engine, &p->timer, at);
        return;
    }
    bool all = mono_due(mono_after(later(p->began, p->body_used ? p->touched : p->began), p->request_ns),
                        engine->now.mono);
    if (p->has_answer) {
        proxy_abort(p, STATUS_IDLE_TIMEOUT, 0);
    } else if (!p->up) {
        bool are_busy = choice_has_somebody(engine, &p->system->recipient);
        proxy_abort(p, are_busy ? STATUS_OVERLOADED : STATUS_TARGET_UNAVAILABLE, 0);
    } else if (!all) {
        try_other(p);
    } else {
        proxy_result(p, RESULT_TIMEOUT);
        proxy_abort(p, STATUS_REPLY_TIMEOUT, 0);
    }
}

/* -- many -- */

void proxy_hopeless(struct engine *engine, struct system *system) {
    struct recipient *r = &system->recipient;
    (void)engine;
    for (struct list_node *node = list_first(&r->proxies); node;) {
        struct proxy *p = LIST_ENTRY(node, struct proxy, wait_node);
        node = list_next(&r->proxies, node);
        if (system_is_hopeless(system, p->waits))
            proxy_abort(p, STATUS_TARGET_UNAVAILABLE, (uint32_t)(PROXY_REDIAL_NS / NS_PER_MS));
    }
}

void proxy_end_waiting(struct engine *engine, struct recipient *r, enum status status) {
    (void)engine;
    while (r->proxies.count)
        proxy_abort(LIST_ENTRY(list_first(&r->proxies), struct proxy, wait_node), status, 0);
}

const char *proxy_check(const struct engine *engine) {
    for (struct list_node *node = list_first(&engine->proxies); node;
         node = list_next(&engine->proxies, node)) {
        const struct proxy *p = LIST_ENTRY(node, struct proxy, node);
        if (p->down->proxy != p || (p->up && p->up->proxy != p))
            return "a streamed exchange whose sides don't know it";
        if ((p->up != NULL) == list_node_is_linked(&p->wait_node))
            return "a streamed exchange that neither waits nor has a connection, or both";
        if (p->timer.deadline.at.ns == INT64_MAX)
            return "a streamed exchange without a deadline";
        if (p->up && p->down_held && chain_unsent(&p->up->connection->out) == 0)
            return "who asks is held back and nothing will let him go on";
        if (p->up_held && chain_unsent(&p->down->connection->out) == 0)
            return "who answers is held back and nothing will let him go on";
    }
    return NULL;
}
