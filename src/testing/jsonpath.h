/* JSONPath (RFC 9535): queries on JSON trees. */
#ifndef TESTING_JSONPATH_H
#define TESTING_JSONPATH_H

#include "base/buffer.h"
#include "base/json_tree.h"

#define JSONPATH_TEXT_MAX 8192 /* bytes of a query */
#define JSONPATH_SEGMENTS_MAX 64 /* of one query, which is how deep an evaluation recurses */
#define JSONPATH_NESTING_MAX 16 /* filters, brackets and functions within one another */
#define JSONPATH_WORK_MAX 10000000 /* nodes looked at by one evaluation, unless the caller says less */

struct jsonpath;

struct jsonpath_fault {
    size_t offset; /* into the text of the query */
    char text[160];
};

/* `text` and `arena` are used as long as the query is. STATUS_BAD_CONFIG, TOO_LARGE, NO_MEMORY. The expressions of
 * match() and search() that are literals are compiled here, which is why there is an end: jsonpath_free(). */
enum status jsonpath_new(struct slice text, struct arena *arena, struct jsonpath **ret,
                         struct jsonpath_fault *fault);
void jsonpath_free(struct jsonpath *path); /* NULL is fine; the arena keeps the memory */
/* Section 2.3.5.1: at most one node can come of it. */
bool jsonpath_is_singular(const struct jsonpath *path);

/* A node found; false ends the evaluation, which then succeeds. */
typedef bool jsonpath_found(void *context, uint32_t node);

/* Calls `found` for each node in the order of section 2.1.2. `work_max` 0: JSONPATH_WORK_MAX. STATUS_TOO_LARGE when that
 * was used up: what was found before stands. */
enum status jsonpath_each(const struct jsonpath *path, const struct json_tree *tree, uint64_t work_max,
                          jsonpath_found *found, void *context);
/* The first node, or JSON_TREE_NONE. */
uint32_t jsonpath_first(const struct jsonpath *path, const struct json_tree *tree);

/* Appends the normalized path of a node (section 2.7). */
void jsonpath_write(const struct json_tree *tree, uint32_t node, struct buffer *out);

#endif
