/* Keeps heaps, chances and the ring up to date with the slots, and picks from them. */
#include "policy/balance.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

#define TURN_ONE (UINT64_C(1) << 32)
#define LOAD_ONE (UINT64_C(1) << 30)
#define RING_STEPS 64 /* past so many that can't take it, the key decides by chance */

void balance_init(struct balance *b, enum balance_by by, uint32_t spill_permille, uint64_t seed) {
    *b = (struct balance){.by = by, .spill_permille = spill_permille};
    rng_init(&b->rng, seed);
}

static void group_done(struct balance_group *group) {
    heap_done(&group->heap);
    chance_done(&group->chance);
}

void balance_done(struct balance *b) {
    group_done(&b->all);
    group_done(&b->local);
    ring_done(&b->ring);
    memory_free(b->slots);
    b->slots = NULL;
    b->capacity = 0;
}

static bool uses_heap(const struct balance *b) {
    return b->by == BALANCE_ROUND_ROBIN || b->by == BALANCE_LEAST_REQUEST;
}

static bool group_reserve(const struct balance *b, struct balance_group *group, uint32_t count) {
    return uses_heap(b) ? heap_reserve(&group->heap, count) : chance_reserve(&group->chance, count);
}

bool balance_reserve(struct balance *b, uint32_t count) {
    if (count <= b->capacity)
        return true;
    uint32_t capacity = b->capacity ? b->capacity : 8;
    while (capacity < count)
        capacity *= 2;
    struct balance_slot *slots = memory_array(capacity, sizeof *slots);
    if (!slots || !group_reserve(b, &b->all, capacity) ||
        (b->spill_permille && !group_reserve(b, &b->local, capacity))) {
        memory_free(slots);
        return false;
    }
    if (b->capacity)
        memcpy(slots, b->slots, b->capacity * sizeof *slots);
    memory_free(b->slots);
    b->slots = slots;
    b->capacity = capacity;
    return true;
}

/* -- who is on -- */

static uint32_t weight_now(const struct balance_place *place) {
    uint64_t weight = (uint64_t)place->weight * place->ramp / 1000;
    return weight ? (uint32_t)weight : 1;
}

static bool is_on(const struct balance_place *place) {
    return place->is_used && place->is_active && place->is_ready && place->weight;
}

static uint64_t load_of(const struct balance_slot *slot) {
    return (slot->in_flight + UINT64_C(1)) * LOAD_ONE / weight_now(&slot->place);
}

static void show(struct balance *b, struct balance_group *group, uint32_t index) {
    struct balance_slot *slot = &b->slots[index];
    uint32_t weight = weight_now(&slot->place);
    if (b->by == BALANCE_LEAST_REQUEST) {
        heap_set(&group->heap, index, load_of(slot), slot->turn);
    } else if (b->by == BALANCE_ROUND_ROBIN) {
        uint64_t least = group->now + TURN_ONE / weight; /* who was away has missed its turns */
        if (slot->turn < group->now)
            slot->turn = least;
        heap_set(&group->heap, index, slot->turn, 0);
    } else {
        chance_set(&group->chance, index, weight);
    }
}

static void hide(const struct balance *b, struct balance_group *group, uint32_t index) {
    if (uses_heap(b))
        heap_remove(&group->heap, index);
    else
        chance_set(&group->chance, index, 0);
}

static void join(struct balance *b, struct balance_group *group, uint32_t index) {
    group->count++;
    group->weight += weight_now(&b->slots[index].place);
    group->in_flight += b->slots[index].in_flight;
    show(b, group, index);
}

static void leave(const struct balance *b, struct balance_group *group, uint32_t index) {
    group->count--;
    group->weight -= weight_now(&b->slots[index].place);
    group->in_flight -= b->slots[index].in_flight;
    hide(b, group, index);
}

static bool counts_local(const struct balance *b, const struct balance_place *place) {
    return b->spill_permille && place->is_used && place->is_active && place->is_local;
}

static void enter(struct balance *b, uint32_t index) {
    const struct balance_slot *slot = &b->slots[index];
    if (counts_local(b, &slot->place)) {
        b->local_capacity += slot->place.capacity;
        b->local_in_flight += slot->in_flight;
    }
    if (!is_on(&slot->place))
        return;
    join(b, &b->all, index);
    if (counts_local(b, &slot->place))
        join(b, &b->local, index);
}

static void withdraw(struct balance *b, uint32_t index) {
    const struct balance_slot *slot = &b->slots[index];
    if (counts_local(b, &slot->place)) {
        b->local_capacity -= slot->place.capacity;
        b->local_in_flight -= slot->in_flight;
    }
    if (!is_on(&slot->place))
        return;
    leave(b, &b->all, index);
    if (counts_local(b, &slot->place))
        leave(b, &b->local, index);
}

void balance_set(struct balance *b, uint32_t index, struct balance_place place, struct mono now) {
    ASSERT(index < b->capacity);
    struct balance_slot *slot = &b->slots[index];
    const struct balance_place *was = &slot->place;
    b->ring_is_old |= was->is_used != place.is_used || was->id != place.id || was->weight != place.weight;
    withdraw(b, index);
    if (!was->is_used && place.is_used) {
        *slot = (struct balance_slot){0};
        latency_init(&slot->latency, now);
    }
    slot->place = place;
    enter(b, index);
}

/* -- picking -- */

/* Bounded: a slot that has more than its share by a quarter is passed over. */
static bool is_within(const struct balance_group *group, const struct balance_slot *slot) {
    uint64_t share = (group->in_flight + 1) * BALANCE_BOUND_PERCENT * weight_now(&slot->place);
    return slot->in_flight * group->weight * 100 < share;
}

static void make_ring(struct balance *b) {
    struct ring_member *members = memory_array(b->capacity + 1, sizeof *members);
    uint32_t count = 0;
    for (uint32_t i = 0; members && i < b->capacity; i++) {
        const struct balance_place *place = &b->slots[i].place;
        if (place->is_used && place->weight)
            members[count++] = (struct ring_member){
                place->id, i, (place->weight + BALANCE_WEIGHT_ONE - 1) / BALANCE_WEIGHT_ONE};
    }
    if (members)
        b->ring_is_old = !ring_build(&b->ring, members, count);
    memory_free(members);
}

static uint32_t pick_hash(struct balance *b, const struct balance_group *group, uint64_t key) {
    key = ring_mix(key);
    if (b->ring_is_old)
        make_ring(b);
    uint32_t at = b->ring.count ? ring_find(&b->ring, key) : 0;
    for (uint32_t i = 0; i < b->ring.count && i < RING_STEPS; i++, at = at + 1 < b->ring.count ? at + 1 : 0) {
        uint32_t slot = b->ring.points[at].slot;
        if (group->chance.weights[slot] && is_within(group, &b->slots[slot]))
            return slot;
    }
    return chance_at(&group->chance, key % group->chance.total);
}

/* In units that only compare: how long until it would be through with one more. */
static uint64_t cost_of(const struct balance *b, uint32_t index, struct mono now) {
    const struct balance_slot *slot = &b->slots[index];
    uint64_t each = b->by == BALANCE_EWMA ? (uint64_t)latency_at(&slot->latency, now) / 1000 : 1;
    return each * (slot->in_flight + UINT64_C(1)) * 1000 * BALANCE_WEIGHT_ONE / weight_now(&slot->place);
}

static uint32_t pick_two(struct balance *b, struct balance_group *group, struct mono now) {
    uint32_t first = chance_at(&group->chance, rng_below(&b->rng, group->chance.total));
    uint32_t weight = group->chance.weights[first];
    if (weight == group->chance.total)
        return first;
    chance_set(&group->chance, first, 0);
    uint32_t second = chance_at(&group->chance, rng_below(&b->rng, group->chance.total));
    chance_set(&group->chance, first, weight);
    return cost_of(b, second, now) < cost_of(b, first, now) ? second : first;
}

static uint32_t pick_from(struct balance *b, struct balance_group *group, uint64_t key, struct mono now) {
    if (uses_heap(b))
        return heap_first(&group->heap) ? heap_first(&group->heap)->slot : BALANCE_NONE;
    if (group->chance.total == 0)
        return BALANCE_NONE;
    if (b->by == BALANCE_HASH)
        return pick_hash(b, group, key);
    if (b->by == BALANCE_RANDOM)
        return chance_at(&group->chance, rng_below(&b->rng, group->chance.total));
    return pick_two(b, group, now);
}

/* Without those that are avoided: they are out of the group for the moment. */
static uint32_t pick_avoiding(struct balance *b, struct balance_group *group, uint64_t key,
                              const uint32_t *avoid, unsigned avoid_count, bool is_local, struct mono now) {
    bool hidden[BALANCE_AVOID_MAX] = {false};
    for (unsigned i = 0; i < avoid_count && i < BALANCE_AVOID_MAX; i++) {
        uint32_t slot = avoid[i];
        hidden[i] = slot < b->capacity && is_on(&b->slots[slot].place) &&
                    (!is_local || counts_local(b, &b->slots[slot].place));
        if (hidden[i])
            hide(b, group, slot);
    }
    uint32_t picked = pick_from(b, group, key, now);
    for (unsigned i = 0; i < avoid_count && i < BALANCE_AVOID_MAX; i++)
        if (hidden[i])
            show(b, group, avoid[i]);
    return picked;
}

static bool stays_local(const struct balance *b) {
    if (!b->spill_permille || b->local.count == 0)
        return false;
    return b->local_capacity == 0 || b->local_in_flight * 1000 < b->local_capacity * b->spill_permille;
}

uint32_t balance_pick(struct balance *b, uint64_t key, const uint32_t *avoid, unsigned avoid_count,
                      struct mono now) {
    uint32_t picked = BALANCE_NONE;
    if (stays_local(b))
        picked = pick_avoiding(b, &b->local, key, avoid, avoid_count, true, now);
    if (picked == BALANCE_NONE)
        picked = pick_avoiding(b, &b->all, key, avoid, avoid_count, false, now);
    if (picked == BALANCE_NONE && avoid_count) /* better one of those than none */
        picked = pick_from(b, &b->all, key, now);
    return picked;
}

/* -- what was sent -- */

static void move(struct balance *b, struct balance_group *group, uint32_t index, int64_t change) {
    group->in_flight += (uint64_t)change;
    if (b->by == BALANCE_LEAST_REQUEST || (b->by == BALANCE_ROUND_ROBIN && change > 0))
        show(b, group, index);
}

static void changed(struct balance *b, uint32_t index, int64_t change) {
    const struct balance_slot *slot = &b->slots[index];
    bool is_local = counts_local(b, &slot->place);
    if (is_local)
        b->local_in_flight += (uint64_t)change;
    if (!is_on(&slot->place))
        return;
    move(b, &b->all, index, change);
    if (is_local)
        move(b, &b->local, index, change);
}

static void take_turn(struct balance *b, struct balance_slot *slot) {
    struct balance_group *group = &b->all;
    if (b->by != BALANCE_ROUND_ROBIN) {
        slot->turn = b->turns;
        return;
    }
    if (slot->turn > group->now)
        group->now = b->local.now = slot->turn;
    slot->turn = group->now + TURN_ONE / weight_now(&slot->place);
}

void balance_sent(struct balance *b, uint32_t index) {
    struct balance_slot *slot = &b->slots[index];
    b->turns++;
    slot->in_flight++;
    take_turn(b, slot);
    changed(b, index, 1);
}

void balance_landed(struct balance *b, uint32_t index, uint32_t count) {
    struct balance_slot *slot = &b->slots[index];
    if (count > slot->in_flight)
        count = slot->in_flight;
    slot->in_flight -= count;
    changed(b, index, -(int64_t)count);
}

void balance_heard(struct balance *b, uint32_t index, int64_t latency_ns, struct mono now) {
    struct latency *latency = &b->slots[index].latency;
    latency_observe(latency, latency_ns < 0 ? LATENCY_PENALTY_NS : latency_ns, now);
}
