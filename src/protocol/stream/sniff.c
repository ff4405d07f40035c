/* The first byte of an accepted connection says which protocol it speaks: F5 stream v1, `{` JSON lines. */
#include "base/text.h"
#include "protocol/opening.h"
#include "protocol/stream/frame.h"
#include "protocol/protocol.h"

struct sniff {
    const struct protocol_setup *setup;
    struct protocol_sink *sink;
};

static void close_with(struct sniff *s, enum status status) {
    s->sink->closing = true;
    s->sink->reading_done = true;
    s->sink->close_status = status;
}

static void sniff_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                       struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct sniff *s = state;
    (void)worker;
    (void)peer;
    s->setup = setup;
    s->sink = sink;
    int64_t wait = setup->auth && !sink->known ? setup->timeouts.auth_ns : setup->timeouts.idle_ns;
    sink->due = wait > 0 ? mono_after(now.mono, wait) : MONO_NEVER;
    if (setup->role == PROTOCOL_DIALLED)
        close_with(s, STATUS_NOT_SUPPORTED); /* who dials chooses */
}

/* For a person with nc, or a client that meant another port. */
static void explain(struct sniff *s) {
    static const struct slice words = SLICE("this port speaks CloudEvents as JSON lines, or intertie stream v1\r\n");
    chain_add(s->sink->out, words);
}

static size_t sniff_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct sniff *s = state;
    (void)now;
    if (bytes.size == 0) {
        if (ended)
            close_with(s, STATUS_PEER_CLOSED);
        return 0;
    }
    uint8_t first = bytes.data[0];
    if (first == PREFACE_FIRST) {
        s->sink->become = &protocol_stream1;
    } else if (first == '{' || first == ' ' || first == '\t' || first == '\r' || first == '\n') {
        s->sink->become = &protocol_ndjson;
    } else {
        if (first > ' ' && first < 0x7f)
            explain(s);
        close_with(s, STATUS_PROTOCOL_ERROR);
        return bytes.size;
    }
    return 0;
}

static void sniff_tick(void *state, struct now now) {
    struct sniff *s = state;
    (void)now;
    close_with(s, s->setup->auth && !s->sink->known ? STATUS_AUTH_TIMEOUT : STATUS_IDLE_TIMEOUT);
}

static void sniff_shut(void *state, enum status status, struct now now) {
    (void)now;
    close_with(state, status);
}

const struct protocol protocol_stream = {
    .name = "stream",
    .state_size = sizeof(struct sniff),
    .open = sniff_open,
    .feed = sniff_feed,
    .send = opening_send,
    .settle = opening_settle,
    .cancel = opening_cancel,
    .tick = sniff_tick,
    .shut = sniff_shut,
    .recover = opening_recover,
    .done = opening_done,
};
