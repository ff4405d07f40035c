/* Which endpoint of a system is next: weighted round robin over those that are up and have room. */
#ifndef POLICY_BALANCE_H
#define POLICY_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How an endpoint looks to the balancer; the owner keeps an array of them up to date. */
struct balance_view {
    uint32_t weight; /* 0 takes nothing new */
    uint32_t room;   /* messages that it takes now */
    bool up;
};

/* Zero is a good start. Endpoints may come and go between picks. */
struct balance {
    size_t next;
    uint32_t taken; /* in a row by `next` */
};

/* Index of the endpoint, SIZE_MAX when none can take a message. Each gets `weight` in a row. The endpoints that are
 * passed over are those that can't take anything, so in a healthy system a pick looks at one or two. */
size_t balance_pick(struct balance *balance, const struct balance_view *views, size_t count);

#endif
