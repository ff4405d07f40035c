/* Buffers and arenas: memory with a named maximum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"

static void a_new_buffer_holds_no_memory(void **state) {
    struct buffer buffer;
    int64_t live = memory_live();
    (void)state;
    buffer_init(&buffer, 100);
    buffer_add(&buffer, SLICE_OF(""));
    assert_true(memory_live() == live);
    assert_null(buffer.data);
    buffer_done(&buffer);
}

static void a_buffer_fills_to_its_maximum_and_no_byte_more(void **state) {
    (void)state;
    for (size_t max = 1; max < 1200; max += 7) {
        struct buffer buffer;
        buffer_init(&buffer, max);
        for (size_t i = 0; i < max; i++)
            buffer_add_byte(&buffer, (uint8_t)i);
        assert_int_equal(buffer.status, STATUS_OK);
        assert_int_equal(buffer.size, max);
        assert_true(buffer.capacity <= max);
        buffer_add_byte(&buffer, 0);
        assert_int_equal(buffer.status, STATUS_TOO_LARGE);
        assert_int_equal(buffer.size, max);
        for (size_t i = 0; i < max; i++)
            assert_int_equal(buffer.data[i], (uint8_t)i);
        buffer_done(&buffer);
    }
}

static void failure_sticks_until_cleared(void **state) {
    struct buffer buffer;
    (void)state;
    buffer_init(&buffer, 4);
    buffer_add_text(&buffer, "abcde");
    buffer_add_text(&buffer, "a"); /* would fit, but what came before it is lost */
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    assert_int_equal(buffer.size, 0);
    assert_null(buffer_reserve(&buffer, 1));
    buffer_clear(&buffer);
    buffer_add_text(&buffer, "abcd");
    assert_int_equal(buffer.status, STATUS_OK);
    assert_true(slice_is(buffer_slice(&buffer), "abcd"));
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    buffer_done(&buffer);
}

static void a_fixed_buffer_never_grows(void **state) {
    uint8_t bytes[4] = {0, 0, 0, 9};
    struct buffer buffer;
    (void)state;
    buffer_init_fixed(&buffer, bytes, 3);
    buffer_add_text(&buffer, "abc");
    assert_int_equal(buffer.status, STATUS_OK);
    buffer_add_byte(&buffer, 'd');
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    assert_int_equal(bytes[3], 9);
    buffer_done(&buffer); /* frees nothing of the caller's */
}

static void numbers_and_formats_are_written_whole_or_not(void **state) {
    struct buffer buffer;
    (void)state;
    buffer_init(&buffer, 16);
    buffer_add_u64(&buffer, 0);
    buffer_add_i64(&buffer, -12);
    buffer_add_format(&buffer, "%s:%d", "ab", 7);
    assert_true(slice_is(buffer_slice(&buffer), "0-12ab:7"));
    buffer_add_format(&buffer, "%s", "123456789");
    assert_int_equal(buffer.status, STATUS_TOO_LARGE);
    assert_true(slice_is(buffer_slice(&buffer), "0-12ab:7"));
    buffer_done(&buffer);
}

static void consumed_bytes_are_gone_from_the_front(void **state) {
    struct buffer buffer;
    (void)state;
    buffer_init(&buffer, 100);
    buffer_add_text(&buffer, "abcdef");
    buffer_consume(&buffer, 0);
    buffer_consume(&buffer, 2);
    assert_true(slice_is(buffer_slice(&buffer), "cdef"));
    buffer_consume(&buffer, 4);
    assert_int_equal(buffer.size, 0);
    buffer_done(&buffer);
}

static void a_buffer_bears_every_failed_allocation(void **state) {
    (void)state;
    for (int64_t n = 0;; n++) {
        struct buffer buffer;
        int64_t live = memory_live();
        buffer_init(&buffer, 4096);
        memory_fail_after(n);
        for (int i = 0; i < 300; i++)
            buffer_add_text(&buffer, "0123456789");
        int failed = memory_has_failed();
        memory_fail_after(-1);
        assert_int_equal(buffer.status, failed ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(buffer.size % 10, 0);
        buffer_done(&buffer);
        assert_true(memory_live() == live);
        if (!failed)
            break;
    }
}

static void an_arena_gives_zeroed_aligned_memory_that_does_not_overlap(void **state) {
    struct arena arena;
    uint8_t *all[400];
    size_t sizes[400];
    int64_t live = memory_live();
    (void)state;
    arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < 400; i++) {
        sizes[i] = i % 50 == 49 ? 9000 : i % 97;
        all[i] = arena_new(&arena, sizes[i]);
        assert_non_null(all[i]);
        assert_int_equal((uintptr_t)all[i] % 16, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(all[i][k], 0);
        memset(all[i], (int)(i + 1) & 0xff, sizes[i]);
    }
    for (size_t i = 0; i < 400; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(all[i][k], (i + 1) & 0xff);
    arena_done(&arena);
    assert_true(memory_live() == live);
}

static void an_arena_ends_at_its_maximum(void **state) {
    struct arena arena;
    (void)state;
    arena_init(&arena, 64);
    assert_non_null(arena_new(&arena, 33)); /* 48 with its alignment */
    assert_null(arena_new(&arena, 17));
    assert_non_null(arena_new(&arena, 16));
    assert_null(arena_new(&arena, 1));
    assert_null(arena_new(&arena, SIZE_MAX));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_copy(&arena, SLICE_OF("x")).data);
    arena_done(&arena);
    assert_non_null(arena_new(&arena, 1)); /* done is also empty */
    arena_done(&arena);
}

static void a_copy_ends_with_nul(void **state) {
    struct arena arena;
    (void)state;
    arena_init(&arena, 1024);
    struct slice copy = arena_copy(&arena, SLICE_OF("a\0b")), empty = arena_copy(&arena, slice_make(NULL, 0));
    assert_int_equal(copy.size, 3);
    assert_memory_equal(copy.data, "a\0b", 4);
    assert_int_equal(empty.size, 0);
    assert_string_equal((const char *)empty.data, "");
    arena_done(&arena);
}

static void an_arena_bears_failed_allocations(void **state) {
    struct arena arena;
    (void)state;
    arena_init(&arena, 1u << 20);
    memory_fail_after(0);
    assert_null(arena_new(&arena, 1));
    assert_int_equal(arena.used, 0);
    assert_non_null(arena_new(&arena, 1));
    memory_fail_after(0);
    assert_non_null(arena_new(&arena, 1)); /* from the open chunk */
    assert_null(arena_new(&arena, 100000));
    memory_fail_after(-1);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_holds_no_memory),
        cmocka_unit_test(a_buffer_fills_to_its_maximum_and_no_byte_more),
        cmocka_unit_test(failure_sticks_until_cleared),
        cmocka_unit_test(a_fixed_buffer_never_grows),
        cmocka_unit_test(numbers_and_formats_are_written_whole_or_not),
        cmocka_unit_test(consumed_bytes_are_gone_from_the_front),
        cmocka_unit_test(a_buffer_bears_every_failed_allocation),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(an_arena_ends_at_its_maximum),
        cmocka_unit_test(a_copy_ends_with_nul),
        cmocka_unit_test(an_arena_bears_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
