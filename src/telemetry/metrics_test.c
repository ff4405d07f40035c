/* Metrics: series and their limits, sums over workers, reading while others count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "telemetry/metrics.h"

#define TEXT(literal) SLICE_OF(literal)

static void rows_are_whole_and_names_unique(void **state) {
    (void)state;
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = metric_row((enum metric)i);
        assert_non_null(row->name);
        assert_true(strlen(row->help) > 10 && row->help[strlen(row->help) - 1] == '.');
        assert_false(slice_starts(slice_from(metric_suffix(row)), TEXT("_bytes")));
        for (unsigned j = 0; j < i; j++) /* OpenMetrics: one family per name, its suffix left out */
            assert_string_not_equal(row->name, metric_row((enum metric)j)->name);
        for (unsigned j = metric_label_count(row); j < METRIC_LABELS_MAX; j++)
            assert_null(row->labels[j]);
    }
}

static void equal_labels_give_the_same_series(void **state) {
    (void)state;
    struct metrics *set = metrics_new(METRICS_SERIES_DEFAULT);
    uint32_t a = METRICS_SERIES(set, METRIC_DIAL_FAILURES, TEXT("billing"), TEXT("refused"));
    uint32_t b = METRICS_SERIES(set, METRIC_DIAL_FAILURES, TEXT("billing"), TEXT("reset"));
    uint32_t c = METRICS_SERIES(set, METRIC_DIAL_FAILURES, TEXT("billingr"), TEXT("efused"));
    assert_int_not_equal(a, METRICS_NO_SERIES);
    assert_int_not_equal(a, b);
    assert_int_not_equal(a, c);
    assert_int_equal(a, METRICS_SERIES(set, METRIC_DIAL_FAILURES, TEXT("billing"), TEXT("refused")));
    metrics_add(set, a, 2);
    metrics_add(set, a, 3);
    assert_int_equal(metrics_get(set, a), 5);
    assert_int_equal(metrics_get(set, b), 0);
    metrics_add(set, METRICS_NO_SERIES, 1); /* harmless */
    metrics_record(set, METRICS_NO_SERIES, 1, 1);
    struct metrics_view view;
    assert_int_equal(metrics_view_init(&view, &set, 1), STATUS_OK);
    assert_int_equal(view.count, 3);
    metrics_view_done(&view);
    metrics_free(set);
}

static void past_the_limit_series_share_overflow(void **state) {
    (void)state;
    struct metrics *set = metrics_new(3);
    char name[16];
    uint32_t handles[8];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "s%d", i);
        handles[i] = METRICS_SERIES(set, METRIC_SYSTEM_SESSIONS, slice_from(name));
        metrics_add(set, handles[i], 1);
    }
    assert_int_not_equal(handles[2], handles[3]);
    assert_int_equal(handles[3], handles[7]);
    uint32_t one = METRICS_SERIES(set, METRIC_DELIVERY_DURATION, TEXT("a"));
    uint32_t other = METRICS_SERIES(set, METRIC_DELIVERY_DURATION, TEXT("b")); /* histograms have a lower limit */
    assert_int_not_equal(one, other);
    assert_int_equal(other, METRICS_SERIES(set, METRIC_DELIVERY_DURATION, TEXT("c")));
    struct metrics_view view;
    assert_int_equal(metrics_view_init(&view, &set, 1), STATUS_OK);
    assert_int_equal(metrics_view_sum(&view, METRIC_SYSTEM_SESSIONS, NULL), 8);
    assert_int_equal(metrics_view_sum(&view, METRIC_SYSTEM_SESSIONS, (struct slice[]){TEXT("overflow")}), 5);
    assert_int_equal(
        metrics_view_sum(&view, METRIC_SERIES_OVERFLOWS, (struct slice[]){TEXT("intertie_system_sessions")}), 5);
    metrics_view_done(&view);
    metrics_free(set);
}

static void label_values_are_bounded_text(void **state) {
    (void)state;
    struct metrics *set = metrics_new(10);
    char long_value[300];
    memset(long_value, 'x', sizeof long_value);
    memcpy(long_value + METRICS_VALUE_MAX - 1, "\xc3\xa4", 2); /* would be cut in two */
    METRICS_SERIES(set, METRIC_SYSTEM_SESSIONS, slice_make(long_value, sizeof long_value));
    METRICS_SERIES(set, METRIC_SYSTEM_SESSIONS, slice_make("a\xff\xc3z", 4));
    struct metrics_view view;
    assert_int_equal(metrics_view_init(&view, &set, 1), STATUS_OK);
    assert_int_equal(view.count, 2);
    assert_true(slice_is(view.points[0].labels[0], "a??z"));
    assert_int_equal(view.points[1].labels[0].size, METRICS_VALUE_MAX - 1);
    metrics_view_done(&view);
    metrics_free(set);
}

static void views_sum_the_workers(void **state) {
    (void)state;
    struct metrics *sets[3];
    for (int i = 0; i < 3; i++) {
        sets[i] = metrics_new(100);
        uint32_t counter = METRICS_SERIES(sets[i], METRIC_MESSAGES_RECEIVED, TEXT("http"), TEXT("web"));
        uint32_t gauge = METRICS_SERIES(sets[i], METRIC_QUEUE_DEPTH, TEXT("a"), TEXT("5"));
        uint32_t oldest = METRICS_SERIES(sets[i], METRIC_QUEUE_OLDEST_AGE, TEXT("a"), TEXT("5"));
        uint32_t duration = METRICS_SERIES(sets[i], METRIC_DELIVERY_DURATION, TEXT("a"));
        metrics_add(sets[i], counter, 10);
        metrics_move(sets[i], gauge, 5);
        metrics_move(sets[i], gauge, -i - 4);
        metrics_set(sets[i], oldest, i == 1 ? 900 : 7);
        metrics_record(sets[i], duration, 1000, 4);
        if (i == 2)
            metrics_add(sets[i], METRICS_SERIES(sets[i], METRIC_MESSAGES_RECEIVED, TEXT("udp"), TEXT("web")), 1);
    }
    struct metrics_view view;
    assert_int_equal(metrics_view_init(&view, sets, 3), STATUS_OK);
    assert_int_equal(view.count, 5);
    assert_int_equal(view.points[0].metric, METRIC_MESSAGES_RECEIVED);
    assert_int_equal(metrics_view_sum(&view, METRIC_MESSAGES_RECEIVED, (struct slice[]){TEXT("http"), {NULL, 0}}), 30);
    assert_int_equal(metrics_view_sum(&view, METRIC_MESSAGES_RECEIVED, NULL), 31);
    assert_int_equal(metrics_view_sum(&view, METRIC_QUEUE_DEPTH, (struct slice[]){{NULL, 0}, TEXT("5")}), 0);
    assert_int_equal(metrics_view_sum(&view, METRIC_QUEUE_OLDEST_AGE, NULL), 900);
    for (size_t i = 0; i < view.count; i++)
        if (view.points[i].metric == METRIC_DELIVERY_DURATION)
            assert_int_equal(hdr_count(view.points[i].hdr), 12);
        else
            assert_null(view.points[i].hdr);
    metrics_view_done(&view);
    for (int i = 0; i < 3; i++)
        metrics_free(sets[i]);
}

struct load {
    struct metrics *set;
    atomic_bool done;
};

static void states_are_the_worst_of_those_who_have_one(void **state) {
    (void)state;
    struct metrics *sets[3] = {metrics_new(10), metrics_new(10), metrics_new(10)};
    struct metrics_view view;
    static const int64_t ups[3] = {1 + 1, 0, 1 + 0}, circuits[3] = {1 + 0, 1 + 2, 0};
    for (int i = 0; i < 3; i++) {
        metrics_set(sets[i], METRICS_SERIES(sets[i], METRIC_ENDPOINT_UP, SLICE_OF("far"), SLICE_OF("a")), ups[i]);
        metrics_set(sets[i], METRICS_SERIES(sets[i], METRIC_CIRCUIT_STATE, SLICE_OF("far"), SLICE_OF("a")), circuits[i]);
        metrics_set(sets[i], METRICS_SERIES(sets[i], METRIC_ENDPOINT_UP, SLICE_OF("far"), SLICE_OF("gone")), 0);
    }
    assert_int_equal(metrics_view_init(&view, sets, 3), STATUS_OK);
    assert_int_equal(metrics_view_sum(&view, METRIC_ENDPOINT_UP, NULL), 0);
    assert_int_equal(metrics_view_sum(&view, METRIC_CIRCUIT_STATE, NULL), 2);
    size_t points = 0;
    for (size_t i = 0; i < view.count; i++)
        points += view.points[i].metric == METRIC_ENDPOINT_UP;
    assert_int_equal(points, 1); /* who has gone is not shown as down */
    metrics_view_done(&view);
    for (int i = 0; i < 3; i++)
        metrics_free(sets[i]);
}

static void *count_and_grow(void *user) {
    struct load *load = user;
    char name[16];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "s%d", i);
        uint32_t sessions = METRICS_SERIES(load->set, METRIC_SYSTEM_SESSIONS, slice_from(name));
        uint32_t duration = METRICS_SERIES(load->set, METRIC_DELIVERY_DURATION, slice_from(i % 2 ? "a" : "b"));
        metrics_add(load->set, sessions, 1);
        metrics_record(load->set, duration, (uint64_t)i * 1000, 1);
    }
    atomic_store(&load->done, true);
    return NULL;
}

/* Meant for the thread sanitizer as well. */
static void reading_needs_no_lock(void **state) {
    (void)state;
    struct load load = {.set = metrics_new(METRICS_SERIES_DEFAULT)};
    pthread_t thread;
    int64_t before = 0;
    assert_int_equal(pthread_create(&thread, NULL, count_and_grow, &load), 0);
    for (bool last = false; !last;) {
        last = atomic_load(&load.done);
        struct metrics_view view;
        assert_int_equal(metrics_view_init(&view, &load.set, 1), STATUS_OK);
        int64_t sum = metrics_view_sum(&view, METRIC_SYSTEM_SESSIONS, NULL);
        assert_true(sum >= before);
        before = sum;
        metrics_view_done(&view);
    }
    pthread_join(thread, NULL);
    assert_int_equal(before, 2000);
    metrics_free(load.set);
}

static void failed_allocations_leave_the_set_usable(void **state) {
    (void)state;
    int64_t live = memory_live();
    for (int64_t n = 0;; n++) {
        memory_fail_after(n);
        struct metrics *set = metrics_new(100);
        struct metrics_view view = {0};
        bool viewed = false;
        if (set) {
            metrics_add(set, METRICS_SERIES(set, METRIC_SYSTEM_SESSIONS, TEXT("a")), 1);
            metrics_record(set, METRICS_SERIES(set, METRIC_DELIVERY_DURATION, TEXT("a")), 1, 1);
            viewed = metrics_view_init(&view, &set, 1) == STATUS_OK;
        }
        bool failed = memory_has_failed();
        memory_fail_after(-1);
        if (viewed)
            metrics_view_done(&view);
        if (set) {
            uint32_t again = METRICS_SERIES(set, METRIC_SYSTEM_SESSIONS, TEXT("a"));
            assert_int_not_equal(again, METRICS_NO_SERIES);
        }
        metrics_free(set);
        assert_int_equal(memory_live(), live);
        if (!failed)
            break;
        assert_true(n < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole_and_names_unique),
        cmocka_unit_test(equal_labels_give_the_same_series),
        cmocka_unit_test(past_the_limit_series_share_overflow),
        cmocka_unit_test(label_values_are_bounded_text),
        cmocka_unit_test(views_sum_the_workers),
        cmocka_unit_test(states_are_the_worst_of_those_who_have_one),
        cmocka_unit_test(reading_needs_no_lock),
        cmocka_unit_test(failed_allocations_leave_the_set_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
