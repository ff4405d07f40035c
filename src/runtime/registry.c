/* Endpoints that aren't in the configuration: who they are, and that all workers know. */
#include "runtime/registry.h"

#include "config/recorded.h"
#include "config/scalar.h"
#include "platform/entropy.h"
#include "policy/lookup.h"

/* -- what was said -- */

struct known *known_new(const struct found_entry *entry) {
    size_t size = entry->name.size + entry->url.size + entry->zone.size;
    struct known *known = memory_new(sizeof *known + size);
    if (!known)
        return NULL;
    uint8_t *at = (uint8_t *)(known + 1);
    known->entry = *entry;
    struct slice *texts[] = {&known->entry.name, &known->entry.url, &known->entry.zone};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (texts[i]->size)
            memcpy(at, texts[i]->data, texts[i]->size);
        texts[i]->data = at;
        at += texts[i]->size;
    }
    return known;
}

void known_free_all(struct known ***list, size_t *count) {
    for (size_t i = 0; i < *count; i++)
        memory_free((*list)[i]);
    memory_free(*list);
    *list = NULL;
    *count = 0;
}

bool known_same(const struct found_entry *a, const struct found_entry *b) {
    return slice_equal(a->name, b->name) && slice_equal(a->url, b->url) && slice_equal(a->zone, b->zone) &&
           a->weight == b->weight && a->tier == b->tier;
}

static bool same_list(struct known *const *a, size_t a_count, struct known *const *b, size_t b_count) {
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!known_same(&a[i]->entry, &b[i]->entry))
            return false;
    return true;
}

/* -- to the workers -- */

struct found_post {
    struct post post;
    size_t size;
    uint8_t bytes[];
};

static void take_found(void *target, struct post *post) {
    struct worker *worker = target;
    struct found_post *found = (struct found_post *)(void *)post;
    struct engine_input input = {.kind = INPUT_FOUND, .bytes = slice_make(found->bytes, found->size)};
    worker_turn(worker); /* what was begun is carried out by the places of before */
    worker_input(worker, &input);
    memory_free(found);
}

/* All or none: who has no memory now is told with the next look. */
static bool post_all(struct runtime *runtime, struct slice bytes) {
    struct found_post *posts[WORKERS_MAX] = {0};
    bool ok = true;
    for (uint32_t i = 0; ok && i < runtime->worker_count; i++)
        ok = (posts[i] = memory_new(sizeof *posts[i] + bytes.size)) != NULL;
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        if (!ok) {
            memory_free(posts[i]);
            continue;
        }
        posts[i]->post.run = take_found;
        posts[i]->size = bytes.size;
        memcpy(posts[i]->bytes, bytes.data, bytes.size);
        worker_post(&runtime->workers[i], &posts[i]->post);
    }
    return ok;
}

static void send(struct watch *watch) {
    size_t count = watch->found_count + watch->lease_count, at = 0;
    struct found_entry *entries = memory_array(count + 1, sizeof *entries);
    struct buffer bytes;
    if (!entries)
        return;
    buffer_init(&bytes, 4u << 20);
    for (size_t i = 0; i < watch->lease_count; i++)
        entries[at++] = watch->leases[i]->entry;
    for (size_t i = 0; i < watch->found_count; i++)
        entries[at++] = watch->found[i]->entry;
    found_pack(&bytes, watch->name, entries, count);
    if (bytes.status == STATUS_OK && post_all(watch->registry->runtime, buffer_slice(&bytes)))
        watch->is_dirty = false;
    buffer_done(&bytes);
    memory_free(entries);
}

/* -- the log -- */

static void begin_line(const struct watch *watch, struct log_record *record, enum log_level level,
                       const char *words) {
    log_record_init(record, level, LOG_ROOM_RUNTIME, runtime_now_of(watch->registry->runtime).wall, words);
    log_add_text(record, "system", watch->name);
    log_add_text(record, "name", watch->dns);
}

static void tell_change(const struct watch *watch, size_t before, uint32_t left_out) {
    struct log_record record;
    begin_line(watch, &record, left_out ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "endpoints found");
    log_add_u64(&record, "endpoints", watch->found_count);
    log_add_u64(&record, "before", before);
    if (left_out)
        log_add_u64(&record, "left_out", left_out);
    pen_write(&watch->registry->runtime->pen, &record);
}

/* Once when it begins, once when it is over. */
static void tell_failing(struct watch *watch, bool is_failing, enum status status) {
    struct log_record record;
    if (watch->is_failing == is_failing)
        return;
    watch->is_failing = is_failing;
    begin_line(watch, &record, is_failing ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
               is_failing ? "endpoints can't be looked up; those known stay"
                          : "endpoints are looked up again");
    if (is_failing)
        log_add_text(&record, "reason", slice_from(status_reason(status)));
    log_add_u64(&record, "endpoints", watch->found_count);
    pen_write(&watch->registry->runtime->pen, &record);
}

static void count(const struct watch *watch, enum lookup_outcome outcome) {
    static const char *const words[] = {
        [LOOKUP_FOUND] = "found", [LOOKUP_NONE] = "none", [LOOKUP_FAILED] = "failed"};
    struct runtime *runtime = watch->registry->runtime;
    pthread_mutex_lock(&runtime->lock);
    metrics_add(
        runtime->metrics,
        METRICS_SERIES(runtime->metrics, METRIC_DISCOVERY_LOOKUPS, watch->name, slice_from(words[outcome])),
        1);
    pthread_mutex_unlock(&runtime->lock);
}

static void show(const struct watch *watch) {
    struct runtime *runtime = watch->registry->runtime;
    const size_t counts[] = {
        [FOUND_WRITTEN] = 0, [FOUND_DNS] = watch->found_count, [FOUND_REGISTERED] = watch->lease_count};
    pthread_mutex_lock(&runtime->lock);
    for (enum found_origin i = FOUND_DNS; i < FOUND_ORIGIN_COUNT; i++)
        metrics_set(runtime->metrics,
                    METRICS_SERIES(runtime->metrics, METRIC_ENDPOINTS_FOUND, watch->name,
                                   slice_from(found_origin_name(i))),
                    (int64_t)counts[i]);
    pthread_mutex_unlock(&runtime->lock);
}

/* -- answers -- */

static void replace(struct watch *watch, struct known **list, size_t list_count, uint32_t left_out) {
    size_t before = watch->found_count;
    bool changed = !same_list(watch->found, before, list, list_count);
    known_free_all(&watch->found, &watch->found_count);
    watch->found = list;
    watch->found_count = list_count;
    watch->is_dirty |= changed;
    if (changed)
        tell_change(watch, before, left_out);
}

static enum lookup_outcome outcome_of(const struct seek *seek, enum status *ret_status) {
    if (seek->count)
        return LOOKUP_FOUND;
    for (unsigned i = 0; i < 2; i++)
        if (seek->status[i] != STATUS_NAME_NOT_FOUND) {
            *ret_status = seek->status[i] == STATUS_OK ? STATUS_RESOLVE_FAILED
                                                       : seek->status[i]; /* nothing of it was any use */
            return LOOKUP_FAILED;
        }
    return LOOKUP_NONE;
}

void watch_sought(struct watch *watch) {
    struct seek *seek = &watch->seek;
    struct mono now = runtime_now_of(watch->registry->runtime).mono;
    enum status status = STATUS_OK;
    int64_t pause;
    enum lookup_outcome outcome = outcome_of(seek, &status);
    int64_t ttl = seek->ttl == UINT32_MAX ? 0 : (int64_t)seek->ttl * NS_PER_S;
    enum lookup_what what = lookup_answered(&watch->lookup, outcome, ttl, &watch->registry->rng, now, &pause);
    watch->ask_at = mono_after(now, pause);
    count(watch, outcome);
    tell_failing(watch, outcome == LOOKUP_FAILED, status);
    if (what == LOOKUP_TAKE) {
        replace(watch, seek->found, seek->count, seek->left_out);
        seek->found = NULL;
        seek->count = 0;
    } else if (what == LOOKUP_EMPTY) {
        replace(watch, NULL, 0, 0);
    }
    known_free_all(&seek->found, &seek->count);
    show(watch);
    loop_again(watch->registry->runtime->loop);
}

/* -- whether they would be good in a configuration -- */

static void say_first(struct config_report *report, struct fault *fault) {
    config_report_sort(report);
    for (size_t i = 0; i < report->problem_count; i++)
        if (!report->problems[i]->is_warning) {
            fault_set(fault, STATUS_BAD_CONFIG, 0, "%.*s: %.*s", SLICE_ARG(report->problems[i]->path),
                      SLICE_ARG(report->problems[i]->message));
            return;
        }
    fault_set(fault, STATUS_BAD_CONFIG, 0, "it does not fit the configuration");
}

/* The configuration in force is loaded once more, with an endpoint that has this URL: so each rule counts, once. */
static enum status try_url(struct watch *watch, const struct config_url *url, struct fault *fault) {
    const struct generation *generation = watch->registry->runtime->generation;
    const struct config_system *system =
        &generation->config->systems[config_system_find(generation->config, watch->name)];
    struct config_report report;
    struct config *config = NULL;
    struct buffer set;
    bool is_v6 = slice_find(url->host, ':') < url->host.size;
    buffer_init(&set, FOUND_URL_MAX + 512);
    buffer_add_format(&set, system->is_bare ? "systems/%.*s/url=" : "systems/%.*s/endpoints/registered/url=",
                      SLICE_ARG(watch->name));
    buffer_add_format(&set, is_v6 ? "\"%s://[%.*s]:%u\"" : "\"%s://%.*s:%u\"",
                      config_scheme_name(url->scheme), SLICE_ARG(url->host), (unsigned)url->port);
    config_report_init(&report);
    enum status status = set.status;
    if (status == STATUS_OK)
        status =
            config_load_again_with(buffer_slice(&generation->recorded), buffer_slice(&set), &config, &report);
    if (status == STATUS_BAD_CONFIG)
        say_first(&report, fault);
    else if (status != STATUS_OK)
        fault_set(fault, status, 0, "%s", status_row(status)->title);
    if (config)
        config_free(config);
    config_report_done(&report);
    buffer_done(&set);
    return status;
}

enum status watch_vet(struct watch *watch, struct slice text, struct fault *fault) {
    struct config_url url;
    struct scalar_why why;
    if (!config_endpoint_url(text, &url, &why))
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "url: %s", why.text);
    if (config_scheme_is_tls(url.scheme) && !watch->registry->runtime->generation->has_tls)
        return fault_set(fault, STATUS_NOT_SUPPORTED, 0,
                         "url: an input log is kept, and none can be with TLS");
    uint64_t kind = UINT64_C(1) << ((unsigned)url.scheme * 2 + url.is_loopback);
    if (watch->vetted & kind)
        return STATUS_OK;
    enum status status = try_url(watch, &url, fault);
    if (status == STATUS_OK)
        watch->vetted |= kind;
    return status;
}

/* -- coming and going -- */

static void watch_free(struct watch *watch) {
    seek_forget(watch);
    known_free_all(&watch->found, &watch->found_count);
    known_free_all(&watch->leases, &watch->lease_count);
    if (list_node_is_linked(&watch->node))
        list_remove(&watch->registry->watches, &watch->node);
    memory_free((void *)(uintptr_t)watch->name.data);
    memory_free((void *)(uintptr_t)watch->dns.data);
    memory_free((void *)(uintptr_t)watch->url.data);
    memory_free(watch);
}

static bool set_text(struct slice *at, struct slice text) {
    char *copy = memory_copy_text(text.size ? (const char *)text.data : "", text.size);
    if (!copy)
        return false;
    memory_free((void *)(uintptr_t)at->data);
    *at = slice_make(copy, text.size);
    return true;
}

struct watch *registry_find(struct runtime *runtime, struct slice name) {
    struct list *watches = runtime->registry ? &runtime->registry->watches : NULL;
    for (struct list_node *node = watches ? list_first(watches) : NULL; node; node = list_next(watches, node))
        if (slice_equal(LIST_ENTRY(node, struct watch, node)->name, name))
            return LIST_ENTRY(node, struct watch, node);
    return NULL;
}

/* What is looked for has changed: what was found by the old question is nobody's. */
static bool set_discover(struct watch *watch, const struct config_discover *config, struct mono now) {
    bool same = slice_equal(watch->dns, config->dns) && slice_equal(watch->url, config->url) &&
                watch->records == config->records;
    watch->lookup.every_ns = config->every_ns;
    if (same && (config->dns.size == 0 || watch->ask_at.ns != MONO_NEVER.ns || watch->seek.asks[0] ||
                 watch->seek.asks[1]))
        return true;
    seek_forget(watch);
    known_free_all(&watch->found, &watch->found_count);
    watch->lookup = (struct lookup){.every_ns = config->every_ns};
    watch->records = config->records;
    watch->is_failing = false;
    watch->ask_at = config->dns.size ? now : MONO_NEVER;
    return set_text(&watch->dns, config->dns) && set_text(&watch->url, config->url);
}

static void set_watch(struct registry *registry, const struct config_system *system) {
    struct watch *watch = registry_find(registry->runtime, system->name);
    if (!watch) {
        watch = memory_new(sizeof *watch);
        if (!watch)
            return;
        *watch = (struct watch){.registry = registry, .ask_at = MONO_NEVER};
        if (!set_text(&watch->name, system->name)) {
            memory_free(watch);
            return;
        }
        list_add(&registry->watches, &watch->node);
    }
    watch->is_meant = set_discover(watch, &system->discover, runtime_now_of(registry->runtime).mono);
    watch->lease_ns = system->lease_ns;
    if (system->lease_ns == 0)
        known_free_all(&watch->leases, &watch->lease_count);
    watch->vetted = 0;
    watch->is_dirty =
        watch->found_count + watch->lease_count > 0; /* who had no memory for them hears of them again */
}

static bool is_wanted(const struct config *config) {
    for (size_t i = 0; i < config->system_count; i++)
        if (config->systems[i].found)
            return true;
    return false;
}

static struct registry *registry_get(struct runtime *runtime) {
    uint64_t seed;
    if (runtime->registry || !is_wanted(runtime->generation->config))
        return runtime->registry;
    struct registry *registry = memory_new(sizeof *registry);
    if (!registry || !entropy_seed(&seed)) {
        memory_free(registry);
        return NULL;
    }
    registry->runtime = runtime;
    list_init(&registry->watches);
    rng_init(&registry->rng, seed);
    return runtime->registry = registry;
}

void registry_configure(struct runtime *runtime) {
    const struct config *config = runtime->generation->config;
    struct registry *registry = registry_get(runtime);
    if (!registry)
        return;
    for (struct list_node *node = list_first(&registry->watches); node;
         node = list_next(&registry->watches, node))
        LIST_ENTRY(node, struct watch, node)->is_meant = false;
    for (size_t i = 0; i < config->system_count; i++)
        if (config->systems[i].found)
            set_watch(registry, &config->systems[i]);
    for (struct list_node *node = list_first(&registry->watches); node;) {
        struct watch *watch = LIST_ENTRY(node, struct watch, node);
        node = list_next(&registry->watches, node);
        if (watch->is_meant)
            continue;
        known_free_all(&watch->found, &watch->found_count);
        known_free_all(&watch->leases, &watch->lease_count);
        show(watch);
        watch_free(watch);
    }
    loop_again(runtime->loop);
}

void registry_free(struct runtime *runtime) {
    struct registry *registry = runtime->registry;
    while (registry && registry->watches.count)
        watch_free(LIST_ENTRY(list_first(&registry->watches), struct watch, node));
    memory_free(registry);
    runtime->registry = NULL;
}

/* -- time -- */

static struct mono end_leases(struct watch *watch, struct mono now) {
    struct mono next = MONO_NEVER;
    size_t kept = 0;
    for (size_t i = 0; i < watch->lease_count; i++) {
        struct known *known = watch->leases[i];
        if (mono_due(known->until, now)) {
            struct log_record record;
            log_record_init(&record, LOG_LEVEL_INFO, LOG_ROOM_RUNTIME,
                            runtime_now_of(watch->registry->runtime).wall, "registration lapsed");
            log_add_text(&record, "system", watch->name);
            log_add_text(&record, "endpoint", known->entry.name);
            pen_write(&watch->registry->runtime->pen, &record);
            memory_free(known);
            watch->is_dirty = true;
            continue;
        }
        next = mono_min(next, known->until);
        watch->leases[kept++] = known;
    }
    if (kept < watch->lease_count) {
        watch->lease_count = kept;
        show(watch);
    }
    return next;
}

void registry_say(struct runtime *runtime) {
    struct list *watches = runtime->registry ? &runtime->registry->watches : NULL;
    for (struct list_node *node = watches ? list_first(watches) : NULL; node; node = list_next(watches, node)) {
        struct watch *watch = LIST_ENTRY(node, struct watch, node);
        if (!watch->is_dirty)
            continue;
        show(watch);
        send(watch);
    }
    loop_again(runtime->loop); /* leases end */
}

struct mono registry_look(struct runtime *runtime) {
    struct registry *registry = runtime->registry;
    struct mono next = MONO_NEVER, now = runtime_now_of(runtime).mono;
    for (struct list_node *node = registry ? list_first(&registry->watches) : NULL; node;
         node = list_next(&registry->watches, node)) {
        struct watch *watch = LIST_ENTRY(node, struct watch, node);
        if (mono_due(watch->ask_at, now))
            seek_begin(watch);
        next = mono_min(next, end_leases(watch, now));
        if (watch->is_dirty)
            send(watch);
        if (watch->is_dirty)
            next = mono_min(next, mono_after(now, NS_PER_S));
        next = mono_min(next, watch->ask_at);
    }
    return next;
}
