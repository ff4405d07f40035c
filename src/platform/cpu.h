/* Processor cores that this process may use. */
#ifndef PLATFORM_CPU_H
#define PLATFORM_CPU_H

#include <stdbool.h>

/* At least 1; what the affinity mask allows (containers and taskset), not what the machine has. */
unsigned cpu_usable(void);
/* Binds the calling thread to the index-th usable core, counted around. False when the system refuses. */
bool cpu_pin(unsigned index);

#endif
