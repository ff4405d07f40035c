/* I-Regexp (RFC 9485): the regular expressions that JSONPath's match() and search() speak. */
#ifndef TESTING_IREGEXP_H
#define TESTING_IREGEXP_H

#include "base/buffer.h"

#define IREGEXP_NESTING_MAX 60 /* of brackets */

/* Whether `text` is an I-Regexp. If so, it is appended to `out` in the words of PCRE2 (section 5.4 of the RFC). `ret_at`
 * (may be NULL): the first byte that isn't right. */
bool iregexp_translate(struct slice text, struct buffer *out, size_t *ret_at);

#endif
