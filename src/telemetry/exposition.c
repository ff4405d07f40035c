/* Writes metrics in the text formats that scrapers read: Prometheus 0.0.4 and OpenMetrics 1.0. */
#include "telemetry/exposition.h"

#include "base/assert.h"
#include "base/clock.h"

/* OpenTelemetry's advice for messaging durations (5 ms to 10 s), and what is below it for local hops. */
const uint64_t exposition_bounds_ns[EXPOSITION_BOUNDS] = {
    100000,    250000,    500000,    1000000,   2500000,    5000000,    10000000,   25000000,   50000000, 75000000,
    100000000, 250000000, 500000000, 750000000, 1000000000, 2500000000, 5000000000, 7500000000, 10000000000,
};

const char *exposition_media_type(enum exposition_format format) {
    return format == EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                            : "text/plain; version=0.0.4; charset=utf-8";
}

static bool weight_is_zero(struct slice parameters) {
    while (parameters.size) {
        size_t end = slice_find(parameters, ';');
        struct slice one = slice_trim(slice_head(parameters, end));
        parameters = slice_skip(parameters, end + 1);
        if (!slice_starts_nocase(one, SLICE_OF("q=")))
            continue;
        for (size_t i = 2; i < one.size; i++)
            if (one.data[i] != '0' && one.data[i] != '.')
                return false;
        return true;
    }
    return false;
}

enum exposition_format exposition_choose(struct slice accept) {
    while (accept.size) {
        size_t end = slice_find(accept, ',');
        struct slice one = slice_head(accept, end);
        size_t semicolon = slice_find(one, ';');
        if (slice_equal_nocase(slice_trim(slice_head(one, semicolon)), SLICE_OF("application/openmetrics-text")) &&
            !weight_is_zero(slice_skip(one, semicolon + 1)))
            return EXPOSITION_OPENMETRICS;
        accept = slice_skip(accept, end + 1);
    }
    return EXPOSITION_PROMETHEUS;
}

static void write_escaped(struct buffer *out, struct slice text, bool quotes) {
    size_t from = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c != '\\' && c != '\n' && !(c == '"' && quotes))
            continue;
        buffer_add(out, slice_make(text.data + from, i - from));
        buffer_add_byte(out, '\\');
        buffer_add_byte(out, c == '\n' ? 'n' : c);
        from = i + 1;
    }
    buffer_add(out, slice_skip(text, from));
}

/* Nanoseconds as seconds, without a binary fraction in between. OpenMetrics wants bounds as floats ("1.0"). */
static void write_seconds(struct buffer *out, uint64_t ns, bool as_float) {
    uint64_t fraction = ns % (uint64_t)NS_PER_S;
    buffer_add_u64(out, ns / (uint64_t)NS_PER_S);
    if (fraction == 0) {
        if (as_float)
            buffer_add_text(out, ".0");
        return;
    }
    char digits[9];
    size_t size = sizeof digits;
    for (size_t i = size; i-- > 0; fraction /= 10)
        digits[i] = (char)('0' + fraction % 10);
    while (digits[size - 1] == '0')
        size--;
    buffer_add_byte(out, '.');
    buffer_add(out, slice_make(digits, size));
}

static void write_value(struct buffer *out, const struct metric_row *row, int64_t value) {
    bool is_counter = row->type == METRIC_TYPE_COUNTER; /* these use all 64 bits */
    uint64_t size = (uint64_t)value;
    if (!is_counter && value < 0) {
        buffer_add_byte(out, '-');
        size = 0 - size;
    }
    if (row->unit == METRIC_UNIT_SECONDS)
        write_seconds(out, size, false);
    else
        buffer_add_u64(out, size);
}

static const char *family_suffix(const struct metric_row *row, enum exposition_format format) {
    /* OpenMetrics names the family without the suffix, Prometheus with it. */
    return format == EXPOSITION_OPENMETRICS ? "" : metric_suffix(row);
}

static const char *type_name(const struct metric_row *row, enum exposition_format format) {
    switch (row->type) {
    case METRIC_TYPE_COUNTER:
        return "counter";
    case METRIC_TYPE_GAUGE:
    case METRIC_TYPE_GAUGE_MAX:
    case METRIC_TYPE_TIME:
    case METRIC_TYPE_STATE_MIN:
    case METRIC_TYPE_STATE_MAX:
        return "gauge";
    case METRIC_TYPE_HISTOGRAM:
        return "histogram";
    case METRIC_TYPE_INFO:
        return format == EXPOSITION_OPENMETRICS ? "info" : "gauge";
    }
    UNREACHABLE();
}

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static void write_unit(struct buffer *out, const struct metric_row *row) {
    const char *unit = row->unit == METRIC_UNIT_SECONDS ? "_seconds" : row->unit == METRIC_UNIT_BYTES ? "_bytes" : NULL;
    /* A unit may be told only where the name ends in it. */
    if (unit && ends_with(row->name, unit))
        buffer_add_format(out, "# UNIT %s %s\n", row->name, unit + 1);
}

static void write_head(struct buffer *out, const struct metric_row *row, enum exposition_format format) {
    const char *suffix = family_suffix(row, format);
    buffer_add_format(out, "# HELP %s%s ", row->name, suffix);
    write_escaped(out, slice_from(row->help), format == EXPOSITION_OPENMETRICS);
    buffer_add_format(out, "\n# TYPE %s%s %s\n", row->name, suffix, type_name(row, format));
    if (format == EXPOSITION_OPENMETRICS)
        write_unit(out, row);
}

/* Name and labels; the set of labels stays open when a bound is to follow. */
static void write_series(struct buffer *out, const struct metrics_point *point, const char *suffix, bool bound) {
    const struct metric_row *row = metric_row(point->metric);
    const char *before = "{";
    buffer_add_text(out, row->name);
    buffer_add_text(out, suffix);
    for (unsigned i = 0; i < METRIC_LABELS_MAX && row->labels[i]; i++) {
        if (point->labels[i].size == 0)
            continue;
        buffer_add_format(out, "%s%s=\"", before, row->labels[i]);
        write_escaped(out, point->labels[i], true);
        buffer_add_byte(out, '"');
        before = ",";
    }
    if (bound)
        buffer_add_format(out, "%sle=\"", before);
    else
        buffer_add_text(out, *before == ',' ? "} " : " ");
}

static void write_bucket_count(struct buffer *out, uint64_t count) {
    buffer_add_text(out, "\"} ");
    buffer_add_u64(out, count);
    buffer_add_byte(out, '\n');
}

static void write_histogram(struct buffer *out, const struct metrics_point *point, enum exposition_format format) {
    ASSERT(metric_row(point->metric)->unit == METRIC_UNIT_SECONDS);
    uint64_t total = hdr_count(point->hdr);
    for (size_t i = 0; i < EXPOSITION_BOUNDS; i++) {
        write_series(out, point, "_bucket", true);
        write_seconds(out, exposition_bounds_ns[i], format == EXPOSITION_OPENMETRICS);
        write_bucket_count(out, hdr_count_to(point->hdr, exposition_bounds_ns[i]));
    }
    write_series(out, point, "_bucket", true);
    buffer_add_text(out, "+Inf");
    write_bucket_count(out, total);
    write_series(out, point, "_sum", false);
    write_seconds(out, hdr_sum(point->hdr), false);
    buffer_add_byte(out, '\n');
    write_series(out, point, "_count", false);
    buffer_add_u64(out, total);
    buffer_add_byte(out, '\n');
}

static void write_point(struct buffer *out, const struct metrics_point *point, enum exposition_format format) {
    const struct metric_row *row = metric_row(point->metric);
    if (row->type == METRIC_TYPE_HISTOGRAM) {
        write_histogram(out, point, format);
        return;
    }
    write_series(out, point, metric_suffix(row), false);
    write_value(out, row, row->type == METRIC_TYPE_INFO ? 1 : point->value);
    buffer_add_byte(out, '\n');
}

void exposition_write(struct buffer *out, const struct metrics_view *view, enum exposition_format format) {
    for (size_t i = 0; i < view->count; i++) {
        if (i == 0 || view->points[i].metric != view->points[i - 1].metric)
            write_head(out, metric_row(view->points[i].metric), format);
        write_point(out, &view->points[i], format);
    }
    if (format == EXPOSITION_OPENMETRICS)
        buffer_add_text(out, "# EOF\n");
}
