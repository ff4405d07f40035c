/* Who may be answered, and with how much. */
#include "protocol/datagram/peers.h"

#include "base/memory.h"

void peers_init(struct peers *peers, uint64_t seed) {
    map_init(&peers->map, seed);
    list_init(&peers->heard);
    peers->count = 0;
}

static void drop(struct peers *peers, struct peer *peer) {
    map_remove(&peers->map, address_key(&peer->address));
    list_remove(&peers->heard, &peer->node);
    peers->count--;
    memory_free(peer);
}

void peers_done(struct peers *peers) {
    struct list_node *node;
    while ((node = list_first(&peers->heard)))
        drop(peers, LIST_ENTRY(node, struct peer, node));
    map_done(&peers->map);
}

static struct peer *add(struct peers *peers, const struct address *address) {
    if (peers->count == PEERS_MAX)
        drop(peers, LIST_ENTRY(list_first(&peers->heard), struct peer, node));
    struct peer *peer = memory_new(sizeof *peer);
    if (!peer)
        return NULL;
    peer->address = *address;
    if (!map_put(&peers->map, address_key(&peer->address), peer)) {
        memory_free(peer);
        return NULL;
    }
    peers->count++;
    return peer;
}

bool peers_heard(struct peers *peers, const struct address *address, size_t size) {
    struct peer *peer = map_get(&peers->map, address_key(address));
    if (peer)
        list_remove(&peers->heard, &peer->node);
    else
        peer = add(peers, address);
    if (!peer)
        return false;
    list_add(&peers->heard, &peer->node);
    uint64_t budget = peer->budget + (uint64_t)PEER_FACTOR * size;
    peer->budget = budget < PEER_BUDGET_MAX ? (uint32_t)budget : PEER_BUDGET_MAX;
    return true;
}

bool peers_spend(struct peers *peers, const struct address *address, size_t size) {
    struct peer *peer = map_get(&peers->map, address_key(address));
    if (!peer || size > peer->budget)
        return false;
    peer->budget -= (uint32_t)size;
    return true;
}
