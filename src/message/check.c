/* Whether text is a legal value of its CloudEvents type. */
#include "message/check.h"

#include "base/text.h"
#include "message/message.h"
#include "message/timestamp.h"

/* -- String -- */

static bool is_noncharacter(uint32_t point) {
    return (point & 0xfffe) == 0xfffe || (point >= 0xfdd0 && point <= 0xfdef);
}

bool check_string(struct slice text) {
    if (check_is_plain(text))
        return true;
    while (text.size) {
        uint32_t point;
        size_t length = text_utf8_next(text, &point);
        if (length == 0 || point < 0x20 || (point >= 0x7f && point <= 0x9f) || is_noncharacter(point))
            return false;
        text = slice_skip(text, length);
    }
    return true;
}

/* -- URI -- */

enum {
    URI_LEGAL = 1,   /* unreserved, sub-delims, ":" "@" "/" "?" */
    URI_SPECIAL = 2, /* legal in some places only: "%" "#" "[" "]" */
    URI_SCHEME = 4,  /* ALPHA DIGIT "+" "-" "." */
    TOKEN = 8,       /* RFC 2045 token */
};

#define WORD (URI_LEGAL | URI_SCHEME | TOKEN)
static const uint8_t classes[256] = {
    ['a' ... 'z'] = WORD, ['A' ... 'Z'] = WORD, ['0' ... '9'] = WORD,
    ['-'] = WORD, ['.'] = WORD, ['+'] = WORD,
    ['_'] = URI_LEGAL | TOKEN, ['~'] = URI_LEGAL | TOKEN, ['!'] = URI_LEGAL | TOKEN, ['$'] = URI_LEGAL | TOKEN,
    ['&'] = URI_LEGAL | TOKEN, ['\''] = URI_LEGAL | TOKEN, ['*'] = URI_LEGAL | TOKEN,
    ['('] = URI_LEGAL, [')'] = URI_LEGAL, [','] = URI_LEGAL, [';'] = URI_LEGAL, ['='] = URI_LEGAL,
    [':'] = URI_LEGAL, ['@'] = URI_LEGAL, ['/'] = URI_LEGAL, ['?'] = URI_LEGAL,
    ['%'] = URI_SPECIAL | TOKEN, ['#'] = URI_SPECIAL | TOKEN, ['['] = URI_SPECIAL, [']'] = URI_SPECIAL,
    ['^'] = TOKEN, ['`'] = TOKEN, ['{'] = TOKEN, ['|'] = TOKEN, ['}'] = TOKEN,
};
#undef WORD

/* Length of the scheme, without its colon; 0: none. */
static size_t scheme_size(struct slice text) {
    if (text.size == 0 || !text_is_alpha(text.data[0]))
        return 0;
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] == ':')
            return i;
        if (!(classes[text.data[i]] & URI_SCHEME))
            return 0;
    }
    return 0;
}

/* RFC 3986 section 3.2.2: brackets only around an IP literal that is the whole host of the authority. */
static bool brackets_are_legal(struct slice text) {
    struct slice rest = slice_skip(text, scheme_size(text) ? scheme_size(text) + 1 : 0);
    size_t open = slice_find(text, '[');
    size_t close = slice_find(text, ']');
    if (!slice_starts(rest, SLICE_OF("//")) || open >= close || close == text.size)
        return false;
    size_t authority = (size_t)(rest.data - text.data) + 2;
    for (size_t i = authority; i < close; i++)
        if (text.data[i] == '/' || text.data[i] == '?' || text.data[i] == '#')
            return false;
    bool at_host = open == authority || (open > authority && text.data[open - 1] == '@');
    bool has_colon = slice_find(slice_make(text.data + open, close - open), ':') < close - open;
    uint8_t after = close + 1 < text.size ? text.data[close + 1] : '/';
    struct slice tail = slice_skip(text, close + 1);
    return at_host && (has_colon || (text.data[open + 1] | 0x20) == 'v') &&
           (after == '/' || after == ':' || after == '?' || after == '#') && slice_find(tail, '[') == tail.size &&
           slice_find(tail, ']') == tail.size;
}

static bool specials_are_legal(struct slice text) {
    bool fragment = false, brackets = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '%') {
            if (text.size - i < 3 || text_hex_value(text.data[i + 1]) < 0 || text_hex_value(text.data[i + 2]) < 0)
                return false;
        } else if (c == '#') {
            if (fragment)
                return false;
            fragment = true;
        } else if (c == '[' || c == ']') {
            brackets = true;
        }
    }
    return !brackets || brackets_are_legal(text);
}

bool check_uri_reference(struct slice text) {
    unsigned all = URI_LEGAL | URI_SPECIAL, any = 0, legal = 1;
    size_t first_segment = text.size; /* where a slash, a query or a fragment ends it */
    for (size_t i = 0; i < text.size; i++) {
        unsigned class = classes[text.data[i]];
        legal &= (class & all) != 0;
        any |= class;
    }
    if (!legal || ((any & URI_SPECIAL) && !specials_are_legal(text)))
        return false;
    size_t colon = slice_find(text, ':');
    if (colon == text.size)
        return true;
    if (scheme_size(text))
        return true;
    /* Section 4.2: a relative path has no colon in its first segment. */
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '/' || text.data[i] == '?' || text.data[i] == '#') {
            first_segment = i;
            break;
        }
    return colon > first_segment;
}

bool check_uri(struct slice text) {
    return scheme_size(text) > 0 && check_uri_reference(text);
}

bool check_type_url(struct slice text) {
    size_t slash = slice_find(text, '/');
    struct slice host = slice_head(text, slash);
    if (slash == text.size || slice_find(host, '.') == host.size || !check_uri_reference(text) ||
        slice_find(text, ':') < text.size)
        return false;
    size_t name_at = text.size;
    while (text.data[name_at - 1] != '/')
        name_at--;
    struct slice name = slice_skip(text, name_at);
    bool begins = true; /* a word of the dotted name */
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (begins ? !text_is_alpha(c) && c != '_' : !text_is_alpha(c) && !text_is_digit(c) && c != '_' && c != '.')
            return false;
        begins = c == '.';
    }
    return name.size > 0 && !begins;
}

/* -- media type -- */

static size_t token_size(struct slice text) {
    size_t i = 0;
    while (i < text.size && classes[text.data[i]] & TOKEN)
        i++;
    return i;
}

/* A token or a quoted string; 0: neither. */
static size_t parameter_value_size(struct slice text) {
    if (text.size == 0 || text.data[0] != '"')
        return token_size(text);
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] == '"')
            return i + 1;
        if (text.data[i] == '\\')
            i++;
    }
    return 0;
}

bool check_media_type(struct slice text) {
    if (slice_equal(text, SLICE_OF("application/json")))
        return true;
    if (!check_is_plain(text) || text.size == 0 || text.data[text.size - 1] == ' ')
        return false; /* no white space around: HTTP would not keep it */
    size_t size = token_size(text);
    if (size == 0 || size == text.size || text.data[size] != '/')
        return false;
    text = slice_skip(text, size + 1);
    size = token_size(text);
    if (size == 0)
        return false;
    for (;;) {
        text = slice_trim(slice_skip(text, size));
        if (text.size == 0)
            return true;
        if (text.data[0] != ';')
            return false;
        text = slice_trim(slice_skip(text, 1));
        if (text.size == 0)
            return true; /* a trailing semicolon is common, and harmless */
        size = token_size(text);
        if (size == 0 || size == text.size || text.data[size] != '=')
            return false;
        text = slice_skip(text, size + 1);
        size = parameter_value_size(text);
        if (size == 0)
            return false;
    }
}

/* -- attributes -- */

/* Known attributes of text types must say something, but these. */
#define MAY_BE_EMPTY \
    (ATTRIBUTE_BIT(ATTRIBUTE_TRACESTATE) | ATTRIBUTE_BIT(ATTRIBUTE_MSGHEADERS) | ATTRIBUTE_BIT(ATTRIBUTE_HTTPHEADERS) | \
     ATTRIBUTE_BIT(ATTRIBUTE_DLDETAIL) | ATTRIBUTE_BIT(ATTRIBUTE_DLTARGET) | ATTRIBUTE_BIT(ATTRIBUTE_AUTHID) | \
     ATTRIBUTE_BIT(ATTRIBUTE_AUTHCLAIMS) | ATTRIBUTE_BIT(ATTRIBUTE_DSSEMATERIAL))

static const char *check_type(enum attribute_type type, struct slice text) {
    int64_t seconds;
    int32_t nanos, number;
    switch (type) {
    case ATTRIBUTE_STRING:
        return check_string(text) ? NULL : "must be text without control characters and noncharacters";
    case ATTRIBUTE_URI:
        return check_uri(text) ? NULL : "must be an absolute URI";
    case ATTRIBUTE_URI_REFERENCE:
        return check_uri_reference(text) ? NULL : "must be a URI-reference";
    case ATTRIBUTE_TIMESTAMP:
        return timestamp_parse(text, &seconds, &nanos) ? NULL : "must be an RFC 3339 timestamp";
    case ATTRIBUTE_BINARY:
        return text_base64_get(NULL, text) != SIZE_MAX ? NULL : "must be base64";
    case ATTRIBUTE_INTEGER:
        return check_parse_integer(text, &number) ? NULL : "must be an integer of 32 bits";
    case ATTRIBUTE_BOOLEAN:
        return check_parse_boolean(text, &number) ? NULL : "must be true or false";
    }
    return "has an unknown type";
}

const char *check_text(unsigned known, enum attribute_type type, struct slice text) {
    enum message_kind kind;
    if (known == ATTRIBUTE_OTHER)
        return check_type(type, text);
    if (text.size == 0 && !(MAY_BE_EMPTY & ATTRIBUTE_BIT(known)))
        return "must not be empty";
    if (!(CHECK_SPECIAL & ATTRIBUTE_BIT(known)))
        return check_type(type, text);
    if (known == ATTRIBUTE_DATASCHEMA && check_type_url(text))
        return NULL; /* what the protobuf format makes of an Any's type URL */
    if (known == ATTRIBUTE_DATACONTENTTYPE)
        return check_media_type(text) ? NULL : "must be a media type (RFC 2046)";
    if (known == ATTRIBUTE_TARGET)
        return text_is_name(text) ? NULL : "must be the name of a system, or all";
    if (known == ATTRIBUTE_MESSAGETYPE)
        return message_kind_find(text, &kind)
                   ? NULL
                   : "must be event, request, response, command, query, notification, heartbeat or error";
    return check_type(type, text);
}

const char *check_number(unsigned known, enum attribute_type type, int32_t number) {
    if (type == ATTRIBUTE_BOOLEAN)
        return number == 0 || number == 1 ? NULL : "must be true or false";
    switch (known) {
    case ATTRIBUTE_PRIORITY:
        return number >= PRIORITY_LOW && number <= PRIORITY_EMERGENCY ? NULL : "must be an integer from 1 to 5";
    case ATTRIBUTE_MAXATTEMPTS:
        return number >= 1 && number <= 100 ? NULL : "must be an integer from 1 to 100";
    case ATTRIBUTE_INTERTIEHOPS:
    case ATTRIBUTE_DELIVERYATTEMPT:
    case ATTRIBUTE_DLATTEMPTS:
        return number >= 0 ? NULL : "must not be negative";
    case ATTRIBUTE_SAMPLEDRATE:
        return number > 0 ? NULL : "must be greater than 0";
    case ATTRIBUTE_HTTPSTATUS:
        return number >= 100 && number <= 599 ? NULL : "must be an HTTP status from 100 to 599";
    default:
        return NULL;
    }
}

bool check_parse_integer(struct slice text, int32_t *ret_number) {
    int64_t value;
    bool negative = text.size > 0 && text.data[0] == '-';
    struct slice digits = slice_skip(text, negative);
    if (digits.size > 1 && digits.data[0] == '0')
        return false;
    if (digits.size > 10 || !text_to_i64(text, &value) || value < INT32_MIN || value > INT32_MAX)
        return false;
    *ret_number = (int32_t)value;
    return true;
}

bool check_parse_boolean(struct slice text, int32_t *ret_number) {
    bool is_true = slice_equal(text, SLICE_OF("true"));
    if (!is_true && !slice_equal(text, SLICE_OF("false")))
        return false;
    *ret_number = is_true;
    return true;
}
