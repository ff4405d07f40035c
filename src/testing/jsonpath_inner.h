/* Inside JSONPath only: what the grammar (jsonpath_parse.c) makes for the evaluation (jsonpath_eval.c). */
#ifndef TESTING_JSONPATH_INNER_H
#define TESTING_JSONPATH_INNER_H

#include "testing/jsonpath.h"
#include "testing/regex.h"

enum jsonpath_selector_type {
    JSONPATH_NAME,
    JSONPATH_WILDCARD,
    JSONPATH_INDEX,
    JSONPATH_SLICE,
    JSONPATH_FILTER,
};

struct jsonpath_selector {
    enum jsonpath_selector_type type;
    struct slice name; /* unescaped */
    int64_t start; /* also the index */
    int64_t end;
    int64_t step;
    bool has_start, has_end;
    const struct jsonpath_expression *filter;
    struct jsonpath_selector *next;
};

struct jsonpath_segment {
    bool is_descendant;
    struct jsonpath_selector *selectors;
    struct jsonpath_segment *next;
};

struct jsonpath_query {
    bool is_relative; /* begins with @ */
    bool is_singular;
    struct jsonpath_segment *segments;
};

enum jsonpath_function {
    JSONPATH_LENGTH,
    JSONPATH_COUNT,
    JSONPATH_VALUE,
    JSONPATH_MATCH,
    JSONPATH_SEARCH,
    JSONPATH_FUNCTIONS,
};

enum jsonpath_expression_type {
    JSONPATH_OR,
    JSONPATH_AND,
    JSONPATH_NOT,
    JSONPATH_EXISTS, /* `query` finds something */
    JSONPATH_COMPARE,
    JSONPATH_CALL, /* a function */
    JSONPATH_QUERY, /* as an operand or argument */
    JSONPATH_LITERAL,
};

enum jsonpath_comparison {
    JSONPATH_EQUAL,
    JSONPATH_UNEQUAL,
    JSONPATH_LESS,
    JSONPATH_LESS_EQUAL,
    JSONPATH_GREATER,
    JSONPATH_GREATER_EQUAL,
};

struct jsonpath_expression {
    enum jsonpath_expression_type type;
    enum jsonpath_comparison comparison;
    enum jsonpath_function function;
    size_t at;
    struct jsonpath_query *query;
    struct jsonpath_expression *left, *right; /* operands or arguments */
    struct json_node literal;
    struct regex *regex; /* of match() and search() with a literal; NULL where it is no I-Regexp */
    struct jsonpath_expression *next_regex; /* all that have one, for the end */
};

struct jsonpath {
    struct jsonpath_query query;
    struct jsonpath_expression *regexes;
};

/* I-Regexp to a compiled expression, or NULL. */
struct regex *jsonpath_regex(struct slice pattern, enum jsonpath_function function);

#endif
