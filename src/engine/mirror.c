/* A copy more for a route's mirror. Nobody waits for what becomes of it: it has one attempt, ends without dead letter and
 * without a log line, and its reply goes nowhere. */
#include "engine/ways.h"

static bool is_met(struct engine *engine, uint32_t share) {
    return share >= 1000 || rng_below(&engine->rng, 1000) < share;
}

static bool has_room(const struct recipient *r, const struct message *message) {
    size_t size = message_kept_size(message);
    return r->mirrored < MIRROR_COPIES_MAX && r->waiting == 0 &&
           (r->queued + r->later.count + 1) <= r->queue_messages_max / 2 + 1 &&
           r->queued_bytes + r->later_bytes + size <= r->queue_bytes_max / 2 && room_look(r, message, size) == ROOM_FREE;
}

static struct delivery *copy(struct engine *engine, struct recipient *r, const struct message *message,
                             const struct config_policy *policy, uint32_t from, uint32_t route) {
    struct delivery *d = delivery_new(engine, r, message);
    if (!d)
        return NULL;
    d->is_mirror = true;
    r->mirrored++;
    d->from = from;
    d->route = route;
    d->attempts = 1;
    d->attempt_ns = policy->timeouts.attempt_ns;
    d->asks = message_kind_asks(message->kind);
    if (!d->asks) {
        timer_set(engine, &d->timer, mono_after(engine->now.mono, policy->timeouts.queue_ns));
        return d;
    }
    d->request_due = mono_after(engine->now.mono, policy->timeouts.request_ns);
    if (message->expiry.ns != INT64_MAX)
        d->request_due =
            mono_min(d->request_due, mono_after(engine->now.mono, message->expiry.ns - engine->now.wall.ns));
    timer_set(engine, &d->timer, d->request_due);
    if (reply_expect(engine, d))
        return d;
    delivery_free(engine, d);
    return NULL;
}

void mirror_send(struct engine *engine, const struct message *message, const struct routing *routing,
                 uint32_t from) {
    const struct plan_route *route = &engine->plan->routes[routing->route];
    struct system *system = engine_system(engine, route->mirror->system);
    if (!system || !is_met(engine, route->config->mirror.share))
        return;
    struct recipient *r = &system->recipient;
    struct delivery *d = NULL;
    if (has_room(r, message))
        d = copy(engine, r, message, &route->mirror->policy, from,
                 plan_route_mark(engine->plan, (uint32_t)routing->route));
    if (!d) {
        engine->totals.mirror_skipped++;
        return;
    }
    engine->totals.mirror_copies++;
    recipient_queue(engine, d, false);
}

bool mirror_late(struct engine *engine, struct delivery *d) {
    if (d->state != DELIVERY_QUEUED)
        return false;
    delivery_end(engine, d, ENDING_DROPPED, STATUS_OVERLOADED);
    return true;
}

void mirror_yield(struct engine *engine, struct delivery *d) {
    delivery_end(engine, d, ENDING_DROPPED, STATUS_DUPLICATE);
}
