/* Numbers and byte runs one after the other, little-endian: for what we write to files of our own. */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/buffer.h"

void pack_u8(struct buffer *out, uint8_t value);
void pack_u32(struct buffer *out, uint32_t value);
void pack_u64(struct buffer *out, uint64_t value);
/* Its size (32 bits), then its bytes. */
void pack_slice(struct buffer *out, struct slice bytes);

/* Reads the same. After the first value that isn't there all are 0 and empty. */
struct unpack {
    struct slice rest;
    bool is_bad;
};

static inline struct unpack unpack_from(struct slice bytes) {
    return (struct unpack){.rest = bytes};
}
/* All of it was read, and nothing was missing. */
static inline bool unpack_is_over(const struct unpack *in) {
    return !in->is_bad && in->rest.size == 0;
}
uint8_t unpack_u8(struct unpack *in);
uint32_t unpack_u32(struct unpack *in);
uint64_t unpack_u64(struct unpack *in);
/* Borrowed from what is read. */
struct slice unpack_slice(struct unpack *in);

/* CRC-32C (RFC 3720 appendix B.4): finds bytes that changed on a disk. `before`: 0, or of the bytes before. */
uint32_t crc32c(uint32_t before, struct slice bytes);
/* The same without the processor's instruction. */
uint32_t crc32c_portable(uint32_t before, struct slice bytes);

#endif
