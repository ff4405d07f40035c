/* Keys of requests, quoted as the draft has it, or bare. */
#include "protocol/http1/once_key.h"

#include "base/text.h"

static bool take(struct slice *rest, uint8_t c) {
    if (rest->size == 0 || rest->data[0] != c)
        return false;
    *rest = slice_skip(*rest, 1);
    return true;
}

/* RFC 9651 section 4.2.5; behind the first quote. `*ret_size` counts on past the room. */
static bool read_string(struct slice *rest, uint8_t *room, size_t *ret_size) {
    for (*ret_size = 0; rest->size; ++*ret_size) {
        uint8_t c = rest->data[0];
        *rest = slice_skip(*rest, 1);
        if (c == '"')
            return true;
        if (c < 0x20 || c > 0x7e)
            return false;
        if (c == '\\') {
            if (rest->size == 0 || (rest->data[0] != '"' && rest->data[0] != '\\'))
                return false;
            c = rest->data[0];
            *rest = slice_skip(*rest, 1);
        }
        if (*ret_size < ONCE_KEY_MAX)
            room[*ret_size] = c;
    }
    return false;
}

static bool is_lower(uint8_t c) {
    return c >= 'a' && c <= 'z';
}

/* Numbers, tokens, bytes, booleans and dates alike: what they say is nobody's business here. */
static bool is_bare_byte(uint8_t c) {
    return text_is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~:/?@=", c));
}

/* RFC 9651 section 4.2.3.2 */
static bool skip_parameters(struct slice *rest) {
    uint8_t room[ONCE_KEY_MAX];
    size_t size;
    while (take(rest, ';')) {
        while (take(rest, ' ')) {
        }
        if (rest->size == 0 || !(is_lower(rest->data[0]) || rest->data[0] == '*'))
            return false;
        while (rest->size && (is_lower(rest->data[0]) || text_is_digit(rest->data[0]) || strchr("_-.*", rest->data[0])))
            *rest = slice_skip(*rest, 1);
        if (!take(rest, '='))
            continue;
        if (take(rest, '"')) {
            if (!read_string(rest, room, &size))
                return false;
            continue;
        }
        struct slice before = *rest;
        while (rest->size && is_bare_byte(rest->data[0]))
            *rest = slice_skip(*rest, 1);
        if (rest->size == before.size)
            return false;
    }
    return true;
}

static bool is_bare(struct slice value) {
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] <= 0x20 || value.data[i] > 0x7e || strchr("\"\\,;", value.data[i]))
            return false;
    return value.size > 0 && value.size <= ONCE_KEY_MAX;
}

bool once_key(struct slice value, uint8_t room[static ONCE_KEY_MAX], struct slice *ret) {
    struct slice rest = value;
    size_t size;
    if (!take(&rest, '"')) {
        *ret = value;
        return is_bare(value);
    }
    if (!read_string(&rest, room, &size) || !skip_parameters(&rest))
        return false;
    while (take(&rest, ' ')) {
    }
    *ret = slice_make(room, size);
    return rest.size == 0 && size > 0 && size <= ONCE_KEY_MAX;
}
