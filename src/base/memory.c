/* Counts live allocations per thread and can fail a chosen one, so that tests can walk every failure. */
#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static _Thread_local int64_t live;
static _Thread_local int64_t live_bytes;
static _Thread_local int64_t fail_skip = -1;
static _Thread_local int failed;
static _Thread_local uint64_t failures;

static void *counted(void *block) {
    live += block != NULL;
    failures += block == NULL;
    live_bytes += (int64_t)malloc_usable_size(block);
    return block;
}

static int should_fail(void) {
    if (fail_skip < 0)
        return 0;
    if (fail_skip-- > 0)
        return 0;
    failed = 1;
    failures++;
    return 1;
}

void *memory_alloc(size_t size) {
    ASSERT(size > 0);
    if (should_fail())
        return NULL;
    void *block = malloc(size);
    return counted(block);
}

void *memory_new(size_t size) {
    ASSERT(size > 0);
    if (should_fail())
        return NULL;
    void *block = calloc(1, size);
    return counted(block);
}

void *memory_array(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return memory_new(total);
}

void *memory_resize(void *old, size_t size) {
    ASSERT(size > 0);
    if (!old)
        return memory_alloc(size);
    if (should_fail())
        return NULL;
    int64_t before = (int64_t)malloc_usable_size(old);
    void *block = realloc(old, size);
    if (block)
        live_bytes += (int64_t)malloc_usable_size(block) - before;
    else
        failures++;
    return block;
}

void memory_free(void *block) {
    if (!block)
        return;
    live--;
    live_bytes -= (int64_t)malloc_usable_size(block);
    free(block);
}

char *memory_copy_text(const char *text, size_t size) {
    char *copy = memory_alloc(size + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

int64_t memory_live(void) {
    return live;
}

uint64_t memory_failures(void) {
    return failures;
}

int64_t memory_live_bytes(void) {
    return live_bytes;
}

void memory_fail_after(int64_t skip) {
    fail_skip = skip;
    failed = 0;
}

int memory_has_failed(void) {
    return failed;
}
