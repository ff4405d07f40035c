/* endpoint: those of the running router, shown and set by hand. */
#include <stdio.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/status.h"
#include "platform/clock.h"

#define TEXT_MAX (16u << 20)
#define LOOK_AGAIN_NS (100 * NS_PER_MS)
#define USAGE \
    "write `intertie endpoint list [SYSTEM[/ENDPOINT]]`, `endpoint up|drain|down|clear SYSTEM/ENDPOINT` or `endpoint weight SYSTEM/ENDPOINT N`"

static int usage(const struct cli_options *options) {
    return cli_fail(options, CLI_USAGE, "usage", USAGE);
}

/* -- list -- */

/* `wanted` empty: all of them; a system, or SYSTEM/ENDPOINT. */
static bool is_wanted(struct slice wanted, struct slice system, struct slice endpoint) {
    size_t cut = slice_find(wanted, '/');
    if (wanted.size && !slice_equal(slice_head(wanted, cut), system))
        return false;
    return cut >= wanted.size || slice_equal(slice_skip(wanted, cut + 1), endpoint);
}

static void add_row(struct buffer *out, struct slice system, struct slice endpoint) {
    struct slice consent = json_member(endpoint, "consent");
    char name[160];
    (void)snprintf(name, sizeof name, "%.*s/%.*s", SLICE_ARG(system),
                   SLICE_ARG(json_member(endpoint, "name")));
    buffer_add_format(out, "%-24s %-11.*s %6llu%s %4llu %5llu %9llu  ", name,
                      SLICE_ARG(json_member(endpoint, "state")),
                      (unsigned long long)status_number(endpoint, "weight"),
                      slice_is(json_member(endpoint, "weight_by_hand"), "true") ? "*" : " ",
                      (unsigned long long)status_number(endpoint, "tier"),
                      (unsigned long long)status_number(endpoint, "connections"),
                      (unsigned long long)status_number(endpoint, "in_flight"));
    status_words(out, json_member(endpoint, "url"));
    struct buffer note;
    buffer_init(&note, 4096);
    status_note(&note, endpoint, platform_now().wall);
    if (slice_is(consent, "given"))
        buffer_add_format(&note, " consent given, %llu a minute at most",
                          (unsigned long long)status_number(endpoint, "rate_per_minute"));
    struct slice origin = json_member(endpoint, "origin");
    if (origin.size && !slice_is(origin, "config"))
        buffer_add_format(out, " (%.*s)", SLICE_ARG(origin));
    if (note.size)
        buffer_add_byte(out, ' ');
    buffer_add(out, buffer_slice(&note));
    buffer_done(&note);
    buffer_add_byte(out, '\n');
}

/* False: none is wanted. */
static bool write_list(struct buffer *out, struct slice document, struct slice wanted, bool as_json) {
    struct slice systems = json_member(document, "systems"), system, endpoint;
    size_t count = 0;
    buffer_add_text(out, as_json
                             ? "{\"endpoints\":["
                             : "ENDPOINT                 STATE       WEIGHT  TIER CONNS IN FLIGHT  URL\n");
    for (size_t at = 0; json_element(systems, &at, &system);) {
        struct slice name = json_member(system, "name"), endpoints = json_member(system, "endpoint_list");
        for (size_t place = 0; json_element(endpoints, &place, &endpoint);) {
            if (!is_wanted(wanted, name, json_member(endpoint, "name")))
                continue;
            if (as_json && count)
                buffer_add_byte(out, ',');
            if (as_json)
                buffer_add(out, endpoint);
            else
                add_row(out, name, endpoint);
            count++;
        }
    }
    if (as_json)
        buffer_add_text(out, "]}\n");
    return count || wanted.size == 0;
}

static int list(const struct cli_options *options) {
    struct http_reply reply;
    struct buffer out;
    struct slice wanted = slice_from(options->argument_count > 1 ? options->arguments[1] : "");
    if (options->argument_count > 2)
        return usage(options);
    int code = control_ask(options, "GET", "/api/v1/systems", slice_make("", 0), &reply);
    buffer_init(&out, TEXT_MAX);
    if (code == CLI_DONE && reply.code >= 300)
        code = control_refused(options, &reply);
    else if (code == CLI_DONE && !write_list(&out, buffer_slice(&reply.body), wanted, options->json))
        code = cli_fail(options, CLI_REFUSED, "not-found", "no endpoint is called %.*s", SLICE_ARG(wanted));
    else if (code == CLI_DONE)
        cli_print(buffer_slice(&out));
    buffer_done(&out);
    http_reply_done(&reply);
    return code;
}

/* -- setting -- */

/* Those that were found are called as their host and port. */
static bool add_name(struct buffer *target, struct slice name) {
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = name.data[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '/')
            return false;
        if (text_is_alpha(byte) || text_is_digit(byte) || strchr("-._~:", byte))
            buffer_add_byte(target, byte);
        else
            buffer_add_format(target, "%%%02X", byte);
    }
    return name.size > 0;
}

/* SYSTEM/ENDPOINT */
static bool add_target(struct buffer *target, struct slice name) {
    size_t cut = slice_find(name, '/');
    struct slice system = slice_head(name, cut), endpoint = slice_skip(name, cut + 1);
    if (!text_is_name(system))
        return false;
    buffer_add_format(target, "/api/v1/systems/%.*s/endpoints/", SLICE_ARG(system));
    if (!add_name(target, endpoint))
        return false;
    buffer_add_byte(target, 0);
    return target->status == STATUS_OK;
}

static int ask(const struct cli_options *options, const char *method, struct buffer *target,
               struct slice body, struct http_reply *ret) {
    int code = control_ask(options, method, (const char *)target->data, body, ret);
    return code == CLI_DONE && ret->code >= 300 ? control_refused(options, ret) : code;
}

/* `billing/b draining: set by hand, 4 in flight` */
static void tell(const struct cli_options *options, struct slice endpoint) {
    struct buffer out;
    buffer_init(&out, 4096);
    if (options->json) {
        cli_print(endpoint);
        if (endpoint.size && endpoint.data[endpoint.size - 1] != '\n')
            printf("\n");
    } else {
        buffer_add_format(&out, "%s ", options->arguments[1]);
        status_words(&out, json_member(endpoint, "state"));
        status_note(&out, endpoint, platform_now().wall);
        if (status_number(endpoint, "in_flight"))
            buffer_add_format(&out, ", %llu in flight",
                              (unsigned long long)status_number(endpoint, "in_flight"));
        buffer_add_byte(&out, '\n');
        cli_print(buffer_slice(&out));
    }
    buffer_done(&out);
}

static bool is_over(const struct http_reply *reply) {
    return !slice_is(json_member(buffer_slice(&reply->body), "state"), "draining");
}

/* Until it has come to rest. */
static int wait(const struct cli_options *options, struct buffer *target, struct http_reply *reply) {
    struct mono start = platform_now().mono;
    while (!is_over(reply)) {
        if (platform_now().mono.ns - start.ns > options->wait_ns)
            return cli_fail(options, CLI_FAILED, "timeout", "%s still has %llu in flight",
                            options->arguments[1],
                            (unsigned long long)status_number(buffer_slice(&reply->body), "in_flight"));
        control_rest(LOOK_AGAIN_NS);
        http_reply_done(reply);
        int code = ask(options, "GET", target, slice_make("", 0), reply);
        if (code != CLI_DONE)
            return code;
    }
    return CLI_DONE;
}

static int set(const struct cli_options *options, const char *method, struct slice body) {
    struct http_reply reply = {0};
    struct buffer target;
    buffer_init(&target, 4096);
    int code = CLI_USAGE;
    if (!add_target(&target, slice_from(options->arguments[1]))) {
        code = usage(options);
    } else {
        code = ask(options, method, &target, body, &reply);
        if (code == CLI_DONE && options->wait_ns >= 0)
            code = wait(options, &target, &reply);
        if (code == CLI_DONE)
            tell(options, buffer_slice(&reply.body));
    }
    http_reply_done(&reply);
    buffer_done(&target);
    return code;
}

int cmd_endpoint(const struct cli_command *command, const struct cli_options *options) {
    static const char *const states[] = {"up", "drain", "down"};
    const char *verb = options->argument_count ? options->arguments[0] : "";
    char body[64];
    uint64_t weight;
    (void)command;
    if (strcmp(verb, "list") == 0)
        return list(options);
    if (options->argument_count < 2)
        return usage(options);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (strcmp(verb, states[i]) != 0 || options->argument_count != 2)
            continue;
        (void)snprintf(body, sizeof body, "{\"state\":\"%s\"}", states[i]);
        return set(options, "PUT", slice_from(body));
    }
    if (strcmp(verb, "clear") == 0 && options->argument_count == 2)
        return set(options, "DELETE", slice_make("", 0));
    if (strcmp(verb, "weight") != 0 || options->argument_count != 3)
        return usage(options);
    if (!text_to_u64(slice_from(options->arguments[2]), &weight) || weight > 1000)
        return cli_fail(options, CLI_USAGE, "usage", "a weight is a whole number from 0 to 1000");
    (void)snprintf(body, sizeof body, "{\"weight\":%llu}", (unsigned long long)weight);
    return set(options, "PUT", slice_from(body));
}
