/* Which route a message takes: rules in order, each a conjunction; the lowest one that holds.
 *
 * An index by the exact values and the prefixes of `type` (messages without target) or `target` (messages with one)
 * leaves few candidates, however many rules there are; what else they ask is then checked in order. Rules that name no
 * `type` are candidates for every message. */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "base/arena.h"
#include "message/message.h"
#include "policy/cesql.h"

#define MATCH_NONE UINT32_MAX /* no system, no listener */
#define MATCH_LENGTHS_MAX 24  /* different lengths of prefixes in the index; more are shortened and checked after */

enum match_pattern_kind {
    MATCH_EXACT,  /* canonical text equals `text` */
    MATCH_PREFIX, /* canonical text begins with `text` */
    MATCH_RANGE,  /* Integer attribute, low <= value <= high */
};

struct match_pattern {
    enum match_pattern_kind kind;
    struct slice text;
    int64_t low;
    int64_t high;
};

/* One attribute, any of the patterns. `messagetype` and `priority` have their defaults (event, 2) when absent; any
 * other absent attribute matches nothing, not even an empty prefix. */
struct match_predicate {
    struct slice name; /* also of attributes that are known by name only */
    const struct match_pattern *patterns;
    size_t count;
};

struct match_rule {
    const struct match_predicate *predicates; /* all must hold; none: every message without target */
    size_t predicate_count;
    const uint32_t *from; /* any of these sending systems; none: any or no system */
    size_t from_count;
    const uint32_t *listeners; /* likewise */
    size_t listener_count;
    const struct cesql *when; /* NULL: none */
};

/* What a memo has to remember so that the same bytes there mean the same answer. */
struct match_reads {
    uint64_t attributes; /* ATTRIBUTE_BITs */
    bool others;         /* attributes that are known by name only */
    bool data;
    bool time;
};

struct match_input {
    const struct message *message;
    uint32_t from;     /* index of the sending system, or MATCH_NONE */
    uint32_t listener; /* likewise */
    struct now now;
};

struct match_table;

/* The table, the texts and the programs that the rules name are used until the arena ends; the arrays themselves
 * too. STATUS_NO_MEMORY is the only failure. */
enum status match_compile(const struct match_rule *rules, size_t count, struct arena *arena,
                          const struct match_table **ret);

/* Index of the first rule after `start_after` (-1: of all) that holds, or -1. Messages with `target` meet only rules
 * that have a predicate on it, others only rules without one. Any thread. */
int match_first(const struct match_table *table, const struct match_input *input, int start_after);

struct match_reads match_reads(const struct match_table *table);

/* Whether one rule holds, without the table: for explanations and tests. */
bool match_rule_holds(const struct match_rule *rule, const struct match_input *input);

enum match_miss_kind {
    MATCH_MISS_ATTRIBUTE, /* `name` has none of the values, or is absent */
    MATCH_MISS_TARGET,    /* the message names a target, the rule does not */
    MATCH_MISS_FROM,
    MATCH_MISS_LISTENER,
    MATCH_MISS_WHEN,
};

struct match_miss {
    enum match_miss_kind kind;
    struct slice name;    /* ATTRIBUTE; as in the rule */
    unsigned when_errors; /* WHEN: bits 1u << enum cesql_error; 0: it is false */
};

/* All that keeps a rule from holding, in the order above; returns how many there are, of which `max` at most are
 * stored. 0 means what match_rule_holds() means. */
size_t match_why(const struct match_rule *rule, const struct match_input *input, struct match_miss *ret, size_t max);
/* The rule of that index, as it was given to match_compile(). */
const struct match_rule *match_rule_at(const struct match_table *table, size_t index);

#endif
