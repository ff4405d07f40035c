/* Weighted round robin. */
#include "policy/balance.h"

static bool can_take(const struct balance_view *view) {
    return view->up && view->room > 0 && view->weight > 0;
}

size_t balance_pick(struct balance *balance, const struct balance_view *views, size_t count) {
    if (balance->next >= count)
        *balance = (struct balance){0};
    for (size_t i = 0; i <= count && count; i++) { /* once more than there are: a lone one may be at its turn's end */
        const struct balance_view *view = &views[balance->next];
        if (can_take(view) && balance->taken < view->weight) {
            balance->taken++;
            return balance->next;
        }
        balance->next = balance->next + 1 < count ? balance->next + 1 : 0;
        balance->taken = 0;
    }
    return SIZE_MAX;
}
