/* Which REST route an HTTP request takes: rules in order, the lowest one that holds.
 *
 * A trie of path segments under each host leaves few candidates, however many rules there are; method, header fields,
 * listener and sender are then checked in order. */
#ifndef POLICY_REST_H
#define POLICY_REST_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

#define REST_SEGMENTS_MAX 32   /* of one template */
#define REST_PARAMETERS_MAX 16 /* `{name}`s of one template */

struct rest_header {
    struct slice name;          /* lower case */
    const struct slice *values; /* any of them; `*`: it is there, whatever it says */
    size_t count;
};

struct rest_rule {
    const struct slice *methods; /* none: any. GET stands for HEAD too */
    size_t method_count;
    const struct slice *hosts; /* lower case, without port; `*.suffix`; none: any */
    size_t host_count;
    const struct slice *paths; /* templates, as rest_path_check() takes them; none: any */
    size_t path_count;
    const struct rest_header *headers; /* all must hold */
    size_t header_count;
    const uint32_t *from; /* any of these; none: any or no system */
    size_t from_count;
    const uint32_t *listeners;
    size_t listener_count;
};

struct rest_ask {
    struct slice method;
    struct slice path; /* normal form */
    struct slice host; /* as it came, port and all */
    uint32_t from;
    uint32_t listener;
    const void *head;
    /* The field of that name (lower case) number `index`; data NULL: none (any more). */
    struct slice (*field)(const void *head, struct slice name, unsigned index);
};

struct rest_parameters {
    unsigned count;
    struct rest_parameter {
        struct slice name;
        struct slice value; /* as it stands in the path */
    } items[REST_PARAMETERS_MAX];
};

struct rest_table;

/* What is wrong with a path template, in words; NULL: nothing. `/a/{name}/b`, and `**` as the last segment. */
const char *rest_path_check(struct slice path);
/* `a.example`, `*.a.example`; no port. */
const char *rest_host_check(struct slice host);

/* The rules and what they name are used until the arena ends. STATUS_NO_MEMORY is the only failure. */
enum status rest_compile(const struct rest_rule *rules, size_t count, struct arena *arena, const struct rest_table **ret);
/* Index of the first rule that holds, or -1. Any thread. */
int rest_find(const struct rest_table *table, const struct rest_ask *ask);
/* The values of the `{name}`s in the rule's template that fits `path`. */
void rest_capture(const struct rest_rule *rule, struct slice path, struct rest_parameters *ret);

#endif
