/* The rows as Markdown, and as the list that the surface test compares. */
#include "base/assert.h"
#include "config/rows.h"
#include "config/scalar.h"
#include "config/write.h"

static const char *const types[ROW_TYPE_COUNT] = {
    [ROW_GROUP] = "map",          [ROW_NAMED] = "map by name", [ROW_DURATION] = "duration",  [ROW_SIZE] = "size",       [ROW_COUNT] = "count",
    [ROW_INTEGER] = "integer",    [ROW_RATE] = "rate",         [ROW_BYTE_RATE] = "byte rate", [ROW_SHARE] = "share",     [ROW_RANGE] = "range",
    [ROW_BOOLEAN] = "true, false", [ROW_NAME] = "name",        [ROW_TEXT] = "text",          [ROW_PATH] = "path",       [ROW_GLOB] = "glob",
    [ROW_ENUM] = "",              [ROW_URL] = "URL",           [ROW_HTTP_URL] = "http URL",  [ROW_CIDR] = "address range", [ROW_IP] = "address",
    [ROW_REFERENCE] = "name out of", [ROW_PATTERN] = "pattern", [ROW_PRIORITY] = "priority",  [ROW_RULE] = "rule",       [ROW_HASH] = "hash",
    [ROW_DATE] = "date",          [ROW_CESQL] = "CESQL",       [ROW_TEMPLATE] = "template",  [ROW_WORKERS] = "count, auto", [ROW_OVERLAY] = "overlay",
    [ROW_CHAIN] = "chain",
    [ROW_ATTRIBUTE] = "attribute",
};

/* A table cell: a bar would end it. */
static void add_cell(struct buffer *out, const char *text) {
    for (; *text; text++) {
        if (*text == '|')
            buffer_add_byte(out, '\\');
        buffer_add_byte(out, (uint8_t)*text);
    }
}

static void add_words(struct buffer *out, const char *values, bool planned_ones, const char *lead) {
    struct slice word;
    bool planned, first = true;
    while (scalar_word(&values, &word, &planned)) {
        if (planned != planned_ones)
            continue;
        buffer_add_text(out, first ? lead : ", ");
        buffer_add_format(out, "`%.*s`", SLICE_ARG(word));
        first = false;
    }
}

static void add_type(struct buffer *out, const struct config_row *row) {
    buffer_add_text(out, row->flags & ROW_LIST ? "list of " : "");
    buffer_add_text(out, types[row->type]);
    if (row->type == ROW_REFERENCE) {
        buffer_add_format(out, " `%s`", row->values);
    } else if (row->values) {
        bool all = row->flags & ROW_PLANNED;
        add_words(out, row->values, false, row->type == ROW_URL ? ": " : "");
        add_words(out, row->values, true, all ? "" : "; planned: ");
    }
    if (row->flags & ROW_OR_SYSTEM)
        buffer_add_text(out, ", a system's name");
    if (row->flags & ROW_ALL)
        buffer_add_text(out, ", `all`");
    if (row->flags & ROW_UNLIMITED)
        buffer_add_text(out, ", `unlimited`");
}

static void add_default(struct buffer *out, const struct config_row *row) {
    if (row->flags & ROW_REQUIRED)
        buffer_add_text(out, "required");
    else if (!row->fallback)
        buffer_add_text(out, "–");
    else if (row->fallback[0] == '(')
        buffer_add(out, slice_make(row->fallback + 1, strlen(row->fallback) - 2));
    else
        buffer_add_format(out, "`%s`", row->fallback);
}

static void add_bounds(struct buffer *out, const struct config_row *row) {
    bool is_duration = row->type == ROW_DURATION, is_size = row->type == ROW_SIZE;
    bool is_number = row->type == ROW_COUNT || row->type == ROW_INTEGER || row->type == ROW_WORKERS;
    if ((!is_duration && !is_size && !is_number) || (!row->least && !row->most))
        return;
    buffer_add_text(out, " From ");
    for (int end = 0; end < 2; end++) {
        int64_t limit = end ? row->most : row->least;
        if (end && !row->most)
            break;
        buffer_add_text(out, end ? " to " : "");
        if (is_duration)
            scalar_print_duration(out, limit);
        else if (is_size)
            scalar_print_size(out, (uint64_t)limit);
        else
            buffer_add_i64(out, limit);
    }
    buffer_add_text(out, ".");
}

static const char *standing(const struct config_row *row) {
    bool in_system = row->flags & ROW_SYSTEM, in_route = row->flags & ROW_ROUTE;
    return in_system && in_route ? " Also in systems and routes." : in_system ? " Also in systems." : in_route ? " Also in routes." : "";
}

static void add_row(struct buffer *out, const struct config_row *row) {
    buffer_add_text(out, "| `");
    add_cell(out, row->path[0] ? row->path : "NAME");
    buffer_add_text(out, "` | ");
    add_type(out, row);
    buffer_add_text(out, " | ");
    add_default(out, row);
    buffer_add_text(out, row->flags & ROW_PLANNED ? " | planned | " : " | now | ");
    add_cell(out, row->doc);
    add_bounds(out, row);
    buffer_add_text(out, standing(row));
    if (row->flags & ROW_SECRET)
        buffer_add_text(out, " Only by reference.");
    if (row->flags & ROW_URL_SHORT)
        buffer_add_text(out, " A bare URL stands for `{url: ...}`.");
    if (row->flags & ROW_TRUE_SHORT)
        buffer_add_text(out, " `true` takes its defaults, `false` is off.");
    buffer_add_text(out, " |\n");
}

enum status config_reference(struct buffer *out) {
    buffer_add_text(out, "# Configuration reference\n\n"
                         "Every key, from the rows that the program itself checks against; made by `intertie validate --reference`,\n"
                         "don't edit. [configuration.md](configuration.md) tells the story. Where a type is a list, one value alone is\n"
                         "a list of it. *planned* keys and values are known and refused: `not supported yet in " CONFIG_VERSION "`.\n");
    for (size_t i = 0; config_tables[i]; i++) {
        const struct config_rows *table = config_tables[i];
        buffer_add_format(out, "\n## %s\n\n", table->title);
        if (table->prefix[0])
            buffer_add_format(out, "Below `%s`.\n\n", table->prefix);
        buffer_add_text(out, "| key | type | default | | meaning |\n|---|---|---|---|---|\n");
        for (size_t k = 0; k < table->count; k++)
            add_row(out, &table->rows[k]);
    }
    return out->status;
}

/* -- surface -- */

static void add_path(struct buffer *out, const char *prefix, const struct config_row *row) {
    buffer_add_text(out, prefix);
    if (prefix[0] && row->path[0])
        buffer_add_text(out, ".");
    buffer_add_text(out, row->path);
}

static void add_surface(struct buffer *out, const char *prefix, const struct config_row *row) {
    const char *values = row->type == ROW_REFERENCE ? NULL : row->values;
    bool planned, row_planned = row->flags & ROW_PLANNED;
    struct slice word;
    if (row->type == ROW_GROUP && !row_planned)
        return; /* a heading: its keys tell */
    buffer_add_text(out, row_planned ? "planned " : "now ");
    add_path(out, prefix, row);
    buffer_add_byte(out, '\n');
    while (scalar_word(&values, &word, &planned)) {
        buffer_add_text(out, row_planned || planned ? "planned " : "now ");
        add_path(out, prefix, row);
        buffer_add_format(out, "=%.*s\n", SLICE_ARG(word));
    }
    if (row->flags & ROW_OR_SYSTEM) {
        buffer_add_text(out, "now ");
        add_path(out, prefix, row);
        buffer_add_text(out, "=system\n");
    }
}

enum status config_surface(struct buffer *out) {
    for (size_t i = 0; config_tables[i]; i++) {
        const struct config_rows *table = config_tables[i];
        for (size_t k = 0; k < table->count; k++) {
            add_surface(out, table->prefix, &table->rows[k]);
            if (table->rows[k].flags & ROW_SYSTEM)
                add_surface(out, "systems.*", &table->rows[k]);
            if (table->rows[k].flags & ROW_ROUTE)
                add_surface(out, "routes.*", &table->rows[k]);
        }
    }
    return out->status;
}
