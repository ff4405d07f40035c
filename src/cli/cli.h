/* What the commands share: their table, the options that are the same everywhere, exit codes. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"
#include "config/load.h"

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_FORCED = 3,
    CLI_REFUSED = 4,  /* refused, or answered by an error */
    CLI_NO_REPLY = 5,
    CLI_NO_ROUTER = 69,
    CLI_BAD_CONFIG = 78,
};

#define CLI_SETS_MAX 64
#define CLI_ATTRIBUTES_MAX 32
#define CLI_ARGUMENTS_MAX 256

/* Every option of every command; a command names those that it takes (cli_option rows in options.c). */
struct cli_options {
    const char *config; /* NULL: not said */
    const char *environment;
    struct slice sets[CLI_SETS_MAX];
    size_t set_count;
    const char *admin;
    bool json, quiet, verbose, help;
    /* run, start, stop, reload, status */
    bool debug, now, dry_run, watch, allow_faults;
    int64_t wait_ns; /* -1: not said */
    /* validate */
    bool strict, no_files, print, schema, reference;
    /* send, call, listen */
    const char *to, *type, *kind, *source, *subject, *priority, *ttl, *content_type, *data, *as, *url, *frame, *format, *batch;
    const char *when, *group, *reply, *key_file, *ca, *cert, *cert_key;
    const char *attributes[CLI_ATTRIBUTES_MAX];
    size_t attribute_count;
    int64_t timeout_ns, for_ns; /* -1: not said */
    /* explain */
    const char *from, *listener;
    bool live;
    /* dlq */
    const char *system, *route, *reason, *rate;
    int64_t since_ns; /* -1: not said */
    uint64_t limit;   /* 0: not said */
    bool force, yes;
    uint64_t count;             /* 0: not said */
    int64_t interval_ns;        /* top; -1: not said */
    const char *arguments[CLI_ARGUMENTS_MAX]; /* what is no option */
    size_t argument_count;
};

struct cli_command {
    const char *name;
    const char *summary;
    const char *usage;   /* after "intertie NAME" */
    size_t arguments_max;
    const char *options; /* names of the options that it takes beside the common ones, separated by blanks */
    const char *help;    /* paragraphs and examples */
    int (*run)(const struct cli_command *command, const struct cli_options *options);
};

extern const struct cli_command cli_commands[]; /* ends with name NULL */
/* Words of later versions: known, and refused. NULL-terminated. */
extern const char *const cli_planned[];
extern const char *const cli_planned_options[]; /* of any command */

/* Reads the arguments after the command's name. An exit code other than CLI_DONE: said why already. */
int cli_parse(const struct cli_command *command, int count, char **arguments, struct cli_options *ret_options);
/* Names of all long options, for completion; NULL-terminated. */
const char *const *cli_option_names(void);
void cli_print_options(const struct cli_command *command);

/* "intertie: ..." on standard error. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A failure: words on standard error, or with --json one problem object on standard output. Returns `code`. */
int cli_fail(const struct cli_options *options, int code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Writes all of it to standard output. */
void cli_print(struct slice text);

/* Files, variables and globs of this host. */
const struct config_source *cli_source(void);
/* The configuration's path: -c, the argument, $INTERTIE_CONFIG, ./intertie.yaml, /etc/intertie/intertie.yaml. NULL when
 * there is none. */
const char *cli_config_path(const struct cli_options *options, const char *argument);
struct config_options cli_config_options(const struct cli_options *options);
/* Tells what is wrong with a configuration. Returns CLI_BAD_CONFIG. */
int cli_tell_report(const struct cli_options *options, struct config_report *report);

int cmd_run(const struct cli_command *command, const struct cli_options *options);
int cmd_start(const struct cli_command *command, const struct cli_options *options);
int cmd_stop(const struct cli_command *command, const struct cli_options *options);
int cmd_restart(const struct cli_command *command, const struct cli_options *options);
int cmd_reload(const struct cli_command *command, const struct cli_options *options);
int cmd_drain(const struct cli_command *command, const struct cli_options *options);
int cmd_status(const struct cli_command *command, const struct cli_options *options);
int cmd_replay(const struct cli_command *command, const struct cli_options *options);
int cmd_validate(const struct cli_command *command, const struct cli_options *options);
int cmd_send(const struct cli_command *command, const struct cli_options *options);
int cmd_call(const struct cli_command *command, const struct cli_options *options);
int cmd_listen(const struct cli_command *command, const struct cli_options *options);
int cmd_explain(const struct cli_command *command, const struct cli_options *options);
int cmd_trace(const struct cli_command *command, const struct cli_options *options);
int cmd_endpoint(const struct cli_command *command, const struct cli_options *options);
int cmd_top(const struct cli_command *command, const struct cli_options *options);
int cmd_dlq(const struct cli_command *command, const struct cli_options *options);
int cmd_keys(const struct cli_command *command, const struct cli_options *options);
int cmd_certs(const struct cli_command *command, const struct cli_options *options);
int cmd_version(const struct cli_command *command, const struct cli_options *options);
int cmd_completion(const struct cli_command *command, const struct cli_options *options);

#endif
