/* The grammar of RFC 9535 by descent, and which types may stand where (section 2.4.3). */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "testing/jsonpath_inner.h"

#define INTEGER_MAX 9007199254740991 /* section 2.1: I-JSON's exact range */

struct parser {
    struct slice text;
    size_t at;
    unsigned depth;
    struct arena *arena;
    struct jsonpath *path;
    struct jsonpath_fault *fault;
    enum status status;
};

typedef struct jsonpath_expression expression; /* short for a long word that stands in each line below */

static bool fail(struct parser *p, enum status status, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool fail(struct parser *p, enum status status, size_t at, const char *format, ...) {
    if (p->status != STATUS_OK)
        return false;
    p->status = status;
    p->fault->offset = at;
    va_list list;
    va_start(list, format);
    vsnprintf(p->fault->text, sizeof p->fault->text, format, list);
    va_end(list);
    return false;
}

static bool wrong(struct parser *p, const char *what) {
    return fail(p, STATUS_BAD_CONFIG, p->at, "%s", what);
}

static void *make(struct parser *p, size_t size) {
    void *made = arena_new(p->arena, size);
    if (!made)
        fail(p, STATUS_NO_MEMORY, p->at, "out of memory");
    return made;
}

static bool enter(struct parser *p) {
    if (++p->depth <= JSONPATH_NESTING_MAX)
        return true;
    return fail(p, STATUS_TOO_LARGE, p->at, "nested deeper than %d levels", JSONPATH_NESTING_MAX);
}

/* -- characters -- */

static int peek(const struct parser *p) {
    return p->at < p->text.size ? p->text.data[p->at] : -1;
}

static bool eat(struct parser *p, const char *token) {
    if (!slice_starts(slice_skip(p->text, p->at), slice_from(token)))
        return false;
    p->at += strlen(token);
    return true;
}

static void space(struct parser *p) {
    while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
        p->at++;
}

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static bool is_name_first(int c) {
    return c == '_' || c >= 0x80 || (c > 0 && text_is_alpha((uint8_t)c));
}

/* -- literals -- */

/* int: 0, or without a leading zero; -0 is none. */
static bool integer(struct parser *p, int64_t *ret) {
    size_t start = p->at;
    bool negative = eat(p, "-");
    size_t first = p->at;
    while (is_digit(peek(p)))
        p->at++;
    struct slice digits = slice_make(p->text.data + first, p->at - first);
    uint64_t value;
    bool plain = digits.size > 0 && (digits.data[0] != '0' || (digits.size == 1 && !negative));
    if (!plain || !text_to_u64(digits, &value) || value > INTEGER_MAX)
        return fail(p, STATUS_BAD_CONFIG, start, "not an integer within ±(2^53 - 1), without leading zeros");
    *ret = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* The text between two quotes with its escapes resolved: as JSON's, after \' has lost its backslash. */
static bool string(struct parser *p, struct slice *ret) {
    uint8_t quote = (uint8_t)peek(p);
    size_t start = ++p->at;
    bool has_escapes = false;
    for (; peek(p) != quote; p->at++) {
        if (peek(p) < 0x20)
            return wrong(p, peek(p) < 0 ? "a string without its end"
                                        : "a control character; write it as an escape");
        if (peek(p) != '\\')
            continue;
        has_escapes = true;
        int c = ++p->at < p->text.size ? p->text.data[p->at] : -1;
        if (c < 0 || !(c == quote || strchr("bfnrtu/\\", c)) || c == 0)
            return wrong(p, "no such escape");
        if (c == 'u')
            for (int i = 0; i < 4; i++)
                if (++p->at >= p->text.size || text_hex_value(p->text.data[p->at]) < 0)
                    return wrong(p, "\\u wants four hexadecimal digits");
    }
    struct slice raw = slice_make(p->text.data + start, p->at - start);
    p->at++;
    *ret = raw;
    if (!has_escapes)
        return true;
    uint8_t *plain = make(p, raw.size), *out = plain ? make(p, raw.size) : NULL;
    if (!out)
        return false;
    size_t size = 0;
    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] == '\\' && raw.data[i + 1] == '\'')
            continue;
        plain[size++] = raw.data[i];
        if (raw.data[i] == '\\')
            plain[size++] = raw.data[++i];
    }
    size = json_unescape(out, slice_make(plain, size));
    if (size == SIZE_MAX)
        return fail(p, STATUS_BAD_CONFIG, start, "a lone surrogate is no text");
    *ret = slice_make(out, size);
    return true;
}

/* number = (int / "-0") [frac] [exp] */
static bool number(struct parser *p, struct json_node *ret) {
    size_t start = p->at;
    eat(p, "-");
    while (is_digit(peek(p)) || peek(p) == '.' || peek(p) == 'e' || peek(p) == 'E' || peek(p) == '+' ||
           peek(p) == '-')
        p->at++;
    ret->type = JSON_NUMBER;
    ret->text = slice_make(p->text.data + start, p->at - start);
    if (!json_is_valid(ret->text, 0) || !json_number_to_double(ret->text, &ret->number))
        return fail(p, STATUS_BAD_CONFIG, start, "not a number");
    return true;
}

/* 1: a literal, 0: something else, -1: failed. */
static int literal(struct parser *p, struct json_node *ret) {
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};
    int c = peek(p);
    if (c == '"' || c == '\'') {
        ret->type = JSON_STRING;
        return string(p, &ret->text) ? 1 : -1;
    }
    if (c == '-' || is_digit(c))
        return number(p, ret) ? 1 : -1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (eat(p, words[i].word)) {
            ret->type = (uint8_t)words[i].type;
            return 1;
        }
    return 0;
}

/* -- selectors and segments -- */

static expression *logical_or(struct parser *p);

static bool slice_parts(struct parser *p, struct jsonpath_selector *s) {
    s->type = JSONPATH_SLICE;
    s->step = 1;
    space(p);
    if (peek(p) == '-' || is_digit(peek(p))) {
        s->has_end = true;
        if (!integer(p, &s->end))
            return false;
        space(p);
    }
    if (!eat(p, ":"))
        return true;
    size_t after = p->at;
    space(p);
    if (peek(p) == '-' || is_digit(peek(p)))
        return integer(p, &s->step);
    p->at = after;
    return true;
}

static struct jsonpath_selector *selector(struct parser *p) {
    struct jsonpath_selector *s = make(p, sizeof *s);
    if (!s)
        return NULL;
    int c = peek(p);
    if (c == '"' || c == '\'') {
        s->type = JSONPATH_NAME;
        return string(p, &s->name) ? s : NULL;
    }
    if (eat(p, "*")) {
        s->type = JSONPATH_WILDCARD;
        return s;
    }
    if (eat(p, "?")) {
        s->type = JSONPATH_FILTER;
        space(p);
        s->filter = logical_or(p);
        return s->filter ? s : NULL;
    }
    s->type = JSONPATH_INDEX;
    if (c == '-' || is_digit(c)) {
        s->has_start = true;
        if (!integer(p, &s->start))
            return NULL;
        size_t after = p->at;
        space(p);
        if (peek(p) != ':') {
            p->at = after;
            return s;
        }
    }
    if (eat(p, ":"))
        return slice_parts(p, s) ? s : NULL;
    wrong(p, "expected a selector: a name in quotes, *, an index, a slice or ?");
    return NULL;
}

static struct jsonpath_selector *bracketed(struct parser *p) {
    struct jsonpath_selector *first = NULL, **last = &first;
    do {
        space(p);
        *last = selector(p);
        if (!*last)
            return NULL;
        last = &(*last)->next;
        space(p);
    } while (eat(p, ","));
    if (eat(p, "]"))
        return first;
    wrong(p, "expected `,` or `]`");
    return NULL;
}

/* A wildcard, or a name without quotes. */
static struct jsonpath_selector *shorthand(struct parser *p) {
    struct jsonpath_selector *s = make(p, sizeof *s);
    if (!s)
        return NULL;
    s->type = eat(p, "*") ? JSONPATH_WILDCARD : JSONPATH_NAME;
    if (s->type == JSONPATH_WILDCARD)
        return s;
    size_t start = p->at;
    if (is_name_first(peek(p)))
        while (is_name_first(peek(p)) || is_digit(peek(p)))
            p->at++;
    if (p->at == start) {
        wrong(p, "expected a name or *");
        return NULL;
    }
    s->name = slice_make(p->text.data + start, p->at - start);
    return s;
}

static bool is_singular(const struct jsonpath_segment *segment) {
    const struct jsonpath_selector *only = segment->selectors;
    return !segment->is_descendant && !only->next &&
           (only->type == JSONPATH_NAME || only->type == JSONPATH_INDEX);
}

/* Behind $ or @. White space before what is no segment belongs to whoever comes next. */
static bool segments(struct parser *p, struct jsonpath_query *query) {
    struct jsonpath_segment **last = &query->segments;
    query->is_singular = true;
    for (unsigned count = 0;; count++) {
        size_t before = p->at;
        space(p);
        if (peek(p) != '.' && peek(p) != '[') {
            p->at = before;
            return true;
        }
        if (count == JSONPATH_SEGMENTS_MAX)
            return fail(p, STATUS_TOO_LARGE, p->at, "more than %d segments", JSONPATH_SEGMENTS_MAX);
        struct jsonpath_segment *segment = make(p, sizeof *segment);
        if (!segment)
            return false;
        segment->is_descendant = eat(p, "..");
        if (segment->is_descendant)
            segment->selectors = eat(p, "[") ? bracketed(p) : shorthand(p);
        else
            segment->selectors = eat(p, ".") ? shorthand(p) : (p->at++, bracketed(p));
        if (!segment->selectors)
            return false;
        query->is_singular = query->is_singular && is_singular(segment);
        *last = segment;
        last = &segment->next;
    }
}

/* -- expressions -- */

static expression *new_expression(struct parser *p, enum jsonpath_expression_type type, size_t at) {
    expression *e = make(p, sizeof *e);
    if (e) {
        e->type = type;
        e->at = at;
    }
    return e;
}

/* What stands at the place of a value, a set of nodes, or a truth. */
static bool is_value(const expression *e) {
    return e->type == JSONPATH_LITERAL || (e->type == JSONPATH_QUERY && e->query->is_singular) ||
           (e->type == JSONPATH_CALL && e->function <= JSONPATH_VALUE);
}

static expression *operand(struct parser *p);

static bool arguments(struct parser *p, expression *call, const char *name, bool wants_nodes, int wanted) {
    expression **into[] = {&call->left, &call->right};
    int count = 0;
    space(p);
    for (; peek(p) != ')'; count++) {
        if (count > 0 && !eat(p, ","))
            return wrong(p, "expected `,` or `)`");
        space(p);
        size_t at = p->at;
        expression *argument = operand(p);
        if (!argument)
            return false;
        space(p);
        if (wants_nodes ? argument->type != JSONPATH_QUERY : !is_value(argument))
            return fail(p, STATUS_BAD_CONFIG, at, "%s() wants %s here", name,
                        wants_nodes
                            ? "a query"
                            : "a value: a literal, a query for one node, or a function that makes one");
        if (count == wanted)
            return fail(p, STATUS_BAD_CONFIG, at, "%s() takes no more than %d", name, wanted);
        *into[count] = argument;
    }
    p->at++;
    return count == wanted || fail(p, STATUS_BAD_CONFIG, p->at, "%s() takes %d, got %d", name, wanted, count);
}

static expression *call(struct parser *p) {
    static const struct {
        const char *name;
        bool wants_nodes;
        int wanted;
    } functions[JSONPATH_FUNCTIONS] = {{"length", false, 1},
                                       {"count", true, 1},
                                       {"value", true, 1},
                                       {"match", false, 2},
                                       {"search", false, 2}};
    expression *e = new_expression(p, JSONPATH_CALL, p->at);
    size_t start = p->at;
    while (peek(p) == '_' || is_digit(peek(p)) || (peek(p) >= 'a' && peek(p) <= 'z'))
        p->at++;
    struct slice name = slice_make(p->text.data + start, p->at - start);
    if (!e || name.size == 0 || !eat(p, "(")) {
        fail(p, STATUS_BAD_CONFIG, start, "expected @, $, a literal or a function");
        return NULL;
    }
    for (unsigned i = 0; i < JSONPATH_FUNCTIONS; i++) {
        if (!slice_is(name, functions[i].name))
            continue;
        e->function = (enum jsonpath_function)i;
        if (!enter(p) || !arguments(p, e, functions[i].name, functions[i].wants_nodes, functions[i].wanted))
            return NULL;
        p->depth--;
        if (i >= JSONPATH_MATCH && e->right->type == JSONPATH_LITERAL &&
            e->right->literal.type == JSON_STRING) {
            e->regex = jsonpath_regex(e->right->literal.text, e->function);
            e->next_regex = p->path->regexes;
            p->path->regexes = e;
        }
        return e;
    }
    fail(p, STATUS_BAD_CONFIG, start, "no function `%.*s`; there are length, count, value, match and search",
         (int)(name.size < 40 ? name.size : 40), (const char *)name.data);
    return NULL;
}

/* A literal, a query or a function. */
static expression *operand(struct parser *p) {
    size_t at = p->at;
    if (peek(p) == '@' || peek(p) == '$') {
        expression *e = new_expression(p, JSONPATH_QUERY, at);
        struct jsonpath_query *query = e ? make(p, sizeof *query) : NULL;
        if (!query)
            return NULL;
        query->is_relative = peek(p) == '@';
        p->at++;
        e->query = query;
        if (!enter(p) || !segments(p, query))
            return NULL;
        p->depth--;
        return e;
    }
    struct json_node value = {0};
    int got = literal(p, &value);
    if (got <= 0)
        return got < 0 ? NULL : call(p);
    expression *e = new_expression(p, JSONPATH_LITERAL, at);
    if (e)
        e->literal = value;
    return e;
}

static bool comparison(struct parser *p, enum jsonpath_comparison *ret) {
    static const char *const signs[] = {"==", "!=", "<=", ">=", "<", ">"};
    static const enum jsonpath_comparison meant[] = {JSONPATH_EQUAL,      JSONPATH_UNEQUAL,
                                                     JSONPATH_LESS_EQUAL, JSONPATH_GREATER_EQUAL,
                                                     JSONPATH_LESS,       JSONPATH_GREATER};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (eat(p, signs[i])) {
            *ret = meant[i];
            return true;
        }
    return false;
}

static expression *compare(struct parser *p, expression *left, enum jsonpath_comparison how) {
    space(p);
    expression *e = new_expression(p, JSONPATH_COMPARE, left->at), *right = e ? operand(p) : NULL;
    if (!right)
        return NULL;
    for (int i = 0; i < 2; i++) {
        const expression *side = i ? right : left;
        if (!is_value(side)) {
            fail(
                p, STATUS_BAD_CONFIG, side->at,
                "only values can be compared: a literal, a query for one node, or length(), count(), value()");
            return NULL;
        }
    }
    e->comparison = how;
    e->left = left;
    e->right = right;
    return e;
}

/* A comparison, or a test: does the query find anything, is the function true? */
static expression *compare_or_test(struct parser *p, bool negated) {
    expression *left = operand(p);
    enum jsonpath_comparison how;
    if (!left)
        return NULL;
    size_t after = p->at;
    space(p);
    if (!negated && comparison(p, &how))
        return compare(p, left, how);
    p->at = after;
    if (left->type == JSONPATH_QUERY)
        left->type = JSONPATH_EXISTS;
    else if (is_value(left)) {
        fail(p, STATUS_BAD_CONFIG, left->at, "a value alone is no condition; compare it");
        return NULL;
    }
    return left;
}

static expression *basic(struct parser *p) {
    size_t at = p->at;
    bool negated = eat(p, "!");
    if (negated)
        space(p);
    expression *e;
    if (eat(p, "(")) {
        space(p);
        e = logical_or(p);
        if (!e)
            return NULL;
        space(p);
        if (!eat(p, ")")) {
            wrong(p, "expected `)`");
            return NULL;
        }
    } else
        e = compare_or_test(p, negated);
    if (!e || !negated)
        return e;
    expression *not = new_expression(p, JSONPATH_NOT, at);
    if (not )
        not ->left = e;
    return not ;
}

/* `parts` joined by `sign`: a chain that leans to the right, so that evaluating it is a loop. */
static expression *joined(struct parser *p, expression *(*part)(struct parser *), const char *sign,
                          enum jsonpath_expression_type type) {
    expression *first = part(p), **tail = &first;
    while (*tail) {
        size_t after = p->at;
        space(p);
        if (!eat(p, sign)) {
            p->at = after;
            return first;
        }
        space(p);
        expression *both = new_expression(p, type, (*tail)->at);
        if (!both)
            return NULL;
        both->left = *tail;
        *tail = both;
        both->right = part(p);
        tail = &both->right;
    }
    return NULL;
}

static expression *logical_and(struct parser *p) {
    return joined(p, basic, "&&", JSONPATH_AND);
}

static expression *logical_or(struct parser *p) {
    if (!enter(p))
        return NULL;
    expression *e = joined(p, logical_and, "||", JSONPATH_OR);
    p->depth--;
    return e;
}

enum status jsonpath_new(struct slice text, struct arena *arena, struct jsonpath **ret,
                         struct jsonpath_fault *fault) {
    struct parser p = {.text = text, .arena = arena, .fault = fault};
    if (text.size > JSONPATH_TEXT_MAX)
        fail(&p, STATUS_TOO_LARGE, 0, "a query of more than %d bytes", JSONPATH_TEXT_MAX);
    else if (!text_is_utf8(text))
        fail(&p, STATUS_BAD_CONFIG, 0, "not UTF-8");
    else if ((p.path = make(&p, sizeof *p.path)) != NULL) {
        if (!eat(&p, "$"))
            wrong(&p, "a query begins with $");
        else if (segments(&p, &p.path->query) && p.at < text.size)
            wrong(&p, "expected `.`, `[` or the end");
    }
    if (p.status != STATUS_OK) {
        jsonpath_free(p.path);
        return p.status;
    }
    *ret = p.path;
    return STATUS_OK;
}

void jsonpath_free(struct jsonpath *path) {
    for (expression *e = path ? path->regexes : NULL; e; e = e->next_regex)
        regex_free(e->regex);
}

bool jsonpath_is_singular(const struct jsonpath *path) {
    return path->query.is_singular;
}
