/* Start, run, free; and what may be asked from any thread. */
#include "runtime/runtime.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/descriptors.h"
#include "platform/entropy.h"
#include "platform/file.h"
#include "platform/process.h"
#include "protocol/http1/http1.h"
#include "runtime/inner.h"
#include "runtime/registry.h"

const char *runtime_state_name(enum runtime_state state) {
    static const char *const names[] = {"starting", "ready", "draining", "stopped"};
    return names[state];
}

/* -- paths -- */

void runtime_run_dir(const struct config *config, struct buffer *out) {
    const char *session = getenv("XDG_RUNTIME_DIR");
    if (config->run_dir.size)
        buffer_add(out, config->run_dir);
    else if (geteuid() == 0)
        buffer_add_text(out, "/run/intertie");
    else if (session && session[0] == '/')
        buffer_add_format(out, "%s/intertie", session);
    else
        buffer_add_format(out, "/tmp/intertie-%u", (unsigned)geteuid());
    buffer_add_byte(out, 0);
}

static void in_run_dir(const struct config *config, const char *ending, struct buffer *out) {
    runtime_run_dir(config, out);
    if (out->size)
        out->size--; /* its NUL */
    buffer_add_byte(out, '/');
    buffer_add(out, config->name);
    buffer_add_text(out, ending);
    buffer_add_byte(out, 0);
}

void runtime_pid_path(const struct config *config, struct buffer *out) {
    in_run_dir(config, ".pid", out);
}

void runtime_socket_path(const struct config *config, struct buffer *out) {
    if (config->admin.socket.size) {
        buffer_add(out, config->admin.socket);
        buffer_add_byte(out, 0);
    } else {
        in_run_dir(config, ".sock", out);
    }
}

static enum status make_run_dir(const struct config *config, struct fault *fault) {
    struct buffer path;
    struct stat found;
    buffer_init(&path, 4096);
    runtime_run_dir(config, &path);
    enum status status = path.status;
    const char *text = (const char *)path.data;
    if (status != STATUS_OK)
        fault_set(fault, status, 0, "run_dir: the path is too long");
    else if (mkdir(text, config->run_dir.size || geteuid() == 0 ? 0755 : 0700) != 0 && errno != EEXIST)
        status = fault_set(fault, STATUS_IO_ERROR, errno, "run_dir: cannot make %.180s: %s", text, strerrordesc_np(errno));
    /* In a directory that everybody may write to somebody else may have been there before. */
    else if (stat(text, &found) != 0 || !S_ISDIR(found.st_mode) || (found.st_uid != geteuid() && found.st_uid != 0))
        status = fault_set(fault, STATUS_FORBIDDEN, 0, "run_dir: %.180s is no directory of ours", text);
    buffer_done(&path);
    return status;
}

static enum status already_running(const char *path, struct fault *fault) {
    struct buffer pid;
    buffer_init(&pid, 64u << 10);
    file_read(path, 63, &pid, NULL);
    struct slice text = buffer_slice(&pid);
    text = slice_head(text, slice_find(text, '\n'));
    enum status status = fault_set(fault, STATUS_ADDRESS_IN_USE, 0, "already running, pid %.*s", SLICE_ARG(text));
    buffer_done(&pid);
    return status;
}

static enum status take_pid_file(struct runtime *runtime, const struct config *config, struct fault *fault) {
    struct buffer path;
    if (runtime->options.standalone)
        return STATUS_OK;
    enum status status = make_run_dir(config, fault);
    if (status != STATUS_OK)
        return status;
    buffer_init(&path, 4096);
    runtime_pid_path(config, &path);
    if (path.status == STATUS_OK)
        runtime->pid_path = memory_copy_text((const char *)path.data, path.size - 1);
    buffer_done(&path);
    if (!runtime->pid_path)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for the pid file's name");
    status = file_pid_lock(runtime->pid_path, &runtime->pid_fd, fault);
    if (status == STATUS_ADDRESS_IN_USE)
        status = already_running(runtime->pid_path, fault);
    if (status != STATUS_OK)
        runtime->pid_fd = -1;
    return status;
}

/* -- the control thread's loop -- */

struct now runtime_now_of(struct runtime *runtime) {
    if (!runtime->has_now) {
        runtime->now = platform_now();
        runtime->has_now = true;
    }
    return runtime->now;
}

static void on_turn(void *user) {
    struct runtime *runtime = user;
    stop_look(runtime);
    reload_sweep(runtime);
    bool look_on = atomic_load(&runtime->state) != RUNTIME_STOPPED;
    struct mono look = look_on ? secure_look(runtime) : MONO_NEVER;
    struct mono found = look_on && runtime->registry ? registry_look(runtime) : MONO_NEVER;
    pen_flush(&runtime->pen);
    journal_write(&runtime->journal);
    struct mono at = MONO_NEVER;
    if (atomic_load(&runtime->state) == RUNTIME_DRAINING)
        at = !runtime->has_begun_drain ? runtime->drain_at
             : runtime->is_stop_wanted ? runtime->cut_at
                                       : MONO_NEVER;
    at = mono_min(at, mono_min(look, found));
    loop_timer_at(runtime->loop, at);
    runtime->has_now = false;
}

static void on_timer(void *user) {
    (void)user; /* the turn looks */
}

static void on_wake(void *user) {
    struct runtime *runtime = user;
    inbox_run(&runtime->inbox, runtime);
}

static void on_signal(void *user, int number) {
    struct runtime *runtime = user;
    if (number == SIGHUP)
        reload_run(runtime, false, NULL, NULL);
    else if (number == SIGUSR1)
        journal_reopen(runtime);
    else if (runtime->is_stop_wanted)
        stop_now(runtime);
    else
        stop_drain(runtime, true);
}

static bool watch_signals(struct runtime *runtime) {
    static const int numbers[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT};
    signal(SIGPIPE, SIG_IGN); /* a log reader that left is no reason to end */
    signal(SIGXFSZ, SIG_IGN); /* nor is a log file that may not grow: the write fails, the lines are counted as lost */
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (!loop_signal(runtime->loop, numbers[i], on_signal, runtime))
            return false;
    return true;
}

/* -- start -- */

static enum status no_memory(struct fault *fault) {
    return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory to start");
}

static enum status prepare(struct runtime *runtime, struct fault *fault) {
    struct loop_owner owner = {runtime, on_turn, on_timer, on_wake};
    runtime->loop = loop_new(&owner);
    runtime->metrics = metrics_new(METRICS_SERIES_DEFAULT);
    if (!runtime->loop || !runtime->metrics || !pen_init(&runtime->pen, &runtime->journal))
        return no_memory(fault);
    runtime->pen.is_direct = true;
    runtime->journal.loop = runtime->loop;
    if (runtime->options.signals) /* the process is ours */
        descriptors_raise();
    if (runtime->options.signals && !watch_signals(runtime))
        return fault_set(fault, STATUS_IO_ERROR, 0, "cannot watch signals");
    return STATUS_OK;
}

static uint32_t worker_count(const struct runtime *runtime, const struct config *config) {
    uint64_t count = runtime->options.workers ? runtime->options.workers
                     : config->workers        ? config->workers
                                              : cpu_usable();
    return count < WORKERS_MAX ? (uint32_t)count : WORKERS_MAX;
}

static enum status make_workers(struct runtime *runtime, struct fault *fault) {
    struct generation *generation = runtime->generation;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < runtime->worker_count; i++) {
        struct worker *worker = &runtime->workers[i];
        status = worker_init(worker, runtime, i, fault);
        worker->pen.levels = runtime->levels;
        worker->pen.is_json = runtime->journal.is_json;
        worker->pen.has_color = runtime->journal.has_color;
    }
    if (status != STATUS_OK)
        return status;
    atomic_store(&generation->users, runtime->worker_count);
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct worker_change *change = worker_change_new(generation);
        if (!change)
            return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for a worker");
        worker_configure(&runtime->workers[i], generation, change);
        runtime->workers[i].has_now = false;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < runtime->worker_count; i++)
        status = worker_start(&runtime->workers[i]);
    return status == STATUS_OK ? STATUS_OK : fault_set(fault, status, 0, "cannot start a thread");
}

static void say_started(struct runtime *runtime) {
    const struct config *config = runtime->generation->config;
    struct log_record record;
    log_record_init(&record, LOG_LEVEL_INFO, LOG_ROOM_RUNTIME, platform_now().wall, "started");
    log_add_text(&record, "version", SLICE_OF(INTERTIE_VERSION));
    log_add_i64(&record, "pid", getpid());
    log_add_u64(&record, "workers", runtime->worker_count);
    log_add_text(&record, "config", config->path);
    log_add_text(&record, "digest", slice_from(config->digest));
    if (config->environment.size)
        log_add_text(&record, "environment", config->environment);
    log_add_u64(&record, "listeners", config->listener_count);
    log_add_u64(&record, "systems", config->system_count);
    pen_write(&runtime->pen, &record);
    warn_of_faults(runtime, config);
    pen_flush(&runtime->pen);
    journal_write(&runtime->journal);
}

static enum status start(struct runtime *runtime, struct config_report *report, struct fault *fault) {
    enum status status = prepare(runtime, fault);
    if (status == STATUS_OK)
        status = generation_load(runtime, &runtime->generation, report, fault);
    if (status != STATUS_OK)
        return status;
    struct generation *generation = runtime->generation;
    generation->number = generation->plan->generation = 1;
    runtime->worker_count = worker_count(runtime, generation->config);
    if (!entropy_fill(&runtime->secret, sizeof runtime->secret))
        return fault_set(fault, STATUS_IO_ERROR, 0, "the kernel gives no random bytes");
    status = take_pid_file(runtime, generation->config, fault);
    if (status == STATUS_OK)
        status = generation_bind(runtime, generation, NULL, fault);
    if (status == STATUS_OK)
        status = journal_open(&runtime->journal, generation->config, runtime->options.log_fd, fault);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < generation->place_count; i++)
        place_groups_keep(generation->places[i]);
    journal_levels(&runtime->levels, generation->config, runtime->options.debug);
    runtime->pen.levels = runtime->levels;
    runtime->pen.is_json = runtime->journal.is_json;
    runtime->pen.has_color = runtime->journal.has_color;
    runtime->workers = memory_array(runtime->worker_count, sizeof *runtime->workers);
    if (!runtime->workers)
        return no_memory(fault);
    status = make_workers(runtime, fault);
    if (status != STATUS_OK)
        return status;
    registry_configure(runtime);
    atomic_store(&runtime->state, RUNTIME_READY);
    atomic_store(&runtime->is_ready, true);
    return STATUS_OK;
}

enum status runtime_start(const struct runtime_options *options, struct runtime **ret_runtime,
                          struct config_report *report, struct fault *fault) {
    struct runtime *runtime = memory_new(sizeof *runtime);
    if (!runtime)
        return no_memory(fault);
    runtime->options = *options;
    runtime->pid_fd = -1;
    runtime->started = platform_now();
    inbox_init(&runtime->inbox);
    pthread_mutex_init(&runtime->lock, NULL);
    journal_init(&runtime->journal);
    enum status status = start(runtime, report, fault);
    if (status != STATUS_OK) {
        runtime_free(runtime);
        return status;
    }
    say_started(runtime);
    *ret_runtime = runtime;
    return STATUS_OK;
}

/* -- the end -- */

static void stop_worker(void *target, struct post *post) {
    struct worker *worker = target;
    (void)post; /* the worker's own: a thread that can't be told to end would hang the process for ever */
    loop_stop(worker->loop);
}

static void join_workers(struct runtime *runtime) {
    for (uint32_t i = 0; i < runtime->worker_count && runtime->workers; i++) {
        struct worker *worker = &runtime->workers[i];
        if (!worker->is_running)
            continue;
        worker->stop.run = stop_worker;
        worker_post(worker, &worker->stop);
    }
    for (uint32_t i = 0; i < runtime->worker_count && runtime->workers; i++)
        if (runtime->workers[i].is_running) {
            thread_join(&runtime->workers[i].thread);
            runtime->workers[i].is_running = false;
        }
}

static void end_workers(struct runtime *runtime) {
    join_workers(runtime);
    if (runtime->workers) { /* while there are engines: some answer a request */
        inbox_drop(&runtime->inbox, runtime);
        for (uint32_t i = runtime->worker_count; i-- > 0;) /* worker 0 last: the others' answers go there */
            inbox_drop(&runtime->workers[i].inbox, &runtime->workers[i]);
    }
    for (uint32_t i = 0; i < runtime->worker_count && runtime->workers; i++)
        worker_done(&runtime->workers[i]);
    memory_free(runtime->workers);
    runtime->workers = NULL;
}

static uint64_t held(const struct runtime *runtime) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < runtime->worker_count && runtime->workers; i++)
        sum += engine_totals(runtime->workers[i].engine)->held;
    return sum;
}

int runtime_run(struct runtime *runtime) {
    struct log_record record;
    loop_run(runtime->loop);
    join_workers(runtime);
    uint64_t dead = held(runtime);
    end_workers(runtime);
    log_record_init(&record, LOG_LEVEL_INFO, LOG_ROOM_RUNTIME, platform_now().wall, "stopped");
    log_add_bool(&record, "forced", runtime->is_forced);
    log_add_u64(&record, "dead", dead);
    log_add_ms(&record, "uptime_ms", platform_now().mono.ns - runtime->started.mono.ns);
    pen_write(&runtime->pen, &record);
    pen_flush(&runtime->pen);
    journal_write(&runtime->journal);
    return runtime->exit_code;
}

static void remove_socket(const struct generation *generation) {
    for (size_t i = 0; generation && i < generation->place_count; i++)
        if (generation->places[i]->is_unix)
            unlink((const char *)generation->places[i]->url.data + sizeof "unix:" - 1);
}

void runtime_free(struct runtime *runtime) {
    if (!runtime)
        return;
    registry_free(runtime);
    end_workers(runtime);
    remove_socket(runtime->generation);
    generation_free(runtime->generation);
    while (runtime->retired) {
        struct generation *next = runtime->retired->next;
        generation_free(runtime->retired);
        runtime->retired = next;
    }
    if (runtime->pid_fd >= 0)
        file_pid_unlock(runtime->pid_path, runtime->pid_fd);
    memory_free(runtime->pid_path);
    runtime->journal.loop = NULL;
    if (runtime->pen.journal)
        pen_flush(&runtime->pen);
    journal_write(&runtime->journal);
    pen_done(&runtime->pen);
    journal_done(&runtime->journal);
    loop_free(runtime->loop);
    memory_free(runtime->stamps);
    memory_free(runtime->ends);
    explicit_bzero(&runtime->tickets, sizeof runtime->tickets);
    metrics_free(runtime->metrics);
    inbox_done(&runtime->inbox);
    pthread_mutex_destroy(&runtime->lock);
    memory_free(runtime);
}

/* -- questions -- */

enum runtime_state runtime_state(struct runtime *runtime) {
    return (enum runtime_state)atomic_load(&runtime->state);
}

bool runtime_is_ready(struct runtime *runtime) {
    return atomic_load(&runtime->is_ready);
}

void runtime_config_text(struct runtime *runtime, struct buffer *out) {
    pthread_mutex_lock(&runtime->lock);
    buffer_add(out, runtime->generation->config->text);
    pthread_mutex_unlock(&runtime->lock);
}

uint16_t runtime_port(struct runtime *runtime, struct slice listener) {
    uint16_t port = 0;
    pthread_mutex_lock(&runtime->lock);
    const struct generation *generation = runtime->generation;
    for (size_t i = 0; i < generation->place_count; i++) {
        const struct place *place = generation->places[i];
        struct slice name = place->is_admin ? place->name : generation->config->listeners[i].name;
        if (slice_equal(name, listener))
            port = place->at.port;
    }
    pthread_mutex_unlock(&runtime->lock);
    return port;
}

struct connection *runtime_connection(struct runtime *runtime, uint64_t handle) {
    return net_find(engine_net(runtime->workers[0].engine), handle);
}

void runtime_answer(struct runtime *runtime, struct connection *c, uint64_t token, const struct runtime_answer *answer) {
    struct worker *worker = &runtime->workers[0];
    struct now now = worker_now(worker);
    if (worker->input_log)
        input_log_answer(worker, &(struct record_answer){c->handle, token, answer->status, answer->code, answer->type,
                                                         answer->body, answer->lines});
    if (answer->status != STATUS_OK)
        http1_answer_problem(c->state, token, answer->status, answer->body, now);
    else
        http1_answer(c->state, token, answer->code, answer->type, answer->body, answer->lines, now);
    if (!worker->is_asked)
        connection_touch(c); /* nobody is looking at it just now */
}

struct now runtime_now(struct runtime *runtime) {
    return worker_now(&runtime->workers[0]);
}
