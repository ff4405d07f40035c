/* A virtual network of parties: nodes (engines with mailboxes) and actors (systems that speak a protocol).
 *
 * One event at a time, the earliest first; who acts next at equal times is drawn from the seed. Everything that happens
 * goes into a hash, so that two runs can be compared, and, where wanted, into a narrative that a person reads. */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include "base/rng.h"
#include "engine/engine.h"

struct world;
struct party;

/* What a party is to the world. A node has several nets (one per engine), an actor one. */
struct party_calls {
    void (*input)(struct party *party, struct engine_input *input, struct now now);
    /* Ends its turn. */
    void (*finish)(struct party *party, struct now now, struct engine_actions *ret_actions);
    /* Where a dial goes: "host:port" as the configuration or the script has it. */
    struct slice (*address)(struct party *party, uint64_t place, const struct protocol **ret_protocol);
    void (*free)(struct party *party);
};

struct party {
    const struct party_calls *calls;
    struct world *world;
    struct net *net;
    const char *name;
    uint32_t index;
    uint32_t node;   /* engines of one node share it; else UINT32_MAX */
    uint32_t worker; /* of an engine */
    struct mono due;
    unsigned held; /* set of HOLD_ */
};

/* What keeps from a party what is meant for it; it is kept for it in order, and comes when the hold ends. */
enum world_hold {
    HOLD_FROZEN = 1, /* as by SIGSTOP: its kernel takes connections and fills buffers, nothing in it runs */
    HOLD_DEAF = 2,   /* it reads nothing, and else goes on */
    HOLD_AWAY = 4,   /* no packet passes between it and others; datagrams are lost */
};

struct world_faults {
    int64_t delay_min_ns, delay_max_ns;
    uint32_t window;          /* bytes under way on one link direction before the sender's socket is full */
    unsigned drop_percent;    /* datagrams */
    unsigned reorder_percent; /* datagrams */
    unsigned cut_permille;    /* a chunk is the last that its link carries */
    unsigned refuse_percent;  /* dials */
    bool split;               /* streams arrive in arbitrary pieces */
};

struct world_options {
    uint64_t seed;
    struct world_faults faults;
    struct buffer *narrative; /* NULL: none */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world *world); /* frees its parties */
struct now world_now(const struct world *world);
struct rng *world_rng(struct world *world);
uint64_t world_hash(const struct world *world); /* of everything that happened so far */
void world_faults_set(struct world *world, const struct world_faults *faults);

/* Takes `party` over; returns its index. */
uint32_t world_add(struct world *world, struct party *party);
/* Dials to `address` reach this party (several: one is drawn), as its listener number `listener`. */
void world_listen(struct world *world, struct party *party, struct slice address, uint32_t listener, bool datagrams);
/* Nobody reaches it any more. */
void world_unlisten(struct world *world, struct party *party);
/* Lets `party` act now, outside of an event (a script sends something). */
void world_poke(struct world *world, struct party *party);
/* Runs what is due until `deadline` or until nothing happens any more; false at the limit of events. */
bool world_run(struct world *world, struct mono deadline, uint64_t events_max);
void world_hold(struct world *world, struct party *party, enum world_hold hold, bool on);
/* Whose turn it is; NULL: nobody's. */
const struct party *world_acting(const struct world *world);
/* Cuts every link of `party` (or all, NULL). */
void world_cut(struct world *world, struct party *party);
/* Adds a line with the time before it. */
void world_tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_hash_bytes(struct world *world, struct slice bytes);
/* Called after each party's turn with it; the text of a broken invariant, or NULL. Stops the run when not NULL. */
void world_check(struct world *world, const char *(*check)(void *user, struct party *party), void *user);
const char *world_wrong(const struct world *world);

#endif
