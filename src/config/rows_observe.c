/* Keys of what watches: admin, log, telemetry. */
#include "base/assert.h"
#include "config/rows.h"

#define P ROW_PLANNED

static const struct config_row rows[] = {
    {"admin", ROW_GROUP, ROW_URL_SHORT, NULL, "Metrics, health and control."},
    {"admin.url", ROW_URL, 0, "http://127.0.0.1:7470", "Where; loopback only.",
     .values = "http|!https"},
    {"admin.socket", ROW_PATH, 0, "(RUN_DIR/NAME.sock)", "The same on a Unix socket.", .field = ROW_FIELD(config, admin.socket)},
    {"admin.auth", ROW_ENUM, P | ROW_LIST, NULL, "Who may.", .values = "!key|!certificate|!jwt"},
    {"admin.dashboard", ROW_BOOLEAN, P, "true", "A page for people."},
    {"log", ROW_GROUP, 0, NULL, "What is written down."},
    {"log.level", ROW_ENUM, 0, "info", "From this level on.", .values = "debug|info|warn|error", .field = ROW_FIELD(config, log.level)},
    {"log.format", ROW_ENUM, 0, "auto", "auto: text on a terminal, else JSON.", .values = "auto|json|text", .field = ROW_FIELD(config, log.format)},
    {"log.file", ROW_PATH, 0, "(standard error)", "Where to.", .field = ROW_FIELD(config, log.file)},
    {"log.rotate", ROW_GROUP, 0, NULL, "For a file that nobody else rotates."},
    {"log.rotate.size", ROW_SIZE, ROW_UNLIMITED, "100MiB", "A new file from this size on.", .least = 4096, .field = ROW_FIELD(config, log.rotate_size)},
    {"log.rotate.keep", ROW_COUNT, 0, "7", "Old files kept.", .most = 1000, .field = ROW_FIELD(config, log.rotate_keep)},
    {"log.levels", ROW_NAMED, 0, NULL, "Levels of single rooms."},
    {"log.levels.*", ROW_ENUM, 0, NULL, "The room's level.", .values = "debug|info|warn|error"},
    {"telemetry.trace_ring", ROW_SIZE, 0, "16MiB", "Memory for what became of messages, over all workers, the newest of it; `0B`: none is kept.",
     .most = 256u << 20, .field = ROW_FIELD(config, telemetry.trace_ring)},
    {"telemetry", ROW_GROUP, 0, NULL, "What is counted."},
    {"telemetry.series", ROW_COUNT, 0, "10000", "Metric series of a worker at most; more are counted together as `overflow`.", .least = 1000,
     .most = 1000000, .field = ROW_FIELD(config, telemetry.series)},
    {"telemetry.otlp.url", ROW_HTTP_URL, P, NULL, "Where OTLP goes."},
    {"telemetry.otlp.interval", ROW_DURATION, P, "10s", "So often."},
    {"telemetry.otlp.traces", ROW_SHARE, P, "0%", "Of the messages."},
};

const struct config_rows rows_observe = {"", "Admin, log, telemetry", rows, COUNT_OF(rows)};
