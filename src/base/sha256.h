/* SHA-256 (FIPS 180-4). The core hashes nothing but keys: a library of several megabytes that each process would load,
 * relocate and hold for that costs more than all else of an idle router. Time depends on the size alone. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/slice.h"

#define SHA256_SIZE 32

struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    uint8_t block[64];
};

void sha256_init(struct sha256 *sha256);
void sha256_add(struct sha256 *sha256, struct slice bytes);
/* The state is wiped: it may have seen a secret. */
void sha256_end(struct sha256 *sha256, uint8_t ret_hash[static SHA256_SIZE]);

#endif
