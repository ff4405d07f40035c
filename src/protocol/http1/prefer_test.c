/* `Prefer` (RFC 7240): what is understood, what is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/http1/prefer.h"

struct row {
    const char *value;
    bool is_async;
    uint32_t wait_s;
};

static void check(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct prefer prefer = {0};
        prefer_add(&prefer, slice_from(rows[i].value));
        if (prefer.respond_async != rows[i].is_async || prefer.wait_s != rows[i].wait_s)
            fail_msg("`%s`: %d %u", rows[i].value, prefer.respond_async, (unsigned)prefer.wait_s);
    }
}

static void what_the_grammar_allows_is_understood(void **state) {
    static const struct row rows[] = {
        {"", false, 0},
        {"respond-async", true, 0},
        {"wait=5", false, 5},
        {"respond-async, wait=10", true, 10},
        {"wait=10, respond-async", true, 10},
        {" respond-async ,\twait=10 ", true, 10},
        {"Respond-Async,WAIT=7", true, 7},
        {"wait = 5", false, 5},
        {"wait\t=\t5", false, 5},
        {"wait=\"12\"", false, 12},
        {"wait=\"1\\2\"", false, 12},
        {"wait=5; foo; bar=\"x,y\"", false, 5},
        {"wait=5;", false, 5},
        {"wait=5;;a=b;", false, 5},
        {"wait=5 ; ; a = b", false, 5},
        {"respond-async;foo=\"a\\\"b, wait=3\"", true, 0},
        {"respond-async=\"\"", true, 0},
        {"respond-async=", true, 0},
        {",,respond-async,,", true, 0},
        {"foo; bar, respond-async", true, 0},
        {"foo=\"some, value; wait=9\", wait=2", false, 2},
        {"return=minimal; foo=\"some parameter\", handling=lenient, wait=100, respond-async", true, 100},
        {"wait=007", false, 7},
        {"wait=4294967295", false, UINT32_MAX},
        {"wait=4294967296", false, UINT32_MAX},
        {"wait=99999999999999999999999999999999", false, UINT32_MAX},
    };
    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
}

static void the_first_of_several_counts(void **state) {
    static const struct row rows[] = {
        {"wait=3, wait=9", false, 3},
        {"wait=0, wait=9", false, 0},
        {"wait=x, wait=9", false, 9}, /* the first isn't one */
    };
    struct prefer prefer = {0};
    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
    prefer_add(&prefer, SLICE_OF("wait=4"));
    prefer_add(&prefer, SLICE_OF("wait=5, respond-async"));
    assert_int_equal(prefer.wait_s, 4);
    assert_true(prefer.respond_async);
}

static void what_breaks_the_grammar_ends_at_the_next_comma(void **state) {
    static const struct row rows[] = {
        {"wait", false, 0},
        {"wait=", false, 0},
        {"wait=\"\"", false, 0},
        {"wait=-1", false, 0},
        {"wait=1.5", false, 0},
        {"wait=5s", false, 0},
        {"wait=\"5", false, 0},
        {"wait=\"5\\", false, 0},
        {"wait=5 5", false, 0},
        {"wait=5 5, respond-async", true, 0},
        {"wait==5", false, 0},
        {"=5, wait=6", false, 6},
        {"respond-async=yes", false, 0},
        {"respond-async x", false, 0},
        {"respond-asynchronously", false, 0},
        {"(respond-async), wait=1", false, 1},
        {"x=\"respond-async, wait=1", false, 0},
        {"@ \"a, wait=8\", wait=2", false, 2},
        {"wait=5; a b, respond-async", true, 0},
        {"\x80, wait=1", false, 1},
        {"\"", false, 0},
        {";wait=5", false, 0},
    };
    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
}

static void all_fields_of_a_request_count(void **state) {
    static struct http1_head head;
    struct http1_limits limits = {8192, 64};
    struct slice text = SLICE_OF(
        "POST / HTTP/1.1\r\nHost: a\r\nPrefer: wait=2\r\nX: y\r\nprefer: respond-async, wait=3\r\n\r\n");
    (void)state;
    assert_int_equal(http1_parse_request(&head, text, limits), HTTP1_DONE);
    struct prefer prefer = prefer_of(&head);
    assert_true(prefer.respond_async);
    assert_int_equal(prefer.wait_s, 2);
    assert_int_equal(http1_parse_request(&head, SLICE_OF("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), limits),
                     HTTP1_DONE);
    assert_false(prefer_of(&head).respond_async);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_grammar_allows_is_understood),
        cmocka_unit_test(the_first_of_several_counts),
        cmocka_unit_test(what_breaks_the_grammar_ends_at_the_next_comma),
        cmocka_unit_test(all_fields_of_a_request_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
