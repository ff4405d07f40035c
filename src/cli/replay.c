/* replay: runs input logs of a router through the engine again and compares. It is a command of the program and no tool
 * of its own, so that the very engine that was running is the one that replays. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/json_write.h"
#include "cli/cli.h"
#include "platform/map_file.h"
#include "simulation/replay.h"

static void tell(const struct cli_options *options, const char *path, const struct replay_report *report) {
    if (options->json) {
        struct buffer out;
        struct json_write json;
        buffer_init(&out, 8u << 20);
        json_write_init(&json, &out);
        json_write_object(&json);
        json_write_member_text(&json, "file", path);
        json_write_member_text(&json, "result", replay_result_name(report->result));
        json_write_member_u64(&json, "worker", report->worker);
        json_write_member_u64(&json, "turns", report->turns);
        json_write_member_u64(&json, "inputs", report->inputs);
        json_write_member_u64(&json, "messages", report->messages);
        json_write_name(&json, SLICE_OF("whole"));
        json_write_bool(&json, report->is_whole);
        json_write_member(&json, "words", buffer_slice(&report->words));
        json_write_object_end(&json);
        buffer_add_byte(&out, '\n');
        cli_print(buffer_slice(&out));
        buffer_done(&out);
        return;
    }
    if (!options->quiet || report->result != REPLAY_EQUAL)
        printf("%s: %s, worker %u, %llu turns, %llu inputs, %llu messages%s\n", path, replay_result_name(report->result),
               report->worker, (unsigned long long)report->turns, (unsigned long long)report->inputs,
               (unsigned long long)report->messages, report->is_whole ? "" : ", not up to the engine's end");
    fflush(stdout);
    if (report->words.size && (!options->quiet || report->result != REPLAY_EQUAL))
        fprintf(stderr, "%.*s", SLICE_ARG(buffer_slice(&report->words)));
}

static int replay_file(const struct cli_options *options, const char *path) {
    struct replay_report report;
    struct slice log;
    struct fault fault;
    enum status status = map_file_read(path, &log, &fault);
    if (status != STATUS_OK)
        return cli_fail(options, CLI_FAILED, status_reason(status), "%s", fault.text);
    replay_run(log, &report);
    tell(options, path, &report);
    int code = report.result == REPLAY_EQUAL ? CLI_DONE : CLI_FAILED;
    replay_done(&report);
    map_file_forget(log);
    return code;
}

static int replay_folder(const struct cli_options *options, const char *folder) {
    const struct config_source *source = cli_source();
    char pattern[4096];
    struct buffer paths;
    struct fault fault;
    int code = CLI_DONE;
    if ((size_t)snprintf(pattern, sizeof pattern, "%s/*.inputs", folder) >= sizeof pattern)
        return cli_fail(options, CLI_FAILED, "io-error", "the path is too long");
    buffer_init(&paths, 16u << 20);
    if (source->glob(source->context, slice_from(pattern), &paths, &fault) != STATUS_OK || paths.size == 0)
        code = cli_fail(options, CLI_FAILED, "not-found", "there is no input log (*.inputs) in %s", folder);
    for (size_t at = 0; at < paths.size; at += strlen((const char *)paths.data + at) + 1) {
        int one = replay_file(options, (const char *)paths.data + at);
        code = one != CLI_DONE ? one : code;
    }
    buffer_done(&paths);
    return code;
}

int cmd_replay(const struct cli_command *command, const struct cli_options *options) {
    int code = CLI_DONE;
    struct stat found;
    (void)command;
    if (options->argument_count == 0)
        return cli_fail(options, CLI_USAGE, "usage", "name an input log, or the folder of some");
    for (size_t i = 0; i < options->argument_count; i++) {
        const char *path = options->arguments[i];
        bool is_folder = stat(path, &found) == 0 && S_ISDIR(found.st_mode);
        int one = is_folder ? replay_folder(options, path) : replay_file(options, path);
        code = one != CLI_DONE ? one : code;
    }
    return code;
}
