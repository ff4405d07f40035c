/* What the peer has open with us: messages whose fate it hasn't been told. */
#include "base/assert.h"
#include "base/memory.h"
#include "protocol/units/units.h"

#define FIRST_ENTRIES 16

static struct units_entry *entry_of(const struct units *s, uint64_t token) {
    return &s->rx[token & (s->rx_capacity - 1)];
}

static uint64_t window_of(const struct units *s) {
    return s->setup->limits.window ? s->setup->limits.window : 1;
}

/* There is no credit that the peer would know of: past the window it isn't read. */
static void update_pause(struct units *s) {
    uint64_t span = s->rx_token + 1 - s->rx_low;
    bool waits = s->sink->terms.inline_reply && s->asks_open; /* answers keep the order of the questions */
    s->sink->paused = !s->carrier->paces && !s->leaving &&
                      (waits || s->rx_unsettled >= window_of(s) || span >= UNITS_SPAN_FACTOR * window_of(s));
}

bool units_make_entry(struct units *s, struct now now) {
    if (s->rx_token + 1 - s->rx_low < s->rx_capacity)
        return true;
    if (!s->rx && s->worker->ring_count) {
        struct protocol_ring ring = s->worker->rings[--s->worker->ring_count];
        s->rx = ring.entries;
        s->rx_capacity = ring.capacity;
        return true;
    }
    uint32_t capacity = s->rx_capacity ? s->rx_capacity * 2 : FIRST_ENTRIES;
    struct units_entry *rx = memory_array(capacity, sizeof *rx);
    if (!rx) {
        units_close(s, STATUS_NO_MEMORY, NULL, now);
        return false;
    }
    for (uint64_t token = s->rx_low; token <= s->rx_token; token++)
        rx[token & (capacity - 1)] = *entry_of(s, token);
    memory_free(s->rx);
    s->rx = rx;
    s->rx_capacity = capacity;
    return true;
}

static void keep_id(struct units_entry *entry, struct slice id) {
    entry->long_id = NULL;
    entry->id_size = 0;
    if (id.size > UNITS_ID_MAX)
        return;
    if (id.size <= sizeof entry->id)
        memcpy(entry->id, id.data, id.size);
    else if (!(entry->long_id = memory_copy_text((const char *)id.data, id.size)))
        return; /* then without a name */
    entry->id_size = (uint16_t)id.size;
}

static struct slice id_of(const struct units_entry *entry) {
    return slice_make(entry->long_id ? entry->long_id : entry->id, entry->id_size);
}

void units_note_arrival(struct units *s, const struct message *message) {
    s->rx_token++;
    s->rx_unsettled++;
    struct units_entry *entry = entry_of(s, s->rx_token);
    entry->flags = 0;
    keep_id(entry, message_text(message, ATTRIBUTE_ID));
    if (message_kind_asks(message->kind)) {
        entry->flags |= UNITS_ASKS;
        s->asks_open++;
    } else if (message_kind_replies(message->kind)) {
        entry->flags |= UNITS_SILENT;
        if (s->calls_open && !s->fifo)
            s->calls_open--;
    }
    update_pause(s);
}

void units_drop_entries(struct units *s) {
    for (uint64_t token = s->rx_low; token <= s->rx_token; token++)
        memory_free(entry_of(s, token)->long_id);
    memory_free(s->rx);
    s->rx = NULL;
    s->rx_capacity = 0;
}

/* Idle connections hold no buffer. */
void units_rest(void *state) {
    struct units *s = state;
    struct protocol_worker *worker = s->worker;
    if (!s->rx || s->rx_low <= s->rx_token)
        return;
    if (worker->ring_count < PROTOCOL_RINGS && s->rx_capacity <= PROTOCOL_RING_MAX)
        worker->rings[worker->ring_count++] = (struct protocol_ring){s->rx, s->rx_capacity};
    else
        memory_free(s->rx);
    s->rx = NULL;
    s->rx_capacity = 0;
}

static void advance(struct units *s) {
    while (s->rx_low <= s->rx_token && (entry_of(s, s->rx_low)->flags & UNITS_SETTLED))
        s->rx_low++;
    update_pause(s);
}

bool units_may_answer(const struct units *s, uint64_t token) {
    return token >= s->rx_low && token <= s->rx_token && (entry_of(s, token)->flags & (UNITS_ASKS | UNITS_SETTLED)) == UNITS_ASKS;
}

void units_answer(struct units *s, uint64_t token) {
    struct units_entry *entry = entry_of(s, token);
    entry->flags |= UNITS_SETTLED;
    memory_free(entry->long_id);
    entry->long_id = NULL;
    s->rx_unsettled--;
    s->asks_open--;
    advance(s);
}

static void tell(struct units *s, uint64_t token, enum status status, struct slice id, struct now now) {
    char detail[256];
    size_t size = 0;
    if (s->sink->calls->detail)
        size = s->sink->calls->detail(s->sink->user, token, status, detail, sizeof detail - 1);
    detail[size < sizeof detail ? size : sizeof detail - 1] = '\0';
    units_write_error(s, status, detail, id, now);
}

static void settle_one(struct units *s, uint64_t token, enum status status, struct now now) {
    struct units_entry *entry = entry_of(s, token);
    ASSERT(!(entry->flags & UNITS_SETTLED));
    entry->flags |= UNITS_SETTLED;
    s->rx_unsettled--;
    if (status == STATUS_DUPLICATE && !(entry->flags & UNITS_ASKS)) /* it was taken before, and that is all right */
        status = STATUS_OK;
    bool is_raw = s->codec == UNITS_RAW, ends = status != STATUS_OK || is_raw; /* of raw ones only what has no answer */
    if (ends && (entry->flags & UNITS_ASKS) && s->asks_open)
        s->asks_open--;
    if (status != STATUS_OK && is_raw && (entry->flags & UNITS_ASKS))
        units_close(s, status, NULL, now); /* what it would read next would not be its answer */
    else if (status != STATUS_OK && !is_raw && !(entry->flags & UNITS_SILENT) && !s->sink->closing && !s->leaving)
        tell(s, token, status, id_of(entry), now);
    memory_free(entry->long_id);
    entry->long_id = NULL;
}

void units_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now) {
    struct units *s = state;
    (void)retry_ms;
    ASSERT(first >= s->rx_low && first <= last && last <= s->rx_token);
    for (uint64_t token = first; token <= last; token++)
        settle_one(s, token, status, now);
    advance(s);
    units_check_end(s, now);
}
