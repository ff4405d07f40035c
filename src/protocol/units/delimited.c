/* Carriers whose units end with certain bytes: crlf, until, and mllp, which begin with one too. */
#include <string.h>

#include "protocol/units/units.h"

#define MLLP_START 0x0b
#define MLLP_END "\x1c\x0d"

/* Where `mark` first stands in `bytes` at `from` or later; SIZE_MAX: nowhere. */
static size_t find(struct slice bytes, size_t from, struct slice mark) {
    if (bytes.size < from + mark.size)
        return SIZE_MAX;
    const uint8_t *at = memmem(bytes.data + from, bytes.size - from, mark.data, mark.size);
    return at ? (size_t)(at - bytes.data) : SIZE_MAX;
}

/* One unit from `start` up to `mark`. What was looked at once isn't again. */
static enum cut cut_until(struct units *s, struct slice bytes, bool ended, size_t start, struct slice mark,
                          struct unit *unit) {
    size_t max = s->setup->limits.message;
    size_t end = find(bytes, s->scanned > start ? s->scanned : start, mark);
    bool is_long = end == SIZE_MAX ? bytes.size >= start + max + mark.size : end - start > max;
    if (is_long) {
        unit->payload = slice_skip(bytes, start);
        return carrier_refuse(unit, STATUS_TOO_LARGE, "a frame is longer than %u bytes", (unsigned)max);
    }
    if (end == SIZE_MAX && ended)
        return carrier_refuse(unit, STATUS_PROTOCOL_ERROR, "the stream ends within a frame");
    if (end == SIZE_MAX) {
        s->scanned = bytes.size >= mark.size ? bytes.size - mark.size + 1 : 0;
        return CUT_WAIT;
    }
    s->scanned = 0;
    unit->payload = slice_make(bytes.data + start, end - start);
    unit->used = end + mark.size;
    return CUT_UNIT;
}

/* Whether the payload's end would be found where it is and nowhere before: also not where its last bytes and the mark
 * together look like one. */
static bool ends_there(struct slice payload, struct slice mark) {
    uint8_t seam[2 * UNITS_UNTIL_MAX];
    if (find(payload, 0, mark) != SIZE_MAX)
        return false;
    struct slice tail = slice_skip(payload, payload.size > mark.size - 1 ? payload.size - (mark.size - 1) : 0);
    if (tail.size)
        memcpy(seam, tail.data, tail.size);
    memcpy(seam + tail.size, mark.data, mark.size);
    return find(slice_make(seam, tail.size + mark.size), 0, mark) == tail.size;
}

static bool unwrap(struct slice sent, size_t start, struct slice mark, struct slice *ret_payload) {
    if (sent.size < start + mark.size)
        return false;
    *ret_payload = slice_make(sent.data + start, sent.size - start - mark.size);
    return slice_equal(slice_skip(sent, sent.size - mark.size), mark);
}

/* -- crlf -- */

static enum cut crlf_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    (void)now;
    return cut_until(s, bytes, ended, 0, SLICE_OF("\r\n"), unit);
}

static enum status crlf_fits(const struct units *s, struct slice payload) {
    (void)s;
    return ends_there(payload, SLICE_OF("\r\n")) ? STATUS_OK : STATUS_NOT_REPRESENTABLE;
}

static void crlf_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    (void)s;
    (void)is_text;
    memcpy(at + size, "\r\n", 2);
}

static bool crlf_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    (void)s;
    return unwrap(sent, 0, SLICE_OF("\r\n"), ret_payload);
}

/* -- until -- */

static enum cut until_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    (void)now;
    return cut_until(s, bytes, ended, 0, s->setup->frame.until, unit);
}

static enum status until_fits(const struct units *s, struct slice payload) {
    return ends_there(payload, s->setup->frame.until) ? STATUS_OK : STATUS_NOT_REPRESENTABLE;
}

static size_t until_after(const struct units *s) {
    return s->setup->frame.until.size;
}

static void until_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    (void)is_text;
    memcpy(at + size, s->setup->frame.until.data, s->setup->frame.until.size);
}

static bool until_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    return unwrap(sent, 0, s->setup->frame.until, ret_payload);
}

/* -- mllp -- */

static enum cut mllp_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    (void)now;
    if (bytes.data[0] != MLLP_START)
        return carrier_refuse(unit, STATUS_PROTOCOL_ERROR, "a frame begins with %02X, not with 0B", bytes.data[0]);
    return cut_until(s, bytes, ended, 1, SLICE_OF(MLLP_END), unit);
}

static size_t mllp_before(const struct units *s, size_t size) {
    (void)s;
    (void)size;
    return 1;
}

static enum status mllp_fits(const struct units *s, struct slice payload) {
    (void)s;
    return ends_there(payload, SLICE_OF(MLLP_END)) ? STATUS_OK : STATUS_NOT_REPRESENTABLE;
}

static void mllp_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    (void)s;
    (void)is_text;
    at[0] = MLLP_START;
    memcpy(at + 1 + size, MLLP_END, 2);
}

static bool mllp_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    (void)s;
    return unwrap(sent, 1, SLICE_OF(MLLP_END), ret_payload);
}

#define TCP_TYPE "intertie.tcp.frame.v1"

const struct carrier carrier_crlf = {
    .name = "crlf", .one_line = true, .is_bare_line = true, .text_type = TCP_TYPE, .binary_type = TCP_TYPE, .after = 2, .cut = crlf_cut,
    .fits = crlf_fits, .wrap = crlf_wrap, .unwrap = crlf_unwrap,
};
const struct carrier carrier_until = {
    .name = "until", .text_type = TCP_TYPE, .binary_type = TCP_TYPE, .behind = until_after, .cut = until_cut,
    .fits = until_fits, .wrap = until_wrap, .unwrap = until_unwrap,
};
const struct carrier carrier_mllp = {
    .name = "mllp", .text_type = TCP_TYPE, .binary_type = TCP_TYPE, .after = 2, .cut = mllp_cut, .before = mllp_before,
    .fits = mllp_fits, .wrap = mllp_wrap, .unwrap = mllp_unwrap,
};
