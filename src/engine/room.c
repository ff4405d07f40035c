/* Room in queues and lanes, and who waits for it. */
#include "engine/inner.h"

static uint64_t part(uint64_t most, uint64_t permille) {
    uint64_t kept = 1000 - permille; /* rounded down: a queue of a few has none to spare */
    return most == CONFIG_UNLIMITED ? most : most - most / 1000 * kept - most % 1000 * kept / 1000;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

void room_set(struct recipient *r, const struct config_policy *policy) {
    static const uint16_t parts[PRIORITY_COUNT] = {ROOM_LOW, ROOM_NORMAL, ROOM_HIGH, ROOM_CRITICAL,
                                                   ROOM_EMERGENCY};
    r->queue_messages_max = policy->limits.queue_messages;
    r->queue_bytes_max = policy->limits.queue_bytes;
    r->room.free_bytes = UINT64_MAX;
    for (int i = 0; i < PRIORITY_COUNT; i++) {
        const struct config_lane *lane = &policy->limits.lanes[i];
        r->room.queue[i] =
            (struct room_count){part(r->queue_messages_max, parts[i]), part(r->queue_bytes_max, parts[i])};
        r->room.most[i] = (struct room_count){lane->messages, lane->bytes};
        r->room.free_bytes = least(r->room.free_bytes, least(r->room.queue[i].bytes, lane->bytes));
    }
}

void room_add(struct recipient *r, const struct delivery *d) {
    struct room_count *held = &r->room.held[d->priority - 1];
    held->messages++;
    held->bytes += message_kept_size(d->message);
}

void room_remove(struct recipient *r, const struct delivery *d) {
    struct room_count *held = &r->room.held[d->priority - 1];
    held->messages--;
    held->bytes -= message_kept_size(d->message);
}

static bool fits(const struct room_count *held, const struct room_count *most, size_t size) {
    return held->messages < most->messages && size <= most->bytes && held->bytes <= most->bytes - size;
}

static enum room_verdict look(const struct recipient *r, unsigned priority, size_t size) {
    const struct room_count *queue = &r->room.queue[priority - 1], *lane = &r->room.most[priority - 1];
    struct room_count all = {r->queued + r->later.count, r->queued_bytes + r->later_bytes};
    if (size > queue->bytes || size > lane->bytes)
        return ROOM_NEVER;
    if (!fits(&all, queue, size))
        return priority == PRIORITY_LOW && queue->messages < r->queue_messages_max ? ROOM_SHED : ROOM_FULL;
    return fits(&r->room.held[priority - 1], lane, size) ? ROOM_FREE : ROOM_FULL;
}

enum room_verdict room_look(const struct recipient *r, const struct message *message, size_t size) {
    if (r->queued + r->later.count == 0 && size <= r->room.free_bytes)
        return ROOM_FREE;
    return look(r, message->priority < PRIORITY_LOW ? PRIORITY_LOW : message->priority, size);
}

const char *room_words(enum room_verdict verdict) {
    return verdict == ROOM_SHED    ? "the recipient's queue is nearly full: priority 1 is refused"
           : verdict == ROOM_NEVER ? "it is larger than all that may wait for the recipient"
                                   : "";
}

/* -- those who wait -- */

static unsigned lane_of(const struct waiter *w) {
    return w->message->priority < PRIORITY_LOW ? 0 : w->message->priority - 1u;
}

void room_wait(struct recipient *r, struct waiter *w, bool first) {
    struct list *list = &r->waiters[lane_of(w)];
    if (first)
        list_add_first(list, &w->node);
    else
        list_add(list, &w->node);
    r->waiting++;
}

void room_leave(struct recipient *r, struct waiter *w) {
    list_remove(&r->waiters[lane_of(w)], &w->node);
    r->waiting--;
}

struct waiter *room_first(const struct recipient *r) {
    for (unsigned lane = PRIORITY_COUNT; lane-- > 0;)
        if (r->waiters[lane].count)
            return LIST_ENTRY(list_first(&r->waiters[lane]), struct waiter, node);
    return NULL;
}

bool room_is_lane_full(const struct recipient *r, unsigned priority) {
    const struct list *list = &r->waiters[priority - 1];
    size_t size =
        list->count ? message_kept_size(LIST_ENTRY(list_first(list), struct waiter, node)->message) : 0;
    return !fits(&r->room.held[priority - 1], &r->room.most[priority - 1], size);
}

bool room_has_others(const struct recipient *r, uint8_t priority) {
    unsigned own = priority < PRIORITY_LOW ? 0 : priority - 1u;
    for (unsigned lane = own; lane < PRIORITY_COUNT; lane++)
        if (r->waiters[lane].count && (lane == own || !room_is_lane_full(r, lane + 1)))
            return true;
    return false;
}
