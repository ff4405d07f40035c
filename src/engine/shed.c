/* What is refused when memory is short. `limits.memory` bounds messages, connections and their buffers, over all workers:
 * from 70 % of it on the lowest priority is refused, each further one a step later, and at all of it everything, new
 * connections and bodies that have begun too. Replies are taken always: they end what is held. */
#include "engine/chain.h"
#include "engine/parcel.h"

#define SHED_FROM 700  /* per mille of the limit at which priority 1 is refused */
#define SHED_STEP 75   /* for each priority above it: 5 at all of it */
#define ADMIN_SPARE 64 /* connections of the admin surface, beside limits.connections */

uint64_t engine_memory(const struct engine *engine) {
    return engine->kept.held + engine->totals.held * sizeof(struct delivery) + net_memory(&engine->net) +
           replies_memory(engine) + idempotency_memory(&engine->once) + chains_memory(engine) + dedupe_memory(&engine->deduping.all) + (engine->options.workers > 1 ? post_memory(engine) : 0);
}

static uint64_t used(const struct engine *engine) {
    return engine_memory(engine) + engine->elsewhere_bytes;
}

void shed_configure(struct engine *engine, const struct config *config) {
    uint64_t most = config->connections_max + ADMIN_SPARE;
    if (engine->options.connections_max && most > engine->options.connections_max)
        most = engine->options.connections_max;
    engine->memory_max = config->memory_max;
    engine->net.count_max = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
    shed_look(engine);
}

void shed_look(struct engine *engine) {
    engine->net.is_short = engine->memory_max != UINT64_MAX && used(engine) >= engine->memory_max;
}

bool shed_refuses_now(const struct engine *engine, const struct message *message) {
    uint64_t priority = message->priority < 1 ? 1 : message->priority;
    uint64_t share = SHED_FROM + (priority - 1) * SHED_STEP;
    return used(engine) + message_kept_size(message) >= engine->memory_max / 1000 * share;
}
