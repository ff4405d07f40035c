/* Coming back without flapping. */
#include "policy/standby.h"

bool standby_see(struct standby *s, bool is_able, struct mono now) {
    if (s->is_able == is_able)
        return false;
    if (!is_able) {
        bool relapsed = s->hold_ns && now.ns - s->since.ns < STANDBY_RELAPSE * s->hold_ns;
        s->hold_ns = !relapsed ? STANDBY_HOLD_NS : 2 * s->hold_ns < STANDBY_HOLD_MAX_NS ? 2 * s->hold_ns : STANDBY_HOLD_MAX_NS;
    }
    s->is_able = is_able;
    s->since = now;
    return true;
}

bool standby_is_steady(const struct standby *s, struct mono now) {
    return s->is_able && now.ns - s->since.ns >= s->hold_ns;
}
