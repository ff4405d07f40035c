/* Inside checks only: what the grammar (check_parse.c) makes for check.c. */
#ifndef TESTING_CHECK_INNER_H
#define TESTING_CHECK_INNER_H

#include "testing/check.h"

enum check_query {
    CHECK_QUERY_FIELD,
    CHECK_QUERY_HEADER,
    CHECK_QUERY_ATTRIBUTE,
    CHECK_QUERY_JSON,
    CHECK_QUERY_BODY,
    CHECK_QUERY_BYTES,
    CHECK_QUERY_NUMBER, /* in the bytes */
};

/* What the predicate wants behind it. */
enum check_operand {
    CHECK_OPERAND_NONE,
    CHECK_OPERAND_ANY,
    CHECK_OPERAND_NUMBER, /* or text, by order */
    CHECK_OPERAND_TEXT,
    CHECK_OPERAND_REGEX,
    CHECK_OPERAND_LIST,
};

struct answer;
struct check;

/* A row of the table of predicates; the first two have a place of their own, what comes behind has none. */
struct check_predicate {
    const char *name;
    enum check_operand operand;
    /* `wanted`: the values, variables filled in. */
    bool (*holds)(const struct check *check, const struct answer *answer, const struct check_value *wanted);
};
#define CHECK_IS_TRUE 0 /* without a predicate */
#define CHECK_EQUAL 1
extern const struct check_predicate check_predicates[];
extern const size_t check_predicate_count;

/* A value as written; `value.text` may have variables in it. */
struct check_literal {
    struct check_value value;
    bool has_variables;
    struct regex *regex;
};

struct check {
    struct slice line;
    enum check_query query;
    const struct check_field *field;
    size_t row;
    struct slice name; /* header, attribute, or the field's argument */
    struct slice asked;
    struct jsonpath *path;
    size_t from, end;  /* of bytes */
    uint8_t width;     /* of a number: bytes */
    bool is_signed, is_little;
    bool negated;
    const struct check_predicate *predicate;
    size_t value_at;
    struct check_literal *values; /* one, or a list */
    size_t value_count;
};

#endif
