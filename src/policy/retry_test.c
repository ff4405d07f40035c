#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/retry.h"

#define NOW 1000

static struct retry_rules rules(uint32_t attempts, uint32_t outcomes, bool idempotent) {
    return (struct retry_rules){attempts, outcomes, idempotent, {100, 400, 2, false}};
}

static enum retry_why decide(struct retry_rules with, struct retry_view view, struct mono *ret_at) {
    struct rng rng;
    rng_init(&rng, 1);
    if (view.attempt == 0)
        view.attempt = 1;
    if (view.deadline.ns == 0)
        view.deadline = MONO_NEVER;
    return retry_decide(&with, &view, &rng, (struct mono){NOW}, ret_at);
}

/* The table of kinds: unsent, refused for now, failed, unknown; each without acks, with acks, idempotent. */
static void what_may_be_there_twice_is_told_by_its_kind(void **state) {
    (void)state;
    static const struct {
        enum message_kind kind;
        const char *unsent, *later, *failed, *unknown; /* y: again */
    } rows[] = {
        {KIND_QUERY, "yyy", "yyy", "yyy", "yyy"},   {KIND_EVENT, "yyy", "yyy", "yyy", "yyy"},
        {KIND_REQUEST, "yyy", "yyy", "nny", "nny"}, {KIND_COMMAND, "yyy", "yyy", "nyy", "nyy"},
        {KIND_NOTIFICATION, "yyy", "nnn", "nnn", "nnn"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int how = 0; how < 3; how++) {
            const struct {
                enum retry_fate fate;
                enum status status;
                const char *again;
            } columns[] = {{RETRY_UNSENT, STATUS_PEER_CLOSED, rows[i].unsent},
                           {RETRY_REFUSED, STATUS_OVERLOADED, rows[i].later},
                           {RETRY_REFUSED, STATUS_UPSTREAM_ERROR, rows[i].failed},
                           {RETRY_UNKNOWN, STATUS_RESET, rows[i].unknown}};
            for (size_t j = 0; j < 4; j++) {
                struct mono at;
                enum retry_why why = decide(rules(3, RETRY_ALL, how == 2),
                                            (struct retry_view){.kind = rows[i].kind, .acks = how == 1,
                                                                .fate = columns[j].fate, .status = columns[j].status},
                                            &at);
                assert_int_equal(why == RETRY_AGAIN, columns[j].again[how] == 'y');
            }
        }
    }
}

static void each_failure_has_its_word(void **state) {
    (void)state;
    static const struct {
        enum retry_fate fate;
        enum status status;
        enum retry_outcome outcome;
    } rows[] = {
        {RETRY_UNSENT, STATUS_PEER_CLOSED, RETRY_UNREACHABLE},      {RETRY_UNSENT, STATUS_REPLY_TIMEOUT, RETRY_UNREACHABLE},
        {RETRY_UNKNOWN, STATUS_PEER_CLOSED, RETRY_RESET},           {RETRY_UNKNOWN, STATUS_RESET, RETRY_RESET},
        {RETRY_UNKNOWN, STATUS_PROTOCOL_ERROR, RETRY_RESET},        {RETRY_UNKNOWN, STATUS_REPLY_TIMEOUT, RETRY_TIMEOUT},
        {RETRY_UNKNOWN, STATUS_OUTCOME_UNKNOWN, RETRY_TIMEOUT},     {RETRY_REFUSED, STATUS_OVERLOADED, RETRY_OVERLOADED},
        {RETRY_REFUSED, STATUS_RATE_LIMITED, RETRY_OVERLOADED},     {RETRY_REFUSED, STATUS_TARGET_UNAVAILABLE, RETRY_OVERLOADED},
        {RETRY_REFUSED, STATUS_UPSTREAM_ERROR, RETRY_FAILED},       {RETRY_REFUSED, STATUS_REJECTED, RETRY_FAILED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(retry_outcome_of(rows[i].fate, rows[i].status), rows[i].outcome);
    for (int i = 0; i < RETRY_OUTCOME_COUNT; i++)
        assert_non_null(retry_outcome_name((enum retry_outcome)i));
}

static void outcomes_that_are_not_listed_end_it(void **state) {
    (void)state;
    struct mono at;
    for (int listed = 0; listed < RETRY_OUTCOME_COUNT; listed++) {
        static const struct {
            enum retry_fate fate;
            enum status status;
        } failures[RETRY_OUTCOME_COUNT] = {{RETRY_UNSENT, STATUS_PEER_CLOSED},
                                           {RETRY_UNKNOWN, STATUS_RESET},
                                           {RETRY_UNKNOWN, STATUS_REPLY_TIMEOUT},
                                           {RETRY_REFUSED, STATUS_OVERLOADED},
                                           {RETRY_REFUSED, STATUS_UPSTREAM_ERROR}};
        for (int i = 0; i < RETRY_OUTCOME_COUNT; i++)
            assert_int_equal(decide(rules(3, RETRY_BIT(listed), false),
                                    (struct retry_view){.kind = KIND_EVENT, .fate = failures[i].fate, .status = failures[i].status}, &at),
                             i == listed ? RETRY_AGAIN : RETRY_NOT_LISTED);
    }
}

static void attempts_are_counted_in_all(void **state) {
    (void)state;
    struct mono at;
    struct retry_view view = {.kind = KIND_QUERY, .fate = RETRY_UNKNOWN, .status = STATUS_RESET};
    for (view.attempt = 1; view.attempt <= 4; view.attempt++)
        assert_int_equal(decide(rules(3, RETRY_ALL, false), view, &at), view.attempt < 3 ? RETRY_AGAIN : RETRY_SPENT);
    view.attempt = 1;
    assert_int_equal(decide(rules(1, RETRY_ALL, false), view, &at), RETRY_SPENT);
    view.fate = RETRY_UNSENT; /* none was made */
    view.attempt = 99;
    assert_int_equal(decide(rules(3, RETRY_ALL, false), view, &at), RETRY_AGAIN);
    assert_int_equal(at.ns, NOW);
}

static void the_recipient_may_ask_for_a_longer_pause_and_never_for_a_shorter_one(void **state) {
    (void)state;
    struct mono at;
    struct retry_view view = {.kind = KIND_EVENT, .fate = RETRY_REFUSED, .status = STATUS_OVERLOADED, .after_ns = 5000};
    assert_int_equal(decide(rules(3, RETRY_ALL, false), view, &at), RETRY_AGAIN);
    assert_int_equal(at.ns, NOW + 5000);
    view.after_ns = 0;
    assert_int_equal(decide(rules(3, RETRY_ALL, false), view, &at), RETRY_AGAIN);
    assert_in_range(at.ns, NOW, NOW + 100);
}

static void nothing_is_waited_for_past_its_own_time(void **state) {
    (void)state;
    struct mono at;
    struct retry_view view = {.kind = KIND_EVENT, .fate = RETRY_REFUSED, .status = STATUS_OVERLOADED, .after_ns = 5000};
    view.deadline = (struct mono){NOW + 5000};
    assert_int_equal(decide(rules(3, RETRY_ALL, false), view, &at), RETRY_TOO_LATE);
    view.deadline = (struct mono){NOW + 5001};
    assert_int_equal(decide(rules(3, RETRY_ALL, false), view, &at), RETRY_AGAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_there_twice_is_told_by_its_kind),
        cmocka_unit_test(each_failure_has_its_word),
        cmocka_unit_test(outcomes_that_are_not_listed_end_it),
        cmocka_unit_test(attempts_are_counted_in_all),
        cmocka_unit_test(the_recipient_may_ask_for_a_longer_pause_and_never_for_a_shorter_one),
        cmocka_unit_test(nothing_is_waited_for_past_its_own_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
