/* Nodes and their lists of children. */
#include "config/tree.h"

#include "base/map.h"

struct node *tree_node(struct tree *tree, enum node_kind kind, struct config_place at) {
    if (tree->nodes >= TREE_NODES_MAX) {
        if (tree->nodes++ == TREE_NODES_MAX)
            config_report_add(tree->report, false, true, at, SLICE_OF(""), SLICE_OF(""),
                              "more than %u values in one file; do aliases multiply?", TREE_NODES_MAX);
        return NULL;
    }
    struct node *node = arena_new(tree->arena, sizeof *node);
    if (!node) {
        tree->report->status = STATUS_NO_MEMORY;
        return NULL;
    }
    tree->nodes++;
    node->kind = kind;
    node->at = at;
    return node;
}

/* Above this many keys a map gets an index, so that 10,000 routes load in no time. */
#define INDEX_FROM 24u
#define TREE_SEED UINT64_C(0x696e746572746965)

static struct node removed; /* fills the slot of a key that went, so that probing goes on */

static struct node **index_slot(struct node **index, uint32_t slots, struct slice key) {
    uint32_t at = (uint32_t)map_hash(key, TREE_SEED) & (slots - 1);
    while (index[at] && (index[at] == &removed || !slice_equal(index[at]->key, key)))
        at = (at + 1) & (slots - 1);
    return &index[at];
}

/* Grows the index ahead of one more key. Without memory there is none, and lookups walk. */
static void index_grow(struct tree *tree, struct node *parent) {
    if (parent->kind != NODE_MAP || parent->count < INDEX_FROM || parent->used * 2 < parent->slots)
        return;
    uint32_t slots = parent->slots ? parent->slots * 2 : 128;
    parent->index = arena_array(tree->arena, slots, sizeof *parent->index);
    parent->slots = parent->index ? slots : 0;
    parent->used = parent->count;
    for (struct node *child = parent->first; child && parent->index; child = child->next)
        *index_slot(parent->index, slots, child->key) = child;
}

void node_insert(struct tree *tree, struct node *parent, struct node *before, struct node *child) {
    index_grow(tree, parent);
    child->next = before;
    child->prev = before ? before->prev : parent->last;
    if (child->prev)
        child->prev->next = child;
    else
        parent->first = child;
    if (before)
        before->prev = child;
    else
        parent->last = child;
    parent->count++;
    if (parent->index) {
        *index_slot(parent->index, parent->slots, child->key) = child;
        parent->used++;
    }
}

void node_append(struct tree *tree, struct node *parent, struct node *child) {
    node_insert(tree, parent, NULL, child);
}

void node_remove(struct node *parent, struct node *child) {
    if (parent->index)
        *index_slot(parent->index, parent->slots, child->key) = &removed;
    if (child->prev)
        child->prev->next = child->next;
    else
        parent->first = child->next;
    if (child->next)
        child->next->prev = child->prev;
    else
        parent->last = child->prev;
    parent->count--;
    child->next = child->prev = NULL;
}

void node_replace(struct node *parent, struct node *child, struct node *with) {
    with->key = child->key;
    with->next = child->next;
    with->prev = child->prev;
    if (child->prev)
        child->prev->next = with;
    else
        parent->first = with;
    if (child->next)
        child->next->prev = with;
    else
        parent->last = with;
    if (parent->index)
        *index_slot(parent->index, parent->slots, child->key) = with;
    child->next = child->prev = NULL;
}

struct node *node_get(const struct node *map, struct slice key) {
    if (!map || map->kind != NODE_MAP)
        return NULL;
    if (map->index)
        return *index_slot(map->index, map->slots, key);
    for (struct node *child = map->first; child; child = child->next)
        if (slice_equal(child->key, key))
            return child;
    return NULL;
}

struct node *node_find(struct node *root, const char *path) {
    struct slice rest = slice_from(path);
    while (root && rest.size) {
        struct slice part = slice_head(rest, slice_find(rest, '.'));
        root = node_get(root, part);
        rest = slice_skip(rest, part.size + 1);
    }
    return root;
}

struct node *tree_copy(struct tree *tree, const struct node *node) {
    struct node *copy = tree_node(tree, node->kind, node->at);
    if (!copy)
        return NULL;
    *copy = *node;
    copy->first = copy->last = copy->next = copy->prev = NULL;
    copy->count = copy->slots = copy->used = 0;
    copy->index = NULL;
    for (const struct node *child = node->first; child; child = child->next) {
        struct node *inner = tree_copy(tree, child);
        if (!inner)
            return NULL;
        node_append(tree, copy, inner);
    }
    return copy;
}

bool node_text_is_null(struct slice text, bool quoted) {
    return !quoted && (text.size == 0 || slice_is(text, "~") || slice_is(text, "null") || slice_is(text, "Null") ||
                       slice_is(text, "NULL"));
}
