/* A binary heap of intrusive deadlines. */
#include "base/deadline.h"

#include "base/memory.h"

void deadlines_init(struct deadlines *set) {
    *set = (struct deadlines){0};
}

void deadlines_done(struct deadlines *set) {
    memory_free(set->heap);
    *set = (struct deadlines){0};
}

static void place(struct deadlines *set, size_t index, struct deadline *deadline) {
    set->heap[index] = deadline;
    deadline->index = index + 1;
}

static void sift_up(struct deadlines *set, size_t index) {
    struct deadline *moved = set->heap[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (set->heap[parent]->queued.ns <= moved->queued.ns)
            break;
        place(set, index, set->heap[parent]);
        index = parent;
    }
    place(set, index, moved);
}

static void sift_down(struct deadlines *set, size_t index) {
    struct deadline *moved = set->heap[index];
    for (;;) {
        size_t child = index * 2 + 1;
        if (child >= set->count)
            break;
        if (child + 1 < set->count && set->heap[child + 1]->queued.ns < set->heap[child]->queued.ns)
            child++;
        if (moved->queued.ns <= set->heap[child]->queued.ns)
            break;
        place(set, index, set->heap[child]);
        index = child;
    }
    place(set, index, moved);
}

static void take_out(struct deadlines *set, struct deadline *deadline) {
    size_t index = deadline->index - 1;
    deadline->index = 0;
    struct deadline *last = set->heap[--set->count];
    if (last == deadline)
        return;
    place(set, index, last);
    sift_up(set, index);
    sift_down(set, last->index - 1);
}

bool deadlines_set(struct deadlines *set, struct deadline *deadline, struct mono at) {
    if (at.ns == INT64_MAX) {
        deadlines_clear(set, deadline);
        return true;
    }
    if (deadline->index) {
        deadline->at = at;
        if (at.ns < deadline->queued.ns) {
            deadline->queued = at;
            sift_up(set, deadline->index - 1);
        }
        return true;
    }
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : 16;
        struct deadline **heap = memory_resize(set->heap, capacity * sizeof *heap);
        if (!heap)
            return false;
        set->heap = heap;
        set->capacity = capacity;
    }
    deadline->at = deadline->queued = at;
    place(set, set->count++, deadline);
    sift_up(set, set->count - 1);
    return true;
}

void deadlines_clear(struct deadlines *set, struct deadline *deadline) {
    if (deadline->index)
        take_out(set, deadline);
    deadline->at = MONO_NEVER;
}

struct deadline *deadlines_take(struct deadlines *set, struct mono now) {
    while (set->count && set->heap[0]->queued.ns <= now.ns) {
        struct deadline *first = set->heap[0];
        if (first->at.ns <= now.ns) {
            take_out(set, first);
            first->at = MONO_NEVER;
            return first;
        }
        first->queued = first->at;
        sift_down(set, 0);
    }
    return NULL;
}

struct mono deadlines_next(const struct deadlines *set) {
    return set->count ? set->heap[0]->queued : MONO_NEVER;
}
