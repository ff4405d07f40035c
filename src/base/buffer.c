/* A growing run of bytes with a named maximum. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"

#define FIRST_CAPACITY 256

void buffer_init(struct buffer *buffer, size_t max) {
    *buffer = (struct buffer){.max = max};
}

void buffer_init_fixed(struct buffer *buffer, void *data, size_t size) {
    *buffer = (struct buffer){.data = data, .capacity = size, .max = size, .fixed = true};
}

void buffer_done(struct buffer *buffer) {
    if (!buffer->fixed)
        memory_free(buffer->data);
    *buffer = (struct buffer){.max = buffer->max};
}

void buffer_clear(struct buffer *buffer) {
    buffer->size = 0;
    buffer->status = STATUS_OK;
}

static bool grow(struct buffer *buffer, size_t need) {
    if (buffer->fixed)
        return false;
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < need)
        capacity += capacity / 2 + 64;
    if (capacity > buffer->max)
        capacity = buffer->max;
    uint8_t *data = memory_resize(buffer->data, capacity);
    if (!data) {
        buffer->status = STATUS_NO_MEMORY;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t count) {
    if (buffer->status != STATUS_OK)
        return NULL;
    if (count > buffer->max - buffer->size) {
        buffer->status = STATUS_TOO_LARGE;
        return NULL;
    }
    if (buffer->size + count > buffer->capacity && !grow(buffer, buffer->size + count))
        return NULL;
    if (!buffer->data && !grow(buffer, 1))
        return NULL;
    return buffer->data + buffer->size;
}

void buffer_add(struct buffer *buffer, struct slice bytes) {
    if (bytes.size == 0)
        return;
    bool fits = buffer->status == STATUS_OK && bytes.size <= buffer->capacity - buffer->size;
    uint8_t *at = fits ? buffer->data + buffer->size : buffer_reserve(buffer, bytes.size);
    if (!at)
        return;
    memcpy(at, bytes.data, bytes.size);
    buffer->size += bytes.size;
}

void buffer_add_byte(struct buffer *buffer, uint8_t byte) {
    buffer_add(buffer, slice_make(&byte, 1));
}

void buffer_add_text(struct buffer *buffer, const char *text) {
    buffer_add(buffer, slice_from(text));
}

void buffer_add_u64(struct buffer *buffer, uint64_t value) {
    char digits[TEXT_U64_MAX];
    buffer_add(buffer, slice_make(digits, text_from_u64(digits, value)));
}

void buffer_add_i64(struct buffer *buffer, int64_t value) {
    char digits[TEXT_U64_MAX + 1];
    buffer_add(buffer, slice_make(digits, text_from_i64(digits, value)));
}

void buffer_add_format(struct buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int need = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    ASSERT(need >= 0);
    uint8_t *at = buffer_reserve(buffer, (size_t)need + 1);
    if (!at)
        return;
    va_start(arguments, format);
    vsnprintf((char *)at, (size_t)need + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)need;
}

void buffer_consume(struct buffer *buffer, size_t count) {
    ASSERT(count <= buffer->size);
    buffer->size -= count;
    if (buffer->size)
        memmove(buffer->data, buffer->data + count, buffer->size);
}
