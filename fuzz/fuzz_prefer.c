/* `Prefer`: said twice it means the same, and where nothing is quoted so do its elements one by one. */
#include <string.h>

#include "base/assert.h"
#include "protocol/http1/prefer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const struct prefer *a, const struct prefer *b) {
    return a->respond_async == b->respond_async && a->wait_s == b->wait_s && a->seen == b->seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct prefer whole = {0}, parts = {0}, twice;
    struct slice value = slice_make(data, size), rest = value;
    prefer_add(&whole, value);
    ASSERT(whole.respond_async == ((whole.seen & 1) != 0) && (whole.wait_s == 0 || (whole.seen & 2)));
    twice = whole;
    prefer_add(&twice, value);
    ASSERT(is_same(&twice, &whole));
    if (size == 0 || memchr(data, '"', size))
        return 0;
    while (rest.size) {
        size_t end = slice_find(rest, ',');
        prefer_add(&parts, slice_head(rest, end));
        rest = slice_skip(rest, end + 1);
    }
    ASSERT(is_same(&parts, &whole));
    return 0;
}
