/* The merged tree as YAML, one value a line, so that it can be read and compared. */
#include "base/text.h"
#include "config/work.h"

static void indent(struct buffer *out, unsigned depth) {
    for (unsigned i = 0; i < depth; i++)
        buffer_add_text(out, "  ");
}

/* Whether the text may stand bare: then our reader and others' read the same. */
static bool is_plain(struct slice text) {
    if (text.size == 0 || text.data[0] == ' ' || text.data[text.size - 1] == ' ' || node_text_is_null(text, false))
        return false;
    if (strchr("!&*-?|>@`\"'%#{}[],:", text.data[0]))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool risky = c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '\'' || c == '{' || c == '}' || c == '[' || c == ']' || c == ',';
        if (risky || (c == ':' && (i + 1 == text.size || text.data[i + 1] == ' ')) || (c == '#' && text.data[i - 1] == ' '))
            return false;
    }
    return true;
}

static void add_text(struct buffer *out, struct slice text) {
    static const char digits[] = "0123456789abcdef";
    if (is_plain(text)) {
        buffer_add(out, text);
        return;
    }
    buffer_add_byte(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\') {
            buffer_add_byte(out, '\\');
            buffer_add_byte(out, c);
        } else if (c == '\n') {
            buffer_add_text(out, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            buffer_add_text(out, "\\x");
            buffer_add_byte(out, (uint8_t)digits[c >> 4]);
            buffer_add_byte(out, (uint8_t)digits[c & 15]);
        } else {
            buffer_add_byte(out, c);
        }
    }
    buffer_add_byte(out, '"');
}

static void add_value(struct buffer *out, const struct node *node, bool is_secret) {
    if (is_secret || node->secret)
        buffer_add_text(out, "\"***\"");
    else if (node->kind == NODE_NULL)
        buffer_add_text(out, "null");
    else
        add_text(out, node->unknown ? node->written : node->text);
}

static void add_origin(const struct work *work, struct buffer *out, const struct node *node) {
    const struct config_report *report = work->report;
    buffer_add_text(out, "  # ");
    if (node->at.file < report->file_count)
        buffer_add(out, report->files[node->at.file].name);
    if (node->at.line)
        buffer_add_format(out, ":%u", node->at.line);
    if (node->origin.size) {
        buffer_add_text(out, " ");
        buffer_add(out, node->origin);
    }
}

static void end_line(const struct work *work, bool with_origins, struct buffer *out, const struct node *node) {
    if (with_origins)
        add_origin(work, out, node);
    buffer_add_byte(out, '\n');
}

static bool is_flat(const struct node *list) {
    for (const struct node *item = list->first; item; item = item->next)
        if (item->kind == NODE_MAP || item->kind == NODE_LIST)
            return false;
    return true;
}

static void add_node(const struct work *work, const struct schema *schema, bool with_origins, struct buffer *out, const struct node *node, unsigned depth);
static void add_keyed(const struct work *work, const struct schema *schema, bool with_origins, struct buffer *out, const struct node *node, unsigned depth);

static void add_list(const struct work *work, bool with_origins, bool is_secret, struct buffer *out, const struct node *list) {
    buffer_add_text(out, " [");
    for (const struct node *item = list->first; item; item = item->next) {
        if (item->kind == NODE_MAP || item->kind == NODE_LIST)
            buffer_add_text(out, "...");
        else
            add_value(out, item, is_secret);
        if (item->next)
            buffer_add_text(out, ", ");
    }
    buffer_add_text(out, "]");
    end_line(work, with_origins, out, list);
}

/* Stages: a line each, or more, behind a dash. */
static void add_chain(const struct work *work, bool with_origins, struct buffer *out, const struct node *list, unsigned depth) {
    buffer_add_byte(out, '\n');
    for (const struct node *item = list->first; item; item = item->next) {
        indent(out, depth + 1);
        buffer_add_text(out, "- ");
        if (item->kind != NODE_MAP) {
            add_value(out, item, false);
            end_line(work, with_origins, out, item);
        }
        for (const struct node *child = item->kind == NODE_MAP ? item->first : NULL; child; child = child->next) {
            if (child != item->first)
                indent(out, depth + 2);
            add_keyed(work, schema_child(chains_stage(work), child->key), with_origins, out, child, depth + 2);
        }
    }
}

static void add_node(const struct work *work, const struct schema *schema, bool with_origins, struct buffer *out, const struct node *node, unsigned depth) {
    indent(out, depth);
    add_keyed(work, schema, with_origins, out, node, depth);
}

static void add_keyed(const struct work *work, const struct schema *schema, bool with_origins, struct buffer *out, const struct node *node, unsigned depth) {
    bool is_secret = schema && schema_flags(schema) & ROW_SECRET;
    add_text(out, node->key);
    buffer_add_byte(out, ':');
    if (node->kind == NODE_MAP && node->first) {
        buffer_add_byte(out, '\n');
        for (const struct node *child = node->first; child; child = child->next)
            add_node(work, schema ? schema_child(schema, child->key) : NULL, with_origins, out, child, depth + 1);
    } else if (node->kind == NODE_MAP) {
        buffer_add_text(out, " {}");
        end_line(work, with_origins, out, node);
    } else if (node->kind == NODE_LIST && schema && schema_type(schema) == ROW_CHAIN && node->first) {
        add_chain(work, with_origins, out, node, depth);
    } else if (node->kind == NODE_LIST) {
        add_list(work, with_origins, is_secret || !is_flat(node), out, node);
    } else {
        buffer_add_byte(out, ' ');
        add_value(out, node, is_secret);
        end_line(work, with_origins, out, node);
    }
}

void print_tree(const struct work *work, bool with_origins, struct buffer *out) {
    for (const struct node *child = work->root->first; child; child = child->next)
        if (!slice_is(child->key, "environments") && !slice_is(child->key, "include"))
            add_node(work, schema_child(work->schema, child->key), with_origins, out, child, 0);
}
