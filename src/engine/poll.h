/* Peers that fetch. A system that only makes HTTP requests has, per worker and identity, one session as any other: its
 * connection is a virtual one, whose protocol (poll_row.c) gives messages to the requests that are open at the moment.
 * So lanes, priorities, windows and mail work as for others. `room` is what the oldest open request may still take, and
 * nothing while none is open. What was given and isn't settled outlives request and connection: it is settled by acks
 * (ask.c), which may come by any connection and any worker, or by silence for `timeouts.ack`. A stream of server-sent
 * events has a session of its own. */
#ifndef ENGINE_POLL_H
#define ENGINE_POLL_H

#include "engine/parcel.h"

#define POLL_BYTES (256u << 10)      /* an answer that has so many takes no further message */
#define POLL_ANSWER_MAX (16u << 20)  /* with the last of them */
#define POLL_ENTRIES_MAX 4096        /* that are remembered: settled ones whose ack may still come are among them */
#define POLL_HEARTBEAT_NS (15 * NS_PER_S)
#define POLL_ID_SIZE 52

enum entry_state {
    ENTRY_OPEN,    /* given to the peer */
    ENTRY_RETRY,   /* to be sent again when it is due */
    ENTRY_WRITTEN, /* of a stream without acks: settled when its bytes are written */
    ENTRY_GIVEN_UP, /* nobody wants its outcome any more: that is still to be told */
    ENTRY_DONE,    /* settled, before its ack came: that isn't late until it is due */
    ENTRY_OVER,
};

/* What was sent, a ring by token. */
struct poll_entry {
    struct mono due;
    uint64_t end; /* ENTRY_WRITTEN: of its connection's chain, behind it; 0: not there yet */
    uint8_t state;
};

/* The state of the virtual connection. */
struct poll {
    struct engine *engine;
    struct connection *connection;
    struct protocol_sink *sink;
    struct list_node node; /* in engine->polls */
    struct list waits;     /* the oldest first: it is given to */
    struct poll_entry *entries;
    uint32_t first, count, capacity;
    uint64_t base;  /* token of the first */
    uint32_t open;  /* entries that aren't settled */
    uint32_t limit; /* of those */
    int64_t ack_ns;
    uint64_t nonce;
    struct mono idle_until; /* without an open request it is gone then */
    bool is_stream;
    bool has_acks;
};

/* One request that is open. */
struct poll_wait {
    struct list_node node;
    struct poll *poll;
    struct session *session; /* of its connection */
    uint64_t token;
    uint32_t max;
    uint32_t count;
    bool is_proto;
    struct mono until; /* a stream: of its next heartbeat */
    struct buffer bytes;
};

extern const struct protocol poll_row;

/* Where a `deliveryid` leads. */
struct poll_id {
    uint32_t worker;
    uint64_t handle;
    uint64_t nonce;
    uint64_t token;
};
void poll_id_write(const struct poll *poll, uint64_t token, char out[static POLL_ID_SIZE]);
bool poll_id_read(struct slice text, struct poll_id *ret_id);

/* poll_row.c */
void poll_join(struct poll *poll, struct poll_wait *wait);
/* Room and deadline, after anything has changed. */
void poll_look(struct poll *poll);
/* False: it came too late. */
bool poll_ack(struct poll *poll, uint64_t token, enum pull_outcome outcome, uint32_t retry_ms);
/* Gives back all that isn't settled. */
void poll_give_back(struct poll *poll);
/* What was gathered for it in this turn was never written. */
void poll_take_back(struct poll *poll, const struct poll_wait *wait);
void poll_wait_free(struct poll_wait *wait);
void poll_answer(struct session *session, uint64_t token, const struct protocol_answer *answer);
void poll_refuse(struct session *session, uint64_t token, enum status status, const char *words);
/* Streams without acks: what was written by now is delivered. */
void poll_written(struct poll *poll, const struct poll_wait *wait);

/* poll.c: whether who speaks on this session may take or settle that system's messages; ret_system is its index. */
enum status poll_admit(const struct engine *engine, const struct session *session, struct slice name, uint32_t *ret_system);

/* ask.c */
void ask_begin(struct engine *engine, struct session *session, uint64_t token, const struct pull *pull);
void ask_read(struct engine *engine, uint32_t from, const struct letter *letter, const struct slice texts[4]);
void ask_answered(struct engine *engine, const struct letter *letter, const struct slice texts[4]);

#endif
