/* Variables in texts, and partial bodies with markers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testing/like.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static bool get(void *context, struct slice name, struct json_node *ret) {
    (void)context;
    *ret = (struct json_node){.type = JSON_STRING};
    if (slice_is(name, "cid"))
        ret->text = SLICE_OF("c-\"1\"");
    else if (slice_is(name, "row.n"))
        *ret = (struct json_node){.type = JSON_NUMBER, .number = 7, .text = SLICE_OF("7")};
    else if (slice_is(name, "yes"))
        ret->type = JSON_TRUE;
    else if (slice_is(name, "bracket"))
        ret->text = SLICE_OF("<any>");
    else
        return false;
    return true;
}

static const struct variables variables = {get, NULL};

static void variables_fill_texts(void **state) {
    (void)state;
    static const struct {
        const char *text, *filled; /* NULL: refused */
    } cases[] = {
        {"", ""}, {"plain", "plain"}, {"${cid}", "c-\"1\""}, {"a${cid}b${row.n}", "ac-\"1\"b7"}, {"${yes}", "true"},
        {"$${cid}", "${cid}"}, {"$", "$"}, {"$5 {x}", "$5 {x}"}, {"a$${x}${row.n}", "a${x}7"}, {"${unknown}", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out;
        struct fault fault = {0};
        buffer_init(&out, 4096);
        assert_int_equal(expand_check(slice_from(cases[i].text), &fault), STATUS_OK);
        enum status status = expand_text(slice_from(cases[i].text), &variables, &out, &fault);
        if ((status == STATUS_OK) != (cases[i].filled != NULL) || (cases[i].filled && !slice_is(buffer_slice(&out), cases[i].filled)))
            fail_msg("%s: %.*s %s", cases[i].text, SLICE_ARG(buffer_slice(&out)), fault.text);
        buffer_done(&out);
    }
    static const char *const broken[] = {"${", "a ${b", "${}", "x${cid}${"};
    for (size_t i = 0; i < COUNT_OF(broken); i++)
        assert_int_equal(expand_check(slice_from(broken[i]), NULL), STATUS_BAD_CONFIG);
    struct buffer out;
    struct json_node value;
    buffer_init(&out, 4);
    assert_int_equal(expand_value(SLICE_OF("${row.n}"), &variables, &out, &value, NULL), STATUS_OK);
    assert_int_equal(value.type, JSON_NUMBER);
    assert_int_equal(expand_value(SLICE_OF("n${row.n}"), &variables, &out, &value, NULL), STATUS_OK);
    assert_true(value.type == JSON_STRING && slice_is(value.text, "n7"));
    buffer_clear(&out);
    assert_int_equal(expand_value(SLICE_OF("a${cid}"), &variables, &out, &value, NULL), STATUS_TOO_LARGE);
    buffer_done(&out);
}

static void bodies_are_alike_or_say_where_not(void **state) {
    (void)state;
    static const struct {
        const char *expected, *got, *wanted, *found; /* NULL: alike */
    } cases[] = {
        {"{\"a\":1}", "{\"a\":1.0,\"b\":2}", NULL, NULL},
        {"{\"a\":1}", "{\"b\":2}", "1", "nothing"},
        {"{\"a\":{\"b\":[1,2]}}", "{\"a\":{\"b\":[1,3]}}", "2", "3"},
        {"[1]", "[1,2]", "an array of 1", "an array of 2"},
        {"[]", "{}", "an array of 0", "an object of 0"},
        {"{\"a\":\"1\"}", "{\"a\":1}", "\"1\"", "1"},
        {"{\"a\":null}", "{\"a\":null}", NULL, NULL},
        {"{\"a\":\"<absent>\"}", "{}", NULL, NULL},
        {"{\"a\":\"<absent>\"}", "{\"a\":null}", "\"<absent>\"", "null"},
        {"{\"a\":\"<any>\"}", "{\"a\":null}", NULL, NULL},
        {"{\"a\":\"<any>\"}", "{}", "\"<any>\"", "nothing"},
        {"\"<uuid>\"", "\"019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701\"", NULL, NULL},
        {"\"<uuid>\"", "\"019ab3d0\"", "\"<uuid>\"", "\"019ab3d0\""},
        {"\"<iso-time>\"", "\"2026-11-22T22:09:53Z\"", NULL, NULL},
        {"\"<iso-time>\"", "\"2026-11-22\"", "\"<iso-time>\"", "\"2026-11-22\""},
        {"\"<int 1..9>\"", "9", NULL, NULL},
        {"\"<int 1..9>\"", "10", "\"<int 1..9>\"", "10"},
        {"\"<int>\"", "1.5", "\"<int>\"", "1.5"},
        {"\"<int>\"", "1e300", "\"<int>\"", "1e300"},
        {"\"<number ..1.5>\"", "-3", NULL, NULL},
        {"\"<number 2>\"", "2.0", NULL, NULL},
        {"\"<regex ^A-[0-9]+$>\"", "\"A-17\"", NULL, NULL},
        {"\"<regex ^A>\"", "\"B\"", "\"<regex ^A>\"", "\"B\""},
        {"\"<contains b c>\"", "\"ab cd\"", NULL, NULL},
        {"\"<text <b>>\"", "\"<b>\"", NULL, NULL},
        {"\"<bool>\"", "false", NULL, NULL},
        {"\"<null>\"", "null", NULL, NULL},
        {"\"<string>\"", "1", "\"<string>\"", "1"},
        {"{\"id\":\"${cid}\",\"n\":\"${row.n}\",\"t\":\"n${row.n}\"}", "{\"id\":\"c-\\\"1\\\"\",\"n\":7,\"t\":\"n7\"}", NULL, NULL},
        {"\"${bracket}\"", "\"x\"", "\"<any>\"", "\"x\""}, /* what a variable brings is never a marker */
        {"\"${row.n}\"", "8", "7", "8"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena;
        struct json_tree expected, got;
        struct like *like;
        struct like_difference difference = {0};
        struct fault fault = {0};
        uint32_t node;
        arena_init(&arena, 1 << 20);
        assert_int_equal(json_tree_parse(slice_from(cases[i].expected), 0, 0, &arena, &expected, &fault), STATUS_OK);
        assert_int_equal(json_tree_parse(slice_from(cases[i].got), 0, 0, &arena, &got, &fault), STATUS_OK);
        assert_int_equal(like_new(&expected, &arena, &like, &node, &fault), STATUS_OK);
        enum status status = like_compare(like, &got, JSON_TREE_ROOT, &variables, &difference);
        if ((status == STATUS_OK) != !cases[i].wanted ||
            (cases[i].wanted && (strcmp(difference.wanted, cases[i].wanted) != 0 || strcmp(difference.found, cases[i].found) != 0)))
            fail_msg("%s and %s: %s, %s", cases[i].expected, cases[i].got, difference.wanted, difference.found);
        like_free(like);
        arena_done(&arena);
    }
}

static void broken_markers_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *expected, *says;
    } cases[] = {
        {"[1,\"<uid>\"]", "did you mean `<uuid>`?"}, {"[1,\"<b>\"]", "`<text <b>>`"},   {"[1,\"<int 9..1>\"]", "a range"},
        {"[1,\"<int x>\"]", "a range"},              {"[1,\"<any x>\"]", "nothing behind"}, {"[1,\"<regex>\"]", "wants a text"},
        {"[1,\"<regex (>\"]", "at character"},       {"[1,\"${x\"]", "without its `}`"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena;
        struct json_tree expected;
        struct like *like;
        struct fault fault = {0};
        uint32_t node = 0;
        arena_init(&arena, 1 << 20);
        assert_int_equal(json_tree_parse(slice_from(cases[i].expected), 0, 0, &arena, &expected, &fault), STATUS_OK);
        assert_int_equal(like_new(&expected, &arena, &like, &node, &fault), STATUS_BAD_CONFIG);
        assert_int_equal(node, 2);
        if (!strstr(fault.text, cases[i].says))
            fail_msg("%s: %s", cases[i].expected, fault.text);
        arena_done(&arena);
    }
}

static void a_missing_variable_is_told(void **state) {
    (void)state;
    struct arena arena;
    struct json_tree expected;
    struct like *like;
    struct like_difference difference;
    uint32_t node;
    arena_init(&arena, 1 << 20);
    assert_int_equal(json_tree_parse(SLICE_OF("\"${nowhere}\""), 0, 0, &arena, &expected, NULL), STATUS_OK);
    assert_int_equal(like_new(&expected, &arena, &like, &node, NULL), STATUS_OK);
    assert_int_equal(like_compare(like, &expected, JSON_TREE_ROOT, &variables, &difference), STATUS_NOT_FOUND);
    assert_string_equal(difference.found, "no value for `${nowhere}`");
    like_free(like);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_fill_texts),
        cmocka_unit_test(bodies_are_alike_or_say_where_not),
        cmocka_unit_test(broken_markers_are_refused),
        cmocka_unit_test(a_missing_variable_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
