/* The table of metrics as data. */
#include "telemetry/metric.h"

#include "base/assert.h"

static const struct metric_row rows[METRIC_COUNT] = {
#define METRIC_ROW(name, type, text, unit, label_1, label_2, label_3, help) \
    [METRIC_##name] = {text, METRIC_TYPE_##type, METRIC_UNIT_##unit, {label_1, label_2, label_3}, help},
    METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
};

const struct metric_row *metric_row(enum metric metric) {
    ASSERT((unsigned)metric < METRIC_COUNT);
    return &rows[metric];
}

unsigned metric_label_count(const struct metric_row *row) {
    unsigned count = 0;
    while (count < METRIC_LABELS_MAX && row->labels[count])
        count++;
    return count;
}

const char *metric_suffix(const struct metric_row *row) {
    if (row->type == METRIC_TYPE_COUNTER)
        return "_total";
    return row->type == METRIC_TYPE_INFO ? "_info" : "";
}
