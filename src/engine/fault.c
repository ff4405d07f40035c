/* Trouble made on purpose, so that one can see what others do about it: messages of a route are delayed or refused. Those
 * that are delayed wait like those for which there was no room, but for their time alone. */
#include "engine/ways.h"

void fault_init(struct engine *engine) {
    recipient_init(&engine->delayed, CONFIG_NONE, slice_make("", 0), 0, 0, 0);
}

void fault_done(struct engine *engine) {
    recipient_done(engine, &engine->delayed);
}

static bool delay(struct engine *engine, struct session *s, uint64_t token, const struct message *message,
                  uint32_t from, int64_t delay_ns) {
    struct recipient *r = &engine->delayed;
    size_t size = message_kept_size(message);
    if (r->waiting >= FAULT_DELAYED_MAX || r->queued_bytes + size > FAULT_DELAYED_BYTES ||
        !session_work(s))
        return false;
    struct waiter *w = memory_new(sizeof *w);
    struct message *kept = w ? message_keep(message, &engine->kept) : NULL;
    if (!kept) {
        memory_free(w);
        return false;
    }
    *w = (struct waiter){.message = kept,
                         .session = s,
                         .token = token,
                         .from = from,
                         .pick = engine->pick,
                         .generation = engine->plan->generation,
                         .recipient = r,
                         .received = engine->now.mono,
                         .timer = {.deadline = {.at = MONO_NEVER}, .kind = TIMER_WAITER}};
    w->trace = engine->tracing.mark;
    w->claim = dedupe_take_claim(engine);
    room_wait(r, w, false);
    list_add(&s->work->waiters, &w->session_node);
    r->queued_bytes += message_kept_size(kept);
    engine->totals.waiting++;
    w->until = mono_after(engine->now.mono, engine->draining ? 0 : delay_ns);
    timer_set(engine, &w->timer, w->until);
    return true;
}

enum fault_effect fault_meet(struct engine *engine, struct session *s, uint64_t token,
                             const struct message *message, const struct routing *routing, uint32_t from) {
    const struct config_fault *fault = engine->plan->routes[routing->route].fault;
    if (fault->share < 1000 && rng_below(&engine->rng, 1000) >= fault->share)
        return FAULT_NONE;
    if (fault->delay_ns && delay(engine, s, token, message, from, fault->delay_ns)) {
        engine->totals.faults_delayed++;
        return FAULT_DELAYED;
    }
    engine->totals.faults_skipped += fault->delay_ns > 0;
    engine->totals.faults_aborted += fault->abort != STATUS_OK;
    return fault->abort == STATUS_OK ? FAULT_NONE : FAULT_ABORTED;
}

/* It is routed anew: the plan may be another by now. */
static void go_on(struct engine *engine, struct waiter *w) {
    struct session *s = w->session;
    struct routing routing;
    router_find(engine, s, w->message, w->from, &routing);
    bool aborts = routing.status == STATUS_OK && fault_looks(engine, &routing) &&
                  engine->plan->routes[routing.route].fault->abort != STATUS_OK;
    if (aborts) {
        enum status status = engine->plan->routes[routing.route].fault->abort;
        engine->totals.faults_aborted++;
        ending_tell(engine, w->message, NULL, w->from, ENDING_REJECTED, status, 1,
                    engine->now.mono.ns - w->received.ns);
        session_refuse(engine, s, w->token, status, 0);
        waiter_free(engine, w);
        return;
    }
    bool drops = s->connection->sink.terms.when_full == PROTOCOL_FULL_DROP;
    int64_t patience = drops || routing.status != STATUS_OK ? 0 : intake_patience(s, w->message, &routing);
    w->until = mono_after(engine->now.mono, patience);
    offer_try(engine, w);
}

/* Timers of the same moment ring in no order. */
void fault_over(struct engine *engine, struct waiter *w) {
    const struct list *list = &engine->delayed.waiters[w->message->priority < PRIORITY_LOW ? 0 : w->message->priority - 1];
    for (struct waiter *first = NULL; first != w;) {
        struct list_node *node = list_first(list);
        while (node != &w->node && LIST_ENTRY(node, struct waiter, node)->until.ns > w->until.ns)
            node = list_next(list, node);
        first = LIST_ENTRY(node, struct waiter, node);
        go_on(engine, first);
    }
}

void fault_release(struct engine *engine) {
    for (int lane = 0; lane < PRIORITY_COUNT; lane++) {
        const struct list *list = &engine->delayed.waiters[lane];
        for (struct list_node *node = list_first(list); node; node = list_next(list, node)) {
            struct waiter *w = LIST_ENTRY(node, struct waiter, node);
            w->until = engine->now.mono;
            timer_set(engine, &w->timer, w->until);
        }
    }
}
