/* UUID version 7 (RFC 9562 section 5.7). */
#include "message/uuid.h"

#include "base/text.h"

#define COUNTER_MAX 0xfffu
#define NODE_AT 52 /* section 6.4 allows a few bits that say where it was made */
#define RANDOM_BITS ((UINT64_C(1) << NODE_AT) - 1)

void uuid_source_init(struct uuid_source *source, uint64_t seed) {
    rng_init(&source->rng, seed);
    source->last_ms = INT64_MIN;
    source->counter = 0;
    source->node = 0;
}

/* Section 6.2, method 1: a counter of 12 bits, begun at random in its lower half so that it has room. A clock that
 * stands still or goes back doesn't matter: the last time is kept, and moves on when the counter is used up. */
static void advance(struct uuid_source *source, int64_t ms) {
    if (ms > source->last_ms) {
        source->last_ms = ms;
        source->counter = (uint32_t)rng_next(&source->rng) & (COUNTER_MAX >> 1);
    } else if (++source->counter > COUNTER_MAX) {
        source->last_ms++;
        source->counter = 0;
    }
}

void uuid_make(struct uuid_source *source, struct wall now, uint8_t ret_uuid[static 16]) {
    advance(source, now.ns < 0 ? 0 : now.ns / NS_PER_MS);
    uint64_t high = (uint64_t)source->last_ms << 16 | 0x7000 | source->counter;
    uint64_t low =
        (rng_next(&source->rng) & RANDOM_BITS) | UINT64_C(2) << 62 | (uint64_t)source->node << NODE_AT;
    for (int i = 0; i < 8; i++) {
        ret_uuid[i] = (uint8_t)(high >> (56 - 8 * i));
        ret_uuid[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
}

uint32_t uuid_node(const uint8_t uuid[static 16]) {
    return (uint32_t)(uuid[8] & 0x3f) << 4 | uuid[9] >> 4;
}

static bool has_dash_before(int byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void uuid_text(const uint8_t uuid[static 16], char out[static UUID_TEXT_SIZE]) {
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (has_dash_before(i))
            *out++ = '-';
        *out++ = hex[uuid[i] >> 4];
        *out++ = hex[uuid[i] & 15];
    }
}

bool uuid_parse(struct slice text, uint8_t ret_uuid[static 16]) {
    uint8_t uuid[16];
    const uint8_t *at = text.data;
    if (text.size != UUID_TEXT_SIZE)
        return false;
    for (int i = 0; i < 16; i++) {
        if (has_dash_before(i) && *at++ != '-')
            return false;
        int high = text_hex_value(at[0]);
        int low = text_hex_value(at[1]);
        if (high < 0 || low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    memcpy(ret_uuid, uuid, sizeof uuid);
    return true;
}
