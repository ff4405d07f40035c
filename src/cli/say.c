/* Words and failures, the same way everywhere; files, variables and globs of this host. */
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/json_write.h"
#include "cli/cli.h"
#include "platform/file.h"

void cli_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("intertie: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

int cli_fail(const struct cli_options *options, int code, const char *reason, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!options->json) {
        fprintf(stderr, "intertie: %s\n", text);
        return code;
    }
    struct buffer out;
    struct json_write json;
    buffer_init(&out, 64u << 10);
    json_write_init(&json, &out);
    json_write_object(&json);
    json_write_member_text(&json, "reason", reason);
    json_write_member_text(&json, "detail", text);
    json_write_object_end(&json);
    buffer_add_byte(&out, '\n');
    cli_print(buffer_slice(&out));
    buffer_done(&out);
    return code;
}

void cli_print(struct slice text) {
    fwrite(text.data, 1, text.size, stdout);
}

/* -- the host as a config_source -- */

static enum status read_file(void *context, struct slice path, struct buffer *out, bool *ret_open, struct fault *fault) {
    char name[4096];
    (void)context;
    if (path.size >= sizeof name)
        return fault_set(fault, STATUS_IO_ERROR, ENAMETOOLONG, "path too long");
    memcpy(name, path.data, path.size);
    name[path.size] = '\0';
    if (file_others_can_read(name, ret_open, NULL) != STATUS_OK)
        *ret_open = false;
    return file_read(name, out->max - out->size, out, fault);
}

static bool variable(void *context, struct slice name, struct slice *ret_value) {
    char text[256];
    (void)context;
    if (name.size >= sizeof text)
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    const char *value = getenv(text);
    if (value)
        *ret_value = slice_from(value);
    return value != NULL;
}

static enum status find_files(void *context, struct slice pattern, struct buffer *out, struct fault *fault) {
    char text[4096];
    glob_t found;
    (void)context;
    if (pattern.size >= sizeof text)
        return fault_set(fault, STATUS_IO_ERROR, ENAMETOOLONG, "pattern too long");
    memcpy(text, pattern.data, pattern.size);
    text[pattern.size] = '\0';
    int result = glob(text, 0, NULL, &found);
    if (result == GLOB_NOMATCH)
        return STATUS_OK;
    if (result != 0)
        return fault_set(fault, STATUS_IO_ERROR, errno, "can't look for %s", text);
    for (size_t i = 0; i < found.gl_pathc; i++)
        buffer_add(out, slice_make(found.gl_pathv[i], strlen(found.gl_pathv[i]) + 1));
    globfree(&found);
    return out->status;
}

const struct config_source *cli_source(void) {
    static const struct config_source source = {.read = read_file, .variable = variable, .glob = find_files};
    return &source;
}

const char *cli_config_path(const struct cli_options *options, const char *argument) {
    static const char *const usual[] = {"intertie.yaml", "/etc/intertie/intertie.yaml"};
    if (argument)
        return argument;
    if (options->config)
        return options->config;
    const char *named = getenv("INTERTIE_CONFIG");
    if (named && named[0])
        return named;
    for (size_t i = 0; i < COUNT_OF(usual); i++)
        if (access(usual[i], R_OK) == 0)
            return usual[i];
    return NULL;
}

struct config_options cli_config_options(const struct cli_options *options) {
    const char *environment = options->environment ? options->environment : getenv("INTERTIE_ENVIRONMENT");
    return (struct config_options){.source = cli_source(),
                                   .environment = slice_from(environment ? environment : ""),
                                   .sets = options->sets,
                                   .set_count = options->set_count,
                                   .strict = options->strict,
                                   .no_files = options->no_files,
                                   .allow_faults = options->allow_faults};
}

int cli_tell_report(const struct cli_options *options, struct config_report *report) {
    struct buffer out;
    buffer_init(&out, 4u << 20);
    if (options->json) {
        config_report_json(report, &out);
        if (out.size && out.data[out.size - 1] != '\n')
            buffer_add_byte(&out, '\n');
        cli_print(buffer_slice(&out));
    } else {
        config_report_text(report, &out);
        fwrite(out.data, 1, out.size, stderr);
    }
    buffer_done(&out);
    return CLI_BAD_CONFIG;
}
