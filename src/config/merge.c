/* Several trees become one: shorthands opened, included files added, overlays laid over. */
#include "config/work.h"

/* -- shorthands -- */

static struct node *wrap(struct work *work, struct node *parent, struct node *node, enum node_kind kind, struct slice key) {
    struct node *outer = tree_node(&work->tree, kind, node->at);
    if (!outer)
        return node;
    outer->key_at = node->key_at;
    outer->written = node->written;
    outer->origin = node->origin;
    outer->opened = true;
    node_replace(parent, node, outer);
    node->key = key;
    node->key_at = node->at;
    node_append(&work->tree, outer, node);
    return outer;
}

static struct node *open_one(struct work *work, const struct schema *schema, struct node *parent, struct node *node) {
    unsigned flags = schema_flags(schema);
    if (schema_type(schema) == ROW_CHAIN && (node->kind == NODE_SCALAR || node->kind == NODE_MAP))
        return wrap(work, parent, node, NODE_LIST, SLICE_OF(""));
    if (node->kind != NODE_SCALAR)
        return node;
    if (flags & ROW_URL_SHORT)
        return wrap(work, parent, node, NODE_MAP, SLICE_OF("url"));
    if (flags & ROW_TRUE_SHORT && slice_is(node->text, "true")) {
        struct node *outer = tree_node(&work->tree, NODE_MAP, node->at);
        if (!outer)
            return node;
        outer->key_at = node->key_at;
        outer->origin = node->origin;
        outer->opened = true;
        node_replace(parent, node, outer);
        return outer;
    }
    if (flags & ROW_LIST)
        return wrap(work, parent, node, NODE_LIST, SLICE_OF(""));
    return node;
}

static void open_children(struct work *work, const struct schema *schema, struct node *map) {
    for (struct node *child = map->first, *next; child; child = next) {
        next = child->next;
        const struct schema *inner = schema_child(schema, child->key);
        if (inner && schema_type(inner) == ROW_OVERLAY)
            merge_open(work, work->schema, map, child);
        else if (inner)
            merge_open(work, inner, map, child);
    }
}

void merge_open(struct work *work, const struct schema *schema, struct node *parent, struct node *node) {
    if (parent)
        node = open_one(work, schema, parent, node);
    if (schema_type(schema) == ROW_CHAIN && node->kind == NODE_LIST)
        for (struct node *item = node->first; item; item = item->next)
            if (item->kind == NODE_MAP)
                open_children(work, chains_stage(work), item);
    if (node->kind == NODE_MAP)
        open_children(work, schema, node);
}

/* -- overlays -- */

static void mark(struct node *node, struct slice origin) {
    node->origin = origin;
    for (struct node *child = node->first; child; child = child->next)
        mark(child, origin);
}

/* An overlay's nulls remove; where there is nothing to remove they go. */
static void drop_nulls(struct node *node) {
    for (struct node *child = node->first, *next; child; child = next) {
        next = child->next;
        if (node->kind == NODE_MAP && child->kind == NODE_NULL)
            node_remove(node, child);
        else
            drop_nulls(child);
    }
}

static void lay(struct work *work, struct node *base, const struct node *over, struct slice origin) {
    struct node *below = node_get(base, over->key);
    if (over->kind == NODE_NULL) {
        if (below)
            node_remove(base, below);
        return;
    }
    if (below && below->kind == NODE_MAP && over->kind == NODE_MAP) {
        merge_over(work, below, over, origin);
        return;
    }
    struct node *copy = tree_copy(&work->tree, over);
    if (!copy)
        return;
    drop_nulls(copy);
    mark(copy, origin);
    if (below)
        node_replace(base, below, copy);
    else
        node_append(&work->tree, base, copy);
}

void merge_over(struct work *work, struct node *base, const struct node *over, struct slice origin) {
    for (const struct node *child = over->first; child; child = child->next)
        lay(work, base, child, origin);
}

/* -- included files -- */

static void twice(struct work *work, const struct node *node, const struct node *other, const struct trail *trail) {
    const struct config_file *file = &work->report->files[other->key_at.file];
    work_error(work, node->key_at, trail, "stands in %.*s too (line %u); a name belongs to one file", SLICE_ARG(file->name), other->key_at.line);
}

void merge_file(struct work *work, const struct schema *schema, struct node *all, struct node *more, const struct trail *trail) {
    for (struct node *child = more->first, *next; child; child = next) {
        next = child->next;
        struct trail here = {trail, child->key};
        struct node *other = node_get(all, child->key);
        const struct schema *inner = schema ? schema_fixed(schema, child->key) : NULL;
        if (!other) {
            node_remove(more, child);
            node_append(&work->tree, all, child);
        } else if (inner && schema_is_map(inner) && other->kind == NODE_MAP && child->kind == NODE_MAP) {
            merge_file(work, inner, other, child, &here);
        } else if (other->kind == NODE_NULL && child->kind == NODE_NULL) {
            continue;
        } else {
            twice(work, child, other, &here);
        }
    }
}
