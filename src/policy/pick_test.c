#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "policy/chance.h"
#include "policy/heap.h"
#include "policy/latency.h"
#include "policy/ramp.h"
#include "policy/ring.h"
#include "policy/sticky.h"

#define MONO(ms) ((struct mono){(ms)*NS_PER_MS})

static void a_heap_always_gives_the_least(void **state) {
    (void)state;
    struct heap heap = {0};
    struct rng rng;
    uint64_t keys[50];
    bool in[50] = {false};
    rng_init(&rng, 4);
    assert_true(heap_reserve(&heap, 20) && heap_reserve(&heap, 50));
    for (int step = 0; step < 20000; step++) {
        uint32_t slot = (uint32_t)rng_below(&rng, 50), least = UINT32_MAX;
        if (rng_below(&rng, 3)) {
            keys[slot] = rng_below(&rng, 100);
            in[slot] = true;
            heap_set(&heap, slot, keys[slot], 0);
        } else {
            in[slot] = false;
            heap_remove(&heap, slot);
        }
        for (uint32_t i = 0; i < 50; i++)
            if (in[i] && (least == UINT32_MAX || keys[i] < keys[least]))
                least = i;
        const struct heap_entry *first = heap_first(&heap);
        assert_int_equal(first == NULL, least == UINT32_MAX);
        if (first)
            assert_int_equal(first->slot, least);
        assert_int_equal(heap_get(&heap, slot) != NULL, in[slot]);
    }
    heap_done(&heap);
}

static void a_chance_finds_whose_point_it_is(void **state) {
    (void)state;
    struct chance chance = {0};
    struct rng rng;
    uint32_t weights[37] = {0};
    rng_init(&rng, 5);
    assert_true(chance_reserve(&chance, 5) && chance_reserve(&chance, 37));
    for (int step = 0; step < 2000; step++) {
        uint32_t slot = (uint32_t)rng_below(&rng, 37);
        weights[slot] = (uint32_t)rng_below(&rng, 4);
        chance_set(&chance, slot, weights[slot]);
        uint64_t point = 0;
        for (uint32_t i = 0; i < 37; i++)
            for (uint32_t k = 0; k < weights[i]; k++)
                assert_int_equal(chance_at(&chance, point++), i);
        assert_int_equal(point, chance.total);
    }
    chance_done(&chance);
}

static void a_ring_is_fair_and_bounded(void **state) {
    (void)state;
    struct ring ring = {0};
    static struct ring_member members[10000];
    unsigned counts[10] = {0};
    for (uint32_t i = 0; i < 10000; i++)
        members[i] = (struct ring_member){ring_mix(i), i, i % 10 == 9 ? 50 : 1};
    assert_true(ring_build(&ring, members, 9));
    assert_int_equal(ring.count, 9 * RING_POINTS_EACH);
    for (uint64_t key = 0; key < 9000; key++)
        counts[ring.points[ring_find(&ring, ring_mix(key))].slot]++;
    for (int i = 0; i < 9; i++)
        assert_in_range(counts[i], 700, 1300);
    assert_true(ring_build(&ring, members, 10000));
    assert_in_range(ring.count, 10000, RING_POINTS_MAX);
    for (uint32_t i = 1; i < ring.count; i++)
        assert_true(ring.points[i - 1].at <= ring.points[i].at);
    assert_int_equal(ring_find(&ring, ring.points[7].at), 7);
    assert_int_equal(ring_find(&ring, UINT64_MAX),
                     ring.points[ring.count - 1].at == UINT64_MAX ? ring.count - 1 : 0);
    assert_true(ring_build(&ring, members, 0));
    assert_int_equal(ring.count, 0);
    ring_done(&ring);
}

static void latency_rises_at_once_and_falls_with_time(void **state) {
    (void)state;
    struct latency l;
    latency_init(&l, MONO(0));
    assert_int_equal(latency_at(&l, MONO(0)), LATENCY_DEFAULT_NS);
    latency_observe(&l, 100 * NS_PER_MS, MONO(1));
    assert_int_equal(latency_at(&l, MONO(1)), 100 * NS_PER_MS);
    latency_observe(&l, 10 * NS_PER_MS, MONO(1)); /* no time has passed: no change */
    assert_int_equal(latency_at(&l, MONO(1)), 100 * NS_PER_MS);
    latency_observe(&l, 10 * NS_PER_MS, MONO(10001)); /* one decay: 10 + 90 / e */
    assert_in_range(latency_at(&l, MONO(10001)), 42700000, 43500000);
    assert_in_range(latency_at(&l, MONO(20001)), 15600000, 16100000);
    assert_int_equal(latency_at(&l, MONO(900000)), 1000);
    int64_t last = INT64_MAX;
    for (int64_t ms = 10001; ms < 60000; ms += 97) { /* never rises by itself */
        int64_t value = latency_at(&l, MONO(ms));
        assert_true(value <= last);
        last = value;
    }
}

static void a_ramp_is_straight(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        uint32_t permille;
    } rows[] = {{-5, 100}, {0, 100}, {15000, 549}, {29999, 999}, {30000, 1000}, {90000, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(ramp_at(MONO(0), MONO(rows[i].ms), 30 * NS_PER_S, 100), rows[i].permille);
    assert_int_equal(ramp_at(MONO(0), MONO(0), 0, 100), 1000);
    assert_int_equal(ramp_at(MONO(0), MONO(0), NS_PER_S, 0), 1); /* nobody starts at nothing */
}

static void sessions_stay_for_a_while(void **state) {
    (void)state;
    struct sticky s = {0};
    assert_int_equal(sticky_get(&s, 5, MONO(0)), 0);
    assert_true(sticky_put(&s, 5, 77, MONO(0), 100 * NS_PER_MS));
    assert_int_equal(sticky_get(&s, 5, MONO(99)), 77);
    assert_int_equal(sticky_get(&s, 5, MONO(100)), 0);
    assert_true(sticky_put(&s, 5, 78, MONO(200), 100 * NS_PER_MS));
    assert_int_equal(sticky_get(&s, 5, MONO(250)), 78);
    assert_int_equal(s.count, 1);
    sticky_done(&s);
}

static void one_session_too_many_costs_the_one_silent_longest(void **state) {
    (void)state;
    struct sticky s = {0};
    for (uint64_t key = 1; key <= STICKY_MAX; key++)
        assert_true(sticky_put(&s, key, (uint32_t)key, MONO((int64_t)key), 1000 * NS_PER_S));
    assert_true(sticky_put(&s, 1, 1, MONO(70000), 1000 * NS_PER_S)); /* it spoke again */
    assert_int_equal(s.forgotten, 0);
    assert_true(sticky_put(&s, STICKY_MAX + 1, 9, MONO(70001), 1000 * NS_PER_S));
    assert_int_equal(s.count, STICKY_MAX);
    assert_int_equal(s.forgotten, 1);
    assert_int_equal(sticky_get(&s, 1, MONO(70002)), 1);
    assert_int_equal(sticky_get(&s, 2, MONO(70002)), 0);
    assert_int_equal(sticky_get(&s, 3, MONO(70002)), 3);
    assert_int_equal(sticky_get(&s, STICKY_MAX + 1, MONO(70002)), 9);
    sticky_done(&s);
}

static void without_memory_nobody_stays_or_fewer_do(void **state) {
    (void)state;
    for (int64_t skip = 0; skip < 4; skip++) {
        struct sticky s = {0};
        memory_fail_after(skip);
        for (uint64_t key = 1; key <= 70; key++)
            if (sticky_put(&s, key, 3, MONO(0), NS_PER_S))
                assert_int_equal(sticky_get(&s, key, MONO(0)), 3);
        memory_fail_after(-1);
        sticky_done(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_always_gives_the_least),
        cmocka_unit_test(a_chance_finds_whose_point_it_is),
        cmocka_unit_test(a_ring_is_fair_and_bounded),
        cmocka_unit_test(latency_rises_at_once_and_falls_with_time),
        cmocka_unit_test(a_ramp_is_straight),
        cmocka_unit_test(sessions_stay_for_a_while),
        cmocka_unit_test(one_session_too_many_costs_the_one_silent_longest),
        cmocka_unit_test(without_memory_nobody_stays_or_fewer_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
