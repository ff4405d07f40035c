/* A config_source of files that are texts. */
#include "source.h"

#include <stdio.h>
#include <stdlib.h>

static enum status read_text(void *context, struct slice path, struct buffer *out, bool *ret_open, struct fault *fault) {
    const struct text_source *source = context;
    for (const struct text_file *file = source->files; file && file->path; file++)
        if (slice_is(path, file->path)) {
            buffer_add(out, slice_from(file->text));
            *ret_open = file->open;
            return out->status;
        }
    return fault_set(fault, STATUS_IO_ERROR, 2, "No such file or directory");
}

static bool variable(void *context, struct slice name, struct slice *ret_value) {
    const struct text_source *source = context;
    for (const char *const *at = source->variables; at && at[0]; at += 2)
        if (slice_is(name, at[0])) {
            *ret_value = slice_from(at[1]);
            return true;
        }
    return false;
}

static enum status glob_text(void *context, struct slice pattern, struct buffer *out, struct fault *fault) {
    const struct text_source *source = context;
    size_t star = slice_find(pattern, '*');
    (void)fault;
    for (const struct text_file *file = source->files; file && file->path; file++) {
        struct slice path = slice_from(file->path), tail = slice_skip(pattern, star + 1);
        bool found = star == pattern.size ? slice_equal(path, pattern)
                                          : slice_starts(path, slice_head(pattern, star)) && path.size >= pattern.size - 1 &&
                                                slice_equal(slice_skip(path, path.size - tail.size), tail);
        if (found) {
            buffer_add(out, path);
            buffer_add_byte(out, 0);
        }
    }
    return out->status;
}

const struct config_source *text_source_init(struct text_source *source, const struct text_file *files, const char *const *variables) {
    *source = (struct text_source){files, variables, {source, read_text, variable, glob_text}};
    return &source->source;
}

bool project_read(const char *path, struct buffer *out) {
    char full[1024];
    const char *root = getenv("INTERTIE_SOURCE");
    snprintf(full, sizeof full, "%s/%s", root ? root : ".", path);
    FILE *file = fopen(full, "re");
    if (!file)
        return false;
    char chunk[4096];
    size_t count;
    while ((count = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_add(out, slice_make(chunk, count));
    fclose(file);
    return out->status == STATUS_OK;
}
