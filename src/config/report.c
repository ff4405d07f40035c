/* Keeps problems, sorts them, shows them. */
#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/memory.h"
#include "base/text.h"

#define LINE_SHOWN_MAX 200u /* bytes of a source line in the text form */

void config_report_init(struct config_report *report) {
    *report = (struct config_report){.status = STATUS_OK};
    arena_init(&report->arena, CONFIG_REPORT_ARENA);
}

void config_report_done(struct config_report *report) {
    memory_free(report->files);
    memory_free(report->problems);
    arena_done(&report->arena);
    *report = (struct config_report){.status = STATUS_OK};
}

/* Makes room for one more; false when memory is out. */
static bool grow(void **array, size_t *capacity, size_t count, size_t size) {
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *bigger = memory_resize(*array, wanted * size);
    if (!bigger)
        return false;
    *array = bigger;
    *capacity = wanted;
    return true;
}

uint32_t config_report_file(struct config_report *report, struct slice name, struct slice text) {
    void *array = report->files;
    struct config_file file = {arena_copy(&report->arena, name), arena_copy(&report->arena, text)};
    if (!file.name.data || !file.text.data || !grow(&array, &report->file_capacity, report->file_count, sizeof file)) {
        report->status = STATUS_NO_MEMORY;
        return UINT32_MAX;
    }
    report->files = array;
    report->files[report->file_count] = file;
    return (uint32_t)report->file_count++;
}

static bool is_known(const struct config_report *report, const struct config_problem *problem) {
    for (size_t i = 0; i < report->problem_count; i++) {
        const struct config_problem *other = report->problems[i];
        if (other->place.file == problem->place.file && other->place.line == problem->place.line &&
            other->place.column == problem->place.column && slice_equal(other->path, problem->path) &&
            slice_equal(other->message, problem->message))
            return true;
    }
    return false;
}

void config_report_add(struct config_report *report, bool is_warning, bool is_whole, struct config_place place,
                       struct slice path, struct slice nearest, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t length = size < 0 ? 0 : (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    struct config_problem candidate = {.place = place, .is_warning = is_warning && !report->strict, .is_whole = is_whole,
                                       .path = path, .message = slice_make(text, length)};
    size_t kept = report->problem_count;
    report->errors_met += !candidate.is_warning;
    if (kept < CONFIG_REPORT_KEPT && is_known(report, &candidate))
        return;
    if (candidate.is_warning)
        report->warning_count++;
    else
        report->error_count++;
    if (kept >= CONFIG_REPORT_KEPT)
        return;
    void *array = report->problems;
    struct config_problem *problem = arena_new(&report->arena, sizeof *problem);
    if (!problem || !grow(&array, &report->problem_capacity, kept, sizeof *report->problems)) {
        report->status = STATUS_NO_MEMORY;
        return;
    }
    report->problems = array;
    *problem = candidate;
    problem->sequence = (uint32_t)kept;
    problem->path = arena_copy(&report->arena, path);
    problem->message = arena_copy(&report->arena, candidate.message);
    problem->nearest = arena_copy(&report->arena, nearest);
    problem->environment = arena_copy(&report->arena, report->environment);
    if (!problem->path.data || !problem->message.data || !problem->nearest.data || !problem->environment.data) {
        report->status = STATUS_NO_MEMORY;
        return;
    }
    report->problems[report->problem_count++] = problem;
}

static int compare_u32(uint32_t a, uint32_t b) {
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right) {
    const struct config_problem *a = *(struct config_problem *const *)left;
    const struct config_problem *b = *(struct config_problem *const *)right;
    int order = compare_u32(a->place.file, b->place.file);
    if (!order)
        order = compare_u32(a->place.line, b->place.line);
    if (!order)
        order = compare_u32(a->place.column, b->place.column);
    return order ? order : compare_u32(a->sequence, b->sequence);
}

void config_report_sort(struct config_report *report) {
    if (report->problem_count > 1)
        qsort(report->problems, report->problem_count, sizeof *report->problems, compare);
}

/* -- text -- */

static struct slice line_of(struct slice text, uint32_t line) {
    for (; line > 1 && text.size; line--)
        text = slice_skip(text, slice_find(text, '\n') + 1);
    struct slice found = slice_head(text, slice_find(text, '\n'));
    if (found.size && found.data[found.size - 1] == '\r')
        found.size--;
    return found;
}

/* The line of the place, and carets under it: to its end, or to the line's. */
static void add_caret(const struct config_report *report, const struct config_place *place, struct buffer *out) {
    struct slice line = line_of(report->files[place->file].text, place->line);
    if (line.size == 0 || line.size > LINE_SHOWN_MAX)
        return;
    buffer_add_format(out, "%5u | ", place->line);
    for (size_t i = 0; i < line.size; i++) /* control bytes stay out of terminals; a tab is one column here */
        buffer_add_byte(out, line.data[i] < 0x20 || line.data[i] == 0x7f ? ' ' : line.data[i]);
    buffer_add_text(out, "\n      | ");
    uint32_t column = 1;
    uint32_t end = place->end_line > place->line ? UINT32_MAX : place->end_column;
    for (size_t i = 0; i < line.size; i++) {
        if ((line.data[i] & 0xc0) == 0x80)
            continue;
        if (column < place->column)
            buffer_add_byte(out, ' ');
        else if (column < end)
            buffer_add_byte(out, '^');
        column++;
    }
    if (end <= place->column || place->column >= column) {
        for (; column < place->column; column++)
            buffer_add_byte(out, ' ');
        buffer_add_byte(out, '^');
    }
    buffer_add_byte(out, '\n');
}

static void add_clean(struct buffer *out, struct slice text) {
    for (size_t i = 0; i < text.size; i++)
        buffer_add_byte(out, text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
}

static void add_problem(const struct config_report *report, const struct config_problem *problem, struct buffer *out) {
    const struct config_place *place = &problem->place;
    bool has_file = place->file < report->file_count;
    if (has_file) {
        add_clean(out, report->files[place->file].name);
        if (place->line)
            buffer_add_format(out, ":%u:%u", place->line, place->column);
        buffer_add_text(out, ": ");
    }
    buffer_add_text(out, problem->is_warning ? "warning: " : "error: ");
    if (!problem->is_whole && problem->path.size) {
        add_clean(out, problem->path);
        buffer_add_text(out, ": ");
    }
    add_clean(out, problem->message);
    if (problem->environment.size)
        buffer_add_format(out, " (in environment `%.*s`)", SLICE_ARG(problem->environment));
    buffer_add_byte(out, '\n');
    if (has_file && place->line)
        add_caret(report, place, out);
}

void config_report_text(struct config_report *report, struct buffer *out) {
    config_report_sort(report);
    size_t shown = 0;
    for (size_t i = 0; i < report->problem_count && shown < CONFIG_REPORT_SHOWN; i++) {
        if (report->problems[i]->is_warning && report->error_count > CONFIG_REPORT_SHOWN)
            continue; /* errors first when not everything fits */
        add_problem(report, report->problems[i], out);
        shown++;
    }
    size_t total = report->error_count;
    if (total > shown)
        buffer_add_format(out, "... and %zu more errors\n", total - shown);
    if (total)
        buffer_add_format(out, "%zu error%s: %.*s would not start.\n", total, total == 1 ? "" : "s",
                          report->file_count ? (int)report->files[0].name.size : 0,
                          report->file_count ? (const char *)report->files[0].name.data : "");
}

/* -- JSON -- */

static void write_problems(const struct config_report *report, bool warnings, struct json_write *write) {
    json_write_array(write);
    for (size_t i = 0; i < report->problem_count; i++) {
        const struct config_problem *problem = report->problems[i];
        if (problem->is_warning != warnings)
            continue;
        json_write_object(write);
        bool has_file = problem->place.file < report->file_count;
        json_write_member(write, "file", has_file ? report->files[problem->place.file].name : SLICE_OF(""));
        json_write_member_u64(write, "line", problem->place.line);
        json_write_member_u64(write, "column", problem->place.column);
        json_write_member(write, "path", problem->path);
        json_write_member(write, "message", problem->message);
        json_write_name(write, SLICE_OF("nearest"));
        if (problem->nearest.size)
            json_write_string(write, problem->nearest);
        else
            json_write_null(write);
        if (problem->environment.size)
            json_write_member(write, "environment", problem->environment);
        json_write_object_end(write);
    }
    json_write_array_end(write);
}

void config_report_json(struct config_report *report, struct buffer *out) {
    config_report_sort(report);
    struct json_write write;
    json_write_init(&write, out);
    json_write_object(&write);
    json_write_name(&write, SLICE_OF("errors"));
    write_problems(report, false, &write);
    json_write_name(&write, SLICE_OF("warnings"));
    write_problems(report, true, &write);
    json_write_object_end(&write);
}
