/* Requests of a UDP listener that wait for their answers. */
#ifndef PROTOCOL_DATAGRAM_ASKS_H
#define PROTOCOL_DATAGRAM_ASKS_H

#include "base/address.h"

#define ASKS_MAX 1024u /* power of two */

/* A request whose answer goes back to its source. */
struct ask {
    uint64_t token; /* ascending in the ring */
    struct address from;
    uint64_t nonce; /* of its envelope, if it came in one */
    uint32_t key;   /* of its envelope: index of the secret */
    uint8_t encoding;
    bool over;
};

struct asks {
    struct ask *items; /* ring: the oldest at `first` */
    uint32_t capacity;
    uint32_t first;
    uint32_t count; /* from the oldest to the newest, those that are over included */
    uint32_t open;
};

/* False when there are too many, or memory is out. Tokens ascend. */
bool asks_add(struct asks *asks, const struct ask *ask);
/* The open request with that token, or NULL. */
struct ask *asks_find(const struct asks *asks, uint64_t token);
void asks_end(struct asks *asks, struct ask *ask);
void asks_done(struct asks *asks);

#endif
