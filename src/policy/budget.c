/* A bound on retries that grows with the load. */
#include "policy/budget.h"

uint64_t budget_of(const struct budget *budget, uint64_t in_flight) {
    uint64_t share = in_flight / 1000 * budget->permil + in_flight % 1000 * budget->permil / 1000;
    return share > budget->min ? share : budget->min;
}

bool budget_allows(const struct budget *budget, uint64_t in_flight, uint64_t retrying) {
    return retrying < budget_of(budget, in_flight);
}

uint32_t budget_left(const struct budget *budget, uint64_t in_flight, uint64_t retrying) {
    uint64_t all = budget_of(budget, in_flight);
    return retrying >= all ? 0 : (uint32_t)((all - retrying) * 1000 / all);
}
