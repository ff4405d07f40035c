/* Whether what was found is what a check wants. */
#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "message/timestamp.h"
#include "message/uuid.h"
#include "testing/check_inner.h"

#define EXPANDED_MAX 65536
#define MANY_MAX 256 /* nodes of a query for many that are compared */

/* What a query gave. */
struct answer {
    struct check_value value;
    const struct json_tree *tree; /* where the nodes are: children of a list, or what a query for many found */
    uint32_t nodes[MANY_MAX];
    uint32_t node_count;
    const char *why; /* it is nothing */
};

/* -- asking -- */

static struct check_value of_node(const struct json_node *node) {
    struct check_value v = {.text = node->text, .number = node->number, .count = node->count};
    switch ((enum json_type)node->type) {
    case JSON_OBJECT:
        v.type = CHECK_OBJECT;
        break;
    case JSON_ARRAY:
        v.type = CHECK_LIST;
        break;
    case JSON_STRING:
        v.type = CHECK_TEXT;
        break;
    case JSON_NUMBER:
        v.type = CHECK_NUMBER;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        v.type = CHECK_BOOLEAN;
        v.boolean = node->type == JSON_TRUE;
        break;
    case JSON_NULL:
        v.type = CHECK_NULL;
        break;
    case JSON_ERROR:
    case JSON_END:
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
    case JSON_NAME:
        break;
    }
    return v;
}

static bool keep(void *context, uint32_t node) {
    struct answer *a = context;
    a->nodes[a->node_count++] = node;
    return a->node_count < MANY_MAX;
}

static void ask_json(const struct check *c, const struct check_subject *s, struct answer *a) {
    if (!s->json) {
        a->why = s->json_why ? s->json_why : "the body is no JSON";
        return;
    }
    a->tree = s->json;
    jsonpath_each(c->path, s->json, 0, keep, a);
    if (!jsonpath_is_singular(c->path)) {
        a->value = (struct check_value){.type = CHECK_LIST, .count = a->node_count};
        return;
    }
    if (a->node_count == 0)
        return;
    uint32_t node = a->nodes[0];
    a->value = of_node(&s->json->nodes[node]);
    a->node_count = 0;
    if (a->value.type == CHECK_LIST)
        for (uint32_t child = json_tree_first(s->json, node); child != JSON_TREE_NONE && a->node_count < MANY_MAX;
             child = json_tree_next(s->json, child))
            a->nodes[a->node_count++] = child;
}

static void ask_number(const struct check *c, struct slice body, struct answer *a) {
    if (c->from > body.size || body.size - c->from < c->width)
        return;
    uint64_t value = 0;
    for (size_t i = 0; i < c->width; i++)
        value = value << 8 | body.data[c->from + (c->is_little ? c->width - 1 - i : i)];
    unsigned shift = 64 - 8u * c->width;
    a->value.type = CHECK_NUMBER;
    a->value.number = c->is_signed ? (double)((int64_t)(value << shift) >> shift) : (double)value;
}

static void ask(const struct check *c, const struct check_subject *s, struct answer *a) {
    struct slice bytes;
    a->value = (struct check_value){.type = CHECK_NOTHING};
    a->tree = NULL;
    a->node_count = 0;
    a->why = NULL;
    switch (c->query) {
    case CHECK_QUERY_FIELD:
        s->field(s->context, c->row, c->name, &a->value);
        break;
    case CHECK_QUERY_HEADER:
        break; /* each of them, see below */
    case CHECK_QUERY_ATTRIBUTE:
        if (!s->attribute || !s->attribute(s->context, c->name, &a->value))
            a->value.type = CHECK_NOTHING;
        break;
    case CHECK_QUERY_JSON:
        ask_json(c, s, a);
        break;
    case CHECK_QUERY_BODY:
        a->value = (struct check_value){.type = CHECK_TEXT, .text = s->body};
        break;
    case CHECK_QUERY_BYTES:
        bytes = slice_skip(s->body, c->from);
        bytes = c->end == SIZE_MAX ? bytes : slice_head(bytes, c->end - c->from);
        a->value = (struct check_value){.type = CHECK_TEXT, .text = bytes};
        break;
    case CHECK_QUERY_NUMBER:
        ask_number(c, s->body, a);
        break;
    }
}

/* -- comparing -- */

/* Headers, attributes and bodies are text by nature: beside a number they count as one. */
static bool as_number(const struct check_value *v, double *ret) {
    if (v->type == CHECK_NUMBER) {
        *ret = v->number;
        return true;
    }
    return v->type == CHECK_TEXT && json_is_valid(v->text, 1) && json_number_to_double(v->text, ret);
}

static bool is_textual(const struct check *c) {
    return c->query == CHECK_QUERY_HEADER || c->query == CHECK_QUERY_ATTRIBUTE || c->query == CHECK_QUERY_BODY;
}

static bool equal(const struct check *c, const struct check_value *a, const struct check_value *b) {
    double x, y;
    if (a->type != b->type) {
        bool mixed = (a->type == CHECK_TEXT && b->type == CHECK_NUMBER) || (a->type == CHECK_NUMBER && b->type == CHECK_TEXT);
        return mixed && is_textual(c) && as_number(a, &x) && as_number(b, &y) && x == y;
    }
    switch (a->type) {
    case CHECK_NOTHING:
    case CHECK_LIST:
    case CHECK_OBJECT:
        return false;
    case CHECK_NULL:
        return true;
    case CHECK_BOOLEAN:
        return a->boolean == b->boolean;
    case CHECK_NUMBER:
        return a->number == b->number;
    case CHECK_TEXT:
        return slice_equal(a->text, b->text);
    }
    return false;
}

/* -1, 0, 1; 2: they have no order. */
static int order(const struct check *c, const struct check_value *a, const struct check_value *b) {
    double x, y;
    if (a->type == CHECK_TEXT && b->type == CHECK_TEXT) {
        int by_bytes = slice_compare(a->text, b->text);
        return by_bytes < 0 ? -1 : by_bytes > 0;
    }
    if ((a->type == CHECK_NUMBER && b->type == CHECK_NUMBER) || is_textual(c))
        if (as_number(a, &x) && as_number(b, &y))
            return x < y ? -1 : x > y;
    return 2;
}

static bool contains(const struct check *c, const struct answer *a, const struct check_value *wanted) {
    if (a->value.type == CHECK_LIST) {
        for (uint32_t i = 0; i < a->node_count; i++) {
            struct check_value each = of_node(&a->tree->nodes[a->nodes[i]]);
            if (equal(c, &each, wanted))
                return true;
        }
        return false;
    }
    struct slice text = a->value.text, part = wanted->text;
    return a->value.type == CHECK_TEXT && (part.size == 0 || (text.size >= part.size && memmem(text.data, text.size, part.data, part.size)));
}

/* -- predicates -- */

#define PREDICATE(name) static bool name(const struct check *c, const struct answer *a, const struct check_value *wanted)
#define UNUSED ((void)c, (void)a, (void)wanted)

PREDICATE(is_true) {
    UNUSED;
    return a->value.type == CHECK_BOOLEAN && a->value.boolean;
}
PREDICATE(is_equal) {
    return equal(c, &a->value, wanted);
}
PREDICATE(is_unequal) {
    return a->value.type != CHECK_NOTHING && !equal(c, &a->value, wanted);
}
PREDICATE(is_less) {
    return order(c, &a->value, wanted) == -1;
}
PREDICATE(is_at_most) {
    int by = order(c, &a->value, wanted);
    return by == -1 || by == 0;
}
PREDICATE(is_greater) {
    return order(c, &a->value, wanted) == 1;
}
PREDICATE(is_at_least) {
    int by = order(c, &a->value, wanted);
    return by == 1 || by == 0;
}
PREDICATE(starts) {
    UNUSED;
    return a->value.type == CHECK_TEXT && slice_starts(a->value.text, wanted->text);
}
PREDICATE(ends) {
    UNUSED;
    struct slice text = a->value.text, tail = wanted->text;
    return a->value.type == CHECK_TEXT && text.size >= tail.size && slice_equal(slice_skip(text, text.size - tail.size), tail);
}
PREDICATE(matches) {
    struct regex *regex = c->values->regex, *made = NULL;
    if (a->value.type != CHECK_TEXT || (!regex && regex_new(wanted->text, REGEX_SEARCH, &made, NULL) != STATUS_OK))
        return false;
    bool yes = regex_match(regex ? regex : made, a->value.text, NULL) == REGEX_YES;
    regex_free(made);
    return yes;
}
PREDICATE(is_in) {
    for (size_t i = 0; i < c->value_count; i++)
        if (equal(c, &a->value, &wanted[i]))
            return true;
    return false;
}
PREDICATE(exists) {
    UNUSED;
    return a->value.type != CHECK_NOTHING;
}
PREDICATE(is_empty) {
    UNUSED;
    bool is_group = a->value.type == CHECK_LIST || a->value.type == CHECK_OBJECT;
    return (a->value.type == CHECK_TEXT && a->value.text.size == 0) || (is_group && a->value.count == 0);
}
PREDICATE(is_string) {
    UNUSED;
    return a->value.type == CHECK_TEXT;
}
PREDICATE(is_number) {
    UNUSED;
    return a->value.type == CHECK_NUMBER;
}
PREDICATE(is_integer) {
    UNUSED;
    return a->value.type == CHECK_NUMBER && floor(a->value.number) == a->value.number;
}
PREDICATE(is_boolean) {
    UNUSED;
    return a->value.type == CHECK_BOOLEAN;
}
PREDICATE(is_list) {
    UNUSED;
    return a->value.type == CHECK_LIST;
}
PREDICATE(is_object) {
    UNUSED;
    return a->value.type == CHECK_OBJECT;
}
PREDICATE(is_null) {
    UNUSED;
    return a->value.type == CHECK_NULL;
}
PREDICATE(is_uuid) {
    UNUSED;
    uint8_t uuid[16];
    return a->value.type == CHECK_TEXT && uuid_parse(a->value.text, uuid);
}
PREDICATE(is_time) {
    UNUSED;
    int64_t seconds;
    int32_t nanos;
    return a->value.type == CHECK_TEXT && timestamp_parse(a->value.text, &seconds, &nanos);
}

const struct check_predicate check_predicates[] = {
    [CHECK_IS_TRUE] = {"is true", CHECK_OPERAND_NONE, is_true},
    [CHECK_EQUAL] = {"==", CHECK_OPERAND_ANY, is_equal},
    {"!=", CHECK_OPERAND_ANY, is_unequal},
    {"<", CHECK_OPERAND_NUMBER, is_less},
    {"<=", CHECK_OPERAND_NUMBER, is_at_most},
    {">", CHECK_OPERAND_NUMBER, is_greater},
    {">=", CHECK_OPERAND_NUMBER, is_at_least},
    {"contains", CHECK_OPERAND_TEXT, contains},
    {"startsWith", CHECK_OPERAND_TEXT, starts},
    {"endsWith", CHECK_OPERAND_TEXT, ends},
    {"matches", CHECK_OPERAND_REGEX, matches},
    {"in", CHECK_OPERAND_LIST, is_in},
    {"exists", CHECK_OPERAND_NONE, exists},
    {"isEmpty", CHECK_OPERAND_NONE, is_empty},
    {"isString", CHECK_OPERAND_NONE, is_string},
    {"isNumber", CHECK_OPERAND_NONE, is_number},
    {"isInteger", CHECK_OPERAND_NONE, is_integer},
    {"isBoolean", CHECK_OPERAND_NONE, is_boolean},
    {"isList", CHECK_OPERAND_NONE, is_list},
    {"isObject", CHECK_OPERAND_NONE, is_object},
    {"isNull", CHECK_OPERAND_NONE, is_null},
    {"isUuid", CHECK_OPERAND_NONE, is_uuid},
    {"isTime", CHECK_OPERAND_NONE, is_time},
};
const size_t check_predicate_count = sizeof check_predicates / sizeof *check_predicates;

/* -- words -- */

static bool is_printable(struct slice text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return text_is_utf8(text);
}

static void show_number(const struct check_value *v, char *out, size_t size) {
    static const struct {
        double least, factor;
        const char *unit;
    } times[] = {{1e9, 1e9, "s"}, {1e6, 1e6, "ms"}, {0, 1e3, "us"}};
    size_t row = 0;
    if (v->text.size)
        snprintf(out, size, "%.*s", (int)(v->text.size < 60 ? v->text.size : 60), (const char *)v->text.data);
    else if (v->unit == CHECK_NS) {
        while (v->number < times[row].least)
            row++;
        snprintf(out, size, "%.4g%s", v->number / times[row].factor, times[row].unit);
    } else
        snprintf(out, size, "%.15g%s", v->number, v->unit == CHECK_BYTES ? "B" : v->unit == CHECK_PERCENT ? "%" : "");
}

static void show_text(struct slice text, char *out, size_t size) {
    bool printable = is_printable(text);
    size_t shown = printable ? 120 : 24, at = 0;
    struct slice head = slice_head(text, shown);
    if (printable)
        snprintf(out, size, "\"%.*s\"%s", SLICE_ARG(head), text.size > shown ? "..." : "");
    else {
        at = (size_t)snprintf(out, size, "hex");
        for (size_t i = 0; i < head.size; i++)
            at += (size_t)snprintf(out + at, size - at, " %02x", head.data[i]);
        snprintf(out + at, size - at, "%s", text.size > shown ? " ..." : "");
    }
}

static void show(const struct check_value *v, char *out, size_t size) {
    switch (v->type) {
    case CHECK_NOTHING:
        snprintf(out, size, "nothing");
        break;
    case CHECK_NULL:
        snprintf(out, size, "null");
        break;
    case CHECK_BOOLEAN:
        snprintf(out, size, "%s", v->boolean ? "true" : "false");
        break;
    case CHECK_NUMBER:
        show_number(v, out, size);
        break;
    case CHECK_TEXT:
        show_text(v->text, out, size);
        break;
    case CHECK_LIST:
    case CHECK_OBJECT:
        snprintf(out, size, "%s of %u", v->type == CHECK_LIST ? "a list" : "an object", v->count);
        break;
    }
}

static void show_wanted(const struct check *c, const struct check_value *wanted, char *out, size_t size) {
    bool is_equal_only = c->predicate == &check_predicates[CHECK_EQUAL];
    size_t at = (size_t)snprintf(out, size, "%s%s", c->negated ? "not " : "", is_equal_only ? "" : c->predicate->name);
    for (size_t i = 0; i < c->value_count && at < size; i++) {
        char each[CHECK_WORDS_MAX];
        show(&wanted[i], each, sizeof each);
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : is_equal_only ? "" : " ", each);
    }
}

/* -- one check -- */

static enum status fill_in(const struct check *c, const struct variables *variables, struct buffer *room,
                           struct check_value *wanted, struct check_difference *difference) {
    for (size_t i = 0; i < c->value_count; i++) {
        struct json_node node;
        struct fault fault = {0};
        wanted[i] = c->values[i].value;
        if (!c->values[i].has_variables)
            continue;
        enum status status = expand_value(wanted[i].text, variables, room, &node, &fault);
        if (status != STATUS_OK) {
            snprintf(difference->found, sizeof difference->found, "%.*s", CHECK_WORDS_MAX - 1, fault.text);
            return status;
        }
        wanted[i] = of_node(&node);
    }
    return STATUS_OK;
}

/* Each header of the name: one that fits is enough. Leaves the first in `a`, for words. */
static bool any_header_holds(const struct check *c, const struct check_subject *s, struct answer *a, const struct check_value *wanted) {
    bool yes = false;
    for (unsigned n = 0; n < CHECK_HEADERS_MAX && !yes; n++) {
        struct answer each = {.value = {.type = CHECK_TEXT}};
        if (!s->header || !s->header(s->context, c->name, n, &each.value.text)) {
            if (n == 0)
                yes = c->predicate->holds(c, a, wanted); /* there is none */
            break;
        }
        yes = c->predicate->holds(c, &each, wanted);
        if (n == 0 || yes)
            a->value = each.value;
    }
    return yes;
}

enum status check_run(const struct check *check, const struct check_subject *subject, const struct variables *variables,
                      struct check_difference *difference) {
    struct buffer room;
    struct check_value wanted[CHECK_LIST_MAX];
    struct answer answer;
    /* A reservation up front: values that were made before must not move. */
    buffer_init(&room, EXPANDED_MAX);
    buffer_reserve(&room, EXPANDED_MAX);
    enum status status = fill_in(check, variables, &room, wanted, difference);
    if (status == STATUS_OK) {
        ask(check, subject, &answer);
        bool yes = check->query == CHECK_QUERY_HEADER ? any_header_holds(check, subject, &answer, wanted)
                                                      : check->predicate->holds(check, &answer, wanted);
        status = yes != check->negated ? STATUS_OK : STATUS_REJECTED;
    }
    difference->offset = check->value_at;
    snprintf(difference->query, sizeof difference->query, "%.*s", (int)(check->asked.size < 120 ? check->asked.size : 120),
             (const char *)check->asked.data);
    if (status == STATUS_REJECTED) {
        show_wanted(check, wanted, difference->wanted, sizeof difference->wanted);
        show(&answer.value, difference->found, sizeof difference->found);
        if (answer.why)
            snprintf(difference->found, sizeof difference->found, "nothing: %.*s", CHECK_WORDS_MAX - 20, answer.why);
    }
    buffer_done(&room);
    return status;
}
