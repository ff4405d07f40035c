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

/* Bytes from `at` on that mean themselves. */
static size_t literal_size(struct slice compiled, size_t at) {
    size_t end = at;
    while (end < compiled.size && compiled.data[end] != ANY_ONE && compiled.data[end] != ANY_RUN)
        end++;
    return end - at;
}

/* Where `literal` first ends in `text` from `at` on; SIZE_MAX: nowhere, or too much work. */
static size_t find_literal(struct slice text, size_t at, struct slice literal, uint64_t *work) {
    struct slice rest = slice_skip(text, at);
    const uint8_t *found = memmem(rest.data, rest.size, literal.data, literal.size);
    size_t looked_at = found ? (size_t)(found - rest.data) + literal.size : rest.size;
    if (looked_at >= *work) {
        *work = 0;
        return SIZE_MAX;
    }
    *work -= looked_at;
    return found ? at + looked_at : SIZE_MAX;
}

/* What stands after a run and has no `any one` in it is searched for as a whole, which takes no longer than the text is:
 * else a filter and a subject made for each other, `%aa..ab%` and `aaaa..`, cost milliseconds each time.
 *
 * Only the last run can need more characters than it has: an earlier one that took fewer leaves no less to the later.
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
            struct slice literal = slice_make(compiled.data + p, literal_size(compiled, p));
            if (p + literal.size == compiled.size) /* to the end of both */
                return text.size - t >= literal.size &&
                       memcmp(text.data + text.size - literal.size, literal.data, literal.size) == 0;
            if (literal.size && compiled.data[p + literal.size] == ANY_RUN) {
                t = find_literal(text, t, literal, work);
                if (t == SIZE_MAX)
                    return false;
                p += literal.size;
                continue;
            }
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
