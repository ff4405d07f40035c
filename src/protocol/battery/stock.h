/* What the battery is fed with: the pairs of roles that talk to each other, messages of every kind, and the bytes of both,
 * recorded from pairs or written by hand. Included by batteries alone. */
#ifndef PROTOCOL_BATTERY_STOCK_H
#define PROTOCOL_BATTERY_STOCK_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "protocol/battery/rig.h"
#include "protocol/stream/frame.h"

/* Who dials whom: the accepting row may be another (sniffing). */
struct pair {
    const char *name;
    const struct protocol *dialled;
    const struct protocol *accepted;
    size_t data_max;
    struct protocol_frame frame;
    bool is_raw;  /* data alone comes across, where its frame can say it */
    bool asks;    /* is_raw: the accepting role takes all for queries */
    bool is_timed; /* bytes say nothing without time */
};

#define FRAMES(word, kind, max) {"events, " word, &protocol_frames, &protocol_frames, max, {.framing = PROTOCOL_FRAME_##kind}}
#define RAW(word, kind, max) \
    {"raw, " word, &protocol_frames, &protocol_frames, max, {.framing = PROTOCOL_FRAME_##kind}, .is_raw = true}
#define FIFO(word, kind, max) \
    {"fifo, " word, &protocol_fifo, &protocol_frames, max, {.framing = PROTOCOL_FRAME_##kind}, .is_raw = true, .asks = true}

static const struct pair pairs[] = {
    {"http1", &protocol_http1, &protocol_http1, 60000},
    {"stream1", &protocol_stream1, &protocol_stream1, 60000},
    {"ndjson", &protocol_ndjson, &protocol_ndjson, 100000},
    {"stream v1, sniffed", &protocol_stream1, &protocol_stream, 60000},
    {"JSON lines, sniffed", &protocol_ndjson, &protocol_stream, 100000},
    {"websocket", &protocol_websocket, &protocol_websocket, 60000},
    {"stream v1 over websocket", &protocol_websocket_stream, &protocol_websocket_stream, 60000},
    {"datagram", &protocol_datagram, &protocol_datagram, 300},
    {"datagram, raw", &protocol_datagram, &protocol_datagram, 1000, {0}, .is_raw = true},
    FRAMES("line", LINE, 100000),
    FRAMES("crlf", CRLF, 100000),
    FRAMES("len16be", LEN16BE, 10000), /* as base64 or escaped it is larger */
    FRAMES("len32be", LEN32BE, 100000),
    FRAMES("varint", VARINT, 100000),
    FRAMES("octet-count", OCTET_COUNT, 100000),
    FRAMES("mllp", MLLP, 100000),
    {"events, until", &protocol_frames, &protocol_frames, 100000, {PROTOCOL_FRAME_UNTIL, .until = SLICE("\n\n--\n")}},
    RAW("line", LINE, 100000),
    RAW("crlf", CRLF, 100000),
    RAW("len16be", LEN16BE, 100000),
    RAW("len32be", LEN32BE, 100000),
    RAW("varint", VARINT, 100000),
    RAW("octet-count", OCTET_COUNT, 100000),
    RAW("mllp", MLLP, 100000),
    {"raw, until", &protocol_frames, &protocol_frames, 100000, {PROTOCOL_FRAME_UNTIL, .until = SLICE("aa")}, .is_raw = true},
    {"raw, fixed", &protocol_frames, &protocol_frames, 64, {PROTOCOL_FRAME_FIXED, .fixed = 12}, .is_raw = true},
    {"raw, idle", &protocol_frames, &protocol_frames, 1000, {PROTOCOL_FRAME_IDLE, .idle_ns = 20 * NS_PER_MS}, .is_raw = true,
     .is_timed = true},
    FIFO("line", LINE, 100000),
    FIFO("len32be", LEN32BE, 100000),
    FIFO("octet-count", OCTET_COUNT, 100000),
};

struct vector {
    const char *name;
    const struct protocol *protocol;
    const struct pair *pair; /* NULL: written by hand */
    enum protocol_role role;
    struct buffer bytes;
    bool asks_first; /* the instance sends a query before it is fed */
};

#define VECTORS_MAX 96
static struct vector vectors[VECTORS_MAX];
static size_t vector_count;

/* -- messages -- */

struct maker {
    struct rng rng;
    struct message message;
    struct buffer extra;
    uint8_t room[16384];
    uint8_t data[1 << 17];
};

static struct maker maker;

static size_t below(struct maker *m, size_t bound) {
    return (size_t)rng_below(&m->rng, bound);
}

static void add(struct maker *m, const char *name, enum attribute_type type, const char *text) {
    struct message_fault fault;
    enum attribute known = attribute_find(slice_from(name));
    enum status status = known == ATTRIBUTE_OTHER
                             ? message_add_named(&m->message, &m->extra, slice_from(name), type, slice_from(text), &fault)
                             : message_add(&m->message, &m->extra, known, slice_from(text), &fault);
    assert_int_equal(status, STATUS_OK);
}

static void add_some(struct maker *m) {
    static const char *const texts[] = {"a", "two words", "100%", "\xc3\xa9t\xc3\xa9 \xe2\x82\xac", "\"quoted\\\"", "~!@#"};
    if (below(m, 2))
        add(m, "subject", ATTRIBUTE_STRING, texts[below(m, COUNT_OF(texts))]);
    if (below(m, 2))
        add(m, "time", ATTRIBUTE_TIMESTAMP, "2026-11-22T22:10:42.5Z");
    if (below(m, 3) == 0)
        add(m, "priority", ATTRIBUTE_INTEGER, "5");
    if (below(m, 3) == 0)
        add(m, "correlationid", ATTRIBUTE_STRING, texts[below(m, COUNT_OF(texts))]);
    if (below(m, 3) == 0)
        add(m, "tenant", ATTRIBUTE_STRING, texts[below(m, COUNT_OF(texts))]);
    if (below(m, 4) == 0)
        add(m, "expirytime", ATTRIBUTE_TIMESTAMP, "2036-01-01T00:00:00Z");
}

static void add_data(struct maker *m, size_t size, unsigned form) {
    static const char *const types[] = {"application/octet-stream", "application/json", "text/plain"};
    static const enum data_form forms[] = {DATA_BYTES, DATA_JSON, DATA_TEXT};
    for (size_t i = 0; i < size; i++)
        m->data[i] = form == 0 ? (uint8_t)rng_next(&m->rng) : (uint8_t)('a' + i % 26);
    if (form == 1) {
        memcpy(m->data, "[1,\r\n2,\"", 8); /* white space that no line may have */
        m->data[size - 2] = '"';
        m->data[size - 1] = ']';
    }
    message_set_data(&m->message, forms[form]);
    add(m, "datacontenttype", ATTRIBUTE_STRING, types[form]);
}

static const struct message *make(struct maker *m, enum message_kind kind, unsigned number, size_t data_max) {
    char id[32];
    struct message_fault fault;
    size_t size = below(m, 3) ? below(m, below(m, 4) ? data_max / 20 + 20 : data_max) : 0;
    if (size < 10) /* the least that add_data() makes JSON of */
        size = 0;
    snprintf(id, sizeof id, "id-%u", number);
    buffer_init_fixed(&m->extra, m->room, sizeof m->room);
    message_init(&m->message, slice_make(m->data, size));
    add(m, "id", ATTRIBUTE_STRING, id);
    add(m, "source", ATTRIBUTE_STRING, "/systems/test");
    add(m, "type", ATTRIBUTE_STRING, "com.example.test");
    if (kind != KIND_EVENT)
        add(m, "messagetype", ATTRIBUTE_STRING, (const char *)message_kind_name(kind).data);
    add_some(m);
    if (size)
        add_data(m, size, (unsigned)below(m, 3));
    assert_int_equal(message_seal(&m->message, &m->extra, &fault), STATUS_OK);
    return &m->message;
}

/* What a message says, independent of its encoding: attributes sorted by name would be nicer, but sums do. */
static uint64_t meaning(const struct pair *pair, const struct message *message) {
    static uint8_t payload[1 << 17];
    static char room[1024];
    struct buffer out;
    uint64_t sum = 0;
    for (unsigned i = 0; i < message->value_count; i++) {
        const struct value *value = &message->values[i];
        struct wall time;
        uint64_t name = map_hash(value_name(message, value), 1);
        struct slice text = value_canonical(message, value, room, sizeof room);
        if (value_time(message, value, &time))
            sum += name * 31 + (uint64_t)time.ns;
        else
            sum += map_hash(text, name);
    }
    buffer_init_fixed(&out, payload, sizeof payload);
    message_data_write(message, &out);
    assert_int_equal(out.status, STATUS_OK);
    if (pair->is_raw)
        return map_hash(buffer_slice(&out), 2);
    if (message_data_is_json(message)) /* line ends between tokens may become spaces */
        for (size_t i = 0; i < out.size; i++)
            payload[i] = payload[i] == '\r' || payload[i] == '\n' ? ' ' : payload[i];
    return sum + map_hash(buffer_slice(&out), 2) + message->kind + message->priority;
}

/* -- rigs -- */

static void prepare(struct rig *rig, const struct protocol *protocol, enum protocol_role role) {
    rig_setup(rig, protocol, role);
    rig->setup.path = SLICE_OF("/v1/messages");
    rig->setup.answers = true;
    if (protocol->is_datagram)
        rig->setup.limits.message = 1200;
}

static void dress(struct rig *rig, const struct pair *pair) {
    static const struct protocol_default defaults[] = {{SLICE("messagetype"), SLICE("query")}};
    if (!pair)
        return;
    rig->setup.frame = pair->frame;
    rig->setup.format = pair->is_raw ? PROTOCOL_FORMAT_RAW : PROTOCOL_FORMAT_CLOUDEVENTS;
    if (pair->asks && rig->setup.role == PROTOCOL_ACCEPTED) {
        rig->setup.defaults = defaults;
        rig->setup.default_count = COUNT_OF(defaults);
    }
}

static void open_pair(const struct pair *pair, struct rig *client, struct rig *server) {
    prepare(client, pair->dialled, PROTOCOL_DIALLED);
    prepare(server, pair->accepted, PROTOCOL_ACCEPTED);
    dress(client, pair);
    dress(server, pair);
}

/* Bytes to and fro until both are silent, and pauses where those say something. */
static void exchange(const struct pair *pair, struct rig *client, struct rig *server) {
    rig_exchange(client, server);
    for (int i = 0; i < 4 && pair->is_timed; i++) {
        rig_wait(client, pair->frame.idle_ns);
        rig_wait(server, pair->frame.idle_ns);
        rig_exchange(client, server);
    }
}

/* What a pair can bring across: of raw ones what their frames can say. */
static bool send_or_skip(const struct pair *pair, struct rig *rig, const struct message *message) {
    enum status status = rig_send(rig, message);
    if (status == STATUS_OK)
        return true;
    if (!pair->is_raw || (status != STATUS_NOT_REPRESENTABLE && status != STATUS_TOO_LARGE))
        fail_msg("%s: %s", pair->name, status_reason(status));
    return false;
}

/* A system that answers what asks. */
static void answer(struct rig *rig, uint64_t token, const struct message *message) {
    static uint8_t room[4096];
    struct message reply;
    struct buffer extra;
    if (!message_kind_asks(message->kind) || rig->settle_as != STATUS_COUNT)
        return;
    buffer_init_fixed(&extra, room, sizeof room);
    rig_message(&reply, &extra, KIND_RESPONSE, "reply", SLICE_OF("yes"));
    enum status status = rig_send_to(rig, &reply, 0, rig->sink.terms.inline_reply ? token : 0);
    if (status != STATUS_OK || !rig->sink.terms.inline_reply)
        rig->protocol->settle(rig->state, token, token, status, 0, rig->now);
}

/* -- vectors -- */

static struct buffer *add_vector(const char *name, const struct protocol *protocol, enum protocol_role role) {
    assert_true(vector_count < VECTORS_MAX);
    struct vector *vector = &vectors[vector_count++];
    *vector = (struct vector){.name = name, .protocol = protocol, .role = role};
    buffer_init(&vector->bytes, 16u << 20);
    return &vector->bytes;
}

/* What the client says while it sends some messages, for the accepting role. */
static void record_client(const struct pair *pair) {
    struct rig client, server;
    struct buffer *bytes = add_vector(pair->name, pair->accepted, PROTOCOL_ACCEPTED);
    vectors[vector_count - 1].pair = pair;
    open_pair(pair, &client, &server);
    client.setup.encoding = ENCODING_PROTO;
    rig_open(&client);
    rig_open(&server);
    rng_init(&maker.rng, 11);
    unsigned wanted = 11;
    for (unsigned i = 1; i <= (pair->is_raw ? 500u : 12u); i++) {
        while (rig_move(&client, &server, bytes) + rig_move(&server, &client, NULL))
            ;
        if (client.sink.room.messages)
            send_or_skip(pair, &client, make(&maker, KIND_EVENT, i, pair->data_max < 1000 ? pair->data_max : 1000));
        if (client.sent > wanted)
            break;
    }
    rig_move(&client, &server, bytes);
    if (server.received < wanted)
        fail_msg("%s: %u of %u arrived", pair->name, (unsigned)server.received, wanted);
    rig_done(&client);
    rig_done(&server);
}

/* What the server says: to a query where only that makes it talk, else by itself. */
static void record_server(const struct pair *pair) {
    struct rig client, server;
    struct buffer *bytes = add_vector(pair->name, pair->dialled, PROTOCOL_DIALLED);
    struct vector *vector = &vectors[vector_count - 1];
    vector->pair = pair;
    open_pair(pair, &client, &server);
    server.on_message = answer;
    server.settle_as = STATUS_COUNT;
    rig_open(&client);
    rig_open(&server);
    rng_init(&maker.rng, 12);
    vector->asks_first = client.sink.room.messages > 0;
    if (vector->asks_first)
        assert_int_equal(rig_send(&client, make(&maker, KIND_QUERY, 1, 100)), STATUS_OK);
    while (rig_move(&client, &server, NULL) + rig_move(&server, &client, bytes))
        ;
    for (unsigned i = 1; i <= 12 && server.sink.room.messages; i++)
        assert_int_equal(rig_send(&server, make(&maker, KIND_EVENT, i, 1000)), STATUS_OK);
    rig_move(&server, &client, bytes);
    assert_true(client.received > 0);
    rig_done(&client);
    rig_done(&server);
}

static void frame(struct buffer *out, enum frame_type type, struct slice payload) {
    uint8_t header[FRAME_HEADER];
    frame_put_header(header, (uint32_t)payload.size, (uint8_t)type, 0);
    buffer_add(out, slice_make(header, sizeof header));
    buffer_add(out, payload);
}

static void write_by_hand(void) {
    struct buffer *out = add_vector("every frame", &protocol_stream1, PROTOCOL_ACCEPTED);
    buffer_add(out, slice_make("\xf5its\1\0\0\0", 8));
    frame(out, FRAME_HELLO, SLICE_OF("{\"client\":\"x\\u002f1\",\"enc\":[\"json\"],\"credit\":{\"msgs\":9,\"bytes\":9}}"));
    frame(out, FRAME_SUBSCRIBE, SLICE_OF("{\"sub\":1,\"filter\":\"TRUE\"}"));
    frame(out, FRAME_SUBSCRIBE, SLICE_OF("{\"sub\":2,\"durable\":\"d\"}"));
    frame(out, FRAME_UNSUBSCRIBE, SLICE_OF("{\"sub\":1,\"delete\":true}"));
    frame(out, FRAME_PING, SLICE_OF("12345678"));
    frame(out, FRAME_PONG, SLICE_OF("12345678"));
    frame(out, FRAME_AUTH, SLICE_OF("{}"));
    frame(out, FRAME_CREDIT, slice_make("\0\0\0\0\0\0\0\x20\0\0\0\0\0\1\0\0", 16));
    frame(out, FRAME_MSG, slice_make("\0\0\0\0\0\0\0\1\0\0\0\0\1\0\0\0{}", 18));
    frame(out, FRAME_CANCEL, slice_make("\0\0\0\0\0\0\0\1", 8));
    frame(out, FRAME_ACK, slice_make("\0\0\0\0\0\0\0\0\0\0\0\0", 12));
    frame(out, FRAME_GOAWAY, SLICE_OF("{\"code\":11}"));
    frame(out, FRAME_ERROR, SLICE_OF("{\"code\":1}"));
    out = add_vector("control lines", &protocol_ndjson, PROTOCOL_ACCEPTED);
    static const char *const words[] = {"hello", "subscribe", "ping", "credit", "ack", "nack", "unsubscribe", "what"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        buffer_add_format(out,
                          "{\"specversion\":\"1.0\",\"id\":\"%zu\",\"source\":\"/s\",\"type\":\"intertie.ctl.%s.v1\","
                          "\"causationid\":\"c\",\"data\":{\"system\":\"crm\",\"ack\":true,\"msgs\":%zu}}\r\n",
                          i, words[i], i * 10);
    buffer_add_text(out, "\n  \nnot an event\n{\"id\":\"x\"}\n");
    out = add_vector("plain posts", &protocol_http1, PROTOCOL_ACCEPTED);
    buffer_add_text(out, "POST /v1/messages HTTP/1.1\r\nHost: peer.example\r\nContent-Length: 5\r\n\r\nhello"
                         "GET /nowhere HTTP/1.1\r\nHost: peer.example\r\n\r\n"
                         "POST /v1/messages HTTP/1.1\r\nHost: peer.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
                         "BAD\r\n\r\n");
    out = add_vector("a person with nc", &protocol_stream, PROTOCOL_ACCEPTED);
    buffer_add_text(out, "hello?\r\n");
}

static int prepare_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (!pairs[i].dialled->is_datagram && !pairs[i].is_timed) {
            record_client(&pairs[i]);
            if (pairs[i].accepted != &protocol_stream && (!pairs[i].is_raw || pairs[i].asks))
                record_server(&pairs[i]);
        }
    write_by_hand();
    return 0;
}

static int drop_vectors(void **state) {
    (void)state;
    while (vector_count)
        buffer_done(&vectors[--vector_count].bytes);
    return 0;
}

static void open_for(struct rig *rig, const struct vector *vector) {
    prepare(rig, vector->protocol, vector->role);
    dress(rig, vector->pair);
    rig_open(rig);
    if (vector->asks_first) {
        rng_init(&maker.rng, 12);
        assert_int_equal(rig_send(rig, make(&maker, KIND_QUERY, 1, 100)), STATUS_OK);
    }
}

#endif
