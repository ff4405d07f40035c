/* Latencies, in shared memory so that the parent can read them: 16 steps an octave. */
#include "load.h"

#define STEP_BITS 4
#define STEPS (1u << STEP_BITS)

static unsigned line_of(uint64_t ns) {
    if (ns < STEPS)
        return (unsigned)ns;
    unsigned octave = 63u - (unsigned)__builtin_clzll(ns);
    return (octave - STEP_BITS + 1) * STEPS + (unsigned)(ns >> (octave - STEP_BITS) & (STEPS - 1));
}

static uint64_t value_of(unsigned line) {
    if (line < STEPS)
        return line;
    unsigned shift = line / STEPS - 1;
    return ((uint64_t)(STEPS + line % STEPS) << shift) + ((UINT64_C(1) << shift) >> 1);
}

void histogram_add(struct shared *shared, uint64_t ns) {
    shared_add(&shared->lines[line_of(ns)], 1);
}

double histogram_us(const struct shared *shared, double share) {
    uint64_t total = 0, seen = 0;
    unsigned lines = sizeof shared->lines / sizeof *shared->lines;
    for (unsigned i = 0; i < lines; i++)
        total += shared_get(&shared->lines[i]);
    for (unsigned i = 0; i < lines; i++) {
        seen += shared_get(&shared->lines[i]);
        if (seen > 0 && (double)seen >= share * (double)total)
            return (double)value_of(i) / 1e3;
    }
    return 0;
}
