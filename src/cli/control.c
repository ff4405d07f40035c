/* stop, restart, reload, drain: over the admin surface of the running router. */
#include "cli/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/memory.h"
#include "config/url.h"
#include "platform/clock.h"
#include "platform/loop.h"
#include "runtime/runtime.h"

#define ASK_NS (10 * NS_PER_S)
#define STOP_WAIT_NS (45 * NS_PER_S)

/* -- JSON answers -- */

static bool find_member(struct slice object, struct slice name, struct slice *ret) {
    struct json json;
    struct json_item item;
    json_init(&json, object, 0);
    if (json_next(&json, &item) != JSON_OBJECT)
        return false;
    while (json_next(&json, &item) == JSON_NAME) {
        bool hit = json_item_is(&item, name);
        if (json_skip(&json, &item) <= JSON_END)
            return false;
        if (hit) {
            *ret = item.raw;
            return true;
        }
    }
    return false;
}

struct slice json_member(struct slice object, const char *path) {
    struct slice rest = slice_from(path), value = object;
    while (rest.size) {
        size_t size = slice_find(rest, '/');
        if (!find_member(value, slice_head(rest, size), &value))
            return slice_make(NULL, 0);
        rest = slice_skip(rest, size + 1);
    }
    return value;
}

bool json_element(struct slice array, size_t *at, struct slice *ret) {
    struct json json;
    struct json_item item;
    json_init(&json, array, 0);
    if (json_next(&json, &item) != JSON_ARRAY)
        return false;
    for (size_t i = 0;; i++) {
        enum json_type type = json_skip(&json, &item);
        if (type == JSON_ARRAY_END || type <= JSON_END)
            return false;
        if (i == *at)
            break;
    }
    (*at)++;
    *ret = item.raw;
    return true;
}

/* -- finding it -- */

static int at_url(const struct cli_options *options, const char *text, const char *method, const char *target,
                  struct slice body, struct http_reply *ret, struct fault *fault) {
    struct config_url url;
    struct scalar_why why;
    bool planned = false;
    if (options->verbose)
        cli_say("asking %s", text);
    if (strncmp(text, "unix:", 5) == 0)
        return (int)http_request(NULL, text + 5, NULL, method, target, "", body, ASK_NS, ret, fault);
    if (!url_parse(slice_from(text), URL_ADMIN, "http", &url, &planned, &why)) {
        *ret = (struct http_reply){0};
        return (int)fault_set(fault, STATUS_BAD_CONFIG, 0, "--admin: %s", why.text);
    }
    return (int)http_request(&url, NULL, NULL, method, target, "", body, ASK_NS, ret, fault);
}

int control_try(const struct cli_options *options, const char *method, const char *target, struct slice body,
                struct http_reply *ret, struct fault *fault) {
    const char *said = options->admin ? options->admin : getenv("INTERTIE_ADMIN");
    *ret = (struct http_reply){0};
    if (said && said[0])
        return at_url(options, said, method, target, body, ret, fault);
    const char *path = cli_config_path(options, NULL);
    struct config_options how = cli_config_options(options);
    how.allow_faults = true; /* whether it runs with them is not ours to say */
    struct config_report report;
    struct config *config = NULL;
    struct buffer place;
    int status = STATUS_REFUSED;
    config_report_init(&report);
    if (path)
        config_load(&how, slice_from(path), &config, &report);
    config_report_done(&report);
    if (config) {
        buffer_init(&place, 4096);
        runtime_socket_path(config, &place);
        if (options->verbose)
            cli_say("asking unix:%s", (const char *)place.data);
        status = (int)http_request(NULL, (const char *)place.data, NULL, method, target, "", body, ASK_NS, ret, fault);
        buffer_done(&place);
        if (status != STATUS_OK) {
            char url[300];
            (void)snprintf(url, sizeof url, "%.*s", SLICE_ARG(config->admin.url.text));
            http_reply_done(ret);
            status = at_url(options, url, method, target, body, ret, fault);
        }
        config_free(config);
    } else {
        status = at_url(options, "http://127.0.0.1:7470", method, target, body, ret, fault);
    }
    return status;
}

/* A configuration with mistakes doesn't tell where its router is: then the mistakes are the answer. */
static int config_is_broken(const struct cli_options *options) {
    const char *path = cli_config_path(options, NULL);
    struct config_options how = cli_config_options(options);
    how.allow_faults = true; /* whether it runs with them is not ours to say */
    struct config_report report;
    struct config *config = NULL;
    int code = CLI_DONE;
    if (!path || options->admin || getenv("INTERTIE_ADMIN"))
        return CLI_DONE;
    config_report_init(&report);
    if (config_load(&how, slice_from(path), &config, &report) != STATUS_OK)
        code = cli_tell_report(options, &report);
    config_report_done(&report);
    if (config)
        config_free(config);
    return code;
}

int control_ask(const struct cli_options *options, const char *method, const char *target, struct slice body,
                struct http_reply *ret) {
    struct fault fault = {0};
    int status = control_try(options, method, target, body, ret, &fault);
    if (status == STATUS_OK)
        return CLI_DONE;
    if (status == STATUS_BAD_CONFIG)
        return cli_fail(options, CLI_USAGE, "usage", "%s", fault.text);
    int code = config_is_broken(options);
    return code != CLI_DONE ? code : cli_fail(options, CLI_NO_ROUTER, "not-running", "no router there (%s)", fault.text);
}

const char *control_words(struct slice raw, char *out, size_t room) {
    raw = slice_head(raw, room - 1); /* never longer once resolved */
    size_t size = raw.size ? json_unescape((uint8_t *)out, raw) : 0;
    if (size == SIZE_MAX) { /* cut within an escape */
        size = raw.size;
        memcpy(out, raw.data, size);
    }
    out[size] = '\0';
    return out;
}

int control_refused(const struct cli_options *options, const struct http_reply *reply) {
    char words[1024];
    struct slice body = buffer_slice(&reply->body);
    struct slice reason = json_member(body, "reason"), detail = json_member(body, "detail");
    if (options->json) {
        cli_print(body);
        printf("\n");
    } else if (reason.data) {
        control_words(detail.data ? detail : json_member(body, "title"), words, sizeof words);
        cli_say("%s (%.*s)", words, SLICE_ARG(reason));
    } else {
        cli_say("answered with HTTP %u", reply->code);
    }
    return CLI_REFUSED;
}

/* -- commands -- */

static int simple(const struct cli_options *options, const char *method, const char *target, const char *words) {
    struct http_reply reply;
    int code = control_ask(options, method, target, slice_make("", 0), &reply);
    if (code == CLI_DONE && reply.code >= 300) {
        code = control_refused(options, &reply);
    } else if (code == CLI_DONE) {
        if (options->json) {
            cli_print(buffer_slice(&reply.body));
            if (reply.body.size && reply.body.data[reply.body.size - 1] != '\n')
                printf("\n");
        } else if (!options->quiet) {
            fprintf(stderr, "%s\n", words);
        }
    }
    http_reply_done(&reply);
    return code;
}

int cmd_drain(const struct cli_command *command, const struct cli_options *options) {
    (void)command;
    return simple(options, "POST", "/api/v1/drain", "draining: it takes no new work");
}

/* What has changed, or what is wrong, as the router says it. */
static int tell_reload(const struct cli_options *options, const struct http_reply *reply) {
    struct slice body = buffer_slice(&reply->body);
    struct slice changes = json_member(body, "changes"), detail = json_member(body, "detail"), report = json_member(body, "report");
    bool good = reply->code < 300;
    struct slice text = good ? changes : detail;
    char *words = memory_alloc(text.size + 1);
    if (!words)
        return cli_fail(options, CLI_FAILED, "out-of-memory", "no memory");
    control_words(text, words, text.size + 1);
    size_t size = strlen(words);
    if (options->json) {
        cli_print(!good && report.data ? report : body);
        printf("\n");
    } else if (!good) {
        fprintf(stderr, "%s%snothing has changed\n", words, size && words[size - 1] != '\n' ? "\n" : "");
    } else {
        if (!options->quiet)
            fprintf(stderr, "%s\n",
                    !size              ? "nothing has changed"
                    : options->dry_run ? "it would change so:"
                                       : "reloaded:");
        printf("%s%s", words, size && words[size - 1] != '\n' ? "\n" : "");
    }
    memory_free(words);
    return good ? CLI_DONE : report.data || slice_is(json_member(body, "reason"), "bad-config") ? CLI_BAD_CONFIG : CLI_FAILED;
}

int cmd_reload(const struct cli_command *command, const struct cli_options *options) {
    struct http_reply reply;
    (void)command;
    int code = control_ask(options, "POST", options->dry_run ? "/api/v1/reload?dry_run=true" : "/api/v1/reload",
                           slice_make("", 0), &reply);
    if (code == CLI_DONE)
        code = reply.code < 300 || json_member(buffer_slice(&reply.body), "result").data ? tell_reload(options, &reply)
                                                                                         : control_refused(options, &reply);
    http_reply_done(&reply);
    return code;
}

static void on_nothing(void *user) {
    *(bool *)user = true;
}

void control_rest(int64_t time_ns) {
    bool over = false;
    struct loop_owner owner = {.user = &over, .on_timer = on_nothing, .on_wake = on_nothing};
    struct loop *loop = loop_new(&owner);
    if (!loop)
        return;
    loop_timer_at(loop, mono_after(platform_now().mono, time_ns));
    while (!over)
        loop_run_once(loop, true);
    loop_free(loop);
}

int cmd_stop(const struct cli_command *command, const struct cli_options *options) {
    struct http_reply reply;
    struct fault fault;
    (void)command;
    struct mono start = platform_now().mono;
    int64_t wait = options->wait_ns >= 0 ? options->wait_ns : STOP_WAIT_NS;
    int code = control_ask(options, "GET", "/api/v1/status", slice_make("", 0), &reply);
    if (code != CLI_DONE) {
        http_reply_done(&reply);
        return code;
    }
    struct slice flight = json_member(buffer_slice(&reply.body), "messages/in_flight");
    if (!options->quiet && !options->json)
        fprintf(stderr, "draining: %.*s in flight .. ", SLICE_ARG(flight.data ? flight : SLICE_OF("0")));
    http_reply_done(&reply);
    code = control_ask(options, "POST", options->now ? "/api/v1/stop?now=true" : "/api/v1/stop", slice_make("", 0), &reply);
    http_reply_done(&reply);
    if (code != CLI_DONE)
        return code;
    for (;;) {
        int status = control_try(options, "GET", "/livez", slice_make("", 0), &reply, &fault);
        http_reply_done(&reply);
        if (status != STATUS_OK)
            break;
        if (platform_now().mono.ns - start.ns > wait)
            return cli_fail(options, CLI_FAILED, "timeout", "not stopped after %lld s; `intertie stop --now` cuts it",
                            (long long)(wait / NS_PER_S));
        control_rest(50 * NS_PER_MS);
    }
    double took = (double)(platform_now().mono.ns - start.ns) / 1e9;
    if (options->json)
        printf("{\"stopped\":true,\"seconds\":%.3f}\n", took);
    else if (!options->quiet)
        fprintf(stderr, "stopped after %.1f s\n", took);
    return options->now ? CLI_FORCED : CLI_DONE;
}

int cmd_restart(const struct cli_command *command, const struct cli_options *options) {
    struct cli_options stop = *options;
    stop.argument_count = 0;
    stop.wait_ns = -1;
    int code = cmd_stop(command, &stop);
    if (code != CLI_DONE && code != CLI_NO_ROUTER)
        return code;
    return cmd_start(command, options);
}
