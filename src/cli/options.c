/* The options, a row each: the same everywhere, and parsed in one place. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/text.h"
#include "cli/cli.h"
#include "config/scalar.h"

enum kind { FLAG, TEXT, DURATION, COUNT, SET, ATTRIBUTE };

struct row {
    const char *name;
    char letter; /* 0: none */
    enum kind kind;
    size_t place;
    const char *value; /* what stands for it in help */
    const char *help;
    bool common;
};

#define AT(member) offsetof(struct cli_options, member)

static const struct row rows[] = {
    {"config", 'c', TEXT, AT(config), "FILE", "the configuration (else $INTERTIE_CONFIG, ./intertie.yaml, /etc/intertie/intertie.yaml)", true},
    {"environment", 'e', TEXT, AT(environment), "NAME", "the overlay of `environments` (else $INTERTIE_ENVIRONMENT)", true},
    {"set", 0, SET, 0, "PATH=VALUE", "lays one value over the configuration: systems/billing/timeouts/request=2s", true},
    {"admin", 0, TEXT, AT(admin), "URL", "the running router (else $INTERTIE_ADMIN, its socket, http://127.0.0.1:7470)", true},
    {"json", 0, FLAG, AT(json), NULL, "one JSON document on standard output", true},
    {"quiet", 'q', FLAG, AT(quiet), NULL, "no words, only results", true},
    {"verbose", 'v', FLAG, AT(verbose), NULL, "more words", true},
    {"help", 'h', FLAG, AT(help), NULL, "this text", true},
    {"allow-faults", 0, FLAG, AT(allow_faults), NULL, "routes may make trouble on purpose (`fault`)", false},
    {"debug", 0, FLAG, AT(debug), NULL, "log everything", false},
    {"wait", 0, DURATION, AT(wait_ns), "DURATION", "how long to wait", false},
    {"now", 0, FLAG, AT(now), NULL, "at once: what is in flight is cut", false},
    {"dry-run", 0, FLAG, AT(dry_run), NULL, "only say what would change", false},
    {"interval", 0, DURATION, AT(interval_ns), "DURATION", "how often it looks (1s)", false},
    {"watch", 0, FLAG, AT(watch), NULL, "again every second", false},
    {"strict", 0, FLAG, AT(strict), NULL, "warnings are errors", false},
    {"no-files", 0, FLAG, AT(no_files), NULL, "look up neither files nor variables", false},
    {"print", 0, FLAG, AT(print), NULL, "the merged result, with the origin of each value", false},
    {"schema", 0, FLAG, AT(schema), NULL, "a JSON Schema of the configuration", false},
    {"reference", 0, FLAG, AT(reference), NULL, NULL, false},
    {"to", 0, TEXT, AT(to), "SYSTEM", "the target system, or `all`", false},
    {"type", 0, TEXT, AT(type), "TYPE", "the event's type, such as com.example.alarm.raised", false},
    {"kind", 0, TEXT, AT(kind), "KIND", "event, request, query, command, notification...", false},
    {"source", 0, TEXT, AT(source), "URI", "the event's source (else /systems/NAME with --as, else /cli)", false},
    {"subject", 0, TEXT, AT(subject), "TEXT", "the event's subject", false},
    {"priority", 0, TEXT, AT(priority), "P", "low, normal, high, critical, emergency or 1..5", false},
    {"ttl", 0, TEXT, AT(ttl), "DURATION", "how long it may live", false},
    {"attr", 0, ATTRIBUTE, 0, "NAME=VALUE", "a further attribute; may be repeated", false},
    {"content-type", 0, TEXT, AT(content_type), "TYPE", "of the data (JSON when it is JSON, else text/plain)", false},
    {"data", 0, TEXT, AT(data), "TEXT|@FILE|-", "the data; - reads standard input", false},
    {"as", 0, TEXT, AT(as), "SYSTEM", "the system that this is", false},
    {"from", 0, TEXT, AT(from), "SYSTEM", "the sending system; the same as --as", false},
    {"listener", 0, TEXT, AT(listener), "NAME", "where it would come in (else that is left open)", false},
    {"live", 0, FLAG, AT(live), NULL, "ask the running router, with what it thinks of its endpoints", false},
    {"url", 0, TEXT, AT(url), "URL", "speak to this instead of the running router", false},
    {"frame", 0, TEXT, AT(frame), "FRAME", "how a tcp:// stream is cut: line, crlf, len32be, {fixed: 8}...", false},
    {"format", 0, TEXT, AT(format), "FORMAT", "what is in its units: cloudevents, or raw: the data alone", false},
    {"batch", 0, TEXT, AT(batch), "FILE", "a JSON array of events; - reads standard input", false},
    {"timeout", 0, DURATION, AT(timeout_ns), "DURATION", "how long to wait for the reply", false},
    {"when", 0, TEXT, AT(when), "CESQL", "subscribe to what matches, instead of serving", false},
    {"group", 0, TEXT, AT(group), "NAME", "share the subscription with others of this group", false},
    {"count", 0, COUNT, AT(count), "N", "end after so many", false},
    {"for", 0, DURATION, AT(for_ns), "DURATION", "end after this time", false},
    {"reply", 0, TEXT, AT(reply), "TEXT|@FILE", "answer requests and queries with this data", false},
    {"system", 0, TEXT, AT(system), "SYSTEM", "only those for this system", false},
    {"route", 0, TEXT, AT(route), "ROUTE", "only those that took this route", false},
    {"reason", 0, TEXT, AT(reason), "REASON", "only those that ended for this reason", false},
    {"since", 0, DURATION, AT(since_ns), "DURATION", "only those of so long ago at most", false},
    {"limit", 0, COUNT, AT(limit), "N", "show so many at most, the newest (100)", false},
    {"rate", 0, TEXT, AT(rate), "N/s", "send so many a second (100/s), minute (/m) or hour (/h)", false},
    {"force", 0, FLAG, AT(force), NULL, "those too that came back three times", false},
    {"yes", 0, FLAG, AT(yes), NULL, "do it", false},
    {"key-file", 0, TEXT, AT(key_file), "FILE", "the key (else $INTERTIE_KEY)", false},
    {"ca", 0, TEXT, AT(ca), "FILE", "who may certify the other side (else the host's authorities)", false},
    {"cert", 0, TEXT, AT(cert), "FILE", "the certificate that is shown to it", false},
    {"cert-key", 0, TEXT, AT(cert_key), "FILE", "its key (else it is in the same file)", false},
};

static bool takes(const struct cli_command *command, const struct row *row) {
    if (row->common)
        return true;
    size_t size = strlen(row->name);
    for (const char *at = command->options; at && *at;) {
        size_t word = strcspn(at, " ");
        if (word == size && memcmp(at, row->name, size) == 0)
            return true;
        at += word + (at[word] == ' ');
    }
    return false;
}

const char *const *cli_option_names(void) {
    static const char *names[COUNT_OF(rows) + 1];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        names[i] = rows[i].name;
    return names;
}

void cli_print_options(const struct cli_command *command) {
    for (int common = 0; common < 2; common++) {
        bool first = true;
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            const struct row *row = &rows[i];
            if (row->common != (common == 1) || !takes(command, row) || !row->help)
                continue;
            if (first)
                printf("\n%s:\n", common ? "Everywhere" : "Options");
            first = false;
            char name[64];
            (void)snprintf(name, sizeof name, "%c%c%s--%s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
                           row->letter ? ", " : "  ", row->name, row->value ? " " : "", row->value ? row->value : "");
            printf("  %-30s %s\n", name, row->help);
        }
    }
}

static int usage(const struct cli_command *command, const struct cli_options *options, const char *before, const char *name,
                 const char *after) {
    if (options->json)
        return cli_fail(options, CLI_USAGE, "usage", "%s: %s%s%s", command->name, before, name, after);
    fprintf(stderr, "intertie %s: %s%s%s\nTry `intertie %s --help`.\n", command->name, before, name, after, command->name);
    return CLI_USAGE;
}

/* Words about an option that the command doesn't take. */
static int refuse(const struct cli_command *command, const struct cli_options *options, const char *said) {
    struct slice names[COUNT_OF(rows)], name = slice_from(said);
    size_t count = 0;
    char near_text[64] = "";
    name = slice_skip(name, slice_starts(name, SLICE_OF("--")) ? 2 : name.size);
    name = slice_head(name, slice_find(name, '='));
    for (size_t i = 0; cli_planned_options[i]; i++)
        if (slice_is(name, cli_planned_options[i]))
            return cli_fail(options, CLI_FAILED, "not-supported", "`--%s` is not supported yet in " INTERTIE_VERSION,
                            cli_planned_options[i]);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (takes(command, &rows[i]) && rows[i].help)
            names[count++] = slice_from(rows[i].name);
    int near = name.size ? text_nearest(name, names, count) : -1;
    if (near >= 0)
        (void)snprintf(near_text, sizeof near_text, "; did you mean --%.*s?", SLICE_ARG(names[near]));
    return usage(command, options, "unknown option ", said, near_text);
}

static bool duration(const char *text, int64_t *ret_ns) {
    struct scalar_why why;
    return scalar_duration(slice_from(text), ret_ns, &why);
}

static int take(const struct cli_command *command, const struct row *row, struct cli_options *options, const char *value) {
    char *place = (char *)options + row->place;
    uint64_t count;
    switch (row->kind) {
    case FLAG:
        *(bool *)(void *)place = true;
        return CLI_DONE;
    case TEXT:
        *(const char **)(void *)place = value;
        return CLI_DONE;
    case DURATION:
        if (!duration(value, (int64_t *)(void *)place))
            return usage(command, options, "--", row->name, " needs a duration with its unit, such as 10s");
        return CLI_DONE;
    case COUNT:
        if (!text_to_u64(slice_from(value), &count) || count == 0)
            return usage(command, options, "--", row->name, " needs a number above 0");
        *(uint64_t *)(void *)place = count;
        return CLI_DONE;
    case SET:
        if (options->set_count == CLI_SETS_MAX)
            return usage(command, options, "too many --", row->name, "");
        options->sets[options->set_count++] = slice_from(value);
        return CLI_DONE;
    case ATTRIBUTE:
        if (options->attribute_count == CLI_ATTRIBUTES_MAX)
            return usage(command, options, "too many --", row->name, "");
        options->attributes[options->attribute_count++] = value;
        return CLI_DONE;
    }
    return CLI_USAGE;
}

int cli_parse(const struct cli_command *command, int count, char **arguments, struct cli_options *ret) {
    struct option table[COUNT_OF(rows) + 1] = {{0}};
    const struct row *taken[COUNT_OF(rows)];
    char letters[2 * COUNT_OF(rows) + 2] = ":";
    size_t used = 0, at = 1;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!takes(command, &rows[i]))
            continue;
        taken[used] = &rows[i];
        table[used++] = (struct option){rows[i].name, rows[i].kind == FLAG ? no_argument : required_argument, NULL, 0};
        if (rows[i].letter) {
            letters[at++] = rows[i].letter;
            if (rows[i].kind != FLAG)
                letters[at++] = ':';
        }
    }
    letters[at] = '\0';
    *ret = (struct cli_options){.wait_ns = -1, .timeout_ns = -1, .for_ns = -1, .since_ns = -1, .interval_ns = -1};
    for (int i = 1; i < count && strcmp(arguments[i], "--") != 0; i++)
        ret->json |= strcmp(arguments[i], "--json") == 0; /* what is wrong before it is told that way too */
    opterr = 0;
    optind = 1;
    for (;;) {
        int index = -1;
        int found = getopt_long(count, arguments, letters, table, &index);
        if (found == -1)
            break;
        const struct row *row = found == 0 && index >= 0 ? taken[index] : NULL;
        for (size_t i = 0; i < used && !row; i++)
            if (taken[i]->letter == found)
                row = taken[i];
        if (found == ':')
            return usage(command, ret, "", arguments[optind - 1], " needs a value");
        if (!row)
            return refuse(command, ret, arguments[optind - 1]);
        int code = take(command, row, ret, optarg);
        if (code != CLI_DONE)
            return code;
    }
    for (; optind < count; optind++) {
        if (ret->argument_count == command->arguments_max)
            return usage(command, ret, "too many arguments: ", arguments[optind], "");
        ret->arguments[ret->argument_count++] = arguments[optind];
    }
    return CLI_DONE;
}
