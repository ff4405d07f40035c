/* dlq: dead letters of the running router. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/control.h"

#define TARGET_MAX 16384

static const char *const names[] = {"list", "show", "redrive", "purge", NULL};

/* -- asking -- */

/* Values are names, words and durations: what has another byte is none that there could be. */
static bool add_text(struct buffer *target, const char *name, const char *value) {
    if (!value)
        return true;
    for (const char *at = value; *at; at++)
        if (!text_is_alpha((uint8_t)*at) && !text_is_digit((uint8_t)*at) && *at != '-' && *at != '_')
            return false;
    buffer_add_format(target, "%s=%s&", name, value);
    return true;
}

static bool add_filter(struct buffer *target, const struct cli_options *options) {
    bool good = add_text(target, "system", options->system) && add_text(target, "route", options->route) &&
                add_text(target, "reason", options->reason) && add_text(target, "to", options->to);
    if (options->since_ns >= 0)
        buffer_add_format(target, "since=%lldms&", (long long)(options->since_ns / 1000000));
    if (options->count || options->limit)
        buffer_add_format(target, "limit=%llu&", (unsigned long long)(options->limit ? options->limit : options->count));
    for (size_t i = 1; i < options->argument_count; i++) {
        buffer_add_text(target, i == 1 ? "ids=" : ",");
        buffer_add_text(target, options->arguments[i]);
        good &= strlen(options->arguments[i]) == 36 && strspn(options->arguments[i], "0123456789abcdef-") == 36;
    }
    if (options->argument_count > 1)
        buffer_add_byte(target, '&');
    return good;
}

static bool add_rate(struct buffer *target, const char *rate) {
    size_t slash = rate ? strcspn(rate, "/") : 0;
    if (!rate)
        return true;
    if (strspn(rate, "0123456789") != slash || strlen(rate) != slash + 2 || slash == 0 || slash > 9 || !strchr("smh", rate[slash + 1]))
        return false;
    buffer_add_format(target, "rate=%.*s%%2F%c&", (int)slash, rate, rate[slash + 1]);
    return true;
}

static int ask(const struct cli_options *options, const char *method, struct buffer *target, struct http_reply *ret) {
    *ret = (struct http_reply){0};
    buffer_add_byte(target, 0);
    if (target->status != STATUS_OK)
        return cli_fail(options, CLI_USAGE, "usage", "dlq: too many ids in one command");
    int code = control_ask(options, method, (const char *)target->data, slice_make("", 0), ret);
    if (code == CLI_DONE && ret->code >= 300)
        code = control_refused(options, ret);
    return code;
}

/* -- telling -- */

static uint64_t number(struct slice json, const char *path) {
    uint64_t value = 0;
    struct slice raw = json_member(json, path);
    if (raw.data)
        text_to_u64(raw, &value);
    return value;
}

static const char *age_text(uint64_t ms, char *out, size_t room) {
    static const struct {
        uint64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (ms >= units[i].ms) {
            (void)snprintf(out, room, "%llu%s", (unsigned long long)(ms / units[i].ms), units[i].unit);
            return out;
        }
    (void)snprintf(out, room, "0s");
    return out;
}

/* `b: 503 "database is down"`, or the reason of the last attempt. What the recipient said is untrusted: no byte of it may
 * steer the terminal. */
static void last_text(struct slice letter, char *out, size_t room) {
    struct slice endpoint = json_member(letter, "last/endpoint"), reason = json_member(letter, "last/reason");
    struct slice text = json_member(letter, "last/text");
    uint64_t code = number(letter, "last/code");
    char words[80];
    int used = 0;
    out[0] = '\0';
    if (endpoint.size)
        used += snprintf(out, room, "%.*s: ", SLICE_ARG(slice_head(endpoint, 63)));
    if (code)
        used += snprintf(out + used, room - (size_t)used, "%llu", (unsigned long long)code);
    else if (reason.size)
        used += snprintf(out + used, room - (size_t)used, "%.*s", SLICE_ARG(slice_head(reason, 63)));
    if (!text.size)
        return;
    control_words(text, words, sizeof words);
    for (char *at = words; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    (void)snprintf(out + used, room - (size_t)used, " \"%s\"", words);
}

static void print_letter(struct slice letter, bool with_system) {
    char id[48], system[72], reason[48], age[24], last[256];
    last_text(letter, last, sizeof last);
    printf("%-36s %5s", control_words(json_member(letter, "id"), id, sizeof id), age_text(number(letter, "age_ms"), age, sizeof age));
    if (with_system)
        printf("  %-16s", control_words(json_member(letter, "system"), system, sizeof system));
    printf("  %-20s %5llu  %s\n", control_words(json_member(letter, "reason"), reason, sizeof reason),
           (unsigned long long)number(letter, "attempts"), last);
}

static void print_list(const struct cli_options *options, struct slice body) {
    struct slice letters = json_member(body, "dead_letters"), letter;
    bool with_system = !options->system;
    size_t at = 0;
    while (json_element(letters, &at, &letter)) {
        if (at == 1)
            printf("%-36s %5s%s  %-20s %5s  %s\n", "ID", "AGE", with_system ? "  SYSTEM          " : "", "REASON", "TRIES", "LAST");
        print_letter(letter, with_system);
    }
    uint64_t held = number(body, "held"), lost = number(body, "evicted") + number(body, "aged");
    if (at == 0 && !options->quiet)
        fprintf(stderr, "no dead letter%s\n", held ? " that fits" : "");
    if (at < held && at && !options->quiet)
        fprintf(stderr, "%zu of %llu\n", at, (unsigned long long)held);
    if (lost && !options->quiet)
        fprintf(stderr, "%llu more had no room or were too old, and are gone\n", (unsigned long long)lost);
}

static void print_full(struct slice body) {
    struct slice letters = json_member(body, "dead_letters"), letter;
    static const char *const lines[] = {"id", "time", "system", "route", "from", "reason", "kind", "type", "source", "event_id"};
    char words[512], last[256];
    size_t at = 0;
    while (json_element(letters, &at, &letter)) {
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
            if (json_member(letter, lines[i]).size)
                printf("%-9s %s\n", lines[i], control_words(json_member(letter, lines[i]), words, sizeof words));
        last_text(letter, last, sizeof last);
        printf("%-9s %llu\n%-9s %s\n", "attempts", (unsigned long long)number(letter, "attempts"), "last", last);
        if (number(letter, "redriven"))
            printf("%-9s %llu times, and came back\n", "redriven", (unsigned long long)number(letter, "redriven"));
        printf("%-9s ", "event");
        cli_print(json_member(letter, "event"));
        printf("\n");
    }
}

/* -- commands -- */

static int list(const struct cli_options *options, struct buffer *target) {
    struct http_reply reply;
    int code = ask(options, "GET", target, &reply);
    struct slice body = buffer_slice(&reply.body);
    if (code == CLI_DONE && options->json)
        cli_print(body);
    else if (code == CLI_DONE)
        print_list(options, body);
    http_reply_done(&reply);
    return code;
}

static int show(const struct cli_options *options, struct buffer *target) {
    struct http_reply reply;
    if (options->argument_count != 2)
        return cli_fail(options, CLI_USAGE, "usage", "dlq show: which one? `intertie dlq list` has the ids");
    buffer_clear(target);
    buffer_add_format(target, "/api/v1/dead-letters/%s", options->arguments[1]);
    int code = ask(options, "GET", target, &reply);
    if (code == CLI_DONE && options->json)
        cli_print(buffer_slice(&reply.body));
    else if (code == CLI_DONE)
        print_full(buffer_slice(&reply.body));
    http_reply_done(&reply);
    return code;
}

static void tell_redrive(const struct cli_options *options, struct slice body) {
    unsigned long long count = number(body, "messages"), returned = number(body, "returned"), often = number(body, "too_often");
    const char *to = options->to ? options->to : options->system ? options->system : count == 1 ? "its system" : "their systems";
    printf("%s %llu message%s to %s at %s; ", options->dry_run ? "would send" : "sending", count, count == 1 ? "" : "s", to,
           options->rate ? options->rate : "100/s");
    if (returned == 0)
        printf("none has come back before\n");
    else
        printf("%llu %s come back before\n", returned, returned == 1 ? "has" : "have");
    if (often)
        fprintf(stderr, "%llu came back 3 times and stay%s; --force sends them too\n", often, often == 1 ? "s" : "");
}

static int redrive(const struct cli_options *options, struct buffer *target) {
    struct http_reply reply;
    if (!add_rate(target, options->rate))
        return cli_fail(options, CLI_USAGE, "usage", "--rate: write so many a second, minute or hour, such as 100/s");
    buffer_add_text(target, options->dry_run ? "dry_run=true&" : "");
    buffer_add_text(target, options->force ? "force=true&" : "");
    int code = ask(options, "POST", target, &reply);
    if (code == CLI_DONE && options->json)
        cli_print(buffer_slice(&reply.body));
    else if (code == CLI_DONE)
        tell_redrive(options, buffer_slice(&reply.body));
    http_reply_done(&reply);
    return code;
}

/* Without --yes it only says how many they are. */
static int purge(const struct cli_options *options, struct buffer *target) {
    struct http_reply reply;
    buffer_add_text(target, options->yes ? "" : "dry_run=true&");
    int code = ask(options, "POST", target, &reply);
    unsigned long long count = number(buffer_slice(&reply.body), "messages");
    if (code == CLI_DONE && options->json)
        cli_print(buffer_slice(&reply.body));
    else if (code == CLI_DONE)
        printf("%s %llu dead letter%s\n", options->yes ? "threw away" : "would throw away", count, count == 1 ? "" : "s");
    if (code == CLI_DONE && !options->yes && count) {
        cli_say("say --yes to do it");
        code = CLI_FAILED;
    }
    http_reply_done(&reply);
    return code;
}

int cmd_dlq(const struct cli_command *command, const struct cli_options *options) {
    const char *what = options->argument_count ? options->arguments[0] : "list";
    struct buffer target;
    int code;
    size_t index = 0;
    (void)command;
    while (names[index] && strcmp(names[index], what) != 0)
        index++;
    if (!names[index])
        return cli_fail(options, CLI_USAGE, "usage", "dlq: no `%s`; write list, show, redrive or purge", what);
    buffer_init(&target, TARGET_MAX);
    buffer_add_format(&target, "/api/v1/dead-letters%s%s?", index >= 2 ? "/" : "", index >= 2 ? names[index] : "");
    if (!add_filter(&target, options))
        code = cli_fail(options, CLI_USAGE, "usage", "dlq: names have letters, digits, `-` and `_`; ids are as `dlq list` shows them");
    else
        code = index == 0   ? list(options, &target)
               : index == 1 ? show(options, &target)
               : index == 2 ? redrive(options, &target)
                            : purge(options, &target);
    buffer_done(&target);
    return code;
}
