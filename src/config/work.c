/* What the steps of one load share: how they complain, what they know. */
#include "config/work.h"

#include <stdarg.h>
#include <stdio.h>

static size_t trail_add(const struct trail *trail, char *out, size_t max) {
    if (!trail || !trail->key.data)
        return 0;
    size_t used = trail_add(trail->up, out, max);
    if (used && used < max)
        out[used++] = '.';
    for (size_t i = 0; i < trail->key.size && used < max; i++)
        out[used++] = (char)trail->key.data[i];
    return used;
}

struct slice trail_text(const struct trail *trail, char out[static TRAIL_MAX]) {
    return slice_make(out, trail_add(trail, out, TRAIL_MAX));
}

void work_error(struct work *work, struct config_place at, const struct trail *trail, const char *format, ...) {
    char path[TRAIL_MAX];
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    config_report_add(work->report, false, false, at, trail_text(trail, path), SLICE_OF(""), "%s", text);
}

void work_why(struct work *work, struct config_place at, const struct trail *trail, const struct scalar_why *why) {
    char path[TRAIL_MAX];
    config_report_add(work->report, false, false, at, trail_text(trail, path), why->nearest, "%s", why->text);
}

void work_say(struct work *work, bool is_warning, struct config_place at, const char *path, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    config_report_add(work->report, is_warning, false, at, slice_from(path), SLICE_OF(""), "%s", text);
}

bool work_attribute(const struct work *work, struct slice name, enum attribute_type *ret_type, enum attribute *ret_known) {
    enum attribute known = attribute_find(name);
    if (known != ATTRIBUTE_OTHER) {
        *ret_type = attribute_row(known)->type;
        *ret_known = known;
        return true;
    }
    for (size_t i = 0; i < work->declared.count; i++)
        if (slice_equal(work->declared.rows[i].name, name)) {
            *ret_type = work->declared.rows[i].type;
            *ret_known = ATTRIBUTE_OTHER;
            return true;
        }
    return false;
}
