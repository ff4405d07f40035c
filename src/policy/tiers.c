/* Walks the tiers upwards until one has enough that are healthy. */
#include "policy/tiers.h"

/* The lowest tier from `least` on; false: there is none. */
static bool next_tier(const struct tiers_view *views, uint32_t count, uint64_t least, uint32_t *ret_tier) {
    bool found = false;
    for (uint32_t i = 0; i < count; i++)
        if (views[i].tier >= least && (!found || views[i].tier < *ret_tier)) {
            *ret_tier = views[i].tier;
            found = true;
        }
    return found;
}

/* Who is out by hand isn't missing: a tier of which only one is left in service is whole when that one is healthy. */
static bool is_enough(const struct tiers_view *views, uint32_t count, uint32_t tier,
                      uint32_t panic_permille) {
    uint64_t healthy = 0, all = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (views[i].tier != tier || !views[i].is_allowed)
            continue;
        all++;
        healthy += views[i].is_healthy;
    }
    return healthy && healthy * 1000 >= all * panic_permille;
}

struct tiers_verdict tiers_choose(struct tiers_view *views, uint32_t count, uint32_t panic_permille) {
    struct tiers_verdict verdict = {0};
    uint32_t tier = 0;
    bool enough = false;
    for (uint64_t least = 0; !enough && next_tier(views, count, least, &tier); least = (uint64_t)tier + 1) {
        enough = is_enough(views, count, tier, panic_permille);
        verdict.last = tier;
    }
    verdict.is_panic = !enough && panic_permille > 0;
    for (uint32_t i = 0; i < count; i++) {
        bool serves =
            views[i].is_allowed && (views[i].is_healthy || verdict.is_panic) && views[i].tier <= verdict.last;
        views[i].ret_serves = serves;
        verdict.serving += serves;
    }
    return verdict;
}
