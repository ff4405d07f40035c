/* What a query finds. Each node goes through the segments to their end before the next one begins: the order is that of
 * RFC 9535 section 2.1.2, and no list of nodes is ever held. */
#include "base/text.h"
#include "testing/iregexp.h"
#include "testing/jsonpath_inner.h"

struct evaluation {
    const struct json_tree *tree;
    uint64_t work;
};

/* Nodes go on into `found`; false: no more are wanted. */
struct walk {
    struct evaluation *evaluation;
    jsonpath_found *found;
    void *context;
};

static bool holds(struct evaluation *e, const struct jsonpath_expression *x, uint32_t current);
static bool walk_segments(const struct walk *w, const struct jsonpath_segment *segment, uint32_t node);

static bool spend(struct evaluation *e) {
    if (e->work == 0)
        return false;
    e->work--;
    return true;
}

static void walk_query(struct evaluation *e, const struct jsonpath_query *query, uint32_t current,
                       jsonpath_found *found, void *context) {
    struct walk w = {e, found, context};
    walk_segments(&w, query->segments, query->is_relative ? current : JSON_TREE_ROOT);
}

/* -- values -- */

struct value {
    const struct json_node *node; /* NULL: Nothing */
    const struct json_tree *tree; /* NULL: `node` has no children */
    uint32_t index;
    struct json_node made;
};

struct picked {
    uint32_t node;
    uint64_t count;
};

static bool pick_first(void *context, uint32_t node) {
    struct picked *picked = context;
    picked->node = node;
    picked->count++;
    return false;
}

/* Stops at the second, if only a single one would count. */
static bool pick_only(void *context, uint32_t node) {
    struct picked *picked = context;
    picked->node = node;
    return ++picked->count < 2;
}

static bool pick_count(void *context, uint32_t node) {
    (void)node;
    ((struct picked *)context)->count++;
    return true;
}

static void number(struct value *v, double value) {
    v->made = (struct json_node){.type = JSON_NUMBER, .number = value};
    v->node = &v->made;
    v->tree = NULL;
}

static void value_of(struct evaluation *e, const struct jsonpath_expression *x, uint32_t current,
                     struct value *v);

static void found_at(struct evaluation *e, uint32_t node, struct value *v) {
    v->node = &e->tree->nodes[node];
    v->tree = e->tree;
    v->index = node;
}

/* Section 2.4.4: characters of a string, children of an array or object; else Nothing. */
static void length(struct value *v) {
    if (!v->node)
        return;
    if (v->node->type == JSON_STRING) {
        uint32_t point;
        uint64_t count = 0;
        for (struct slice rest = v->node->text; rest.size > 0; count++)
            rest = slice_skip(rest, text_utf8_next(rest, &point));
        number(v, (double)count);
    } else if (v->node->type == JSON_ARRAY || v->node->type == JSON_OBJECT)
        number(v, v->node->count);
    else
        v->node = NULL;
}

static void call_value(struct evaluation *e, const struct jsonpath_expression *x, uint32_t current,
                       struct value *v) {
    struct picked picked = {0};
    if (x->function == JSONPATH_LENGTH) {
        value_of(e, x->left, current, v);
        length(v);
    } else if (x->function == JSONPATH_COUNT) {
        walk_query(e, x->left->query, current, pick_count, &picked);
        number(v, (double)picked.count);
    } else { /* value() */
        walk_query(e, x->left->query, current, pick_only, &picked);
        if (picked.count == 1)
            found_at(e, picked.node, v);
    }
}

static void value_of(struct evaluation *e, const struct jsonpath_expression *x, uint32_t current,
                     struct value *v) {
    struct picked picked = {0};
    v->node = NULL;
    v->tree = NULL;
    if (x->type == JSONPATH_LITERAL)
        v->node = &x->literal;
    else if (x->type == JSONPATH_CALL)
        call_value(e, x, current, v);
    else {
        walk_query(e, x->query, current, pick_first, &picked);
        if (picked.count)
            found_at(e, picked.node, v);
    }
}

static bool equal(struct evaluation *e, const struct value *a, const struct value *b) {
    if (!a->node || !b->node)
        return !a->node && !b->node;
    if (a->node->type != b->node->type)
        return false;
    if (a->node->type == JSON_ARRAY || a->node->type == JSON_OBJECT)
        return json_tree_equal(a->tree, a->index, b->tree, b->index, &e->work);
    if (a->node->type == JSON_NUMBER)
        return a->node->number == b->node->number;
    return a->node->type != JSON_STRING || slice_equal(a->node->text, b->node->text);
}

/* Only numbers and strings have an order (section 2.3.5.2.2). UTF-8 sorts as its code points do. */
static bool less(const struct value *a, const struct value *b) {
    if (!a->node || !b->node || a->node->type != b->node->type)
        return false;
    if (a->node->type == JSON_NUMBER)
        return a->node->number < b->node->number;
    return a->node->type == JSON_STRING && slice_compare(a->node->text, b->node->text) < 0;
}

static bool compare(struct evaluation *e, const struct jsonpath_expression *x, uint32_t current) {
    struct value a, b;
    value_of(e, x->left, current, &a);
    value_of(e, x->right, current, &b);
    switch (x->comparison) {
    case JSONPATH_EQUAL:
        return equal(e, &a, &b);
    case JSONPATH_UNEQUAL:
        return !equal(e, &a, &b);
    case JSONPATH_LESS:
        return less(&a, &b);
    case JSONPATH_LESS_EQUAL:
        return less(&a, &b) || equal(e, &a, &b);
    case JSONPATH_GREATER:
        return less(&b, &a);
    case JSONPATH_GREATER_EQUAL:
        return less(&b, &a) || equal(e, &a, &b);
    }
    return false;
}

/* -- match() and search() -- */

struct regex *jsonpath_regex(struct slice pattern, enum jsonpath_function function) {
    struct buffer words;
    struct regex *regex = NULL;
    buffer_init(&words, REGEX_PATTERN_MAX);
    if (iregexp_translate(pattern, &words, NULL) &&
        regex_new(buffer_slice(&words), function == JSONPATH_MATCH ? REGEX_WHOLE : REGEX_SEARCH, &regex,
                  NULL) != STATUS_OK)
        regex = NULL;
    buffer_done(&words);
    return regex;
}

static bool matches(struct evaluation *e, const struct jsonpath_expression *x, uint32_t current) {
    struct value text, pattern;
    value_of(e, x->left, current, &text);
    if (!text.node || text.node->type != JSON_STRING)
        return false;
    if (x->regex)
        return regex_match(x->regex, text.node->text, NULL) == REGEX_YES;
    value_of(e, x->right, current, &pattern);
    if (!pattern.node || pattern.node->type != JSON_STRING)
        return false;
    struct regex *regex = jsonpath_regex(pattern.node->text, x->function);
    bool yes = regex && regex_match(regex, text.node->text, NULL) == REGEX_YES;
    regex_free(regex);
    /* Compiling one costs far more than looking at a node. */
    e->work -= e->work < 100 ? e->work : 100;
    return yes;
}

/* -- conditions -- */

static bool holds(struct evaluation *e, const struct jsonpath_expression *x, uint32_t current) {
    struct picked picked = {0};
    for (; x->type == JSONPATH_OR || x->type == JSONPATH_AND; x = x->right) /* a chain leans to the right */
        if (holds(e, x->left, current) == (x->type == JSONPATH_OR))
            return x->type == JSONPATH_OR;
    if (x->type == JSONPATH_NOT)
        return !holds(e, x->left, current);
    if (x->type == JSONPATH_COMPARE)
        return compare(e, x, current);
    if (x->type == JSONPATH_CALL)
        return matches(e, x, current);
    walk_query(e, x->query, current, pick_first, &picked);
    return picked.count > 0;
}

/* -- selectors -- */

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static bool take(const struct walk *w, const struct jsonpath_segment *segment, uint32_t child) {
    return spend(w->evaluation) && walk_segments(w, segment->next, child);
}

/* Section 2.3.4.2.2. Elements have no constant size, so a step backwards is counted from the front each time. */
static bool slice_selector(const struct walk *w, const struct jsonpath_segment *segment,
                           const struct jsonpath_selector *s, uint32_t node) {
    const struct json_tree *tree = w->evaluation->tree;
    int64_t size = tree->nodes[node].count;
    if (s->step == 0)
        return true;
    bool forward = s->step > 0;
    int64_t start = s->has_start ? s->start : forward ? 0 : size - 1;
    int64_t end = s->has_end ? s->end : forward ? size : -size - 1;
    start = start < 0 ? start + size : start;
    end = end < 0 ? end + size : end;
    start = forward ? clamp(start, 0, size) : clamp(start, -1, size - 1);
    end = forward ? clamp(end, 0, size) : clamp(end, -1, size - 1);
    if (forward) {
        uint32_t child = start < end ? json_tree_element(tree, node, (uint64_t)start) : JSON_TREE_NONE;
        for (int64_t i = start; i < end && child != JSON_TREE_NONE; i++) {
            if ((i - start) % s->step == 0 && !take(w, segment, child))
                return false;
            child = json_tree_next(tree, child);
        }
        return true;
    }
    for (int64_t i = start; i > end; i += s->step) {
        w->evaluation->work -= w->evaluation->work < (uint64_t)i ? w->evaluation->work : (uint64_t)i;
        if (!take(w, segment, json_tree_element(tree, node, (uint64_t)i)))
            return false;
    }
    return true;
}

static bool children(const struct walk *w, const struct jsonpath_segment *segment,
                     const struct jsonpath_selector *s, uint32_t node) {
    const struct json_tree *tree = w->evaluation->tree;
    for (uint32_t child = json_tree_first(tree, node); child != JSON_TREE_NONE;
         child = json_tree_next(tree, child)) {
        if (!spend(w->evaluation))
            return false;
        if ((!s->filter || holds(w->evaluation, s->filter, child)) && !take(w, segment, child))
            return false;
    }
    return true;
}

/* Negative ones count from the end. */
static uint32_t element(const struct json_tree *tree, uint32_t node, int64_t index) {
    index += index < 0 ? (int64_t)tree->nodes[node].count : 0;
    return index < 0 ? JSON_TREE_NONE : json_tree_element(tree, node, (uint64_t)index);
}

static bool select_from(const struct walk *w, const struct jsonpath_segment *segment, uint32_t node) {
    const struct json_tree *tree = w->evaluation->tree;
    for (const struct jsonpath_selector *s = segment->selectors; s; s = s->next) {
        uint32_t child = JSON_TREE_NONE;
        bool more = true;
        if (s->type == JSONPATH_NAME)
            child = json_tree_member(tree, node, s->name);
        else if (s->type == JSONPATH_INDEX)
            child = element(tree, node, s->start);
        else if (s->type == JSONPATH_SLICE)
            more = tree->nodes[node].type != JSON_ARRAY || slice_selector(w, segment, s, node);
        else
            more = children(w, segment, s, node);
        if (!more || (child != JSON_TREE_NONE && !take(w, segment, child)))
            return false;
    }
    return true;
}

static bool walk_segments(const struct walk *w, const struct jsonpath_segment *segment, uint32_t node) {
    if (!segment)
        return w->found(w->context, node);
    if (!segment->is_descendant)
        return select_from(w, segment, node);
    /* The node and all that is in it lie in the order that section 2.5.2.2 asks for. */
    uint32_t end = w->evaluation->tree->nodes[node].end;
    for (uint32_t each = node; each < end; each++)
        if (!spend(w->evaluation) || !select_from(w, segment, each))
            return false;
    return true;
}

enum status jsonpath_each(const struct jsonpath *path, const struct json_tree *tree, uint64_t work_max,
                          jsonpath_found *found, void *context) {
    struct evaluation e = {tree, work_max ? work_max : JSONPATH_WORK_MAX};
    walk_query(&e, &path->query, JSON_TREE_ROOT, found, context);
    return e.work > 0 ? STATUS_OK : STATUS_TOO_LARGE;
}

uint32_t jsonpath_first(const struct jsonpath *path, const struct json_tree *tree) {
    struct picked picked = {.node = JSON_TREE_NONE};
    jsonpath_each(path, tree, 0, pick_first, &picked);
    return picked.node;
}

/* -- normalized paths -- */

static void write_name(struct slice name, struct buffer *out) {
    static const char plain[] = "\bb\tt\nn\ff\rr''\\\\";
    for (size_t i = 0; i < name.size; i++) {
        const char *at = name.data[i] ? strchr(plain, name.data[i]) : NULL;
        if (at && (at - plain) % 2 == 0) {
            buffer_add_byte(out, '\\');
            buffer_add_byte(out, (uint8_t)at[1]);
        } else if (name.data[i] < 0x20)
            buffer_add_format(out, "\\u%04x", name.data[i]);
        else
            buffer_add_byte(out, name.data[i]);
    }
}

void jsonpath_write(const struct json_tree *tree, uint32_t node, struct buffer *out) {
    uint32_t chain[JSON_DEPTH_LIMIT + 1];
    size_t depth = 0;
    for (; node != JSON_TREE_ROOT && depth < sizeof chain / sizeof *chain; node = tree->nodes[node].parent)
        chain[depth++] = node;
    buffer_add_byte(out, '$');
    while (depth > 0) {
        const struct json_node *step = &tree->nodes[chain[--depth]];
        if (!step->is_member) {
            buffer_add_format(out, "[%u]", step->index);
            continue;
        }
        buffer_add_text(out, "['");
        write_name(step->name, out);
        buffer_add_text(out, "']");
    }
}
