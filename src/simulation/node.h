/* A router in the simulated world: one engine per worker, from a configuration in text. */
#ifndef SIMULATION_NODE_H
#define SIMULATION_NODE_H

#include "simulation/world.h"

/* What several nodes may share; outlives them. */
struct node_config {
    struct config *config;
    struct plan *plan;
};

/* Loads YAML from memory. False with `fault`. */
bool node_config_load(struct node_config *out, struct slice yaml, struct fault *fault);
void node_config_free(struct node_config *config);

struct node_options {
    const struct node_config *config;
    const struct engine_calls *calls;
    void *user;
    uint32_t workers;
    bool cut_through;
    bool memo;
    struct party **ret_parties; /* NULL, or room for `workers` */
};

/* Adds the node's engines to the world and lets its listeners be reached. Returns the first of its parties, which lie
 * one after the other; the world frees them. */
struct party *node_new(struct world *world, const struct node_options *options);
struct engine *node_engine(struct party *party);

#endif
