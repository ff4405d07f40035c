/* A JSON text as a tree: an array of its values in document order, to be asked more than once and in any order.
 *
 * The nodes of one value lie together, the value itself first: what is inside node n are the nodes n + 1 to
 * `nodes[n].end`. So a walk over a whole subtree is a loop, and skipping one is an assignment. */
#ifndef BASE_JSON_TREE_H
#define BASE_JSON_TREE_H

#include "base/arena.h"
#include "base/fault.h"
#include "base/json.h"

#define JSON_TREE_ROOT 0
#define JSON_TREE_NONE UINT32_MAX
#define JSON_TREE_NODES_MAX 1000000

struct json_node {
    uint8_t type; /* enum json_type: JSON_OBJECT, _ARRAY, _STRING, _NUMBER, _TRUE, _FALSE or _NULL */
    bool is_member; /* `name` counts */
    uint32_t parent; /* JSON_TREE_NONE for the root */
    uint32_t end; /* the first node that is not inside this one */
    uint32_t index; /* its place among the children of its parent, from 0 */
    uint32_t count; /* of its children */
    struct slice name; /* unescaped */
    struct slice
        text; /* of strings unescaped, of numbers as written, of objects and arrays all their bytes */
    double number;
};

struct json_tree {
    struct slice source;
    struct json_node *nodes; /* nodes[JSON_TREE_ROOT] is the value */
    uint32_t count;
};

/* `source` and `arena` are used as long as the tree is. At most `nodes_max` values (0: JSON_TREE_NODES_MAX), `depth_max`
 * levels (0: JSON_DEPTH_DEFAULT). STATUS_MALFORMED_EVENT (also for a number that is no double, and for a lone surrogate,
 * which is no text), STATUS_TOO_LARGE, STATUS_NO_MEMORY; `fault` may be NULL and tells line and column. */
enum status json_tree_parse(struct slice source, uint32_t nodes_max, unsigned depth_max, struct arena *arena,
                            struct json_tree *ret_tree, struct fault *fault);

/* The first child, or JSON_TREE_NONE. Go on with json_tree_next(). */
static inline uint32_t json_tree_first(const struct json_tree *tree, uint32_t node) {
    return tree->nodes[node].end > node + 1 ? node + 1 : JSON_TREE_NONE;
}
/* The next child of the same parent, or JSON_TREE_NONE. */
static inline uint32_t json_tree_next(const struct json_tree *tree, uint32_t node) {
    uint32_t parent = tree->nodes[node].parent, next = tree->nodes[node].end;
    return parent != JSON_TREE_NONE && next < tree->nodes[parent].end ? next : JSON_TREE_NONE;
}
/* By name; of doubles the last, as most readers have it. JSON_TREE_NONE where there is none, or `node` is no object. */
uint32_t json_tree_member(const struct json_tree *tree, uint32_t node, struct slice name);
/* By place in an array. JSON_TREE_NONE as above. */
uint32_t json_tree_element(const struct json_tree *tree, uint32_t node, uint64_t index);
/* Whether two values mean the same: numbers as doubles, objects without regard to the order of their members. `work` is
 * lowered by each comparison made; at 0 the answer is false. */
bool json_tree_equal(const struct json_tree *a, uint32_t x, const struct json_tree *b, uint32_t y,
                     uint64_t *work);

#endif
