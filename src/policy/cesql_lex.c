/* CESQL tokens (section 2). */
#include "base/text.h"
#include "policy/cesql_ops.h"

static const struct {
    struct slice word;
    enum cesql_token_type type;
} keywords[] = {
    {SLICE("not"), TOKEN_NOT}, {SLICE("and"), TOKEN_AND},       {SLICE("or"), TOKEN_OR},
    {SLICE("xor"), TOKEN_XOR}, {SLICE("like"), TOKEN_LIKE},     {SLICE("in"), TOKEN_IN},
    {SLICE("true"), TOKEN_TRUE}, {SLICE("false"), TOKEN_FALSE}, {SLICE("exists"), TOKEN_EXISTS},
};

static enum cesql_token_type keyword(struct slice word) {
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (slice_equal_nocase(word, keywords[i].word))
            return keywords[i].type;
    return TOKEN_WORD;
}

static struct cesql_token take(struct cesql_lexer *lexer, enum cesql_token_type type, size_t size) {
    struct cesql_token token = {type, 0, lexer->at, slice_make(lexer->text.data + lexer->at, size)};
    lexer->at += size;
    return token;
}

static struct cesql_token bad(struct cesql_lexer *lexer, const char *text) {
    return (struct cesql_token){TOKEN_BAD, 0, lexer->at, slice_from(text)};
}

static struct cesql_token take_string(struct cesql_lexer *lexer, uint8_t quote) {
    struct slice rest = slice_skip(lexer->text, lexer->at);
    for (size_t i = 1; i < rest.size; i++) {
        if (rest.data[i] == '\\') {
            i++; /* whatever comes next doesn't end it */
        } else if (rest.data[i] == quote) {
            struct cesql_token token = take(lexer, TOKEN_STRING, i + 1);
            token.quote = quote;
            token.text = slice_make(token.text.data + 1, i - 1);
            return token;
        }
    }
    return bad(lexer, "the quote is never closed");
}

static struct cesql_token take_word(struct cesql_lexer *lexer) {
    struct slice rest = slice_skip(lexer->text, lexer->at);
    size_t size = 0;
    bool number = true;
    while (size < rest.size) {
        uint8_t c = rest.data[size];
        if (!text_is_digit(c) && !text_is_alpha(c) && c != '_')
            break;
        number = number && text_is_digit(c);
        size++;
    }
    if (number)
        return take(lexer, TOKEN_INTEGER, size);
    return take(lexer, keyword(slice_head(rest, size)), size);
}

static struct cesql_token take_sign(struct cesql_lexer *lexer) {
    struct slice rest = slice_skip(lexer->text, lexer->at);
    uint8_t next = rest.size > 1 ? rest.data[1] : 0;
    switch (rest.data[0]) {
    case '(': return take(lexer, TOKEN_OPEN, 1);
    case ')': return take(lexer, TOKEN_CLOSE, 1);
    case ',': return take(lexer, TOKEN_COMMA, 1);
    case '+': return take(lexer, TOKEN_PLUS, 1);
    case '-': return take(lexer, TOKEN_MINUS, 1);
    case '*': return take(lexer, TOKEN_STAR, 1);
    case '/': return take(lexer, TOKEN_SLASH, 1);
    case '%': return take(lexer, TOKEN_PERCENT, 1);
    case '=': return next == '=' ? bad(lexer, "`==` is written `=`") : take(lexer, TOKEN_EQUAL, 1);
    case '!': return next == '=' ? take(lexer, TOKEN_UNEQUAL, 2) : bad(lexer, "`!` is written NOT");
    case '<':
        if (next == '>')
            return take(lexer, TOKEN_UNEQUAL, 2);
        return next == '=' ? take(lexer, TOKEN_LESS_EQUAL, 2) : take(lexer, TOKEN_LESS, 1);
    case '>': return next == '=' ? take(lexer, TOKEN_GREATER_EQUAL, 2) : take(lexer, TOKEN_GREATER, 1);
    case '&': return bad(lexer, "`&&` is written AND");
    case '|': return bad(lexer, "`||` is written OR");
    case '_': return bad(lexer, "a name begins with a letter or a digit");
    default: return bad(lexer, "this character has no meaning here");
    }
}

struct cesql_token cesql_lex_next(struct cesql_lexer *lexer) {
    while (lexer->at < lexer->text.size) {
        uint8_t c = lexer->text.data[lexer->at];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
        lexer->at++;
    }
    if (lexer->at == lexer->text.size)
        return take(lexer, TOKEN_END, 0);
    uint8_t c = lexer->text.data[lexer->at];
    if (c == '\'' || c == '"')
        return take_string(lexer, c);
    if (text_is_digit(c) || text_is_alpha(c))
        return take_word(lexer);
    return take_sign(lexer);
}
