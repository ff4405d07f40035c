/* Writes metrics in the text formats that scrapers read. */
#ifndef TELEMETRY_EXPOSITION_H
#define TELEMETRY_EXPOSITION_H

#include "base/buffer.h"
#include "telemetry/metrics.h"

enum exposition_format {
    EXPOSITION_PROMETHEUS,  /* text format 0.0.4 */
    EXPOSITION_OPENMETRICS, /* OpenMetrics 1.0 text */
};

/* Value of the Content-Type field. */
const char *exposition_media_type(enum exposition_format format);
/* What a scraper's Accept field asks for: OpenMetrics only when named (with a weight that isn't 0). */
enum exposition_format exposition_choose(struct slice accept);
/* Only metrics that have a series are written. Whether everything fitted is the buffer's status. */
void exposition_write(struct buffer *out, const struct metrics_view *view, enum exposition_format format);

/* Upper bounds of the buckets of histograms in seconds, in nanoseconds, ascending; "+Inf" comes after them. */
#define EXPOSITION_BOUNDS 19
extern const uint64_t exposition_bounds_ns[EXPOSITION_BOUNDS];

#endif
