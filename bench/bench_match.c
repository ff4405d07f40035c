/* What finding a route costs with 1 to 10,000 routes: exact types and prefixes, 64 different messages in turn. */
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "policy/match.h"

#define MESSAGES 64
#define ROUNDS 20000

static struct message messages[MESSAGES];
static uint8_t rooms[MESSAGES][256];

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void make_message(size_t i, size_t route) {
    char type[64];
    struct message_fault fault;
    struct buffer extra;
    (void)snprintf(type, sizeof type, "com.example.r%05zu.created", route);
    message_init(&messages[i], SLICE_OF(""));
    buffer_init_fixed(&extra, rooms[i], sizeof rooms[i]);
    ASSERT(message_add(&messages[i], &extra, ATTRIBUTE_ID, SLICE_OF("1"), &fault) == STATUS_OK);
    ASSERT(message_add(&messages[i], &extra, ATTRIBUTE_SOURCE, SLICE_OF("/s"), &fault) == STATUS_OK);
    ASSERT(message_add(&messages[i], &extra, ATTRIBUTE_TYPE, slice_from(type), &fault) == STATUS_OK);
    ASSERT(message_seal(&messages[i], &extra, &fault) == STATUS_OK);
}

static double measure(const struct match_table *table) {
    double best = 1e18;
    for (int run = 0; run < 5; run++) {
        double start = now_ns();
        for (int round = 0; round < ROUNDS / MESSAGES; round++) {
            for (size_t i = 0; i < MESSAGES; i++) {
                struct match_input input = {&messages[i], MATCH_NONE, MATCH_NONE, {{0}, {0}}};
                ASSERT(match_first(table, &input, -1) >= 0);
            }
        }
        double each = (now_ns() - start) / (ROUNDS / MESSAGES * MESSAGES);
        best = each < best ? each : best;
    }
    return best;
}

static double measure_count(size_t count, bool exact) {
    char (*texts)[48] = memory_array(count, sizeof *texts);
    struct match_pattern *patterns = memory_array(count, sizeof *patterns);
    struct match_predicate *predicates = memory_array(count, sizeof *predicates);
    struct match_rule *rules = memory_array(count, sizeof *rules);
    struct arena arena;
    const struct match_table *table;
    ASSERT(texts && patterns && predicates && rules);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "com.example.r%05zu.%s", i, exact ? "created" : "");
        patterns[i] = (struct match_pattern){.kind = exact ? MATCH_EXACT : MATCH_PREFIX, .text = slice_from(texts[i])};
        predicates[i] = (struct match_predicate){SLICE("type"), &patterns[i], 1};
        rules[i] = (struct match_rule){.predicates = &predicates[i], .predicate_count = 1};
    }
    for (size_t i = 0; i < MESSAGES; i++)
        make_message(i, count * i / MESSAGES);
    arena_init(&arena, 64 << 20);
    ASSERT(match_compile(rules, count, &arena, &table) == STATUS_OK);
    double each = measure(table);
    arena_done(&arena);
    memory_free(texts);
    memory_free(patterns);
    memory_free(predicates);
    memory_free(rules);
    return each;
}

int main(void) {
    printf("%8s %10s %10s\n", "routes", "exact ns", "prefix ns");
    for (size_t count = 1; count <= 10000; count *= 10)
        printf("%8zu %10.1f %10.1f\n", count, measure_count(count, true), measure_count(count, false));
    return 0;
}
