/* Input: one byte of choices, then what the peer sends. It is fed whole and cut at places that it chooses itself: both
 * must write the same bytes, tell the user the same, and answer each message once.
 * Choices: 1 dialled, 2 a reply is due, 4 admin, 8 raw, 16 the user waits before he settles, 32 the peer ends, 64 three messages go out, 128 in
 * one batch. */
#include <stdlib.h>

#include "base/assert.h"
#include "message/encoding.h"
#include "protocol/http1/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define MESSAGE_MAX 4096
#define SENT_MAX 3
#define PARTIAL_MAX (MESSAGE_MAX + 4096 + (320 << 10))

struct world {
    struct protocol_setup setup;
    struct protocol_worker worker;
    struct protocol_sink sink;
    struct chain_pool pool;
    struct chain out;
    struct now now;
    uint64_t told; /* hashes of what was told and of what was written */
    uint64_t written;
    uint64_t tokens;
    uint64_t open[2]; /* first and last unsettled */
    uint64_t request;
    unsigned outcomes;
    uint8_t choice;
    bool ended;
    void *state;
    uint8_t extra[32768];
};

static void add(uint64_t *hash, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
}

static void mix(struct world *w, const void *bytes, size_t size) {
    add(&w->told, bytes, size);
}

static void on_message(void *user, uint64_t token, struct message *message, uint64_t reply_to) {
    struct world *w = user;
    struct buffer json;
    ASSERT(token == w->tokens + 1);
    w->tokens = token;
    ASSERT(message_has(message, ATTRIBUTE_ID) && message->has_receipt);
    /* Whatever was let in can leave again. */
    buffer_init(&json, 1 << 20);
    ASSERT(message_encode_json(message, NULL, &json) == STATUS_OK);
    mix(w, json.data, json.size);
    buffer_done(&json);
    if (reply_to)
        return;
    if (w->open[0] == 0)
        w->open[0] = token;
    w->open[1] = token;
    if (w->choice & 16)
        return;
    w->open[0] = 0;
    protocol_http1.settle(w->state, token, token, token % 3 ? STATUS_OK : STATUS_OVERLOADED, 0, w->now);
}

static void on_invalid(void *user, const struct message_fault *fault) {
    mix(user, fault->text, strnlen(fault->text, sizeof fault->text));
}

static void on_outcome(void *user, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    struct world *w = user;
    ASSERT(first >= 1 && first <= last && last <= (w->choice & (64 | 128) ? SENT_MAX : 1));
    for (uint64_t token = first; token <= last; token++) { /* each once */
        ASSERT(!(w->outcomes >> token & 1));
        w->outcomes |= 1u << token;
        mix(w, &token, sizeof token);
        mix(w, &outcome.verdict, sizeof outcome.verdict);
    }
}

static void on_room(void *user) {
    (void)user;
}

static enum status on_hello(void *user, const struct protocol_hello *hello, struct slice *ret_system) {
    mix(user, hello->key.data, hello->key.size);
    *ret_system = SLICE_OF("desk");
    return hello->key.size % 5 == 4 ? STATUS_UNAUTHENTICATED : STATUS_OK;
}

static void on_request(void *user, uint64_t token, const struct protocol_request *request) {
    struct world *w = user;
    ASSERT(token == w->tokens + 1);
    w->tokens = token;
    mix(w, request->path.data, request->path.size);
    mix(w, request->body.data, request->body.size);
    (void)http1_parameter(request, SLICE_OF("a"));
    w->request = token;
    if (!(w->choice & 16))
        http1_answer(w->state, token, 200, SLICE_OF("text/plain"), SLICE_OF("hi"), SLICE_OF(""), w->now);
}

static const struct protocol_calls calls = {.message = on_message, .invalid = on_invalid, .outcome = on_outcome,
                                            .room = on_room, .hello = on_hello, .request = on_request};

static void send_one(struct world *w, uint64_t token) {
    struct message message;
    struct message_fault fault;
    struct buffer extra;
    uint8_t room[256];
    buffer_init_fixed(&extra, room, sizeof room);
    message_init(&message, SLICE_OF("x"));
    message_set_data(&message, DATA_BYTES);
    ASSERT(message_add(&message, &extra, ATTRIBUTE_ID, SLICE_OF("1"), &fault) == STATUS_OK);
    ASSERT(message_add(&message, &extra, ATTRIBUTE_SOURCE, SLICE_OF("/a"), &fault) == STATUS_OK);
    ASSERT(message_add(&message, &extra, ATTRIBUTE_TYPE, SLICE_OF("t"), &fault) == STATUS_OK);
    ASSERT(message_seal(&message, &extra, &fault) == STATUS_OK);
    struct protocol_send options = {.token = token, .attempt = 1, .asks = (w->choice & (2 | 128)) == 2};
    ASSERT(protocol_http1.send(w->state, &message, NULL, &options, w->now) == STATUS_OK);
}

/* Interim answers depend on how the bytes were cut, and say nothing. */
static void drain(struct world *w) {
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec vectors[4];
    int count;
    while ((count = chain_vectors(&w->out, vectors, 4)) > 0)
        for (int i = 0; i < count; i++) {
            struct slice piece = slice_make(vectors[i].iov_base, vectors[i].iov_len);
            while (slice_starts(piece, slice_from(interim)))
                piece = slice_skip(piece, sizeof interim - 1);
            add(&w->written, piece.data, piece.size);
            chain_written(&w->out, vectors[i].iov_len);
        }
}

static void settle_what_waits(struct world *w) {
    if (w->request && w->choice & 16)
        http1_answer(w->state, w->request, 404, SLICE_OF(""), SLICE_OF(""), SLICE_OF("A: b\r\n"), w->now);
    w->request = 0;
    if (w->open[0])
        protocol_http1.settle(w->state, w->open[0], w->open[1], STATUS_OK, 0, w->now);
    w->open[0] = 0;
}

static void feed(struct world *w, struct buffer *partial) {
    for (;;) {
        if (w->sink.paused)
            settle_what_waits(w);
        ASSERT(!w->sink.paused);
        if (w->sink.closing || (partial->size == 0 && !w->ended) || (partial->size < w->sink.want && !w->ended))
            break;
        w->sink.want = 0;
        uint8_t *copy = malloc(partial->size + 1);
        ASSERT(copy);
        if (partial->size)
            memcpy(copy, partial->data, partial->size);
        size_t used = protocol_http1.feed(w->state, slice_make(copy, partial->size), w->ended, w->now);
        free(copy);
        ASSERT(used <= partial->size);
        buffer_consume(partial, used);
        drain(w);
        if (used == 0 && !w->sink.paused)
            break;
    }
}

static uint64_t run(struct slice input, uint8_t choice, bool cut) {
    struct world *w = calloc(1, sizeof *w);
    struct buffer partial;
    ASSERT(w);
    w->choice = choice;
    w->setup = (struct protocol_setup){
        .role = choice & 1 ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED, .name = SLICE("web"), .host = SLICE("a"), .path = SLICE("/"),
        .limits = {.message = MESSAGE_MAX, .header = 2048, .fields = 20}, .encoding = ENCODING_JSON,
        .pipeline = choice & 64 ? SENT_MAX : 0, .is_admin = choice & 4, .format = choice & 8 ? PROTOCOL_FORMAT_RAW : PROTOCOL_FORMAT_AUTO};
    if (choice & 128) {
        w->setup.mode = PROTOCOL_MODE_BATCH;
        w->setup.batch.max = SENT_MAX;
    }
    w->now = (struct now){{NS_PER_S}, {INT64_C(1795384800) * NS_PER_S}};
    uuid_source_init(&w->worker.ids, 1);
    buffer_init_fixed(&w->worker.extra, w->extra, sizeof w->extra);
    buffer_init(&w->worker.scratch, 1 << 20);
    buffer_init(&partial, PARTIAL_MAX);
    chain_pool_init(&w->pool);
    chain_init(&w->out, &w->pool, false);
    w->sink = (struct protocol_sink){.calls = &calls, .user = w, .out = &w->out, .due = {INT64_MAX}};
    w->state = calloc(1, protocol_http1.state_size);
    ASSERT(w->state);
    protocol_http1.open(w->state, &w->setup, &w->worker, &w->sink, NULL, w->now);
    for (uint64_t token = 1; choice & 1 && token <= (choice & (64 | 128) ? SENT_MAX : 1); token++)
        send_one(w, token);
    if (choice & 1 && w->sink.gathers)
        protocol_http1.flush(w->state, w->now);
    drain(w);
    while (input.size) {
        size_t step = cut ? (size_t)1 + input.data[0] % 7 : input.size;
        struct slice piece = slice_head(input, step);
        input = slice_skip(input, piece.size);
        buffer_add(&partial, piece);
        feed(w, &partial);
        if (w->sink.closing || partial.status != STATUS_OK)
            break;
    }
    if (choice & 32) {
        w->ended = true;
        feed(w, &partial);
        ASSERT(w->sink.closing);
    }
    mix(w, &w->sink.closing, sizeof w->sink.closing);
    mix(w, &w->outcomes, sizeof w->outcomes);
    uint64_t hash = w->told * 31 + w->written;
    protocol_http1.done(w->state);
    free(w->state);
    chain_done(&w->out);
    chain_pool_done(&w->pool);
    buffer_done(&partial);
    buffer_done(&w->worker.scratch);
    coding_done(&w->worker.coder);
    free(w);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 1 || size > 64 << 10)
        return 0;
    struct slice input = slice_make(bytes + 1, size - 1);
    bool expects = false; /* with Expect a refusal may close or not, see the README */
    for (size_t i = 0; i + 6 < input.size; i++)
        expects |= slice_starts_nocase(slice_skip(input, i), SLICE_OF("expect"));
    uint64_t once = run(input, bytes[0], false);
    uint64_t cut = run(input, bytes[0], true);
    ASSERT(once == cut || expects);
    return 0;
}
