/* The engine's invariants, looked at from outside the step: for the simulation and tests. */
#include "engine/hedge.h"
#include "engine/ways.h"

static const char *check_recipient(const struct recipient *r, uint64_t *held) {
    uint64_t queued = 0;
    for (int lane = 0; lane < PRIORITY_COUNT; lane++) {
        queued += r->queue[lane].count;
        for (struct list_node *node = list_first(&r->queue[lane]); node; node = list_next(&r->queue[lane], node)) {
            const struct delivery *d = LIST_ENTRY(node, struct delivery, node);
            if (d->state != DELIVERY_QUEUED || d->recipient != r)
                return "a delivery in a lane isn't queued there";
        }
    }
    size_t position = 0;
    struct key_lane *key;
    while ((key = map_next(&r->keys, &position))) {
        queued += key->blocked.count;
        if (!key->head)
            return "a partition key without the delivery that holds it";
    }
    if (queued != r->queued)
        return "a recipient's queue count is off";
    uint64_t in_lanes = 0, waiting = 0;
    for (int lane = 0; lane < PRIORITY_COUNT; lane++) {
        in_lanes += r->room.held[lane].messages;
        waiting += r->waiters[lane].count;
    }
    if (in_lanes != queued + r->later.count || waiting != r->waiting)
        return "a recipient's lanes don't add up";
    if (r->queued > r->queue_messages_max + r->in_flight + 1024)
        return "a queue is over its limit";
    uint64_t retrying = 0;
    for (struct list_node *node = list_first(&r->later); node; node = list_next(&r->later, node)) {
        const struct delivery *d = LIST_ENTRY(node, struct delivery, node);
        if (d->state != DELIVERY_LATER || d->recipient != r || d->attempt < 2)
            return "what waits for its next attempt has had none";
        if (d->timer.deadline.at.ns > d->step_due.ns)
            return "what waits for its next attempt isn't woken for it";
        retrying += d->retrying;
    }
    if (retrying > r->retrying)
        return "the retry budget doesn't add up";
    for (int k = 0; k < 2; k++) {
        const struct list *list = k ? &r->asked : &r->sent;
        for (struct list_node *node = list_first(list); node; node = list_next(list, node)) {
            const char *wrong = hedge_check(LIST_ENTRY(node, struct delivery, node));
            if (wrong)
                return wrong;
        }
    }
    *held += queued + r->later.count + r->sent.count + r->asked.count;
    for (struct list_node *node = list_first(&r->members); node; node = list_next(&r->members, node)) {
        const struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        bool serves = !r->choice || balance_is_ready(&r->choice->balance);
        if (serves && member_can_take(m) && (r->queue[0].count || r->queue[1].count || r->queue[2].count || r->queue[3].count || r->queue[4].count))
            return "a lane waits although somebody has room";
    }
    return NULL;
}

const char *engine_check(const struct engine *engine) {
    uint64_t held = 0;
    const char *wrong;
    for (size_t i = 0; i < engine->system_count; i++)
        if ((wrong = check_recipient(&engine->systems[i]->recipient, &held)))
            return wrong;
    for (struct list_node *node = list_first(&engine->subscriptions); node; node = list_next(&engine->subscriptions, node))
        if ((wrong = check_recipient(LIST_ENTRY(node, struct recipient, node), &held)))
            return wrong;
    for (struct list_node *node = list_first(&engine->net.open); node; node = list_next(&engine->net.open, node)) {
        const struct connection *c = LIST_ENTRY(node, struct connection, node);
        const struct session *s = c->was_open ? c->owner : NULL;
        /* one exchange at a time: while it waits for us, what it waits for has the deadline */
        bool ours = s && ((c->sink.paused && (s->work->waiters.count || s->work->holds.count || s->work->rated.count || s->work->asked.count)) || s->work->wait ||
                          s->proxy || engine->asks.count || engine->replies.waiting || engine->replies.fetches.count);
        if (c->deadline.at.ns == INT64_MAX && !c->protocol->is_datagram && !c->protocol->keeps_open && !ours)
            return "a connection has no deadline";
        if (c->stopped && s && s->work->waiters.count + s->work->holds.count == 0 && !proxy_holds(s))
            return "a connection's reads are off and nothing will turn them on";
        if (s)
            held += s->work->answers.count + s->work->foreign.count;
    }
    for (struct list_node *node = list_first(&engine->net.parked); node; node = list_next(&engine->net.parked, node)) {
        const struct connection *c = LIST_ENTRY(node, struct connection, node);
        const struct session *s = c->owner;
        if (c->status != CONNECTION_PARKED || c->deadline.at.ns == INT64_MAX || !s || s->connection != c)
            return "a session that waits has no end or no place";
        held += s->work->answers.count + s->work->foreign.count;
    }
    if ((wrong = failover_check(engine)))
        return wrong;
    if ((wrong = proxy_check(engine)))
        return wrong;
    if (held != engine->totals.held)
        return "held messages don't add up";
    return NULL;
}
