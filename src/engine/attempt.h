/* A part of inner.h: what becomes of a delivery whose attempt failed, and of one that is dead; and what
 * had no room there. Included by it alone. */
#ifndef ENGINE_ATTEMPT_H
#define ENGINE_ATTEMPT_H

/* attempt.c */
struct attempt_failure {
    enum retry_fate fate;
    enum status status;
    uint32_t retry_ms;  /* not before, as the recipient says */
    bool acks;          /* it acknowledges by protocol */
    const struct outlet *outlet; /* where it failed; NULL: not known any more */
    uint8_t attempt; /* of what was retried by its key's worker: how many it had; else 0 */
};
/* How long this attempt may take: as its route says while another is left, else to its end. */
static inline int64_t attempt_patience(const struct engine *engine, const struct delivery *d) {
    if (!d->asks || (d->timed && d->attempt < d->attempts))
        return d->attempt_ns;
    return d->request_due.ns > engine->now.mono.ns ? d->request_due.ns - engine->now.mono.ns : 1;
}
/* asks, about to be sent: when to look at it again. */
struct mono attempt_due(const struct engine *engine, struct delivery *delivery);
const struct config_policy *attempt_policy(const struct engine *engine, const struct delivery *delivery);
/* An attempt failed: it waits for the next, or ends. It is in the list that its state says, and its flight is over. */
void attempt_failed(struct engine *engine, struct delivery *delivery, const struct attempt_failure *failure);
bool attempt_is_left(const struct engine *engine, const struct delivery *delivery);
/* Its next attempt counts against the retry budget. False: there is none left. */
bool attempt_pays(struct engine *engine, struct delivery *delivery);
/* It was not taken, for a reason that another try at once mends. */
void attempt_at_once(struct engine *engine, struct delivery *delivery);
/* Its timer has rung: true when that was about its attempts. */
bool attempt_rings(struct engine *engine, struct delivery *delivery);
/* Out of the list that its state, under way, says; its flight counts no more. */
void attempt_unlist(struct engine *engine, struct delivery *delivery);
void attempt_unwait(struct delivery *delivery);
/* Retries that may still begin. */
uint64_t attempt_budget_left(const struct engine *engine, const struct recipient *recipient);

/* dead.c, with dead.h */
struct dead_facts {
    const struct recipient *recipient;
    uint32_t from;
    uint32_t route; /* plan_route_mark() */
    enum status reason;
    uint32_t attempts, redriven;
};
void dead_init(struct engine *engine);
void dead_done(struct engine *engine);
void dead_configure(struct engine *engine, const struct config *config);
void dead_keep(struct engine *engine, const struct message *message, const struct dead_facts *facts);
/* To the system that gets them, with what is known in `dl..` attributes. False: it has no room, or it is the one that failed. */
bool dead_forward(struct engine *engine, const struct message *message, const struct dead_facts *facts, uint32_t system);
void dead_ring(struct engine *engine);
void dead_input(struct engine *engine, struct engine_input *input);

/* ask.c */
void ask_ring(struct engine *engine, struct timer *timer);
void ask_done(struct engine *engine);

/* rest.c */
void rest_way(void *connection, const struct protocol_ask *ask, struct protocol_way *ret);

#endif
