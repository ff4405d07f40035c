/* The dialled role until the handshake is done: one request, one answer, then the connection becomes a WebSocket. */
#include "base/memory.h"
#include "base/text.h"
#include "protocol/opening.h"
#include "protocol/websocket/websocket.h"

struct dial {
    const struct protocol_setup *setup;
    struct protocol_sink *sink;
    struct protocol_worker *worker;
    char key[WS_KEY_SIZE];
};

static struct ws_rules rules_of(const struct protocol_setup *setup) {
    return (struct ws_rules){.contents = setup->websocket.contents, .deflate = setup->websocket.deflate};
}

static void end(struct dial *d, enum status status, const char *words) {
    struct message_fault fault = {.status = status};
    if (d->sink->closing)
        return;
    d->sink->closing = true;
    d->sink->reading_done = true;
    d->sink->close_status = status;
    if (words && d->sink->calls->invalid) {
        control_fault(&fault, status, "%s", words);
        d->sink->calls->invalid(d->sink->user, &fault);
    }
}

static void dial_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                      struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct dial *d = state;
    struct ws_rules rules = rules_of(setup);
    struct buffer *out = &worker->scratch;
    uint64_t random[2] = {rng_next(&worker->ids.rng), rng_next(&worker->ids.rng)};
    (void)peer;
    d->setup = setup;
    d->sink = sink;
    d->worker = worker;
    sink->greets = true;
    sink->due = setup->timeouts.head_ns > 0 ? mono_after(now.mono, setup->timeouts.head_ns) : MONO_NEVER;
    text_base64_put(d->key, slice_make(random, sizeof random));
    buffer_clear(out);
    buffer_add_text(out, "GET ");
    buffer_add(out, setup->path);
    buffer_add_text(out, " HTTP/1.1\r\nHost: ");
    buffer_add(out, setup->host);
    buffer_add_text(out, "\r\nUser-Agent: intertie/" INTERTIE_VERSION "\r\n");
    if (setup->own_key.size) {
        buffer_add_text(out, "Authorization: Bearer ");
        buffer_add(out, setup->own_key);
        buffer_add_text(out, "\r\n");
    }
    buffer_add(out, (sink->presents ? sink->presents : &setup->presents)->lines);
    ws_request_write(&rules, slice_make(d->key, sizeof d->key), out);
    buffer_add_text(out, "\r\n");
    if (out->status != STATUS_OK || !chain_add(sink->out, buffer_slice(out)))
        end(d, STATUS_NO_MEMORY, NULL);
}

static size_t become(struct dial *d, const struct http1_head *head) {
    struct ws_agreed agreed;
    const char *words;
    struct ws_rules rules = rules_of(d->setup);
    enum status status = ws_answer_check(head, &rules, slice_make(d->key, sizeof d->key), &agreed, &words);
    if (status != STATUS_OK) {
        end(d, head->code == 401 || head->code == 403 ? STATUS_FORBIDDEN : status, words);
        return 0;
    }
    if (!ws_gift_put(d->worker, &agreed, true)) {
        end(d, STATUS_NO_MEMORY, NULL);
        return 0;
    }
    d->sink->greets = false;
    d->sink->become = agreed.content == WS_STREAM ? &protocol_websocket_stream : &protocol_websocket;
    return head->size;
}

static size_t dial_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct dial *d = state;
    struct http1_head head;
    struct http1_limits limits = {d->setup->limits.header, d->setup->limits.fields};
    (void)now;
    if (bytes.size == 0) {
        if (ended)
            end(d, STATUS_PEER_CLOSED, NULL);
        return 0;
    }
    switch (http1_parse_response(&head, bytes, limits)) {
    case HTTP1_MORE:
        if (ended)
            end(d, STATUS_PEER_CLOSED, "the answer to the WebSocket handshake ends in its middle");
        return 0;
    case HTTP1_BAD:
        end(d, STATUS_UPSTREAM_ERROR, head.words);
        return bytes.size;
    case HTTP1_DONE:
        break;
    }
    size_t used = become(d, &head);
    return d->sink->closing ? bytes.size : used;
}

static void dial_tick(void *state, struct now now) {
    (void)now;
    end(state, STATUS_HEAD_TIMEOUT, "the answer to the WebSocket handshake did not come in time");
}

static void dial_shut(void *state, enum status status, struct now now) {
    (void)now;
    end(state, status, NULL);
}

const struct protocol protocol_websocket_dial = {
    .name = "websocket", /* which it becomes, and so it is counted */
    .state_size = sizeof(struct dial),
    .keeps_open = true,
    .open = dial_open,
    .feed = dial_feed,
    .send = opening_send,
    .settle = opening_settle,
    .cancel = opening_cancel,
    .tick = dial_tick,
    .shut = dial_shut,
    .recover = opening_recover,
    .done = opening_done,
};
