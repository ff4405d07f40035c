/* Drain and stop: say no, wait for those who ask, finish what was accepted, end. */
#include "runtime/inner.h"

struct drain {
    struct post post;
};

static void drain(void *worker, struct post *post) {
    memory_free(post);
    worker_drain(worker);
}

static void leave(void *worker, struct post *post) {
    memory_free(post);
    worker_leave(worker);
}

static void tell(struct runtime *runtime, const char *what) {
    struct log_record record;
    log_record_init(&record, LOG_LEVEL_INFO, LOG_ROOM_RUNTIME, runtime_now_of(runtime).wall, what);
    pen_write(&runtime->pen, &record);
}

void stop_drain(struct runtime *runtime, bool and_stop) {
    bool is_new = and_stop && !runtime->is_stop_wanted;
    runtime->is_stop_wanted |= and_stop;
    if (is_new && runtime->has_begun_drain) /* drained for a while already: grace begins when somebody waits for the end */
        runtime->cut_at = mono_after(runtime_now_of(runtime).mono, runtime->generation->config->drain.grace_ns);
    if (atomic_load(&runtime->state) == RUNTIME_READY) {
        const struct config *config = runtime->generation->config;
        struct mono now = runtime_now_of(runtime).mono;
        atomic_store(&runtime->is_ready, false);
        atomic_store(&runtime->state, RUNTIME_DRAINING);
        runtime->drain_at = mono_after(now, config->drain.announce_ns);
        runtime->cut_at = mono_after(runtime->drain_at, config->drain.grace_ns);
        tell(runtime, "draining");
    }
    stop_look(runtime);
}

static void finish(struct runtime *runtime, bool forced) {
    runtime->is_forced = forced;
    runtime->exit_code = forced ? 3 : 0;
    atomic_store(&runtime->is_ready, false);
    atomic_store(&runtime->state, RUNTIME_STOPPED);
    loop_stop(runtime->loop);
}

void stop_now(struct runtime *runtime) {
    if (atomic_load(&runtime->state) != RUNTIME_STOPPED)
        finish(runtime, true);
}

static bool all_gone(const struct runtime *runtime) {
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        if (!atomic_load(&runtime->workers[i].is_gone))
            return false;
    return true;
}

static bool all_quiet(const struct runtime *runtime) {
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        if (!atomic_load(&runtime->workers[i].is_quiet))
            return false;
    return true;
}

static void post_all(struct runtime *runtime, void (*run)(void *worker, struct post *post)) {
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct drain *errand = memory_new(sizeof *errand);
        if (!errand) { /* no way to ask them: then the end is now */
            finish(runtime, true);
            return;
        }
        errand->post.run = run;
        worker_post(&runtime->workers[i], &errand->post);
    }
}

void stop_look(struct runtime *runtime) {
    struct mono now = runtime_now_of(runtime).mono;
    if (atomic_load(&runtime->state) != RUNTIME_DRAINING)
        return;
    if (!runtime->has_begun_drain && mono_due(runtime->drain_at, now)) {
        runtime->has_begun_drain = true;
        post_all(runtime, drain);
    }
    /* Only when no worker has anything left do those go who could have taken it. */
    if (runtime->has_begun_drain && !runtime->has_said_farewell && all_quiet(runtime)) {
        runtime->has_said_farewell = true;
        post_all(runtime, leave);
    }
    if (!runtime->has_begun_drain || !runtime->is_stop_wanted)
        return;
    if (all_gone(runtime))
        finish(runtime, false);
    else if (mono_due(runtime->cut_at, now))
        finish(runtime, true);
}
