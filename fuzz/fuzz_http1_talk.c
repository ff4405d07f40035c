/* HTTP/1.1, both roles: a program of requests or answers, verbs and time. See protocol_talk.h for its form. */
#include "protocol_talk.h"

static const struct protocol *row(unsigned choices) {
    (void)choices;
    return &protocol_http1;
}

/* -- requests: the accepted role -- */

static const char *const heads[] = {
    "POST /v1/messages HTTP/1.1\r\nHost: peer.example\r\n",
    "POST /v1/messages HTTP/1.1\r\nHost: peer.example\r\nAuthorization: Bearer itk_secret\r\n",
    "POST /v1/messages HTTP/1.1\r\nHost: peer.example\r\nPrefer: wait=2\r\n",
    "POST /v1/messages/crm HTTP/1.1\r\nHost: peer.example\r\nTTL: 3\r\n",
    "POST /v1/messages?wait=1 HTTP/1.0\r\nConnection: keep-alive\r\n",
    "POST /a/b HTTP/1.1\r\nHost: peer.example\r\nExpect: 100-continue\r\n",
    "GET /healthz HTTP/1.1\r\nHost: peer.example\r\n",
    "HEAD /v1/messages HTTP/1.1\r\nHost: peer.example\r\nConnection: close\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: peer.example\r\n",
    "PUT /v1/messages HTTP/1.1\r\nHost: peer.example\r\nOrigin: http://evil.example\r\n",
};

static const char *const types[] = {
    "Content-Type: application/cloudevents+json\r\n",
    "Content-Type: application/cloudevents+protobuf\r\n",
    "Content-Type: application/cloudevents-batch+json\r\n",
    "Content-Type: application/cloudevents-batch+protobuf\r\n",
    "Content-Type: text/plain\r\nce-specversion: 1.0\r\nce-id: b\r\nce-source: /s\r\nce-type: t\r\nce-messagetype: query\r\n",
    "Content-Type: application/json\r\nce-specversion: 1.0\r\nce-id: %61\r\nce-source: /s\r\nce-type: t\r\n",
    "Content-Type: application/json\r\n",
    "",
};

static void body_of(struct talk *t, unsigned type, struct buffer *body) {
    struct talk_message m;
    unsigned count = type % COUNT_OF(types) == 2 ? talk_byte(t) % 5 : 1;
    switch (type % COUNT_OF(types)) {
    case 1:
        message_encode_proto(talk_make(t, &m), NULL, body);
        break;
    case 0:
    case 2:
        if (type % COUNT_OF(types) == 2)
            buffer_add_byte(body, '[');
        for (unsigned i = 0; i < count; i++) {
            if (i)
                buffer_add_byte(body, ',');
            message_encode_json(talk_make(t, &m), NULL, body);
        }
        if (type % COUNT_OF(types) == 2)
            buffer_add_byte(body, ']');
        break;
    case 6:
        buffer_add_text(body, "{\"a\":1}");
        break;
    default:
        buffer_add(body, talk_bytes(t, talk_byte(t)));
        break;
    }
}

static void add_chunks(struct buffer *out, struct slice body, size_t size) {
    while (body.size) {
        struct slice chunk = slice_head(body, size);
        buffer_add_format(out, "%zx%s\r\n", chunk.size, size & 1 ? ";a=b" : "");
        buffer_add(out, chunk);
        buffer_add_text(out, "\r\n");
        body = slice_skip(body, chunk.size);
    }
    buffer_add_text(out, size & 2 ? "0\r\nA: b\r\n\r\n" : "0\r\n\r\n");
}

static void add_framed(struct talk *t, struct buffer *out, struct slice body, unsigned framing) {
    if (framing % 4 == 0) {
        buffer_add_text(out, "Transfer-Encoding: chunked\r\n\r\n");
        add_chunks(out, body, talk_byte(t) + 1u);
    } else if (framing % 16 == 15) {
        buffer_add_text(out, "\r\n"); /* until it closes, or none */
        buffer_add(out, body);
    } else {
        buffer_add_format(out, "Content-Length: %zu\r\n\r\n", body.size);
        buffer_add(out, body);
    }
}

static void request(struct talk *t, struct buffer *out) {
    struct buffer body;
    unsigned head = talk_byte(t), type = talk_byte(t), framing = talk_byte(t);
    buffer_init(&body, 1u << 20);
    body_of(t, type, &body);
    buffer_add_text(out, heads[head % COUNT_OF(heads)]);
    buffer_add_text(out, types[type % COUNT_OF(types)]);
    add_framed(t, out, buffer_slice(&body), framing);
    buffer_done(&body);
}

/* -- answers: the dialled role -- */

static void answer(struct talk *t, struct buffer *out) {
    static const unsigned codes[] = {200, 202, 204, 200, 301, 400, 401, 404, 409, 410, 413, 429, 500, 501, 503, 100, 103, 304};
    static const char *const lines[] = {
        "", "", "Connection: close\r\n", "Retry-After: 2\r\n", "Connection: keep-alive\r\n",
        "Content-Type: application/problem+json\r\n", "Retry-After: Wed, 21 Oct 2037 07:28:00 GMT\r\n",
    };
    struct buffer body;
    unsigned code = codes[talk_byte(t) % COUNT_OF(codes)], line = talk_byte(t), type = talk_byte(t);
    buffer_init(&body, 1u << 20);
    buffer_add_format(out, "HTTP/1.%u %u %s\r\n", line < 240, code, line & 64 ? "" : "Some Words");
    buffer_add_text(out, lines[line % COUNT_OF(lines)]);
    if (code < 200 || code == 204 || code == 304) {
        buffer_add_text(out, "\r\n");
    } else {
        body_of(t, type, &body);
        buffer_add_text(out, types[type % COUNT_OF(types)]);
        add_framed(t, out, buffer_slice(&body), talk_byte(t));
    }
    buffer_done(&body);
}

static void unit(struct talk *t, unsigned what) {
    static const char *const odd[] = {
        "\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "GET / HTTP/2.0\r\n\r\n",
        "0\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "Content-Length: 0\r\n\r\n", ": \r\n",
    };
    struct buffer out;
    buffer_init(&out, 1u << 20);
    if (what == 0)
        buffer_add_text(&out, odd[talk_byte(t) % COUNT_OF(odd)]);
    else if (t->choices & TALK_DIALLED)
        answer(t, &out);
    else
        request(t, &out);
    talk_wire(t, buffer_slice(&out));
    buffer_done(&out);
}

static void begin(struct talk *t) {
    t->rig.setup.mode = (enum protocol_content_mode)(t->program.size % 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const struct talk_peer peer = {row, begin, unit};
    talk_run(&peer, bytes, size);
    return 0;
}
