/* What becomes of a delivery whose attempt failed: policy/retry.h decides, here it waits for the next one. Waiting holds
 * neither a connection nor a place in a lane; of a partition key it keeps the others waiting, of nobody else. */
#include "engine/hedge.h"
#include "engine/ways.h"
#include "policy/budget.h"

const struct config_policy *attempt_policy(const struct engine *engine, const struct delivery *d) {
    const struct plan *plan = engine->plan;
    uint32_t system = d->recipient->system;
    int32_t index = plan_route_index(plan, d->route);
    bool is_there = index >= 0 && (size_t)index < plan->config->route_count;
    const struct plan_route *route = is_there ? &plan->routes[index] : NULL;
    for (size_t i = 0; route && i < route->target_count; i++)
        if (route->targets[i].system == system)
            return &route->targets[i].policy;
    return system < plan->config->system_count ? &plan->direct[system].policy : &plan->config->defaults;
}

static struct retry_rules rules_of(const struct config_policy *policy, bool asks) {
    const struct config_retry *retry = asks ? &policy->retry : &policy->redeliver;
    return (struct retry_rules){
        .attempts = (uint32_t)retry->attempts, .outcomes = retry->outcomes, .idempotent = policy->idempotent,
        .backoff = {retry->base_ns, retry->max_ns, (uint32_t)retry->factor, retry->base_ns == 0}};
}

/* -- the budget -- */

static struct budget budget_in(const struct config_policy *policy) {
    return (struct budget){policy->budget.min, policy->budget.share};
}

static uint64_t under_way(const struct recipient *r) {
    return r->sent.count + r->asked.count;
}

/* It is paid for once, and keeps its place until it ends. */
static bool pay(struct recipient *r, struct delivery *d, const struct config_policy *policy) {
    struct budget budget = budget_in(policy);
    if (d->retrying)
        return true;
    if (!budget_allows(&budget, under_way(r), r->retrying))
        return false;
    d->retrying = true;
    r->retrying++;
    return true;
}

bool attempt_pays(struct engine *engine, struct delivery *d) {
    return pay(d->recipient, d, attempt_policy(engine, d));
}

uint64_t attempt_budget_left(const struct engine *engine, const struct recipient *r) {
    const struct plan *plan = engine->plan;
    if (!plan || r->system >= plan->config->system_count)
        return 0;
    struct budget budget = budget_in(&plan->direct[r->system].policy);
    uint64_t all = budget_of(&budget, under_way(r));
    return all > r->retrying ? all - r->retrying : 0;
}

/* -- waiting -- */

void attempt_unlist(struct engine *engine, struct delivery *d) {
    struct recipient *r = d->recipient;
    if (d->state == DELIVERY_SENT) {
        list_remove(&r->sent, &d->node);
        flight_forget(d->session, d);
        d->session = NULL;
        return;
    }
    if (d->state == DELIVERY_REMOTE)
        mail_forget(engine, d);
    list_remove(&r->asked, &d->node);
}

static void wait_for(struct engine *engine, struct delivery *d, struct mono at) {
    struct recipient *r = d->recipient;
    int64_t left = d->message->expiry.ns == INT64_MAX ? INT64_MAX : d->message->expiry.ns - engine->now.wall.ns;
    struct mono end = d->asks ? d->request_due : left == INT64_MAX ? MONO_NEVER : mono_after(engine->now.mono, left > 0 ? left : 0);
    d->state = DELIVERY_LATER;
    d->step_due = at;
    list_add(&r->later, &d->node);
    r->later_bytes += message_kept_size(d->message);
    room_add(r, d);
    timer_set(engine, &d->timer, mono_min(at, end));
}

void attempt_unwait(struct delivery *d) {
    struct recipient *r = d->recipient;
    list_remove(&r->later, &d->node);
    r->later_bytes -= message_kept_size(d->message);
    room_remove(r, d);
}

/* -- failing -- */

/* What it ends with when there is no other attempt. Who waits for a reply hears what the recipient said. */
static enum status status_of(const struct delivery *d, const struct attempt_failure *failure, enum retry_why why) {
    bool is_answer = failure->fate == RETRY_REFUSED;
    if (why == RETRY_NOT_SAFE || why == RETRY_NOT_LISTED)
        return failure->fate == RETRY_UNKNOWN ? STATUS_OUTCOME_UNKNOWN : failure->status;
    return d->asks && is_answer ? failure->status : STATUS_RETRIES_EXHAUSTED;
}

/* Its owner, on another worker, decides. */
static void hand_back(struct engine *engine, struct delivery *d, const struct attempt_failure *failure) {
    attempt_unlist(engine, d);
    mail_failed(engine, d->origin, d->origin_id, failure);
    key_release(engine, d);
    delivery_free(engine, d);
}

static void try_again(struct engine *engine, struct delivery *d, const struct attempt_failure *failure, struct mono at) {
    struct system *system = engine_system(engine, d->recipient->system);
    attempt_unlist(engine, d);
    if (failure->fate == RETRY_UNSENT) {
        if (d->asks)
            timer_set(engine, &d->timer, d->request_due);
        recipient_queue(engine, d, true);
        return;
    }
    d->attempt++;
    if (failure->outlet)
        avoid_add(&d->avoid, failure->outlet);
    if (system && &system->recipient == d->recipient)
        endpoint_want_other(engine, system, failure->outlet);
    wait_for(engine, d, at);
}

static enum retry_why decide(struct engine *engine, struct delivery *d, const struct attempt_failure *failure, struct mono *ret_at) {
    const struct config_policy *policy = attempt_policy(engine, d);
    struct retry_rules rules = rules_of(policy, d->asks);
    struct retry_view view = {.kind = (enum message_kind)d->message->kind, .acks = failure->acks, .attempt = d->attempt,
                              .fate = failure->fate, .status = failure->status,
                              .after_ns = failure->retry_ms * NS_PER_MS,
                              .deadline = d->asks ? d->request_due : MONO_NEVER};
    enum retry_why why = retry_decide(&rules, &view, &engine->rng, engine->now.mono, ret_at);
    if (why == RETRY_AGAIN && d->asks && failure->fate != RETRY_UNSENT && !pay(d->recipient, d, policy))
        return RETRY_NO_BUDGET;
    return why;
}

void attempt_failed(struct engine *engine, struct delivery *d, const struct attempt_failure *failure) {
    struct recipient *r = d->recipient;
    struct mono at = engine->now.mono;
    if (d->foreign && !d->homed) {
        hand_back(engine, d, failure);
        return;
    }
    if (d->twin && hedge_stands_in(engine, d, failure->outlet))
        return;
    if (d->is_mirror && failure->fate != RETRY_UNSENT) {
        delivery_end(engine, d, ENDING_DROPPED, failure->status);
        return;
    }
    bool is_back = failure->status == STATUS_TARGET_UNAVAILABLE && d->state == DELIVERY_REMOTE && failure->fate == RETRY_UNSENT;
    if (is_back && failover_takes_back(engine, d))
        return;
    enum retry_why why = decide(engine, d, failure, &at);
    if (failure->fate != RETRY_UNSENT || why != RETRY_AGAIN)
        ending_retried(engine, r, failure->fate, failure->status, why);
    if (engine->tracing.is_on)
        trace_failed(engine, d, failure, (int)why, why == RETRY_AGAIN ? at.ns - engine->now.mono.ns : -1);
    if (why == RETRY_AGAIN) {
        try_again(engine, d, failure, at);
        return;
    }
    bool drops = d->message->kind == KIND_NOTIFICATION;
    delivery_end(engine, d, drops ? ENDING_DROPPED : ENDING_DEAD, status_of(d, failure, why));
}

bool attempt_is_left(const struct engine *engine, const struct delivery *d) {
    return d->attempt < rules_of(attempt_policy(engine, d), d->asks).attempts;
}

void attempt_at_once(struct engine *engine, struct delivery *d) {
    if (d->twin && hedge_stands_in(engine, d, NULL))
        return;
    try_again(engine, d, &(struct attempt_failure){.fate = RETRY_UNSENT}, engine->now.mono);
}

/* -- time -- */

struct mono attempt_due(const struct engine *engine, struct delivery *d) {
    d->step_due = MONO_NEVER;
    if (d->timed && d->attempt < d->attempts)
        d->step_due = mono_after(engine->now.mono, d->attempt_ns);
    if (engine->plan->has_hedges)
        d->hedge_due = hedge_begin(engine, d);
    return mono_min(mono_min(d->request_due, d->step_due), d->hedge_due);
}

static void ring_later(struct engine *engine, struct delivery *d) {
    if (d->asks ? mono_due(d->request_due, engine->now.mono) : d->message->expiry.ns <= engine->now.wall.ns) {
        delivery_end(engine, d, ENDING_EXPIRED, d->asks ? STATUS_REPLY_TIMEOUT : STATUS_EXPIRED);
        return;
    }
    struct mono at = d->step_due;
    attempt_unwait(d);
    if (!mono_due(at, engine->now.mono)) { /* the wall clock had gone forth, and back */
        wait_for(engine, d, at);
        return;
    }
    if (failover_names(engine, d->recipient) && failover_goes(engine, d))
        return;
    if (d->asks)
        timer_set(engine, &d->timer, d->request_due);
    recipient_queue(engine, d, true);
}

/* An attempt that is silent is given up for the next one only: if there is none, it has until the end. */
static bool give_up(struct engine *engine, struct delivery *d) {
    struct attempt_failure failure = {.fate = RETRY_UNKNOWN, .status = STATUS_REPLY_TIMEOUT, .acks = true};
    bool is_ours = !d->foreign || d->homed;
    struct mono at = engine->now.mono;
    d->step_due = MONO_NEVER;
    timer_set(engine, &d->timer, d->request_due);
    if (d->twin) {
        if (d->session)
            failure.outlet = flight_give_up(d->session, d);
        hedge_stands_in(engine, d, failure.outlet);
        return true;
    }
    if (is_ours && decide(engine, d, &failure, &at) != RETRY_AGAIN)
        return true;
    if (d->session)
        failure.outlet = flight_give_up(d->session, d);
    d->session = NULL;
    if (!is_ours) {
        hand_back(engine, d, &failure);
        return true;
    }
    ending_retried(engine, d->recipient, failure.fate, failure.status, RETRY_AGAIN);
    if (engine->tracing.is_on)
        trace_failed(engine, d, &failure, RETRY_AGAIN, at.ns - engine->now.mono.ns);
    try_again(engine, d, &failure, at);
    return true;
}

bool attempt_rings(struct engine *engine, struct delivery *d) {
    if (d->state == DELIVERY_LATER) {
        ring_later(engine, d);
        return true;
    }
    bool is_under_way = d->state == DELIVERY_SENT || d->state == DELIVERY_ASKED;
    if (is_under_way && mono_due(d->hedge_due, engine->now.mono) && !mono_due(mono_min(d->request_due, d->step_due), engine->now.mono)) {
        hedge_ring(engine, d);
        return true;
    }
    if (!is_under_way || !d->timed || mono_due(d->request_due, engine->now.mono) || !mono_due(d->step_due, engine->now.mono))
        return false;
    return give_up(engine, d);
}
