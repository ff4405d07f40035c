/* How messages end: one function frees a delivery, counts it and tells of it. */
#include "engine/hedge.h"
#include "engine/ways.h"

const char *engine_ending_name(enum engine_ending ending) {
    static const char *const names[ENDING_COUNT] = {"delivered", "replied", "expired", "rejected", "dead", "dropped"};
    return names[ending];
}

#define SPARES_MAX 1024

static void spare(struct engine *engine, struct delivery *d) {
    if (engine->spare_count >= SPARES_MAX) {
        memory_free(d);
        return;
    }
    d->node.next = (struct list_node *)(void *)engine->spare_deliveries;
    engine->spare_deliveries = d;
    engine->spare_count++;
}

static struct delivery *take_spare(struct engine *engine) {
    struct delivery *d = engine->spare_deliveries;
    if (!d)
        return memory_alloc(sizeof *d);
    engine->spare_deliveries = (struct delivery *)(void *)d->node.next;
    engine->spare_count--;
    return d;
}

struct delivery *delivery_new(struct engine *engine, struct recipient *recipient, const struct message *message) {
    struct delivery *d = take_spare(engine);
    if (!d)
        return NULL;
    *d = (struct delivery){
        .recipient = recipient, .priority = message->priority, .attempt = 1, .from = CONFIG_NONE,
        .timer = {.deadline = {.at = MONO_NEVER}, .kind = TIMER_DELIVERY}, .request_due = MONO_NEVER, .step_due = MONO_NEVER, .hedge_due = MONO_NEVER,
        .received = engine->now.mono};
    d->message = message->block ? message_ref((struct message *)(uintptr_t)message)
                                : message_keep(message, &engine->kept);
    if (!d->message) {
        spare(engine, d);
        return NULL;
    }
    engine->totals.held++;
    engine->totals.held_bytes += message_kept_size(d->message);
    return d;
}

/* Takes it out of whatever list its state put it into, and back to the spare ones. */
void delivery_free(struct engine *engine, struct delivery *d) {
    deadlines_clear(&engine->deadlines, &d->timer.deadline);
    if (d->twin)
        hedge_part(engine, d);
    if (d->asker)
        list_remove(&d->asker->work->asked, &d->asker_node);
    if (d->later)
        replies_drop(engine, d);
    if (d->retrying)
        d->recipient->retrying--;
    if (d->is_mirror)
        d->recipient->mirrored--;
    reply_unexpect(d);
    engine->totals.held--;
    engine->totals.held_bytes -= message_kept_size(d->message);
    message_unref(d->message);
    spare(engine, d);
}

void ending_count(struct engine *engine, struct recipient *recipient, enum engine_ending ending, enum status status,
                  uint8_t priority, int64_t duration_ns) {
    ending_count_run(engine, recipient, ending, status, priority, duration_ns, 1);
}

void ending_count_run(struct engine *engine, struct recipient *recipient, enum engine_ending ending,
                      enum status status, uint8_t priority, int64_t duration_ns, uint64_t times) {
    engine->totals.endings[ending][status] += times;
    if (recipient)
        recipient->endings[ending] += times;
    if (!engine->options.calls || !engine->options.calls->counted)
        return;
    struct engine_count count = {.count = times, .ending = ending, .status = status, .priority = priority, .duration_ns = duration_ns,
                                 .system = recipient ? recipient->system : CONFIG_NONE, .protocol = engine->taker,
                                 .name = recipient ? recipient->name : slice_make("", 0)};
    engine->options.calls->counted(engine->options.user, &count);
}

void ending_retried(struct engine *engine, const struct recipient *recipient, enum retry_fate fate, enum status status,
                    enum retry_why why) {
    struct engine_retry retry = {.outcome = retry_outcome_of(fate, status), .status = status, .why = why};
    if (engine->options.calls && engine->options.calls->retried)
        engine->options.calls->retried(engine->options.user, recipient->system, &retry);
}

enum engine_ending ending_dead(struct engine *engine, const struct message *message, const struct config_policy *policy,
                               const struct dead_facts *facts) {
    if (message->kind == KIND_NOTIFICATION || facts->recipient->is_subscription || facts->reason == STATUS_SHUTDOWN)
        return ENDING_DEAD; /* nobody asked to keep those, and a store that ends now keeps nothing */
    if (policy->dead_letter == CONFIG_DEAD_LETTER_DROP)
        return ENDING_DROPPED;
    bool goes = policy->dead_letter >= CONFIG_DEAD_LETTER_SYSTEM &&
                dead_forward(engine, message, facts, policy->dead_letter - CONFIG_DEAD_LETTER_SYSTEM);
    if (!goes)
        dead_keep(engine, message, facts);
    return ENDING_DEAD;
}

static enum engine_ending dead_delivery(struct engine *engine, const struct delivery *d, enum status status) {
    struct dead_facts facts = {d->recipient, d->from, d->route, status, d->attempt, d->redriven};
    struct config_policy keep = {.dead_letter = CONFIG_DEAD_LETTER_KEEP};
    return ending_dead(engine, d->message, d->is_dead_letter ? &keep : attempt_policy(engine, d), &facts);
}

static void tell(struct engine *engine, const struct message *message, struct recipient *recipient, uint32_t from,
                 enum engine_ending ending, enum status status, uint8_t attempt, int64_t duration_ns) {
    ending_count(engine, recipient, ending, status, message ? message->priority : 0, duration_ns);
    if (ending <= ENDING_REPLIED || !engine->options.calls || !engine->options.calls->ended)
        return;
    const struct system *sender = engine_system(engine, from);
    struct engine_report report = {
        .ending = ending, .status = status, .message = message, .attempt = attempt, .duration_ns = duration_ns,
        .system = recipient ? recipient->name : slice_make("", 0), .from = sender ? sender->name : slice_make("", 0)};
    engine->options.calls->ended(engine->options.user, &report);
}

void ending_tell(struct engine *engine, const struct message *message, struct recipient *recipient, uint32_t from,
                 enum engine_ending ending, enum status status, uint8_t attempt, int64_t duration_ns) {
    if (trace_wants_end(engine, engine->tracing.mark, ending))
        trace_ended(engine, engine->tracing.mark,
                    &(struct trace_end){message, recipient, from, ending, status, attempt, 0, duration_ns});
    tell(engine, message, recipient, from, ending, status, attempt, duration_ns);
}

void ending_waiter(struct engine *engine, const struct waiter *w, enum status status, int64_t duration_ns) {
    uint64_t outer = engine->tracing.mark;
    engine->tracing.mark = w->trace;
    ending_tell(engine, w->message, w->recipient, w->from, ENDING_REJECTED, status, 1, duration_ns);
    engine->tracing.mark = outer;
}

static void trace_delivery(struct engine *engine, const struct delivery *d, enum engine_ending ending, enum status status,
                           uint16_t code) {
    trace_ended(engine, d->trace,
                &(struct trace_end){d->message, d->recipient, d->from, ending, status, d->attempt, code,
                                    engine->now.mono.ns - d->received.ns});
}

/* The code that who asked is told when there is no reply; 0: it isn't told by one. */
static uint16_t code_of(const struct delivery *d, enum engine_ending ending, enum status status) {
    bool is_told = d->asks && d->asker && ending != ENDING_REPLIED && d->asker->connection->sink.terms.inline_reply;
    return is_told ? (uint16_t)status_row(status)->http : 0;
}

/* Who asked hears how it ended; where nobody does, what is dead is kept. */
static enum engine_ending tell_asker(struct engine *engine, struct delivery *d, enum engine_ending ending, enum status status) {
    bool is_heard = d->asks && (d->asker || d->later);
    if (d->later && !d->asker && ending != ENDING_REPLIED)
        replies_fail(engine, d, status);
    if (d->asker && d->asks && ending != ENDING_REPLIED)
        reply_fail(engine, d, status);
    if (ending == ENDING_DEAD && !d->foreign && !is_heard && d->recipient)
        return d->is_mirror ? ENDING_DROPPED : dead_delivery(engine, d, status);
    return ending;
}

void delivery_end(struct engine *engine, struct delivery *d, enum engine_ending ending, enum status status) {
    struct recipient *recipient = d->recipient;
    if (d->is_hedge) { /* what becomes of it is nobody's business; the first attempt goes on */
        hedge_stands_in(engine, d, NULL);
        return;
    }
    uint16_t code = code_of(d, ending, status);
    switch ((enum delivery_state)d->state) {
    case DELIVERY_QUEUED:
    case DELIVERY_BLOCKED:
        recipient_unqueue(d);
        break;
    case DELIVERY_SENT:
        list_remove(&recipient->sent, &d->node);
        flight_forget(d->session, d);
        break;
    case DELIVERY_REMOTE:
        mail_forget(engine, d);
        list_remove(&recipient->asked, &d->node);
        break;
    case DELIVERY_ASKED:
        list_remove(&recipient->asked, &d->node);
        break;
    case DELIVERY_LATER:
        attempt_unwait(d);
        break;
    case DELIVERY_FOREIGN:
        list_remove(&d->session->work->foreign, &d->node);
        break;
    case DELIVERY_ANSWER:
        list_remove(&d->session->work->answers, &d->node);
        break;
    }
    if (d->asks || ending == ENDING_DEAD)
        ending = tell_asker(engine, d, ending, status);
    if (!d->foreign && !d->is_mirror && trace_wants_end(engine, d->trace, ending))
        trace_delivery(engine, d, ending, status, code);
    if (d->is_mirror)
        ending_count(engine, recipient, ending, status, d->priority, engine->now.mono.ns - d->received.ns);
    else if (!d->foreign)
        tell(engine, d->message, recipient, d->from, ending, status, d->attempt, engine->now.mono.ns - d->received.ns);
    else if (ending != ENDING_REPLIED)
        mail_outcome(engine, d, ending, status, d->state == DELIVERY_FOREIGN && status == STATUS_PEER_CLOSED);
    key_release(engine, d);
    delivery_free(engine, d);
    if (recipient && recipient->waiting)
        recipient_wake(engine, recipient);
}

void timer_set(struct engine *engine, struct timer *timer, struct mono at) {
    deadlines_set(&engine->deadlines, &timer->deadline, at);
}

/* Its deadline has come, whatever it is waiting for. */
void delivery_late(struct engine *engine, struct delivery *d) {
    if ((d->is_mirror && mirror_late(engine, d)) || attempt_rings(engine, d))
        return;
    if (d->message->expiry.ns <= engine->now.wall.ns && !d->asks) {
        delivery_end(engine, d, ENDING_EXPIRED, STATUS_EXPIRED);
        return;
    }
    if (!d->asks)
        return;
    bool at_last = mono_due(d->request_due, engine->now.mono);
    if (d->state == DELIVERY_QUEUED || d->state == DELIVERY_BLOCKED) {
        bool nobody = !choice_has_somebody(engine, d->recipient);
        delivery_end(engine, d, at_last ? ENDING_EXPIRED : ENDING_DEAD,
                     at_last  ? STATUS_REPLY_TIMEOUT
                     : nobody ? STATUS_TARGET_UNAVAILABLE
                              : STATUS_OVERLOADED);
        return;
    }
    if (!at_last) { /* it had waited for a connection, and has been on its way since */
        timer_set(engine, &d->timer, d->state == DELIVERY_REMOTE ? d->request_due : mono_min(mono_min(d->request_due, d->step_due), d->hedge_due));
        return;
    }
    if (d->state == DELIVERY_SENT) {
        flight_give_up(d->session, d);
        d->session = NULL;
    }
    delivery_end(engine, d, ENDING_EXPIRED, STATUS_REPLY_TIMEOUT);
}
