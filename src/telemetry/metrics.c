/* The metrics of one worker: series by key, values by handle. */
#include "telemetry/metrics.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"

/* Metric, then size and bytes of each label value: equal keys are equal series. */
#define KEY_MAX (1 + METRIC_LABELS_MAX * (1 + METRICS_VALUE_MAX))
_Static_assert(METRIC_COUNT < 256 && METRICS_VALUE_MAX < 256, "a key's bytes hold them");

struct metrics_info {
    uint32_t series;
    struct slice key;
    uint8_t bytes[];
};

static uint32_t chunk_count(const struct metrics *set) {
    return set->series_max >= UINT32_MAX / METRIC_COUNT / 2
               ? UINT32_MAX / METRICS_CHUNK
               : (METRIC_COUNT * (set->series_max + 1) + 1) / METRICS_CHUNK + 1;
}

struct metrics *metrics_new(uint32_t series_max) {
    ASSERT(series_max >= 1);
    struct metrics *set = memory_new(sizeof *set);
    if (!set)
        return NULL;
    set->series_max = series_max;
    set->total_max = UINT32_MAX;
    map_init(&set->by_key, 0); /* keys come from our own tables and the configuration */
    set->chunks = memory_array(chunk_count(set), sizeof *set->chunks);
    struct metrics_chunk *first = memory_new(sizeof *first);
    if (!set->chunks || !first) {
        memory_free(first);
        memory_free(set->chunks);
        memory_free(set);
        return NULL;
    }
    set->chunks[0] = first;
    atomic_store_explicit(&set->count, 1, memory_order_release); /* the void series */
    return set;
}

void metrics_bound(struct metrics *set, uint32_t total_max) {
    set->total_max = total_max;
}

void metrics_free(struct metrics *set) {
    if (!set)
        return;
    uint32_t count = atomic_load_explicit(&set->count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        struct metrics_chunk *chunk = set->chunks[i / METRICS_CHUNK];
        memory_free(chunk->infos[i % METRICS_CHUNK]);
        memory_free(chunk->hdrs[i % METRICS_CHUNK]);
    }
    for (uint32_t i = 0; i < chunk_count(set) && set->chunks[i]; i++)
        memory_free(set->chunks[i]);
    map_done(&set->by_key);
    memory_free(set->chunks);
    memory_free(set);
}

static size_t put_value(uint8_t *out, struct slice value) {
    size_t size = 0, at = 0;
    while (at < value.size) {
        uint32_t point;
        size_t length = text_utf8_next(slice_skip(value, at), &point);
        size_t width = length ? length : 1;
        if (size + width > METRICS_VALUE_MAX)
            break;
        if (length)
            memcpy(out + 1 + size, value.data + at, length);
        else
            out[1 + size] = '?';
        size += width;
        at += width;
    }
    out[0] = (uint8_t)size;
    return 1 + size;
}

/* `values` NULL: all of them "overflow". */
static struct slice make_key(uint8_t out[static KEY_MAX], enum metric metric, const struct slice *values) {
    static const struct slice overflow = SLICE("overflow");
    unsigned count = metric_label_count(metric_row(metric));
    size_t size = 1;
    out[0] = (uint8_t)metric;
    for (unsigned i = 0; i < count; i++)
        size += put_value(out + size, values ? values[i] : overflow);
    return slice_make(out, size);
}

static struct metrics_info *make_info(struct slice key, uint32_t series) {
    struct metrics_info *info = memory_new(sizeof *info + key.size);
    if (!info)
        return NULL;
    memcpy(info->bytes, key.data, key.size);
    info->key = slice_make(info->bytes, key.size);
    info->series = series;
    return info;
}

static struct metrics_chunk *chunk_for(struct metrics *set, uint32_t series) {
    struct metrics_chunk **chunk = &set->chunks[series / METRICS_CHUNK];
    if (!*chunk)
        *chunk = memory_new(sizeof **chunk);
    return *chunk;
}

/* A series becomes visible to readers by the store to `count` alone, when all of it is in place. */
static uint32_t add_series(struct metrics *set, enum metric metric, struct slice key) {
    uint32_t series = atomic_load_explicit(&set->count, memory_order_relaxed);
    if (series / METRICS_CHUNK >= chunk_count(set))
        return METRICS_NO_SERIES;
    bool is_histogram = metric_row(metric)->type == METRIC_TYPE_HISTOGRAM;
    struct metrics_chunk *chunk = chunk_for(set, series);
    struct metrics_info *info = make_info(key, series);
    struct hdr *hdr = is_histogram ? memory_new(sizeof *hdr) : NULL;
    if (!chunk || !info || (is_histogram && !hdr) || !map_put(&set->by_key, info->key, info)) {
        memory_free(info);
        memory_free(hdr);
        return METRICS_NO_SERIES;
    }
    chunk->infos[series % METRICS_CHUNK] = info;
    chunk->hdrs[series % METRICS_CHUNK] = hdr;
    set->counts[metric]++;
    atomic_store_explicit(&set->count, series + 1, memory_order_release);
    return series;
}

static uint32_t limit_of(const struct metrics *set, enum metric metric) {
    if (metric_row(metric)->type != METRIC_TYPE_HISTOGRAM)
        return set->series_max;
    return set->series_max < METRICS_HISTOGRAM_SHARE ? 1 : set->series_max / METRICS_HISTOGRAM_SHARE;
}

static uint32_t overflow_series(struct metrics *set, enum metric metric) {
    uint8_t bytes[KEY_MAX];
    struct slice key = make_key(bytes, metric, NULL);
    struct metrics_info *info = map_get(&set->by_key, key);
    if (metric != METRIC_SERIES_OVERFLOWS) {
        struct slice name = slice_from(metric_row(metric)->name);
        metrics_add(set, metrics_series(set, METRIC_SERIES_OVERFLOWS, &name), 1);
    }
    return info ? info->series : add_series(set, metric, key);
}

uint32_t metrics_series(struct metrics *set, enum metric metric, const struct slice *values) {
    uint8_t bytes[KEY_MAX];
    ASSERT(values || metric_label_count(metric_row(metric)) == 0);
    struct slice key = make_key(bytes, metric, values);
    struct metrics_info *info = map_get(&set->by_key, key);
    if (info)
        return info->series;
    if (set->counts[metric] >= limit_of(set, metric) ||
        atomic_load_explicit(&set->count, memory_order_relaxed) > set->total_max)
        return overflow_series(set, metric);
    return add_series(set, metric, key);
}

/* -- reading -- */

static void read_labels(struct metrics_point *point) {
    const uint8_t *at = point->key.data + 1;
    for (unsigned i = 0; i < METRIC_LABELS_MAX; i++) {
        point->labels[i] = slice_make("", 0);
        if (at >= point->key.data + point->key.size)
            continue;
        point->labels[i] = slice_make(at + 1, *at);
        at += 1 + *at;
    }
}

static int compare_points(const void *a, const void *b) {
    const struct metrics_point *first = a, *second = b;
    return slice_compare(first->key, second->key); /* the first byte is the metric */
}

/* Copies of the histograms of one set; the pointers into live ones stay until folded. */
static size_t collect(struct metrics_point *points, const struct metrics *set, uint32_t count) {
    size_t filled = 0;
    for (uint32_t i = 1; i < count; i++) {
        const struct metrics_chunk *chunk = set->chunks[i / METRICS_CHUNK];
        const struct metrics_info *info = chunk->infos[i % METRICS_CHUNK];
        struct metrics_point *point = &points[filled];
        point->metric = (enum metric)info->key.data[0];
        point->key = info->key;
        point->value = (int64_t)atomic_load_explicit(&chunk->values[i % METRICS_CHUNK], memory_order_relaxed);
        enum metric_type type = metric_row(point->metric)->type;
        bool is_state = type == METRIC_TYPE_STATE_MIN || type == METRIC_TYPE_STATE_MAX;
        if (point->value == 0 && (is_state || type == METRIC_TYPE_TIME))
            continue;
        point->value -= is_state;
        filled++;
        point->hdr = chunk->hdrs[i % METRICS_CHUNK];
        read_labels(point);
    }
    return filled;
}

/* Points of a run of equal keys become one. Its histogram is a copy, so that buckets and count agree. */
static bool fold(struct metrics_point *into, const struct metrics_point *run, size_t count) {
    struct hdr *sum = NULL;
    if (run->hdr && !(sum = memory_new(sizeof *sum)))
        return false;
    struct metrics_point total = *run;
    total.hdr = sum;
    for (size_t i = 0; i < count; i++) {
        if (sum)
            hdr_merge(sum, run[i].hdr);
        if (i == 0)
            continue;
        enum metric_type type = metric_row(run->metric)->type;
        if (type == METRIC_TYPE_STATE_MIN)
            total.value = total.value < run[i].value ? total.value : run[i].value;
        else if (type == METRIC_TYPE_GAUGE_MAX || type == METRIC_TYPE_STATE_MAX || type == METRIC_TYPE_TIME)
            total.value = total.value > run[i].value ? total.value : run[i].value;
        else
            total.value = (int64_t)((uint64_t)total.value + (uint64_t)run[i].value);
    }
    *into = total;
    return true;
}

static enum status fold_all(struct metrics_view *view, size_t count) {
    struct metrics_point *points = view->points;
    for (size_t i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && slice_equal(points[i].key, points[i + run].key);)
            run++;
        if (!fold(&points[view->count], &points[i], run))
            return STATUS_NO_MEMORY;
        view->count++;
    }
    return STATUS_OK;
}

enum status metrics_view_init(struct metrics_view *view, struct metrics *const *sets, size_t set_count) {
    *view = (struct metrics_view){0};
    size_t total = 0, filled = 0;
    /* Sets grow meanwhile: what was there at the first look is what is read. */
    uint32_t *counts = memory_array(set_count + 1, sizeof *counts);
    if (!counts)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < set_count; i++) {
        counts[i] = atomic_load_explicit(&sets[i]->count, memory_order_acquire);
        total += counts[i];
    }
    view->points = memory_array(total + 1, sizeof *view->points);
    for (size_t i = 0; view->points && i < set_count; i++)
        filled += collect(view->points + filled, sets[i], counts[i]);
    memory_free(counts);
    if (!view->points)
        return STATUS_NO_MEMORY;
    qsort(view->points, filled, sizeof *view->points, compare_points);
    enum status status = fold_all(view, filled);
    if (status != STATUS_OK)
        metrics_view_done(view);
    return status;
}

void metrics_view_done(struct metrics_view *view) {
    for (size_t i = 0; i < view->count; i++)
        memory_free(view->points[i].hdr);
    memory_free(view->points);
    *view = (struct metrics_view){0};
}

int64_t metrics_view_sum(const struct metrics_view *view, enum metric metric, const struct slice *values) {
    unsigned labels = metric_label_count(metric_row(metric));
    int64_t sum = 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct metrics_point *point = &view->points[i];
        bool fits = point->metric == metric;
        for (unsigned j = 0; fits && values && j < labels; j++)
            fits = !values[j].data || slice_equal(values[j], point->labels[j]);
        if (fits)
            sum += point->value;
    }
    return sum;
}
