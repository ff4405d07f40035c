/* Content codings: byte 0 says which; the rest is unpacked, and packed and unpacked again. Never more than allowed. */
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "protocol/coding.h"

#define OUT_MAX 200000u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void round_trip(struct coder **coder, enum coding coding, const uint8_t *bytes, size_t size) {
    struct slice packed, plain;
    const char *words;
    if (coding_pack(coder, coding, slice_make(bytes, size), &packed) != STATUS_OK)
        return;
    ASSERT(packed.size < size);
    enum status status = coding_unpack(coder, coding, packed, OUT_MAX, &plain, &words);
    if (status == STATUS_TOO_LARGE)
        ASSERT(size > OUT_MAX);
    else
        ASSERT(status == STATUS_OK && plain.size == size && memcmp(plain.data, bytes, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct coder *coder = NULL;
    struct slice plain;
    const char *words = NULL;
    int64_t live = memory_live();
    if (size == 0)
        return 0;
    enum coding coding = (enum coding)(CODING_ZSTD + bytes[0] % (CODING_COUNT - CODING_ZSTD));
    enum status status = coding_unpack(&coder, coding, slice_make(bytes + 1, size - 1), OUT_MAX, &plain, &words);
    ASSERT(status == STATUS_OK || status == STATUS_TOO_LARGE || status == STATUS_MALFORMED_EVENT);
    ASSERT(status != STATUS_OK || plain.size <= OUT_MAX);
    ASSERT(status == STATUS_OK || words[0]);
    round_trip(&coder, coding, bytes + 1, size - 1);
    coding_done(&coder);
    ASSERT(memory_live() == live);
    return 0;
}
