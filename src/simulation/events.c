/* Events in order. */
#include "simulation/events.h"

#include "base/assert.h"
#include "base/memory.h"

static bool is_earlier(const struct event *a, const struct event *b) {
    return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->order < b->order;
}

void events_push(struct events *events, const struct event *event) {
    if (events->count == events->capacity) {
        events->capacity = events->capacity ? events->capacity * 2 : 256;
        events->all = memory_resize(events->all, events->capacity * sizeof *events->all);
        ASSERT(events->all);
    }
    size_t i = events->count++;
    while (i > 0 && is_earlier(event, &events->all[(i - 1) / 2])) {
        events->all[i] = events->all[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    events->all[i] = *event;
}

struct event events_take(struct events *events) {
    struct event first = events->all[0], last = events->all[--events->count];
    size_t i = 0;
    for (;;) {
        size_t child = i * 2 + 1;
        if (child >= events->count)
            break;
        if (child + 1 < events->count && is_earlier(&events->all[child + 1], &events->all[child]))
            child++;
        if (!is_earlier(&events->all[child], &last))
            break;
        events->all[i] = events->all[child];
        i = child;
    }
    if (events->count)
        events->all[i] = last;
    return first;
}
