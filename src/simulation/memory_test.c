/* Memory that runs out in one of several workers: in every turn of a short day, the first, second.. allocation fails.
 * Nothing breaks, nothing is left at rest, nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine/inner.h"
#include "simulation/actor.h"
#include "simulation/node.h"

#define EVENTS_MAX 100000
#define WORKERS 2
#define DEPTH 6 /* allocations of one call that may fail */

static const char yaml[] = "listeners: {stream: {url: intertie://10.0.0.1:7460, anonymous: true}}\n"
                           "systems: {crm: {}, watch: {}, desk: {accept: true}, ledger: intertie://10.0.0.2:7460}\n"
                           "routes: {both: {match: {type: com.example.both}, to: [desk, ledger]}}\n";

/* Which call of an engine, and which of its allocations, fails. */
static struct {
    const struct party_calls *real;
    unsigned call, wanted;
    int64_t skip;
    bool failed;
} plan_of_failure;

static void begin(void) {
    if (plan_of_failure.call++ == plan_of_failure.wanted)
        memory_fail_after(plan_of_failure.skip);
}

static void end(void) {
    plan_of_failure.failed |= memory_has_failed();
    memory_fail_after(-1);
}

static void input(struct party *party, struct engine_input *in, struct now now) {
    begin();
    plan_of_failure.real->input(party, in, now);
    end();
}

static void finish(struct party *party, struct now now, struct engine_actions *ret) {
    begin();
    plan_of_failure.real->finish(party, now, ret);
    end();
}

static struct slice address(struct party *party, uint64_t place, const struct protocol **ret_protocol) {
    return plan_of_failure.real->address(party, place, ret_protocol);
}

static void free_party(struct party *party) {
    plan_of_failure.real->free(party);
}

static const struct party_calls failing = {.input = input, .finish = finish, .address = address, .free = free_party};

static const char *check(void *user, struct party *party) {
    (void)user;
    return party->node == UINT32_MAX ? NULL : engine_check(node_engine(party));
}

static struct actor *actor(struct world *world, const char *name, const char *at, enum protocol_role role,
                           struct protocol_subscription *sub) {
    struct actor_script script = {.name = name, .protocol = protocol_find(SLICE_OF("stream1")), .address = slice_from(at),
                                  .keeps_dialled = role == PROTOCOL_DIALLED, .answers = true};
    script.setup = (struct protocol_setup){.role = role, .encoding = ENCODING_PROTO};
    script.setup.limits.message = 1u << 20;
    script.setup.limits.window = 64;
    script.setup.limits.window_bytes = 1u << 20;
    script.setup.timeouts.head_ns = script.setup.timeouts.auth_ns = 5 * NS_PER_S;
    script.setup.timeouts.idle_ns = 300 * NS_PER_S;
    script.setup.timeouts.heartbeat_ns = 15 * NS_PER_S;
    script.setup.own_system = slice_from(role == PROTOCOL_DIALLED ? name : "");
    script.setup.own_subscriptions = sub;
    script.setup.own_subscription_count = sub != NULL;
    return actor_new(world, &script);
}

static void day(struct world *world, struct party *first) {
    struct protocol_subscription serve = {.sub = 1, .ack = true}, some = {.sub = 1, .ack = true};
    some.filter = SLICE_OF("type LIKE 'com.example.%'");
    some.group = SLICE_OF("g");
    actor(world, "ledger", "10.0.0.2:7460", PROTOCOL_ACCEPTED, NULL);
    world_poke(world, first);
    struct actor *crm = actor(world, "crm", "10.0.0.1:7460", PROTOCOL_DIALLED, NULL);
    actor(world, "desk", "10.0.0.1:7460", PROTOCOL_DIALLED, &serve);
    actor(world, "desk", "10.0.0.1:7460", PROTOCOL_DIALLED, &serve);
    actor(world, "watch", "10.0.0.1:7460", PROTOCOL_DIALLED, &some);
    world_run(world, mono_after(world_now(world).mono, NS_PER_S), EVENTS_MAX);
    actor_send_new(crm, "event", "com.example.both", NULL, "e1", 0, NULL, "{}");
    actor_send_new(crm, "event", "com.example.both", NULL, "e2", 0, "k", "{}");
    actor_send_new(crm, "event", "com.example.both", NULL, "e3", 0, "k", "{}");
    actor_send_new(crm, "query", "com.example.ask", "desk", "q1", 0, NULL, "{}");
    actor_send_new(crm, "request", "com.example.ask", "desk", "q2", 0, "k", "{}");
    actor_send_new(crm, "command", "com.example.do", "ledger", "c1", 5, NULL, "{}");
    world_poke(world, &crm->party);
    world_run(world, mono_after(world_now(world).mono, 100 * NS_PER_MS), EVENTS_MAX);
    world_cut(world, &crm->party);
    if (!world_run(world, mono_after(world_now(world).mono, 120 * NS_PER_S), EVENTS_MAX))
        fail_msg("it spins");
}

static void run(unsigned call, int64_t skip, uint64_t seed) {
    struct fault fault;
    struct node_config config;
    struct party *engines[WORKERS];
    struct world_options options = {.seed = seed};
    options.faults = (struct world_faults){.delay_min_ns = NS_PER_MS, .delay_max_ns = 2 * NS_PER_MS, .window = 65536};
    assert_true(node_config_load(&config, slice_from(yaml), &fault));
    struct world *world = world_new(&options);
    struct node_options node = {.config = &config, .workers = WORKERS, .cut_through = true, .memo = true,
                                .ret_parties = engines};
    struct party *first = node_new(world, &node);
    plan_of_failure.real = first->calls;
    plan_of_failure.call = 0;
    plan_of_failure.wanted = call;
    plan_of_failure.skip = skip;
    plan_of_failure.failed = false;
    for (unsigned i = 0; i < WORKERS; i++)
        engines[i]->calls = &failing;
    world_check(world, check, NULL);
    day(world, first);
    uint64_t held = 0;
    for (unsigned i = 0; i < WORKERS; i++)
        held += engine_totals(node_engine(engines[i]))->held + engine_totals(node_engine(engines[i]))->waiting;
    if (world_wrong(world) || held)
        fail_msg("call %u, allocation %d: %s, %d held", call, (int)skip, world_wrong(world) ? world_wrong(world) : "-",
                 (int)held);
    world_free(world);
    node_config_free(&config);
}

static void every_call_survives_its_failed_allocations(void **state) {
    int64_t live = memory_live();
    unsigned failures = 0, calls = 1;
    (void)state;
    for (unsigned call = 0; call < calls; call++) {
        for (int64_t skip = 0; skip < DEPTH; skip++) {
            run(call, skip, 3);
            if (memory_live() != live)
                fail_msg("call %u, allocation %d: %d are left", call, (int)skip, (int)(memory_live() - live));
            if (!plan_of_failure.failed) {
                calls = plan_of_failure.call; /* of an undisturbed day */
                break;
            }
            failures++;
            calls = plan_of_failure.call > calls ? plan_of_failure.call : calls;
        }
    }
    assert_true(failures > 50); /* or nothing was tried */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_survives_its_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
