/* Finds the system that a `source` belongs to: sorted prefixes, each knowing the next shorter one. */
#include <stdlib.h>

#include "base/text.h"
#include "security/security.h"

bool source_covers(struct slice prefix, struct slice source) {
    if (!slice_starts(source, prefix) || prefix.size == 0)
        return false;
    uint8_t last = prefix.data[prefix.size - 1];
    if (source.size == prefix.size || !(text_is_alpha(last) || text_is_digit(last) || last >= 0x80))
        return true;
    uint8_t next = source.data[prefix.size];
    return next == '/' || next == '?' || next == '#' || next == ':';
}

static int compare(const void *a, const void *b) {
    const struct source_prefix *left = a, *right = b;
    int order = slice_compare(left->text, right->text);
    return order ? order : left->system < right->system ? -1 : left->system > right->system;
}

bool source_index_build(struct source_index *index, const struct security_view *view, struct arena *arena) {
    size_t count = 0;
    for (size_t i = 0; i < view->system_count; i++)
        count += view->systems[i].source_count;
    struct source_prefix *prefixes = arena_array(arena, count, sizeof *prefixes);
    if (!prefixes)
        return false;
    count = 0;
    for (size_t i = 0; i < view->system_count; i++)
        for (size_t j = 0; j < view->systems[i].source_count; j++)
            prefixes[count++] = (struct source_prefix){view->systems[i].sources[j], (uint32_t)i, SECURITY_NONE};
    qsort(prefixes, count, sizeof *prefixes, compare);
    for (size_t i = 1; i < count; i++) { /* all prefixes of a text sort before it, and are each other's parents */
        uint32_t parent = (uint32_t)i - 1;
        while (parent != SECURITY_NONE && !slice_starts(prefixes[i].text, prefixes[parent].text))
            parent = prefixes[parent].parent;
        prefixes[i].parent = parent;
    }
    *index = (struct source_index){prefixes, count};
    return true;
}

uint32_t source_owner(const struct security *security, struct slice source) {
    const struct source_prefix *prefixes = security->sources.prefixes;
    size_t low = 0, high = security->sources.count;
    while (low < high) { /* the first one after `source` */
        size_t middle = low + (high - low) / 2;
        if (slice_compare(prefixes[middle].text, source) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t at = low ? (uint32_t)low - 1 : SECURITY_NONE;
    while (at != SECURITY_NONE && !source_covers(prefixes[at].text, source))
        at = prefixes[at].parent;
    if (at == SECURITY_NONE)
        return SECURITY_NONE;
    size_t size = prefixes[at].text.size;
    uint32_t owner = prefixes[at].system;
    for (; at != SECURITY_NONE && prefixes[at].text.size == size; at = prefixes[at].parent) {
        owner = prefixes[at].system;
        if (security_is_guarded(security, owner))
            break;
    }
    return owner;
}
