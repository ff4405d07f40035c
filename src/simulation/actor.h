/* A system or a client in the simulated world: a net of its own and a script, no router. */
#ifndef SIMULATION_ACTOR_H
#define SIMULATION_ACTOR_H

#include "simulation/world.h"

struct actor;

/* One message that the actor got. */
struct actor_got {
    struct slice id; /* own memory */
    uint32_t times;
    uint64_t order; /* of its first arrival: 1, 2, 3.. */
    uint8_t kind;
    uint8_t priority;
    struct slice key; /* partitionkey, own memory */
};

struct actor_script {
    const char *name;
    const struct protocol *protocol;
    struct protocol_setup setup; /* `role` says whether it dials or listens */
    struct slice address;        /* where it listens or dials */
    bool keeps_dialled;          /* dials again when the connection is lost */
    bool answers;                /* replies to requests and queries with a response */
    bool mute;                   /* takes messages and never settles them */
    unsigned retry_percent;      /* settles so many with "again, later" */
};

struct actor {
    struct party party;
    struct net net;
    struct actor_script script;
    struct connection *connection; /* the newest that is open */
    struct message **outbox;
    size_t outbox_first, outbox_count, outbox_capacity;
    struct map got; /* id -> struct actor_got */
    struct message *newest; /* the last that came; kept */
    uint64_t got_count, got_replies, arrivals;
    uint64_t accepted, refused; /* of what it sent */
    uint64_t sent;
    struct actor_flight {
        struct message *message;
        uint64_t token;
        struct connection *connection;
    } *flights;
    size_t flight_count, flight_capacity;
    struct map accepted_ids;
    uint64_t next_token; /* of the connection */
    bool closed_by_peer;
    uint64_t answers_made;
};

/* Added to the world, which frees it. A listening one can be reached from now on, a dialling one dials. */
struct actor *actor_new(struct world *world, const struct actor_script *script);
/* Sends when there is room; `message` is kept. */
void actor_send(struct actor *actor, const struct message *message);
/* An event with these attributes; `data` JSON. `kind` as its word; priority 0 and target NULL: absent. */
void actor_send_new(struct actor *actor, const char *kind, const char *type, const char *target, const char *id,
                    int priority, const char *key, const char *data);
void actor_dial(struct actor *actor);
/* The message with that id as it first arrived; NULL when it did not. */
const struct actor_got *actor_got(const struct actor *actor, struct slice id);
/* How often a message with that id arrived. */
uint32_t actor_times(const struct actor *actor, struct slice id);

#endif
