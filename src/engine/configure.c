/* Puts a plan in force: systems keep what they hold, by name; endpoints by system and url. */
#include "engine/chain.h"
#include "engine/dedupe_inner.h"
#include "engine/hand.h"
#include "engine/rate_inner.h"

struct engine_change {
    size_t system_count;
    struct system **systems; /* by index, each as if it were new, with all its endpoints */
    uint64_t *received_by;
};

static void forget_system(struct system *system) {
    for (size_t i = 0; i < system->endpoint_count; i++)
        memory_free(system->endpoints[i]);
    memory_free(system->endpoints);
    memory_free((void *)(uintptr_t)system->name.data);
    memory_free(system);
}

static struct system *system_new(const struct plan *plan, uint32_t index) {
    const struct config_system *config = &plan->config->systems[index];
    struct system *system = memory_new(sizeof *system);
    char *name = memory_copy_text((const char *)config->name.data, config->name.size);
    if (!system || !name) {
        memory_free(system);
        memory_free(name);
        return NULL;
    }
    system->name = slice_make(name, config->name.size);
    recipient_init(&system->recipient, index, system->name, 0, 0, 0);
    system->endpoints = memory_array(config->endpoint_count + 1, sizeof(struct endpoint *));
    for (size_t i = 0; system->endpoints && i < config->endpoint_count; i++) {
        struct endpoint *e = endpoint_new(system, &plan->endpoints[index][i]);
        if (!e)
            break;
        system->endpoints[system->endpoint_count++] = e;
    }
    if (system->endpoints && system->endpoint_count == config->endpoint_count)
        return system;
    forget_system(system);
    return NULL;
}

void engine_change_free(struct engine_change *change) {
    if (!change)
        return;
    for (size_t i = 0; change->systems && i < change->system_count; i++)
        if (change->systems[i])
            forget_system(change->systems[i]);
    memory_free(change->systems);
    memory_free(change->received_by);
    memory_free(change);
}

struct engine_change *engine_change_new(const struct plan *plan) {
    const struct config *config = plan->config;
    struct engine_change *change = memory_new(sizeof *change);
    if (!change)
        return NULL;
    change->system_count = config->system_count;
    change->systems = memory_array(config->system_count + 1, sizeof(struct system *));
    change->received_by = memory_array(config->listener_count + 1, sizeof *change->received_by);
    bool ok = change->systems && change->received_by;
    for (uint32_t i = 0; ok && i < config->system_count; i++)
        ok = (change->systems[i] = system_new(plan, i)) != NULL;
    if (ok)
        return change;
    engine_change_free(change);
    return NULL;
}

void system_free(struct engine *engine, struct system *system) {
    choice_free(engine, &system->recipient); /* it knows them */
    for (size_t i = 0; i < system->endpoint_count; i++)
        endpoint_free(engine, system->endpoints[i]);
    recipient_done(engine, &system->recipient);
    map_done(&system->pending);
    message_unref(system->heartbeat);
    memory_free(system->endpoints);
    memory_free((void *)(uintptr_t)system->name.data);
    memory_free(system);
}

static struct endpoint *keep_endpoint(struct system *system, const struct plan_endpoint *plan) {
    for (size_t i = 0; i < system->endpoint_count; i++) {
        struct endpoint *e = system->endpoints[i];
        if (e && slice_equal(e->plan->config->url.text, plan->config->url.text)) {
            system->endpoints[i] = NULL;
            return e;
        }
    }
    return NULL;
}

/* Who was found stays found where the new plan still has that; those that it names now are its own. */
static void merge_found(struct engine *engine, struct system *system, struct system *fresh,
                        const struct plan *plan, uint32_t index) {
    size_t left = 0;
    for (size_t i = 0; i < system->endpoint_count; i++)
        left += system->endpoints[i] && system->endpoints[i]->found;
    struct endpoint **all =
        left ? memory_resize(fresh->endpoints, (fresh->endpoint_count + left + 1) * sizeof(struct endpoint *))
             : NULL;
    if (!all)
        return; /* they go; who says that they are there says it again */
    fresh->endpoints = all;
    for (size_t i = 0; i < system->endpoint_count; i++) {
        struct endpoint *e = system->endpoints[i];
        struct found *f = e && e->found ? found_again(engine, plan, index, e->found) : NULL;
        if (!f)
            continue;
        endpoint_replan(e, &f->plan);
        found_leave(engine, e->found);
        e->found = f;
        e->plan = &f->plan;
        system->endpoints[i] = NULL;
        fresh->endpoints[fresh->endpoint_count++] = e;
    }
}

/* What the old system has is kept; for the rest it takes over what was made for the change. */
static void merge(struct engine *engine, struct system *system, struct system *fresh, const struct plan *plan, uint32_t index) {
    for (size_t i = 0; i < fresh->endpoint_count; i++) {
        const struct plan_endpoint *wanted = &plan->endpoints[index][i];
        struct endpoint *kept = keep_endpoint(system, wanted);
        if (kept) {
            memory_free(fresh->endpoints[i]);
            fresh->endpoints[i] = kept;
            endpoint_replan(kept, wanted);
            found_leave(engine, kept->found);
            kept->found = NULL;
        }
        kept = fresh->endpoints[i];
        kept->plan = wanted;
        kept->system = system;
        kept->outlet.recipient = &system->recipient;
    }
    merge_found(engine, system, fresh, plan, index);
    struct endpoint **old = system->endpoints;
    size_t old_count = system->endpoint_count;
    system->endpoints = fresh->endpoints; /* first: whoever hears of a dial that ends now looks at them */
    system->endpoint_count = fresh->endpoint_count;
    fresh->endpoints = NULL;
    fresh->endpoint_count = 0;
    forget_system(fresh);
    for (size_t i = 0; i < old_count; i++)
        if (old[i])
            endpoint_retire(engine, old[i]);
    memory_free(old);
}

/* Its maps are empty yet, and peers must not know how they hash. */
static struct system *begin(struct engine *engine, struct system *system) {
    map_init(&system->recipient.keys, rng_next(&engine->rng));
    map_init(&system->pending, rng_next(&engine->rng));
    return system;
}

static void end_all(struct engine *engine, struct list *list, enum status status) {
    while (list->count)
        delivery_end(engine, LIST_ENTRY(list_first(list), struct delivery, node), ENDING_DEAD, status);
}

/* What a removed system holds has nowhere to go. */
static void remove_system(struct engine *engine, struct system *system) {
    struct recipient *r = &system->recipient;
    size_t endpoint_count = system->endpoint_count;
    proxy_end_waiting(engine, r, STATUS_SYSTEM_REMOVED);
    system->endpoint_count = 0; /* first: one that is freed must not be looked at when the next one ends */
    for (size_t i = 0; i < endpoint_count; i++)
        endpoint_retire(engine, system->endpoints[i]);
    endpoint_cut(engine, system, NULL,
                 STATUS_SYSTEM_REMOVED); /* those of endpoints that went before it, too */
    while (r->members.count) {
        struct member *m = LIST_ENTRY(list_first(&r->members), struct member, recipient_node);
        if (m->session)
            connection_close(m->session->connection, STATUS_SYSTEM_REMOVED);
        else
            member_leave(engine, m);
    }
    end_all(engine, &r->sent, STATUS_SYSTEM_REMOVED);
    end_all(engine, &r->asked, STATUS_SYSTEM_REMOVED);
    end_all(engine, &r->later, STATUS_SYSTEM_REMOVED);
    for (int lane = 0; lane < PRIORITY_COUNT; lane++) /* last: what ended may have let the next of its key in */
        end_all(engine, &r->queue[lane], STATUS_SYSTEM_REMOVED);
    for (struct waiter *w; (w = room_first(r));) {
        session_refuse(engine, w->session, w->token, STATUS_SYSTEM_REMOVED, 0);
        ending_waiter(engine, w, STATUS_SYSTEM_REMOVED, 0);
        waiter_free(engine, w);
    }
    system_free(engine, system);
}

static struct system *take_old(struct engine *engine, struct slice name) {
    for (size_t i = 0; i < engine->system_count; i++) {
        struct system *system = engine->systems[i];
        if (system && slice_equal(system->name, name)) {
            engine->systems[i] = NULL;
            return system;
        }
    }
    return NULL;
}

static uint32_t new_identity(const struct plan *old, const struct plan *plan, uint32_t identity) {
    struct slice name = old->config->identities[identity].name;
    for (uint32_t i = 0; i < plan->config->identity_count; i++)
        if (slice_equal(plan->config->identities[i].name, name))
            return i;
    return SECURITY_NONE;
}

static uint32_t new_index(const struct plan *old, const struct plan *plan, uint32_t system) {
    return old && system < old->config->system_count ? plan_system(plan, old->config->systems[system].name) : CONFIG_NONE;
}

/* What it sent that waits for a rate's home or for a verdict. */
static void renumber_work(const struct session *s, const struct plan *old, const struct plan *plan) {
    const struct list *rated = &s->work->rated, *holds = &s->work->holds;
    for (struct list_node *node = list_first(rated); node; node = list_next(rated, node)) {
        struct held *h = LIST_ENTRY(node, struct held, session_node);
        h->from = new_index(old, plan, h->from);
    }
    for (struct list_node *node = list_first(holds); node; node = list_next(holds, node)) {
        struct hold *h = LIST_ENTRY(node, struct hold, node);
        h->from = new_index(old, plan, h->from);
    }
}

/* Sessions know systems and listeners by index: those change with the plan. */
static void renumber(struct engine *engine, const struct plan *old) {
    for (struct list_node *node = list_first(&engine->net.open); node; node = list_next(&engine->net.open, node)) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        struct session *s = c->was_open ? c->owner : NULL;
        if (!s)
            continue;
        memo_forget(s);
        renumber_work(s, old, engine->plan);
        if (old && s->system != CONFIG_NONE && s->system < old->config->system_count)
            s->system = plan_system(engine->plan, old->config->systems[s->system].name);
        if (old && c->listener < old->config->listener_count) {
            c->listener = config_listener_find(engine->plan->config, old->config->listeners[c->listener].name);
            s->listener = c->listener == CONFIG_NONE ? NULL : &engine->plan->listeners[c->listener];
        }
        if (old && s->identity != SECURITY_NONE) {
            s->identity = new_identity(old, engine->plan, s->identity);
            if (s->identity == SECURITY_NONE)
                connection_shut(c, STATUS_AUTH_EXPIRED, NS_PER_S);
        }
    }
}

/* What they show is that of the new plan, from their next request on; those of an endpoint that is gone end with theirs. */
static void present_anew(struct engine *engine) {
    for (struct list_node *node = list_first(&engine->net.open); node; node = list_next(&engine->net.open, node)) {
        struct connection *c = LIST_ENTRY(node, struct connection, node);
        const struct session *s = c->was_open ? c->owner : NULL;
        const struct endpoint *e = s ? s->endpoint : c->was_open ? NULL : c->owner;
        if (e)
            c->sink.presents = e->removed ? &c->setup->presents : &e->plan->setup.presents;
    }
}

static void renumber_list(const struct list *list, const struct plan *old, const struct plan *plan) {
    for (struct list_node *node = list_first(list); node; node = list_next(list, node)) {
        struct delivery *d = LIST_ENTRY(node, struct delivery, node);
        d->from = new_index(old, plan, d->from);
    }
}

/* Who sent what it holds: `stamp`, error replies and reports name them. */
static void renumber_held(struct recipient *r, const struct plan *old, const struct plan *plan) {
    size_t position = 0;
    const struct key_lane *key;
    for (int lane = 0; lane < PRIORITY_COUNT; lane++)
        renumber_list(&r->queue[lane], old, plan);
    while ((key = map_next(&r->keys, &position)))
        renumber_list(&key->blocked, old, plan);
    renumber_list(&r->sent, old, plan);
    renumber_list(&r->asked, old, plan);
    renumber_list(&r->later, old, plan);
    for (int lane = 0; lane < PRIORITY_COUNT; lane++)
        for (struct list_node *node = list_first(&r->waiters[lane]); node;
             node = list_next(&r->waiters[lane], node)) {
            struct waiter *w = LIST_ENTRY(node, struct waiter, node);
            w->from = new_index(old, plan, w->from);
        }
}

static void set_system(struct system *system, const struct config *config, uint32_t index) {
    system->config = &config->systems[index];
    system->index = system->recipient.system = index;
    room_set(&system->recipient, &system->config->policy);
}

/* The old ones by their names, and what is new; nothing in here can fail. */
static struct system **take_systems(struct engine *engine, const struct plan *plan, struct engine_change *change) {
    const struct plan *old = engine->plan;
    struct system **systems = change->systems, **fresh = change->systems;
    struct system *kept;
    engine->plan = plan; /* from here on everything reads the new one */
    chains_configure(engine, plan);
    for (uint32_t i = 0; i < change->system_count; i++) {
        kept = take_old(engine, fresh[i]->name);
        set_system(kept ? kept : begin(engine, fresh[i]), plan->config, i);
        if (kept) {
            renumber_held(&kept->recipient, old, plan);
            merge(engine, kept, fresh[i], plan, i);
            systems[i] = kept;
        }
    }
    memory_free(engine->received_by);
    engine->received_by = change->received_by;
    memory_free(change);
    return systems;
}

enum status configure(struct engine *engine, const struct plan *plan, struct engine_change *change) {
    const struct plan *old = engine->plan;
    const struct config *config = plan->config;
    if (!change && !(change = engine_change_new(plan)))
        return STATUS_NO_MEMORY;
    net_unpark(&engine->net, NULL, STATUS_GOING_AWAY); /* they know listeners and endpoints of the old one */
    struct system **systems = take_systems(engine, plan, change);
    shed_configure(engine, config);
    dead_configure(engine, config);
    trace_configure(engine, plan);
    engine->generation++;
    struct system **gone = engine->systems;
    size_t gone_count = engine->system_count;
    engine->systems = systems;
    engine->system_count = config->system_count;
    renumber_held(&engine->delayed, old, plan);
    for (struct list_node *node = list_first(&engine->subscriptions); node;
         node = list_next(&engine->subscriptions, node)) {
        struct recipient *r = LIST_ENTRY(node, struct recipient, node);
        renumber_held(r, old, plan);
        if (old && r->identity != SECURITY_NONE) {
            r->identity = new_identity(old, plan, r->identity);
            r->gone |= r->identity == SECURITY_NONE; /* its sessions end: nobody's rights are not everybody's */
        }
        r->system = new_index(old, plan, r->system);
        if (r->system == CONFIG_NONE || !engine->systems[r->system])
            r->name = SLICE_OF("-");
        else
            r->name = engine->systems[r->system]->name;
    }
    renumber(engine, old); /* what ends now must not be taken for another system's */
    for (size_t i = 0; i < gone_count; i++)
        if (gone[i]) {
            renumber_held(&gone[i]->recipient, old, plan);
            remove_system(engine, gone[i]);
        }
    memory_free(gone);
    present_anew(engine);
    found_sweep(engine);
    engine->is_replaced = true;
    rates_configure(engine);
    for (size_t i = 0; i < engine->system_count; i++) {
        for (size_t k = 0; k < engine->systems[i]->endpoint_count; k++) {
            struct endpoint *e = engine->systems[i]->endpoints[k];
            e->position = (uint32_t)k;
            if (e->outlet.id == 0)
                e->outlet.id = ++engine->outlet_ids;
            endpoint_return(engine, e);
            hand_kept(engine, e);
            endpoint_start(engine, e);
        }
        choice_configure(engine, engine->systems[i]);
        probing_configure(engine, engine->systems[i]);
        recipient_wake(engine, &engine->systems[i]->recipient);
    }
    return STATUS_OK;
}
