/* One exchange that is streamed: two sessions that are each other's peer for a while. Never a message, in no lane.
 *
 *   proxy.c      the head decides: a connection of the system that is free, or a place in line for one; then bytes
 *                pass from one to the other, and who is too fast is held back
 *   proxy_end.c  how it ends: the answer's last byte, a tunnel's end, one that fails, time; and who may begin again
 *
 * Each of the two knows it by session->proxy; it is gone before either of them is. */
#ifndef ENGINE_PROXY_H
#define ENGINE_PROXY_H

#include "engine/inner.h"

#define PROXY_UNSENT_MAX (128u << 10) /* with so much unsent on one side, the other is held back.. */
#define PROXY_UNSENT_LOW (32u << 10) /* ..until it has sunk to so much */
#define PROXY_TRIES_MAX 3 /* connections that one request is given to */
#define PROXY_IDLE_NS (5 * 60 * NS_PER_S) /* once the answer has begun: so long nothing may pass either way */
#define PROXY_REDIAL_NS NS_PER_S /* an endpoint that could not be reached is not asked again sooner */

struct proxy {
    struct list_node node; /* in engine->proxies */
    struct list_node wait_node; /* in recipient->proxies, while it waits */
    struct timer timer;
    struct engine *engine;
    struct session *down; /* who asks */
    struct session *up; /* who answers; NULL: it waits for one */
    struct system *system;
    struct avoid avoid; /* endpoints that had it already */
    const struct protocol_setup *setup; /* of the connection that has it, or had it last; NULL: none */
    int64_t request_ns, attempt_ns, queue_ns;
    struct mono began;
    struct mono waits; /* since when, while it does */
    struct mono placed;
    struct mono touched; /* when a byte last passed */
    struct mono answered;
    uint64_t up_from; /* added to the chain of `up` before the request */
    uint64_t up_heard; /* bytes_in of `up`, then */
    uint64_t bytes_in, bytes_out;
    unsigned code;
    uint8_t tries;
    bool has_answer; /* its final head went out */
    bool is_tunnel;
    bool body_used; /* what has passed of the request can't be had again */
    bool down_held, up_held; /* what comes from there is not read on */
    struct protocol_stream stream; /* its slices stand in `bytes` */
    size_t size;
    uint8_t bytes[];
};

static inline const struct protocol_streams *proxy_streams(const struct session *s) {
    return s->connection->protocol->streams;
}

/* It waits for a connection of its system. */
void proxy_wait(struct proxy *p);
void proxy_hold(struct proxy *p, bool is_up, bool hold);

/* proxy_end.c */
/* What an attempt came to, for what is known of its endpoint. */
void proxy_result(const struct proxy *p, enum attempt_result result);
enum attempt_result proxy_result_of(unsigned code);
void proxy_timer(struct proxy *p);
/* Tells who waits for the answer, and ends it. */
void proxy_abort(struct proxy *p, enum status status, uint32_t retry_ms);
/* Both sides are done with it already. */
void proxy_end(struct proxy *p, enum status status);
/* The one that should answer is lost, for that reason. */
void proxy_lost(struct proxy *p, enum status reason);

#endif
