/* Input: a first byte (JSON or YAML, options), then one file. Nothing may crash; what loads must print, load again from
 * what was printed to the same digest, differ from itself in nothing, and what doesn't must say why. */
#include "base/assert.h"
#include "base/json.h"
#include "config/diff.h"
#include "config/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct one_file {
    struct slice text;
};

static enum status read_one(void *context, struct slice path, struct buffer *out, bool *ret_open, struct fault *fault) {
    const struct one_file *file = context;
    if (path.size == 0 || path.data[0] == '/')
        return fault_set(fault, STATUS_IO_ERROR, 2, "No such file or directory");
    *ret_open = true;
    buffer_add(out, file->text);
    return out->status;
}

static bool variable(void *context, struct slice name, struct slice *ret_value) {
    (void)context;
    *ret_value = SLICE_OF("5s");
    return slice_is(name, "V");
}

static enum status glob_one(void *context, struct slice pattern, struct buffer *out, struct fault *fault) {
    (void)context;
    (void)fault;
    buffer_add(out, pattern);
    buffer_add_byte(out, 0);
    return out->status;
}

static void check_report(struct config_report *report, enum status status) {
    struct buffer out;
    buffer_init(&out, 64 << 20);
    config_report_text(report, &out);
    ASSERT((status == STATUS_OK) == (report->error_count == 0 && report->status == STATUS_OK));
    ASSERT(status == STATUS_OK || report->status != STATUS_OK || out.size > 0);
    buffer_clear(&out);
    config_report_json(report, &out);
    ASSERT(out.status != STATUS_OK || json_is_valid(buffer_slice(&out), 64));
    buffer_done(&out);
}

static void check_self(const struct config *config) {
    struct config_diff diff;
    struct arena arena;
    arena_init(&arena, 16 << 20);
    ASSERT(config_diff(config, config, &arena, &diff) == STATUS_OK);
    ASSERT(config_diff_is_empty(&diff));
    arena_done(&arena);
}

/* A merged text without secrets is a configuration that means the same. */
static void check_again(const struct config *config) {
    struct one_file file = {config->text};
    struct config_source source = {&file, read_one, variable, glob_one};
    struct config_options options = {.source = &source};
    struct config_report report;
    struct config *again = NULL;
    if (slice_find(config->text, '$') < config->text.size || memmem(config->text.data, config->text.size, "***", 3))
        return;
    config_report_init(&report);
    enum status status = config_load(&options, SLICE_OF("again.yaml"), &again, &report);
    ASSERT(status == STATUS_OK);
    ASSERT(slice_equal(again->text, config->text));
    config_free(again);
    config_report_done(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    unsigned choice = size ? bytes[0] : 0;
    struct one_file file = {slice_skip(slice_make(bytes, size), 1)};
    struct config_source source = {&file, read_one, variable, glob_one};
    struct config_options options = {.source = &source, .no_files = choice & 2, .strict = choice & 4};
    struct config_report report;
    struct config *config = NULL;
    struct slice path = choice & 1 ? SLICE_OF("fuzz.json") : SLICE_OF("fuzz.yaml");
    config_report_init(&report);
    enum status status = choice & 8 ? config_load(&options, path, &config, &report) : config_validate(&options, path, &config, &report);
    check_report(&report, status);
    if (config) {
        check_self(config);
        if (!options.no_files)
            check_again(config);
    }
    config_free(config);
    config_report_done(&report);
    return 0;
}
