/* Probes that ask over HTTP: a GET whose status and body count, and the WebSocket handshake with a ping behind it. */
#include "base/text.h"
#include "protocol/opening.h"
#include "protocol/probe/probe.h"
#include "protocol/websocket/frame.h"

#define CLOSE_NORMAL 1000

static void write_head(struct probe *p, struct buffer *out) {
    const struct protocol_setup *setup = p->setup;
    buffer_clear(out);
    buffer_add_text(out, "GET ");
    buffer_add(out, setup->path);
    buffer_add_text(out, " HTTP/1.1\r\nHost: ");
    buffer_add(out, setup->host);
    buffer_add_text(out, "\r\nUser-Agent: intertie/" INTERTIE_VERSION "\r\n");
    buffer_add(out, setup->presents.lines);
}

static void send_head(struct probe *p, struct buffer *out) {
    buffer_add_text(out, "\r\n");
    if (out->status == STATUS_OK)
        probe_send(p, buffer_slice(out));
    else
        probe_shut(p, out->status, (struct now){0});
}

/* The whole head of an answer; false while there is none, or it is bad. */
static bool has_head(struct probe *p, struct http1_head *head, struct slice bytes, bool ended) {
    struct http1_limits limits = {p->setup->limits.header, p->setup->limits.fields};
    enum http1_result result = bytes.size ? http1_parse_response(head, bytes, limits) : HTTP1_MORE;
    if (result == HTTP1_BAD)
        probe_bad(p, "GET %.*s: %s", SLICE_ARG(probe_path(p)), head->words);
    else if (result == HTTP1_MORE && ended)
        probe_bad(p, "GET %.*s: the connection ended before the answer", SLICE_ARG(probe_path(p)));
    return result == HTTP1_DONE;
}

/* -- GET -- */

static void http_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                      struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct probe *p = state;
    struct buffer *out = &worker->scratch;
    (void)peer;
    probe_begin(p, setup, worker, sink, now);
    write_head(p, out);
    buffer_add_text(out, "Accept: */*\r\nConnection: close\r\n");
    send_head(p, out);
}

/* How much of `text` has come once this byte did: where it breaks off, its longest beginning that ends here counts on. */
static uint32_t match_more(struct slice text, uint32_t matched, uint8_t byte) {
    while (text.data[matched] != byte) {
        if (matched == 0)
            return 0;
        uint32_t shorter = matched - 1;
        while (shorter && memcmp(text.data, text.data + (matched - shorter), shorter) != 0)
            shorter--;
        matched = shorter;
    }
    return matched + 1;
}

static void look_for(struct probe *p, struct slice body) {
    struct slice text = p->setup->check.body;
    size_t left = PROBE_BODY_MAX - p->seen, size = body.size < left ? body.size : left;
    for (size_t i = 0; i < size && p->matched < text.size; i++)
        p->matched = match_more(text, p->matched, body.data[i]);
    p->seen += (uint32_t)size;
    if (p->matched == text.size)
        probe_good(p);
    else if (body.size > left)
        probe_bad(p, "GET %.*s: the text is not in the first 64 KiB", SLICE_ARG(probe_path(p)));
}

static size_t read_body(struct probe *p, struct slice bytes, bool ended) {
    bool is_over = ended;
    struct slice rest = bytes;
    if (p->framing == HTTP1_CHUNKED) {
        struct slice data;
        enum http1_result result;
        while ((result = chunked_next(&p->chunked, &rest, &data)) == HTTP1_MORE && data.size &&
               !p->sink->closing)
            look_for(p, data);
        if (result == HTTP1_BAD)
            probe_bad(p, "GET %.*s: %s", SLICE_ARG(probe_path(p)), p->chunked.words);
        is_over |= result == HTTP1_DONE;
    } else {
        if (p->framing == HTTP1_LENGTH && rest.size > p->left)
            rest = slice_head(rest, (size_t)p->left);
        p->left -= p->framing == HTTP1_LENGTH ? rest.size : 0;
        look_for(p, rest);
        is_over |= p->framing == HTTP1_LENGTH && p->left == 0;
    }
    if (is_over)
        probe_bad(p, "GET %.*s: the text is not in the body", SLICE_ARG(probe_path(p)));
    return bytes.size;
}

static size_t http_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct probe *p = state;
    struct http1_head head;
    (void)now;
    if (p->is_begun)
        return read_body(p, bytes, ended);
    if (!has_head(p, &head, bytes, ended))
        return p->sink->closing ? bytes.size : 0;
    if (head.code < 200 && head.code != 101) /* the answer follows (RFC 9110 section 15.2) */
        return head.size;
    if (head.code < p->setup->check.low || head.code > p->setup->check.high) {
        probe_bad(p, "GET %.*s: %u", SLICE_ARG(probe_path(p)), head.code);
    } else if (p->setup->check.body.size == 0) {
        probe_good(p);
    } else {
        p->is_begun = true;
        p->framing = head.framing;
        p->left = head.framing == HTTP1_LENGTH ? head.length : 0;
        chunked_init(&p->chunked);
        if (head.framing == HTTP1_NO_BODY || (head.framing == HTTP1_LENGTH && head.length == 0))
            probe_bad(p, "GET %.*s: the text is not in the body", SLICE_ARG(probe_path(p)));
    }
    return p->sink->closing ? bytes.size : head.size;
}

const struct protocol protocol_probe_http = {
    .name = "probe",
    .state_size = sizeof(struct probe),
    .open = http_open,
    .feed = http_feed,
    .send = opening_send,
    .settle = opening_settle,
    .cancel = opening_cancel,
    .tick = probe_tick,
    .shut = probe_shut,
    .recover = opening_recover,
    .done = opening_done,
};

/* -- WebSocket -- */

static struct ws_rules rules_of(const struct probe *p) {
    return (struct ws_rules){.contents = p->setup->websocket.contents};
}

static void websocket_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                           struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct probe *p = state;
    struct buffer *out = &worker->scratch;
    uint64_t random[2] = {rng_next(&worker->ids.rng), rng_next(&worker->ids.rng)};
    struct ws_rules rules;
    (void)peer;
    probe_begin(p, setup, worker, sink, now);
    rules = rules_of(p);
    text_base64_put(p->key, slice_make(random, sizeof random));
    write_head(p, out);
    ws_request_write(&rules, slice_make(p->key, sizeof p->key), out);
    send_head(p, out);
}

/* What a client sends is masked (RFC 6455 section 5.1). */
static void send_control(struct probe *p, enum ws_opcode opcode, struct slice payload) {
    uint8_t frame[WS_HEAD_MAX + 2], key[4];
    uint64_t random = rng_next(&p->worker->ids.rng);
    memcpy(key, &random, sizeof key);
    size_t size = ws_head_write(frame, opcode, false, payload.size, key);
    ws_mask(frame + size, payload.data, payload.size, key);
    probe_send(p, slice_make(frame, size + payload.size));
}

static size_t shake(struct probe *p, struct slice bytes, bool ended) {
    struct http1_head head;
    struct ws_agreed agreed;
    struct ws_rules rules = rules_of(p);
    const char *words;
    if (!has_head(p, &head, bytes, ended))
        return p->sink->closing ? bytes.size : 0;
    if (ws_answer_check(&head, &rules, slice_make(p->key, sizeof p->key), &agreed, &words) != STATUS_OK) {
        if (head.code != 101)
            probe_bad(p, "WebSocket %.*s: %u", SLICE_ARG(probe_path(p)), head.code);
        else
            probe_bad(p, "WebSocket %.*s: %s", SLICE_ARG(probe_path(p)), words ? words : "refused");
        return bytes.size;
    }
    p->is_begun = true;
    send_control(p, WS_PING, slice_make("", 0));
    return head.size;
}

static void take_frame(struct probe *p, const struct ws_head *head) {
    static const uint8_t normal[2] = {CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff};
    if (head->opcode == WS_PONG) {
        send_control(p, WS_CLOSE, slice_make(normal, sizeof normal));
        probe_good(p);
    } else if (head->opcode == WS_CLOSE) {
        probe_bad(p, "WebSocket %.*s: the peer closed it", SLICE_ARG(probe_path(p)));
    }
    p->left = head->payload; /* of messages nothing is wanted here */
}

static size_t websocket_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct probe *p = state;
    struct ws_head head;
    const char *words = NULL;
    (void)now;
    if (!p->is_begun)
        return shake(p, bytes, ended);
    if (p->left && bytes.size) {
        size_t skipped = bytes.size < p->left ? bytes.size : (size_t)p->left;
        p->left -= skipped;
        return skipped;
    }
    enum ws_result result = bytes.size ? ws_head_read(&head, bytes, &words) : WS_MORE;
    if (result == WS_DONE)
        take_frame(p, &head);
    else if (result == WS_BAD)
        probe_bad(p, "WebSocket %.*s: %s", SLICE_ARG(probe_path(p)), words);
    else if (ended)
        probe_bad(p, "WebSocket %.*s: the connection ended before the pong", SLICE_ARG(probe_path(p)));
    return p->sink->closing ? bytes.size : result == WS_DONE ? head.size : 0;
}

const struct protocol protocol_probe_websocket = {
    .name = "probe",
    .state_size = sizeof(struct probe),
    .open = websocket_open,
    .feed = websocket_feed,
    .send = opening_send,
    .settle = opening_settle,
    .cancel = opening_cancel,
    .tick = probe_tick,
    .shut = probe_shut,
    .recover = opening_recover,
    .done = opening_done,
};
