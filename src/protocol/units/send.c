/* What leaves: messages and events of our own, each as one unit, encoded where it will be written from. */
#include "base/assert.h"
#include "base/map.h"
#include "message/encoding.h"
#include "protocol/units/units.h"

/* Requests that a fifo may still be asked, and what follows them. */
static uint64_t fifo_room(const struct units *s) {
    uint64_t span = s->tx_token + 1 - s->tx_low, pipeline = s->setup->pipeline ? s->setup->pipeline : 1;
    uint64_t left = pipeline > s->calls_open ? pipeline - s->calls_open : 0;
    return UNITS_INFLIGHT_MAX - span < left ? UNITS_INFLIGHT_MAX - span : left;
}

static uint64_t acks_room(const struct units *s) {
    uint64_t span = s->tx_token + 1 - s->tx_low;
    uint64_t left = s->inflight_max > s->tx_unsettled ? s->inflight_max - s->tx_unsettled : 0;
    return UNITS_INFLIGHT_MAX - span < left ? UNITS_INFLIGHT_MAX - span : left;
}

uint32_t units_room(const struct units *s) {
    uint64_t messages = s->credit - s->tx_token;
    uint64_t more = s->fifo ? fifo_room(s) : s->sink->terms.acks ? acks_room(s) : UINT64_MAX;
    bool none = s->sink->closing || s->leaving || s->greeting || s->quiet || (s->peer_ended && !s->asks_open) ||
                s->sink->terms.inline_reply || (s->setup->auth && !s->is_known && !s->sink->known && !s->is_dialled);
    messages = none ? 0 : more < messages ? more : messages;
    return messages > UINT32_MAX ? UINT32_MAX : (uint32_t)messages;
}

void units_update_room(struct units *s) {
    struct protocol_room *room = &s->sink->room;
    bool had_none = room->messages == 0;
    room->messages = units_room(s);
    room->bytes = UINT64_MAX;
    if (had_none && room->messages)
        s->sink->calls->room(s->sink->user);
}

static size_t behind(const struct units *s) {
    return s->carrier->behind ? s->carrier->behind(s) : s->carrier->after;
}

static size_t before(const struct units *s, size_t size) {
    return s->carrier->before ? s->carrier->before(s, size) : 0;
}

/* The payload that stands at `at + room` is a unit: brings it to where its head leaves it, and writes that. */
static void finish(struct units *s, uint8_t *at, size_t room, size_t size, bool is_text) {
    size_t head = before(s, size);
    ASSERT(head <= room);
    if (head != room)
        memmove(at + head, at + room, size);
    s->carrier->wrap(s, at, size, is_text);
    chain_commit(s->sink->out, head + size + behind(s));
}

enum status units_put(struct units *s, struct slice payload, bool is_text) {
    const struct carrier *carrier = s->carrier;
    enum status status = carrier->fits ? carrier->fits(s, payload) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (carrier->pack)
        carrier->pack(s, payload, is_text, &payload);
    size_t head = before(s, payload.size);
    uint8_t *at = chain_reserve(s->sink->out, head + payload.size + behind(s) + 1);
    if (!at)
        return STATUS_NO_MEMORY;
    if (payload.size)
        memcpy(at + head, payload.data, payload.size);
    finish(s, at, head, payload.size, is_text);
    return STATUS_OK;
}

static bool is_text(const struct units *s, const struct message *message) {
    unsigned form = message->data_form;
    return s->codec == UNITS_JSON ||
           (s->codec == UNITS_RAW && (form == DATA_JSON || form == DATA_TEXT || form == DATA_STRING));
}

/* By way of the scratch: what can't be bounded well, or changes its form. */
static enum status write_copy(struct units *s, const struct message *message, const struct overlay *overlay) {
    struct buffer *scratch = &s->worker->scratch;
    buffer_clear(scratch);
    enum status status = units_encode(s, message, overlay, scratch);
    return status == STATUS_OK ? units_put(s, buffer_slice(scratch), is_text(s, message)) : status;
}

/* What is most common: it leaves as it came, and nothing stands before it. */
static enum status write_line(struct units *s, const struct message *message) {
    struct chain *out = s->sink->out;
    size_t size = message->wire_size, after = s->carrier->after;
    uint8_t *at = chain_reserve(out, size + after);
    if (!at)
        return STATUS_NO_MEMORY;
    memcpy(at, message->wire, size);
    units_flatten(at, size);
    s->carrier->wrap(s, at, size, true);
    chain_commit(out, size + after);
    return STATUS_OK;
}

static enum status write_message(struct units *s, const struct message *message, const struct overlay *overlay) {
    const struct carrier *carrier = s->carrier;
    struct chain *out = s->sink->out;
    struct buffer payload;
    bool untouched = s->codec == UNITS_JSON && message->encoding == ENCODING_JSON && overlay_is_empty(overlay);
    if (untouched && carrier->is_bare_line)
        return write_line(s, message);
    size_t bound = untouched ? message->wire_size : units_bound(s, message, overlay);
    bool is_exact = untouched || s->codec == UNITS_RAW;
    if (carrier->pack || (!is_exact && bound >= CHAIN_BLOCK_SIZE))
        return write_copy(s, message, overlay);
    size_t room = before(s, bound);
    uint8_t *at = chain_reserve(out, room + bound + behind(s) + 1); /* one more: of nothing there would be no place */
    if (!at)
        return STATUS_NO_MEMORY;
    buffer_init_fixed(&payload, at + room, bound);
    enum status status = units_encode(s, message, overlay, &payload);
    if (status == STATUS_OK && carrier->fits && (s->codec != UNITS_JSON || !carrier->one_line))
        status = carrier->fits(s, buffer_slice(&payload));
    if (status != STATUS_OK) {
        chain_commit(out, 0);
        return status;
    }
    finish(s, at, room, payload.size, is_text(s, message));
    return STATUS_OK;
}

/* What a sent message leaves behind, where its fate is told by the peer. */
static void note_sent(struct units *s, const struct message *message, const struct protocol_send *options, struct now now) {
    if (s->fifo) {
        units_note_call(s, options, now);
        return;
    }
    if (s->sink->terms.acks) {
        uint64_t hash = map_hash(message_text(message, ATTRIBUTE_ID), s->hash_seed);
        s->tx[s->tx_token % UNITS_INFLIGHT_MAX].hash = hash ? hash : 1;
        s->tx_unsettled++;
    } else {
        s->tx_low = s->tx_token + 1;
    }
    if (message_kind_asks(message->kind))
        s->calls_open++;
    else if (message_kind_replies(message->kind) && s->asks_open && !s->sink->terms.inline_reply)
        s->asks_open--;
}

/* Data alone has no place to say what it answers: a question needs `fifo`, and who was accepted is only answered. */
static enum status check_sendable(struct units *s, const struct protocol_send *options) {
    if (s->codec != UNITS_RAW)
        return STATUS_OK;
    if (s->fifo)
        return units_reserve_call(s) ? STATUS_OK : STATUS_NO_MEMORY;
    if (s->is_dialled)
        return options->asks ? STATUS_NOT_SUPPORTED : STATUS_OK;
    return units_may_answer(s, options->reply_to) ? STATUS_OK : STATUS_NOT_SUPPORTED;
}

static void after_raw(struct units *s, const struct protocol_send *options) {
    s->quiet = s->carrier->paces;
    if (s->fifo || s->quiet)
        s->sink->room.messages = units_room(s);
    if (s->sink->terms.inline_reply)
        units_answer(s, options->reply_to);
}

enum status units_send(void *state, const struct message *message, const struct overlay *overlay,
                       const struct protocol_send *options, struct now now) {
    struct units *s = state;
    ASSERT(options->token == s->tx_token + 1 && (s->sink->room.messages > 0 || s->sink->terms.inline_reply));
    enum status status = check_sendable(s, options);
    if (status == STATUS_OK)
        status = write_message(s, message, overlay);
    if (status != STATUS_OK)
        return status;
    s->tx_token++;
    note_sent(s, message, options, now);
    s->sink->room.messages -= s->sink->room.messages != UINT32_MAX && s->sink->room.messages > 0;
    if (s->codec == UNITS_RAW)
        after_raw(s, options);
    if (s->shutting || s->peer_ended)
        units_check_end(s, now);
    return STATUS_OK;
}

bool units_recover(void *state, struct slice sent, struct message *ret_message) {
    struct units *s = state;
    struct message_fault fault;
    struct slice payload;
    buffer_clear(&s->worker->extra);
    if (s->codec == UNITS_RAW || !s->carrier->unwrap(s, sent, &payload))
        return false;
    enum status status = s->codec == UNITS_PROTO
                             ? message_decode_proto(ret_message, payload, &s->worker->extra, &s->rules, &fault)
                             : message_decode_json(ret_message, payload, &s->worker->extra, &s->rules, &fault);
    return status == STATUS_OK;
}
