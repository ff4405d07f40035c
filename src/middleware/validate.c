/* validate: what a message must have, and what its data must be. */
#include "base/pointer.h"
#include "middleware/stage.h"

struct need {
    struct slice name; /* an attribute; or a pointer, where it is of the data */
    struct slice pointer; /* data NULL: it is none */
    uint32_t types; /* 1 << enum json_type; 0: any */
    bool is_integer;
};

struct validate {
    const struct jsonschema *schema; /* NULL: none */
    bool has_pointers;
    size_t count;
    struct need needs[];
};

/* -- compiling -- */

static const struct {
    struct slice name;
    uint32_t types;
} types[] = {
    {SLICE("string"), 1u << JSON_STRING},  {SLICE("number"), 1u << JSON_NUMBER},
    {SLICE("integer"), 1u << JSON_NUMBER}, {SLICE("boolean"), 1u << JSON_TRUE | 1u << JSON_FALSE},
    {SLICE("object"), 1u << JSON_OBJECT},  {SLICE("array"), 1u << JSON_ARRAY},
    {SLICE("null"), 1u << JSON_NULL},
};

static bool refuse(struct middleware_fault *fault, struct slice text, const char *words) {
    stage_fault(fault, STATUS_BAD_CONFIG, "`%.*s` %s", SLICE_ARG(slice_head(text, 80)), words);
    return false;
}

static bool is_known(const struct attribute_declared *declared, struct slice name) {
    for (size_t i = 0; declared && i < declared->count; i++)
        if (slice_equal(declared->rows[i].name, name))
            return true;
    return attribute_find(name) != ATTRIBUTE_OTHER;
}

static bool compile_need(const struct middleware_need *need, const struct attribute_declared *declared,
                         struct need *out, struct middleware_fault *fault) {
    struct slice prefix = SLICE_OF("data:"), text = need->text;
    size_t space = slice_find(text, ' ');
    struct slice name = slice_head(text, space), type = slice_skip(text, space + 1);
    *out = (struct need){.name = name};
    if (!slice_starts(name, prefix))
        return type.size
                   ? refuse(fault, text, "has its type already: those of attributes stand under `extensions`")
                   : is_known(declared, name) ||
                         refuse(fault, name,
                                "is an attribute that nobody declared; yours go under `extensions`");
    out->pointer = slice_skip(name, prefix.size);
    if (!pointer_is_valid(out->pointer))
        return refuse(fault, name, "holds no JSON pointer: write data:/order/id");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (slice_equal(types[i].name, type))
            out->types = types[i].types;
    out->is_integer = slice_is(type, "integer");
    return out->types || !type.size ||
           refuse(fault, type, "is no type: string, number, integer, boolean, object, array or null");
}

bool middleware_check_need(const struct middleware_need *need, const struct attribute_declared *declared,
                           struct middleware_fault *fault) {
    struct need out;
    *fault = (struct middleware_fault){.status = STATUS_OK};
    return compile_need(need, declared, &out, fault);
}

enum status validate_compile(struct stage *stage, const struct stage_make *make) {
    const struct middleware_spec *spec = stage->spec;
    struct validate *validate =
        arena_new(make->arena, sizeof *validate + spec->need_count * sizeof validate->needs[0]);
    struct jsonschema_fault why;
    if (!validate)
        return stage_fault(make->fault, STATUS_NO_MEMORY, "no memory");
    if (spec->need_count > MIDDLEWARE_NEEDS_MAX)
        return stage_fault(make->fault, STATUS_BAD_CONFIG, "more than %d lines of `require`",
                           MIDDLEWARE_NEEDS_MAX);
    for (size_t i = 0; i < spec->need_count; i++, validate->count++) {
        if (!compile_need(&spec->needs[i], make->declared, &validate->needs[i], make->fault))
            return make->fault->status;
        validate->has_pointers |= validate->needs[i].pointer.data != NULL;
    }
    if (spec->schema_path.size) {
        enum status status = jsonschema_compile(spec->schema, make->arena, &validate->schema, &why);
        if (status != STATUS_OK)
            return stage_fault(make->fault, status, "%s", why.text);
    }
    stage->compiled = validate;
    return STATUS_OK;
}

/* -- asking -- */

/* 1.0 is whole, and so is 1e3: by value, as JSON Schema counts. */
static bool is_whole(struct slice number) {
    double value;
    return json_number_is_integer(number) || (json_number_to_double(number, &value) && value >= -1e15 &&
                                              value <= 1e15 && value == (double)(int64_t)value);
}

static enum middleware_verdict ask(const struct need *need, struct middleware_run *run, struct slice json) {
    struct json_item item;
    if (!need->pointer.data)
        return message_find(run->message, need->name)
                   ? MIDDLEWARE_ON
                   : stage_refuse(run, STATUS_SCHEMA_INVALID, "validate: the attribute `%.*s` is missing",
                                  SLICE_ARG(need->name));
    if (!pointer_find(json, need->pointer, &item))
        return stage_refuse(run, STATUS_SCHEMA_INVALID, "validate: nothing stands at `%.*s`",
                            SLICE_ARG(slice_head(need->name, 100)));
    if (need->types && (!(need->types & 1u << item.type) || (need->is_integer && !is_whole(item.raw))))
        return stage_refuse(run, STATUS_SCHEMA_INVALID, "validate: `%.*s` is of another type",
                            SLICE_ARG(slice_head(need->name, 100)));
    return MIDDLEWARE_ON;
}

enum middleware_verdict validate_run(const struct stage *stage, struct middleware_run *run) {
    const struct validate *validate = stage->compiled;
    struct jsonschema_failure failure;
    struct slice json = slice_make(NULL, 0);
    if (validate->schema || validate->has_pointers) {
        json = stage_json(run->message, &run->room->text);
        if (!json.data)
            return stage_refuse(
                run, run->room->text.status == STATUS_NO_MEMORY ? STATUS_NO_MEMORY : STATUS_SCHEMA_INVALID,
                run->message->data_form == DATA_NONE ? "validate: there is no data"
                                                     : "validate: its data is no JSON");
    }
    for (size_t i = 0; i < validate->count; i++)
        if (ask(&validate->needs[i], run, json) != MIDDLEWARE_ON)
            return MIDDLEWARE_REFUSE;
    if (!validate->schema)
        return MIDDLEWARE_ON;
    enum status status = jsonschema_check(validate->schema, json, &run->room->schema, &failure);
    if (status == STATUS_OK)
        return MIDDLEWARE_ON;
    return stage_refuse(run, status, "validate: %s",
                        status == STATUS_SCHEMA_INVALID ? failure.text : "no memory to check it");
}
