/* The chunked transfer coding (RFC 9112 section 7.1), strict, byte by byte where it must be, without memory. */
#ifndef PROTOCOL_HTTP1_CHUNKED_H
#define PROTOCOL_HTTP1_CHUNKED_H

#include "protocol/http1/parse.h"

#define CHUNKED_EXTENSION_MAX 256 /* bytes of one chunk's extension */
#define CHUNKED_DIGITS_MAX 15
#define CHUNKED_TRAILERS_MAX 16   /* trailer fields; they are read past, never merged */
#define CHUNKED_TRAILER_BYTES 8192

struct chunked {
    uint64_t left; /* of the current chunk's data; while its size is read, that size */
    uint32_t count; /* digits, extension bytes, bytes of trailers */
    uint8_t trailers;
    uint8_t state;
    bool in_name; /* of a trailer */
    const char *words; /* HTTP1_BAD */
};

void chunked_init(struct chunked *chunked);
/* Takes from the front of *bytes. HTTP1_DONE: the last chunk and its trailers are passed. HTTP1_MORE with ret_data not
 * empty: a run of the body, call again; empty: the input is used up. */
enum http1_result chunked_next(struct chunked *chunked, struct slice *bytes, struct slice *ret_data);

#endif
