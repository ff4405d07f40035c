/* Which datagrams are thrown away for where they come from, before a byte of them is looked at. */
#ifndef PROTOCOL_DATAGRAM_SOURCES_H
#define PROTOCOL_DATAGRAM_SOURCES_H

#include "base/address.h"
#include "base/clock.h"

#define SOURCES_MAX 1024u /* networks that are counted at once; who was heard longest ago makes room */

/* A network, as far as one customer or one attacker has addresses: /24 of IPv4, /64 of IPv6. */
struct source {
    uint64_t network;
    uint8_t family;
    struct mono full; /* when it could send a whole second's worth at once again */
};

struct sources {
    struct source *slots; /* NULL: none was heard yet, or nothing is counted */
    uint64_t seed;
    int64_t each_ns; /* what one datagram costs; 0: nothing is counted */
};

enum source_verdict {
    SOURCE_TAKEN,
    SOURCE_PORT, /* of a service that answers by itself */
    SOURCE_ADDRESS, /* nobody can be there: a group, all, or none */
    SOURCE_RATE,
};

/* `per_second` 0: no limit. */
void sources_init(struct sources *sources, uint32_t per_second, uint64_t seed);
void sources_done(struct sources *sources);
enum source_verdict sources_look(struct sources *sources, const struct address *from, struct mono now);

#endif
