/* Senders whose connections break before they hear that their messages were taken, and who send them again: each arrives
 * once, whichever worker it comes to, from many seeds. INTERTIE_SEEDS says how many; a failing seed is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/inner.h"
#include "simulation/actor.h"
#include "simulation/node.h"

#define MESSAGES 80
#define SENDERS 2
#define EVENTS_MAX 400000

static const char yaml[] = "listeners: {stream: {url: intertie://10.0.0.1:7460, anonymous: true}}\n"
                           "systems: {crm: {}, ledger: intertie://10.0.0.2:7460}\n"
                           "routes:\n"
                           "  do: {match: {type: com.example.do}, to: ledger}\n"
                           "  say: {match: {type: com.example.say}, to: ledger, dedupe: {window: 10m}}\n"
                           "  tell: {match: {type: com.example.tell}, to: ledger}\n";

static const struct engine_calls node_calls = {.ended = NULL};

static const char *check(void *user, struct party *party) {
    (void)user;
    return party->node == UINT32_MAX ? NULL : engine_check(node_engine(party));
}

static struct actor *actor(struct world *world, const char *name, bool dials) {
    struct actor_script script = {.name = name,
                                  .protocol = protocol_find(SLICE_OF("stream1")),
                                  .keeps_dialled = dials,
                                  .insists = true,
                                  .address = slice_from(dials ? "10.0.0.1:7460" : "10.0.0.2:7460")};
    script.setup = (struct protocol_setup){.role = dials ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED,
                                           .encoding = ENCODING_PROTO,
                                           .own_system = slice_from(dials ? "crm" : "")};
    script.setup.limits.message = 1u << 20;
    script.setup.limits.window = 64;
    script.setup.limits.window_bytes = 1u << 20;
    script.setup.timeouts.head_ns = script.setup.timeouts.auth_ns = 5 * NS_PER_S;
    script.setup.timeouts.idle_ns = 300 * NS_PER_S;
    script.setup.timeouts.heartbeat_ns = 15 * NS_PER_S;
    return actor_new(world, &script);
}

struct result {
    uint64_t hash;
    unsigned twice; /* of what is not looked for */
    uint64_t duplicates;
    char wrong[120];
};

static void judge(const struct actor *ledger, struct actor *const senders[], struct result *result) {
    for (unsigned i = 0; i < MESSAGES; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i);
        uint32_t times = actor_times(ledger, slice_from(id));
        bool is_looked_for = i % 3 != 2;
        if (times == 0 || (times > 1 && is_looked_for))
            (void)snprintf(result->wrong, sizeof result->wrong, "%s arrived %u times", id, times);
        result->twice += times > 1;
    }
    for (unsigned k = 0; k < SENDERS; k++)
        if (senders[k]->flight_count + senders[k]->outbox_count || senders[k]->refused)
            (void)snprintf(result->wrong, sizeof result->wrong, "not all of what was sent was taken");
}

static struct result run_one(uint64_t seed, uint32_t workers, struct buffer *narrative) {
    static const char *const kinds[] = {"command", "event", "event"};
    static const char *const types[] = {"com.example.do", "com.example.say", "com.example.tell"};
    struct result result = {0};
    struct fault fault;
    struct node_config config;
    struct rng rng;
    struct world_options options = {
        .seed = seed,
        .narrative = narrative,
        .faults = {
            .delay_min_ns = 100 * NS_PER_US, .delay_max_ns = 5 * NS_PER_MS, .window = 65536, .split = true}};
    rng_init(&rng, seed);
    if (!node_config_load(&config, slice_from(yaml), &fault))
        fail_msg("%s", fault.text);
    struct world *world = world_new(&options);
    struct party *engines[4];
    struct node_options node = {.config = &config,
                                .calls = &node_calls,
                                .workers = workers,
                                .cut_through = true,
                                .memo = true,
                                .ret_parties = engines};
    struct party *first = node_new(world, &node);
    world_check(world, check, NULL);
    struct actor *ledger = actor(world, "ledger", false);
    world_poke(world, first);
    struct actor *senders[SENDERS] = {actor(world, "crm", true), actor(world, "crm", true)};
    world_run(world, mono_after(world_now(world).mono, NS_PER_S), EVENTS_MAX);
    for (unsigned i = 0; i < MESSAGES; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i);
        unsigned by = (unsigned)rng_below(&rng, i % 3 == 2 ? 2 : 3); /* one of them, or both at once */
        for (unsigned k = 0; k < SENDERS; k++)
            if (by == k || by == 2) {
                actor_send_new(senders[k], kinds[i % 3], types[i % 3], NULL, id, 2, NULL, "{\"n\":1}");
                world_poke(world, &senders[k]->party);
            }
        if (rng_below(&rng, 4) == 0)
            world_cut(world, &senders[rng_below(&rng, SENDERS)]->party);
        if (!world_run(world, mono_after(world_now(world).mono, (int64_t)rng_below(&rng, 8) * NS_PER_MS),
                       EVENTS_MAX))
            (void)snprintf(result.wrong, sizeof result.wrong, "it spins");
    }
    world_run(world, mono_after(world_now(world).mono, 100 * NS_PER_S), EVENTS_MAX);
    judge(ledger, senders, &result);
    for (uint32_t i = 0; i < workers; i++) {
        const struct engine *engine = node_engine(engines[i]);
        result.duplicates += engine_totals(engine)->endings[ENDING_DROPPED][STATUS_DUPLICATE];
        if (engine->deduping.held || engine->deduping.all.open || engine->totals.held)
            (void)snprintf(result.wrong, sizeof result.wrong, "something is still held at rest");
    }
    if (world_wrong(world))
        (void)snprintf(result.wrong, sizeof result.wrong, "%s", world_wrong(world));
    result.hash = world_hash(world);
    world_free(world);
    node_config_free(&config);
    return result;
}

static void each_seed(uint32_t workers) {
    const char *text = getenv("INTERTIE_SEEDS");
    uint64_t count = text ? strtoull(text, NULL, 10) : 12, duplicates = 0, twice = 0;
    for (uint64_t seed = 1; seed <= count; seed++) {
        struct result result = run_one(seed, workers, NULL);
        duplicates += result.duplicates;
        twice += result.twice;
        if (result.wrong[0]) {
            struct buffer narrative;
            buffer_init(&narrative, 16u << 20);
            run_one(seed, workers, &narrative);
            size_t tail = narrative.size > 6000 ? narrative.size - 6000 : 0;
            print_error("seed %llu: %s\n%.*s\n", (unsigned long long)seed, result.wrong,
                        SLICE_ARG(slice_skip(buffer_slice(&narrative), tail)));
            buffer_done(&narrative);
        }
        assert_string_equal(result.wrong, "");
        if (seed % 4 == 0)
            assert_true(run_one(seed, workers, NULL).hash == result.hash);
    }
    assert_true(duplicates > count); /* it was put to the test */
    assert_true(twice > 0); /* without it they would come twice */
}

static void one_worker_takes_each_once(void **state) {
    (void)state;
    each_seed(1);
}

static void four_workers_take_each_once(void **state) {
    (void)state;
    each_seed(4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_worker_takes_each_once),
                                       cmocka_unit_test(four_workers_take_each_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
