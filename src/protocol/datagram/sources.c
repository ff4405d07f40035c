/* Which datagrams are thrown away for where they come from. */
#include "protocol/datagram/sources.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/memory.h"

#define WAYS 4u /* slots that a network may have: the emptiest of them makes room */

void sources_init(struct sources *sources, uint32_t per_second, uint64_t seed) {
    *sources = (struct sources){.seed = seed, .each_ns = per_second ? NS_PER_S / per_second : 0};
    if (per_second > NS_PER_S)
        sources->each_ns = 1;
}

void sources_done(struct sources *sources) {
    memory_free(sources->slots);
    sources->slots = NULL;
}

/* Those who answer by themselves would make a loop with us: echo, chargen, DNS, NTP, SSDP. */
static bool is_answering_port(uint16_t port) {
    static const uint16_t ports[] = {0, 7, 19, 53, 123, 1900};
    for (size_t i = 0; i < COUNT_OF(ports); i++)
        if (port == ports[i])
            return true;
    return false;
}

/* RFC 1122 section 3.2.1.3: a source is one host. */
static bool is_nobody(const struct address *plain) {
    if (address_is_any(plain) || address_is_multicast(plain) || plain->family == ADDRESS_NONE)
        return true;
    return plain->family == ADDRESS_IPV4 && plain->bytes[0] >= 240; /* reserved, and all */
}

static struct source *slot_of(struct sources *sources, const struct address *plain) {
    struct {
        uint64_t network, family;
    } key = {0, plain->family};
    memcpy(&key.network, plain->bytes, plain->family == ADDRESS_IPV4 ? 3 : 8);
    struct source *set =
        sources->slots + map_hash(slice_make(&key, sizeof key), sources->seed) % (SOURCES_MAX / WAYS) * WAYS;
    struct source *oldest = set;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].network == key.network && set[i].family == plain->family)
            return &set[i];
        if (set[i].full.ns < oldest->full.ns)
            oldest = &set[i];
    }
    *oldest = (struct source){.network = key.network, .family = plain->family};
    return oldest;
}

/* A bucket of one second's worth, as the time at which it is full: each datagram moves that on. */
static bool has_token(struct source *source, int64_t each_ns, struct mono now) {
    int64_t full = source->full.ns > now.ns ? source->full.ns : now.ns;
    if (full + each_ns > now.ns + NS_PER_S)
        return false;
    source->full.ns = full + each_ns;
    return true;
}

enum source_verdict sources_look(struct sources *sources, const struct address *from, struct mono now) {
    struct address plain = address_unmapped(from);
    if (is_answering_port(from->port))
        return SOURCE_PORT;
    if (is_nobody(&plain))
        return SOURCE_ADDRESS;
    if (!sources->each_ns)
        return SOURCE_TAKEN;
    if (!sources->slots && !(sources->slots = memory_array(SOURCES_MAX, sizeof *sources->slots)))
        return SOURCE_TAKEN; /* without memory to count it, none is refused for that */
    return has_token(slot_of(sources, &plain), sources->each_ns, now) ? SOURCE_TAKEN : SOURCE_RATE;
}
