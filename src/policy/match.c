/* Matches messages against rules, through a hash index of exact values and prefixes. */
#include "policy/match.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/memory.h"

#define HASH_SEED UINT64_C(0x9e3779b97f4a7c15) /* keys come from the configuration, not from peers */

/* -- compiled rules -- */

struct predicate {
    uint8_t attribute; /* enum attribute, ATTRIBUTE_OTHER: by name */
    const struct match_predicate *source;
};

struct compiled {
    const struct match_rule *source;
    const struct predicate *predicates; /* without the one that the index is by */
    size_t predicate_count;
    const struct match_predicate *key; /* the one that the index is by, or NULL */
};

/* -- the index: key -> ascending rules -- */

struct slot {
    const uint8_t *key;
    uint32_t size_kind; /* twice the size, one more for an exact key */
    uint32_t hash;
    uint32_t first; /* into rules */
    uint32_t count; /* 0: free */
};

struct index {
    enum attribute attribute;
    const struct slot *slots; /* of all lengths; exact keys and prefixes apart by their hash */
    size_t mask;
    const uint32_t *rules;
    const uint32_t *rest; /* rules that aren't keyed */
    size_t rest_count;
    size_t exact_count;
    uint32_t lengths[MATCH_LENGTHS_MAX]; /* of prefixes, ascending */
    size_t length_count;
};

struct match_table {
    const struct compiled *rules;
    struct index by_type;
    struct index by_target;
    struct match_reads reads;
};

static uint32_t hash_key(struct slice key, bool exact) {
    return (uint32_t)map_hash(key, exact ? HASH_SEED : ~HASH_SEED);
}

static uint32_t size_kind(struct slice key, bool exact) {
    return (uint32_t)key.size << 1 | exact;
}

/* -- predicates -- */

static bool text_matches(const struct match_predicate *predicate, struct slice text) {
    for (size_t i = 0; i < predicate->count; i++) {
        const struct match_pattern *pattern = &predicate->patterns[i];
        if (pattern->kind == MATCH_EXACT ? slice_equal(text, pattern->text)
                                         : pattern->kind == MATCH_PREFIX && slice_starts(text, pattern->text))
            return true;
    }
    return false;
}

static bool number_matches(const struct match_predicate *predicate, int64_t number) {
    for (size_t i = 0; i < predicate->count; i++) {
        const struct match_pattern *pattern = &predicate->patterns[i];
        if (pattern->kind == MATCH_RANGE && number >= pattern->low && number <= pattern->high)
            return true;
    }
    return false;
}

static bool value_matches(const struct match_predicate *predicate, const struct message *message,
                          const struct value *value) {
    char room[VALUE_ROOM];
    int32_t number;
    if (!value)
        return false;
    if (value_number(message, value, &number) && number_matches(predicate, number))
        return true;
    struct slice text = value_canonical(message, value, room, sizeof room);
    return text.data && text_matches(predicate, text);
}

static bool predicate_holds(const struct match_predicate *predicate, uint8_t attribute,
                            const struct message *message) {
    switch (attribute) {
    case ATTRIBUTE_MESSAGETYPE: return text_matches(predicate, message_kind_name((enum message_kind)message->kind));
    case ATTRIBUTE_PRIORITY: {
        uint8_t digit = (uint8_t)('0' + message->priority);
        return number_matches(predicate, message->priority) || text_matches(predicate, slice_make(&digit, 1));
    }
    case ATTRIBUTE_OTHER: return value_matches(predicate, message, message_find(message, predicate->name));
    default: return value_matches(predicate, message, message_value(message, (enum attribute)attribute));
    }
}

static bool has_index(const uint32_t *indices, size_t count, uint32_t wanted) {
    for (size_t i = 0; i < count; i++)
        if (indices[i] == wanted)
            return true;
    return count == 0;
}

static bool rest_holds(const struct match_rule *rule, const struct match_input *input) {
    return has_index(rule->from, rule->from_count, input->from) &&
           has_index(rule->listeners, rule->listener_count, input->listener) &&
           (!rule->when || cesql_matches(rule->when, input->message, input->now));
}

static bool compiled_holds(const struct compiled *rule, const struct match_input *input) {
    for (size_t i = 0; i < rule->predicate_count; i++)
        if (!predicate_holds(rule->predicates[i].source, rule->predicates[i].attribute, input->message))
            return false;
    return rest_holds(rule->source, input);
}

bool match_rule_holds(const struct match_rule *rule, const struct match_input *input) {
    bool names_target = false;
    for (size_t i = 0; i < rule->predicate_count; i++) {
        enum attribute attribute = attribute_find(rule->predicates[i].name);
        names_target = names_target || attribute == ATTRIBUTE_TARGET;
        if (!predicate_holds(&rule->predicates[i], (uint8_t)attribute, input->message))
            return false;
    }
    return names_target == message_has(input->message, ATTRIBUTE_TARGET) && rest_holds(rule, input);
}

/* -- explaining -- */

static void miss(struct match_miss *ret, size_t max, size_t *count, struct match_miss what) {
    if (*count < max)
        ret[*count] = what;
    ++*count;
}

size_t match_why(const struct match_rule *rule, const struct match_input *input, struct match_miss *ret, size_t max) {
    size_t count = 0;
    bool names_target = false;
    for (size_t i = 0; i < rule->predicate_count; i++) {
        enum attribute attribute = attribute_find(rule->predicates[i].name);
        names_target = names_target || attribute == ATTRIBUTE_TARGET;
        if (!predicate_holds(&rule->predicates[i], (uint8_t)attribute, input->message))
            miss(ret, max, &count, (struct match_miss){.kind = MATCH_MISS_ATTRIBUTE, .name = rule->predicates[i].name});
    }
    if (!names_target && message_has(input->message, ATTRIBUTE_TARGET))
        miss(ret, max, &count, (struct match_miss){.kind = MATCH_MISS_TARGET});
    if (!has_index(rule->from, rule->from_count, input->from))
        miss(ret, max, &count, (struct match_miss){.kind = MATCH_MISS_FROM});
    if (!has_index(rule->listeners, rule->listener_count, input->listener))
        miss(ret, max, &count, (struct match_miss){.kind = MATCH_MISS_LISTENER});
    if (rule->when && !cesql_matches(rule->when, input->message, input->now)) {
        uint8_t scratch[CESQL_SCRATCH_MAX];
        struct cesql_result result;
        cesql_evaluate(rule->when, input->message, input->now, scratch, &result);
        miss(ret, max, &count, (struct match_miss){.kind = MATCH_MISS_WHEN, .when_errors = result.errors});
    }
    return count;
}

const struct match_rule *match_rule_at(const struct match_table *table, size_t index) {
    return table->rules[index].source;
}

/* -- finding -- */

/* A run of candidates; the lowest of all runs is tried next. */
struct run {
    const uint32_t *at;
    const uint32_t *end;
    bool checked; /* the key is known to match */
};

struct search {
    struct run runs[MATCH_LENGTHS_MAX + 2];
    size_t count;
};

static void add_run(struct search *search, const uint32_t *rules, size_t count, bool checked, int64_t after) {
    size_t low = 0, high = count;
    if (count == 0 || (int64_t)rules[count - 1] <= after)
        return;
    if ((int64_t)rules[0] > after)
        high = 0;
    while (low < high) { /* the first one past `after` */
        size_t middle = low + (high - low) / 2;
        if ((int64_t)rules[middle] <= after)
            low = middle + 1;
        else
            high = middle;
    }
    search->runs[search->count++] = (struct run){rules + low, rules + count, checked};
}

static void add_key(struct search *search, const struct index *index, struct slice key, bool exact, int64_t after) {
    uint32_t hash = hash_key(key, exact);
    for (size_t i = hash & index->mask; index->slots[i].count; i = (i + 1) & index->mask) {
        const struct slot *slot = &index->slots[i];
        if (slot->hash == hash && slot->size_kind == size_kind(key, exact) &&
            slice_equal(slice_make(slot->key, key.size), key)) {
            add_run(search, index->rules + slot->first, slot->count, exact, after);
            return;
        }
    }
}

static int search_next(struct search *search, const struct match_table *table, const struct match_input *input,
                       struct slice key) {
    while (search->count) {
        size_t lowest = 0;
        for (size_t i = 1; i < search->count; i++)
            if (*search->runs[i].at < *search->runs[lowest].at)
                lowest = i;
        uint32_t number = *search->runs[lowest].at;
        const struct compiled *rule = &table->rules[number];
        bool checked = search->runs[lowest].checked || !rule->key;
        if ((checked || text_matches(rule->key, key)) && compiled_holds(rule, input))
            return (int)number;
        for (size_t i = search->count; i-- > 0;) { /* a rule may stand in several runs */
            struct run *run = &search->runs[i];
            if (*run->at == number && ++run->at == run->end)
                *run = search->runs[--search->count];
        }
    }
    return -1;
}

int match_first(const struct match_table *table, const struct match_input *input, int start_after) {
    bool targeted = message_has(input->message, ATTRIBUTE_TARGET);
    const struct index *index = targeted ? &table->by_target : &table->by_type;
    struct slice key = message_text(input->message, index->attribute);
    struct search search;
    search.count = 0;
    add_run(&search, index->rest, index->rest_count, false, start_after);
    if (index->exact_count)
        add_key(&search, index, key, true, start_after);
    for (size_t i = 0; i < index->length_count && index->lengths[i] <= key.size; i++)
        add_key(&search, index, slice_head(key, index->lengths[i]), false, start_after);
    return search_next(&search, table, input, key);
}

struct match_reads match_reads(const struct match_table *table) {
    return table->reads;
}

/* -- compiling -- */

struct entry {
    struct slice key;
    uint32_t rule;
    bool exact;
};

static int compare_entries(const void *a, const void *b) {
    const struct entry *left = a, *right = b;
    if (left->exact != right->exact)
        return left->exact ? -1 : 1;
    int order = slice_compare(left->key, right->key);
    if (order)
        return order;
    return left->rule < right->rule ? -1 : left->rule > right->rule;
}

static bool same_key(const struct entry *a, const struct entry *b) {
    return a->exact == b->exact && slice_equal(a->key, b->key);
}

static const struct match_predicate *find_predicate(const struct match_rule *rule, enum attribute attribute) {
    for (size_t i = 0; i < rule->predicate_count; i++)
        if (attribute_find(rule->predicates[i].name) == attribute)
            return &rule->predicates[i];
    return NULL;
}

/* Which lengths of prefixes are looked up. With too many, every k-th is, the shortest always: the others go under the
 * next shorter one and are checked in full when found. */
static void choose_lengths(struct index *index, const struct entry *entries, size_t count) {
    static const size_t longest = UINT16_MAX;
    uint32_t all[256];
    size_t total = 0;
    uint32_t last = 0;
    while (total < COUNT_OF(all)) { /* ascending, each once */
        uint32_t next = UINT32_MAX;
        for (size_t i = 0; i < count; i++) {
            uint32_t size = (uint32_t)(entries[i].key.size < longest ? entries[i].key.size : longest);
            if (!entries[i].exact && size < next && (total == 0 || size > last))
                next = size;
        }
        if (next == UINT32_MAX)
            break;
        all[total++] = last = next;
    }
    size_t step = (total + MATCH_LENGTHS_MAX - 1) / MATCH_LENGTHS_MAX;
    for (size_t i = 0; i < total; i += step)
        index->lengths[index->length_count++] = all[i];
}

static void shorten(const struct index *index, struct entry *entry) {
    for (size_t i = index->length_count; i-- > 0;) {
        if (index->lengths[i] <= entry->key.size) {
            entry->key.size = index->lengths[i];
            return;
        }
    }
}

static void insert(struct slot *slots, size_t mask, const struct entry *entry, uint32_t first, uint32_t count) {
    uint32_t hash = hash_key(entry->key, entry->exact);
    size_t i = hash & mask;
    while (slots[i].count)
        i = (i + 1) & mask;
    slots[i] = (struct slot){entry->key.data, size_kind(entry->key, entry->exact), hash, first, count};
}

/* Entries are sorted: each run of one key becomes one slot. */
static bool fill(struct index *index, const struct entry *entries, size_t count, struct arena *arena) {
    size_t capacity = 4;
    while (capacity < count * 2)
        capacity *= 2;
    struct slot *slots = arena_array(arena, capacity, sizeof *slots);
    uint32_t *rules = arena_array(arena, count, sizeof *rules);
    if (!slots || !rules)
        return false;
    size_t used = 0;
    for (size_t i = 0; i < count;) {
        size_t first = used, begin = i;
        for (; i < count && same_key(&entries[begin], &entries[i]); i++)
            if (used == first || rules[used - 1] != entries[i].rule)
                rules[used++] = entries[i].rule;
        insert(slots, capacity - 1, &entries[begin], (uint32_t)first, (uint32_t)(used - first));
        index->exact_count += entries[begin].exact;
    }
    index->slots = slots;
    index->mask = capacity - 1;
    index->rules = rules;
    return true;
}

/* The entries of the rules that belong to this index, and the rules without key. */
static size_t collect(struct index *index, const struct match_rule *rules, size_t count, struct entry *entries,
                      uint32_t *rest) {
    size_t used = 0;
    bool targeted = index->attribute == ATTRIBUTE_TARGET;
    for (size_t i = 0; i < count; i++) {
        if ((find_predicate(&rules[i], ATTRIBUTE_TARGET) != NULL) != targeted)
            continue;
        const struct match_predicate *key = find_predicate(&rules[i], index->attribute);
        if (!key) {
            rest[index->rest_count++] = (uint32_t)i;
            continue;
        }
        for (size_t j = 0; j < key->count; j++) /* a range never holds for a String */
            if (key->patterns[j].kind != MATCH_RANGE)
                entries[used++] = (struct entry){key->patterns[j].text, (uint32_t)i,
                                                 key->patterns[j].kind == MATCH_EXACT};
    }
    return used;
}

static bool build_index(struct index *index, enum attribute attribute, const struct match_rule *rules, size_t count,
                        struct arena *arena) {
    size_t most = 1;
    index->attribute = attribute;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < rules[i].predicate_count; j++)
            most += rules[i].predicates[j].count;
    struct entry *entries = memory_array(most, sizeof *entries);
    uint32_t *rest = arena_array(arena, count, sizeof *rest);
    bool done = false;
    if (entries && rest) {
        size_t used = collect(index, rules, count, entries, rest);
        index->rest = rest;
        choose_lengths(index, entries, used);
        for (size_t i = 0; i < used; i++)
            if (!entries[i].exact)
                shorten(index, &entries[i]);
        qsort(entries, used, sizeof *entries, compare_entries);
        done = fill(index, entries, used, arena);
    }
    memory_free(entries);
    return done;
}

static bool compile_rule(struct compiled *compiled, const struct match_rule *rule, struct match_reads *reads,
                         struct arena *arena) {
    struct predicate *predicates = arena_array(arena, rule->predicate_count, sizeof *predicates);
    if (!predicates)
        return false;
    *compiled = (struct compiled){.source = rule, .predicates = predicates};
    enum attribute by = find_predicate(rule, ATTRIBUTE_TARGET) ? ATTRIBUTE_TARGET : ATTRIBUTE_TYPE;
    compiled->key = find_predicate(rule, by);
    for (size_t i = 0; i < rule->predicate_count; i++) {
        enum attribute attribute = attribute_find(rule->predicates[i].name);
        if (attribute == ATTRIBUTE_OTHER)
            reads->others = true;
        else
            reads->attributes |= ATTRIBUTE_BIT(attribute);
        if (&rule->predicates[i] != compiled->key)
            predicates[compiled->predicate_count++] = (struct predicate){(uint8_t)attribute, &rule->predicates[i]};
    }
    if (rule->when) {
        struct cesql_reads when = cesql_reads(rule->when);
        reads->attributes |= when.attributes;
        reads->others = reads->others || when.others;
        reads->data = reads->data || when.data;
        reads->time = reads->time || when.time;
    }
    return true;
}

enum status match_compile(const struct match_rule *rules, size_t count, struct arena *arena,
                          const struct match_table **ret) {
    struct match_table *table = arena_new(arena, sizeof *table);
    struct compiled *compiled = arena_array(arena, count, sizeof *compiled);
    if (!table || !compiled)
        return STATUS_NO_MEMORY;
    table->rules = compiled;
    table->reads.attributes = ATTRIBUTE_BIT(ATTRIBUTE_TARGET);
    for (size_t i = 0; i < count; i++)
        if (!compile_rule(&compiled[i], &rules[i], &table->reads, arena))
            return STATUS_NO_MEMORY;
    if (!build_index(&table->by_type, ATTRIBUTE_TYPE, rules, count, arena) ||
        !build_index(&table->by_target, ATTRIBUTE_TARGET, rules, count, arena))
        return STATUS_NO_MEMORY;
    *ret = table;
    return STATUS_OK;
}
