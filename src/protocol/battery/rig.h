/* For tests and fuzz targets: one protocol instance with everything below and above it, which writes down what the
 * protocol does as lines of text:
 *     message 1 id=a event data=3      outcome 1-4 accepted       closed protocol-error
 * What comes in is fed as the connection room feeds it. */
#ifndef PROTOCOL_BATTERY_RIG_H
#define PROTOCOL_BATTERY_RIG_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "message/encoding.h"
#include "protocol/protocol.h"

#define RIG_EXTRA 65536
#define RIG_TOKENS 4096
#define RIG_START_NS (INT64_C(1000) * NS_PER_S)

struct rig {
    const struct protocol *protocol;
    void *state;
    struct protocol_setup setup;
    struct protocol_worker worker;
    struct protocol_sink sink;
    struct protocol_calls calls;
    struct chain_pool pool;
    struct chain out;
    struct buffer partial;
    struct buffer log;
    struct address peer;
    struct now now;
    bool ended;

    /* How the user behaves. */
    enum status settle_as; /* at once, in message(); STATUS_COUNT: not at all */
    enum status hello_as;
    enum status subscribe_as;
    struct slice acts_as;
    bool quiet; /* keep no log */
    void (*on_message)(struct rig *rig, uint64_t token, const struct message *message);
    void *other;

    /* What happened. */
    uint64_t received;  /* the last token in */
    uint64_t sent;      /* the last token out */
    uint64_t settled;   /* outbound, in ranges of outcome() */
    uint64_t settled_in; /* inbound, for users of the rig that settle by themselves */
    uint64_t invalid;
    uint64_t becomes;
    uint8_t ends[RIG_TOKENS]; /* how often outbound token i was settled */
    uint32_t last_kind;
};

static inline void rig_note(struct rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void rig_note(struct rig *rig, const char *format, ...) {
    char line[1024];
    va_list arguments;
    if (rig->quiet)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    buffer_add_text(&rig->log, line);
    buffer_add_byte(&rig->log, '\n');
}

static inline void rig_on_message(void *user, uint64_t token, struct message *message, uint64_t reply_to) {
    struct rig *rig = user;
    struct slice id = message_text(message, ATTRIBUTE_ID);
    struct slice kind = message_kind_name(message->kind);
    ASSERT(token == rig->received + 1); /* 1, 2, 3.. */
    rig->received = token;
    rig->last_kind = message->kind;
    if (!rig->quiet)
        rig_note(rig, "message %llu id=%.*s %.*s data=%zu%s", (unsigned long long)token, SLICE_ARG(id), SLICE_ARG(kind),
                 message_data_size(message), reply_to ? " reply" : "");
    if (rig->on_message)
        rig->on_message(rig, token, message);
    if (rig->settle_as != STATUS_COUNT)
        rig->protocol->settle(rig->state, token, token, rig->settle_as, 0, rig->now);
}
static inline void rig_on_invalid(void *user, const struct message_fault *fault) {
    struct rig *rig = user;
    rig->invalid++;
    ASSERT(fault->status != STATUS_OK && fault->status < STATUS_COUNT);
    rig_note(rig, "invalid %s: %s", status_reason(fault->status), fault->text);
}
static inline void rig_on_outcome(void *user, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    static const char *const names[] = {"accepted", "rejected", "retry", "expired", "unsent"};
    struct rig *rig = user;
    ASSERT(first >= 1 && first <= last && last <= rig->sent);
    for (uint64_t token = first; token <= last; token++)
        ASSERT(token >= RIG_TOKENS || ++rig->ends[token] == 1); /* exactly once */
    rig->settled += last - first + 1;
    rig_note(rig, "outcome %llu-%llu %s%s%s retry_ms=%u", (unsigned long long)first, (unsigned long long)last,
             names[outcome.verdict], outcome.status ? " " : "", outcome.status ? status_reason(outcome.status) : "",
             outcome.retry_ms);
}
static inline void rig_on_cancelled(void *user, uint64_t token) {
    struct rig *rig = user;
    ASSERT(token >= 1 && token <= rig->received);
    rig_note(rig, "cancelled %llu", (unsigned long long)token);
}
static inline void rig_on_room(void *user) {
    struct rig *rig = user;
    ASSERT(rig->sink.room.messages > 0);
    rig_note(rig, "room");
}
static inline enum status rig_on_hello(void *user, const struct protocol_hello *hello, struct slice *ret_system) {
    struct rig *rig = user;
    rig_note(rig, "hello client=%.*s system=%.*s key=%.*s%s%s window=%u", SLICE_ARG(hello->client),
             SLICE_ARG(hello->system), SLICE_ARG(hello->key), hello->serves ? " serves" : "",
             hello->is_intertie ? " intertie" : "", hello->window);
    if (rig->hello_as == STATUS_OK)
        *ret_system = rig->acts_as;
    return rig->hello_as;
}
static inline enum status rig_on_subscribe(void *user, const struct protocol_subscription *subscription,
                                           struct message_fault *fault) {
    struct rig *rig = user;
    rig_note(rig, "subscribe %u filter=%.*s group=%.*s max=%u%s", subscription->sub, SLICE_ARG(subscription->filter),
             SLICE_ARG(subscription->group), subscription->max_inflight, subscription->ack ? " ack" : "");
    if (rig->subscribe_as != STATUS_OK)
        snprintf(fault->text, sizeof fault->text, "refused by the test");
    return rig->subscribe_as;
}
static inline void rig_on_unsubscribe(void *user, uint32_t sub) {
    rig_note(user, "unsubscribe %u", sub);
}
static inline void rig_on_request(void *user, uint64_t token, const struct protocol_request *request) {
    (void)token;
    (void)request;
    rig_note(user, "request");
}

static inline void rig_setup(struct rig *rig, const struct protocol *protocol, enum protocol_role role) {
    memset(rig, 0, sizeof *rig);
    rig->protocol = protocol;
    rig->calls = (struct protocol_calls){
        .message = rig_on_message, .invalid = rig_on_invalid, .outcome = rig_on_outcome, .cancelled = rig_on_cancelled,
        .room = rig_on_room, .hello = rig_on_hello, .subscribe = rig_on_subscribe, .unsubscribe = rig_on_unsubscribe,
        .request = rig_on_request,
    };
    rig->now = (struct now){{RIG_START_NS}, {INT64_C(1800000000) * NS_PER_S}};
    rig->setup = (struct protocol_setup){
        .role = role,
        .name = SLICE("test"),
        .node = SLICE("node"),
        .limits = {.message = 1u << 20, .header = 32768, .fields = 100, .window = 64, .window_bytes = 4u << 20},
        .timeouts = {.head_ns = 10 * NS_PER_S, .auth_ns = 2 * NS_PER_S, .idle_ns = 60 * NS_PER_S,
                     .heartbeat_ns = 15 * NS_PER_S, .attempt_ns = 5 * NS_PER_S},
        .host = SLICE("peer.example"),
        .path = SLICE("/"),
        .encoding = ENCODING_JSON,
    };
    address_parse(SLICE_OF("127.0.0.1:40000"), &rig->peer);
}

/* After rig_setup(), when setup is as wanted. */
static inline void rig_open(struct rig *rig) {
    chain_pool_init(&rig->pool);
    chain_init(&rig->out, &rig->pool, rig->protocol->is_datagram);
    buffer_init(&rig->partial, (size_t)rig->setup.limits.message + rig->setup.limits.header + (320u << 10));
    buffer_init(&rig->log, 1u << 20);
    buffer_init(&rig->worker.scratch, 4u << 20);
    uint8_t *extra = malloc(RIG_EXTRA); /* the harness's own: not counted */
    ASSERT(extra);
    buffer_init_fixed(&rig->worker.extra, extra, RIG_EXTRA);
    uuid_source_init(&rig->worker.ids, 1);
    rig->sink.calls = &rig->calls;
    rig->sink.user = rig;
    rig->sink.out = &rig->out;
    rig->sink.due = MONO_NEVER;
    rig->state = calloc(1, rig->protocol->state_size);
    ASSERT(rig->state);
    rig->protocol->open(rig->state, &rig->setup, &rig->worker, &rig->sink, &rig->peer, rig->now);
}

static inline void rig_done(struct rig *rig) {
    rig->protocol->done(rig->state);
    free(rig->state);
    chain_done(&rig->out);
    chain_pool_done(&rig->pool);
    buffer_done(&rig->partial);
    buffer_done(&rig->log);
    buffer_done(&rig->worker.scratch);
    coding_done(&rig->worker.coder);
    websocket_worker_done(&rig->worker.websocket);
    memory_free(rig->worker.gift);
    free(rig->worker.extra.data);
}

static inline void rig_become(struct rig *rig) {
    const struct protocol *next = rig->sink.become;
    rig->sink.become = NULL;
    rig->protocol->done(rig->state);
    free(rig->state);
    rig->state = calloc(1, next->state_size);
    ASSERT(rig->state);
    rig->protocol = next;
    rig->sink.terms = (struct protocol_terms){0};
    rig->sink.room = (struct protocol_room){0};
    rig->sink.due = MONO_NEVER;
    rig->sink.want = 0;
    rig->becomes++;
    next->open(rig->state, &rig->setup, &rig->worker, &rig->sink, &rig->peer, rig->now);
}

static inline size_t rig_feed_all(struct rig *rig, struct slice bytes) {
    size_t total = 0;
    while (!rig->sink.closing && !rig->sink.paused && (bytes.size > total || rig->ended)) {
        size_t left = bytes.size - total;
        if (left < rig->sink.want && !rig->ended)
            break;
        rig->sink.want = 0;
        const struct protocol *before = rig->protocol;
        size_t used = rig->protocol->feed(rig->state, slice_make(bytes.data + total, left), rig->ended, rig->now);
        ASSERT(used <= left);
        total += used;
        if (rig->sink.become)
            rig_become(rig);
        if ((used == 0 && rig->protocol == before) || (used == left && rig->ended))
            break;
    }
    return total;
}

/* Bytes from the peer. */
static inline void rig_feed(struct rig *rig, struct slice bytes) {
    if (rig->partial.size) {
        buffer_add(&rig->partial, bytes);
        size_t used = rig_feed_all(rig, buffer_slice(&rig->partial));
        buffer_consume(&rig->partial, used);
    } else {
        size_t used = rig_feed_all(rig, bytes);
        if (used < bytes.size && !rig->sink.closing)
            buffer_add(&rig->partial, slice_skip(bytes, used));
    }
    if (rig->partial.status != STATUS_OK && !rig->sink.closing) {
        rig->sink.closing = true; /* as the connection room closes it then */
        rig->sink.close_status = rig->partial.status;
        rig->sink.room = (struct protocol_room){0};
    }
    if (rig->sink.closing)
        buffer_clear(&rig->partial);
    if (rig->sink.closing && rig->sink.want != SIZE_MAX) {
        rig->sink.want = SIZE_MAX; /* noted once */
        rig_note(rig, "closed %s", status_reason(rig->sink.close_status));
    }
}

static inline void rig_end(struct rig *rig) {
    rig->ended = true;
    if (rig->partial.size) {
        buffer_consume(&rig->partial, rig_feed_all(rig, buffer_slice(&rig->partial)));
        if (rig->sink.closing)
            buffer_clear(&rig->partial);
    } else {
        rig_feed_all(rig, slice_make("", 0));
    }
    rig_feed(rig, slice_make("", 0));
}

/* Time passes: tick() is called whenever it is due. */
static inline void rig_wait(struct rig *rig, int64_t ns) {
    struct mono until = mono_after(rig->now.mono, ns);
    while (!rig->sink.closing && mono_due(rig->sink.due, until)) {
        if (rig->sink.due.ns > rig->now.mono.ns) {
            rig->now.wall.ns += rig->sink.due.ns - rig->now.mono.ns;
            rig->now.mono = rig->sink.due;
        }
        rig->sink.due = MONO_NEVER;
        rig->protocol->tick(rig->state, rig->now);
    }
    rig->now.wall.ns += until.ns - rig->now.mono.ns;
    rig->now.mono = until;
    if (rig->sink.closing)
        rig_feed(rig, slice_make("", 0));
}

/* Moves what it wrote to `to`. */
static inline void rig_take(struct rig *rig, struct buffer *to) {
    struct iovec vectors[8];
    int count;
    while (chain_unsent(&rig->out) && (count = chain_vectors(&rig->out, vectors, 8)) > 0) {
        uint64_t size = 0;
        for (int i = 0; i < count; i++) {
            buffer_add(to, slice_make(vectors[i].iov_base, vectors[i].iov_len));
            size += vectors[i].iov_len;
        }
        if (rig->out.datagrams)
            chain_written_pieces(&rig->out, (uint32_t)count);
        else
            chain_written(&rig->out, size);
        if (rig->protocol->written && !rig->sink.closing)
            rig->protocol->written(rig->state, rig->now);
    }
}

static inline enum status rig_send_to(struct rig *rig, const struct message *message, uint32_t sub, uint64_t reply_to) {
    struct protocol_send options = {.token = rig->sent + 1, .reply_to = reply_to, .sub = sub, .attempt = 1,
                                    .asks = message_kind_asks(message->kind)};
    rig->sent++; /* outcome() may come within send() */
    enum status status = rig->protocol->send(rig->state, message, NULL, &options, rig->now);
    if (status != STATUS_OK)
        rig->sent--;
    return status;
}
static inline enum status rig_send(struct rig *rig, const struct message *message) {
    return rig_send_to(rig, message, 0, 0);
}

/* What `from` wrote arrives at `to`; it is added to `record` too, unless that is NULL. Returns how many bytes. */
static inline size_t rig_move(struct rig *from, struct rig *to, struct buffer *record) {
    size_t moved = 0;
    if (from->out.datagrams) {
        const struct chain_piece *piece;
        while ((piece = chain_piece(&from->out, 0))) {
            to->protocol->datagram(to->state, slice_make(piece->block->data + piece->at, piece->size), &to->peer, to->now);
            moved += piece->size;
            chain_written_pieces(&from->out, 1);
        }
        return moved;
    }
    struct buffer wire;
    buffer_init(&wire, 16u << 20);
    rig_take(from, &wire);
    moved = wire.size;
    if (record)
        buffer_add(record, buffer_slice(&wire));
    if (moved)
        rig_feed(to, buffer_slice(&wire));
    buffer_done(&wire);
    return moved;
}

/* Lets two instances talk until both are silent. */
static inline void rig_exchange(struct rig *a, struct rig *b) {
    for (int turns = 0; turns < 1000; turns++)
        if (rig_move(a, b, NULL) + rig_move(b, a, NULL) == 0)
            break;
}

/* A small message, borrowed from `extra` and `data`. */
static inline void rig_message(struct message *message, struct buffer *extra, enum message_kind kind, const char *id,
                               struct slice data) {
    struct message_fault fault;
    message_init(message, data);
    ASSERT(message_add(message, extra, ATTRIBUTE_ID, slice_from(id), &fault) == STATUS_OK);
    ASSERT(message_add(message, extra, ATTRIBUTE_SOURCE, SLICE_OF("/systems/test"), &fault) == STATUS_OK);
    ASSERT(message_add(message, extra, ATTRIBUTE_TYPE, SLICE_OF("com.example.test"), &fault) == STATUS_OK);
    if (kind != KIND_EVENT)
        ASSERT(message_add(message, extra, ATTRIBUTE_MESSAGETYPE, message_kind_name(kind), &fault) == STATUS_OK);
    if (data.size) {
        message_set_data(message, DATA_BYTES);
        ASSERT(message_add(message, extra, ATTRIBUTE_DATACONTENTTYPE, SLICE_OF("application/octet-stream"), &fault) ==
               STATUS_OK);
    }
    ASSERT(message_seal(message, extra, &fault) == STATUS_OK);
}

/* The whole log; it is then empty. `text` is valid until the next note. */
static inline const char *rig_log(struct rig *rig) {
    buffer_add_byte(&rig->log, '\0');
    rig->log.size = 0;
    return (const char *)rig->log.data;
}

#endif
