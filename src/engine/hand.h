/* What a person sets of an endpoint while the router runs: whether it serves, and its weight. It counts until it is set
 * otherwise, cleared, or the endpoint goes with the configuration; a reload that leaves the endpoint leaves it as it is set. */
#ifndef ENGINE_HAND_H
#define ENGINE_HAND_H

#include "engine/engine.h"

#define HAND_WEIGHT_MAX 1000 /* as `weight` of the configuration */

struct hand_command {
    struct slice system, endpoint; /* names of the configuration; borrowed */
    bool clear; /* first: as the configuration has it, state and weight */
    bool has_state;
    enum engine_by_hand state;
    bool has_weight;
    uint32_t weight;
};
/* INPUT_HAND carries one as bytes. Then `count` is 1: it is in force, 0: there is no such endpoint, or the bytes are none of
 * ours. `status` NO_MEMORY: it is in force, but for the weight. */
void hand_command_write(struct buffer *out, const struct hand_command *command);

struct endpoint;
struct system;
void hand_input(struct engine *engine, struct engine_input *input);
/* May it have messages, as far as that is set by hand. */
bool hand_allows(const struct endpoint *endpoint);
/* After a reload: one worker tells of each that is still as it was set. */
void hand_kept(struct engine *engine, struct endpoint *endpoint);
/* endpoint.c: closes the connections of a system's endpoints, of those too that are no part of the configuration any more;
 * `only` not NULL: of that one. Now: what is under way there is as after any close. */
void endpoint_cut(struct engine *engine, const struct system *system, const struct endpoint *only,
                  enum status status);
/* One of its connections has ended: perhaps it was the last. */
void hand_rests(struct engine *engine, struct endpoint *endpoint);

#endif
