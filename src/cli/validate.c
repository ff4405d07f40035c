/* validate: checks a configuration in every environment, prints it merged, or prints its schema. */
#include <stdio.h>

#include "base/assert.h"
#include "cli/cli.h"
#include "config/write.h"

static int print_generated(enum status (*write)(struct buffer *out)) {
    struct buffer out;
    buffer_init(&out, 4u << 20);
    enum status status = write(&out);
    cli_print(buffer_slice(&out));
    buffer_done(&out);
    return status == STATUS_OK ? CLI_DONE : CLI_FAILED;
}

static int print_merged(const struct cli_options *options, const char *path) {
    struct config_options how = cli_config_options(options);
    struct config_report report;
    struct buffer out;
    buffer_init(&out, 8u << 20);
    config_report_init(&report);
    enum status status = config_print(&how, slice_from(path), &out, &report);
    int code = CLI_DONE;
    if (status == STATUS_OK)
        cli_print(buffer_slice(&out));
    else
        code = cli_tell_report(options, &report);
    config_report_done(&report);
    buffer_done(&out);
    return code;
}

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

static int check(const struct cli_options *options, const char *path) {
    struct config_options how = cli_config_options(options);
    struct config_report report;
    struct config *config = NULL;
    config_report_init(&report);
    enum status status = how.environment.size ? config_load(&how, slice_from(path), &config, &report)
                                              : config_validate(&how, slice_from(path), &config, &report);
    int code = CLI_DONE;
    if (status != STATUS_OK) {
        code = cli_tell_report(options, &report);
    } else if (options->json) {
        cli_tell_report(options, &report);
    } else {
        if (!options->quiet) {
            struct buffer warnings;
            buffer_init(&warnings, 1u << 20);
            config_report_text(&report, &warnings);
            fwrite(warnings.data ? warnings.data : (const uint8_t *)"", 1, warnings.size, stderr);
            buffer_done(&warnings);
        }
        if (!config) /* --no-files: nothing can be built without what wasn't looked up */
            printf("%s: ok\n", path);
        else
            printf("%s: ok  %zu listener%s, %zu system%s, %zu route%s\n", path, config->listener_count,
               plural(config->listener_count), config->system_count, plural(config->system_count), config->route_count,
               plural(config->route_count));
    }
    if (config)
        config_free(config);
    config_report_done(&report);
    return code;
}

int cmd_validate(const struct cli_command *command, const struct cli_options *options) {
    (void)command;
    if (options->schema)
        return print_generated(config_schema);
    if (options->reference)
        return print_generated(config_reference);
    if (options->argument_count > 1 && (options->json || options->print))
        return cli_fail(options, CLI_USAGE, "usage", "--json and --print take one FILE");
    const char *path = cli_config_path(options, options->argument_count ? options->arguments[0] : NULL);
    if (!path)
        return cli_fail(options, CLI_BAD_CONFIG, "bad-config",
                        "no configuration: name a FILE, or put an intertie.yaml here");
    if (options->print)
        return print_merged(options, path);
    int worst = check(options, path);
    for (size_t i = 1; i < options->argument_count; i++) {
        int code = check(options, options->arguments[i]);
        worst = code > worst ? code : worst;
    }
    return worst;
}
