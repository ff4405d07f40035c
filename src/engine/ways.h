/* Of several systems that a route names, the one that gets a message; a copy more for another; trouble made on purpose.
 * Which one it is isn't part of a connection's memo: it depends on the message, on chance and on who is there. */
#ifndef ENGINE_WAYS_H
#define ENGINE_WAYS_H

#include "engine/inner.h"

/* ways.c: the same routing with one target, in engine->routing; engine->pick says which. */
const struct routing *ways_choose(struct engine *engine, const struct message *message,
                                  const struct routing *routing);
/* For one that waited: a choice by weight stands, unless the routes have changed. */
void ways_again(struct engine *engine, const struct waiter *waiter, struct routing *routing);

/* failover.c: the first of the route's systems that can take the message. Each worker judges by what it knows itself. */
#define FAILOVER_MOVES_MAX 16 /* of one message, so that two who don't agree can't pass it to each other for ever */
size_t failover_choose(struct engine *engine, const struct message *message, const struct routing *routing);
/* Something has changed of the system: what waits for one that can't take it goes on to one that can. */
void failover_look(struct engine *engine, struct system *system);
static inline bool failover_names(const struct engine *engine, const struct recipient *r) {
    return engine->plan && engine->plan->fails_over && !r->is_subscription && engine_system(engine, r->system) &&
           r->system < engine->plan->config->system_count && r == &engine_system(engine, r->system)->recipient &&
           engine->plan->fails_over[r->system];
}
/* It is to be tried again now, and is in no list: true when that is done elsewhere. */
bool failover_goes(struct engine *engine, struct delivery *delivery);
/* Its key's worker gives it back, because the system can't take it there. False: there is no other. */
bool failover_takes_back(struct engine *engine, struct delivery *delivery);
/* A broken invariant, or NULL. */
const char *failover_check(const struct engine *engine);

/* mirror.c. A mirror gets each copy once, while it has room: at most so many are under way to it, and they never use more
 * than half of its queue, so that what else it gets isn't held up. */
#define MIRROR_COPIES_MAX 1000
/* The message was taken: its route's mirror, if it has one, may get a copy. */
void mirror_send(struct engine *engine, const struct message *message, const struct routing *routing,
                 uint32_t from);
static inline void mirror_look(struct engine *engine, const struct message *message,
                               const struct routing *routing, uint32_t from) {
    if (engine->plan->has_mirrors && routing->route >= 0 && engine->plan->routes[routing->route].mirror)
        mirror_send(engine, message, routing, from);
}
/* Its deadline has come: true when that was the end of it. */
bool mirror_late(struct engine *engine, struct delivery *delivery);
/* Another needs its place among the pending replies. */
void mirror_yield(struct engine *engine, struct delivery *delivery);

/* fault.c. Of those that are delayed there are at most so many, with so many bytes; what comes then is not delayed. */
#define FAULT_DELAYED_MAX 1024
#define FAULT_DELAYED_BYTES (16u << 20)
enum fault_effect { FAULT_NONE, FAULT_DELAYED, FAULT_ABORTED };
void fault_init(struct engine *engine);
void fault_done(struct engine *engine);
enum fault_effect fault_meet(struct engine *engine, struct session *session, uint64_t token,
                             const struct message *message, const struct routing *routing, uint32_t from);
static inline bool fault_looks(const struct engine *engine, const struct routing *routing) {
    return routing->route >= 0 && engine->plan->routes[routing->route].fault;
}
/* One that was delayed goes on, after those that came before it and are due, too. */
void fault_over(struct engine *engine, struct waiter *waiter);
/* All of them, at once: the worker drains. */
void fault_release(struct engine *engine);

/* offer.c, intake.c */
bool offer_try(struct engine *engine, struct waiter *waiter);
int64_t intake_patience(const struct session *session, const struct message *message,
                        const struct routing *routing);

#endif
