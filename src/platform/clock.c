/* The one reading of the clocks. */
#include "platform/clock.h"

#include "base/assert.h"
#include "platform/sys.h"

static int64_t read_clock(clockid_t clock) {
    struct timespec time;
    ASSERT(sys()->clock_gettime(clock, &time) == 0); /* fails only for a clock that doesn't exist */
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

struct mono platform_mono(void) {
    return (struct mono){read_clock(CLOCK_MONOTONIC)};
}

struct now platform_now(void) {
    return (struct now){{read_clock(CLOCK_MONOTONIC)}, {read_clock(CLOCK_REALTIME)}};
}
