/* Which taker gets a message, and what is thought of endpoints. */
#ifndef ENGINE_CHOICE_H
#define ENGINE_CHOICE_H

#include "base/deadline.h"
#include "engine/engine.h"
#include "policy/balance.h"
#include "policy/breaker.h"
#include "policy/load.h"
#include "policy/outlier.h"
#include "policy/sticky.h"

struct avoid;
struct endpoint;
struct engine;
struct member;
struct outlet;
struct recipient;
struct system;

/* What a deadline of the engine belongs to. */
enum timer_kind {
    TIMER_DELIVERY,
    TIMER_WAITER,
    TIMER_SWEEP,
    TIMER_REDIAL,
    TIMER_ACKS,
    TIMER_ASK,
    TIMER_AGE,
    TIMER_DEAD,
    TIMER_CHOICE,
    TIMER_LATER,
    TIMER_FETCH,
    TIMER_PROXY,
    TIMER_LEAVE,
    TIMER_PROBE,
    TIMER_PACE,
    TIMER_DEDUPE,
    TIMER_RATES
};
struct timer {
    struct deadline deadline;
    uint8_t kind; /* enum timer_kind */
};

/* How a recipient chooses among its takers where more is asked for than that each has its turn. Every outlet of it has a
 * slot. Who may be sent to is worked out anew when something has changed (`is_stale`), not for each message. */
struct choice {
    struct balance balance;
    struct outlet **outlets; /* by slot; NULL: free */
    uint32_t capacity;
    struct sticky sticky;
    struct recipient *recipient;
    struct timer look; /* when something changes by itself: ramps, ejections, breakers, intervals */
    struct mono interval_at;
    struct mono warm_at; /* when to look again for endpoints that have no connection */
    uint32_t warm_cursor;
    uint32_t serving; /* takers that may be sent to, ready or not */
    bool is_stale;
    bool is_panic;
};

/* What is thought of an endpoint beside whether it can be dialled. */
struct fitness {
    struct outlier outlier;
    struct breaker breaker;
    enum engine_by_hand by_hand;
    bool is_gone;    /* it said that it takes nothing more: until a reload */
    bool has_weight; /* set by hand */
    uint32_t weight; /* then */
    struct mono since; /* it serves */
    bool serves; /* it may be sent to */
    bool was_out; /* it has not served all along: so it starts slowly */
    enum engine_endpoint_state told; /* the state that was told of last */
    struct wall changed; /* when that began; 0: it never changed */
    char why[96]; /* it is so */
};

/* choice.c: which taker. */
/* As the plan in force says; where memory is out, turns. */
void choice_configure(struct engine *engine, struct system *system);
void choice_free(struct engine *engine, struct recipient *recipient);
/* False when memory is out: it could never be chosen. */
bool choice_join(struct engine *engine, struct outlet *outlet);
void choice_leave(struct engine *engine, struct outlet *outlet);
/* Whether it has room, and all else that is known of it. */
void choice_place(struct engine *engine, struct outlet *outlet);
bool choice_is_ready(struct engine *engine, struct choice *choice);
/* NULL: nobody is ready. */
struct outlet *choice_pick(struct engine *engine, struct choice *choice, const struct message *message,
                           const struct avoid *avoid);
/* After each send: it may have one more connection, so that it stays ready. */
void choice_sent(struct engine *engine, struct member *member);
/* Something of one of its takers has changed. */
void choice_changed(struct engine *engine, struct choice *choice);
/* Something of it may change with time from now on. */
void choice_look(struct engine *engine, struct choice *choice);
void choice_ring(struct engine *engine, struct choice *choice);
/* May it have connections: it isn't out of service. */
bool choice_serves(struct engine *engine, const struct endpoint *endpoint);
/* Somebody is connected that may be sent to, busy or not: one who is out of service doesn't count. */
bool choice_has_somebody(struct engine *engine, const struct recipient *recipient);
void choice_counts(struct outlet *outlet, int32_t change);
/* facts.c: what is known of endpoints. */
/* What it is now, by what weighs most. */
enum engine_endpoint_state fitness_state(const struct endpoint *endpoint);
/* Tells of it when it isn't what it was. */
void fitness_look(struct engine *engine, struct endpoint *endpoint);
/* Tells of it as it is. */
void fitness_tell(struct engine *engine, struct endpoint *endpoint);
/* The end of an outlier interval. */
void fitness_interval(struct engine *engine, struct endpoint *endpoint);
/* Ends what is over by now; returns the next time that something will be. */
struct mono fitness_tick(struct engine *engine, struct endpoint *endpoint);
bool fitness_is_healthy(const struct endpoint *endpoint);
bool fitness_may_send(const struct endpoint *endpoint);
uint32_t fitness_weight(const struct endpoint *endpoint);

#endif
