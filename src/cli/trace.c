/* trace: what became of one message, from the running router. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/control.h"

#define TARGET_MAX 4096
#define WORDS_MAX 200

/* -- asking -- */

/* An id may have any byte; a path has few of them plain. */
static void add_id(struct buffer *target, const char *id) {
    for (const char *at = id; *at; at++)
        if (text_is_alpha((uint8_t)*at) || text_is_digit((uint8_t)*at) || strchr("-_.~", *at))
            buffer_add_byte(target, (uint8_t)*at);
        else
            buffer_add_format(target, "%%%02X", (unsigned)(uint8_t)*at);
    buffer_add_byte(target, 0);
}

/* -- telling -- */

struct words {
    char text[WORDS_MAX];
};

/* What peers wrote is untrusted: no byte of it may steer the terminal. */
static const char *words_of(struct slice object, const char *member, struct words *room) {
    control_words(json_member(object, member), room->text, sizeof room->text);
    for (char *at = room->text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    return room->text;
}

static bool is_true(struct slice object, const char *member) {
    return slice_is(json_member(object, member), "true");
}

static uint64_t number(struct slice object, const char *member) {
    uint64_t value = 0;
    struct slice raw = json_member(object, member);
    if (raw.data)
        text_to_u64(raw, &value);
    return value;
}

static unsigned long long count(struct slice object, const char *member) {
    return (unsigned long long)number(object, member);
}

static void tell_received(struct slice message, struct slice step) {
    struct words room;
    if (json_member(step, "listener").size)
        printf("listener %s  ", words_of(step, "listener", &room));
    if (json_member(step, "peer").size)
        printf("%s  ", words_of(step, "peer", &room));
    printf("%s ", words_of(message, "kind", &room));
    printf("%s  %llu B", words_of(message, "type", &room), count(step, "bytes"));
    if (is_true(step, "late"))
        printf("  (recorded from its first failure on)");
}

static void tell_failed(struct slice step) {
    struct words room;
    printf("%s  ", words_of(step, "endpoint", &room));
    printf("%s", words_of(step, "reason", &room));
    if (number(step, "code"))
        printf(" %llu", count(step, "code"));
    if (json_member(step, "text").size)
        printf(" \"%s\"", words_of(step, "text", &room));
    if (json_member(step, "next_ms").size)
        printf(", again in %llu ms", count(step, "next_ms"));
}

static void tell_ended(struct slice step) {
    struct words room;
    bool is_good = slice_is(json_member(step, "reason"), "ok");
    if (json_member(step, "system").size)
        printf("%s  ", words_of(step, "system", &room));
    printf("%s", is_good ? "" : words_of(step, "reason", &room));
    if (json_member(step, "detail").size)
        printf(": %s", words_of(step, "detail", &room));
    if (number(step, "code"))
        printf(", sender told %llu", count(step, "code"));
}

static void tell_routed(struct slice step) {
    struct words room;
    bool by_route = json_member(step, "route").size > 0;
    printf("target %s  ", words_of(step, "system", &room));
    if (is_true(step, "subscription"))
        printf("subscription  ");
    else
        printf("%s%s  ", by_route ? "route " : "by its target", by_route ? words_of(step, "route", &room) : "");
    printf("%llu before it", count(step, "before"));
}

static void tell_sent(struct slice step) {
    struct words room;
    printf("%s  ", words_of(step, "endpoint", &room));
    printf("sent by %s  %llu B", words_of(step, "protocol", &room), count(step, "bytes"));
}

static void tell_allowed(struct slice step) {
    struct words room;
    if (json_member(step, "system").size)
        printf("as %s  ", words_of(step, "system", &room));
    if (json_member(step, "identity").size)
        printf("identity %s  ", words_of(step, "identity", &room));
    printf("priority %llu", count(step, "priority"));
}

static void tell_rest(struct slice step, const char *name) {
    struct words room;
    printf("%s  ", words_of(step, "system", &room));
    if (strcmp(name, "handed") == 0)
        printf("to worker %llu", count(step, "to_worker"));
    else if (strcmp(name, "answered") == 0)
        printf("%s  %llu B", words_of(step, "type", &room), count(step, "bytes"));
    else
        printf("%llu before it", count(step, "before"));
}

static void tell_step(struct slice message, struct slice step) {
    struct words room;
    char name[32], shown[64];
    uint64_t after = number(step, "after_us");
    (void)snprintf(name, sizeof name, "%.31s", words_of(step, "step", &room));
    bool is_attempt = strcmp(name, "sent") == 0 || strcmp(name, "failed") == 0, has_ended = strcmp(name, "ended") == 0;
    if (is_attempt)
        (void)snprintf(shown, sizeof shown, "attempt %llu", count(step, "attempt"));
    else
        (void)snprintf(shown, sizeof shown, "%.60s", has_ended ? words_of(step, "ending", &room) : name);
    printf("%6llu.%llu ms  %-9s  ", (unsigned long long)(after / 1000), (unsigned long long)(after % 1000 / 100), shown);
    if (strcmp(name, "received") == 0)
        tell_received(message, step);
    else if (strcmp(name, "allowed") == 0)
        tell_allowed(step);
    else if (strcmp(name, "routed") == 0)
        tell_routed(step);
    else if (strcmp(name, "sent") == 0)
        tell_sent(step);
    else if (strcmp(name, "failed") == 0)
        tell_failed(step);
    else if (has_ended)
        tell_ended(step);
    else
        tell_rest(step, name);
    printf("\n");
}

static void tell_message(const struct cli_options *options, struct slice message, bool is_one_of_many) {
    struct slice steps = json_member(message, "steps"), step;
    struct words room;
    size_t at = 0;
    if (is_one_of_many || options->verbose) {
        printf("%s  ", words_of(message, "time", &room));
        printf("source %s  ", words_of(message, "source", &room));
        printf("id %s\n", words_of(message, "event_id", &room));
    }
    while (json_element(steps, &at, &step))
        tell_step(message, step);
}

int cmd_trace(const struct cli_command *command, const struct cli_options *options) {
    struct http_reply reply = {0};
    struct buffer target;
    (void)command;
    if (options->argument_count != 1 || options->arguments[0][0] == '\0')
        return cli_fail(options, CLI_USAGE, "usage", "trace: of which message? `send` prints its id, answers have it in Intertie-Id");
    buffer_init(&target, TARGET_MAX);
    buffer_add_text(&target, "/api/v1/messages/");
    add_id(&target, options->arguments[0]);
    if (target.status != STATUS_OK) {
        buffer_done(&target);
        return cli_fail(options, CLI_USAGE, "usage", "trace: no message has an id that long");
    }
    int code = control_ask(options, "GET", (const char *)target.data, slice_make("", 0), &reply);
    buffer_done(&target);
    if (code == CLI_DONE && reply.code >= 300)
        code = control_refused(options, &reply);
    struct slice messages = json_member(buffer_slice(&reply.body), "messages"), message, second;
    size_t at = 0, peek = 0;
    if (code == CLI_DONE && options->json) {
        cli_print(buffer_slice(&reply.body));
    } else if (code == CLI_DONE) {
        bool many = json_element(messages, &peek, &message) && json_element(messages, &peek, &second);
        while (json_element(messages, &at, &message))
            tell_message(options, message, many);
    }
    http_reply_done(&reply);
    return code;
}
