/* `${name}` in texts of suites. They are expanded after the text around them was understood, so that a value never needs
 * to be escaped: no quote, bracket or marker in it means anything. `$${` is a plain `${`. */
#ifndef TESTING_EXPAND_H
#define TESTING_EXPAND_H

#include "base/buffer.h"
#include "base/fault.h"
#include "base/json_tree.h"

#define EXPAND_NAME_MAX 256

struct variables {
    /* A scalar: JSON_STRING, _NUMBER, _TRUE, _FALSE or _NULL with its text; false where there is no such name. What it
     * gives stays as long as the test runs. */
    bool (*get)(void *context, struct slice name, struct json_node *ret_value);
    void *context;
};

/* STATUS_BAD_CONFIG for a `${` without its end or with an empty or overlong name. */
enum status expand_check(struct slice text, struct fault *fault);
/* Calls `name` for each variable of a checked text. */
void expand_names(struct slice text, void (*name)(void *context, struct slice name), void *context);
bool expand_needed(struct slice text);
/* Appends the text with all variables filled in. STATUS_NOT_FOUND with the name in `fault` (may be NULL), or `out`'s own. */
enum status expand_text(struct slice text, const struct variables *variables, struct buffer *out, struct fault *fault);
/* As a value: a text that is nothing but one variable keeps its type, all else is a string (made in `room`). */
enum status expand_value(struct slice text, const struct variables *variables, struct buffer *room, struct json_node *ret,
                         struct fault *fault);

#endif
