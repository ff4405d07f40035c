/* Stream v1: the message path, from bytes to messages and back. */
#include "protocol/stream/stream1.h"

#include "base/assert.h"
#include "base/memory.h"
#include "message/encoding.h"

static enum status decode(struct stream1 *s, struct message *message, struct slice event, struct message_fault *fault) {
    struct buffer *extra = &s->worker->extra;
    buffer_clear(extra);
    return s->encoding == ENCODING_PROTO ? message_decode_proto(message, event, extra, &s->rules, fault)
                                         : message_decode_json(message, event, extra, &s->rules, fault);
}

/* What is larger than allowed, or has a ratio that no honest sender has, is one message's fault, not the connection's. */
static enum status unpack(struct stream1 *s, struct slice *event, struct message_fault *fault) {
    const char *words;
    enum status status = coding_unpack(&s->worker->coder, (enum coding)s->coding, *event, s->setup->limits.message, event, &words);
    return status == STATUS_OK ? STATUS_OK : control_fault(fault, status, "%s", words);
}

/* Why a MSG frame breaks the protocol, or NULL. */
static const char *msg_error(const struct stream1 *s, unsigned flags, struct slice payload, enum status *ret_status) {
    *ret_status = STATUS_PROTOCOL_ERROR;
    if (s->phase < STREAM1_OPEN)
        return "MSG before the connection is open";
    if (payload.size < FRAME_MSG_HEADER)
        return "MSG is too short";
    if (flags & ~(unsigned)(MSG_NOACK | MSG_COMPRESSED | MSG_REDELIVERED | MSG_SYNC))
        return "MSG has unknown flags";
    if ((flags & MSG_COMPRESSED) && s->coding == CODING_NONE)
        return "compression was not agreed on";
    if (payload.data[13] | payload.data[14] | payload.data[15])
        return "reserved bytes of MSG are not 0";
    if (!s->is_dialled && frame_get32(payload.data + 8))
        return "MSG to us has a `sub`";
    uint64_t seq = frame_get64(payload.data);
    if (seq != s->rx_seq + 1) {
        *ret_status = STATUS_SEQ_GAP;
        return "seq must be 1, 2, 3..";
    }
    if (seq > s->granted || s->rx_bytes >= s->granted_bytes) {
        *ret_status = STATUS_FLOW_CONTROL;
        return "sent past the credit";
    }
    return NULL;
}

static void note_arrival(struct stream1 *s, const struct message *message, unsigned flags, size_t size) {
    s->rx_token++;
    s->rx_unsettled++;
    s->rx_unsettled_bytes += size;
    struct stream1_entry *entry = &s->rx[s->rx_token & (s->rx_capacity - 1)];
    entry->size = (uint32_t)size;
    entry->skipped = (uint32_t)(s->rx_seq - s->rx_token);
    entry->flags = flags & MSG_NOACK ? STREAM1_NOACK : 0;
    if (message_kind_asks(message->kind)) {
        entry->flags |= STREAM1_ASKS;
        s->asks_open++;
    } else if (message_kind_replies(message->kind) && s->calls_open) {
        s->calls_open--;
    }
}

static void read_msg(struct stream1 *s, unsigned flags, struct slice payload) {
    enum status status;
    const char *error = msg_error(s, flags, payload, &status);
    if (error) {
        stream1_fail(s, status, error);
        return;
    }
    if (!stream1_make_entry(s))
        return;
    struct message message;
    struct message_fault fault;
    fault.attribute[0] = fault.text[0] = '\0';
    struct slice event = slice_skip(payload, FRAME_MSG_HEADER);
    status = flags & MSG_COMPRESSED ? unpack(s, &event, &fault) : STATUS_OK;
    if (status == STATUS_NO_MEMORY) {
        stream1_fail(s, status, NULL);
        return;
    }
    if (status == STATUS_OK)
        status = decode(s, &message, event, &fault);
    if (status == STATUS_OK && (flags & MSG_SYNC))
        status = control_fault(&fault, STATUS_NOT_SUPPORTED, "flag SYNC is not supported yet");
    s->rx_seq++;
    s->rx_bytes += payload.size;
    if (status == STATUS_OK) {
        note_arrival(s, &message, flags, payload.size);
        s->sink->calls->message(s->sink->user, s->rx_token, &message, 0);
        if (flags & MSG_COMPRESSED)
            coding_rest(s->worker->coder);
        if (s->rx_seq == s->granted || s->rx_bytes >= s->granted_bytes)
            stream1_grant(s);
        return;
    }
    fault.status = status;
    s->rx_invalid = s->rx_seq;
    if (flags & MSG_NOACK)
        stream1_grant(s);
    else
        stream1_reject(s, s->rx_seq, status);
    s->sink->calls->invalid(s->sink->user, &fault);
}

/* Whether a frame of that size may come now. */
static bool fits(const struct stream1 *s, unsigned type, uint32_t size) {
    if (s->phase < STREAM1_OPEN || (type != FRAME_MSG && type != FRAME_ACK))
        return size <= FRAME_CONTROL_MAX;
    return size <= s->max_frame;
}

/* One frame; returns the bytes used, 0 for wait. */
static size_t read_frame(struct stream1 *s, struct slice bytes, struct now now) {
    const uint8_t *at = bytes.data;
    if (bytes.size < FRAME_HEADER) {
        s->sink->want = FRAME_HEADER;
        return 0;
    }
    uint32_t size = frame_get32(at);
    unsigned type = at[4], flags = at[5];
    if (at[6] | at[7]) {
        stream1_fail(s, STATUS_PROTOCOL_ERROR, "reserved bytes of a frame are not 0");
        return 0;
    }
    if (!fits(s, type, size)) {
        stream1_fail(s, STATUS_FRAME_TOO_LARGE, "frame is larger than what was agreed on");
        return 0;
    }
    if (bytes.size - FRAME_HEADER < size) {
        s->sink->want = FRAME_HEADER + size;
        return 0;
    }
    struct slice payload = slice_make(at + FRAME_HEADER, size);
    if (type == FRAME_MSG)
        read_msg(s, flags, payload);
    else if (type == FRAME_ACK && s->phase >= STREAM1_OPEN)
        stream1_read_ack(s, payload, now);
    else
        stream1_control(s, type, flags, payload, now);
    if (s->handed_over)
        return 0; /* the frame is for who takes over */
    return FRAME_HEADER + size;
}

static size_t stream1_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct stream1 *s = state;
    size_t used = 0;
    if (bytes.size)
        s->heard = now.mono;
    if (chain_unsent(s->sink->out) > s->setup->limits.message + STREAM1_UNREAD_MAX)
        stream1_fail(s, STATUS_WRITE_TIMEOUT, "what was answered is not read");
    while (!s->sink->closing && used < bytes.size) {
        struct slice rest = slice_skip(bytes, used);
        size_t count = s->phase == STREAM1_PREFACE ? stream1_read_preface(s, rest) : read_frame(s, rest, now);
        if (count == 0)
            break;
        used += count;
    }
    if (s->sink->closing)
        return bytes.size;
    if (ended && (used < bytes.size || s->phase < STREAM1_OPEN)) {
        stream1_close(s, STATUS_PEER_CLOSED); /* cut off within a frame */
    } else if (ended && stream1_is_kept(s)) {
        stream1_close(s, STATUS_PEER_CLOSED); /* it didn't say goodbye: it may come back */
    } else if (ended && !s->peer_ended) {
        s->peer_ended = true;
        stream1_check_end(s);
    }
    if (s->sink->closing)
        return bytes.size;
    return used;
}

/* The event behind a frame's header; NULL when it can't be, with `ret_status`. Uncommitted. */
static uint8_t *reserve_event(struct stream1 *s, const struct message *message, const struct overlay *overlay,
                              size_t *ret_size, enum status *ret_status) {
    const size_t head = FRAME_HEADER + FRAME_MSG_HEADER;
    struct chain *out = s->sink->out;
    size_t bound = message->encoding == s->encoding && overlay_is_empty(overlay)
                       ? message->wire_size
                       : message_encoded_bound(message, overlay, s->encoding);
    bool in_place = head + bound <= CHAIN_BLOCK_SIZE;
    struct buffer event, *to = &event;
    uint8_t *at = NULL;
    *ret_status = STATUS_NO_MEMORY;
    if (in_place) {
        at = chain_reserve(out, head + bound);
        if (!at)
            return NULL;
        buffer_init_fixed(&event, at + head, bound);
    } else {
        to = &s->worker->scratch;
        buffer_clear(to);
    }
    enum status status = s->encoding == ENCODING_PROTO ? message_encode_proto(message, overlay, to)
                                                       : message_encode_json(message, overlay, to);
    if (status == STATUS_OK && to->size + FRAME_MSG_HEADER > s->peer_max_frame)
        status = STATUS_TOO_LARGE;
    *ret_status = status;
    *ret_size = to->size;
    if (status != STATUS_OK || in_place)
        return status == STATUS_OK ? at : NULL;
    at = chain_reserve(out, head + to->size);
    *ret_status = at ? STATUS_OK : STATUS_NO_MEMORY;
    if (at)
        memcpy(at + head, to->data, to->size);
    return at;
}

/* The same for an event that is large enough to be packed. It is, if that makes it smaller: `ret_flags`. */
static uint8_t *reserve_packed(struct stream1 *s, const struct message *message, const struct overlay *overlay,
                               size_t *ret_size, uint8_t *ret_flags, enum status *ret_status) {
    const size_t head = FRAME_HEADER + FRAME_MSG_HEADER;
    struct buffer *scratch = &s->worker->scratch;
    struct slice event = slice_make(message->wire, message->wire_size);
    *ret_status = STATUS_OK;
    if (message->encoding != s->encoding || !overlay_is_empty(overlay)) {
        buffer_clear(scratch);
        *ret_status = s->encoding == ENCODING_PROTO ? message_encode_proto(message, overlay, scratch)
                                                    : message_encode_json(message, overlay, scratch);
        event = buffer_slice(scratch);
    }
    if (*ret_status == STATUS_OK && event.size + FRAME_MSG_HEADER > s->peer_max_frame)
        *ret_status = STATUS_TOO_LARGE; /* unpacked it must fit too */
    if (*ret_status != STATUS_OK)
        return NULL;
    if (event.size >= CODING_LEAST && coding_pack(&s->worker->coder, (enum coding)s->coding, event, &event) == STATUS_OK)
        *ret_flags |= MSG_COMPRESSED;
    uint8_t *at = chain_reserve(s->sink->out, head + event.size);
    *ret_status = at ? STATUS_OK : STATUS_NO_MEMORY;
    *ret_size = event.size;
    if (at)
        memcpy(at + head, event.data, event.size);
    return at;
}

static enum status stream1_send(void *state, const struct message *message, const struct overlay *overlay,
                                const struct protocol_send *options, struct now now) {
    struct stream1 *s = state;
    const size_t head = FRAME_HEADER + FRAME_MSG_HEADER;
    size_t size = message->wire_size;
    enum status status = STATUS_OK;
    uint8_t *at, flags = 0;
    (void)now;
    ASSERT(options->token == s->tx_seq + 1 && s->sink->room.messages > 0);
    if (s->coding != CODING_NONE && size >= CODING_LEAST) {
        at = reserve_packed(s, message, overlay, &size, &flags, &status);
        if (!at)
            return status;
    } else if (message->encoding == s->encoding && overlay_is_empty(overlay) && head + size <= CHAIN_BLOCK_SIZE) {
        at = chain_reserve(s->sink->out, head + size);
        if (!at)
            return STATUS_NO_MEMORY;
        memcpy(at + head, message->wire, size);
    } else {
        at = reserve_event(s, message, overlay, &size, &status);
        if (!at)
            return status;
    }
    if (!s->sink->terms.acks)
        flags |= MSG_NOACK;
    if (options->attempt > 1)
        flags |= MSG_REDELIVERED;
    frame_put_header(at, (uint32_t)(FRAME_MSG_HEADER + size), FRAME_MSG, flags);
    frame_put64(at + FRAME_HEADER, ++s->tx_seq);
    frame_put32(at + FRAME_HEADER + 8, options->sub);
    frame_put32(at + FRAME_HEADER + 12, (uint32_t)options->attempt << 24);
    chain_commit(s->sink->out, head + size);
    s->tx_bytes += FRAME_MSG_HEADER + size;
    if (message_kind_asks(message->kind))
        s->calls_open++;
    else if (message_kind_replies(message->kind) && s->asks_open)
        s->asks_open--;
    s->sink->room.messages--;
    if (s->resume && s->sink->terms.acks)
        stream1_keep(s, at, head + size);
    if (s->tx_bytes >= s->credit_bytes || (s->resume && s->resume->session.kept >= STREAM1_KEPT_MAX))
        s->sink->room.messages = 0;
    if (stream1_is_leaving(s))
        stream1_check_end(s);
    return STATUS_OK;
}

static void stream1_cancel(void *state, uint64_t token, struct now now) {
    struct stream1 *s = state;
    uint8_t payload[8];
    (void)now;
    if (s->phase < STREAM1_OPEN || token == 0 || token > s->tx_seq || s->sink->closing)
        return;
    frame_put64(payload, token);
    stream1_write(s, FRAME_CANCEL, slice_make(payload, sizeof payload));
}

static bool stream1_recover(void *state, struct slice sent, struct message *ret_message) {
    struct stream1 *s = state;
    struct message_fault fault;
    if (sent.size < FRAME_HEADER + FRAME_MSG_HEADER || sent.data[4] != FRAME_MSG ||
        frame_get32(sent.data) != sent.size - FRAME_HEADER)
        return false;
    struct slice event = slice_skip(sent, FRAME_HEADER + FRAME_MSG_HEADER);
    if ((sent.data[5] & MSG_COMPRESSED) &&
        coding_recover(&s->worker->coder, (enum coding)s->coding, event, SIZE_MAX, &event) != STATUS_OK)
        return false;
    return decode(s, ret_message, event, &fault) == STATUS_OK;
}

static void stream1_done(void *state) {
    struct stream1 *s = state;
    memory_free(s->rx);
    memory_free(s->tx_settled);
    stream1_resume_free(s);
    s->rx = NULL;
    s->tx_settled = NULL;
}

const struct protocol protocol_stream1 = {
    .name = "stream1",
    .state_size = sizeof(struct stream1),
    .keeps_open = true,
    .pool_max = 1,
    .open = stream1_open,
    .feed = stream1_feed,
    .send = stream1_send,
    .settle = stream1_settle,
    .cancel = stream1_cancel,
    .tick = stream1_tick,
    .fail = stream1_give_up,
    .refusal = stream1_refusal,
    .shut = stream1_shut,
    .recover = stream1_recover,
    .session = stream1_session,
    .detach = stream1_detach,
    .attach = stream1_attach,
    .done = stream1_done,
};
