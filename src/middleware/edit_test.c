/* Changes in JSON texts: what is set, what is taken away, and what can't be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "middleware/edit.h"

#define ANY_ROOM 4096

struct edit_case {
    const char *text, *pointer, *value; /* value NULL: it is removed */
    enum edit_result result;
    const char *becomes; /* EDIT_DONE */
};

static const struct edit_case cases[] = {
    {"{\"a\":1}", "/a", "2", EDIT_DONE, "{\"a\":2}"},
    {" { \"a\" : 1 } ", "/a", "\"x\"", EDIT_DONE, " { \"a\" : \"x\" } "},
    {"{}", "/a", "1", EDIT_DONE, "{\"a\":1}"},
    {"{\"a\":1}", "/b", "[2]", EDIT_DONE, "{\"a\":1,\"b\":[2]}"},
    {"{}", "/a/b/c", "true", EDIT_DONE, "{\"a\":{\"b\":{\"c\":true}}}"},
    {"{\"a\":{}}", "/a/b", "1", EDIT_DONE, "{\"a\":{\"b\":1}}"},
    {"[1,2,3]", "/1", "9", EDIT_DONE, "[1,9,3]"},
    {"[1,2]", "/2", "3", EDIT_DONE, "[1,2,3]"},
    {"[1,2]", "/-", "3", EDIT_DONE, "[1,2,3]"},
    {"[]", "/-/x", "3", EDIT_DONE, "[{\"x\":3}]"},
    {"[1]", "/3", "9", EDIT_NO_PLACE, NULL},
    {"[1]", "/01", "9", EDIT_NO_PLACE, NULL},
    {"[1]", "/a", "9", EDIT_NO_PLACE, NULL},
    {"{\"a\":1}", "/a/b", "9", EDIT_NO_PLACE, NULL},
    {"{\"a\":\"{\\\"b\\\":1}\"}", "/a/b", "9", EDIT_NO_PLACE, NULL},
    {"{\"a/b\":1,\"~\":2}", "/a~1b", "3", EDIT_DONE, "{\"a/b\":3,\"~\":2}"},
    {"{}", "/a~1b~0", "3", EDIT_DONE, "{\"a/b~\":3}"},
    {"{}", "/\"\n", "3", EDIT_DONE, "{\"\\\"\\n\":3}"},
    {"{\"\\u0061\":1}", "/a", "2", EDIT_DONE, "{\"\\u0061\":2}"},
    {"{\"\":1}", "/", "2", EDIT_DONE, "{\"\":2}"},
    {"{\"a\":1}", "", "[2]", EDIT_DONE, "[2]"},
    {"{\"a\":1,\"a\":2}", "/a", "3", EDIT_TWICE, NULL},
    {"{\"a\":1,\"\\u0061\":2}", "/a", "3", EDIT_TWICE, NULL},
    {"{\"b\":{\"a\":1,\"a\":2}}", "/c", "3", EDIT_DONE, "{\"b\":{\"a\":1,\"a\":2},\"c\":3}"},
    {"{\"a\":", "/a", "3", EDIT_NO_JSON, NULL},
    {"", "/a", "3", EDIT_NO_JSON, NULL},
    {"{} {}", "/a", "3", EDIT_NO_JSON, NULL},
    {"{\"a\":1}", "/a", NULL, EDIT_DONE, "{}"},
    {"{ \"a\" : 1 , \"b\" : 2 }", "/a", NULL, EDIT_DONE, "{ \"b\" : 2 }"},
    {"{\"a\":1,\"b\":2,\"c\":3}", "/b", NULL, EDIT_DONE, "{\"a\":1,\"c\":3}"},
    {"{\"a\":1 , \"b\":2}", "/b", NULL, EDIT_DONE, "{\"a\":1}"},
    {"[1,2,3]", "/0", NULL, EDIT_DONE, "[2,3]"},
    {"[1,\"2\",3]", "/2", NULL, EDIT_DONE, "[1,\"2\"]"},
    {"[[1]]", "/0/0", NULL, EDIT_DONE, "[[]]"},
    {"{\"a\":\"\"}", "/a", NULL, EDIT_DONE, "{}"},
    {"{\"a\":1}", "/b", NULL, EDIT_ABSENT, NULL},
    {"{\"a\":1}", "/a/b", NULL, EDIT_ABSENT, NULL},
    {"1", "/a", NULL, EDIT_ABSENT, NULL},
    {"{\"a\":1}", "", NULL, EDIT_NO_PLACE, NULL},
    {"{\"a\":1,\"a\":1}", "/a", NULL, EDIT_TWICE, NULL},
    {"[1,]", "/0", NULL, EDIT_NO_JSON, NULL},
};

static enum edit_result apply(const struct edit_case *c, struct buffer *out) {
    return c->value ? edit_set(slice_from(c->text), slice_from(c->pointer), slice_from(c->value), out)
                    : edit_remove(slice_from(c->text), slice_from(c->pointer), out);
}

static void one_change_leaves_the_rest_as_it_stood(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out;
        buffer_init(&out, ANY_ROOM);
        enum edit_result result = apply(&cases[i], &out);
        if (result != cases[i].result ||
            (result == EDIT_DONE && !slice_is(buffer_slice(&out), cases[i].becomes)))
            fail_msg("%s at %s: %d, %.*s", cases[i].text, cases[i].pointer, (int)result,
                     SLICE_ARG(buffer_slice(&out)));
        if (result != EDIT_DONE)
            assert_int_equal(out.size, 0);
        buffer_done(&out);
    }
}

static void no_room_is_told(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t room[ANY_ROOM];
        struct buffer out;
        if (cases[i].result != EDIT_DONE || strlen(cases[i].becomes) == 0)
            continue;
        buffer_init_fixed(&out, room, strlen(cases[i].becomes) - 1);
        assert_int_equal(apply(&cases[i], &out), EDIT_NO_ROOM);
        assert_int_equal(out.status, STATUS_TOO_LARGE);
    }
}

static void pointers_have_a_depth(void **state) {
    (void)state;
    char pointer[2 * (EDIT_DEPTH_MAX + 1) + 1] = "";
    struct buffer out;
    for (unsigned i = 0; i < EDIT_DEPTH_MAX; i++)
        memcpy(pointer + 2 * i, "/a", 3);
    buffer_init(&out, ANY_ROOM);
    assert_int_equal(edit_set(SLICE_OF("{}"), slice_from(pointer), SLICE_OF("1"), &out), EDIT_DONE);
    buffer_clear(&out);
    memcpy(pointer + 2 * EDIT_DEPTH_MAX, "/a", 3);
    assert_int_equal(edit_set(SLICE_OF("{}"), slice_from(pointer), SLICE_OF("1"), &out), EDIT_NO_PLACE);
    buffer_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_change_leaves_the_rest_as_it_stood),
        cmocka_unit_test(no_room_is_told),
        cmocka_unit_test(pointers_have_a_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
