/* For fuzz targets of protocols: one instance between a peer and a user who both do what the input says, in any order.
 * Input: two bytes of choices, then a program: a byte names what happens, the bytes behind it say how. What must hold
 * whatever happens is asserted here and in the rig:
 *     inbound tokens are 1, 2, 3..; outbound ones end once, and only where the peer acknowledges
 *     no more bytes are used than were given; nothing is written once it is closing; then there is no room
 *     a send that is refused writes nothing; one that is written can be recovered from its bytes, or never claims so
 *     memory stays within bounds and is all given back */
#ifndef FUZZ_PROTOCOL_TALK_H
#define FUZZ_PROTOCOL_TALK_H

#include "protocol/battery/rig.h"
#include "protocol/http1/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define TALK_OPEN_MAX 512
#define TALK_OPS_MAX 400
#define TALK_WIRE_MAX (1u << 20)

enum {
    TALK_DIALLED = 1,
    TALK_AUTH = 2,
    TALK_PROTO = 4,    /* encodes as protobuf */
    TALK_SMALL = 8,    /* small limits and windows */
    TALK_FAILS = 16,   /* one allocation fails; byte 1 says which */
    TALK_BEGUN = 32,   /* the peer has introduced itself */
    TALK_ADMIN = 64,   /* http1: every request is one for a handler; dialled: requests ahead of their answers */
    TALK_RAW = 128,    /* http1: bodies are wrapped; dialled: batches */
};

struct talk;

/* The peer's side of one protocol. */
struct talk_peer {
    const struct protocol *(*row)(unsigned choices);
    void (*begin)(struct talk *talk);             /* with TALK_BEGUN: adds to the wire what comes first */
    void (*unit)(struct talk *talk, unsigned what); /* adds one well-formed thing to the wire, or nearly so */
};

struct talk_open {
    uint64_t token;
    bool asks;
    bool request; /* for a handler: http1_answer() */
};

struct talk {
    struct rig rig;
    const struct talk_peer *peer;
    struct slice program;
    unsigned choices;
    struct buffer wire; /* what the peer has written and we haven't got yet */
    struct talk_open open[TALK_OPEN_MAX]; /* inbound, not settled */
    unsigned open_count;
    bool inside;         /* a call up is running */
    bool in_send;
    bool failing;        /* an allocation fails somewhere */
    uint8_t mood;        /* what the user does within a call up */
    uint64_t peer_seq;   /* counters of the peer, for its use */
    uint64_t peer_count;
};

static inline unsigned talk_byte(struct talk *t) {
    if (!t->program.size)
        return 0;
    unsigned byte = t->program.data[0];
    t->program = slice_skip(t->program, 1);
    return byte;
}

static inline struct slice talk_bytes(struct talk *t, size_t count) {
    struct slice bytes = slice_head(t->program, count);
    t->program = slice_skip(t->program, bytes.size);
    return bytes;
}

static inline void talk_wire(struct talk *t, struct slice bytes) {
    if (t->wire.size + bytes.size < TALK_WIRE_MAX)
        buffer_add(&t->wire, bytes);
}

static inline void talk_wire_text(struct talk *t, const char *text) {
    talk_wire(t, slice_from(text));
}

/* -- messages -- */

struct talk_message {
    struct message message;
    struct buffer extra;
    uint8_t room[1024];
    uint8_t data[3000];
};

/* Kind, id `a`..`z`, what it answers, size: two bytes of the program say it all. */
static inline const struct message *talk_make(struct talk *t, struct talk_message *m) {
    struct message_fault fault;
    unsigned what = talk_byte(t), how = talk_byte(t);
    char id[2] = {(char)('a' + how % 26), 0}, cause[2] = {(char)('a' + how / 8 % 26), 0};
    enum message_kind kind = (enum message_kind)(what % KIND_COUNT);
    static const uint16_t sizes[] = {0, 0, 3, 20, 200, 900, 1100, 2999};
    size_t size = sizes[what / 32];
    memset(m->data, 'd', size);
    buffer_init_fixed(&m->extra, m->room, sizeof m->room);
    message_init(&m->message, slice_make(m->data, size));
    ASSERT(message_add(&m->message, &m->extra, ATTRIBUTE_ID, slice_from(id), &fault) == STATUS_OK);
    ASSERT(message_add(&m->message, &m->extra, ATTRIBUTE_SOURCE, SLICE_OF("/systems/test"), &fault) == STATUS_OK);
    ASSERT(message_add(&m->message, &m->extra, ATTRIBUTE_TYPE, SLICE_OF("com.example.test"), &fault) == STATUS_OK);
    ASSERT(message_add(&m->message, &m->extra, ATTRIBUTE_MESSAGETYPE, message_kind_name(kind), &fault) == STATUS_OK);
    if (message_kind_replies(kind))
        ASSERT(message_add(&m->message, &m->extra, ATTRIBUTE_CAUSATIONID, slice_from(cause), &fault) == STATUS_OK);
    if (size) {
        message_set_data(&m->message, what & 16 ? DATA_TEXT : DATA_BYTES);
        ASSERT(message_add(&m->message, &m->extra, ATTRIBUTE_DATACONTENTTYPE, SLICE_OF("text/plain"), &fault) == STATUS_OK);
    }
    ASSERT(message_seal(&m->message, &m->extra, &fault) == STATUS_OK);
    return &m->message;
}

/* -- the user -- */

static inline enum status talk_status(unsigned which) {
    static const enum status all[] = {STATUS_OK, STATUS_OK, STATUS_NO_ROUTE, STATUS_OVERLOADED, STATUS_EXPIRED,
                                      STATUS_DUPLICATE, STATUS_FORBIDDEN, STATUS_INTERNAL, STATUS_TARGET_UNAVAILABLE,
                                      STATUS_NO_MEMORY, STATUS_MALFORMED_EVENT, STATUS_GOING_AWAY};
    return all[which % COUNT_OF(all)];
}

/* A message that was written can be had back from its bytes, byte for byte as good, where the row claims so. */
static inline void talk_recover(struct talk *t, const struct message *message, uint64_t from) {
    struct message back;
    const struct protocol *protocol = t->rig.protocol;
    struct slice sent = chain_find(&t->rig.out, from, t->rig.out.added);
    if (t->rig.out.datagrams || !sent.data || t->rig.out.added == from)
        return;
    buffer_clear(&t->rig.worker.extra);
    if (!protocol->recover(t->rig.state, sent, &back))
        return;
    ASSERT(back.kind == message->kind && back.priority == message->priority);
    ASSERT(slice_equal(message_text(&back, ATTRIBUTE_ID), message_text(message, ATTRIBUTE_ID)));
    ASSERT(message_data_size(&back) == message_data_size(message));
    if (sent.size > 1)
        (void)protocol->recover(t->rig.state, slice_head(sent, sent.size - 1), &back);
}

static inline enum status talk_send(struct talk *t, uint32_t sub, uint64_t reply_to) {
    struct rig *rig = &t->rig;
    struct talk_message m;
    const struct message *message = talk_make(t, &m);
    if ((!rig->sink.room.messages && !reply_to) || rig->sink.closing || t->in_send)
        return STATUS_OVERLOADED;
    if (rig->sent + 1 >= RIG_TOKENS)
        return STATUS_OVERLOADED;
    uint64_t before = rig->out.added;
    t->in_send = true; /* the engine doesn't send from within send() either */
    enum status status = rig_send_to(rig, message, sub, reply_to);
    t->in_send = false;
    if (status != STATUS_OK)
        ASSERT(rig->out.added == before || rig->sink.closing || reply_to);
    else if (!t->inside && !rig->sink.closing)
        talk_recover(t, message, before);
    return status;
}

static inline void talk_close_open(struct talk *t, unsigned index) {
    memmove(&t->open[index], &t->open[index + 1], (t->open_count - index - 1) * sizeof t->open[0]);
    t->open_count--;
}

static inline void talk_answer(struct talk *t, unsigned index, unsigned how) {
    struct talk_open open = t->open[index];
    struct slice body = slice_head(SLICE_OF("a body of some length, so that chunks and lengths have something to count"), how);
    talk_close_open(t, index);
    if (how & 1)
        http1_answer_problem(t->rig.state, open.token, talk_status(how / 2), body, t->rig.now);
    else
        http1_answer(t->rig.state, open.token, 200, SLICE_OF("text/plain"), body, SLICE_OF(""), t->rig.now);
}

/* Settles `count` unsettled tokens from `index` on, as long as they are neighbours: one call. */
static inline void talk_settle(struct talk *t, unsigned index, unsigned count, enum status status, uint32_t retry_ms) {
    if (t->open[index].request) {
        talk_answer(t, index, (unsigned)status * 2 + 1);
        return;
    }
    uint64_t first = t->open[index].token, last = first;
    talk_close_open(t, index);
    while (--count && index < t->open_count && t->open[index].token == last + 1 && !t->open[index].request) {
        last++;
        talk_close_open(t, index);
    }
    t->rig.protocol->settle(t->rig.state, first, last, status, retry_ms, t->rig.now);
}

/* A request's reply: on its exchange, or as a message of its own behind the acknowledgement. */
static inline void talk_reply(struct talk *t, unsigned index) {
    struct talk_open open = t->open[index];
    if (!open.asks || open.request)
        return;
    if (t->rig.sink.terms.inline_reply) {
        if (t->rig.sink.closing || t->in_send)
            return;
        talk_close_open(t, index);
        if (talk_send(t, 0, open.token) != STATUS_OK && !t->rig.sink.closing)
            t->rig.protocol->settle(t->rig.state, open.token, open.token, STATUS_INTERNAL, 0, t->rig.now);
        return;
    }
    talk_settle(t, index, 1, STATUS_OK, 0);
    talk_send(t, 0, 0);
}

static inline void talk_act(struct talk *t, unsigned act) {
    unsigned index = t->open_count ? act / 8 % t->open_count : 0;
    switch (act % 8) {
    case 0:
        break;
    case 1:
        talk_send(t, act / 16 % 3, 0);
        break;
    case 2:
        if (t->rig.sent)
            t->rig.protocol->cancel(t->rig.state, 1 + act / 8 % t->rig.sent, t->rig.now);
        break;
    case 3:
        if (t->open_count)
            talk_reply(t, index);
        break;
    case 4:
        if (t->open_count)
            talk_settle(t, index, 1 + act / 64, STATUS_OK, 0);
        break;
    case 5:
        if (t->open_count)
            talk_settle(t, t->open_count - 1, 1, talk_status(act / 8), act & 64 ? 250 : 0);
        break;
    case 6:
        if (t->open_count)
            talk_settle(t, 0, TALK_OPEN_MAX, talk_status(act / 8), 0);
        break;
    default:
        if (t->open_count)
            talk_settle(t, t->open_count - 1, 1, STATUS_OK, 0);
        break;
    }
}

static inline void talk_took(struct talk *t, uint64_t token, bool asks, bool request) {
    if (t->open_count == TALK_OPEN_MAX)
        talk_settle(t, 0, TALK_OPEN_MAX, STATUS_OK, 0);
    t->open[t->open_count++] = (struct talk_open){token, asks, request};
    if (t->inside)
        return;
    t->inside = true;
    talk_act(t, t->mood);
    t->inside = false;
}

static inline void talk_on_message(struct rig *rig, uint64_t token, const struct message *message) {
    ASSERT(message_has(message, ATTRIBUTE_ID) && message_has(message, ATTRIBUTE_SOURCE));
    talk_took((struct talk *)(void *)rig, token, message_kind_asks(message->kind), false);
}

static inline void talk_on_request(void *user, uint64_t token, const struct protocol_request *request) {
    struct rig *rig = user;
    ASSERT(token == rig->received + 1 && request->path.size);
    rig->received = token;
    (void)http1_field(request, SLICE_OF("host"));
    (void)http1_parameter(request, SLICE_OF("a"));
    talk_took(user, token, false, true);
}

static inline void talk_on_outcome(void *user, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    struct talk *t = user;
    ASSERT(t->rig.sink.terms.acks || t->rig.sink.closing);
    ASSERT((outcome.verdict == VERDICT_ACCEPTED) == (outcome.status == STATUS_OK) || outcome.verdict == VERDICT_UNSENT);
    rig_on_outcome(user, first, last, outcome);
    if (!t->inside && t->mood & 128) {
        t->inside = true;
        talk_act(t, t->mood);
        t->inside = false;
    }
}

static inline void talk_on_room(void *user) {
    struct talk *t = user;
    rig_on_room(user);
    if (!t->inside && t->mood & 128) {
        t->inside = true;
        talk_act(t, t->mood);
        t->inside = false;
    }
}

/* -- the peer, time, the world -- */

static inline void talk_deliver(struct talk *t, size_t count) {
    uint8_t *copy;
    struct slice piece = slice_head(buffer_slice(&t->wire), count);
    if (!piece.size)
        return;
    copy = malloc(piece.size); /* of its own size, so that one byte too many is seen */
    ASSERT(copy);
    memcpy(copy, piece.data, piece.size);
    if (!t->rig.sink.closing && !t->rig.ended)
        rig_feed(&t->rig, slice_make(copy, piece.size));
    free(copy);
    buffer_consume(&t->wire, piece.size);
}

/* What a settlement may have set free is fed. */
static inline void talk_resume(struct talk *t) {
    if (!t->rig.sink.paused && !t->rig.sink.closing && (t->rig.partial.size || t->rig.ended))
        rig_feed(&t->rig, slice_make("", 0));
}

/* Some of what waits to be written is written; 255: all. */
static inline void talk_write(struct talk *t, unsigned count) {
    struct rig *rig = &t->rig;
    if (rig->out.datagrams) {
        chain_written_pieces(&rig->out, chain_piece(&rig->out, 0) ? 1 : 0);
        return;
    }
    uint64_t size = chain_unsent(&rig->out);
    if (count != 255 && size > count * 8u)
        size = count * 8u;
    chain_written(&rig->out, size);
}

static inline void talk_wait(struct talk *t, unsigned how) {
    static const int64_t steps[] = {NS_PER_MS, 60 * NS_PER_MS, NS_PER_S, 2 * NS_PER_S, 6 * NS_PER_S, 16 * NS_PER_S,
                                    61 * NS_PER_S, 700 * NS_PER_S};
    rig_wait(&t->rig, steps[how % COUNT_OF(steps)]);
}

static inline void talk_check(const struct talk *t, bool was_closing, uint64_t added) {
    const struct rig *rig = &t->rig;
    if (was_closing)
        ASSERT(rig->sink.closing && rig->out.added == added);
    if (rig->sink.closing)
        ASSERT(rig->sink.room.messages == 0 && rig->sink.close_status < STATUS_COUNT);
    ASSERT(rig->settled <= rig->sent);
    ASSERT(rig->pool.held < 64u << 20 && rig->partial.capacity < 4u << 20);
    ASSERT(rig->sink.terms.when_full <= PROTOCOL_FULL_DROP);
}

static inline void talk_op(struct talk *t) {
    struct rig *rig = &t->rig;
    unsigned op = talk_byte(t);
    switch (op % 16) {
    case 0:
    case 1:
    case 2:
        t->peer->unit(t, op / 16);
        break;
    case 3: /* bytes as they are */
        talk_wire(t, talk_bytes(t, talk_byte(t)));
        break;
    case 4:
    case 5:
        talk_deliver(t, SIZE_MAX);
        break;
    case 6:
        talk_deliver(t, talk_byte(t) + 1u);
        break;
    case 7:
        t->mood = (uint8_t)talk_byte(t);
        break;
    case 8:
        if (!rig->sink.closing || op / 16 % 2)
            talk_act(t, talk_byte(t));
        break;
    case 9:
        if (!rig->sink.closing)
            talk_act(t, op / 16 * 16 + 1); /* send */
        break;
    case 10:
        talk_write(t, op & 16 ? 255 : talk_byte(t));
        break;
    case 11:
        talk_wait(t, op / 16);
        break;
    case 12: /* spoils the newest byte but n */
        if (t->wire.size) {
            size_t back = talk_byte(t) % t->wire.size;
            t->wire.data[t->wire.size - 1 - back] ^= (uint8_t)(1 + talk_byte(t) % 255);
        }
        break;
    case 13:
        rig->hello_as = op & 16 ? STATUS_UNAUTHENTICATED : STATUS_OK;
        rig->subscribe_as = op & 32 ? STATUS_FORBIDDEN : STATUS_OK;
        rig->acts_as = op & 64 ? SLICE_OF("crm") : SLICE_OF("");
        break;
    case 14:
        if (!rig->sink.closing)
            rig->protocol->shut(rig->state, op & 16 ? STATUS_SHUTDOWN : STATUS_GOING_AWAY, rig->now);
        break;
    default:
        if (!rig->ended && op >= 128)
            rig_end(rig);
        break;
    }
    talk_resume(t);
    if (rig->sink.gathers && !rig->sink.closing) /* the turn ends */
        rig->protocol->flush(rig->state, rig->now);
}

static inline void talk_limits(struct talk *t) {
    struct protocol_setup *setup = &t->rig.setup;
    setup->auth = t->choices & TALK_AUTH;
    setup->encoding = t->choices & TALK_PROTO ? ENCODING_PROTO : ENCODING_JSON;
    setup->is_admin = t->choices & TALK_ADMIN;
    setup->format = t->choices & TALK_RAW ? PROTOCOL_FORMAT_RAW : PROTOCOL_FORMAT_AUTO;
    setup->answers = true;
    setup->pipeline = t->choices & TALK_ADMIN ? 4 : 0;
    setup->batch.max = t->choices & TALK_RAW ? 3 : 0;
    setup->batch.wait_ns = t->choices & TALK_SMALL ? 50 * NS_PER_MS : 0;
    setup->limits.message = t->choices & TALK_SMALL ? 1000 : 65536;
    setup->limits.header = t->choices & TALK_SMALL ? 1024 : 8192;
    setup->limits.window = t->choices & TALK_SMALL ? 3 : 64;
    setup->limits.window_bytes = t->choices & TALK_SMALL ? 2000 : 1u << 20;
}

/* Whatever is open is settled, the peer goes, time passes: all must end. */
static inline void talk_end(struct talk *t) {
    struct rig *rig = &t->rig;
    talk_deliver(t, SIZE_MAX);
    for (int rounds = 0; rounds < 1000 && t->open_count && !rig->sink.closing; rounds++) {
        talk_settle(t, 0, TALK_OPEN_MAX, STATUS_OK, 0);
        talk_resume(t);
    }
    if (!rig->ended)
        rig_end(rig);
    rig_wait(rig, 3600 * NS_PER_S);
    ASSERT(rig->sink.closing || rig->out.datagrams || t->open_count || rig->sink.due.ns == INT64_MAX);
    while (t->open_count) /* a user who hears of the end late */
        talk_settle(t, 0, TALK_OPEN_MAX, STATUS_OK, 0);
}

static inline void talk_run(const struct talk_peer *peer, const uint8_t *bytes, size_t size) {
    if (size < 2)
        return;
    struct talk *t = calloc(1, sizeof *t);
    ASSERT(t);
    int64_t live = memory_live();
    t->peer = peer;
    t->choices = bytes[0];
    t->program = slice_make(bytes + 2, size - 2);
    rig_setup(&t->rig, peer->row(t->choices), t->choices & TALK_DIALLED ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED);
    t->rig.quiet = true;
    t->rig.settle_as = STATUS_COUNT;
    t->rig.on_message = talk_on_message;
    t->rig.calls.request = talk_on_request;
    t->rig.calls.outcome = talk_on_outcome;
    t->rig.calls.room = talk_on_room;
    talk_limits(t);
    buffer_init(&t->wire, 2 * TALK_WIRE_MAX);
    if (t->choices & TALK_FAILS)
        memory_fail_after(bytes[1]);
    rig_open(&t->rig);
    if (t->choices & TALK_BEGUN) {
        peer->begin(t);
        talk_deliver(t, SIZE_MAX);
    }
    for (int i = 0; i < TALK_OPS_MAX && t->program.size; i++) {
        bool was_closing = t->rig.sink.closing;
        uint64_t added = t->rig.out.added;
        talk_op(t);
        talk_check(t, was_closing, added);
    }
    talk_end(t);
    memory_fail_after(-1);
    rig_done(&t->rig);
    buffer_done(&t->wire);
    ASSERT(memory_live() == live);
    free(t);
}

#endif
