/* Reload in two phases: everything new is loaded, compiled and bound first; if any of it fails nothing has changed. Then
 * all workers switch. What an old configuration's connections still use goes with the last of them. */
#include "config/diff.h"
#include "runtime/inner.h"
#include "runtime/registry.h"

#define TEXT_MAX (1u << 20)
#define RETIRED_MAX 12 /* older configurations that connections still use */

struct answer {
    struct post post;
    runtime_reloaded_call *done;
    void *user;
    struct runtime_reloaded reloaded;
    struct buffer text;
    struct buffer json;
};

struct apply {
    struct post post;
    struct generation *generation;
    struct worker_change *change;
    struct log_levels levels;
    bool is_json, has_color;
};

static void deliver(void *worker, struct post *post) {
    struct answer *answer = (struct answer *)(void *)post;
    (void)worker;
    answer->done(answer->user, &answer->reloaded);
    buffer_done(&answer->text);
    buffer_done(&answer->json);
    memory_free(answer);
}

static void apply(void *target, struct post *post) {
    struct worker *worker = target;
    struct apply *change = (struct apply *)(void *)post;
    worker->pen.levels = change->levels;
    worker->pen.is_json = change->is_json;
    worker->pen.has_color = change->has_color;
    worker_configure(worker, change->generation, change->change);
    memory_free(change);
}

static void tell(struct runtime *runtime, enum status status, struct slice words, bool dry_run) {
    struct log_record record;
    enum log_level level = status == STATUS_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
    log_record_init(&record, level, LOG_ROOM_CONFIG, runtime_now_of(runtime).wall,
                    status != STATUS_OK ? "reload failed, nothing has changed"
                    : dry_run           ? "reload tried"
                                        : "reloaded");
    if (status != STATUS_OK)
        log_add_text(&record, "reason", slice_from(status_reason(status)));
    log_add_text(&record, "detail", words);
    pen_write(&runtime->pen, &record);
    if (dry_run)
        return;
    pthread_mutex_lock(&runtime->lock);
    runtime->reloads[status != STATUS_OK]++;
    runtime->last_reload_failed = status != STATUS_OK;
    pthread_mutex_unlock(&runtime->lock);
}

void warn_of_faults(struct runtime *runtime, const struct config *config) {
    struct log_record record;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *route = &config->routes[i];
        if (!route->fault.on || !route->enabled)
            continue;
        log_record_init(&record, LOG_LEVEL_WARN, LOG_ROOM_CONFIG, runtime_now_of(runtime).wall,
                        "a route makes trouble on purpose");
        log_add_text(&record, "route", route->name);
        if (route->fault.delay_ns)
            log_add_i64(&record, "delay_ms", route->fault.delay_ns / NS_PER_MS);
        if (route->fault.abort != STATUS_OK)
            log_add_text(&record, "abort", slice_from(status_reason(route->fault.abort)));
        log_add_i64(&record, "share_permille", route->fault.share);
        pen_write(&runtime->pen, &record);
    }
}

/* Datagram listeners whose rules differ are connections to be opened anew. */
static void mark_changed(struct generation *next, const struct config_diff *diff) {
    for (size_t i = 0; i < diff->listeners.changed_count; i++)
        next->reopen[diff->listeners.changed[i].after] = true;
}

static enum status compare(struct runtime *runtime, struct generation *next, struct buffer *text, bool dry_run,
                           struct fault *fault) {
    const struct config *before = runtime->generation->config;
    struct config_diff diff;
    struct arena arena;
    arena_init(&arena, 64u << 20);
    enum status status = config_diff(before, next->config, &arena, &diff);
    if (status != STATUS_OK) {
        fault_set(fault, status, 0, "no memory to compare configurations");
    } else {
        config_diff_print(before, next->config, &diff, text);
        if (diff.process)
            buffer_add_text(text, "! name, workers and run_dir need a restart\n");
        if (!dry_run)
            mark_changed(next, &diff);
    }
    arena_done(&arena);
    return status;
}

static size_t retired_count(const struct runtime *runtime) {
    size_t count = 0;
    for (const struct generation *g = runtime->retired; g; g = g->next)
        count++;
    return count;
}

static bool prepare_posts(struct runtime *runtime, const struct generation *next, struct apply **posts) {
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        if (!(posts[i] = memory_new(sizeof **posts)) || !(posts[i]->change = worker_change_new(next)))
            return false;
    return true;
}

static void free_posts(struct runtime *runtime, struct apply **posts) {
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        if (posts[i])
            worker_change_free(posts[i]->change);
        memory_free(posts[i]);
    }
}

/* Nothing in here can fail any more. */
static void put_in_force(struct runtime *runtime, struct generation *next, struct apply **posts) {
    struct generation *old = runtime->generation;
    next->number = next->plan->generation = old->number + 1;
    atomic_store(&next->users, runtime->worker_count);
    pthread_mutex_lock(&runtime->lock);
    runtime->generation = next;
    old->next = runtime->retired;
    runtime->retired = old;
    journal_levels(&runtime->levels, next->config, runtime->options.debug);
    pthread_mutex_unlock(&runtime->lock);
    runtime->pen.levels = runtime->levels;
    for (size_t i = 0; i < next->place_count; i++)
        place_groups_keep(next->places[i]);
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        *posts[i] = (struct apply){.post.run = apply, .generation = next, .change = posts[i]->change, .levels = runtime->levels,
                                   .is_json = runtime->journal.is_json, .has_color = runtime->journal.has_color};
        worker_post(&runtime->workers[i], &posts[i]->post);
    }
    registry_configure(runtime);
}

static enum status try(struct runtime *runtime, bool dry_run, struct config_report *report, struct buffer *text,
                       struct fault *fault) {
    struct generation *next = NULL;
    struct apply *posts[WORKERS_MAX] = {0};
    enum status status = STATUS_OK;
    if (retired_count(runtime) >= RETIRED_MAX)
        return fault_set(fault, STATUS_OVERLOADED, 0,
                         "connections still use %u older configurations; close some or restart", RETIRED_MAX);
    status = generation_load(runtime, &next, report, fault);
    if (status == STATUS_OK)
        status = compare(runtime, next, text, dry_run, fault);
    if (status == STATUS_OK && !dry_run)
        status = generation_bind(runtime, next, runtime->generation, fault);
    if (status == STATUS_OK && !dry_run && !prepare_posts(runtime, next, posts))
        status = fault_set(fault, STATUS_NO_MEMORY, 0, "no memory to reload");
    if (status == STATUS_OK && !dry_run)
        status = journal_open(&runtime->journal, next->config, runtime->options.log_fd, fault);
    if (status == STATUS_OK && !dry_run) {
        put_in_force(runtime, next, posts);
        return STATUS_OK;
    }
    free_posts(runtime, posts);
    for (size_t i = 0; next && i < next->place_count; i++)
        place_groups_undo(next->places[i]);
    generation_free(next);
    return status;
}

void reload_run(struct runtime *runtime, bool dry_run, runtime_reloaded_call *done, void *user) {
    struct answer *answer = memory_new(sizeof *answer);
    struct config_report report;
    struct fault fault = {0};
    struct buffer text;
    config_report_init(&report);
    buffer_init(&text, TEXT_MAX);
    enum status status = try(runtime, dry_run, &report, &text, &fault);
    if (status != STATUS_OK) {
        buffer_clear(&text);
        if (report.error_count)
            config_report_text(&report, &text);
        else
            buffer_add_text(&text, fault.text);
    }
    tell(runtime, status, buffer_slice(&text), dry_run);
    if (status == STATUS_OK && !dry_run)
        warn_of_faults(runtime, runtime->generation->config);
    if (answer && done) {
        answer->post.run = answer->post.drop = deliver;
        answer->done = done;
        answer->user = user;
        buffer_init(&answer->json, TEXT_MAX);
        if (report.error_count)
            config_report_json(&report, &answer->json);
        answer->text = text;
        answer->reloaded = (struct runtime_reloaded){
            status, dry_run, buffer_slice(&answer->text), buffer_slice(&answer->json)};
        worker_post(&runtime->workers[0], &answer->post);
    } else {
        buffer_done(&text);
        memory_free(answer);
    }
    config_report_done(&report);
}

void reload_sweep(struct runtime *runtime) {
    struct generation **at = &runtime->retired;
    while (*at) {
        struct generation *generation = *at;
        if (atomic_load(&generation->users) > 0) {
            at = &generation->next;
            continue;
        }
        *at = generation->next;
        generation_free(generation);
    }
}
