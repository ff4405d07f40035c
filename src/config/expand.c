/* Fills `${}`: `${VAR}`, `${VAR:-default}`, `${file:/path}`, `$$`. After parsing, so nothing needs escaping. */
#include "base/text.h"
#include "config/work.h"

struct filling {
    struct work *work;
    struct node *node;
    const struct trail *trail;
    struct buffer out;
    bool failed;
};

static void refuse(struct filling *filling, struct slice shown, const char *what) {
    work_error(filling->work, filling->node->at, filling->trail, "`%.*s`: %s", SCALAR_SHOWN(shown), what);
    filling->failed = true;
}

static bool is_variable(struct slice name) {
    for (size_t i = 0; i < name.size; i++)
        if (!text_is_alpha(name.data[i]) && name.data[i] != '_' && (i == 0 || !text_is_digit(name.data[i])))
            return false;
    return name.size > 0;
}

static void from_file(struct filling *filling, struct slice path, struct slice shown) {
    const struct config_options *options = filling->work->options;
    struct node *node = filling->node;
    node->secret = true;
    if (path.size == 0 || path.data[0] != '/') {
        refuse(filling, shown, "the path of a file begins with `/`");
        return;
    }
    if (options->no_files || !options->source) {
        node->unknown = true;
        return;
    }
    struct buffer bytes;
    struct fault fault = {0};
    bool open = false;
    buffer_init(&bytes, CONFIG_VALUE_MAX);
    enum status status = options->source->read(options->source->context, path, &bytes, &open, &fault);
    struct slice text = buffer_slice(&bytes);
    if (status != STATUS_OK)
        work_error(filling->work, node->at, filling->trail, "can't read `%.*s`: %s", SCALAR_SHOWN(path), fault.text[0] ? fault.text : status_reason(status));
    else if (!text_is_utf8(text) || (text.size && memchr(text.data, 0, text.size)))
        work_error(filling->work, node->at, filling->trail, "`%.*s` is no UTF-8 text", SCALAR_SHOWN(path));
    filling->failed |= status != STATUS_OK || !text_is_utf8(text);
    if (text.size && text.data[text.size - 1] == '\n')
        text.size--;
    if (text.size && text.data[text.size - 1] == '\r')
        text.size--;
    if (!filling->failed)
        buffer_add(&filling->out, text);
    if (open) {
        char at[TRAIL_MAX];
        config_report_add(filling->work->report, true, false, node->at, trail_text(filling->trail, at), SLICE_OF(""),
                          "others may read `%.*s`; chmod 600 it", SCALAR_SHOWN(path));
    }
    buffer_done(&bytes);
}

static void from_variable(struct filling *filling, struct slice inside, struct slice shown) {
    const struct config_options *options = filling->work->options;
    size_t colon = slice_find(inside, ':');
    struct slice name = slice_head(inside, colon);
    bool has_default = slice_starts(slice_skip(inside, colon), SLICE_OF(":-"));
    struct slice value = slice_skip(inside, colon + 2);
    if (!is_variable(name) || (colon < inside.size && !has_default)) {
        refuse(filling, shown, "write ${VAR}, ${VAR:-default} or ${file:/path}, and `$$` for a dollar");
        return;
    }
    bool is_set = false;
    if (!options->no_files && options->source)
        is_set = options->source->variable(options->source->context, name, &value);
    if (!is_set && !has_default) {
        filling->node->unknown = options->no_files;
        if (!options->no_files)
            refuse(filling, shown, "the variable is not set, and there is no default");
        return;
    }
    if (!text_is_utf8(value))
        refuse(filling, shown, "the variable holds no UTF-8 text");
    else
        buffer_add(&filling->out, value);
}

/* `rest` begins with '$'; returns how much of it is done. */
static size_t dollar(struct filling *filling, struct slice rest) {
    if (rest.size > 1 && rest.data[1] == '$') {
        buffer_add_byte(&filling->out, '$');
        return 2;
    }
    if (rest.size < 2 || rest.data[1] != '{') {
        refuse(filling, rest, "write `$$` for a dollar");
        return rest.size;
    }
    size_t close = slice_find(rest, '}');
    if (close == rest.size) {
        refuse(filling, rest, "the `}` is missing");
        return rest.size;
    }
    struct slice inside = slice_make(rest.data + 2, close - 2);
    struct slice shown = slice_head(rest, close + 1);
    struct slice file = SLICE_OF("file:");
    filling->node->referred = true;
    if (slice_starts(inside, file))
        from_file(filling, slice_skip(inside, file.size), shown);
    else
        from_variable(filling, inside, shown);
    return close + 1;
}

void expand_scalar(struct work *work, struct node *node, const struct trail *trail) {
    if (node->kind != NODE_SCALAR || slice_find(node->text, '$') == node->text.size)
        return;
    struct filling filling = {.work = work, .node = node, .trail = trail};
    struct slice rest = node->text;
    buffer_init(&filling.out, CONFIG_VALUE_MAX);
    while (rest.size && !filling.failed) {
        size_t plain = slice_find(rest, '$');
        buffer_add(&filling.out, slice_head(rest, plain));
        rest = slice_skip(rest, plain);
        if (rest.size)
            rest = slice_skip(rest, dollar(&filling, rest));
    }
    if (!filling.failed && filling.out.status == STATUS_TOO_LARGE)
        work_error(work, node->at, trail, "longer than %u bytes once filled in", CONFIG_VALUE_MAX);
    else if (filling.out.status == STATUS_NO_MEMORY)
        work->report->status = STATUS_NO_MEMORY;
    struct slice text = arena_copy(work->arena, buffer_slice(&filling.out));
    if (!text.data)
        work->report->status = STATUS_NO_MEMORY;
    node->unknown |= filling.failed || !text.data; /* said once: don't judge what it isn't */
    node->text = text.data ? text : SLICE_OF("");
    buffer_done(&filling.out);
}

void expand_all(struct work *work, struct node *node, const struct trail *trail) {
    expand_scalar(work, node, trail);
    for (struct node *child = node->first; child; child = child->next) {
        struct trail here = {trail, child->key};
        expand_all(work, child, node->kind == NODE_MAP ? &here : trail);
    }
}
