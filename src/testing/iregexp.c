/* The grammar of RFC 9485 section 4, by descent. */
#include "testing/iregexp.h"
#include "base/text.h"

struct reader {
    struct slice text;
    size_t at;
    unsigned depth;
    struct buffer *out;
};

static int peek(const struct reader *r) {
    return r->at < r->text.size ? r->text.data[r->at] : -1;
}

static bool one_of(int c, const char *set) {
    return c > 0 && strchr(set, c);
}

/* One character of UTF-8 goes over as it is. */
static bool copy(struct reader *r) {
    uint32_t point;
    size_t size = text_utf8_next(slice_skip(r->text, r->at), &point);
    buffer_add(r->out, slice_make(r->text.data + r->at, size));
    r->at += size;
    return size > 0;
}

/* Section 4: IsCategory. PCRE2 knows each of these names. */
static bool category(struct reader *r) {
    static const char *const minor[] = {"L",       "lmotu", "M",   "cen", "N",    "dlo", "P",
                                        "cdefios", "Z",     "lps", "S",   "ckmo", "C",   "cfno"};
    size_t start = r->at;
    r->at += 2; /* \p */
    if (peek(r) != '{')
        return false;
    r->at++;
    for (size_t i = 0; i < sizeof minor / sizeof *minor; i += 2)
        if (peek(r) == minor[i][0]) {
            r->at++;
            if (one_of(peek(r), minor[i + 1]))
                r->at++;
            if (peek(r) != '}')
                return false;
            r->at++;
            buffer_add(r->out, slice_make(r->text.data + start, r->at - start));
            return true;
        }
    return false;
}

/* What stands behind a backslash. `ret_is_class`: it is no single character. */
static bool escape(struct reader *r, bool *ret_is_class) {
    int c = r->at + 1 < r->text.size ? r->text.data[r->at + 1] : -1;
    *ret_is_class = c == 'p' || c == 'P';
    if (*ret_is_class)
        return category(r);
    if (!one_of(c, "()*+-.?[\\]^nrt{|}"))
        return false;
    buffer_add(r->out, slice_make(r->text.data + r->at, 2));
    r->at += 2;
    return true;
}

static bool class_char(struct reader *r, bool *ret_is_class) {
    int c = peek(r);
    *ret_is_class = false;
    if (c == '\\')
        return escape(r, ret_is_class);
    return c >= 0 && !one_of(c, "-[]") && copy(r);
}

/* CCE1: a character, a range of two, or a category. */
static bool class_part(struct reader *r) {
    bool is_class, to_class;
    if (!class_char(r, &is_class))
        return false;
    if (is_class || peek(r) != '-' || r->at + 1 >= r->text.size || r->text.data[r->at + 1] == ']')
        return true;
    copy(r);
    return class_char(r, &to_class) && !to_class;
}

static bool class_expression(struct reader *r) {
    copy(r); /* [ */
    if (peek(r) == '^')
        copy(r);
    bool has_any = false;
    if (peek(r) == '-') {
        buffer_add_text(r->out, "\\-");
        r->at++;
        has_any = true;
    }
    while (peek(r) >= 0 && peek(r) != ']' && peek(r) != '-') {
        if (!class_part(r))
            return false;
        has_any = true;
    }
    if (peek(r) == '-') {
        buffer_add_text(r->out, "\\-");
        r->at++;
        has_any = true;
    }
    return has_any && peek(r) == ']' && copy(r);
}

static bool digits(struct reader *r) {
    size_t start = r->at;
    while (text_is_digit((uint8_t)(peek(r) < 0 ? 0 : peek(r))))
        copy(r);
    return r->at > start;
}

static bool quantifier(struct reader *r) {
    if (one_of(peek(r), "*+?"))
        return copy(r);
    if (peek(r) != '{')
        return true;
    copy(r);
    if (!digits(r))
        return false;
    if (peek(r) == ',') {
        copy(r);
        digits(r);
    }
    return peek(r) == '}' && copy(r);
}

static bool alternatives(struct reader *r);

static bool atom(struct reader *r) {
    bool is_class;
    switch (peek(r)) {
    case '(':
        if (++r->depth > IREGEXP_NESTING_MAX)
            return false;
        buffer_add_text(r->out, "(?:");
        r->at++;
        if (!alternatives(r) || peek(r) != ')')
            return false;
        r->depth--;
        return copy(r);
    case '.': /* RFC 9485 section 5.4: neither of the two line ends */
        buffer_add_text(r->out, "[^\\n\\r]");
        r->at++;
        return true;
    case '[':
        return class_expression(r);
    case '\\':
        return escape(r, &is_class);
    default:
        return !one_of(peek(r), "*+?{}])|") && copy(r);
    }
}

static bool alternatives(struct reader *r) {
    while (peek(r) >= 0 && peek(r) != ')') {
        if (peek(r) == '|') {
            copy(r);
            continue;
        }
        if (!atom(r) || !quantifier(r))
            return false;
    }
    return true;
}

bool iregexp_translate(struct slice text, struct buffer *out, size_t *ret_at) {
    struct reader r = {.text = text, .out = out};
    bool ok = alternatives(&r) && r.at == text.size;
    if (ret_at)
        *ret_at = r.at;
    return ok && out->status == STATUS_OK;
}
