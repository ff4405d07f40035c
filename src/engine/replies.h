/* Replies that are fetched. Who sends a request or query with `message.later` isn't kept waiting: it is told that the
 * request was taken, and fetches the reply, or the problem that it would have got, with the receipt. A reply is kept by
 * the worker that took the request, which the receipt names; a fetch that another worker gets goes there by mail.
 *
 * Each is open until its delivery ends, then kept for `async.keep`, then gone: only that it was there is remembered. When
 * there are more than `async.replies`, or than REPLIES_BYTES of them, the oldest that is kept is gone early. Where all are
 * open, no further one is begun: that request is answered on its own exchange, as without `later`. */
#ifndef ENGINE_REPLIES_H
#define ENGINE_REPLIES_H

#include "engine/parcel.h"

#define REPLIES_BYTES (64u << 20) /* of kept replies, in each worker */
#define REPLIES_FETCHES_MAX \
    4096 /* that wait at once in a worker; one more is answered as if its time were over */
#define REPLIES_NAME_MAX 63

enum later_state { LATER_OPEN, LATER_KEPT, LATER_GONE };

/* Names, not indices: those change with the plan. */
struct replies_asker {
    uint8_t system_size, identity_size; /* identity 0: anonymous */
    uint8_t system[REPLIES_NAME_MAX], identity[REPLIES_NAME_MAX];
};

struct later {
    struct list_node node; /* in the list of its state */
    uint8_t receipt[16];
    uint8_t state;
    uint8_t form; /* message.later */
    enum status status;
    struct delivery *delivery; /* OPEN */
    struct message *reply; /* KEPT; NULL: a problem, `status` */
    uint8_t *texts; /* KEPT: what the next three point into */
    struct slice cause, flow, target;
    size_t bytes;
    int64_t keep_ns;
    uint64_t gone_max;
    struct timer timer; /* OPEN: the asker's patience ends. KEPT: it is gone */
    struct list waits; /* fetches */
    struct replies_asker asker;
};

enum fetched { FETCHED_REPLY, FETCHED_PROBLEM, FETCHED_OPEN, FETCHED_GONE, FETCHED_UNKNOWN };

/* Another worker asks. */
void replies_read(struct engine *engine, uint32_t from, const struct letter *letter,
                  const struct slice texts[4]);
/* Another worker's answer. */
void replies_answered(struct engine *engine, const struct letter *letter, const struct slice texts[4],
                      const struct message *message);

#endif
