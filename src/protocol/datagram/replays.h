/* Envelopes that were taken, as long as they would be good again. */
#ifndef PROTOCOL_DATAGRAM_REPLAYS_H
#define PROTOCOL_DATAGRAM_REPLAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAYS_MAX 262144u /* remembered at once: 8700 a second where clocks agree */

struct replay {
    uint64_t nonce;
    int64_t until_ms; /* 0: free */
    uint32_t kid;
};

struct replays {
    struct replay *slots; /* open addressing, at most half full */
    uint32_t capacity; /* power of two; 0: none yet */
    uint32_t count; /* slots in use, some perhaps over */
    int64_t full_until_ms; /* looked through in vain: not again before */
    uint64_t seed;
};

enum replays_verdict {
    REPLAYS_NEW,
    REPLAYS_KNOWN,
    REPLAYS_FULL, /* or memory is out: what can't be remembered can't be taken */
};

void replays_init(struct replays *replays, uint64_t seed);
void replays_done(struct replays *replays);
/* Remembers it until `until_ms`, which lies after `now_ms`. */
enum replays_verdict replays_add(struct replays *replays, uint32_t kid, uint64_t nonce, int64_t until_ms,
                                 int64_t now_ms);
/* Whether it was remembered; then it isn't any more. */
bool replays_take(struct replays *replays, uint32_t kid, uint64_t nonce, int64_t now_ms);

#endif
