/* Endpoints that want to be asked before events come, and say how fast (webhooks): see protocol/http1/consent.h for how. Until
 * consent is there one connection at a time asks for it, and nothing is sent. */
#include "engine/hand.h"
#include "engine/inner.h"

#include <stdio.h>

static bool lacks_consent(const struct endpoint *e) {
    return e->plan->setup.webhook.origin.size && !e->consent.given;
}

bool endpoint_takes_now(const struct endpoint *e, struct mono now) {
    return hand_allows(e) && !e->consent.gone && !lacks_consent(e) && pace_ready(&e->pace, now);
}

bool endpoint_wants_dial(const struct endpoint *e, struct mono now) {
    if (!hand_allows(e) || e->consent.gone || (lacks_consent(e) && e->connections > e->open))
        return false;
    return lacks_consent(e) || e->open == 0 || pace_ready(&e->pace, now);
}

static void wait_for_pace(struct engine *engine, struct endpoint *e) {
    struct mono at = pace_changes(&e->pace, engine->now.mono);
    if (!e->removed && at.ns != INT64_MAX)
        timer_set(engine, &e->paced, at);
}

void endpoint_consented(struct engine *engine, struct endpoint *e) {
    if (!e->consent.given)
        return;
    pace_set(&e->pace, e->consent.rate, engine->options.workers, engine->options.worker);
    wait_for_pace(engine, e);
    if (pool_is_short(e))
        timer_set(engine, &e->redial, engine->now.mono);
}

void endpoint_sent(struct engine *engine, struct endpoint *e) {
    if (e->pace.interval_ns == 0)
        return;
    pace_take(&e->pace, engine->now.mono);
    wait_for_pace(engine, e);
}

void endpoint_rest(struct engine *engine, struct endpoint *e, uint32_t retry_ms) {
    if (e->plan->setup.webhook.origin.size == 0 || retry_ms == 0)
        return;
    pace_hold(&e->pace, mono_after(engine->now.mono, (int64_t)retry_ms * NS_PER_MS));
    wait_for_pace(engine, e);
}

void endpoint_paced(struct engine *engine, struct endpoint *e) {
    struct list *members = &e->system->recipient.members;
    for (struct list_node *node = list_first(members); node; node = list_next(members, node)) {
        struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        if (m->session && m->session->endpoint == e)
            member_look(engine, m);
    }
    recipient_wake(engine, &e->system->recipient);
    wait_for_pace(engine, e); /* turns begin and end by themselves */
}

void endpoint_leave(struct engine *engine, struct endpoint *e) {
    if (!e->consent.gone || e->fitness.is_gone || e->removed)
        return;
    e->fitness.is_gone = true;
    (void)snprintf(e->fitness.why, sizeof e->fitness.why, "it answered 410 Gone; until a reload nothing is sent there");
    fitness_look(engine, e);
}

/* Who was asked under another name, or for another rate, is asked again. */
void endpoint_replan(struct endpoint *e, const struct plan_endpoint *plan) {
    const struct protocol_setup *was = &e->plan->setup, *now = &plan->setup;
    if (!slice_equal(was->webhook.origin, now->webhook.origin) || was->webhook.rate != now->webhook.rate)
        e->consent.given = false;
    if (now->webhook.origin.size == 0)
        e->pace = (struct pace){0};
}

void endpoint_return(struct engine *engine, struct endpoint *e) {
    e->consent.gone = false;
    if (!e->fitness.is_gone)
        return;
    e->fitness.is_gone = false;
    fitness_look(engine, e);
}
