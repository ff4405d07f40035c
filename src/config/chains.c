/* Middleware: chains of stages, as routes have them. */
#include <stdio.h>

#include "base/json.h"
#include "config/work.h"

#define SCRATCH_MAX (1u << 20)

const struct schema *chains_stage(const struct work *work) {
    return schema_find(work->schema, SLICE_OF("middleware.*"));
}

/* -- checking -- */

bool chains_names_change(const struct trail *trail) {
    struct slice map = trail->up->key, stage = trail->up->up ? trail->up->up->key : SLICE_OF("");
    return slice_is(stage, "transform") && (slice_is(map, "set") || slice_is(map, "rename"));
}

/* Bare, it is what YAML reads it as. */
static bool is_literal(const struct node *node) {
    struct json json;
    struct json_item item;
    json_init(&json, node->text, 1);
    enum json_type type = json_next(&json, &item);
    return !node->quoted && (type == JSON_NUMBER || type == JSON_TRUE || type == JSON_FALSE) &&
           json_next(&json, &item) == JSON_END;
}

static struct middleware_change change_of(enum middleware_what what, const struct node *node) {
    return (struct middleware_change){.what = what,
                                      .name = what == MIDDLEWARE_REMOVE ? node->text : node->key,
                                      .value = what == MIDDLEWARE_REMOVE ? SLICE_OF("") : node->text,
                                      .is_json = what == MIDDLEWARE_SET && is_literal(node)};
}

static void check_change(struct work *work, enum middleware_what what, const struct node *node,
                         const struct trail *trail) {
    struct middleware_change change = change_of(what, node);
    struct middleware_fault fault;
    struct arena scratch;
    arena_init(&scratch, SCRATCH_MAX);
    if (node->kind == NODE_SCALAR && !node->unknown &&
        !middleware_check_change(&change, &work->declared, &scratch, &fault))
        work_error(work, what == MIDDLEWARE_REMOVE ? node->at : node->key_at, trail, "%s", fault.text);
    arena_done(&scratch);
}

static void check_changes(struct work *work, enum middleware_what what, const char *name,
                          const struct node *transform, const struct trail *trail, size_t *count) {
    const struct node *map = node_get(transform, slice_from(name));
    struct trail in = {trail, slice_from(name)};
    bool is_list = map && map->kind == NODE_LIST;
    if (!map || map->kind != (what == MIDDLEWARE_REMOVE ? NODE_LIST : NODE_MAP))
        return; /* told already */
    for (const struct node *child = map->first; child; child = child->next, ++*count) {
        struct trail here = {&in, child->key};
        check_change(work, what, child, is_list ? &in : &here);
    }
}

static void check_transform(struct work *work, const struct node *transform, const struct trail *trail) {
    size_t count = 0;
    check_changes(work, MIDDLEWARE_RENAME, "rename", transform, trail, &count);
    check_changes(work, MIDDLEWARE_REMOVE, "remove", transform, trail, &count);
    check_changes(work, MIDDLEWARE_SET, "set", transform, trail, &count);
    if (transform->kind == NODE_MAP && !count)
        work_error(work, transform->key_at, trail, "changes nothing: there are `set`, `remove` and `rename`");
    if (count > MIDDLEWARE_CHANGES_MAX)
        work_error(work, transform->key_at, trail, "%zu changes, %d at most in one stage", count,
                   MIDDLEWARE_CHANGES_MAX);
}

static void check_validate(struct work *work, const struct node *validate, const struct trail *trail) {
    const struct node *require = node_get(validate, SLICE_OF("require"));
    struct trail here = {trail, SLICE_OF("require")};
    if (validate->kind == NODE_MAP && !validate->first)
        work_error(work, validate->key_at, trail, "asks for nothing: there are `schema` and `require`");
    if (!require || require->kind != NODE_LIST)
        return;
    for (const struct node *item = require->first; item; item = item->next) {
        struct middleware_need need = {item->text};
        struct middleware_fault fault;
        if (item->kind == NODE_SCALAR && !item->unknown &&
            !middleware_check_need(&need, &work->declared, &fault))
            work_error(work, item->at, &here, "%s", fault.text);
    }
    if (require->count > MIDDLEWARE_NEEDS_MAX)
        work_error(work, require->at, &here, "%u lines, %d at most", require->count, MIDDLEWARE_NEEDS_MAX);
}

static void check_log(struct work *work, const struct node *log, const struct trail *trail) {
    const struct node *show = node_get(log, SLICE_OF("show"));
    struct trail here = {trail, SLICE_OF("show")};
    for (const struct node *item = show && show->kind == NODE_LIST ? show->first : NULL; item; item = item->next) {
        struct middleware_fault fault = {0};
        if (item->kind == NODE_SCALAR && !item->unknown && !middleware_check_shown(item->text, &work->declared, &fault))
            work_error(work, item->at, &here, "%s", fault.text);
    }
    if (show && show->count > MIDDLEWARE_SHOWN_MAX)
        work_error(work, show->at, &here, "%u attributes, %d at most", show->count, MIDDLEWARE_SHOWN_MAX);
}

static void check_stage(struct work *work, struct node *stage, const struct trail *trail) {
    size_t before = work->report->errors_met;
    check_map(work, chains_stage(work), stage, trail);
    if (work->report->errors_met != before)
        return;
    struct trail here = {trail, stage->first ? stage->first->key : SLICE_OF("")};
    if (stage->count != 1)
        work_error(work, stage->at, trail, "a stage is a map of one key; the list says their order");
    else if (slice_is(here.key, "transform"))
        check_transform(work, stage->first, &here);
    else if (slice_is(here.key, "validate"))
        check_validate(work, stage->first, &here);
    else if (slice_is(here.key, "log"))
        check_log(work, stage->first, &here);
}

void chains_check(struct work *work, struct node *list, const struct trail *trail) {
    size_t index = 0;
    if (list->kind != NODE_LIST || !list->first) {
        work_error(work, list->at, trail, "a list of stages is due here; leave the key out for none");
        return;
    }
    for (struct node *item = list->first; item; item = item->next, index++) {
        char text[24];
        (void)snprintf(text, sizeof text, "%zu", index);
        struct trail here = {trail, slice_from(text)};
        if (item->kind == NODE_MAP)
            check_stage(work, item, &here);
        else if (item->kind != NODE_SCALAR)
            work_error(work, item->at, &here, "a stage is a map of one key, or the name of a chain");
    }
    if (list->count > MIDDLEWARE_STAGES_MAX)
        work_error(work, list->at, trail, "%u stages, %d at most", list->count, MIDDLEWARE_STAGES_MAX);
}

/* -- what spans several keys -- */

static const struct node *chains(const struct work *work) {
    const struct node *map = node_get(work->root, SLICE_OF("middleware"));
    return map && map->kind == NODE_MAP ? map : NULL;
}

/* The named chain that an item of a route's list stands for. */
static const struct node *chain_of(const struct work *work, const struct node *item) {
    const struct node *chain = item->kind == NODE_SCALAR ? node_get(chains(work), item->text) : NULL;
    return chain && chain->kind == NODE_LIST ? chain : NULL;
}

void chains_route(struct work *work, const struct node *route, const struct trail *trail) {
    const struct node *list = node_get(route, SLICE_OF("middleware"));
    struct trail here = {trail, SLICE_OF("middleware")};
    size_t count = 0;
    if (!list || list->kind != NODE_LIST)
        return;
    if (node_get(route, SLICE_OF("proxy")))
        work_error(work, list->key_at, &here,
                   "means nothing with `proxy`: what is streamed is never a message");
    for (const struct node *item = list->first; item; item = item->next) {
        const struct node *chain = chain_of(work, item);
        if (item->kind == NODE_SCALAR && !item->unknown && !node_get(chains(work), item->text))
            refer_unknown(work, item->at, &here, "chain", item->text, chains(work));
        count += chain ? chain->count : 1;
    }
    if (count > MIDDLEWARE_STAGES_MAX)
        work_error(work, list->key_at, &here, "%zu stages with those of its chains, %d at most", count,
                   MIDDLEWARE_STAGES_MAX);
}

/* A chain holds stages: names in it would make loops. And one that no route names does nothing. */
void chains_named(struct work *work) {
    const struct node *map = chains(work), *routes = node_get(work->root, SLICE_OF("routes"));
    struct trail root = {NULL, {NULL, 0}}, all = {&root, SLICE_OF("middleware")};
    for (const struct node *chain = map ? map->first : NULL; chain; chain = chain->next) {
        struct trail here = {&all, chain->key};
        bool is_used = false;
        for (const struct node *item = chain->kind == NODE_LIST ? chain->first : NULL; item;
             item = item->next)
            if (item->kind == NODE_SCALAR)
                work_error(work, item->at, &here, "a chain is made of stages; only a route names chains");
        for (const struct node *route = routes && routes->kind == NODE_MAP ? routes->first : NULL;
             route && !is_used; route = route->next) {
            const struct node *list = node_get(route, SLICE_OF("middleware"));
            for (const struct node *item = list && list->kind == NODE_LIST ? list->first : NULL; item;
                 item = item->next)
                is_used |= item->kind == NODE_SCALAR && slice_equal(item->text, chain->key);
        }
        if (!is_used) {
            char path[TRAIL_MAX];
            config_report_add(work->report, true, false, chain->key_at, trail_text(&here, path), SLICE_OF(""),
                              "no route uses this chain");
        }
    }
}

/* -- building -- */

struct making {
    struct work *work;
    struct arena *arena;
    struct middleware_spec *specs;
    size_t count;
    bool failed;
};

static struct slice keep(struct making *making, struct slice text) {
    if (text.size == 0)
        return SLICE_OF("");
    struct slice copy = arena_copy(making->arena, text);
    making->failed |= !copy.data;
    return copy;
}

static void build_changes(struct making *making, struct middleware_spec *spec,
                          struct middleware_change *changes, enum middleware_what what,
                          const struct node *map) {
    for (const struct node *child = map && changes ? map->first : NULL; child; child = child->next) {
        struct middleware_change change = change_of(what, child);
        change.name = keep(making, change.name);
        change.value = keep(making, change.value);
        changes[spec->change_count++] = change;
    }
}

static void build_transform(struct making *making, struct middleware_spec *spec, const struct node *node) {
    const struct node *rename = node_get(node, SLICE_OF("rename")),
                      *gone = node_get(node, SLICE_OF("remove")), *set = node_get(node, SLICE_OF("set"));
    size_t count = (rename ? rename->count : 0) + (gone ? gone->count : 0) + (set ? set->count : 0);
    struct middleware_change *changes = arena_array(making->arena, count + 1, sizeof *changes);
    making->failed |= !changes;
    spec->changes = changes;
    build_changes(making, spec, changes, MIDDLEWARE_RENAME, rename);
    build_changes(making, spec, changes, MIDDLEWARE_REMOVE, gone);
    build_changes(making, spec, changes, MIDDLEWARE_SET, set);
}

/* -- files of schemas -- */

/* Beside the file in which its name stands, unless the name says more. */
static struct slice path_of(struct making *making, const struct node *node) {
    const struct config_report *report = making->work->report;
    struct slice name = report->files[node->at.file < report->file_count ? node->at.file : 0].name;
    if (name.size && name.data[0] == '-') /* `--set` */
        name = report->files[0].name;
    while (name.size && name.data[name.size - 1] != '/')
        name.size--;
    if (node->text.size && node->text.data[0] == '/')
        name.size = 0;
    uint8_t *path = arena_array(making->arena, name.size + node->text.size + 1, 1);
    making->failed |= !path;
    if (!path)
        return SLICE_OF("");
    if (name.size)
        memcpy(path, name.data, name.size);
    memcpy(path + name.size, node->text.data, node->text.size);
    return slice_make(path, name.size + node->text.size);
}

/* The file's index in the report, where it may have been read for another stage; UINT32_MAX with the error told. */
static uint32_t read_schema(struct making *making, struct slice path, const struct node *node) {
    struct config_report *report = making->work->report;
    const struct config_source *source = making->work->options->source;
    struct fault fault = {0};
    struct buffer text;
    bool open = false;
    for (uint32_t i = 0; i < report->file_count; i++)
        if (slice_equal(report->files[i].name, path))
            return i;
    buffer_init(&text, CONFIG_FILE_MAX);
    enum status status = source->read(source->context, path, &text, &open, &fault);
    status = status == STATUS_OK ? text.status : status;
    uint32_t file = status == STATUS_OK ? config_report_file(report, path, buffer_slice(&text)) : UINT32_MAX;
    buffer_done(&text);
    making->failed |= status == STATUS_NO_MEMORY || (status == STATUS_OK && file == UINT32_MAX);
    if (status != STATUS_OK && status != STATUS_NO_MEMORY)
        work_say(making->work, false, node->at, "middleware", "can't read `%.*s`: %s", SCALAR_SHOWN(path),
                 status == STATUS_TOO_LARGE ? "it is larger than 1 MiB"
                 : fault.text[0]            ? fault.text
                                            : status_row(status)->title);
    return file;
}

static void tell_schema(struct making *making, uint32_t file, bool is_warning, size_t offset,
                        const char *words) {
    struct json_position at = json_position(making->work->report->files[file].text, offset);
    struct config_place place = {.file = file,
                                 .line = (uint32_t)at.line,
                                 .column = (uint32_t)at.column,
                                 .end_line = (uint32_t)at.line,
                                 .end_column = (uint32_t)at.column + 1};
    config_report_add(making->work->report, is_warning, true, place, SLICE_OF(""), SLICE_OF(""), "%s", words);
}

/* Looked at here, where a mistake has its line; compiled again for who asks it. */
static void build_schema(struct making *making, struct middleware_spec *spec, const struct node *node) {
    const struct jsonschema *schema;
    struct jsonschema_fault why;
    struct arena scratch;
    size_t at;
    spec->schema_path = path_of(making, node);
    uint32_t file = making->failed ? UINT32_MAX : read_schema(making, spec->schema_path, node);
    if (file == UINT32_MAX)
        return;
    spec->schema = keep(making, making->work->report->files[file].text);
    arena_init(&scratch, CONFIG_ARENA_MAX);
    enum status status = jsonschema_compile(spec->schema, &scratch, &schema, &why);
    if (status == STATUS_OK && jsonschema_only_notes(schema, &at))
        tell_schema(making, file, true, at,
                    "`format` says what is meant and checks nothing; `pattern` checks");
    else if (status == STATUS_BAD_CONFIG)
        tell_schema(making, file, false, why.at, why.text);
    making->failed |= status == STATUS_NO_MEMORY;
    arena_done(&scratch);
}

static void build_validate(struct making *making, struct middleware_spec *spec, const struct node *node) {
    const struct node *require = node_get(node, SLICE_OF("require")),
                      *schema = node_get(node, SLICE_OF("schema"));
    struct middleware_need *needs =
        arena_array(making->arena, require ? require->count + 1u : 1u, sizeof *needs);
    making->failed |= !needs;
    spec->needs = needs;
    for (const struct node *item = require && needs ? require->first : NULL; item; item = item->next)
        needs[spec->need_count++] = (struct middleware_need){keep(making, item->text)};
    if (schema)
        build_schema(making, spec, schema);
}

/* `ce_` stands before each, so that none can be taken for what the line says itself. */
static void build_log(struct making *making, struct middleware_spec *spec, const struct node *node) {
    const struct node *level = node_get(node, SLICE_OF("level")), *sample = node_get(node, SLICE_OF("sample")),
                      *show = node_get(node, SLICE_OF("show"));
    struct slice *shown = arena_array(making->arena, show ? show->count + 1u : 1u, sizeof *shown);
    struct scalar_why why;
    bool planned;
    spec->level = CONFIG_LOG_INFO;
    spec->sample = 1000;
    if (level)
        scalar_enum(level->text, "debug|info|warn|error", &spec->level, &planned, &why);
    if (sample)
        scalar_share(sample->text, &spec->sample, &why);
    making->failed |= !shown;
    for (const struct node *item = show && shown ? show->first : NULL; item; item = item->next) {
        char text[80];
        int size = snprintf(text, sizeof text, "ce_%.*s", SLICE_ARG(slice_head(item->text, 64)));
        shown[spec->shown_count++] = keep(making, slice_make(text, (size_t)size));
    }
    spec->shown = shown;
}

static void build_stage(struct making *making, struct slice chain, const struct node *stage) {
    struct middleware_spec *spec = &making->specs[making->count++];
    const struct node *node = stage->first;
    *spec = (struct middleware_spec){.chain = keep(making, chain)};
    while (spec->kind < MIDDLEWARE_KIND_COUNT && !slice_equal(middleware_kind_name(spec->kind), node->key))
        spec->kind++;
    if (spec->kind == MIDDLEWARE_FILTER)
        spec->filter = keep(making, node->text);
    else if (spec->kind == MIDDLEWARE_TRANSFORM)
        build_transform(making, spec, node);
    else if (spec->kind == MIDDLEWARE_VALIDATE)
        build_validate(making, spec, node);
    else if (spec->kind == MIDDLEWARE_LOG)
        build_log(making, spec, node);
}

bool chains_build(struct work *work, struct config *config, struct config_route *route,
                  const struct node *node) {
    const struct node *list = node_get(node, SLICE_OF("middleware"));
    struct making making = {.work = work, .arena = &config->arena};
    size_t count = 0;
    if (!list)
        return true;
    for (const struct node *item = list->first; item; item = item->next)
        count += chain_of(work, item) ? chain_of(work, item)->count : 1;
    making.specs = arena_array(making.arena, count, sizeof *making.specs);
    if (!making.specs)
        return false;
    for (const struct node *item = list->first; item; item = item->next) {
        const struct node *chain = chain_of(work, item);
        if (!chain)
            build_stage(&making, SLICE_OF(""), item);
        for (const struct node *stage = chain ? chain->first : NULL; stage; stage = stage->next)
            build_stage(&making, item->text, stage);
    }
    route->stages = making.specs;
    route->stage_count = making.count;
    return !making.failed;
}
