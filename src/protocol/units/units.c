/* The verbs of a session over units: bytes in, time, and how it ends. */
#include "protocol/units/units.h"

#include "base/assert.h"
#include "base/memory.h"

/* -- ends -- */

void units_gone(struct units *s, enum status status) {
    if (s->sink->closing)
        return;
    s->sink->closing = true;
    s->sink->reading_done = true;
    s->sink->close_status = s->leaving ? s->shut_status : status;
    s->sink->room.messages = 0;
}

void units_set_due(struct units *s) {
    s->sink->due = mono_min(mono_min(mono_min(s->deadline, s->idle), mono_min(s->carrier_due, s->reply_due)), s->quiet_until);
}

void units_close(struct units *s, enum status status, const char *words, struct now now) {
    if (s->sink->closing || s->leaving)
        return;
    s->sink->room.messages = 0;
    if (!s->carrier->leave || !s->carrier->leave(s, status, words, now)) {
        units_gone(s, status);
        return;
    }
    s->leaving = true;
    s->shut_status = status;
    s->sink->paused = false; /* its answer must be read */
    s->deadline = s->idle = s->reply_due = s->quiet_until = MONO_NEVER; /* from here on the carrier's clock alone counts */
    units_set_due(s);
}

void units_check_end(struct units *s, struct now now) {
    bool owes = s->rx_unsettled || s->asks_open;
    bool waits = s->tx_unsettled || s->calls_open;
    if (s->sink->closing || s->leaving || (!s->shutting && !s->peer_ended))
        return;
    if (s->peer_ended && !owes)
        units_close(s, s->shutting ? s->shut_status : STATUS_PEER_CLOSED, NULL, now);
    else if (s->shutting && !owes && !waits)
        units_close(s, s->shut_status, NULL, now);
    else
        units_update_room(s);
}

/* A carrier with a goodbye says it there. */
static void write_complaint(struct units *s, enum status status, const char *words, struct slice id, struct now now) {
    if (!s->carrier->leave && s->codec != UNITS_RAW)
        units_write_error(s, status, words, id, now);
}

void units_refuse(struct units *s, enum status status, const char *words, struct slice begun, struct now now) {
    struct message_fault fault;
    if (s->leaving) { /* nor can the answer to our goodbye be found in it */
        units_gone(s, status);
        return;
    }
    control_fault(&fault, status, "%s", words);
    write_complaint(s, status, fault.text, units_find_id(s, begun), now);
    units_close(s, status, fault.text, now);
    s->sink->calls->invalid(s->sink->user, &fault);
}

/* -- units in -- */

bool units_count(struct units *s, uint32_t *count, uint32_t max, struct now now) {
    if (now.mono.ns - s->rate_start.ns >= NS_PER_S) {
        s->rate_start = now.mono;
        s->error_count = s->control_count = 0;
    }
    return ++*count <= max;
}

static void refuse_unit(struct units *s, struct slice payload, struct message_fault *fault, struct now now) {
    if (s->codec != UNITS_RAW)
        units_write_error(s, fault->status, fault->text, units_find_id(s, payload), now);
    if (!units_count(s, &s->error_count, UNITS_ERROR_RATE, now))
        units_close(s, STATUS_RATE_LIMITED, NULL, now);
    s->sink->calls->invalid(s->sink->user, fault);
}

/* `*` in the pattern stands for anything, also nothing. */
static bool matches(struct slice text, struct slice pattern) {
    size_t at = 0, i = 0, star = SIZE_MAX, resume = 0;
    while (at < text.size) {
        if (i < pattern.size && pattern.data[i] == '*') {
            star = i++;
            resume = at;
        } else if (i < pattern.size && pattern.data[i] == text.data[at]) {
            i++;
            at++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            at = ++resume;
        } else {
            return false;
        }
    }
    while (i < pattern.size && pattern.data[i] == '*')
        i++;
    return i == pattern.size;
}

/* Nothing is sent before the peer has shown that it is who was meant. */
static void take_greeting(struct units *s, struct slice payload, struct now now) {
    const struct protocol_greet *greet = &s->setup->greet;
    if (!matches(payload, greet->expect)) {
        units_refuse(s, STATUS_BAD_GREETING, "the peer's greeting is not what `greet.expect` says", slice_make("", 0), now);
        return;
    }
    s->greeting = s->sink->greets = false;
    s->deadline = MONO_NEVER;
    enum status status = greet->send.size ? units_put(s, greet->send, true) : STATUS_OK;
    if (status != STATUS_OK)
        units_close(s, status, NULL, now);
    units_set_due(s);
    units_update_room(s);
}

void units_take(struct units *s, struct slice payload, bool is_text, struct now now) {
    struct message message;
    struct message_fault fault;
    if (s->leaving || s->sink->closing)
        return;
    if (s->greeting) {
        s->count++;
        take_greeting(s, payload, now);
        return;
    }
    if (s->carrier->one_line && s->codec != UNITS_RAW && !slice_trim(payload).size)
        return;
    s->count++;
    if (!units_make_entry(s, now))
        return;
    if (s->fifo) {
        units_take_reply(s, payload, is_text, now);
        return;
    }
    if (s->carrier->paces && !s->is_dialled && s->codec == UNITS_RAW && s->asks_open) {
        units_refuse(s, STATUS_PROTOCOL_ERROR, "a frame came before the last question was answered", slice_make("", 0), now);
        return;
    }
    enum status status = units_decode(s, payload, is_text, &message, &fault, now);
    if (status == STATUS_OK && s->codec != UNITS_RAW && units_is_control(&message)) {
        if (!s->is_dialled) {
            units_control(s, &message, now);
            return;
        }
        status = control_fault(&fault, STATUS_MALFORMED_EVENT, "`type` intertie.ctl.* is not for those who were dialled");
    }
    if (status == STATUS_OK && s->setup->auth && !s->is_known && !s->sink->known && !s->is_dialled) {
        units_write_error(s, STATUS_UNAUTHENTICATED, "a key is required here: send intertie.ctl.hello.v1 first",
                          message_text(&message, ATTRIBUTE_ID), now);
        units_close(s, STATUS_UNAUTHENTICATED, NULL, now);
        return;
    }
    if (status != STATUS_OK) {
        fault.status = status;
        refuse_unit(s, payload, &fault, now);
        return;
    }
    units_note_arrival(s, &message);
    s->sink->calls->message(s->sink->user, s->rx_token, &message, 0);
}

/* One unit at the start of `bytes`; returns the bytes used, 0 for wait. */
static size_t take_unit(struct units *s, struct slice bytes, bool ended, bool *ret_more, struct now now) {
    struct unit unit;
    unit.used = unit.want = 0;
    unit.is_text = false;
    unit.payload = slice_make("", 0);
    enum cut cut = s->carrier->cut(s, bytes, ended, &unit, now);
    *ret_more = cut == CUT_UNIT || cut == CUT_CONTROL;
    switch (cut) {
    case CUT_UNIT:
        units_take(s, unit.payload, unit.is_text, now);
        break;
    case CUT_CONTROL:
        break;
    case CUT_WAIT:
        s->sink->want = unit.want;
        break;
    case CUT_REFUSED:
        units_refuse(s, unit.status, unit.words, slice_head(unit.payload, s->setup->limits.message), now);
        return 0;
    case CUT_GONE:
        units_gone(s, unit.status);
        return 0;
    }
    return unit.used;
}

size_t units_feed(void *state, struct slice bytes, bool ended, struct now now) {
    struct units *s = state;
    size_t used = 0;
    bool more = true;
    while (more && used < bytes.size && !s->sink->closing && !s->sink->paused) {
        used += take_unit(s, slice_skip(bytes, used), ended, &more, now);
        if (chain_unsent(s->sink->out) > s->setup->limits.message + UNITS_UNREAD_MAX)
            units_close(s, STATUS_WRITE_TIMEOUT, NULL, now); /* it sends on, but doesn't read the answers */
    }
    if (ended && used == bytes.size && !s->peer_ended) {
        if (s->carrier->ended && !s->sink->closing)
            s->carrier->ended(s, now);
        s->peer_ended = true;
        if (s->leaving)
            units_gone(s, STATUS_PEER_CLOSED);
        units_check_end(s, now);
    }
    if (s->carrier->tick)
        units_set_due(s);
    return s->sink->closing ? bytes.size : used;
}

void units_written(void *state, struct now now) {
    struct units *s = state;
    if (s->fifo)
        units_calls_written(s);
    if (s->quiet && chain_unsent(s->sink->out) == 0) {
        s->quiet_until = mono_after(now.mono, UNITS_PAUSES * s->setup->frame.idle_ns);
        units_set_due(s);
    }
}

/* A reply that nobody waits for any more still comes in its place. */
void units_cancel(void *state, uint64_t token, struct now now) {
    (void)state; /* there is no word for it */
    (void)token;
    (void)now;
}

/* -- time and ends -- */

static uint64_t activity(const struct units *s) {
    return s->count + s->scanned + s->sink->out->added + s->sink->out->written;
}

/* Looks twice in the allowed time, so that nothing has to be noted for each unit. */
static void watch_idle(struct units *s, struct now now) {
    s->seen_at_idle = activity(s);
    s->idle = s->setup->timeouts.idle_ns > 0 ? mono_after(now.mono, s->setup->timeouts.idle_ns) : MONO_NEVER;
}

static void set_terms(struct units *s) {
    struct protocol_terms *terms = &s->sink->terms;
    bool is_raw = s->codec == UNITS_RAW;
    *terms = (struct protocol_terms){.can_reply = !is_raw, .keep = is_raw, .acks = s->fifo,
                                     .inline_reply = is_raw && !s->is_dialled,
                                     .when_full = s->carrier->paces ? PROTOCOL_FULL_DROP : PROTOCOL_FULL_STOP};
}

static void begin_greeting(struct units *s, struct now now) {
    const struct protocol_greet *greet = &s->setup->greet;
    if (greet->expect.size) {
        s->greeting = s->sink->greets = true;
        s->deadline = mono_after(now.mono, greet->within_ns);
    } else if (greet->send.size && units_put(s, greet->send, true) != STATUS_OK) {
        units_gone(s, STATUS_NO_MEMORY);
    }
}

void units_open(struct units *s, const struct carrier *carrier, void *carrier_state, enum units_codec codec,
                bool codec_is_one, const struct protocol_setup *setup, struct protocol_worker *worker,
                struct protocol_sink *sink, struct now now) {
    s->setup = setup;
    s->worker = worker;
    s->sink = sink;
    s->carrier = carrier;
    s->carrier_state = carrier_state;
    s->codec = (uint8_t)codec;
    s->codec_is_one = codec_is_one;
    s->rules = (struct message_rules){.declared = setup->declared, .size_max = setup->limits.message};
    s->is_dialled = setup->role == PROTOCOL_DIALLED;
    s->rx_low = s->tx_low = 1;
    s->credit = UINT64_MAX;
    s->inflight_max = UNITS_INFLIGHT_MAX;
    s->hash_seed = rng_next(&worker->ids.rng);
    s->rate_start = now.mono;
    s->deadline = s->carrier_due = s->reply_due = s->quiet_until = MONO_NEVER;
    if (setup->auth && !sink->known && !s->is_dialled && setup->timeouts.auth_ns > 0)
        s->deadline = mono_after(now.mono, setup->timeouts.auth_ns);
    watch_idle(s, now);
    set_terms(s);
    if (carrier->open && !carrier->open(s, now)) {
        units_gone(s, STATUS_NO_MEMORY);
        return;
    }
    if (s->is_dialled)
        begin_greeting(s, now);
    sink->room = (struct protocol_room){units_room(s), UINT64_MAX}; /* the user learns of it when this returns */
    units_set_due(s);
}

void units_known(struct units *s) {
    s->is_known = true;
    s->deadline = MONO_NEVER;
    if (!s->sink->closing)
        s->sink->room = (struct protocol_room){UINT32_MAX, UINT64_MAX}; /* the user learns of it when open() returns */
    units_set_due(s);
}

static void tick_session(struct units *s, struct now now) {
    if (s->greeting && mono_due(s->deadline, now.mono)) {
        s->deadline = MONO_NEVER;
        units_refuse(s, STATUS_BAD_GREETING, "the peer's greeting did not come within `greet.within`", slice_make("", 0), now);
        return;
    }
    if (mono_due(s->reply_due, now.mono)) {
        units_close(s, STATUS_REPLY_TIMEOUT, NULL, now); /* a frame that comes now could be its reply or the next one's */
        return;
    }
    if (mono_due(s->quiet_until, now.mono)) {
        s->quiet = false;
        s->quiet_until = MONO_NEVER;
        units_update_room(s);
    }
    if (mono_due(s->deadline, now.mono)) {
        s->deadline = MONO_NEVER;
        write_complaint(s, STATUS_AUTH_TIMEOUT, "a key is required here: send intertie.ctl.hello.v1", slice_make(NULL, 0), now);
        units_close(s, STATUS_AUTH_TIMEOUT, NULL, now);
        return;
    }
    if (!mono_due(s->idle, now.mono))
        return;
    if (activity(s) == s->seen_at_idle) {
        s->idle = MONO_NEVER;
        units_close(s, STATUS_IDLE_TIMEOUT, NULL, now);
        return;
    }
    watch_idle(s, now);
    if (s->rx && s->rx_low > s->rx_token)
        units_drop_entries(s); /* idle connections hold no buffer */
}

void units_tick(void *state, struct now now) {
    struct units *s = state;
    if (s->sink->closing)
        return;
    if (!s->leaving)
        tick_session(s, now);
    if (!s->sink->closing && mono_due(s->carrier_due, now.mono)) {
        s->carrier_due = MONO_NEVER;
        s->carrier->tick(s, now);
    }
    if (!s->sink->closing)
        units_set_due(s);
}

void units_fail(void *state, enum status status, const char *words, struct now now) {
    struct units *s = state;
    write_complaint(s, status, words, slice_make(NULL, 0), now);
    units_close(s, status, words, now);
}

void units_shut(void *state, enum status status, struct now now) {
    struct units *s = state;
    if (s->leaving)
        return;
    s->shutting = true;
    s->shut_status = status;
    units_check_end(s, now);
}

void units_done(void *state) {
    struct units *s = state;
    if (s->rx)
        units_drop_entries(s);
    memory_free(s->tx);
    memory_free(s->calls);
    s->tx = NULL;
    s->calls = NULL;
    if (s->carrier && s->carrier->done)
        s->carrier->done(s);
}
