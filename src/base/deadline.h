/* A set of deadlines: a binary heap of intrusive nodes, so that arming one takes no memory and can't fail. A deadline that
 * moves later only writes a field; the heap learns of it when the old time comes up. */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

struct deadline {
    struct mono at;     /* when it is really due; MONO_NEVER: not armed, not in the heap. So it begins */
    struct mono queued; /* the time that it is sorted by, never later than `at` */
    struct deadline *parent, *left, *right;
};

struct deadlines {
    struct deadline *first;
    size_t count;
};

void deadlines_init(struct deadlines *set);
/* Arms or moves. MONO_NEVER: as deadlines_clear(). */
void deadlines_set(struct deadlines *set, struct deadline *deadline, struct mono at);
void deadlines_clear(struct deadlines *set, struct deadline *deadline);
/* The next one that is due at `now`, disarmed; NULL when none is. */
struct deadline *deadlines_take(struct deadlines *set, struct mono now);
/* When to look again: at or before the earliest deadline. MONO_NEVER when the set is empty. */
struct mono deadlines_next(const struct deadlines *set);

#endif
