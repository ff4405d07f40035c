/* The grammar of CESQL (section 2) by recursive descent. Tightest first: functions; NOT and sign; LIKE, EXISTS, IN;
 * `* / %`; `+ -`; comparisons; AND, OR, XOR on one level. */
#include "policy/cesql_compiler.h"

static bool parse_expression(struct cesql_compiler *compiler, struct cesql_shape *ret);

static void advance(struct cesql_compiler *compiler) {
    compiler->token = cesql_lex_next(&compiler->lexer);
}

static struct cesql_token peek(const struct cesql_compiler *compiler) {
    struct cesql_lexer ahead = compiler->lexer;
    return cesql_lex_next(&ahead);
}

static bool expected(struct cesql_compiler *compiler, const char *what) {
    const struct cesql_token *token = &compiler->token;
    if (token->type == TOKEN_BAD)
        return cesql_fail(compiler, CESQL_ERROR_PARSE, token->at, "%.*s", SLICE_ARG(token->text));
    if (token->type == TOKEN_END)
        return cesql_fail(compiler, CESQL_ERROR_PARSE, token->at, "%s expected, but the expression ends here", what);
    return cesql_fail(compiler, CESQL_ERROR_PARSE, token->at, "%s expected, not `%.*s`", what, SLICE_ARG(token->text));
}

static bool take(struct cesql_compiler *compiler, enum cesql_token_type type, const char *what) {
    if (compiler->token.type != type)
        return expected(compiler, what);
    advance(compiler);
    return true;
}

static bool enter(struct cesql_compiler *compiler) {
    if (compiler->depth == CESQL_DEPTH_MAX)
        return cesql_fail_limit(compiler, compiler->token.at, "more than %d levels inside each other", CESQL_DEPTH_MAX);
    compiler->depth++;
    return true;
}

/* `NOT a = b` is `(NOT a) = b`: hardly ever meant. */
static void lint_bare_not(struct cesql_compiler *compiler, const struct cesql_shape *left) {
    if (left->bare_not)
        cesql_lint(compiler, left->at, "NOT binds tighter than what follows: `NOT a = b` is read as `(NOT a) = b`; "
                                       "write NOT (a = b)");
}

/* -- calls -- */

static bool parse_argument(struct cesql_compiler *compiler, bool literal, struct cesql_token *ret_literal) {
    if (!literal) {
        struct cesql_shape shape;
        return parse_expression(compiler, &shape);
    }
    enum cesql_token_type after = peek(compiler).type;
    if (compiler->token.type != TOKEN_STRING || (after != TOKEN_COMMA && after != TOKEN_CLOSE && after != TOKEN_END))
        return expected(compiler, "a text in quotes");
    *ret_literal = compiler->token;
    advance(compiler);
    return true;
}

static bool parse_call(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    struct cesql_token name = compiler->token;
    enum cesql_function function = cesql_function_find(name.text);
    unsigned wanted = function == CESQL_FUNCTION_COUNT ? 0 : cesql_function_row(function)->literal;
    struct cesql_token literal = {0};
    size_t count = 0;
    advance(compiler);
    advance(compiler); /* the bracket */
    if (compiler->token.type != TOKEN_CLOSE) {
        for (;;) {
            if (++count > CESQL_ARGUMENTS_MAX)
                return cesql_fail_limit(compiler, compiler->token.at, "more than %d arguments", CESQL_ARGUMENTS_MAX);
            if (!parse_argument(compiler, count == wanted, &literal))
                return false;
            if (compiler->token.type != TOKEN_COMMA)
                break;
            advance(compiler);
        }
    }
    if (!take(compiler, TOKEN_CLOSE, "`,` or `)`") || !cesql_emit_call(compiler, &name, function, count, &literal))
        return false;
    ret->type = cesql_function_row(function)->type;
    return true;
}

/* -- operands -- */

static bool parse_exists(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    advance(compiler);
    struct cesql_token name = compiler->token;
    if (name.type != TOKEN_WORD)
        return expected(compiler, name.type == TOKEN_OPEN ? "an attribute's name without brackets"
                                                          : "an attribute's name");
    advance(compiler);
    ret->type = CESQL_BOOLEAN;
    return cesql_emit_exists(compiler, &name);
}

static bool parse_brackets(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    size_t at = ret->at;
    advance(compiler);
    if (!parse_expression(compiler, ret))
        return false;
    ret->at = at;
    ret->bare_not = false;
    return take(compiler, TOKEN_CLOSE, "`)`");
}

static bool parse_literal(struct cesql_compiler *compiler, bool negative, struct cesql_shape *ret) {
    struct cesql_token token = compiler->token;
    advance(compiler);
    ret->literal = true;
    if (token.type == TOKEN_STRING) {
        ret->type = CESQL_STRING;
        return cesql_emit_string(compiler, &token, ret);
    }
    if (token.type == TOKEN_INTEGER) {
        ret->type = CESQL_INTEGER;
        return cesql_emit_integer(compiler, &token, negative);
    }
    ret->type = CESQL_BOOLEAN;
    return cesql_emit(compiler, (struct cesql_op){.code = OP_BOOLEAN, .number = token.type == TOKEN_TRUE}, 0);
}

static bool parse_primary(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    struct cesql_token token = compiler->token;
    switch ((int)token.type) {
    case TOKEN_INTEGER:
    case TOKEN_STRING:
    case TOKEN_TRUE:
    case TOKEN_FALSE: return parse_literal(compiler, false, ret);
    case TOKEN_OPEN: return parse_brackets(compiler, ret);
    case TOKEN_EXISTS: return parse_exists(compiler, ret);
    case TOKEN_WORD:
        if (peek(compiler).type == TOKEN_OPEN)
            return parse_call(compiler, ret);
        advance(compiler);
        return cesql_emit_attribute(compiler, &token, ret);
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_XOR:
    case TOKEN_LIKE:
    case TOKEN_IN:
        return cesql_fail(compiler, CESQL_ERROR_PARSE, token.at,
                          "a value expected, not `%.*s`, which is a word of the language and can't name an attribute",
                          SLICE_ARG(token.text));
    default: return expected(compiler, "a value");
    }
}

static bool parse_unary(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    struct cesql_token token = compiler->token;
    *ret = (struct cesql_shape){.type = CESQL_TYPE_UNKNOWN, .at = token.at, .first_op = compiler->count};
    bool sign = token.type == TOKEN_MINUS || token.type == TOKEN_PLUS;
    if (sign && peek(compiler).type == TOKEN_INTEGER) { /* section 2.2: the sign is part of the literal */
        advance(compiler);
        return parse_literal(compiler, token.type == TOKEN_MINUS, ret);
    }
    if (token.type != TOKEN_NOT && token.type != TOKEN_MINUS)
        return parse_primary(compiler, ret);
    if (!enter(compiler))
        return false;
    size_t first_use = compiler->use_count;
    advance(compiler);
    struct cesql_shape operand;
    if (!parse_unary(compiler, &operand))
        return false;
    compiler->depth--;
    ret->bare_not = token.type == TOKEN_NOT;
    ret->type = ret->bare_not ? CESQL_BOOLEAN : CESQL_INTEGER;
    if (ret->bare_not)
        cesql_mark_risky(compiler, first_use);
    return cesql_emit(compiler, (struct cesql_op){.code = ret->bare_not ? OP_NOT : OP_NEGATE}, 1);
}

/* -- LIKE and IN, after their left operand -- */

static bool parse_like(struct cesql_compiler *compiler, bool negated) {
    struct cesql_token pattern = compiler->token;
    if (pattern.type != TOKEN_STRING)
        return expected(compiler, "a pattern in quotes after LIKE");
    advance(compiler);
    return cesql_emit_like(compiler, &pattern, negated);
}

static bool parse_in(struct cesql_compiler *compiler, bool negated) {
    if (!take(compiler, TOKEN_OPEN, "`(` after IN"))
        return false;
    size_t begin = compiler->count, count = 0;
    bool literals = true;
    if (!cesql_emit(compiler, (struct cesql_op){.code = OP_IN_BEGIN}, 0))
        return false;
    for (;;) {
        struct cesql_shape element;
        if (++count > CESQL_ITEMS_MAX)
            return cesql_fail_limit(compiler, compiler->token.at, "more than %d elements after IN", CESQL_ITEMS_MAX);
        if (!parse_expression(compiler, &element) || !cesql_emit(compiler, (struct cesql_op){.code = OP_IN_NEXT}, 2))
            return false;
        literals = literals && element.literal;
        if (compiler->token.type != TOKEN_COMMA)
            break;
        advance(compiler);
    }
    if (!take(compiler, TOKEN_CLOSE, "`,` or `)`"))
        return false;
    if (literals)
        return cesql_fold_set(compiler, begin, negated);
    return cesql_emit(compiler, (struct cesql_op){.code = OP_IN_END, .small = negated}, 2);
}

static bool parse_tests(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    size_t first_use = compiler->use_count;
    if (!parse_unary(compiler, ret))
        return false;
    for (;;) {
        enum cesql_token_type type = compiler->token.type;
        bool negated = type == TOKEN_NOT;
        if (negated)
            type = peek(compiler).type;
        if (type != TOKEN_LIKE && type != TOKEN_IN)
            return true;
        if (negated)
            advance(compiler);
        advance(compiler);
        lint_bare_not(compiler, ret);
        if (!(type == TOKEN_LIKE ? parse_like(compiler, negated) : parse_in(compiler, negated)))
            return false;
        if (negated)
            cesql_mark_risky(compiler, first_use);
        *ret = (struct cesql_shape){.type = CESQL_BOOLEAN, .at = ret->at, .first_op = ret->first_op};
    }
}

/* -- arithmetic -- */

static enum cesql_code arithmetic(enum cesql_token_type type, bool product) {
    switch ((int)type) {
    case TOKEN_STAR: return product ? OP_MULTIPLY : OP_CALL;
    case TOKEN_SLASH: return product ? OP_DIVIDE : OP_CALL;
    case TOKEN_PERCENT: return product ? OP_MODULO : OP_CALL;
    case TOKEN_PLUS: return product ? OP_CALL : OP_ADD;
    case TOKEN_MINUS: return product ? OP_CALL : OP_SUBTRACT;
    default: return OP_CALL; /* none */
    }
}

static bool parse_arithmetic(struct cesql_compiler *compiler, bool product, struct cesql_shape *ret) {
    if (!(product ? parse_tests(compiler, ret) : parse_arithmetic(compiler, true, ret)))
        return false;
    for (;;) {
        enum cesql_code code = arithmetic(compiler->token.type, product);
        if (code == OP_CALL)
            return true;
        lint_bare_not(compiler, ret);
        advance(compiler);
        struct cesql_shape right;
        if (!(product ? parse_tests(compiler, &right) : parse_arithmetic(compiler, true, &right)) ||
            !cesql_emit(compiler, (struct cesql_op){.code = (uint8_t)code}, 2))
            return false;
        *ret = (struct cesql_shape){.type = CESQL_INTEGER, .at = ret->at, .first_op = ret->first_op};
    }
}

/* -- comparisons -- */

static enum cesql_code comparison(enum cesql_token_type type) {
    switch ((int)type) {
    case TOKEN_EQUAL: return OP_EQUAL;
    case TOKEN_UNEQUAL: return OP_UNEQUAL;
    case TOKEN_LESS: return OP_LESS;
    case TOKEN_LESS_EQUAL: return OP_LESS_EQUAL;
    case TOKEN_GREATER: return OP_GREATER;
    case TOKEN_GREATER_EQUAL: return OP_GREATER_EQUAL;
    default: return OP_CALL; /* none */
    }
}

/* `time < '2026-..'` is a cast error for every message: order is for Integers only. */
static void lint_order(struct cesql_compiler *compiler, const struct cesql_shape *operand) {
    int32_t number;
    if (operand->is_time || (operand->literal && operand->type == CESQL_STRING &&
                             !cesql_text_to_integer(operand->text, &number)))
        cesql_lint(compiler, operand->at, "`<` and its like compare Integers only, so this is always an error; "
                                          "for times there are EPOCH(..) and AGE(..)");
}

static bool parse_comparison(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    size_t first_use = compiler->use_count;
    if (!parse_arithmetic(compiler, false, ret))
        return false;
    for (size_t count = 0;; count++) {
        size_t at = compiler->token.at;
        enum cesql_code code = comparison(compiler->token.type);
        if (code == OP_CALL)
            return true;
        if (count == 1)
            cesql_lint(compiler, at, "`a = b = c` is read as `(a = b) = c`, by others as `a = (b = c)`: use brackets");
        lint_bare_not(compiler, ret);
        advance(compiler);
        struct cesql_shape right;
        if (!parse_arithmetic(compiler, false, &right) ||
            !cesql_emit(compiler, (struct cesql_op){.code = (uint8_t)code}, 2))
            return false;
        if (code == OP_UNEQUAL)
            cesql_mark_risky(compiler, first_use);
        if (code != OP_EQUAL && code != OP_UNEQUAL) {
            lint_order(compiler, ret);
            lint_order(compiler, &right);
        }
        *ret = (struct cesql_shape){.type = CESQL_BOOLEAN, .at = ret->at, .first_op = ret->first_op};
    }
}

/* -- logic -- */

static bool is_logic(enum cesql_token_type type) {
    return type == TOKEN_AND || type == TOKEN_OR || type == TOKEN_XOR;
}

/* The left operand is complete: may it decide? Until the end of the row is known, the jumps are chained by `target`. */
static bool emit_left(struct cesql_compiler *compiler, enum cesql_token_type type, uint32_t *jumps) {
    if (type == TOKEN_XOR)
        return true;
    struct cesql_op op = {.code = type == TOKEN_AND ? OP_AND_LEFT : OP_OR_LEFT, .target = *jumps};
    if (!cesql_emit(compiler, op, 1))
        return false;
    *jumps = (uint32_t)compiler->count - 1;
    compiler->stack--; /* what is left there only if it jumps */
    return true;
}

static void land(struct cesql_compiler *compiler, uint32_t jumps) {
    while (jumps != UINT32_MAX) {
        uint32_t next = compiler->ops[jumps].target;
        compiler->ops[jumps].target = (uint32_t)compiler->count;
        jumps = next;
    }
}

static bool parse_row(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    size_t first_use = compiler->use_count;
    if (!parse_comparison(compiler, ret))
        return false;
    enum cesql_token_type type = compiler->token.type;
    if (!is_logic(type))
        return true;
    uint32_t jumps = UINT32_MAX;
    while (is_logic(compiler->token.type)) {
        if (compiler->token.type != type)
            return cesql_fail(compiler, CESQL_ERROR_PARSE, compiler->token.at,
                              "AND, OR and XOR in one row need brackets: CESQL readers disagree on which goes first");
        if (!emit_left(compiler, type, &jumps))
            return false;
        advance(compiler);
        struct cesql_shape right;
        if (!parse_comparison(compiler, &right))
            return false;
        if (type == TOKEN_XOR && !cesql_emit(compiler, (struct cesql_op){.code = OP_XOR}, 2))
            return false;
    }
    if (type != TOKEN_XOR && !cesql_emit(compiler, (struct cesql_op){.code = OP_TRUTH}, 1))
        return false;
    land(compiler, jumps);
    if (type != TOKEN_AND)
        cesql_mark_risky(compiler, first_use);
    *ret = (struct cesql_shape){.type = CESQL_BOOLEAN, .at = ret->at, .first_op = ret->first_op};
    return true;
}

static bool parse_expression(struct cesql_compiler *compiler, struct cesql_shape *ret) {
    if (!enter(compiler) || !parse_row(compiler, ret))
        return false;
    compiler->depth--;
    return true;
}

bool cesql_parse(struct cesql_compiler *compiler) {
    advance(compiler);
    struct cesql_shape shape;
    if (!parse_expression(compiler, &shape))
        return false;
    if (compiler->token.type != TOKEN_END)
        return expected(compiler, compiler->token.type == TOKEN_CLOSE ? "no further `)`" : "an operator");
    if (shape.type == CESQL_STRING || shape.type == CESQL_INTEGER)
        cesql_lint(compiler, shape.at, "the result is no Boolean, so no message passes");
    return true;
}
