/* From files to a checked configuration. Pure: files, variables and globs come through struct config_source, so that
 * tests and simulation need no disk; the real one lives with the command line. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "base/buffer.h"
#include "base/fault.h"
#include "config/config.h"
#include "config/report.h"

/* Names with a maximum, all of them errors with a position when reached. */
#define CONFIG_FILE_MAX (1024u * 1024)        /* bytes of one file */
#define CONFIG_FILES_MAX 256u                 /* the main file and all included ones */
#define CONFIG_INCLUDE_DEPTH_MAX 8u           /* included files that include */
#define CONFIG_ARENA_MAX (64u * 1024 * 1024)  /* everything that one load allocates */
#define CONFIG_VALUE_MAX 65536u               /* bytes of one scalar after expansion */

struct config_source {
    void *context;
    /* Adds the whole file to `out` (its max is CONFIG_FILE_MAX). *ret_open: others than its owner and group may read. */
    enum status (*read)(void *context, struct slice path, struct buffer *out, bool *ret_open, struct fault *fault);
    /* False when unset. The value must live as long as the call of config_load(). */
    bool (*variable)(void *context, struct slice name, struct slice *ret_value);
    /* Adds each path that the pattern matches, with NUL after it; any order, none is fine. */
    enum status (*glob)(void *context, struct slice pattern, struct buffer *out, struct fault *fault);
};

struct config_options {
    const struct config_source *source;
    struct slice environment;       /* empty: the base */
    const struct slice *sets;       /* `a/b/c=VALUE`, laid over last */
    size_t set_count;
    bool strict; /* warnings are errors */
    bool allow_faults; /* routes may make trouble on purpose */
    bool no_files; /* neither includes, files nor variables are looked up; the result is for checking only */
};

/* Loads `path`, lays the environment and the sets over it, checks everything, builds. OK with *ret_config (the caller's,
 * config_free()), else BAD_CONFIG, NO_MEMORY or IO_ERROR with the reasons in `report`, which the caller has inited. */
enum status config_load(const struct config_options *options, struct slice path, struct config **ret_config,
                        struct config_report *report);
/* Checks the base and every environment; `options->environment` must be empty. *ret_config may be NULL; else the base. */
enum status config_validate(const struct config_options *options, struct slice path, struct config **ret_config,
                            struct config_report *report);
/* The merged result as YAML with the origin of each value as a comment, secrets as `***`. */
enum status config_print(const struct config_options *options, struct slice path, struct buffer *out,
                         struct config_report *report);

#endif
