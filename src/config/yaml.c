/* YAML by libyaml's events: we pull one after another, so that depth, size and aliases are capped while reading. */
#include <stdio.h>
#include <yaml.h>

#include "base/text.h"
#include "config/tree.h"

#define YAML_ANCHORS_MAX 256u

struct anchor {
    struct slice name;
    struct node *node; /* NULL: still open, an alias to it would contain itself */
};

struct loader {
    struct tree *tree;
    yaml_parser_t parser;
    yaml_event_t event;
    bool failed;
    unsigned depth;
    struct anchor anchors[YAML_ANCHORS_MAX];
    unsigned anchor_count;
};

static struct config_place place_of(const struct loader *loader, yaml_mark_t from, yaml_mark_t to) {
    return (struct config_place){loader->tree->file, (uint32_t)from.line + 1, (uint32_t)from.column + 1,
                                 (uint32_t)to.line + 1, (uint32_t)to.column + 1};
}

static struct config_place event_place(const struct loader *loader) {
    return place_of(loader, loader->event.start_mark, loader->event.end_mark);
}

static void *refuse(struct loader *loader, struct config_place at, const char *what) {
    if (!loader->failed)
        config_report_add(loader->tree->report, false, true, at, SLICE_OF(""), SLICE_OF(""), "%s", what);
    loader->failed = true;
    return NULL;
}

static void *parser_failed(struct loader *loader) {
    const yaml_parser_t *parser = &loader->parser;
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_MEMORY_ERROR) {
        loader->tree->report->status = STATUS_NO_MEMORY;
        loader->failed = true;
        return NULL;
    }
    if (parser->error == YAML_READER_ERROR)
        mark = parser->mark;
    if (parser->problem && strcmp(parser->problem, "found character that cannot start any token") == 0)
        return refuse(loader, place_of(loader, mark, mark), "this character can't start a value (a tab? YAML indents with spaces)");
    if (parser->problem && strcmp(parser->problem, "mapping values are not allowed in this context") == 0)
        return refuse(loader, place_of(loader, mark, mark), "a `: ` isn't allowed here; is the line indented right, or the value in need of quotes?");
    char text[160];
    snprintf(text, sizeof text, "not valid YAML: %s", parser->problem ? parser->problem : "unknown reason");
    return refuse(loader, place_of(loader, mark, mark), text);
}

static bool pull(struct loader *loader) {
    yaml_event_delete(&loader->event);
    if (yaml_parser_parse(&loader->parser, &loader->event))
        return true;
    parser_failed(loader);
    return false;
}

static struct slice event_text(struct loader *loader, const yaml_char_t *text, size_t size) {
    struct slice copy = arena_copy(loader->tree->arena, slice_make(text, size));
    if (!copy.data) {
        loader->tree->report->status = STATUS_NO_MEMORY;
        loader->failed = true;
    }
    return copy;
}

/* Anchors are file-wide; a later one of the same name counts from there on (YAML 1.2, 7.1). */
static bool anchor_open(struct loader *loader, const yaml_char_t *name, unsigned *ret_index) {
    *ret_index = UINT32_MAX;
    if (!name)
        return true;
    if (loader->anchor_count == YAML_ANCHORS_MAX) {
        refuse(loader, event_place(loader), "more than 256 anchors in one file");
        return false;
    }
    struct slice copy = event_text(loader, name, strlen((const char *)name));
    *ret_index = loader->anchor_count;
    loader->anchors[loader->anchor_count++] = (struct anchor){copy, NULL};
    return !loader->failed;
}

static void anchor_close(struct loader *loader, unsigned index, struct node *node) {
    if (index != UINT32_MAX)
        loader->anchors[index].node = node;
}

static struct node *alias(struct loader *loader) {
    struct slice name = slice_from((const char *)loader->event.data.alias.anchor);
    struct config_place at = event_place(loader);
    for (unsigned i = loader->anchor_count; i-- > 0;) {
        if (!slice_equal(loader->anchors[i].name, name))
            continue;
        if (!loader->anchors[i].node)
            return refuse(loader, at, "this alias stands inside its own anchor");
        struct node *copy = tree_copy(loader->tree, loader->anchors[i].node);
        if (!copy)
            loader->failed = true;
        return copy;
    }
    return refuse(loader, at, "no anchor of this name above; anchors work inside one file only");
}

static struct node *value(struct loader *loader);

static struct node *scalar(struct loader *loader) {
    struct config_place at = event_place(loader);
    if (loader->event.data.scalar.tag)
        return refuse(loader, at, "tags (`!...`) aren't used here: the schema knows the type");
    unsigned anchor;
    if (!anchor_open(loader, loader->event.data.scalar.anchor, &anchor))
        return NULL;
    struct node *node = tree_node(loader->tree, NODE_SCALAR, at);
    if (!node) {
        loader->failed = true;
        return NULL;
    }
    node->quoted = loader->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = event_text(loader, loader->event.data.scalar.value, loader->event.data.scalar.length);
    node->written = node->text;
    if (node_text_is_null(node->text, node->quoted))
        node->kind = NODE_NULL;
    anchor_close(loader, anchor, node);
    return node;
}

static bool deeper(struct loader *loader) {
    if (++loader->depth <= TREE_DEPTH_MAX)
        return true;
    refuse(loader, event_place(loader), "more than 64 values inside each other");
    return false;
}

static void grow_end(struct node *node, const struct config_place *end) {
    node->at.end_line = end->end_line;
    node->at.end_column = end->end_column;
}

static struct node *sequence(struct loader *loader) {
    if (loader->event.data.sequence_start.tag)
        return refuse(loader, event_place(loader), "tags (`!...`) aren't used here: the schema knows the type");
    unsigned anchor;
    if (!deeper(loader) || !anchor_open(loader, loader->event.data.sequence_start.anchor, &anchor))
        return NULL;
    struct node *list = tree_node(loader->tree, NODE_LIST, event_place(loader));
    while (list && pull(loader) && loader->event.type != YAML_SEQUENCE_END_EVENT) {
        struct node *item = value(loader);
        if (!item)
            return NULL;
        node_append(loader->tree, list, item);
    }
    if (!list || loader->failed) {
        loader->failed = true;
        return NULL;
    }
    struct config_place end = event_place(loader);
    grow_end(list, &end);
    anchor_close(loader, anchor, list);
    loader->depth--;
    return list;
}

/* Reads the key that the current event is; false after a refusal. */
static bool key_of(struct loader *loader, struct node *map, struct slice *ret_key, struct config_place *ret_at) {
    const yaml_event_t *event = &loader->event;
    struct config_place at = event_place(loader);
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.tag || event->data.scalar.anchor) {
        refuse(loader, at, "a key is plain text here, without alias, anchor or tag");
        return false;
    }
    struct slice key = event_text(loader, event->data.scalar.value, event->data.scalar.length);
    if (loader->failed)
        return false;
    if (key.size > TREE_KEY_MAX) {
        refuse(loader, at, "a key of more than 1024 bytes");
        return false;
    }
    if (slice_is(key, "<<") && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        refuse(loader, at, "merge keys (`<<`) aren't supported; share settings with `policies`");
        return false;
    }
    const struct node *twin = node_get(map, key);
    if (twin) /* said, and read on: the second one is dropped */
        config_report_add(loader->tree->report, false, true, at, key, SLICE_OF(""), "`%.*s` stands here twice; the first is on line %u",
                          (int)(key.size < 64 ? key.size : 64), (const char *)key.data, twin->key_at.line);
    *ret_key = key;
    *ret_at = at;
    return true;
}

static struct node *mapping(struct loader *loader) {
    if (loader->event.data.mapping_start.tag)
        return refuse(loader, event_place(loader), "tags (`!...`) aren't used here: the schema knows the type");
    unsigned anchor;
    if (!deeper(loader) || !anchor_open(loader, loader->event.data.mapping_start.anchor, &anchor))
        return NULL;
    struct node *map = tree_node(loader->tree, NODE_MAP, event_place(loader));
    while (map && pull(loader) && loader->event.type != YAML_MAPPING_END_EVENT) {
        struct slice key;
        struct config_place key_at;
        if (!key_of(loader, map, &key, &key_at) || !pull(loader))
            return NULL;
        struct node *child = value(loader);
        if (!child)
            return NULL;
        child->key = key;
        child->key_at = key_at;
        if (!node_get(map, key))
            node_append(loader->tree, map, child);
    }
    if (!map || loader->failed) {
        loader->failed = true;
        return NULL;
    }
    struct config_place end = event_place(loader);
    grow_end(map, &end);
    anchor_close(loader, anchor, map);
    loader->depth--;
    return map;
}

/* The value that begins with the current event. */
static struct node *value(struct loader *loader) {
    switch ((int)loader->event.type) {
    case YAML_SCALAR_EVENT:
        return scalar(loader);
    case YAML_SEQUENCE_START_EVENT:
        return sequence(loader);
    case YAML_MAPPING_START_EVENT:
        return mapping(loader);
    case YAML_ALIAS_EVENT:
        return alias(loader);
    default:
        return refuse(loader, event_place(loader), "not a value");
    }
}

static struct node *document(struct loader *loader) {
    struct config_place start = {loader->tree->file, 1, 1, 1, 1};
    if (!pull(loader) || !pull(loader))
        return NULL;
    if (loader->event.type == YAML_STREAM_END_EVENT)
        return tree_node(loader->tree, NODE_NULL, start);
    if (loader->event.data.document_start.version_directive &&
        loader->event.data.document_start.version_directive->major != 1)
        return refuse(loader, event_place(loader), "only YAML 1.2 is understood");
    if (!pull(loader))
        return NULL;
    struct node *root = value(loader);
    if (!root || !pull(loader) || !pull(loader))
        return NULL;
    if (loader->event.type != YAML_STREAM_END_EVENT)
        return refuse(loader, event_place(loader), "a second document; one file holds one (`---` only at its top)");
    return root;
}

struct node *tree_load_value(struct tree *tree, struct slice text) {
    struct loader *loader = arena_new(tree->arena, sizeof *loader);
    if (!loader) {
        tree->report->status = STATUS_NO_MEMORY;
        return NULL;
    }
    loader->tree = tree;
    if (!text_is_utf8(text) || memchr(text.data, 0, text.size))
        return refuse(loader, (struct config_place){tree->file, 1, 1, 1, 1}, "the file is not UTF-8 text");
    if (!yaml_parser_initialize(&loader->parser)) {
        tree->report->status = STATUS_NO_MEMORY;
        return NULL;
    }
    yaml_parser_set_encoding(&loader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&loader->parser, text.data, text.size);
    struct node *root = document(loader);
    yaml_event_delete(&loader->event);
    yaml_parser_delete(&loader->parser);
    return loader->failed ? NULL : root;
}

struct node *tree_load_yaml(struct tree *tree, struct slice text) {
    struct node *root = tree_load_value(tree, text);
    if (root && root->kind == NODE_NULL) {
        root->kind = NODE_MAP;
        return root;
    }
    if (root && root->kind != NODE_MAP) {
        config_report_add(tree->report, false, true, root->at, SLICE_OF(""), SLICE_OF(""), "a configuration is a map of `key: value`");
        return NULL;
    }
    return root;
}
