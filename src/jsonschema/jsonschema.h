/* JSON Schema, draft 2020-12: a schema is compiled once, then asked about texts, each of which may be hostile.
 *
 * Known are all applicators and validations of the standard but `unevaluatedItems` and `unevaluatedProperties`; of the
 * core `$defs`, `$anchor`, and `$ref` within the schema (`#`, `#/pointer`, `#anchor`, also behind the schema's own `$id`).
 * Annotations (`title`, `description`, `default`, `examples`, `deprecated`, `readOnly`, `writeOnly`, `$comment`,
 * `contentEncoding`, `contentMediaType`, `contentSchema`, `format`) are taken and say nothing, as the standard has it. Any
 * other keyword is an error: what would be ignored would let pass what it was written against.
 *
 * Numbers are compared exactly, whatever their length. A member that stands twice in an object breaks every schema. All
 * that can be made to cost much has a maximum; reaching it means that the text does not fit. */
#ifndef JSONSCHEMA_JSONSCHEMA_H
#define JSONSCHEMA_JSONSCHEMA_H

#include "jsonschema/document.h"
#include "jsonschema/ecma.h"

#define JSONSCHEMA_TEXT_MAX (1u << 20) /* bytes of a schema */
#define JSONSCHEMA_DEPTH_MAX 256u /* subschemas asked inside each other, through references too */
#define JSONSCHEMA_REFERENCES_MAX 10000u /* `$ref`s of a schema */
#define JSONSCHEMA_STEPS_MAX 1000000u /* comparisons for one text */
#define JSONSCHEMA_POINTER_MAX 100u /* bytes of a place that is told; the rest is cut */

struct jsonschema;

/* What is wrong with a schema. */
struct jsonschema_fault {
    enum status status; /* BAD_CONFIG, NO_MEMORY */
    size_t at; /* offset in its text */
    char text[200];
};

/* The text is used as long as the schema is, which lives in the arena; any thread may ask it. */
enum status jsonschema_compile(struct slice text, struct arena *arena, const struct jsonschema **ret,
                               struct jsonschema_fault *fault);
/* Where a keyword stands that looks as if it would check and does not (`format`); false: there is none. */
bool jsonschema_only_notes(const struct jsonschema *schema, size_t *ret_at);

/* What checking needs, used again for each text; of one thread. */
struct jsonschema_room {
    struct document document;
    struct ecma_room ecma;
};

/* `seed`: nobody outside should know it. */
void jsonschema_room_init(struct jsonschema_room *room, uint64_t seed);
void jsonschema_room_done(struct jsonschema_room *room);
size_t jsonschema_room_size(const struct jsonschema_room *room);

/* Why a text does not fit. */
struct jsonschema_failure {
    char pointer[JSONSCHEMA_POINTER_MAX + 4]; /* the value at fault; empty: all of it */
    char keyword[32]; /* that it breaks; empty: it is no JSON, or a maximum was reached */
    char text[200]; /* all of it in words, without values: "`/a/0` is below `minimum` 3" */
};

/* OK; SCHEMA_INVALID with `failure`; NO_MEMORY. */
enum status jsonschema_check(const struct jsonschema *schema, struct slice text, struct jsonschema_room *room,
                             struct jsonschema_failure *failure);

#endif
