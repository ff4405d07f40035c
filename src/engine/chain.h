/* A route's middleware, carried out. Between the route and the choice of who gets the message: what comes out is offered to
 * its recipients, subscriptions among them. A message that waits for room is kept as it came, and goes through the chain
 * again when there is some: only then is it known which plan counts. */
#ifndef ENGINE_CHAIN_H
#define ENGINE_CHAIN_H

#include "engine/inner.h"

/* Of one worker. */
struct chains {
    struct middleware_room room;
};

bool chains_new(struct engine *engine);
void chains_free(struct engine *engine);
uint64_t chains_memory(const struct engine *engine);
/* A plan comes into force. */
void chains_configure(struct engine *engine, const struct plan *plan);

/* The chain of the route that `routing` found; NULL: there is none, and nothing is to be done. */
static inline const struct middleware_chain *chain_of(const struct engine *engine,
                                                      const struct routing *routing) {
    return routing->route >= 0 ? engine->plan->routes[routing->route].chain : NULL;
}

enum chain_fate {
    CHAIN_ON, /* *message is what goes on; it is borrowed until the next chain is run */
    CHAIN_OVER, /* it was accepted, and that was it */
    CHAIN_REFUSED, /* *ret_status; the words are in engine->detail */
};
enum chain_fate chain_run(struct engine *engine, struct session *session, uint64_t token,
                          const struct message **message, const struct routing *routing, uint32_t from,
                          enum status *ret_status);

#endif
