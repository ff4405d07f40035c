/* The row of HTTP/1.1 in the protocol table: both roles behind one state. */
#include "protocol/http1/http1.h"

#include <stdio.h>

#include "protocol/http1/inner.h"
#include "protocol/http1/problem.h"

/* -- shared -- */

void http1_close(struct http1 *h, enum status status) {
    if (h->sink->closing)
        return;
    h->sink->closing = true;
    h->sink->reading_done = true;
    h->sink->close_status = status;
    h->sink->paused = false;
    h->sink->due = MONO_NEVER;
    h->sink->room = (struct protocol_room){0};
    h->sink->gathers = false;
    if (h->setup->role == PROTOCOL_ACCEPTED)
        h->server.in.phase = PHASE_OVER;
    else
        h->client.in.phase = PHASE_OVER;
}

/* The body of a refusal tells why: a short one is waited for. */
bool http1_waits_for_words(struct http1 *h, const struct http1_head *head, struct slice bytes) {
    size_t need = head->size + (size_t)head->length;
    if (head->code < 400 || head->framing != HTTP1_LENGTH || head->length > HTTP1_WORDS_MAX || bytes.size >= need)
        return false;
    h->sink->want = need;
    return true;
}

/* Of the body only what came with the head, of a known length and not packed: for people who read why a message died. */
void http1_tell_answer(struct http1 *h, const struct http1_head *head, struct slice bytes, struct protocol_outcome outcome,
                       void (*tell)(struct http1 *h, struct protocol_outcome outcome)) {
    struct slice body = slice_skip(bytes, head->size);
    bool is_plain = head->framing == HTTP1_LENGTH && !head->known[HTTP1_CONTENT_ENCODING];
    h->worker->answer.code = (uint16_t)head->code;
    h->worker->answer.words = is_plain ? slice_head(body, (size_t)head->length) : slice_make("", 0);
    tell(h, outcome);
    h->worker->answer.code = 0;
    h->worker->answer.words = slice_make("", 0);
}

struct mono http1_after(struct now now, int64_t delay_ns) {
    return delay_ns > 0 ? mono_after(now.mono, delay_ns) : MONO_NEVER;
}

struct mono http1_body_due(const struct http1 *h, uint64_t size, struct now now) {
    if (h->setup->timeouts.head_ns <= 0 || h->setup->limits.min_rate == 0)
        return MONO_NEVER;
    return mono_after(now.mono, h->setup->timeouts.head_ns + (int64_t)(size / h->setup->limits.min_rate) * NS_PER_S);
}

void http1_invalid(struct http1 *h, enum status status, const char *words) {
    struct message_fault fault = {.status = status};
    if (!h->sink->calls->invalid)
        return;
    snprintf(fault.text, sizeof fault.text, "%s", words ? words : "");
    h->sink->calls->invalid(h->sink->user, &fault);
}

/* -- requests, for those who answer them -- */

struct slice http1_field(const struct protocol_request *request, struct slice name) {
    return http1_find(request->head, name);
}

struct slice http1_parameter(const struct protocol_request *request, struct slice name) {
    struct slice rest = request->query;
    while (rest.size) {
        struct slice pair = slice_head(rest, slice_find(rest, '&'));
        rest = slice_skip(rest, pair.size + 1);
        size_t equals = slice_find(pair, '=');
        if (slice_equal(slice_head(pair, equals), name))
            return equals < pair.size ? slice_skip(pair, equals + 1) : SLICE_OF("");
    }
    return slice_make(NULL, 0);
}

/* -- the row -- */

static bool is_accepted(const struct http1 *h) {
    return h->setup->role == PROTOCOL_ACCEPTED;
}

static void http1_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                       struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct http1 *h = state;
    (void)peer;
    h->setup = setup;
    h->worker = worker;
    h->sink = sink;
    if (is_accepted(h))
        server_open(h, now);
    else
        client_open(h, now);
}

static size_t http1_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct http1 *h = state;
    return is_accepted(h) ? server_feed(h, bytes, ended, now) : client_feed(h, bytes, ended, now);
}

static enum status http1_send(void *state, const struct message *message, const struct overlay *overlay,
                              const struct protocol_send *options, struct now now) {
    struct http1 *h = state;
    return is_accepted(h) ? server_send(h, message, overlay, options, now)
                          : client_send(h, message, overlay, options, now);
}

static void http1_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms,
                         struct now now) {
    struct http1 *h = state;
    if (is_accepted(h))
        server_settle(h, first, last, status, retry_ms, now);
    /* Dialled: what became of a reply is nothing that its sender can be told. */
}

/* An exchange that is under way goes on to its end: the connection could not be used again otherwise. */
static void http1_cancel(void *state, uint64_t token, struct now now) {
    (void)state;
    (void)token;
    (void)now;
}

static void http1_flush(void *state, struct now now) {
    struct http1 *h = state;
    if (!is_accepted(h))
        client_flush(h, now);
}

static void http1_tick(void *state, struct now now) {
    struct http1 *h = state;
    if (is_accepted(h))
        server_tick(h, now);
    else
        client_tick(h, now);
}

static void http1_fail(void *state, enum status status, const char *words, struct now now) {
    struct http1 *h = state;
    if (is_accepted(h))
        server_fail(h, status, words, now);
    else if (h->client.relay)
        relay_client_fail(h, status, words);
    else
        http1_close(h, status);
}

static void http1_shut(void *state, enum status status, struct now now) {
    struct http1 *h = state;
    if (is_accepted(h))
        server_shut(h, status, now);
    else
        client_shut(h, status, now);
}

static size_t http1_refusal(enum status status, char *out, size_t room) {
    const struct status_row *row = status_row(status);
    char body[300];
    int body_size = snprintf(body, sizeof body, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%u,\"reason\":\"%s\"}",
                             row->reason, row->title, (unsigned)row->http, row->reason);
    int size = snprintf(out, room, "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n%sConnection: close\r\n\r\n%s",
                        (unsigned)row->http, problem_phrase(row->http), body_size, row->http == 503 ? "Retry-After: 1\r\n" : "", body);
    return size > 0 && (size_t)size < room ? (size_t)size : 0;
}

static void http1_once(void *state, const struct once_verdict *verdict, struct now now) {
    once_verdict(state, verdict, now);
}

static void http1_pull_answer(void *state, uint64_t token, const struct protocol_answer *answer, struct now now) {
    struct http1 *h = state;
    if (is_accepted(h))
        pull_answer(h, token, answer, now);
}

static void http1_stream(void *state, uint64_t token, struct slice bytes, bool last, struct now now) {
    struct http1 *h = state;
    if (is_accepted(h))
        pull_stream(h, token, bytes, last, now);
}

/* With acks the user keeps what isn't settled. */
static bool http1_recover(void *state, struct slice sent, struct message *ret_message) {
    (void)state;
    (void)sent;
    (void)ret_message;
    return false;
}

static void http1_done(void *state) {
    struct http1 *h = state;
    if (!h->setup)
        return; /* never opened: a dial that failed */
    if (is_accepted(h))
        server_done(h);
    else
        client_done(h);
}

const struct protocol protocol_http1 = {
    .name = "http1",
    .state_size = sizeof(struct http1),
    .open = http1_open,
    .feed = http1_feed,
    .send = http1_send,
    .settle = http1_settle,
    .cancel = http1_cancel,
    .flush = http1_flush,
    .tick = http1_tick,
    .fail = http1_fail,
    .refusal = http1_refusal,
    .shut = http1_shut,
    .answer = http1_pull_answer,
    .once = http1_once,
    .stream = http1_stream,
    .streams = &http1_streams,
    .recover = http1_recover,
    .done = http1_done,
};
