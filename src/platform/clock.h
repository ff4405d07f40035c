/* The one reading of the clocks. */
#ifndef PLATFORM_CLOCK_H
#define PLATFORM_CLOCK_H

#include "base/clock.h"

/* Once per loop turn; hand it down. Monotonic time is CLOCK_MONOTONIC. */
struct now platform_now(void);
struct mono platform_mono(void); /* the monotonic half */

#endif
