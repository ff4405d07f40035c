/* Which address of a name to try next, and when. */
#include "policy/race.h"

#include "base/assert.h"

static bool has(const struct race *race, const struct address *address) {
    for (uint8_t i = 0; i < race->count; i++)
        if (address_equal(&race->addresses[i], address))
            return true;
    return false;
}

/* The next of that family from *at on; false when there is none. */
static bool take(struct race *race, const struct address *addresses, size_t count, size_t *at, bool same, uint8_t family) {
    for (; *at < count; ++*at) {
        const struct address *address = &addresses[*at];
        if ((address->family == family) != same || has(race, address))
            continue;
        race->addresses[race->count++] = *address;
        ++*at;
        return true;
    }
    return false;
}

void race_init(struct race *race, const struct address *addresses, size_t count) {
    size_t first = 0, other = 0;
    *race = (struct race){.status = STATUS_RESOLVE_FAILED};
    bool more = count > 0;
    while (more && race->count < RACE_ADDRESSES_MAX) {
        more = take(race, addresses, count, &first, true, addresses[0].family);
        if (race->count < RACE_ADDRESSES_MAX && take(race, addresses, count, &other, false, addresses[0].family))
            more = true;
    }
}

int race_start(struct race *race, struct mono now) {
    if (race->next == race->count || race->running == RACE_RUNNERS_MAX || (race->running && !mono_due(race->next_at, now)))
        return -1;
    race->running++;
    race->next_at = mono_after(now, RACE_STAGGER_NS);
    return race->next++;
}

void race_failed(struct race *race, enum status status, struct mono now) {
    ASSERT(race->running > 0);
    race->running--;
    race->status = status;
    race->next_at = now;
}

struct mono race_due(const struct race *race) {
    bool waits = race->running && race->running < RACE_RUNNERS_MAX && race->next < race->count;
    return waits ? race->next_at : MONO_NEVER;
}
