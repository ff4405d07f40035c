/* One connection as the engine sees it: who it is, what it takes, what it was told. */
#include <stdio.h>

#include "base/text.h"
#include "engine/inner.h"

#define SUBSCRIPTIONS_MAX 16 /* of one connection */

/* The endpoint that we dialled is who was meant. */
static void session_is_there(struct engine *engine, struct session *s) {
    s->is_there = true;
    endpoint_opened(engine, s->endpoint);
    pool_opened(engine, s);
}

void session_opened(void *user, struct connection *c, struct now now) {
    struct engine *engine = user;
    engine->now = now;
    if (probing_has(c))
        return;
    struct session *s = memory_new(sizeof *s);
    if (!s) {
        if (c->owner)
            c->was_open = false; /* a dial that failed: its owner is the endpoint, not a session */
        connection_close(c, STATUS_NO_MEMORY);
        return;
    }
    s->endpoint = c->owner;
    c->owner = s;
    s->connection = c;
    s->engine = engine;
    s->system = CONFIG_NONE;
    s->identity = SECURITY_NONE;
    s->flight_base = s->flight_next = 1;
    list_init(&s->members);
    s->work = &engine->no_work;
    engine->totals.connections += !c->is_virtual;
    if (!c->is_virtual && engine->options.calls && engine->options.calls->connection)
        engine->options.calls->connection(engine->options.user, c, true);
    if (s->endpoint) {
        struct system *system = s->endpoint->system;
        s->system = system->index;
        if (!c->sink.greets)
            session_is_there(engine, s);
        if (!member_new(engine, s, &system->recipient, s->endpoint, 0, (uint32_t)system->config->policy.limits.in_flight))
            connection_close(c, STATUS_NO_MEMORY);
        return;
    }
    if (c->listener < engine->plan->config->listener_count) {
        s->listener = &engine->plan->listeners[c->listener];
        s->system = s->listener->config->system;
        s->identity = security_shown(engine, c);
        if (s->identity != SECURITY_NONE)
            s->system = engine->plan->config->identities[s->identity].system;
    }
}

bool session_is_known(void *user, const struct connection *c) {
    return security_shown(user, c) != SECURITY_NONE;
}

void session_progress(void *user, struct connection *c, struct now now) {
    struct engine *engine = user;
    engine->now = now;
    struct session *s = c->owner;
    if (!s)
        return;
    flight_progress(engine, s);
    if (s->proxy)
        proxy_progress(s);
    if (s->work->wait)
        poll_progress(engine, s->work->wait);
    session_look(engine, s);
}

void session_room(void *connection) {
    struct connection *c = connection;
    struct session *s = c->owner;
    if (s && s->endpoint && !s->is_there && !c->sink.greets)
        session_is_there(s->engine, s);
    if (s)
        session_look(s->engine, s);
}

/* -- what it holds -- */

void session_work_init(struct session_work *work, struct session *s) {
    *work = (struct session_work){.session = s, .acks = {.deadline = {.at = MONO_NEVER}, .kind = TIMER_ACKS}};
    list_init(&work->asked);
    list_init(&work->answers);
    list_init(&work->foreign);
    list_init(&work->waiters);
    list_init(&work->holds);
    list_init(&work->rated);
}

bool session_work(struct session *s) {
    struct engine *engine = s->engine;
    if (s->work != &engine->no_work)
        return true;
    struct session_work *work = engine->spare_work ? engine->spare_work : memory_alloc(sizeof *work);
    if (!work)
        return false;
    engine->spare_work = NULL;
    session_work_init(work, s);
    work->announced = s->connection->handle;
    s->work = work;
    return true;
}

static bool works(const struct session *s) {
    const struct session_work *work = s->work;
    return s->members.count || work->asked.count || work->answers.count || work->foreign.count || work->waiters.count ||
           work->holds.count || work->rated.count || s->flight_count || work->wait || work->claim;
}

/* All was written: what was only for messages under way goes back, so that thousands of silent connections are cheap. */
void session_rested(void *user, struct connection *c, struct now now) {
    struct engine *engine = user;
    struct session *s = c->owner;
    (void)now;
    if (!s || !c->was_open)
        return;
    if (s->flights && s->flight_count == 0)
        flights_give(engine, s);
    if (s->work == &engine->no_work || works(s))
        return;
    session_moved_done(engine, s);
    deadlines_clear(&engine->deadlines, &s->work->acks.deadline);
    if (engine->spare_work)
        memory_free(s->work);
    else
        engine->spare_work = s->work;
    s->work = &engine->no_work;
}

/* What it can take may have changed. */
void session_look(struct engine *engine, struct session *s) {
    for (struct list_node *node = list_first(&s->members); node; node = list_next(&s->members, node))
        member_look(engine, LIST_ENTRY(node, struct member, session_node));
    if (s->work->foreign.count)
        foreign_flush(engine, s);
    if (s->work->answers.count)
        reply_flush(engine, s);
}

void member_leave(struct engine *engine, struct member *m) {
    struct recipient *r = m->recipient;
    member_free(engine, m);
    if (r->is_subscription && r->members.count == 0)
        subscription_end(engine, r);
}

void session_closed(void *user, struct connection *c, struct now now) {
    struct engine *engine = user;
    engine->now = now;
    if (probing_has(c)) {
        probing_closed(engine, c);
        return;
    }
    struct session *s = c->owner;
    if (c->is_virtual && s)
        poll_closed(engine, s);
    if (!c->is_virtual && !c->was_parked && c->status == CONNECTION_CLOSED && engine->options.calls && engine->options.calls->connection)
        engine->options.calls->connection(engine->options.user, c, false);
    if (!c->was_open) { /* the dial failed, or the handshake */
        if (c->owner)
            endpoint_closed(engine, c->owner, c, false);
        return;
    }
    if (!s)
        return;
    if (s->work->wait)
        poll_cancel(engine, s->work->wait);
    once_closed(engine, s);
    if (s->work->rated.count)
        rate_closed(engine, s);
    if (s->proxy)
        proxy_closed(engine, s);
    engine->totals.connections -= !c->is_virtual && !c->was_parked;
    session_moved_done(engine, s);
    c->owner = NULL;
    deadlines_clear(&engine->deadlines, &s->work->acks.deadline);
    if (list_node_is_linked(&s->settle_node))
        list_remove(&engine->settles, &s->settle_node);
    while (s->work->waiters.count) {
        struct waiter *w = LIST_ENTRY(list_first(&s->work->waiters), struct waiter, session_node);
        ending_waiter(engine, w, STATUS_CANCELLED, engine->now.mono.ns - w->received.ns);
        waiter_free(engine, w);
    }
    dedupe_closed(engine, s);
    /* No longer a taker before its messages go back, or they would come straight to it again. */
    for (struct list_node *node = list_first(&s->members); node; node = list_next(&s->members, node))
        member_look(engine, LIST_ENTRY(node, struct member, session_node));
    flight_progress(engine, s); /* what was still written while it was closing is delivered */
    flight_abandon(engine, s);
    reply_forget_asker(engine, s);
    if (s->serving && engine_system(engine, s->system))
        engine_system(engine, s->system)->sessions--;
    while (s->members.count)
        member_leave(engine, LIST_ENTRY(list_first(&s->members), struct member, session_node));
    if (s->endpoint && !s->is_there && !c->was_parked && !c->sink.greets && s->endpoint->consent.given)
        session_is_there(engine, s); /* consent was the last that it said */
    if (s->retiring)
        s->endpoint->retiring--;
    if (s->endpoint && !c->was_parked)
        endpoint_closed(engine, s->endpoint, c, s->is_there);
    memory_free(s->flights);
    if (s->work != &engine->no_work)
        memory_free(s->work);
    memo_leave(engine, s);
    memory_free(s);
}

/* -- who it is -- */

/* As other workers have announced them: two that come at the same moment may both find room. */
static uint32_t sessions_elsewhere(const struct system *system) {
    uint32_t count = 0;
    const struct list *members = &system->recipient.members;
    for (struct list_node *node = list_first(members); node; node = list_next(members, node))
        count += LIST_ENTRY(node, struct member, recipient_node)->session == NULL && LIST_ENTRY(node, struct member, recipient_node)->limit;
    return count;
}

/* Offers the session as an endpoint of its system. */
enum status session_serve(struct engine *engine, struct session *s, uint32_t window) {
    struct system *system = engine_system(engine, s->system);
    if (!system)
        return STATUS_UNKNOWN_TARGET;
    if (s->serving)
        return STATUS_OK;
    if (system->config->accept && system->sessions + sessions_elsewhere(system) >= system->config->sessions)
        session_make_place(engine, s);
    if (!system->config->accept || system->sessions + sessions_elsewhere(system) >= system->config->sessions)
        return system->config->accept ? STATUS_TOO_MANY_CONNECTIONS : STATUS_FORBIDDEN;
    uint32_t limit = (uint32_t)system->config->policy.limits.session_in_flight;
    if (window && window < limit)
        limit = window;
    if (!member_new(engine, s, &system->recipient, NULL, 0, limit))
        return STATUS_NO_MEMORY;
    s->serving = true;
    system->sessions++;
    return STATUS_OK;
}

enum status session_hello(void *connection, const struct protocol_hello *hello, struct slice *ret_system) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s->engine;
    *ret_system = slice_make("", 0);
    uint32_t system = CONFIG_NONE;
    enum status status = security_admit(engine, s, hello, &system);
    if (status != STATUS_OK)
        return status;
    if (s->system != system) { /* each request of an HTTP connection may be somebody else's, or nobody's */
        s->system = system;
        memo_forget(s);
    }
    if (engine_system(engine, s->system))
        *ret_system = engine_system(engine, s->system)->name;
    return hello->serves ? session_serve(engine, s, hello->window) : STATUS_OK;
}

/* -- what it takes -- */

void subscription_reads(struct engine *engine) {
    engine->subscription_reads = 0;
    engine->subscription_memo_ok = true;
    engine->generation++;
    for (struct list_node *node = list_first(&engine->subscriptions); node;
         node = list_next(&engine->subscriptions, node)) {
        const struct recipient *r = LIST_ENTRY(node, struct recipient, node);
        if (!r->filter)
            continue;
        struct cesql_reads reads = cesql_reads(r->filter);
        engine->subscription_reads |= reads.attributes;
        if (reads.others || reads.data || reads.time)
            engine->subscription_memo_ok = false;
    }
}

struct recipient *subscription_find(struct engine *engine, const struct session *s, struct slice group) {
    for (struct list_node *node = list_first(&engine->subscriptions); node && group.size;
         node = list_next(&engine->subscriptions, node)) {
        struct recipient *r = LIST_ENTRY(node, struct recipient, node);
        if (!r->gone && r->system == s->system && r->identity == s->identity && slice_equal(r->group, group))
            return r;
    }
    return NULL;
}

/* Nobody takes from it any more: it ends with what it holds. */
void subscription_end(struct engine *engine, struct recipient *r) {
    /* The lanes last: what ends before may let the next of its partition key into one. */
    while (r->sent.count)
        delivery_end(engine, LIST_ENTRY(list_first(&r->sent), struct delivery, node), ENDING_DROPPED,
                     STATUS_PEER_CLOSED);
    while (r->asked.count)
        delivery_end(engine, LIST_ENTRY(list_first(&r->asked), struct delivery, node), ENDING_DROPPED, STATUS_PEER_CLOSED);
    while (r->later.count)
        delivery_end(engine, LIST_ENTRY(list_first(&r->later), struct delivery, node), ENDING_DROPPED, STATUS_PEER_CLOSED);
    for (int lane = 0; lane < PRIORITY_COUNT; lane++)
        while (r->queue[lane].count)
            delivery_end(engine, LIST_ENTRY(list_first(&r->queue[lane]), struct delivery, node), ENDING_DROPPED,
                         STATUS_PEER_CLOSED);
    list_remove(&engine->subscriptions, &r->node);
    subscription_reads(engine);
    for (struct waiter *w; (w = room_first(r));) {
        /* what waited for it goes on to the others */
        r->slow = true;
        offer_again(engine, r);
        if (room_first(r) == w)
            waiter_late(engine, w);
    }
    recipient_done(engine, r);
    arena_done(&r->arena);
    memory_free(r);
}

struct recipient *subscription_new(struct engine *engine, const struct session *s,
                                   const struct protocol_subscription *sub, struct message_fault *fault) {
    struct recipient *r = memory_new(sizeof *r);
    const struct system *system = engine_system(engine, s->system);
    if (!r)
        return NULL;
    struct slice name = system ? system->name : SLICE_OF("-");
    struct config_policy policy = system ? system->config->policy : engine->plan->config->defaults;
    recipient_init(r, s->system, name, policy.limits.queue_messages, policy.limits.queue_bytes,
                   rng_next(&engine->rng));
    room_set(r, &policy);
    r->is_subscription = true;
    r->identity = s->identity;
    arena_init(&r->arena, 256u << 10);
    struct cesql_options options = {.declared = &engine->plan->config->extensions, .require_declared = true};
    struct cesql_fault why;
    r->group = arena_copy(&r->arena, sub->group);
    r->filter_text = arena_copy(&r->arena, sub->filter);
    enum status status = r->filter_text.data ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = cesql_compile(r->filter_text, &options, &r->arena, &r->filter, &why, NULL);
    if (status == STATUS_OK) {
        list_add(&engine->subscriptions, &r->node);
        subscription_reads(engine);
        return r;
    }
    fault->status = status == STATUS_NO_MEMORY ? status : STATUS_MALFORMED_CONTROL;
    snprintf(fault->text, sizeof fault->text, "filter: %.100s (at %u)", status == STATUS_NO_MEMORY ? "no memory" : why.text,
             status == STATUS_NO_MEMORY ? 0 : why.offset);
    arena_done(&r->arena);
    recipient_done(engine, r);
    memory_free(r);
    return NULL;
}

enum status session_subscribe(void *connection, const struct protocol_subscription *sub, struct message_fault *fault) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s->engine;
    *fault = (struct message_fault){.status = STATUS_OK};
    if (sub->filter.size == 0) {
        enum status status = session_serve(engine, s, sub->max_inflight);
        if (status == STATUS_FORBIDDEN)
            snprintf(fault->text, sizeof fault->text, "this system does not accept sessions");
        else if (status == STATUS_UNKNOWN_TARGET)
            snprintf(fault->text, sizeof fault->text, "say which system you are: `system` in HELLO");
        return fault->status = status;
    }
    enum status allowed = verdict_subscribe(engine->plan->security, s->identity);
    if (allowed != STATUS_OK)
        return fault->status = allowed;
    if (s->members.count >= SUBSCRIPTIONS_MAX) {
        (void)snprintf(fault->text, sizeof fault->text, "at most %d subscriptions on one connection", SUBSCRIPTIONS_MAX);
        return fault->status = STATUS_OVERLOADED;
    }
    struct recipient *r = subscription_find(engine, s, sub->group);
    if (!r && !(r = subscription_new(engine, s, sub, fault)))
        return fault->status != STATUS_OK ? fault->status : (fault->status = STATUS_NO_MEMORY);
    if (!slice_equal(r->filter_text, sub->filter)) {
        snprintf(fault->text, sizeof fault->text, "group `%.40s` has another filter", (const char *)r->group.data);
        return fault->status = STATUS_MALFORMED_CONTROL;
    }
    if (!member_new(engine, s, r, NULL, sub->sub, sub->max_inflight)) {
        if (r->members.count == 0)
            subscription_end(engine, r);
        return fault->status = STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

void session_unsubscribe(void *connection, uint32_t sub) {
    struct connection *c = connection;
    struct session *s = c->owner;
    for (struct list_node *node = list_first(&s->members); node; node = list_next(&s->members, node)) {
        struct member *m = LIST_ENTRY(node, struct member, session_node);
        if (m->sub != sub)
            continue;
        if (!m->recipient->is_subscription && s->serving) {
            s->serving = false;
            engine_system(s->engine, s->system)->sessions--;
        }
        member_leave(s->engine, m);
        return;
    }
}

/* -- what it is told -- */

void session_settle_all(struct engine *engine) {
    struct list_node *node;
    while ((node = list_take_first(&engine->settles))) {
        struct session *s = LIST_ENTRY(node, struct session, settle_node);
        uint64_t first = s->settled_first, last = s->settled_last;
        s->settled_first = s->settled_last = 0;
        if (first)
            connection_settle(s->connection, first, last, STATUS_OK, 0);
    }
}

/* Taken: told at the end of the turn, runs of tokens in one call. An inline exchange that asks is told by its reply. */
void session_accept(struct engine *engine, struct session *s, uint64_t token) {
    engine->totals.accepted++;
    if (s->work->claim)
        once_accepted(s, false);
    if (s->connection->sink.terms.inline_reply && s->work->asked.count &&
        LIST_ENTRY(s->work->asked.head.previous, struct delivery, asker_node)->asker_token == token)
        return;
    if (s->settled_first && s->settled_last + 1 == token) {
        s->settled_last = token;
        return;
    }
    if (s->settled_first) {
        uint64_t first = s->settled_first, last = s->settled_last;
        s->settled_first = s->settled_last = token;
        connection_settle(s->connection, first, last, STATUS_OK, 0);
        return;
    }
    s->settled_first = s->settled_last = token;
    if (!list_node_is_linked(&s->settle_node))
        list_add(&engine->settles, &s->settle_node);
}

void session_refuse(struct engine *engine, struct session *s, uint64_t token, enum status status, uint32_t retry_ms) {
    (void)engine;
    connection_settle(s->connection, token, token, status, retry_ms);
}

size_t session_detail(void *connection, uint64_t token, enum status status, char *out, size_t room) {
    struct connection *c = connection;
    struct session *s = c->owner;
    (void)token;
    (void)status;
    if (!s || !s->engine->detail[0])
        return 0;
    int size = snprintf(out, room, "%s", s->engine->detail);
    return size < 0 ? 0 : (size_t)size < room ? (size_t)size : room - 1;
}

void session_cancelled(void *connection, uint64_t token) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s->engine;
    if (s->work->wait)
        poll_cancel(engine, s->work->wait);
    for (struct list_node *node = list_first(&s->work->asked); node; node = list_next(&s->work->asked, node)) {
        struct delivery *d = LIST_ENTRY(node, struct delivery, asker_node);
        if (d->asker_token != token)
            continue;
        list_remove(&s->work->asked, &d->asker_node);
        d->asker = NULL;
        replies_drop(engine, d);
        if (d->state == DELIVERY_QUEUED || d->state == DELIVERY_BLOCKED || d->state == DELIVERY_LATER)
            delivery_end(engine, d, ENDING_DROPPED, STATUS_CANCELLED);
        return;
    }
}

void session_invalid(void *connection, const struct message_fault *fault) {
    struct connection *c = connection;
    struct session *s = c->owner;
    struct engine *engine = s->engine;
    engine->totals.invalid++;
    ending_count(engine, NULL, ENDING_REJECTED, fault->status, 0, -1);
    if (!engine->options.calls || !engine->options.calls->ended)
        return;
    const struct system *sender = engine_system(engine, s->system);
    struct engine_report report = {.ending = ENDING_REJECTED, .status = fault->status, .words = fault->text,
                                   .from = sender ? sender->name : slice_make("", 0)};
    engine->options.calls->ended(engine->options.user, &report);
}

void session_dropped(void *connection, const char *rule) {
    struct connection *c = connection;
    struct session *s = c->owner;
    if (s->engine->options.calls && s->engine->options.calls->dropped)
        s->engine->options.calls->dropped(s->engine->options.user, c, rule);
}

void session_request(void *connection, uint64_t token, const struct protocol_request *request) {
    struct connection *c = connection;
    struct session *s = c->owner;
    if (s->engine->options.calls && s->engine->options.calls->request)
        s->engine->options.calls->request(s->engine->options.user, c, token, request);
}
