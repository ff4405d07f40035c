/* WebSocket frames between bytes and units, pings, and how it ends. */
#include "protocol/websocket/websocket.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "protocol/websocket/deflate.h"

#define KEPT_MAX (256u << 10) /* what a worker's buffers keep; larger ones were for one message */

struct websocket_worker {
    struct buffer unmasked; /* the payload of the frame that is read */
    struct buffer inflated;
    struct buffer deflated;
    struct ws_zip *zip;
};

void websocket_worker_done(struct websocket_worker **worker) {
    if (!*worker)
        return;
    buffer_done(&(*worker)->unmasked);
    buffer_done(&(*worker)->inflated);
    buffer_done(&(*worker)->deflated);
    ws_zip_done(&(*worker)->zip);
    memory_free(*worker);
    *worker = NULL;
}

static struct websocket *of(const struct units *s) {
    return s->carrier_state;
}

static struct websocket_worker *shared(struct units *s) {
    struct websocket_worker **worker = &s->worker->websocket;
    if (!*worker)
        *worker = memory_new(sizeof **worker);
    return *worker;
}

/* Empty, for at most `max` bytes. */
static struct buffer *fresh(struct buffer *buffer, size_t max) {
    if (buffer->capacity > KEPT_MAX)
        buffer_done(buffer);
    if (buffer->capacity == 0)
        buffer_init(buffer, max);
    buffer_clear(buffer);
    buffer->max = max;
    return buffer;
}

/* -- frames out -- */

static void new_key(struct units *s, uint8_t key[static 4]) {
    uint64_t random = rng_next(&s->worker->ids.rng);
    memcpy(key, &random, 4);
}

/* False: no memory. */
static bool write_control(struct units *s, unsigned opcode, struct slice payload) {
    const struct websocket *w = of(s);
    uint8_t key[4];
    size_t head = ws_head_size(payload.size, w->masks);
    uint8_t *at = chain_reserve(s->sink->out, head + payload.size);
    if (!at)
        return false;
    if (w->masks)
        new_key(s, key);
    ws_head_write(at, opcode, false, payload.size, w->masks ? key : NULL);
    if (payload.size && w->masks)
        ws_mask(at + head, payload.data, payload.size, key);
    else if (payload.size)
        memcpy(at + head, payload.data, payload.size);
    chain_commit(s->sink->out, head + payload.size);
    return true;
}

static size_t ws_before(const struct units *s, size_t size) {
    return ws_head_size(size, of(s)->masks);
}

static void ws_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    struct websocket *w = of(s);
    uint8_t key[4];
    if (w->masks)
        new_key(s, key);
    size_t head = ws_head_write(at, is_text ? WS_TEXT : WS_BINARY, w->packed, size, w->masks ? key : NULL);
    if (w->masks)
        ws_mask(at + head, at + head, size, key);
    w->packed = false;
}

static bool ws_pack(struct units *s, struct slice payload, bool is_text, struct slice *ret_packed) {
    struct websocket *w = of(s);
    struct websocket_worker *worker = payload.size >= WS_DEFLATE_LEAST ? shared(s) : NULL;
    (void)is_text;
    if (!worker)
        return false;
    struct buffer *out = fresh(&worker->deflated, payload.size + 16);
    if (!ws_deflate(&worker->zip, payload, w->agreed.bits ? w->agreed.bits : 15, out))
        return false;
    w->packed = true;
    *ret_packed = buffer_slice(out);
    return true;
}

static bool ws_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    struct ws_head head;
    const char *words;
    struct websocket_worker *worker = shared(s);
    if (!worker || ws_head_read(&head, sent, &words) != WS_DONE || sent.size - head.size != head.payload)
        return false;
    struct slice payload = slice_skip(sent, head.size);
    if (head.masked) {
        struct buffer *plain = fresh(&worker->unmasked, payload.size + 1);
        uint8_t *at = buffer_reserve(plain, payload.size + 1);
        if (!at)
            return false;
        ws_mask(at, payload.data, payload.size, head.key);
        buffer_added(plain, payload.size);
        payload = buffer_slice(plain);
    }
    if (head.rsv1) {
        struct buffer *plain = fresh(&worker->inflated, UINT32_MAX);
        if (ws_inflate(&worker->zip, payload, plain) != STATUS_OK)
            return false;
        payload = buffer_slice(plain);
    }
    *ret_payload = payload;
    return true;
}

/* -- frames in -- */

static enum cut refuse(struct units *s, struct unit *unit, enum status status, const char *words) {
    of(s)->is_broken = true;
    return carrier_refuse(unit, status, "%s", words);
}

static const char *head_objection(const struct websocket *w, const struct ws_head *head) {
    bool begins = head->opcode == WS_TEXT || head->opcode == WS_BINARY;
    if (!ws_is_known(head->opcode))
        return "a frame has an opcode that means nothing";
    if (head->rsv2 || head->rsv3 || (head->rsv1 && !(begins && w->agreed.deflate)))
        return "a frame has a reserved bit set that nobody agreed on";
    if (head->masked == w->masks)
        return w->masks ? "a server's frame is masked" : "a client's frame is not masked";
    if (ws_is_control(head->opcode) && (!head->fin || head->payload > WS_CONTROL_MAX))
        return "a control frame is longer than 125 bytes, or in parts";
    if (head->opcode == WS_CONTINUATION && !w->opcode)
        return "a continuation without a beginning";
    if (begins && w->opcode)
        return "a message begins within another";
    return NULL;
}

/* Of a close frame (section 7.4): NULL, or what is wrong with it. */
static const char *close_objection(struct slice payload, enum status *ret_status) {
    *ret_status = STATUS_PROTOCOL_ERROR;
    if (payload.size == 0)
        return NULL;
    if (payload.size == 1 || !ws_close_is_legal((unsigned)(payload.data[0] << 8 | payload.data[1])))
        return "a close frame has a code that may not be sent";
    *ret_status = STATUS_MALFORMED_EVENT;
    return text_is_utf8(slice_skip(payload, 2)) ? NULL : "the reason of a close frame is not UTF-8";
}

static enum cut take_control(struct units *s, const struct ws_head *head, struct slice payload, struct unit *unit,
                             struct now now) {
    enum status status;
    if (head->opcode == WS_CLOSE) {
        const char *words = close_objection(payload, &status);
        if (words)
            return refuse(s, unit, status, words);
        if (!s->leaving)
            write_control(s, WS_CLOSE, slice_head(payload, 2)); /* its own code comes back */
        unit->status = STATUS_PEER_CLOSED;
        return CUT_GONE;
    }
    if (!units_count(s, &s->control_count, UNITS_CONTROL_RATE, now))
        return refuse(s, unit, STATUS_RATE_LIMITED, "too many pings or pongs a second");
    if (head->opcode == WS_PING && !s->leaving && !write_control(s, WS_PONG, payload))
        return refuse(s, unit, STATUS_NO_MEMORY, "");
    return CUT_CONTROL;
}

static enum cut too_large(struct units *s, struct unit *unit) {
    of(s)->is_broken = true;
    return carrier_refuse(unit, STATUS_TOO_LARGE, "a message is longer than %u bytes", of(s)->max);
}

static void forget_message(struct units *s) {
    struct websocket *w = of(s);
    if (w->message) {
        buffer_done(w->message);
        memory_free(w->message);
    }
    w->message = NULL;
    w->opcode = 0;
    s->sink->held = 0;
}

/* A fragment of a longer message. */
static enum cut keep_fragment(struct units *s, struct slice payload, struct unit *unit) {
    struct websocket *w = of(s);
    if (!w->message) {
        if (!(w->message = memory_alloc(sizeof *w->message)))
            return refuse(s, unit, STATUS_NO_MEMORY, "");
        buffer_init(w->message, w->max);
    }
    buffer_add(w->message, payload);
    if (w->message->status == STATUS_TOO_LARGE)
        return too_large(s, unit);
    if (w->message->status != STATUS_OK)
        return refuse(s, unit, STATUS_NO_MEMORY, "");
    s->sink->held = w->message->capacity;
    return CUT_CONTROL;
}

static const char *const not_utf8 = "a text message is not UTF-8";

/* The whole of a message, or of a frame that is one. */
static enum cut finish(struct units *s, struct slice payload, struct unit *unit) {
    struct websocket *w = of(s);
    bool is_text = w->opcode == WS_TEXT;
    if (w->is_packed) {
        struct websocket_worker *worker = shared(s);
        struct buffer *out = fresh(&worker->inflated, w->max);
        enum status status = ws_inflate(&worker->zip, payload, out);
        if (status == STATUS_TOO_LARGE)
            return too_large(s, unit);
        if (status != STATUS_OK)
            return refuse(s, unit, status, status == STATUS_MALFORMED_EVENT ? "a message is not what deflate makes" : "");
        payload = buffer_slice(out);
        if (is_text && !text_is_utf8(payload))
            return refuse(s, unit, STATUS_MALFORMED_EVENT, not_utf8);
    } else if (is_text && !ws_utf8_is_whole(&w->utf8)) {
        return refuse(s, unit, STATUS_MALFORMED_EVENT, not_utf8);
    }
    static const char *const due[] = {[WS_JSON] = "cloudevents.json has text messages", [WS_PROTO] = "cloudevents.proto has binary messages",
                                      [WS_STREAM] = "intertie.v1 has binary messages"};
    if (w->agreed.content != WS_PLAIN && is_text != (w->agreed.content == WS_JSON))
        return refuse(s, unit, STATUS_UNSUPPORTED_ENCODING, due[w->agreed.content]);
    unit->payload = payload.data ? payload : SLICE_OF(""); /* a buffer that nothing was put into has no place */
    unit->is_text = is_text;
    return CUT_UNIT;
}

static enum cut take_data(struct units *s, const struct ws_head *head, struct slice payload, struct unit *unit) {
    struct websocket *w = of(s);
    if (head->opcode != WS_CONTINUATION) {
        w->opcode = head->opcode;
        w->is_packed = head->rsv1;
        w->utf8 = (struct ws_utf8){0};
    }
    if (w->opcode == WS_TEXT && !w->is_packed && !ws_utf8_next(&w->utf8, payload))
        return refuse(s, unit, STATUS_MALFORMED_EVENT, not_utf8);
    if (!head->fin)
        return keep_fragment(s, payload, unit);
    if (w->message) {
        enum cut cut = keep_fragment(s, payload, unit);
        if (cut != CUT_CONTROL)
            return cut;
        payload = buffer_slice(w->message);
    }
    enum cut cut = finish(s, payload, unit);
    if (cut == CUT_UNIT && !w->message)
        w->opcode = 0; /* else its bytes are needed until the next call */
    return cut;
}

/* The payload as it was meant: unmasked into the worker's buffer, or where it stands. */
static bool plain_payload(struct units *s, const struct ws_head *head, struct slice bytes, struct slice *ret) {
    *ret = slice_make(bytes.data + head->size, (size_t)head->payload);
    struct websocket_worker *worker = shared(s);
    if (!worker)
        return false;
    if (!head->masked)
        return true;
    struct buffer *plain = fresh(&worker->unmasked, ret->size + 1);
    uint8_t *at = buffer_reserve(plain, ret->size + 1);
    if (!at)
        return false;
    ws_mask(at, ret->data, ret->size, head->key);
    *ret = slice_make(at, ret->size);
    return true;
}

static enum cut ws_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    struct websocket *w = of(s);
    struct ws_head head;
    struct slice payload;
    const char *words = NULL;
    (void)ended;
    if (w->message && w->opcode == 0)
        forget_message(s);
    enum ws_result result = ws_head_read(&head, bytes, &words);
    if (result == WS_BAD)
        return refuse(s, unit, STATUS_PROTOCOL_ERROR, words);
    unit->want = head.size;
    if (result == WS_MORE)
        return CUT_WAIT;
    if ((words = head_objection(w, &head)))
        return refuse(s, unit, STATUS_PROTOCOL_ERROR, words);
    if (head.payload > w->max - (w->message ? w->message->size : 0) && !ws_is_control(head.opcode))
        return too_large(s, unit);
    unit->want = head.size + (size_t)head.payload;
    if (bytes.size < unit->want)
        return CUT_WAIT;
    unit->used = unit->want;
    w->frames++;
    if (!plain_payload(s, &head, bytes, &payload))
        return refuse(s, unit, STATUS_NO_MEMORY, "");
    if (ws_is_control(head.opcode))
        return take_control(s, &head, payload, unit, now);
    enum cut cut = take_data(s, &head, payload, unit);
    if (cut == CUT_UNIT && w->message)
        w->opcode = 0; /* forgotten with the next frame */
    return cut;
}

/* -- time and ends -- */

static void next_ping(struct units *s, struct now now) {
    int64_t every = s->setup->websocket.ping_ns;
    s->carrier_due = every > 0 ? mono_after(now.mono, every) : MONO_NEVER;
}

static bool ws_open(struct units *s, struct now now) {
    of(s)->masks = s->is_dialled;
    of(s)->max = s->setup->limits.message;
    next_ping(s, now);
    return true;
}

/* Whoever has said anything since the last look is there; else it is asked, and has until the next look to answer. */
static void ws_tick(struct units *s, struct now now) {
    struct websocket *w = of(s);
    if (s->leaving) {
        units_gone(s, STATUS_WRITE_TIMEOUT);
        return;
    }
    if (w->message && w->opcode == 0)
        forget_message(s);
    if (w->frames != w->frames_looked_at) {
        w->pinged = false;
    } else if (w->pinged) {
        units_close(s, STATUS_HEARTBEAT_TIMEOUT, "no pong came in time", now);
        return;
    } else {
        w->pinged = write_control(s, WS_PING, SLICE_OF("intertie"));
    }
    w->frames_looked_at = w->frames;
    next_ping(s, now);
}

static unsigned close_code(enum status status) {
    unsigned code = status_row(status)->websocket;
    if (code)
        return code;
    return status_row(status)->status_class == STATUS_CLASS_BUG || status_row(status)->status_class == STATUS_CLASS_LOCAL ? 1011
                                                                                                                 : 1000;
}

static bool ws_leave(struct units *s, enum status status, const char *words, struct now now) {
    struct websocket *w = of(s);
    uint8_t payload[WS_CONTROL_MAX];
    unsigned code = close_code(status);
    struct slice reason = slice_from(words && words[0] ? words : status == STATUS_OK ? "" : status_reason(status));
    reason = slice_head(reason, WS_REASON_MAX);
    while (reason.size && !text_is_utf8(reason))
        reason.size--;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (reason.size)
        memcpy(payload + 2, reason.data, reason.size);
    bool written = write_control(s, WS_CLOSE, slice_make(payload, 2 + reason.size));
    if (!written || w->is_broken || s->peer_ended)
        return false;
    s->carrier_due = mono_after(now.mono, WEBSOCKET_CLOSE_NS);
    return true;
}

static void ws_done(struct units *s) {
    if (!s->carrier_state)
        return;
    forget_message(s);
    memory_free(s->carrier_state);
    s->carrier_state = NULL;
}

#define WEBSOCKET_CARRIER \
    .name = "websocket", .carries_any = true, .text_type = "intertie.ws.text.v1", .binary_type = "intertie.ws.binary.v1", \
    .open = ws_open, .cut = ws_cut, .before = ws_before, .wrap = ws_wrap, .unwrap = ws_unwrap, .tick = ws_tick, \
    .leave = ws_leave, .done = ws_done

const struct carrier carrier_websocket = {WEBSOCKET_CARRIER};
static const struct carrier carrier_deflating = {WEBSOCKET_CARRIER, .pack = ws_pack};

/* -- the row -- */

static void websocket_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                           struct protocol_sink *sink, const struct address *peer, struct now now) {
    static const struct ws_agreed json = {.content = WS_JSON};
    static const enum units_codec codecs[WS_CONTENT_COUNT] = {[WS_PLAIN] = UNITS_RAW, [WS_JSON] = UNITS_JSON, [WS_PROTO] = UNITS_PROTO};
    struct units *s = state;
    struct ws_gift *gift = worker->gift;
    struct websocket *w = memory_new(sizeof *w);
    bool is_known = gift && gift->is_known;
    (void)peer;
    if (w)
        w->agreed = gift ? gift->agreed : json;
    memory_free(gift);
    worker->gift = NULL;
    if (!w) {
        sink->closing = true;
        sink->close_status = STATUS_NO_MEMORY;
        return;
    }
    units_open(s, w->agreed.deflate ? &carrier_deflating : &carrier_websocket, w, codecs[w->agreed.content], true, setup, worker,
               sink, now);
    if (is_known)
        units_known(s);
}

const struct protocol protocol_websocket = {
    .name = "websocket",
    .state_size = sizeof(struct units),
    .keeps_open = true,
    .open = websocket_open,
    .feed = units_feed,
    .send = units_send,
    .settle = units_settle,
    .cancel = units_cancel,
    .rest = units_rest,
    .tick = units_tick,
    .fail = units_fail,
    .shut = units_shut,
    .recover = units_recover,
    .done = units_done,
};
