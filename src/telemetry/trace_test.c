/* The ring of traces: what it keeps, what it overwrites, its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "telemetry/trace.h"

static void put(struct trace_ring *ring, uint64_t number, size_t text_size) {
    static char text[2 * TRACE_TEXT_MAX];
    memset(text, 'x', sizeof text);
    struct trace_record record = {.at = {(int64_t)number}, .trace = number, .number = number, .size = 7, .status = 3, .step = TRACE_SENT,
                                  .small = {1, 2, 3}, .texts[1] = slice_make(text, text_size), .texts[5] = slice_make("end", 3)};
    trace_ring_add(ring, &record);
}

/* How many there are; they follow each other. */
static size_t count(const struct trace_ring *ring, uint64_t *ret_first, uint64_t *ret_last) {
    struct trace_cursor cursor = {.chunk = NULL};
    struct trace_record record;
    size_t found = 0;
    while (trace_ring_next(ring, &cursor, &record)) {
        if (found++ == 0)
            *ret_first = record.trace;
        else
            assert_int_equal(record.trace, *ret_last + 1);
        *ret_last = record.trace;
    }
    assert_int_equal(found, ring->kept);
    return found;
}

static void a_record_comes_back_as_it_was(void **state) {
    (void)state;
    struct trace_ring ring;
    struct trace_cursor cursor = {.chunk = NULL};
    struct trace_record record;
    trace_ring_init(&ring);
    trace_ring_resize(&ring, 1 << 20);
    assert_false(trace_ring_next(&ring, &cursor, &record));
    put(&ring, 11, 5);
    put(&ring, 12, 0);
    cursor = (struct trace_cursor){.chunk = NULL};
    assert_true(trace_ring_next(&ring, &cursor, &record));
    assert_int_equal(record.at.ns, 11);
    assert_int_equal(record.trace, 11);
    assert_int_equal(record.number, 11);
    assert_int_equal(record.size, 7);
    assert_int_equal(record.status, 3);
    assert_int_equal(record.step, TRACE_SENT);
    assert_int_equal(record.small[2], 3);
    assert_int_equal(record.texts[0].size, 0);
    assert_true(slice_is(record.texts[1], "xxxxx"));
    assert_true(slice_is(record.texts[5], "end"));
    assert_true(trace_ring_next(&ring, &cursor, &record));
    assert_int_equal(record.texts[1].size, 0);
    assert_false(trace_ring_next(&ring, &cursor, &record));
    trace_ring_done(&ring);
}

static void a_text_one_past_its_maximum_is_cut(void **state) {
    (void)state;
    static const size_t sizes[] = {TRACE_TEXT_MAX - 1, TRACE_TEXT_MAX, TRACE_TEXT_MAX + 1};
    struct trace_ring ring;
    struct trace_cursor cursor = {.chunk = NULL};
    struct trace_record record;
    trace_ring_init(&ring);
    trace_ring_resize(&ring, 1 << 20);
    for (unsigned i = 0; i < 3; i++)
        put(&ring, i, sizes[i]);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(trace_ring_next(&ring, &cursor, &record));
        assert_int_equal(record.texts[1].size, sizes[i] < TRACE_TEXT_MAX ? sizes[i] : TRACE_TEXT_MAX);
        assert_true(slice_is(record.texts[5], "end"));
    }
    trace_ring_done(&ring);
}

static void the_oldest_go_and_memory_stays_within_its_size(void **state) {
    (void)state;
    struct trace_ring ring;
    uint64_t first = 0, last = 0, size = 10 * sizeof(struct trace_chunk);
    trace_ring_init(&ring);
    trace_ring_resize(&ring, size);
    for (uint64_t i = 1; i <= 10000; i++) {
        put(&ring, i, i % TRACE_TEXT_MAX);
        assert_true(trace_ring_memory(&ring) <= size);
    }
    size_t found = count(&ring, &first, &last);
    assert_int_equal(last, 10000);
    assert_int_equal(first, 10000 - found + 1);
    assert_true(found > 9 * TRACE_CHUNK / 206 && found < 10000); /* of at most 40 + 160 + 3 bytes each */
    assert_int_equal(ring.added, 10000);
    trace_ring_done(&ring);
}

static void another_size_keeps_the_newest(void **state) {
    (void)state;
    struct trace_ring ring;
    uint64_t first = 0, last = 0;
    trace_ring_init(&ring);
    put(&ring, 1, 10); /* off: nothing is kept */
    assert_int_equal(count(&ring, &first, &last), 0);
    trace_ring_resize(&ring, 8 * sizeof(struct trace_chunk));
    for (uint64_t i = 1; i <= 3000; i++)
        put(&ring, i, 100);
    size_t before = count(&ring, &first, &last);
    trace_ring_resize(&ring, 4 * sizeof(struct trace_chunk));
    size_t after = count(&ring, &first, &last);
    assert_true(after < before && after > 0);
    assert_int_equal(last, 3000);
    trace_ring_resize(&ring, 1); /* not less than two chunks */
    assert_int_equal(ring.chunks_max, TRACE_CHUNKS_LEAST);
    put(&ring, 3001, 100);
    count(&ring, &first, &last);
    assert_int_equal(last, 3001);
    trace_ring_resize(&ring, 0);
    assert_int_equal(count(&ring, &first, &last), 0);
    assert_int_equal(trace_ring_memory(&ring), 0);
    trace_ring_done(&ring);
}

static void without_memory_it_makes_do_with_what_it_has(void **state) {
    (void)state;
    struct trace_ring ring;
    uint64_t first = 0, last = 0;
    int64_t before = memory_live();
    trace_ring_init(&ring);
    trace_ring_resize(&ring, 1 << 20);
    memory_fail_after(0);
    put(&ring, 1, 100);
    if (memory_has_failed()) {
        assert_int_equal(ring.lost, 1);
        assert_int_equal(count(&ring, &first, &last), 0);
    }
    for (uint64_t i = 2; i < 60; i++)
        put(&ring, i, 100);
    memory_fail_after(0);
    for (uint64_t i = 60; i < 140; i++)
        put(&ring, i, 100);
    memory_fail_after(-1);
    count(&ring, &first, &last);
    assert_int_equal(last, 139);
    trace_ring_done(&ring);
    assert_int_equal(memory_live(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(a_text_one_past_its_maximum_is_cut),
        cmocka_unit_test(the_oldest_go_and_memory_stays_within_its_size),
        cmocka_unit_test(another_size_keeps_the_newest),
        cmocka_unit_test(without_memory_it_makes_do_with_what_it_has),
    };
    return cmocka_run_group_tests_name("telemetry/trace", tests, NULL, NULL);
}
