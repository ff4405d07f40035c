/* A second attempt beside one that takes long, at another endpoint; the first answer counts. Of query, and of request
 * where it is idempotent, with `retry.hedge.after`. It is an attempt as any: it counts among `retry.attempts` and against
 * the budget, and ends with the request.
 *
 * The second attempt is a delivery of its own, known by its `twin` alone: no reply is expected by its id, nobody asks for it, and what
 * becomes of it is told nowhere. When its answer comes first, or the first attempt fails, the request takes its place. */
#ifndef ENGINE_HEDGE_H
#define ENGINE_HEDGE_H

#include "engine/inner.h"

#define HEDGE_LATE_MAX 256 /* answers that may still come and are no news; the oldest makes place */

/* An attempt begins: when to hedge it; MONO_NEVER: not at all. */
struct mono hedge_begin(const struct engine *engine, const struct delivery *delivery);
/* Its time for that has come. */
void hedge_ring(struct engine *engine, struct delivery *delivery);
/* An attempt failed that isn't the only one: true when that is all. `outlet` as in struct attempt_failure. */
bool hedge_stands_in(struct engine *engine, struct delivery *delivery, const struct outlet *outlet);
/* The delivery that a reply is for which came by this one's exchange. */
struct delivery *hedge_answered(struct engine *engine, struct delivery *delivery);
/* A reply for `delivery` came from that session: whose it is. */
void hedge_answered_by(struct engine *engine, struct delivery *delivery, const struct session *session);
/* One of the two ends. */
void hedge_part(struct engine *engine, struct delivery *delivery);
/* A reply that nobody waits for: of an attempt that wasn't the first to be answered? */
bool hedge_is_late(struct engine *engine, const struct message *reply, uint32_t from);
/* A broken invariant, or NULL. */
const char *hedge_check(const struct delivery *delivery);

#endif
