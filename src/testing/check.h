/* One check, one line: `query [argument] predicate value`.
 *
 *   query       a field of what is looked at (status, duration, tls.min, p99(place), alive(gw)), or
 *               header NAME      attribute NAME      json JSONPATH      body      bytes [@FROM[..END]]
 *               u8@3 u16be@2 i32le@0 ...             a number in the bytes
 *   predicate   == != < <= > >=  contains startsWith endsWith matches in  exists isEmpty isString isNumber isInteger
 *               isBoolean isList isObject isNull isUuid isTime; `not` before any turns it around. None: is it true?
 *   value       a string in double quotes with JSON's escapes, a number, true, false, null, [list], 200ms, 1MiB, 0.5%,
 *               hex 81 02, /expression/, or a bare word; `${name}` is filled in when the check is made
 *
 * `header` compares each value of that name (RFC 9110 section 5.2); one that fits is enough, with `not` none may. */
#ifndef TESTING_CHECK_H
#define TESTING_CHECK_H

#include "testing/expand.h"
#include "testing/jsonpath.h"
#include "testing/regex.h"

#define CHECK_LINE_MAX 4096
#define CHECK_LIST_MAX 64
#define CHECK_WORDS_MAX 200
#define CHECK_HEADERS_MAX 64 /* values of one name that are looked at */

enum check_unit {
    CHECK_PLAIN,
    CHECK_NS,      /* durations */
    CHECK_BYTES,   /* sizes */
    CHECK_PERCENT, /* shares */
};

enum check_type {
    CHECK_NOTHING, /* it isn't there */
    CHECK_NULL,
    CHECK_BOOLEAN,
    CHECK_NUMBER,
    CHECK_TEXT,
    CHECK_LIST,   /* of JSON */
    CHECK_OBJECT, /* of JSON */
};

struct check_value {
    enum check_type type;
    enum check_unit unit;
    bool boolean;
    double number;
    struct slice text; /* of strings; of numbers as written, may be empty */
    uint32_t count;    /* of lists and objects */
};

/* A field that can be asked for. */
struct check_field {
    const char *name;
    enum check_type type;
    enum check_unit unit;
    bool takes_argument; /* alive(gw) */
};

/* What is looked at. Only `field` is required; what isn't there (NULL) is answered with nothing. All texts stay as long
 * as the check runs. */
struct check_subject {
    void *context;
    /* `row` as of the table given to check_new(). */
    void (*field)(void *context, size_t row, struct slice argument, struct check_value *ret);
    /* The n-th header of that name (case doesn't matter), from 0; false when there are no more. */
    bool (*header)(void *context, struct slice name, unsigned n, struct slice *ret);
    bool (*attribute)(void *context, struct slice name, struct check_value *ret);
    struct slice body;
    const struct json_tree *json; /* of the body; NULL: it is none */
    const char *json_why;         /* why it is none */
};

struct check;

struct check_fault {
    size_t offset; /* into the line */
    char text[CHECK_WORDS_MAX];
};

/* `line`, `fields` (`count` of them) and `arena` are used as long as the check is. STATUS_BAD_CONFIG with words that say
 * how to mend it, STATUS_TOO_LARGE, STATUS_NO_MEMORY. End it with check_free(). */
enum status check_new(struct slice line, const struct check_field *fields, size_t count, struct arena *arena,
                      struct check **ret, struct check_fault *fault);
void check_free(struct check *check); /* NULL is fine */
struct slice check_line(const struct check *check);

/* What was asked, wanted and found, in words for people. */
struct check_difference {
    size_t offset; /* into the line: where the value stands */
    char query[CHECK_WORDS_MAX];
    char wanted[CHECK_WORDS_MAX];
    char found[CHECK_WORDS_MAX];
};

/* STATUS_OK, STATUS_REJECTED with the difference, or STATUS_NOT_FOUND for a variable without a value. */
enum status check_run(const struct check *check, const struct check_subject *subject, const struct variables *variables,
                      struct check_difference *difference);

#endif
