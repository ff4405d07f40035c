/* A config_source of files that are texts, for tests. */
#ifndef TESTS_CONFIG_SOURCE_H
#define TESTS_CONFIG_SOURCE_H

#include "config/load.h"

struct text_file {
    const char *path;
    const char *text;
    bool open; /* others may read it */
};

struct text_source {
    const struct text_file *files; /* ends with path NULL */
    const char *const *variables;  /* NAME, value, ..., NULL */
    struct config_source source;
};

/* Globs know one `*`, in the last part of the path. */
const struct config_source *text_source_init(struct text_source *source, const struct text_file *files, const char *const *variables);

/* A file of the project. */
bool project_read(const char *path, struct buffer *out);

#endif
