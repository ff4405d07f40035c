/* run and start: the router in the foreground, or in the background once it is ready. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/assert.h"
#include "cli/cli.h"
#include "config/scalar.h"
#include "platform/clock.h"
#include "runtime/runtime.h"

#define START_WAIT_NS (10 * NS_PER_S)
#define INPUT_LOG_MAX (UINT64_C(1) << 30) /* of each worker, unless INTERTIE_INPUT_LOG_LIMIT says else */

static void tell_ready(struct runtime *runtime, int64_t took_ns) {
    struct runtime_snapshot *snapshot = runtime_snapshot(runtime);
    if (!snapshot)
        return;
    printf("intertie " INTERTIE_VERSION "  ready in %lld ms  pid %lld  %u worker%s", (long long)(took_ns / NS_PER_MS),
           (long long)snapshot->pid, snapshot->workers, snapshot->workers == 1 ? "" : "s");
    for (size_t i = 0; i < snapshot->listener_count; i++) {
        const struct runtime_listener_view *listener = &snapshot->listeners[i];
        if (!listener->is_admin)
            printf("  %.*s", SLICE_ARG(listener->url));
        else if (listener->address.family != ADDRESS_NONE)
            printf("  admin %.*s", SLICE_ARG(listener->url));
    }
    printf("\n");
    fflush(stdout);
    runtime_snapshot_free(snapshot);
}

/* For finding faults: what goes into each engine is kept for `replay`. */
static int input_log(const struct cli_options *options, struct runtime_options *how) {
    const char *folder = getenv("INTERTIE_INPUT_LOG"), *limit = getenv("INTERTIE_INPUT_LOG_LIMIT");
    struct scalar_why why;
    uint64_t size = INPUT_LOG_MAX;
    if (!folder || !*folder)
        return CLI_DONE;
    if (limit && *limit && !scalar_size(slice_from(limit), &size, &why))
        return cli_fail(options, CLI_USAGE, "usage", "INTERTIE_INPUT_LOG_LIMIT needs a size with its unit, such as 100MiB");
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return cli_fail(options, CLI_FAILED, "io-error", "INTERTIE_INPUT_LOG: can't make %s: %s", folder, strerrordesc_np(errno));
    how->input_log = slice_from(folder);
    how->input_log_max = size;
    return CLI_DONE;
}

/* `ready` -1: the line goes to standard output; else a byte goes there first. */
static int run_here(const struct cli_options *options, const char *path, int ready) {
    struct config_options config = cli_config_options(options);
    struct runtime_admin admin;
    admin_surface(&admin);
    struct runtime_options how = {.path = slice_from(path), .config = &config, .admin = &admin, .debug = options->debug,
                                  .signals = true};
    int code = input_log(options, &how);
    if (code != CLI_DONE)
        return code;
    struct config_report report;
    struct fault fault = {0};
    struct runtime *runtime = NULL;
    struct now start = platform_now();
    config_report_init(&report);
    enum status status = runtime_start(&how, &runtime, &report, &fault);
    if (status == STATUS_BAD_CONFIG && report.error_count) {
        code = cli_tell_report(options, &report);
        config_report_done(&report);
        return code;
    }
    config_report_done(&report);
    if (status != STATUS_OK)
        return cli_fail(options, status == STATUS_BAD_CONFIG || status == STATUS_NOT_SUPPORTED ? CLI_BAD_CONFIG : CLI_FAILED,
                        status_reason(status), "%s", fault.text[0] ? fault.text : status_row(status)->title);
    if (!options->quiet)
        tell_ready(runtime, platform_now().mono.ns - start.mono.ns);
    if (ready >= 0) {
        ssize_t unused = write(ready, "", 1);
        (void)unused;
        close(ready);
        int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (nowhere >= 0) {
            dup2(nowhere, 0);
            dup2(nowhere, 1);
            dup2(nowhere, 2);
        }
    }
    code = runtime_run(runtime);
    runtime_free(runtime);
    return code;
}

static const char *path_or_words(const struct cli_options *options, int *ret_code) {
    const char *path = cli_config_path(options, options->argument_count ? options->arguments[0] : NULL);
    if (!path)
        *ret_code = cli_fail(options, CLI_BAD_CONFIG, "bad-config",
                             "no configuration: name a FILE, or put an intertie.yaml here. "
                             "`intertie run examples/quickstart.yaml` is a start");
    return path;
}

int cmd_run(const struct cli_command *command, const struct cli_options *options) {
    int code = CLI_DONE;
    (void)command;
    const char *path = path_or_words(options, &code);
    return path ? run_here(options, path, -1) : code;
}

/* Waits until the child says ready, ends, or the time is over. */
static int wait_ready(const struct cli_options *options, pid_t child, int ready) {
    int64_t wait = options->wait_ns >= 0 ? options->wait_ns : START_WAIT_NS;
    struct pollfd poller = {.fd = ready, .events = POLLIN};
    char byte;
    if (poll(&poller, 1, (int)(wait / NS_PER_MS)) == 0)
        return cli_fail(options, CLI_FAILED, "timeout", "not ready after %lld ms; pid %d goes on trying",
                        (long long)(wait / NS_PER_MS), (int)child);
    if (read(ready, &byte, 1) == 1)
        return CLI_DONE;
    int state = 0; /* it ended, and said why itself */
    if (waitpid(child, &state, 0) == child && WIFEXITED(state))
        return WEXITSTATUS(state) ? WEXITSTATUS(state) : CLI_FAILED;
    return CLI_FAILED;
}

int cmd_start(const struct cli_command *command, const struct cli_options *options) {
    int code = CLI_DONE, pipes[2];
    (void)command;
    const char *path = path_or_words(options, &code);
    if (!path)
        return code;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return cli_fail(options, CLI_FAILED, "io-error", "no pipe: errno %d", errno);
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return cli_fail(options, CLI_FAILED, "io-error", "can't start a process: errno %d", errno);
    if (child == 0) {
        close(pipes[0]);
        setsid();
        exit(run_here(options, path, pipes[1]));
    }
    close(pipes[1]);
    code = wait_ready(options, child, pipes[0]);
    close(pipes[0]);
    return code;
}
