/* For the engine's fuzz target: protocol rows that behave as the real ones and watch what passes between them and the
 * engine. Asserted, whatever happens:
 *     inbound tokens are 1, 2, 3.., each is settled at most once, by settle() or by a reply on its exchange
 *     outbound tokens are 1, 2, 3.., sent only with room; a refused one writes nothing
 *     nothing is written, or told, once a connection is closing
 *     a reply reaches only a connection that asked for it */
#ifndef FUZZ_ENGINE_SHIM_H
#define FUZZ_ENGINE_SHIM_H

#include "base/assert.h"
#include "base/memory.h"
#include "engine/inner.h"

#define SHIM_TOKENS 2048 /* power of two; a run of the target makes fewer messages */
#define SHIM_IDS 1024   /* messages are named m0, m1.. */
#define SHIM_STATE 4096 /* no row's state is larger */

enum shim_state { SHIM_NONE, SHIM_OPEN, SHIM_SETTLED };

/* What is known of one connection; it stands behind the row's own state. */
struct shim_track {
    struct protocol_sink *sink;
    struct shim_token {
        uint8_t state; /* enum shim_state */
        uint8_t kind;
        uint16_t id;
    } tokens[SHIM_TOKENS];
    uint64_t tokens_in, tokens_out;
    uint16_t asked_out; /* the newest request that it was sent */
    bool asked[SHIM_IDS]; /* requests that it made */
    bool flows;           /* it made one with a correlationid */
};

/* What became of each message, in all engines together. */
static struct shim_world {
    bool accepted[SHIM_IDS];
    bool sent[SHIM_IDS];
    bool ended[SHIM_IDS];
    bool elsewhere[SHIM_IDS]; /* its reply may go to a third party */
} shim_world;

static inline struct shim_track *shim_track(void *state) {
    return (struct shim_track *)(void *)((uint8_t *)state + SHIM_STATE);
}

/* The number in `m12`; SHIM_IDS for any other name. */
static inline unsigned shim_id(struct slice id) {
    unsigned number = 0;
    if (id.size < 2 || id.size > 5 || id.data[0] != 'm')
        return SHIM_IDS;
    for (size_t i = 1; i < id.size; i++) {
        if (id.data[i] < '0' || id.data[i] > '9')
            return SHIM_IDS;
        number = number * 10 + (unsigned)(id.data[i] - '0');
    }
    return number < SHIM_IDS ? number : SHIM_IDS;
}

static inline struct shim_token *shim_token(struct shim_track *t, uint64_t token) {
    return &t->tokens[token & (SHIM_TOKENS - 1)];
}

/* -- what the row tells the engine -- */

static const struct protocol_calls *shim_engine_calls;

static inline void shim_message(void *user, uint64_t token, struct message *message, uint64_t reply_to) {
    struct connection *c = user;
    struct shim_track *t = shim_track(c->state);
    ASSERT(token == t->tokens_in + 1 && token < SHIM_TOKENS);
    unsigned id = shim_id(message_text(message, ATTRIBUTE_ID));
    t->tokens_in = token;
    *shim_token(t, token) = (struct shim_token){SHIM_OPEN, message->kind, (uint16_t)id};
    if (message_kind_asks(message->kind) && id < SHIM_IDS) {
        t->asked[id] = true;
        shim_world.elsewhere[id] |= message_has(message, ATTRIBUTE_REPLYTO);
        shim_world.ended[id] |= message_has(message, ATTRIBUTE_CORRELATIONID); /* a reply may name that alone */
    }
    unsigned cause = shim_id(message_text(message, ATTRIBUTE_CAUSATIONID));
    if (reply_to && cause < SHIM_IDS) /* its exchange says what it answers, whatever it says itself */
        shim_world.elsewhere[cause] = true;
    if (message_kind_replies(message->kind) && cause < SHIM_IDS) /* also of a request that is still in a lane */
        shim_world.ended[cause] = true;
    t->flows |= message_has(message, ATTRIBUTE_CORRELATIONID);
    shim_engine_calls->message(user, token, message, reply_to);
}

static inline void shim_outcome(void *user, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    struct connection *c = user;
    struct shim_track *t = shim_track(c->state);
    ASSERT(t->sink->terms.acks && first >= 1 && first <= last && last <= t->tokens_out);
    shim_engine_calls->outcome(user, first, last, outcome);
}

static struct protocol_calls shim_calls; /* those of the engine, but for the two above */

/* -- what the engine tells the row -- */

static inline void shim_open(const struct protocol *row, void *state, const struct protocol_setup *setup,
                             struct protocol_worker *worker, struct protocol_sink *sink, const struct address *peer,
                             struct now now) {
    struct shim_track *t = shim_track(state);
    t->sink = sink;
    if (sink->calls != &shim_calls) { /* else it has become this row */
        shim_engine_calls = sink->calls;
        shim_calls = *sink->calls;
        shim_calls.message = shim_message;
        shim_calls.outcome = shim_outcome;
        sink->calls = &shim_calls;
    }
    row->open(state, setup, worker, sink, peer, now);
}

static inline void shim_settle(const struct protocol *row, void *state, uint64_t first, uint64_t last,
                               enum status status, uint32_t retry_ms, struct now now) {
    struct shim_track *t = shim_track(state);
    ASSERT(first >= 1 && first <= last && last <= t->tokens_in);
    for (uint64_t token = first; token <= last; token++) {
        struct shim_token *it = shim_token(t, token);
        ASSERT(it->state == SHIM_OPEN);
        it->state = SHIM_SETTLED;
        bool replies = message_kind_replies(it->kind) || it->kind == KIND_HEARTBEAT;
        if (status == STATUS_OK && it->id < SHIM_IDS && !replies)
            shim_world.accepted[it->id] = true;
    }
    uint64_t added = t->sink->out->added;
    bool closing = t->sink->closing;
    row->settle(state, first, last, status, retry_ms, now);
    ASSERT(!closing || t->sink->out->added == added);
}

static inline struct slice shim_cause(const struct message *message, const struct overlay *overlay) {
    struct slice cause = message_text(message, ATTRIBUTE_CAUSATIONID);
    for (unsigned i = 0; overlay && i < overlay->count; i++)
        if (overlay->entries[i].attribute == ATTRIBUTE_CAUSATIONID)
            cause = overlay->entries[i].text;
    return cause;
}

static inline void shim_check_reply(const struct shim_track *t, const struct message *message,
                                    const struct overlay *overlay) {
    unsigned cause = shim_id(shim_cause(message, overlay));
    if (cause >= SHIM_IDS || shim_world.elsewhere[cause] || t->flows)
        return;
    ASSERT(t->asked[cause]);
}

static inline enum status shim_send(const struct protocol *row, void *state, const struct message *message,
                                    const struct overlay *overlay, const struct protocol_send *options,
                                    struct now now) {
    struct shim_track *t = shim_track(state);
    ASSERT(options->token == t->tokens_out + 1 && !t->sink->closing);
    ASSERT(options->reply_to || t->sink->room.messages > 0 || t->sink->out->datagrams);
    if (options->reply_to)
        ASSERT(options->reply_to <= t->tokens_in && shim_token(t, options->reply_to)->state == SHIM_OPEN);
    if (message_kind_replies(message->kind))
        shim_check_reply(t, message, overlay);
    unsigned id = shim_id(message_text(message, ATTRIBUTE_ID));
    uint64_t added = t->sink->out->added;
    t->tokens_out++; /* its outcome may come within send() */
    enum status status = row->send(state, message, overlay, options, now);
    if (status != STATUS_OK) {
        t->tokens_out--;
        ASSERT(t->sink->out->added == added || t->sink->closing);
        return status;
    }
    if (id < SHIM_IDS)
        shim_world.sent[id] = true;
    if (message_kind_asks(message->kind))
        t->asked_out = (uint16_t)id;
    if (options->reply_to)
        shim_token(t, options->reply_to)->state = SHIM_SETTLED;
    return status;
}

static const struct protocol *shim_of(const struct protocol *row);

static inline size_t shim_feed(const struct protocol *row, void *state, struct slice bytes, bool ended, struct now now) {
    struct shim_track *t = shim_track(state);
    ASSERT(!t->sink->closing && !t->sink->paused);
    size_t used = row->feed(state, bytes, ended, now);
    ASSERT(used <= bytes.size);
    if (t->sink->become)
        t->sink->become = shim_of(t->sink->become);
    return used;
}

#define SHIM_ROW(name)                                                                                                 \
    static void name##_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,           \
                            struct protocol_sink *sink, const struct address *peer, struct now now) {                  \
        shim_open(&protocol_##name, state, setup, worker, sink, peer, now);                                            \
    }                                                                                                                  \
    static size_t name##_feed(void *state, struct slice bytes, bool ended, struct now now) {                           \
        return shim_feed(&protocol_##name, state, bytes, ended, now);                                                  \
    }                                                                                                                  \
    static enum status name##_send(void *state, const struct message *message, const struct overlay *overlay,          \
                                   const struct protocol_send *options, struct now now) {                              \
        return shim_send(&protocol_##name, state, message, overlay, options, now);                                     \
    }                                                                                                                  \
    static void name##_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms,       \
                              struct now now) {                                                                        \
        shim_settle(&protocol_##name, state, first, last, status, retry_ms, now);                                      \
    }                                                                                                                  \
    static struct protocol shim_##name

SHIM_ROW(http1);
SHIM_ROW(stream);
SHIM_ROW(stream1);
SHIM_ROW(ndjson);
SHIM_ROW(datagram);

#define SHIM_FILL(name)                                                                                                \
    do {                                                                                                               \
        shim_##name = protocol_##name;                                                                                 \
        ASSERT(protocol_##name.state_size <= SHIM_STATE);                                                              \
        shim_##name.state_size = SHIM_STATE + sizeof(struct shim_track);                                               \
        shim_##name.open = name##_open;                                                                                \
        if (protocol_##name.feed)                                                                                      \
            shim_##name.feed = name##_feed;                                                                            \
        shim_##name.send = name##_send;                                                                                \
        shim_##name.settle = name##_settle;                                                                            \
    } while (0)

static inline void shim_rows(void) {
    SHIM_FILL(http1);
    SHIM_FILL(stream);
    SHIM_FILL(stream1);
    SHIM_FILL(ndjson);
    SHIM_FILL(datagram);
}

/* Watched rows instead of plain ones. */
static const struct protocol *shim_of(const struct protocol *row) {
    return row == &protocol_http1      ? &shim_http1
           : row == &protocol_stream   ? &shim_stream
           : row == &protocol_stream1  ? &shim_stream1
           : row == &protocol_ndjson   ? &shim_ndjson
           : row == &protocol_datagram ? &shim_datagram
                                       : row;
}

static inline bool shim_watches(const struct protocol *row) {
    return row == &shim_http1 || row == &shim_stream || row == &shim_stream1 || row == &shim_ndjson || row == &shim_datagram;
}

/* Each unsettled token is one that waits for room or for others before it, or whose reply is due on its exchange. */
static inline void shim_check_session(const struct session *s) {
    const struct connection *c = s->connection;
    if (!shim_watches(c->protocol) || c->status != CONNECTION_OPEN || c->sink.closing)
        return;
    struct shim_track *t = shim_track(c->state);
    uint64_t open = 0;
    for (uint64_t token = 1; token <= t->tokens_in; token++)
        open += shim_token(t, token)->state == SHIM_OPEN;
    for (struct list_node *node = list_first(&s->work->waiters); node; node = list_next(&s->work->waiters, node)) {
        const struct waiter *w = LIST_ENTRY(node, struct waiter, session_node);
        ASSERT(shim_token(t, w->token)->state == SHIM_OPEN);
        open--;
    }
    for (struct list_node *node = list_first(&s->work->asked); node; node = list_next(&s->work->asked, node)) {
        const struct delivery *d = LIST_ENTRY(node, struct delivery, asker_node);
        open -= shim_token(t, d->asker_token)->state == SHIM_OPEN;
    }
    open -= s->work->holds.count;
    ASSERT(open == 0);
}

#endif
