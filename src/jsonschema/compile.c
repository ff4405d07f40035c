/* From a schema's text to rules. Subschemas are compiled from a list of work, not by recursion: their nesting and their
 * references may be whatever they are. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/pointer.h"
#include "base/text.h"
#include "jsonschema/rule.h"

#define SEED \
    UINT64_C(0x6a736f6e736368) /* names of schemas are their author's: nobody gains by piling them up */

struct compiler {
    struct slice text;
    struct arena *arena;
    struct document document;
    struct rule **by_node; /* subschemas, by where they stand */
    uint32_t *todo; /* places of those that are not compiled yet */
    uint32_t todo_count;
    struct slice id;
    struct rule *anchored;
    uint32_t references;
    struct jsonschema *schema;
    struct jsonschema_fault *fault;
};

struct keyword {
    struct slice name;
    bool (*take)(struct compiler *c, struct rule *rule, uint32_t node, unsigned which);
    unsigned which;
};

__attribute__((format(printf, 3, 4))) static bool refuse(struct compiler *c, size_t at, const char *format,
                                                         ...) {
    va_list arguments;
    va_start(arguments, format);
    c->fault->status = STATUS_BAD_CONFIG;
    c->fault->at = at;
    (void)vsnprintf(c->fault->text, sizeof c->fault->text, format, arguments);
    va_end(arguments);
    return false;
}

static bool no_memory(struct compiler *c) {
    c->fault->status = STATUS_NO_MEMORY;
    (void)snprintf(c->fault->text, sizeof c->fault->text, "no memory");
    return false;
}

static const struct document_node *node_at(const struct compiler *c, uint32_t node) {
    return document_at(&c->document, node);
}

static void *take(struct compiler *c, size_t count, size_t size) {
    void *memory = arena_array(c->arena, count + 1, size);
    if (!memory)
        no_memory(c);
    return memory;
}

/* The rule of what stands there; compiled later if it isn't yet. */
static const struct rule *subschema(struct compiler *c, uint32_t node) {
    const struct document_node *at = node_at(c, node);
    if (at->type != JSON_OBJECT && at->type != JSON_TRUE && at->type != JSON_FALSE) {
        refuse(c, at->at, "a schema is due here: an object, `true` or `false`");
        return NULL;
    }
    if (!c->by_node[node]) {
        struct rule *rule = take(c, 1, sizeof *rule);
        if (!rule)
            return NULL;
        rule->node = node;
        rule->is_false = at->type == JSON_FALSE;
        for (unsigned i = 0; i < COUNT_COUNT; i++)
            rule->most[i] = COUNT_NONE;
        rule->least[COUNT_CONTAINS] = 1;
        c->by_node[node] = rule;
        c->todo[c->todo_count++] = node;
    }
    return c->by_node[node];
}

/* -- values of keywords -- */

static bool take_types(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    static const struct slice names[] = {SLICE("null"),   SLICE("boolean"), SLICE("integer"), SLICE("number"),
                                         SLICE("string"), SLICE("array"),   SLICE("object")};
    bool is_list = node_at(c, node)->type == JSON_ARRAY;
    uint32_t first = is_list ? node + 1 : node, end = node_at(c, node)->end;
    (void)which;
    if (is_list && node_at(c, node)->count == 0)
        return refuse(c, node_at(c, node)->at, "`type` names none");
    for (uint32_t i = first; i < end; i = node_at(c, i)->end) {
        unsigned type = 0;
        while (type < COUNT_OF(names) &&
               !(node_at(c, i)->type == JSON_STRING && slice_equal(node_at(c, i)->text, names[type])))
            type++;
        if (type == COUNT_OF(names))
            return refuse(c, node_at(c, i)->at,
                          "a type is null, boolean, integer, number, string, array or object");
        if (rule->types & 1u << type)
            return refuse(c, node_at(c, i)->at, "`%.*s` stands here twice", SLICE_ARG(names[type]));
        rule->types |= (uint8_t)(1u << type);
    }
    return true;
}

static bool take_value(struct compiler *c, struct rule *rule, uint32_t node, unsigned is_list) {
    if (is_list && node_at(c, node)->type != JSON_ARRAY)
        return refuse(c, node_at(c, node)->at, "a list of values is due here");
    *(is_list ? &rule->list : &rule->constant) = node;
    return true;
}

static bool take_bound(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    const struct document_node *at = node_at(c, node);
    if (at->type != JSON_NUMBER || !decimal_parse(at->text, &rule->bounds[which]))
        return refuse(c, at->at, "a number is due here, with an exponent of at most 1000000000");
    if (which == BOUND_MULTIPLE && !decimal_is_divisor(&rule->bounds[which]))
        return refuse(c, at->at, "a number above 0 is due here, with at most 18 digits");
    rule->has_bounds |= (uint8_t)(1u << which);
    return true;
}

static bool count_of(struct compiler *c, uint32_t node, uint64_t *ret) {
    const struct document_node *at = node_at(c, node);
    struct decimal value;
    bool fine = at->type == JSON_NUMBER && decimal_parse(at->text, &value) && decimal_is_integer(&value) &&
                !value.is_negative;
    if (!fine)
        return refuse(c, at->at, "a whole number from 0 on is due here");
    *ret = 0;
    for (int64_t i = 0; i < value.point; i++) { /* 1e3 and 5.0 are whole, too */
        size_t digit = value.first + (size_t)i, whole = value.whole.size;
        unsigned next =
            digit >= value.last
                ? 0u
                : (unsigned)((digit < whole ? value.whole.data[digit] : value.fraction.data[digit - whole]) -
                             '0');
        if (*ret > (UINT64_MAX - 9) / 10)
            return refuse(c, at->at, "too large a number");
        *ret = *ret * 10 + next;
    }
    return true;
}

static bool take_least(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    return count_of(c, node, &rule->least[which]);
}

static bool take_most(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    return count_of(c, node, &rule->most[which]);
}

static bool take_unique(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    (void)which;
    rule->unique = node_at(c, node)->type == JSON_TRUE;
    return rule->unique || node_at(c, node)->type == JSON_FALSE ||
           refuse(c, node_at(c, node)->at, "true or false is due here");
}

static const struct ecma *expression(struct compiler *c, const struct document_node *at) {
    const struct ecma *ecma = NULL;
    char words[180] = "is no text";
    enum status status = at->type == JSON_STRING || at->type == JSON_NAME
                             ? ecma_compile(at->text, c->arena, &ecma, words, sizeof words)
                             : STATUS_BAD_CONFIG;
    if (status == STATUS_NO_MEMORY)
        no_memory(c);
    else if (status != STATUS_OK)
        refuse(c, at->at, "the expression %s", words);
    return status == STATUS_OK ? ecma : NULL;
}

static bool take_pattern(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    (void)which;
    rule->pattern = expression(c, node_at(c, node));
    return rule->pattern != NULL;
}

static bool names_of(struct compiler *c, uint32_t node, struct rule_name **ret, uint32_t *ret_count) {
    const struct document_node *list = node_at(c, node);
    if (list->type != JSON_ARRAY)
        return refuse(c, list->at, "a list of names is due here");
    *ret = take(c, list->count, sizeof **ret);
    for (uint32_t i = node + 1; *ret && i < list->end; i = node_at(c, i)->end) {
        if (node_at(c, i)->type != JSON_STRING)
            return refuse(c, node_at(c, i)->at, "a name is due here, a text");
        for (uint32_t k = 0; k < *ret_count && *ret_count < 256; k++)
            if (slice_equal((*ret)[k].name, node_at(c, i)->text))
                return refuse(c, node_at(c, i)->at, "the name stands here twice");
        (*ret)[(*ret_count)++] = (struct rule_name){.name = node_at(c, i)->text};
    }
    return *ret != NULL;
}

static bool take_required(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    (void)which;
    return names_of(c, node, &rule->required.items, &rule->required.count);
}

static int by_name(const void *left, const void *right) {
    const struct rule_name *a = left, *b = right;
    return slice_compare(a->name, b->name);
}

enum map_of { MAP_PROPERTIES, MAP_PATTERNS, MAP_RULES, MAP_NAMES, MAP_DEFINITIONS };

static bool take_entry(struct compiler *c, struct rule_name *entry, uint32_t value, enum map_of which) {
    if (which == MAP_NAMES)
        return names_of(c, value, &entry->names, &entry->name_count);
    entry->rule = subschema(c, value);
    return entry->rule != NULL;
}

static bool take_map(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    struct rule_names *const maps[] = {&rule->properties, &rule->patterns, &rule->dependent_rules,
                                       &rule->dependent_names, &(struct rule_names){0}};
    const struct document_node *map = node_at(c, node);
    struct rule_names *names = maps[which];
    if (map->type != JSON_OBJECT)
        return refuse(c, map->at, "an object is due here");
    names->items = take(c, map->count, sizeof *names->items);
    for (uint32_t i = node + 1; names->items && i < map->end; i = node_at(c, i + 1)->end) {
        struct rule_name *entry = &names->items[names->count++];
        *entry = (struct rule_name){.name = node_at(c, i)->text};
        if (which == MAP_PATTERNS && !(entry->pattern = expression(c, node_at(c, i))))
            return false;
        if (!take_entry(c, entry, i + 1, (enum map_of)which))
            return false;
    }
    if (names->items && which == MAP_PROPERTIES)
        qsort(names->items, names->count, sizeof *names->items, by_name);
    return names->items != NULL;
}

enum list_of { LIST_ALL, LIST_ANY, LIST_ONE, LIST_PREFIX };

static bool take_list(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    struct rule_list *const lists[] = {&rule->all, &rule->any, &rule->one, &rule->prefix};
    const struct document_node *list = node_at(c, node);
    if (list->type != JSON_ARRAY || list->count == 0)
        return refuse(c, list->at, "a list of schemas is due here, at least one");
    lists[which]->items = take(c, list->count, sizeof(struct rule *));
    for (uint32_t i = node + 1; lists[which]->items && i < list->end; i = node_at(c, i)->end) {
        const struct rule *one = subschema(c, i);
        if (!one)
            return false;
        lists[which]->items[lists[which]->count++] = one;
    }
    return lists[which]->items != NULL;
}

enum rule_of {
    RULE_ADDITIONAL,
    RULE_NAMES,
    RULE_ITEMS,
    RULE_CONTAINS,
    RULE_NOT,
    RULE_IF,
    RULE_THEN,
    RULE_ELSE
};

static bool take_rule(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    const struct rule **const rules[] = {&rule->additional, &rule->names, &rule->items, &rule->contains,
                                         &rule->not,        &rule->when,  &rule->then,  &rule->otherwise};
    return (*rules[which] = subschema(c, node)) != NULL;
}

static bool take_reference(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    const struct document_node *at = node_at(c, node);
    (void)which;
    if (at->type != JSON_STRING)
        return refuse(c, at->at, "a reference is due here, a text");
    rule->refers_to = at->text;
    if (c->references++ == JSONSCHEMA_REFERENCES_MAX)
        return refuse(c, at->at, "more than 10000 references");
    return true; /* when all subschemas are known */
}

enum note { NOTE_ANY, NOTE_FORMAT, NOTE_SCHEMA, NOTE_ID, NOTE_ANCHOR };

static bool take_note(struct compiler *c, struct rule *rule, uint32_t node, unsigned which) {
    const struct document_node *at = node_at(c, node);
    if (which != NOTE_ANY && at->type != JSON_STRING)
        return refuse(c, at->at, "a text is due here");
    if (which == NOTE_FORMAT && !c->schema->has_note) {
        c->schema->has_note = true;
        c->schema->note_at = node_at(c, node - 1)->at;
    }
    if (which == NOTE_SCHEMA && !slice_is(at->text, "https://json-schema.org/draft/2020-12/schema") &&
        !slice_is(at->text, "https://json-schema.org/draft/2020-12/schema#"))
        return refuse(c, at->at, "only https://json-schema.org/draft/2020-12/schema is known");
    if ((which == NOTE_ID || which == NOTE_SCHEMA) && rule->node != 0)
        return refuse(c, node_at(c, node - 1)->at,
                      "stands at the root of a schema only: one file is one schema");
    if (which == NOTE_ANCHOR) {
        rule->anchor = at->text;
        rule->next_anchored = c->anchored;
        c->anchored = rule;
    }
    if (which == NOTE_ID)
        c->id = slice_head(at->text, slice_find(at->text, '#'));
    return true;
}

static const struct keyword keywords[] = {
    {SLICE("type"), take_types, 0},
    {SLICE("const"), take_value, 0},
    {SLICE("enum"), take_value, 1},
    {SLICE("minimum"), take_bound, BOUND_MINIMUM},
    {SLICE("maximum"), take_bound, BOUND_MAXIMUM},
    {SLICE("exclusiveMinimum"), take_bound, BOUND_ABOVE},
    {SLICE("exclusiveMaximum"), take_bound, BOUND_BELOW},
    {SLICE("multipleOf"), take_bound, BOUND_MULTIPLE},
    {SLICE("minLength"), take_least, COUNT_LENGTH},
    {SLICE("maxLength"), take_most, COUNT_LENGTH},
    {SLICE("minItems"), take_least, COUNT_ITEMS},
    {SLICE("maxItems"), take_most, COUNT_ITEMS},
    {SLICE("minProperties"), take_least, COUNT_PROPERTIES},
    {SLICE("maxProperties"), take_most, COUNT_PROPERTIES},
    {SLICE("minContains"), take_least, COUNT_CONTAINS},
    {SLICE("maxContains"), take_most, COUNT_CONTAINS},
    {SLICE("uniqueItems"), take_unique, 0},
    {SLICE("pattern"), take_pattern, 0},
    {SLICE("required"), take_required, 0},
    {SLICE("properties"), take_map, MAP_PROPERTIES},
    {SLICE("patternProperties"), take_map, MAP_PATTERNS},
    {SLICE("dependentSchemas"), take_map, MAP_RULES},
    {SLICE("dependentRequired"), take_map, MAP_NAMES},
    {SLICE("$defs"), take_map, MAP_DEFINITIONS},
    {SLICE("definitions"), take_map, MAP_DEFINITIONS},
    {SLICE("allOf"), take_list, LIST_ALL},
    {SLICE("anyOf"), take_list, LIST_ANY},
    {SLICE("oneOf"), take_list, LIST_ONE},
    {SLICE("prefixItems"), take_list, LIST_PREFIX},
    {SLICE("additionalProperties"), take_rule, RULE_ADDITIONAL},
    {SLICE("propertyNames"), take_rule, RULE_NAMES},
    {SLICE("items"), take_rule, RULE_ITEMS},
    {SLICE("contains"), take_rule, RULE_CONTAINS},
    {SLICE("not"), take_rule, RULE_NOT},
    {SLICE("if"), take_rule, RULE_IF},
    {SLICE("then"), take_rule, RULE_THEN},
    {SLICE("else"), take_rule, RULE_ELSE},
    {SLICE("$ref"), take_reference, 0},
    {SLICE("$schema"), take_note, NOTE_SCHEMA},
    {SLICE("$id"), take_note, NOTE_ID},
    {SLICE("$anchor"), take_note, NOTE_ANCHOR},
    {SLICE("format"), take_note, NOTE_FORMAT},
    {SLICE("$comment"), take_note, NOTE_ANY},
    {SLICE("title"), take_note, NOTE_ANY},
    {SLICE("description"), take_note, NOTE_ANY},
    {SLICE("default"), take_note, NOTE_ANY},
    {SLICE("examples"), take_note, NOTE_ANY},
    {SLICE("deprecated"), take_note, NOTE_ANY},
    {SLICE("readOnly"), take_note, NOTE_ANY},
    {SLICE("writeOnly"), take_note, NOTE_ANY},
    {SLICE("contentEncoding"), take_note, NOTE_ANY},
    {SLICE("contentMediaType"), take_note, NOTE_ANY},
    {SLICE("contentSchema"), take_note, NOTE_ANY},
};

static bool unknown(struct compiler *c, const struct document_node *name) {
    struct slice names[COUNT_OF(keywords)];
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        names[i] = keywords[i].name;
    int near = text_nearest(name->text, names, COUNT_OF(names));
    if (near >= 0)
        return refuse(c, name->at, "unknown keyword `%.*s`; did you mean `%.*s`?",
                      SLICE_ARG(slice_head(name->text, 40)), SLICE_ARG(names[near]));
    return refuse(c, name->at, "unknown keyword `%.*s`: it would be ignored, so it is refused",
                  SLICE_ARG(slice_head(name->text, 40)));
}

static bool compile_one(struct compiler *c, uint32_t node) {
    struct rule *rule = c->by_node[node];
    const struct document_node *at = node_at(c, node);
    for (uint32_t i = node + 1; at->type == JSON_OBJECT && i < at->end; i = node_at(c, i + 1)->end) {
        size_t k = 0;
        while (k < COUNT_OF(keywords) && !slice_equal(keywords[k].name, node_at(c, i)->text))
            k++;
        if (k == COUNT_OF(keywords))
            return unknown(c, node_at(c, i));
        if (!keywords[k].take(c, rule, i + 1, keywords[k].which))
            return false;
    }
    return true;
}

/* -- references -- */

static uint32_t by_anchor(const struct compiler *c, struct slice name) {
    for (const struct rule *rule = c->anchored; rule; rule = rule->next_anchored)
        if (slice_equal(rule->anchor, name))
            return rule->node;
    return UINT32_MAX;
}

static uint32_t by_pointer(const struct compiler *c, struct slice pointer) {
    uint32_t node = 0;
    struct slice token;
    while (pointer_next(&pointer, &token)) {
        uint8_t room[POINTER_TOKEN_MAX];
        struct slice name = pointer_token(token, room);
        const struct document_node *at = node_at(c, node);
        uint64_t index = 0;
        if (at->type == JSON_OBJECT && name.data) {
            node = document_member(&c->document, node, name, document_hash(&c->document, name));
        } else if (at->type == JSON_ARRAY && text_to_u64(token, &index) && index < at->count) {
            for (node = node + 1; index; index--)
                node = node_at(c, node)->end;
        } else {
            return UINT32_MAX;
        }
        if (node == UINT32_MAX)
            return node;
    }
    return node;
}

/* Percent escapes of a URI's fragment (RFC 6901 section 6). */
static struct slice unescaped(struct compiler *c, struct slice fragment) {
    uint8_t *out = take(c, fragment.size, 1);
    size_t size = 0;
    for (size_t i = 0; out && i < fragment.size; i++) {
        bool escapes = fragment.data[i] == '%' && i + 2 < fragment.size &&
                       text_hex_value(fragment.data[i + 1]) >= 0 && text_hex_value(fragment.data[i + 2]) >= 0;
        int byte = escapes ? text_hex_value(fragment.data[i + 1]) << 4 | text_hex_value(fragment.data[i + 2])
                           : fragment.data[i];
        out[size++] = (uint8_t)byte;
        i += escapes ? 2 : 0;
    }
    return out ? slice_make(out, size) : slice_make(NULL, 0);
}

static bool resolve(struct compiler *c, struct rule *rule) {
    struct slice reference = rule->refers_to;
    size_t hash = slice_find(reference, '#');
    struct slice place = slice_head(reference, hash),
                 fragment = unescaped(c, slice_skip(reference, hash + 1));
    uint32_t at_node = document_member(&c->document, rule->node, SLICE_OF("$ref"),
                                       document_hash(&c->document, SLICE_OF("$ref")));
    size_t at = at_node == UINT32_MAX ? node_at(c, rule->node)->at : node_at(c, at_node)->at;
    if (!fragment.data)
        return false;
    if (place.size && !(c->id.size && slice_equal(place, c->id)))
        return refuse(c, at, "a reference stays within its file: `#`, `#/$defs/name`, `#anchor`");
    bool is_pointer = fragment.size == 0 || fragment.data[0] == '/';
    if (is_pointer && !pointer_is_valid(fragment))
        return refuse(c, at, "the reference holds no JSON pointer");
    uint32_t node = is_pointer ? by_pointer(c, fragment) : by_anchor(c, fragment);
    if (node == UINT32_MAX || !c->by_node[node])
        return refuse(c, at,
                      node == UINT32_MAX ? "nothing stands where the reference leads"
                                         : "no schema stands where the reference leads");
    rule->refers = c->by_node[node];
    return true;
}

static bool compile_all(struct compiler *c) {
    if (!subschema(c, 0))
        return false;
    for (uint32_t done = 0; done < c->todo_count; done++)
        if (!compile_one(c, c->todo[done]))
            return false;
    for (uint32_t i = 0; i < c->todo_count; i++)
        if (c->by_node[c->todo[i]]->refers_to.data && !resolve(c, c->by_node[c->todo[i]]))
            return false;
    return true;
}

/* What the document holds moves into the arena, strings that had escapes first: nodes point at them. */
static bool settle(struct compiler *c) {
    struct document *document = &c->document;
    uint8_t *texts = take(c, document->texts_size, 1);
    struct document_node *nodes = take(c, document->count, sizeof *nodes);
    if (!texts || !nodes)
        return false;
    for (uint32_t i = 0; i < document->count; i++) {
        nodes[i] = document->nodes[i];
        if (document->texts && nodes[i].text.data >= document->texts &&
            nodes[i].text.data < document->texts + document->texts_size)
            nodes[i].text.data = texts + (nodes[i].text.data - document->texts);
    }
    if (document->texts_size)
        memcpy(texts, document->texts, document->texts_size);
    uint64_t seed = document->seed;
    uint32_t count = document->count;
    size_t size = document->texts_size;
    document_done(document);
    *document =
        (struct document){.nodes = nodes, .count = count, .texts = texts, .texts_size = size, .seed = seed};
    return true;
}

static bool parse(struct compiler *c) {
    struct document_fault why;
    if (c->text.size > JSONSCHEMA_TEXT_MAX)
        return refuse(c, 0, "it is larger than 1 MiB");
    document_init(&c->document, SEED);
    enum status status = document_parse(&c->document, c->text, &why);
    bool fine = status == STATUS_OK          ? settle(c)
                : status == STATUS_NO_MEMORY ? no_memory(c)
                                             : refuse(c, why.at, "%s", why.text);
    if (!fine)
        document_done(&c->document);
    return fine;
}

enum status jsonschema_compile(struct slice text, struct arena *arena, const struct jsonschema **ret,
                               struct jsonschema_fault *fault) {
    struct compiler c = {.text = text, .arena = arena, .fault = fault};
    *fault = (struct jsonschema_fault){.status = STATUS_OK};
    c.schema = take(&c, 1, sizeof *c.schema);
    if (!c.schema || !parse(&c))
        return fault->status;
    c.by_node = take(&c, c.document.count, sizeof(struct rule *));
    c.todo = take(&c, c.document.count, sizeof *c.todo);
    if (!c.by_node || !c.todo || !compile_all(&c))
        return fault->status;
    c.schema->document = c.document;
    c.schema->root = c.by_node[0];
    *ret = c.schema;
    return STATUS_OK;
}

bool jsonschema_only_notes(const struct jsonschema *schema, size_t *ret_at) {
    *ret_at = schema->note_at;
    return schema->has_note;
}
