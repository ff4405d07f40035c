/* Runs the stages of a route over a message, and does what they decide. */
#include "engine/chain.h"

#include <stdio.h>

bool chains_new(struct engine *engine) {
    engine->chains = memory_new(sizeof *engine->chains);
    if (engine->chains)
        middleware_room_init(&engine->chains->room, 0, engine->options.seed);
    return engine->chains != NULL;
}

void chains_free(struct engine *engine) {
    if (engine->chains)
        middleware_room_done(&engine->chains->room);
    memory_free(engine->chains);
}

uint64_t chains_memory(const struct engine *engine) {
    return middleware_room_size(&engine->chains->room);
}

void chains_configure(struct engine *engine, const struct plan *plan) {
    middleware_room_limit(&engine->chains->room, plan->config->message_max);
}

/* It is no mistake of its sender, who hears that it was taken; who waits for a reply must hear that there will be none. */
static enum chain_fate drop(struct engine *engine, struct session *s, uint64_t token,
                            const struct message *message, const struct routing *routing, uint32_t from,
                            enum status status, enum status *ret_status) {
    if (message_kind_asks(message->kind)) {
        (void)snprintf(engine->detail, sizeof engine->detail, "a filter of route `%.*s` does not let it pass",
                       SLICE_ARG(slice_head(engine->plan->routes[routing->route].config->name, 63)));
        *ret_status = status;
        return CHAIN_REFUSED;
    }
    session_accept(engine, s, token);
    ending_tell(engine, message, NULL, from, ENDING_DROPPED, status, 1, 0);
    return CHAIN_OVER;
}

/* What waited for room was told of when it came. */
static void tell(struct engine *engine, const struct middleware_run *run, const struct routing *routing, uint32_t from,
                 const struct middleware_spec *stage) {
    const struct system *sender = engine_system(engine, from);
    struct engine_log log = {.route = engine->plan->routes[routing->route].config->name, .message = run->message, .stage = stage,
                             .from = sender ? sender->name : slice_make("", 0)};
    if (!engine->again && engine->options.calls && engine->options.calls->logged)
        engine->options.calls->logged(engine->options.user, &log);
}

/* A stage may have set another time to live: the route's cap holds all the same. */
static void cap_life(struct engine *engine, struct message *message, const struct routing *routing) {
    int64_t most = routing->target_count ? routing->targets[0].policy.ttl_max_ns : CONFIG_FOREVER;
    if (most != CONFIG_FOREVER && message->expiry.ns > engine->now.wall.ns + most)
        message->expiry.ns = engine->now.wall.ns + most;
}

enum chain_fate chain_run(struct engine *engine, struct session *s, uint64_t token,
                          const struct message **message, const struct routing *routing, uint32_t from,
                          enum status *ret_status) {
    const struct middleware_chain *chain = chain_of(engine, routing);
    struct middleware_run run = {.message = *message, .now = engine->now, .room = &engine->chains->room};
    for (size_t i = 0; i < middleware_count(chain); i++) {
        switch (middleware_step(chain, i, &run)) {
        case MIDDLEWARE_ON:
            break;
        case MIDDLEWARE_TELL:
            tell(engine, &run, routing, from, middleware_at(chain, i));
            break;
        case MIDDLEWARE_DROP:
            return drop(engine, s, token, *message, routing, from, run.status, ret_status);
        case MIDDLEWARE_REFUSE:
            (void)snprintf(engine->detail, sizeof engine->detail, "%s", run.detail);
            *ret_status = run.status;
            return CHAIN_REFUSED;
        }
    }
    if (run.message != *message) {
        cap_life(engine, &engine->chains->room.messages[engine->chains->room.turn], routing);
        if (run.message->expiry.ns <= engine->now.wall.ns) {
            *ret_status = STATUS_EXPIRED;
            return CHAIN_REFUSED;
        }
    }
    *message = run.message;
    return CHAIN_ON;
}
