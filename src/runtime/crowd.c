/* How many are connected: to the process, to a listener, from one address. Counted over all workers, when somebody comes
 * and when they go; not on the path of messages. */
#include "base/map.h"
#include "platform/entropy.h"
#include "runtime/inner.h"

/* One address that is connected, while `limits.per_peer` is set. */
struct crowd_peer {
    uint32_t count;
    uint8_t key[17];
};

struct crowd {
    _Atomic uint32_t refs; /* its place's, and one for each who is in */
    pthread_mutex_t lock;  /* what follows */
    struct map peers;
};

struct crowd *crowd_new(void) {
    struct crowd *crowd = memory_new(sizeof *crowd);
    uint64_t seed;
    if (!crowd || !entropy_seed(&seed)) {
        memory_free(crowd);
        return NULL;
    }
    atomic_init(&crowd->refs, 1);
    pthread_mutex_init(&crowd->lock, NULL);
    map_init(&crowd->peers, seed);
    return crowd;
}

void crowd_unref(struct crowd *crowd) {
    if (!crowd || atomic_fetch_sub(&crowd->refs, 1) > 1)
        return;
    map_done(&crowd->peers);
    pthread_mutex_destroy(&crowd->lock);
    memory_free(crowd);
}

/* Who has an IPv6 address has a whole /64 of them. */
static struct slice key_of(uint8_t room[static 17], const struct address *peer) {
    size_t size = peer->family == ADDRESS_IPV4 ? 4 : 8;
    room[0] = peer->family;
    memcpy(room + 1, peer->bytes, size);
    return slice_make(room, size + 1);
}

static enum status enter_peer(struct crowd *crowd, const struct address *peer, uint64_t most, struct crowd_peer **ret) {
    uint8_t room[17];
    struct slice key = key_of(room, peer);
    struct crowd_peer *found = map_get(&crowd->peers, key);
    if (found && found->count >= most)
        return STATUS_TOO_MANY_CONNECTIONS;
    if (!found) {
        found = memory_new(sizeof *found);
        if (!found)
            return STATUS_NO_MEMORY;
        memcpy(found->key, room, sizeof room);
        if (!map_put(&crowd->peers, slice_make(found->key, key.size), found)) {
            memory_free(found);
            return STATUS_NO_MEMORY;
        }
    }
    found->count++;
    *ret = found;
    return STATUS_OK;
}

static void leave_peer(struct crowd *crowd, struct crowd_peer *peer) {
    pthread_mutex_lock(&crowd->lock);
    if (--peer->count == 0) {
        map_remove(&crowd->peers, slice_make(peer->key, peer->key[0] == ADDRESS_IPV4 ? 5 : 9));
        memory_free(peer);
    }
    pthread_mutex_unlock(&crowd->lock);
}

static bool take_one(_Atomic uint32_t *count, uint64_t most) {
    if (atomic_fetch_add(count, 1) < most)
        return true;
    atomic_fetch_sub(count, 1);
    return false;
}

static enum status enter_process(struct worker *worker, struct seat *seat, const char **ret_limit) {
    *ret_limit = "limits.connections";
    if (!take_one(&worker->runtime->connections, worker->generation->config->connections_max))
        return STATUS_TOO_MANY_CONNECTIONS;
    seat->counts = true;
    return STATUS_OK;
}

enum status seat_take_peer(struct seat *seat, uint64_t most, const struct address *peer) {
    if (most == CONFIG_UNLIMITED || peer->family == ADDRESS_NONE || !seat->crowd || seat->peer)
        return STATUS_OK;
    pthread_mutex_lock(&seat->crowd->lock);
    enum status status = enter_peer(seat->crowd, peer, most, &seat->peer);
    pthread_mutex_unlock(&seat->crowd->lock);
    return status;
}

enum status seat_take(struct worker *worker, const struct place *place, const struct config_listener *listener,
                      const struct address *peer, struct seat *seat, const char **ret_limit) {
    enum status status = STATUS_OK;
    *seat = (struct seat){0};
    *ret_limit = place->is_admin ? "admin connections" : "listeners.limits.connections";
    uint64_t most = place->is_admin ? ADMIN_CONNECTIONS_MAX : listener->limits.connections;
    if (!take_one(&place->crowd->refs, most + 1))
        return STATUS_TOO_MANY_CONNECTIONS;
    seat->crowd = place->crowd;
    if (!place->is_admin && !listener->proxy_protocol) {
        *ret_limit = "listeners.limits.per_peer";
        status = seat_take_peer(seat, listener->limits.per_peer, peer);
    }
    if (status == STATUS_OK && !place->is_admin)
        status = enter_process(worker, seat, ret_limit);
    if (status != STATUS_OK)
        seat_leave(worker, seat);
    return status;
}

enum status seat_take_dialled(struct worker *worker, struct seat *seat) {
    const char *limit;
    *seat = (struct seat){0};
    return enter_process(worker, seat, &limit);
}

void seat_leave(struct worker *worker, struct seat *seat) {
    if (seat->peer)
        leave_peer(seat->crowd, seat->peer);
    if (seat->counts)
        atomic_fetch_sub(&worker->runtime->connections, 1);
    crowd_unref(seat->crowd);
    *seat = (struct seat){0};
}
