/* A hash table with chains in the order of their last use. */
#include "policy/sticky.h"

#include "base/memory.h"
#include "policy/ring.h"

#define CAPACITY_FIRST 64

static uint32_t *bucket_of(const struct sticky *s, uint64_t key) {
    return &s->buckets[ring_mix(key) & (s->capacity - 1)];
}

void sticky_done(struct sticky *s) {
    memory_free(s->entries);
    memory_free(s->buckets);
    *s = (struct sticky){0};
}

static uint32_t find(const struct sticky *s, uint64_t key) {
    uint32_t at = s->capacity ? *bucket_of(s, key) : 0;
    while (at && s->entries[at - 1].key != key)
        at = s->entries[at - 1].next;
    return at;
}

uint64_t sticky_get(const struct sticky *s, uint64_t key, struct mono now) {
    uint32_t at = find(s, key);
    return at && !mono_due(s->entries[at - 1].until, now) ? s->entries[at - 1].id : 0;
}

static void unlink_age(struct sticky *s, uint32_t at) {
    const struct sticky_entry *entry = &s->entries[at - 1];
    *(entry->older ? &s->entries[entry->older - 1].newer : &s->oldest) = entry->newer;
    *(entry->newer ? &s->entries[entry->newer - 1].older : &s->newest) = entry->older;
}

static void link_newest(struct sticky *s, uint32_t at) {
    s->entries[at - 1].older = s->newest;
    s->entries[at - 1].newer = 0;
    *(s->newest ? &s->entries[s->newest - 1].newer : &s->oldest) = at;
    s->newest = at;
}

static void link_bucket(struct sticky *s, uint32_t at) {
    uint32_t *bucket = bucket_of(s, s->entries[at - 1].key);
    s->entries[at - 1].next = *bucket;
    *bucket = at;
}

static bool grow(struct sticky *s) {
    struct sticky larger = *s;
    larger.capacity = s->capacity ? s->capacity * 2 : CAPACITY_FIRST;
    larger.buckets = memory_array(larger.capacity, sizeof *larger.buckets);
    larger.entries = larger.buckets ? memory_array(larger.capacity, sizeof *larger.entries) : NULL;
    if (!larger.entries) {
        memory_free(larger.buckets);
        return false;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        larger.entries[i] = s->entries[i];
        link_bucket(&larger, i + 1);
    }
    memory_free(s->entries);
    memory_free(s->buckets);
    *s = larger;
    return true;
}

/* The place of the one that was used longest ago. */
static uint32_t take_oldest(struct sticky *s, struct mono now) {
    uint32_t at = s->oldest;
    s->forgotten += !mono_due(s->entries[at - 1].until, now);
    unlink_age(s, at);
    uint32_t *link = bucket_of(s, s->entries[at - 1].key);
    while (*link != at)
        link = &s->entries[*link - 1].next;
    *link = s->entries[at - 1].next;
    return at;
}

bool sticky_put(struct sticky *s, uint64_t key, uint64_t id, struct mono now, int64_t stay_ns) {
    uint32_t at = find(s, key);
    if (at) {
        unlink_age(s, at);
    } else {
        bool full = s->count == s->capacity && (s->capacity == STICKY_MAX || !grow(s));
        if (full && s->count == 0)
            return false;
        at = full ? take_oldest(s, now) : ++s->count;
        s->entries[at - 1].key = key;
        link_bucket(s, at);
    }
    s->entries[at - 1].id = id;
    s->entries[at - 1].until = mono_after(now, stay_ns);
    link_newest(s, at);
    return true;
}
