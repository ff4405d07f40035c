/* A growing run of bytes with a named maximum. Failure sticks, so a writer checks once at the end. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"
#include "base/status.h"

struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t max;
    bool fixed;         /* `data` is the caller's and never grows */
    enum status status; /* OK, TOO_LARGE past max, NO_MEMORY */
};

/* No memory is taken until the first byte. */
void buffer_init(struct buffer *buffer, size_t max);
/* Writes into the caller's memory. */
void buffer_init_fixed(struct buffer *buffer, void *data, size_t size);
void buffer_done(struct buffer *buffer);
void buffer_clear(struct buffer *buffer); /* keeps the memory, forgets bytes and failure */
/* Room for `count` more bytes at the returned place, NULL on failure; buffer_added() then counts them. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t count);
static inline void buffer_added(struct buffer *buffer, size_t count) {
    buffer->size += count;
}
void buffer_add(struct buffer *buffer, struct slice bytes);
void buffer_add_byte(struct buffer *buffer, uint8_t byte);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_u64(struct buffer *buffer, uint64_t value);
void buffer_add_i64(struct buffer *buffer, int64_t value);
void buffer_add_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drops the first `count` bytes. */
void buffer_consume(struct buffer *buffer, size_t count);
static inline struct slice buffer_slice(const struct buffer *buffer) {
    return slice_make(buffer->data, buffer->size);
}

#endif
