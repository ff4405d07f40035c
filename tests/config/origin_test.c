/* Which value counts, and who brought it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "config/origin.h"
#include "source.h"

static const char text[] =
    "listeners: {web: http://127.0.0.1:8080}\n"
    "policies:\n"
    "  default: {timeouts: {connect: 4s}, retry: {attempts: 5}, outlier: true}\n"
    "  fast: {timeouts: {attempt: 500ms}, retry: {backoff: 10ms..90ms}}\n"
    "  calm: {timeouts: {attempt: 9s, ack: 20s}, limits: {queue: {bytes: 1MiB}, lanes: {5: {messages: 9}, low: {bytes: 1KiB}}}}\n"
    "systems:\n"
    "  a: {url: http://127.0.0.1:7001, policy: calm, timeouts: {request: 7s}, breaker: {failures: 3}, outlier: false}\n"
    "  b: http://127.0.0.1:7002\n"
    "routes:\n"
    "  plain: {match: {type: x}, to: b}\n"
    "  prices: {match: {type: y}, policy: fast, timeouts: {request: 2s}, ttl: 1h, dead_letter: b, redeliver: {outcomes: [reset, timeout]}, to: a}\n";

static struct config *loaded(void) {
    const struct text_file files[] = {{"dir/main.yaml", text, false}, {NULL, NULL, false}};
    static const char *const variables[] = {NULL};
    struct text_source source;
    struct config_options options = {.source = text_source_init(&source, files, variables)};
    struct config_report report;
    struct config *config = NULL;
    config_report_init(&report);
    if (config_load(&options, SLICE_OF("dir/main.yaml"), &config, &report) != STATUS_OK) {
        struct buffer words;
        buffer_init(&words, 64u << 10);
        config_report_text(&report, &words);
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&words)));
    }
    config_report_done(&report);
    return config;
}

/* "VALUE (ORIGIN)", or "-". */
static void expect(const struct config *config, int route, int system, const char *key, const char *wanted) {
    char text_room[128], origin_room[128], got[300];
    bool is_known = false;
    (void)snprintf(got, sizeof got, "-");
    for (size_t i = 0; i < config_value_count(); i++) {
        struct config_value value;
        struct buffer words, origin;
        buffer_init_fixed(&words, text_room, sizeof text_room);
        buffer_init_fixed(&origin, origin_room, sizeof origin_room);
        bool is_there = config_value(config, route < 0 ? NULL : &config->routes[route],
                                     &config->systems[system], i, &value, &words, &origin);
        if (!is_there) {
            assert_int_equal(origin.size, 0);
            continue;
        }
        if (strcmp(value.key, key) != 0)
            continue;
        assert_false(is_known);
        is_known = true;
        (void)snprintf(got, sizeof got, "%.*s (%.*s)", SLICE_ARG(buffer_slice(&words)),
                       SLICE_ARG(buffer_slice(&origin)));
    }
    if (strcmp(got, wanted) != 0)
        fail_msg("%s by route %d to %d: got %s, wanted %s", key, route, system, got, wanted);
}

static void nearest_wins_and_is_named(void **state) {
    static const struct {
        int route; /* -1: by the target alone; 0: plain; 1: prices */
        int system;
        const char *key;
        const char *wanted;
    } cases[] = {
        {1, 0, "timeouts.request", "2s (routes.prices)"},
        {1, 0, "timeouts.attempt", "500ms (policies.fast)"}, /* before the system's own policy */
        {1, 0, "timeouts.ack", "20s (policies.calm)"},
        {1, 0, "timeouts.connect", "4s (policies.default)"},
        {1, 0, "timeouts.queue", "5s (built in)"},
        {1, 0, "retry.attempts", "5 (policies.default)"},
        {1, 0, "retry.backoff.base", "10ms (policies.fast)"},
        {1, 0, "retry.backoff.max", "90ms (policies.fast)"},
        {1, 0, "retry.backoff.factor", "2 (built in)"},
        {1, 0, "retry.outcomes", "unreachable|reset|timeout|overloaded|failed (built in)"},
        {1, 0, "redeliver.outcomes", "reset|timeout (routes.prices)"},
        {1, 0, "ttl", "1h (routes.prices)"},
        {1, 0, "ttl_max", "unlimited (built in)"},
        {1, 0, "dead_letter", "b (routes.prices)"},
        {1, 0, "limits.queue.bytes", "1MiB (policies.calm)"},
        {1, 0, "limits.lanes", "1: {bytes: 1KiB}, 5: {messages: 9} (policies.calm)"},
        {1, 0, "idempotent", "false (built in)"},
        {1, 0, "breaker", "true (systems.a)"},
        {1, 0, "breaker.failures", "3 (systems.a)"},
        {1, 0, "breaker.share", "50% (built in)"},
        {1, 0, "outlier", "false (systems.a)"}, /* off again, so its keys are not there */
        {1, 0, "outlier.consecutive", "-"},
        {1, 0, "health", "false (built in)"},
        {1, 0, "health.interval", "-"},
        {1, 0, "balance.by", "round_robin (built in)"},
        {1, 0, "balance.key", "-"},
        {1, 0, "balance.sticky", "-"},
        {1, 0, "rate.messages", "-"}, /* not there yet */
        {-1, 0, "timeouts.request", "7s (systems.a)"},
        {-1, 0, "timeouts.attempt", "9s (policies.calm)"},
        {-1, 0, "dead_letter", "true (built in)"},
        {0, 1, "timeouts.request", "15s (built in)"},
        {0, 1, "timeouts.connect", "4s (policies.default)"},
        {0, 1, "outlier", "true (policies.default)"},
        {0, 1, "outlier.consecutive", "5 (built in)"},
        {0, 1, "breaker.failures", "-"},
    };
    struct config *config = loaded();
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(config, cases[i].route, cases[i].system, cases[i].key, cases[i].wanted);
    config_free(config);
}

static void a_route_knows_its_place(void **state) {
    struct config *config = loaded();
    (void)state;
    assert_true(slice_is(config->routes[1].file, "dir/main.yaml"));
    assert_int_equal(config->routes[0].line, 10);
    assert_int_equal(config->routes[1].line, 11);
    config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_wins_and_is_named),
        cmocka_unit_test(a_route_knows_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
