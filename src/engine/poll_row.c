/* The protocol of a peer that fetches: messages go to the requests that are open, and are settled by acks or by time. */
#include "base/text.h"
#include "engine/poll.h"
#include "message/encoding.h"

#define RETRY_STATUS STATUS_OVERLOADED /* what a peer that wants it later is taken to be */

/* -- ids -- */

static void put_hex(char *out, uint64_t value, int digits) {
    while (digits-- > 0) {
        out[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

void poll_id_write(const struct poll *p, uint64_t token, char out[static POLL_ID_SIZE]) {
    put_hex(out, p->engine->options.worker, 4);
    put_hex(out + 4, p->connection->handle, 16);
    put_hex(out + 20, p->nonce, 16);
    put_hex(out + 36, token, 16);
}

static bool get_hex(struct slice text, size_t at, size_t digits, uint64_t *ret) {
    *ret = 0;
    for (size_t i = at; i < at + digits; i++) {
        int value = text_hex_value(text.data[i]);
        if (value < 0)
            return false;
        *ret = *ret << 4 | (uint64_t)value;
    }
    return true;
}

bool poll_id_read(struct slice text, struct poll_id *ret) {
    uint64_t worker;
    if (text.size != POLL_ID_SIZE || !get_hex(text, 0, 4, &worker) || !get_hex(text, 4, 16, &ret->handle) ||
        !get_hex(text, 20, 16, &ret->nonce) || !get_hex(text, 36, 16, &ret->token))
        return false;
    ret->worker = (uint32_t)worker;
    return true;
}

/* -- what was sent -- */

static struct poll_entry *entry_at(const struct poll *p, uint32_t index) {
    return &p->entries[(p->first + index) & (p->capacity - 1)];
}

static struct poll_entry *entry_of(const struct poll *p, uint64_t token) {
    return token - p->base < p->count ? entry_at(p, (uint32_t)(token - p->base)) : NULL;
}

static bool reserve(struct poll *p) {
    if (p->count < p->capacity)
        return true;
    uint32_t capacity = p->capacity ? p->capacity * 2 : 8;
    struct poll_entry *entries = memory_array(capacity, sizeof *entries);
    if (!entries)
        return false;
    for (uint32_t i = 0; i < p->count; i++)
        entries[i] = *entry_at(p, i);
    memory_free(p->entries);
    p->entries = entries;
    p->first = 0;
    p->capacity = capacity;
    return true;
}

static void pop_settled(struct poll *p) {
    while (p->count && entry_at(p, 0)->state == ENTRY_OVER) {
        p->first = (p->first + 1) & (p->capacity - 1);
        p->count--;
        p->base++;
    }
}

static void settle(struct poll *p, uint64_t token, enum entry_state next, enum protocol_verdict verdict, enum status status) {
    struct poll_entry *entry = entry_of(p, token);
    entry->state = (uint8_t)next;
    p->open--;
    p->sink->calls->outcome(p->sink->user, token, token, (struct protocol_outcome){.verdict = verdict, .status = status});
}

bool poll_ack(struct poll *p, uint64_t token, enum pull_outcome outcome, uint32_t retry_ms) {
    struct poll_entry *entry = entry_of(p, token);
    if (!entry || !p->has_acks || (entry->state != ENTRY_OPEN && entry->state != ENTRY_DONE && entry->state != ENTRY_GIVEN_UP))
        return false;
    if (entry->state != ENTRY_OPEN) {
        bool was_told = entry->state == ENTRY_DONE;
        if (was_told)
            entry->state = ENTRY_OVER;
    } else if (outcome == PULL_ACCEPTED) {
        settle(p, token, ENTRY_OVER, VERDICT_ACCEPTED, STATUS_OK);
    } else if (outcome == PULL_REJECTED) {
        settle(p, token, ENTRY_OVER, VERDICT_REJECTED, STATUS_REJECTED);
    } else if (retry_ms == 0) {
        settle(p, token, ENTRY_OVER, VERDICT_UNSENT, RETRY_STATUS);
    } else {
        entry->state = ENTRY_RETRY; /* it keeps its place in the window, and its partition key: nothing overtakes it */
        entry->due = mono_after(p->engine->now.mono, (int64_t)retry_ms * NS_PER_MS);
    }
    pop_settled(p);
    poll_look(p);
    return true;
}

/* The newest first, so that the lanes have them in order again. */
static void settle_due(struct poll *p, struct mono now) {
    for (uint32_t i = p->count; i-- > 0;) {
        struct poll_entry *entry = entry_at(p, i);
        uint64_t token = p->base + i;
        bool is_due = mono_due(entry->due, now);
        if (entry->state == ENTRY_GIVEN_UP)
            settle(p, token, ENTRY_DONE, VERDICT_ACCEPTED, STATUS_OK);
        else if (entry->state == ENTRY_OPEN && is_due)
            settle(p, token, ENTRY_OVER, VERDICT_UNKNOWN, STATUS_OUTCOME_UNKNOWN);
        else if (entry->state == ENTRY_RETRY && is_due)
            settle(p, token, ENTRY_OVER, VERDICT_UNSENT, RETRY_STATUS);
        else if (entry->state == ENTRY_DONE && is_due)
            entry->state = ENTRY_OVER;
    }
    pop_settled(p);
}

void poll_give_back(struct poll *p) {
    for (uint32_t i = p->count; i-- > 0;) {
        struct poll_entry *entry = entry_at(p, i);
        uint64_t token = p->base + i;
        if (entry->state == ENTRY_OPEN)
            settle(p, token, ENTRY_OVER, VERDICT_UNKNOWN, STATUS_OUTCOME_UNKNOWN);
        else if (entry->state == ENTRY_WRITTEN && entry->end) /* its bytes may still leave: its connection closes politely */
            settle(p, token, ENTRY_OVER, VERDICT_UNKNOWN, STATUS_OUTCOME_UNKNOWN);
        else if (entry->state == ENTRY_WRITTEN)
            settle(p, token, ENTRY_OVER, VERDICT_UNSENT, STATUS_OK);
        else if (entry->state == ENTRY_RETRY)
            settle(p, token, ENTRY_OVER, VERDICT_UNSENT, RETRY_STATUS);
        else if (entry->state == ENTRY_GIVEN_UP)
            settle(p, token, ENTRY_OVER, VERDICT_ACCEPTED, STATUS_OK);
    }
    p->count = 0;
}

void poll_take_back(struct poll *p, const struct poll_wait *w) {
    uint32_t left = p->is_stream && !p->has_acks ? p->count : w->count; /* of a stream nothing leaves any more */
    for (uint32_t i = p->count; i-- > 0 && left > 0; left--)
        if (entry_at(p, i)->state == ENTRY_OPEN || entry_at(p, i)->state == ENTRY_WRITTEN)
            settle(p, p->base + i, ENTRY_OVER, VERDICT_UNSENT, STATUS_OK);
    pop_settled(p);
}

void poll_written(struct poll *p, const struct poll_wait *w) {
    if (p->has_acks)
        return;
    uint64_t written = w->session->connection->out.written;
    for (uint32_t i = 0; i < p->count; i++) {
        struct poll_entry *entry = entry_at(p, i);
        if (entry->state == ENTRY_WRITTEN && entry->end && entry->end <= written)
            settle(p, p->base + i, ENTRY_OVER, VERDICT_ACCEPTED, STATUS_OK);
    }
    pop_settled(p);
}

/* -- room and time -- */

static struct poll_wait *first_wait(const struct poll *p) {
    struct list_node *node = list_first(&p->waits);
    return node ? LIST_ENTRY(node, struct poll_wait, node) : NULL;
}

static uint32_t room(const struct poll *p) {
    const struct poll_wait *w = first_wait(p);
    if (!w || p->sink->closing || p->open >= p->limit || p->count >= POLL_ENTRIES_MAX || w->bytes.size >= POLL_BYTES)
        return 0;
    if (p->is_stream && chain_unsent(&w->session->connection->out) >= NET_UNSENT_MAX)
        return 0;
    uint32_t left = p->limit - p->open;
    return w->max - w->count < left ? w->max - w->count : left;
}

static struct mono next_due(const struct poll *p) {
    struct mono due = p->waits.count || p->open ? MONO_NEVER : p->idle_until; /* each open one has its own */
    for (struct list_node *node = list_first(&p->waits); node; node = list_next(&p->waits, node))
        due = mono_min(due, LIST_ENTRY(node, struct poll_wait, node)->until);
    for (uint32_t i = 0; i < p->count; i++) {
        const struct poll_entry *entry = entry_at(p, i);
        if (entry->state == ENTRY_GIVEN_UP)
            return p->engine->now.mono;
        if (entry->state != ENTRY_OVER && entry->state != ENTRY_WRITTEN)
            due = mono_min(due, entry->due);
    }
    return due;
}

void poll_look(struct poll *p) {
    if (p->connection->status != CONNECTION_OPEN)
        return;
    const struct poll_wait *w = first_wait(p);
    uint32_t before = p->sink->room.messages;
    p->sink->room = (struct protocol_room){room(p), UINT64_MAX};
    p->sink->gathers = w && w->count;
    p->sink->due = next_due(p);
    connection_touch(p->connection);
    if (before == 0 && p->sink->room.messages && p->sink->calls->room)
        p->sink->calls->room(p->sink->user);
}

/* -- requests -- */

void poll_join(struct poll *p, struct poll_wait *w) {
    w->poll = p;
    list_add(&p->waits, &w->node);
    if (p->waits.count == 1)
        mail_pause(p->engine, p->connection->owner, w->max);
    poll_look(p);
}

void poll_wait_free(struct poll_wait *w) {
    struct poll *p = w->poll;
    list_remove(&p->waits, &w->node);
    w->session->work->wait = NULL;
    buffer_done(&w->bytes);
    memory_free(w);
    if (p->waits.count)
        return;
    p->idle_until = p->is_stream ? p->engine->now.mono : mono_after(p->engine->now.mono, p->ack_ns);
    if (p->connection->owner && p->connection->status == CONNECTION_OPEN)
        mail_pause(p->engine, p->connection->owner, 0);
}

void poll_answer(struct session *s, uint64_t token, const struct protocol_answer *answer) {
    struct connection *c = s->connection;
    if (c->status != CONNECTION_OPEN || !c->protocol->answer)
        return;
    c->protocol->answer(c->state, token, answer, s->engine->now);
    connection_touch(c);
}

void poll_refuse(struct session *s, uint64_t token, enum status status, const char *words) {
    poll_answer(s, token, &(struct protocol_answer){.problem = status, .detail = slice_from(words), .retry_ms = 1000});
}

/* Its request is answered with what was gathered for it, and is over. */
static void finish(struct poll_wait *w) {
    struct protocol_answer answer = {.code = 204, .lines = SLICE_OF("Cache-Control: no-store\r\n")};
    struct session *s = w->session;
    uint64_t token = w->token;
    struct buffer bytes = w->bytes;
    if (w->count) {
        answer.code = 200;
        answer.content_type = w->is_proto ? SLICE_OF("application/cloudevents-batch+protobuf")
                                          : SLICE_OF("application/cloudevents-batch+json");
        answer.body = buffer_slice(&bytes);
    }
    w->bytes = (struct buffer){0};
    poll_wait_free(w);
    poll_answer(s, token, &answer);
    buffer_done(&bytes);
}

/* -- messages out -- */

static struct overlay with_id(const struct overlay *overlay, struct slice id) {
    struct overlay all;
    if (overlay)
        all = *overlay;
    else
        overlay_init(&all);
    overlay_set_text(&all, ATTRIBUTE_DELIVERYID, id);
    return all;
}

/* CloudEventBatch { 1: events }: field 1, a message of so many bytes. */
static void add_tag(struct buffer *out, size_t size) {
    buffer_add_byte(out, 0x0a);
    for (; size > 0x7f; size >>= 7)
        buffer_add_byte(out, (uint8_t)(size & 0x7f) | 0x80);
    buffer_add_byte(out, (uint8_t)size);
}

/* A stream's event: each line of it behind `data: ` (WHATWG HTML section 9.2.6). */
static void add_event(struct buffer *out, struct slice id, struct slice event) {
    buffer_add_text(out, "id: ");
    buffer_add(out, id);
    buffer_add_text(out, "\nevent: message\n");
    while (event.size) {
        size_t size = 0;
        while (size < event.size && event.data[size] != '\n' && event.data[size] != '\r')
            size++;
        buffer_add_text(out, "data: ");
        buffer_add(out, slice_head(event, size));
        buffer_add_byte(out, '\n');
        bool is_pair = size + 1 < event.size && event.data[size] == '\r' && event.data[size + 1] == '\n';
        event = slice_skip(event, size + 1 + is_pair);
    }
    buffer_add_byte(out, '\n');
}

static void add_message(struct poll_wait *w, struct slice id, struct slice event) {
    struct buffer *out = &w->bytes;
    if (w->poll->is_stream) {
        add_event(out, id, event);
    } else if (w->is_proto) {
        add_tag(out, event.size);
        buffer_add(out, event);
    } else {
        if (w->count)
            out->data[out->size - 1] = ','; /* it was the array's end */
        else
            buffer_add_byte(out, '[');
        buffer_add(out, event);
        buffer_add_byte(out, ']');
    }
}

static enum status add_to(struct poll_wait *w, const struct message *message, const struct overlay *overlay, uint64_t token) {
    struct buffer *scratch = &w->session->connection->net->worker.scratch;
    char id[POLL_ID_SIZE];
    poll_id_write(w->poll, token, id);
    struct slice text = slice_make(id, sizeof id);
    struct overlay all = with_id(overlay, text);
    size_t before = w->bytes.size;
    buffer_clear(scratch);
    enum status status = w->is_proto ? message_encode_proto(message, &all, scratch) : message_encode_json(message, &all, scratch);
    if (status != STATUS_OK)
        return status;
    add_message(w, text, buffer_slice(scratch));
    status = w->bytes.status;
    if (status != STATUS_OK) { /* as it was */
        w->bytes.status = STATUS_OK;
        w->bytes.size = before;
        if (before && !w->poll->is_stream && !w->is_proto)
            w->bytes.data[before - 1] = ']';
    }
    return status;
}

static enum status row_send(void *state, const struct message *message, const struct overlay *overlay,
                            const struct protocol_send *options, struct now now) {
    struct poll *p = state;
    struct poll_wait *w = first_wait(p);
    if (p->sink->room.messages == 0 || !w)
        return STATUS_OVERLOADED;
    if (!reserve(p))
        return STATUS_NO_MEMORY;
    enum status status = add_to(w, message, overlay, options->token);
    if (status != STATUS_OK)
        return status;
    ASSERT(p->count == 0 || options->token == p->base + p->count);
    if (p->count == 0)
        p->base = options->token;
    *entry_at(p, p->count++) = (struct poll_entry){
        .due = p->has_acks ? mono_after(now.mono, p->ack_ns) : MONO_NEVER, .state = p->has_acks ? ENTRY_OPEN : ENTRY_WRITTEN};
    p->open++;
    w->count++;
    poll_look(p);
    return STATUS_OK;
}

/* -- the row -- */

static void row_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker, struct protocol_sink *sink,
                     const struct address *peer, struct now now) {
    struct poll *p = state;
    (void)setup, (void)worker, (void)peer;
    p->sink = sink;
    p->connection = sink->user;
    p->base = 1;
    p->idle_until = now.mono;
    list_init(&p->waits);
    sink->terms = (struct protocol_terms){.acks = true, .times_acks = true, .when_full = PROTOCOL_FULL_WAIT};
    sink->due = now.mono;
}

static size_t row_feed(void *state, struct slice bytes, bool ended, struct now now) {
    (void)state, (void)ended, (void)now;
    return bytes.size;
}

static void row_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now) {
    (void)state, (void)first, (void)last, (void)status, (void)retry_ms, (void)now; /* it sends nothing */
}

/* Answered, or given up: its window is free, and an ack that follows isn't late. */
static void row_cancel(void *state, uint64_t token, struct now now) {
    struct poll *p = state;
    struct poll_entry *entry = entry_of(p, token);
    (void)now;
    if (!entry || (entry->state != ENTRY_OPEN && entry->state != ENTRY_RETRY))
        return;
    entry->state = ENTRY_GIVEN_UP;
    p->sink->due = p->engine->now.mono;
}

static void write_stream(struct poll *p, struct poll_wait *w, struct slice bytes, bool last, struct now now) {
    struct connection *c = w->session->connection;
    if (c->status != CONNECTION_OPEN)
        return;
    uint64_t before = c->out.added;
    c->protocol->stream(c->state, w->token, bytes, last, now);
    connection_touch(c);
    for (uint32_t i = 0; i < p->count && c->out.added > before; i++) /* without memory nothing was written */
        if (entry_at(p, i)->state == ENTRY_WRITTEN && entry_at(p, i)->end == 0)
            entry_at(p, i)->end = c->out.added;
}

static void row_flush(void *state, struct now now) {
    struct poll *p = state;
    struct poll_wait *w = first_wait(p);
    if (w && w->count && p->is_stream) {
        write_stream(p, w, buffer_slice(&w->bytes), false, now);
        buffer_done(&w->bytes);
        buffer_init(&w->bytes, POLL_ANSWER_MAX);
        w->count = 0;
        w->until = mono_after(now.mono, POLL_HEARTBEAT_NS);
    } else if (w && w->count) {
        finish(w);
    }
    poll_look(p);
}

static void row_tick(void *state, struct now now) {
    struct poll *p = state;
    for (struct list_node *node = list_first(&p->waits); node;) {
        struct poll_wait *w = LIST_ENTRY(node, struct poll_wait, node);
        node = list_next(&p->waits, node);
        if (!mono_due(w->until, now.mono))
            continue;
        if (p->is_stream) {
            w->until = mono_after(now.mono, POLL_HEARTBEAT_NS);
            write_stream(p, w, SLICE_OF(":\n\n"), false, now);
        } else {
            finish(w);
        }
    }
    settle_due(p, now.mono);
    if (p->waits.count == 0 && p->open == 0 && mono_due(p->idle_until, now.mono)) {
        p->sink->closing = true;
        p->sink->close_status = STATUS_IDLE_TIMEOUT;
    }
    poll_look(p);
}

static void row_shut(void *state, enum status status, struct now now) {
    struct poll *p = state;
    struct list_node *node;
    while ((node = list_first(&p->waits))) {
        struct poll_wait *w = LIST_ENTRY(node, struct poll_wait, node);
        if (!p->is_stream) {
            finish(w);
            continue;
        }
        write_stream(p, w, buffer_slice(&w->bytes), true, now);
        poll_wait_free(w);
    }
    p->sink->closing = true;
    p->sink->close_status = status;
    poll_look(p);
}

static void row_done(void *state) {
    struct poll *p = state;
    if (p->sink)
        memory_free(p->entries);
}

const struct protocol poll_row = {
    .name = "http1",
    .state_size = sizeof(struct poll),
    .open = row_open,
    .feed = row_feed,
    .send = row_send,
    .settle = row_settle,
    .cancel = row_cancel,
    .flush = row_flush,
    .tick = row_tick,
    .shut = row_shut,
    .done = row_done,
};
