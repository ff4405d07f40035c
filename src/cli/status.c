/* status: what the router says of itself, as a table. */
#include "cli/status.h"

#include <stdio.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/control.h"
#include "message/timestamp.h"
#include "platform/clock.h"

#define TABLE_MAX (16u << 20)
#define NAME_MIN 8
#define NAME_WIDTH_MAX 32

uint64_t status_number(struct slice document, const char *path) {
    uint64_t value = 0;
    struct slice raw = json_member(document, path);
    if (raw.data)
        text_to_u64(raw, &value);
    return value;
}

static double real(struct slice document, const char *path) {
    double value = 0;
    struct slice raw = json_member(document, path);
    if (raw.data && !json_number_to_double(raw, &value))
        value = 0;
    return value;
}

void status_words(struct buffer *out, struct slice raw) {
    char words[300];
    control_words(raw, words, sizeof words);
    for (char *at = words; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f || (unsigned char)*at >= 0x80)
            *at = *at == '\n' || *at == '\t'
                      ? ' '
                      : '?'; /* C1 controls too, and widths stay what they are counted as */
    buffer_add_text(out, words);
}

/* -- rates -- */

static uint64_t out_of(struct slice system) {
    return status_number(system, "delivered") + status_number(system, "replied");
}

static const struct status_count *count_of(const struct status_rates *rates, size_t hint, const char *name) {
    for (size_t i = 0; i < rates->count; i++) {
        const struct status_count *at = &rates->counts[(hint + i) % rates->count];
        if (strcmp(at->name, name) == 0)
            return at;
    }
    return NULL;
}

static double per_second(uint64_t now, uint64_t before, double seconds) {
    return now >= before && seconds > 0 ? (double)(now - before) / seconds : -1;
}

static void look_at_systems(struct status_rates *rates, struct slice document, double seconds,
                            bool is_known) {
    struct slice systems = json_member(document, "systems"), system;
    size_t count = 0;
    for (size_t at = 0; json_element(systems, &at, &system);)
        count++;
    struct status_count *counts = memory_array(count + 1, sizeof *counts);
    double *each = memory_array(count + 1, sizeof *each);
    size_t used = 0;
    rates->out = 0;
    for (size_t at = 0; counts && each && used < count && json_element(systems, &at, &system); used++) {
        struct status_count *mine = &counts[used];
        control_words(json_member(system, "name"), mine->name, sizeof mine->name);
        mine->out = out_of(system);
        rates->out += mine->out;
        const struct status_count *before = is_known ? count_of(rates, used, mine->name) : NULL;
        each[used] = before ? per_second(mine->out, before->out, seconds) : -1;
    }
    memory_free(rates->counts);
    memory_free(rates->out_of);
    rates->counts = counts;
    rates->count = counts && each ? count : 0;
    rates->out_of = each;
}

void status_rates_look(struct status_rates *rates, struct slice document, struct mono now) {
    int64_t pid = (int64_t)status_number(document, "pid");
    double seconds = (double)(now.ns - rates->at.ns) / 1e9, cpu = real(document, "cpu_seconds");
    uint64_t received = status_number(document, "messages/received"), out = rates->out;
    bool is_known = rates->at.ns && rates->pid == pid && seconds > 0;
    look_at_systems(rates, document, seconds, is_known);
    rates->in_per_second = is_known ? per_second(received, rates->received, seconds) : -1;
    rates->out_per_second = is_known ? per_second(rates->out, out, seconds) : -1;
    rates->cpu_share = is_known && cpu >= rates->cpu_seconds ? (cpu - rates->cpu_seconds) / seconds : -1;
    rates->received = received;
    rates->cpu_seconds = cpu;
    rates->pid = pid;
    rates->at = now;
}

void status_rates_done(struct status_rates *rates) {
    memory_free(rates->counts);
    memory_free(rates->out_of);
    *rates = (struct status_rates){0};
}

/* -- words -- */

static const char *time_text(double ns, char out[static 32]) {
    if (ns <= 0)
        (void)snprintf(out, 32, "-");
    else if (ns < 1e6)
        (void)snprintf(out, 32, "%.1f ms", ns / 1e6);
    else if (ns < 1e9)
        (void)snprintf(out, 32, "%.0f ms", ns / 1e6);
    else
        (void)snprintf(out, 32, "%.1f s", ns / 1e9);
    return out;
}

static const char *rate_text(double rate, char out[static 32]) {
    if (rate < 0)
        (void)snprintf(out, 32, "-");
    else
        (void)snprintf(out, 32, rate > 0 && rate < 9.95 ? "%.1f" : "%.0f", rate);
    return out;
}

static void add_up(struct buffer *out, uint64_t s) {
    if (s >= 3600)
        buffer_add_format(out, "%lluh%02llum", (unsigned long long)(s / 3600),
                          (unsigned long long)(s / 60 % 60));
    else if (s >= 60)
        buffer_add_format(out, "%llum%02llus", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
    else
        buffer_add_format(out, "%llus", (unsigned long long)s);
}

static void add_ago(struct buffer *out, struct slice time, struct wall now) {
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t seconds;
    int32_t nanos;
    if (!time.size || !timestamp_parse(time, &seconds, &nanos))
        return;
    int64_t passed = now.ns / NS_PER_S - seconds;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (passed >= units[i].seconds) {
            buffer_add_format(out, " %lld %s ago", (long long)(passed / units[i].seconds), units[i].unit);
            return;
        }
    buffer_add_text(out, " just now");
}

/* Not all of them see it so. */
static void add_workers(struct buffer *out, struct slice endpoint) {
    uint64_t workers = status_number(endpoint, "workers"),
             serving = status_number(endpoint, "serving_workers");
    if (serving && serving < workers)
        buffer_add_format(out, ", with %llu of %llu workers", (unsigned long long)(workers - serving),
                          (unsigned long long)workers);
}

void status_note(struct buffer *out, struct slice endpoint, struct wall now) {
    struct slice state = json_member(endpoint, "state"), why = json_member(endpoint, "why"),
                 consent = json_member(endpoint, "consent");
    bool is_up = slice_is(state, "up");
    if (!is_up) {
        add_ago(out, json_member(endpoint, "since"), now);
        if (why.size) {
            buffer_add_text(out, ": ");
            status_words(out, why);
        } else if (slice_is(state, "unreachable")) {
            buffer_add_format(out, ": %llu dials in a row failed",
                              (unsigned long long)status_number(endpoint, "dial_failures"));
        }
        add_workers(out, endpoint);
    }
    if (slice_is(json_member(endpoint, "weight_by_hand"), "true"))
        buffer_add_format(out, "%s weight %llu by hand", is_up ? "" : ",",
                          (unsigned long long)status_number(endpoint, "weight"));
    if (slice_is(consent, "wanted"))
        buffer_add_format(out, "%s has not given its consent yet", is_up ? "" : ",");
}

/* -- the table -- */

struct table {
    struct buffer *out;
    const struct status_rates *rates;
    const struct status_style *style;
    struct wall now;
    int name_width;
    size_t line; /* of the table's, those that are skipped too */
    size_t shown;
    size_t hidden; /* behind the last that had room */
};

/* Colours take no room. */
static void add_cut(struct buffer *out, struct slice line, size_t columns) {
    size_t width = 0;
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] == 0x1b) {
            size_t end = i + slice_find(slice_skip(line, i), 'm');
            buffer_add(out, slice_make(line.data + i, end - i + 1));
            i = end;
        } else if (!columns || width < columns) {
            buffer_add_byte(out, line.data[i]);
            width++;
        }
    }
    buffer_add_byte(out, '\n');
}

static void add_line(struct table *t, struct buffer *line) {
    if (t->line++ < t->style->skip)
        return;
    if (t->style->rows && t->shown >= t->style->rows) {
        t->hidden++;
        return;
    }
    t->shown++;
    add_cut(t->out, buffer_slice(line), t->style->columns);
}

static const char *colour_of(struct slice state) {
    static const char *const red[] = {"down", "offline", "unreachable", "open"};
    static const char *const yellow[] = {"degraded", "draining", "starting"};
    for (size_t i = 0; i < sizeof red / sizeof *red; i++)
        if (slice_is(state, red[i]))
            return "\x1b[31m";
    for (size_t i = 0; i < sizeof yellow / sizeof *yellow; i++)
        if (slice_is(state, yellow[i]))
            return "\x1b[33m";
    return slice_is(state, "up") || slice_is(state, "ready") ? "\x1b[32m" : "";
}

static void add_state(struct table *t, struct buffer *line, struct slice state, int width) {
    const char *colour = t->style->has_colours ? colour_of(state) : "";
    buffer_add_format(line, "%s%-*.*s%s", colour, width, SLICE_ARG(state), *colour ? "\x1b[0m" : "");
}

static size_t write_row(struct table *t, struct buffer *line, struct slice system, size_t index) {
    char p50[32], p99[32], rate[32], endpoints[48];
    uint64_t count = status_number(system, "endpoints"), sessions = status_number(system, "sessions");
    struct slice name = json_member(system, "name"), state = json_member(system, "state");
    bool is_known = t->rates && t->rates->out_of && t->rates->out_of[index] >= 0;
    if (count)
        (void)snprintf(endpoints, sizeof endpoints, "%llu/%llu",
                       (unsigned long long)status_number(system, "endpoints_serving"),
                       (unsigned long long)count);
    else
        (void)snprintf(endpoints, sizeof endpoints, "%llu session%s", (unsigned long long)sessions,
                       sessions == 1 ? "" : "s");
    buffer_add_format(line, "%-*.*s ", t->name_width, SLICE_ARG(slice_head(name, NAME_WIDTH_MAX)));
    add_state(t, line, state, 9);
    size_t before = line->size;
    buffer_add_format(
        line, " %-11s %7llu %10llu %8s %8s %8s", endpoints, (unsigned long long)status_number(system, "held"),
        (unsigned long long)(status_number(system, "in_flight") + status_number(system, "awaiting_reply")),
        rate_text(is_known ? t->rates->out_of[index] : real(system, "out_per_second"), rate),
        time_text(real(system, "p50_ns"), p50), time_text(real(system, "p99_ns"), p99));
    return (size_t)t->name_width + 1 + 9 + line->size - before; /* so wide */
}

/* `b ejected 12 s ago: 5 failures in a row` */
static void add_endpoint_note(struct table *t, struct buffer *line, struct slice endpoint) {
    struct slice state = json_member(endpoint, "state");
    status_words(line, json_member(endpoint, "name"));
    if (!slice_is(state, "up"))
        buffer_add_format(line, " %.*s", SLICE_ARG(state));
    status_note(line, endpoint, t->now);
}

static bool has_note(struct slice endpoint) {
    return !slice_is(json_member(endpoint, "state"), "up") ||
           slice_is(json_member(endpoint, "weight_by_hand"), "true") ||
           slice_is(json_member(endpoint, "consent"), "wanted");
}

/* The first behind the row, each other in a line of its own below it. */
static void add_notes(struct table *t, struct buffer *line, struct slice system, size_t width) {
    struct slice endpoints = json_member(system, "endpoint_list"), endpoint,
                 holding = json_member(system, "holding_since");
    bool is_first = true;
    if (holding.size >= 19 && !slice_is(holding, "null")) {
        buffer_add_format(line, "  holding since %.*sZ", SLICE_ARG(slice_head(slice_skip(holding, 11), 8)));
        is_first = false;
    }
    for (size_t at = 0; json_element(endpoints, &at, &endpoint);) {
        if (!has_note(endpoint))
            continue;
        if (!is_first) {
            add_line(t, line);
            buffer_clear(line);
            buffer_add_format(line, "%*s", (int)width, "");
        }
        buffer_add_text(line, "  ");
        add_endpoint_note(t, line, endpoint);
        is_first = false;
    }
    add_line(t, line);
}

static void write_head(struct table *t, struct slice document) {
    struct slice environment = json_member(document, "environment");
    struct buffer line;
    buffer_init(&line, TABLE_MAX);
    buffer_add_text(&line, "intertie ");
    status_words(&line, json_member(document, "version"));
    buffer_add_text(&line, "  ");
    add_state(t, &line, json_member(document, "state"), 0);
    buffer_add_format(&line, "  pid %llu  up ", (unsigned long long)status_number(document, "pid"));
    add_up(&line, status_number(document, "uptime_seconds"));
    buffer_add_format(&line, "  %llu workers  config ",
                      (unsigned long long)status_number(document, "workers"));
    status_words(&line, json_member(document, "config"));
    if (environment.size) {
        buffer_add_text(&line, " (");
        status_words(&line, environment);
        buffer_add_text(&line, ")");
    }
    add_cut(t->out, buffer_slice(&line), t->style->columns);
    buffer_clear(&line);
    if (t->rates) {
        char in[32], out[32];
        buffer_add_format(&line, "in %s/s  out %s/s  cpu ", rate_text(t->rates->in_per_second, in),
                          rate_text(t->rates->out_per_second, out));
        if (t->rates->cpu_share < 0)
            buffer_add_text(&line, "-");
        else
            buffer_add_format(&line, "%.0f%%", t->rates->cpu_share * 100);
        buffer_add_format(&line, "  connections %llu  held %llu  in flight %llu",
                          (unsigned long long)status_number(document, "connections"),
                          (unsigned long long)status_number(document, "messages/held"),
                          (unsigned long long)status_number(document, "messages/in_flight"));
        add_cut(t->out, buffer_slice(&line), t->style->columns);
        buffer_add_byte(t->out, '\n');
    }
    buffer_done(&line);
}

static int name_width(struct slice systems) {
    struct slice system;
    size_t width = NAME_MIN;
    for (size_t at = 0; json_element(systems, &at, &system);) {
        size_t size = json_member(system, "name").size;
        width = size > width ? size : width;
    }
    return (int)(width > NAME_WIDTH_MAX ? NAME_WIDTH_MAX : width) + 1;
}

size_t status_write(struct buffer *out, struct slice document, const struct status_rates *rates,
                    struct wall now, const struct status_style *style) {
    struct slice systems = json_member(document, "systems"), system;
    struct table t = {
        .out = out, .rates = rates, .style = style, .now = now, .name_width = name_width(systems)};
    struct buffer line;
    write_head(&t, document);
    buffer_init(&line, TABLE_MAX);
    buffer_add_format(&line, "%-*s %-9s %-11s %7s %10s %8s %8s %8s", t.name_width, "SYSTEM", "STATE",
                      "ENDPOINTS", "HELD", "IN FLIGHT", "OUT/s", "p50", "p99");
    add_cut(out, buffer_slice(&line), style->columns);
    size_t index = 0;
    for (size_t at = 0; json_element(systems, &at, &system); index++) {
        buffer_clear(&line);
        size_t width = write_row(&t, &line, system, index);
        add_notes(&t, &line, system, width);
    }
    buffer_clear(&line);
    buffer_add_format(&line, "and %zu more lines", t.hidden);
    if (t.hidden)
        add_cut(out, buffer_slice(&line), style->columns);
    buffer_done(&line);
    return t.line;
}

/* -- the command -- */

static int status_once(const struct cli_options *options) {
    struct http_reply reply;
    struct fault fault = {0};
    int code = CLI_DONE;
    int status = control_try(options, "GET", "/api/v1/status", slice_make("", 0), &reply, &fault);
    if (status == STATUS_BAD_CONFIG) {
        code = cli_fail(options, CLI_USAGE, "usage", "%s", fault.text);
    } else if (status != STATUS_OK) {
        code = cli_fail(options, CLI_NO_ROUTER, "not-running", "not running (%s)", fault.text);
    } else if (reply.code != 200) {
        code = control_refused(options, &reply);
    } else {
        struct slice body = buffer_slice(&reply.body);
        struct buffer table;
        const struct status_style plain = {0};
        if (options->json) {
            cli_print(body);
            if (body.data[body.size - 1] != '\n')
                printf("\n");
        } else {
            buffer_init(&table, TABLE_MAX);
            status_write(&table, body, NULL, platform_now().wall, &plain);
            cli_print(buffer_slice(&table));
            buffer_done(&table);
        }
        code = slice_is(json_member(body, "state"), "ready") ? CLI_DONE : CLI_FAILED;
    }
    http_reply_done(&reply);
    return code;
}

int cmd_status(const struct cli_command *command, const struct cli_options *options) {
    (void)command;
    for (uint64_t i = 1;; i++) {
        int code = status_once(options);
        if (!options->watch || (options->count && i >= options->count))
            return code;
        if (!options->json)
            printf("\n");
        if (fflush(stdout) != 0)
            return CLI_FAILED;
        control_rest(NS_PER_S);
    }
}
