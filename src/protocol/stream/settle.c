/* Stream v1: what became of messages (ACK) and how many more may come (CREDIT), both directions. */
#include "base/assert.h"
#include "base/memory.h"
#include "protocol/stream/stream1.h"

#define FIRST_ENTRIES 16
#define ACK_ENTRIES_MAX 1000 /* of one frame: every peer takes it */
#define WINDOW_BYTES_DEFAULT (UINT64_C(4) << 20)

/* -- inbound -- */

static struct stream1_entry *entry_of(const struct stream1 *s, uint64_t token) {
    return &s->rx[token & (s->rx_capacity - 1)];
}

static uint64_t seq_of(const struct stream1 *s, uint64_t token) {
    uint64_t skipped = s->rx_seq - s->rx_token;
    return token + skipped - (uint32_t)((uint32_t)skipped - entry_of(s, token)->skipped);
}

uint64_t stream1_settled_up_to(const struct stream1 *s) {
    return s->rx_low > s->rx_token ? s->rx_seq : seq_of(s, s->rx_low) - 1;
}

bool stream1_make_entry(struct stream1 *s) {
    uint64_t span = s->rx_token + 1 - s->rx_low;
    if (span < s->rx_capacity)
        return true;
    uint32_t capacity = s->rx_capacity ? s->rx_capacity * 2 : FIRST_ENTRIES;
    struct stream1_entry *rx = memory_array(capacity, sizeof *rx);
    if (!rx) {
        stream1_fail(s, STATUS_NO_MEMORY, NULL);
        return false;
    }
    for (uint64_t token = s->rx_low; token <= s->rx_token; token++)
        rx[token & (capacity - 1)] = *entry_of(s, token);
    memory_free(s->rx);
    s->rx = rx;
    s->rx_capacity = capacity;
    return true;
}

static bool ack_is_unsent(const struct stream1 *s) {
    return s->ack && s->sink->out->written <= s->ack_start;
}

static void put_entry(uint8_t *at, uint64_t seq, enum ack_outcome outcome, uint16_t code, uint32_t retry_ms) {
    frame_put64(at, seq);
    at[8] = (uint8_t)outcome;
    at[9] = 0;
    frame_put16(at + 10, code);
    frame_put32(at + 12, retry_ms);
}

/* A new ACK frame with `count` (0 or 1) entries to be filled in; NULL when memory is out. */
static uint8_t *new_ack(struct stream1 *s, unsigned count) {
    struct chain *out = s->sink->out;
    size_t size = FRAME_ACK_HEADER + count * FRAME_ACK_ENTRY;
    uint8_t *at = chain_reserve(out, FRAME_HEADER + size);
    if (!at) {
        stream1_close(s, STATUS_NO_MEMORY);
        return NULL;
    }
    frame_put_header(at, (uint32_t)size, FRAME_ACK, 0);
    frame_put64(at + FRAME_HEADER, stream1_settled_up_to(s));
    frame_put16(at + FRAME_HEADER + 8, (uint16_t)count);
    frame_put16(at + FRAME_HEADER + 10, 0);
    s->ack = at;
    s->ack_start = out->added;
    chain_commit(out, FRAME_HEADER + size);
    s->ack_end = out->added;
    return at + FRAME_HEADER + FRAME_ACK_HEADER;
}

/* One frame serves all that is settled until it is written: it is brought up to date where it stands. */
static void ack_up_to(struct stream1 *s) {
    if (s->resuming)
        return; /* told when the peer is back */
    if (ack_is_unsent(s))
        frame_put64(s->ack + FRAME_HEADER, stream1_settled_up_to(s));
    else
        new_ack(s, 0);
}

static void ack_one(struct stream1 *s, uint64_t seq, enum ack_outcome outcome, uint16_t code, uint32_t retry_ms) {
    struct chain *out = s->sink->out;
    if (s->resuming)
        return;
    if (ack_is_unsent(s) && out->added == s->ack_end) {
        unsigned count = frame_get16(s->ack + FRAME_HEADER + 8);
        uint8_t *at = count < ACK_ENTRIES_MAX ? chain_reserve(out, FRAME_ACK_ENTRY) : NULL;
        if (at && at == s->ack + (s->ack_end - s->ack_start)) {
            put_entry(at, seq, outcome, code, retry_ms);
            chain_commit(out, FRAME_ACK_ENTRY);
            s->ack_end = out->added;
            frame_put32(s->ack, frame_get32(s->ack) + FRAME_ACK_ENTRY);
            frame_put64(s->ack + FRAME_HEADER, stream1_settled_up_to(s));
            frame_put16(s->ack + FRAME_HEADER + 8, (uint16_t)(count + 1));
            return;
        }
    }
    uint8_t *at = new_ack(s, 1);
    if (at)
        put_entry(at, seq, outcome, code, retry_ms);
}

/* How a status is told for one message (the standard's outcomes). Later may help: retry. */
static enum ack_outcome outcome_of(enum status status, uint32_t retry_ms) {
    if (status == STATUS_OK)
        return ACK_ACCEPTED;
    if (status == STATUS_DUPLICATE)
        return ACK_DUPLICATE;
    if (status == STATUS_EXPIRED)
        return ACK_EXPIRED;
    bool later = status == STATUS_OVERLOADED || status == STATUS_TARGET_UNAVAILABLE || status == STATUS_RATE_LIMITED ||
                 status == STATUS_SHUTDOWN || status == STATUS_GOING_AWAY ||
                 status_row(status)->status_class == STATUS_CLASS_LOCAL;
    return retry_ms || later ? ACK_RETRY : ACK_REJECTED;
}

/* What is kept of that for a peer that may have to be told again. */
static void note_each(struct stream1 *s, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms) {
    enum ack_outcome outcome = outcome_of(status, retry_ms);
    uint16_t code = status_row(status)->stream;
    for (uint64_t token = first; token <= last && s->resume; token++)
        if (!(entry_of(s, token)->flags & STREAM1_NOACK))
            stream1_note_outcome(s, seq_of(s, token), (uint8_t)outcome, code ? code : 15, retry_ms);
}

static void ack_each(struct stream1 *s, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms) {
    enum ack_outcome outcome = outcome_of(status, retry_ms);
    uint16_t code = status == STATUS_OK ? 0 : status_row(status)->stream;
    for (uint64_t token = first; token <= last && !s->sink->closing; token++)
        if (!(entry_of(s, token)->flags & STREAM1_NOACK))
            ack_one(s, seq_of(s, token), outcome, outcome == ACK_ACCEPTED || code ? code : 15, retry_ms);
}

void stream1_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now) {
    struct stream1 *s = state;
    bool in_order = first == s->rx_low, owed = false;
    (void)now;
    ASSERT(first >= s->rx_low && first <= last && last <= s->rx_token);
    for (uint64_t token = first; token <= last; token++) {
        struct stream1_entry *entry = entry_of(s, token);
        ASSERT(!(entry->flags & STREAM1_SETTLED));
        entry->flags |= status == STATUS_OK ? STREAM1_SETTLED : STREAM1_SETTLED | STREAM1_REFUSED;
        owed |= !(entry->flags & STREAM1_NOACK);
        s->rx_unsettled--;
        s->rx_unsettled_bytes -= entry->size;
        if (status != STATUS_OK && (entry->flags & STREAM1_ASKS) && s->asks_open)
            s->asks_open--; /* nobody will reply */
    }
    if (status != STATUS_OK)
        note_each(s, first, last, status, retry_ms);
    while (s->rx_low <= s->rx_token && (entry_of(s, s->rx_low)->flags & STREAM1_SETTLED))
        s->rx_low++;
    if (s->sink->closing)
        return;
    if (owed && in_order && status == STATUS_OK)
        ack_up_to(s);
    else if (owed)
        ack_each(s, first, last, status, retry_ms);
    stream1_grant(s);
    if (stream1_is_leaving(s))
        stream1_check_end(s);
}

void stream1_reject(struct stream1 *s, uint64_t seq, enum status status) {
    if (s->resume)
        stream1_note_outcome(s, seq, ACK_REJECTED, status_row(status)->stream, 0);
    ack_one(s, seq, ACK_REJECTED, status_row(status)->stream, 0);
    stream1_grant(s);
}

void stream1_ack_again(struct stream1 *s, uint64_t acked) {
    const struct stream1_resume *r = s->resume;
    ack_up_to(s);
    for (uint32_t i = 0; i < r->outcome_count && !s->sink->closing; i++) {
        const struct stream1_outcome *o = &r->outcomes[(r->outcome_first + i) & (r->outcome_capacity - 1)];
        if (o->seq > acked)
            ack_one(s, o->seq, (enum ack_outcome)o->outcome, o->code, o->retry_ms);
    }
    /* Accepted out of order. */
    for (uint64_t token = s->rx_low; token <= s->rx_token && !s->sink->closing; token++)
        if ((entry_of(s, token)->flags & (STREAM1_SETTLED | STREAM1_NOACK | STREAM1_REFUSED)) == STREAM1_SETTLED && seq_of(s, token) > acked)
            ack_one(s, seq_of(s, token), ACK_ACCEPTED, 0, 0);
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Tells the peer how much more may come, when that is half a window more than it knows, or when it has none left.
 * Unsettled messages count; one that stays unsettled holds the peer up only some windows later. */
void stream1_grant(struct stream1 *s) {
    uint64_t window = stream1_window(s);
    uint64_t bytes_max = s->setup->limits.window_bytes ? s->setup->limits.window_bytes : WINDOW_BYTES_DEFAULT;
    uint64_t messages = least(s->rx_seq - s->rx_unsettled + window, stream1_settled_up_to(s) + STREAM1_SPAN_FACTOR * window);
    uint64_t bytes = s->rx_bytes - s->rx_unsettled_bytes + bytes_max;
    bool much = messages - s->granted >= (window + 1) / 2 || bytes - s->granted_bytes >= (bytes_max + 1) / 2;
    bool needed = (s->granted == s->rx_seq && messages > s->granted) ||
                  (s->granted_bytes <= s->rx_bytes && bytes > s->granted_bytes);
    if (!much && !needed)
        return;
    if (s->phase >= STREAM1_OPEN) {
        uint8_t payload[16];
        frame_put64(payload, messages);
        frame_put64(payload + 8, bytes);
        if (!stream1_write(s, FRAME_CREDIT, slice_make(payload, sizeof payload)))
            return;
    }
    s->granted = messages;
    s->granted_bytes = bytes;
}

/* -- outbound -- */

void stream1_update_room(struct stream1 *s) {
    struct protocol_room *room = &s->sink->room;
    uint64_t messages = s->credit - s->tx_seq;
    if (s->sink->terms.acks)
        messages = least(messages, STREAM1_UNSETTLED_MAX - (s->tx_seq + 1 - s->tx_low));
    if (s->tx_bytes >= s->credit_bytes || s->phase < STREAM1_OPEN || s->sink->closing)
        messages = 0;
    if ((s->got_goaway || s->peer_ended) && !s->asks_open)
        messages = 0;
    if (s->resume && s->resume->session.kept >= STREAM1_KEPT_MAX)
        messages = 0; /* until some of it is settled */
    bool had_none = room->messages == 0;
    room->messages = (uint32_t)least(messages, UINT32_MAX);
    room->bytes = UINT64_MAX;
    if (had_none && messages)
        s->sink->calls->room(s->sink->user);
}

static bool is_settled(const struct stream1 *s, uint64_t seq) {
    uint64_t bit = seq % STREAM1_UNSETTLED_MAX;
    return s->tx_settled && (s->tx_settled[bit / 64] >> (bit % 64) & 1);
}

static void flip_settled(struct stream1 *s, uint64_t seq) {
    uint64_t bit = seq % STREAM1_UNSETTLED_MAX;
    s->tx_settled[bit / 64] ^= UINT64_C(1) << (bit % 64);
}

static void pass_settled(struct stream1 *s) {
    while (s->tx_settled_count && is_settled(s, s->tx_low)) {
        flip_settled(s, s->tx_low++);
        s->tx_settled_count--;
    }
}

/* False when it was settled before, or memory is out (then closing). */
static bool settle_one(struct stream1 *s, uint64_t seq) {
    if (seq < s->tx_low || is_settled(s, seq))
        return false;
    if (seq == s->tx_low) {
        s->tx_low++;
        pass_settled(s);
        return true;
    }
    if (!s->tx_settled)
        s->tx_settled = memory_array(STREAM1_UNSETTLED_MAX / 64, sizeof *s->tx_settled);
    if (!s->tx_settled) {
        stream1_fail(s, STATUS_NO_MEMORY, NULL);
        return false;
    }
    flip_settled(s, seq);
    s->tx_settled_count++;
    return true;
}

static struct protocol_outcome outcome_from(unsigned outcome, unsigned code, uint32_t retry_ms) {
    enum status status = status_from_stream(code);
    if (outcome == ACK_ACCEPTED || outcome == ACK_DUPLICATE)
        return (struct protocol_outcome){VERDICT_ACCEPTED, STATUS_OK, 0};
    if (outcome == ACK_EXPIRED)
        return (struct protocol_outcome){VERDICT_EXPIRED, STATUS_EXPIRED, 0};
    if (status == STATUS_OK || (status == STATUS_INTERNAL && code != 15))
        status = outcome == ACK_RETRY ? STATUS_OVERLOADED : STATUS_REJECTED;
    return (struct protocol_outcome){outcome == ACK_RETRY ? VERDICT_RETRY : VERDICT_REJECTED, status, retry_ms};
}

/* True when it settled something. */
static bool read_entry(struct stream1 *s, const uint8_t *at) {
    uint64_t seq = frame_get64(at);
    unsigned outcome = at[8];
    if (outcome > ACK_EXPIRED || at[9] || seq == 0 || seq > s->tx_seq) {
        stream1_fail(s, STATUS_MALFORMED_CONTROL, "ACK has an entry that makes no sense");
        return false;
    }
    if (!s->sink->terms.acks || !settle_one(s, seq))
        return false;
    s->sink->calls->outcome(s->sink->user, seq, seq,
                            outcome_from(outcome, frame_get16(at + 10), frame_get32(at + 12)));
    return true;
}

static void settle_up_to(struct stream1 *s, uint64_t cum) {
    while (s->tx_low <= cum && !s->sink->closing) {
        uint64_t first = s->tx_low, last = first;
        if (s->tx_settled_count == 0)
            last = cum;
        while (last < cum && !is_settled(s, last + 1))
            last++;
        s->tx_low = last + 1;
        pass_settled(s);
        s->sink->calls->outcome(s->sink->user, first, last, (struct protocol_outcome){VERDICT_ACCEPTED, STATUS_OK, 0});
    }
}

void stream1_read_ack(struct stream1 *s, struct slice payload, struct now now) {
    const uint8_t *at = payload.data;
    if (payload.size < FRAME_ACK_HEADER || at[10] | at[11] ||
        payload.size != FRAME_ACK_HEADER + (size_t)frame_get16(at + 8) * FRAME_ACK_ENTRY) {
        stream1_fail(s, STATUS_MALFORMED_CONTROL, "ACK has a wrong size");
        return;
    }
    uint64_t cum = frame_get64(at);
    if (cum > s->tx_seq) {
        stream1_fail(s, STATUS_PROTOCOL_ERROR, "ACK of what was never sent");
        return;
    }
    bool progress = false;
    for (size_t i = FRAME_ACK_HEADER; i < payload.size && !s->sink->closing; i += FRAME_ACK_ENTRY)
        progress |= read_entry(s, at + i);
    if (s->sink->closing)
        return;
    if (s->sink->terms.acks && s->tx_low <= cum) {
        progress = true;
        settle_up_to(s, cum);
    }
    if (s->resume)
        stream1_drop_kept(s);
    if (!progress && !stream1_count_control(s, now))
        return;
    stream1_update_room(s);
    if (stream1_is_leaving(s))
        stream1_check_end(s);
}

void stream1_read_credit(struct stream1 *s, struct slice payload, struct now now) {
    if (payload.size != 16) {
        stream1_fail(s, STATUS_MALFORMED_CONTROL, "CREDIT has a wrong size");
        return;
    }
    uint64_t messages = frame_get64(payload.data), bytes = frame_get64(payload.data + 8);
    if (messages < s->credit || bytes < s->credit_bytes) {
        stream1_fail(s, STATUS_MALFORMED_CONTROL, "CREDIT never decreases");
        return;
    }
    if (messages == s->credit && bytes == s->credit_bytes && !stream1_count_control(s, now))
        return;
    s->credit = messages;
    s->credit_bytes = bytes;
    stream1_update_room(s);
}
