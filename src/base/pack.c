/* Numbers and byte runs one after the other; CRC-32C. */
#include "base/pack.h"

static void put(struct buffer *out, uint64_t value, size_t size) {
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buffer_add(out, slice_make(bytes, size));
}

void pack_u8(struct buffer *out, uint8_t value) {
    buffer_add_byte(out, value);
}

void pack_u32(struct buffer *out, uint32_t value) {
    put(out, value, 4);
}

void pack_u64(struct buffer *out, uint64_t value) {
    put(out, value, 8);
}

void pack_slice(struct buffer *out, struct slice bytes) {
    put(out, bytes.size, 4);
    buffer_add(out, bytes);
}

static uint64_t get(struct unpack *in, size_t size) {
    uint64_t value = 0;
    if (in->rest.size < size) {
        *in = (struct unpack){.is_bad = true};
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)in->rest.data[i] << (8 * i);
    in->rest = slice_skip(in->rest, size);
    return value;
}

uint8_t unpack_u8(struct unpack *in) {
    return (uint8_t)get(in, 1);
}

uint32_t unpack_u32(struct unpack *in) {
    return (uint32_t)get(in, 4);
}

uint64_t unpack_u64(struct unpack *in) {
    return get(in, 8);
}

struct slice unpack_slice(struct unpack *in) {
    size_t size = unpack_u32(in);
    if (in->rest.size < size)
        *in = (struct unpack){.is_bad = true};
    if (in->is_bad)
        return slice_make("", 0);
    struct slice bytes = slice_head(in->rest, size);
    in->rest = slice_skip(in->rest, size);
    return bytes;
}

/* Four bits a step: where the processor has no instruction for it. */
static const uint32_t nibbles[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(uint32_t before, struct slice bytes) {
    uint32_t crc = ~before;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        crc = (crc >> 4) ^ nibbles[crc & 15];
        crc = (crc >> 4) ^ nibbles[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t before, struct slice bytes) {
    uint64_t crc = ~before;
    size_t i = 0;
    for (; i + 8 <= bytes.size; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.data + i, sizeof word);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    for (; i < bytes.size; i++)
        crc = __builtin_ia32_crc32qi((uint32_t)crc, bytes.data[i]);
    return ~(uint32_t)crc;
}
#endif

uint32_t crc32c(uint32_t before, struct slice bytes) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return by_instruction(before, bytes);
#endif
    return crc32c_portable(before, bytes);
}
