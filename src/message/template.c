/* Texts filled from a message. */
#include "message/template.h"

#include <stdio.h>

#include "base/pointer.h"
#include "base/text.h"

enum part_kind { PART_LITERAL, PART_ATTRIBUTE, PART_DATA, PART_HEADER, PART_PATH };

struct part {
    enum part_kind kind;
    struct slice text; /* LITERAL: itself. Else the name, or the pointer */
    bool has_default;
    struct slice otherwise;
};

struct template {
    unsigned count;
    struct part parts[];
};

/* -- compiling -- */

static bool refuse(struct template_fault *fault, size_t offset, const char *words, struct slice about) {
    fault->status = STATUS_BAD_CONFIG;
    fault->offset = offset;
    snprintf(fault->text, sizeof fault->text, "`{%.*s}`: %s", (int)(about.size < 60 ? about.size : 60),
             (const char *)about.data, words);
    return false;
}

static bool is_declared(const struct attribute_declared *declared, struct slice name) {
    for (size_t i = 0; declared && i < declared->count; i++)
        if (slice_equal(declared->rows[i].name, name))
            return true;
    return attribute_find(name) != ATTRIBUTE_OTHER;
}

static bool eat(struct slice *text, struct slice prefix) {
    if (!slice_starts(*text, prefix))
        return false;
    *text = slice_skip(*text, prefix.size);
    return true;
}

static bool field(struct slice inside, size_t offset, const struct attribute_declared *declared, struct part *part,
                  struct template_fault *fault) {
    size_t bar = slice_find(inside, '|');
    struct slice name = slice_head(inside, bar);
    *part = (struct part){.kind = PART_ATTRIBUTE, .has_default = bar < inside.size, .otherwise = slice_skip(inside, bar + 1)};
    if (eat(&name, SLICE_OF("data:"))) {
        part->kind = PART_DATA;
        if (name.size && name.data[0] != '/')
            return refuse(fault, offset, "a JSON pointer begins with `/`", inside);
    } else if (eat(&name, SLICE_OF("header:"))) {
        part->kind = PART_HEADER;
    } else if (eat(&name, SLICE_OF("path:"))) {
        part->kind = PART_PATH;
    } else if (slice_find(name, ':') < name.size) {
        return refuse(fault, offset, "there are data:, header: and path:", inside);
    } else if (name.size && !is_declared(declared, name)) {
        return refuse(fault, offset, "nobody declared such an attribute; yours go under `extensions`", inside);
    }
    if (name.size == 0 && part->kind != PART_DATA)
        return refuse(fault, offset, "names nothing", inside);
    part->text = name;
    return true;
}

static bool add(struct template *template, struct part part) {
    if (part.kind == PART_LITERAL && part.text.size == 0)
        return true;
    if (template->count == TEMPLATE_PARTS_MAX)
        return false;
    template->parts[template->count++] = part;
    return true;
}

static bool parse(struct slice text, const struct attribute_declared *declared, struct template *template,
                  struct template_fault *fault) {
    size_t from = 0, at = 0;
    struct part part;
    while (at < text.size) {
        uint8_t c = text.data[at];
        if (c != '{' && c != '}') {
            at++;
            continue;
        }
        bool twice = at + 1 < text.size && text.data[at + 1] == c;
        struct part before = {.kind = PART_LITERAL, .text = slice_make(text.data + from, at - from + twice)};
        if (!add(template, before))
            return refuse(fault, at, "too many parts", text);
        if (twice) {
            from = at += 2;
            continue;
        }
        struct slice inside = slice_skip(text, at + 1);
        size_t end = slice_find(inside, '}');
        if (c == '}' || end == inside.size)
            return refuse(fault, at, c == '}' ? "`}` closes nothing; write `}}` for a brace" : "is not closed; write `{{` for a brace",
                          slice_head(inside, end));
        inside = slice_head(inside, end);
        if (!field(inside, at, declared, &part, fault))
            return false;
        if (!add(template, part))
            return refuse(fault, at, "too many parts", inside);
        from = at += inside.size + 2;
    }
    return add(template, (struct part){.kind = PART_LITERAL, .text = slice_skip(text, from)}) ||
           refuse(fault, at, "too many parts", text);
}

enum status template_compile(struct slice text, const struct attribute_declared *declared, struct arena *arena,
                             const struct template **ret, struct template_fault *fault) {
    size_t most = 2;
    for (size_t i = 0; i < text.size; i++)
        most += text.data[i] == '{' || text.data[i] == '}' ? 2 : 0;
    if (most > TEMPLATE_PARTS_MAX)
        most = TEMPLATE_PARTS_MAX;
    struct template *template = arena_new(arena, sizeof *template + most * sizeof template->parts[0]);
    *fault = (struct template_fault){.status = STATUS_NO_MEMORY};
    if (!template)
        return STATUS_NO_MEMORY;
    template->count = 0;
    if (!parse(text, declared, template, fault))
        return fault->status;
    *ret = template;
    return STATUS_OK;
}

bool template_is_literal(const struct template *template) {
    for (unsigned i = 0; i < template->count; i++)
        if (template->parts[i].kind != PART_LITERAL)
            return false;
    return true;
}

/* -- values -- */

static bool is_unreserved(uint8_t c) {
    return text_is_alpha(c) || text_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static enum status add_value(struct slice value, enum template_escape escape, struct buffer *out) {
    static const char digits[] = "0123456789ABCDEF";
    bool is_dots = escape == TEMPLATE_PERCENT && (slice_is(value, ".") || slice_is(value, ".."));
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (escape == TEMPLATE_PLAIN && ((c < ' ' && c != '\t') || c == 0x7f))
            return STATUS_NOT_REPRESENTABLE;
        if (escape != TEMPLATE_PERCENT || (is_unreserved(c) && !is_dots)) {
            buffer_add_byte(out, c);
        } else {
            buffer_add_byte(out, '%');
            buffer_add_byte(out, (uint8_t)digits[c >> 4]);
            buffer_add_byte(out, (uint8_t)digits[c & 15]);
        }
    }
    return out->status;
}

/* A JSON string without its quotes, or a scalar's text. */
static enum status add_item(const struct json_item *item, enum template_escape escape, struct buffer *out) {
    uint8_t room[1024];
    bool is_scalar = item->type == JSON_NUMBER || item->type == JSON_TRUE || item->type == JSON_FALSE;
    if (item->type != JSON_STRING && !is_scalar)
        return STATUS_TEMPLATE_MISSING;
    if (item->type != JSON_STRING || !item->has_escapes)
        return add_value(item->raw, escape, out);
    size_t size = item->raw.size <= sizeof room ? json_unescape(room, item->raw) : SIZE_MAX;
    return size == SIZE_MAX ? STATUS_NOT_REPRESENTABLE : add_value(slice_make(room, size), escape, out);
}

static enum status add_pointed(struct slice text, struct slice pointer, enum template_escape escape, struct buffer *out) {
    struct json_item item;
    return pointer_find(text, pointer, &item) ? add_item(&item, escape, out) : STATUS_TEMPLATE_MISSING;
}

static enum status add_data(const struct message *message, struct slice pointer, enum template_escape escape,
                            struct buffer *out) {
    struct slice data = message_data_verbatim(message);
    struct buffer copy;
    if (message->data_form == DATA_NONE || (message->data_form != DATA_JSON && !message_data_is_json(message)))
        return STATUS_TEMPLATE_MISSING;
    if (data.data)
        return add_pointed(data, pointer, escape, out);
    buffer_init(&copy, message_data_size(message) + 1);
    message_data_write(message, &copy);
    enum status status = copy.status == STATUS_OK ? add_pointed(buffer_slice(&copy), pointer, escape, out) : copy.status;
    buffer_done(&copy);
    return status;
}

static enum status add_member(const struct message *message, enum attribute attribute, struct slice name,
                              enum template_escape escape, struct buffer *out) {
    struct json json;
    struct json_item item;
    json_init(&json, message_text(message, attribute), JSON_DEPTH_LIMIT);
    if (!message_has(message, attribute) || json_next(&json, &item) != JSON_OBJECT)
        return STATUS_TEMPLATE_MISSING;
    while (json_next(&json, &item) == JSON_NAME) {
        bool wanted = json_item_is(&item, name);
        if (json_skip(&json, &item) == JSON_ERROR)
            break;
        if (wanted)
            return add_item(&item, escape, out);
    }
    return STATUS_TEMPLATE_MISSING;
}

static enum status add_header(const struct message *message, struct slice wanted, enum template_escape escape,
                              struct buffer *out) {
    struct http_pairs pairs = {.rest = message_text(message, ATTRIBUTE_HTTPHEADERS)};
    struct slice name, value;
    uint8_t bytes[2048];
    struct buffer room;
    buffer_init_fixed(&room, bytes, sizeof bytes);
    while (http_pairs_next(&pairs, &room, &name, &value)) {
        if (slice_equal_nocase(name, wanted))
            return add_value(value, escape, out);
        buffer_clear(&room);
    }
    return add_member(message, ATTRIBUTE_MSGHEADERS, wanted, escape, out);
}

static enum status add_attribute(const struct message *message, struct slice name, enum template_escape escape,
                                 struct buffer *out) {
    char room[VALUE_ROOM];
    uint8_t digit = (uint8_t)('0' + message->priority);
    const struct value *value = message_find(message, name);
    if (!value && slice_is(name, "messagetype"))
        return add_value(message_kind_name((enum message_kind)message->kind), escape, out);
    if (!value && slice_is(name, "priority"))
        return add_value(slice_make(&digit, 1), escape, out);
    struct slice text = value ? value_canonical(message, value, room, sizeof room) : slice_make(NULL, 0);
    return text.data ? add_value(text, escape, out) : STATUS_TEMPLATE_MISSING;
}

static enum status add_part(const struct part *part, const struct message *message, enum template_escape escape,
                            struct buffer *out) {
    switch (part->kind) {
    case PART_LITERAL:
        buffer_add(out, part->text);
        return out->status;
    case PART_ATTRIBUTE:
        return add_attribute(message, part->text, escape, out);
    case PART_DATA:
        return add_data(message, part->text, escape, out);
    case PART_HEADER:
        return add_header(message, part->text, escape, out);
    case PART_PATH:
        return add_member(message, ATTRIBUTE_HTTPPARAMS, part->text, escape, out);
    }
    return STATUS_INTERNAL;
}

enum status template_write(const struct template *template, const struct message *message, enum template_escape escape,
                           struct buffer *out) {
    for (unsigned i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];
        enum status status = add_part(part, message, escape, out);
        if (status == STATUS_TEMPLATE_MISSING && part->has_default)
            status = add_value(part->otherwise, escape, out);
        if (status != STATUS_OK)
            return status;
    }
    return out->status;
}

/* -- pairs -- */

static bool bad(struct http_pairs *reader) {
    reader->is_bad = true;
    return false;
}

/* UTF-8 back to bytes. */
static bool to_bytes(struct buffer *room, struct slice raw, struct slice *ret) {
    uint8_t *at = buffer_reserve(room, raw.size ? raw.size : 1);
    size_t size = at ? json_unescape(at, raw) : SIZE_MAX, used = 0;
    if (size == SIZE_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = at[i];
        if (c >= 0x80) {
            if ((c != 0xc2 && c != 0xc3) || i + 1 == size)
                return false;
            c = (uint8_t)((c & 3) << 6 | (at[++i] & 0x3f));
        }
        at[used++] = c;
    }
    buffer_added(room, used);
    *ret = slice_make(at, used);
    return true;
}

static bool one_text(struct json *json, struct buffer *room, struct slice *ret) {
    struct json_item item;
    if (json_next(json, &item) != JSON_STRING)
        return false;
    if (!item.has_escapes && text_is_ascii(item.raw)) {
        *ret = item.raw;
        return true;
    }
    return to_bytes(room, item.raw, ret);
}

static struct slice skip_space(struct slice text) {
    while (text.size && (*text.data == ' ' || *text.data == '\t' || *text.data == '\n' || *text.data == '\r'))
        text = slice_skip(text, 1);
    return text;
}

static bool is_plain_word(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';
    /* A byte that is none of these borrows from no other, so that there is nothing to be exact about. */
    return ((word | (word - ones * ' ') | (word + ones) | (quote - ones) | (slash - ones)) & highs) == 0;
}

/* Nothing that JSON would escape, no DEL and nothing above ASCII: as nearly all values are. */
static bool is_plain(struct slice text) {
    const uint8_t *at = text.data, *end = at + text.size;
    uint64_t word = UINT64_C(0x2020202020202020);
    for (; end - at >= 8; at += 8) {
        memcpy(&word, at, 8);
        if (!is_plain_word(word))
            return false;
    }
    if (at == end)
        return true;
    if (text.size >= 8) {
        memcpy(&word, end - 8, 8); /* the last ones, some twice */
    } else if (text.size >= 4) {
        memcpy(&word, at, 4);
        memcpy((uint8_t *)&word + 4, end - 4, 4);
    } else {
        word = (word & ~UINT64_C(0xffffff)) | at[0] | (uint64_t)at[text.size / 2] << 8 | (uint64_t)end[-1] << 16;
    }
    return is_plain_word(word);
}

/* `"..."` at the start; the reader moves behind it. Nearly all values are plain: no full parser for those. */
static bool plain_text(struct slice *rest, struct slice *ret) {
    if (rest->size == 0 || rest->data[0] != '"')
        return false;
    struct slice inner = slice_skip(*rest, 1);
    struct slice text = slice_head(inner, slice_find(inner, '"'));
    if (text.size == inner.size || !is_plain(text))
        return false;
    *ret = text;
    *rest = slice_skip(inner, text.size + 1);
    return true;
}

static bool plain_pair(struct slice *rest, struct slice *ret_name, struct slice *ret_value) {
    struct slice at = *rest;
    if (at.size == 0 || at.data[0] != '[')
        return false;
    at = slice_skip(at, 1);
    if (!plain_text(&at, ret_name) || at.size == 0 || at.data[0] != ',')
        return false;
    at = slice_skip(at, 1);
    if (!plain_text(&at, ret_value) || at.size == 0 || at.data[0] != ']')
        return false;
    *rest = slice_skip(at, 1);
    return true;
}

static bool any_pair(struct slice *rest, struct buffer *room, struct slice *ret_name, struct slice *ret_value) {
    struct json json;
    struct json_item item;
    json_init(&json, *rest, 2);
    if (json_next(&json, &item) != JSON_ARRAY || !one_text(&json, room, ret_name) || !one_text(&json, room, ret_value) ||
        json_next(&json, &item) != JSON_ARRAY_END)
        return false;
    *rest = slice_skip(*rest, json_offset(&json));
    return true;
}

bool http_pairs_next(struct http_pairs *reader, struct buffer *room, struct slice *ret_name, struct slice *ret_value) {
    struct slice rest = skip_space(reader->rest);
    if (reader->is_bad || (!reader->began && rest.size == 0))
        return false;
    if (rest.size == 0)
        return bad(reader);
    uint8_t c = rest.data[0];
    bool first = !reader->began;
    reader->began = true;
    if (first ? c != '[' : c != ',' && c != ']')
        return bad(reader);
    rest = skip_space(slice_skip(rest, 1));
    bool ends = c == ']' || (first && rest.size && rest.data[0] == ']');
    if (ends) {
        if (c != ']')
            rest = skip_space(slice_skip(rest, 1));
        reader->rest = slice_make(NULL, 0);
        reader->began = false; /* comes again: the end */
        return rest.size ? bad(reader) : false;
    }
    if (!plain_pair(&rest, ret_name, ret_value) && !any_pair(&rest, room, ret_name, ret_value))
        return bad(reader);
    reader->rest = rest;
    return true;
}

static void add_escaped(struct buffer *out, struct slice text) {
    static const char digits[] = "0123456789abcdef";
    size_t plain = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
            continue;
        buffer_add(out, slice_make(text.data + plain, i - plain));
        plain = i + 1;
        if (c == '"' || c == '\\') {
            buffer_add_byte(out, '\\');
            buffer_add_byte(out, c);
        } else {
            buffer_add(out, SLICE_OF("\\u00"));
            buffer_add_byte(out, (uint8_t)digits[c >> 4]);
            buffer_add_byte(out, (uint8_t)digits[c & 15]);
        }
    }
    buffer_add(out, slice_skip(text, plain));
}

static uint8_t *put(uint8_t *at, struct slice text) {
    if (text.size)
        memcpy(at, text.data, text.size);
    return at + text.size;
}

static void add_plain_pair(struct buffer *out, struct slice name, struct slice value) {
    bool follows = out->size && out->data[out->size - 1] == ']';
    size_t size = name.size + value.size + 7 + follows;
    uint8_t *at = buffer_reserve(out, size);
    if (!at)
        return;
    if (follows)
        *at++ = ',';
    at = put(put(at, SLICE_OF("[\"")), name);
    at = put(put(at, SLICE_OF("\",\"")), value);
    put(at, SLICE_OF("\"]"));
    buffer_added(out, size);
}

void http_pairs_add(struct buffer *out, struct slice name, struct slice value) {
    if (is_plain(name) && is_plain(value)) {
        add_plain_pair(out, name, value);
        return;
    }
    if (out->size && out->data[out->size - 1] == ']')
        buffer_add_byte(out, ',');
    buffer_add(out, SLICE_OF("[\""));
    add_escaped(out, name);
    buffer_add(out, SLICE_OF("\",\""));
    add_escaped(out, value);
    buffer_add(out, SLICE_OF("\"]"));
}
