/* Stages: what a route's messages go through. */
#include "base/assert.h"
#include "config/rows.h"

#define P ROW_PLANNED

static const struct config_row rows[] = {
    {"", ROW_CHAIN, 0, NULL, "A list of stages, each a map of one of these keys. They are asked in this order."},
    {"validate", ROW_GROUP, 0, NULL, "What does not fit is refused: `schema-invalid`, with the place and the rule."},
    {"validate.schema", ROW_PATH, 0, NULL, "A file with the JSON Schema (2020-12) that `data` must fit."},
    {"validate.require", ROW_TEXT, ROW_LIST, NULL, "What must be there: attributes, `data:/pointer`, and `data:/pointer TYPE`."},
    {"filter", ROW_CESQL, 0, NULL, "What may pass, as CESQL. What may not ends here: `dropped`, and its sender is told that it was taken; who waits for a reply is refused."},
    {"transform", ROW_GROUP, 0, NULL, "Renames, removes and sets, in this order; templates read the message as it came to this stage."},
    {"transform.set", ROW_NAMED, 0, NULL, "By attribute, or `data:/pointer`."},
    {"transform.set.*", ROW_TEMPLATE, 0, NULL, "The value, a template. In data a bare number, `true` or `false` is one, and `{data:/pointer}` alone takes the value over as it is."},
    {"transform.remove", ROW_TEXT, ROW_LIST, NULL, "Attributes, and `data:/pointer`, that are taken away where they are there."},
    {"transform.rename", ROW_NAMED, 0, NULL, "By attribute, or `data:/pointer`."},
    {"transform.rename.*", ROW_TEXT, 0, NULL, "Its new name, of the same sort."},
    {"cache.ttl", ROW_DURATION, P, NULL, "Replies kept so long."},
    {"cache.key", ROW_TEXT, P | ROW_LIST, NULL, "What makes two queries one."},
    {"cache.invalidate", ROW_PATTERN, P | ROW_LIST, NULL, "Events that end it."},
    {"log", ROW_GROUP, 0, NULL, "A line in the log, with id, source, type and what `show` names; never data."},
    {"log.level", ROW_ENUM, 0, "info", "Its level.", .values = "debug|info|warn|error"},
    {"log.sample", ROW_SHARE, 0, "100%", "Of so many of the messages, chosen by their ids."},
    {"log.show", ROW_TEXT, ROW_LIST, NULL, "Attributes that it shows, too."},
    {"encrypt", ROW_GROUP, P, NULL, "Seal `data`."},
    {"sign", ROW_GROUP, P, NULL, "Sign the event."},
    {"script", ROW_GROUP, P, NULL, "A script."},
};

const struct config_rows rows_middleware = {"middleware.*", "Middleware", rows, COUNT_OF(rows)};
