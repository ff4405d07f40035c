/* Systems that stand in for each other: the first of a route's list that can take a message gets it, and what waits for one
 * that can't any more goes on to the next that can. Nothing is sent to find out: that an endpoint can be reached again
 * is seen by dialling it, that it is well by its checks. */
#include "engine/hedge.h"
#include "engine/ways.h"

/* -- who can -- */

static bool endpoint_can(const struct endpoint *e) {
    return e->plan->config->enabled && !e->removed && !e->fitness.is_gone &&
           e->fitness.by_hand == BY_HAND_UP && fitness_is_healthy(e) && (e->open > 0 || e->failures == 0);
}

static bool has_session(const struct recipient *r) {
    for (struct list_node *node = list_first(&r->members); node; node = list_next(&r->members, node))
        if (LIST_ENTRY(node, struct member, recipient_node)->own_outlet)
            return true;
    return false;
}

static bool can(const struct system *system) {
    if (system->removed)
        return false;
    for (size_t i = 0; i < system->endpoint_count; i++)
        if (endpoint_can(system->endpoints[i]))
            return true;
    return has_session(&system->recipient);
}

static void see(struct engine *engine, struct system *system) {
    standby_see(&system->standby, can(system), engine->now.mono);
    system->standby_seen = engine->now.mono;
}

/* For each message: what changes within a turn is seen where it changes. */
static const struct standby *seen(struct engine *engine, struct system *system) {
    if (system->standby_seen.ns != engine->now.mono.ns)
        see(engine, system);
    return &system->standby;
}

static bool has_room(struct engine *engine, struct recipient *r, const struct message *message) {
    return room_look(r, message, message_kept_size(message)) == ROOM_FREE ||
           (r->queued == 0 && recipient_is_ready(engine, r));
}

/* -- who gets it -- */

enum rank { RANK_REFUSES, RANK_UNABLE, RANK_FULL, RANK_ABLE, RANK_STEADY };

static enum rank rank_of(struct engine *engine, struct system *system, const struct message *message) {
    const struct standby *standby = seen(engine, system);
    bool room = has_room(engine, &system->recipient, message);
    if (!standby->is_able)
        return room && system->config->offline != CONFIG_OFFLINE_REFUSE ? RANK_UNABLE : RANK_REFUSES;
    return !room ? RANK_FULL : standby_is_steady(standby, engine->now.mono) ? RANK_STEADY : RANK_ABLE;
}

size_t failover_choose(struct engine *engine, const struct message *message, const struct routing *routing) {
    size_t best = 0;
    enum rank best_rank = RANK_REFUSES;
    for (size_t i = 0; i < routing->target_count && best_rank < RANK_STEADY; i++) {
        struct system *system = engine_system(engine, routing->targets[i].system);
        enum rank rank = system ? rank_of(engine, system, message) : RANK_REFUSES;
        if (rank > best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    engine->totals.failover_chosen += best > 0;
    return best;
}

/* -- going on -- */

/* NULL: it took no such route, or that is no longer known. */
static const struct plan_route *route_of(const struct engine *engine, const struct delivery *d,
                                         size_t *ret_at) {
    int32_t index = d->is_mirror || d->is_dead_letter ? -1 : plan_route_index(engine->plan, d->route);
    bool is_there = index >= 0 && (size_t)index < engine->plan->config->route_count;
    const struct plan_route *route = is_there ? &engine->plan->routes[index] : NULL;
    if (!route || route->config->way != CONFIG_WAY_FAILOVER || d->moves >= FAILOVER_MOVES_MAX)
        return NULL;
    for (size_t i = 0; i < route->target_count; i++)
        if (route->targets[i].system == d->recipient->system) {
            *ret_at = i;
            return route;
        }
    return NULL;
}

/* Two that wait for a reply with one id can't wait for the same system. */
static bool is_free(const struct system *system, const struct delivery *d) {
    const struct delivery *other =
        d->asks ? map_get(&system->pending, message_text(d->message, ATTRIBUTE_ID)) : NULL;
    return !other || other->is_mirror;
}

/* The next that can take it, after the one that it is for; NULL: none. */
static const struct plan_target *next_of(struct engine *engine, const struct delivery *d) {
    size_t at = 0;
    const struct plan_route *route = route_of(engine, d, &at);
    for (size_t i = 1; route && i < route->target_count; i++) {
        const struct plan_target *target = &route->targets[(at + i) % route->target_count];
        struct system *system = engine_system(engine, target->system);
        if (system && seen(engine, system)->is_able && is_free(system, d) &&
            has_room(engine, &system->recipient, d->message))
            return target;
    }
    return NULL;
}

/* `d` is in no list, and holds no key. */
static void move(struct engine *engine, struct delivery *d, const struct plan_target *target) {
    struct recipient *r = &engine_system(engine, target->system)->recipient;
    if (d->foreign) { /* the other system's home is another worker: its owner knows */
        mail_failed(engine, d->origin, d->origin_id,
                    &(struct attempt_failure){
                        .fate = RETRY_UNSENT, .status = STATUS_TARGET_UNAVAILABLE, .attempt = d->attempt});
        delivery_free(engine, d);
        return;
    }
    if (d->twin)
        hedge_part(engine, d);
    engine->totals.failover_moved++;
    d->recipient->retrying -= d->retrying;
    d->retrying = false;
    reply_unexpect(d);
    d->recipient = r;
    d->moves++;
    d->attempt_ns = target->policy.timeouts.attempt_ns;
    if (d->asks) {
        d->attempts = (uint8_t)target->policy.retry.attempts;
        d->timed = d->message->kind == KIND_QUERY || target->policy.idempotent;
        timer_set(engine, &d->timer, d->request_due);
    }
    bool is_lost = d->asks && !reply_expect(engine, d);
    uint32_t home = mail_home(engine, r, d->message);
    if (home == engine->options.worker || mail_go_home(engine, d, home) != STATUS_OK)
        recipient_queue(engine, d, false);
    if (is_lost)
        delivery_end(engine, d, ENDING_DEAD, STATUS_NO_MEMORY);
}

/* The first first. True when some went on: then others of their keys have come into the lane. */
static bool move_list(struct engine *engine, struct list *list) {
    bool any = false;
    for (struct list_node *node = list_first(list), *next; node; node = next) {
        struct delivery *d = LIST_ENTRY(node, struct delivery, node);
        const struct plan_target *target = next_of(engine, d);
        next = list_next(list, node);
        if (!target)
            continue;
        any = true;
        recipient_unqueue(d);
        key_release(engine, d);
        move(engine, d, target);
    }
    return any;
}

/* What waits for one that can't take it may come to this one. */
static void wake_others(struct engine *engine, const struct system *able) {
    for (size_t i = 0; i < engine->system_count; i++) {
        struct system *other = engine->systems[i];
        bool waits = other->recipient.queued || other->recipient.waiting;
        if (other != able && waits && !other->standby.is_able && failover_names(engine, &other->recipient))
            recipient_wake(engine, &other->recipient);
    }
}

void failover_look(struct engine *engine, struct system *system) {
    struct recipient *r = &system->recipient;
    see(engine, system);
    if (system->standby.is_able) {
        wake_others(engine, system);
        return;
    }
    for (int lane = PRIORITY_COUNT; lane-- > 0;)
        while (r->queue[lane].count && move_list(engine, &r->queue[lane]))
            ;
}

/* All that could take it have had it. */
static bool has_tried_all(const struct system *system, const struct delivery *d) {
    for (size_t i = 0; i < system->endpoint_count; i++)
        if (endpoint_can(system->endpoints[i]) && !avoid_has(&d->avoid, &system->endpoints[i]->outlet))
            return false;
    const struct list *members = &system->recipient.members;
    for (struct list_node *node = list_first(members); node; node = list_next(members, node)) {
        const struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        if (m->own_outlet && !avoid_has(&d->avoid, m->outlet))
            return false;
    }
    return true;
}

bool failover_goes(struct engine *engine, struct delivery *d) {
    struct system *system = engine_system(engine, d->recipient->system);
    if (seen(engine, system)->is_able && !has_tried_all(system, d))
        return false;
    const struct plan_target *target = next_of(engine, d);
    if (!target)
        return false;
    key_release(engine, d);
    move(engine, d, target);
    return true;
}

bool failover_takes_back(struct engine *engine, struct delivery *d) {
    size_t at = 0;
    const struct plan_target *target = next_of(engine, d);
    const struct plan_route *route = target ? NULL : route_of(engine, d, &at);
    if (route && route->target_count > 1) { /* who gave it back knew better */
        target = &route->targets[(at + 1) % route->target_count];
        const struct system *system = engine_system(engine, target->system);
        if (!system || !is_free(system, d))
            target = NULL;
    }
    if (!target)
        return false;
    attempt_unlist(engine, d);
    move(engine, d, target);
    return true;
}

/* -- looked at from outside -- */

/* Of requests nothing is said: one may have waited for another of its id, which is over by now. */
static bool could_go(const struct engine *engine, const struct delivery *d) {
    size_t at = 0;
    const struct plan_route *route = d->asks ? NULL : route_of(engine, d, &at);
    for (size_t i = 0; route && i < route->target_count; i++) {
        const struct system *other = engine_system(engine, route->targets[i].system);
        if (other && &other->recipient != d->recipient && can(other) && is_free(other, d) &&
            room_look(&other->recipient, d->message, message_kept_size(d->message)) == ROOM_FREE)
            return true;
    }
    return false;
}

const char *failover_check(const struct engine *engine) {
    for (size_t i = 0; i < engine->system_count; i++) {
        const struct system *system = engine->systems[i];
        if (!failover_names(engine, &system->recipient) || can(system))
            continue;
        for (int lane = 0; lane < PRIORITY_COUNT; lane++) {
            const struct list *list = &system->recipient.queue[lane];
            for (struct list_node *node = list_first(list); node; node = list_next(list, node))
                if (could_go(engine, LIST_ENTRY(node, struct delivery, node)))
                    return "a message waits for a system that can't take it, and another could";
        }
    }
    return NULL;
}
