/* Partial bodies: what must be there, markers for what can't be known, and nothing about the rest.
 *
 *   an object    each member named is there and alike; others don't matter
 *   an array     as many elements, each alike
 *   a scalar     the same value; in strings `${name}` is filled in first, and a string that is nothing else keeps the
 *                variable's type
 *   a marker     <any> <absent> <null> <string> <number> <bool> <array> <object> <uuid> <iso-time> <int> <int 1..9>
 *                <number 0..1.5> <regex ^A> <contains text> <text anything>; the last is that text itself, for bodies that
 *                have such brackets */
#ifndef TESTING_LIKE_H
#define TESTING_LIKE_H

#include "base/arena.h"
#include "testing/expand.h"
#include "testing/regex.h"

#define LIKE_WORDS_MAX 200

struct like;

/* `expected` and `arena` are used as long as the result is. STATUS_BAD_CONFIG for an unknown or broken marker (`ret_node`
 * tells where in `expected`), STATUS_NO_MEMORY. End it with like_free(). */
enum status like_new(const struct json_tree *expected, struct arena *arena, struct like **ret, uint32_t *ret_node,
                     struct fault *fault);
void like_free(struct like *like); /* NULL is fine */

/* The first difference, in words for people. */
struct like_difference {
    uint32_t expected;            /* node of the expected tree */
    uint32_t got;                 /* of the other, or JSON_TREE_NONE where it is missing */
    char wanted[LIKE_WORDS_MAX];
    char found[LIKE_WORDS_MAX];
};

/* Whether `node` of `tree` is as expected. STATUS_OK, STATUS_REJECTED with the difference, or what filling in a variable
 * gave (its words are `difference->found`). */
enum status like_compare(const struct like *like, const struct json_tree *tree, uint32_t node, const struct variables *variables,
                         struct like_difference *difference);

#endif
