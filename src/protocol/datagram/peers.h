/* The sources of a UDP listener that may be answered: a bounded set of small entries, least recently heard first out. */
#ifndef PROTOCOL_DATAGRAM_PEERS_H
#define PROTOCOL_DATAGRAM_PEERS_H

#include "base/address.h"
#include "base/list.h"
#include "base/map.h"

#define PEERS_MAX 1024u
#define PEER_FACTOR 3u          /* bytes out for a byte in (RFC 9000 section 8.1) */
#define PEER_BUDGET_MAX 65536u  /* is saved up at most */

struct peer {
    struct address address; /* the map's key */
    uint32_t budget;        /* bytes that may still be sent to it */
    struct list_node node;
};

struct peers {
    struct map map;
    struct list heard; /* the one heard longest ago is first */
    uint32_t count;
};

void peers_init(struct peers *peers, uint64_t seed);
void peers_done(struct peers *peers);
/* `size` bytes came from there. False when memory is out: then it can't be answered. */
bool peers_heard(struct peers *peers, const struct address *address, size_t size);
/* Takes `size` bytes of what may be sent there; false when that is too much. */
bool peers_spend(struct peers *peers, const struct address *address, size_t size);

#endif
