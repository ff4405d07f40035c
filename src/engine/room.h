/* What may still wait for a recipient: its queue as a whole, each of its lanes, and what is kept free in the queue for what
 * is more urgent. Accepted means kept: nothing that waits is ever pushed out, so room for the urgent is room that others
 * don't get. */
#ifndef ENGINE_ROOM_H
#define ENGINE_ROOM_H

#include "config/config.h"
#include "message/message.h"

struct recipient;
struct delivery;
struct waiter;

/* Thousandths of `limits.queue` that each priority may fill it to. What is low is refused from there on; the others are held
 * back, as far as their senders can be. */
#define ROOM_LOW 700
#define ROOM_NORMAL 900
#define ROOM_HIGH 950
#define ROOM_CRITICAL 975
#define ROOM_EMERGENCY 1000

enum room_verdict {
    ROOM_FREE,
    ROOM_FULL, /* later there may be */
    ROOM_SHED, /* it is low, and the queue is nearly full */
    ROOM_NEVER, /* it is larger than all that it could have */
};

struct room_count {
    uint64_t messages, bytes;
};

struct room {
    uint64_t free_bytes; /* so large a message has room in an empty queue, whatever its priority */
    struct room_count queue[PRIORITY_COUNT]; /* what the queue may come to by such a message */
    struct room_count most[PRIORITY_COUNT]; /* `limits.lanes` */
    struct room_count
        held[PRIORITY_COUNT]; /* in the lane, behind their partition keys and until their next attempt */
};

/* Limits of that policy; what is held stays. */
void room_set(struct recipient *recipient, const struct config_policy *policy);
/* Beside the queue's own counts. */
void room_add(struct recipient *recipient, const struct delivery *delivery);
void room_remove(struct recipient *recipient, const struct delivery *delivery);
enum room_verdict room_look(const struct recipient *recipient, const struct message *message, size_t size);
/* Words for the sender, where they say more than the status. */
const char *room_words(enum room_verdict verdict);

/* -- those who wait for it: the most urgent first, each priority in its order -- */

/* `first`: before its like, because it was there before. */
void room_wait(struct recipient *recipient, struct waiter *waiter, bool first);
void room_leave(struct recipient *recipient, struct waiter *waiter);
/* NULL: nobody. */
struct waiter *room_first(const struct recipient *recipient);
/* Somebody waits whom a message of that priority must not overtake. */
bool room_has_others(const struct recipient *recipient, uint8_t priority);
/* Its own lane keeps what is of that priority waiting, so less urgent ones needn't. */
bool room_is_lane_full(const struct recipient *recipient, unsigned priority);

#endif
