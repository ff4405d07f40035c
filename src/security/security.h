/* Inside the room only: the compiled form. */
#ifndef SECURITY_SECURITY_H
#define SECURITY_SECURITY_H

#include "security/identity.h"

/* -- source.c: which systems may write a `source` -- */

struct source_prefix {
    struct slice text;
    uint32_t system;
    uint32_t parent; /* the next shorter prefix of this one, also an equal one; SECURITY_NONE: none */
};

struct source_index {
    const struct source_prefix *prefixes; /* sorted by bytes */
    size_t count;
};

bool source_index_build(struct source_index *index, const struct security_view *view, struct arena *arena);
/* Whether `source` is `prefix` or goes on below it: `/systems/crm` covers `/systems/crm/7`, not `/systems/crm2`. A
 * prefix that ends in a sign (`/`, `:`, `-`) covers whatever begins with it. */
bool source_covers(struct slice prefix, struct slice source);
/* The system with the longest prefix that covers; of several with the same prefix a guarded one, else the
 * first. SECURITY_NONE: none. */
uint32_t source_owner(const struct security *security, struct slice source);

struct security {
    struct security_view view;
    const bool *guarded; /* by system */
    struct source_index sources;
};

#endif
