/* Time as a value. Only platform reads clocks; everybody else is told. Monotonic and wall time don't mix. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct mono {
    int64_t ns; /* since an arbitrary start; never goes back */
};

struct wall {
    int64_t ns; /* since 1970-01-01T00:00:00Z, leap seconds not counted */
};

/* One reading per loop turn, handed down. */
struct now {
    struct mono mono;
    struct wall wall;
};

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* Deadlines are absolute. NEVER sorts after all others. */
#define MONO_NEVER ((struct mono){INT64_MAX})

static inline struct mono mono_after(struct mono at, int64_t delay_ns) {
    if (at.ns == INT64_MAX || delay_ns >= INT64_MAX - at.ns)
        return MONO_NEVER;
    return (struct mono){at.ns + delay_ns};
}

static inline bool mono_due(struct mono deadline, struct mono now) {
    return deadline.ns <= now.ns;
}

static inline struct mono mono_min(struct mono a, struct mono b) {
    return a.ns <= b.ns ? a : b;
}

#endif
