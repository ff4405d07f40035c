/* What is wrong with a configuration, all of it: for people with a caret under the place, for programs as JSON. */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#define CONFIG_REPORT_SHOWN 50u      /* text shows so many errors, and the total */
#define CONFIG_REPORT_KEPT 10000u    /* more are counted, not kept */
#define CONFIG_REPORT_ARENA (16u * 1024 * 1024)

/* Lines and columns count from 1; a column is a code point. */
struct config_place {
    uint32_t file; /* index in the report's files */
    uint32_t line; /* 0: the file as a whole */
    uint32_t column;
    uint32_t end_line;
    uint32_t end_column; /* the first column after it */
};

struct config_problem {
    struct config_place place;
    bool is_warning;
    bool is_whole;            /* the message names its place itself: text shows no `path: ` before it */
    uint32_t sequence;
    struct slice path;        /* systems.billing.pool.idle */
    struct slice message;     /* `30` has no unit; write 30s */
    struct slice nearest;     /* the name that was probably meant, or empty */
    struct slice environment; /* empty: the base has it too */
    struct config_problem *next;
};

struct config_file {
    struct slice name;
    struct slice text;
};

struct config_report {
    struct arena arena;
    struct config_file *files;
    size_t file_count;
    size_t file_capacity;
    struct config_problem **problems; /* sorted by config_report_sort() */
    size_t problem_count;
    size_t problem_capacity;
    size_t error_count;
    size_t warning_count;
    size_t errors_met; /* repeated ones too, which are kept once */
    struct slice environment; /* stamped on what is added */
    bool strict;
    enum status status; /* OK; NO_MEMORY when something could not be kept */
};

void config_report_init(struct config_report *report);
void config_report_done(struct config_report *report);
/* Keeps a copy of both; returns the file's index, UINT32_MAX when memory is out. */
uint32_t config_report_file(struct config_report *report, struct slice name, struct slice text);

/* `path` and the message are copied. The same message at the same place is kept once, over all environments. */
void config_report_add(struct config_report *report, bool is_warning, bool is_whole, struct config_place place,
                       struct slice path, struct slice nearest, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
/* By file, line, column, then as found. The functions below sort first. */
void config_report_sort(struct config_report *report);

/* `FILE:LINE:COLUMN: error: ...` with the line and a caret under it, warnings among them; after the errors the line
 * `4 errors: FILE would not start.` (nothing when there are no errors). */
void config_report_text(struct config_report *report, struct buffer *out);
/* {"errors":[{"file","line","column","path","message","nearest"}],"warnings":[...]}, all of them. */
void config_report_json(struct config_report *report, struct buffer *out);

#endif
