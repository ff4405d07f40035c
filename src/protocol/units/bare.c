/* Carriers whose units are their payloads: fixed (each has the same size) and idle (one ends when nothing came for a
 * while). */
#include "base/memory.h"
#include "protocol/units/units.h"

/* -- fixed -- */

static enum cut fixed_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    size_t size = s->setup->frame.fixed;
    (void)now;
    if (bytes.size < size && ended)
        return carrier_refuse(unit, STATUS_PROTOCOL_ERROR, "the stream ends within a frame");
    if (bytes.size < size) {
        unit->want = size;
        return CUT_WAIT;
    }
    unit->payload = slice_head(bytes, size);
    unit->used = size;
    return CUT_UNIT;
}

static enum status fixed_fits(const struct units *s, struct slice payload) {
    return payload.size == s->setup->frame.fixed ? STATUS_OK : STATUS_NOT_REPRESENTABLE;
}

static void nothing_wraps(struct units *s, uint8_t *at, size_t size, bool is_text) {
    (void)s;
    (void)at;
    (void)size;
    (void)is_text;
}

static bool all_unwraps(struct units *s, struct slice sent, struct slice *ret_payload) {
    (void)s;
    *ret_payload = sent;
    return true;
}

/* -- idle -- */

/* Holds what came: only time says that it is whole. */
static bool idle_open(struct units *s, struct now now) {
    (void)now;
    struct buffer *held = memory_alloc(sizeof *held);
    if (!held)
        return false;
    buffer_init(held, s->setup->limits.message);
    s->carrier_state = held;
    return true;
}

static enum cut idle_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    struct buffer *held = s->carrier_state;
    (void)ended;
    if (held->size + bytes.size > s->setup->limits.message) {
        unit->payload = slice_make("", 0);
        return carrier_refuse(unit, STATUS_TOO_LARGE, "more than %u bytes came without a pause", s->setup->limits.message);
    }
    buffer_add(held, bytes);
    if (held->status != STATUS_OK)
        return carrier_refuse(unit, held->status, "no memory for a frame");
    s->carrier_due = mono_after(now.mono, s->setup->frame.idle_ns);
    s->sink->held = held->capacity;
    unit->used = bytes.size;
    return CUT_WAIT;
}

static void idle_over(struct units *s, struct now now) {
    struct buffer *held = s->carrier_state;
    struct buffer frame = *held;
    s->carrier_due = MONO_NEVER;
    if (frame.size == 0)
        return;
    buffer_init(held, s->setup->limits.message); /* the user may come back to us from within */
    s->sink->held = 0;
    units_take(s, buffer_slice(&frame), false, now);
    buffer_done(&frame);
}

static enum status idle_fits(const struct units *s, struct slice payload) {
    (void)s;
    return payload.size ? STATUS_OK : STATUS_NOT_REPRESENTABLE;
}

static void idle_done(struct units *s) {
    if (s->carrier_state)
        buffer_done(s->carrier_state);
    memory_free(s->carrier_state);
    s->carrier_state = NULL;
}

#define TCP_TYPE "intertie.tcp.frame.v1"

const struct carrier carrier_fixed = {
    .name = "fixed", .carries_any = true, .text_type = TCP_TYPE, .binary_type = TCP_TYPE, .cut = fixed_cut,
    .fits = fixed_fits, .wrap = nothing_wraps, .unwrap = all_unwraps,
};
const struct carrier carrier_idle = {
    .name = "idle", .paces = true, .text_type = TCP_TYPE, .binary_type = TCP_TYPE, .open = idle_open, .cut = idle_cut,
    .ended = idle_over, .fits = idle_fits, .wrap = nothing_wraps, .unwrap = all_unwraps, .tick = idle_over, .done = idle_done,
};
