/* Maps, lists, deadlines, random numbers and the status table, against naive models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/deadline.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/status.h"

#define KEYS 300

static char names[KEYS][40];

static struct slice key(size_t i) {
    (void)snprintf(names[i], sizeof names[i], "%.*s%zu", (int)(i % 30), "abcdefghijklmnopqrstuvwxyzabcdef", i);
    return slice_from(names[i]);
}

static void expect_same(const struct map *map, int *const *model) {
    size_t count = 0, position = 0, seen = 0;
    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get(map, key(i)), model[i]);
        count += model[i] != NULL;
    }
    assert_int_equal(map->count, count);
    while (map_next(map, &position))
        seen++;
    assert_int_equal(seen, count);
}

static void a_map_is_as_a_naive_one_after_random_changes(void **state) {
    static int values[KEYS * 2];
    int *model[KEYS] = {NULL};
    struct rng rng;
    struct map map;
    int64_t live = memory_live();
    (void)state;
    rng_init(&rng, 7);
    map_init(&map, 99);
    assert_null(map_get(&map, key(0)));
    assert_null(map_remove(&map, key(0)));
    for (int i = 0; i < 20000; i++) {
        size_t which = rng_below(&rng, KEYS);
        bool grows = i / 2000 % 2 == 0; /* fills and empties in turn */
        if (rng_below(&rng, 100) < (grows ? 70 : 30)) {
            int *value = &values[rng_below(&rng, KEYS * 2)];
            assert_true(map_put(&map, key(which), value));
            model[which] = value;
        } else {
            assert_ptr_equal(map_remove(&map, key(which)), model[which]);
            model[which] = NULL;
        }
        if (i % 500 == 0)
            expect_same(&map, model);
    }
    expect_same(&map, model);
    assert_true(map.capacity <= 2048); /* removed ones are swept, not kept for ever */
    map_done(&map);
    assert_true(memory_live() == live);
}

static void a_map_that_gets_no_memory_is_unchanged(void **state) {
    (void)state;
    for (int64_t n = 0;; n++) {
        static int value;
        struct map map;
        size_t put = 0;
        map_init(&map, 1);
        memory_fail_after(n);
        while (put < KEYS && map_put(&map, key(put), &value))
            put++;
        int failed = memory_has_failed();
        memory_fail_after(-1);
        assert_int_equal(map.count, put);
        for (size_t i = 0; i < KEYS; i++)
            assert_ptr_equal(map_get(&map, key(i)), i < put ? &value : NULL);
        map_done(&map);
        if (!failed)
            break;
    }
}

static void keys_with_equal_starts_and_empty_keys_differ(void **state) {
    static int a, b, c, d;
    struct map map;
    (void)state;
    map_init(&map, 3);
    assert_true(map_put(&map, SLICE_OF(""), &a));
    assert_true(map_put(&map, SLICE_OF("\0"), &b));
    assert_true(map_put(&map, SLICE_OF("\0\0"), &c));
    assert_true(map_put(&map, SLICE_OF("12345678901234567"), &d));
    assert_ptr_equal(map_get(&map, SLICE_OF("")), &a);
    assert_ptr_equal(map_get(&map, SLICE_OF("\0")), &b);
    assert_ptr_equal(map_get(&map, SLICE_OF("\0\0")), &c);
    assert_null(map_get(&map, SLICE_OF("1234567890123456")));
    assert_ptr_equal(map_get(&map, SLICE_OF("12345678901234567")), &d);
    map_done(&map);
    assert_true(map_hash(SLICE_OF("a"), 1) != map_hash(SLICE_OF("a"), 2));
}

/* -- lists -- */

struct item {
    int number;
    struct list_node node;
};

static void a_list_keeps_its_order(void **state) {
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct list list;
    int expected = 0;
    (void)state;
    list_init(&list);
    assert_null(list_first(&list));
    assert_null(list_take_first(&list));
    list_add(&list, &items[1].node);
    list_add(&list, &items[3].node);
    list_insert_before(&list, &items[3].node, &items[2].node);
    list_add_first(&list, &items[0].node);
    assert_int_equal(list.count, 4);
    for (struct list_node *node = list_first(&list); node; node = list_next(&list, node))
        assert_int_equal(LIST_ENTRY(node, struct item, node)->number, expected++);
    assert_int_equal(expected, 4);
    list_remove(&list, &items[2].node);
    assert_false(list_node_is_linked(&items[2].node));
    assert_true(list_node_is_linked(&items[3].node));
    assert_ptr_equal(list_next(&list, &items[1].node), &items[3].node);
    assert_ptr_equal(list_take_first(&list), &items[0].node);
    assert_ptr_equal(list_take_first(&list), &items[1].node);
    assert_ptr_equal(list_take_first(&list), &items[3].node);
    assert_true(list_is_empty(&list));
    list_add(&list, &items[2].node); /* emptied is as new */
    assert_ptr_equal(list_first(&list), &items[2].node);
}

/* -- deadlines -- */

#define TIMERS 60

static int64_t earliest(const int64_t *model) {
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < TIMERS; i++)
        least = model[i] < least ? model[i] : least;
    return least;
}

static void take_all(struct deadlines *set, struct deadline *all, int64_t *model, int64_t now) {
    struct deadline *due;
    while ((due = deadlines_take(set, (struct mono){now}))) {
        size_t which = (size_t)(due - all);
        assert_true(model[which] <= now);
        assert_true(due->at.ns == INT64_MAX);
        model[which] = INT64_MAX;
    }
    assert_true(earliest(model) > now);
}

static void deadlines_are_as_a_naive_set_after_random_changes(void **state) {
    struct deadline all[TIMERS];
    int64_t model[TIMERS], now = 0;
    struct deadlines set;
    struct rng rng;
    (void)state;
    rng_init(&rng, 5);
    deadlines_init(&set);
    assert_true(deadlines_next(&set).ns == INT64_MAX);
    for (size_t i = 0; i < TIMERS; i++) {
        all[i] = (struct deadline){.at = MONO_NEVER};
        model[i] = INT64_MAX;
    }
    for (int i = 0; i < 50000; i++) {
        size_t which = rng_below(&rng, TIMERS);
        switch (rng_below(&rng, 8)) {
        case 0:
            deadlines_clear(&set, &all[which]);
            model[which] = INT64_MAX;
            break;
        case 1:
            deadlines_set(&set, &all[which], MONO_NEVER); /* the same as clear */
            model[which] = INT64_MAX;
            break;
        case 2:
        case 3:
            now += (int64_t)rng_below(&rng, 200);
            take_all(&set, all, model, now);
            break;
        default:
            model[which] = now + (int64_t)rng_below(&rng, 1000);
            deadlines_set(&set, &all[which], (struct mono){model[which]});
        }
        assert_true(all[which].at.ns == model[which]);
        assert_true(deadlines_next(&set).ns <= earliest(model));
        size_t armed = 0;
        for (size_t k = 0; k < TIMERS; k++)
            armed += model[k] != INT64_MAX;
        assert_int_equal(set.count, armed);
    }
    take_all(&set, all, model, INT64_MAX - 1);
    assert_int_equal(set.count, 0);
}

static void arming_takes_no_memory_and_moving_later_keeps_the_time(void **state) {
    struct deadline one = {.at = MONO_NEVER}, other = {.at = MONO_NEVER};
    struct deadlines set;
    int64_t live = memory_live();
    (void)state;
    deadlines_init(&set);
    deadlines_set(&set, &one, (struct mono){5});
    deadlines_set(&set, &one, (struct mono){9});
    deadlines_set(&set, &other, (struct mono){7});
    assert_true(deadlines_next(&set).ns <= 7);
    assert_ptr_equal(deadlines_take(&set, (struct mono){8}), &other);
    assert_null(deadlines_take(&set, (struct mono){8}));
    assert_true(deadlines_next(&set).ns == 9);
    assert_ptr_equal(deadlines_take(&set, (struct mono){9}), &one);
    assert_true(memory_live() == live);
}

static void time_saturates_at_never(void **state) {
    (void)state;
    assert_true(mono_after((struct mono){5}, 7).ns == 12);
    assert_true(mono_after((struct mono){5}, INT64_MAX).ns == INT64_MAX);
    assert_true(mono_after((struct mono){INT64_MAX - 1}, 1).ns == INT64_MAX);
    assert_true(mono_after(MONO_NEVER, -5).ns == INT64_MAX);
    assert_true(mono_min(MONO_NEVER, (struct mono){3}).ns == 3);
    assert_true(mono_due((struct mono){3}, (struct mono){3}));
    assert_false(mono_due((struct mono){4}, (struct mono){3}));
}

/* -- random numbers -- */

static void equal_seeds_give_equal_numbers_below_their_bound(void **state) {
    struct rng a, b, c;
    int counts[10] = {0};
    int differ = 0;
    (void)state;
    rng_init(&a, 1);
    rng_init(&b, 1);
    rng_init(&c, 2);
    for (int i = 0; i < 10000; i++) {
        uint64_t value = rng_next(&a);
        assert_true(value == rng_next(&b));
        differ += value != rng_next(&c);
    }
    assert_true(differ > 9990);
    for (int i = 0; i < 100000; i++)
        counts[rng_below(&a, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range((uintmax_t)counts[i], 9500, 10500);
    for (int i = 0; i < 100; i++) {
        assert_true(rng_below(&a, 1) == 0);
        assert_true(rng_below(&a, UINT64_MAX) < UINT64_MAX);
        assert_true(rng_below(&a, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}

/* -- the status table -- */

static void reasons_are_unique_slugs(void **state) {
    (void)state;
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        const struct status_row *row = status_row((enum status)i);
        assert_true(row->name && row->name[0] && row->title && row->title[0]);
        assert_int_equal(strspn(row->reason, "abcdefghijklmnopqrstuvwxyz-"), strlen(row->reason));
        assert_true(row->reason[0] && row->reason[0] != '-');
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(row->reason, status_reason((enum status)k));
            assert_string_not_equal(row->name, status_row((enum status)k)->name);
        }
    }
}

static void every_failure_has_an_http_error_and_a_class(void **state) {
    (void)state;
    assert_int_equal(status_row(STATUS_OK)->http, 200);
    assert_int_equal(status_row(STATUS_OK)->status_class, STATUS_CLASS_OK);
    for (unsigned i = 1; i < STATUS_COUNT; i++) {
        const struct status_row *row = status_row((enum status)i);
        assert_in_range(row->http, 400, 599);
        assert_in_range(row->grpc, 1, 16);
        assert_true(row->status_class != STATUS_CLASS_OK);
        if (row->status_class == STATUS_CLASS_BUG || row->status_class == STATUS_CLASS_LOCAL)
            assert_in_range(row->http, 500, 599);
        if (row->websocket)
            assert_in_range(row->websocket, 1000, 4999);
        if (row->mqtt && row->mqtt != 0x10) /* MQTT 5: no matching subscribers, a success there */
            assert_in_range(row->mqtt, 0x80, 0xff);
    }
}

static void stream_codes_map_back(void **state) {
    unsigned seen = 0;
    (void)state;
    assert_int_equal(status_from_stream(0), STATUS_OK);
    assert_int_equal(status_from_stream(9999), STATUS_INTERNAL);
    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        const struct status_row *row = status_row((enum status)i);
        if (!row->stream)
            continue;
        enum status back = status_from_stream(row->stream);
        assert_int_equal(status_row(back)->stream, row->stream);
        assert_true((unsigned)back <= i);
        if (row->stream > 100) { /* about a message: who hears the code answers as who meant it */
            assert_int_equal(status_row(back)->http, row->http);
            assert_int_equal(status_row(back)->grpc, row->grpc);
            seen++;
        }
    }
    assert_true(seen > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_as_a_naive_one_after_random_changes),
        cmocka_unit_test(a_map_that_gets_no_memory_is_unchanged),
        cmocka_unit_test(keys_with_equal_starts_and_empty_keys_differ),
        cmocka_unit_test(a_list_keeps_its_order),
        cmocka_unit_test(deadlines_are_as_a_naive_set_after_random_changes),
        cmocka_unit_test(arming_takes_no_memory_and_moving_later_keeps_the_time),
        cmocka_unit_test(time_saturates_at_never),
        cmocka_unit_test(equal_seeds_give_equal_numbers_below_their_bound),
        cmocka_unit_test(reasons_are_unique_slugs),
        cmocka_unit_test(every_failure_has_an_http_error_and_a_class),
        cmocka_unit_test(stream_codes_map_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
