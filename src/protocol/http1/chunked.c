/* The chunked decoder: one byte of state at a time in chunk lines, whole runs in chunk data. */
#include "protocol/http1/chunked.h"

#include "base/text.h"

enum {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,    /* at the start of a line */
    TRAILER_IN, /* within a line */
    TRAILER_LF,
    END_LF,
};

void chunked_init(struct chunked *chunked) {
    *chunked = (struct chunked){.state = SIZE};
}

static enum http1_result bad(struct chunked *chunked, const char *words) {
    chunked->words = words;
    return HTTP1_BAD;
}

static enum http1_result at_size(struct chunked *chunked, uint8_t byte) {
    int digit = text_hex_value(byte);
    if (digit >= 0) {
        if (++chunked->count > CHUNKED_DIGITS_MAX)
            return bad(chunked, "a chunk size is too long");
        chunked->left = chunked->left << 4 | (unsigned)digit;
        return HTTP1_MORE;
    }
    if (chunked->count == 0 || (byte != ';' && byte != '\r'))
        return bad(chunked, "a chunk size is no hexadecimal number");
    chunked->state = byte == ';' ? EXTENSION : SIZE_LF;
    chunked->count = 0;
    return HTTP1_MORE;
}

static enum http1_result at_extension(struct chunked *chunked, uint8_t byte) {
    if (byte == '\r') {
        chunked->state = SIZE_LF;
        return HTTP1_MORE;
    }
    if ((byte < ' ' && byte != '\t') || byte == 0x7f)
        return bad(chunked, "a control character in a chunk extension");
    return ++chunked->count > CHUNKED_EXTENSION_MAX ? bad(chunked, "a chunk extension is too long") : HTTP1_MORE;
}

static enum http1_result at_size_lf(struct chunked *chunked, uint8_t byte) {
    if (byte != '\n')
        return bad(chunked, "a bare CR in a chunk line");
    chunked->state = chunked->left ? DATA : TRAILER;
    chunked->count = 0;
    return HTTP1_MORE;
}

static enum http1_result at_trailer(struct chunked *chunked, uint8_t byte) {
    if (++chunked->count > CHUNKED_TRAILER_BYTES)
        return bad(chunked, "the trailers are too large");
    if (byte == '\r') {
        if (chunked->in_name)
            return bad(chunked, "a trailer without a colon");
        chunked->state = chunked->state == TRAILER ? END_LF : TRAILER_LF;
        return HTTP1_MORE;
    }
    if (chunked->state == TRAILER) {
        if (++chunked->trailers > CHUNKED_TRAILERS_MAX)
            return bad(chunked, "too many trailers");
        if (byte == ':')
            return bad(chunked, "a trailer without a name");
        chunked->state = TRAILER_IN;
        chunked->in_name = true;
    }
    if (chunked->in_name && byte == ':') {
        chunked->in_name = false;
        return HTTP1_MORE;
    }
    bool name_byte = text_is_alpha(byte) || text_is_digit(byte) || (byte && strchr("!#$%&'*+-.^_`|~", byte));
    if (chunked->in_name ? !name_byte : (byte < ' ' && byte != '\t') || byte == 0x7f)
        return bad(chunked, "a character that no trailer has");
    return HTTP1_MORE;
}

static enum http1_result take_byte(struct chunked *chunked, uint8_t byte) {
    switch (chunked->state) {
    case SIZE:
        return at_size(chunked, byte);
    case EXTENSION:
        return at_extension(chunked, byte);
    case SIZE_LF:
        return at_size_lf(chunked, byte);
    case DATA_CR:
        chunked->state = DATA_LF;
        return byte == '\r' ? HTTP1_MORE : bad(chunked, "a chunk does not end where its size says");
    case DATA_LF:
        chunked->state = SIZE;
        return byte == '\n' ? HTTP1_MORE : bad(chunked, "a chunk does not end where its size says");
    case TRAILER_LF:
        chunked->state = TRAILER;
        return byte == '\n' ? HTTP1_MORE : bad(chunked, "a bare CR in the trailers");
    case END_LF:
        return byte == '\n' ? HTTP1_DONE : bad(chunked, "a bare CR in the trailers");
    default:
        return at_trailer(chunked, byte);
    }
}

enum http1_result chunked_next(struct chunked *chunked, struct slice *bytes, struct slice *ret_data) {
    *ret_data = slice_make("", 0);
    while (bytes->size) {
        if (chunked->state == DATA) {
            *ret_data = slice_head(*bytes, chunked->left < bytes->size ? (size_t)chunked->left : bytes->size);
            *bytes = slice_skip(*bytes, ret_data->size);
            chunked->left -= ret_data->size;
            if (chunked->left == 0)
                chunked->state = DATA_CR;
            return HTTP1_MORE;
        }
        enum http1_result result = take_byte(chunked, bytes->data[0]);
        *bytes = slice_skip(*bytes, 1);
        if (result != HTTP1_MORE)
            return result;
    }
    return HTTP1_MORE;
}
