/* What all probes share, and those that only send bytes and look at what comes back. */
#include "protocol/probe/probe.h"

#include <stdarg.h>
#include <stdio.h>

#include "protocol/opening.h"

void probe_begin(struct probe *p, const struct protocol_setup *setup, struct protocol_worker *worker,
                 struct protocol_sink *sink, struct now now) {
    p->setup = setup;
    p->sink = sink;
    p->worker = worker;
    sink->due = mono_after(now.mono, setup->timeouts.attempt_ns);
}

static void end(struct probe *p, enum status status) {
    p->sink->closing = true;
    p->sink->reading_done = true;
    p->sink->close_status = status;
}

void probe_good(struct probe *p) {
    if (p->sink->closing)
        return;
    p->verdict.is_there = p->verdict.is_good = true;
    end(p, STATUS_GOING_AWAY);
}

void probe_bad(struct probe *p, const char *format, ...) {
    va_list arguments;
    if (p->sink->closing)
        return;
    va_start(arguments, format);
    (void)vsnprintf(p->verdict.words, sizeof p->verdict.words, format, arguments);
    va_end(arguments);
    p->verdict.is_there = true;
    end(p, STATUS_GOING_AWAY);
}

void probe_send(struct probe *p, struct slice bytes) {
    if (!p->sink->closing && bytes.size && !chain_add(p->sink->out, bytes))
        end(p, STATUS_NO_MEMORY);
}

struct slice probe_path(const struct probe *p) {
    return slice_head(p->setup->path, p->setup->path.size < 48 ? p->setup->path.size : 48);
}

void probe_tick(void *state, struct now now) {
    struct probe *p = state;
    (void)now;
    probe_bad(p, "no answer within %lld ms", (long long)(p->setup->timeouts.attempt_ns / NS_PER_MS));
}

void probe_shut(void *state, enum status status, struct now now) {
    struct probe *p = state;
    (void)now;
    if (!p->sink->closing)
        end(p, status);
}

/* The pattern's end, met anywhere, is a match: more may follow. */
enum probe_match probe_matches(struct slice came, struct slice pattern) {
    size_t at = 0, i = 0, star = SIZE_MAX, resume = 0;
    while (i < pattern.size && at < came.size) {
        if (pattern.data[i] == '*') {
            star = i++;
            resume = at;
        } else if (pattern.data[i] == came.data[at]) {
            i++;
            at++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            at = ++resume;
        } else {
            return PROBE_NO;
        }
    }
    while (i < pattern.size && pattern.data[i] == '*')
        i++;
    return i == pattern.size ? PROBE_YES : PROBE_NOT_YET;
}

/* -- plain streams -- */

static void bytes_open(void *state, const struct protocol_setup *setup, struct protocol_worker *worker,
                       struct protocol_sink *sink, const struct address *peer, struct now now) {
    struct probe *p = state;
    (void)peer;
    probe_begin(p, setup, worker, sink, now);
    probe_send(p, setup->check.send);
    if (setup->check.expect.size == 0)
        probe_good(p);
}

static size_t bytes_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct probe *p = state;
    struct slice seen = slice_head(bytes, bytes.size < PROBE_ANSWER_MAX ? bytes.size : PROBE_ANSWER_MAX);
    enum probe_match match = seen.size ? probe_matches(seen, p->setup->check.expect) : PROBE_NOT_YET;
    (void)now;
    if (match == PROBE_YES)
        probe_good(p);
    else if (match == PROBE_NO || bytes.size > PROBE_ANSWER_MAX)
        probe_bad(p, "the answer is not what `health.expect` says");
    else if (ended)
        probe_bad(p, "the connection ended before the answer");
    return p->sink->closing ? bytes.size : 0;
}

const struct protocol protocol_probe_bytes = {
    .name = "probe",
    .state_size = sizeof(struct probe),
    .open = bytes_open,
    .feed = bytes_feed,
    .send = opening_send,
    .settle = opening_settle,
    .cancel = opening_cancel,
    .tick = probe_tick,
    .shut = probe_shut,
    .recover = opening_recover,
    .done = opening_done,
};

/* -- datagrams -- */

static void datagram_take(void *state, struct slice bytes, const struct address *from, struct now now) {
    struct probe *p = state;
    (void)from, (void)now;
    if (probe_matches(bytes, p->setup->check.expect) == PROBE_YES)
        probe_good(p);
    else
        probe_bad(p, "the answer is not what `health.expect` says");
}

static size_t datagram_feed(void *state, struct slice bytes, bool ended, struct now now) {
    (void)state, (void)ended, (void)now;
    return bytes.size;
}

const struct protocol protocol_probe_datagram = {
    .name = "probe",
    .state_size = sizeof(struct probe),
    .is_datagram = true,
    .open = bytes_open,
    .feed = datagram_feed,
    .datagram = datagram_take,
    .send = opening_send,
    .settle = opening_settle,
    .cancel = opening_cancel,
    .tick = probe_tick,
    .shut = probe_shut,
    .recover = opening_recover,
    .done = opening_done,
};
