/* Whether a body is like another. */
#include <stdio.h>
#include <math.h>

#include "base/text.h"
#include "message/timestamp.h"
#include "message/uuid.h"
#include "testing/like.h"

#define EXPANDED_MAX 65536

enum marker_type {
    MARKER_NONE,
    MARKER_ANY,
    MARKER_ABSENT,
    MARKER_NULL,
    MARKER_STRING,
    MARKER_BOOL,
    MARKER_ARRAY,
    MARKER_OBJECT,
    MARKER_UUID,
    MARKER_TIME,
    MARKER_INTEGER,
    MARKER_NUMBER,
    MARKER_REGEX,
    MARKER_CONTAINS,
    MARKER_TEXT,
};

static const struct marker_row {
    const char *name;
    enum marker_type type;
    enum { PLAIN, MAY_HAVE_RANGE, NEEDS_TEXT } argument;
} rows[] = {
    {"any", MARKER_ANY, PLAIN},           {"absent", MARKER_ABSENT, PLAIN},        {"null", MARKER_NULL, PLAIN},
    {"string", MARKER_STRING, PLAIN},     {"bool", MARKER_BOOL, PLAIN},            {"array", MARKER_ARRAY, PLAIN},
    {"object", MARKER_OBJECT, PLAIN},     {"uuid", MARKER_UUID, PLAIN},            {"iso-time", MARKER_TIME, PLAIN},
    {"int", MARKER_INTEGER, MAY_HAVE_RANGE}, {"number", MARKER_NUMBER, MAY_HAVE_RANGE}, {"regex", MARKER_REGEX, NEEDS_TEXT},
    {"contains", MARKER_CONTAINS, NEEDS_TEXT}, {"text", MARKER_TEXT, NEEDS_TEXT},
};
#define ROWS (sizeof rows / sizeof *rows)

struct marker {
    enum marker_type type;
    bool has_range;
    double low, high;
    struct slice argument;
    struct regex *regex;
};

struct like {
    const struct json_tree *expected;
    struct marker *markers; /* one a node */
};

/* -- markers -- */

static bool read_bound(struct slice text, double *ret) {
    return text.size > 0 && json_is_valid(text, 1) && json_number_to_double(text, ret);
}

/* `1..9`, `..9`, `1..`, or one number. */
static bool read_range(struct slice text, struct marker *m) {
    m->has_range = true;
    m->low = -(double)INFINITY;
    m->high = (double)INFINITY;
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] != '.' || text.data[i + 1] != '.')
            continue;
        struct slice low = slice_head(text, i), high = slice_skip(text, i + 2);
        return low.size + high.size > 0 && (low.size == 0 || read_bound(low, &m->low)) &&
               (high.size == 0 || read_bound(high, &m->high)) && m->low <= m->high;
    }
    bool ok = read_bound(text, &m->low);
    m->high = m->low;
    return ok;
}

static enum status unknown(struct slice name, struct fault *fault) {
    struct slice names[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        names[i] = slice_from(rows[i].name);
    int near = text_nearest(name, names, ROWS);
    if (near >= 0)
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "no marker `<%.*s>`; did you mean `<%s>`?",
                         (int)(name.size < 40 ? name.size : 40), (const char *)name.data, rows[near].name);
    return fault_set(fault, STATUS_BAD_CONFIG, 0, "no marker `<%.*s>`; that text itself is written `<text <%.*s>>`",
                     (int)(name.size < 40 ? name.size : 40), (const char *)name.data, (int)(name.size < 40 ? name.size : 40),
                     (const char *)name.data);
}

static enum status read_argument(const struct marker_row *row, bool has_argument, struct marker *m, struct fault *fault) {
    switch (row->argument) {
    case PLAIN:
        return !has_argument ? STATUS_OK : fault_set(fault, STATUS_BAD_CONFIG, 0, "`<%s>` takes nothing behind it", row->name);
    case MAY_HAVE_RANGE:
        if (has_argument && !read_range(m->argument, m))
            return fault_set(fault, STATUS_BAD_CONFIG, 0, "`<%s %.*s>`: expected a range such as 1..9, ..9 or 1..", row->name,
                             (int)(m->argument.size < 40 ? m->argument.size : 40), (const char *)m->argument.data);
        return STATUS_OK;
    case NEEDS_TEXT:
        break;
    }
    if (!has_argument)
        return fault_set(fault, STATUS_BAD_CONFIG, 0, "`<%s>` wants a text behind it", row->name);
    return row->type == MARKER_REGEX ? regex_new(m->argument, REGEX_SEARCH, &m->regex, fault) : STATUS_OK;
}

static enum status read_marker(struct slice text, struct marker *m, struct fault *fault) {
    if (text.size < 3 || text.data[0] != '<' || text.data[text.size - 1] != '>')
        return expand_check(text, fault);
    struct slice inside = slice_make(text.data + 1, text.size - 2);
    size_t space = slice_find(inside, ' ');
    struct slice name = slice_head(inside, space);
    m->argument = slice_skip(inside, space + 1);
    for (size_t i = 0; i < ROWS; i++)
        if (slice_is(name, rows[i].name)) {
            m->type = rows[i].type;
            return read_argument(&rows[i], space < inside.size, m, fault);
        }
    return unknown(name, fault);
}

enum status like_new(const struct json_tree *expected, struct arena *arena, struct like **ret, uint32_t *ret_node,
                     struct fault *fault) {
    struct like *like = arena_new(arena, sizeof *like);
    struct marker *markers = like ? arena_array(arena, expected->count, sizeof *markers) : NULL;
    if (!markers)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "out of memory");
    like->expected = expected;
    like->markers = markers;
    for (uint32_t node = 0; node < expected->count; node++) {
        if (expected->nodes[node].type != JSON_STRING)
            continue;
        enum status status = read_marker(expected->nodes[node].text, &markers[node], fault);
        if (status != STATUS_OK) {
            *ret_node = node;
            like_free(like);
            return status;
        }
    }
    *ret = like;
    return STATUS_OK;
}

void like_free(struct like *like) {
    for (uint32_t node = 0; like && node < like->expected->count; node++)
        regex_free(like->markers[node].regex);
}

/* -- comparing -- */

struct comparison {
    const struct like *like;
    const struct json_tree *tree;
    const struct variables *variables;
    struct like_difference *difference;
};

static void show(const struct json_node *node, char out[static LIKE_WORDS_MAX]) {
    if (node->type == JSON_STRING)
        snprintf(out, LIKE_WORDS_MAX, "\"%.*s\"", (int)(node->text.size < 120 ? node->text.size : 120), (const char *)node->text.data);
    else if (node->type == JSON_OBJECT || node->type == JSON_ARRAY)
        snprintf(out, LIKE_WORDS_MAX, "%s of %u", node->type == JSON_OBJECT ? "an object" : "an array", node->count);
    else if (node->type == JSON_NUMBER)
        snprintf(out, LIKE_WORDS_MAX, "%.*s", (int)(node->text.size < 120 ? node->text.size : 120), (const char *)node->text.data);
    else
        snprintf(out, LIKE_WORDS_MAX, "%s", node->type == JSON_TRUE ? "true" : node->type == JSON_FALSE ? "false" : "null");
}

static enum status differs(const struct comparison *c, uint32_t expected, uint32_t got, const char *wanted) {
    struct like_difference *d = c->difference;
    d->expected = expected;
    d->got = got;
    if (wanted)
        snprintf(d->wanted, sizeof d->wanted, "%s", wanted);
    else
        show(&c->like->expected->nodes[expected], d->wanted);
    if (got == JSON_TREE_NONE)
        snprintf(d->found, sizeof d->found, "nothing");
    else
        show(&c->tree->nodes[got], d->found);
    return STATUS_REJECTED;
}

static bool is_integer(const struct json_node *node) {
    return node->type == JSON_NUMBER && (double)(int64_t)node->number == node->number && node->number < 9.2e18 && node->number > -9.2e18;
}

static bool contains(struct slice text, struct slice part) {
    return part.size == 0 || (text.size >= part.size && memmem(text.data, text.size, part.data, part.size));
}

static bool in_range(const struct marker *m, const struct json_node *node) {
    return !m->has_range || (node->number >= m->low && node->number <= m->high);
}

static bool satisfies(const struct marker *m, const struct json_node *node) {
    uint8_t uuid[16];
    int64_t seconds;
    int32_t nanos;
    bool is_text = node->type == JSON_STRING;
    switch (m->type) {
    case MARKER_NONE:
    case MARKER_ABSENT:
        return false;
    case MARKER_ANY:
        return true;
    case MARKER_NULL:
        return node->type == JSON_NULL;
    case MARKER_STRING:
        return is_text;
    case MARKER_BOOL:
        return node->type == JSON_TRUE || node->type == JSON_FALSE;
    case MARKER_ARRAY:
        return node->type == JSON_ARRAY;
    case MARKER_OBJECT:
        return node->type == JSON_OBJECT;
    case MARKER_UUID:
        return is_text && uuid_parse(node->text, uuid);
    case MARKER_TIME:
        return is_text && timestamp_parse(node->text, &seconds, &nanos);
    case MARKER_INTEGER:
        return is_integer(node) && in_range(m, node);
    case MARKER_NUMBER:
        return node->type == JSON_NUMBER && in_range(m, node);
    case MARKER_REGEX:
        return is_text && regex_match(m->regex, node->text, NULL) == REGEX_YES;
    case MARKER_CONTAINS:
        return is_text && contains(node->text, m->argument);
    case MARKER_TEXT:
        return is_text && slice_equal(node->text, m->argument);
    }
    return false;
}

static bool same_scalar(const struct json_node *a, const struct json_node *b) {
    if (a->type != b->type)
        return false;
    if (a->type == JSON_NUMBER)
        return a->number == b->number;
    return a->type != JSON_STRING || slice_equal(a->text, b->text);
}

static enum status compare_string(const struct comparison *c, uint32_t expected, uint32_t got) {
    struct buffer room;
    struct json_node value;
    struct fault fault = {0};
    char wanted[LIKE_WORDS_MAX];
    buffer_init(&room, EXPANDED_MAX);
    enum status status = expand_value(c->like->expected->nodes[expected].text, c->variables, &room, &value, &fault);
    if (status != STATUS_OK) {
        differs(c, expected, got, NULL);
        snprintf(c->difference->found, sizeof c->difference->found, "%.*s", LIKE_WORDS_MAX - 1, fault.text);
    } else if (!same_scalar(&value, &c->tree->nodes[got])) {
        show(&value, wanted);
        status = differs(c, expected, got, wanted);
    }
    buffer_done(&room);
    return status;
}

/* Recursion is as deep as the expected tree is, which its parser bounds. */
static enum status compare(const struct comparison *c, uint32_t expected, uint32_t got) {
    const struct json_tree *wanted = c->like->expected;
    const struct marker *m = &c->like->markers[expected];
    const struct json_node *a = &wanted->nodes[expected];
    if (m->type == MARKER_ABSENT)
        return got == JSON_TREE_NONE ? STATUS_OK : differs(c, expected, got, NULL);
    if (got == JSON_TREE_NONE)
        return differs(c, expected, got, NULL);
    const struct json_node *b = &c->tree->nodes[got];
    if (m->type != MARKER_NONE)
        return satisfies(m, b) ? STATUS_OK : differs(c, expected, got, NULL);
    if (a->type == JSON_STRING)
        return compare_string(c, expected, got);
    if (a->type != JSON_OBJECT && a->type != JSON_ARRAY)
        return same_scalar(a, b) ? STATUS_OK : differs(c, expected, got, NULL);
    if (a->type != b->type || (a->type == JSON_ARRAY && a->count != b->count))
        return differs(c, expected, got, NULL);
    uint32_t other = json_tree_first(c->tree, got);
    for (uint32_t child = json_tree_first(wanted, expected); child != JSON_TREE_NONE; child = json_tree_next(wanted, child)) {
        if (a->type == JSON_OBJECT)
            other = json_tree_member(c->tree, got, wanted->nodes[child].name);
        enum status status = compare(c, child, other);
        if (status != STATUS_OK)
            return status;
        if (a->type == JSON_ARRAY)
            other = json_tree_next(c->tree, other);
    }
    return STATUS_OK;
}

enum status like_compare(const struct like *like, const struct json_tree *tree, uint32_t node, const struct variables *variables,
                         struct like_difference *difference) {
    struct comparison c = {like, tree, variables, difference};
    return compare(&c, JSON_TREE_ROOT, node);
}
