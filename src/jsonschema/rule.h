/* A compiled subschema: what compile.c makes and evaluate.c asks. */
#ifndef JSONSCHEMA_RULE_H
#define JSONSCHEMA_RULE_H

#include "jsonschema/decimal.h"
#include "jsonschema/jsonschema.h"

enum { /* of `type` */
       TYPE_NULL = 1,
       TYPE_BOOLEAN = 2,
       TYPE_INTEGER = 4,
       TYPE_NUMBER = 8,
       TYPE_STRING = 16,
       TYPE_ARRAY = 32,
       TYPE_OBJECT = 64,
};

enum bound { BOUND_MINIMUM, BOUND_MAXIMUM, BOUND_ABOVE, BOUND_BELOW, BOUND_MULTIPLE, BOUND_COUNT };
enum count { COUNT_LENGTH, COUNT_ITEMS, COUNT_PROPERTIES, COUNT_CONTAINS, COUNT_COUNT };
#define COUNT_NONE UINT64_MAX

struct rule;

struct rule_list {
    const struct rule **items;
    uint32_t count;
};

struct rule_name { /* `properties`, `patternProperties`, `dependentSchemas` and `dependentRequired` */
    struct slice name;
    uint32_t hash;
    const struct rule *rule;
    const struct ecma *pattern;
    struct rule_name *names; /* dependentRequired */
    uint32_t name_count;
};

struct rule_names {
    struct rule_name *items;
    uint32_t count;
};

struct rule {
    bool is_false; /* nothing fits */
    bool unique;
    uint8_t types; /* 0: any */
    uint32_t node; /* where it stands */
    uint32_t constant, list; /* node of `const`, `enum`; 0: none, for the root is neither */
    struct decimal bounds[BOUND_COUNT];
    uint8_t has_bounds; /* 1 << enum bound */
    uint64_t least[COUNT_COUNT], most[COUNT_COUNT]; /* 0, COUNT_NONE */
    const struct ecma *pattern;
    struct rule_names required, properties, patterns, dependent_rules, dependent_names;
    struct rule_list all, any, one, prefix;
    const struct rule *additional, *names, *items, *contains, *not, *when, *then, *otherwise, *refers;
    struct slice refers_to, anchor;
    struct rule *next_anchored;
};

struct jsonschema {
    struct document document;
    const struct rule *root;
    size_t note_at; /* of the first `format` */
    bool has_note;
};

#endif
