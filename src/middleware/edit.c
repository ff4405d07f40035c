/* Changes in JSON texts, by where they stand. */
#include "middleware/edit.h"

#include "base/json_write.h"

/* Where a pointer leads, as far as it does. */
struct way {
    struct slice rest; /* of the pointer: tokens that nothing stands for; empty: found */
    enum json_type type; /* of the last value on the way */
    size_t at, end; /* its bytes */
    size_t count; /* what it holds */
    /* where it is found, in what holds it */
    size_t name_at; /* of a member, its name; else `at` */
    size_t before; /* where the one before it ends; 0: it is the first */
    size_t after; /* where the next begins; 0: it is the last */
    bool is_root;
};

/* One level down. EDIT_ABSENT: nothing is there; `way` then stays, with what is counted. */
static enum edit_result step(struct slice text, struct slice token, struct way *way) {
    struct json json;
    struct json_item name, item;
    struct way found = {.rest = way->rest};
    bool is_object = way->type == JSON_OBJECT, met = false;
    size_t before = 0;
    json_init(&json, slice_make(text.data + way->at, way->end - way->at), JSON_DEPTH_LIMIT);
    json_next(&json, &item);
    for (way->count = 0;; way->count++) {
        if (is_object && json_next(&json, &name) != JSON_NAME)
            break;
        enum json_type type = json_skip(&json, &item);
        if (type == JSON_ERROR)
            return EDIT_NO_JSON;
        if (type == JSON_ARRAY_END)
            break;
        size_t first = way->at + (is_object ? name.at : item.at);
        if (met && found.after == 0)
            found.after = first;
        if (is_object ? pointer_names(token, &name) : pointer_is_index(token, way->count)) {
            if (met)
                return EDIT_TWICE;
            met = true;
            found.type = item.type;
            found.at = way->at + item.at;
            found.end = way->at + json_offset(&json);
            found.name_at = first;
            found.before = before;
        }
        before = way->at + json_offset(&json);
    }
    if (!met)
        return EDIT_ABSENT;
    *way = found;
    return EDIT_DONE;
}

static enum edit_result walk(struct slice text, struct slice pointer, struct way *way) {
    struct json json;
    struct json_item item;
    struct slice token;
    unsigned depth = 0;
    json_init(&json, text, JSON_DEPTH_LIMIT);
    if (json_skip(&json, &item) == JSON_ERROR)
        return EDIT_NO_JSON;
    *way = (struct way){
        .rest = pointer, .type = item.type, .at = item.at, .end = json_offset(&json), .is_root = true};
    if (json_next(&json, &item) != JSON_END)
        return EDIT_NO_JSON;
    while (way->rest.size) {
        struct slice rest = way->rest;
        pointer_next(&rest, &token);
        if ((way->type != JSON_OBJECT && way->type != JSON_ARRAY) || depth++ == EDIT_DEPTH_MAX)
            return EDIT_NO_PLACE;
        enum edit_result result = step(text, token, way);
        if (result != EDIT_DONE)
            return result;
        way->rest = rest;
    }
    return EDIT_DONE;
}

static void add_name(struct buffer *out, struct slice token) {
    uint8_t room[POINTER_TOKEN_MAX];
    struct slice name = pointer_token(token, room);
    buffer_add_byte(out, '"');
    json_escape(out, name);
    buffer_add_text(out, "\":");
}

/* The value inside the objects that are missing around it. */
static void add_nested(struct buffer *out, struct slice rest, struct slice value) {
    struct slice token;
    size_t depth = 0;
    while (pointer_next(&rest, &token)) {
        buffer_add_byte(out, '{');
        add_name(out, token);
        depth++;
    }
    buffer_add(out, value);
    while (depth--)
        buffer_add_byte(out, '}');
}

static bool fits(struct slice rest) {
    uint8_t room[POINTER_TOKEN_MAX];
    struct slice token;
    unsigned depth = 0;
    while (pointer_next(&rest, &token))
        if (!pointer_token(token, room).data || depth++ == EDIT_DEPTH_MAX)
            return false;
    return true;
}

static enum edit_result append(struct slice text, const struct way *way, struct slice value,
                               struct buffer *out) {
    struct slice rest = way->rest, token;
    pointer_next(&rest, &token);
    bool is_object = way->type == JSON_OBJECT;
    if (!is_object && !slice_is(token, "-") && !pointer_is_index(token, way->count))
        return EDIT_NO_PLACE;
    buffer_add(out, slice_head(text, way->end - 1));
    if (way->count)
        buffer_add_byte(out, ',');
    if (is_object)
        add_name(out, token);
    add_nested(out, rest, value);
    buffer_add(out, slice_skip(text, way->end - 1));
    return out->status == STATUS_OK ? EDIT_DONE : EDIT_NO_ROOM;
}

enum edit_result edit_set(struct slice text, struct slice pointer, struct slice value, struct buffer *out) {
    struct way way;
    if (!fits(pointer))
        return EDIT_NO_PLACE;
    enum edit_result result = walk(text, pointer, &way);
    if (result == EDIT_ABSENT)
        return append(text, &way, value, out);
    if (result != EDIT_DONE)
        return result;
    buffer_add(out, slice_head(text, way.at));
    buffer_add(out, value);
    buffer_add(out, slice_skip(text, way.end));
    return out->status == STATUS_OK ? EDIT_DONE : EDIT_NO_ROOM;
}

enum edit_result edit_remove(struct slice text, struct slice pointer, struct buffer *out) {
    struct way way;
    enum edit_result result = walk(text, pointer, &way);
    if (result == EDIT_NO_PLACE)
        return EDIT_ABSENT; /* nor is it there */
    if (result != EDIT_DONE)
        return result;
    if (way.is_root)
        return EDIT_NO_PLACE;
    size_t from = way.after || !way.before
                      ? way.name_at
                      : way.before; /* with one comma, the one behind or the one before */
    buffer_add(out, slice_head(text, from));
    buffer_add(out, slice_skip(text, way.after ? way.after : way.end));
    return out->status == STATUS_OK ? EDIT_DONE : EDIT_NO_ROOM;
}
