/* Bodies of acks and queries of polls, given to an HTTP server: byte 0 says which. What is taken is within its limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "protocol/http1/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned taken;

static void on_pull(void *user, uint64_t token, const struct pull *pull) {
    (void)user;
    ASSERT(token > 0 && slice_is(pull->system, "a"));
    ASSERT(pull->wait_ns >= 0 && pull->wait_ns <= PULL_WAIT_MAX_NS && pull->max <= PULL_MESSAGES_MAX);
    ASSERT(pull->ack_count <= PULL_MESSAGES_MAX);
    for (size_t i = 0; i < pull->ack_count; i++) {
        ASSERT(pull->acks[i].id.size > 0 && pull->acks[i].outcome <= PULL_RETRY);
        ASSERT(pull->acks[i].retry_ms == 0 || pull->acks[i].outcome == PULL_RETRY);
        ASSERT(pull->acks[i].retry_ms <= PULL_RETRY_MAX_NS / NS_PER_MS);
    }
    taken++;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static uint8_t extra[4096], state[4096];
    static const struct protocol_calls calls = {.pull = on_pull};
    struct protocol_setup setup = {.role = PROTOCOL_ACCEPTED, .limits = {.message = 65536, .header = 32768, .fields = 100}};
    struct protocol_worker worker = {0};
    struct chain_pool pool;
    struct chain out;
    struct now now = {{NS_PER_S}, {NS_PER_S}};
    struct buffer text;
    if (size == 0 || size > 60000)
        return 0;
    ASSERT(protocol_http1.state_size <= sizeof state);
    memset(state, 0, sizeof state);
    buffer_init(&text, 1 << 20);
    if (bytes[0] & 1)
        buffer_add_format(&text, "POST /v1/systems/a/acks HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", size - 1);
    else
        buffer_add_text(&text, "GET /v1/systems/a/messages?");
    buffer_add(&text, slice_make(bytes + 1, size - 1));
    if (!(bytes[0] & 1))
        buffer_add_text(&text, bytes[0] & 2 ? " HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n" : " HTTP/1.1\r\nHost: a\r\n\r\n");
    buffer_init_fixed(&worker.extra, extra, sizeof extra);
    buffer_init(&worker.scratch, 1 << 20);
    chain_pool_init(&pool);
    chain_init(&out, &pool, false);
    struct protocol_sink sink = {.calls = &calls, .out = &out, .due = MONO_NEVER};
    protocol_http1.open(state, &setup, &worker, &sink, NULL, now);
    taken = 0;
    protocol_http1.feed(state, buffer_slice(&text), false, now);
    ASSERT(taken == 1 || chain_unsent(&out) > 0 || !(bytes[0] & 1)); /* acks are taken or refused */
    protocol_http1.done(state);
    chain_done(&out);
    chain_pool_done(&pool);
    buffer_done(&worker.scratch);
    buffer_done(&text);
    coding_done(&worker.coder);
    return 0;
}
