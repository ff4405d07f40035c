/* Builds the tree of keys from the tables. */
#include "config/schema.h"

const struct schema *schema_fixed(const struct schema *schema, struct slice key) {
    for (const struct schema *child = schema->first; child; child = child->next)
        if (slice_equal(child->name, key))
            return child;
    return NULL;
}

const struct schema *schema_child(const struct schema *schema, struct slice key) {
    const struct schema *child = schema_fixed(schema, key);
    return child ? child : schema->any;
}

const struct schema *schema_find(const struct schema *schema, struct slice path) {
    while (schema && path.size) {
        struct slice part = slice_head(path, slice_find(path, '.'));
        schema = slice_is(part, "*") ? schema->any : schema_child(schema, part);
        path = slice_skip(path, part.size + 1);
    }
    return schema;
}

static struct schema *step(struct arena *arena, struct schema *parent, struct slice part) {
    bool is_any = slice_is(part, "*");
    if (is_any && parent->any)
        return parent->any;
    for (struct schema *child = parent->first; child && !is_any; child = child->next)
        if (slice_equal(child->name, part))
            return child;
    struct schema *child = arena_new(arena, sizeof *child);
    if (!child)
        return NULL;
    child->name = part;
    if (is_any) {
        parent->any = child;
        return child;
    }
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    return child;
}

static struct schema *walk(struct arena *arena, struct schema *at, const char *text) {
    struct slice path = slice_from(text);
    while (at && path.size) {
        struct slice part = slice_head(path, slice_find(path, '.'));
        at = step(arena, at, part);
        path = slice_skip(path, part.size + 1);
    }
    return at;
}

static bool add(struct arena *arena, struct schema *root, const char *prefix, const struct config_rows *table, const struct config_row *row) {
    struct schema *at = walk(arena, root, prefix);
    at = at ? walk(arena, at, row->path) : NULL;
    if (!at)
        return false;
    at->row = row;
    at->table = table;
    return true;
}

static bool plan(struct schema *schema) {
    bool all = true;
    for (struct schema *child = schema->first; child; child = child->next)
        all &= plan(child);
    if (schema->any)
        all &= plan(schema->any);
    bool is_leaf = !schema->first && !schema->any;
    schema->is_planned = (schema_flags(schema) & ROW_PLANNED) || (!is_leaf && schema_is_map(schema) && all);
    return schema->is_planned;
}

struct schema *schema_new(struct arena *arena) {
    struct schema *root = arena_new(arena, sizeof *root);
    if (!root)
        return NULL;
    for (size_t i = 0; config_tables[i]; i++) {
        const struct config_rows *table = config_tables[i];
        for (size_t k = 0; k < table->count; k++) {
            const struct config_row *row = &table->rows[k];
            if (!add(arena, root, table->prefix, table, row))
                return NULL;
            if (row->flags & ROW_SYSTEM && !add(arena, root, "systems.*", table, row))
                return NULL;
            if (row->flags & ROW_ROUTE && !add(arena, root, "routes.*", table, row))
                return NULL;
        }
    }
    plan(root);
    return root;
}
