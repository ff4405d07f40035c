/* JSONPath: whatever the query and the document, the work is bounded, and the normalized path of each node that is found
 * finds that node alone. Input: a query, a line end, a document. */
#include <stdlib.h>

#include "base/assert.h"
#include "testing/jsonpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORK_MAX 20000
#define PATHS_MAX 32

struct check {
    struct json_tree tree;
    struct arena arena;
    uint64_t found;
};

static bool same(void *context, uint32_t node) {
    uint32_t *expected = context;
    ASSERT(node == *expected);
    *expected = JSON_TREE_NONE;
    return true;
}

/* Of members with one name only the last has a path of its own. */
static bool has_double(const struct json_tree *tree, uint32_t node) {
    for (; node != JSON_TREE_ROOT; node = tree->nodes[node].parent)
        if (tree->nodes[node].is_member &&
            json_tree_member(tree, tree->nodes[node].parent, tree->nodes[node].name) != node)
            return true;
    return false;
}

static bool look(void *context, uint32_t node) {
    struct check *check = context;
    ASSERT(node < check->tree.count);
    if (check->found++ >= PATHS_MAX)
        return true;
    struct buffer text;
    struct jsonpath *path;
    struct jsonpath_fault fault;
    buffer_init(&text, JSONPATH_TEXT_MAX);
    jsonpath_write(&check->tree, node, &text);
    if (text.status == STATUS_OK && !has_double(&check->tree, node) &&
        jsonpath_new(buffer_slice(&text), &check->arena, &path, &fault) == STATUS_OK) {
        uint32_t expected = node;
        ASSERT(jsonpath_is_singular(path));
        ASSERT(jsonpath_each(path, &check->tree, WORK_MAX, same, &expected) == STATUS_OK);
        ASSERT(expected == JSON_TREE_NONE);
        jsonpath_free(path);
    }
    buffer_done(&text);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct check check = {.found = 0};
    struct slice all = slice_make(data, size), query = slice_head(all, slice_find(all, '\n'));
    struct jsonpath *path;
    struct jsonpath_fault fault = {0};
    arena_init(&check.arena, 1 << 22);
    enum status status = jsonpath_new(query, &check.arena, &path, &fault);
    if (status == STATUS_OK) {
        if (json_tree_parse(slice_skip(all, query.size + 1), 1000, 0, &check.arena, &check.tree, NULL) ==
            STATUS_OK) {
            jsonpath_each(path, &check.tree, WORK_MAX, look, &check);
            ASSERT(check.found <= WORK_MAX);
            ASSERT(!jsonpath_is_singular(path) || check.found <= 1);
        }
        jsonpath_free(path);
    } else
        ASSERT(fault.text[0] && fault.offset <= query.size);
    arena_done(&check.arena);
    return 0;
}
