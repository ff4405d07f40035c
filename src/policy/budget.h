/* How many retries may be under way at once: a share of what is in flight, and a few anyway. When most attempts fail,
 * retries would multiply the load of a recipient that has too much already. */
#ifndef POLICY_BUDGET_H
#define POLICY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
    uint64_t min;    /* allowed anyway */
    uint32_t permil; /* of what is in flight */
};

/* Retries that `in_flight` messages pay for. */
uint64_t budget_of(const struct budget *budget, uint64_t in_flight);
/* Whether one more may begin while `retrying` are under way. */
bool budget_allows(const struct budget *budget, uint64_t in_flight, uint64_t retrying);
/* What is left, in thousandths of it: 1000 none is used, 0 all of it. A budget of nothing has nothing left. */
uint32_t budget_left(const struct budget *budget, uint64_t in_flight, uint64_t retrying);

#endif
