/* Recipients that refuse and connections that break, from many seeds: what was accepted arrives or is dead with a reason, in
 * the order of its key, no more often than attempts allow, and only twice where nobody could know. INTERTIE_SEEDS says
 * how many; a failing seed is printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine/dead.h"
#include "engine/inner.h"
#include "simulation/actor.h"
#include "simulation/node.h"

#define MESSAGES 60
#define ATTEMPTS 12
#define EVENTS_MAX 400000

static const char yaml[] =
    "listeners: {stream: {url: intertie://10.0.0.1:7460, anonymous: true}}\n"
    "policies: {default: {redeliver: {attempts: 12, backoff: 5ms..200ms}, retry: {attempts: 3}}}\n"
    "systems:\n"
    "  crm: {}\n"
    "  desk: {accept: true}\n"
    "  ledger: intertie://10.0.0.2:7460\n"
    "routes:\n"
    "  both: {match: {type: com.example.both}, to: [desk, ledger]}\n"
    "  do: {match: {type: com.example.do, messagetype: command}, to: ledger}\n"
    "  ask: {match: {type: com.example.ask}, to: ledger}\n";

struct run {
    struct world *world;
    struct map dead; /* id -> id: it ended otherwise than delivered, and that was told */
    uint64_t retries, ended;
    char wrong[160];
};

static void on_ended(void *user, const struct engine_report *report) {
    struct run *run = user;
    struct slice id = report->message ? message_text(report->message, ATTRIBUTE_ID) : SLICE_OF("");
    run->ended++;
    if (report->attempt > ATTEMPTS && !run->wrong[0])
        (void)snprintf(run->wrong, sizeof run->wrong, "%.*s had %u attempts", SLICE_ARG(id), report->attempt);
    world_tell(run->world, "%.*s ends %s (%s) after %u", SLICE_ARG(id), engine_ending_name(report->ending),
               status_reason(report->status), report->attempt);
    if (id.size && !map_get(&run->dead, id)) {
        char *kept = memory_copy_text((const char *)id.data, id.size);
        map_put(&run->dead, slice_make(kept, id.size), kept);
    }
}

static void on_retried(void *user, uint32_t system, const struct engine_retry *retry) {
    struct run *run = user;
    (void)system;
    run->retries += retry->why == RETRY_AGAIN;
}

static const struct engine_calls node_calls = {.ended = on_ended, .retried = on_retried};

static const char *check(void *user, struct party *party) {
    (void)user;
    return party->node == UINT32_MAX ? NULL : engine_check(node_engine(party));
}

static void setup_common(struct protocol_setup *setup, enum protocol_role role) {
    *setup = (struct protocol_setup){.role = role, .encoding = ENCODING_PROTO};
    setup->limits.message = 1u << 20;
    setup->limits.window = 64;
    setup->limits.window_bytes = 1u << 20;
    setup->timeouts.head_ns = setup->timeouts.auth_ns = 5 * NS_PER_S;
    setup->timeouts.idle_ns = 300 * NS_PER_S;
    setup->timeouts.heartbeat_ns = 15 * NS_PER_S;
}

static struct actor *client(struct world *world, const char *name, struct protocol_subscription *sub, unsigned refuses) {
    struct actor_script script = {.name = name, .protocol = protocol_find(SLICE_OF("stream1")),
                                  .address = SLICE_OF("10.0.0.1:7460"), .keeps_dialled = true, .answers = true,
                                  .retry_percent = refuses};
    setup_common(&script.setup, PROTOCOL_DIALLED);
    script.setup.own_system = slice_from(name);
    script.setup.own_subscriptions = sub;
    script.setup.own_subscription_count = sub != NULL;
    return actor_new(world, &script);
}

static struct actor *ledger(struct world *world, unsigned refuses) {
    struct actor_script script = {.name = "ledger", .protocol = protocol_find(SLICE_OF("stream1")),
                                  .address = SLICE_OF("10.0.0.2:7460"), .answers = true, .retry_percent = refuses};
    setup_common(&script.setup, PROTOCOL_ACCEPTED);
    return actor_new(world, &script);
}

static void send_one(struct rng *rng, struct actor *crm, unsigned number) {
    static const char *const types[] = {"com.example.both", "com.example.do", "com.example.ask"};
    static const char *const kinds[] = {"event", "command", "query"};
    size_t which = rng_below(rng, 3);
    char id[16], key[8];
    (void)snprintf(id, sizeof id, "m%u", number);
    (void)snprintf(key, sizeof key, "k%u", (unsigned)rng_below(rng, 3));
    actor_send_new(crm, kinds[which], types[which], NULL, id, 2, which < 2 && rng_below(rng, 2) ? key : NULL, "{\"n\":1}");
}

static void wrong(struct run *run, const char *who, const char *id, const char *words) {
    if (!run->wrong[0])
        (void)snprintf(run->wrong, sizeof run->wrong, "%s: %s %s", who, id, words);
}

/* `cuts`: connections broke, so that what was on its way may have come twice. */
static void judge(struct run *run, const struct actor *crm, struct actor *const takers[2], bool cuts) {
    size_t position = 0;
    const struct message *message;
    while ((message = map_next(&crm->accepted_ids, &position))) {
        struct slice id = message_text(message, ATTRIBUTE_ID);
        if (!map_get(&run->dead, id) && actor_times(takers[0], id) + actor_times(takers[1], id) == 0)
            wrong(run, "crm", (const char *)id.data, "was accepted and is lost");
    }
    for (size_t t = 0; t < 2; t++) {
        uint64_t newest[3] = {0};
        for (unsigned i = 0; i < MESSAGES; i++) {
            char id[16];
            (void)snprintf(id, sizeof id, "m%u", i);
            const struct actor_got *got = actor_got(takers[t], slice_from(id));
            if (got && got->times > 1 && !cuts)
                wrong(run, takers[t]->script.name, id, "was taken twice");
            if (!got || got->key.size == 0)
                continue;
            uint64_t *last = &newest[got->key.data[1] - '0'];
            if (got->order < *last)
                wrong(run, takers[t]->script.name, id, "was taken after a later one of its key");
            *last = got->order;
        }
    }
}

static void at_rest(struct run *run, struct party *const *engines, uint32_t workers) {
    struct buffer bytes;
    buffer_init(&bytes, 4096);
    dead_command_write(&bytes, &(struct dead_command){.kind = DEAD_PURGE});
    for (uint32_t i = 0; i < workers; i++) {
        struct engine *engine = node_engine(engines[i]);
        struct engine_input input = {.kind = INPUT_DEAD, .bytes = buffer_slice(&bytes)};
        engine_input(engine, &input, world_now(run->world));
        if (engine_totals(engine)->held || engine->kept.held)
            wrong(run, "node", "something", "is still held at rest");
        for (size_t k = 0; k < engine->system_count; k++)
            if (engine->systems[k]->recipient.retrying)
                wrong(run, "node", "the retry budget", "is not paid back");
    }
    buffer_done(&bytes);
}

static uint64_t run_one(uint64_t seed, uint32_t workers, bool cuts, struct run *run, struct buffer *narrative) {
    struct fault fault;
    struct node_config config;
    struct rng rng;
    struct world_options options = {.seed = seed, .narrative = narrative,
                                    .faults = {.delay_min_ns = 100 * NS_PER_US, .delay_max_ns = 5 * NS_PER_MS, .window = 65536, .split = true}};
    *run = (struct run){0};
    rng_init(&rng, seed);
    map_init(&run->dead, 1);
    if (!node_config_load(&config, slice_from(yaml), &fault))
        fail_msg("%s", fault.text);
    struct world *world = run->world = world_new(&options);
    struct party *engines[4];
    struct node_options node = {.config = &config, .calls = &node_calls, .user = run, .workers = workers, .cut_through = true,
                                .memo = true, .ret_parties = engines};
    struct party *first = node_new(world, &node);
    world_check(world, check, NULL);
    struct protocol_subscription serve = {.sub = 1, .ack = true};
    unsigned refuses = (unsigned)rng_below(&rng, 60);
    struct actor *takers[2] = {ledger(world, refuses), NULL};
    world_poke(world, first);
    struct actor *crm = client(world, "crm", NULL, 0);
    takers[1] = client(world, "desk", &serve, refuses);
    world_run(world, mono_after(world_now(world).mono, NS_PER_S), EVENTS_MAX);
    for (unsigned i = 0; i < MESSAGES; i++) {
        send_one(&rng, crm, i);
        world_poke(world, &crm->party);
        if (cuts && rng_below(&rng, 12) == 0)
            world_cut(world, &takers[rng_below(&rng, 2)]->party);
        if (!world_run(world, mono_after(world_now(world).mono, (int64_t)rng_below(&rng, 20) * NS_PER_MS), EVENTS_MAX))
            wrong(run, "node", "it", "spins");
    }
    if (!world_run(world, mono_after(world_now(world).mono, 600 * NS_PER_S), EVENTS_MAX))
        wrong(run, "node", "it", "spins at the end");
    if (world_wrong(world))
        (void)snprintf(run->wrong, sizeof run->wrong, "%s", world_wrong(world));
    judge(run, crm, takers, cuts);
    at_rest(run, engines, workers);
    if (crm->flight_count + crm->outbox_count)
        wrong(run, "crm", "something", "was never settled");
    uint64_t hash = world_hash(world);
    world_free(world);
    size_t position = 0;
    void *value;
    while ((value = map_next(&run->dead, &position)))
        memory_free(value);
    map_done(&run->dead);
    node_config_free(&config);
    return hash;
}

static void each_seed(uint32_t workers, bool cuts) {
    const char *text = getenv("INTERTIE_SEEDS");
    uint64_t count = text ? strtoull(text, NULL, 10) : 12, retries = 0;
    for (uint64_t seed = 1; seed <= count; seed++) {
        struct run run;
        uint64_t hash = run_one(seed, workers, cuts, &run, NULL);
        retries += run.retries;
        if (run.wrong[0]) {
            struct buffer narrative;
            buffer_init(&narrative, 16u << 20);
            run_one(seed, workers, cuts, &run, &narrative);
            size_t tail = narrative.size > 6000 ? narrative.size - 6000 : 0;
            print_error("seed %llu: %s\n%.*s\n", (unsigned long long)seed, run.wrong, SLICE_ARG(slice_skip(buffer_slice(&narrative), tail)));
            buffer_done(&narrative);
        }
        assert_string_equal(run.wrong, "");
        if (seed % 4 == 0)
            assert_true(run_one(seed, workers, cuts, &run, NULL) == hash);
    }
    assert_true(retries > count);
}

static void recipients_that_refuse_get_each_once_and_in_order(void **state) {
    (void)state;
    each_seed(1, false);
    each_seed(4, false);
}

static void connections_that_break_lose_nothing_and_keep_the_order(void **state) {
    (void)state;
    each_seed(1, true);
    each_seed(2, true);
}

/* Nobody can be reached for a while: what comes meanwhile is held, costs no attempt, and arrives. */
static void a_partition_that_heals_loses_nothing(void **state) {
    struct run run = {0};
    struct fault fault;
    struct node_config config;
    struct world_options options = {.seed = 3, .faults = {.delay_min_ns = NS_PER_MS, .delay_max_ns = 3 * NS_PER_MS, .window = 65536}};
    (void)state;
    map_init(&run.dead, 1);
    assert_true(node_config_load(&config, slice_from(yaml), &fault));
    struct world *world = run.world = world_new(&options);
    struct party *engines[1];
    struct node_options node = {.config = &config, .calls = &node_calls, .user = &run, .workers = 1, .cut_through = true,
                                .memo = true, .ret_parties = engines};
    struct party *first = node_new(world, &node);
    world_check(world, check, NULL);
    struct actor *far = ledger(world, 0), *crm;
    world_poke(world, first);
    crm = client(world, "crm", NULL, 0);
    world_run(world, mono_after(world_now(world).mono, NS_PER_S), EVENTS_MAX);
    world_cut(world, &far->party);
    options.faults.refuse_percent = 100;
    world_faults_set(world, &options.faults);
    for (unsigned i = 0; i < MESSAGES; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i);
        actor_send_new(crm, "command", "com.example.do", NULL, id, 2, i % 2 ? "k1" : NULL, "{}");
        world_poke(world, &crm->party);
        world_run(world, mono_after(world_now(world).mono, NS_PER_S), EVENTS_MAX);
    }
    assert_int_equal(crm->accepted, MESSAGES);
    assert_int_equal(far->got_count, 0);
    options.faults.refuse_percent = 0;
    world_faults_set(world, &options.faults);
    world_run(world, mono_after(world_now(world).mono, 120 * NS_PER_S), EVENTS_MAX);
    assert_null(world_wrong(world));
    assert_int_equal(run.ended, 0);
    assert_int_equal(run.retries, 0);
    for (unsigned i = 0; i < MESSAGES; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i);
        assert_int_equal(actor_times(far, slice_from(id)), 1);
    }
    world_free(world);
    map_done(&run.dead);
    node_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipients_that_refuse_get_each_once_and_in_order),
        cmocka_unit_test(connections_that_break_lose_nothing_and_keep_the_order),
        cmocka_unit_test(a_partition_that_heals_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
