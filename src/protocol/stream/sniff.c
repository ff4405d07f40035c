/* The first byte of an accepted connection says which protocol it speaks: F5 stream v1, `{` JSON lines. */
#include "base/text.h"
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

static enum status sniff_send(void *state, const struct message *message, const struct overlay *overlay,
                              const struct protocol_send *options, struct now now) {
    (void)state;
    (void)message;
    (void)overlay;
    (void)options;
    (void)now;
    return STATUS_NOT_SUPPORTED; /* there is no room before the first byte */
}

static void sniff_settle(void *state, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms,
                         struct now now) {
    (void)state;
    (void)first;
    (void)last;
    (void)status;
    (void)retry_ms;
    (void)now;
}

static void sniff_cancel(void *state, uint64_t token, struct now now) {
    (void)state;
    (void)token;
    (void)now;
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

static bool sniff_recover(void *state, struct slice sent, struct message *ret_message) {
    (void)state;
    (void)sent;
    (void)ret_message;
    return false;
}

static void sniff_done(void *state) {
    (void)state;
}

const struct protocol protocol_stream = {
    .name = "stream",
    .state_size = sizeof(struct sniff),
    .open = sniff_open,
    .feed = sniff_feed,
    .send = sniff_send,
    .settle = sniff_settle,
    .cancel = sniff_cancel,
    .tick = sniff_tick,
    .shut = sniff_shut,
    .recover = sniff_recover,
    .done = sniff_done,
};
