/* PCRE2 behind a door: memory of the arena, limits on matching, no machine code made at run time. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "jsonschema/ecma.h"

#include <pcre2.h>
#include <stdio.h>

#include "base/memory.h"

struct ecma {
    const pcre2_code *code;
};

static void *from_arena(size_t size, void *arena) {
    return arena_new(arena, size);
}

static void to_arena(void *block, void *arena) {
    (void)block, (void)arena; /* it ends with the arena */
}

static void *from_heap(size_t size, void *user) {
    (void)user;
    return memory_alloc(size);
}

static void to_heap(void *block, void *user) {
    (void)user;
    memory_free(block);
}

enum status ecma_compile(struct slice text, struct arena *arena, const struct ecma **ret, char *words,
                         size_t words_size) {
    /* `$` is the end and nothing else, a group that took no part matches the empty text: as in ECMA-262. */
    const uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX |
                             PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C;
    int code = 0;
    PCRE2_SIZE offset = 0;
    struct ecma *ecma = arena_new(arena, sizeof *ecma);
    pcre2_general_context *general = pcre2_general_context_create(from_arena, to_arena, arena);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    if (!ecma || !context)
        return STATUS_NO_MEMORY;
    if (text.size > ECMA_TEXT_MAX || slice_starts(text, SLICE_OF("(*"))) {
        (void)snprintf(words, words_size,
                       text.size > ECMA_TEXT_MAX ? "is longer than 4096 bytes" : "may not begin with `(*`");
        return STATUS_BAD_CONFIG;
    }
    pcre2_set_parens_nest_limit(context, ECMA_NEST_MAX);
    pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
    ecma->code =
        pcre2_compile(text.size ? text.data : (PCRE2_SPTR) "", text.size, options, &code, &offset, context);
    if (ecma->code) {
        *ret = ecma;
        return STATUS_OK;
    }
    if (code == PCRE2_ERROR_HEAP_FAILED)
        return STATUS_NO_MEMORY;
    PCRE2_UCHAR message[120];
    pcre2_get_error_message(code, message, sizeof message);
    (void)snprintf(words, words_size, "is no regular expression: %s (at byte %zu)", (const char *)message,
                   (size_t)offset);
    return STATUS_BAD_CONFIG;
}

void ecma_room_done(struct ecma_room *room) {
    pcre2_match_data_free(room->match);
    pcre2_match_context_free(room->limits);
    pcre2_general_context_free(room->general);
    *room = (struct ecma_room){0};
}

static bool make_room(struct ecma_room *room) {
    if (room->match)
        return true;
    room->general = pcre2_general_context_create(from_heap, to_heap, NULL);
    room->limits = room->general ? pcre2_match_context_create(room->general) : NULL;
    room->match = room->limits ? pcre2_match_data_create(1, room->general) : NULL;
    if (!room->match) {
        ecma_room_done(room);
        return false;
    }
    pcre2_set_match_limit(room->limits, ECMA_STEPS_MAX);
    pcre2_set_heap_limit(room->limits, ECMA_HEAP_MAX);
    return true;
}

enum status ecma_matches(const struct ecma *ecma, struct slice text, struct ecma_room *room,
                         bool *ret_matches) {
    if (!make_room(room))
        return STATUS_NO_MEMORY;
    int result = pcre2_match(ecma->code, text.size ? text.data : (PCRE2_SPTR) "", text.size, 0,
                             PCRE2_NO_UTF_CHECK, room->match, room->limits);
    if (result == PCRE2_ERROR_NOMEMORY)
        return STATUS_NO_MEMORY;
    if (result < 0 && result != PCRE2_ERROR_NOMATCH)
        return STATUS_TOO_LARGE;
    *ret_matches = result >= 0;
    return STATUS_OK;
}
