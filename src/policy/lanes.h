/* Which of a recipient's five lanes delivers next.
 *
 * Emergency goes first while it has had no more than a fifth of the recipient's deliveries; past that it shares the
 * turns of critical. Critical, high, normal and low weigh 8, 4, 2, 1 among those that wait. Nothing starves. */
#ifndef POLICY_LANES_H
#define POLICY_LANES_H

#include "message/message.h"

#define LANES_EMERGENCY_EVERY 5  /* its share is one in so many */
#define LANES_EMERGENCY_BURST 64 /* so many in a row, when it had less than its share before */

#define LANE_BIT(priority) (1u << ((priority) - 1))

struct lanes {
    int16_t credit[PRIORITY_COUNT - 1]; /* low .. critical: how much of their due they have not had */
    uint16_t emergency;                 /* deliveries left to it, times LANES_EMERGENCY_EVERY */
    bool emergency_last;                /* had the last turn of critical */
};

void lanes_init(struct lanes *lanes);
/* The priority (PRIORITY_LOW..PRIORITY_EMERGENCY) whose head is delivered next; 0 when `waiting`, a set of LANE_BITs,
 * is empty. Counts it as delivered. */
unsigned lanes_pick(struct lanes *lanes, unsigned waiting);

#endif
