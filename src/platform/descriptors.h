/* How many descriptors this process may have open. */
#ifndef PLATFORM_DESCRIPTORS_H
#define PLATFORM_DESCRIPTORS_H

#include <stdint.h>

/* Raises the soft limit to the hard one (the soft default of 1024 is for programs that use select). Returns what is
 * allowed now; 0 when even that can't be read. */
uint64_t descriptors_raise(void);

#endif
