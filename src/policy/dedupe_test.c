/* What is remembered, for how long, and what goes when there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "policy/dedupe.h"

#define START ((struct mono){7 * NS_PER_S})
#define MINUTE (60 * NS_PER_S)

static const struct dedupe_key key = {"0123456789abcde"};

static struct dedupe_print print_of(const char *text) {
    struct slice part = slice_from(text);
    return dedupe_print(&key, &part, 1);
}

static struct dedupe_print number(uint32_t n) {
    struct slice part = slice_make(&n, sizeof n);
    return dedupe_print(&key, &part, 1);
}

static struct mono after(int64_t ns) {
    return mono_after(START, ns);
}

static enum dedupe_verdict claim(struct dedupe *all, const char *text, uint64_t id, int64_t window,
                                 struct mono now) {
    struct dedupe_print print = print_of(text);
    const uint8_t *receipt;
    return dedupe_claim(all, &print, id, window, NULL, now, &receipt);
}

static void accept(struct dedupe *all, const char *text, uint64_t id, struct mono now) {
    struct dedupe_print print = print_of(text);
    dedupe_accept(all, &print, id, now);
}

static void release(struct dedupe *all, const char *text, uint64_t id) {
    struct dedupe_print print = print_of(text);
    dedupe_release(all, &print, id);
}

static void of_two_the_first_is_new(void **state) {
    struct dedupe all;
    (void)state;
    dedupe_init(&all);
    assert_int_equal(claim(&all, "a", 1, MINUTE, START), DEDUPE_NEW);
    assert_int_equal(claim(&all, "a", 2, MINUTE, START), DEDUPE_OPEN);
    assert_int_equal(claim(&all, "b", 3, MINUTE, START), DEDUPE_NEW);
    accept(&all, "a", 2, START); /* not theirs */
    assert_int_equal(claim(&all, "a", 4, MINUTE, START), DEDUPE_OPEN);
    accept(&all, "a", 1, START);
    assert_int_equal(claim(&all, "a", 5, MINUTE, START), DEDUPE_AGAIN);
    release(&all, "a", 1); /* it is decided */
    assert_int_equal(claim(&all, "a", 6, MINUTE, START), DEDUPE_AGAIN);
    release(&all, "b", 3);
    assert_int_equal(claim(&all, "b", 7, MINUTE, START), DEDUPE_NEW);
    assert_int_equal(all.count, 2);
    dedupe_done(&all);
}

static void it_is_remembered_for_its_window_from_its_acceptance_on(void **state) {
    struct dedupe all;
    (void)state;
    dedupe_init(&all);
    claim(&all, "a", 1, MINUTE, START);
    assert_int_equal(claim(&all, "a", 2, MINUTE, after(100 * MINUTE)),
                     DEDUPE_OPEN); /* however long it takes */
    accept(&all, "a", 1, after(100 * MINUTE));
    assert_int_equal(claim(&all, "a", 2, MINUTE, after(101 * MINUTE - 1)), DEDUPE_AGAIN);
    assert_int_equal(claim(&all, "a", 3, MINUTE, after(101 * MINUTE)), DEDUPE_NEW);
    assert_int_equal(all.count, 1);
    release(&all, "a", 3);
    assert_true(all.count == 0 && dedupe_memory(&all) == 0); /* nothing is remembered, nothing is kept */
    dedupe_done(&all);
}

static void the_receipt_is_that_of_the_first(void **state) {
    static const uint8_t first[DEDUPE_RECEIPT_SIZE] = "first", second[DEDUPE_RECEIPT_SIZE] = "second";
    struct dedupe_print print = print_of("a");
    const uint8_t *receipt = NULL;
    struct dedupe all;
    (void)state;
    dedupe_init(&all);
    dedupe_claim(&all, &print, 1, MINUTE, first, START, &receipt);
    assert_null(receipt);
    dedupe_accept(&all, &print, 1, START);
    assert_int_equal(dedupe_claim(&all, &print, 2, MINUTE, second, START, &receipt), DEDUPE_AGAIN);
    assert_string_equal((const char *)receipt, "first");
    dedupe_done(&all);
}

static void each_window_is_its_own(void **state) {
    static const int64_t windows[] = {1,          NS_PER_MS,        3 * NS_PER_MS, NS_PER_S,
                                      5 * MINUTE, 24 * 60 * MINUTE, INT64_MAX / 2};
    struct dedupe all;
    (void)state;
    dedupe_init(&all);
    for (uint32_t i = 0; i < COUNT_OF(windows); i++) {
        struct dedupe_print print = number(i);
        const uint8_t *receipt;
        assert_int_equal(dedupe_claim(&all, &print, 1, windows[i], NULL, START, &receipt), DEDUPE_NEW);
        dedupe_accept(&all, &print, 1, START);
    }
    for (uint32_t i = 0; i < COUNT_OF(windows); i++) {
        struct dedupe_print print = number(i);
        const uint8_t *receipt;
        assert_int_equal(dedupe_claim(&all, &print, 2, windows[i], NULL, after(windows[i] - 1), &receipt),
                         DEDUPE_AGAIN);
        assert_int_equal(dedupe_claim(&all, &print, 2, windows[i], NULL, after(windows[i]), &receipt),
                         DEDUPE_NEW);
    }
    dedupe_done(&all);
}

static void prints_tell_parts_apart(void **state) {
    static uint8_t large[2][300];
    struct slice same[] = {SLICE_OF("a"), SLICE_OF("bc")}, other[] = {SLICE_OF("ab"), SLICE_OF("c")};
    struct dedupe_print one = dedupe_print(&key, same, 2), two = dedupe_print(&key, other, 2),
                        three = dedupe_print(&key, same, 1);
    (void)state;
    assert_memory_not_equal(&one, &two, sizeof one);
    assert_memory_not_equal(&one, &three, sizeof one);
    large[1][299] = 1;
    struct slice a = slice_make(large[0], 300), b = slice_make(large[1], 300);
    one = dedupe_print(&key, &a, 1), two = dedupe_print(&key, &b, 1), three = dedupe_print(&key, &a, 1);
    assert_memory_not_equal(&one, &two, sizeof one);
    assert_memory_equal(&one, &three, sizeof one);
    struct slice hashed = slice_make(&one, sizeof one); /* what stands for a long part is no short one */
    three = dedupe_print(&key, &hashed, 1);
    assert_memory_not_equal(&one, &three, sizeof one);
    static const struct dedupe_key another = {"another"};
    two = dedupe_print(&another, same, 2), one = dedupe_print(&key, same, 2);
    assert_memory_not_equal(&one, &two, sizeof one);
}

static void take(struct dedupe *all, uint32_t n, int64_t window, struct mono now) {
    struct dedupe_print print = number(n);
    const uint8_t *receipt;
    assert_int_equal(dedupe_claim(all, &print, 1, window, NULL, now, &receipt), DEDUPE_NEW);
    dedupe_accept(all, &print, 1, now);
}

static bool knows(struct dedupe *all, uint32_t n, struct mono now) {
    struct dedupe_print print = number(n);
    const uint8_t *receipt;
    bool known = dedupe_claim(all, &print, 9, MINUTE, NULL, now, &receipt) == DEDUPE_AGAIN;
    if (!known)
        dedupe_release(all, &print, 9);
    return known;
}

/* One past the limit. What would be forgotten first goes, and that is counted. */
static void when_it_is_full_the_next_to_be_forgotten_goes(void **state) {
    struct dedupe all;
    (void)state;
    dedupe_init(&all);
    take(&all, 0, 60 * MINUTE, START);
    take(&all, 1, MINUTE, START);
    for (uint32_t n = 2; n < DEDUPE_ENTRIES; n++)
        take(&all, n, 30 * MINUTE, after(n));
    assert_true(all.count == DEDUPE_ENTRIES && all.evicted == 0);
    take(&all, DEDUPE_ENTRIES, 30 * MINUTE, after(NS_PER_S));
    assert_true(all.count == DEDUPE_ENTRIES && all.evicted == 1);
    struct dedupe_print print = number(1);
    const uint8_t *receipt;
    assert_int_equal(dedupe_claim(&all, &print, 2, MINUTE, NULL, after(NS_PER_S), &receipt), DEDUPE_NEW);
    assert_int_equal(all.evicted, 2);
    assert_true(knows(&all, 0, after(NS_PER_S)) && knows(&all, 3, after(NS_PER_S)) &&
                knows(&all, DEDUPE_ENTRIES, after(NS_PER_S)));
    assert_true(dedupe_memory(&all) <= DEDUPE_ENTRIES * 64u + (1u << 18));
    /* what is over goes a few at a time */
    uint32_t before = all.count;
    assert_false(knows(&all, 5, after(40 * MINUTE)));
    assert_true(all.count < before && all.count > before - 64);
    for (uint32_t n = 0; n < DEDUPE_ENTRIES / 4; n++)
        take(&all, 2 * DEDUPE_ENTRIES + n, MINUTE, after(40 * MINUTE));
    assert_true(all.evicted == 2 && all.count <= DEDUPE_ENTRIES / 4 + 2);
    dedupe_done(&all);
}

/* What isn't decided never goes: of it a second could be taken. */
static void what_is_open_stays_and_then_no_more_is_begun(void **state) {
    struct dedupe all;
    const uint8_t *receipt;
    (void)state;
    dedupe_init(&all);
    for (uint32_t n = 0; n < DEDUPE_ENTRIES; n++) {
        struct dedupe_print print = number(n);
        assert_int_equal(dedupe_claim(&all, &print, 1, MINUTE, NULL, START, &receipt), DEDUPE_NEW);
    }
    struct dedupe_print more = number(DEDUPE_ENTRIES), first = number(0);
    assert_int_equal(dedupe_claim(&all, &more, 2, MINUTE, NULL, after(60 * MINUTE), &receipt), DEDUPE_FULL);
    assert_int_equal(dedupe_claim(&all, &first, 2, MINUTE, NULL, after(60 * MINUTE), &receipt), DEDUPE_OPEN);
    dedupe_release(&all, &first, 1);
    assert_int_equal(dedupe_claim(&all, &more, 2, MINUTE, NULL, START, &receipt), DEDUPE_NEW);
    assert_int_equal(all.open, DEDUPE_ENTRIES);
    dedupe_done(&all);
}

static void want_of_memory_is_full(void **state) {
    (void)state;
    for (int64_t nth = 0; nth < 2; nth++) {
        struct dedupe all;
        dedupe_init(&all);
        memory_fail_after(nth);
        enum dedupe_verdict verdict = claim(&all, "a", 1, MINUTE, START);
        memory_fail_after(-1);
        assert_int_equal(verdict, DEDUPE_FULL);
        assert_true(dedupe_memory(&all) == 0);
        assert_int_equal(claim(&all, "a", 1, MINUTE, START), DEDUPE_NEW);
        dedupe_done(&all);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_the_first_is_new),
        cmocka_unit_test(it_is_remembered_for_its_window_from_its_acceptance_on),
        cmocka_unit_test(the_receipt_is_that_of_the_first),
        cmocka_unit_test(each_window_is_its_own),
        cmocka_unit_test(prints_tell_parts_apart),
        cmocka_unit_test(when_it_is_full_the_next_to_be_forgotten_goes),
        cmocka_unit_test(what_is_open_stays_and_then_no_more_is_begun),
        cmocka_unit_test(want_of_memory_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
