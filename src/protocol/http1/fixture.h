/* For tests of this folder only: a connection without a socket, and a user who notes what he is told. */
#ifndef PROTOCOL_HTTP1_FIXTURE_H
#define PROTOCOL_HTTP1_FIXTURE_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "message/encoding.h"
#include "protocol/http1/http1.h"

/* A test of many thousand short lives wants small worlds. */
#ifndef SEEN_MAX
#define SEEN_MAX 64
#endif
#ifndef WORLD_EXTRA
#define WORLD_EXTRA (256 << 10)
#endif

struct seen {
    uint64_t token;
    uint64_t reply_to;
    uint8_t kind;
    bool has_expiry;
    int64_t expiry_ns;
    bool inline_reply;
    char json[2048]; /* the event, encoded anew */
    char receipt[40];
};

struct world {
    struct protocol_consent *consent; /* of the endpoint that it belongs to; NULL: of none */
    struct protocol_setup setup;
    struct protocol_worker worker;
    struct protocol_sink sink;
    struct protocol_calls calls;
    struct chain_pool pool;
    struct chain chain;
    struct buffer partial;
    struct buffer out; /* all that was ever written */
    struct now now;
    uint8_t *extra;
    void *state;
    bool ended;
    bool in_feed;
    /* how the user behaves */
    bool holds; /* settles nothing by itself */
    enum status answer;
    const char *words;
    enum status hello_answer;
    uint32_t retry_ms;
    /* what he saw */
    struct seen seen[SEEN_MAX];
    unsigned messages;
    unsigned requests;
    unsigned invalids;
    unsigned hellos;
    unsigned rooms;
    unsigned outcomes;
    struct protocol_outcome outcome;
    uint64_t outcome_token;
    char told[512]; /* each outcome in the order of coming: `1-3 accepted; ` */
    char hello_key[128];
    char last_invalid[128];
    char request[512];
    uint64_t request_token;
};

static inline void world_message(void *user, uint64_t token, struct message *message, uint64_t reply_to) {
    struct world *w = user;
    struct seen *seen = &w->seen[w->messages++ % SEEN_MAX];
    struct buffer out;
    buffer_init_fixed(&out, seen->json, sizeof seen->json - 1);
    memset(seen->json, 0, sizeof seen->json);
    /* Not from the wire alone: what was derived or added must be seen. */
    if (message_encode_json(message, NULL, &out) != STATUS_OK)
        snprintf(seen->json, sizeof seen->json, "(does not fit)");
    seen->token = token;
    seen->reply_to = reply_to;
    seen->kind = message->kind;
    seen->has_expiry = message->expiry.ns != INT64_MAX;
    seen->expiry_ns = message->expiry.ns;
    seen->inline_reply = w->sink.terms.inline_reply;
    if (message->has_receipt)
        uuid_text(message->receipt, seen->receipt);
    seen->receipt[UUID_TEXT_SIZE] = '\0';
    if (!w->holds && reply_to == 0)
        protocol_http1.settle(w->state, token, token, w->answer, w->retry_ms, w->now);
}

static inline void world_invalid(void *user, const struct message_fault *fault) {
    struct world *w = user;
    w->invalids++;
    snprintf(w->last_invalid, sizeof w->last_invalid, "%s", fault->text);
}

static inline void world_outcome(void *user, uint64_t first, uint64_t last, struct protocol_outcome outcome) {
    static const char *const words[] = {"accepted", "rejected", "retry", "expired", "unsent"};
    struct world *w = user;
    size_t size = strlen(w->told);
    assert_true(first > 0 && first <= last);
    if (first == last)
        snprintf(w->told + size, sizeof w->told - size, "%u %s; ", (unsigned)first, words[outcome.verdict]);
    else
        snprintf(w->told + size, sizeof w->told - size, "%u-%u %s; ", (unsigned)first, (unsigned)last, words[outcome.verdict]);
    w->outcomes++;
    w->outcome = outcome;
    w->outcome_token = first;
}

static inline void world_room(void *user) {
    struct world *w = user;
    assert_true(w->sink.room.messages > 0);
    w->rooms++;
}

static inline enum status world_hello(void *user, const struct protocol_hello *hello, struct slice *ret_system) {
    struct world *w = user;
    w->hellos++;
    snprintf(w->hello_key, sizeof w->hello_key, "%.*s", SLICE_ARG(hello->key));
    *ret_system = hello->key.size ? SLICE_OF("desk") : SLICE_OF("");
    return w->hello_answer;
}

static inline void world_request(void *user, uint64_t token, const struct protocol_request *request) {
    struct world *w = user;
    w->requests++;
    w->request_token = token;
    struct slice pretty = http1_parameter(request, SLICE_OF("pretty"));
    snprintf(w->request, sizeof w->request, "%.*s %.*s ? %.*s [%.*s] json=%d host=%.*s pretty=%.*s",
             SLICE_ARG(request->method), SLICE_ARG(request->path), SLICE_ARG(request->query), SLICE_ARG(request->body),
             request->is_json, SLICE_ARG(request->host), SLICE_ARG(pretty));
    if (!w->holds)
        http1_answer(w->state, token, 200, SLICE_OF("text/plain"), SLICE_OF("hello\n"), SLICE_OF("ETag: \"1\"\r\n"), w->now);
}

static inline size_t world_detail(void *user, uint64_t token, enum status status, char *out, size_t room) {
    struct world *w = user;
    (void)token;
    (void)status;
    if (!w->words || strlen(w->words) > room)
        return 0;
    memcpy(out, w->words, strlen(w->words));
    return strlen(w->words);
}

/* Defaults of CONFIG; tests change them before world_open(). */
static inline void world_init(struct world *w, enum protocol_role role) {
    memset(w, 0, sizeof *w);
    w->setup = (struct protocol_setup){
        .role = role,
        .name = SLICE("web"),
        .node = SLICE("intertie"),
        .limits = {.message = 1 << 20, .header = 32 << 10, .fields = 100, .min_rate = 1024},
        .timeouts = {.head_ns = 10 * NS_PER_S, .idle_ns = 60 * NS_PER_S, .attempt_ns = 5 * NS_PER_S},
        .host = SLICE("lamp.example:8080"),
        .path = SLICE("/in?x=1"),
        .encoding = ENCODING_JSON,
    };
    if (role == PROTOCOL_DIALLED)
        w->setup.system = SLICE_OF("pricing");
    w->calls = (struct protocol_calls){.message = world_message, .invalid = world_invalid, .outcome = world_outcome,
                                       .room = world_room, .hello = world_hello, .request = world_request,
                                       .detail = world_detail};
    w->now = (struct now){{NS_PER_S}, {INT64_C(1795384800) * NS_PER_S}}; /* 2026-11-22T22:00:00Z */
}

static inline void world_open(struct world *w) {
    uuid_source_init(&w->worker.ids, 1);
    w->extra = test_malloc(WORLD_EXTRA);
    buffer_init_fixed(&w->worker.extra, w->extra, WORLD_EXTRA);
    buffer_init(&w->worker.scratch, 4 << 20);
    buffer_init(&w->partial, 16 << 20);
    buffer_init(&w->out, 16 << 20);
    chain_pool_init(&w->pool);
    chain_init(&w->chain, &w->pool, false);
    w->sink = (struct protocol_sink){.calls = &w->calls, .user = w, .out = &w->chain, .due = {INT64_MAX}, .consent = w->consent};
    w->state = test_calloc(1, protocol_http1.state_size);
    protocol_http1.open(w->state, &w->setup, &w->worker, &w->sink, NULL, w->now);
}

static inline void world_done(struct world *w) {
    protocol_http1.done(w->state);
    test_free(w->state);
    chain_done(&w->chain);
    chain_pool_done(&w->pool);
    buffer_done(&w->partial);
    buffer_done(&w->out);
    buffer_done(&w->worker.scratch);
    coding_done(&w->worker.coder);
    websocket_worker_done(&w->worker.websocket);
    memory_free(w->worker.gift);
    test_free(w->extra);
}

/* The turn ends: moves what is to be written into `out`. */
static inline void world_flush(struct world *w) {
    if (w->sink.gathers && !w->sink.closing)
        protocol_http1.flush(w->state, w->now);
    struct iovec vectors[16];
    int count;
    while ((count = chain_vectors(&w->chain, vectors, 16)) > 0)
        for (int i = 0; i < count; i++) {
            buffer_add(&w->out, slice_make(vectors[i].iov_base, vectors[i].iov_len));
            chain_written(&w->chain, vectors[i].iov_len);
        }
    assert_int_equal(w->out.status, STATUS_OK);
}

/* As the connection room does: fed while it uses bytes, not while it is paused, not below `want`. Each feed gets an
 * exact copy, so that the sanitizer sees a read past its end. */
static inline void world_pump(struct world *w) {
    for (;;) {
        size_t left = w->partial.size;
        if (w->sink.closing || w->sink.paused || (left == 0 && !w->ended) || (left < w->sink.want && !w->ended))
            break;
        w->sink.want = 0;
        uint8_t *copy = test_malloc(left + 1);
        if (left)
            memcpy(copy, w->partial.data, left);
        size_t used = protocol_http1.feed(w->state, slice_make(copy, left), w->ended, w->now);
        test_free(copy);
        assert_true(used <= left);
        buffer_consume(&w->partial, used);
        if (used == 0)
            break;
    }
    world_flush(w);
}

static inline void world_give(struct world *w, struct slice bytes) {
    buffer_add(&w->partial, bytes);
    world_pump(w);
}
static inline void world_give_bytewise(struct world *w, struct slice bytes) {
    for (size_t i = 0; i < bytes.size; i++)
        world_give(w, slice_make(bytes.data + i, 1));
}
static inline void world_end(struct world *w) {
    w->ended = true;
    world_pump(w);
}
static inline void world_settle(struct world *w, uint64_t token, enum status status) {
    protocol_http1.settle(w->state, token, token, status, w->retry_ms, w->now);
    world_pump(w);
}
static inline void world_wait(struct world *w, int64_t ns) {
    w->now.mono.ns += ns;
    w->now.wall.ns += ns;
    if (mono_due(w->sink.due, w->now.mono)) {
        w->sink.due = MONO_NEVER;
        protocol_http1.tick(w->state, w->now);
    }
    world_pump(w);
}

/* All that was written, as text. */
static inline const char *world_text(struct world *w) {
    world_flush(w);
    if (!buffer_reserve(&w->out, 1))
        fail();
    w->out.data[w->out.size] = '\0';
    return (const char *)w->out.data;
}
static inline void world_forget(struct world *w) {
    world_flush(w);
    buffer_clear(&w->out);
}

/* Status of the n-th answer (from 0) that was written; 0: none. Bodies are passed over by their length. */
static inline unsigned world_code(struct world *w, unsigned n) {
    const char *at = world_text(w);
    for (;; n--) {
        if (strncmp(at, "HTTP/1.1 ", 9) != 0)
            return 0;
        if (n == 0)
            return (unsigned)strtoul(at + 9, NULL, 10);
        const char *end = strstr(at, "\r\n\r\n");
        const char *length = strstr(at, "Content-Length: ");
        if (!end)
            return 0;
        at = end + 4 + (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
    }
}

static inline void world_check(struct world *w, unsigned code) {
    if (world_code(w, 0) != code) {
        print_error("expected %u, was: %s\n", code, world_text(w));
        fail();
    }
}
#define CHECK_HAS(w, piece) \
    do { \
        if (!strstr(world_text(w), piece)) { \
            print_error("no `%s` in: %s\n", piece, world_text(w)); \
            fail(); \
        } \
    } while (0)
#define CHECK_LACKS(w, piece) assert_null(strstr(world_text(w), piece))

#endif
