/* Which requests have run, by who they say they are. */
#include "policy/idempotency.h"

#include "base/memory.h"

#define NAME_MAX_SIZE (IDEMPOTENCY_SCOPE_MAX + 1 + IDEMPOTENCY_KEY_MAX)

static struct slice name_of(struct slice scope, struct slice key, uint8_t room[static NAME_MAX_SIZE]) {
    if (scope.size)
        memcpy(room, scope.data, scope.size);
    room[scope.size] = 0; /* no name of an identity has one */
    if (key.size)
        memcpy(room + scope.size + 1, key.data, key.size);
    return slice_make(room, scope.size + 1 + key.size);
}

void idempotency_init(struct idempotency *all, uint64_t seed) {
    *all = (struct idempotency){.bytes = 0};
    map_init(&all->entries, seed);
    map_init(&all->scopes, seed);
    list_init(&all->running);
    list_init(&all->done);
}

/* -- entries -- */

static void entry_free(struct idempotency *all, struct idempotency_entry *e) {
    struct idempotency_scope *scope = e->scope;
    list_remove(e->is_done ? &all->done : &all->running, &e->node);
    if (e->is_done)
        list_remove(&scope->done, &e->scope_node);
    map_remove(&all->entries, slice_make(e->name, e->name_size));
    all->bytes -= e->answer_size;
    memory_free(e->answer);
    memory_free(e);
    if (--scope->count)
        return;
    map_remove(&all->scopes, slice_make(scope->name, scope->size));
    memory_free(scope);
}

void idempotency_done(struct idempotency *all) {
    while (all->running.count)
        entry_free(all, LIST_ENTRY(list_first(&all->running), struct idempotency_entry, node));
    while (all->done.count)
        entry_free(all, LIST_ENTRY(list_first(&all->done), struct idempotency_entry, node));
    map_done(&all->entries);
    map_done(&all->scopes);
}

uint64_t idempotency_memory(const struct idempotency *all) {
    return all->bytes + (all->running.count + all->done.count) * (sizeof(struct idempotency_entry) + 64);
}

/* All last equally long, so the oldest is the next that is over. */
static void expire(struct idempotency *all, struct list *list, struct mono now) {
    struct list_node *node;
    while ((node = list_first(list)) && mono_due(LIST_ENTRY(node, struct idempotency_entry, node)->until, now))
        entry_free(all, LIST_ENTRY(node, struct idempotency_entry, node));
}

static bool evict(struct idempotency *all) {
    struct list_node *node = list_first(&all->done);
    if (!node)
        return false;
    all->evicted++;
    entry_free(all, LIST_ENTRY(node, struct idempotency_entry, node));
    return true;
}

static bool evict_of(struct idempotency *all, struct idempotency_scope *scope) {
    struct list_node *node = list_first(&scope->done);
    if (!node)
        return false;
    all->evicted++;
    entry_free(all, LIST_ENTRY(node, struct idempotency_entry, scope_node));
    return true;
}

static bool make_room(struct idempotency *all, struct slice scope) {
    struct idempotency_scope *own = map_get(&all->scopes, scope);
    if (own && own->count >= IDEMPOTENCY_SCOPE_ENTRIES)
        return evict_of(all, own);
    return all->running.count + all->done.count < IDEMPOTENCY_ENTRIES || evict(all);
}

static struct idempotency_scope *scope_of(struct idempotency *all, struct slice name) {
    struct idempotency_scope *scope = map_get(&all->scopes, name);
    if (scope || !(scope = memory_new(sizeof *scope)))
        return scope;
    scope->size = (uint8_t)name.size;
    if (name.size)
        memcpy(scope->name, name.data, name.size);
    list_init(&scope->done);
    if (map_put(&all->scopes, slice_make(scope->name, scope->size), scope))
        return scope;
    memory_free(scope);
    return NULL;
}

static struct idempotency_entry *entry_new(struct idempotency *all, struct slice scope, struct slice name) {
    struct idempotency_entry *e = memory_new(sizeof *e + name.size);
    struct idempotency_scope *own = e ? scope_of(all, scope) : NULL;
    if (!own) {
        memory_free(e);
        return NULL;
    }
    own->count++;
    e->scope = own;
    e->name_size = (uint16_t)name.size;
    memcpy(e->name, name.data, name.size);
    list_add(&all->running, &e->node);
    if (map_put(&all->entries, slice_make(e->name, e->name_size), e))
        return e;
    entry_free(all, e);
    return NULL;
}

/* -- what is asked -- */

enum idempotency_verdict idempotency_claim(struct idempotency *all, struct slice scope, struct slice key,
                                           const uint8_t print[static IDEMPOTENCY_PRINT_SIZE], uint64_t claim, struct mono now,
                                           const struct idempotency_entry **ret) {
    uint8_t room[NAME_MAX_SIZE];
    struct slice name = name_of(scope, key, room);
    expire(all, &all->running, now);
    expire(all, &all->done, now);
    struct idempotency_entry *e = map_get(&all->entries, name);
    if (e) {
        *ret = e;
        if (memcmp(e->print, print, sizeof e->print) != 0)
            return IDEMPOTENCY_CONFLICT;
        return e->is_done ? IDEMPOTENCY_AGAIN : IDEMPOTENCY_RUNNING;
    }
    if (!make_room(all, scope) || !(e = entry_new(all, scope, name)))
        return IDEMPOTENCY_FULL;
    memcpy(e->print, print, sizeof e->print);
    e->claim = claim;
    e->until = mono_after(now, IDEMPOTENCY_KEEP_NS);
    return IDEMPOTENCY_NEW;
}

static struct idempotency_entry *running(const struct idempotency *all, struct slice scope, struct slice key, uint64_t claim) {
    uint8_t room[NAME_MAX_SIZE];
    struct idempotency_entry *e = map_get(&all->entries, name_of(scope, key, room));
    return e && !e->is_done && e->claim == claim ? e : NULL;
}

void idempotency_settle(struct idempotency *all, struct slice scope, struct slice key, uint64_t claim, unsigned code,
                        struct slice answer, struct mono now) {
    struct idempotency_entry *e = running(all, scope, key, claim);
    if (!e)
        return;
    if (answer.size) {
        e->answer = memory_alloc(answer.size);
        if (e->answer)
            memcpy(e->answer, answer.data, answer.size);
    }
    bool is_known = e->answer || answer.size == 0;
    e->code = is_known ? code : 0;
    e->answer_size = is_known ? answer.size : 0;
    e->until = mono_after(now, IDEMPOTENCY_KEEP_NS);
    list_remove(&all->running, &e->node);
    e->is_done = true;
    list_add(&all->done, &e->node);
    list_add(&e->scope->done, &e->scope_node);
    all->bytes += e->answer_size;
    while (all->bytes > IDEMPOTENCY_BYTES)
        evict(all);
}

void idempotency_release(struct idempotency *all, struct slice scope, struct slice key, uint64_t claim) {
    struct idempotency_entry *e = running(all, scope, key, claim);
    if (e)
        entry_free(all, e);
}
