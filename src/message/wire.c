/* Protobuf's wire format. */
#include "message/wire.h"

bool wire_varint_long(struct wire_reader *reader, uint64_t *ret_value) {
    uint64_t value = 0;
    const uint8_t *at = reader->at;
    for (unsigned shift = 0; shift < 64 && at < reader->end; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return false; /* more than 64 bits */
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            reader->at = at;
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool wire_skip(struct wire_reader *reader, uint32_t tag) {
    uint64_t number;
    struct slice bytes;
    size_t size;
    switch (tag & 7) {
    case WIRE_VARINT:
        return wire_varint(reader, &number);
    case WIRE_LENGTH:
        return wire_bytes(reader, &bytes);
    case WIRE_FIXED64:
    case WIRE_FIXED32:
        size = (tag & 7) == WIRE_FIXED64 ? 8 : 4;
        if ((size_t)(reader->end - reader->at) < size)
            return false;
        reader->at += size;
        return true;
    default: /* groups were never part of this format */
        return false;
    }
}
