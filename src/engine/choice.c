/* Which taker gets a message, where more is asked for than that each has its turn: keeps policy/balance.h up to date with
 * the outlets of one recipient and what is thought of them. */
#include "engine/hand.h"
#include "engine/inner.h"
#include "policy/ramp.h"
#include "policy/tiers.h"

#define WARM_EVERY_NS (100 * NS_PER_MS)
#define WARM_LOOKS 64 /* endpoints in one look: with thousands the next ones look further */
#define WARM_DIALS 8
#define RAMP_STEP_NS (100 * NS_PER_MS)
#define LOAD_LOOK_NS (5 * NS_PER_S) /* at what takers said of themselves: it fades */
#define REFRESH_AGAIN_NS (10 * NS_PER_MS)

static const struct config_policy *policy_of(const struct engine *engine, const struct recipient *r) {
    return &engine_system(engine, r->system)->config->policy;
}

/* -- what is known of a taker -- */

/* The same with all workers, so that they agree on whose a key is. */
static uint64_t identity_of(const struct engine *engine, const struct outlet *outlet) {
    const struct member *m = outlet->member;
    if (outlet->endpoint)
        return map_hash(outlet->endpoint->plan->config->url.text, 1);
    uint64_t handle = m->session ? m->session->work->announced : m->handle;
    return ring_mix(handle ^ ring_mix(m->session ? engine->options.worker : m->worker));
}

static bool is_local(const struct engine *engine, const struct outlet *outlet) {
    return outlet->endpoint && slice_equal(engine->plan->config->zone, outlet->endpoint->plan->config->zone);
}

static struct balance_place place_of(const struct engine *engine, const struct choice *c,
                                     const struct outlet *outlet) {
    const struct config_policy *policy = policy_of(engine, c->recipient);
    struct balance_place place = c->balance.slots[outlet->slot].place;
    const struct endpoint *e = outlet->endpoint;
    place.is_ready = outlet->ready.count > 0;
    place.ramp = 1000;
    place.weight = BALANCE_WEIGHT_ONE;
    uint32_t said = load_capacity(&outlet->load, engine->now.mono);
    uint32_t share = load_share(&outlet->load, engine->now.mono);
    if (!e) {
        place.weight *= said ? said : 1;
        place.ramp = share;
        place.capacity = outlet->member->limit;
        return place;
    }
    place.weight = (said && !e->fitness.has_weight ? said : fitness_weight(e)) * BALANCE_WEIGHT_ONE;
    place.capacity = endpoint_capacity(e);
    place.is_local = is_local(engine, outlet);
    if (e->fitness.was_out)
        place.ramp =
            ramp_at(e->fitness.since, engine->now.mono, policy->slow_start.over_ns, policy->slow_start.from);
    place.ramp = (uint32_t)((uint64_t)place.ramp * share / 1000);
    place.ramp += place.ramp == 0;
    return place;
}

void choice_place(struct engine *engine, struct outlet *outlet) {
    struct choice *c = outlet->recipient->choice;
    if (c && outlet->slot != BALANCE_NONE)
        balance_set(&c->balance, outlet->slot, place_of(engine, c, outlet), engine->now.mono);
}

/* -- who serves -- */

static void set_active(struct engine *engine, struct choice *c, struct outlet *outlet, bool serves) {
    struct endpoint *e = outlet->endpoint;
    struct balance_place place = place_of(engine, c, outlet);
    bool is_active = serves && (!e || fitness_may_send(e));
    if (e && is_active && !e->fitness.serves) {
        e->fitness.since = engine->now.mono;
        place = place_of(engine, c, outlet);
    } else if (e && !is_active) {
        e->fitness.was_out = true;
    }
    place.is_active = is_active;
    if (e)
        e->fitness.serves = is_active;
    c->serving += is_active;
    balance_set(&c->balance, outlet->slot, place, engine->now.mono);
}

static struct tiers_view view_of(const struct outlet *outlet) {
    const struct endpoint *e = outlet->endpoint;
    struct tiers_view view = {.is_healthy = true, .is_allowed = true};
    if (e) {
        view.tier = (uint32_t)e->plan->config->tier;
        view.is_allowed = e->plan->config->enabled && !e->fitness.is_gone && e->fitness.by_hand == BY_HAND_UP;
        view.is_healthy = view.is_allowed && fitness_is_healthy(e);
    }
    return view;
}

/* Without memory all stays as it is, until soon. */
static void refresh(struct engine *engine, struct choice *c) {
    struct tiers_view *views = memory_array(c->capacity + 1, sizeof *views);
    uint32_t count = 0;
    c->is_stale = !views;
    if (!views) {
        timer_set(engine, &c->look, mono_after(engine->now.mono, REFRESH_AGAIN_NS));
        return;
    }
    for (uint32_t i = 0; i < c->capacity; i++)
        if (c->outlets[i])
            views[count++] = view_of(c->outlets[i]);
    c->is_panic = tiers_choose(views, count, policy_of(engine, c->recipient)->panic).is_panic;
    c->serving = 0;
    count = 0;
    for (uint32_t i = 0; i < c->capacity; i++)
        if (c->outlets[i])
            set_active(engine, c, c->outlets[i], views[count++].ret_serves);
    memory_free(views);
    timer_set(engine, &c->look, engine->now.mono); /* ramps may have begun */
}

void choice_changed(struct engine *engine, struct choice *c) {
    if (c->is_stale)
        return;
    c->is_stale = true;
    recipient_wake(engine, c->recipient);
}

static void freshen(struct engine *engine, struct choice *c) {
    if (c->is_stale)
        refresh(engine, c);
}

bool choice_is_ready(struct engine *engine, struct choice *c) {
    freshen(engine, c);
    return balance_is_ready(&c->balance);
}

static bool is_active(struct engine *engine, const struct outlet *outlet) {
    struct choice *c = outlet->recipient->choice;
    if (!c || outlet->slot == BALANCE_NONE)
        return true;
    freshen(engine, c);
    return c->balance.slots[outlet->slot].place.is_active;
}

bool choice_serves(struct engine *engine, const struct endpoint *e) {
    return is_active(engine, &e->outlet);
}

bool choice_has_somebody(struct engine *engine, const struct recipient *r) {
    for (struct list_node *node = list_first(&r->members); node; node = list_next(&r->members, node)) {
        const struct outlet *outlet = LIST_ENTRY(node, struct member, recipient_node)->outlet;
        if (is_active(engine, outlet) && (!outlet->endpoint || hand_allows(outlet->endpoint)))
            return true;
    }
    return false;
}

/* -- members -- */

static bool grow(struct choice *c) {
    uint32_t capacity = c->capacity ? c->capacity * 2 : 8;
    struct outlet **outlets = memory_array(capacity, sizeof(struct outlet *));
    if (!outlets || !balance_reserve(&c->balance, capacity)) {
        memory_free(outlets);
        return false;
    }
    if (c->capacity)
        memcpy(outlets, c->outlets, c->capacity * sizeof(struct outlet *));
    memory_free(c->outlets);
    c->outlets = outlets;
    c->capacity = capacity;
    return true;
}

bool choice_join(struct engine *engine, struct outlet *outlet) {
    struct choice *c = outlet->recipient->choice;
    uint32_t slot = 0;
    if (!c)
        return true;
    while (slot < c->capacity && c->outlets[slot])
        slot++;
    if (slot == c->capacity && !grow(c))
        return false;
    c->outlets[slot] = outlet;
    outlet->slot = slot;
    struct balance_place place = {.is_used = true, .id = identity_of(engine, outlet)};
    balance_set(&c->balance, slot, place, engine->now.mono);
    c->balance.slots[slot].in_flight = outlet->in_flight; /* it isn't on yet: no sum has it */
    choice_place(engine, outlet);
    choice_changed(engine, c);
    return true;
}

void choice_leave(struct engine *engine, struct outlet *outlet) {
    struct choice *c = outlet->recipient->choice;
    if (!c || outlet->slot == BALANCE_NONE)
        return;
    balance_set(&c->balance, outlet->slot, (struct balance_place){0}, engine->now.mono);
    c->outlets[outlet->slot] = NULL;
    outlet->slot = BALANCE_NONE;
    choice_changed(engine, c);
}

void choice_counts(struct outlet *outlet, int32_t change) {
    struct balance *balance = &outlet->recipient->choice->balance;
    if (outlet->slot == BALANCE_NONE)
        return;
    if (change > 0)
        balance_sent(balance, outlet->slot);
    else
        balance_landed(balance, outlet->slot, (uint32_t)-change);
}

/* -- picking -- */

/* False: the message says nothing there. */
static bool key_of(const struct engine *engine, const struct recipient *r, const struct message *message,
                   uint64_t *ret_key) {
    const struct plan_key *key = &engine->plan->keys[r->system];
    uint8_t scratch[CESQL_SCRATCH_MAX];
    struct cesql_result result;
    struct slice text;
    if (!key->cesql)
        return false;
    if (key->attribute != ATTRIBUTE_OTHER) {
        text = message_text(message, key->attribute);
    } else {
        cesql_evaluate(key->cesql, message, engine->now, scratch, &result);
        if (result.errors)
            return false;
        text = result.type == CESQL_STRING ? result.text : slice_make(&result.number, sizeof result.number);
    }
    *ret_key = map_hash(text, 1);
    return text.size > 0;
}

static void warm(struct engine *engine, struct choice *c) {
    unsigned dials = 0;
    if (!mono_due(c->warm_at, engine->now.mono))
        return;
    c->warm_at = mono_after(engine->now.mono, WARM_EVERY_NS);
    for (uint32_t i = 0; i < WARM_LOOKS && i < c->capacity && dials < WARM_DIALS; i++) {
        c->warm_cursor = c->warm_cursor + 1 < c->capacity ? c->warm_cursor + 1 : 0;
        struct outlet *outlet = c->outlets[c->warm_cursor];
        if (outlet && outlet->endpoint && outlet->endpoint->connections == 0)
            dials += endpoint_warm(engine, outlet->endpoint);
    }
}

/* Who had the key's last message, if it can take one. */
static struct outlet *stayed_with(struct engine *engine, struct choice *c, uint64_t key) {
    uint64_t id = sticky_get(&c->sticky, key, engine->now.mono);
    uint32_t slot = (uint32_t)id;
    struct outlet *outlet = id && slot < c->capacity ? c->outlets[slot] : NULL;
    if (!outlet || outlet->id != id >> 32)
        return NULL;
    const struct balance_place *place = &c->balance.slots[slot].place;
    return place->is_active && place->is_ready && place->weight ? outlet : NULL;
}

static unsigned slots_of(const struct choice *c, const struct avoid *avoid, uint32_t slots[AVOID_MAX]) {
    unsigned count = 0;
    for (unsigned i = 0; avoid && avoid->outlets[0] && i < AVOID_MAX && avoid->outlets[i]; i++)
        for (uint32_t k = 0; k < c->capacity; k++)
            if (c->outlets[k] && c->outlets[k]->id == avoid->outlets[i])
                slots[count++] = k;
    return count;
}

struct outlet *choice_pick(struct engine *engine, struct choice *c, const struct message *message,
                           const struct avoid *avoid) {
    int64_t stay_ns = policy_of(engine, c->recipient)->balance.sticky_ns;
    uint64_t key = 0;
    uint32_t slots[AVOID_MAX];
    freshen(engine, c);
    warm(engine, c);
    bool has_key = key_of(engine, c->recipient, message, &key);
    if (!has_key)
        key = rng_next(&c->balance.rng); /* whoever: the hash must not send all of these to one */
    unsigned avoid_count = slots_of(c, avoid, slots);
    struct outlet *outlet = has_key && stay_ns && !avoid_count ? stayed_with(engine, c, key) : NULL;
    if (!outlet) {
        uint32_t slot = balance_pick(&c->balance, key, slots, avoid_count, engine->now.mono);
        outlet = slot == BALANCE_NONE ? NULL : c->outlets[slot];
    }
    if (outlet && has_key && stay_ns)
        sticky_put(&c->sticky, key, (uint64_t)outlet->id << 32 | outlet->slot, engine->now.mono, stay_ns);
    return outlet;
}

void choice_sent(struct engine *engine, struct member *m) {
    struct endpoint *e = m->outlet->endpoint;
    if (!e || m->outlet->slot == BALANCE_NONE)
        return;
    if (e->fitness.breaker.state == BREAKER_HALF_OPEN) {
        breaker_sent(&e->fitness.breaker);
        choice_changed(engine, m->recipient->choice);
    }
    if (m->outlet->ready.count == 0)
        endpoint_warm(engine, e);
}

/* -- time -- */

static bool ramps(const struct engine *engine, const struct choice *c, const struct outlet *outlet) {
    return outlet->endpoint && outlet->endpoint->fitness.was_out &&
           c->balance.slots[outlet->slot].place.is_active &&
           engine->now.mono.ns - outlet->endpoint->fitness.since.ns <
               policy_of(engine, c->recipient)->slow_start.over_ns;
}

void choice_look(struct engine *engine, struct choice *c) {
    timer_set(engine, &c->look, mono_min(c->look.deadline.at, mono_after(engine->now.mono, LOAD_LOOK_NS)));
}

void choice_ring(struct engine *engine, struct choice *c) {
    const struct config_policy *policy = policy_of(engine, c->recipient);
    struct mono next = MONO_NEVER;
    bool interval = policy->outlier.on && mono_due(c->interval_at, engine->now.mono), ramping = false;
    if (c->is_stale) /* there was no memory to look */
        recipient_wake(engine, c->recipient);
    if (interval)
        c->interval_at = mono_after(engine->now.mono, policy->outlier.interval_ns);
    for (uint32_t i = 0; i < c->capacity; i++) {
        struct outlet *outlet = c->outlets[i];
        bool is_loaded = outlet && outlet->load.heard.ns;
        if (is_loaded) {
            if (load_is_known(&outlet->load, engine->now.mono))
                next = mono_min(next, mono_after(engine->now.mono, LOAD_LOOK_NS));
            else
                outlet->load = (struct load){0};
            choice_place(engine, outlet);
        }
        if (!outlet || !outlet->endpoint)
            continue;
        if (interval)
            fitness_interval(engine, outlet->endpoint);
        next = mono_min(next, fitness_tick(engine, outlet->endpoint));
        ramping |= ramps(engine, c, outlet);
        if (outlet->endpoint->fitness.was_out)
            choice_place(engine, outlet);
    }
    if (ramping)
        next = mono_min(next, mono_after(engine->now.mono, RAMP_STEP_NS));
    if (policy->outlier.on)
        next = mono_min(next, c->interval_at);
    timer_set(engine, &c->look, next);
}

/* -- coming and going -- */

static bool is_wanted(const struct engine *engine, const struct system *system) {
    const struct config_policy *policy = &system->config->policy;
    bool wanted = system->hears_load || policy->balance.by != BALANCE_ROUND_ROBIN || policy->balance.sticky_ns ||
                  policy->outlier.on || policy->breaker.on ||
                  (system->config->found && policy->slow_start.over_ns > 0);
    for (size_t i = 0; i < system->endpoint_count; i++) {
        const struct endpoint *e = system->endpoints[i];
        const struct config_endpoint *config = e->plan->config;
        wanted |=
            config->weight != 1 || config->tier || (engine->plan->config->zone.size && config->zone.size);
        wanted |= e->plan->probe != NULL;
        wanted |= e->fitness.by_hand != BY_HAND_UP || e->fitness.has_weight;
    }
    return wanted;
}

static void drop(struct engine *engine, struct recipient *r) {
    struct choice *c = r->choice;
    if (!c)
        return;
    for (uint32_t i = 0; i < c->capacity; i++)
        if (c->outlets[i])
            c->outlets[i]->slot = BALANCE_NONE;
    deadlines_clear(&engine->deadlines, &c->look.deadline);
    balance_done(&c->balance);
    sticky_done(&c->sticky);
    memory_free(c->outlets);
    memory_free(c);
    r->choice = NULL;
}

void choice_free(struct engine *engine, struct recipient *r) {
    drop(engine, r);
}

static bool join_all(struct engine *engine, struct system *system) {
    bool fine = true;
    for (size_t i = 0; i < system->endpoint_count && fine; i++)
        fine = choice_join(engine, &system->endpoints[i]->outlet);
    const struct list *members = &system->recipient.members;
    for (struct list_node *node = list_first(members); node && fine; node = list_next(members, node)) {
        struct member *m = LIST_ENTRY(node, struct member, recipient_node);
        fine = !m->own_outlet || choice_join(engine, m->outlet);
    }
    return fine;
}

/* What it had learnt of latencies stays. */
static void fill(struct choice *c, const struct choice *old) {
    for (uint32_t i = 0; old && i < c->capacity; i++)
        for (uint32_t k = 0; c->outlets[i] && k < old->capacity; k++)
            if (old->outlets[k] == c->outlets[i])
                c->balance.slots[i].latency = old->balance.slots[k].latency;
}

void choice_configure(struct engine *engine, struct system *system) {
    struct recipient *r = &system->recipient;
    struct choice *old = r->choice, *c = is_wanted(engine, system) ? memory_new(sizeof *c) : NULL;
    const struct config_policy *policy = &system->config->policy;
    for (uint32_t i = 0; old && i < old->capacity; i++)
        if (old->outlets[i])
            old->outlets[i]->slot = BALANCE_NONE;
    r->choice = c;
    if (c) {
        bool zones = engine->plan->config->zone.size > 0;
        c->recipient = r;
        c->look = (struct timer){.deadline = {.at = MONO_NEVER}, .kind = TIMER_CHOICE};
        c->interval_at = mono_after(engine->now.mono, policy->outlier.interval_ns);
        balance_init(&c->balance, policy->balance.by, zones ? policy->zones.spill : 0,
                     rng_next(&engine->rng));
        if (old) {
            c->sticky = old->sticky;
            old->sticky = (struct sticky){0};
        }
        bool fine = join_all(engine, system);
        if (fine)
            fill(c, old);
        else
            drop(engine, r); /* turns will do */
    }
    if (old) {
        deadlines_clear(&engine->deadlines, &old->look.deadline);
        balance_done(&old->balance);
        sticky_done(&old->sticky);
        memory_free(old->outlets);
        memory_free(old);
    }
}
