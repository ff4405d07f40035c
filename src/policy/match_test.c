#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/rng.h"
#include "policy/match.h"

struct event {
    struct message message;
    struct buffer extra;
    uint8_t room[1024];
};

struct attribute_text {
    const char *name;
    const char *text;
};

static void event_make(struct event *event, const struct attribute_text *attributes, size_t count) {
    struct message_fault fault;
    message_init(&event->message, SLICE_OF(""));
    buffer_init_fixed(&event->extra, event->room, sizeof event->room);
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_from(attributes[i].name), text = slice_from(attributes[i].text);
        enum attribute known = attribute_find(name);
        if (!attributes[i].text)
            continue;
        enum status status = known == ATTRIBUTE_OTHER ? message_add_named(&event->message, &event->extra, name,
                                                                          ATTRIBUTE_STRING, text, &fault)
                                                      : message_add(&event->message, &event->extra, known, text, &fault);
        if (status != STATUS_OK)
            fail_msg("%s", fault.text);
    }
    if (message_seal(&event->message, &event->extra, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
}

static void event_simple(struct event *event, const char *type, const char *target, const char *subject) {
    const struct attribute_text attributes[] = {{"id", "1"},         {"source", "/s"},    {"type", type},
                                                {"target", target}, {"subject", subject}};
    event_make(event, attributes, COUNT_OF(attributes));
}

static int first(const struct match_table *table, const struct event *event, uint32_t from, uint32_t listener, int after) {
    struct match_input input = {&event->message, from, listener, {{0}, {0}}};
    return match_first(table, &input, after);
}

#define EXACT(literal) {.kind = MATCH_EXACT, .text = SLICE(literal)}
#define PREFIX(literal) {.kind = MATCH_PREFIX, .text = SLICE(literal)}
#define RANGE(a, b) {.kind = MATCH_RANGE, .low = (a), .high = (b)}
#define PATTERNS(...) \
    .patterns = (const struct match_pattern[]){__VA_ARGS__}, \
    .count = sizeof((const struct match_pattern[]){__VA_ARGS__}) / sizeof(struct match_pattern)
#define RULE(...) \
    {.predicates = (const struct match_predicate[]){__VA_ARGS__}, \
     .predicate_count = sizeof((const struct match_predicate[]){__VA_ARGS__}) / sizeof(struct match_predicate)}

static void lowest_rule_wins(void **state) {
    (void)state;
    static const uint32_t crm[] = {7}, web[] = {2, 3};
    const struct match_rule rules[] = {
        RULE({.name = SLICE("type"), PATTERNS(PREFIX("com.a."))}, {.name = SLICE("subject"), PATTERNS(EXACT("x"), EXACT("y"))}),
        RULE({.name = SLICE("type"), PATTERNS(EXACT("com.a.one"))}),
        RULE({.name = SLICE("type"), PATTERNS(PREFIX("com."), EXACT("com.a.one"))}),
        RULE({.name = SLICE("type"), PATTERNS(PREFIX(""))}, {.name = SLICE("priority"), PATTERNS(RANGE(4, 5))}),
        {.from = crm, .from_count = 1},
        {.listeners = web, .listener_count = 2},
        RULE({.name = SLICE("messagetype"), PATTERNS(EXACT("event"))}, {.name = SLICE("tenant"), PATTERNS(PREFIX("ac"))}),
        RULE({.name = SLICE("target"), PATTERNS(EXACT("billing"), PREFIX("w"))}),
        RULE({.name = SLICE("target"), PATTERNS(PREFIX(""))}, {.name = SLICE("type"), PATTERNS(EXACT("t"))}),
        RULE({.name = SLICE("type"), PATTERNS(RANGE(1, 5))}),
        {.predicates = NULL},
    };
    struct arena arena;
    const struct match_table *table;
    struct event event;
    arena_init(&arena, 1 << 20);
    assert_int_equal(match_compile(rules, COUNT_OF(rules), &arena, &table), STATUS_OK);
    event_simple(&event, "com.a.one", NULL, "y");
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), 0);
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, 0), 1);
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, 1), 2);
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, 2), 10);
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, 10), -1);
    assert_int_equal(first(table, &event, 7, 3, 2), 4);
    assert_int_equal(first(table, &event, 6, 3, 2), 5);
    event_simple(&event, "com.a.one", NULL, "z");
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), 1);
    event_simple(&event, "org.b", NULL, NULL);
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), 10);
    event_simple(&event, "t", "warehouse", NULL);
    assert_int_equal(first(table, &event, 7, 3, -1), 7);
    assert_int_equal(first(table, &event, 7, 3, 7), 8);
    event_simple(&event, "u", "desk", NULL);
    assert_int_equal(first(table, &event, 7, 3, -1), -1);
    const struct attribute_text urgent[] = {{"id", "1"}, {"source", "/s"}, {"type", "t"}, {"priority", "5"}, {"tenant", "acme"}};
    event_make(&event, urgent, COUNT_OF(urgent));
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), 3);
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, 3), 6);
    arena_done(&arena);
}

static void absent_priority_and_kind_have_their_defaults(void **state) {
    (void)state;
    const struct match_rule rules[] = {
        RULE({.name = SLICE("priority"), PATTERNS(RANGE(3, 5))}, {.name = SLICE("messagetype"), PATTERNS(EXACT("event"))}),
        RULE({.name = SLICE("priority"), PATTERNS(RANGE(1, 2))}, {.name = SLICE("messagetype"), PATTERNS(EXACT("query"))}),
        RULE({.name = SLICE("subject"), PATTERNS(PREFIX(""))}),
        RULE({.name = SLICE("priority"), PATTERNS(RANGE(1, 2))}, {.name = SLICE("messagetype"), PATTERNS(EXACT("event"))}),
    };
    struct arena arena;
    const struct match_table *table;
    struct event event;
    arena_init(&arena, 1 << 20);
    assert_int_equal(match_compile(rules, COUNT_OF(rules), &arena, &table), STATUS_OK);
    event_simple(&event, "t", NULL, NULL);
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), 3);
    arena_done(&arena);
}

static void when_decides_last_and_is_read(void **state) {
    (void)state;
    struct arena arena;
    struct cesql_fault fault;
    const struct cesql *when;
    const struct match_table *table;
    struct event event;
    arena_init(&arena, 1 << 20);
    assert_int_equal(cesql_compile(SLICE_OF("subject = 'x' AND AGE(time) > 3 AND tenant = 'a' AND DATAHAS('/x')"), NULL,
                                   &arena, &when, &fault, NULL),
                     STATUS_OK);
    struct match_rule rules[] = {RULE({.name = SLICE("source"), PATTERNS(PREFIX("/"))}),
                                 RULE({.name = SLICE("tenant"), PATTERNS(PREFIX("/"))})};
    assert_int_equal(match_compile(rules, 2, &arena, &table), STATUS_OK);
    struct match_reads reads = match_reads(table);
    assert_true(reads.attributes == (ATTRIBUTE_BIT(ATTRIBUTE_SOURCE) | ATTRIBUTE_BIT(ATTRIBUTE_TARGET)));
    assert_true(reads.others && !reads.data && !reads.time);
    rules[0].when = when;
    assert_int_equal(match_compile(rules, 1, &arena, &table), STATUS_OK);
    reads = match_reads(table);
    assert_true(reads.attributes == (ATTRIBUTE_BIT(ATTRIBUTE_SOURCE) | ATTRIBUTE_BIT(ATTRIBUTE_TARGET) |
                                     ATTRIBUTE_BIT(ATTRIBUTE_SUBJECT) | ATTRIBUTE_BIT(ATTRIBUTE_TIME)));
    assert_true(reads.others && reads.data && reads.time);
    event_simple(&event, "t", NULL, "x");
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), -1);
    assert_int_equal(cesql_compile(SLICE_OF("subject = 'x'"), NULL, &arena, &rules[0].when, &fault, NULL), STATUS_OK);
    assert_int_equal(match_compile(rules, 1, &arena, &table), STATUS_OK);
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), 0);
    event_simple(&event, "t", NULL, "y");
    assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), -1);
    arena_done(&arena);
}

/* "type from when:missingAttribute", all that there are. */
static void misses_text(const struct match_rule *rule, const struct match_input *input, char *out, size_t room) {
    static const char *const words[] = {"", "(target)", "(from)", "(listener)", "(when)"};
    struct match_miss misses[6];
    struct buffer text;
    size_t count = match_why(rule, input, misses, COUNT_OF(misses));
    buffer_init_fixed(&text, out, room - 1);
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(&text, i ? " " : "");
        buffer_add(&text, misses[i].kind == MATCH_MISS_ATTRIBUTE ? misses[i].name : slice_from(words[misses[i].kind]));
        for (unsigned e = 0; e < CESQL_ERROR_COUNT; e++)
            if (misses[i].kind == MATCH_MISS_WHEN && misses[i].when_errors & 1u << e)
                buffer_add_format(&text, ":%s", cesql_error_name((enum cesql_error)e));
    }
    out[text.size] = '\0';
}

static void all_that_keeps_a_rule_from_holding_is_named(void **state) {
    static const uint32_t crm[] = {7}, web[] = {2};
    struct arena arena;
    struct cesql_fault fault;
    const struct cesql *when;
    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(cesql_compile(SLICE_OF("tenant = 'acme'"), NULL, &arena, &when, &fault, NULL), STATUS_OK);
    const struct match_rule by_type = RULE({.name = SLICE("type"), PATTERNS(PREFIX("com.a."))}, {.name = SLICE("subject"), PATTERNS(EXACT("x"))});
    const struct match_rule by_target = RULE({.name = SLICE("target"), PATTERNS(EXACT("desk"))});
    const struct match_rule by_place = {.from = crm, .from_count = 1, .listeners = web, .listener_count = 1};
    const struct match_rule by_when = {.when = when};
    const struct {
        const struct match_rule *rule;
        const char *type, *target, *subject, *tenant;
        uint32_t from, listener;
        const char *wanted;
    } cases[] = {
        {&by_type, "com.a.b", NULL, "x", NULL, 1, 1, ""},
        {&by_type, "com.b", NULL, "x", NULL, 1, 1, "type"},
        {&by_type, "com.a.b", NULL, NULL, NULL, 1, 1, "subject"},
        {&by_type, "com.b", "desk", "y", NULL, 1, 1, "type subject (target)"},
        {&by_target, "t", NULL, NULL, NULL, 1, 1, "target"},
        {&by_target, "t", "lamp", NULL, NULL, 1, 1, "target"},
        {&by_target, "t", "desk", NULL, NULL, 1, 1, ""},
        {&by_place, "t", NULL, NULL, NULL, 7, 2, ""},
        {&by_place, "t", NULL, NULL, NULL, MATCH_NONE, 2, "(from)"},
        {&by_place, "t", "desk", NULL, NULL, 6, 1, "(target) (from) (listener)"},
        {&by_when, "t", NULL, NULL, "acme", 1, 1, ""},
        {&by_when, "t", NULL, NULL, "other", 1, 1, "(when)"},
        {&by_when, "t", NULL, NULL, NULL, 1, 1, "(when):missingAttribute"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct event event;
        char got[160];
        const struct attribute_text attributes[] = {{"id", "1"}, {"source", "/s"}, {"type", cases[i].type}, {"target", cases[i].target},
                                                    {"subject", cases[i].subject}, {"tenant", cases[i].tenant}};
        event_make(&event, attributes, COUNT_OF(attributes));
        struct match_input input = {&event.message, cases[i].from, cases[i].listener, {{0}, {0}}};
        misses_text(cases[i].rule, &input, got, sizeof got);
        if (strcmp(got, cases[i].wanted) != 0)
            fail_msg("case %zu: got `%s`, wanted `%s`", i, got, cases[i].wanted);
        assert_int_equal(got[0] == '\0', match_rule_holds(cases[i].rule, &input));
    }
    struct event event;
    struct match_miss one;
    event_simple(&event, "com.b", "desk", NULL);
    struct match_input input = {&event.message, 1, 1, {{0}, {0}}};
    assert_int_equal(match_why(&by_type, &input, &one, 1), 3); /* more than fit are counted */
    assert_true(slice_is(one.name, "type"));
    const struct match_table *table;
    assert_int_equal(match_compile(&by_target, 1, &arena, &table), STATUS_OK);
    assert_ptr_equal(match_rule_at(table, 0), &by_target);
    arena_done(&arena);
}

/* -- random rules against the naive way -- */

#define WORDS 12
#define RANDOM_RULES 60

struct world {
    struct rng rng;
    char words[WORDS][40];
    struct match_rule rules[RANDOM_RULES];
    struct match_predicate predicates[RANDOM_RULES][3];
    struct match_pattern patterns[RANDOM_RULES][3][3];
    uint32_t systems[RANDOM_RULES][2];
};

static size_t below(struct world *world, size_t bound) {
    return (size_t)rng_below(&world->rng, bound);
}

/* Few letters, so that words are often prefixes of each other. */
static void random_words(struct world *world) {
    for (size_t i = 0; i < WORDS; i++) {
        size_t size = 1 + below(world, i % 3 == 0 ? 38 : 5);
        for (size_t j = 0; j < size; j++)
            world->words[i][j] = (char)('a' + (below(world, 8) == 0));
        world->words[i][size] = 0;
    }
}

static void random_predicate(struct world *world, size_t rule, size_t at) {
    static const struct slice names[] = {SLICE("type"), SLICE("target"), SLICE("subject"), SLICE("extra"), SLICE("priority")};
    struct match_predicate *predicate = &world->predicates[rule][at];
    size_t which = below(world, 10);
    predicate->name = names[which < 6 ? 0 : which == 6 ? 1 + below(world, 2) : 1 + below(world, 4)];
    predicate->count = 1 + below(world, 3);
    predicate->patterns = world->patterns[rule][at];
    for (size_t i = 0; i < predicate->count; i++) {
        struct match_pattern *pattern = &world->patterns[rule][at][i];
        struct slice word = slice_from(world->words[below(world, WORDS)]);
        if (slice_is(predicate->name, "priority"))
            *pattern = (struct match_pattern){.kind = MATCH_RANGE, .low = (int64_t)below(world, 4), .high = 3};
        else if (below(world, 2))
            *pattern = (struct match_pattern){.kind = MATCH_EXACT, .text = word};
        else
            *pattern = (struct match_pattern){.kind = MATCH_PREFIX, .text = slice_head(word, below(world, word.size + 1))};
    }
}

static void random_rules(struct world *world, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct match_rule *rule = &world->rules[i];
        *rule = (struct match_rule){.predicates = world->predicates[i], .predicate_count = below(world, 4)};
        for (size_t j = 0; j < rule->predicate_count; j++)
            random_predicate(world, i, j);
        if (below(world, 4) == 0) {
            world->systems[i][0] = (uint32_t)below(world, 3);
            rule->from = world->systems[i];
            rule->from_count = 1;
        }
        if (below(world, 6) == 0) {
            world->systems[i][1] = (uint32_t)below(world, 3);
            rule->listeners = world->systems[i] + 1;
            rule->listener_count = 1;
        }
    }
}

static const char *random_text(struct world *world, bool often) {
    return often || below(world, 3) == 0 ? world->words[below(world, WORDS)] : NULL;
}

/* Why and whether are asked in two ways. */
static void same_answer(const struct match_rule *rule, const struct match_input *input) {
    struct match_miss misses[8];
    assert_int_equal(match_why(rule, input, misses, COUNT_OF(misses)) == 0, match_rule_holds(rule, input));
}

static int naive_first(const struct world *world, size_t count, const struct match_input *input, int after) {
    for (int i = after + 1; i < (int)count; i++)
        if (match_rule_holds(&world->rules[i], input))
            return i;
    return -1;
}

static void index_agrees_with_trying_each_rule(void **state) {
    (void)state;
    static struct world world;
    static const char *const priorities[] = {NULL, "1", "3", "5"};
    unsigned found = 0, missed = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct arena arena;
        const struct match_table *table;
        size_t count = seed % RANDOM_RULES;
        rng_init(&world.rng, seed);
        random_words(&world);
        random_rules(&world, count);
        arena_init(&arena, 1 << 22);
        assert_int_equal(match_compile(world.rules, count, &arena, &table), STATUS_OK);
        for (int i = 0; i < 40; i++) {
            struct event event;
            const struct attribute_text attributes[] = {
                {"id", "1"}, {"source", "/s"}, {"type", random_text(&world, true)}, {"target", random_text(&world, false)},
                {"subject", random_text(&world, false)}, {"extra", random_text(&world, false)},
                {"priority", priorities[below(&world, 4)]}};
            event_make(&event, attributes, COUNT_OF(attributes));
            struct match_input input = {&event.message, (uint32_t)below(&world, 4), (uint32_t)below(&world, 4), {{0}, {0}}};
            for (size_t k = 0; k < count; k++)
                same_answer(&world.rules[k], &input);
            for (int after = -1;;) { /* each rule that holds, one after the other */
                int wanted = naive_first(&world, count, &input, after);
                int got = match_first(table, &input, after);
                if (got != wanted)
                    fail_msg("seed %llu, message %d, after %d: rule %d, not %d", (unsigned long long)seed, i, after, got, wanted);
                if (wanted < 0)
                    break;
                after = wanted;
                found++;
            }
            missed++;
        }
        arena_done(&arena);
    }
    assert_true(found > 5000 && missed == 12000);
}

static void many_lengths_of_prefixes_are_found(void **state) {
    (void)state;
    static char word[400];
    static struct match_pattern patterns[300];
    static struct match_predicate predicates[300];
    static struct match_rule rules[300];
    memset(word, 'x', sizeof word - 1);
    for (size_t i = 0; i < 300; i++) { /* rule i wants 300 - i times `x` */
        patterns[i] = (struct match_pattern){.kind = MATCH_PREFIX, .text = slice_make(word, 300 - i)};
        predicates[i] = (struct match_predicate){SLICE("type"), &patterns[i], 1};
        rules[i] = (struct match_rule){.predicates = &predicates[i], .predicate_count = 1};
    }
    struct arena arena;
    const struct match_table *table;
    arena_init(&arena, 1 << 22);
    assert_int_equal(match_compile(rules, 300, &arena, &table), STATUS_OK);
    for (size_t size = 1; size <= 310; size++) {
        char type[400];
        struct event event;
        memset(type, 'x', size);
        memcpy(type + size, "y", 2);
        event_simple(&event, type, NULL, NULL);
        assert_int_equal(first(table, &event, MATCH_NONE, MATCH_NONE, -1), size > 300 ? 0 : 300 - (int)size);
    }
    arena_done(&arena);
}

static void each_failed_allocation_is_survived(void **state) {
    (void)state;
    const struct match_rule rules[] = {RULE({.name = SLICE("type"), PATTERNS(PREFIX("a"), EXACT("b"))}),
                                       RULE({.name = SLICE("target"), PATTERNS(EXACT("b"))})};
    int64_t live = memory_live();
    for (int64_t skip = 0;; skip++) {
        struct arena arena;
        const struct match_table *table;
        arena_init(&arena, 1 << 20);
        memory_fail_after(skip);
        enum status status = match_compile(rules, COUNT_OF(rules), &arena, &table);
        bool failed = memory_has_failed() != 0;
        memory_fail_after(-1);
        arena_done(&arena);
        assert_int_equal(memory_live(), live);
        assert_int_equal(status, failed ? STATUS_NO_MEMORY : STATUS_OK);
        if (!failed)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowest_rule_wins),
        cmocka_unit_test(absent_priority_and_kind_have_their_defaults),
        cmocka_unit_test(when_decides_last_and_is_read),
        cmocka_unit_test(all_that_keeps_a_rule_from_holding_is_named),
        cmocka_unit_test(index_agrees_with_trying_each_rule),
        cmocka_unit_test(many_lengths_of_prefixes_are_found),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
