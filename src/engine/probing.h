/* Active checks: each endpoint has a home worker that alone asks it, and tells the others what it knows. */
#ifndef ENGINE_PROBING_H
#define ENGINE_PROBING_H

#include "base/list.h"
#include "engine/choice.h"
#include "policy/health.h"

struct plan_probe;

struct probing {
    struct list_node node; /* in engine->probings while it is being asked */
    struct timer timer; /* when it is asked next; while it is: when that has taken too long */
    const struct plan_probe *probe; /* of the plan in force; NULL: it isn't asked */
    struct health health; /* home: all of it. Elsewhere: as it was told */
    uint64_t connection; /* that asks; 0: none does */
    struct mono checked; /* home: when it was, last */
    bool is_slow; /* home: the next check waits longer, for nothing was sent */
    bool is_idle; /* nothing was sent to it since its last check was over */
};

enum probing_news { PROBING_UP, PROBING_DOWN, PROBING_BUSY /* to its home: something was sent to it here */ };

void probing_init(struct probing *probing);
/* As the plan in force says; what is known stays where it is asked the same. */
void probing_configure(struct engine *engine, struct system *system);
/* For good. */
void probing_stop(struct engine *engine, struct endpoint *endpoint);
/* Nobody is asked any more; what is known stays. */
void probing_pause(struct engine *engine);
void probing_ring(struct engine *engine, struct timer *timer);
/* Something was sent to it while it was idle. */
void probing_busy(struct engine *engine, struct endpoint *endpoint);
bool probing_is_home(const struct engine *engine, const struct endpoint *endpoint);
/* By mail. `texts`: its system, its name, why it is so, its url. */
void probing_heard(struct engine *engine, uint32_t news, const struct slice texts[4]);

/* Whether this connection asks: it is dialled and nobody's. */
bool probing_has(const struct connection *connection);
void probing_closed(struct engine *engine, const struct connection *connection);

#endif
