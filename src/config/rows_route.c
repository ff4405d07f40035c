/* Keys of a route: for messages that name no target, and how those that do are treated. */
#include "base/assert.h"
#include "config/rows.h"

#define P ROW_PLANNED

static const struct config_row rows[] = {
    {"", ROW_GROUP, 0, NULL, "Tried by `order`, then as written; the first match decides."},
    {"policy", ROW_REFERENCE, 0, NULL, "A policy whose values count unless the route has its own.", .values = "policies"},
    {"match", ROW_GROUP, ROW_REQUIRED, NULL, "All must hold; `{}` is every message."},
    {"match.*", ROW_PATTERN, ROW_LIST, NULL, "An attribute: value, `prefix*`, `4..5`, or a list of which any may hold."},
    {"match.from", ROW_REFERENCE, ROW_LIST, NULL, "The sending system.", .values = "systems"},
    {"match.listener", ROW_REFERENCE, ROW_LIST, NULL, "Where it came in.", .values = "listeners"},
    {"match.http", ROW_GROUP, 0, NULL, "Makes it a REST route: for HTTP requests outside of /v1. Beside it only `listener` and `from` may stand."},
    {"match.http.method", ROW_TEXT, ROW_LIST, NULL, "Request method; GET stands for HEAD too."},
    {"match.http.host", ROW_TEXT, ROW_LIST, NULL, "Host without port, or `*.suffix`."},
    {"match.http.path", ROW_TEMPLATE, ROW_LIST, NULL, "Path, with `{name}` for a part and `**` for the rest."},
    {"match.http.header", ROW_NAMED, 0, NULL, "Header fields, by name; all must hold."},
    {"match.http.header.*", ROW_TEXT, ROW_LIST, NULL, "The field's value; `*`: it is there."},
    {"when", ROW_CESQL, 0, NULL, "A CESQL expression that must be true too; AND with OR needs brackets.", .field = ROW_FIELD(config_route, when)},
    {"order", ROW_INTEGER, 0, "0", "Lower first; among equals an included file's before its includer's, then as written.", .least = -1000000,
     .most = 1000000, .field = ROW_FIELD(config_route, order)},
    {"enabled", ROW_BOOLEAN, 0, "true", "false: as if it were not there.", .field = ROW_FIELD(config_route, enabled)},
    {"to", ROW_REFERENCE, ROW_LIST | ROW_ALL, NULL,
     "A system, a list (each gets a copy), or `all` (every one that can receive, but the sender). Lists and `all` are for event and notification.",
     .values = "systems"},
    {"except", ROW_REFERENCE, ROW_LIST, NULL, "Systems that `all` leaves out.", .values = "systems"},
    {"failover", ROW_REFERENCE, P | ROW_LIST, NULL, "The first that can take it.", .values = "systems"},
    {"split", ROW_NAMED, P, NULL, "One of these, by weight."},
    {"split.*", ROW_COUNT, P, NULL, "Its weight."},
    {"proxy", ROW_REFERENCE, 0, NULL, "Stream requests and answers to and from this system as they come, never as messages; needs `match.http`.",
     .values = "systems"},
    {"mirror.to", ROW_REFERENCE, P, NULL, "A copy whose fate is not told.", .values = "systems"},
    {"mirror.share", ROW_SHARE, P, "100%", "Of the messages."},
    {"middleware", ROW_CHAIN, 0, NULL, "Stages in their order, each a map of one key as below `middleware.NAME`, and names of chains."},
    {"fault.delay", ROW_DURATION, P, NULL, "Delay on purpose; needs `--allow-faults`."},
    {"fault.abort", ROW_TEXT, P, NULL, "End with this reason on purpose."},
    {"fault.share", ROW_SHARE, P, "100%", "Of the messages."},
    {"trace", ROW_ENUM, 0, "sample", "What the trace ring keeps: a sample and all that fails, or each message.", .values = "sample|all", .field = ROW_FIELD(config_route, trace)},
};

const struct config_rows rows_route = {"routes.*", "Routes", rows, COUNT_OF(rows)};
