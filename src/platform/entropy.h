/* Random bytes from the kernel, fit for keys. */
#ifndef PLATFORM_ENTROPY_H
#define PLATFORM_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when the kernel gives none (then nothing that needs secrets may go on). */
bool entropy_fill(void *out, size_t size);
/* A seed for base/rng.h and base/map.h. */
bool entropy_seed(uint64_t *ret_seed);

#endif
