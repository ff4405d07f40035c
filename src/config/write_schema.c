/* The rows as JSON Schema 2020-12. */
#include "base/json_write.h"
#include "config/schema.h"
#include "config/scalar.h"
#include "config/write.h"

#define SCHEMA_ARENA_MAX (4u * 1024 * 1024)

/* A value may always be, or hold, a reference. */
#define REFERENCE "\\\\$\\\\{"

struct form {
    const char *name;
    const char *json;
};

/* YAML readers of editors may see `1.2`, `no` or `30` as number or boolean: what is text here takes them too. */
static const struct form forms[] = {
    {"reference", "{\"type\":\"string\",\"pattern\":\"" REFERENCE "\"}"},
    {"duration", "{\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^[0-9]+(us|ms|s|m|h|d)$\"},{\"$ref\":\"#/$defs/reference\"}]}"},
    {"size", "{\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^[0-9]+(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$\"},{\"$ref\":\"#/$defs/reference\"}]}"},
    {"count", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"},{\"$ref\":\"#/$defs/reference\"}]}"},
    {"integer", "{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^-?[0-9]+$\"},{\"$ref\":\"#/$defs/reference\"}]}"},
    {"boolean", "{\"anyOf\":[{\"type\":\"boolean\"},{\"enum\":[\"true\",\"false\"]},{\"$ref\":\"#/$defs/reference\"}]}"},
    {"text", "{\"type\":[\"string\",\"number\",\"boolean\"]}"},
    {"name", "{\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^[a-z0-9][a-z0-9_-]{0,62}$\"},{\"type\":[\"integer\",\"boolean\"]},{\"$ref\":\"#/$defs/reference\"}]}"},
    {"url", "{\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^[a-z+]+://\"},{\"$ref\":\"#/$defs/reference\"}]}"},
    {"priority", "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":5},{\"enum\":[\"low\",\"normal\",\"high\",\"critical\",\"emergency\"]},{\"$ref\":\"#/$defs/reference\"}]}"},
    {"unlimited", "{\"const\":\"unlimited\"}"},
};

static const char *const form_of[ROW_TYPE_COUNT] = {
    [ROW_DURATION] = "duration", [ROW_SIZE] = "size",         [ROW_COUNT] = "count",   [ROW_INTEGER] = "integer", [ROW_BOOLEAN] = "boolean",
    [ROW_NAME] = "name",         [ROW_REFERENCE] = "name",    [ROW_URL] = "url",       [ROW_HTTP_URL] = "url",    [ROW_PRIORITY] = "priority",
};

static void write_ref(struct json_write *write, const char *name) {
    char text[64];
    struct buffer out;
    buffer_init_fixed(&out, text, sizeof text);
    buffer_add_text(&out, "#/$defs/");
    buffer_add_text(&out, name);
    json_write_object(write);
    json_write_member(write, "$ref", buffer_slice(&out));
    json_write_object_end(write);
}

static void write_words(struct json_write *write, const char *values) {
    struct slice word;
    bool planned;
    json_write_object(write);
    json_write_name(write, SLICE_OF("enum"));
    json_write_array(write);
    while (scalar_word(&values, &word, &planned))
        if (!planned)
            json_write_string(write, word);
    json_write_array_end(write);
    json_write_object_end(write);
}

/* A URL whose row says which schemes it may have, so that an editor can say it, too. */
static void write_url(struct json_write *write, const struct config_row *row) {
    const char *values = row->values;
    struct slice word;
    bool planned, first = true;
    char text[256];
    struct buffer pattern;
    buffer_init_fixed(&pattern, text, sizeof text);
    buffer_add_text(&pattern, "^(");
    while (scalar_word(&values, &word, &planned)) {
        if (planned)
            continue;
        buffer_add_text(&pattern, first ? "" : "|");
        first = false;
        for (size_t i = 0; i < word.size; i++) {
            if (word.data[i] == '+')
                buffer_add_byte(&pattern, '\\');
            buffer_add_byte(&pattern, word.data[i]);
        }
    }
    buffer_add_text(&pattern, ")://");
    json_write_object(write);
    json_write_name(write, SLICE_OF("anyOf"));
    json_write_array(write);
    json_write_object(write);
    json_write_member_text(write, "type", "string");
    json_write_member(write, "pattern", buffer_slice(&pattern));
    json_write_object_end(write);
    write_ref(write, "reference");
    json_write_array_end(write);
    json_write_object_end(write);
}

static void write_scalar(struct json_write *write, const struct config_row *row) {
    if (row->type == ROW_URL && row->values) {
        write_url(write, row);
    } else if (row->type == ROW_ENUM) {
        json_write_object(write);
        json_write_name(write, SLICE_OF("anyOf"));
        json_write_array(write);
        write_words(write, row->values);
        write_ref(write, "reference");
        json_write_array_end(write);
        json_write_object_end(write);
    } else {
        write_ref(write, form_of[row->type] ? form_of[row->type] : "text");
    }
}

static void write_list(struct json_write *write, const struct config_row *row) {
    json_write_object(write);
    json_write_member_text(write, "type", "array");
    json_write_member_u64(write, "minItems", 1);
    json_write_name(write, SLICE_OF("items"));
    write_scalar(write, row);
    json_write_object_end(write);
}

static void write_node(struct json_write *write, const struct schema *schema);

/* Nothing is required here: what one file lacks another, or an overlay, may bring. */
static void write_map(struct json_write *write, const struct schema *schema) {
    json_write_object(write);
    json_write_member_text(write, "type", "object");
    if (schema->first) {
        json_write_name(write, SLICE_OF("properties"));
        json_write_object(write);
        for (const struct schema *child = schema->first; child; child = child->next) {
            json_write_name(write, child->name);
            write_node(write, child);
        }
        json_write_object_end(write);
    }
    json_write_name(write, SLICE_OF("additionalProperties"));
    if (schema->any)
        write_node(write, schema->any);
    else
        json_write_bool(write, false);
    json_write_object_end(write);
}

/* Stands for a map of which only `url` is given. */
static void write_short_url(struct json_write *write, const struct schema *schema) {
    for (const struct schema *child = schema->first; child; child = child->next)
        if (slice_is(child->name, "url")) {
            write_scalar(write, child->row);
            return;
        }
    write_ref(write, "url");
}

/* One stage alone is a list of it. */
static void write_chain(struct json_write *write) {
    write_ref(write, "stage");
    json_write_object(write);
    json_write_member_text(write, "type", "array");
    json_write_member_u64(write, "minItems", 1);
    json_write_name(write, SLICE_OF("items"));
    write_ref(write, "stage");
    json_write_object_end(write);
}

static unsigned alternatives(const struct schema *schema) {
    unsigned flags = schema_flags(schema);
    return 1u + !!(flags & ROW_LIST) + !!(flags & ROW_URL_SHORT) + !!(flags & ROW_TRUE_SHORT) + !!(flags & ROW_UNLIMITED);
}

static void write_alternatives(struct json_write *write, const struct schema *schema) {
    unsigned flags = schema_flags(schema);
    if (schema_is_map(schema))
        write_map(write, schema);
    else if (schema_type(schema) == ROW_CHAIN)
        write_chain(write);
    else
        write_scalar(write, schema->row);
    if (flags & ROW_LIST)
        write_list(write, schema->row);
    if (flags & ROW_URL_SHORT)
        write_short_url(write, schema);
    if (flags & ROW_TRUE_SHORT)
        write_ref(write, "boolean");
    if (flags & ROW_UNLIMITED)
        write_ref(write, "unlimited");
}

static void write_planned(struct json_write *write, const struct schema *schema) {
    json_write_object(write);
    json_write_name(write, SLICE_OF("not"));
    json_write_object(write);
    json_write_object_end(write);
    char text[512];
    struct buffer out;
    buffer_init_fixed(&out, text, sizeof text);
    buffer_add_text(&out, "Not supported yet in " CONFIG_VERSION ". ");
    buffer_add_text(&out, schema->row ? schema->row->doc : "");
    json_write_member(write, "description", slice_trim(buffer_slice(&out)));
    json_write_object_end(write);
}

static void write_node(struct json_write *write, const struct schema *schema) {
    if (schema->is_planned) {
        write_planned(write, schema);
        return;
    }
    json_write_object(write);
    if (schema->row) {
        json_write_member_text(write, "description", schema->row->doc);
        if (schema->row->fallback && schema->row->fallback[0] != '(')
            json_write_member_text(write, "default", schema->row->fallback);
    }
    if (schema_type(schema) == ROW_OVERLAY) {
        json_write_member_text(write, "type", "object");
    } else {
        json_write_name(write, SLICE_OF("anyOf"));
        json_write_array(write);
        write_alternatives(write, schema);
        if (schema_is_map(schema) && alternatives(schema) == 1)
            json_write_raw(write, SLICE_OF("{\"type\":\"null\"}")); /* an empty section, or an overlay's removal */
        json_write_array_end(write);
    }
    json_write_object_end(write);
}

/* One stage: the name of a chain, or a map of one key. */
static void write_stage(struct json_write *write, const struct schema *stage) {
    json_write_object(write);
    json_write_name(write, SLICE_OF("anyOf"));
    json_write_array(write);
    write_ref(write, "name");
    write_map(write, stage);
    json_write_array_end(write);
    json_write_object_end(write);
}

static void write_forms(struct json_write *write, const struct schema *stage) {
    json_write_name(write, SLICE_OF("$defs"));
    json_write_object(write);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        json_write_name(write, slice_from(forms[i].name));
        json_write_raw(write, slice_from(forms[i].json));
    }
    json_write_name(write, SLICE_OF("stage"));
    write_stage(write, stage);
    json_write_object_end(write);
}

enum status config_schema(struct buffer *out) {
    struct arena arena;
    struct json_write write;
    arena_init(&arena, SCHEMA_ARENA_MAX);
    const struct schema *root = schema_new(&arena);
    if (!root) {
        arena_done(&arena);
        return STATUS_NO_MEMORY;
    }
    json_write_init(&write, out);
    json_write_object(&write);
    json_write_member_text(&write, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_write_member_text(&write, "title", "intertie " CONFIG_VERSION " configuration");
    write_forms(&write, schema_find(root, SLICE_OF("middleware.*")));
    json_write_member_text(&write, "type", "object");
    json_write_name(&write, SLICE_OF("properties"));
    json_write_object(&write);
    for (const struct schema *child = root->first; child; child = child->next) {
        json_write_name(&write, child->name);
        write_node(&write, child);
    }
    json_write_object_end(&write);
    json_write_member_bool(&write, "additionalProperties", false);
    json_write_object_end(&write);
    arena_done(&arena);
    return out->status;
}
