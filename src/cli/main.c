/* intertie(1): finds the command and lets it work. */
#include <stdio.h>

#include "base/text.h"
#include "cli/cli.h"

#define MESSAGE_OPTIONS "to type kind source subject priority ttl attr content-type data as url frame format key-file ca cert cert-key "

const struct cli_command cli_commands[] = {
    {"run", "runs a router in the foreground", "[FILE]", 1, "debug allow-faults",
     "Loads the configuration, binds the listeners, says so in one line and routes until it is told to stop.\n"
     "HUP reloads, USR1 reopens logs, TERM and INT finish what is open first; a second time: at once.\n\n"
     "  intertie run examples/quickstart.yaml\n  intertie run -e production -c gw.yaml --set log/level=debug\n",
     cmd_run},
    {"start", "starts a router in the background", "[FILE]", 1, "wait debug allow-faults",
     "Returns when the router is ready, or says why it isn't.\n\n  intertie start gw.yaml --wait 10s\n",
     cmd_start},
    {"stop", "stops the running router", "", 0, "now wait",
     "Finishes what is in flight first (drain.grace at most).\n\n  intertie stop\n  intertie stop --now\n",
     cmd_stop},
    {"restart", "stops it and starts it again", "[FILE]", 1, "wait allow-faults",
     "  intertie restart gw.yaml\n", cmd_restart},
    {"reload", "lets it take the changed configuration", "", 0, "dry-run",
     "Listeners and connections that didn't change go on. A file with a mistake changes nothing.\n\n"
     "  intertie reload --dry-run\n", cmd_reload},
    {"drain", "takes no new work, finishes the rest, stays up", "", 0, "", "  intertie drain\n", cmd_drain},
    {"status", "what it does now", "", 0, "watch count",
     "Exit code 0: ready, 1: up but not ready, 69: not running.\n\n  intertie status\n  intertie status --json\n", cmd_status},
    {"top", "the table of status, live", "", 0, "interval count",
     "With rates and the share of one processor; q ends it, j and k move. --json prints a document a line, without a terminal.\n\n"
     "  intertie top\n  intertie top --interval 5s\n  intertie top --json --count 10\n", cmd_top},
    {"endpoint", "shows and sets the endpoints of the running router", "list|up|drain|down|weight|clear [SYSTEM/ENDPOINT] [N]", 3, "wait",
     "drain: nothing new, what is under way finishes; with --wait it returns when that is over. down: at once. up: it serves\n"
     "again. weight: instead of that of the configuration, 0 to 1000. clear: all as configured. It holds over a reload.\n\n"
     "  intertie endpoint list billing\n  intertie endpoint drain billing/b --wait 30s\n  intertie endpoint weight billing/b 2\n",
     cmd_endpoint},
    {"validate", "checks a configuration", "[FILE..]", CLI_ARGUMENTS_MAX, "strict no-files allow-faults print schema reference",
     "Checks the base and every environment, and shows all mistakes in one go.\n\n"
     "  intertie validate gw.yaml\n  intertie validate -e production --print\n  intertie validate --schema > intertie.schema.json\n",
     cmd_validate},
    {"send", "sends a message", "", 0, MESSAGE_OPTIONS "batch wait",
     "  intertie send --to lamp --type com.example.alarm.raised --data '{\"door\":7}'\n"
     "  intertie send --batch events.json --url http://127.0.0.1:8080\n", cmd_send},
    {"call", "sends a request and prints the reply", "", 0, MESSAGE_OPTIONS "timeout",
     "Exit code 4: answered by an error; 5: no reply in time.\n\n"
     "  intertie call --to pricing --type com.example.price.get --kind query --data '{\"sku\":\"A-1\"}'\n", cmd_call},
    {"listen", "takes messages and prints them, one JSON event a line", "--as SYSTEM", 0, "as when group count for reply url frame format key-file ca cert cert-key",
     "Serves as an endpoint of SYSTEM; with --when as a subscription.\n\n"
     "  intertie listen --as desk\n  intertie listen --when \"type LIKE 'com.example.%'\" --count 1\n"
     "  intertie listen --as pricing --reply '{\"eur\":9.5}'\n", cmd_listen},
    {"replay", "runs a router's log of inputs once more and compares", "FILE|FOLDER..", CLI_ARGUMENTS_MAX, "",
     "For finding faults. A router that was started with INTERTIE_INPUT_LOG=FOLDER leaves a file for each worker there.\n"
     "Exit code 0: the engine does the same again, 1: it does not, or a log is damaged.\n\n"
     "  INTERTIE_INPUT_LOG=/var/tmp/inputs intertie run gw.yaml\n  intertie replay /var/tmp/inputs\n",
     cmd_replay},
    {"explain", "tells what would become of a message, and why", "", 0,
     "to type kind source subject priority ttl attr content-type data as from listener live",
     "Reads only the configuration; nothing is sent. Which route, why not those before it, where to, which values count and\n"
     "who brought them. Exit code 4: it would be refused. --live asks the running router instead.\n\n"
     "  intertie explain --type com.example.price.get --kind query --from crm\n  intertie explain --to lamp --type com.example.alarm.raised --json\n",
     cmd_explain},
    {"dlq", "dead letters: what could not be delivered", "list|show|redrive|purge [ID..]", CLI_ARGUMENTS_MAX,
     "system route reason since limit dry-run rate to force yes",
     "list shows them, the newest first, show one with its event. redrive sends those that fit again, purge throws them\n"
     "away; without a filter that is all of them. The router keeps them in memory: they end with it.\n\n"
     "  intertie dlq list --system billing --since 1h\n  intertie dlq show 019ab3c8-11d2-7e70-8f6a-5d7c2a90be13\n"
     "  intertie dlq redrive --system billing --dry-run\n  intertie dlq redrive --reason retries-exhausted --rate 10/s\n"
     "  intertie dlq purge --system billing --yes\n", cmd_dlq},
    {"trace", "what became of a message", "ID", 1, "",
     "ID is the receipt that `send` printed (the answer's Intertie-Id), or the event's own id. The router keeps in memory what\n"
     "became of a sample of all messages, of requests and queries, and of all that failed or was tried again; of a route with\n"
     "`trace: all` of each. Exit code 4: nothing is recorded of it, and why.\n\n"
     "  intertie trace 019ab3d1-04aa-7d10-b6f2-77c0e9b1d3a4\n", cmd_trace},
    {"keys", "makes a key for an identity", "new IDENTITY", 2, "",
     "Prints the key once, and the row to paste into the configuration.\n\n  intertie keys new crm\n", cmd_keys},
    {"certs", "makes certificates for trying TLS, or shows those in use", "dev [DIRECTORY [NAME..]] | show [FILE]", CLI_ARGUMENTS_MAX, "",
     "dev writes an authority, a server and a client (keys only for you to read) and prints what to paste into the\n"
     "configuration; the server is localhost, 127.0.0.1, ::1 and each NAME. show tells whose the configured ones are and\n"
     "when they expire.\n\n  intertie certs dev certs gw.example\n  intertie certs show -c gw.yaml\n", cmd_certs},
    {"completion", "prints a completion script", "bash|zsh|fish", 1, "", "  source <(intertie completion bash)\n", cmd_completion},
    {"version", "prints the version", "", 0, "", "  intertie version --json\n", cmd_version},
    {NULL, NULL, NULL, 0, NULL, NULL, NULL},
};

const char *const cli_planned[] = {"tap", "test", "agent", "record",
                                   "audit", NULL};
const char *const cli_planned_options[] = {NULL};

static void overview(FILE *out) {
    fprintf(out, "intertie " INTERTIE_VERSION ": connects systems which speak different protocols\n\n"
                 "  intertie COMMAND [OPTION..]\n\n");
    for (size_t i = 0; cli_commands[i].name; i++)
        fprintf(out, "  %-11s %s\n", cli_commands[i].name, cli_commands[i].summary);
    fprintf(out, "  %-11s %s\n", "help", "says more about a command");
    fprintf(out, "\n  intertie COMMAND --help   says more, with examples\n"
                 "  intertie run examples/quickstart.yaml   is a good start\n");
}

static const struct cli_command *find(const char *name) {
    for (size_t i = 0; cli_commands[i].name; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

static int unknown(const char *name) {
    struct slice names[32];
    size_t count = 0;
    for (size_t i = 0; cli_planned[i]; i++) {
        if (strcmp(cli_planned[i], name) == 0) {
            fprintf(stderr, "intertie: `%s` is not supported yet in " INTERTIE_VERSION "\n", name);
            return CLI_FAILED;
        }
    }
    for (; cli_commands[count].name; count++)
        names[count] = slice_from(cli_commands[count].name);
    int near = text_nearest(slice_from(name), names, count);
    if (near >= 0)
        fprintf(stderr, "intertie: no command `%s`; did you mean `%s`?\n", name, cli_commands[near].name);
    else
        fprintf(stderr, "intertie: no command `%s`. Try `intertie help`.\n", name);
    return CLI_USAGE;
}

static void show_help(const struct cli_command *command) {
    printf("intertie %s %s\n\n%s.\n\n%s", command->name, command->usage, command->summary, command->help);
    cli_print_options(command);
}

int main(int count, char **arguments) {
    if (count < 2) {
        overview(stderr);
        return CLI_USAGE;
    }
    const char *name = arguments[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        const struct cli_command *about = count > 2 ? find(arguments[2]) : NULL;
        if (count > 2 && !about)
            return unknown(arguments[2]);
        if (about)
            show_help(about);
        else
            overview(stdout);
        return CLI_DONE;
    }
    const struct cli_command *command = find(strcmp(name, "--version") == 0 ? "version" : name);
    if (!command)
        return unknown(name);
    struct cli_options options;
    int code = cli_parse(command, count - 1, arguments + 1, &options);
    if (code != CLI_DONE)
        return code;
    if (options.help) {
        show_help(command);
        return CLI_DONE;
    }
    code = command->run(command, &options);
    if (fflush(stdout) != 0 && code == CLI_DONE) {
        fprintf(stderr, "intertie: standard output can't be written\n");
        code = CLI_FAILED;
    }
    return code;
}
