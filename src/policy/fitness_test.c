#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/breaker.h"
#include "policy/health.h"
#include "policy/outlier.h"
#include "policy/tiers.h"

#define MONO(ms) ((struct mono){(ms)*NS_PER_MS})

/* -- active -- */

/* + good, - bad: in capitals it stands after which check it changed. */
static void health_rises_and_falls(void **state) {
    (void)state;
    static const struct health_config config = {.interval_ns = 5 * NS_PER_S, .rise = 2, .fall = 3};
    static const struct {
        const char *checks;
        const char *states; /* after each: u up, d down */
    } rows[] = {
        {"+---", "uuud"},   {"+--+--+---", "uuuuuuuuud"}, {"-", "d"},
        {"-+-++", "ddddu"}, {"+---+-++", "uuuddddu"},     {"+++", "uuu"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct health health = {0};
        char states[32] = "";
        for (size_t k = 0; rows[i].checks[k]; k++) {
            bool was = health.is_down, changed = health_checked(&health, &config, rows[i].checks[k] == '+');
            assert_int_equal(changed, was != health.is_down);
            states[k] = health.is_down ? 'd' : 'u';
        }
        assert_string_equal(states, rows[i].states);
    }
}

static void checks_hurry_while_it_changes_and_rest_when_idle(void **state) {
    (void)state;
    static const struct health_config config = {
        .interval_ns = 5 * NS_PER_S, .rise = 2, .fall = 3, .jitter_permille = 150};
    static const struct {
        struct health health;
        bool is_idle;
        int64_t about_s;
    } rows[] = {
        {{.is_down = false}, false, 5}, {{.is_down = false}, true, 60},
        {{.is_down = true}, true, 5},   {{.in_a_row = 1}, true, 1},
        {{.in_a_row = 1}, false, 1},    {{.is_down = true, .in_a_row = 1}, false, 1},
    };
    struct rng rng;
    rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int k = 0; k < 50; k++) {
            int64_t pause = health_pause(&rows[i].health, &config, rows[i].is_idle, &rng);
            assert_in_range(pause, rows[i].about_s * 850 * NS_PER_MS, rows[i].about_s * 1150 * NS_PER_MS);
        }
    struct health_config quick = {.interval_ns = 200 * NS_PER_MS, .rise = 1, .fall = 1};
    assert_int_equal(health_pause(&(struct health){.in_a_row = 1}, &quick, false, &rng), 200 * NS_PER_MS);
}

/* -- passive -- */

static const struct outlier_config outliers = {.consecutive = 3,
                                               .failure_permille = 850,
                                               .latency_ns = 100 * NS_PER_MS,
                                               .eject_ns = 30 * NS_PER_S,
                                               .eject_max_ns = 300 * NS_PER_S,
                                               .max_ejected_permille = 500};

static enum attempt_result result_of_letter(char letter) {
    static const char letters[] = "+urtof";
    return (enum attempt_result)(strchr(letters, letter) - letters);
}

static void failures_in_a_row_eject(void **state) {
    (void)state;
    static const struct {
        const char *results; /* + ok, unreachable, reset, timeout, overloaded, failed */
        bool ejects;
    } rows[] = {
        {"fff", true},   {"ff+ff", false}, {"fof", true},
        {"urt", true},   {"fufu", false}, /* theirs and ours apart */
        {"fufuf", true}, {"+++", false},   {"uu+u", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outlier outlier = {0};
        enum outlier_why why = OUTLIER_FINE;
        for (const char *at = rows[i].results; *at; at++)
            why = outlier_heard(&outlier, &outliers, result_of_letter(*at), NS_PER_MS);
        assert_int_equal(why == OUTLIER_CONSECUTIVE, rows[i].ejects);
    }
}

static void an_interval_tells_of_share_and_latency(void **state) {
    (void)state;
    static const struct {
        unsigned good, bad;
        int64_t latency_ms;
        enum outlier_why why;
    } rows[] = {
        {8, 42, 1, OUTLIER_FINE},      {7, 43, 1, OUTLIER_RATE},   {0, 49, 1, OUTLIER_FINE},
        {20, 0, 101, OUTLIER_LATENCY}, {20, 0, 100, OUTLIER_FINE}, {19, 0, 900, OUTLIER_FINE},
        {0, 0, 0, OUTLIER_FINE},
    };
    struct outlier_config config = outliers;
    config.consecutive = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outlier outlier = {0};
        for (unsigned k = 0; k < rows[i].good; k++)
            outlier_heard(&outlier, &config, RESULT_OK, rows[i].latency_ms * NS_PER_MS);
        for (unsigned k = 0; k < rows[i].bad; k++)
            outlier_heard(&outlier, &config, RESULT_FAILED, -1);
        assert_int_equal(outlier_interval(&outlier, &config), rows[i].why);
        assert_int_equal(outlier_interval(&outlier, &config), OUTLIER_FINE);
    }
}

static void each_time_out_is_longer(void **state) {
    (void)state;
    struct outlier outlier = {0};
    for (uint32_t times = 1; times <= 12; times++) {
        outlier_eject(&outlier, &outliers, MONO(0));
        assert_int_equal(outlier.until.ns, (times < 10 ? times * 30 : 300) * NS_PER_S);
        assert_int_equal(outlier_heard(&outlier, &outliers, RESULT_FAILED, 0), OUTLIER_FINE);
        outlier_return(&outlier);
    }
    for (int i = 0; i < 20; i++) /* good intervals make up for it */
        outlier_interval(&outlier, &outliers);
    assert_int_equal(outlier.times, 0);
}

static void one_always_stays(void **state) {
    (void)state;
    static const struct {
        uint32_t ejected, total;
        bool may;
    } rows[] = {{0, 1, false}, {0, 2, true},  {1, 2, false}, {0, 3, true},  {1, 3, false},
                {1, 4, true},  {2, 4, false}, {4, 10, true}, {5, 10, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(outlier_may_eject(&outliers, rows[i].ejected, rows[i].total), rows[i].may);
    struct outlier_config all = outliers;
    all.max_ejected_permille = 1000;
    for (uint32_t total = 1; total < 20; total++)
        assert_false(outlier_may_eject(&all, total - 1, total));
    all.max_ejected_permille = 0;
    assert_false(outlier_may_eject(&all, 0, 10));
}

/* -- breaker -- */

static const struct breaker_config breakers = {.failures = 3,
                                               .share_permille = 500,
                                               .min = 10,
                                               .window_ns = 10 * NS_PER_S,
                                               .open_ns = NS_PER_S,
                                               .open_max_ns = 8 * NS_PER_S,
                                               .probes = 2};

static void a_breaker_opens_tries_and_closes(void **state) {
    (void)state;
    struct breaker breaker = {0};
    struct rng rng;
    rng_init(&rng, 2);
    assert_false(breaker_heard(&breaker, &breakers, RESULT_FAILED, MONO(0), &rng));
    assert_false(breaker_heard(&breaker, &breakers, RESULT_TIMEOUT, MONO(0), &rng));
    assert_true(breaker_heard(&breaker, &breakers, RESULT_FAILED, MONO(0), &rng));
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_false(breaker_may_send(&breaker, &breakers));
    assert_false(breaker_heard(&breaker, &breakers, RESULT_OK, MONO(1), &rng)); /* sent before */
    assert_false(breaker_look(&breaker, MONO(499)));
    assert_true(breaker_look(&breaker, MONO(1501)));
    assert_true(breaker_may_send(&breaker, &breakers));
    breaker_sent(&breaker);
    assert_true(breaker_may_send(&breaker, &breakers));
    breaker_sent(&breaker);
    assert_false(breaker_may_send(&breaker, &breakers));
    assert_false(breaker_look(&breaker, MONO(31500)));
    assert_true(breaker_look(&breaker, MONO(31501))); /* nothing was heard of them */
    breaker_sent(&breaker);
    breaker_sent(&breaker);
    assert_false(breaker_heard(&breaker, &breakers, RESULT_OK, MONO(1600), &rng));
    assert_false(breaker_may_send(&breaker, &breakers));
    assert_true(breaker_heard(&breaker, &breakers, RESULT_OK, MONO(1600), &rng));
    assert_int_equal(breaker.state, BREAKER_CLOSED);
}

static void each_pause_is_twice_as_long(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    struct breaker breaker = {0};
    int64_t now = 0;
    for (int i = 0; i < 3; i++)
        breaker_heard(&breaker, &breakers, RESULT_FAILED, MONO(now), &rng);
    for (unsigned i = 0; i < 40; i++) {
        int64_t about = i < 3 ? 1000 << i : 8000, pause = (breaker.until.ns - MONO(now).ns) / NS_PER_MS;
        assert_in_range(pause, about / 2, about * 3 / 2);
        now += 100000;
        assert_true(breaker_look(&breaker, MONO(now)));
        breaker_sent(&breaker);
        assert_true(breaker_heard(&breaker, &breakers, RESULT_RESET, MONO(now), &rng));
    }
}

static void a_share_within_the_window_opens(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    struct breaker breaker = {0};
    bool opened = false;
    for (int i = 0; i < 9; i++) /* every other fails: never three in a row, and too few */
        opened |= breaker_heard(&breaker, &breakers, i % 2 ? RESULT_FAILED : RESULT_OK, MONO(i * 10), &rng);
    assert_false(opened);
    assert_true(breaker_heard(&breaker, &breakers, RESULT_FAILED, MONO(100), &rng));
    breaker = (struct breaker){0};
    for (int i = 0; i < 40; i++) /* as many, but longer ago than the window: no more than nine at once */
        opened |= breaker_heard(&breaker, &breakers, i % 2 ? RESULT_FAILED : RESULT_OK, MONO(i * 1300), &rng);
    assert_false(opened);
}

/* -- tiers -- */

/* A letter each: + healthy, - not, o out by hand; a digit before says from which tier on. Answer: S serves, . not. */
static void tiers_help_each_other(void **state) {
    (void)state;
    static const struct {
        const char *takers;
        uint32_t panic;
        const char *serves;
        bool is_panic;
    } rows[] = {
        {"0++1+", 500, "SS.", false},   {"0+-1+", 500, "S..", false},  {"0--1+", 500, "..S", false},
        {"0+--1+", 500, "S..S", false}, {"0--1-", 500, "SSS", true},   {"0--1-", 0, "...", false},
        {"0-", 500, "S", true},         {"0+-", 500, "S.", false},     {"0+--", 500, "SSS", true},
        {"0+--", 300, "S..", false},    {"0o+", 500, ".S", false},     {"0oo1+", 500, "..S", false},
        {"0--o1-", 500, "SS.S", true},  {"2+1-0-", 500, "S..", false}, {"", 500, "", true},
        {"5++", 500, "SS", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tiers_view views[8];
        uint32_t count = 0, tier = 0;
        for (const char *at = rows[i].takers; *at; at++) {
            if (*at >= '0' && *at <= '9')
                tier = (uint32_t)(*at - '0');
            else
                views[count++] =
                    (struct tiers_view){.tier = tier, .is_healthy = *at == '+', .is_allowed = *at != 'o'};
        }
        struct tiers_verdict verdict = tiers_choose(views, count, rows[i].panic);
        char serves[9] = "";
        for (uint32_t k = 0; k < count; k++)
            serves[k] = views[k].ret_serves ? 'S' : '.';
        assert_string_equal(serves, rows[i].serves);
        assert_int_equal(verdict.is_panic, rows[i].is_panic);
        uint32_t serving = 0;
        for (uint32_t k = 0; k < count; k++)
            serving += serves[k] == 'S';
        assert_int_equal(verdict.serving, serving);
    }
}

static void results_are_of_the_endpoint(void **state) {
    (void)state;
    static const struct {
        enum status status;
        enum attempt_result result;
    } rows[] = {
        {STATUS_OK, RESULT_OK},
        {STATUS_REFUSED, RESULT_UNREACHABLE},
        {STATUS_RESET, RESULT_RESET},
        {STATUS_REPLY_TIMEOUT, RESULT_TIMEOUT},
        {STATUS_RATE_LIMITED, RESULT_OVERLOADED},
        {STATUS_UPSTREAM_ERROR, RESULT_FAILED},
        {STATUS_REJECTED, RESULT_OK},
        {STATUS_TOO_LARGE, RESULT_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(result_of(rows[i].status), rows[i].result);
    assert_string_equal(result_name(RESULT_OVERLOADED), "overloaded");
    assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half-open");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_rises_and_falls),
        cmocka_unit_test(checks_hurry_while_it_changes_and_rest_when_idle),
        cmocka_unit_test(failures_in_a_row_eject),
        cmocka_unit_test(an_interval_tells_of_share_and_latency),
        cmocka_unit_test(each_time_out_is_longer),
        cmocka_unit_test(one_always_stays),
        cmocka_unit_test(a_breaker_opens_tries_and_closes),
        cmocka_unit_test(each_pause_is_twice_as_long),
        cmocka_unit_test(a_share_within_the_window_opens),
        cmocka_unit_test(tiers_help_each_other),
        cmocka_unit_test(results_are_of_the_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
