/* The engine: decides what becomes of every message of one worker. A pure step without sockets and clock.
 *
 * The life of one message, start to end:
 *   intake.c     a protocol hands it up; who sends it, may they, has it expired, where does it go (memo, else router.c)
 *   dedupe.c     was it taken before? Then its sender is told so
 *   offer.c      is there room with all its recipients? Then it is accepted: settled with its sender (session.c)
 *   recipient.c  straight through to a connection with room (cut-through), else into one of five lanes
 *   flight.c     sent on a connection; acknowledged, written, refused, or unknown when the connection ends
 *   attempt.c    refused or unknown: it waits and is tried again, or that was it
 *   reply.c      an asked-for reply meets its request and goes to the asker
 *   dead.c       what was accepted, can't be delivered and may not be dropped waits there for a person
 *   ending.c     one row of one table: delivered, replied, expired, rejected, dead, dropped, and the reason
 * ways.c which of several systems, mirror.c a copy more, fault.c trouble made on purpose;
 * choice.c which of several takers, facts.c what is thought of endpoints; consent.c who wants to be asked first; endpoint.c dials for those who are not there; mail.c hands over between workers.
 *
 * Each accepted message has one owner engine until its end. All calls come from the worker's thread. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "connection/net.h"
#include "engine/plan.h"
#include "policy/breaker.h"
#include "policy/dedupe.h"
#include "policy/result.h"
#include "policy/retry.h"

struct engine;

enum engine_ending {
    ENDING_DELIVERED,
    ENDING_REPLIED,
    ENDING_EXPIRED,
    ENDING_REJECTED, /* refused before it was accepted */
    ENDING_DEAD,
    ENDING_DROPPED,
    ENDING_COUNT
};
const char *engine_ending_name(enum engine_ending ending);

/* What is told of one ending, for the log and traces. All borrowed. */
struct engine_report {
    enum engine_ending ending;
    enum status status;
    const struct message *message; /* NULL when it was never one */
    struct slice system;           /* recipient, or empty */
    struct slice from;             /* sending system, or empty */
    uint8_t attempt;
    int64_t duration_ns; /* since it was received */
    const char *words;   /* more about it, or NULL */
};

/* What is counted of endings that are alike: one, or a run of messages that left together. Borrowed. */
struct engine_count {
    uint64_t count;       /* how many */
    enum engine_ending ending;
    enum status status;
    uint8_t priority;     /* 0: it was never a message */
    uint32_t system;      /* the recipient's index in the plan, or CONFIG_NONE */
    struct slice name;    /* its name, or empty */
    int64_t duration_ns;  /* since it was received, or sent straight through; -1: not known */
    const struct protocol *protocol; /* that took it; NULL: none did */
};

/* A message that came by a `log` stage. All borrowed. */
struct engine_log {
    struct slice route, from; /* `from` may be empty */
    const struct message *message;
    const struct middleware_spec *stage;
};

/* One exchange that was streamed, when it is over. All borrowed. */
struct engine_exchange {
    struct slice method;
    struct slice path; /* as it came, without its query */
    struct slice system;
    struct slice endpoint; /* SYSTEM/ENDPOINT; empty: it came to none */
    uint32_t system_index; /* or CONFIG_NONE */
    unsigned code;         /* of the answer that went out; 0: none did */
    enum status status;    /* OK: it came to its end; else why not */
    uint64_t bytes_in;     /* of the request's body, or from the peer's side of the tunnel */
    uint64_t bytes_out;
    int64_t duration_ns;
    int64_t answer_ns; /* to the head of the answer; -1: there was none */
    uint8_t tries;
    bool is_tunnel;
};

struct engine_retry {
    enum retry_outcome outcome;
    enum status status;
    enum retry_why why;
};

/* What an endpoint is, to who chooses among them. */
enum engine_endpoint_state {
    ENDPOINT_UP,
    ENDPOINT_HALF_OPEN, /* its breaker lets a few try */
    ENDPOINT_OPEN,      /* its breaker lets nothing pass */
    ENDPOINT_UNHEALTHY, /* its checks say so */
    ENDPOINT_EJECTED,
    ENDPOINT_DOWN,     /* by hand, or disabled */
    ENDPOINT_DRAINING, /* by hand: it finishes what it has */
    ENDPOINT_DRAINED, /* by hand: it has nothing any more */
    ENDPOINT_STATE_COUNT
};
const char *engine_endpoint_state_name(enum engine_endpoint_state state);

enum engine_by_hand { BY_HAND_UP, BY_HAND_DRAIN, BY_HAND_DOWN };

/* Webhooks: whether it has said that it wants events. */
enum engine_consent { CONSENT_NONE, CONSENT_WANTED, CONSENT_GIVEN, CONSENT_GONE };
const char *engine_consent_name(enum engine_consent consent);

/* Borrowed. */
struct engine_endpoint_view {
    struct slice name; /* SYSTEM/ENDPOINT */
    struct slice url;
    enum engine_endpoint_state state;
    const char *why;   /* it is so; empty: nothing happened */
    struct wall since; /* 0: since the start */
    uint32_t weight;   /* in force */
    uint32_t tier;
    struct slice zone;
    const char *origin; /* config, dns, registered */
    uint32_t in_flight;
    uint32_t connections; /* open */
    uint32_t failures; /* dials in a row that failed */
    bool is_by_hand; /* something of it was set by hand */
    enum engine_by_hand by_hand;
    bool has_weight; /* by hand */
    bool is_ejected;
    enum breaker_state circuit;
    enum engine_consent consent; /* NONE: it needs no asking */
    uint32_t rate; /* events a minute at most that it allows; 0: any number */
    uint64_t results[RESULT_COUNT];
};

struct engine_calls {
    /* Every ending, delivered and replied too: on the message path, runs of them in one call. May be NULL. */
    void (*counted)(void *user, const struct engine_count *count);
    /* Endings other than delivered and replied, and what wasn't a message. May be NULL. */
    void (*ended)(void *user, const struct engine_report *report);
    /* A line in the log is due, because a route says so. May be NULL. */
    void (*logged)(void *user, const struct engine_log *log);
    /* An attempt failed because of that: another follows (RETRY_AGAIN), or why not. May be NULL. */
    void (*retried)(void *user, uint32_t system, const struct engine_retry *retry);
    /* An exchange that was streamed is over. May be NULL. */
    void (*exchanged)(void *user, const struct engine_exchange *exchange);
    /* Requests on the admin listener and others that are no messages; see http1/http1.h. May be NULL: 404. */
    void (*request)(void *user, struct connection *connection, uint64_t token, const struct protocol_request *request);
    /* An endpoint is in another state than before. May be NULL. */
    void (*endpoint)(void *user, const struct engine_endpoint_view *endpoint);
    /* An endpoint was asked whether it is well. May be NULL. */
    void (*checked)(void *user, uint32_t system, bool is_good);
    /* A datagram was thrown away by that rule, one of a few words; `ended` is told of it, too. May be NULL. */
    void (*dropped)(void *user, const struct connection *connection, const char *rule);
    /* A connection opened or closed, for the log. May be NULL. */
    void (*connection)(void *user, const struct connection *connection, bool opened);
};

struct engine_options {
    uint32_t worker; /* 0 .. workers - 1 */
    uint32_t workers;
    uint64_t seed;
    struct dedupe_key secret; /* of all workers of the node the same */
    uint32_t connections_max;
    const struct engine_calls *calls;
    void *user;
    bool cut_through; /* false only in tests: every message through a lane */
    bool memo;        /* false only in tests */
};

enum engine_input_kind {
    INPUT_OPENED,    /* accepted: listener, peer -> ret_connection (0: refused for `status`, close it) */
    INPUT_CONNECTED, /* a dial succeeded: connection, peer */
    INPUT_BYTES,     /* connection, bytes */
    INPUT_DATAGRAMS, /* connection, datagrams, count */
    INPUT_ENDED, /* connection: the peer shut its side down */
    INPUT_WRITTEN, /* connection, size, pieces; status: why the kernel refused that one datagram, OK: it took them */
    INPUT_CLOSED, /* connection, status */
    INPUT_MAIL, /* from, bytes: a parcel of another worker */
    INPUT_CONFIG, /* plan, change -> status: OK, or NO_MEMORY and nothing has changed (never with `change`) */
    INPUT_DRAIN, /* no new work; finish. Given again: who stayed for what was held, here or elsewhere, goes too */
    INPUT_DEAD, /* bytes: a command about dead letters (dead.h) -> size, count */
    INPUT_HAND, /* bytes: what a person sets of an endpoint (hand.h) -> count, status */
    INPUT_FOUND, /* bytes: the endpoints of one system that are not in the configuration (found.h) -> status */
    INPUT_MEMORY, /* size: bytes that the other workers hold, of `limits.memory` */
    INPUT_TIME,
};

struct engine_datagram {
    struct slice bytes;
    struct address from;
};

struct engine_input {
    enum engine_input_kind kind;
    uint32_t listener;
    uint64_t connection;
    struct slice bytes;
    uint64_t size;
    uint32_t pieces;
    uint32_t from;
    uint32_t count;
    enum status status;
    const struct address *peer;
    const struct engine_datagram *datagrams;
    const struct plan *plan;
    struct engine_change *change; /* made for `plan`, moves to the engine; NULL: it is made on the spot */
    uint64_t ret_connection;
};

#define ENGINE_ADMIN_LISTENER 0xfffffffeu /* for INPUT_OPENED: the admin surface */

struct engine_mail {
    uint32_t to;
    struct block *parcel; /* one reference, which moves to the world; NULL after it took it */
    uint32_t size;
};

struct engine_actions {
    const struct net_action *net; /* valid until the next engine_finish() */
    uint32_t net_count;
    struct engine_mail *mail; /* in order, some for the same worker */
    uint32_t mail_count;
    struct mono due; /* when to call again at the latest */
};

/* All memory that an engine needs to put a plan in force, so that several engines can switch together and none can fail.
 * Any thread; one for each engine. NULL when memory is out. */
struct engine_change *engine_change_new(const struct plan *plan);
void engine_change_free(struct engine_change *change); /* NULL is fine; not when an engine took it */

/* NULL when memory is out. */
struct engine *engine_new(const struct engine_options *options);
void engine_free(struct engine *engine);
/* Takes one input. */
void engine_input(struct engine *engine, struct engine_input *input, struct now now);
/* Ends the turn and lists what to do. */
void engine_finish(struct engine *engine, struct now now, struct engine_actions *ret_actions);
/* All of it: inputs in order, then the end of the turn. */
void engine_step(struct engine *engine, struct engine_input *inputs, size_t count, struct now now,
                 struct engine_actions *ret_actions);

struct net *engine_net(struct engine *engine);
const struct plan *engine_plan(const struct engine *engine);
#define ENGINE_NOWHERE UINT64_MAX
/* What a dial's `place` means; NULL for ENGINE_NOWHERE: its endpoint was taken away in the turn that wanted the dial. */
const struct plan_endpoint *engine_place(const struct engine *engine, uint64_t place);
/* The datagram connection of a listener or endpoint... is opened by INPUT_OPENED and NET_DIAL as any other. */

/* -- views, for status and metrics; same thread -- */

struct engine_system_view {
    struct slice name;
    uint32_t endpoints, endpoints_up, connections, sessions;
    uint32_t endpoints_failing; /* not open, and the last dial failed */
    uint64_t held[PRIORITY_COUNT + 1]; /* by priority, [0] all */
    uint64_t held_bytes;
    uint64_t in_flight, awaiting_reply;
    uint64_t streams;  /* exchanges that are streamed to it now, or wait for that */
    uint64_t retry_later;       /* of those held: wait for their next attempt */
    uint64_t retry_budget_left; /* retries of query and request that may still begin */
    uint64_t received; /* from it */
    struct mono oldest[PRIORITY_COUNT + 1]; /* by priority: when what has waited longest came; MONO_NEVER: nothing waits */
    uint64_t endings[ENDING_COUNT];
    struct wall holding_since; /* 0: it doesn't hold */
    struct wall heartbeat;     /* newest; 0: none */
};
/* By the plan's index of system and endpoint. */
size_t engine_endpoint_count(const struct engine *engine, size_t system);
void engine_endpoint_view(const struct engine *engine, size_t system, size_t index,
                          struct engine_endpoint_view *ret_view);
size_t engine_system_count(const struct engine *engine);
void engine_system_view(const struct engine *engine, size_t index, struct engine_system_view *ret_view);

struct engine_totals {
    uint64_t received, accepted, invalid;
    uint64_t heartbeats;
    uint64_t authentications[2]; /* keys that were shown: [1] accepted, [0] refused */
    uint64_t endings[ENDING_COUNT][STATUS_COUNT];
    uint64_t held, held_bytes, in_flight, waiting; /* gauges: messages that were accepted, or wait to be */
    uint64_t cut_through;
    uint64_t dead_held, dead_bytes; /* gauges: dead letters */
    uint64_t dead_kept, dead_evicted, dead_aged, dead_purged, dead_redriven;
    uint64_t connections;
    uint64_t replies_kept; /* gauge: to be fetched */
    uint64_t replies_evicted; /* that nobody can fetch any more, before their time */
    uint64_t rate_limited[PLAN_RATE_KINDS]; /* messages, by what has the rate */
    uint64_t rates_evicted; /* peers whose rate was forgotten before it was whole again */
    uint64_t keys_evicted;    /* of requests that run once: forgotten before their time */
    uint64_t dedupe_kept;     /* gauge: messages that would be known again */
    uint64_t dedupe_evicted;  /* that were forgotten before their time */
    uint64_t faults_delayed, faults_aborted; /* messages that a route's `fault` met */
    uint64_t faults_skipped; /* that it did not delay: too many are delayed already */
    uint64_t mirror_copies, mirror_skipped; /* made; not made because the mirror had no room for them */
    uint64_t failover_chosen; /* messages that went to another than the first of their route's `failover` */
    uint64_t failover_moved;  /* that waited for one of them, and went on to another */
    uint64_t hedges_sent, hedges_won, hedges_late; /* made; answered first; answers that came after another's */
    uint64_t hedges_unpaid; /* not made: the retry budget was used up */
    uint64_t mirror_replies; /* dropped */
};
const struct engine_totals *engine_totals(const struct engine *engine);
/* Bytes of messages, connections and their buffers: what `limits.memory` bounds. */
uint64_t engine_memory(const struct engine *engine);
/* Messages that came in by a listener (dialled connections: UINT32_MAX) since the plan in force is. */
uint64_t engine_received_by(const struct engine *engine, uint32_t listener);
/* While it drains: until when those who are connected are told to go one after the other. False: all were told. */
bool engine_spreads_until(const struct engine *engine, struct mono *ret_until);
/* Nothing accepted is left that could still be delivered. */
bool engine_is_quiet(const struct engine *engine);
/* Broken invariants, as words; NULL when all hold. Slow: for the simulation. */
const char *engine_check(const struct engine *engine);

#endif
