/* The carrier `line`: a unit ends with LF; a CR before it is of the line's end. */
#include "base/text.h"
#include "protocol/units/units.h"

#include <stdarg.h>
#include <stdio.h>

enum cut carrier_refuse(struct unit *unit, enum status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(unit->words, sizeof unit->words, format, arguments);
    va_end(arguments);
    unit->status = status;
    return CUT_REFUSED;
}

static struct slice without_cr(struct slice line) {
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

static enum cut line_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    (void)now;
    const uint8_t *end = memchr(bytes.data + s->scanned, '\n', bytes.size - s->scanned);
    size_t size = end ? (size_t)(end - bytes.data) : bytes.size;
    unit->payload = without_cr(slice_make(bytes.data, size));
    if (unit->payload.size > s->setup->limits.message)
        return carrier_refuse(unit, STATUS_TOO_LARGE, "a line is longer than %u bytes", s->setup->limits.message);
    if (!end && !ended) {
        s->scanned = bytes.size;
        return CUT_WAIT;
    }
    s->scanned = 0;
    unit->used = end ? size + 1 : size;
    return CUT_UNIT;
}

static enum status line_fits(const struct units *s, struct slice payload) {
    (void)s;
    bool breaks = payload.size && (memchr(payload.data, '\n', payload.size) || payload.data[payload.size - 1] == '\r');
    return breaks ? STATUS_NOT_REPRESENTABLE : STATUS_OK;
}

static void line_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    (void)s;
    (void)is_text;
    at[size] = '\n';
}

static bool line_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    (void)s;
    if (sent.size == 0 || sent.data[sent.size - 1] != '\n')
        return false;
    *ret_payload = slice_head(sent, sent.size - 1);
    return true;
}

const struct carrier carrier_line = {
    .name = "line",
    .one_line = true,
    .is_bare_line = true,
    .text_type = "intertie.tcp.frame.v1",
    .binary_type = "intertie.tcp.frame.v1",
    .after = 1,
    .cut = line_cut,
    .fits = line_fits,
    .wrap = line_wrap,
    .unwrap = line_unwrap,
};
