/* The slice functions that are too long to stand in the header. */
#include "base/slice.h"

#include "base/text.h"

/* Eight bytes, each `A` to `Z` among them in lower case. No addition carries into the next byte: all are below 0x80. */
static uint64_t lower_word(const uint8_t *at) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t word, low;
    memcpy(&word, at, sizeof word);
    low = word & ~highs;
    uint64_t from_a = low + ones * (0x80 - 'A'), past_z = low + ones * (0x7f - 'Z');
    return word | ((from_a & ~past_z & ~word & highs) >> 2);
}

bool slice_equal_nocase(struct slice a, struct slice b) {
    return a.size == b.size && slice_starts_nocase(a, b);
}

bool slice_starts_nocase(struct slice s, struct slice prefix) {
    if (s.size < prefix.size)
        return false;
    size_t i = 0;
    for (; i + 8 <= prefix.size; i += 8)
        if (lower_word(s.data + i) != lower_word(prefix.data + i))
            return false;
    for (; i < prefix.size; i++)
        if (text_lower(s.data[i]) != text_lower(prefix.data[i]))
            return false;
    return true;
}

int slice_compare(struct slice a, struct slice b) {
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

size_t slice_find(struct slice s, uint8_t byte) {
    const uint8_t *hit = s.size ? memchr(s.data, byte, s.size) : NULL;
    return hit ? (size_t)(hit - s.data) : s.size;
}

struct slice slice_trim(struct slice s) {
    while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_skip(s, 1);
    while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}
