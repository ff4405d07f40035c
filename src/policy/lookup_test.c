/* When names are asked for again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/lookup.h"

#define S NS_PER_S

static struct rng rng;

struct row {
    enum lookup_outcome outcome;
    int64_t at_s, ttl_s;
    enum lookup_what what;
    int64_t pause_s; /* at least; a tenth more at most */
};

static void run(struct lookup lookup, const struct row *rows, size_t count) {
    rng_init(&rng, 7);
    for (size_t i = 0; i < count; i++) {
        int64_t pause = 0;
        struct mono now = {rows[i].at_s * S};
        assert_int_equal(lookup_answered(&lookup, rows[i].outcome, rows[i].ttl_s * S, &rng, now, &pause),
                         rows[i].what);
        assert_true(pause >= rows[i].pause_s * S && pause <= rows[i].pause_s * S + rows[i].pause_s * S / 10);
    }
}
#define RUN(lookup, ...) \
    run(lookup, (const struct row[]){__VA_ARGS__}, \
        sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row))

static void asked_again_when_records_end_within_bounds(void **state) {
    (void)state;
    RUN(((struct lookup){0}), {LOOKUP_FOUND, 1, 60, LOOKUP_TAKE, 60}, {LOOKUP_FOUND, 2, 0, LOOKUP_TAKE, 1},
        {LOOKUP_FOUND, 3, 86400, LOOKUP_TAKE, 3600});
}

static void every_counts_more_than_what_records_say(void **state) {
    (void)state;
    RUN(((struct lookup){.every_ns = 2 * S}), {LOOKUP_FOUND, 1, 60, LOOKUP_TAKE, 2},
        {LOOKUP_NONE, 2, 0, LOOKUP_KEEP, 2}, {LOOKUP_FAILED, 3, 0, LOOKUP_KEEP, 1});
}

static void nothing_there_is_believed_after_a_while(void **state) {
    (void)state;
    RUN(((struct lookup){0}), {LOOKUP_FOUND, 1, 60, LOOKUP_TAKE, 60}, {LOOKUP_NONE, 61, 0, LOOKUP_KEEP, 5},
        {LOOKUP_NONE, 90, 0, LOOKUP_KEEP, 5}, {LOOKUP_NONE, 91, 0, LOOKUP_EMPTY, 5},
        {LOOKUP_FOUND, 96, 9, LOOKUP_TAKE, 9}, {LOOKUP_NONE, 105, 0, LOOKUP_KEEP, 5});
}

/* A failure in between is no answer to the contrary. */
static void a_failure_between_denials_proves_nothing(void **state) {
    (void)state;
    RUN(((struct lookup){0}), {LOOKUP_NONE, 10, 0, LOOKUP_KEEP, 5}, {LOOKUP_FAILED, 20, 0, LOOKUP_KEEP, 1},
        {LOOKUP_NONE, 40, 0, LOOKUP_EMPTY, 5});
}

static void failures_keep_what_was_known_for_ever(void **state) {
    (void)state;
    RUN(((struct lookup){0}), {LOOKUP_FOUND, 1, 60, LOOKUP_TAKE, 60}, {LOOKUP_FAILED, 61, 0, LOOKUP_KEEP, 1},
        {LOOKUP_FAILED, 62, 0, LOOKUP_KEEP, 2}, {LOOKUP_FAILED, 64, 0, LOOKUP_KEEP, 4},
        {LOOKUP_FAILED, 68, 0, LOOKUP_KEEP, 8}, {LOOKUP_FAILED, 76, 0, LOOKUP_KEEP, 16},
        {LOOKUP_FAILED, 92, 0, LOOKUP_KEEP, 30}, {LOOKUP_FAILED, 9999999, 0, LOOKUP_KEEP, 30});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_again_when_records_end_within_bounds),
        cmocka_unit_test(every_counts_more_than_what_records_say),
        cmocka_unit_test(nothing_there_is_believed_after_a_while),
        cmocka_unit_test(a_failure_between_denials_proves_nothing),
        cmocka_unit_test(failures_keep_what_was_known_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
