/* top: the table of status, live. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/control.h"
#include "cli/status.h"
#include "platform/clock.h"
#include "platform/terminal.h"

#define SCREEN_MAX (16u << 20)
#define INTERVAL_NS NS_PER_S
#define INTERVAL_MIN_NS (100 * NS_PER_MS)
#define HEAD_LINES 4 /* before the table, with what names its columns */

struct top {
    const struct cli_options *options;
    int64_t interval_ns;
    struct status_rates rates;
    struct http_reply reply; /* the last that was good */
    bool has_reply;
    char trouble[300]; /* why there is no newer one; empty: there is */
    size_t skip;
    size_t lines; /* of the table, when it was shown last */
    uint64_t looks;
};

/* -- asking -- */

static void look(struct top *top) {
    struct http_reply reply;
    struct fault fault = {0};
    int status = control_try(top->options, "GET", "/api/v1/status", slice_make("", 0), &reply, &fault);
    top->trouble[0] = '\0';
    top->looks++;
    if (status == STATUS_OK && reply.code == 200) {
        http_reply_done(&top->reply);
        top->reply = reply;
        top->has_reply = true;
        status_rates_look(&top->rates, buffer_slice(&reply.body), platform_now().mono);
        return;
    }
    if (status == STATUS_OK)
        (void)snprintf(top->trouble, sizeof top->trouble, "the router answered with HTTP %u", reply.code);
    else
        (void)snprintf(top->trouble, sizeof top->trouble, "not running (%s)", fault.text);
    http_reply_done(&reply);
}

/* -- showing -- */

static bool has_colours(void) {
    const char *none = getenv("NO_COLOR");
    return !none || !none[0]; /* no-color.org: set, and not empty */
}

static void write_screen(struct top *top, struct buffer *out) {
    struct status_style style = {.has_colours = has_colours(), .skip = top->skip};
    size_t rows;
    terminal_size(&style.columns, &rows);
    style.columns -= style.columns > 1; /* in the last one wiping the rest of the line would wipe it, too */
    size_t taken = HEAD_LINES + 1 + (top->trouble[0] != '\0'); /* one tells of those that have no room */
    style.rows = rows > taken ? rows - taken : 1;
    if (top->trouble[0])
        buffer_add_format(out, "%.*s\n", (int)style.columns, top->trouble);
    if (top->has_reply)
        top->lines =
            status_write(out, buffer_slice(&top->reply.body), &top->rates, platform_now().wall, &style);
}

static bool show(struct top *top) {
    struct buffer screen;
    buffer_init(&screen, SCREEN_MAX);
    write_screen(top, &screen);
    bool good = terminal_show(buffer_slice(&screen));
    buffer_done(&screen);
    return good;
}

/* -- the loop -- */

static bool is_enough(const struct top *top) {
    return top->options->count && top->looks >= top->options->count;
}

static bool key(struct top *top, int key) {
    if (key == 'q' || key == 'Q')
        return false;
    if ((key == 'k' || key == TERMINAL_KEY_UP) && top->skip)
        top->skip--;
    if ((key == 'j' || key == TERMINAL_KEY_DOWN) && top->skip + 1 < top->lines)
        top->skip++;
    return true;
}

/* False: it is over. */
static bool wait(struct top *top, struct mono until) {
    for (;;) {
        int struck = 0;
        switch (terminal_wait(until, &struck)) {
        case TERMINAL_TIME:
            return true;
        case TERMINAL_GONE:
            return false;
        case TERMINAL_KEY:
            if (!key(top, struck))
                return false;
            break;
        case TERMINAL_RESIZED:
            break;
        }
        if (!show(top))
            return false;
    }
}

static void watch(struct top *top) {
    struct mono next = platform_now().mono;
    do {
        next = mono_after(next, top->interval_ns);
        look(top);
        if (mono_due(next, platform_now().mono)) /* it took longer than that: none is made up for */
            next = mono_after(platform_now().mono, top->interval_ns);
    } while (show(top) && !is_enough(top) && wait(top, next));
}

/* One document a line, for who reads it by program: no terminal is needed. */
static int lines(struct top *top) {
    for (;;) {
        struct http_reply reply;
        int code = control_ask(top->options, "GET", "/api/v1/status", slice_make("", 0), &reply);
        if (code == CLI_DONE && reply.code != 200)
            code = control_refused(top->options, &reply);
        struct slice body = code == CLI_DONE ? buffer_slice(&reply.body) : slice_make("", 0);
        cli_print(body);
        if (body.size && body.data[body.size - 1] != '\n')
            printf("\n");
        bool good = fflush(stdout) == 0;
        http_reply_done(&reply);
        top->looks++;
        if (code != CLI_DONE || is_enough(top))
            return code;
        if (!good)
            return CLI_FAILED;
        control_rest(top->interval_ns);
    }
}

int cmd_top(const struct cli_command *command, const struct cli_options *options) {
    struct top top = {.options = options,
                      .interval_ns = options->interval_ns >= 0 ? options->interval_ns : INTERVAL_NS};
    struct fault fault = {0};
    (void)command;
    if (top.interval_ns < INTERVAL_MIN_NS)
        return cli_fail(options, CLI_USAGE, "usage", "--interval is at least 100ms");
    if (options->json)
        return lines(&top);
    int code = control_ask(options, "GET", "/livez", slice_make("", 0),
                           &top.reply); /* told in words where there is none */
    http_reply_done(&top.reply);
    top.reply = (struct http_reply){0};
    if (code != CLI_DONE)
        return code;
    if (terminal_open(&fault) != STATUS_OK)
        return cli_fail(options, CLI_FAILED, "no-terminal",
                        "%s; try `intertie status --watch`, or `intertie top --json`", fault.text);
    watch(&top);
    terminal_close();
    status_rates_done(&top.rates);
    http_reply_done(&top.reply);
    return CLI_DONE;
}
