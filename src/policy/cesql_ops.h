/* Inside CESQL only: the compiled form, and what its files ask of each other. */
#ifndef POLICY_CESQL_OPS_H
#define POLICY_CESQL_OPS_H

#include "base/json.h"
#include "policy/cesql.h"

/* -- tokens: cesql_lex.c -- */

enum cesql_token_type {
    TOKEN_END,
    TOKEN_BAD, /* `text` is what is wrong */
    TOKEN_INTEGER,
    TOKEN_STRING, /* `text` is between the quotes, escapes and all */
    TOKEN_WORD,   /* letters, digits, underscores: an attribute or a function */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_EQUAL,
    TOKEN_UNEQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL,
    TOKEN_NOT,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_XOR,
    TOKEN_LIKE,
    TOKEN_IN,
    TOKEN_EXISTS,
    TOKEN_TRUE,
    TOKEN_FALSE,
};

struct cesql_token {
    enum cesql_token_type type;
    uint8_t quote; /* of TOKEN_STRING */
    size_t at;     /* offset of its first byte */
    struct slice text;
};

struct cesql_lexer {
    struct slice text;
    size_t at;
};

struct cesql_token cesql_lex_next(struct cesql_lexer *lexer);

/* -- functions: rows of one table -- */

/* NAME, name, fewest and most arguments, result, types of the arguments (s, i, b; the last one repeats),
 * literal: which argument (from 1) must be a literal, and what it is compiled to. */
#define CESQL_FUNCTIONS(X) \
    X(LENGTH, "LENGTH", 1, 1, INTEGER, "s", 0) \
    X(CONCAT, "CONCAT", 0, CESQL_ARGUMENTS_MAX, STRING, "s", 0) \
    X(CONCAT_WS, "CONCAT_WS", 1, CESQL_ARGUMENTS_MAX, STRING, "s", 0) \
    X(LOWER, "LOWER", 1, 1, STRING, "s", 0) \
    X(UPPER, "UPPER", 1, 1, STRING, "s", 0) \
    X(TRIM, "TRIM", 1, 1, STRING, "s", 0) \
    X(LEFT, "LEFT", 2, 2, STRING, "si", 0) \
    X(RIGHT, "RIGHT", 2, 2, STRING, "si", 0) \
    X(SUBSTRING, "SUBSTRING", 2, 3, STRING, "sii", 0) \
    X(ABS, "ABS", 1, 1, INTEGER, "i", 0) \
    X(INT, "INT", 1, 1, INTEGER, "i", 0) \
    X(BOOL, "BOOL", 1, 1, BOOLEAN, "b", 0) \
    X(STRING, "STRING", 1, 1, STRING, "s", 0) \
    X(EPOCH, "EPOCH", 1, 1, INTEGER, "s", 0) \
    X(AGE, "AGE", 1, 1, INTEGER, "s", 0) \
    X(GLOB, "GLOB", 2, 2, BOOLEAN, "s", 2) \
    X(HEADER, "HEADER", 1, 1, STRING, "", 1) \
    X(DATA, "DATA", 1, 1, STRING, "", 1) \
    X(DATAINT, "DATAINT", 1, 1, INTEGER, "", 1) \
    X(DATABOOL, "DATABOOL", 1, 1, BOOLEAN, "", 1) \
    X(DATAHAS, "DATAHAS", 1, 1, BOOLEAN, "", 1)

enum cesql_function {
#define CESQL_FUNCTION_ENUM(NAME, name, fewest, most, type, arguments, literal) CESQL_FUNCTION_##NAME,
    CESQL_FUNCTIONS(CESQL_FUNCTION_ENUM)
#undef CESQL_FUNCTION_ENUM
    CESQL_FUNCTION_COUNT
};

struct cesql_function_row {
    struct slice name;
    uint8_t fewest;
    uint8_t most;
    uint8_t type;
    uint8_t literal;
    const char *arguments;
};

const struct cesql_function_row *cesql_function_row(enum cesql_function function);
/* Case is ignored (section 2.1). CESQL_FUNCTION_COUNT when there is none. */
enum cesql_function cesql_function_find(struct slice name);

/* -- the compiled form -- */

enum cesql_code {
    OP_INTEGER, /* push number */
    OP_BOOLEAN,
    OP_TEXT,      /* push text */
    OP_ATTRIBUTE, /* small: enum attribute */
    OP_NAMED,     /* text: name */
    OP_EXISTS,
    OP_EXISTS_NAMED,
    OP_NOT,
    OP_NEGATE,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_MODULO,
    OP_ADD,
    OP_SUBTRACT,
    OP_EQUAL,
    OP_UNEQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_AND_LEFT, /* false decides: on to `target`; true is dropped */
    OP_OR_LEFT,  /* true decides: on to `target`; false is dropped */
    OP_TRUTH,    /* the last operand of AND and OR is their value */
    OP_XOR,
    OP_LIKE,   /* text: compiled pattern; small: NOT */
    OP_IN_SET, /* items, count; small: NOT */
    OP_IN_BEGIN,
    OP_IN_NEXT,
    OP_IN_END, /* small: NOT */
    OP_CALL,   /* small: enum cesql_function; count: arguments on the stack; text or pointer: compiled literal */
};

struct cesql_value {
    uint8_t type; /* enum cesql_type */
    bool errored; /* an operator that gets it answers with its zero value (section 3.4) */
    int32_t number;
    struct slice text;
};

struct cesql_op {
    uint8_t code;
    uint8_t small;
    uint16_t count;
    union {
        int32_t number;
        uint32_t target;  /* index of an operation */
        uint32_t pointer; /* index into pointers */
    };
    union {
        struct slice text;
        const struct cesql_value *items;
    };
};

#define CESQL_TOKENS_MAX 16 /* reference tokens of one pointer */

/* RFC 6901, unescaped; of HEADER: one token. */
struct cesql_pointer {
    struct slice text;
    struct slice *tokens;
    size_t count;
    bool header;
};

#define CESQL_STACK_MAX 128

struct cesql {
    const struct cesql_op *ops;
    size_t count;
    const struct cesql_pointer *pointers;
    size_t pointer_count;
    struct cesql_reads reads;
};

/* -- evaluation -- */

enum cesql_found {
    CESQL_FOUND_UNKNOWN, /* not looked for yet */
    CESQL_FOUND,
    CESQL_FOUND_ABSENT,
    CESQL_FOUND_BAD, /* no JSON, ambiguous, or too much work */
};

struct cesql_run {
    const struct cesql *cesql;
    const struct message *message;
    struct now now;
    uint8_t *scratch;
    size_t scratch_used;
    uint64_t work; /* left */
    unsigned errors;
    bool stop_early;
    bool data_ready;
    struct slice data; /* once data_ready; data NULL: none, or no JSON */
    uint8_t found[CESQL_POINTERS_MAX]; /* enum cesql_found */
    struct json_item items[CESQL_POINTERS_MAX];
    size_t top;
    struct cesql_value stack[CESQL_STACK_MAX];
};

static inline void cesql_raise(struct cesql_run *run, enum cesql_error error) {
    run->errors |= 1u << error;
}
/* Room for text, NULL (and the error raised) when the scratch is full. */
uint8_t *cesql_scratch(struct cesql_run *run, size_t size);
/* Casts in place; false with the error raised (section 3.7). */
bool cesql_cast(struct cesql_run *run, struct cesql_value *value, enum cesql_type type);
/* Without scratch: of the types Integer and Boolean. */
bool cesql_text_to_integer(struct slice text, int32_t *ret);
bool cesql_text_to_boolean(struct slice text, int32_t *ret);

/* cesql_function.c: `arguments` have their types and no errors. Sets the value; raises errors itself. */
void cesql_call(struct cesql_run *run, const struct cesql_op *op, const struct cesql_value *arguments,
                struct cesql_value *ret);

/* cesql_data.c */
enum cesql_found cesql_data_find(struct cesql_run *run, uint32_t pointer, struct json_item *ret);

/* cesql_pattern.c: LIKE and GLOB share one compiled form, in which bytes that UTF-8 never has mean any character and
 * any run of them. `out` needs pattern.size bytes; returns the size. */
size_t cesql_pattern_like(uint8_t *out, struct slice pattern);
size_t cesql_pattern_glob(uint8_t *out, struct slice pattern);
/* About as many steps as the text has bytes; with `any one` after a run never more than text x pattern. They are taken
 * off `work`; at 0 it gives up with false. */
bool cesql_pattern_matches(struct slice compiled, struct slice text, uint64_t *work);
/* Bytes of the character at `at`; an invalid one counts as one. */
size_t cesql_character_size(struct slice text, size_t at);

#endif
