/* One attribute's value: name, canonical form, number, time. */
#include "base/buffer.h"
#include "base/text.h"
#include "message/check.h"
#include "message/store.h"
#include "message/timestamp.h"
#include "message/wire.h"

_Static_assert(VALUE_ROOM >= TIMESTAMP_TEXT_MAX && VALUE_ROOM > TEXT_U64_MAX, "canonical forms fit");

struct slice value_name(const struct message *message, const struct value *value) {
    if (value->known != ATTRIBUTE_OTHER)
        return attribute_row(value->known)->name;
    return message_bytes(message, (struct span){value->name_at, value->name_size});
}

#define PROTO_YEAR_1 INT64_C(-62135596800)
#define PROTO_YEAR_10000 INT64_C(253402300800)

/* google.protobuf.Timestamp: 1 seconds int64, 2 nanos int32, both left out when 0. */
/* Seconds of five bytes, which is 1978 to 3058, and then nanoseconds or nothing: what is there nearly always. */
static inline bool decode_usual(struct slice encoded, int64_t *ret_seconds, int32_t *ret_nanos) {
    const uint8_t *at = encoded.data;
    uint64_t nanos = 0;
    if (encoded.size < 6 || at[0] != 0x08 || (at[1] & at[2] & at[3] & at[4]) < 0x80 || at[5] >= 0x80)
        return false;
    uint64_t seconds = (at[1] & 0x7fu) | (at[2] & 0x7fu) << 7 | (at[3] & 0x7fu) << 14 | (uint64_t)(at[4] & 0x7fu) << 21 |
                       (uint64_t)at[5] << 28;
    if (encoded.size > 6) {
        struct wire_reader reader = {at + 7, at + encoded.size};
        if (at[6] != 0x10 || !wire_varint(&reader, &nanos) || reader.at != reader.end || nanos > 999999999)
            return false;
    }
    *ret_seconds = (int64_t)seconds;
    *ret_nanos = (int32_t)nanos;
    return true;
}

bool timestamp_decode(struct slice encoded, int64_t *ret_seconds, int32_t *ret_nanos) {
    if (decode_usual(encoded, ret_seconds, ret_nanos))
        return true;
    struct wire_reader reader = {encoded.data, encoded.data + encoded.size};
    uint64_t seconds = 0, nanos = 0;
    while (reader.at < reader.end) {
        uint32_t tag;
        if (!wire_tag(&reader, &tag))
            return false;
        bool read = tag == 0x08   ? wire_varint(&reader, &seconds)
                    : tag == 0x10 ? wire_varint(&reader, &nanos)
                                  : tag >> 3 > 2 && wire_skip(&reader, tag);
        if (!read)
            return false;
    }
    if ((int64_t)seconds < PROTO_YEAR_1 || (int64_t)seconds >= PROTO_YEAR_10000 || nanos > 999999999)
        return false;
    *ret_seconds = (int64_t)seconds;
    *ret_nanos = (int32_t)nanos;
    return true;
}

static struct slice canonical_number(const struct value *value, char *room, size_t room_size) {
    if (value->type == ATTRIBUTE_BOOLEAN)
        return value->number ? SLICE_OF("true") : SLICE_OF("false");
    if (room_size <= TEXT_U64_MAX)
        return slice_make(NULL, 0);
    return slice_make(room, text_from_i64(room, value->number));
}

struct slice value_canonical(const struct message *message, const struct value *value, char *room, size_t room_size) {
    struct slice bytes;
    int64_t seconds;
    int32_t nanos;
    if (value->form == VALUE_NUMBER)
        return canonical_number(value, room, room_size);
    bytes = message_bytes(message, value->span);
    if (value->form == VALUE_TEXT)
        return bytes;
    if (value->form == VALUE_BYTES) {
        if (text_base64_size(bytes.size) > room_size)
            return slice_make(NULL, 0);
        return slice_make(room, text_base64_put(room, bytes));
    }
    if (room_size < TIMESTAMP_TEXT_MAX || !timestamp_decode(bytes, &seconds, &nanos))
        return slice_make(NULL, 0);
    return slice_make(room, timestamp_format(seconds, nanos, room));
}

bool value_number(const struct message *message, const struct value *value, int32_t *ret_number) {
    if (value->form == VALUE_NUMBER) {
        *ret_number = value->number;
        return true;
    }
    if (value->form != VALUE_TEXT)
        return false;
    struct slice text = message_bytes(message, value->span);
    return check_parse_integer(text, ret_number) || check_parse_boolean(text, ret_number);
}

bool value_time(const struct message *message, const struct value *value, struct wall *ret_time) {
    int64_t seconds;
    int32_t nanos;
    if (value->form != VALUE_TEXT && value->form != VALUE_TIMESTAMP)
        return false;
    struct slice bytes = message_bytes(message, value->span);
    bool parsed = value->form == VALUE_TEXT ? timestamp_parse(bytes, &seconds, &nanos)
                                            : timestamp_decode(bytes, &seconds, &nanos);
    return parsed && timestamp_to_wall(seconds, nanos, ret_time);
}
