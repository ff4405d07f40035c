/* JSON texts with one thing changed: everything else stays byte for byte as it stood. */
#ifndef MIDDLEWARE_EDIT_H
#define MIDDLEWARE_EDIT_H

#include "base/buffer.h"
#include "base/pointer.h"

#define EDIT_DEPTH_MAX 32 /* tokens of a pointer */

enum edit_result {
    EDIT_DONE,
    EDIT_ABSENT, /* nothing stands there: there is nothing to do */
    EDIT_NO_PLACE, /* on the way there stands a value that holds no others, or an array without that index */
    EDIT_TWICE, /* a member on the way stands there twice: receivers would not agree on which one counts */
    EDIT_NO_JSON,
    EDIT_NO_ROOM, /* `out` says why */
};

/* Each appends the whole new text to `out`, which must not be where `text` stands; only when it is EDIT_DONE.
 * `value` is JSON. Objects that are missing on the way are made; in an array the index of the end, or `-`, appends. An
 * empty pointer replaces everything. */
enum edit_result edit_set(struct slice text, struct slice pointer, struct slice value, struct buffer *out);
enum edit_result edit_remove(struct slice text, struct slice pointer, struct buffer *out);

#endif
