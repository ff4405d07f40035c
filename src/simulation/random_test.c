/* Random traffic over a random network, from many seeds: nothing accepted is lost, no invariant breaks, equal seeds give
 * equal traces, and neither cut-through nor the memo changes what arrives. INTERTIE_SEEDS says how many; a failing seed
 * is printed and can be run alone with INTERTIE_SEED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine/dead.h"
#include "engine/hand.h"
#include "engine/inner.h"
#include "simulation/actor.h"
#include "simulation/node.h"

#define MESSAGES 60
#define EVENTS_MAX 400000

static const char yaml[] =
    "listeners: {stream: {url: intertie://10.0.0.1:7460, anonymous: true}}\n"
    "systems:\n"
    "  crm: {}\n"
    "  desk: {accept: true}\n"
    "  ledger: intertie://10.0.0.2:7460\n"
    "  copy: {accept: true}\n" /* nobody is there */
    "routes:\n"
    "  both: {match: {type: com.example.both.*}, to: [desk, ledger], mirror: {to: copy, share: 50%}}\n"
    "  ask: {match: {type: com.example.ask, messagetype: [query, request]}, failover: [ledger, desk]}\n"
    "  do: {match: {type: com.example.do, messagetype: command}, split: {desk: 3, ledger: 1}}\n"
    "  every: {match: {type: com.example.all}, to: all, except: copy}\n"
    "  odd: {match: {priority: 4..5}, when: \"type LIKE 'com.example.odd%'\", failover: [desk, ledger]}\n"
    "policies: {default: {retry: {hedge: {after: 20ms}}}}\n";

/* What the node said became of messages. */
struct endings {
    struct map ids; /* id -> reasons seen, as bits of enum engine_ending */
    struct world *world;
};

static void on_ended(void *user, const struct engine_report *report) {
    struct endings *endings = user;
    if (!report->message)
        return;
    struct slice id = message_text(report->message, ATTRIBUTE_ID);
    world_tell(endings->world, "%.*s for %.*s ends %s (%s)", SLICE_ARG(id), SLICE_ARG(report->system),
               engine_ending_name(report->ending), status_reason(report->status));
    if (map_get(&endings->ids, id))
        return;
    char *kept = memory_copy_text((const char *)id.data, id.size);
    map_put(&endings->ids, slice_make(kept, id.size), kept);
}

static const struct engine_calls node_calls = {.ended = on_ended};

static const char *check(void *user, struct party *party) {
    (void)user;
    return party->node == UINT32_MAX ? NULL : engine_check(node_engine(party));
}

struct variant {
    uint32_t workers;
    bool cut_through;
    bool memo;
    bool faults;
};

struct result {
    uint64_t hash;
    uint64_t got, replies, accepted, refused;
    uint64_t ordered; /* arrivals whose order was looked at */
    uint64_t open; /* sent but never told what became of it */
    char wrong[160];
};

static void setup_common(struct protocol_setup *setup, enum protocol_role role) {
    *setup = (struct protocol_setup){.role = role, .encoding = ENCODING_PROTO};
    setup->limits.message = 1u << 20;
    setup->limits.window = 64;
    setup->limits.window_bytes = 1u << 20;
    setup->timeouts.head_ns = setup->timeouts.auth_ns = 5 * NS_PER_S;
    setup->timeouts.idle_ns = 300 * NS_PER_S;
    setup->timeouts.heartbeat_ns = 15 * NS_PER_S;
}

static struct actor *client(struct world *world, const char *name, struct protocol_subscription *sub, unsigned retries) {
    struct actor_script script = {.name = name, .protocol = protocol_find(SLICE_OF("stream1")),
                                  .address = SLICE_OF("10.0.0.1:7460"), .keeps_dialled = true, .answers = true,
                                  .retry_percent = retries};
    setup_common(&script.setup, PROTOCOL_DIALLED);
    script.setup.own_system = slice_from(sub && sub->filter.size ? "" : name);
    script.setup.own_subscriptions = sub;
    script.setup.own_subscription_count = sub != NULL;
    return actor_new(world, &script);
}

static struct actor *ledger(struct world *world) {
    struct actor_script script = {.name = "ledger", .protocol = protocol_find(SLICE_OF("stream1")),
                                  .address = SLICE_OF("10.0.0.2:7460"), .answers = true};
    setup_common(&script.setup, PROTOCOL_ACCEPTED);
    return actor_new(world, &script);
}

static void send_one(struct rng *rng, struct actor *crm, unsigned number) {
    static const char *const types[] = {"com.example.both.x", "com.example.ask", "com.example.do", "com.example.all",
                                        "com.example.odd.1", "com.example.none"};
    static const char *const kinds[] = {"event", "query", "command", "event", "event", "notification"};
    size_t which = rng_below(rng, 6);
    char id[16], key[8];
    (void)snprintf(id, sizeof id, "m%u", number);
    (void)snprintf(key, sizeof key, "k%u", (unsigned)rng_below(rng, 3));
    bool keyed = rng_below(rng, 4) == 0;
    int priority = which == 4 ? 5 : (int)rng_below(rng, 6);
    actor_send_new(crm, kinds[which], types[which], NULL, id, priority, keyed ? key : NULL, "{\"n\":1}");
}

/* At the end: whatever was accepted arrived, or its ending was told. */
static void judge(struct result *result, const struct actor *crm, const struct endings *endings,
                  struct actor *const *takers, size_t taker_count, uint64_t held) {
    size_t position = 0;
    const struct message *message;
    while ((message = map_next(&crm->accepted_ids, &position))) {
        struct slice id = message_text(message, ATTRIBUTE_ID);
        bool arrived = map_get(&endings->ids, id) != NULL;
        for (size_t i = 0; i < taker_count && !arrived; i++)
            arrived = actor_times(takers[i], id) > 0;
        if (!arrived && held == 0 && !result->wrong[0])
            (void)snprintf(result->wrong, sizeof result->wrong, "%.*s was accepted and is lost", SLICE_ARG(id));
    }
}

/* Of one sender's messages with the same key (or none) and priority, no taker got a later one first. */
static void judge_order(struct result *result, struct actor *const *takers, size_t taker_count) {
    for (size_t t = 0; t < taker_count; t++) {
        for (unsigned group = 0; group < 4 * PRIORITY_COUNT; group++) {
            uint64_t newest = 0;
            for (unsigned i = 0; i < MESSAGES; i++) {
                char id[16], key[8] = "";
                (void)snprintf(id, sizeof id, "m%u", i);
                if (group % 4)
                    (void)snprintf(key, sizeof key, "k%u", group % 4 - 1);
                const struct actor_got *got = actor_got(takers[t], slice_from(id));
                if (!got || got->priority != 1 + group / 4 || !slice_is(got->key, key))
                    continue;
                if (got->order < newest && !result->wrong[0])
                    (void)snprintf(result->wrong, sizeof result->wrong, "%s got %s after a later one of its order",
                                   takers[t]->script.name, id);
                newest = got->order;
                result->ordered++;
            }
        }
    }
}

/* What is dead is kept on purpose: it goes, so that nothing else may be there. */
static void throw_away_dead(struct party *const *engines, uint32_t workers, struct now now) {
    struct buffer bytes;
    buffer_init(&bytes, 4096);
    dead_command_write(&bytes, &(struct dead_command){.kind = DEAD_PURGE});
    for (uint32_t i = 0; i < workers; i++) {
        struct engine_input input = {.kind = INPUT_DEAD, .bytes = buffer_slice(&bytes)};
        engine_input(node_engine(engines[i]), &input, now);
    }
    buffer_done(&bytes);
}

/* Somebody operates its one endpoint meanwhile; NULL: he has gone, and left it as it should be. */
static void operate(struct rng *rng, struct world *world, struct party *const *engines, uint32_t workers) {
    struct hand_command command = {.system = SLICE_OF("ledger"), .endpoint = SLICE_OF("main"), .clear = !rng};
    struct buffer bytes;
    if (rng && rng_below(rng, 50))
        return;
    command.has_state = rng != NULL;
    command.state = (enum engine_by_hand)(rng ? rng_below(rng, 3) : BY_HAND_UP);
    buffer_init(&bytes, 4096);
    hand_command_write(&bytes, &command);
    for (uint32_t i = 0; i < workers; i++) {
        struct engine_input input = {.kind = INPUT_HAND, .bytes = buffer_slice(&bytes)};
        engine_input(node_engine(engines[i]), &input, world_now(world));
        assert_int_equal(input.count, 1);
        world_poke(world, engines[i]);
    }
    buffer_done(&bytes);
}

static struct result run(uint64_t seed, const struct variant *variant, struct buffer *narrative) {
    struct result result = {0};
    struct fault fault;
    struct node_config config;
    struct endings endings;
    struct world_options options = {.seed = seed, .narrative = narrative};
    options.faults = (struct world_faults){.delay_min_ns = 100 * NS_PER_US, .delay_max_ns = 5 * NS_PER_MS, .window = 65536,
                                           .split = true};
    if (variant->faults) {
        struct rng rng;
        rng_init(&rng, seed ^ 0x5eed);
        options.faults.window = (uint32_t)(512 << rng_below(&rng, 7));
        options.faults.cut_permille = (unsigned)rng_below(&rng, 3) * 4;
        options.faults.refuse_percent = (unsigned)rng_below(&rng, 3) * 15;
        options.faults.delay_max_ns = (int64_t)(1 + rng_below(&rng, 50)) * NS_PER_MS;
    }
    if (!node_config_load(&config, slice_from(yaml), &fault)) {
        (void)snprintf(result.wrong, sizeof result.wrong, "%.150s", fault.text);
        return result;
    }
    struct world *world = world_new(&options);
    map_init(&endings.ids, 1);
    endings.world = world;
    struct node_options node = {.config = &config, .calls = &node_calls, .user = &endings, .workers = variant->workers,
                                .cut_through = variant->cut_through, .memo = variant->memo};
    struct party *engines[4];
    node.ret_parties = engines;
    struct party *first = node_new(world, &node);
    world_check(world, check, NULL);
    struct protocol_subscription serve = {.sub = 1, .ack = true}, some = {.sub = 1, .ack = true, .max_inflight = 16},
                                 group = {.sub = 1, .ack = true};
    some.filter = SLICE_OF("type LIKE 'com.example.%'");
    group.filter = SLICE_OF("type = 'com.example.both.x'");
    group.group = SLICE_OF("g");
    struct actor *takers[5];
    takers[0] = ledger(world);
    world_poke(world, first); /* dials what is kept open */
    struct actor *crm = client(world, "crm", NULL, 0);
    takers[1] = client(world, "desk", &serve, 0);
    takers[2] = client(world, "watch", &some, 0);
    takers[3] = client(world, "g1", &group, 0);
    takers[4] = client(world, "g2", &group, 0);
    struct rng script; /* of its own, so that all variants of a seed are sent the same */
    rng_init(&script, seed);
    struct rng hand;
    rng_init(&hand, seed ^ 0x4a4d);
    if (!variant->faults) /* who subscribes late misses what came before: let all be there */
        world_run(world, mono_after(world_now(world).mono, NS_PER_S), EVENTS_MAX);
    for (unsigned i = 0; i < MESSAGES; i++) {
        send_one(&script, crm, i);
        world_poke(world, &crm->party);
        if (variant->faults)
            operate(&hand, world, engines, variant->workers);
        struct mono until = mono_after(world_now(world).mono, (int64_t)rng_below(&script, 20) * NS_PER_MS);
        if (!world_run(world, until, EVENTS_MAX))
            (void)snprintf(result.wrong, sizeof result.wrong, "too many events: it spins");
    }
    /* The network heals; everything must come to rest. */
    operate(NULL, world, engines, variant->workers);
    options.faults.cut_permille = options.faults.refuse_percent = 0;
    options.faults.window = 65536;
    world_faults_set(world, &options.faults);
    if (!world_run(world, mono_after(world_now(world).mono, 300 * NS_PER_S), EVENTS_MAX))
        (void)snprintf(result.wrong, sizeof result.wrong, "too many events at the end: it spins");
    if (world_wrong(world))
        (void)snprintf(result.wrong, sizeof result.wrong, "%s", world_wrong(world));
    uint64_t held = 0;
    for (uint32_t i = 0; i < variant->workers; i++)
        held += engine_totals(node_engine(engines[i]))->held;
    if (held && !result.wrong[0])
        (void)snprintf(result.wrong, sizeof result.wrong, "%llu messages are still held at rest", (unsigned long long)held);
    uint64_t kept = 0;
    throw_away_dead(engines, variant->workers, world_now(world));
    for (uint32_t i = 0; i < variant->workers; i++)
        kept += node_engine(engines[i])->kept.held;
    if (kept && !result.wrong[0])
        (void)snprintf(result.wrong, sizeof result.wrong, "%llu bytes are kept at rest", (unsigned long long)kept);
    judge(&result, crm, &endings, takers, COUNT_OF(takers), 0);
    if (!variant->faults)
        judge_order(&result, takers, COUNT_OF(takers));
    result.hash = world_hash(world);
    for (size_t i = 0; i < COUNT_OF(takers); i++)
        result.got += takers[i]->got_count;
    result.replies = crm->got_replies;
    result.accepted = crm->accepted;
    result.refused = crm->refused;
    result.open = crm->flight_count + crm->outbox_count;
    if (result.open && !result.wrong[0])
        (void)snprintf(result.wrong, sizeof result.wrong, "%llu messages were never settled",
                       (unsigned long long)result.open);
    world_free(world);
    size_t position = 0;
    void *value;
    while ((value = map_next(&endings.ids, &position)))
        memory_free(value);
    map_done(&endings.ids);
    node_config_free(&config);
    return result;
}

static unsigned seeds(void) {
    const char *text = getenv("INTERTIE_SEEDS");
    return text ? (unsigned)strtoul(text, NULL, 10) : 20;
}

static void explain(uint64_t seed, const struct variant *variant, const struct result *result) {
    struct buffer narrative;
    buffer_init(&narrative, 16u << 20);
    run(seed, variant, &narrative);
    size_t tail = narrative.size > 6000 ? narrative.size - 6000 : 0;
    print_error("seed %llu: %s\n%.*s\n", (unsigned long long)seed, result->wrong, SLICE_ARG(slice_skip(buffer_slice(&narrative), tail)));
    buffer_done(&narrative);
}

static void each_seed(const struct variant *variant, bool twice) {
    const char *one = getenv("INTERTIE_SEED");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1, count = one ? 1 : seeds();
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct result result = run(seed, variant, NULL);
        if (result.wrong[0])
            explain(seed, variant, &result);
        assert_string_equal(result.wrong, "");
        assert_true(result.got > 0);
        if (twice)
            assert_true(run(seed, variant, NULL).hash == result.hash);
    }
}

static void quiet_network_loses_nothing(void **state) {
    (void)state;
    each_seed(&(struct variant){1, true, true, false}, false);
}

static void quiet_network_keeps_the_order(void **state) {
    (void)state;
    for (uint32_t workers = 1; workers <= 4; workers++) {
        for (int shortcuts = 0; shortcuts < 2; shortcuts++) {
            struct variant variant = {workers, shortcuts, shortcuts, false};
            each_seed(&variant, false);
            assert_true(run(1, &variant, NULL).ordered > MESSAGES);
        }
    }
}

static void faulty_network_loses_nothing_accepted(void **state) {
    (void)state;
    each_seed(&(struct variant){1, true, true, true}, false);
}

static void equal_seeds_give_equal_traces(void **state) {
    (void)state;
    each_seed(&(struct variant){1, true, true, true}, true);
}

static void shortcuts_change_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= seeds() / 4 + 1; seed++) {
        struct result with = run(seed, &(struct variant){1, true, true, false}, NULL);
        struct result no_cut = run(seed, &(struct variant){1, false, true, false}, NULL);
        struct result no_memo = run(seed, &(struct variant){1, true, false, false}, NULL);
        assert_string_equal(no_cut.wrong, "");
        assert_string_equal(no_memo.wrong, "");
        assert_int_equal(with.accepted, no_memo.accepted);
        assert_int_equal(with.got, no_memo.got);
        assert_int_equal(with.replies, no_cut.replies);
        assert_int_equal(with.accepted, no_cut.accepted);
        assert_int_equal(with.got, no_cut.got);
        struct result workers = run(seed, &(struct variant){4, true, true, false}, NULL);
        assert_string_equal(workers.wrong, "");
        assert_int_equal(with.accepted, workers.accepted);
        assert_int_equal(with.got, workers.got);
        assert_int_equal(with.replies, workers.replies);
    }
}

static void several_workers_lose_nothing(void **state) {
    (void)state;
    each_seed(&(struct variant){2, true, true, false}, false);
    each_seed(&(struct variant){4, true, true, true}, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_workers_lose_nothing),
        cmocka_unit_test(quiet_network_loses_nothing),
        cmocka_unit_test(quiet_network_keeps_the_order),
        cmocka_unit_test(faulty_network_loses_nothing_accepted),
        cmocka_unit_test(equal_seeds_give_equal_traces),
        cmocka_unit_test(shortcuts_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
