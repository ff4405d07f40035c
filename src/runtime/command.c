/* Commands from any thread: each is a post to the control thread or to the workers. */
#include "runtime/inner.h"

struct command {
    struct post post;
    bool flag;
    enum log_room room;
    enum log_level level;
    runtime_reloaded_call *done;
    void *user;
};

static void give(struct runtime *runtime, struct command command) {
    struct command *errand = memory_new(sizeof *errand);
    if (!errand)
        return; /* as if the signal had been lost; whoever asked can ask again */
    *errand = command;
    inbox_put(&runtime->inbox, &errand->post);
    loop_wake(runtime->loop);
}

static void reload(void *runtime, struct post *post) {
    struct command command = *(struct command *)(void *)post;
    memory_free(post);
    reload_run(runtime, command.flag, command.done, command.user);
}

static void reload_never(void *runtime, struct post *post) {
    struct command command = *(struct command *)(void *)post;
    const struct runtime_reloaded answer = {.status = STATUS_SHUTDOWN, .dry_run = command.flag, .text = SLICE_OF("stopped")};
    (void)runtime;
    memory_free(post);
    if (command.done)
        command.done(command.user, &answer);
}

void runtime_reload(struct runtime *runtime, bool dry_run, runtime_reloaded_call *done, void *user) {
    give(runtime, (struct command){.post = {.run = reload, .drop = reload_never}, .flag = dry_run, .done = done, .user = user});
}

static void drain(void *runtime, struct post *post) {
    memory_free(post);
    stop_drain(runtime, false);
}

void runtime_drain(struct runtime *runtime) {
    give(runtime, (struct command){.post.run = drain});
}

static void stop(void *runtime, struct post *post) {
    bool now = ((struct command *)(void *)post)->flag;
    memory_free(post);
    if (now)
        stop_now(runtime);
    else
        stop_drain(runtime, true);
}

void runtime_stop(struct runtime *runtime, bool now) {
    give(runtime, (struct command){.post.run = stop, .flag = now});
}

static void reopen(void *target, struct post *post) {
    memory_free(post);
    journal_reopen(target);
}

void runtime_log_reopen(struct runtime *runtime) {
    give(runtime, (struct command){.post.run = reopen});
}

static void set_worker_levels(void *target, struct post *post) {
    struct worker *worker = target;
    const struct command *command = (const struct command *)(const void *)post;
    journal_set_level(&worker->pen.levels, command->room, command->level);
    memory_free(post);
}

static void set_levels(void *target, struct post *post) {
    struct runtime *runtime = target;
    struct command command = *(struct command *)(void *)post;
    memory_free(post);
    pthread_mutex_lock(&runtime->lock);
    journal_set_level(&runtime->levels, command.room, command.level);
    pthread_mutex_unlock(&runtime->lock);
    runtime->pen.levels = runtime->levels;
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct command *errand = memory_new(sizeof *errand);
        if (!errand)
            continue;
        *errand = (struct command){.post.run = set_worker_levels, .room = command.room, .level = command.level};
        worker_post(&runtime->workers[i], &errand->post);
    }
}

void runtime_log_level(struct runtime *runtime, enum log_room room, enum log_level level) {
    give(runtime, (struct command){.post.run = set_levels, .room = room, .level = level});
}

/* -- refresh -- */

struct refresh {
    struct runtime *runtime;
    _Atomic uint32_t left;
    void (*done)(void *user);
    void *user;
};

struct refresh_post {
    struct post post;
    struct refresh *refresh;
};

static void tell_done(void *worker, struct post *post) {
    struct refresh *refresh = ((struct refresh_post *)(void *)post)->refresh;
    (void)worker;
    memory_free(post);
    refresh->done(refresh->user);
    memory_free(refresh);
}

/* The last one's post goes on to worker 0. */
static void publish(void *target, struct post *post) {
    struct worker *worker = target;
    struct refresh *refresh = ((struct refresh_post *)(void *)post)->refresh;
    view_publish(worker);
    if (atomic_fetch_sub(&refresh->left, 1) == 1) {
        post->run = post->drop = tell_done;
        worker_post(&refresh->runtime->workers[0], post);
    } else {
        memory_free(post);
    }
}

static void publish_never(void *target, struct post *post) {
    struct refresh *refresh = ((struct refresh_post *)(void *)post)->refresh;
    if (atomic_fetch_sub(&refresh->left, 1) == 1)
        tell_done(target, post);
    else
        memory_free(post);
}

void runtime_refresh(struct runtime *runtime, void (*done)(void *user), void *user) {
    struct refresh *refresh = memory_new(sizeof *refresh);
    struct refresh_post *posts[WORKERS_MAX] = {0};
    bool ok = refresh != NULL;
    for (uint32_t i = 0; ok && i < runtime->worker_count; i++)
        ok = (posts[i] = memory_new(sizeof *posts[i])) != NULL;
    if (!ok) { /* what was published last will have to do */
        for (uint32_t i = 0; i < runtime->worker_count; i++)
            memory_free(posts[i]);
        memory_free(refresh);
        done(user);
        return;
    }
    *refresh = (struct refresh){.runtime = runtime, .left = runtime->worker_count, .done = done, .user = user};
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        *posts[i] = (struct refresh_post){{.run = publish, .drop = publish_never}, refresh};
        worker_post(&runtime->workers[i], &posts[i]->post);
    }
}
