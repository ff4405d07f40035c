/* UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, a counter of 12 bits, 62 bits of randomness. */
#ifndef MESSAGE_UUID_H
#define MESSAGE_UUID_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/slice.h"

#define UUID_TEXT_SIZE 36

/* One per worker: ascending within it. */
struct uuid_source {
    struct rng rng;
    int64_t last_ms;
    uint32_t counter;
};

void uuid_source_init(struct uuid_source *source, uint64_t seed);
void uuid_make(struct uuid_source *source, struct wall now, uint8_t ret_uuid[static 16]);
void uuid_text(const uint8_t uuid[static 16], char out[static UUID_TEXT_SIZE]); /* lower case, no NUL */
bool uuid_parse(struct slice text, uint8_t ret_uuid[static 16]);

#endif
