/* Open addressing with linear probing; at most three quarters full. */
#include "base/map.h"

#include "base/memory.h"

#define FIRST_CAPACITY 16

static uint64_t mix(uint64_t a, uint64_t b) {
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const uint8_t *at, size_t count) {
    uint64_t word = 0;
    memcpy(&word, at, count);
    return word;
}

/* A multiply-and-fold hash over 16 bytes a round. With an unknown seed collisions can't be chosen from outside. */
uint64_t map_hash(struct slice key, uint64_t seed) {
    const uint64_t k1 = UINT64_C(0xa0761d6478bd642f), k2 = UINT64_C(0xe7037ed1a0b428db);
    uint64_t hash = seed ^ k1;
    const uint8_t *at = key.data;
    size_t left = key.size;
    while (left > 16) {
        hash = mix(load(at, 8) ^ k2, load(at + 8, 8) ^ hash);
        at += 16;
        left -= 16;
    }
    uint64_t a = 0, b = 0;
    if (left > 8) {
        a = load(at, 8);
        b = load(at + 8, left - 8);
    } else if (left > 0) {
        a = load(at, left);
    }
    hash = mix(a ^ k2, b ^ hash);
    hash = mix(hash ^ k1, key.size ^ k2);
    return hash ? hash : 1;
}

void map_init(struct map *map, uint64_t seed) {
    *map = (struct map){.seed = seed};
}

void map_done(struct map *map) {
    memory_free(map->slots);
    *map = (struct map){.seed = map->seed};
}

static struct map_slot *find(const struct map *map, struct slice key, uint64_t hash) {
    if (map->capacity == 0)
        return NULL;
    for (size_t i = hash & (map->capacity - 1);; i = (i + 1) & (map->capacity - 1)) {
        struct map_slot *slot = &map->slots[i];
        if (slot->hash == 0)
            return NULL;
        if (slot->hash == hash && slot->value && slice_equal(slot->key, key))
            return slot;
    }
}

void *map_get(const struct map *map, struct slice key) {
    struct map_slot *slot = find(map, key, map_hash(key, map->seed));
    return slot ? slot->value : NULL;
}

static void insert(struct map *map, uint64_t hash, struct slice key, void *value) {
    size_t i = hash & (map->capacity - 1);
    while (map->slots[i].hash != 0)
        i = (i + 1) & (map->capacity - 1);
    map->slots[i] = (struct map_slot){hash, key, value};
    map->count++;
    map->used++;
}

static bool rehash(struct map *map) {
    size_t capacity = FIRST_CAPACITY;
    while (capacity < (map->count + 1) * 2)
        capacity *= 2;
    struct map_slot *slots = memory_array(capacity, sizeof *slots);
    if (!slots)
        return false;
    struct map old = *map;
    map->slots = slots;
    map->capacity = capacity;
    map->count = map->used = 0;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].value)
            insert(map, old.slots[i].hash, old.slots[i].key, old.slots[i].value);
    memory_free(old.slots);
    return true;
}

bool map_put(struct map *map, struct slice key, void *value) {
    uint64_t hash = map_hash(key, map->seed);
    struct map_slot *slot = find(map, key, hash);
    if (slot) {
        slot->key = key;
        slot->value = value;
        return true;
    }
    if ((map->used + 1) * 4 > map->capacity * 3 && !rehash(map))
        return false;
    insert(map, hash, key, value);
    return true;
}

void *map_remove(struct map *map, struct slice key) {
    struct map_slot *slot = find(map, key, map_hash(key, map->seed));
    if (!slot)
        return NULL;
    void *value = slot->value;
    slot->value = NULL;
    map->count--;
    return value;
}

void *map_next(const struct map *map, size_t *position) {
    while (*position < map->capacity) {
        struct map_slot *slot = &map->slots[(*position)++];
        if (slot->value)
            return slot->value;
    }
    return NULL;
}
