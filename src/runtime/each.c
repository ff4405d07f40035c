/* Asks each worker on its own thread, one after another or at once, and tells when all have answered. */
#include "runtime/inner.h"

struct each {
    struct runtime *runtime;
    _Atomic uint32_t left;
    runtime_visit_call *visit;
    void (*done)(void *user);
    void *user;
};

struct each_post {
    struct post post;
    struct each *each;
};

static void tell_done(void *worker, struct post *post) {
    struct each *each = ((struct each_post *)(void *)post)->each;
    (void)worker;
    memory_free(post);
    each->done(each->user);
    memory_free(each);
}

/* The last one's post goes on to worker 0. */
static void leave(struct each *each, struct post *post) {
    if (atomic_fetch_sub(&each->left, 1) != 1) {
        memory_free(post);
        return;
    }
    post->run = post->drop = tell_done;
    worker_post(&each->runtime->workers[0], post);
}

static void visit(void *target, struct post *post) {
    struct worker *worker = target;
    struct each *each = ((struct each_post *)(void *)post)->each;
    struct runtime_visit call = {.index = worker->index, .engine = worker->engine, .now = worker_now(worker), .worker = worker};
    each->visit(each->user, &call);
    leave(each, post);
}

static void visit_never(void *target, struct post *post) {
    struct each *each = ((struct each_post *)(void *)post)->each;
    if (atomic_fetch_sub(&each->left, 1) == 1)
        tell_done(target, post);
    else
        memory_free(post);
}

void runtime_visit_input(const struct runtime_visit *call, struct engine_input *input) {
    worker_input(call->worker, input);
}

bool runtime_each(struct runtime *runtime, runtime_visit_call *call, void (*done)(void *user), void *user) {
    struct each *each = memory_new(sizeof *each);
    struct each_post *posts[WORKERS_MAX] = {0};
    bool ok = each != NULL;
    for (uint32_t i = 0; ok && i < runtime->worker_count; i++)
        ok = (posts[i] = memory_new(sizeof *posts[i])) != NULL;
    if (!ok) {
        for (uint32_t i = 0; i < runtime->worker_count; i++)
            memory_free(posts[i]);
        memory_free(each);
        return false;
    }
    *each = (struct each){.runtime = runtime, .left = runtime->worker_count, .visit = call, .done = done, .user = user};
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        *posts[i] = (struct each_post){{.run = visit, .drop = visit_never}, each};
        worker_post(&runtime->workers[i], &posts[i]->post);
    }
    return true;
}

uint32_t runtime_worker_count(const struct runtime *runtime) {
    return runtime->worker_count;
}

bool runtime_has_system(struct runtime *runtime, struct slice name) {
    pthread_mutex_lock(&runtime->lock);
    bool has = config_system_find(runtime->generation->config, name) != CONFIG_NONE;
    pthread_mutex_unlock(&runtime->lock);
    return has;
}
