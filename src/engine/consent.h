/* Endpoints that say whether they want events, and how fast: webhooks. */
#ifndef ENGINE_CONSENT_H
#define ENGINE_CONSENT_H

#include "base/clock.h"
#include "policy/pace.h" /* endpoints have one */

struct endpoint;
struct engine;
struct plan_endpoint;

bool endpoint_takes_now(const struct endpoint *endpoint, struct mono now);
/* Whether another connection to it would be of use. */
bool endpoint_wants_dial(const struct endpoint *endpoint, struct mono now);
/* One of its connections has opened. */
void endpoint_consented(struct engine *engine, struct endpoint *endpoint);
void endpoint_sent(struct engine *engine, struct endpoint *endpoint);
/* It wants nothing for so long. */
void endpoint_rest(struct engine *engine, struct endpoint *endpoint, uint32_t retry_ms);
void endpoint_paced(struct engine *engine, struct endpoint *endpoint);
/* A connection of it has ended: perhaps with the word that there will be no other. */
void endpoint_leave(struct engine *engine, struct endpoint *endpoint);
/* Before the plan changes, and after. */
void endpoint_replan(struct endpoint *endpoint, const struct plan_endpoint *plan);
void endpoint_return(struct engine *engine, struct endpoint *endpoint);

#endif
