/* The way from a path to a configuration: files, includes, overlays, checks, build. */
#include "config/load.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/work.h"

struct loading {
    struct work work;
    struct arena arena;
    struct node *base;         /* all files, before overlays */
    struct node *environments; /* taken out of it; NULL: none */
    size_t file_count;
    bool broken; /* a file could not be read or parsed: what is missing would be blamed on others */
};

static struct config_place nowhere(const struct loading *loading, uint32_t file) {
    return (struct config_place){.file = file < loading->work.report->file_count ? file : UINT32_MAX};
}

/* -- files -- */

static bool is_json(struct slice path) {
    struct slice ending = SLICE_OF(".json");
    return path.size > ending.size && slice_equal_nocase(slice_skip(path, path.size - ending.size), ending);
}

static struct slice directory_of(struct slice path) {
    while (path.size && path.data[path.size - 1] != '/')
        path.size--;
    return path;
}

static struct slice join(struct loading *loading, struct slice directory, struct slice path) {
    if (path.size && path.data[0] == '/')
        directory.size = 0;
    uint8_t *joined = arena_new(&loading->arena, directory.size + path.size + 1);
    if (!joined) {
        loading->work.report->status = STATUS_NO_MEMORY;
        return SLICE_OF("");
    }
    if (directory.size)
        memcpy(joined, directory.data, directory.size);
    if (path.size)
        memcpy(joined + directory.size, path.data, path.size);
    return slice_make(joined, directory.size + path.size);
}

static struct node *load_file(struct loading *loading, struct slice path, const struct node *includer, unsigned depth);

static void refuse_include(struct loading *loading, const struct node *at, const char *what, struct slice path) {
    work_say(&loading->work, false, at->at, "include", "%s `%.*s`", what, SCALAR_SHOWN(path));
    loading->broken = true;
}

static int by_name(const void *left, const void *right) {
    return slice_compare(*(const struct slice *)left, *(const struct slice *)right);
}

/* The paths that a glob found, NUL after each, in name order. */
static struct slice *sorted(struct loading *loading, struct slice found, size_t *ret_count) {
    size_t count = 0;
    for (size_t i = 0; i < found.size; i++)
        count += found.data[i] == 0;
    struct slice *paths = arena_array(&loading->arena, count + 1, sizeof *paths);
    *ret_count = paths ? count : 0;
    for (size_t i = 0; i < *ret_count; i++) {
        struct slice path = slice_head(found, slice_find(found, 0));
        paths[i] = arena_copy(&loading->arena, path);
        found = slice_skip(found, path.size + 1);
    }
    if (*ret_count > 1)
        qsort(paths, *ret_count, sizeof *paths, by_name);
    return paths;
}

static bool has_wildcard(struct slice pattern) {
    return slice_find(pattern, '*') < pattern.size || slice_find(pattern, '?') < pattern.size || slice_find(pattern, '[') < pattern.size;
}

static void include_one(struct loading *loading, struct node *all, const struct node *item, struct slice directory, unsigned depth) {
    const struct config_source *source = loading->work.options->source;
    struct trail top = {NULL, {NULL, 0}};
    struct fault fault = {0};
    struct buffer found;
    struct slice pattern = join(loading, directory, item->text);
    buffer_init(&found, CONFIG_FILE_MAX);
    enum status status = source->glob(source->context, pattern, &found, &fault);
    size_t count = 0;
    struct slice *paths = status == STATUS_OK ? sorted(loading, buffer_slice(&found), &count) : NULL;
    buffer_done(&found);
    if (status != STATUS_OK)
        refuse_include(loading, item, "can't look for", pattern);
    else if (count == 0 && !has_wildcard(pattern))
        refuse_include(loading, item, "there is no file", pattern);
    for (size_t i = 0; i < count; i++) {
        struct node *more = load_file(loading, paths[i], item, depth + 1);
        if (more)
            merge_file(&loading->work, loading->work.schema, all, more, &top);
    }
}

static void include_all(struct loading *loading, struct node *all, struct node *root, struct slice path, unsigned depth) {
    struct node *include = node_get(root, SLICE_OF("include"));
    struct trail top = {NULL, {NULL, 0}}, here = {&top, SLICE_OF("include")};
    if (!include)
        return;
    node_remove(root, include);
    if (include->kind == NODE_NULL || loading->work.options->no_files)
        return;
    if (include->kind != NODE_LIST) {
        work_error(&loading->work, include->at, &here, "a list of file names is due here");
        return;
    }
    for (struct node *item = include->first; item; item = item->next) {
        expand_scalar(&loading->work, item, &here);
        if (item->kind != NODE_SCALAR || item->text.size == 0)
            work_error(&loading->work, item->at, &here, "a list of file names is due here");
        else if (depth == CONFIG_INCLUDE_DEPTH_MAX)
            refuse_include(loading, item, "files that include files, too deep:", item->text);
        else if (!item->unknown)
            include_one(loading, all, item, directory_of(path), depth);
    }
}

/* Reads into the report's list of files; UINT32_MAX after a refusal. */
static uint32_t read_file(struct loading *loading, struct slice path, const struct node *includer) {
    struct config_report *report = loading->work.report;
    const struct config_source *source = loading->work.options->source;
    struct fault fault = {0};
    struct buffer text;
    bool ignored = false;
    for (size_t i = 0; i < report->file_count; i++)
        if (includer && slice_equal(report->files[i].name, path)) {
            refuse_include(loading, includer, "read already:", path);
            return UINT32_MAX;
        }
    if (loading->file_count++ == CONFIG_FILES_MAX) {
        refuse_include(loading, includer, "more than 256 files, at", path);
        return UINT32_MAX;
    }
    buffer_init(&text, CONFIG_FILE_MAX);
    enum status status = source->read(source->context, path, &text, &ignored, &fault);
    if (status == STATUS_OK && text.status != STATUS_OK)
        status = text.status;
    uint32_t file = config_report_file(report, path, buffer_slice(&text));
    buffer_done(&text);
    if (status == STATUS_OK)
        return file;
    struct config_place at = includer ? includer->at : nowhere(loading, file);
    if (status == STATUS_TOO_LARGE)
        work_say(&loading->work, false, at, "", "`%.*s` is larger than 1 MiB", SCALAR_SHOWN(path));
    else
        work_say(&loading->work, false, at, "", "can't read `%.*s`: %s", SCALAR_SHOWN(path), fault.text[0] ? fault.text : status_row(status)->title);
    loading->broken = true;
    return UINT32_MAX;
}

/* A file and all that it includes, theirs first; NULL after a refusal. */
static struct node *load_file(struct loading *loading, struct slice path, const struct node *includer, unsigned depth) {
    struct work *work = &loading->work;
    uint32_t file = read_file(loading, path, includer);
    if (file == UINT32_MAX)
        return NULL;
    work->tree = (struct tree){work->arena, work->report, file, 0};
    struct slice text = work->report->files[file].text;
    struct node *root = is_json(path) ? tree_load_json(&work->tree, text) : tree_load_yaml(&work->tree, text);
    struct node *all = root ? tree_node(&work->tree, NODE_MAP, root->at) : NULL;
    if (!all) {
        loading->broken = true;
        return NULL;
    }
    merge_open(work, work->schema, NULL, root);
    include_all(loading, all, root, path, depth);
    struct trail top = {NULL, {NULL, 0}};
    merge_file(work, work->schema, all, root, &top);
    return all;
}

/* -- environments and sets -- */

static void check_environments(struct loading *loading) {
    struct work *work = &loading->work;
    struct trail root = {NULL, {NULL, 0}}, all = {&root, SLICE_OF("environments")};
    struct node *environments = loading->environments;
    struct scalar_why why;
    if (environments && environments->kind != NODE_MAP && environments->kind != NODE_NULL)
        work_error(work, environments->at, &all, "a map of keys is due here");
    if (environments && environments->kind != NODE_MAP)
        loading->environments = environments = NULL;
    for (struct node *environment = environments ? environments->first : NULL; environment; environment = environment->next) {
        struct trail here = {&all, environment->key};
        if (!scalar_name(environment->key, &why))
            work_why(work, environment->key_at, &here, &why);
        if (environment->kind != NODE_MAP && environment->kind != NODE_NULL)
            work_error(work, environment->at, &here, "a map of keys is due here");
        for (const struct node *child = environment->first; child && environment->kind == NODE_MAP; child = child->next) {
            struct trail key = {&here, child->key};
            if (slice_is(child->key, "include") || slice_is(child->key, "environments"))
                work_error(work, child->key_at, &key, "an environment may hold any key but `include` and `environments`");
        }
    }
}

static bool lay_environment(struct loading *loading, struct slice name) {
    struct work *work = &loading->work;
    const struct node *environment = node_get(loading->environments, name);
    struct trail root = {NULL, {NULL, 0}}, all = {&root, SLICE_OF("environments")};
    char origin[TRAIL_MAX];
    if (!environment) {
        refer_unknown(work, nowhere(loading, 0), &all, "environment", name, loading->environments);
        return false;
    }
    struct trail here = {&all, name};
    struct slice text = arena_copy(work->arena, trail_text(&here, origin));
    if (environment->kind == NODE_MAP)
        merge_over(work, work->root, environment, text);
    return true;
}

/* `a/b/c=VALUE` as a tree of one branch. */
static struct node *parse_set(struct loading *loading, struct slice set) {
    struct work *work = &loading->work;
    size_t equals = slice_find(set, '=');
    struct slice path = slice_head(set, equals);
    struct slice title = join(loading, SLICE_OF("--set "), set);
    uint32_t file = config_report_file(work->report, title, slice_skip(set, equals + 1));
    work->tree.file = file;
    work->tree.nodes = 0;
    struct config_place at = {.file = file};
    if (equals == set.size || path.size == 0) {
        work_say(work, false, at, "", "write it as path/of/keys=VALUE");
        return NULL;
    }
    struct node *root = tree_node(&work->tree, NODE_MAP, at), *map = root;
    struct node *value = tree_load_value(&work->tree, slice_skip(set, equals + 1));
    for (unsigned depth = 0; map && value; depth++) {
        struct slice part = slice_head(path, slice_find(path, '/'));
        bool is_last = part.size == path.size;
        struct node *child = is_last ? value : tree_node(&work->tree, NODE_MAP, at);
        if (part.size == 0 || depth == TREE_DEPTH_MAX) {
            work_say(work, false, at, "", "write it as path/of/keys=VALUE");
            return NULL;
        }
        if (!child)
            return NULL;
        child->key = arena_copy(work->arena, part);
        child->key_at = at;
        node_append(&work->tree, map, child);
        if (is_last)
            return root;
        map = child;
        path = slice_skip(path, part.size + 1);
    }
    return NULL;
}

static void lay_sets(struct loading *loading) {
    struct work *work = &loading->work;
    for (size_t i = 0; i < work->options->set_count; i++) {
        struct node *set = parse_set(loading, work->options->sets[i]);
        if (!set)
            continue;
        merge_open(work, work->schema, NULL, set);
        struct node *first = set->first;
        if (slice_is(first->key, "include") || slice_is(first->key, "environments"))
            work_say(work, false, first->key_at, "", "`%.*s` can't be set here", SLICE_ARG(first->key));
        else
            merge_over(work, work->root, set, SLICE_OF("--set"));
    }
}

/* -- one configuration -- */

/* The base with one environment (empty: none) and the sets laid over, filled in and checked. */
static void merge_and_check(struct loading *loading, struct slice environment) {
    struct work *work = &loading->work;
    struct trail root = {NULL, {NULL, 0}};
    work->tree.nodes = 0;
    work->root = tree_copy(&work->tree, loading->base);
    if (!work->root) {
        work->report->status = STATUS_NO_MEMORY;
        return;
    }
    if (environment.size && !lay_environment(loading, environment))
        return;
    lay_sets(loading);
    expand_all(work, work->root, &root);
    check_all(work);
    refer_all(work);
    secure_all(work);
    credential_check(work);
}

static enum status result_of(const struct config_report *report) {
    if (report->status != STATUS_OK)
        return report->status;
    return report->error_count ? STATUS_BAD_CONFIG : STATUS_OK;
}

static enum status build(struct loading *loading, struct config **ret_config) {
    struct config *config = memory_new(sizeof *config);
    if (!config)
        return STATUS_NO_MEMORY;
    arena_init(&config->arena, CONFIG_ARENA_MAX);
    enum status status = build_all(&loading->work, config);
    if (status == STATUS_OK)
        status = files_all(&loading->work, config);
    if (status == STATUS_OK)
        warn_all(&loading->work, config);
    if (status == STATUS_OK)
        status = result_of(loading->work.report);
    if (status == STATUS_OK)
        *ret_config = config;
    else
        config_free(config);
    return status;
}

static enum status loading_open(struct loading *loading, const struct config_options *options, struct slice path, struct config_report *report) {
    *loading = (struct loading){0};
    arena_init(&loading->arena, CONFIG_ARENA_MAX);
    ASSERT(options->source);
    report->strict = options->strict;
    loading->work = (struct work){.options = options, .report = report, .arena = &loading->arena};
    loading->work.schema = schema_new(&loading->arena);
    if (!loading->work.schema)
        return STATUS_NO_MEMORY;
    loading->base = load_file(loading, path, NULL, 0);
    if (!loading->base || loading->broken)
        return report->status != STATUS_OK ? report->status : STATUS_BAD_CONFIG;
    loading->environments = node_get(loading->base, SLICE_OF("environments"));
    if (loading->environments)
        node_remove(loading->base, loading->environments);
    check_environments(loading);
    return STATUS_OK;
}

enum status config_load(const struct config_options *options, struct slice path, struct config **ret_config, struct config_report *report) {
    struct loading loading;
    enum status status = loading_open(&loading, options, path, report);
    if (status == STATUS_OK) {
        merge_and_check(&loading, options->environment);
        status = result_of(report);
    }
    if (status == STATUS_OK)
        status = build(&loading, ret_config);
    arena_done(&loading.arena);
    return status;
}

/* Checks one and, when nothing is wrong with it, builds it for its warnings. */
static struct config *try_one(struct loading *loading, struct slice environment) {
    struct config_report *report = loading->work.report;
    struct config *config = NULL;
    size_t before = report->errors_met;
    report->environment = environment;
    merge_and_check(loading, environment);
    if (report->errors_met == before && report->status == STATUS_OK && !loading->work.options->no_files)
        build(loading, &config);
    report->environment = SLICE_OF("");
    return config;
}

enum status config_validate(const struct config_options *options, struct slice path, struct config **ret_config, struct config_report *report) {
    struct loading loading;
    struct config *base = NULL;
    enum status status = loading_open(&loading, options, path, report);
    if (status == STATUS_OK) {
        base = try_one(&loading, SLICE_OF(""));
        for (const struct node *child = loading.environments ? loading.environments->first : NULL; child; child = child->next)
            config_free(try_one(&loading, child->key));
        status = result_of(report);
    }
    if (status == STATUS_OK && ret_config)
        *ret_config = base;
    else
        config_free(base);
    arena_done(&loading.arena);
    return status;
}

enum status config_print(const struct config_options *options, struct slice path, struct buffer *out, struct config_report *report) {
    struct loading loading;
    enum status status = loading_open(&loading, options, path, report);
    if (status == STATUS_OK) {
        merge_and_check(&loading, options->environment);
        status = result_of(report);
    }
    if (status == STATUS_OK)
        print_tree(&loading.work, true, out);
    arena_done(&loading.arena);
    return status == STATUS_OK ? out->status : status;
}
