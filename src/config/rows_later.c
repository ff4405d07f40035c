/* Sections of their own: the named maps, and what later versions bring. */
#include "base/assert.h"
#include "config/rows.h"

#define P ROW_PLANNED

static const struct config_row rows[] = {
    {"listeners", ROW_NAMED, 0, NULL, "Where messages come in."},
    {"systems", ROW_NAMED, 0, NULL, "Whom messages are for or from."},
    {"routes", ROW_NAMED, 0, NULL, "Where messages without a target go."},
    {"policies", ROW_NAMED, 0, NULL, "Named by systems and routes; `default` lies below all."},
    {"policies.*", ROW_GROUP, 0, NULL, "A policy."},
    {"environments", ROW_NAMED, 0, NULL, "Overlays, chosen by `-e NAME`: maps merge by key, lists and values replace, null removes."},
    {"environments.*", ROW_OVERLAY, 0, NULL, "Any key but `include` and `environments`."},
    {"middleware", ROW_NAMED, 0, NULL, "Chains by name, for routes to share."},
    {"storage.driver", ROW_ENUM, P, "memory", "Where.", .values = "!memory|!log"},
    {"storage.path", ROW_PATH, P, NULL, "The log's directory."},
    {"storage.sync", ROW_ENUM, P, "commit", "When it is on disk.", .values = "!commit|!interval|!never"},
    {"storage.size", ROW_SIZE, P, NULL, "At most."},
    {"tests", ROW_NAMED, P, NULL, "Suites that run inside the router."},
    {"tests.*.suites", ROW_GLOB, P | ROW_LIST, NULL, "Their files."},
    {"tests.*.schedule", ROW_TEXT, P, NULL, "When, as cron says it."},
    {"tests.*.report", ROW_NAMED, P, NULL, "Where results go."},
    {"tests.*.report.*", ROW_PATH, P, NULL, "A file of this format."},
};

const struct config_rows rows_later = {"", "Sections", rows, COUNT_OF(rows)};
