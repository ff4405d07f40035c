/* All variants of a scenario, one after the other: the narrative, and what did not hold. */
#ifndef SIMULATION_PLAY_H
#define SIMULATION_PLAY_H

#include "simulation/stage.h"

struct play_result {
    unsigned broken; /* expectations that didn't hold, and invariants */
    uint64_t hash; /* of all that happened */
    uint64_t messages; /* sent */
};

/* `narrative`, `world_story`: or NULL. False with `fault` when it can't be played. */
bool play_scenario(const struct scenario *scenario, struct buffer *narrative, struct buffer *world_story,
                   struct play_result *ret, struct fault *fault);

#endif
