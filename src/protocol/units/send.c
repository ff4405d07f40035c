/* What leaves: messages and events of our own, each as one unit, encoded where it will be written from. */
#include "base/assert.h"
#include "base/map.h"
#include "message/encoding.h"
#include "protocol/units/units.h"

void units_update_room(struct units *s) {
    struct protocol_room *room = &s->sink->room;
    uint64_t messages = s->credit - s->tx_token;
    if (s->sink->terms.acks) {
        uint64_t span = s->tx_token + 1 - s->tx_low;
        uint64_t left = s->inflight_max > s->tx_unsettled ? s->inflight_max - s->tx_unsettled : 0;
        messages = left < messages ? left : messages;
        messages = UNITS_INFLIGHT_MAX - span < messages ? UNITS_INFLIGHT_MAX - span : messages;
    }
    if (s->sink->closing || s->leaving || (s->peer_ended && !s->asks_open) || (s->setup->auth && !s->is_known && !s->is_dialled))
        messages = 0;
    bool had_none = room->messages == 0;
    room->messages = messages > UINT32_MAX ? UINT32_MAX : (uint32_t)messages;
    room->bytes = UINT64_MAX;
    if (had_none && messages)
        s->sink->calls->room(s->sink->user);
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
    chain_commit(s->sink->out, head + size + s->carrier->after);
}

enum status units_put(struct units *s, struct slice payload, bool is_text) {
    const struct carrier *carrier = s->carrier;
    enum status status = carrier->fits ? carrier->fits(s, payload) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (carrier->pack)
        carrier->pack(s, payload, is_text, &payload);
    size_t head = before(s, payload.size);
    uint8_t *at = chain_reserve(s->sink->out, head + payload.size + carrier->after);
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

static enum status write_message(struct units *s, const struct message *message, const struct overlay *overlay) {
    const struct carrier *carrier = s->carrier;
    struct chain *out = s->sink->out;
    struct buffer payload;
    bool untouched = s->codec == UNITS_JSON && message->encoding == ENCODING_JSON && overlay_is_empty(overlay);
    size_t bound = untouched ? message->wire_size : units_bound(s, message, overlay);
    bool is_exact = untouched || s->codec == UNITS_RAW;
    if (carrier->pack || (!is_exact && bound >= CHAIN_BLOCK_SIZE))
        return write_copy(s, message, overlay);
    size_t room = before(s, bound);
    uint8_t *at = chain_reserve(out, room + bound + carrier->after);
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

enum status units_send(void *state, const struct message *message, const struct overlay *overlay,
                       const struct protocol_send *options, struct now now) {
    struct units *s = state;
    ASSERT(options->token == s->tx_token + 1 && s->sink->room.messages > 0);
    enum status status = write_message(s, message, overlay);
    if (status != STATUS_OK)
        return status;
    s->tx_token++;
    s->sink->room.messages -= s->sink->room.messages != UINT32_MAX;
    if (s->sink->terms.acks) {
        uint64_t hash = map_hash(message_text(message, ATTRIBUTE_ID), s->hash_seed);
        s->tx[s->tx_token % UNITS_INFLIGHT_MAX].hash = hash ? hash : 1;
        s->tx_unsettled++;
    } else {
        s->tx_low = s->tx_token + 1;
    }
    if (message_kind_asks(message->kind))
        s->calls_open++;
    else if (message_kind_replies(message->kind) && s->asks_open)
        s->asks_open--;
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
