/* Puts endpoints that were found in force, and takes them out again. */
#include "engine/found.h"

#include "base/pack.h"
#include "config/scalar.h"
#include "engine/inner.h"
#include "protocol/tls/tls.h"

#define FOUND_SIZE_MAX (1u << 20) /* one of them, compiled */

const char *found_origin_name(enum found_origin origin) {
    static const char *const names[FOUND_ORIGIN_COUNT] = {"config", "dns", "registered"};
    return names[origin];
}

/* -- what is said of them -- */

void found_pack(struct buffer *out, struct slice system, const struct found_entry *entries, size_t count) {
    pack_slice(out, system);
    pack_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        pack_slice(out, entries[i].name);
        pack_slice(out, entries[i].url);
        pack_slice(out, entries[i].zone);
        pack_u32(out, entries[i].weight);
        pack_u32(out, entries[i].tier);
        pack_u8(out, (uint8_t)entries[i].origin);
    }
}

static struct found_entry unpack_entry(struct unpack *in) {
    struct found_entry entry = {.name = unpack_slice(in), .url = unpack_slice(in), .zone = unpack_slice(in)};
    entry.weight = unpack_u32(in);
    entry.tier = unpack_u32(in);
    entry.origin = (enum found_origin)unpack_u8(in);
    in->is_bad |= entry.origin != FOUND_DNS && entry.origin != FOUND_REGISTERED;
    return entry;
}

static struct found_entry entry_of(const struct found *found) {
    const struct config_endpoint *c = &found->config;
    return (struct found_entry){c->name,           c->url.text,  c->zone, (uint32_t)c->weight,
                                (uint32_t)c->tier, found->origin};
}

static bool is_same(const struct found *found, const struct found_entry *entry) {
    const struct found_entry own = entry_of(found);
    return slice_equal(own.name, entry->name) && slice_equal(own.zone, entry->zone) &&
           own.weight == entry->weight && own.tier == entry->tier && own.origin == entry->origin;
}

/* -- one of them -- */

static bool is_meant(const struct config_system *system, enum found_origin origin) {
    return system->found && (origin == FOUND_DNS ? system->discover.dns.size > 0 : system->lease_ns > 0);
}

static enum status make(const struct plan *plan, uint32_t system, const struct found_entry *entry,
                        struct found *f) {
    struct config_endpoint *config = &f->config;
    struct scalar_why why;
    *config = *plan->config->systems[system].found;
    struct slice url = arena_copy(&f->arena, entry->url);
    config->name = arena_copy(&f->arena, entry->name);
    config->zone = arena_copy(&f->arena, entry->zone);
    config->weight = entry->weight;
    config->tier = entry->tier;
    if (!url.data || !config->name.data || !config->zone.data)
        return STATUS_NO_MEMORY;
    if (!config_endpoint_url(url, &config->url, &why))
        return STATUS_BAD_CONFIG;
    if (config->tls.server_name.size == 0)
        config->tls.server_name = config->url.host;
    return plan_found(plan, &f->arena, system, config, &f->plan, NULL);
}

struct found *found_new(const struct engine *engine, const struct plan *plan, uint32_t system,
                        const struct found_entry *entry) {
    if (!is_meant(&plan->config->systems[system], entry->origin))
        return NULL;
    struct found *f = memory_new(sizeof *f);
    if (!f)
        return NULL;
    f->origin = entry->origin;
    arena_init(&f->arena, FOUND_SIZE_MAX);
    enum status status = make(plan, system, entry, f);
    if (status == STATUS_OK && config_scheme_is_tls(f->config.url.scheme) && !engine->net.worker.tls)
        status = STATUS_NOT_SUPPORTED; /* nobody made ready for it: the world doesn't say so */
    if (status == STATUS_OK)
        return f;
    arena_done(&f->arena);
    memory_free(f);
    return NULL;
}

struct found *found_again(const struct engine *engine, const struct plan *plan, uint32_t system,
                          const struct found *before) {
    struct found_entry entry = entry_of(before);
    return found_new(engine, plan, system, &entry);
}

void found_free(struct engine *engine, struct found *f) {
    for (unsigned i = 0; i < f->plan.setup.filter_count; i++)
        if (f->plan.setup.filters[i].filter == &filter_tls && engine->net.worker.tls)
            tls_worker_forget(engine->net.worker.tls, f->plan.setup.filters[i].profile);
    arena_done(&f->arena);
    memory_free(f);
}

void found_leave(struct engine *engine, struct found *f) {
    if (f)
        list_add(&engine->found_before, &f->node);
}

static bool is_used(const struct engine *engine, const struct found *f) {
    const struct list *open = &engine->net.open;
    for (struct list_node *node = list_first(open); node; node = list_next(open, node)) {
        const struct connection *c = LIST_ENTRY(node, struct connection, node);
        if (c->setup == &f->plan.setup || c->sink.presents == &f->plan.setup.presents ||
            (f->plan.probe && c->setup == &f->plan.probe->setup))
            return true;
    }
    return false;
}

/* Rare, and there are few: when endpoints change. */
void found_sweep(struct engine *engine) {
    for (struct list_node *node = list_first(&engine->found_before); node;) {
        struct found *f = LIST_ENTRY(node, struct found, node);
        node = list_next(&engine->found_before, node);
        if (is_used(engine, f))
            continue;
        list_remove(&engine->found_before, &f->node);
        found_free(engine, f);
    }
}

/* All connections have ended. */
void found_done(struct engine *engine) {
    while (engine->found_before.count)
        found_free(engine, LIST_ENTRY(list_take_first(&engine->found_before), struct found, node));
}

/* -- all of one system -- */

struct merge {
    struct engine *engine;
    struct system *system;
    struct endpoint **next; /* those that will be, in order */
    size_t count;
};

static struct endpoint *find(struct endpoint *const *list, size_t count, struct slice url) {
    for (size_t i = 0; i < count; i++)
        if (slice_equal(list[i]->plan->config->url.text, url))
            return list[i];
    return NULL;
}

static bool has(const struct merge *m, const struct endpoint *e) {
    for (size_t i = 0; i < m->count; i++)
        if (m->next[i] == e)
            return true;
    return false;
}

/* What differs is its weight, tier, zone or name; without memory it stays as it was. */
static void change(struct merge *m, struct endpoint *e, const struct found_entry *entry) {
    struct found *f =
        is_same(e->found, entry) ? NULL : found_new(m->engine, m->engine->plan, m->system->index, entry);
    if (!f)
        return;
    endpoint_replan(e, &f->plan);
    found_leave(m->engine, e->found);
    e->found = f;
    e->plan = &f->plan;
}

static struct endpoint *add(struct merge *m, const struct found_entry *entry) {
    struct engine *engine = m->engine;
    struct found *f = found_new(engine, engine->plan, m->system->index, entry);
    struct endpoint *e = f ? endpoint_new(m->system, &f->plan) : NULL;
    if (!e) {
        if (f)
            found_free(engine, f);
        return NULL;
    }
    e->found = f;
    e->outlet.id = ++engine->outlet_ids;
    e->fitness.was_out = true; /* it starts slowly */
    e->fitness.since = engine->now.mono;
    return e;
}

/* Who is written down is that, whoever else says it too; of two with one URL the first counts. */
static void take(struct merge *m, const struct found_entry *entry) {
    struct endpoint *e = find(m->system->endpoints, m->system->endpoint_count, entry->url);
    if (find(m->next, m->count, entry->url))
        return;
    if (e)
        change(m, e, entry);
    else
        e = add(m, entry);
    if (e)
        m->next[m->count++] = e;
}

static void swap(struct merge *m) {
    struct endpoint **old = m->system->endpoints;
    size_t old_count = m->system->endpoint_count;
    m->system->endpoints = m->next; /* first: whoever hears of a dial that ends now looks at them */
    m->system->endpoint_count = m->count;
    m->engine->is_replaced = true;
    for (size_t i = 0; i < m->count; i++)
        m->next[i]->position = (uint32_t)i;
    for (size_t i = 0; i < old_count; i++)
        if (!has(m, old[i]))
            endpoint_retire(m->engine, old[i]);
    memory_free(old);
    choice_configure(m->engine, m->system);
    probing_configure(m->engine, m->system);
    for (size_t i = 0; i < m->count; i++)
        endpoint_start(m->engine, m->next[i]);
    recipient_wake(m->engine, &m->system->recipient);
}

void found_input(struct engine *engine, struct engine_input *input) {
    struct unpack in = unpack_from(input->bytes);
    struct slice name = unpack_slice(&in);
    uint32_t count = unpack_u32(&in);
    struct merge m = {.engine = engine, .system = engine_system(engine, plan_system(engine->plan, name))};
    input->status = STATUS_OK;
    found_sweep(engine);
    if (!m.system || in.is_bad || count > 2 * FOUND_MAX)
        return;
    m.next = memory_array(m.system->endpoint_count + count + 1, sizeof(struct endpoint *));
    if (!m.next) {
        input->status = STATUS_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < m.system->endpoint_count; i++)
        if (!m.system->endpoints[i]->found)
            m.next[m.count++] = m.system->endpoints[i];
    for (uint32_t i = 0; i < count && !in.is_bad; i++) {
        struct found_entry entry = unpack_entry(&in);
        if (!in.is_bad)
            take(&m, &entry);
    }
    swap(&m);
}
