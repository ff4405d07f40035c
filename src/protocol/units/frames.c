/* The rows `frames` and `fifo`: TCP streams that are cut as setup->frame says, events or data alone. */
#include "base/assert.h"
#include "protocol/units/units.h"

static const struct carrier *const carriers[PROTOCOL_FRAME_COUNT] = {
    [PROTOCOL_FRAME_LINE] = &carrier_line,       [PROTOCOL_FRAME_CRLF] = &carrier_crlf,
    [PROTOCOL_FRAME_LEN16BE] = &carrier_len16be, [PROTOCOL_FRAME_LEN32BE] = &carrier_len32be,
    [PROTOCOL_FRAME_VARINT] = &carrier_varint,   [PROTOCOL_FRAME_OCTET_COUNT] = &carrier_octet_count,
    [PROTOCOL_FRAME_MLLP] = &carrier_mllp,       [PROTOCOL_FRAME_FIXED] = &carrier_fixed,
    [PROTOCOL_FRAME_IDLE] = &carrier_idle,       [PROTOCOL_FRAME_UNTIL] = &carrier_until,
};

static void frames_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                        struct protocol_sink *sink, const struct address *peer, struct now now) {
    (void)peer;
    ASSERT(setup->frame.framing < PROTOCOL_FRAME_COUNT);
    const struct carrier *carrier = carriers[setup->frame.framing];
    bool is_proto = carrier->carries_any &&
                    (carrier->by_varint || (setup->role == PROTOCOL_DIALLED && setup->encoding == ENCODING_PROTO));
    enum units_codec codec = setup->format == PROTOCOL_FORMAT_RAW ? UNITS_RAW : is_proto ? UNITS_PROTO : UNITS_JSON;
    units_open(state, carrier, NULL, codec, codec == UNITS_RAW || !carrier->carries_any, setup, worker, sink, now);
}

static void fifo_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                      struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct units *s = state;
    s->fifo = true;
    frames_open(state, setup, worker, sink, peer, now);
}

const struct protocol protocol_frames = {
    .name = "frames",
    .state_size = sizeof(struct units),
    .pool_max = 1, /* they keep their order on one connection */
    .open = frames_open,
    .feed = units_feed,
    .send = units_send,
    .settle = units_settle,
    .cancel = units_cancel,
    .written = units_written,
    .rest = units_rest,
    .tick = units_tick,
    .fail = units_fail,
    .shut = units_shut,
    .recover = units_recover,
    .done = units_done,
};

const struct protocol protocol_fifo = {
    .name = "fifo",
    .state_size = sizeof(struct units),
    .open = fifo_open,
    .feed = units_feed,
    .send = units_send,
    .settle = units_settle,
    .cancel = units_cancel,
    .written = units_written,
    .rest = units_rest,
    .tick = units_tick,
    .fail = units_fail,
    .shut = units_shut,
    .recover = units_recover,
    .done = units_done,
};
