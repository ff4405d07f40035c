/* A system or a client in the simulated world: a net of its own and a script, no router. */
#ifndef SIMULATION_ACTOR_H
#define SIMULATION_ACTOR_H

#include "simulation/world.h"

struct actor;

/* What somebody outside wants to know of an actor. Each may be NULL. */
struct actor_calls {
    /* A message came; `taken`: it is not refused. Told again when it is done, with `done`. */
    void (*heard)(void *user, struct actor *actor, const struct message *message, bool taken, bool done);
    /* What it sent was accepted, or refused for that. */
    void (*settled)(void *user, struct actor *actor, const struct message *message, enum status status);
};

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
    struct slice address; /* where it listens or dials */
    bool keeps_dialled; /* dials again when the connection is lost */
    bool answers; /* replies to requests and queries with a response */
    bool insists; /* sends again what is refused for now */
    bool mute; /* takes messages and never settles them */
    unsigned retry_percent; /* settles so many with "again, later" */
    uint32_t retry_ms; /* and says so; 0: 10; or ACTOR_RETRY_UNSAID */
    int64_t takes_min_ns, takes_max_ns; /* for each message; 0: it is done at once */
    uint32_t
        at_once; /* so many it works on, others wait for that; 0: any number. ACTOR_AT_ONCE_MAX at most */
    bool quiet; /* no line in the narrative for what it gets */
    const struct actor_calls *calls; /* or NULL */
    void *user;
};

#define ACTOR_AT_ONCE_MAX 64u
#define ACTOR_RETRY_UNSAID UINT32_MAX

/* A message that it works on. */
struct actor_work {
    struct mono until;
    uint64_t order; /* among equals */
    uint64_t connection, token;
    struct message *message;
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
    } * flights;
    size_t flight_count, flight_capacity;
    struct map accepted_ids;
    uint64_t next_token; /* of the connection */
    bool closed_by_peer;
    bool dead; /* its process was killed: see actor_kill() */
    uint64_t answers_made;
    struct actor_work *works; /* a heap by when they are done */
    size_t work_count, work_capacity;
    struct mono free_at[ACTOR_AT_ONCE_MAX]; /* when each of those that work is free */
};

/* Added to the world, which frees it. A listening one can be reached from now on, a dialling one dials. */
struct actor *actor_new(struct world *world, const struct actor_script *script);
/* Sends when there is room; `message` is kept. */
void actor_send(struct actor *actor, const struct message *message);
/* An event with these attributes; `data` JSON. `kind` as its word; priority 0 and target NULL: absent. */
void actor_send_new(struct actor *actor, const char *kind, const char *type, const char *target,
                    const char *id, int priority, const char *key, const char *data);
void actor_dial(struct actor *actor);
/* Its process ends: what it worked on is lost, connections are reset, nobody listens. */
void actor_kill(struct actor *actor);
/* And begins anew; what it got and sent before is still known. */
void actor_start(struct actor *actor);
/* The message with that id as it first arrived; NULL when it did not. */
const struct actor_got *actor_got(const struct actor *actor, struct slice id);
/* How often a message with that id arrived. */
uint32_t actor_times(const struct actor *actor, struct slice id);

#endif
