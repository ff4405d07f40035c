/* Compiles CESQL: operations with their limits, names, literals, and the lints. */
#include "policy/cesql_compiler.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/text.h"

/* -- faults and lints -- */

__attribute__((format(printf, 5, 0)))
static void fault_fill(struct cesql_compiler *compiler, enum status status, enum cesql_error error, size_t at,
                       const char *format, va_list arguments) {
    if (compiler->status != STATUS_OK)
        return; /* the first one counts */
    compiler->status = status;
    compiler->fault->error = error;
    compiler->fault->offset = (uint32_t)at;
    (void)vsnprintf(compiler->fault->text, sizeof compiler->fault->text, format, arguments);
}

bool cesql_fail(struct cesql_compiler *compiler, enum cesql_error error, size_t at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fault_fill(compiler, STATUS_BAD_CONFIG, error, at, format, arguments);
    va_end(arguments);
    return false;
}

bool cesql_fail_limit(struct cesql_compiler *compiler, size_t at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fault_fill(compiler, STATUS_TOO_LARGE, CESQL_ERROR_GENERIC, at, format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_memory(struct cesql_compiler *compiler) {
    if (compiler->status == STATUS_OK) {
        compiler->status = STATUS_NO_MEMORY;
        *compiler->fault = (struct cesql_fault){.error = CESQL_ERROR_GENERIC, .text = "out of memory"};
    }
    return false;
}

void cesql_lint(struct cesql_compiler *compiler, size_t at, const char *format, ...) {
    struct cesql_lints *lints = compiler->lints;
    if (!lints)
        return;
    if (lints->count == CESQL_LINTS_MAX) {
        lints->left_off++;
        return;
    }
    struct cesql_lint *lint = &lints->items[lints->count++];
    lint->offset = (uint32_t)at;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(lint->text, sizeof lint->text, format, arguments);
    va_end(arguments);
}

/* -- operations -- */

bool cesql_emit(struct cesql_compiler *compiler, struct cesql_op op, size_t pops) {
    ASSERT(compiler->stack >= pops);
    if (compiler->count == CESQL_OPS_MAX)
        return cesql_fail_limit(compiler, compiler->token.at, "more than %d operations", CESQL_OPS_MAX);
    compiler->stack = compiler->stack - pops + 1;
    if (compiler->stack > CESQL_STACK_MAX)
        return cesql_fail_limit(compiler, compiler->token.at, "more than %d values at once", CESQL_STACK_MAX);
    compiler->ops[compiler->count++] = op;
    return true;
}

/* Section 2.2: a backslash escapes the quote that the literal stands in, and is a plain character elsewhere. */
static bool unescape(struct cesql_compiler *compiler, const struct cesql_token *token, struct slice *ret) {
    uint8_t *out = arena_new(compiler->arena, token->text.size + 1);
    if (!out)
        return fail_memory(compiler);
    size_t size = 0;
    for (size_t i = 0; i < token->text.size; i++) {
        if (token->text.data[i] == '\\' && i + 1 < token->text.size && token->text.data[i + 1] == token->quote)
            i++;
        out[size++] = token->text.data[i];
    }
    *ret = slice_make(out, size);
    return true;
}

bool cesql_emit_string(struct cesql_compiler *compiler, const struct cesql_token *token, struct cesql_shape *ret) {
    if (!unescape(compiler, token, &ret->text))
        return false;
    return cesql_emit(compiler, (struct cesql_op){.code = OP_TEXT, .text = ret->text}, 0);
}

bool cesql_emit_integer(struct cesql_compiler *compiler, const struct cesql_token *token, bool negative) {
    uint64_t value;
    if (!text_to_u64(token->text, &value) || value > (uint64_t)INT32_MAX + negative)
        return cesql_fail(compiler, CESQL_ERROR_PARSE, token->at, "`%.*s` is no 32 bit integer",
                          (int)(token->text.size < 40 ? token->text.size : 40), (const char *)token->text.data);
    int32_t number = (int32_t)(negative ? -(int64_t)value : (int64_t)value);
    return cesql_emit(compiler, (struct cesql_op){.code = OP_INTEGER, .number = number}, 0);
}

bool cesql_emit_like(struct cesql_compiler *compiler, const struct cesql_token *token, bool negated) {
    struct slice text;
    if (!unescape(compiler, token, &text))
        return false;
    uint8_t *pattern = arena_new(compiler->arena, text.size + 1);
    if (!pattern)
        return fail_memory(compiler);
    size_t size = cesql_pattern_like(pattern, text);
    struct cesql_op op = {.code = OP_LIKE, .small = negated, .text = slice_make(pattern, size)};
    return cesql_emit(compiler, op, 1);
}

bool cesql_fold_set(struct cesql_compiler *compiler, size_t begin, bool negated) {
    size_t count = (compiler->count - begin - 1) / 2;
    struct cesql_value *items = arena_array(compiler->arena, count, sizeof *items);
    if (!items)
        return fail_memory(compiler);
    for (size_t i = 0; i < count; i++) {
        const struct cesql_op *op = &compiler->ops[begin + 1 + 2 * i];
        items[i].type = op->code == OP_TEXT ? CESQL_STRING : op->code == OP_INTEGER ? CESQL_INTEGER : CESQL_BOOLEAN;
        if (op->code == OP_TEXT)
            items[i].text = op->text;
        else
            items[i].number = op->number;
    }
    compiler->count = begin;
    compiler->stack--; /* that of OP_IN_BEGIN */
    struct cesql_op op = {.code = OP_IN_SET, .small = negated, .count = (uint16_t)count, .items = items};
    return cesql_emit(compiler, op, 1);
}

/* -- attributes -- */

#define NAME_MAX_SHOWN 40

static const struct attribute_declaration *declared(const struct cesql_options *options, struct slice name) {
    for (size_t i = 0; options->declared && i < options->declared->count; i++)
        if (slice_equal(options->declared->rows[i].name, name))
            return &options->declared->rows[i];
    return NULL;
}

static struct slice nearest_attribute(const struct cesql_compiler *compiler, struct slice name) {
    const struct attribute_declared *extensions = compiler->options->declared;
    struct slice best[2];
    size_t found = 0;
    struct slice known[ATTRIBUTE_COUNT + 1];
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        known[i] = attribute_row((enum attribute)i)->name;
    known[ATTRIBUTE_COUNT] = SLICE_OF("specversion");
    int near = text_nearest(name, known, ATTRIBUTE_COUNT + 1);
    if (near >= 0)
        best[found++] = known[near];
    for (size_t i = 0; extensions && i < extensions->count; i++) {
        best[found] = extensions->rows[i].name;
        near = text_nearest(name, best, found + 1);
        if (near == (int)found) { /* nearer than what there was */
            best[0] = best[found];
            found = 1;
        }
    }
    return found ? best[0] : slice_make(NULL, 0);
}

static bool fail_undeclared(struct cesql_compiler *compiler, size_t at, struct slice name) {
    if (slice_is(name, "data"))
        return cesql_fail(compiler, CESQL_ERROR_MISSING_ATTRIBUTE, at,
                          "`data` is no attribute; DATA('/member') reads JSON data");
    struct slice shown = slice_head(name, NAME_MAX_SHOWN);
    struct slice near = nearest_attribute(compiler, name);
    if (near.data)
        return cesql_fail(compiler, CESQL_ERROR_MISSING_ATTRIBUTE, at,
                          "nobody declares the attribute `%.*s`; did you mean `%.*s`?", SLICE_ARG(shown),
                          SLICE_ARG(near));
    return cesql_fail(compiler, CESQL_ERROR_MISSING_ATTRIBUTE, at,
                      "nobody declares the attribute `%.*s`; `extensions` is the place", SLICE_ARG(shown));
}

struct name {
    struct slice text; /* lower case, in the arena */
    enum attribute known;
    enum attribute_type type;
    bool has_type;
    bool is_specversion;
};

/* The conformance suite asks for `EXISTS SOURCE`: names are taken in lower case. */
static bool resolve(struct cesql_compiler *compiler, const struct cesql_token *token, struct name *ret) {
    if (slice_find(token->text, '_') != token->text.size)
        return cesql_fail(compiler, CESQL_ERROR_PARSE, token->at, "attributes have no `_` in their names");
    if (token->text.size > UINT8_MAX)
        return cesql_fail(compiler, CESQL_ERROR_PARSE, token->at, "this is too long for an attribute's name");
    uint8_t *lower = arena_new(compiler->arena, token->text.size);
    if (!lower)
        return fail_memory(compiler);
    for (size_t i = 0; i < token->text.size; i++)
        lower[i] = text_lower(token->text.data[i]);
    *ret = (struct name){.text = slice_make(lower, token->text.size)};
    ret->is_specversion = slice_is(ret->text, "specversion");
    ret->known = attribute_find(ret->text);
    const struct attribute_declaration *extension = declared(compiler->options, ret->text);
    ret->has_type = ret->known != ATTRIBUTE_OTHER || extension;
    if (ret->has_type)
        ret->type = extension && ret->known == ATTRIBUTE_OTHER ? extension->type : attribute_row(ret->known)->type;
    if (compiler->options->require_declared && !ret->has_type && !ret->is_specversion)
        return fail_undeclared(compiler, token->at, ret->text);
    if (ret->known != ATTRIBUTE_OTHER)
        compiler->reads.attributes |= ATTRIBUTE_BIT(ret->known);
    else if (!ret->is_specversion)
        compiler->reads.others = true;
    return true;
}

static bool is_always_there(const struct name *name) {
    return name->is_specversion || name->known == ATTRIBUTE_ID || name->known == ATTRIBUTE_SOURCE ||
           name->known == ATTRIBUTE_TYPE;
}

bool cesql_emit_attribute(struct cesql_compiler *compiler, const struct cesql_token *token, struct cesql_shape *ret) {
    struct name name;
    if (!resolve(compiler, token, &name))
        return false;
    if (name.is_specversion)
        return cesql_emit(compiler, (struct cesql_op){.code = OP_TEXT, .text = SLICE("1.0")}, 0);
    if (name.has_type) {
        ret->type = name.type == ATTRIBUTE_INTEGER   ? CESQL_INTEGER
                    : name.type == ATTRIBUTE_BOOLEAN ? CESQL_BOOLEAN
                                                     : CESQL_STRING;
        ret->is_time = name.type == ATTRIBUTE_TIMESTAMP;
    }
    bool has_default = name.known == ATTRIBUTE_MESSAGETYPE || name.known == ATTRIBUTE_PRIORITY;
    if (!is_always_there(&name) && !has_default && compiler->use_count < CESQL_USES_MAX)
        compiler->uses[compiler->use_count++] = (struct cesql_use){name.text, token->at, false};
    if (name.known == ATTRIBUTE_OTHER)
        return cesql_emit(compiler, (struct cesql_op){.code = OP_NAMED, .text = name.text}, 0);
    return cesql_emit(compiler, (struct cesql_op){.code = OP_ATTRIBUTE, .small = (uint8_t)name.known}, 0);
}

bool cesql_emit_exists(struct cesql_compiler *compiler, const struct cesql_token *token) {
    struct name name;
    if (!resolve(compiler, token, &name))
        return false;
    if (compiler->exists_count < CESQL_USES_MAX)
        compiler->exists[compiler->exists_count++] = name.text;
    if (is_always_there(&name))
        return cesql_emit(compiler, (struct cesql_op){.code = OP_BOOLEAN, .number = 1}, 0);
    if (name.known == ATTRIBUTE_OTHER)
        return cesql_emit(compiler, (struct cesql_op){.code = OP_EXISTS_NAMED, .text = name.text}, 0);
    return cesql_emit(compiler, (struct cesql_op){.code = OP_EXISTS, .small = (uint8_t)name.known}, 0);
}

void cesql_mark_risky(struct cesql_compiler *compiler, size_t first_use) {
    for (size_t i = first_use; i < compiler->use_count; i++)
        compiler->uses[i].risky = true;
}

static bool has_guard(const struct cesql_compiler *compiler, struct slice name) {
    for (size_t i = 0; i < compiler->exists_count; i++)
        if (slice_equal(compiler->exists[i], name))
            return true;
    return false;
}

static void lint_absence(struct cesql_compiler *compiler) {
    for (size_t i = 0; i < compiler->use_count; i++) {
        const struct cesql_use *use = &compiler->uses[i];
        bool told = false;
        for (size_t j = 0; j < i && !told; j++)
            told = compiler->uses[j].risky && slice_equal(compiler->uses[j].name, use->name);
        if (use->risky && !told && !has_guard(compiler, use->name))
            cesql_lint(compiler, use->at, "a message without `%.*s` never passes, whatever the rest says; "
                                          "guard it: (EXISTS %.*s AND ..)", SLICE_ARG(use->name), SLICE_ARG(use->name));
    }
}

/* -- calls with a literal -- */

static bool add_token(struct cesql_compiler *compiler, struct cesql_pointer *pointer, struct slice raw, size_t at) {
    if (pointer->count == CESQL_TOKENS_MAX)
        return cesql_fail_limit(compiler, at, "more than %d steps in a pointer", CESQL_TOKENS_MAX);
    uint8_t *out = arena_new(compiler->arena, raw.size + 1);
    if (!out)
        return fail_memory(compiler);
    size_t size = 0;
    for (size_t i = 0; i < raw.size; i++) {
        uint8_t c = raw.data[i];
        if (c == '~') { /* RFC 6901 section 3 */
            uint8_t next = i + 1 < raw.size ? raw.data[i + 1] : 0;
            if (next != '0' && next != '1')
                return cesql_fail(compiler, CESQL_ERROR_PARSE, at, "in a pointer `~` is written `~0`, and `/` `~1`");
            c = next == '0' ? '~' : '/';
            i++;
        }
        out[size++] = c;
    }
    pointer->tokens[pointer->count++] = slice_make(out, size);
    return true;
}

static bool read_pointer(struct cesql_compiler *compiler, struct cesql_pointer *pointer, size_t at) {
    struct slice rest = pointer->text;
    if (rest.size && rest.data[0] != '/')
        return cesql_fail(compiler, CESQL_ERROR_PARSE, at, "a JSON pointer begins with `/`, as in '/order/id'");
    while (rest.size) {
        rest = slice_skip(rest, 1);
        size_t size = slice_find(rest, '/');
        if (!add_token(compiler, pointer, slice_head(rest, size), at))
            return false;
        rest = slice_skip(rest, size);
    }
    return true;
}

static bool read_header(struct cesql_compiler *compiler, struct cesql_pointer *pointer, size_t at) {
    if (pointer->text.size == 0)
        return cesql_fail(compiler, CESQL_ERROR_PARSE, at, "a header's name expected");
    if (!add_token(compiler, pointer, SLICE_OF(""), at))
        return false;
    uint8_t *lower = arena_new(compiler->arena, pointer->text.size);
    if (!lower)
        return fail_memory(compiler);
    for (size_t i = 0; i < pointer->text.size; i++)
        lower[i] = text_lower(pointer->text.data[i]);
    pointer->tokens[0] = slice_make(lower, pointer->text.size);
    return true;
}

/* Equal pointers share one place, so each is looked for once a message. */
static bool find_pointer(struct cesql_compiler *compiler, struct slice text, bool header, size_t at, uint32_t *ret) {
    for (size_t i = 0; i < compiler->pointer_count; i++) {
        if (compiler->pointers[i].header == header && slice_equal(compiler->pointers[i].text, text)) {
            *ret = (uint32_t)i;
            return true;
        }
    }
    if (compiler->pointer_count == CESQL_POINTERS_MAX)
        return cesql_fail_limit(compiler, at, "more than %d different pointers and headers", CESQL_POINTERS_MAX);
    struct cesql_pointer *pointer = &compiler->pointers[compiler->pointer_count];
    *pointer = (struct cesql_pointer){.text = text, .header = header};
    pointer->tokens = arena_array(compiler->arena, CESQL_TOKENS_MAX, sizeof *pointer->tokens);
    if (!pointer->tokens)
        return fail_memory(compiler);
    if (!(header ? read_header(compiler, pointer, at) : read_pointer(compiler, pointer, at)))
        return false;
    *ret = (uint32_t)compiler->pointer_count++;
    return true;
}

static bool fail_function(struct cesql_compiler *compiler, const struct cesql_token *name) {
    struct slice names[CESQL_FUNCTION_COUNT];
    char upper[NAME_MAX_SHOWN];
    size_t size = name->text.size < sizeof upper ? name->text.size : sizeof upper;
    for (size_t i = 0; i < size; i++)
        upper[i] = (char)(name->text.data[i] >= 'a' && name->text.data[i] <= 'z' ? name->text.data[i] - 32
                                                                                 : name->text.data[i]);
    for (size_t i = 0; i < CESQL_FUNCTION_COUNT; i++)
        names[i] = cesql_function_row((enum cesql_function)i)->name;
    int near = text_nearest(slice_make(upper, size), names, CESQL_FUNCTION_COUNT);
    if (near >= 0)
        return cesql_fail(compiler, CESQL_ERROR_MISSING_FUNCTION, name->at, "no function `%.*s`; did you mean `%.*s`?",
                          (int)size, upper, SLICE_ARG(names[near]));
    return cesql_fail(compiler, CESQL_ERROR_MISSING_FUNCTION, name->at, "no function `%.*s`", (int)size, upper);
}

static bool emit_literal_call(struct cesql_compiler *compiler, struct cesql_op op, const struct cesql_token *literal) {
    struct slice text;
    if (!unescape(compiler, literal, &text))
        return false;
    if (op.small == CESQL_FUNCTION_GLOB) {
        uint8_t *pattern = arena_new(compiler->arena, text.size + 1);
        if (!pattern)
            return fail_memory(compiler);
        op.text = slice_make(pattern, cesql_pattern_glob(pattern, text));
        return cesql_emit(compiler, op, op.count);
    }
    bool header = op.small == CESQL_FUNCTION_HEADER;
    if (header)
        compiler->reads.attributes |= ATTRIBUTE_BIT(ATTRIBUTE_MSGHEADERS);
    else
        compiler->reads.data = true;
    if (!find_pointer(compiler, text, header, literal->at, &op.pointer))
        return false;
    return cesql_emit(compiler, op, op.count);
}

bool cesql_emit_call(struct cesql_compiler *compiler, const struct cesql_token *name, enum cesql_function function,
                     size_t arguments, const struct cesql_token *literal) {
    if (function == CESQL_FUNCTION_COUNT)
        return fail_function(compiler, name);
    const struct cesql_function_row *row = cesql_function_row(function);
    if (arguments < row->fewest || arguments > row->most) {
        const char *bound = row->fewest == row->most ? "" : arguments < row->fewest ? "at least " : "at most ";
        unsigned wanted = arguments < row->fewest ? row->fewest : row->most;
        return cesql_fail(compiler, CESQL_ERROR_MISSING_FUNCTION, name->at, "%.*s takes %s%u argument%s, not %zu",
                          SLICE_ARG(row->name), bound, wanted, wanted == 1 ? "" : "s", arguments);
    }
    struct cesql_op op = {.code = OP_CALL, .small = (uint8_t)function};
    op.count = (uint16_t)(arguments - (row->literal != 0));
    if (function == CESQL_FUNCTION_AGE)
        compiler->reads.time = true;
    if (row->literal)
        return emit_literal_call(compiler, op, literal);
    return cesql_emit(compiler, op, op.count);
}

/* -- the whole -- */

static enum status finish(struct cesql_compiler *compiler, const struct cesql **ret) {
    struct arena *arena = compiler->arena;
    struct cesql *cesql = arena_new(arena, sizeof *cesql);
    struct cesql_op *ops = arena_array(arena, compiler->count, sizeof *ops);
    struct cesql_pointer *pointers = arena_array(arena, compiler->pointer_count, sizeof *pointers);
    if (!cesql || !ops || !pointers) {
        fail_memory(compiler);
        return compiler->status;
    }
    memcpy(ops, compiler->ops, compiler->count * sizeof *ops);
    memcpy(pointers, compiler->pointers, compiler->pointer_count * sizeof *pointers);
    *cesql = (struct cesql){ops, compiler->count, pointers, compiler->pointer_count, compiler->reads};
    *ret = cesql;
    return STATUS_OK;
}

enum status cesql_compile(struct slice text, const struct cesql_options *options, struct arena *arena,
                          const struct cesql **ret, struct cesql_fault *fault, struct cesql_lints *lints) {
    static const struct cesql_options none = {0};
    struct cesql_compiler compiler;
    memset(&compiler, 0, offsetof(struct cesql_compiler, uses)); /* the tables are filled as they are used */
    compiler.lexer.text = text;
    compiler.options = options ? options : &none;
    compiler.arena = arena;
    compiler.fault = fault;
    compiler.lints = lints;
    *fault = (struct cesql_fault){0};
    if (lints)
        lints->count = lints->left_off = 0;
    if (text.size > CESQL_TEXT_MAX) {
        (void)cesql_fail_limit(&compiler, CESQL_TEXT_MAX, "longer than %d bytes", CESQL_TEXT_MAX);
        return compiler.status;
    }
    if (!text_is_utf8(text)) {
        (void)cesql_fail(&compiler, CESQL_ERROR_PARSE, 0, "the expression is no UTF-8");
        return compiler.status;
    }
    if (!cesql_parse(&compiler))
        return compiler.status;
    lint_absence(&compiler);
    return finish(&compiler, ret);
}
