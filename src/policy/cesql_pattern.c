/* Patterns of LIKE (CESQL section 3.4.3) and GLOB, matched without recursion. */
#include "base/text.h"
#include "policy/cesql_ops.h"

#define ANY_ONE 0xfe
#define ANY_RUN 0xff

size_t cesql_pattern_like(uint8_t *out, struct slice pattern) {
    size_t size = 0;
    for (size_t i = 0; i < pattern.size; i++) {
        uint8_t c = pattern.data[i];
        if (c == '\\' && i + 1 < pattern.size && (pattern.data[i + 1] == '%' || pattern.data[i + 1] == '_'))
            out[size++] = pattern.data[++i];
        else
            out[size++] = c == '%' ? ANY_RUN : c == '_' ? ANY_ONE : c;
    }
    return size;
}

size_t cesql_pattern_glob(uint8_t *out, struct slice pattern) {
    size_t size = 0;
    for (size_t i = 0; i < pattern.size; i++) {
        uint8_t c = pattern.data[i];
        if (c == '\\' && i + 1 < pattern.size)
            out[size++] = pattern.data[++i];
        else
            out[size++] = c == '*' ? ANY_RUN : c == '?' ? ANY_ONE : c;
    }
    return size;
}

size_t cesql_character_size(struct slice text, size_t at) {
    if (text.data[at] < 0x80)
        return 1;
    uint32_t point;
    size_t size = text_utf8_next(slice_skip(text, at), &point);
    return size ? size : 1;
}

/* Only the last run can need more characters than it has: an earlier one that took fewer leaves no less to the later.
 * So there is one place to come back to, and the work is at most text x pattern. */
bool cesql_pattern_matches(struct slice compiled, struct slice text, uint64_t *work) {
    size_t p = 0, t = 0;
    size_t run_p = SIZE_MAX, run_t = 0;
    while (t < text.size) {
        if (*work == 0)
            return false;
        --*work;
        uint8_t c = p < compiled.size ? compiled.data[p] : 0;
        if (p < compiled.size && c == ANY_RUN) {
            if (++p == compiled.size)
                return true;
            run_p = p;
            run_t = t;
        } else if (p < compiled.size && c == ANY_ONE) {
            p++;
            t += cesql_character_size(text, t);
        } else if (p < compiled.size && c == text.data[t]) {
            p++;
            t++;
        } else if (run_p != SIZE_MAX) {
            run_t += cesql_character_size(text, run_t);
            t = run_t;
            p = run_p;
        } else {
            return false;
        }
    }
    while (p < compiled.size && compiled.data[p] == ANY_RUN)
        p++;
    return p == compiled.size;
}
