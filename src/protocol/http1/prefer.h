/* What a request prefers: the field `Prefer` (RFC 7240), as far as it means something here. */
#ifndef PROTOCOL_HTTP1_PREFER_H
#define PROTOCOL_HTTP1_PREFER_H

#include "protocol/http1/parse.h"

struct prefer {
    bool respond_async; /* section 4.1 */
    uint32_t wait_s; /* section 4.3; 0: not said. What is too large to count is the largest that isn't */
    uint8_t seen; /* PREFER_..: what was said counts, of its repetitions none does (section 2) */
};

/* One more field value. Preferences that are unknown or make no sense are passed over, as is the rest of a value from
 * where it breaks the grammar to the next comma: nothing that is merely preferred is an error. */
void prefer_add(struct prefer *prefer, struct slice value);
/* All fields of a request. */
struct prefer prefer_of(const struct http1_head *head);

#endif
