/* Replies by order: the next frame is the reply to the oldest request that has none. Nothing in a frame says which it
 * answers, so whatever puts the order in doubt ends the connection. */
#include "base/assert.h"
#include "base/memory.h"
#include "protocol/units/units.h"

#define FIRST_CALLS 8

/* An outbound message that isn't settled. */
struct units_call {
    uint64_t end;    /* chain.added after it */
    struct mono due; /* asks: no reply so far is one too late */
    bool asks;
    bool over;
};

static struct units_call *call_at(const struct units *s, uint64_t token) {
    return &s->calls[token & (s->call_capacity - 1)];
}

bool units_reserve_call(struct units *s) {
    uint64_t count = s->tx_token + 1 - s->tx_low;
    if (count < s->call_capacity)
        return true;
    uint32_t capacity = s->call_capacity ? s->call_capacity * 2 : FIRST_CALLS;
    struct units_call *calls = memory_array(capacity, sizeof *calls);
    if (!calls)
        return false;
    for (uint64_t token = s->tx_low; token <= s->tx_token; token++)
        calls[token & (capacity - 1)] = *call_at(s, token);
    memory_free(s->calls);
    s->calls = calls;
    s->call_capacity = capacity;
    return true;
}

static uint64_t oldest_ask(const struct units *s) {
    for (uint64_t token = s->tx_low; token <= s->tx_token; token++)
        if (call_at(s, token)->asks && !call_at(s, token)->over)
            return token;
    return 0;
}

static void watch(struct units *s) {
    uint64_t token = s->calls_open ? oldest_ask(s) : 0;
    s->reply_due = token ? call_at(s, token)->due : MONO_NEVER;
}

void units_note_call(struct units *s, const struct protocol_send *options, struct now now) {
    int64_t patience = options->timeout_ns ? options->timeout_ns : s->setup->timeouts.attempt_ns;
    *call_at(s, s->tx_token) = (struct units_call){.end = s->sink->out->added, .asks = options->asks,
                                                   .due = patience > 0 ? mono_after(now.mono, patience) : MONO_NEVER};
    s->tx_unsettled++;
    s->calls_open += options->asks;
    watch(s);
    units_set_due(s);
}

static void settle_call(struct units *s, uint64_t token, enum protocol_verdict verdict, enum status status) {
    call_at(s, token)->over = true;
    s->tx_unsettled--;
    while (s->tx_low <= s->tx_token && call_at(s, s->tx_low)->over)
        s->tx_low++;
    watch(s);
    s->sink->calls->outcome(s->sink->user, token, token, (struct protocol_outcome){verdict, status, 0});
}

/* What asks nothing is delivered when the kernel has taken its last byte. */
void units_calls_written(struct units *s) {
    uint64_t written = s->sink->out->written;
    for (uint64_t token = s->tx_low; token <= s->tx_token; token++) {
        const struct units_call *call = call_at(s, token);
        if (call->end > written)
            break;
        if (!call->asks && !call->over)
            settle_call(s, token, VERDICT_ACCEPTED, STATUS_OK);
    }
    units_update_room(s);
}

void units_take_reply(struct units *s, struct slice payload, bool is_text, struct now now) {
    struct message message;
    struct message_fault fault;
    uint64_t token = oldest_ask(s);
    if (!token || call_at(s, token)->end > s->sink->out->written) {
        units_refuse(s, STATUS_PROTOCOL_ERROR, token ? "a frame came before its request was written whole"
                                                     : "a frame came that nobody asked for",
                     slice_make("", 0), now);
        return;
    }
    enum status status = units_decode(s, payload, is_text, &message, &fault, now);
    s->calls_open--;
    if (status == STATUS_OK) {
        units_note_arrival(s, &message);
        s->sink->calls->message(s->sink->user, s->rx_token, &message, token);
        settle_call(s, token, VERDICT_ACCEPTED, STATUS_OK);
    } else {
        fault.status = status;
        settle_call(s, token, VERDICT_REJECTED, STATUS_UPSTREAM_ERROR);
        s->sink->calls->invalid(s->sink->user, &fault);
    }
    units_update_room(s);
    units_set_due(s);
    units_check_end(s, now);
}
