/* Content codings: zstd (RFC 8878), gzip (RFC 1952) and deflate (the zlib format, RFC 1950), whole bodies at a time.
 *
 * Contexts belong to a worker, are made at their first use and kept; no connection has one of its own. What comes in is
 * decoded into one place: the output is the window, so what a frame says about its window costs no memory. Bombs are
 * bounded by the size that the caller allows and by the ratio. */
#ifndef PROTOCOL_CODING_H
#define PROTOCOL_CODING_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/status.h"

enum coding {
    CODING_NONE,
    CODING_ZSTD,
    CODING_GZIP,
    CODING_DEFLATE,
    CODING_COUNT,
};

#define CODING_LEAST 1024u          /* bytes from which on it is worth the time */
#define CODING_RATIO 100u           /* what comes out may be so many times what came in.. */
#define CODING_RATIO_FROM 65536u    /* ..beyond that much */
#define CODING_MEMBERS_MAX 1024u    /* gzip members or zstd frames of one body */

struct coder; /* the contexts of a worker; NULL until they are needed */

static inline unsigned coding_bit(enum coding coding) {
    return 1u << coding;
}
/* As in Content-Encoding and HELLO `comp`. */
struct slice coding_name(enum coding coding);
/* Without regard to case; `x-gzip` is gzip (RFC 9110 section 8.4.1.3). CODING_NONE: unknown, or "identity". */
enum coding coding_find(struct slice name);

/* STATUS_OK with `bytes` in that coding and smaller than they were; TOO_LARGE: they don't get smaller, or so much smaller
 * that coding_unpack() would take it for a bomb; NO_MEMORY. The result lives until the next coding_pack(). */
enum status coding_pack(struct coder **coder, enum coding coding, struct slice bytes, struct slice *ret_packed);
/* The bytes that `packed` stands for, all members of it. TOO_LARGE: more than `max`, or a ratio that no honest sender
 * has; MALFORMED_EVENT: damaged, cut short, or with something behind it; NO_MEMORY. `ret_words` says which. The result
 * lives until the next coding_unpack() or coding_rest(). */
enum status coding_unpack(struct coder **coder, enum coding coding, struct slice packed, size_t max,
                          struct slice *ret_bytes, const char **ret_words);
/* The same into a place of its own, for who is called while another body is still being read. It lives until the next of
 * these. */
enum status coding_recover(struct coder **coder, enum coding coding, struct slice packed, size_t max, struct slice *ret_bytes);
/* Gives memory back that only large bodies needed. */
void coding_rest(struct coder *coder);
void coding_done(struct coder **coder);

#endif
