/* A bounded first-in first-out queue of pointers from one thread to one other, without a lock. */
#ifndef PLATFORM_MAILBOX_H
#define PLATFORM_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mailbox {
    void **slots;
    size_t mask;
    /* Padding, not alignment, so that it may live in any heap block: each side writes a cache line of its own, and
     * they don't take it from each other at every step. */
    char padding_1[64];
    _Atomic size_t head; /* next to take; the receiver writes it */
    char padding_2[64];
    _Atomic size_t tail; /* next to fill; the sender writes it */
    char padding_3[64];
};

/* `capacity` is rounded up to a power of two, 1 << 20 at most. False when memory is out. */
bool mailbox_init(struct mailbox *mailbox, size_t capacity);
/* What is still inside is the caller's: take it before. */
void mailbox_done(struct mailbox *mailbox);
/* The sender's thread. False when full: keep the parcel and try in a later turn. What was written to the parcel
 * before is seen by the receiver. Waking the receiver is the caller's (loop_wake). */
bool mailbox_put(struct mailbox *mailbox, void *parcel);
/* The receiver's thread. NULL when empty. */
void *mailbox_take(struct mailbox *mailbox);
/* Either thread; a recent value. */
size_t mailbox_count(const struct mailbox *mailbox);

#endif
