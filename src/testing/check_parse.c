/* The grammar of check lines. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/text.h"
#include "testing/check_inner.h"

struct parser {
    struct slice text;
    size_t at;
    const struct check_field *fields;
    size_t field_count;
    struct arena *arena;
    struct check *check;
    struct check_fault *fault;
    enum status status;
};

static bool fail(struct parser *p, enum status status, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool fail(struct parser *p, enum status status, size_t at, const char *format, ...) {
    if (p->status != STATUS_OK)
        return false;
    p->status = status;
    p->fault->offset = at;
    va_list list;
    va_start(list, format);
    vsnprintf(p->fault->text, sizeof p->fault->text, format, list);
    va_end(list);
    return false;
}
#define wrong(p, at, ...) fail(p, STATUS_BAD_CONFIG, at, __VA_ARGS__)

/* For "%.*s": not more of it than a message has room for. */
#define SHOWN(s) (int)((s).size < 60 ? (s).size : 60), (const char *)(s).data

static bool no_memory(struct parser *p) {
    return fail(p, STATUS_NO_MEMORY, p->at, "out of memory");
}

/* -- words -- */

static int peek(const struct parser *p) {
    return p->at < p->text.size ? p->text.data[p->at] : -1;
}

static void space(struct parser *p) {
    while (peek(p) == ' ' || peek(p) == '\t')
        p->at++;
}

/* Up to white space or the end. */
static struct slice peek_word(const struct parser *p) {
    size_t end = p->at;
    while (end < p->text.size && p->text.data[end] != ' ' && p->text.data[end] != '\t')
        end++;
    return slice_make(p->text.data + p->at, end - p->at);
}

static struct slice word(struct parser *p) {
    struct slice w = peek_word(p);
    p->at += w.size;
    space(p);
    return w;
}

/* Text in double quotes: the inside, escapes resolved. */
static bool quoted(struct parser *p, struct slice *ret) {
    size_t start = p->at, end = p->at + 1;
    while (end < p->text.size && p->text.data[end] != '"')
        end += p->text.data[end] == '\\' ? 2 : 1;
    if (end >= p->text.size)
        return wrong(p, start, "a text without its closing quote");
    struct slice all = slice_make(p->text.data + start, end + 1 - start), raw = slice_make(all.data + 1, all.size - 2);
    if (!json_is_valid(all, 1))
        return wrong(p, start, "no text of JSON: a backslash is written `\\\\`");
    *ret = raw;
    if (slice_find(raw, '\\') < raw.size) {
        uint8_t *out = arena_new(p->arena, raw.size);
        size_t size = out ? json_unescape(out, raw) : 0;
        if (!out)
            return no_memory(p);
        if (size == SIZE_MAX)
            return wrong(p, start, "a lone surrogate is no text");
        *ret = slice_make(out, size);
    }
    p->at = end + 1;
    return true;
}

/* -- queries -- */

/* A JSONPath ends at the first white space outside of brackets and quotes. */
static bool json_query(struct parser *p) {
    size_t start = p->at, depth = 0;
    uint8_t quote = 0;
    for (; p->at < p->text.size; p->at++) {
        uint8_t c = p->text.data[p->at];
        if (quote) {
            if (c == '\\')
                p->at++;
            else if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '[' || c == '(')
            depth++;
        else if ((c == ']' || c == ')') && depth > 0)
            depth--;
        else if ((c == ' ' || c == '\t') && depth == 0)
            break;
    }
    if (p->at > p->text.size)
        p->at = p->text.size;
    struct jsonpath_fault fault;
    struct slice path = slice_make(p->text.data + start, p->at - start);
    enum status status = jsonpath_new(path, p->arena, &p->check->path, &fault);
    return status == STATUS_OK || fail(p, status, start + fault.offset, "JSONPath: %s", fault.text);
}

static bool offset_number(struct slice text, size_t *ret) {
    uint64_t value;
    if (!text_to_u64(text, &value) || value > UINT32_MAX)
        return false;
    *ret = (size_t)value;
    return true;
}

/* u16be@2, i8@0. */
static bool number_query(struct parser *p, struct slice name) {
    size_t at = slice_find(name, '@');
    struct slice type = slice_head(name, at);
    size_t bits = 0;
    struct slice digits = slice_skip(type, 1);
    while (digits.size && !text_is_digit(digits.data[digits.size - 1]))
        digits.size--;
    struct slice order = slice_skip(type, 1 + digits.size);
    struct check *c = p->check;
    c->is_signed = type.size && type.data[0] == 'i';
    c->is_little = slice_is(order, "le");
    bool ok = type.size > 1 && (type.data[0] == 'u' || type.data[0] == 'i') && offset_number(digits, &bits) &&
              (bits == 8 || bits == 16 || bits == 32 || bits == 64) &&
              (bits == 8 ? order.size == 0 : c->is_little || slice_is(order, "be"));
    if (!ok || !offset_number(slice_skip(name, at + 1), &c->from))
        return false;
    c->width = (uint8_t)(bits / 8);
    c->query = CHECK_QUERY_NUMBER;
    return true;
}

/* bytes, bytes@4, bytes@4..8 */
static bool bytes_query(struct parser *p, struct slice name) {
    struct check *c = p->check;
    c->query = CHECK_QUERY_BYTES;
    c->end = SIZE_MAX;
    if (slice_is(name, "bytes"))
        return true;
    struct slice range = slice_skip(name, strlen("bytes@"));
    for (size_t i = 0; i + 1 < range.size; i++)
        if (range.data[i] == '.' && range.data[i + 1] == '.')
            return offset_number(slice_head(range, i), &c->from) && offset_number(slice_skip(range, i + 2), &c->end) &&
                   c->from <= c->end;
    return offset_number(range, &c->from);
}

static bool unknown_query(struct parser *p, size_t at, struct slice name) {
    static const char *const own[] = {"header", "attribute", "json", "body", "bytes"};
    struct slice names[64];
    size_t count = 0;
    for (; count < sizeof own / sizeof *own; count++)
        names[count] = slice_from(own[count]);
    for (size_t i = 0; i < p->field_count && count < sizeof names / sizeof *names; i++)
        names[count++] = slice_from(p->fields[i].name);
    int near = text_nearest(name, names, count);
    if (near >= 0)
        return wrong(p, at, "nothing here is called `%.*s`; did you mean `%.*s`?", SHOWN(name), SLICE_ARG(names[near]));
    return wrong(p, at, "nothing here is called `%.*s`; a check is: what, how, value", SHOWN(name));
}

/* NAME or NAME(argument). */
static bool field_query(struct parser *p, size_t at, struct slice whole) {
    struct check *c = p->check;
    size_t open = slice_find(whole, '(');
    struct slice name = slice_head(whole, open);
    bool has_argument = open < whole.size;
    for (size_t i = 0; i < p->field_count; i++) {
        if (!slice_is(name, p->fields[i].name))
            continue;
        if (has_argument && whole.data[whole.size - 1] != ')')
            return wrong(p, at + open, "a bracket without its end; no space may stand in it");
        if (has_argument && !p->fields[i].takes_argument)
            return wrong(p, at + open, "`%s` takes nothing in brackets", p->fields[i].name);
        c->query = CHECK_QUERY_FIELD;
        c->field = &p->fields[i];
        c->row = i;
        c->name = has_argument ? slice_make(whole.data + open + 1, whole.size - open - 2) : c->name;
        return true;
    }
    return unknown_query(p, at, name);
}

static bool query(struct parser *p) {
    struct check *c = p->check;
    size_t at = p->at;
    struct slice name = word(p);
    if (name.size == 0)
        return wrong(p, at, "an empty check; one is: what, how, value");
    if (slice_is(name, "header") || slice_is(name, "attribute")) {
        c->query = slice_is(name, "header") ? CHECK_QUERY_HEADER : CHECK_QUERY_ATTRIBUTE;
        c->name = word(p);
        if (c->name.size == 0)
            return wrong(p, p->at, "`%.*s` wants a name behind it", SLICE_ARG(name));
    } else if (slice_is(name, "json")) {
        c->query = CHECK_QUERY_JSON;
        if (!json_query(p))
            return false;
    } else if (slice_is(name, "body"))
        c->query = CHECK_QUERY_BODY;
    else if (slice_is(name, "bytes") || slice_starts(name, SLICE_OF("bytes@"))) {
        if (!bytes_query(p, name))
            return wrong(p, at, "`%.*s`: expected bytes, bytes@FROM or bytes@FROM..END", SHOWN(name));
    } else if (slice_find(name, '@') < name.size) {
        if (!number_query(p, name))
            return wrong(p, at, "`%.*s`: expected a number's type and place, such as u8@0, u16be@2 or i32le@4", SHOWN(name));
    } else if (!field_query(p, at, name))
        return false;
    c->asked = slice_trim(slice_make(p->text.data + at, p->at - at));
    return true;
}

/* -- values -- */

/* Of a number with a unit; the factor makes nanoseconds, bytes or percent of it. */
static bool unit(struct slice text, enum check_unit *ret_unit, double *ret_factor) {
    static const struct {
        const char *name;
        enum check_unit unit;
        double factor;
    } units[] = {
        {"", CHECK_PLAIN, 1},      {"us", CHECK_NS, 1e3},          {"ms", CHECK_NS, 1e6},           {"s", CHECK_NS, 1e9},
        {"m", CHECK_NS, 60e9},     {"h", CHECK_NS, 3600e9},        {"d", CHECK_NS, 86400e9},        {"B", CHECK_BYTES, 1},
        {"KiB", CHECK_BYTES, 1024}, {"MiB", CHECK_BYTES, 1 << 20}, {"GiB", CHECK_BYTES, 1 << 30},   {"%", CHECK_PERCENT, 1},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_is(text, units[i].name)) {
            *ret_unit = units[i].unit;
            *ret_factor = units[i].factor;
            return true;
        }
    return false;
}

static bool number_value(struct slice w, struct check_value *v) {
    double factor;
    size_t end = 0;
    while (end < w.size && (text_is_digit(w.data[end]) || w.data[end] == '-' || w.data[end] == '.' || w.data[end] == '+' ||
                            ((w.data[end] == 'e' || w.data[end] == 'E') && end > 0)))
        end++;
    struct slice digits = slice_head(w, end);
    if (end == 0 || !json_is_valid(digits, 1) || !json_number_to_double(digits, &v->number) ||
        !unit(slice_skip(w, end), &v->unit, &factor))
        return false;
    v->type = CHECK_NUMBER;
    v->number *= factor;
    v->text = w;
    return isfinite(v->number);
}

/* `hex 81 02` to the end of the line, or to the comma or bracket of a list. */
static bool hex_value(struct parser *p, struct check_value *v) {
    size_t start = p->at;
    uint8_t *out = arena_new(p->arena, p->text.size - p->at + 1);
    size_t size = 0;
    if (!out)
        return no_memory(p);
    while (p->at < p->text.size && peek(p) != ',' && peek(p) != ']') {
        if (peek(p) == ' ') {
            p->at++;
            continue;
        }
        int high = text_hex_value((uint8_t)peek(p)), low = p->at + 1 < p->text.size ? text_hex_value(p->text.data[p->at + 1]) : -1;
        if (high < 0 || low < 0)
            return wrong(p, p->at, "hex wants pairs of hexadecimal digits");
        out[size++] = (uint8_t)(high << 4 | low);
        p->at += 2;
    }
    v->type = CHECK_TEXT;
    v->text = slice_make(out, size);
    return size > 0 || wrong(p, start, "hex wants pairs of hexadecimal digits");
}

static bool bare_value(struct parser *p, struct check_literal *l, bool in_list) {
    struct slice w = peek_word(p);
    for (size_t i = 0; in_list && i < w.size; i++)
        if (w.data[i] == ',' || w.data[i] == ']')
            w = slice_head(w, i);
    if (w.size == 0)
        return wrong(p, p->at, "expected a value");
    p->at += w.size;
    l->value.type = slice_is(w, "null") ? CHECK_NULL : slice_is(w, "true") || slice_is(w, "false") ? CHECK_BOOLEAN : CHECK_TEXT;
    l->value.boolean = slice_is(w, "true");
    if (l->value.type == CHECK_TEXT && !number_value(w, &l->value))
        l->value = (struct check_value){.type = CHECK_TEXT, .text = w};
    return true;
}

static bool value(struct parser *p, struct check_literal *l, bool in_list) {
    size_t at = p->at;
    if (peek(p) == '"') {
        l->value.type = CHECK_TEXT;
        if (!quoted(p, &l->value.text))
            return false;
    } else if (slice_is(peek_word(p), "hex")) {
        word(p);
        if (!hex_value(p, &l->value))
            return false;
        return true;
    } else if (!bare_value(p, l, in_list))
        return false;
    if (l->value.type != CHECK_TEXT)
        return true;
    struct fault fault = {0};
    if (expand_check(l->value.text, &fault) != STATUS_OK)
        return wrong(p, at, "%.*s", CHECK_WORDS_MAX - 1, fault.text);
    l->has_variables = expand_needed(l->value.text);
    return true;
}

static bool list(struct parser *p) {
    struct check *c = p->check;
    if (peek(p) != '[')
        return wrong(p, p->at, "`in` wants a list: in [401, 403]");
    c->values = arena_array(p->arena, CHECK_LIST_MAX, sizeof *c->values);
    if (!c->values)
        return no_memory(p);
    do {
        p->at++;
        space(p);
        if (c->value_count == CHECK_LIST_MAX)
            return fail(p, STATUS_TOO_LARGE, p->at, "more than %d values", CHECK_LIST_MAX);
        if (!value(p, &c->values[c->value_count], true))
            return false;
        c->value_count++;
        space(p);
    } while (peek(p) == ',');
    if (peek(p) != ']')
        return wrong(p, p->at, "expected `,` or `]`");
    p->at++;
    return true;
}

/* `/expression/`, or a text. */
static bool regex(struct parser *p) {
    struct check_literal *l = p->check->values;
    size_t at = p->at;
    l->value.type = CHECK_TEXT;
    if (peek(p) == '/') {
        size_t end = p->text.size;
        while (end > p->at + 1 && p->text.data[end - 1] != '/')
            end--;
        if (end <= p->at + 1)
            return wrong(p, at, "an expression without its closing `/`");
        l->value.text = slice_make(p->text.data + p->at + 1, end - p->at - 2);
        p->at = end;
    } else if (!value(p, l, false))
        return false;
    if (l->has_variables)
        return true; /* compiled when they are known */
    struct fault fault = {0};
    enum status status = regex_new(l->value.text, REGEX_SEARCH, &l->regex, &fault);
    return status == STATUS_OK || fail(p, status, at, "%.*s", CHECK_WORDS_MAX - 1, fault.text);
}

static bool operand(struct parser *p) {
    struct check *c = p->check;
    enum check_operand wanted = c->predicate->operand;
    c->value_at = p->at;
    if (wanted == CHECK_OPERAND_NONE)
        return true;
    if (wanted == CHECK_OPERAND_LIST)
        return list(p);
    if (p->at == p->text.size)
        return wrong(p, p->at, "`%s` wants a value behind it", c->predicate->name);
    c->values = arena_new(p->arena, sizeof *c->values);
    if (!c->values)
        return no_memory(p);
    c->value_count = 1;
    if (wanted == CHECK_OPERAND_REGEX)
        return regex(p);
    if (!value(p, c->values, false))
        return false;
    const struct check_value *v = &c->values->value;
    if (wanted == CHECK_OPERAND_TEXT && v->type != CHECK_TEXT && v->type != CHECK_NUMBER)
        return wrong(p, c->value_at, "`%s` wants a text", c->predicate->name);
    if (wanted == CHECK_OPERAND_NUMBER && v->type != CHECK_TEXT && v->type != CHECK_NUMBER)
        return wrong(p, c->value_at, "`%s` wants a number or a text", c->predicate->name);
    return true;
}

/* A number with the wrong unit can never be right: said before anything runs. */
static bool units_fit(struct parser *p) {
    static const char *const examples[] = {"a plain number", "a duration, such as 200ms", "a size, such as 1KiB", "a share, such as 0.5%"};
    const struct check *c = p->check;
    if (c->query != CHECK_QUERY_FIELD || c->field->type != CHECK_NUMBER)
        return true;
    for (size_t i = 0; i < c->value_count; i++) {
        const struct check_value *v = &c->values[i].value;
        bool fits = c->values[i].has_variables || (v->type == CHECK_NUMBER && v->unit == c->field->unit);
        if (!fits && c->predicate->operand != CHECK_OPERAND_REGEX && c->predicate->operand != CHECK_OPERAND_TEXT)
            return wrong(p, c->value_at, "`%s` is compared with %s", c->field->name, examples[c->field->unit]);
    }
    return true;
}

static bool predicate(struct parser *p) {
    struct check *c = p->check;
    size_t at = p->at;
    struct slice name = word(p);
    if (slice_is(name, "not")) {
        c->negated = true;
        at = p->at;
        name = word(p);
    }
    c->predicate = &check_predicates[CHECK_IS_TRUE];
    if (name.size == 0)
        return c->negated ? wrong(p, at, "`not` wants a predicate behind it") : true;
    struct slice names[64];
    ASSERT(check_predicate_count <= sizeof names / sizeof *names);
    names[CHECK_IS_TRUE] = SLICE_OF("");
    for (size_t i = CHECK_IS_TRUE + 1; i < check_predicate_count; i++) {
        names[i] = slice_from(check_predicates[i].name);
        if (slice_equal(name, names[i])) {
            c->predicate = &check_predicates[i];
            return true;
        }
    }
    int near = text_nearest(name, names, check_predicate_count);
    if (slice_is(name, "="))
        near = CHECK_EQUAL;
    if (near > 0)
        return wrong(p, at, "no predicate `%.*s`; did you mean `%s`?", SHOWN(name), check_predicates[near].name);
    return wrong(p, at, "no predicate `%.*s`; there are == != < <= > >= contains startsWith endsWith matches in exists and is...",
                 SHOWN(name));
}

enum status check_new(struct slice line, const struct check_field *fields, size_t count, struct arena *arena,
                      struct check **ret, struct check_fault *fault) {
    struct parser p = {.text = line, .fields = fields, .field_count = count, .arena = arena, .fault = fault};
    p.check = arena_new(arena, sizeof *p.check);
    if (!p.check)
        no_memory(&p);
    else if (line.size > CHECK_LINE_MAX)
        fail(&p, STATUS_TOO_LARGE, 0, "a line of more than %d bytes", CHECK_LINE_MAX);
    else if (!text_is_utf8(line))
        wrong(&p, 0, "not UTF-8");
    else {
        p.check->line = line;
        space(&p);
        if (query(&p) && (space(&p), predicate(&p)) && operand(&p) && units_fit(&p)) {
            space(&p);
            if (p.at < p.text.size)
                wrong(&p, p.at, "expected the end of the line; a text with spaces stands in double quotes");
        }
    }
    if (p.status != STATUS_OK) {
        check_free(p.check);
        return p.status;
    }
    *ret = p.check;
    return STATUS_OK;
}

void check_free(struct check *check) {
    if (!check)
        return;
    jsonpath_free(check->path);
    for (size_t i = 0; i < check->value_count; i++)
        regex_free(check->values[i].regex);
}

struct slice check_line(const struct check *check) {
    return check->line;
}
