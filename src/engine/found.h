/* Endpoints that aren't in the configuration: DNS knows them, or they registered. The world says who they are, of one
 * system at a time and all of them (INPUT_FOUND); a change is what a reload of endpoints is: who stays, by its URL, is not
 * touched, who comes starts slowly, who goes finishes what it has. */
#ifndef ENGINE_FOUND_H
#define ENGINE_FOUND_H

#include "base/buffer.h"
#include "base/list.h"
#include "engine/plan.h"

struct engine;
struct engine_input;
struct endpoint;
struct system;

#define FOUND_MAX 256u /* of one system and origin; more are left out by whoever says it */
#define FOUND_URL_MAX 2048u

enum found_origin { FOUND_WRITTEN, FOUND_DNS, FOUND_REGISTERED, FOUND_ORIGIN_COUNT };
const char *found_origin_name(enum found_origin origin); /* config, dns, registered */

struct found_entry {
    struct slice name;
    struct slice url;
    struct slice zone;
    uint32_t weight;
    uint32_t tier;
    enum found_origin origin;
};

/* The bytes of an INPUT_FOUND. */
void found_pack(struct buffer *out, struct slice system, const struct found_entry *entries, size_t count);

/* One of them with all that an endpoint in a plan has. Lives as long as a connection was opened with it. */
struct found {
    struct list_node node; /* in engine->found_before: no endpoint has it any more */
    struct arena arena;
    struct config_endpoint config;
    struct plan_endpoint plan;
    enum found_origin origin;
};

/* NULL when memory is out or its URL can't be dialled under this plan. */
struct found *found_new(const struct engine *engine, const struct plan *plan, uint32_t system,
                        const struct found_entry *entry);
void found_free(struct engine *engine, struct found *found);
/* No endpoint has it any more; NULL does nothing. */
void found_leave(struct engine *engine, struct found *found);
/* Frees those that no connection was opened with. */
void found_sweep(struct engine *engine);
void found_done(struct engine *engine);
void found_input(struct engine *engine, struct engine_input *input);
/* The same under another plan; NULL: it isn't one there, or memory is out. */
struct found *found_again(const struct engine *engine, const struct plan *plan, uint32_t system,
                          const struct found *before);

#endif
