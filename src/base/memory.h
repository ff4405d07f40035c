/* The one door to the heap. In debug builds the n-th allocation can be made to fail. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* All return NULL when memory is out. `memory_new` zeroes. Size 0 is an error of the caller. */
void *memory_new(size_t size);
void *memory_alloc(size_t size);
void *memory_array(size_t count, size_t size); /* zeroed; overflow counts as out of memory */
/* On failure `old` stays valid and with the caller. */
void *memory_resize(void *old, size_t size);
void memory_free(void *block);
char *memory_copy_text(const char *text, size_t size); /* NUL added */

/* Live allocations of this thread; tests compare before and after. */
int64_t memory_live(void);
/* Their bytes, as the heap rounded them, without its own. */
int64_t memory_live_bytes(void);
/* Allocations of this thread that failed. */
uint64_t memory_failures(void);
/* Tests: fail the allocation that comes after `skip` further ones, once (`skip` < 0: never). Per thread. */
void memory_fail_after(int64_t skip);
/* Whether the planned failure has happened. */
int memory_has_failed(void);

#endif
