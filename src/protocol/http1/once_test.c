/* Requests with `Idempotency-Key`: what is claimed, how verdicts are answered, also those that come later. */
#include "protocol/http1/fixture.h"

static struct user {
    struct once_verdict verdict;
    unsigned claims, ends;
    unsigned code; /* of the last that ended */
    char key[256], answer[2048];
    uint8_t print[ONCE_PRINT_SIZE];
} user;

static struct once_verdict note_claim(void *of, const struct once_claim *claim) {
    (void)of;
    user.claims++;
    snprintf(user.key, sizeof user.key, "%.*s", SLICE_ARG(claim->key));
    memcpy(user.print, claim->print, sizeof user.print);
    return user.verdict;
}

static void note_end(void *of, unsigned code, struct slice answer) {
    (void)of;
    user.ends++;
    user.code = code;
    snprintf(user.answer, sizeof user.answer, "%.*s", SLICE_ARG(answer));
}

static void begin(struct world *w, enum once_what what) {
    world_init(w, PROTOCOL_ACCEPTED);
    w->calls.claim = note_claim;
    w->calls.claimed = note_end;
    memset(&user, 0, sizeof user);
    user.verdict.what = what;
    world_open(w);
}

static void say(struct world *w, const char *fields, const char *body) {
    char all[2048];
    snprintf(all, sizeof all, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n%sContent-Length: %zu\r\n\r\n%s",
             fields, strlen(body), body);
    world_give(w, slice_from(all));
}

static void tell(struct world *w, enum once_what what, unsigned code, const char *answer) {
    struct once_verdict verdict = {what, code, slice_from(answer)};
    protocol_http1.once(w->state, &verdict, w->now);
    world_pump(w);
}

#define KEY "Idempotency-Key: \"k1\"\r\n"

static void a_first_one_runs_and_its_answer_is_told(void **state) {
    struct world w;
    (void)state;
    begin(&w, ONCE_NEW);
    say(&w, KEY, "blink");
    world_check(&w, 202);
    assert_int_equal(w.messages, 1);
    assert_string_equal(user.key, "k1");
    assert_non_null(strstr(w.seen[0].json, "\"idempotencykey\":\"k1\""));
    assert_int_equal(user.ends, 1);
    assert_int_equal(user.code, 202);
    assert_non_null(strstr(user.answer, w.seen[0].receipt));
    assert_null(strstr(user.answer, "Date:"));
    world_done(&w);
}

static void the_print_tells_bodies_apart(void **state) {
    uint8_t first[ONCE_PRINT_SIZE];
    struct world w;
    (void)state;
    begin(&w, ONCE_NEW);
    say(&w, KEY, "a");
    memcpy(first, user.print, sizeof first);
    say(&w, KEY, "a");
    assert_memory_equal(first, user.print, sizeof first);
    say(&w, KEY, "b");
    assert_memory_not_equal(first, user.print, sizeof first);
    world_done(&w);
}

static void without_the_field_nothing_is_claimed(void **state) {
    struct world w;
    (void)state;
    begin(&w, ONCE_NEW);
    say(&w, "", "blink");
    world_check(&w, 202);
    assert_int_equal(user.claims + user.ends, 0);
    world_done(&w);
}

static void a_malformed_key_is_refused(void **state) {
    struct world w;
    (void)state;
    begin(&w, ONCE_NEW);
    say(&w, "Idempotency-Key: \"open\r\n", "blink");
    world_check(&w, 400);
    assert_int_equal(user.claims + w.messages, 0);
    assert_int_equal(w.invalids, 1);
    world_done(&w);
}

static void what_does_not_run_is_answered(void **state) {
    static const struct {
        enum once_what what;
        unsigned code;
        const char *piece;
    } rows[] = {
        {ONCE_RUNNING, 409, "\"reason\":\"in-progress\""},
        {ONCE_CONFLICT, 422, "\"reason\":\"idempotency-conflict\""},
        {ONCE_FULL, 503, "Retry-After: 1\r\n"},
        {ONCE_AGAIN, 502, "Intertie-Duplicate: true\r\n"}, /* its answer is lost */
    };
    (void)state;
    for (unsigned later = 0; later < 2; later++)
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct world w;
            begin(&w, later ? ONCE_PENDING : rows[i].what);
            say(&w, KEY, "blink");
            if (later)
                tell(&w, rows[i].what, 0, "");
            world_check(&w, rows[i].code);
            CHECK_HAS(&w, rows[i].piece);
            assert_int_equal(w.messages + user.ends, 0);
            world_done(&w);
        }
}

static void the_first_answer_is_given_again_and_a_wait_that_was_applied_with_it(void **state) {
    char answer[sizeof user.answer];
    struct world w;
    (void)state;
    begin(&w, ONCE_NEW);
    w.holds = true;
    say(&w, KEY "Prefer: wait=7\r\n", "blink");
    world_settle(&w, w.seen[0].token, STATUS_REPLY_TIMEOUT);
    world_check(&w, 504);
    assert_int_equal(user.code, 504);
    snprintf(answer, sizeof answer, "%s", user.answer);
    world_forget(&w);
    user.verdict = (struct once_verdict){ONCE_AGAIN, 504, slice_from(answer)};
    say(&w, KEY "Prefer: wait=7\r\n", "blink");
    world_check(&w, 504);
    CHECK_HAS(&w, "Intertie-Duplicate: true\r\nPreference-Applied: wait=7\r\n");
    assert_int_equal(w.messages, 1);
    assert_int_equal(user.ends, 1);
    world_done(&w);
}

/* What it borrowed is gone by then; what comes behind it waits. */
static void one_that_waits_runs_when_its_verdict_comes(void **state) {
    struct world w;
    (void)state;
    begin(&w, ONCE_PENDING);
    say(&w, KEY, "blink");
    say(&w, "", "next");
    assert_int_equal(w.messages, 0);
    assert_string_equal(world_text(&w), "");
    tell(&w, ONCE_NEW, 0, "");
    assert_int_equal(w.messages, 2);
    assert_non_null(strstr(w.seen[0].json, "blink"));
    assert_non_null(strstr(w.seen[1].json, "next"));
    assert_int_equal(world_code(&w, 1), 202);
    assert_int_equal(user.ends, 1);
    world_done(&w);
}

static void one_that_waits_came_in_chunks_or_without_a_body(void **state) {
    struct world w;
    (void)state;
    begin(&w, ONCE_PENDING);
    world_give(&w, SLICE_OF("POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n" KEY
                            "Transfer-Encoding: chunked\r\n\r\n3\r\nbli\r\n2\r\nnk\r\n0\r\n\r\n"));
    tell(&w, ONCE_NEW, 0, "");
    assert_non_null(strstr(w.seen[0].json, "blink"));
    say(&w, KEY, "");
    tell(&w, ONCE_NEW, 0, "");
    assert_int_equal(w.messages, 2);
    world_done(&w);
}

static void one_whose_verdict_never_comes_is_answered(void **state) {
    struct world w;
    (void)state;
    begin(&w, ONCE_PENDING);
    say(&w, KEY, "blink");
    world_wait(&w, 9 * NS_PER_S);
    assert_string_equal(world_text(&w), "");
    world_wait(&w, NS_PER_S);
    world_check(&w, 503);
    assert_int_equal(user.ends, 1);
    assert_int_equal(user.code, 0);
    world_forget(&w);
    tell(&w, ONCE_NEW, 0, ""); /* too late */
    assert_string_equal(world_text(&w), "");
    assert_int_equal(w.messages, 0);
    world_done(&w);
}

static void one_that_waits_may_be_left(void **state) {
    struct world w;
    (void)state;
    begin(&w, ONCE_PENDING);
    say(&w, KEY, "blink");
    world_done(&w); /* the sanitizer counts */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_one_runs_and_its_answer_is_told),
        cmocka_unit_test(the_print_tells_bodies_apart),
        cmocka_unit_test(without_the_field_nothing_is_claimed),
        cmocka_unit_test(a_malformed_key_is_refused),
        cmocka_unit_test(what_does_not_run_is_answered),
        cmocka_unit_test(the_first_answer_is_given_again_and_a_wait_that_was_applied_with_it),
        cmocka_unit_test(one_that_waits_runs_when_its_verdict_comes),
        cmocka_unit_test(one_that_waits_came_in_chunks_or_without_a_body),
        cmocka_unit_test(one_whose_verdict_never_comes_is_answered),
        cmocka_unit_test(one_that_waits_may_be_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
