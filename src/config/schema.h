/* The rows of all tables as a tree of keys, ready for walking beside a configuration. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/rows.h"
#include "config/tree.h"

struct schema {
    struct slice name; /* `*` for any */
    const struct config_row *row; /* NULL: a group that no row describes */
    const struct config_rows *table;
    struct schema *first;
    struct schema *last;
    struct schema *next;
    struct schema *any; /* child for every name that has none of its own */
    bool is_planned;    /* its row is, or all below it are */
};

/* In the arena; NULL when memory is out. */
struct schema *schema_new(struct arena *arena);
/* Without `any`. */
const struct schema *schema_fixed(const struct schema *schema, struct slice key);
const struct schema *schema_child(const struct schema *schema, struct slice key);
/* By a path such as `listeners.*.timeouts`, its `*` meaning any; NULL when absent. */
const struct schema *schema_find(const struct schema *schema, struct slice path);
static inline enum row_type schema_type(const struct schema *schema) {
    return schema->row ? schema->row->type : ROW_GROUP;
}
static inline unsigned schema_flags(const struct schema *schema) {
    return schema->row ? schema->row->flags : 0;
}
/* A map is due. */
static inline bool schema_is_map(const struct schema *schema) {
    enum row_type type = schema_type(schema);
    return type == ROW_GROUP || type == ROW_NAMED || type == ROW_OVERLAY;
}
/* Children are what users name: systems, routes, keys, ... */
static inline bool schema_is_named(const struct schema *schema) {
    return schema->any != NULL;
}

#endif
