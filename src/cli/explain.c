/* explain: what would become of a message, from the configuration alone, or as the running router has it. */
#include "engine/explain_tell.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/event.h"
#include "message/encoding.h"
#include "platform/clock.h"

struct telling {
    const struct cli_options *options;
    const struct config *config;
    struct explain_tale tale;
};

static int refused(const struct cli_options *options, const char *reason, const char *detail) {
    if (!options->json)
        cli_say("would be refused (%s)%s%s", reason, detail[0] ? ": " : "", detail);
    return CLI_REFUSED;
}

/* -- from the configuration -- */

static int tell(struct telling *t) {
    char detail[EXPLAIN_DETAIL_MAX];
    struct buffer out;
    int code = CLI_DONE;
    buffer_init(&out, EXPLAIN_TOLD_MAX);
    enum status status = explain_tell(&t->tale, t->options->json, &out, detail);
    if (out.status != STATUS_OK) {
        code = cli_fail(t->options, CLI_FAILED, status_reason(out.status), "there is too much to tell");
    } else {
        cli_print(buffer_slice(&out));
        if (status != STATUS_OK)
            code = refused(t->options, status_reason(status), detail);
    }
    buffer_done(&out);
    return code;
}

static int find_place(struct telling *t, const char *system) {
    const struct cli_options *options = t->options;
    t->tale.ask.system = system ? config_system_find(t->config, slice_from(system)) : CONFIG_NONE;
    t->tale.ask.listener =
        options->listener ? config_listener_find(t->config, slice_from(options->listener)) : CONFIG_NONE;
    if (system && t->tale.ask.system == CONFIG_NONE)
        return cli_fail(options, CLI_USAGE, "usage", "no system `%s`", system);
    if (options->listener && t->tale.ask.listener == CONFIG_NONE)
        return cli_fail(options, CLI_USAGE, "usage", "no listener `%s`", options->listener);
    return CLI_DONE;
}

/* As the sender would write it: its own `source`, the first that it may. */
static int ask(struct telling *t, const char *system) {
    struct cli_options how = *t->options;
    struct cli_event event;
    struct buffer encoded;
    char source[4096];
    int code = find_place(t, system);
    if (code != CLI_DONE)
        return code;
    how.as = system;
    if (system && !how.source) {
        (void)snprintf(source, sizeof source, "%.*s",
                       SLICE_ARG(t->config->systems[t->tale.ask.system].source.items[0]));
        how.source = source;
    }
    buffer_init(&encoded, 64u << 20);
    code = cli_event_make(&event, &how, NULL);
    if (code == CLI_DONE) {
        enum status status = message_encode_json(&event.message, NULL, &encoded);
        t->tale.ask.message = &event.message;
        t->tale.ask.size = encoded.size;
        t->tale.ask.now = platform_now();
        code = status == STATUS_OK ? tell(t)
                                   : cli_fail(t->options, CLI_FAILED, status_reason(status),
                                              "the event can't be written as JSON");
    }
    buffer_done(&encoded);
    cli_event_done(&event);
    return code;
}

/* -- from the running router -- */

static int print_live(const struct cli_options *options, struct slice body) {
    char reason[64], detail[EXPLAIN_DETAIL_MAX];
    struct slice text = json_member(body, "text");
    bool is_good = slice_is(json_member(body, "status"), "accepted");
    if (options->json) {
        cli_print(body);
    } else {
        char *words = memory_alloc(text.size + 1);
        if (!words)
            return cli_fail(options, CLI_FAILED, "no-memory", "no memory");
        cli_print(slice_from(control_words(text, words, text.size + 1)));
        memory_free(words);
    }
    control_words(json_member(body, "reason"), reason, sizeof reason);
    control_words(json_member(body, "detail"), detail, sizeof detail);
    return is_good ? CLI_DONE : refused(options, reason, slice_is(json_member(body, "detail"), "null") ? "" : detail);
}

static bool add_name(struct buffer *target, const char *member, const char *name) {
    if (name && !text_is_name(slice_from(name)))
        return false;
    if (name)
        buffer_add_format(target, "&%s=%s", member, name);
    return true;
}

static int ask_live(const struct cli_options *options, const char *system) {
    struct cli_options how = *options;
    struct cli_event event;
    struct buffer encoded, target;
    struct http_reply reply = {0};
    how.as = system;
    buffer_init(&encoded, 64u << 20);
    buffer_init(&target, 1024);
    buffer_add_format(&target, "/api/v1/explain?text=%s", options->json ? "false" : "true");
    int code = cli_event_make(&event, &how, NULL);
    if (code == CLI_DONE && (!add_name(&target, "from", system) || !add_name(&target, "listener", options->listener)))
        code = cli_fail(options, CLI_USAGE, "usage", "a name is [a-z0-9][a-z0-9_-]{0,62}");
    if (code == CLI_DONE && message_encode_json(&event.message, NULL, &encoded) != STATUS_OK)
        code = cli_fail(options, CLI_FAILED, "internal", "the event can't be written as JSON");
    buffer_add_byte(&target, 0);
    if (code == CLI_DONE)
        code = control_ask(options, "POST", (const char *)target.data, buffer_slice(&encoded), &reply);
    if (code == CLI_DONE)
        code = reply.code >= 300 ? control_refused(options, &reply) : print_live(options, buffer_slice(&reply.body));
    http_reply_done(&reply);
    buffer_done(&encoded);
    buffer_done(&target);
    cli_event_done(&event);
    return code;
}

int cmd_explain(const struct cli_command *command, const struct cli_options *options) {
    struct telling t = {.options = options};
    struct config_options how = cli_config_options(options);
    how.allow_faults = true; /* it tells of them */
    struct config_report report;
    struct config *config = NULL;
    struct fault fault = {0};
    (void)command;
    if (options->as && options->from && strcmp(options->as, options->from) != 0)
        return cli_fail(options, CLI_USAGE, "usage", "--as and --from are the same; they name two systems");
    if (options->live)
        return ask_live(options, options->from ? options->from : options->as);
    const char *path = cli_config_path(options, NULL);
    if (!path)
        return cli_fail(options, CLI_BAD_CONFIG, "bad-config",
                        "no configuration: write -c FILE, or put an intertie.yaml here");
    config_report_init(&report);
    int code = CLI_DONE;
    struct plan *plan = NULL;
    if (config_load(&how, slice_from(path), &config, &report) != STATUS_OK)
        code = cli_tell_report(options, &report);
    else if (!(plan = plan_new(config, &fault)))
        code = cli_fail(options, CLI_BAD_CONFIG, status_reason(fault.status), "%s", fault.text);
    if (code == CLI_DONE) {
        t.tale.plan = plan;
        t.config = config;
        code = ask(&t, options->from ? options->from : options->as);
    }
    plan_free(plan);
    config_free(config);
    config_report_done(&report);
    return code;
}
