/* Carriers whose units begin with their size: len16be (RFC 4571), len32be, varint (protobuf's writeDelimitedTo),
 * octet-count (RFC 6587 section 3.4.1). */
#include "base/text.h"
#include "protocol/units/units.h"

#define VARINT_MAX 5 /* bytes: enough for every size that a limit allows */
#define DIGITS_MAX 10

/* The head is `head` bytes and announces `size`. */
static enum cut cut_sized(const struct units *s, struct slice bytes, bool ended, size_t head, uint64_t size,
                          struct unit *unit) {
    uint32_t max = s->setup->limits.message;
    if (size > max) /* what is there of it depends on how it came: its id isn't looked for */
        return carrier_refuse(unit, STATUS_TOO_LARGE, "a frame of %llu bytes is announced, the limit is %u",
                              (unsigned long long)size, max);
    size_t need = head + (size_t)size;
    if (bytes.size < need && ended)
        return carrier_refuse(unit, STATUS_PROTOCOL_ERROR, "the stream ends within a frame");
    if (bytes.size < need) {
        unit->want = need;
        return CUT_WAIT;
    }
    unit->payload = slice_make(bytes.data + head, (size_t)size);
    unit->used = need;
    return CUT_UNIT;
}

static enum cut cut_head(struct unit *unit, bool ended, size_t want) {
    if (ended)
        return carrier_refuse(unit, STATUS_PROTOCOL_ERROR, "the stream ends within a frame's size");
    unit->want = want;
    return CUT_WAIT;
}

static uint64_t read_be(const uint8_t *at, size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | at[i];
    return value;
}

static void write_be(uint8_t *at, size_t count, uint64_t value) {
    for (size_t i = count; i-- > 0; value >>= 8)
        at[i] = (uint8_t)value;
}

/* -- len16be, len32be -- */

static enum cut cut_be(const struct units *s, struct slice bytes, bool ended, size_t head, struct unit *unit) {
    if (bytes.size < head)
        return cut_head(unit, ended, head);
    return cut_sized(s, bytes, ended, head, read_be(bytes.data, head), unit);
}

static enum cut len16_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    (void)now;
    return cut_be(s, bytes, ended, 2, unit);
}

static size_t len16_before(const struct units *s, size_t size) {
    (void)s;
    (void)size;
    return 2;
}

static enum status len16_fits(const struct units *s, struct slice payload) {
    (void)s;
    return payload.size > UINT16_MAX ? STATUS_TOO_LARGE : STATUS_OK;
}

static void len16_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    (void)s;
    (void)is_text;
    write_be(at, 2, size);
}

static bool len16_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    (void)s;
    *ret_payload = slice_skip(sent, 2);
    return sent.size >= 2 && read_be(sent.data, 2) == ret_payload->size;
}

static enum cut len32_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    (void)now;
    return cut_be(s, bytes, ended, 4, unit);
}

static size_t len32_before(const struct units *s, size_t size) {
    (void)s;
    (void)size;
    return 4;
}

static enum status len32_fits(const struct units *s, struct slice payload) {
    (void)s;
    return payload.size > UINT32_MAX ? STATUS_TOO_LARGE : STATUS_OK;
}

static void len32_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    (void)s;
    (void)is_text;
    write_be(at, 4, size);
}

static bool len32_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    (void)s;
    *ret_payload = slice_skip(sent, 4);
    return sent.size >= 4 && read_be(sent.data, 4) == ret_payload->size;
}

/* -- varint -- */

/* Bytes of the varint, 0: not whole, SIZE_MAX: none. Only the shortest form is one: a peer that pads is out of step. */
static size_t read_varint(struct slice bytes, uint64_t *ret_value) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size && i < VARINT_MAX; i++) {
        value |= (uint64_t)(bytes.data[i] & 0x7f) << (7 * i);
        if (bytes.data[i] & 0x80)
            continue;
        if (i && bytes.data[i] == 0)
            return SIZE_MAX;
        *ret_value = value;
        return i + 1;
    }
    return bytes.size < VARINT_MAX ? 0 : SIZE_MAX;
}

static size_t varint_before(const struct units *s, size_t size) {
    size_t count = 1;
    (void)s;
    while (size >>= 7)
        count++;
    return count;
}

static enum cut varint_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    uint64_t size = 0;
    (void)now;
    size_t head = read_varint(bytes, &size);
    if (head == SIZE_MAX)
        return carrier_refuse(unit, STATUS_PROTOCOL_ERROR, "a frame's size is no varint of at most %d bytes in its shortest form",
                              VARINT_MAX);
    return head ? cut_sized(s, bytes, ended, head, size, unit) : cut_head(unit, ended, bytes.size + 1);
}

static void varint_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    (void)s;
    (void)is_text;
    for (size_t left = size;; at++) {
        *at = (uint8_t)(left & 0x7f);
        if (!(left >>= 7))
            return;
        *at |= 0x80;
    }
}

static bool varint_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    uint64_t size = 0;
    (void)s;
    size_t head = read_varint(sent, &size);
    if (head == 0 || head == SIZE_MAX)
        return false;
    *ret_payload = slice_skip(sent, head);
    return size == ret_payload->size;
}

/* -- octet-count -- */

/* MSG-LEN = NONZERO-DIGIT *DIGIT, then one space. As read_varint(). */
static size_t read_count(struct slice bytes, uint64_t *ret_value) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        if (c == ' ' && i) {
            *ret_value = value;
            return i + 1;
        }
        if (!text_is_digit(c) || i == DIGITS_MAX || (i == 0 && c == '0'))
            return SIZE_MAX;
        value = value * 10 + (uint64_t)(c - '0');
    }
    return 0;
}

static size_t count_before(const struct units *s, size_t size) {
    size_t digits = 1;
    (void)s;
    while (size /= 10)
        digits++;
    return digits + 1;
}

static enum cut count_cut(struct units *s, struct slice bytes, bool ended, struct unit *unit, struct now now) {
    uint64_t size = 0;
    (void)now;
    size_t head = read_count(bytes, &size);
    if (head == SIZE_MAX)
        return carrier_refuse(unit, STATUS_PROTOCOL_ERROR,
                              "a frame's size is no decimal count of 1 to %d digits and a space (RFC 6587)", DIGITS_MAX);
    return head ? cut_sized(s, bytes, ended, head, size, unit) : cut_head(unit, ended, bytes.size + 1);
}

/* There is no frame of nothing: a count begins with another digit than 0. */
static enum status count_fits(const struct units *s, struct slice payload) {
    (void)s;
    return payload.size == 0 ? STATUS_NOT_REPRESENTABLE : STATUS_OK;
}

static void count_wrap(struct units *s, uint8_t *at, size_t size, bool is_text) {
    size_t head = count_before(s, size);
    (void)is_text;
    at[head - 1] = ' ';
    for (size_t i = head - 1; i-- > 0; size /= 10)
        at[i] = (uint8_t)('0' + size % 10);
}

static bool count_unwrap(struct units *s, struct slice sent, struct slice *ret_payload) {
    uint64_t size = 0;
    (void)s;
    size_t head = read_count(sent, &size);
    if (head == 0 || head == SIZE_MAX)
        return false;
    *ret_payload = slice_skip(sent, head);
    return size == ret_payload->size;
}

#define TCP_TYPE "intertie.tcp.frame.v1"

const struct carrier carrier_len16be = {
    .name = "len16be", .carries_any = true, .text_type = TCP_TYPE, .binary_type = TCP_TYPE, .cut = len16_cut,
    .before = len16_before, .fits = len16_fits, .wrap = len16_wrap, .unwrap = len16_unwrap,
};
const struct carrier carrier_len32be = {
    .name = "len32be", .carries_any = true, .text_type = TCP_TYPE, .binary_type = TCP_TYPE, .cut = len32_cut,
    .before = len32_before, .fits = len32_fits, .wrap = len32_wrap, .unwrap = len32_unwrap,
};
const struct carrier carrier_varint = {
    .name = "varint", .carries_any = true, .by_varint = true, .text_type = TCP_TYPE, .binary_type = TCP_TYPE,
    .cut = varint_cut, .before = varint_before, .wrap = varint_wrap, .unwrap = varint_unwrap,
};
const struct carrier carrier_octet_count = {
    .name = "octet-count", .carries_any = true, .text_type = TCP_TYPE, .binary_type = TCP_TYPE, .cut = count_cut,
    .before = count_before, .fits = count_fits, .wrap = count_wrap, .unwrap = count_unwrap,
};
