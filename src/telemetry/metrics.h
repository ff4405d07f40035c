/* The metrics of one worker, and the sum of all workers'.
 *
 * A series is a metric with label values. Its handle, a small number, is obtained once (when configuration is
 * prepared, or when a reason first occurs) and kept; counting is then one load, one add, one store in memory that
 * only this worker writes. There is no lock: a reader in another thread sees each series either whole or not yet,
 * and its value as of a moment ago. Series are never removed, so names stay what they were until restart. */
#ifndef TELEMETRY_METRICS_H
#define TELEMETRY_METRICS_H

#include <stdatomic.h>

#include "base/map.h"
#include "base/status.h"
#include "telemetry/hdr.h"
#include "telemetry/metric.h"

#define METRICS_SERIES_DEFAULT 10000
#define METRICS_VALUE_MAX 128        /* bytes of a label value; longer ones are cut */
#define METRICS_CHUNK 128
/* Histograms are large (19 KB), so a metric may have this many times fewer of them. */
#define METRICS_HISTOGRAM_SHARE 16

/* Handle of no series: counting on it does nothing that anybody sees. So zeroed structs are harmless. */
#define METRICS_NO_SERIES 0

struct metrics_info;

struct metrics_chunk {
    _Atomic uint64_t values[METRICS_CHUNK];
    struct hdr *hdrs[METRICS_CHUNK];
    struct metrics_info *infos[METRICS_CHUNK];
};

struct metrics {
    struct metrics_chunk **chunks;
    _Atomic uint32_t count; /* of series, the void one included; published after the series is complete */
    uint32_t series_max;    /* of one metric */
    uint32_t total_max;     /* of all together; UINT32_MAX: no such bound */
    uint32_t counts[METRIC_COUNT];
    struct map by_key;
};

/* NULL when memory is out. `series_max` >= 1. The set belongs to the thread that uses it; free it when no reader
 * is left. */
struct metrics *metrics_new(uint32_t series_max);
void metrics_free(struct metrics *set);
/* Bounds all series together. Those that are there stay; each metric's overflow series may come on top. */
void metrics_bound(struct metrics *set, uint32_t total_max);

/* The series of `metric` with these label values, as many and in that order as its row has labels; made when new.
 * Values are borrowed, cut at METRICS_VALUE_MAX, and bytes that are no UTF-8 become '?'. Past `series_max` the answer
 * is the one series whose label values are all "overflow", and SERIES_OVERFLOWS counts. METRICS_NO_SERIES when
 * memory is out. Takes a hash look-up: not for each message. */
uint32_t metrics_series(struct metrics *set, enum metric metric, const struct slice *values);
/* METRICS_SERIES(set, METRIC_DIAL_FAILURES, system, reason) */
#define METRICS_SERIES(set, metric, ...) metrics_series((set), (metric), (const struct slice[]){__VA_ARGS__})
#define METRICS_PLAIN(set, metric) metrics_series((set), (metric), NULL)

static inline _Atomic uint64_t *metrics_cell(struct metrics *set, uint32_t series) {
    return &set->chunks[series / METRICS_CHUNK]->values[series % METRICS_CHUNK];
}
/* Counters: adds. */
static inline void metrics_add(struct metrics *set, uint32_t series, uint64_t count) {
    _Atomic uint64_t *cell = metrics_cell(set, series);
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + count, memory_order_relaxed);
}
/* Gauges: moves up or down. */
static inline void metrics_move(struct metrics *set, uint32_t series, int64_t difference) {
    metrics_add(set, series, (uint64_t)difference);
}
/* Gauges, and counters that somebody else keeps (CPU time). Seconds are given in nanoseconds. */
static inline void metrics_set(struct metrics *set, uint32_t series, int64_t value) {
    atomic_store_explicit(metrics_cell(set, series), (uint64_t)value, memory_order_relaxed);
}
static inline uint64_t metrics_get(struct metrics *set, uint32_t series) {
    return atomic_load_explicit(metrics_cell(set, series), memory_order_relaxed);
}
/* Histograms: `count` values of about `value`. */
static inline void metrics_record(struct metrics *set, uint32_t series, uint64_t value, uint64_t count) {
    struct hdr *hdr = set->chunks[series / METRICS_CHUNK]->hdrs[series % METRICS_CHUNK];
    if (hdr)
        hdr_record(hdr, value, count);
}

/* -- reading -- */

struct metrics_point {
    enum metric metric;
    struct slice key; /* order and identity of series; opaque */
    struct slice labels[METRIC_LABELS_MAX];
    int64_t value;
    struct hdr *hdr; /* histograms: a merged copy, else NULL */
};

/* The sum of several sets, sorted by metric, then by label values. */
struct metrics_view {
    struct metrics_point *points;
    size_t count;
};

/* From any thread, while the sets' owners count on. Label values are borrowed from the sets. NO_MEMORY leaves nothing
 * to free. */
enum status metrics_view_init(struct metrics_view *view, struct metrics *const *sets, size_t set_count);
void metrics_view_done(struct metrics_view *view);
/* The sum over all series of a metric whose label values equal `values`, where a slice with data NULL stands for any;
 * `values` NULL: all of them. Not for histograms. */
int64_t metrics_view_sum(const struct metrics_view *view, enum metric metric, const struct slice *values);

#endif
