/* Schemas that are refused, the words for data that doesn't fit, and what hostile schemas and data may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "jsonschema/jsonschema.h"

static struct fixture {
    struct arena arena;
    struct jsonschema_room room;
    const struct jsonschema *schema;
    struct jsonschema_fault fault;
    struct jsonschema_failure failure;
} fx;

static int set_up(void **state) {
    (void)state;
    memset(&fx, 0, sizeof fx);
    arena_init(&fx.arena, 64 << 20);
    jsonschema_room_init(&fx.room, 5);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_done(&fx.arena);
    jsonschema_room_done(&fx.room);
    return memory_live() == 0 ? 0 : -1;
}

static enum status compile(struct slice text) {
    return jsonschema_compile(text, &fx.arena, &fx.schema, &fx.fault);
}

static enum status check(struct slice text) {
    return jsonschema_check(fx.schema, text, &fx.room, &fx.failure);
}

static const struct {
    const char *schema;
    size_t at;
    const char *words;
} mistakes[] = {
    {"", 0, ""},
    {"{\"type\":\"object\"", 16, ""},
    {"[]", 0, "a schema is due here"},
    {"{\"typ\":\"object\"}", 1, "unknown keyword `typ`; did you mean `type`?"},
    {"{\"unevaluatedProperties\":false}", 1, "unknown keyword `unevaluatedProperties`"},
    {"{\"$dynamicRef\":\"#a\"}", 1, "unknown keyword `$dynamicRef`"},
    {"{\"properties\":{\"a\":{\"x-mine\":1}}}", 20, "unknown keyword `x-mine`: it would be ignored"},
    {"{\"type\":\"text\"}", 8, "a type is null,"},
    {"{\"type\":[]}", 8, "`type` names none"},
    {"{\"type\":[\"null\",\"null\"]}", 16, "`null` stands here twice"},
    {"{\"minimum\":\"1\"}", 11, "a number is due here"},
    {"{\"minimum\":1e9999999999}", 11, "a number is due here"},
    {"{\"multipleOf\":0}", 14, "a number above 0 is due here"},
    {"{\"minLength\":-1}", 13, "a whole number"},
    {"{\"maxItems\":1.5}", 12, "a whole number"},
    {"{\"maxItems\":1e30}", 12, "too large"},
    {"{\"uniqueItems\":1}", 15, "true or false"},
    {"{\"pattern\":\"(\"}", 11, "the expression is no regular expression"},
    {"{\"pattern\":\"(*LIMIT_MATCH=9)\"}", 11, "the expression may not begin with `(*`"},
    {"{\"patternProperties\":{\"[\":true}}", 22, "the expression is no regular expression"},
    {"{\"required\":\"a\"}", 12, "a list of names"},
    {"{\"required\":[\"a\",\"a\"]}", 17, "stands here twice"},
    {"{\"enum\":1}", 8, "a list of values"},
    {"{\"allOf\":[]}", 9, "a list of schemas"},
    {"{\"items\":[true]}", 9, "a schema is due here"},
    {"{\"properties\":[]}", 14, "an object is due here"},
    {"{\"$ref\":\"other.json\"}", 8, "a reference stays within its file"},
    {"{\"$ref\":\"#/$defs/a\"}", 8, "nothing stands where the reference leads"},
    {"{\"$ref\":\"#a\"}", 8, "nothing stands where the reference leads"},
    {"{\"$ref\":\"#/default\",\"default\":{}}", 8, "no schema stands where the reference leads"},
    {"{\"$ref\":\"#/a~2\"}", 8, "the reference holds no JSON pointer"},
    {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}", 11,
     "only https://json-schema.org/draft/2020-12/schema"},
    {"{\"properties\":{\"a\":{\"$id\":\"x\"}}}", 20, "stands at the root"},
    {"{\"type\":\"object\",\"type\":\"null\"}", 17, "the member `type` stands twice"},
};

static void mistakes_in_schemas_have_a_place(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        assert_int_equal(compile(slice_from(mistakes[i].schema)), STATUS_BAD_CONFIG);
        if (fx.fault.at != mistakes[i].at || !strstr(fx.fault.text, mistakes[i].words))
            fail_msg("%s: %zu %s", mistakes[i].schema, fx.fault.at, fx.fault.text);
    }
}

static const struct {
    const char *schema, *data, *pointer, *keyword, *text;
} failures[] = {
    {"{\"type\":\"object\"}", "[]", "", "type", "the data is of another `type`"},
    {"{\"required\":[\"a\"]}", "{}", "", "required", "the data lacks the member `a` (`required`)"},
    {"{\"properties\":{\"a\":{\"items\":{\"minimum\":3}}}}", "{\"a\":[3,2.5]}", "/a/1", "minimum",
     "`/a/1` is below `minimum`"},
    {"{\"properties\":{\"a/~\":false}}", "{\"a/~\":1}", "/a~1~0", "false",
     "`/a~1~0` fits nothing: its schema is `false`"},
    {"{\"additionalProperties\":false}", "{\"x\\u0007\":1}", "/x?", "additionalProperties",
     "`/x?` is a member that the schema does not know (`additionalProperties`)"},
    {"{\"items\":{\"anyOf\":[{\"type\":\"null\"},{\"minLength\":2}]}}", "[null,\"ab\",\"a\"]", "/2", "anyOf",
     "`/2` fits none of `anyOf`"},
    {"{\"oneOf\":[{},{}]}", "1", "", "oneOf", "the data fits more than one of `oneOf`"},
    {"{\"not\":{\"required\":[\"a\"]}}", "{\"a\":1}", "", "not", "the data fits what `not` forbids"},
    {"{\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"enum\":[1]}}}", "2", "", "enum",
     "the data is none of `enum`"},
    {"{\"maxLength\":1}", "\"\xc3\xa9\xc3\xa9\"", "", "maxLength",
     "the data has more than 1 characters (`maxLength`)"},
    {"{}", "{\"a\":1,\"\\u0061\":2}", "", "",
     "the data can't be checked: the member `a` stands twice in one object (at byte 7)"},
    {"{}", "{\"a\":", "", "", "the data can't be checked: "},
    {"{}", "\"\\ud800\"", "", "", "the data can't be checked: a lone surrogate is no text (at byte 0)"},
    {"{\"minimum\":1}", "1e9999999999", "", "", "the data is a number beyond 10"},
};

static void failures_name_place_and_rule(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        assert_int_equal(compile(slice_from(failures[i].schema)), STATUS_OK);
        assert_int_equal(check(slice_from(failures[i].data)), STATUS_SCHEMA_INVALID);
        assert_string_equal(fx.failure.pointer, failures[i].pointer);
        assert_string_equal(fx.failure.keyword, failures[i].keyword);
        if (!slice_starts(slice_from(fx.failure.text), slice_from(failures[i].text)))
            fail_msg("%s", fx.failure.text);
    }
}

static void repeat(struct buffer *out, const char *text, unsigned times) {
    while (times--)
        buffer_add_text(out, text);
}

static void expect_too_much(struct buffer *data, const char *words) {
    assert_int_equal(check(buffer_slice(data)), STATUS_SCHEMA_INVALID);
    if (!strstr(fx.failure.text, words))
        fail_msg("%s", fx.failure.text);
    assert_string_equal(fx.failure.keyword, "");
    buffer_done(data);
}

static void hostile_data_has_an_end(void **state) {
    (void)state;
    struct buffer data;
    assert_int_equal(compile(SLICE_OF("{\"uniqueItems\":true}")), STATUS_OK);
    buffer_init(&data, 4 << 20);
    buffer_add_text(&data, "[0");
    for (unsigned i = 1; i < 5000; i++)
        buffer_add_format(&data, ",%u", i);
    buffer_add_text(&data, "]");
    expect_too_much(&data, "takes too long to check");
    assert_int_equal(compile(SLICE_OF("{\"pattern\":\"^(a+)+$\"}")), STATUS_OK);
    buffer_add_text(&data, "\"");
    repeat(&data, "a", 60);
    buffer_add_text(&data, "b\"");
    expect_too_much(&data, "takes too long to be matched");
    repeat(&data, "[", DOCUMENT_DEPTH_MAX + 1);
    repeat(&data, "]", DOCUMENT_DEPTH_MAX + 1);
    expect_too_much(&data, "can't be checked");
    buffer_add_text(&data, "[0");
    repeat(&data, ",0", DOCUMENT_NODES_MAX - 2);
    buffer_add_text(&data, "]");
    assert_int_equal(check(buffer_slice(&data)), STATUS_OK);
    data.size--;
    buffer_add_text(&data, ",0]");
    expect_too_much(&data, "more than 100000 values");
    assert_true(jsonschema_room_size(&fx.room) < 1 << 20); /* a large one leaves nothing behind */
}

static void failing_by_a_maximum_is_no_success_of_not(void **state) {
    (void)state;
    struct buffer data;
    static const char *const schemas[] = {
        "{\"not\":{\"pattern\":\"^(a+)+$\"}}", "{\"if\":{\"pattern\":\"^(a+)+$\"},\"then\":false}",
        "{\"anyOf\":[{\"pattern\":\"^(a+)+$\"},true]}", "{\"oneOf\":[{\"pattern\":\"^(a+)+$\"},true]}"};
    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        assert_int_equal(compile(slice_from(schemas[i])), STATUS_OK);
        buffer_init(&data, 1 << 20);
        buffer_add_text(&data, "\"");
        repeat(&data, "a", 60);
        buffer_add_text(&data, "b\"");
        expect_too_much(&data, "takes too long to be matched");
    }
}

static void schemas_that_lead_in_circles_have_an_end(void **state) {
    (void)state;
    assert_int_equal(compile(SLICE_OF("{\"$ref\":\"#\"}")), STATUS_OK);
    assert_int_equal(check(SLICE_OF("1")), STATUS_SCHEMA_INVALID);
    assert_non_null(strstr(fx.failure.text, "leads too deep"));
    assert_int_equal(compile(SLICE_OF("{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}")), STATUS_OK);
    assert_int_equal(check(SLICE_OF("1")), STATUS_SCHEMA_INVALID);
    assert_int_equal(compile(SLICE_OF("{\"items\":{\"$ref\":\"#\"}}")),
                     STATUS_OK); /* this one goes into the data */
    assert_int_equal(check(SLICE_OF("[[],[[[]]]]")), STATUS_OK);
}

/* `$ref`s one after the other, one past the depth. */
static void references_have_a_depth(void **state) {
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        struct buffer text;
        buffer_init(&text, 1 << 20);
        buffer_add_text(&text, "{\"$ref\":\"#/$defs/d1\",\"$defs\":{");
        unsigned last = JSONSCHEMA_DEPTH_MAX - 1 + more;
        for (unsigned i = 1; i < last; i++)
            buffer_add_format(&text, "\"d%u\":{\"$ref\":\"#/$defs/d%u\"},", i, i + 1);
        buffer_add_format(&text, "\"d%u\":{\"type\":\"null\"}}}", last);
        assert_int_equal(compile(buffer_slice(&text)), STATUS_OK);
        assert_int_equal(check(SLICE_OF("null")), more ? STATUS_SCHEMA_INVALID : STATUS_OK);
        buffer_done(&text);
    }
}

static void references_have_a_number(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, 1 << 20);
    buffer_add_text(&text, "{\"allOf\":[true");
    repeat(&text, ",{\"$ref\":\"#\"}", JSONSCHEMA_REFERENCES_MAX);
    buffer_add_text(&text, "]}");
    assert_int_equal(compile(buffer_slice(&text)), STATUS_OK);
    text.size -= 2;
    buffer_add_text(&text, ",{\"$ref\":\"#\"}]}");
    assert_int_equal(compile(buffer_slice(&text)), STATUS_BAD_CONFIG);
    assert_non_null(strstr(fx.fault.text, "more than 10000 references"));
    buffer_clear(&text);
    repeat(&text, " ", JSONSCHEMA_TEXT_MAX - 4);
    buffer_add_text(&text, "true");
    assert_int_equal(compile(buffer_slice(&text)), STATUS_OK);
    text.max += 16;
    buffer_add_text(&text, " ");
    assert_int_equal(compile(buffer_slice(&text)), STATUS_BAD_CONFIG);
    buffer_done(&text);
}

static void long_expressions_are_refused(void **state) {
    (void)state;
    struct buffer text;
    buffer_init(&text, 1 << 20);
    buffer_add_text(&text, "{\"pattern\":\"");
    repeat(&text, "a", ECMA_TEXT_MAX);
    buffer_add_text(&text, "\"}");
    assert_int_equal(compile(buffer_slice(&text)), STATUS_OK);
    text.size -= 2;
    buffer_add_text(&text, "a\"}");
    assert_int_equal(compile(buffer_slice(&text)), STATUS_BAD_CONFIG);
    assert_non_null(strstr(fx.fault.text, "longer than 4096"));
    buffer_clear(&text);
    buffer_add_text(&text, "{\"pattern\":\"");
    repeat(&text, "(", ECMA_NEST_MAX + 1);
    repeat(&text, ")", ECMA_NEST_MAX + 1);
    buffer_add_text(&text, "\"}");
    assert_int_equal(compile(buffer_slice(&text)), STATUS_BAD_CONFIG);
    buffer_done(&text);
}

static void long_pointers_are_cut(void **state) {
    (void)state;
    struct buffer data;
    buffer_init(&data, 1 << 20);
    assert_int_equal(compile(SLICE_OF("{\"additionalProperties\":false}")), STATUS_OK);
    buffer_add_text(&data, "{\"x");
    repeat(&data, "\xc3\xa9", 200);
    buffer_add_text(&data, "\":1}");
    assert_int_equal(check(buffer_slice(&data)), STATUS_SCHEMA_INVALID);
    assert_int_equal(strlen(fx.failure.pointer), JSONSCHEMA_POINTER_MAX + 3);
    assert_non_null(strstr(fx.failure.pointer, "\xc3\xa9..."));
    buffer_done(&data);
}

static void formats_are_notes(void **state) {
    size_t at;
    (void)state;
    assert_int_equal(compile(SLICE_OF("{\"type\":\"string\",\"format\":\"date\"}")), STATUS_OK);
    assert_true(jsonschema_only_notes(fx.schema, &at));
    assert_int_equal(at, 17);
    assert_int_equal(check(SLICE_OF("\"no date\"")), STATUS_OK);
    assert_int_equal(compile(SLICE_OF("{\"title\":\"format\"}")), STATUS_OK);
    assert_false(jsonschema_only_notes(fx.schema, &at));
}

static void want_of_memory_is_survived(void **state) {
    static const char schema[] =
        "{\"properties\":{\"a\\u0062\":{\"pattern\":\"^x\",\"$ref\":\"#/$defs/d\"}},\"required\":[\"ab\"],\"$defs\":{\"d\":{\"enum\":[\"x\",2]}},\"propertyNames\":{\"maxLength\":4}}";
    for (int64_t n = 0;; n++) {
        tear_down(state);
        set_up(state);
        memory_fail_after(n);
        enum status status = compile(SLICE_OF("{}"));
        status = status == STATUS_OK ? compile(slice_from(schema)) : status;
        if (status == STATUS_OK)
            status = check(SLICE_OF("{\"ab\":\"\\u0078\"}"));
        bool failed = memory_has_failed();
        memory_fail_after(-1);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            assert_true(n > 4);
            return;
        }
        assert_int_equal(status, STATUS_NO_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mistakes_in_schemas_have_a_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_name_place_and_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_data_has_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failing_by_a_maximum_is_no_success_of_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(schemas_that_lead_in_circles_have_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(references_have_a_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(references_have_a_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_expressions_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_pointers_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(formats_are_notes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(want_of_memory_is_survived, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
