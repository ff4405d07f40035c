/* CloudEvents as JSON lines: one structured event a line. */
#include "protocol/stream/ndjson.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/map.h"
#include "base/memory.h"
#include "message/encoding.h"

#define FIRST_ENTRIES 16

void ndjson_close(struct ndjson *s, enum status status) {
    if (s->sink->closing)
        return;
    s->sink->closing = true;
    s->sink->reading_done = true;
    s->sink->close_status = status;
    s->sink->room.messages = 0;
}

/* -- what the peer has open with us -- */

static struct ndjson_entry *entry_of(const struct ndjson *s, uint64_t token) {
    return &s->rx[token & (s->rx_capacity - 1)];
}

static uint64_t window_of(const struct ndjson *s) {
    return s->setup->limits.window ? s->setup->limits.window : 1;
}

/* There is no credit that the peer would know of: past the window it isn't read. */
static void update_pause(struct ndjson *s) {
    uint64_t span = s->rx_token + 1 - s->rx_low;
    s->sink->paused = s->rx_unsettled >= window_of(s) || span >= NDJSON_SPAN_FACTOR * window_of(s);
}

static bool make_entry(struct ndjson *s) {
    if (s->rx_token + 1 - s->rx_low < s->rx_capacity)
        return true;
    if (!s->rx && s->worker->ring_count) {
        struct protocol_ring ring = s->worker->rings[--s->worker->ring_count];
        s->rx = ring.entries;
        s->rx_capacity = ring.capacity;
        return true;
    }
    uint32_t capacity = s->rx_capacity ? s->rx_capacity * 2 : FIRST_ENTRIES;
    struct ndjson_entry *rx = memory_array(capacity, sizeof *rx);
    if (!rx) {
        ndjson_close(s, STATUS_NO_MEMORY);
        return false;
    }
    for (uint64_t token = s->rx_low; token <= s->rx_token; token++)
        rx[token & (capacity - 1)] = *entry_of(s, token);
    memory_free(s->rx);
    s->rx = rx;
    s->rx_capacity = capacity;
    return true;
}

static void keep_id(struct ndjson_entry *entry, struct slice id) {
    entry->long_id = NULL;
    entry->id_size = 0;
    if (id.size > NDJSON_ID_MAX)
        return;
    if (id.size <= sizeof entry->id)
        memcpy(entry->id, id.data, id.size);
    else if (!(entry->long_id = memory_copy_text((const char *)id.data, id.size)))
        return; /* then without a name */
    entry->id_size = (uint16_t)id.size;
}

static struct slice id_of(const struct ndjson_entry *entry) {
    return slice_make(entry->long_id ? entry->long_id : entry->id, entry->id_size);
}

static void drop_entries(struct ndjson *s) {
    for (uint64_t token = s->rx_low; token <= s->rx_token; token++)
        memory_free(entry_of(s, token)->long_id);
    memory_free(s->rx);
    s->rx = NULL;
    s->rx_capacity = 0;
}

static void ndjson_rest(void *state) {
    struct ndjson *s = state;
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

static void tell(struct ndjson *s, uint64_t token, enum status status, struct slice id, struct now now) {
    char detail[256];
    size_t size = 0;
    if (s->sink->calls->detail)
        size = s->sink->calls->detail(s->sink->user, token, status, detail, sizeof detail - 1);
    detail[size < sizeof detail ? size : sizeof detail - 1] = '\0';
    ndjson_write_error(s, status, detail, id, now);
}

static void settle_one(struct ndjson *s, uint64_t token, enum status status, struct now now) {
    struct ndjson_entry *entry = entry_of(s, token);
    ASSERT(!(entry->flags & NDJSON_SETTLED));
    entry->flags |= NDJSON_SETTLED;
    s->rx_unsettled--;
    if (status != STATUS_OK) {
        if ((entry->flags & NDJSON_ASKS) && s->asks_open)
            s->asks_open--;
        if (!(entry->flags & NDJSON_SILENT) && !s->sink->closing)
            tell(s, token, status, id_of(entry), now);
    }
    memory_free(entry->long_id);
    entry->long_id = NULL;
}

static void ndjson_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms,
                          struct now now) {
    struct ndjson *s = state;
    (void)retry_ms;
    ASSERT(first >= s->rx_low && first <= last && last <= s->rx_token);
    for (uint64_t token = first; token <= last; token++)
        settle_one(s, token, status, now);
    while (s->rx_low <= s->rx_token && (entry_of(s, s->rx_low)->flags & NDJSON_SETTLED))
        s->rx_low++;
    update_pause(s);
    ndjson_check_end(s);
}

/* -- lines in -- */

/* Of a line that is no event: its id, if the text up to the mistake has one. */
static struct slice find_id(struct slice line) {
    struct json json;
    struct json_item item, value;
    json_init(&json, line, 0);
    if (json_next(&json, &item) != JSON_OBJECT)
        return slice_make(NULL, 0);
    while (json_next(&json, &item) == JSON_NAME && json_skip(&json, &value) != JSON_ERROR)
        if (value.type == JSON_STRING && !value.has_escapes && json_item_is(&item, SLICE_OF("id")))
            return slice_head(value.raw, value.raw.size <= NDJSON_ID_MAX ? value.raw.size : 0);
    return slice_make(NULL, 0);
}

static void refuse_line(struct ndjson *s, struct slice line, struct message_fault *fault, struct now now) {
    ndjson_write_error(s, fault->status, fault->text, find_id(line), now);
    if (now.mono.ns - s->rate_start.ns >= NS_PER_S) {
        s->rate_start = now.mono;
        s->error_count = s->control_count = 0;
    }
    if (++s->error_count > NDJSON_ERROR_RATE)
        ndjson_close(s, STATUS_RATE_LIMITED);
    s->sink->calls->invalid(s->sink->user, fault);
}

static void note_arrival(struct ndjson *s, const struct message *message) {
    s->rx_token++;
    s->rx_unsettled++;
    struct ndjson_entry *entry = entry_of(s, s->rx_token);
    entry->flags = 0;
    keep_id(entry, message_text(message, ATTRIBUTE_ID));
    if (message_kind_asks(message->kind)) {
        entry->flags |= NDJSON_ASKS;
        s->asks_open++;
    } else if (message_kind_replies(message->kind)) {
        entry->flags |= NDJSON_SILENT;
        if (s->calls_open)
            s->calls_open--;
    }
    update_pause(s);
}

static void read_line(struct ndjson *s, struct slice line, struct now now) {
    struct buffer *extra = &s->worker->extra;
    struct message message;
    struct message_fault fault;
    fault.attribute[0] = fault.text[0] = '\0';
    s->lines++;
    if (!make_entry(s))
        return;
    buffer_clear(extra);
    enum status status = message_decode_json(&message, line, extra, &s->rules, &fault);
    if (status == STATUS_OK && ndjson_is_control(&message)) {
        if (!s->is_dialled) {
            ndjson_control(s, &message, now);
            return;
        }
        status = control_fault(&fault, STATUS_MALFORMED_EVENT, "`type` intertie.ctl.* is not for those who were dialled");
    }
    if (status == STATUS_OK && s->setup->auth && !s->is_known && !s->is_dialled) {
        ndjson_write_error(s, STATUS_UNAUTHENTICATED, "a key is required here: send intertie.ctl.hello.v1 first",
                           message_text(&message, ATTRIBUTE_ID), now);
        ndjson_close(s, STATUS_UNAUTHENTICATED);
        return;
    }
    if (status != STATUS_OK) {
        fault.status = status;
        refuse_line(s, line, &fault, now);
        return;
    }
    note_arrival(s, &message);
    s->sink->calls->message(s->sink->user, s->rx_token, &message, 0);
}

static void refuse_length(struct ndjson *s, struct slice line, struct now now) {
    struct message_fault fault;
    control_fault(&fault, STATUS_TOO_LARGE, "a line is longer than %u bytes", s->setup->limits.message);
    ndjson_write_error(s, STATUS_TOO_LARGE, fault.text, find_id(line), now);
    ndjson_close(s, STATUS_TOO_LARGE);
    s->sink->calls->invalid(s->sink->user, &fault);
}

static struct slice without_cr(struct slice line) {
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

/* One line at the start of `bytes`; returns the bytes used, 0 for wait. */
static size_t take_line(struct ndjson *s, struct slice bytes, bool ended, struct now now) {
    const uint8_t *end = memchr(bytes.data + s->scanned, '\n', bytes.size - s->scanned);
    size_t size = end ? (size_t)(end - bytes.data) : bytes.size;
    struct slice line = without_cr(slice_make(bytes.data, size));
    if (line.size > s->setup->limits.message) {
        refuse_length(s, slice_head(line, s->setup->limits.message), now);
        return 0;
    }
    if (!end && !ended) {
        s->scanned = bytes.size;
        return 0;
    }
    s->scanned = 0;
    if (slice_trim(line).size)
        read_line(s, line, now);
    return end ? size + 1 : size;
}

static size_t ndjson_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct ndjson *s = state;
    size_t used = 0;
    while (used < bytes.size && !s->sink->closing && !s->sink->paused) {
        size_t count = take_line(s, slice_skip(bytes, used), ended, now);
        if (count == 0)
            break;
        used += count;
        if (chain_unsent(s->sink->out) > s->setup->limits.message + NDJSON_UNREAD_MAX)
            ndjson_close(s, STATUS_WRITE_TIMEOUT); /* it sends on, but doesn't read the answers */
    }
    if (ended && used == bytes.size && !s->peer_ended) {
        s->peer_ended = true;
        ndjson_check_end(s);
    }
    return s->sink->closing ? bytes.size : used;
}

/* -- out -- */

void ndjson_update_room(struct ndjson *s) {
    struct protocol_room *room = &s->sink->room;
    uint64_t messages = s->credit - s->tx_token;
    if (s->sink->terms.acks) {
        uint64_t span = s->tx_token + 1 - s->tx_low;
        uint64_t left = s->inflight_max > s->tx_unsettled ? s->inflight_max - s->tx_unsettled : 0;
        messages = left < messages ? left : messages;
        messages = NDJSON_INFLIGHT_MAX - span < messages ? NDJSON_INFLIGHT_MAX - span : messages;
    }
    if (s->sink->closing || (s->peer_ended && !s->asks_open) || (s->setup->auth && !s->is_known && !s->is_dialled))
        messages = 0;
    bool had_none = room->messages == 0;
    room->messages = messages > UINT32_MAX ? UINT32_MAX : (uint32_t)messages;
    room->bytes = UINT64_MAX;
    if (had_none && messages)
        s->sink->calls->room(s->sink->user);
}

void ndjson_check_end(struct ndjson *s) {
    bool owes = s->rx_unsettled || s->asks_open;
    bool waits = s->tx_unsettled || s->calls_open;
    if (s->sink->closing || (!s->shutting && !s->peer_ended))
        return;
    if (s->peer_ended && !owes)
        ndjson_close(s, s->shutting ? s->shut_status : STATUS_PEER_CLOSED);
    else if (s->shutting && !owes && !waits)
        ndjson_close(s, s->shut_status);
    else
        ndjson_update_room(s);
}

/* JSON has line ends only as white space between tokens (in strings they are escaped): a space is as good. */
static void flatten(uint8_t *bytes, size_t size) {
    uint8_t *at = bytes, *end = bytes + size;
    while ((at = memchr(at, '\n', (size_t)(end - at))))
        *at = ' ';
    for (at = bytes; (at = memchr(at, '\r', (size_t)(end - at)));)
        *at = ' ';
}

/* Reserves and fills an event's line; NULL when it can't be, with `ret_status`. Uncommitted. */
static uint8_t *reserve_line(struct ndjson *s, const struct message *message, const struct overlay *overlay,
                             size_t *ret_size, enum status *ret_status) {
    struct chain *out = s->sink->out;
    bool untouched = message->encoding == ENCODING_JSON && overlay_is_empty(overlay);
    size_t bound = untouched ? message->wire_size : message_encoded_bound(message, overlay, ENCODING_JSON);
    bool in_place = untouched || bound < CHAIN_BLOCK_SIZE;
    struct buffer line, *to = &line;
    uint8_t *at = NULL;
    *ret_status = STATUS_NO_MEMORY;
    if (in_place) {
        at = chain_reserve(out, bound + 1);
        if (!at)
            return NULL;
        buffer_init_fixed(&line, at, bound);
    } else {
        to = &s->worker->scratch;
        buffer_clear(to);
    }
    *ret_status = message_encode_json(message, overlay, to);
    if (*ret_status != STATUS_OK)
        return NULL;
    *ret_size = to->size;
    if (!in_place) {
        at = chain_reserve(out, to->size + 1);
        if (!at) {
            *ret_status = STATUS_NO_MEMORY;
            return NULL;
        }
        memcpy(at, to->data, to->size);
    }
    flatten(at, to->size);
    at[to->size] = '\n';
    return at;
}

static enum status ndjson_send(void *state, const struct message *message, const struct overlay *overlay,
                               const struct protocol_send *options, struct now now) {
    struct ndjson *s = state;
    size_t size;
    enum status status;
    (void)now;
    ASSERT(options->token == s->tx_token + 1 && s->sink->room.messages > 0);
    if (!reserve_line(s, message, overlay, &size, &status))
        return status;
    chain_commit(s->sink->out, size + 1);
    s->tx_token++;
    s->sink->room.messages -= s->sink->room.messages != UINT32_MAX;
    if (s->sink->terms.acks) {
        uint64_t hash = map_hash(message_text(message, ATTRIBUTE_ID), s->hash_seed);
        s->tx[s->tx_token % NDJSON_INFLIGHT_MAX].hash = hash ? hash : 1;
        s->tx_unsettled++;
    } else {
        s->tx_low = s->tx_token + 1;
    }
    if (message_kind_asks(message->kind))
        s->calls_open++;
    else if (message_kind_replies(message->kind) && s->asks_open)
        s->asks_open--;
    ndjson_check_end(s);
    return STATUS_OK;
}

static bool ndjson_recover(void *state, struct slice sent, struct message *ret_message) {
    struct ndjson *s = state;
    struct message_fault fault;
    buffer_clear(&s->worker->extra);
    if (sent.size == 0 || sent.data[sent.size - 1] != '\n')
        return false;
    sent.size--;
    return message_decode_json(ret_message, sent, &s->worker->extra, &s->rules, &fault) == STATUS_OK;
}

static void ndjson_cancel(void *state, uint64_t token, struct now now) {
    (void)state; /* JSON lines have no word for it */
    (void)token;
    (void)now;
}

/* -- time and ends -- */

static uint64_t activity(const struct ndjson *s) {
    return s->lines + s->scanned + s->sink->out->added + s->sink->out->written;
}

static void set_due(struct ndjson *s) {
    s->sink->due = mono_min(s->deadline, s->idle);
}

/* Looks twice in the allowed time, so that nothing has to be noted for each line. */
static void watch_idle(struct ndjson *s, struct now now) {
    s->seen_at_idle = activity(s);
    s->idle = s->setup->timeouts.idle_ns > 0 ? mono_after(now.mono, s->setup->timeouts.idle_ns) : MONO_NEVER;
}

static void ndjson_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                        struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct ndjson *s = state;
    (void)peer;
    s->setup = setup;
    s->worker = worker;
    s->sink = sink;
    s->rules = (struct message_rules){.declared = setup->declared, .size_max = setup->limits.message};
    s->is_dialled = setup->role == PROTOCOL_DIALLED;
    s->rx_low = s->tx_low = 1;
    s->credit = UINT64_MAX;
    s->inflight_max = NDJSON_INFLIGHT_MAX;
    s->hash_seed = rng_next(&worker->ids.rng);
    s->rate_start = now.mono;
    s->deadline = MONO_NEVER;
    if (setup->auth && !s->is_dialled && setup->timeouts.auth_ns > 0)
        s->deadline = mono_after(now.mono, setup->timeouts.auth_ns);
    watch_idle(s, now);
    set_due(s);
    sink->terms = (struct protocol_terms){.can_reply = true, .when_full = PROTOCOL_FULL_STOP};
    if (!setup->auth || s->is_dialled)
        sink->room = (struct protocol_room){UINT32_MAX, UINT64_MAX}; /* the user learns of it when this returns */
}

static void ndjson_tick(void *state, struct now now) {
    struct ndjson *s = state;
    if (s->sink->closing)
        return;
    if (mono_due(s->deadline, now.mono)) {
        ndjson_write_error(s, STATUS_AUTH_TIMEOUT, "a key is required here: send intertie.ctl.hello.v1",
                           slice_make(NULL, 0), now);
        ndjson_close(s, STATUS_AUTH_TIMEOUT);
        return;
    }
    if (mono_due(s->idle, now.mono)) {
        if (activity(s) == s->seen_at_idle) {
            ndjson_close(s, STATUS_IDLE_TIMEOUT);
            return;
        }
        watch_idle(s, now);
        if (s->rx && s->rx_low > s->rx_token)
            drop_entries(s); /* idle connections hold no buffer */
    }
    set_due(s);
}

static void ndjson_fail(void *state, enum status status, const char *words, struct now now) {
    struct ndjson *s = state;
    ndjson_write_error(s, status, words, slice_make(NULL, 0), now);
    ndjson_close(s, status);
}

static void ndjson_shut(void *state, enum status status, struct now now) {
    struct ndjson *s = state;
    (void)now;
    s->shutting = true;
    s->shut_status = status;
    ndjson_check_end(s);
}

static void ndjson_done(void *state) {
    struct ndjson *s = state;
    if (s->rx)
        drop_entries(s);
    memory_free(s->tx);
    s->tx = NULL;
}

const struct protocol protocol_ndjson = {
    .name = "ndjson",
    .state_size = sizeof(struct ndjson),
    .pool_max = 1, /* lines keep their order on one connection, and many who speak lines serve only one */
    .open = ndjson_open,
    .feed = ndjson_feed,
    .send = ndjson_send,
    .settle = ndjson_settle,
    .cancel = ndjson_cancel,
    .rest = ndjson_rest,
    .tick = ndjson_tick,
    .fail = ndjson_fail,
    .shut = ndjson_shut,
    .recover = ndjson_recover,
    .done = ndjson_done,
};
