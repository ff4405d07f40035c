/* Variables in texts. */
#include "testing/expand.h"

struct piece {
    struct slice plain; /* before the variable */
    struct slice name;  /* of it; without `has_name` a text to stand there */
    bool has_name;
};

/* The next piece; false at the end. `rest` moves behind it. A `${` that isn't closed is plain text here: expand_check()
 * has refused it. */
static bool next(struct slice *rest, struct piece *ret) {
    *ret = (struct piece){.plain = *rest};
    for (size_t i = 0; i + 1 < rest->size; i++) {
        if (rest->data[i] != '$' || rest->data[i + 1] != '{')
            continue;
        if (i > 0 && rest->data[i - 1] == '$') { /* $${ */
            ret->plain = slice_head(*rest, i - 1);
            ret->name = slice_make("${", 2);
            *rest = slice_skip(*rest, i + 2);
            return true;
        }
        struct slice inside = slice_skip(*rest, i + 2);
        size_t end = slice_find(inside, '}');
        if (end == inside.size)
            break;
        ret->plain = slice_head(*rest, i);
        ret->name = slice_head(inside, end);
        ret->has_name = true;
        *rest = slice_skip(inside, end + 1);
        return true;
    }
    *rest = slice_skip(*rest, rest->size);
    return ret->plain.size > 0;
}

enum status expand_check(struct slice text, struct fault *fault) {
    for (size_t i = 0; i + 1 < text.size; i++) {
        if (text.data[i] != '$' || text.data[i + 1] != '{' || (i > 0 && text.data[i - 1] == '$'))
            continue;
        struct slice inside = slice_skip(text, i + 2);
        size_t end = slice_find(inside, '}');
        if (end == inside.size)
            return fault_set(fault, STATUS_BAD_CONFIG, 0, "`${` without its `}`; a plain one is written `$${`");
        if (end == 0 || end > EXPAND_NAME_MAX)
            return fault_set(fault, STATUS_BAD_CONFIG, 0, "`${}` wants a name of at most %d bytes", EXPAND_NAME_MAX);
        i += end + 2;
    }
    return STATUS_OK;
}

void expand_names(struct slice text, void (*name)(void *context, struct slice name), void *context) {
    struct piece piece;
    while (next(&text, &piece))
        if (piece.has_name)
            name(context, piece.name);
}

bool expand_needed(struct slice text) {
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '$' && text.data[i + 1] == '{')
            return true;
    return false;
}

static enum status get(const struct variables *variables, struct slice name, struct json_node *ret, struct fault *fault) {
    if (variables && variables->get(variables->context, name, ret))
        return STATUS_OK;
    return fault_set(fault, STATUS_NOT_FOUND, 0, "no value for `${%.*s}`", SLICE_ARG(name));
}

static struct slice words(const struct json_node *value) {
    if (value->type == JSON_TRUE)
        return SLICE_OF("true");
    if (value->type == JSON_FALSE)
        return SLICE_OF("false");
    return value->type == JSON_NULL ? SLICE_OF("null") : value->text;
}

enum status expand_text(struct slice text, const struct variables *variables, struct buffer *out, struct fault *fault) {
    struct piece piece;
    while (next(&text, &piece)) {
        struct json_node value;
        buffer_add(out, piece.plain);
        if (!piece.has_name) {
            buffer_add(out, piece.name);
            continue;
        }
        enum status status = get(variables, piece.name, &value, fault);
        if (status != STATUS_OK)
            return status;
        buffer_add(out, words(&value));
    }
    return out->status == STATUS_OK ? STATUS_OK : fault_set(fault, out->status, 0, "too large with its variables filled in");
}

enum status expand_value(struct slice text, const struct variables *variables, struct buffer *room, struct json_node *ret,
                         struct fault *fault) {
    struct slice rest = text;
    struct piece piece;
    if (next(&rest, &piece) && piece.has_name && piece.plain.size == 0 && rest.size == 0)
        return get(variables, piece.name, ret, fault);
    *ret = (struct json_node){.type = JSON_STRING, .text = text, .end = 1, .parent = JSON_TREE_NONE};
    if (!expand_needed(text))
        return STATUS_OK;
    /* The bytes must not move while earlier values point into them: the caller's room is fixed, or filled once. */
    size_t start = room->size;
    enum status status = expand_text(text, variables, room, fault);
    if (status == STATUS_OK)
        ret->text = slice_skip(buffer_slice(room), start);
    return status;
}
