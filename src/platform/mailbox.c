/* A bounded queue of pointers from one thread to one other. */
#include "platform/mailbox.h"

#include "base/assert.h"
#include "base/memory.h"

#define CAPACITY_MAX ((size_t)1 << 20)

bool mailbox_init(struct mailbox *mailbox, size_t capacity) {
    ASSERT(capacity >= 1 && capacity <= CAPACITY_MAX);
    size_t size = 1;
    while (size < capacity)
        size *= 2;
    mailbox->slots = memory_array(size, sizeof *mailbox->slots);
    mailbox->mask = size - 1;
    atomic_init(&mailbox->head, 0);
    atomic_init(&mailbox->tail, 0);
    return mailbox->slots != NULL;
}

void mailbox_done(struct mailbox *mailbox) {
    memory_free(mailbox->slots);
    mailbox->slots = NULL;
}

bool mailbox_put(struct mailbox *mailbox, void *parcel) {
    ASSERT(parcel);
    size_t tail = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    /* Acquire: the receiver has read the slot before it let it go. */
    size_t head = atomic_load_explicit(&mailbox->head, memory_order_acquire);
    if (tail - head > mailbox->mask)
        return false;
    mailbox->slots[tail & mailbox->mask] = parcel;
    atomic_store_explicit(&mailbox->tail, tail + 1, memory_order_release);
    return true;
}

void *mailbox_take(struct mailbox *mailbox) {
    size_t head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&mailbox->tail, memory_order_acquire);
    if (head == tail)
        return NULL;
    void *parcel = mailbox->slots[head & mailbox->mask];
    atomic_store_explicit(&mailbox->head, head + 1, memory_order_release);
    return parcel;
}

size_t mailbox_count(const struct mailbox *mailbox) {
    size_t head = atomic_load_explicit(&mailbox->head, memory_order_acquire);
    return atomic_load_explicit(&mailbox->tail, memory_order_acquire) - head;
}
