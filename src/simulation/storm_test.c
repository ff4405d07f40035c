/* Scenarios by chance: any policies, any faults, loads of every kind, from many seeds. What was accepted isn't lost, nothing
 * comes more often than promised, keys keep their order, bounds hold, and soon after the last fault all is as before.
 * INTERTIE_SEEDS says how many; a seed that fails is printed with its scenario, and runs alone with INTERTIE_SEED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/assert.h"
#include "simulation/play.h"

#define SECONDS_MAX 60 /* of this machine's time */
#define FAULTS_END_MS 6000
#define QUEUE 300

struct draw {
    struct rng rng;
    struct buffer *out;
    unsigned endpoints, workers;
    bool is_stream;
};

static unsigned below(struct draw *d, unsigned most) {
    return (unsigned)rng_below(&d->rng, most);
}

#define SAY(...) buffer_add_format(d->out, __VA_ARGS__)

static const char *pick(struct draw *d, const char *const *words, unsigned count) {
    return words[below(d, count)];
}

static void policies(struct draw *d) {
    static const char *const balances[] = {"round_robin", "least_request", "p2c", "ewma", "random", "hash, key: partitionkey"};
    static const char *const outliers[] = {"false", "{consecutive: 3, eject: 300ms, eject_max: 2s}",
                                           "{consecutive: 5, eject: 500ms, eject_max: 4s, max_ejected: 100%}"};
    static const char *const breakers[] = {"false", "{failures: 5, open: 200ms, open_max: 2s}",
                                           "{share: 50%, window: 2s, min: 10, open: 300ms, open_max: 1s, probes: 3}"};
    SAY("      balance: {by: %s}\n", pick(d, balances, COUNT_OF(balances)));
    SAY("      outlier: %s\n", pick(d, outliers, COUNT_OF(outliers)));
    SAY("      breaker: %s\n", pick(d, breakers, COUNT_OF(breakers)));
    SAY("      slow_start: {over: %ums}\n", 100 + below(d, 2000));
    SAY("      timeouts: {attempt: %ums, ack: 700ms, connect: %ums}\n", 200 + below(d, 500), 200 + below(d, 500));
    SAY("      redeliver: {attempts: 250, backoff: %ums..%ums}\n", 1 + below(d, 20), 100 + below(d, 400));
    SAY("      retry: {attempts: %u, backoff: 5ms..50ms}\n", 1 + below(d, 4));
    SAY("      limits: {in_flight: %u, queue: {messages: %u}}\n", 4 + below(d, 60), QUEUE);
    if (!d->is_stream)
        SAY("      pool: {max: %u}\n", 1 + below(d, 16));
}

static void router(struct draw *d) {
    SAY("router: |\n  listeners: {stream: {url: intertie://10.0.0.1:7460, anonymous: true}}\n  systems:\n    shop: {}\n"
        "    desk: {accept: true, timeouts: {ack: 700ms}, redeliver: {attempts: 250, backoff: 5ms..200ms}, limits: {queue: {messages: %u}}}\n"
        "    billing:\n", QUEUE);
    policies(d);
    SAY("      endpoints:\n");
}

static void endpoints(struct draw *d) {
    for (unsigned i = 0; i < d->endpoints; i++)
        SAY(d->is_stream ? "        %c: intertie://10.0.1.%u:7460\n" : "        %c: http://10.0.1.%u:8001/v1/messages\n", 'a' + i, i + 1);
}

static void actors(struct draw *d) {
    SAY("actors:\n  shop: {dial: intertie://10.0.0.1:7460}\n  desk: {dial: intertie://10.0.0.1:7460, serves: true, takes: 1ms..%ums}\n",
        1 + below(d, 4));
    for (unsigned i = 0; i < d->endpoints; i++)
        SAY(d->is_stream ? "  %c: {listen: intertie://10.0.1.%u:7460, system: billing, takes: 1ms..%ums}\n"
                         : "  %c: {listen: http://10.0.1.%u:8001, system: billing, takes: 1ms..%ums}\n",
            'a' + i, i + 1, 2 + below(d, 8));
}

static void loads(struct draw *d) {
    SAY("loads:\n");
    SAY("  events: {from: shop, type: com.example.event, target: billing, rate: %u/s, for: 6s, random: true}\n", 10 + below(d, 60));
    SAY("  keyed: {from: shop, type: com.example.keyed, target: billing, rate: %u/s, for: 6s, keys: %u, priority: %u}\n",
        10 + below(d, 40), 1 + below(d, 5), 1 + below(d, 5));
    SAY("  commands: {from: shop, kind: command, type: com.example.do, target: desk, rate: %u/s, for: 6s, keys: 3}\n", 10 + below(d, 40));
    SAY("  queries: {from: shop, kind: query, type: com.example.ask, target: billing, rate: %u/s, for: 6s}\n", 5 + below(d, 30));
    SAY("  requests: {from: shop, kind: request, type: com.example.change, target: billing, rate: %u/s, for: 6s}\n", 5 + below(d, 10));
    SAY("  notes: {from: shop, kind: notification, type: com.example.note, target: billing, rate: %u/s, for: 6s, priority: %u}\n",
        5 + below(d, 20), 1 + below(d, 5));
    SAY("  after: {from: shop, kind: query, type: com.example.ask, target: billing, rate: 20/s, at: 40s, for: 2s}\n");
}

/* Nothing befalls the sender: what it sends again of its own accord would count as ours. */
static void steps(struct draw *d) {
    static const char *const acts[] = {"kill", "freeze", "deaf", "cut_off", "slow", "refuse", "mute", "reset"};
    unsigned count = 1 + below(d, 8);
    SAY("steps:\n");
    for (unsigned i = 0; i < count; i++) {
        unsigned at = 300 + below(d, FAULTS_END_MS - 2500), lasts = 50 + below(d, 2000), who = below(d, d->endpoints + 1);
        const char *act = pick(d, acts, COUNT_OF(acts));
        char name[8] = "desk";
        if (who < d->endpoints)
            (void)snprintf(name, sizeof name, "%c", 'a' + who);
        SAY("  - {at: %ums, %s: %s, for: %ums", at, act, name, lasts);
        if (act == acts[4])
            SAY(", takes: 50ms..%ums", 50 + below(d, 400));
        if (act == acts[5])
            SAY(", share: %u%%", 10 + below(d, 90));
        SAY("}\n");
    }
}

static void expects(struct draw *d) {
    SAY("until: 90s\nevery: 2s\nexpect:\n  - lost == 0\n  - disorder == 0\n  - dead of events == 0\n  - dead of keyed == 0\n"
        "  - dead of commands == 0\n  - twice of requests == 0\n  - twice of notes == 0\n  - amplification of notes <= 1\n");
    SAY("  - held <= %u\n", d->workers * (2 * QUEUE + 64 * (d->endpoints + 1) * 2 + 64));
    SAY("  - held from 80s == 0\n  - arrived of after == 40\n  - dead of after == 0\n  - max of after < 200ms\n");
}

static void write_scenario(uint64_t seed, struct buffer *out) {
    struct draw draw = {.out = out}, *d = &draw;
    rng_init(&d->rng, seed);
    d->endpoints = 1 + below(d, 5);
    d->workers = 1 + below(d, 3);
    d->is_stream = below(d, 3) == 0;
    SAY("scenario: Storm %llu\nseed: %llu\nworkers: %u\nlinks: {delay: 1ms..%ums, window: %uKiB}\n", (unsigned long long)seed,
        (unsigned long long)seed, d->workers, 1 + below(d, 4), 2u << below(d, 6));
    router(d);
    endpoints(d);
    actors(d);
    loads(d);
    steps(d);
    expects(d);
}

static struct scenario *load(const struct buffer *text) {
    struct config_report report;
    struct scenario *scenario = NULL;
    config_report_init(&report);
    if (scenario_load(SLICE_OF("storm.yaml"), buffer_slice(text), &scenario, &report) != STATUS_OK) {
        struct buffer words;
        buffer_init(&words, 65536);
        config_report_text(&report, &words);
        print_error("%.*s", SLICE_ARG(buffer_slice(&words)));
        buffer_done(&words);
    }
    config_report_done(&report);
    return scenario;
}

/* cmocka's messages end at a kilobyte or so. */
static void print_all(struct slice text) {
    while (text.size) {
        size_t line = slice_find(text, '\n');
        print_error("%.*s\n", SLICE_ARG(slice_head(text, line)));
        text = slice_skip(text, line + 1);
    }
}

static void one_seed(uint64_t seed, uint64_t *messages) {
    struct buffer text, narrative;
    struct play_result result, again;
    struct fault fault;
    buffer_init(&text, SCENARIO_TEXT_MAX);
    buffer_init(&narrative, 8u << 20);
    write_scenario(seed, &text);
    struct scenario *scenario = load(&text);
    assert_non_null(scenario);
    if (!play_scenario(scenario, &narrative, NULL, &result, &fault)) {
        print_all(buffer_slice(&text));
        fail_msg("%s", fault.text);
    }
    if (result.broken) {
        print_error("seed %llu: replay it with INTERTIE_SEED=%llu, or play this as a file in tests/scenarios:\n", (unsigned long long)seed,
                    (unsigned long long)seed);
        print_all(buffer_slice(&text));
        print_all(buffer_slice(&narrative));
    }
    assert_int_equal(result.broken, 0);
    if (seed % 4 == 0) {
        assert_true(play_scenario(scenario, NULL, NULL, &again, &fault));
        assert_true(again.hash == result.hash);
    }
    *messages += result.messages;
    scenario_free(scenario);
    buffer_done(&text);
    buffer_done(&narrative);
}

static void storms_pass_and_nothing_is_lost(void **state) {
    const char *one = getenv("INTERTIE_SEED"), *count = getenv("INTERTIE_SEEDS");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1, seeds = one ? 1 : count ? strtoull(count, NULL, 10) : 12, messages = 0;
    clock_t start = clock();
    (void)state;
    for (uint64_t seed = first; seed < first + seeds && clock() - start < SECONDS_MAX * CLOCKS_PER_SEC; seed++)
        one_seed(seed, &messages);
    assert_true(messages > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(storms_pass_and_nothing_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
