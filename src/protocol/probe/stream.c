/* A probe that presents itself in stream v1, serves nothing and takes nothing: WELCOME shows that the peer's engine answers. */
#include "protocol/opening.h"
#include "protocol/probe/probe.h"
#include "protocol/stream/frame.h"

static const uint8_t preface[PREFACE_SIZE] = {PREFACE_FIRST, 'i', 't', 's', 1, 0, 0, 0};

static void stream_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                        struct protocol_sink *sink, const struct address *peer, struct now now) {
    static const char hello[] =
        "{\"client\":\"intertie/" INTERTIE_VERSION "\",\"auth\":{\"method\":\"none\"},\"enc\":[\"json\"],"
        "\"expiry_ms\":0}";
    uint8_t bytes[PREFACE_SIZE + FRAME_HEADER + sizeof hello - 1];
    struct probe *p = state;
    (void)peer;
    probe_begin(p, setup, worker, sink, now);
    memcpy(bytes, preface, PREFACE_SIZE);
    frame_put_header(bytes + PREFACE_SIZE, sizeof hello - 1, FRAME_HELLO, 0);
    memcpy(bytes + PREFACE_SIZE + FRAME_HEADER, hello, sizeof hello - 1);
    probe_send(p, slice_make(bytes, sizeof bytes));
}

static size_t stream_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct probe *p = state;
    size_t known = bytes.size < 4 ? bytes.size : 4;
    (void)now;
    if (known && memcmp(bytes.data, preface, known) != 0)
        probe_bad(p, "what answers does not speak stream v1");
    else if (bytes.size >= PREFACE_SIZE + FRAME_HEADER && bytes.data[PREFACE_SIZE + 4] == FRAME_WELCOME)
        probe_good(p);
    else if (bytes.size >= PREFACE_SIZE + FRAME_HEADER)
        probe_bad(p, "HELLO was refused");
    else if (ended)
        probe_bad(p, "the connection ended before WELCOME");
    return p->sink->closing ? bytes.size : 0;
}

const struct protocol protocol_probe_stream = {
    .name = "probe",
    .state_size = sizeof(struct probe),
    .open = stream_open,
    .feed = stream_feed,
    .send = opening_send,
    .settle = opening_settle,
    .cancel = opening_cancel,
    .tick = probe_tick,
    .shut = probe_shut,
    .recover = opening_recover,
    .done = opening_done,
};
