/* A strict JSON reader (RFC 8259) that pulls one token after another out of a slice. */
#include "base/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/assert.h"
#include "base/text.h"

/* What may stand at the cursor. */
enum expect {
    EXPECT_VALUE,
    EXPECT_FIRST_VALUE, /* or the end of an array */
    EXPECT_FIRST_NAME,  /* or the end of an object */
    EXPECT_NAME,
    EXPECT_MORE, /* a comma or the end of what is open; at depth 0 the end of the text */
    EXPECT_NOTHING,
};

void json_init(struct json *json, struct slice text, unsigned depth_max) {
    ASSERT(depth_max <= JSON_DEPTH_LIMIT);
    json->start = json->at = text.data ? text.data : (const uint8_t *)""; /* no text is an empty one */
    json->end = json->start + text.size;
    json->error = NULL;
    json->depth = 0;
    json->depth_max = (uint16_t)(depth_max ? depth_max : JSON_DEPTH_DEFAULT);
    json->expect = EXPECT_VALUE;
}

static enum json_type fail(struct json *json, struct json_item *item, const uint8_t *at, const char *error) {
    json->at = at;
    json->error = error;
    item->type = JSON_ERROR;
    item->at = (size_t)(at - json->start);
    item->raw = slice_make(at, 0);
    return JSON_ERROR;
}

static inline const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* The first byte of a string that needs a look: quote, backslash, control or not ASCII. */
static inline const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end) {
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* Signed: below the space are the controls and all bytes with the high bit. */
        __m128i hits = _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                                    _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hits);
        if (mask)
            return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* `at` is behind a backslash; the place behind the escape, NULL when it is none. */
static const uint8_t *skip_escape(const uint8_t *at, const uint8_t *end) {
    if (at == end)
        return NULL;
    switch (*at++) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at;
    case 'u':
        if (end - at < 4)
            return NULL;
        for (int i = 0; i < 4; i++)
            if (text_hex_value(at[i]) < 0)
                return NULL;
        return at + 4;
    default:
        return NULL;
    }
}

/* `at` is behind the opening quote. Gives the closing quote, or NULL after fail(). */
static const uint8_t *read_string(struct json *json, struct json_item *item, const uint8_t *at) {
    const uint8_t *end = json->end;
    item->has_escapes = false;
    item->raw.data = at;
    for (;;) {
        at = skip_plain(at, end);
        if (at == end)
            return fail(json, item, at, "string without end"), NULL;
        if (*at == '"')
            break;
        if (*at == '\\') {
            const uint8_t *next = skip_escape(at + 1, end);
            if (!next)
                return fail(json, item, at, "unknown escape in string"), NULL;
            item->has_escapes = true;
            at = next;
        } else if (*at < 0x20) {
            return fail(json, item, at, "control character in string"), NULL;
        } else {
            uint32_t point;
            size_t length = text_utf8_next(slice_make(at, (size_t)(end - at)), &point);
            if (length == 0)
                return fail(json, item, at, "invalid UTF-8 in string"), NULL;
            at += length;
        }
    }
    item->raw.size = (size_t)(at - item->raw.data);
    return at;
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end) {
    while (at < end && text_is_digit(*at))
        at++;
    return at;
}

static enum json_type read_number(struct json *json, struct json_item *item, const uint8_t *at) {
    const uint8_t *end = json->end;
    const uint8_t *start = at;
    at += *at == '-';
    const uint8_t *digits = at;
    at = skip_digits(at, end);
    if (at == digits)
        return fail(json, item, at, "digit expected");
    if (*digits == '0' && at - digits > 1)
        return fail(json, item, digits, "number with a leading zero");
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits)
            return fail(json, item, at, "digit expected after the decimal point");
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = skip_digits(at, end);
        if (at == digits)
            return fail(json, item, at, "digit expected in the exponent");
    }
    item->raw = slice_make(start, (size_t)(at - start));
    json->at = at;
    json->expect = EXPECT_MORE;
    return item->type = JSON_NUMBER;
}

static enum json_type read_word(struct json *json, struct json_item *item, const uint8_t *at, struct slice word,
                                enum json_type type) {
    if ((size_t)(json->end - at) < word.size || memcmp(at, word.data, word.size) != 0)
        return fail(json, item, at, "value expected");
    item->raw = slice_make(at, word.size);
    json->at = at + word.size;
    json->expect = EXPECT_MORE;
    return item->type = type;
}

static enum json_type open_level(struct json *json, struct json_item *item, const uint8_t *at, bool is_object) {
    if (json->depth == json->depth_max)
        return fail(json, item, at, "nested too deeply");
    uint64_t bit = UINT64_C(1) << (json->depth & 63);
    if (is_object)
        json->objects[json->depth >> 6] |= bit;
    else
        json->objects[json->depth >> 6] &= ~bit;
    json->depth++;
    json->at = at + 1;
    json->expect = is_object ? EXPECT_FIRST_NAME : EXPECT_FIRST_VALUE;
    item->raw = slice_make(at, 1);
    return item->type = is_object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_type close_level(struct json *json, struct json_item *item, const uint8_t *at, bool is_object) {
    json->depth--;
    json->at = at + 1;
    json->expect = EXPECT_MORE;
    item->raw = slice_make(at, 1);
    return item->type = is_object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_type read_value(struct json *json, struct json_item *item, const uint8_t *at) {
    switch (*at) {
    case '"': {
        const uint8_t *quote = read_string(json, item, at + 1);
        if (!quote)
            return JSON_ERROR;
        json->at = quote + 1;
        json->expect = EXPECT_MORE;
        return item->type = JSON_STRING;
    }
    case '{':
        return open_level(json, item, at, true);
    case '[':
        return open_level(json, item, at, false);
    case 't':
        return read_word(json, item, at, SLICE_OF("true"), JSON_TRUE);
    case 'f':
        return read_word(json, item, at, SLICE_OF("false"), JSON_FALSE);
    case 'n':
        return read_word(json, item, at, SLICE_OF("null"), JSON_NULL);
    default:
        if (*at == '-' || text_is_digit(*at))
            return read_number(json, item, at);
        return fail(json, item, at, "value expected");
    }
}

/* A member's name and its colon. */
static enum json_type read_name(struct json *json, struct json_item *item, const uint8_t *at) {
    if (*at != '"')
        return fail(json, item, at, "name of a member expected, in quotes");
    const uint8_t *quote = read_string(json, item, at + 1);
    if (!quote)
        return JSON_ERROR;
    at = skip_space(quote + 1, json->end);
    if (at == json->end || *at != ':')
        return fail(json, item, at, "':' expected after the name");
    json->at = at + 1;
    json->expect = EXPECT_VALUE;
    return item->type = JSON_NAME;
}

enum json_type json_next(struct json *json, struct json_item *item) {
    if (json->error)
        return fail(json, item, json->at, json->error);
    const uint8_t *at = skip_space(json->at, json->end);
    unsigned expect = json->expect;
    item->has_escapes = false;
    if (expect == EXPECT_MORE) {
        if (json->depth == 0) {
            if (at != json->end)
                return fail(json, item, at, "more text after the value");
            json->at = at;
            item->at = (size_t)(at - json->start);
            item->raw = slice_make(at, 0);
            return item->type = JSON_END;
        }
        if (at == json->end)
            return fail(json, item, at, "text ends too early");
        bool in_object = json->objects[(json->depth - 1) >> 6] >> ((json->depth - 1) & 63) & 1;
        if (*at == (in_object ? '}' : ']')) {
            item->at = (size_t)(at - json->start);
            return close_level(json, item, at, in_object);
        }
        if (*at != ',')
            return fail(json, item, at, in_object ? "',' or '}' expected" : "',' or ']' expected");
        at = skip_space(at + 1, json->end);
        expect = in_object ? EXPECT_NAME : EXPECT_VALUE;
    }
    if (at == json->end)
        return fail(json, item, at, "text ends too early");
    item->at = (size_t)(at - json->start);
    if (expect == EXPECT_FIRST_NAME && *at == '}')
        return close_level(json, item, at, true);
    if (expect == EXPECT_FIRST_VALUE && *at == ']')
        return close_level(json, item, at, false);
    if (expect == EXPECT_NAME || expect == EXPECT_FIRST_NAME)
        return read_name(json, item, at);
    return read_value(json, item, at);
}

enum json_type json_skip(struct json *json, struct json_item *item) {
    unsigned depth = json->depth;
    enum json_type type = json_next(json, item);
    if (type != JSON_OBJECT && type != JSON_ARRAY)
        return type;
    struct json_item inner;
    do {
        if (json_next(json, &inner) == JSON_ERROR) {
            *item = inner;
            return JSON_ERROR;
        }
    } while (json->depth > depth);
    item->raw.size = (size_t)(json->at - item->raw.data);
    return type;
}

bool json_is_valid(struct slice text, unsigned depth_max) {
    struct json json;
    struct json_item item;
    json_init(&json, text, depth_max);
    return json_skip(&json, &item) != JSON_ERROR && json_next(&json, &item) == JSON_END;
}
