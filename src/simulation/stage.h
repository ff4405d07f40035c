/* Plays a scenario: a router, actors, a virtual network, and a record of what became of every message. */
#ifndef SIMULATION_STAGE_H
#define SIMULATION_STAGE_H

#include "simulation/actor.h"
#include "simulation/node.h"
#include "simulation/scenario.h"

#define STAGE_BIN_NS (100 * NS_PER_MS)

/* One message. */
struct stage_record {
    int64_t due_ns; /* when it was to be sent, since the start */
    int64_t done_ns; /* when it was done, or answered, first; -1: never */
    uint32_t load, key;
    uint16_t tries;
    uint8_t took[SCENARIO_SYSTEMS_MAX]; /* how often, by each system */
    uint8_t heard; /* bits of systems that didn't refuse it */
    uint8_t answers;
    bool asks, accepted, refused, dead, expired, dropped;
};

struct stage_actor {
    struct stage *stage;
    const struct scenario_actor *is;
    struct node_config config; /* what its protocol is compiled from */
    struct protocol_subscription serves;
    struct actor *actor;
    uint32_t *tries, *done; /* by bin */
};

struct stage {
    const struct scenario *scenario;
    uint32_t variant;
    struct buffer *narrative; /* NULL: none */
    struct world *world;
    struct node_config config;
    struct party *engines[4];
    struct rng rng;
    struct stage_actor actors[SCENARIO_ACTORS_MAX];
    struct stage_record *records;
    size_t record_count, record_capacity;
    int64_t next_ns[SCENARIO_LOADS_MAX];
    uint64_t sent_of[SCENARIO_LOADS_MAX];
    uint32_t *
        newest; /* for each load, key and system: one more than the newest record that came there; see stage.c */
    uint64_t disorder;
    uint32_t *retries, *held; /* by bin */
    size_t bin_count;
    uint64_t rested_ns; /* since when nothing was held any more, at the end; 0: never was */
    bool done_step[SCENARIO_STEPS_MAX][2];
    char wrong[200]; /* an invariant that broke; empty: none */
};

/* NULL with `fault` when the router's configuration, or an actor's URL, is none. `world_story`: every dial and arrival goes
 * there; NULL: nowhere. */
struct stage *stage_new(const struct scenario *scenario, uint32_t variant, struct buffer *narrative,
                        struct buffer *world_story, struct fault *fault);
/* From the start to `until`. */
void stage_play(struct stage *stage);
void stage_free(struct stage *stage);
uint64_t stage_hash(const struct stage *stage);
/* One side of an expectation, in this variant. */
double stage_measure(const struct stage *stage, const struct scenario_side *side);
/* tell.c: the table by time and the sums, into the narrative. */
void stage_tell(struct stage *stage);
/* Adds a line with the time before it. */
void stage_say(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
