/* Stream v1 over WebSocket (`intertie.v1`): one binary message is one frame, and there is no preface. The state machine is
 * that of protocol/stream, unchanged: it reads frames that came as messages, and writes into a chain of its own, from
 * which each frame leaves as a message. What WebSocket knows of breaking rules and saying goodbye is the carrier's. */
#include "protocol/websocket/websocket.h"

#include <string.h>

#include "base/memory.h"
#include "protocol/stream/stream1.h"

struct over {
    struct units ws; /* of which only the carrier's side is used */
    struct stream1 stream;
    struct protocol_sink below; /* the stream's */
    struct chain out;           /* what the stream writes */
    struct ws_gift *gift;       /* what was said in the handshake; NULL after HELLO */
    bool drops_preface;         /* the stream's first bytes are one */
};

static const uint8_t preface[PREFACE_SIZE] = {PREFACE_FIRST, 'i', 't', 's', 1, 0, 0, 0};

/* -- up -- */

/* The user looks at the connection's sink. */
static void show(const struct over *o) {
    struct protocol_sink *sink = o->ws.sink;
    bool ends = o->ws.leaving || sink->closing;
    sink->terms = o->below.terms;
    sink->room = ends ? (struct protocol_room){0} : o->below.room;
    sink->paused = o->below.paused && !ends;
    sink->due = ends ? o->ws.carrier_due : mono_min(o->below.due, o->ws.carrier_due);
}

static void *user_of(struct over *o) {
    show(o);
    return o->ws.sink->user;
}
static const struct protocol_calls *calls_of(const struct over *o) {
    return o->ws.sink->calls;
}

static void on_message(void *user, uint64_t token, struct message *message, uint64_t reply_to) {
    calls_of(user)->message(user_of(user), token, message, reply_to);
}
static void on_invalid(void *user, const struct message_fault *fault) {
    calls_of(user)->invalid(user_of(user), fault);
}
static void on_outcome(void *user, uint64_t from, uint64_t to, struct protocol_outcome outcome) {
    calls_of(user)->outcome(user_of(user), from, to, outcome);
}
static void on_cancelled(void *user, uint64_t token) {
    calls_of(user)->cancelled(user_of(user), token);
}
static void on_room(void *user) {
    void *above = user_of(user);
    if (((struct over *)user)->ws.sink->room.messages)
        calls_of(user)->room(above);
}
/* Who has said in the handshake who it is needn't say it again. */
static enum status on_hello(void *user, const struct protocol_hello *hello, struct slice *ret_system) {
    struct over *o = user;
    struct protocol_hello with = *hello;
    if (o->gift && !with.key.size)
        with.key = slice_make(o->gift->key, o->gift->key_size);
    if (o->gift && !with.system.size)
        with.system = slice_make(o->gift->system, o->gift->system_size);
    return calls_of(o)->hello(user_of(o), &with, ret_system);
}
static enum status on_subscribe(void *user, const struct protocol_subscription *subscription, struct message_fault *fault) {
    return calls_of(user)->subscribe(user_of(user), subscription, fault);
}
static void on_unsubscribe(void *user, uint32_t sub) {
    calls_of(user)->unsubscribe(user_of(user), sub);
}
static bool on_keep(void *user, struct slice session) {
    return calls_of(user)->keep && calls_of(user)->keep(user_of(user), session);
}
static bool on_resume(void *user, struct slice session) {
    return calls_of(user)->resume && calls_of(user)->resume(user_of(user), session);
}
static size_t on_detail(void *user, uint64_t token, enum status status, char *out, size_t room) {
    return calls_of(user)->detail ? calls_of(user)->detail(user_of(user), token, status, out, room) : 0;
}

static const struct protocol_calls calls = {
    .message = on_message, .invalid = on_invalid, .outcome = on_outcome, .cancelled = on_cancelled, .room = on_room,
    .hello = on_hello, .subscribe = on_subscribe, .unsubscribe = on_unsubscribe, .keep = on_keep, .resume = on_resume,
    .detail = on_detail,
};

/* -- out -- */

/* Each frame was added at once, so it is in one piece. */
static bool pass_frame(struct over *o) {
    uint8_t header[FRAME_HEADER];
    struct chain *out = &o->out;
    const struct carrier *carrier = o->ws.carrier;
    size_t size = FRAME_HEADER + frame_get32(chain_from(out, out->written, header, sizeof header).data);
    struct slice frame = chain_find(out, out->written, out->written + size);
    size_t before = carrier->before(&o->ws, size);
    uint8_t *at = frame.data ? chain_reserve(o->ws.sink->out, before + size) : NULL;
    if (!at)
        return false;
    memcpy(at + before, frame.data, size);
    carrier->wrap(&o->ws, at, size, false);
    chain_commit(o->ws.sink->out, before + size);
    chain_written(out, size);
    return true;
}

/* Once our goodbye is said nothing may follow it (RFC 6455 section 5.5.1). */
static void pass(struct over *o) {
    if (o->drops_preface && chain_unsent(&o->out) >= PREFACE_SIZE) {
        chain_written(&o->out, PREFACE_SIZE);
        o->drops_preface = false;
    }
    while (chain_unsent(&o->out) && !o->ws.leaving && !o->ws.sink->closing)
        if (!pass_frame(o)) {
            units_gone(&o->ws, STATUS_NO_MEMORY);
            return;
        }
    chain_rest(&o->out);
}

static void forget_gift(struct over *o) {
    if (o->gift)
        explicit_bzero(o->gift, sizeof *o->gift);
    memory_free(o->gift);
    o->gift = NULL;
}

/* After each call down: what it wrote leaves, what it decided is done. */
static void after(struct over *o, struct now now) {
    pass(o);
    if (o->gift && o->stream.phase >= STREAM1_OPEN)
        forget_gift(o);
    if (o->below.closing)
        units_close(&o->ws, o->below.close_status, NULL, now);
    show(o);
}

/* -- in -- */

static enum cut refuse(struct unit *unit, enum status status, const char *words) {
    return carrier_refuse(unit, status, "%s", words);
}

/* Whether the stream took the frame; it doesn't when that is for who takes over the connection. */
static enum cut take(struct over *o, struct unit *unit, struct now now) {
    struct slice frame = unit->payload;
    if (o->ws.leaving)
        return CUT_UNIT;
    if (frame.size < FRAME_HEADER || frame_get32(frame.data) != frame.size - FRAME_HEADER)
        return refuse(unit, STATUS_PROTOCOL_ERROR, "a message of intertie.v1 is one frame");
    protocol_stream1.feed(&o->stream, frame, false, now);
    if (o->stream.handed_over)
        return CUT_WAIT;
    after(o, now);
    return CUT_UNIT;
}

/* The peer has said goodbye, or is gone: nothing can be said to it any more. */
static void end(struct over *o, struct now now) {
    o->ws.peer_ended = true;
    if (!o->ws.leaving)
        protocol_stream1.feed(&o->stream, slice_make("", 0), true, now);
    units_gone(&o->ws, o->below.closing ? o->below.close_status : STATUS_PEER_CLOSED);
}

static size_t over_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct over *o = state;
    struct units *ws = &o->ws;
    struct protocol_sink *sink = ws->sink;
    size_t used = 0;
    if (chain_unsent(sink->out) > ws->setup->limits.message + STREAM1_UNREAD_MAX) {
        stream1_give_up(&o->stream, STATUS_WRITE_TIMEOUT, "what was answered is not read", now);
        after(o, now);
    }
    while (used < bytes.size && !sink->closing && !sink->paused) {
        struct unit unit = {0};
        enum cut cut = ws->carrier->cut(ws, slice_skip(bytes, used), ended, &unit, now);
        bool is_frame = cut == CUT_UNIT;
        if (is_frame)
            cut = take(o, &unit, now);
        if (cut == CUT_REFUSED)
            units_refuse(ws, unit.status, unit.words, slice_make("", 0), now);
        else if (cut == CUT_GONE)
            end(o, now);
        else if (cut == CUT_WAIT && !is_frame)
            sink->want = unit.want;
        if (cut != CUT_UNIT && cut != CUT_CONTROL && !(cut == CUT_REFUSED && is_frame)) /* of which WebSocket knows the end */
            break;
        used += unit.used;
    }
    if (ended && used == bytes.size && !ws->peer_ended && !sink->closing)
        end(o, now);
    if (!o->stream.handed_over)
        show(o);
    return sink->closing ? bytes.size : used;
}

/* -- the other verbs -- */

static enum status over_send(void *state, const struct message *message, const struct overlay *overlay,
                             const struct protocol_send *options, struct now now) {
    struct over *o = state;
    enum status status = protocol_stream1.send(&o->stream, message, overlay, options, now);
    bool was_closing = o->ws.sink->closing;
    after(o, now);
    return status == STATUS_OK && !was_closing && o->ws.sink->closing && o->ws.sink->close_status == STATUS_NO_MEMORY ? STATUS_NO_MEMORY : status;
}

static void over_settle(void *state, uint64_t from, uint64_t to, enum status status, uint32_t retry_ms, struct now now) {
    struct over *o = state;
    protocol_stream1.settle(&o->stream, from, to, status, retry_ms, now);
    if (!o->stream.resuming || o->stream.phase != STREAM1_PREFACE) /* else nobody is there: what is owed is said when he is */
        after(o, now);
}

static void over_cancel(void *state, uint64_t token, struct now now) {
    struct over *o = state;
    protocol_stream1.cancel(&o->stream, token, now);
    after(o, now);
}

static void over_tick(void *state, struct now now) {
    struct over *o = state;
    if (mono_due(o->ws.carrier_due, now.mono)) {
        o->ws.carrier_due = MONO_NEVER;
        o->ws.carrier->tick(&o->ws, now);
    }
    if (!o->ws.leaving && !o->ws.sink->closing && mono_due(o->below.due, now.mono)) {
        o->below.due = MONO_NEVER;
        protocol_stream1.tick(&o->stream, now);
    }
    after(o, now);
}

static void over_fail(void *state, enum status status, const char *words, struct now now) {
    struct over *o = state;
    protocol_stream1.fail(&o->stream, status, words, now);
    after(o, now);
}

static void over_shut(void *state, enum status status, struct now now) {
    struct over *o = state;
    protocol_stream1.shut(&o->stream, status, now);
    after(o, now);
}

static bool over_recover(void *state, struct slice sent, struct message *ret_message) {
    struct over *o = state;
    struct slice frame;
    return o->ws.carrier->unwrap(&o->ws, sent, &frame) && protocol_stream1.recover(&o->stream, frame, ret_message);
}

/* -- its beginning and its end -- */

static void begin_below(struct over *o, const struct protocol_sink *sink) {
    o->below = (struct protocol_sink){.calls = &calls, .user = o, .out = &o->out, .due = MONO_NEVER, .known = sink->known};
    chain_init(&o->out, sink->out->pool, false);
}

static void over_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                      struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct over *o = state;
    struct websocket *w = memory_new(sizeof *w);
    o->gift = worker->gift;
    worker->gift = NULL;
    o->ws = (struct units){.setup = setup, .worker = worker, .sink = sink, .carrier = &carrier_websocket, .carrier_state = w,
                           .is_dialled = setup->role == PROTOCOL_DIALLED, .codec = UNITS_RAW, .codec_is_one = true, .rate_start = now.mono};
    o->ws.deadline = o->ws.idle = o->ws.carrier_due = o->ws.reply_due = o->ws.quiet_until = MONO_NEVER;
    begin_below(o, sink);
    if (!w) {
        units_gone(&o->ws, STATUS_NO_MEMORY);
        return;
    }
    w->agreed = o->gift ? o->gift->agreed : (struct ws_agreed){.content = WS_STREAM};
    w->masks = o->ws.is_dialled;
    o->below.known |= o->gift && o->gift->is_known;
    o->drops_preface = true;
    protocol_stream1.open(&o->stream, setup, worker, &o->below, peer, now);
    w->max = o->stream.max_frame + FRAME_HEADER;
    protocol_stream1.feed(&o->stream, slice_make(preface, sizeof preface), false, now);
    after(o, now);
}

static const struct protocol_session *over_session(void *state) {
    struct over *o = state;
    return o->ws.is_dialled ? NULL : protocol_stream1.session(&o->stream); /* whom we dial must shake hands first */
}

static struct mono over_detach(void *state, struct now now) {
    struct over *o = state;
    struct mono until = protocol_stream1.detach(&o->stream, now);
    if (until.ns <= now.mono.ns)
        return until;
    chain_done(&o->out);
    begin_below(o, o->ws.sink);
    carrier_websocket.done(&o->ws);
    return until;
}

static void over_attach(void *state, const struct protocol_setup *setup, struct protocol_sink *sink, struct now now) {
    struct over *o = state;
    struct websocket *w = memory_new(sizeof *w);
    o->ws.setup = setup;
    o->ws.sink = sink;
    o->ws.carrier_state = w;
    o->ws.leaving = o->ws.peer_ended = false;
    o->ws.carrier_due = MONO_NEVER;
    begin_below(o, sink);
    protocol_stream1.attach(&o->stream, setup, &o->below, now);
    if (!w) {
        units_gone(&o->ws, STATUS_NO_MEMORY);
        return;
    }
    w->agreed.content = WS_STREAM; /* an accepted one has agreed on nothing else */
    w->max = o->stream.max_frame + FRAME_HEADER;
    after(o, now);
}

static void over_done(void *state) {
    struct over *o = state;
    protocol_stream1.done(&o->stream);
    carrier_websocket.done(&o->ws);
    chain_done(&o->out);
    forget_gift(o);
}

const struct protocol protocol_websocket_stream = {
    .name = "websocket",
    .state_size = sizeof(struct over),
    .keeps_open = true,
    .pool_max = 1,
    .open = over_open,
    .feed = over_feed,
    .send = over_send,
    .settle = over_settle,
    .cancel = over_cancel,
    .tick = over_tick,
    .fail = over_fail,
    .shut = over_shut,
    .recover = over_recover,
    .session = over_session,
    .detach = over_detach,
    .attach = over_attach,
    .done = over_done,
};
