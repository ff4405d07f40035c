/* A configuration text as a tree of maps, lists and scalars, each with its place. Scalars are text: what they mean is
 * for the schema to say. Nodes and texts live in the tree's arena. */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "base/arena.h"
#include "config/report.h"

#define TREE_DEPTH_MAX 64u      /* nested maps and lists */
#define TREE_NODES_MAX 200000u  /* of one file, aliases expanded */
#define TREE_KEY_MAX 1024u      /* bytes of one key */

enum node_kind { NODE_NULL, NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool quoted;     /* scalar: was in quotes or a block, so `null` and `true` are words */
    bool opened;     /* made while opening a shorthand */
    bool secret;     /* scalar: something in it came from a file */
    bool referred;   /* scalar: something in it came from a file or a variable */
    bool unknown;    /* scalar: a reference in it was not looked up, so its text means nothing */
    struct config_place at;
    struct config_place key_at; /* child of a map */
    struct slice key;
    struct slice text;     /* scalar; after expansion the expanded one */
    struct slice written;  /* scalar: as it stood in the file; the shorthand's word where opened */
    struct slice origin;   /* overlay that it came from: `environments.production`, `--set`; empty: the file itself */
    struct node *first; /* children, in order */
    struct node *last;
    struct node *next;
    struct node *prev;
    uint32_t count;
    uint32_t slots; /* of `index`, a power of two */
    uint32_t used;  /* of them, removed keys included */
    struct node **index; /* of a map with many keys: by hash */
};

struct tree {
    struct arena *arena;
    struct config_report *report;
    uint32_t file;
    uint32_t nodes; /* made so far */
};

/* NULL when memory is out or TREE_NODES_MAX is reached (then the report says so). */
struct node *tree_node(struct tree *tree, enum node_kind kind, struct config_place at);
/* `child` comes last; its key is set already. */
void node_append(struct tree *tree, struct node *parent, struct node *child);
/* As node_append(), but right before `before`. */
void node_insert(struct tree *tree, struct node *parent, struct node *before, struct node *child);
/* Takes `child` out of `parent`; it must be in it. */
void node_remove(struct node *parent, struct node *child);
/* Puts `with`, which gets its key, where `child` is. */
void node_replace(struct node *parent, struct node *child, struct node *with);
struct node *node_get(const struct node *map, struct slice key);
/* By names with dots between, `*` not understood; NULL when some part is absent or no map. */
struct node *node_find(struct node *root, const char *path);
/* A deep copy into the tree; NULL as tree_node(). */
struct node *tree_copy(struct tree *tree, const struct node *node);
/* Plain `null`, `~` or nothing. */
bool node_text_is_null(struct slice text, bool quoted);

/* The whole file as one node: a map, or NULL after errors were reported. An empty file is an empty map. */
struct node *tree_load_yaml(struct tree *tree, struct slice text);
struct node *tree_load_json(struct tree *tree, struct slice text);
/* Any one YAML value (of `--set`), scalars included. */
struct node *tree_load_value(struct tree *tree, struct slice text);

#endif
