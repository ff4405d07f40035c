/* The accepted role: requests in, one exchange at a time, answers in order. */
#include "base/memory.h"
#include "protocol/http1/inner.h"
#include "protocol/http1/problem.h"

#define SKIP_SLACK 65536 /* what chunk lines may add to a body that is read past */

void server_open(struct http1 *h, struct now now) {
    h->sink->terms = (struct protocol_terms){.inline_reply = true, .answers_bounded = true, .when_full = PROTOCOL_FULL_WAIT};
    h->sink->due = http1_after(now, h->setup->timeouts.idle_ns);
}

/* The request broke a rule that leaves its end unknown: answer, close, throw away what comes. */
static size_t give_up(struct http1 *h, enum status status, const char *words, struct now now) {
    struct http1_server *s = &h->server;
    s->keep = s->is_head = s->is_old = s->has_receipt = s->fetches = false;
    s->coding = CODING_NONE;
    s->after = PHASE_OVER;
    answer_problem(h, status, slice_from(words), 0, slice_make(NULL, 0), now);
    answer_end(h, status, now);
    http1_invalid(h, status, words);
    return 0;
}

static size_t ended_early(struct http1 *h, struct now now) {
    return give_up(h, STATUS_PROTOCOL_ERROR, "the request ends in its middle", now);
}

/* -- bodies -- */

void server_free_held(struct http1 *h) {
    struct http1_held *held = h->server.held;
    h->server.held = NULL;
    h->sink->held = 0;
    if (held)
        buffer_done(&held->bytes);
    memory_free(held);
}

static void maybe_continue(struct http1 *h, const struct http1_head *head, bool body_began) {
    struct http1_server *s = &h->server;
    if (s->continued || body_began || head->minor == 0 || !http1_known(head, HTTP1_EXPECT).data)
        return;
    s->continued = true;
    if (!chain_add(h->sink->out, SLICE_OF("HTTP/1.1 100 Continue\r\n\r\n")))
        http1_close(h, STATUS_NO_MEMORY);
}

/* Of known length: it stays with the connection until it is whole, and is read in place. */
static size_t take_whole(struct http1 *h, const struct http1_head *head, struct slice bytes, bool ended, struct now now) {
    struct http1_server *s = &h->server;
    size_t need = head->size + (size_t)head->length;
    if (bytes.size >= need) {
        exchange_begin(h, head, slice_make(bytes.data + head->size, (size_t)head->length), now);
        return need;
    }
    if (ended)
        return ended_early(h, now);
    if (!s->checked) {
        s->checked = true;
        h->sink->due = http1_body_due(h, head->length, now);
    }
    maybe_continue(h, head, bytes.size > head->size);
    h->sink->want = need;
    return 0;
}

static size_t begin_chunks(struct http1 *h, const struct http1_head *head, struct slice bytes, struct now now) {
    struct http1_in *in = &h->server.in;
    struct http1_held *held = memory_new(sizeof *held);
    if (!held)
        return give_up(h, STATUS_NO_MEMORY, "", now);
    h->server.held = held;
    buffer_init(&held->bytes, (size_t)h->setup->limits.header + h->setup->limits.message + 2);
    buffer_add(&held->bytes, slice_head(bytes, head->size));
    if (held->bytes.status != STATUS_OK)
        return give_up(h, held->bytes.status, "", now);
    held->head = head->size;
    in->phase = PHASE_CHUNKS;
    h->sink->held = held->bytes.capacity;
    chunked_init(&in->chunked);
    h->sink->due = http1_body_due(h, h->setup->limits.message, now);
    maybe_continue(h, head, bytes.size > head->size);
    return head->size;
}

static void finish_chunks(struct http1 *h, struct now now) {
    struct http1_head head;
    struct slice held = buffer_slice(&h->server.held->bytes);
    size_t head_size = h->server.held->head;
    /* Said DONE once, to the same bytes. */
    if (http1_parse_request(&head, slice_head(held, head_size), http1_limits(h)) != HTTP1_DONE)
        give_up(h, STATUS_INTERNAL, "", now);
    else
        exchange_begin(h, &head, slice_skip(held, head_size), now);
    if (!once_waits(h))
        server_free_held(h); /* what the message borrowed was its own only until here */
}

static size_t take_chunks(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_in *in = &h->server.in;
    struct buffer *held = &h->server.held->bytes;
    struct slice rest = bytes, data;
    while (rest.size) {
        enum http1_result result = chunked_next(&in->chunked, &rest, &data);
        if (result == HTTP1_BAD)
            return give_up(h, STATUS_PROTOCOL_ERROR, in->chunked.words, now);
        if (result == HTTP1_DONE) {
            finish_chunks(h, now);
            return bytes.size - rest.size;
        }
        /* With what the chunk has yet to bring: a size that is a lie or a bomb is known by its first byte. */
        if (data.size && held->size - h->server.held->head + data.size + in->chunked.left > h->setup->limits.message)
            return give_up(h, STATUS_TOO_LARGE, "the body is larger than `limits.message`", now);
        buffer_add(held, data);
        if (held->status != STATUS_OK)
            return give_up(h, held->status, "", now);
    }
    h->sink->held = held->capacity;
    if (ended)
        ended_early(h, now);
    return bytes.size;
}

static void skipped(struct http1 *h, struct now now) {
    h->server.in.phase = PHASE_HEAD;
    h->sink->due = http1_after(now, h->setup->timeouts.idle_ns);
}

static size_t skip_length(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_in *in = &h->server.in;
    size_t size = in->skip < bytes.size ? (size_t)in->skip : bytes.size;
    in->skip -= size;
    if (in->skip == 0)
        skipped(h, now);
    else if (ended)
        http1_close(h, STATUS_PEER_CLOSED);
    return size;
}

static size_t skip_chunks(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_in *in = &h->server.in;
    struct slice rest = bytes, data;
    enum http1_result result = HTTP1_MORE;
    while (rest.size && result == HTTP1_MORE)
        result = chunked_next(&in->chunked, &rest, &data);
    in->skip += bytes.size - rest.size;
    /* It was answered already. */
    if (result == HTTP1_BAD)
        http1_close(h, STATUS_PROTOCOL_ERROR);
    else if (in->skip > (uint64_t)h->setup->limits.message + SKIP_SLACK)
        http1_close(h, STATUS_TOO_LARGE);
    else if (result == HTTP1_DONE)
        skipped(h, now);
    else if (ended)
        http1_close(h, STATUS_PEER_CLOSED);
    return bytes.size - rest.size;
}

/* -- heads -- */

static void note_head(struct http1 *h, const struct http1_head *head) {
    struct http1_server *s = &h->server;
    s->is_old = head->minor == 0;
    s->coding = CODING_NONE;
    s->is_head = slice_is(head->method, "HEAD");
    /* RFC 9112 section 9.3 */
    s->keep = !head->wants_close && (head->minor >= 1 || head->wants_keep) && (!h->worker->is_leaving || h->setup->is_admin);
}

static size_t more_head(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    if (!ended)
        return 0;
    if (bytes.size <= 2 && bytes.data[0] == '\r') {
        http1_close(h, STATUS_PEER_CLOSED);
        return 0;
    }
    return ended_early(h, now);
}

static size_t take_head(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    struct http1_server *s = &h->server;
    struct http1_head head;
    if (bytes.size == 0) {
        if (ended)
            http1_close(h, STATUS_PEER_CLOSED);
        return 0;
    }
    if (!s->in.timing) {
        s->in.timing = true;
        h->sink->due = http1_after(now, h->setup->timeouts.head_ns);
    }
    /* From its start each time: at 32 KiB at most that is cheaper than what a resumable parser would cost all others. */
    enum http1_result result = http1_parse_request(&head, bytes, http1_limits(h));
    if (result == HTTP1_MORE)
        return more_head(h, bytes, ended, now);
    if (result == HTTP1_BAD)
        return give_up(h, head.status, head.words, now);
    note_head(h, &head);
    if (head.framing == HTTP1_LENGTH && head.length > h->setup->limits.message && !rest_streams(h, &head))
        return give_up(h, STATUS_TOO_LARGE, "the body is larger than `limits.message`", now);
    if (!s->checked && !exchange_check(h, &head, now))
        return head.size; /* answered, or on its way as it comes */
    return head.framing == HTTP1_CHUNKED ? begin_chunks(h, &head, bytes, now) : take_whole(h, &head, bytes, ended, now);
}

size_t server_feed(struct http1 *h, struct slice bytes, bool ended, struct now now) {
    if (h->server.relay)
        return relay_server_feed(h, bytes, ended, now);
    switch (h->server.in.phase) {
    case PHASE_HEAD:
        return take_head(h, bytes, ended, now);
    case PHASE_CHUNKS:
        return take_chunks(h, bytes, ended, now);
    case PHASE_SKIP:
        return skip_length(h, bytes, ended, now);
    case PHASE_SKIP_CHUNKS:
        return skip_chunks(h, bytes, ended, now);
    case PHASE_OPEN:
        if (h->server.watches)
            pull_disturb(h, ended);
        return 0;
    default:
        return bytes.size;
    }
}

/* -- answers -- */

enum status server_send(struct http1 *h, const struct message *message, const struct overlay *overlay,
                        const struct protocol_send *options, struct now now) {
    struct http1_server *s = &h->server;
    if (s->token == 0 || options->reply_to != s->token || s->is_http || s->batch)
        return STATUS_NOT_SUPPORTED;
    enum status status = s->is_rest ? rest_answer(h, message, overlay, now) : answer_reply(h, message, overlay, now);
    if (status == STATUS_OK)
        answer_end(h, STATUS_OK, now);
    return status;
}

void server_settle(struct http1 *h, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms, struct now now) {
    struct http1_server *s = &h->server;
    char words[PROBLEM_DETAIL_MAX];
    size_t size = 0;
    if (s->batch) {
        batch_settle(h, first, last, status, now);
        return;
    }
    if (s->token == 0 || first > s->token || last < s->token)
        return;
    if (status == STATUS_OK && s->is_http) {
        answer_write(h, &(struct answer){.code = 204}, now);
    } else if (status == STATUS_OK && s->later) {
        answer_later(h, now);
    } else if (status == STATUS_OK) {
        answer_accepted(h, now);
    } else if (status == STATUS_DUPLICATE && h->worker->again) {
        answer_duplicate(h, now);
    } else {
        if (h->sink->calls->detail)
            size = h->sink->calls->detail(h->sink->user, s->token, status, words, sizeof words);
        answer_problem(h, status, slice_make(words, size), retry_ms, slice_make(NULL, 0), now);
    }
    answer_end(h, STATUS_OK, now);
}

void http1_answer(void *state, uint64_t token, unsigned code, struct slice content_type, struct slice body,
                  struct slice lines, struct now now) {
    struct http1 *h = state;
    if (h->setup->role != PROTOCOL_ACCEPTED || h->server.token != token || !h->server.is_http || token == 0)
        return;
    answer_write(h, &(struct answer){code, content_type, body, lines}, now);
    answer_end(h, STATUS_OK, now);
}

void http1_answer_problem(void *state, uint64_t token, enum status status, struct slice detail, struct now now) {
    struct http1 *h = state;
    if (h->setup->role != PROTOCOL_ACCEPTED || h->server.token != token || !h->server.is_http || token == 0)
        return;
    answer_problem(h, status, detail, 0, slice_make(NULL, 0), now);
    answer_end(h, STATUS_OK, now);
}

/* -- time and endings -- */

void server_tick(struct http1 *h, struct now now) {
    struct http1_in *in = &h->server.in;
    if (once_tick(h, now))
        return;
    if (in->phase == PHASE_OPEN || in->phase == PHASE_OVER || h->server.relay)
        return;
    if (in->phase == PHASE_HEAD && !in->timing)
        http1_close(h, STATUS_IDLE_TIMEOUT);
    else if (in->phase == PHASE_SKIP || in->phase == PHASE_SKIP_CHUNKS)
        http1_close(h, STATUS_HEAD_TIMEOUT); /* answered already */
    else
        give_up(h, STATUS_HEAD_TIMEOUT, "the request did not come in time", now);
}

void server_fail(struct http1 *h, enum status status, const char *words, struct now now) {
    struct http1_in *in = &h->server.in;
    if (h->server.relay)
        relay_server_fail(h, status);
    else if (in->phase == PHASE_CHUNKS || (in->phase == PHASE_HEAD && in->timing))
        give_up(h, status, words, now);
    else
        http1_close(h, status); /* nothing has begun, or it was answered already */
}

void server_shut(struct http1 *h, enum status status, struct now now) {
    struct http1_server *s = &h->server;
    (void)now;
    s->shutting = true;
    s->shut_status = status;
    if (s->in.phase == PHASE_HEAD && !s->in.timing)
        http1_close(h, status);
    else if (s->in.phase == PHASE_SKIP || s->in.phase == PHASE_SKIP_CHUNKS)
        http1_close(h, status);
}

void server_done(struct http1 *h) {
    batch_free(h);
    once_free(h);
    server_free_held(h);
    memory_free(h->server.key);
    memory_free(h->server.relay);
}
