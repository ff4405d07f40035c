/* Regular expressions of PCRE2, as text in UTF-8, with limits on what one may cost. */
#ifndef TESTING_REGEX_H
#define TESTING_REGEX_H

#include "base/fault.h"
#include "base/slice.h"

#define REGEX_PATTERN_MAX 8192 /* bytes */
#define REGEX_STEPS_MAX 1000000 /* match limit of PCRE2 */
#define REGEX_DEPTH_MAX 1000 /* of backtracking */
#define REGEX_HEAP_KIB_MAX 1024
#define REGEX_NESTING_MAX 64 /* of brackets */

struct regex;

enum regex_anchor {
    REGEX_SEARCH, /* anywhere */
    REGEX_WHOLE, /* all of the text */
};

/* STATUS_BAD_CONFIG with the reason and the place in `fault` (which may be NULL), STATUS_TOO_LARGE, STATUS_NO_MEMORY.
 * What is compiled is immutable: any thread may match with it. */
enum status regex_new(struct slice pattern, enum regex_anchor anchor, struct regex **ret,
                      struct fault *fault);
void regex_free(struct regex *regex); /* NULL is fine */

enum regex_result {
    REGEX_NO,
    REGEX_YES,
    REGEX_GAVE_UP, /* a limit was reached, or `text` is no UTF-8 */
};
/* `ret_found` (may be NULL): the part of `text` that matched. */
enum regex_result regex_match(const struct regex *regex, struct slice text, struct slice *ret_found);

#endif
