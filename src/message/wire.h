/* Protobuf's wire format: reading and writing of tags, varints and lengths. Internal to this room. */
#ifndef MESSAGE_WIRE_H
#define MESSAGE_WIRE_H

#include "base/slice.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    WIRE_FIXED32 = 5,
};

struct wire_reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* All readers: false when the bytes end too early or are no legal encoding. */
bool wire_varint_long(struct wire_reader *reader, uint64_t *ret_value);

static inline bool wire_varint(struct wire_reader *reader, uint64_t *ret_value) {
    if (reader->at < reader->end && *reader->at < 0x80) {
        *ret_value = *reader->at++;
        return true;
    }
    return wire_varint_long(reader, ret_value);
}

/* A length and its bytes. */
static inline bool wire_bytes(struct wire_reader *reader, struct slice *ret_bytes) {
    uint64_t size;
    if (!wire_varint(reader, &size) || size > (uint64_t)(reader->end - reader->at))
        return false;
    *ret_bytes = slice_make(reader->at, (size_t)size);
    reader->at += size;
    return true;
}

/* Field number in the upper bits, wire type in the lower 3; field 0 and groups are none. */
static inline bool wire_tag(struct wire_reader *reader, uint32_t *ret_tag) {
    uint64_t tag;
    if (!wire_varint(reader, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    *ret_tag = (uint32_t)tag;
    return true;
}

/* Passes over the value of a field that isn't known. */
bool wire_skip(struct wire_reader *reader, uint32_t tag);

static inline size_t wire_varint_size(uint64_t value) {
    return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

static inline uint8_t *wire_put_varint(uint8_t *at, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

#endif
