/* /metrics: what the control thread knows, set at scrape time, and the sum of all workers'. */
#include "platform/process.h"
#include "runtime/inner.h"

static void set(struct metrics *metrics, enum metric metric, int64_t value) {
    metrics_set(metrics, METRICS_PLAIN(metrics, metric), value);
}

static void set_process(struct metrics *metrics) {
    struct process_usage usage;
    process_usage(&usage);
    const struct {
        enum metric metric;
        int64_t value;
    } rows[] = {
        {METRIC_PROCESS_CPU, usage.cpu_ns},          {METRIC_PROCESS_RESIDENT, usage.resident_bytes},
        {METRIC_PROCESS_VIRTUAL, usage.virtual_bytes}, {METRIC_PROCESS_OPEN_FDS, usage.open_fds},
        {METRIC_PROCESS_MAX_FDS, usage.max_fds},     {METRIC_PROCESS_START, usage.start_ns},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].value >= 0)
            set(metrics, rows[i].metric, rows[i].value);
}

static const char compiler[] =
#ifdef __clang__
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif

/* Under runtime->lock: the control thread's set has no other owner while it scrapes. */
static void set_own(struct runtime *runtime) {
    struct metrics *metrics = runtime->metrics;
    struct journal *journal = &runtime->journal;
    for (unsigned level = 0; level < LOG_LEVEL_COUNT; level++) {
        uint64_t count = atomic_load_explicit(&journal->counts[level], memory_order_relaxed);
        uint32_t series = METRICS_SERIES(metrics, METRIC_LOG_LINES, slice_from(log_level_name((enum log_level)level)));
        metrics_set(metrics, series, (int64_t)count);
    }
    set(metrics, METRIC_LOG_LINES_LOST, (int64_t)atomic_load_explicit(&journal->lines_lost, memory_order_relaxed));
    set(metrics, METRIC_READY, runtime_is_ready(runtime));
    set(metrics, METRIC_FAULTS_ALLOWED, runtime->options.config->allow_faults);
    set(metrics, METRIC_WORKERS, runtime->worker_count);
    set(metrics, METRIC_CONFIG_RELOAD_SUCCESS, !runtime->last_reload_failed);
    set(metrics, METRIC_CONFIG_RELOAD_TIME, runtime->generation->loaded.ns);
    metrics_set(metrics, METRICS_SERIES(metrics, METRIC_CONFIG_RELOADS, SLICE_OF("success")), (int64_t)runtime->reloads[0]);
    metrics_set(metrics, METRICS_SERIES(metrics, METRIC_CONFIG_RELOADS, SLICE_OF("failure")), (int64_t)runtime->reloads[1]);
    metrics_set(metrics, METRICS_SERIES(metrics, METRIC_BUILD, SLICE_OF(INTERTIE_VERSION), slice_from(compiler)), 1);
    set_process(metrics);
}

enum status runtime_metrics(struct runtime *runtime, enum exposition_format format, struct buffer *out) {
    struct metrics *sets[WORKERS_MAX + 1];
    struct metrics_view view;
    pthread_mutex_lock(&runtime->lock);
    set_own(runtime);
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        sets[i] = runtime->workers[i].tally.set;
    sets[runtime->worker_count] = runtime->metrics;
    enum status status = metrics_view_init(&view, sets, runtime->worker_count + 1);
    pthread_mutex_unlock(&runtime->lock);
    if (status != STATUS_OK)
        return status;
    exposition_write(out, &view, format);
    metrics_view_done(&view);
    return out->status;
}
