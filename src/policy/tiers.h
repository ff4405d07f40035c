/* Which of a system's takers serve: those of the first tier, and of the next ones while too few of the earlier are
 * healthy; where too few are healthy everywhere, health is ignored, as then the checks are likelier wrong, and what is left
 * would be overrun. */
#ifndef POLICY_TIERS_H
#define POLICY_TIERS_H

#include <stdbool.h>
#include <stdint.h>

struct tiers_view {
    uint32_t tier;
    bool is_healthy; /* up, not ejected */
    bool is_allowed; /* not taken out by hand: that holds in a panic, too */
    bool ret_serves;
};

struct tiers_verdict {
    uint32_t serving; /* so many */
    uint32_t last; /* the last tier that serves */
    bool is_panic;
};

/* `panic_permille`: a tier with less healthy ones than that share needs the next one's help. 0: never a panic. O(n) for
 * each tier that is looked at. */
struct tiers_verdict tiers_choose(struct tiers_view *views, uint32_t count, uint32_t panic_permille);

#endif
