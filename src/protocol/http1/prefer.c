/* The field `Prefer`:
 *   preference = token [ BWS "=" BWS word ] *( OWS ";" [ OWS parameter ] )   (RFC 7240 section 2, with erratum 4439) */
#include "protocol/http1/prefer.h"

#include "base/text.h"

enum { PREFER_ASYNC = 1, PREFER_WAIT = 2 };

#define WORD_MAX 16 /* of values: none that is known is longer */

/* A value without its quotes; cut where it is longer than any that means something. */
struct word {
    size_t size;
    bool is_cut;
    uint8_t bytes[WORD_MAX];
};

static bool is_token_byte(uint8_t c) {
    return text_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_space(struct slice *rest) {
    while (rest->size && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        *rest = slice_skip(*rest, 1);
}

static bool take_byte(struct slice *rest, uint8_t c) {
    if (rest->size == 0 || rest->data[0] != c)
        return false;
    *rest = slice_skip(*rest, 1);
    return true;
}

static struct slice take_token(struct slice *rest) {
    size_t size = 0;
    while (size < rest->size && is_token_byte(rest->data[size]))
        size++;
    struct slice token = slice_head(*rest, size);
    *rest = slice_skip(*rest, size);
    return token;
}

static void word_add(struct word *word, uint8_t c) {
    if (word->size < WORD_MAX)
        word->bytes[word->size++] = c;
    else
        word->is_cut = true;
}

/* Behind its first quote (RFC 9110 section 5.6.4); false when it has no end. */
static bool take_quoted(struct slice *rest, struct word *word) {
    while (rest->size) {
        uint8_t c = rest->data[0];
        *rest = slice_skip(*rest, 1);
        if (c == '"')
            return true;
        if (c == '\\') {
            if (rest->size == 0)
                return false;
            c = rest->data[0];
            *rest = slice_skip(*rest, 1);
        }
        word_add(word, c);
    }
    return false;
}

static bool take_word(struct slice *rest, struct word *word) {
    if (take_byte(rest, '"'))
        return take_quoted(rest, word);
    struct slice token = take_token(rest);
    for (size_t i = 0; i < token.size; i++)
        word_add(word, token.data[i]);
    return true; /* an empty value counts as none (section 2) */
}

/* A name, and its value if it has one; false when neither is there. */
static bool take_pair(struct slice *rest, struct slice *ret_name, struct word *word) {
    *word = (struct word){0};
    *ret_name = take_token(rest);
    if (ret_name->size == 0)
        return false;
    struct slice before = *rest;
    skip_space(rest);
    if (!take_byte(rest, '=')) {
        *rest = before;
        return true;
    }
    skip_space(rest);
    return take_word(rest, word);
}

static bool take_parameters(struct slice *rest) {
    struct slice name;
    struct word word;
    for (;;) {
        skip_space(rest);
        if (!take_byte(rest, ';'))
            return true;
        skip_space(rest);
        if (rest->size && is_token_byte(rest->data[0]) && !take_pair(rest, &name, &word))
            return false;
    }
}

static void note_wait(struct prefer *prefer, const struct word *word) {
    uint64_t seconds = 0;
    bool is_number = word->size > 0;
    for (size_t i = 0; i < word->size; i++)
        is_number = is_number && text_is_digit(word->bytes[i]);
    if (!is_number || prefer->seen & PREFER_WAIT)
        return;
    prefer->seen |= PREFER_WAIT;
    if (word->is_cut || !text_to_u64(slice_make(word->bytes, word->size), &seconds) || seconds > UINT32_MAX)
        seconds = UINT32_MAX;
    prefer->wait_s = (uint32_t)seconds;
}

static void note(struct prefer *prefer, struct slice name, const struct word *word) {
    if (slice_equal_nocase(name, SLICE_OF("respond-async")) && word->size == 0) {
        prefer->respond_async = true;
        prefer->seen |= PREFER_ASYNC;
    } else if (slice_equal_nocase(name, SLICE_OF("wait"))) {
        note_wait(prefer, word);
    }
}

/* To the next comma; those in quotes aren't between preferences. */
static void skip_broken(struct slice *rest) {
    struct word word = {0};
    while (rest->size && rest->data[0] != ',') {
        bool is_quote = rest->data[0] == '"';
        *rest = slice_skip(*rest, 1);
        if (is_quote)
            take_quoted(rest, &word);
    }
}

void prefer_add(struct prefer *prefer, struct slice value) {
    while (value.size) {
        struct slice name;
        struct word word;
        skip_space(&value);
        if (take_byte(&value, ','))
            continue;
        bool is_whole = take_pair(&value, &name, &word) && take_parameters(&value) &&
                        (value.size == 0 || value.data[0] == ',');
        if (is_whole)
            note(prefer, name, &word);
        else
            skip_broken(&value);
    }
}

struct prefer prefer_of(const struct http1_head *head) {
    struct prefer prefer = {0};
    if (!head->known[HTTP1_PREFER])
        return prefer;
    for (uint32_t i = head->known[HTTP1_PREFER] - 1u; i < head->field_count; i++)
        if (slice_equal_nocase(head->fields[i].name, SLICE_OF("prefer")))
            prefer_add(&prefer, head->fields[i].value);
    return prefer;
}
