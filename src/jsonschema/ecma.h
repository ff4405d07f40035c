/* Regular expressions of JSON Schema (ECMA-262, as far as PCRE2 speaks it), with an end to what they may cost. */
#ifndef JSONSCHEMA_ECMA_H
#define JSONSCHEMA_ECMA_H

#include "base/arena.h"
#include "base/status.h"

#define ECMA_TEXT_MAX 4096u /* bytes of one expression */
#define ECMA_NEST_MAX 32u /* groups inside each other */
#define ECMA_STEPS_MAX 100000u /* of one match */
#define ECMA_HEAP_MAX 1024u /* KiB that one match may take */

struct ecma;

/* All memory is the arena's. BAD_CONFIG with words, NO_MEMORY. */
enum status ecma_compile(struct slice text, struct arena *arena, const struct ecma **ret, char *words,
                         size_t words_size);

/* What matching needs; of one thread. */
struct ecma_room {
    void *match; /* NULL: not made yet */
    void *limits;
    void *general;
};
void ecma_room_done(struct ecma_room *room);
/* Anywhere in `text`, which is UTF-8. OK; TOO_LARGE: a limit was reached; NO_MEMORY. */
enum status ecma_matches(const struct ecma *ecma, struct slice text, struct ecma_room *room,
                         bool *ret_matches);

#endif
