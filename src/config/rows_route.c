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
    {"failover", ROW_REFERENCE, ROW_LIST, NULL, "The first of these systems that can take it.",
     .values = "systems"},
    {"split", ROW_NAMED, 0, NULL,
     "One of these systems, by weight; messages with one `partitionkey` go to one."},
    {"split.*", ROW_COUNT, 0, NULL, "The system's weight; 0: none.", .most = 10000},
    {"proxy", ROW_REFERENCE, 0, NULL,
     "Stream requests and answers to and from this system as they come, never as messages; needs `match.http`.",
     .values = "systems"},
    {"mirror", ROW_GROUP, 0, NULL, "A copy more, of which the sender hears nothing."},
    {"mirror.to", ROW_REFERENCE, 0, NULL,
     "The system that gets it, if it has room: once, without retries; what it replies is dropped.",
     .values = "systems"},
    {"mirror.share", ROW_SHARE, 0, "100%", "Of the messages, by chance.",
     .field = ROW_FIELD(config_route, mirror.share)},
    {"middleware", ROW_CHAIN, 0, NULL, "Stages in their order, each a map of one key as below `middleware.NAME`, and names of chains."},
    {"fault", ROW_GROUP, 0, NULL, "Trouble made on purpose; refused without `--allow-faults`."},
    {"fault.delay", ROW_DURATION, 0, NULL, "Messages wait for so long before they are taken.",
     .least = NS_PER_MS, .most = 60 * NS_PER_S, .field = ROW_FIELD(config_route, fault.delay_ns)},
    {"fault.abort", ROW_TEXT, 0, NULL,
     "They are refused for this reason (see messages.md), after `delay` if there is one too."},
    {"fault.share", ROW_SHARE, 0, "100%", "Of the messages, by chance.",
     .field = ROW_FIELD(config_route, fault.share)},
    {"trace", ROW_ENUM, 0, "sample", "What the trace ring keeps: a sample and all that fails, or each message.", .values = "sample|all", .field = ROW_FIELD(config_route, trace)},
};

const struct config_rows rows_route = {"routes.*", "Routes", rows, COUNT_OF(rows)};
