/* Inside CESQL only: what the grammar (cesql_parse.c) asks of the code generator (cesql_compile.c). */
#ifndef POLICY_CESQL_COMPILER_H
#define POLICY_CESQL_COMPILER_H

#include "policy/cesql_ops.h"

#define CESQL_TYPE_UNKNOWN 3

/* What is known of an expression while it is compiled. */
struct cesql_shape {
    uint8_t type;       /* enum cesql_type, or CESQL_TYPE_UNKNOWN */
    bool literal;       /* exactly one pushed constant */
    bool is_time;       /* a Timestamp attribute */
    bool bare_not;      /* NOT without brackets around it */
    size_t at;          /* where it begins in the text */
    size_t first_op;    /* its operations begin here */
    struct slice text;  /* of a String literal */
};

#define CESQL_USES_MAX 64

/* An attribute whose absence is an error, for the lint about it. */
struct cesql_use {
    struct slice name; /* as written, any case */
    size_t at;
    bool risky; /* absence isn't just a "no" */
};

struct cesql_compiler {
    struct cesql_lexer lexer;
    struct cesql_token token; /* the next one */
    const struct cesql_options *options;
    struct arena *arena;
    struct cesql_fault *fault;
    struct cesql_lints *lints;
    enum status status;
    unsigned depth;
    size_t stack; /* values that lie there after the last operation */
    size_t count;
    size_t pointer_count;
    size_t use_count;
    size_t exists_count;
    struct cesql_reads reads;
    struct cesql_use uses[CESQL_USES_MAX];
    struct slice exists[CESQL_USES_MAX];
    struct cesql_pointer pointers[CESQL_POINTERS_MAX];
    struct cesql_op ops[CESQL_OPS_MAX];
};

/* All return false once anything has failed. */
bool cesql_fail(struct cesql_compiler *compiler, enum cesql_error error, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool cesql_fail_limit(struct cesql_compiler *compiler, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cesql_lint(struct cesql_compiler *compiler, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Appends an operation that pops so many values and pushes one. */
bool cesql_emit(struct cesql_compiler *compiler, struct cesql_op op, size_t pops);
bool cesql_emit_string(struct cesql_compiler *compiler, const struct cesql_token *token, struct cesql_shape *ret);
bool cesql_emit_integer(struct cesql_compiler *compiler, const struct cesql_token *token, bool negative);
bool cesql_emit_attribute(struct cesql_compiler *compiler, const struct cesql_token *token, struct cesql_shape *ret);
bool cesql_emit_exists(struct cesql_compiler *compiler, const struct cesql_token *token);
bool cesql_emit_like(struct cesql_compiler *compiler, const struct cesql_token *token, bool negated);
/* After the arguments. `literal` is that of the functions that want one. */
bool cesql_emit_call(struct cesql_compiler *compiler, const struct cesql_token *name, enum cesql_function function,
                     size_t arguments, const struct cesql_token *literal);
/* OP_IN_BEGIN is at `begin`, and each element with its OP_IN_NEXT follows; all are literals. */
bool cesql_fold_set(struct cesql_compiler *compiler, size_t begin, bool negated);
/* Attributes used since `first_use` decide more than their own comparison. */
void cesql_mark_risky(struct cesql_compiler *compiler, size_t first_use);

/* cesql_parse.c: the whole text as one expression. */
bool cesql_parse(struct cesql_compiler *compiler);

#endif
