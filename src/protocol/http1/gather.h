/* Events on their way out that wait for a request: collected into a batch, or to be sent one by one. */
#ifndef PROTOCOL_HTTP1_GATHER_H
#define PROTOCOL_HTTP1_GATHER_H

#include "base/buffer.h"
#include "message/encoding.h"

struct gather {
    struct gather *next;
    struct buffer bytes; /* body of the batch; JSON's last bracket is added when it goes */
    struct buffer cuts;  /* where in it each event is: struct gather_cut */
    uint64_t first;      /* token of its first event; they are dense */
    uint32_t count;
    uint32_t gone;       /* is_single: so many of them have a request of their own already */
    struct mono due;     /* it goes then, full or not */
    bool is_proto;
    bool is_full;        /* no further event comes in */
    bool is_single;      /* its events go one by one */
    bool is_refused;     /* because as a batch they were refused */
    bool asks;           /* the one event wants its reply */
};

struct gather_cut {
    uint32_t at;
    uint32_t size;
};

#define GATHER_EVENT_MAX (4u << 20) /* one event, encoded: what the scratch buffer can hold */

/* NULL when memory is out. `size_max`: of a body of several events; one alone may be larger. */
struct gather *gather_new(bool is_proto, size_t size_max, uint64_t first);
void gather_free(struct gather *gather);
/* One more event, encoded as the batch is; its token is the next. STATUS_TOO_LARGE or STATUS_NO_MEMORY: all is as it was. */
enum status gather_add(struct gather *gather, struct slice event);
/* The bytes that event number `index` was added with. */
struct slice gather_event(const struct gather *gather, uint32_t index);

#endif
