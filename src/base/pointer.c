/* JSON pointers. */
#include "base/pointer.h"

#include "base/text.h"

bool pointer_is_valid(struct slice pointer) {
    if (pointer.size && pointer.data[0] != '/')
        return false;
    for (size_t i = 0; i < pointer.size; i++) {
        bool ends = i + 1 == pointer.size;
        if (pointer.data[i] == '~' && (ends || (pointer.data[i + 1] != '0' && pointer.data[i + 1] != '1')))
            return false;
    }
    return true;
}

bool pointer_next(struct slice *pointer, struct slice *ret_token) {
    if (pointer->size == 0)
        return false;
    struct slice rest = slice_skip(*pointer, 1);
    *ret_token = slice_head(rest, slice_find(rest, '/'));
    *pointer = slice_skip(rest, ret_token->size);
    return true;
}

struct slice pointer_token(struct slice token, uint8_t room[static POINTER_TOKEN_MAX]) {
    size_t size = 0;
    if (slice_find(token, '~') == token.size)
        return token;
    for (size_t i = 0; i < token.size; i++) {
        bool escapes = token.data[i] == '~' && i + 1 < token.size &&
                       (token.data[i + 1] == '0' || token.data[i + 1] == '1');
        if (size == POINTER_TOKEN_MAX)
            return slice_make(NULL, 0);
        room[size++] = escapes ? (token.data[++i] == '1' ? '/' : '~') : token.data[i];
    }
    return slice_make(room, size);
}

bool pointer_names(struct slice token, const struct json_item *name) {
    uint8_t room[POINTER_TOKEN_MAX];
    struct slice means = pointer_token(token, room);
    return means.data && json_item_is(name, means);
}

bool pointer_is_index(struct slice token, uint64_t index) {
    uint64_t wanted;
    return text_to_u64(token, &wanted) && wanted == index && (token.size == 1 || token.data[0] != '0');
}

/* What stands under `token` in the object or array `outer`. */
static bool descend(const struct json_item *outer, struct slice token, struct json_item *ret) {
    struct json json;
    struct json_item name, value;
    json_init(&json, outer->raw, JSON_DEPTH_LIMIT);
    json_next(&json, &name);
    if (outer->type == JSON_OBJECT) {
        while (json_next(&json, &name) == JSON_NAME) {
            bool wanted = pointer_names(token, &name);
            if (json_skip(&json, &value) == JSON_ERROR)
                return false;
            if (wanted) {
                *ret = value;
                return true;
            }
        }
        return false;
    }
    for (uint64_t i = 0; outer->type == JSON_ARRAY; i++) {
        enum json_type type = json_skip(&json, &value);
        if (type == JSON_ARRAY_END || type == JSON_ERROR)
            return false;
        if (pointer_is_index(token, i)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

bool pointer_find(struct slice text, struct slice pointer, struct json_item *ret) {
    struct json json;
    struct json_item item;
    struct slice token;
    json_init(&json, text, JSON_DEPTH_LIMIT);
    if (json_skip(&json, &item) == JSON_ERROR)
        return false;
    while (pointer_next(&pointer, &token))
        if (!descend(&item, token, &item))
            return false;
    *ret = item;
    return true;
}
