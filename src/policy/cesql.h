/* CloudEvents SQL 1.0.0: an expression is compiled once into a flat array of operations and then asked about messages.
 *
 * It runs on a small stack in bounded time and takes no memory, so it may run for each message. As a filter, any error
 * and any result that is no Boolean means that the message does not pass (CESQL section 1.2).
 *
 * Deviations and choices where the standard is silent or its parsers disagree:
 * - AND, OR and XOR in one row without brackets are refused: the text of CESQL says left to right, its reference
 *   grammar says right to left. Chains of comparisons go left to right, with a lint.
 * - `messagetype` and `priority` have their defaults (event, 2) when a message doesn't carry them. EXISTS tells.
 * - Integer overflow is a math error with the value 0. In a pattern `\%` and `\_` are the only escapes.
 * - LOWER and UPPER know the simple mappings of Latin, Greek and Cyrillic; TRIM drops ASCII white space.
 * - Unknown functions, and known ones with the wrong number of arguments, are found while compiling.
 *
 * Functions beyond the standard. Pointers (RFC 6901), header names and patterns are literals:
 *   DATA('/a/0') String, DATAINT Integer, DATABOOL Boolean, DATAHAS Boolean: of JSON data, parsed when first asked.
 *       A member that is there twice is an error: receivers don't agree on which one counts. DATAHAS never errs.
 *   HEADER('x-tenant') String: a member of `msgheaders`.
 *   EPOCH(ts) Integer: seconds since 1970, clamped to 32 bits.  AGE(ts) Integer: seconds from then to now.
 *   GLOB(x, 'a*') Boolean: `*` any characters, `?` one, `\` takes the next as it is. */
#ifndef POLICY_CESQL_H
#define POLICY_CESQL_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/status.h"
#include "message/message.h"

/* Limits; the fault names the one that was reached. */
#define CESQL_TEXT_MAX 4096     /* bytes of an expression */
#define CESQL_DEPTH_MAX 64      /* brackets, calls and signs inside each other */
#define CESQL_OPS_MAX 1024      /* operations after compiling */
#define CESQL_ITEMS_MAX 256     /* elements of one IN (..) */
#define CESQL_ARGUMENTS_MAX 32  /* of one call */
#define CESQL_POINTERS_MAX 16   /* different DATA pointers and headers */
#define CESQL_SCRATCH_MAX 8192  /* bytes of text made while evaluating; past it the result is an error */
#define CESQL_WORK_MAX (8 << 20) /* bytes looked at by LIKE, GLOB and DATA in one evaluation; past it likewise */

/* The kinds of CESQL section 3.3. */
enum cesql_error {
    CESQL_ERROR_PARSE,
    CESQL_ERROR_MATH,
    CESQL_ERROR_CAST,
    CESQL_ERROR_MISSING_ATTRIBUTE,
    CESQL_ERROR_MISSING_FUNCTION,
    CESQL_ERROR_FUNCTION_EVALUATION,
    CESQL_ERROR_GENERIC, /* a limit was reached */
    CESQL_ERROR_COUNT
};

enum cesql_type { CESQL_STRING, CESQL_INTEGER, CESQL_BOOLEAN };

struct cesql_options {
    const struct attribute_declared *declared; /* NULL: none */
    bool require_declared; /* attributes that neither CloudEvents, we nor `declared` know are faults */
};

/* Why an expression doesn't compile. */
struct cesql_fault {
    enum cesql_error error;
    uint32_t offset; /* into the expression, in bytes */
    char text[200];
};

#define CESQL_LINTS_MAX 16

/* What compiles but likely isn't meant: config shows it as warnings, errors with --strict. */
struct cesql_lints {
    size_t count;
    size_t left_off; /* more than fit */
    struct cesql_lint {
        uint32_t offset;
        char text[200];
    } items[CESQL_LINTS_MAX];
};

/* What an expression looks at; equal answers there mean equal results. */
struct cesql_reads {
    uint64_t attributes; /* ATTRIBUTE_BITs */
    bool others;         /* attributes that are known by name only */
    bool data;
    bool time;
};

struct cesql;

/* The result lives in the arena; `text` isn't needed afterwards. STATUS_BAD_CONFIG with `fault` filled, STATUS_TOO_LARGE
 * likewise when a limit is reached, STATUS_NO_MEMORY. `options` and `lints` may be NULL; lints are filled anew. */
enum status cesql_compile(struct slice text, const struct cesql_options *options, struct arena *arena,
                          const struct cesql **ret, struct cesql_fault *fault, struct cesql_lints *lints);

/* Whether the message passes. Any thread; stops at the first error. */
bool cesql_matches(const struct cesql *cesql, const struct message *message, struct now now);

struct cesql_reads cesql_reads(const struct cesql *cesql);

/* -- the full result, for tests and explanations -- */

struct cesql_result {
    enum cesql_type type;
    int32_t number;    /* Integer, Boolean */
    struct slice text; /* String; in the message, the program or the scratch */
    unsigned errors;   /* bits 1u << enum cesql_error */
};

void cesql_evaluate(const struct cesql *cesql, const struct message *message, struct now now,
                    uint8_t scratch[static CESQL_SCRATCH_MAX], struct cesql_result *ret);
/* missingAttribute and its like, as the conformance suite writes them. */
const char *cesql_error_name(enum cesql_error error);

#endif
