/* A binary heap that knows where each slot stands. */
#include "policy/heap.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

bool heap_reserve(struct heap *heap, uint32_t slots) {
    if (slots <= heap->capacity)
        return true;
    struct heap_entry *entries = memory_array(slots, sizeof *entries);
    uint32_t *places = memory_array(slots, sizeof *places);
    if (!entries || !places) {
        memory_free(entries);
        memory_free(places);
        return false;
    }
    if (heap->capacity) {
        memcpy(entries, heap->entries, heap->count * sizeof *entries);
        memcpy(places, heap->places, heap->capacity * sizeof *places);
    }
    memory_free(heap->entries);
    memory_free(heap->places);
    heap->entries = entries;
    heap->places = places;
    heap->capacity = slots;
    return true;
}

void heap_done(struct heap *heap) {
    memory_free(heap->entries);
    memory_free(heap->places);
    *heap = (struct heap){0};
}

static bool before(const struct heap_entry *a, const struct heap_entry *b) {
    if (a->key != b->key)
        return a->key < b->key;
    return a->tie != b->tie ? a->tie < b->tie : a->slot < b->slot;
}

static void put(struct heap *heap, uint32_t index, struct heap_entry entry) {
    heap->entries[index] = entry;
    heap->places[entry.slot] = index + 1;
}

static void settle(struct heap *heap, uint32_t index, struct heap_entry entry) {
    while (index && before(&entry, &heap->entries[(index - 1) / 2])) {
        put(heap, index, heap->entries[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (uint32_t child; (child = 2 * index + 1) < heap->count; index = child) {
        if (child + 1 < heap->count && before(&heap->entries[child + 1], &heap->entries[child]))
            child++;
        if (!before(&heap->entries[child], &entry))
            break;
        put(heap, index, heap->entries[child]);
    }
    put(heap, index, entry);
}

void heap_set(struct heap *heap, uint32_t slot, uint64_t key, uint64_t tie) {
    uint32_t place = heap->places[slot];
    settle(heap, place ? place - 1 : heap->count++, (struct heap_entry){key, tie, slot});
}

void heap_remove(struct heap *heap, uint32_t slot) {
    uint32_t place = slot < heap->capacity ? heap->places[slot] : 0;
    if (!place)
        return;
    heap->places[slot] = 0;
    struct heap_entry last = heap->entries[--heap->count];
    if (last.slot != slot)
        settle(heap, place - 1, last);
}

const struct heap_entry *heap_first(const struct heap *heap) {
    return heap->count ? &heap->entries[0] : NULL;
}

const struct heap_entry *heap_get(const struct heap *heap, uint32_t slot) {
    uint32_t place = slot < heap->capacity ? heap->places[slot] : 0;
    return place ? &heap->entries[place - 1] : NULL;
}
