/* CloudEvents as JSON lines: one structured event a line. */
#include "protocol/units/units.h"

static void ndjson_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                        struct protocol_sink *sink, const struct address *peer, struct now now) {
    (void)peer;
    units_open(state, &carrier_line, NULL, UNITS_JSON, true, setup, worker, sink, now);
}

const struct protocol protocol_ndjson = {
    .name = "ndjson",
    .state_size = sizeof(struct units),
    .pool_max = 1, /* lines keep their order on one connection, and many who speak lines serve only one */
    .open = ndjson_open,
    .feed = units_feed,
    .send = units_send,
    .settle = units_settle,
    .cancel = units_cancel,
    .rest = units_rest,
    .tick = units_tick,
    .fail = units_fail,
    .shut = units_shut,
    .recover = units_recover,
    .done = units_done,
};
