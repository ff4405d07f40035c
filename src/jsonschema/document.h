/* A JSON text as an array of values in the order in which they stand, for who has to look at it more than once. What is in
 * an object or array follows it; `end` is the index behind all of that. Members are a name and its value. */
#ifndef JSONSCHEMA_DOCUMENT_H
#define JSONSCHEMA_DOCUMENT_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"

#define DOCUMENT_NODES_MAX 100000u /* values and names of one text */
#define DOCUMENT_DEPTH_MAX 64u /* arrays and objects inside each other */
#define DOCUMENT_KEPT_MAX 4096u /* room for so many is kept from one text to the next */

struct document_node {
    uint8_t type; /* enum json_type: JSON_NAME and the values */
    uint32_t count; /* OBJECT: members, ARRAY: items */
    uint32_t end;
    uint32_t hash; /* NAME */
    size_t at; /* offset in the text */
    struct slice text; /* NAME, STRING: what it means; NUMBER: as written */
};

struct document {
    struct document_node *nodes;
    uint32_t count;
    uint32_t capacity;
    uint8_t *texts; /* strings that had escapes */
    size_t texts_size;
    uint32_t *slots; /* to find names that stand twice */
    uint32_t slot_capacity;
    uint64_t seed;
};

struct document_fault {
    size_t at;
    char text[120];
};

/* `seed`: of the hashes of names; only documents with equal ones are compared. */
void document_init(struct document *document, uint64_t seed);
void document_done(struct document *document);
size_t document_memory(const struct document *document);
/* `text` is borrowed as long as the nodes are looked at. OK; SCHEMA_INVALID with `fault`: it is no JSON, a member stands
 * twice in an object, a string is no text, or it is deeper or has more values than the maxima allow; NO_MEMORY. */
enum status document_parse(struct document *document, struct slice text, struct document_fault *fault);
/* Gives back what a large one took. */
void document_trim(struct document *document);

static inline const struct document_node *document_at(const struct document *document, uint32_t node) {
    return &document->nodes[node];
}
/* The value of a member; UINT32_MAX: it has none of that name. */
uint32_t document_member(const struct document *document, uint32_t object, struct slice name, uint32_t hash);
uint32_t document_hash(const struct document *document, struct slice name);

#endif
