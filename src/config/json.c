/* JSON files, by our own strict reader. */
#include "base/json.h"

#include <stdio.h>

#include "config/tree.h"

struct reader {
    struct tree *tree;
    struct slice text;
    struct json json;
    struct { /* the last place asked for: offsets only grow, so lines are counted once */
        size_t offset;
        uint32_t line;
        uint32_t column;
    } cursor;
    bool failed;
};

static void advance(struct reader *reader, size_t offset, uint32_t *ret_line, uint32_t *ret_column) {
    if (offset < reader->cursor.offset) {
        reader->cursor.offset = 0;
        reader->cursor.line = reader->cursor.column = 1;
    }
    for (size_t i = reader->cursor.offset; i < offset && i < reader->text.size; i++) {
        uint8_t byte = reader->text.data[i];
        if (byte == '\n') {
            reader->cursor.line++;
            reader->cursor.column = 1;
        } else if ((byte & 0xc0) != 0x80) {
            reader->cursor.column++;
        }
    }
    reader->cursor.offset = offset;
    *ret_line = reader->cursor.line;
    *ret_column = reader->cursor.column;
}

static struct config_place place(struct reader *reader, size_t from, size_t to) {
    struct config_place at = {.file = reader->tree->file};
    advance(reader, from, &at.line, &at.column);
    advance(reader, to, &at.end_line, &at.end_column);
    return at;
}

static struct node *refuse(struct reader *reader, size_t from, size_t to, const char *what) {
    if (!reader->failed)
        config_report_add(reader->tree->report, false, true, place(reader, from, to), SLICE_OF(""), SLICE_OF(""), "%s", what);
    reader->failed = true;
    return NULL;
}

static size_t item_end(const struct json_item *item) {
    bool is_text = item->type == JSON_STRING || item->type == JSON_NAME;
    return item->at + item->raw.size + (is_text ? 2 : 0);
}

static struct slice item_text(struct reader *reader, const struct json_item *item) {
    if (!item->has_escapes) {
        struct slice copy = arena_copy(reader->tree->arena, item->raw);
        if (!copy.data) {
            reader->tree->report->status = STATUS_NO_MEMORY;
            reader->failed = true;
        }
        return copy;
    }
    uint8_t *bytes = arena_new(reader->tree->arena, item->raw.size + 1);
    if (!bytes) {
        reader->tree->report->status = STATUS_NO_MEMORY;
        reader->failed = true;
        return SLICE_OF("");
    }
    size_t size = json_unescape(bytes, item->raw);
    if (size == SIZE_MAX || memchr(bytes, 0, size)) {
        refuse(reader, item->at, item_end(item), "this string is no text (half a surrogate pair, or a NUL)");
        return SLICE_OF("");
    }
    bytes[size] = 0;
    return slice_make(bytes, size);
}

static struct node *value(struct reader *reader, const struct json_item *item);

static struct node *array(struct reader *reader, size_t from) {
    struct node *list = tree_node(reader->tree, NODE_LIST, place(reader, from, from + 1));
    struct json_item item;
    while (list && json_next(&reader->json, &item) != JSON_ARRAY_END) {
        struct node *child = value(reader, &item);
        if (!child)
            return NULL;
        node_append(reader->tree, list, child);
    }
    if (!list) {
        reader->failed = true;
        return NULL;
    }
    struct config_place end = place(reader, item.at, item.at + 1);
    list->at.end_line = end.end_line;
    list->at.end_column = end.end_column;
    return list;
}

static struct node *object(struct reader *reader, size_t from) {
    struct node *map = tree_node(reader->tree, NODE_MAP, place(reader, from, from + 1));
    struct json_item item;
    enum json_type type;
    while (map && (type = json_next(&reader->json, &item)) != JSON_OBJECT_END) {
        if (type != JSON_NAME)
            return value(reader, &item); /* only an error can come here */
        struct slice key = item_text(reader, &item);
        struct config_place key_at = place(reader, item.at, item_end(&item));
        const struct node *twin = node_get(map, key);
        if (key.size > TREE_KEY_MAX)
            return refuse(reader, item.at, item_end(&item), "a key of more than 1024 bytes");
        if (twin)
            config_report_add(reader->tree->report, false, true, key_at, key, SLICE_OF(""), "`%.*s` stands here twice; the first is on line %u",
                              (int)(key.size < 64 ? key.size : 64), (const char *)key.data, twin->key_at.line);
        json_next(&reader->json, &item);
        struct node *child = value(reader, &item);
        if (!child)
            return NULL;
        child->key = key;
        child->key_at = key_at;
        if (!twin)
            node_append(reader->tree, map, child);
    }
    if (!map) {
        reader->failed = true;
        return NULL;
    }
    struct config_place end = place(reader, item.at, item.at + 1);
    map->at.end_line = end.end_line;
    map->at.end_column = end.end_column;
    return map;
}

static struct node *value(struct reader *reader, const struct json_item *item) {
    if (item->type == JSON_ERROR || item->type == JSON_END) {
        char text[160];
        snprintf(text, sizeof text, "not valid JSON: %s", reader->json.error ? reader->json.error : "it ends too early");
        return refuse(reader, item->at, item->at, text);
    }
    if (item->type == JSON_OBJECT)
        return object(reader, item->at);
    if (item->type == JSON_ARRAY)
        return array(reader, item->at);
    struct node *node = tree_node(reader->tree, item->type == JSON_NULL ? NODE_NULL : NODE_SCALAR, place(reader, item->at, item_end(item)));
    if (!node) {
        reader->failed = true;
        return NULL;
    }
    node->quoted = item->type == JSON_STRING;
    node->text = item_text(reader, item);
    node->written = node->text;
    return reader->failed ? NULL : node;
}

struct node *tree_load_json(struct tree *tree, struct slice text) {
    struct reader reader = {.tree = tree, .text = text, .cursor = {0, 1, 1}};
    struct json_item item;
    json_init(&reader.json, text, TREE_DEPTH_MAX);
    json_next(&reader.json, &item);
    struct node *root = value(&reader, &item);
    if (root && json_next(&reader.json, &item) != JSON_END)
        root = value(&reader, &item);
    if (!root || reader.failed)
        return NULL;
    if (root->kind != NODE_MAP) {
        config_report_add(tree->report, false, true, root->at, SLICE_OF(""), SLICE_OF(""), "a configuration is an object");
        return NULL;
    }
    return root;
}
