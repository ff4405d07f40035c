/* From a text to an array of values. */
#include "jsonschema/document.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/memory.h"

void document_init(struct document *document, uint64_t seed) {
    *document = (struct document){.seed = seed};
}

void document_done(struct document *document) {
    memory_free(document->nodes);
    memory_free(document->texts);
    memory_free(document->slots);
    *document = (struct document){.seed = document->seed};
}

void document_trim(struct document *document) {
    if (document->capacity > DOCUMENT_KEPT_MAX || document->texts_size > DOCUMENT_KEPT_MAX * 16 ||
        document->slot_capacity > DOCUMENT_KEPT_MAX)
        document_done(document);
}

size_t document_memory(const struct document *document) {
    return document->capacity * sizeof *document->nodes + document->texts_size +
           document->slot_capacity * sizeof *document->slots;
}

uint32_t document_hash(const struct document *document, struct slice name) {
    return (uint32_t)map_hash(name, document->seed);
}

uint32_t document_member(const struct document *document, uint32_t object, struct slice name, uint32_t hash) {
    const struct document_node *nodes = document->nodes;
    for (uint32_t i = object + 1; i < nodes[object].end; i = nodes[i + 1].end)
        if (nodes[i].hash == hash && slice_equal(nodes[i].text, name))
            return i + 1;
    return UINT32_MAX;
}

/* -- parsing -- */

struct parsing {
    struct document *document;
    struct json json;
    struct json_item item;
    size_t texts_used;
    uint32_t open[DOCUMENT_DEPTH_MAX];
    uint32_t depth;
    struct document_fault *fault;
};

static enum status refuse(struct parsing *p, size_t at, const char *words) {
    p->fault->at = at;
    (void)snprintf(p->fault->text, sizeof p->fault->text, "%s", words);
    return STATUS_SCHEMA_INVALID;
}

static bool grow(struct document *document) {
    uint32_t capacity = document->capacity ? document->capacity * 2 : 64;
    struct document_node *nodes = memory_resize(document->nodes, capacity * sizeof *nodes);
    if (!nodes)
        return false;
    document->nodes = nodes;
    document->capacity = capacity;
    return true;
}

/* Room for all that the text can unescape to, so that nothing moves. */
static bool texts_room(struct document *document, size_t size) {
    if (size <= document->texts_size)
        return true;
    memory_free(document->texts);
    document->texts = memory_alloc(size);
    document->texts_size = document->texts ? size : 0;
    return document->texts != NULL;
}

static enum status text_of(struct parsing *p, struct slice *ret) {
    *ret = p->item.raw;
    if (!p->item.has_escapes)
        return STATUS_OK;
    if (!texts_room(p->document, (size_t)(p->json.end - p->json.start)))
        return STATUS_NO_MEMORY;
    uint8_t *at = p->document->texts + p->texts_used;
    size_t size = json_unescape(at, p->item.raw);
    if (size == SIZE_MAX)
        return refuse(p, p->item.at, "a lone surrogate is no text");
    p->texts_used += size;
    *ret = slice_make(at, size);
    return STATUS_OK;
}

static enum status twice(struct parsing *p, const struct document_node *name) {
    char words[80];
    (void)snprintf(words, sizeof words, "the member `%.*s` stands twice in one object",
                   SLICE_ARG(slice_head(name->text, 32)));
    return refuse(p, name->at, words);
}

static bool slots_room(struct document *document, uint32_t wanted) {
    if (wanted <= document->slot_capacity)
        return true;
    memory_free(document->slots);
    document->slots = memory_array(wanted, sizeof *document->slots);
    document->slot_capacity = document->slots ? wanted : 0;
    return document->slots != NULL;
}

/* Receivers would not agree on which of two equal names counts. */
static enum status check_names(struct parsing *p, uint32_t object) {
    struct document *document = p->document;
    const struct document_node *nodes = document->nodes;
    uint32_t size = 16, mask;
    while (size < 2 * nodes[object].count)
        size *= 2;
    if (nodes[object].count < 2)
        return STATUS_OK;
    if (!slots_room(document, size))
        return STATUS_NO_MEMORY;
    mask = size - 1;
    memset(document->slots, 0, size * sizeof *document->slots);
    for (uint32_t i = object + 1; i < nodes[object].end; i = nodes[i + 1].end) {
        uint32_t at = nodes[i].hash & mask;
        for (; document->slots[at]; at = (at + 1) & mask) {
            const struct document_node *other = &nodes[document->slots[at] - 1];
            if (other->hash == nodes[i].hash && slice_equal(other->text, nodes[i].text))
                return twice(p, &nodes[i]);
        }
        document->slots[at] = i + 1;
    }
    return STATUS_OK;
}

static enum status close(struct parsing *p) {
    uint32_t opened = p->open[--p->depth];
    p->document->nodes[opened].end = p->document->count;
    return p->document->nodes[opened].type == JSON_OBJECT ? check_names(p, opened) : STATUS_OK;
}

static enum status add(struct parsing *p) {
    struct document *document = p->document;
    struct document_node node = {.type = (uint8_t)p->item.type, .at = p->item.at};
    if (document->count == DOCUMENT_NODES_MAX)
        return refuse(p, p->item.at, "it holds more than 100000 values");
    if (document->count == document->capacity && !grow(document))
        return STATUS_NO_MEMORY;
    if (node.type == JSON_NAME || node.type == JSON_STRING) {
        enum status status = text_of(p, &node.text);
        if (status != STATUS_OK)
            return status;
    } else if (node.type == JSON_NUMBER) {
        node.text = p->item.raw;
    }
    if (node.type == JSON_NAME)
        node.hash = document_hash(document, node.text);
    struct document_node *holder = p->depth ? &document->nodes[p->open[p->depth - 1]] : NULL;
    if (holder && (holder->type == JSON_ARRAY || node.type == JSON_NAME))
        holder->count++;
    if (node.type == JSON_OBJECT || node.type == JSON_ARRAY)
        p->open[p->depth++] = document->count;
    node.end = document->count + 1;
    document->nodes[document->count++] = node;
    return STATUS_OK;
}

enum status document_parse(struct document *document, struct slice text, struct document_fault *fault) {
    struct parsing p = {.document = document, .fault = fault};
    enum status status = STATUS_OK;
    document->count = 0;
    json_init(&p.json, text, DOCUMENT_DEPTH_MAX);
    while (status == STATUS_OK) {
        enum json_type type = json_next(&p.json, &p.item);
        if (type == JSON_END)
            return STATUS_OK;
        if (type == JSON_ERROR)
            return refuse(&p, json_offset(&p.json), p.json.error);
        status = type == JSON_OBJECT_END || type == JSON_ARRAY_END ? close(&p) : add(&p);
    }
    return status;
}
