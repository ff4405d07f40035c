/* UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, a counter of 12 bits, 62 bits of randomness. */
#ifndef MESSAGE_UUID_H
#define MESSAGE_UUID_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/slice.h"

#define UUID_TEXT_SIZE 36

#define UUID_NODES 1024

/* One per worker: ascending within it. */
struct uuid_source {
    struct rng rng;
    int64_t last_ms;
    uint32_t counter;
    uint32_t node; /* 0 .. UUID_NODES - 1: stands in each, in place of ten random bits */
};

void uuid_source_init(struct uuid_source *source, uint64_t seed);
void uuid_make(struct uuid_source *source, struct wall now, uint8_t ret_uuid[static 16]);
/* Of one that was made here: its source. */
uint32_t uuid_node(const uint8_t uuid[static 16]);
void uuid_text(const uint8_t uuid[static 16], char out[static UUID_TEXT_SIZE]); /* lower case, no NUL */
bool uuid_parse(struct slice text, uint8_t ret_uuid[static 16]);

#endif
