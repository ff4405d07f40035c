/* A rule against a value. Recursion ends at JSONSCHEMA_DEPTH_MAX, work at JSONSCHEMA_STEPS_MAX; from then on nothing fits,
 * not even where failing would be fine. */
#include <stdarg.h>
#include <stdio.h>

#include "base/buffer.h"
#include "jsonschema/equal.h"
#include "jsonschema/rule.h"

/* The way from the root of the data to a value, on the stack. */
struct way {
    const struct way *up; /* NULL: the root */
    struct slice name; /* data NULL: an item, at `index` */
    uint32_t index;
};

struct checking {
    const struct jsonschema *schema;
    const struct document *document;
    struct ecma_room *ecma;
    struct jsonschema_failure *failure;
    uint64_t steps;
    unsigned depth;
    unsigned quiet; /* what fails is not told: inside `not`, `anyOf` and their like */
    bool over; /* a maximum was reached */
    enum status status;
};

static bool check(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way);

/* -- telling -- */

static void add_token(struct buffer *out, const struct way *way) {
    buffer_add_byte(out, '/');
    if (!way->name.data) {
        buffer_add_u64(out, way->index);
        return;
    }
    for (size_t i = 0; i < way->name.size; i++) {
        uint8_t byte = way->name.data[i];
        if (byte == '~' || byte == '/')
            buffer_add_text(out, byte == '~' ? "~0" : "~1");
        else
            buffer_add_byte(out, byte < ' ' || byte == 0x7f ? '?' : byte);
    }
}

static void add_way(struct buffer *out, const struct way *way) {
    const struct way *ways[DOCUMENT_DEPTH_MAX + 1];
    unsigned count = 0;
    for (; way && way->up && count <= DOCUMENT_DEPTH_MAX; way = way->up)
        ways[count++] = way;
    while (count--)
        add_token(out, ways[count]);
}

/* Cut where a character ends. */
static void set_pointer(struct checking *c, const struct way *way) {
    char *text = c->failure->pointer;
    struct buffer out;
    buffer_init(&out, 64u << 10);
    add_way(&out, way);
    size_t size = out.size;
    if (size > JSONSCHEMA_POINTER_MAX) {
        size = JSONSCHEMA_POINTER_MAX;
        while (size && (out.data[size] & 0xc0) == 0x80)
            size--;
    }
    if (size)
        memcpy(text, out.data, size);
    memcpy(text + size, size < out.size ? "..." : "", size < out.size ? 4 : 1);
    buffer_done(&out);
}

/* The first failure that is not inside of what may fail is what is told. */
__attribute__((format(printf, 4, 5))) static bool fail(struct checking *c, const struct way *way,
                                                       const char *keyword, const char *format, ...) {
    if (c->quiet || c->over || c->status != STATUS_OK)
        return false;
    c->status = STATUS_SCHEMA_INVALID;
    set_pointer(c, way);
    (void)snprintf(c->failure->keyword, sizeof c->failure->keyword, "%s", keyword);
    int used = c->failure->pointer[0]
                   ? snprintf(c->failure->text, sizeof c->failure->text, "`%s` ", c->failure->pointer)
                   : snprintf(c->failure->text, sizeof c->failure->text, "the data ");
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(c->failure->text + used, sizeof c->failure->text - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

static bool give_up(struct checking *c, const struct way *way, const char *words) {
    if (!c->over) {
        c->quiet = 0;
        c->status = STATUS_OK;
        fail(c, way, "", "%s", words);
        c->over = true;
    }
    return false;
}

static bool costs(struct checking *c, uint64_t steps, const struct way *way) {
    c->steps += steps;
    return c->steps <= JSONSCHEMA_STEPS_MAX || give_up(c, way, "takes too long to check against this schema");
}

/* As `check`, but failing is no failure of the whole. */
static bool fits(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    c->quiet++;
    bool fine = check(c, rule, node, way);
    if (c->quiet)
        c->quiet--;
    return fine && !c->over;
}

/* -- by type -- */

static bool matches(struct checking *c, const struct ecma *ecma, struct slice text, const struct way *way) {
    bool fine = false;
    if (!costs(c, 1 + text.size / 64, way))
        return false;
    enum status status = ecma_matches(ecma, text, c->ecma, &fine);
    if (status == STATUS_NO_MEMORY) {
        c->over = true;
        c->status = status;
    } else if (status != STATUS_OK) {
        give_up(c, way, "takes too long to be matched by an expression of this schema");
    }
    return fine && !c->over;
}

static bool check_type(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    static const struct {
        uint8_t json, type;
    } types[] = {{JSON_NULL, TYPE_NULL},     {JSON_TRUE, TYPE_BOOLEAN},  {JSON_FALSE, TYPE_BOOLEAN},
                 {JSON_NUMBER, TYPE_NUMBER}, {JSON_STRING, TYPE_STRING}, {JSON_ARRAY, TYPE_ARRAY},
                 {JSON_OBJECT, TYPE_OBJECT}};
    const struct document_node *at = document_at(c->document, node);
    struct decimal number;
    if (!rule->types)
        return true;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].json == at->type && rule->types & types[i].type)
            return true;
    if (at->type == JSON_NUMBER && rule->types & TYPE_INTEGER && decimal_parse(at->text, &number) &&
        decimal_is_integer(&number))
        return true;
    return fail(c, way, "type", "is of another `type`");
}

static bool check_values(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    const struct document *own = &c->schema->document;
    bool met = !rule->list;
    if (rule->constant &&
        !equal_values(c->document, node, own, rule->constant, &c->steps, JSONSCHEMA_STEPS_MAX))
        return costs(c, 0, way) && fail(c, way, "const", "is not what `const` says");
    for (uint32_t i = rule->list + 1; rule->list && !met && i < document_at(own, rule->list)->end;
         i = document_at(own, i)->end)
        met = equal_values(c->document, node, own, i, &c->steps, JSONSCHEMA_STEPS_MAX);
    return costs(c, 0, way) && (met || fail(c, way, "enum", "is none of `enum`"));
}

static bool check_number(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    static const struct {
        const char *keyword;
        int low, high; /* what the comparison may say */
        const char *words;
    } bounds[] = {[BOUND_MINIMUM] = {"minimum", 0, 1, "is below"},
                  [BOUND_MAXIMUM] = {"maximum", -1, 0, "is above"},
                  [BOUND_ABOVE] = {"exclusiveMinimum", 1, 1, "is not above"},
                  [BOUND_BELOW] = {"exclusiveMaximum", -1, -1, "is not below"}};
    const struct document_node *at = document_at(c->document, node);
    struct decimal number;
    if (at->type != JSON_NUMBER || !rule->has_bounds)
        return true;
    if (!decimal_parse(at->text, &number))
        return fail(c, way, "", "is a number beyond 10 to the power of 1000000000");
    if (!costs(c, 1 + at->text.size / 16, way))
        return false;
    for (unsigned i = 0; i < BOUND_MULTIPLE; i++) {
        int result = rule->has_bounds & 1u << i ? decimal_compare(&number, &rule->bounds[i]) : bounds[i].low;
        if (result < bounds[i].low || result > bounds[i].high)
            return fail(c, way, bounds[i].keyword, "%s `%s`", bounds[i].words, bounds[i].keyword);
    }
    if (rule->has_bounds & 1u << BOUND_MULTIPLE &&
        !decimal_is_multiple(&number, &rule->bounds[BOUND_MULTIPLE]))
        return fail(c, way, "multipleOf", "is no multiple as `multipleOf` says");
    return true;
}

static bool check_count(struct checking *c, const struct rule *rule, enum count which, uint64_t count,
                        const struct way *way) {
    static const char *const least[] = {"minLength", "minItems", "minProperties"},
                             *const most[] = {"maxLength", "maxItems", "maxProperties"},
                             *const nouns[] = {"characters", "items", "members"};
    if (count < rule->least[which])
        return fail(c, way, least[which], "has less than %llu %s (`%s`)",
                    (unsigned long long)rule->least[which], nouns[which], least[which]);
    if (count > rule->most[which])
        return fail(c, way, most[which], "has more than %llu %s (`%s`)",
                    (unsigned long long)rule->most[which], nouns[which], most[which]);
    return true;
}

static bool check_string(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    struct slice text = document_at(c->document, node)->text;
    uint64_t points = 0;
    if (document_at(c->document, node)->type != JSON_STRING)
        return true;
    if (rule->least[COUNT_LENGTH] || rule->most[COUNT_LENGTH] != COUNT_NONE) {
        for (size_t i = 0; i < text.size; i++)
            points += (text.data[i] & 0xc0) != 0x80;
        if (!costs(c, text.size / 64, way) || !check_count(c, rule, COUNT_LENGTH, points, way))
            return false;
    }
    if (rule->pattern && !matches(c, rule->pattern, text, way))
        return fail(c, way, "pattern", "does not match its `pattern`");
    return true;
}

/* -- arrays -- */

static bool check_unique(struct checking *c, uint32_t node, const struct way *way) {
    const struct document *document = c->document;
    uint32_t end = document_at(document, node)->end;
    for (uint32_t i = node + 1; i < end; i = document_at(document, i)->end)
        for (uint32_t k = document_at(document, i)->end; k < end; k = document_at(document, k)->end)
            if (equal_values(document, i, document, k, &c->steps, JSONSCHEMA_STEPS_MAX))
                return fail(c, way, "uniqueItems", "holds two items that are the same (`uniqueItems`)");
            else if (!costs(c, 0, way))
                return false;
    return true;
}

static bool check_contains(struct checking *c, const struct rule *rule, uint32_t node,
                           const struct way *way) {
    const struct document *document = c->document;
    struct way here = {.up = way};
    uint64_t met = 0;
    for (uint32_t i = node + 1; i < document_at(document, node)->end && !c->over;
         i = document_at(document, i)->end, here.index++)
        met += fits(c, rule->contains, i, &here);
    if (c->over)
        return false;
    if (met < rule->least[COUNT_CONTAINS])
        return fail(c, way, rule->least[COUNT_CONTAINS] == 1 ? "contains" : "minContains",
                    "holds too few items that fit `contains`");
    return met <= rule->most[COUNT_CONTAINS] ||
           fail(c, way, "maxContains", "holds too many items that fit `contains`");
}

static bool check_array(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    const struct document *document = c->document;
    const struct document_node *at = document_at(document, node);
    struct way here = {.up = way};
    if (at->type != JSON_ARRAY)
        return true;
    if (!check_count(c, rule, COUNT_ITEMS, at->count, way))
        return false;
    for (uint32_t i = node + 1; (rule->prefix.count || rule->items) && i < at->end;
         i = document_at(document, i)->end, here.index++) {
        const struct rule *item =
            here.index < rule->prefix.count ? rule->prefix.items[here.index] : rule->items;
        if (item && !check(c, item, i, &here))
            return false;
    }
    if (rule->contains && !check_contains(c, rule, node, way))
        return false;
    return !rule->unique || check_unique(c, node, way);
}

/* -- objects -- */

static const struct rule *property(const struct rule *rule, struct slice name) {
    uint32_t low = 0, high = rule->properties.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = slice_compare(name, rule->properties.items[middle].name);
        if (order == 0)
            return rule->properties.items[middle].rule;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool check_name(struct checking *c, const struct rule *rule, uint32_t name, const struct way *way) {
    /* A name as a value: a document of its own, of one text. */
    struct document_node node = *document_at(c->document, name);
    struct document alone = {.nodes = &node, .count = 1, .seed = c->document->seed};
    const struct document *all = c->document;
    node.type = JSON_STRING;
    node.end = 1;
    c->document = &alone;
    bool fine = check(c, rule->names, 0, way);
    c->document = all;
    return fine;
}

static bool check_member(struct checking *c, const struct rule *rule, uint32_t name, const struct way *way) {
    struct way here = {.up = way, .name = document_at(c->document, name)->text};
    if (!here.name.data)
        here.name = SLICE_OF("");
    const struct rule *known = property(rule, here.name);
    bool is_met = known != NULL;
    if (known && !check(c, known, name + 1, &here))
        return false;
    for (uint32_t i = 0; i < rule->patterns.count; i++) {
        bool matched = matches(c, rule->patterns.items[i].pattern, here.name, &here);
        is_met |= matched;
        if (c->over || (matched && !check(c, rule->patterns.items[i].rule, name + 1, &here)))
            return false;
    }
    if (!is_met && rule->additional && rule->additional->is_false)
        return fail(c, &here, "additionalProperties",
                    "is a member that the schema does not know (`additionalProperties`)");
    if (!is_met && rule->additional && !check(c, rule->additional, name + 1, &here))
        return false;
    return !rule->names || check_name(c, rule, name, &here);
}

static bool has(struct checking *c, uint32_t node, struct slice name, const struct way *way, bool *ret) {
    *ret = document_member(c->document, node, name, document_hash(c->document, name)) != UINT32_MAX;
    return costs(c, 1 + document_at(c->document, node)->count / 4, way);
}

static bool check_required(struct checking *c, const struct rule_name *names, uint32_t count, uint32_t node,
                           const struct way *way, const char *keyword) {
    for (uint32_t i = 0; i < count; i++) {
        bool there;
        if (!has(c, node, names[i].name, way, &there))
            return false;
        if (!there)
            return fail(c, way, keyword, "lacks the member `%.*s` (`%s`)",
                        SLICE_ARG(slice_head(names[i].name, 60)), keyword);
    }
    return true;
}

static bool check_dependents(struct checking *c, const struct rule *rule, uint32_t node,
                             const struct way *way) {
    bool there;
    for (uint32_t i = 0; i < rule->dependent_names.count; i++) {
        const struct rule_name *entry = &rule->dependent_names.items[i];
        if (!has(c, node, entry->name, way, &there) ||
            (there && !check_required(c, entry->names, entry->name_count, node, way, "dependentRequired")))
            return false;
    }
    for (uint32_t i = 0; i < rule->dependent_rules.count; i++) {
        const struct rule_name *entry = &rule->dependent_rules.items[i];
        if (!has(c, node, entry->name, way, &there) || (there && !check(c, entry->rule, node, way)))
            return false;
    }
    return true;
}

static bool check_object(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    const struct document_node *at = document_at(c->document, node);
    if (at->type != JSON_OBJECT)
        return true;
    if (!check_count(c, rule, COUNT_PROPERTIES, at->count, way) ||
        !check_required(c, rule->required.items, rule->required.count, node, way, "required"))
        return false;
    bool asks = rule->properties.count || rule->patterns.count || rule->additional || rule->names;
    for (uint32_t i = node + 1; asks && i < at->end; i = document_at(c->document, i + 1)->end)
        if (!check_member(c, rule, i, way))
            return false;
    return check_dependents(c, rule, node, way);
}

/* -- together -- */

static bool check_any(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    bool met = !rule->any.count;
    for (uint32_t i = 0; i < rule->any.count && !met && !c->over; i++)
        met = fits(c, rule->any.items[i], node, way);
    return met || fail(c, way, "anyOf", "fits none of `anyOf`");
}

static bool check_one(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    uint32_t met = 0;
    for (uint32_t i = 0; i < rule->one.count && met < 2 && !c->over; i++)
        met += fits(c, rule->one.items[i], node, way);
    if (c->over)
        return false;
    return !rule->one.count || met == 1 ||
           fail(c, way, "oneOf", met ? "fits more than one of `oneOf`" : "fits none of `oneOf`");
}

static bool check_condition(struct checking *c, const struct rule *rule, uint32_t node,
                            const struct way *way) {
    if (!rule->when || (!rule->then && !rule->otherwise))
        return true;
    const struct rule *next = fits(c, rule->when, node, way) ? rule->then : rule->otherwise;
    return !c->over && (!next || check(c, next, node, way));
}

static bool check_others(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    if (rule->refers && !check(c, rule->refers, node, way))
        return false;
    for (uint32_t i = 0; i < rule->all.count; i++)
        if (!check(c, rule->all.items[i], node, way))
            return false;
    if (!check_any(c, rule, node, way) || !check_one(c, rule, node, way) ||
        !check_condition(c, rule, node, way))
        return false;
    if (rule->not &&fits(c, rule->not, node, way))
        return fail(c, way, "not", "fits what `not` forbids");
    return !c->over;
}

static bool check(struct checking *c, const struct rule *rule, uint32_t node, const struct way *way) {
    if (!costs(c, 1, way))
        return false;
    if (rule->is_false)
        return fail(c, way, "false", "fits nothing: its schema is `false`");
    if (c->depth == JSONSCHEMA_DEPTH_MAX)
        return give_up(c, way, "leads too deep into this schema");
    c->depth++;
    bool fine = check_type(c, rule, node, way) && check_values(c, rule, node, way) &&
                check_number(c, rule, node, way) && check_string(c, rule, node, way) &&
                check_array(c, rule, node, way) && check_object(c, rule, node, way) &&
                check_others(c, rule, node, way);
    c->depth--;
    return fine && !c->over;
}

/* -- the door -- */

void jsonschema_room_init(struct jsonschema_room *room, uint64_t seed) {
    document_init(&room->document, seed);
    room->ecma = (struct ecma_room){0};
}

void jsonschema_room_done(struct jsonschema_room *room) {
    document_done(&room->document);
    ecma_room_done(&room->ecma);
}

size_t jsonschema_room_size(const struct jsonschema_room *room) {
    return document_memory(&room->document);
}

enum status jsonschema_check(const struct jsonschema *schema, struct slice text, struct jsonschema_room *room,
                             struct jsonschema_failure *failure) {
    struct document_fault why;
    struct way root = {0};
    *failure = (struct jsonschema_failure){0};
    enum status status = document_parse(&room->document, text, &why);
    if (status == STATUS_SCHEMA_INVALID)
        (void)snprintf(failure->text, sizeof failure->text, "the data can't be checked: %s (at byte %zu)",
                       why.text, why.at);
    struct checking c = {
        .schema = schema, .document = &room->document, .ecma = &room->ecma, .failure = failure};
    if (status == STATUS_OK && !check(&c, schema->root, 0, &root))
        status = c.status == STATUS_OK ? STATUS_SCHEMA_INVALID : c.status;
    document_trim(&room->document);
    return status;
}
