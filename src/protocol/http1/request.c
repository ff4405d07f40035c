/* Requests of the dialled role: one event each, several ahead of their answers, or many events in one. */
#include "base/memory.h"
#include "protocol/http1/coded.h"
#include "protocol/http1/gather.h"
#include "protocol/http1/present.h"

#define FIXED_ROOM (320 + CODED_ACCEPT_MAX + CODED_LINE_MAX) /* of a request's head beside host, path and what describes the body */

/* -- room -- */

static uint32_t pipeline(const struct http1 *h) {
    return h->setup->pipeline ? h->setup->pipeline : 1;
}

static uint32_t free_requests(const struct http1 *h) {
    return pipeline(h) - h->client.sent_count;
}

static bool gathers(const struct http1 *h) {
    return h->setup->batch.max > 0 && !h->client.singly;
}

static uint32_t messages_max(const struct http1 *h) {
    const struct http1_client *c = &h->client;
    uint32_t requests = free_requests(h);
    if (c->shutting || c->ends || c->in.phase == PHASE_OVER || h->sink->greets)
        return 0;
    if (!c->line)
        return gathers(h) ? requests * h->setup->batch.max : requests;
    if (!gathers(h) || c->line->is_refused || c->line_count > requests)
        return 0;
    uint32_t more = c->line_last->is_full || c->line_last->is_single ? 0 : h->setup->batch.max - c->line_last->count;
    return (requests - c->line_count) * h->setup->batch.max + more;
}

static struct mono due(const struct http1 *h, struct now now) {
    const struct http1_client *c = &h->client;
    bool waits = c->line && free_requests(h) > 0 && !c->ends;
    if (c->sent_count == 0)
        return waits ? c->line->due : http1_after(now, h->setup->timeouts.idle_ns);
    return waits ? mono_min(client_sent(c, 0)->due, c->line->due) : client_sent(c, 0)->due;
}

void client_look(struct http1 *h, struct now now) {
    if (h->client.in.phase == PHASE_OVER)
        return;
    if (h->client.relay) { /* all of it is that exchange's, and so is its time */
        h->sink->room = (struct protocol_room){0};
        h->sink->due = MONO_NEVER;
        return;
    }
    h->sink->room = (struct protocol_room){messages_max(h), UINT64_MAX};
    h->sink->gathers = h->client.line != NULL;
    h->sink->due = due(h, now);
}

/* -- what is on its way -- */

static bool reserve_sent(struct http1_client *c) {
    if (c->sent_count < c->sent_capacity)
        return true;
    uint32_t capacity = c->sent_capacity ? c->sent_capacity * 2 : 1;
    struct http1_sent *sent = memory_array(capacity, sizeof *sent);
    if (!sent)
        return false;
    for (uint32_t i = 0; i < c->sent_count; i++)
        sent[i] = *client_sent(c, i);
    memory_free(c->sent);
    c->sent = sent;
    c->sent_first = 0;
    c->sent_capacity = capacity;
    return true;
}

/* There is room: reserve_sent(). */
static void push_sent(struct http1 *h, struct http1_sent sent, int64_t timeout_ns, struct now now) {
    struct http1_client *c = &h->client;
    sent.end = h->sink->out->added;
    sent.due = http1_after(now, timeout_ns ? timeout_ns : h->setup->timeouts.attempt_ns);
    *client_sent(c, c->sent_count++) = sent;
    if (c->in.phase == PHASE_OPEN)
        c->in.phase = PHASE_HEAD;
}

/* -- one event, one request -- */

static enum api_mode structured_mode(const struct http1 *h) {
    return h->setup->encoding == ENCODING_PROTO ? API_PROTO : API_JSON;
}

static enum api_mode mode_for(const struct http1 *h, bool asks) {
    switch (h->setup->mode) {
    case PROTOCOL_MODE_AUTO:
    case PROTOCOL_MODE_BINARY:
        return API_BINARY;
    case PROTOCOL_MODE_STRUCTURED:
        break;
    case PROTOCOL_MODE_BATCH:
        /* A batch is answered with results, never with a reply. */
        if (!asks && !h->client.singly && h->setup->batch.max == 0)
            return h->setup->encoding == ENCODING_PROTO ? API_BATCH_PROTO : API_BATCH_JSON;
        break;
    }
    return structured_mode(h);
}

static void write_head(const struct http1 *h, struct slice method, struct buffer *out) {
    buffer_add(out, method);
    buffer_add(out, h->setup->path.size ? h->setup->path : SLICE_OF("/"));
    buffer_add(out, SLICE_OF(" HTTP/1.1\r\nHost: "));
    buffer_add(out, h->setup->host);
    buffer_add(out, SLICE_OF("\r\nUser-Agent: intertie/" INTERTIE_VERSION "\r\n"));
    present_add(h, out);
    if (h->setup->webhook.origin.size == 0)
        return;
    buffer_add(out, SLICE_OF("WebHook-Request-Origin: "));
    buffer_add(out, h->setup->webhook.origin);
    buffer_add(out, SLICE_OF("\r\n"));
}

static void write_start(const struct http1 *h, bool asks, struct buffer *out) {
    write_head(h, SLICE_OF("POST "), out);
    if (asks)
        buffer_add(out, SLICE_OF("Prefer: reply\r\n"));
    if (asks && h->setup->compress[0])
        coded_accept_line(h, out);
}

/* What we pack with: the first that `compress` names, until the peer says that it doesn't take that. */
static enum coding packing(const struct http1 *h) {
    return h->client.plainly ? CODING_NONE : (enum coding)h->setup->compress[0];
}

static uint8_t *begin(const struct http1 *h, size_t more, struct buffer *out) {
    size_t size = FIXED_ROOM + h->setup->path.size + h->setup->host.size + h->setup->webhook.origin.size + present_size(h) + more;
    uint8_t *at = chain_reserve(h->sink->out, size);
    if (at)
        buffer_init_fixed(out, at, size);
    return at;
}

enum status client_ask(struct http1 *h, struct now now) {
    struct buffer out;
    if (!reserve_sent(&h->client) || !begin(h, 0, &out))
        return STATUS_NO_MEMORY;
    write_head(h, SLICE_OF("OPTIONS "), &out);
    if (h->setup->webhook.rate) {
        buffer_add(&out, SLICE_OF("WebHook-Request-Rate: "));
        buffer_add_u64(&out, h->setup->webhook.rate);
        buffer_add(&out, SLICE_OF("\r\n"));
    }
    buffer_add(&out, SLICE_OF("\r\n"));
    chain_commit(h->sink->out, out.status == STATUS_OK ? out.size : 0);
    if (out.status == STATUS_OK)
        push_sent(h, (struct http1_sent){.is_question = true}, 0, now);
    return out.status;
}

static enum status send_one(struct http1 *h, const struct message *message, const struct overlay *overlay,
                            const struct protocol_send *options, struct now now) {
    struct leave leave;
    struct buffer out;
    enum api_mode otherwise = h->setup->mode == PROTOCOL_MODE_AUTO ? structured_mode(h) : API_BINARY;
    enum status status = leave_prepare(&leave, mode_for(h, options->asks), otherwise, message, overlay,
                                       &h->worker->scratch);
    if (status != STATUS_OK)
        return status;
    coded_leave(h, packing(h), &leave, message);
    if (!reserve_sent(&h->client) || !begin(h, leave_size(&leave), &out))
        return STATUS_NO_MEMORY;
    write_start(h, options->asks, &out);
    struct present_mark mark = present_begin(h, message, now, &out);
    leave_write(&leave, message, false, &out);
    present_sign(h, mark, leave.body_size, &out);
    chain_commit(h->sink->out, out.status == STATUS_OK ? out.size : 0);
    if (out.status == STATUS_OK)
        push_sent(h,
                  (struct http1_sent){.first = options->token, .count = 1, .asks = options->asks,
                                      .is_packed = leave.coding != CODING_NONE},
                  options->timeout_ns, now);
    return out.status;
}

/* A request of its own, where the peer is a REST service. */
static enum status send_rest(struct http1 *h, const struct message *message, const struct overlay *overlay,
                             const struct protocol_send *options, struct now now) {
    struct buffer *scratch = &h->worker->scratch;
    bool is_head = false;
    buffer_clear(scratch);
    enum status status = rest_request(h, message, overlay, scratch, &is_head, now);
    if (status != STATUS_OK)
        return status;
    if (!reserve_sent(&h->client) || !chain_add(h->sink->out, buffer_slice(scratch)))
        return STATUS_NO_MEMORY;
    push_sent(h, (struct http1_sent){.first = options->token, .count = 1, .asks = options->asks, .is_head = is_head},
              options->timeout_ns, now);
    return STATUS_OK;
}

/* -- events that wait -- */

static struct gather *join_line(struct http1 *h, uint64_t token, struct now now) {
    struct http1_client *c = &h->client;
    struct gather *gather = gather_new(h->setup->encoding == ENCODING_PROTO, h->setup->limits.message, token);
    if (!gather)
        return NULL;
    gather->due = mono_after(now.mono, h->setup->batch.wait_ns);
    if (c->line_last)
        c->line_last->next = gather;
    else
        c->line = gather;
    c->line_last = gather;
    c->line_count++;
    return gather;
}

static struct gather *leave_line(struct http1_client *c) {
    struct gather *gather = c->line;
    c->line = gather->next;
    gather->next = NULL;
    if (!c->line)
        c->line_last = NULL;
    c->line_count--;
    return gather;
}

/* The last one was opened for an event that could not be added. */
static void drop_last(struct http1_client *c) {
    struct gather *last = c->line_last, *before = NULL;
    for (struct gather *gather = c->line; gather != last; gather = gather->next)
        before = gather;
    if (before)
        before->next = NULL;
    else
        c->line = NULL;
    c->line_last = before;
    c->line_count--;
    gather_free(last);
}

static bool fits(const struct http1 *h, const struct gather *gather, size_t size) {
    return gather && !gather->is_full && !gather->is_single && !gather->is_refused &&
           gather->bytes.size + size + 16 <= h->setup->limits.message;
}

/* What was tried before goes alone: it may be the one that its companions were refused for. */
static enum status hold_back(struct http1 *h, const struct message *message, const struct overlay *overlay,
                             const struct protocol_send *options, struct now now) {
    struct http1_client *c = &h->client;
    struct buffer *scratch = &h->worker->scratch;
    bool is_proto = h->setup->encoding == ENCODING_PROTO, is_single = options->asks || options->attempt > 1;
    struct slice event = slice_make(message->wire, message->wire_size);
    if (message->encoding != (is_proto ? ENCODING_PROTO : ENCODING_JSON) || !overlay_is_empty(overlay)) {
        buffer_clear(scratch);
        enum status status = is_proto ? message_encode_proto(message, overlay, scratch)
                                      : message_encode_json(message, overlay, scratch);
        if (status != STATUS_OK)
            return status;
        event = buffer_slice(scratch);
    }
    bool begins = is_single || !fits(h, c->line_last, event.size);
    struct gather *gather = begins ? join_line(h, options->token, now) : c->line_last;
    enum status status = gather ? gather_add(gather, event) : STATUS_NO_MEMORY;
    if (status != STATUS_OK && begins && gather)
        drop_last(c);
    if (status != STATUS_OK)
        return status;
    gather->is_single = is_single;
    gather->asks = options->asks;
    gather->is_full = is_single || gather->count >= h->setup->batch.max;
    return STATUS_OK;
}

enum status client_send(struct http1 *h, const struct message *message, const struct overlay *overlay,
                        const struct protocol_send *options, struct now now) {
    if (h->sink->room.messages == 0)
        return STATUS_OVERLOADED;
    enum status status = h->setup->rest ? send_rest(h, message, overlay, options, now)
                         : gathers(h)   ? hold_back(h, message, overlay, options, now)
                                        : send_one(h, message, overlay, options, now);
    if (status == STATUS_OK)
        client_look(h, now);
    return status;
}

void client_split(struct http1 *h, struct gather *gather) {
    struct http1_client *c = &h->client;
    gather->is_single = gather->is_refused = gather->is_full = true;
    gather->next = c->line;
    c->line = gather;
    if (!c->line_last)
        c->line_last = gather;
    c->line_count++;
}

/* -- and their requests -- */

/* Packed where that is wanted and smaller: `ret_packed`. */
static enum status write_events(struct http1 *h, bool asks, struct slice media, struct slice events, bool *ret_packed) {
    struct buffer out;
    enum coding coding = coded_pack(h, packing(h), &events);
    if (!reserve_sent(&h->client) || !begin(h, events.size, &out))
        return STATUS_NO_MEMORY;
    write_start(h, asks, &out);
    buffer_add(&out, SLICE_OF("Content-Type: "));
    buffer_add(&out, media);
    buffer_add(&out, SLICE_OF("\r\n"));
    coded_line(coding, &out);
    buffer_add(&out, SLICE_OF("Content-Length: "));
    buffer_add_u64(&out, events.size);
    buffer_add(&out, SLICE_OF("\r\n\r\n"));
    buffer_add(&out, events);
    chain_commit(h->sink->out, out.status == STATUS_OK ? out.size : 0);
    *ret_packed = coding != CODING_NONE;
    return out.status;
}

static enum status request_batch(struct http1 *h, struct now now) {
    struct gather *gather = h->client.line;
    enum api_mode mode = gather->is_proto ? API_BATCH_PROTO : API_BATCH_JSON;
    bool is_packed;
    /* Its bracket goes again: should the batch be refused, its events are taken from here. */
    if (!gather->is_proto)
        buffer_add_byte(&gather->bytes, ']');
    if (gather->bytes.status != STATUS_OK)
        return gather->bytes.status;
    enum status status = write_events(h, false, leave_media(mode), buffer_slice(&gather->bytes), &is_packed);
    if (!gather->is_proto)
        gather->bytes.size--;
    if (status != STATUS_OK)
        return status;
    leave_line(&h->client);
    push_sent(h, (struct http1_sent){.first = gather->first, .count = gather->count, .is_packed = is_packed, .gather = gather}, 0, now);
    return STATUS_OK;
}

static enum status request_next(struct http1 *h, struct now now) {
    struct gather *gather = h->client.line;
    struct slice media = leave_media(gather->is_proto ? API_PROTO : API_JSON);
    bool is_packed;
    enum status status = write_events(h, gather->asks, media, gather_event(gather, gather->gone), &is_packed);
    if (status != STATUS_OK)
        return status;
    push_sent(h,
              (struct http1_sent){.first = gather->first + gather->gone, .count = 1, .asks = gather->asks, .is_packed = is_packed},
              0, now);
    if (++gather->gone == gather->count)
        gather_free(leave_line(&h->client));
    return STATUS_OK;
}

void client_flush(struct http1 *h, struct now now) {
    struct http1_client *c = &h->client;
    if (c->in.phase == PHASE_OVER)
        return;
    while (c->line && free_requests(h) > 0 && !c->ends) {
        struct gather *gather = c->line;
        /* With a request behind it, or the end before it, there is nothing to wait for. */
        bool waits = !gather->is_full && !gather->next && !c->shutting && !mono_due(gather->due, now.mono);
        if (waits)
            break;
        enum status status = gather->is_single ? request_next(h, now) : request_batch(h, now);
        if (status != STATUS_OK) {
            http1_close(h, status);
            return;
        }
    }
    client_look(h, now);
}
