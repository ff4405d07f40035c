#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "policy/balance.h"

#define MONO(ms) ((struct mono){(ms)*NS_PER_MS})

static struct balance_place place_of(uint32_t slot, uint32_t weight) {
    return (struct balance_place){.id = ring_mix(slot + 1000),
                                  .weight = weight * BALANCE_WEIGHT_ONE,
                                  .ramp = 1000,
                                  .capacity = 10,
                                  .is_used = true,
                                  .is_active = true,
                                  .is_ready = true};
}

/* A digit a taker: its weight. x not active, f no room. */
static void begin(struct balance *b, enum balance_by by, const char *takers) {
    balance_init(b, by, 0, 7);
    assert_true(balance_reserve(b, (uint32_t)strlen(takers)));
    for (uint32_t i = 0; takers[i]; i++) {
        struct balance_place place =
            place_of(i, takers[i] >= '0' && takers[i] <= '9' ? (uint32_t)(takers[i] - '0') : 1);
        place.is_active = takers[i] != 'x';
        place.is_ready = takers[i] != 'f';
        balance_set(b, i, place, MONO(0));
    }
}

static uint32_t pick(struct balance *b, uint64_t key) {
    return balance_pick(b, key, NULL, 0, MONO(0));
}

static void round_robin_gives_turns_by_weight(void **state) {
    (void)state;
    static const struct {
        const char *takers;
        const char *picks; /* - none */
    } rows[] = {
        {"111", "0120120"},     {"1", "000"},      {"", "--"},      {"xxx", "--"},
        {"x1x", "111"},         {"1f1", "020202"}, {"fff", "-"},    {"21", "010010010"},
        {"31", "010001000100"}, {"0", "-"},        {"101", "0202"}, {"2", "0000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct balance b;
        char picks[32] = "";
        begin(&b, BALANCE_ROUND_ROBIN, rows[i].takers);
        for (size_t k = 0; k < strlen(rows[i].picks); k++) {
            uint32_t slot = pick(&b, 0);
            picks[k] = (char)(slot == BALANCE_NONE ? '-' : '0' + (char)slot);
            if (slot != BALANCE_NONE)
                balance_sent(&b, slot);
        }
        assert_string_equal(picks, rows[i].picks);
        balance_done(&b);
    }
}

/* Who was away for a while gets no more than its share when it is back. */
static void missed_turns_are_not_made_up(void **state) {
    (void)state;
    struct balance b;
    begin(&b, BALANCE_ROUND_ROBIN, "1x");
    for (int i = 0; i < 100; i++)
        balance_sent(&b, pick(&b, 0));
    balance_set(&b, 1, place_of(1, 1), MONO(0));
    unsigned counts[2] = {0};
    for (int i = 0; i < 10; i++) {
        uint32_t slot = pick(&b, 0);
        counts[slot]++;
        balance_sent(&b, slot);
    }
    assert_in_range(counts[1], 4, 6);
    balance_done(&b);
}

static void least_request_evens_out(void **state) {
    (void)state;
    struct balance b;
    begin(&b, BALANCE_LEAST_REQUEST, "112");
    for (int i = 0; i < 40; i++)
        balance_sent(&b, pick(&b, 0));
    assert_int_equal(b.slots[0].in_flight, 10);
    assert_int_equal(b.slots[1].in_flight, 10);
    assert_int_equal(b.slots[2].in_flight, 20);
    balance_landed(&b, 1, 5);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pick(&b, 0), 1);
        balance_sent(&b, 1);
    }
    balance_done(&b);
}

/* All honour weight: within a tenth, after many. */
static void shares_follow_weights(void **state) {
    (void)state;
    static const enum balance_by kinds[] = {BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUEST, BALANCE_P2C,
                                            BALANCE_EWMA,        BALANCE_HASH,          BALANCE_RANDOM};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct balance b;
        unsigned counts[3] = {0};
        begin(&b, kinds[k], "136");
        for (uint64_t i = 0; i < 10000; i++) {
            uint32_t slot = pick(&b, i);
            balance_sent(&b, slot); /* all stay under way: so those that look at it even out */
            counts[slot]++;
        }
        assert_in_range(counts[0], 850, 1150);
        assert_in_range(counts[1], 2550, 3450);
        assert_in_range(counts[2], 5400, 6600);
        balance_done(&b);
    }
}

static void a_slow_one_is_left_alone(void **state) {
    (void)state;
    struct balance b;
    unsigned slow = 0;
    begin(&b, BALANCE_EWMA, "1111111111");
    for (uint32_t i = 0; i < 10; i++)
        balance_heard(&b, i, i == 3 ? 500 * NS_PER_MS : 5 * NS_PER_MS, MONO(0));
    for (int i = 0; i < 1000; i++)
        slow += pick(&b, 0) == 3;
    assert_int_equal(slow, 0);
    /* by and by what it did is forgotten, and it is asked again */
    for (int i = 0; i < 1000; i++)
        slow += balance_pick(&b, 0, NULL, 0, MONO(150000)) == 3;
    assert_true(slow > 0);
    balance_done(&b);
}

static void a_quick_refusal_is_no_quick_answer(void **state) {
    (void)state;
    struct balance b;
    begin(&b, BALANCE_EWMA, "11");
    balance_heard(&b, 0, 50 * NS_PER_MS, MONO(0));
    balance_heard(&b, 1, -1, MONO(0));
    for (int i = 0; i < 20; i++)
        assert_int_equal(pick(&b, 0), 0);
    balance_done(&b);
}

static void keys_stay_when_another_goes(void **state) {
    (void)state;
    struct balance b;
    uint32_t owners[2000];
    begin(&b, BALANCE_HASH, "1111111111");
    for (uint64_t key = 0; key < 2000; key++)
        owners[key] = pick(&b, key);
    struct balance_place away = place_of(4, 1);
    for (int gone = 0; gone < 2; gone++) { /* not healthy, then not there at all */
        away.is_active = false;
        away.is_used = gone == 0;
        balance_set(&b, 4, away, MONO(0));
        for (uint64_t key = 0; key < 2000; key++) {
            uint32_t owner = pick(&b, key);
            assert_int_not_equal(owner, 4);
            if (owners[key] != 4)
                assert_int_equal(owner, owners[key]);
        }
    }
    balance_set(&b, 4, place_of(4, 1), MONO(0));
    for (uint64_t key = 0; key < 2000; key++)
        assert_int_equal(pick(&b, key), owners[key]);
    balance_done(&b);
}

static void one_hot_key_does_not_drown_its_owner(void **state) {
    (void)state;
    struct balance b;
    begin(&b, BALANCE_HASH, "11111");
    for (int i = 0; i < 1000; i++)
        balance_sent(&b, pick(&b, 42));
    for (uint32_t i = 0; i < 5; i++)
        assert_true(b.slots[i].in_flight <= 251);
    balance_done(&b);
}

static void avoided_ones_are_the_last_resort(void **state) {
    (void)state;
    static const enum balance_by kinds[] = {BALANCE_ROUND_ROBIN, BALANCE_LEAST_REQUEST, BALANCE_P2C,
                                            BALANCE_EWMA,        BALANCE_HASH,          BALANCE_RANDOM};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct balance b;
        begin(&b, kinds[k], "111x");
        const uint32_t avoid[] = {0, BALANCE_NONE, 2, 2}, all[] = {0, 1, 2};
        for (uint64_t i = 0; i < 50; i++) {
            assert_int_equal(balance_pick(&b, i, avoid, 4, MONO(0)), 1);
            assert_in_range(balance_pick(&b, i, all, 3, MONO(0)), 0, 2);
            assert_in_range(pick(&b, i), 0, 2);
        }
        balance_done(&b);
    }
}

static void local_ones_first_until_they_are_busy(void **state) {
    (void)state;
    struct balance b;
    balance_init(&b, BALANCE_ROUND_ROBIN, 700, 7);
    assert_true(balance_reserve(&b, 3));
    for (uint32_t i = 0; i < 3; i++) {
        struct balance_place place = place_of(i, 1);
        place.is_local = i < 2;
        balance_set(&b, i, place, MONO(0));
    }
    for (int i = 0; i < 14; i++) { /* 70 % of 20 */
        uint32_t slot = pick(&b, 0);
        assert_in_range(slot, 0, 1);
        balance_sent(&b, slot);
    }
    unsigned elsewhere = 0;
    for (int i = 0; i < 9; i++) {
        uint32_t slot = pick(&b, 0);
        elsewhere += slot == 2;
        balance_sent(&b, slot);
    }
    assert_in_range(elsewhere, 2, 4);
    balance_landed(&b, 0, 10);
    assert_in_range(pick(&b, 0), 0, 1);
    struct balance_place away = place_of(0, 1);
    away.is_active = false;
    balance_set(&b, 0, away, MONO(0));
    balance_set(&b, 1, away, MONO(0));
    assert_int_equal(pick(&b, 0), 2);
    balance_done(&b);
}

/* Whatever happens: only those that are on, and one of them whenever there is one; sums stay true. */
static void picks_only_takers(void **state) {
    (void)state;
    struct rng rng;
    rng_init(&rng, 99);
    for (unsigned kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_RANDOM; kind++) {
        struct balance b;
        balance_init(&b, (enum balance_by)kind, kind % 2 ? 500 : 0, 3);
        assert_true(balance_reserve(&b, 20));
        for (int64_t step = 0; step < 20000; step++) {
            uint32_t slot = (uint32_t)rng_below(&rng, 20), on = 0;
            if (rng_below(&rng, 3) == 0) {
                struct balance_place place = place_of(slot, (uint32_t)rng_below(&rng, 4));
                place.ramp = 100 + (uint32_t)rng_below(&rng, 901);
                place.is_used = rng_below(&rng, 4) > 0;
                place.is_active = rng_below(&rng, 2);
                place.is_ready = rng_below(&rng, 2);
                place.is_local = slot % 2;
                balance_set(&b, slot, place, MONO(step));
            }
            for (uint32_t i = 0; i < 20; i++) {
                const struct balance_place *p = &b.slots[i].place;
                on += p->is_used && p->is_active && p->is_ready && p->weight;
            }
            uint32_t avoid[2] = {slot, (slot + 7) % 20},
                     picked = balance_pick(&b, (uint64_t)step, avoid, 2, MONO(step));
            assert_int_equal(on, b.all.count);
            assert_int_equal(picked == BALANCE_NONE, on == 0);
            if (picked == BALANCE_NONE)
                continue;
            const struct balance_place *p = &b.slots[picked].place;
            assert_true(p->is_used && p->is_active && p->is_ready && p->weight);
            balance_sent(&b, picked);
            if (rng_below(&rng, 2))
                balance_landed(&b, (uint32_t)rng_below(&rng, 20), 1 + (uint32_t)rng_below(&rng, 3));
            if (rng_below(&rng, 4) == 0)
                balance_heard(&b, picked, (int64_t)rng_below(&rng, 1000000000), MONO(step));
        }
        uint64_t in_flight = 0;
        for (uint32_t i = 0; i < 20; i++) {
            const struct balance_place *p = &b.slots[i].place;
            in_flight += p->is_used && p->is_active && p->is_ready && p->weight ? b.slots[i].in_flight : 0;
        }
        assert_int_equal(in_flight, b.all.in_flight);
        balance_done(&b);
    }
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (unsigned kind = BALANCE_ROUND_ROBIN; kind <= BALANCE_RANDOM; kind++) {
        for (int64_t skip = 0;; skip++) {
            struct balance b;
            balance_init(&b, (enum balance_by)kind, 700, 3);
            memory_fail_after(skip);
            bool fine = balance_reserve(&b, 100);
            if (fine) {
                balance_set(&b, 99, place_of(99, 1), MONO(0));
                assert_int_equal(pick(&b, 5), 99); /* without a ring, too */
            }
            bool failed = memory_has_failed();
            memory_fail_after(-1);
            balance_done(&b);
            if (!failed)
                break;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_gives_turns_by_weight),
        cmocka_unit_test(missed_turns_are_not_made_up),
        cmocka_unit_test(least_request_evens_out),
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(a_slow_one_is_left_alone),
        cmocka_unit_test(a_quick_refusal_is_no_quick_answer),
        cmocka_unit_test(keys_stay_when_another_goes),
        cmocka_unit_test(one_hot_key_does_not_drown_its_owner),
        cmocka_unit_test(avoided_ones_are_the_last_resort),
        cmocka_unit_test(local_ones_first_until_they_are_busy),
        cmocka_unit_test(picks_only_takers),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
