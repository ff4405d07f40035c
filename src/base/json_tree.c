/* JSON as an array of nodes in document order. */
#include "base/json_tree.h"
#include "base/text.h"

struct builder {
    struct json json;
    struct json_tree *tree;
    struct arena *arena;
    struct fault *fault;
    struct json_item name;
    bool has_name;
    uint32_t nodes_max;
    uint32_t open; /* the innermost array or object, or JSON_TREE_NONE */
};

static enum status wrong(struct builder *b, enum status status, size_t offset, const char *why) {
    struct json_position at = json_position(b->tree->source, offset);
    return fault_set(b->fault, status, 0, "line %zu, column %zu: %s", at.line, at.column, why);
}

/* The unescaped text of a name or a string, copied only if it has escapes. */
static enum status unescape(struct builder *b, const struct json_item *item, struct slice *ret) {
    *ret = item->raw;
    if (!item->has_escapes)
        return STATUS_OK;
    uint8_t *out = arena_new(b->arena, item->raw.size);
    if (!out)
        return wrong(b, STATUS_NO_MEMORY, item->at, "too large to be held");
    size_t size = json_unescape(out, item->raw);
    if (size == SIZE_MAX)
        return wrong(b, STATUS_MALFORMED_EVENT, item->at, "a lone surrogate is no text");
    *ret = slice_make(out, size);
    return STATUS_OK;
}

static bool is_value(enum json_type type) {
    return type != JSON_NAME && type != JSON_OBJECT_END && type != JSON_ARRAY_END;
}

/* How many values there are, so that one array holds them. */
static enum status count_values(struct builder *b, uint32_t *ret_count) {
    struct json_item item;
    uint32_t count = 0;
    while (json_next(&b->json, &item) != JSON_END) {
        if (item.type == JSON_ERROR)
            return wrong(b, STATUS_MALFORMED_EVENT, json_offset(&b->json), b->json.error);
        if (is_value(item.type) && ++count > b->nodes_max)
            return wrong(b, STATUS_TOO_LARGE, item.at, "too many values");
    }
    *ret_count = count;
    return STATUS_OK;
}

static void close_node(struct builder *b) {
    struct json_node *node = &b->tree->nodes[b->open];
    const uint8_t *start = node->text.data;
    node->text = slice_make(start, (size_t)(b->json.at - start));
    node->end = b->tree->count;
    b->open = node->parent;
}

static enum status add(struct builder *b, const struct json_item *item) {
    uint32_t index = b->tree->count++;
    struct json_node *node = &b->tree->nodes[index];
    node->type = (uint8_t)item->type;
    node->parent = b->open;
    node->end = index + 1;
    node->text = item->raw;
    if (b->open != JSON_TREE_NONE)
        node->index = b->tree->nodes[b->open].count++;
    enum status status = STATUS_OK;
    node->is_member = b->has_name;
    if (b->has_name)
        status = unescape(b, &b->name, &node->name);
    if (status != STATUS_OK)
        return status;
    if (item->type == JSON_STRING)
        return unescape(b, item, &node->text);
    if (item->type == JSON_NUMBER && !json_number_to_double(item->raw, &node->number))
        return wrong(b, STATUS_MALFORMED_EVENT, item->at, "a number beyond those of IEEE 754");
    if (item->type == JSON_OBJECT || item->type == JSON_ARRAY) {
        node->text = slice_make(b->tree->source.data + item->at, 0);
        b->open = index;
    }
    return STATUS_OK;
}

enum status json_tree_parse(struct slice source, uint32_t nodes_max, unsigned depth_max, struct arena *arena,
                            struct json_tree *ret_tree, struct fault *fault) {
    struct json_tree tree = {.source = source};
    struct builder b = {.tree = &tree,
                        .arena = arena,
                        .fault = fault,
                        .open = JSON_TREE_NONE,
                        .nodes_max = nodes_max ? nodes_max : JSON_TREE_NODES_MAX};
    uint32_t count;
    json_init(&b.json, source, depth_max);
    enum status status = count_values(&b, &count);
    if (status != STATUS_OK)
        return status;
    tree.nodes = arena_array(arena, count, sizeof *tree.nodes);
    if (!tree.nodes)
        return wrong(&b, STATUS_NO_MEMORY, 0, "too large to be held");
    json_init(&b.json, source, depth_max);
    struct json_item item;
    while (status == STATUS_OK && json_next(&b.json, &item) != JSON_END) {
        if (is_value(item.type))
            status = add(&b, &item);
        else if (item.type != JSON_NAME)
            close_node(&b);
        b.has_name = item.type == JSON_NAME;
        b.name = item;
    }
    if (status == STATUS_OK)
        *ret_tree = tree;
    return status;
}

uint32_t json_tree_member(const struct json_tree *tree, uint32_t node, struct slice name) {
    uint32_t found = JSON_TREE_NONE;
    if (tree->nodes[node].type != JSON_OBJECT)
        return found;
    for (uint32_t child = json_tree_first(tree, node); child != JSON_TREE_NONE;
         child = json_tree_next(tree, child))
        if (slice_equal(tree->nodes[child].name, name))
            found = child;
    return found;
}

uint32_t json_tree_element(const struct json_tree *tree, uint32_t node, uint64_t index) {
    if (tree->nodes[node].type != JSON_ARRAY || index >= tree->nodes[node].count)
        return JSON_TREE_NONE;
    uint32_t child = json_tree_first(tree, node);
    for (; index > 0; index--)
        child = json_tree_next(tree, child);
    return child;
}

static bool equal_children(const struct json_tree *a, uint32_t x, const struct json_tree *b, uint32_t y,
                           uint64_t *work) {
    bool is_object = a->nodes[x].type == JSON_OBJECT;
    uint32_t other = json_tree_first(b, y);
    for (uint32_t child = json_tree_first(a, x); child != JSON_TREE_NONE; child = json_tree_next(a, child)) {
        if (is_object) {
            *work -= *work < b->nodes[y].count ? *work : b->nodes[y].count;
            other = json_tree_member(b, y, a->nodes[child].name);
        }
        if (other == JSON_TREE_NONE || !json_tree_equal(a, child, b, other, work))
            return false;
        if (!is_object)
            other = json_tree_next(b, other);
    }
    return true;
}

/* Recursion is as deep as the trees are, which their parser bounds. */
bool json_tree_equal(const struct json_tree *a, uint32_t x, const struct json_tree *b, uint32_t y,
                     uint64_t *work) {
    const struct json_node *l = &a->nodes[x], *r = &b->nodes[y];
    if (*work == 0 || l->type != r->type)
        return false;
    --*work;
    switch (l->type) {
    case JSON_NUMBER:
        return l->number == r->number;
    case JSON_STRING:
        return slice_equal(l->text, r->text);
    case JSON_OBJECT:
    case JSON_ARRAY:
        return l->count == r->count && equal_children(a, x, b, y, work);
    default:
        return true;
    }
}
