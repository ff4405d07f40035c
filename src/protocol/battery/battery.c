/* What every row of the protocol table must bear: bytes in any portions, cuts, garbage, limits, memory that runs out;
 * and what it must do: bring messages across whole, each once. The bytes are recorded from the two roles of a row talking
 * to each other, and some are written by hand. */
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

/* -- bytes in any portions -- */

static void byte_at_a_time_equals_one_shot(void **state) {
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        struct rig whole, slow;
        struct buffer a, b;
        struct slice bytes = buffer_slice(&vectors[i].bytes);
        buffer_init(&a, 16u << 20);
        buffer_init(&b, 16u << 20);
        open_for(&whole, &vectors[i]);
        open_for(&slow, &vectors[i]);
        rig_feed(&whole, bytes);
        for (size_t at = 0; at < bytes.size; at++)
            rig_feed(&slow, slice_make(bytes.data + at, 1));
        rig_take(&whole, &a);
        rig_take(&slow, &b);
        assert_true(whole.log.size > 0);
        if (!slice_equal(buffer_slice(&whole.log), buffer_slice(&slow.log)))
            fail_msg("%s: whole:\n%s\nbyte by byte:\n%s", vectors[i].name, rig_log(&whole), rig_log(&slow));
        if (!slice_equal(buffer_slice(&a), buffer_slice(&b)))
            fail_msg("%s: other bytes are answered byte by byte", vectors[i].name);
        buffer_done(&a);
        buffer_done(&b);
        rig_done(&whole);
        rig_done(&slow);
    }
}

static void every_cut_waits(void **state) {
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        struct slice bytes = buffer_slice(&vectors[i].bytes);
        struct rig whole;
        open_for(&whole, &vectors[i]);
        rig_feed(&whole, bytes);
        size_t step = bytes.size / 1500 + 1;
        for (size_t cut = 0; cut < bytes.size; cut += step) {
            struct rig rig;
            open_for(&rig, &vectors[i]);
            rig_feed(&rig, slice_head(bytes, cut));
            if (!slice_starts(buffer_slice(&whole.log), buffer_slice(&rig.log)))
                fail_msg("%s cut at %zu:\n%s\nwhole:\n%s", vectors[i].name, cut, rig_log(&rig), rig_log(&whole));
            rig_end(&rig);
            rig_done(&rig);
        }
        rig_done(&whole);
    }
}

/* -- garbage -- */

static void spoil(struct rng *rng, struct buffer *bytes) {
    unsigned times = 1 + (unsigned)rng_below(rng, 4);
    uint8_t piece[64];
    size_t count;
    while (times-- && bytes->size > 2) {
        size_t at = (size_t)rng_below(rng, bytes->size);
        switch (rng_below(rng, 4)) {
        case 0:
            bytes->data[at] ^= (uint8_t)(1u << rng_below(rng, 8));
            break;
        case 1:
            bytes->data[at] = (uint8_t)rng_next(rng);
            break;
        case 2: /* a piece is lost */
            memmove(bytes->data + at, bytes->data + at + 1, bytes->size - at - 1);
            bytes->size--;
            break;
        default: /* a piece comes twice */
            count = bytes->size - at < sizeof piece ? bytes->size - at : sizeof piece;
            memcpy(piece, bytes->data + at, count);
            buffer_add(bytes, slice_make(piece, count));
        }
    }
}

static void assert_bounded(const struct rig *rig, int64_t live) {
    assert_true(memory_live() - live < 3000);
    assert_true(rig->pool.held < 16u << 20);
    assert_true(rig->partial.capacity <= 4u << 20);
}

static void spoilt_bytes_do_no_harm(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 4711);
    for (unsigned round = 0; round < 3000; round++) {
        const struct vector *vector = &vectors[round % vector_count];
        struct buffer bytes;
        struct rig rig;
        int64_t live = memory_live();
        buffer_init(&bytes, 16u << 20);
        buffer_add(&bytes, buffer_slice(&vector->bytes));
        spoil(&rng, &bytes);
        open_for(&rig, vector);
        size_t half = (size_t)rng_below(&rng, bytes.size + 1);
        rig_feed(&rig, slice_head(buffer_slice(&bytes), half));
        rig_feed(&rig, slice_skip(buffer_slice(&bytes), half));
        assert_bounded(&rig, live);
        rig_wait(&rig, 20 * NS_PER_S);
        rig_end(&rig);
        rig_done(&rig);
        buffer_done(&bytes);
        assert_int_equal(memory_live(), live);
    }
}

static void random_bytes_do_no_harm(void **state) {
    (void)state;
    static uint8_t bytes[8192];
    struct rng rng;
    rng_init(&rng, 42);
    for (unsigned round = 0; round < 2000; round++) {
        const struct pair *pair = &pairs[round % COUNT_OF(pairs)];
        bool dialled = round / COUNT_OF(pairs) % 2;
        struct rig rig;
        int64_t live = memory_live();
        prepare(&rig, dialled ? pair->dialled : pair->accepted, dialled ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED);
        dress(&rig, pair);
        rig_open(&rig);
        size_t size = (size_t)rng_below(&rng, sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)rng_next(&rng);
        if (rig.protocol->is_datagram)
            rig.protocol->datagram(rig.state, slice_make(bytes, size), &rig.peer, rig.now);
        else
            rig_feed(&rig, slice_make(bytes, size));
        assert_bounded(&rig, live);
        assert_true(rig.received == 0 || pair->is_raw); /* any bytes are data there */
        rig_done(&rig);
        assert_int_equal(memory_live(), live);
    }
}

/* -- messages across -- */

static uint64_t expected[RIG_TOKENS];
static const struct pair *expecting;

static void compare(struct rig *rig, uint64_t token, const struct message *message) {
    if (message->kind == KIND_RESPONSE)
        return;
    if (meaning(expecting, message) != expected[token])
        fail_msg("%s: message %u is not what was sent:\n%s", rig->protocol->name, (unsigned)token, rig_log(rig));
}

static void messages_come_across_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        for (int proto = 0; proto < 2; proto++) {
            struct rig client, server;
            int64_t live = memory_live();
            open_pair(&pairs[i], &client, &server);
            client.setup.encoding = proto ? ENCODING_PROTO : ENCODING_JSON;
            server.on_message = compare;
            expecting = &pairs[i];
            client.quiet = true;
            rig_open(&client);
            rig_open(&server);
            rig_exchange(&client, &server);
            rng_init(&maker.rng, 100 + i);
            static const enum message_kind kinds[] = {KIND_EVENT, KIND_COMMAND, KIND_NOTIFICATION};
            unsigned count = 0, refused = 0;
            while (count < 200) {
                const struct message *message = make(&maker, kinds[(count + refused) % 3], count, pairs[i].data_max);
                uint64_t means = meaning(&pairs[i], message);
                if (!send_or_skip(&pairs[i], &client, message)) {
                    assert_true(++refused < 20000);
                    continue;
                }
                expected[++count] = means;
                if (!client.sink.room.messages || below(&maker, 3) == 0)
                    exchange(&pairs[i], &client, &server);
                if (!client.sink.room.messages)
                    fail_msg("%s: no room after %u messages", pairs[i].name, count);
            }
            exchange(&pairs[i], &client, &server);
            assert_int_equal(server.received, 200);
            assert_int_equal(server.invalid + client.invalid, 0);
            assert_int_equal(client.settled, client.sink.terms.acks ? 200 : 0);
            assert_false(client.sink.closing || server.sink.closing);
            rig_done(&client);
            rig_done(&server);
            assert_int_equal(memory_live(), live);
        }
    }
}

static void replies_find_their_way(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct rig client, server;
        if (pairs[i].is_raw && !pairs[i].asks)
            continue;
        open_pair(&pairs[i], &client, &server);
        server.on_message = answer;
        server.settle_as = STATUS_COUNT;
        rig_open(&client);
        rig_open(&server);
        rig_exchange(&client, &server);
        rng_init(&maker.rng, 7);
        for (unsigned n = 1; n <= 20; n++) {
            const struct message *query = make(&maker, KIND_QUERY, n, 100);
            while (!send_or_skip(&pairs[i], &client, query))
                query = make(&maker, KIND_QUERY, n, 100);
            rig_exchange(&client, &server);
            if (client.received != n || client.last_kind != KIND_RESPONSE)
                fail_msg("%s: query %u has no answer:\n%s\n%s", pairs[i].name, n, rig_log(&client), rig_log(&server));
        }
        rig_done(&client);
        rig_done(&server);
    }
}

/* Holds what came, then settles it in a random order with random fates. */
static void settling_in_any_order_is_told_once(void **state) {
    (void)state;
    static const enum status fates[] = {STATUS_OK, STATUS_OK, STATUS_NO_ROUTE, STATUS_OVERLOADED, STATUS_EXPIRED};
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct rig client, server;
        uint64_t open[64];
        open_pair(&pairs[i], &client, &server);
        server.settle_as = STATUS_COUNT;
        client.quiet = true;
        if (pairs[i].asks)
            continue; /* there a question without answer ends the connection */
        rig_open(&client);
        rig_open(&server);
        rig_exchange(&client, &server);
        rng_init(&maker.rng, 9);
        for (unsigned round = 0; round < 30; round++) {
            unsigned sent = 0, count = 0;
            uint64_t before = server.received;
            while (client.sink.room.messages && !server.sink.paused && sent < 20) {
                sent += send_or_skip(&pairs[i], &client, make(&maker, KIND_EVENT, sent + 1, 100));
                exchange(&pairs[i], &client, &server);
            }
            for (uint64_t token = before + 1; token <= server.received; token++)
                open[count++] = token;
            if (count != sent)
                fail_msg("%s: %u of %u arrived:\n%s", pairs[i].name, count, sent, rig_log(&server));
            while (count) {
                size_t at = below(&maker, count);
                server.protocol->settle(server.state, open[at], open[at], fates[below(&maker, COUNT_OF(fates))], 0,
                                        server.now);
                open[at] = open[--count];
            }
            server.now.mono.ns += NS_PER_S;
            client.now.mono.ns += NS_PER_S;
            exchange(&pairs[i], &client, &server);
            if (client.sink.terms.acks && client.settled != client.sent)
                fail_msg("%s: %u of %u settled", pairs[i].name, (unsigned)client.settled, (unsigned)client.sent);
        }
        rig_done(&client);
        rig_done(&server);
    }
}

/* -- limits -- */

static void limits_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const struct protocol *protocol;
        const char *bytes;
        const char *reason;
    } cases[] = {
        {&protocol_ndjson, "", "too-large"},
        {&protocol_stream1, "\xf5its\1", "frame-too-large"}, /* and what follows */
        {&protocol_http1, "POST /v1/messages HTTP/1.1\r\nHost: peer.example\r\nContent-Length: 100000000\r\n\r\n", "too-large"},
        {&protocol_http1, "GET /", "uri-too-long"},
        {&protocol_datagram, "", "too-large"},
    };
    static uint8_t filler[200000];
    memset(filler, 'a', sizeof filler);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rig rig;
        struct buffer out;
        prepare(&rig, cases[i].protocol, PROTOCOL_ACCEPTED);
        rig.setup.limits.message = 1000;
        rig_open(&rig);
        buffer_init(&out, 1u << 20);
        if (cases[i].protocol == &protocol_stream1)
            rig_feed(&rig, slice_make("\xf5its\1\0\0\0\0\0\x40\1\1\0\0\0", 16)); /* HELLO of 16385 bytes */
        else
            rig_feed(&rig, slice_from(cases[i].bytes));
        if (rig.protocol->is_datagram)
            rig.protocol->datagram(rig.state, slice_make(filler, 1001), &rig.peer, rig.now);
        else
            rig_feed(&rig, slice_make(filler, sizeof filler));
        rig_take(&rig, &out);
        buffer_add(&out, buffer_slice(&rig.log));
        if (!memmem(out.data, out.size, cases[i].reason, strlen(cases[i].reason)))
            fail_msg("%s: no %s in %.*s", rig.protocol->name, cases[i].reason, SLICE_ARG(buffer_slice(&out)));
        buffer_done(&out);
        rig_done(&rig);
    }
}

/* -- memory that runs out -- */

static bool survives(const struct pair *pair, int64_t skip) {
    struct rig client, server;
    int64_t live = memory_live();
    open_pair(pair, &client, &server);
    client.quiet = server.quiet = true;
    server.on_message = answer;
    memory_fail_after(skip);
    rig_open(&client);
    rig_open(&server);
    rig_exchange(&client, &server);
    rng_init(&maker.rng, 3);
    for (unsigned n = 1; n <= 40; n++) {
        enum message_kind kind = n % 5 ? KIND_EVENT : KIND_QUERY;
        bool holds = n > 10 && n < 30;
        server.settle_as = holds || kind == KIND_QUERY ? STATUS_COUNT : STATUS_OK;
        const struct message *message = make(&maker, kind, n, pair->data_max);
        if (client.sink.room.messages && !client.sink.closing)
            rig_send(&client, message);
        exchange(pair, &client, &server);
    }
    bool failed = memory_has_failed();
    memory_fail_after(-1);
    rig_done(&client);
    rig_done(&server);
    assert_int_equal(memory_live(), live);
    return failed;
}

static void every_failed_allocation_is_survived(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        int64_t skip = 0;
        while (survives(&pairs[i], skip))
            skip++;
        assert_true(skip > 2);
    }
}

/* Every row of the table is tried here. */
static void no_row_is_missing(void **state) {
    (void)state;
    for (size_t i = 0; protocol_table[i]; i++) {
        bool found = false;
        for (size_t k = 0; k < COUNT_OF(pairs); k++)
            found |= pairs[k].accepted == protocol_table[i] || pairs[k].dialled == protocol_table[i];
        if (!found)
            fail_msg("%s is in no pair", protocol_table[i]->name);
        assert_ptr_equal(protocol_find(slice_from(protocol_table[i]->name)), protocol_table[i]);
    }
    assert_null(protocol_find(SLICE_OF("none")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_row_is_missing),
        cmocka_unit_test(byte_at_a_time_equals_one_shot),
        cmocka_unit_test(every_cut_waits),
        cmocka_unit_test(spoilt_bytes_do_no_harm),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(messages_come_across_whole),
        cmocka_unit_test(replies_find_their_way),
        cmocka_unit_test(settling_in_any_order_is_told_once),
        cmocka_unit_test(limits_are_refused_by_name),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests_name("protocol/battery", tests, prepare_vectors, drop_vectors);
}
