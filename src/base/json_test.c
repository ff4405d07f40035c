/* The JSON reader and writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/json_write.h"

struct verdict {
    char expected; /* y, n */
    struct slice text;
};
#define Y(literal) {'y', SLICE(literal)}
#define N(literal) {'n', SLICE(literal)}

static const struct verdict verdicts[] = {
    /* arrays */
    Y("[]"), Y("[ ]"), Y("[\"\"]"), Y("[[]   ]"), Y("[1\n]"), Y(" [1]"), Y("[2] "), Y("[null, 1, \"1\", {}]"),
    Y("[1,null,null,null,2]"), Y("[false]"), Y("\t[\r\n1 ,\t2 ]\r\n"),
    N("["), N("]"), N("[1"), N("[1,"), N("[1,]"), N("[,]"), N("[,1]"), N("[1,,2]"), N("[1,,]"), N("[\"x\",,]"), N("[1}"),
    N("[1 2]"), N("[3[4]]"), N("[\"\": 1]"), N("[x"), N("[*]"), N("[1]]"), N("[1]x"), N("[\"x\"]]"), N("[][]"), N("[\"a\","),
    N("[\"a\"\n1]"), N("[1:2]"), N("[:]"), N("[inner]"), N("[1,\n1\n,1"), N("[\x0c]"), N("[\"a\x00\"]"), N("[\xe2\x81\xa0]"),
    N("[\xa0]"), N("[\x0b\x0c]"),
    /* objects */
    Y("{}"), Y("{ }"), Y("{\"\":0}"), Y("{\"a\":[]}"), Y("{\"a\":\"b\",\"a\":\"b\"}"), Y("{\"a\":1,\"b\":{\"c\":null}}"),
    Y("{\n\"a\": \"b\"\n}"), Y("{\"foo\\u0000bar\": 42}"), Y("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"),
    Y("{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}"),
    N("{"), N("}"), N("{\"a\""), N("{\"a\":"), N("{\"a\":1"), N("{\"a\":1,"), N("{\"a\":1,}"), N("{,\"a\":1}"), N("{\"a\" b}"),
    N("{:\"b\"}"), N("{\"a\" \"b\"}"), N("{\"a\"::\"b\"}"), N("{\"a\":\"a\" 123}"), N("{key: 'value'}"), N("{'a':0}"),
    N("{1:1}"), N("{9999E9999:1}"), N("{null:null}"), N("{\"a\":\"b\"}#"), N("{\"a\":\"b\"}/**/"), N("{\"a\":\"b\"}//"),
    N("{\"a\":\"b\",,\"c\":\"d\"}"), N("{a: \"b\"}"), N("{\"a\":\"b\"]"), N("{\"a\":\"b\"}}"), N("{[: \"x\"}"), N("{\"a\"=1}"),
    N("{\"a\":1 \"b\":2}"), N("{\"\xb9\":\"0\",}"), N("{\"a\":/*comment*/1}"), N("{\"a\"}"), N("{\"a\",\"b\":1}"), N("{}{}"),
    /* numbers */
    Y("0"), Y("-0"), Y("[-0]"), Y("[-1]"), Y("[123]"), Y("[0.5]"), Y("[1e1]"), Y("[1E22]"), Y("[1E-2]"), Y("[1E+2]"),
    Y("[123e65]"), Y("[0e+1]"), Y("[0e1]"), Y("[ 4]"), Y("[-123]"), Y("[-0.000000000000000000000000000000000000000001]"),
    Y("[20e1]"), Y("[123.456e78]"), Y("[123.456789]"), Y("[1.5E+9999]"), Y("[100000000000000000000]"), Y("42"), Y("-0.1"),
    N("[01]"), N("[-01]"), N("[00]"), N("[-]"), N("[+1]"), N("[++1]"), N("[--1]"), N("[1.]"), N("[.5]"), N("[-.5]"),
    N("[1.e3]"), N("[1e]"), N("[1e+]"), N("[1e-]"), N("[1eE2]"), N("[1E+]"), N("[1.2.3]"), N("[0x1]"), N("[0x]"), N("[NaN]"),
    N("[-NaN]"), N("[Infinity]"), N("[-Infinity]"), N("[Inf]"), N("[1 000.0]"), N("[1_000]"), N("[1+2]"), N("[0.1.2]"),
    N("[0.3e]"), N("[0.3e+]"), N("[0e]"), N("[0E+]"), N("[9.e+]"), N("[2.e-3]"), N("[2.e3]"), N("[- 1]"), N("[-foo]"),
    N("[-2.]"), N("[1a]"), N("[\xef\xbc\x91]"), N("[1e1.5]"), N("-"), N("012"), N("1."), N("[1ea]"), N("[.-1]"),
    N("[.2e-3]"), N("[0.e1]"), N("[-1x]"), N("[123\xe5]"), N("[1e1\xe5]"),
    /* strings */
    Y("\"\""), Y("\" \""), Y("[\"\\u0060\\u012a\\u12AB\"]"), Y("[\"\\uD801\\udc37\"]"), Y("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
    Y("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), Y("[\"\\\\u0000\"]"), Y("[\"\\\\a\"]"), Y("[\"\\\"\"]"), Y("[\"a/*b*/c/*d//e\"]"),
    Y("[\"\\u0012\"]"), Y("[\"\\uFFFF\"]"), Y("[\"asd \"]"), Y("[\"\xf4\x8f\xbf\xbf\"]"), Y("[\"\xef\xbf\xbf\"]"),
    Y("[\"\\u0000\"]"), Y("[\"\xcf\x80\"]"), Y("[\"\xf0\x9b\xbf\xbf\"]"), Y("[\"\x7f\"]"), Y("[\"\xe2\x80\xa8\"]"),
    Y("[\"\\uDFAA\"]"), Y("[\"\\uD800\"]"), Y("[\"0123456789abcde\xe2\x82\xac" "0123456789abcdef0123456789\\n\"]"),
    Y("[\"\\u00e9 \xc3\xa9 \\uD834\\uDd1e\"]"), Y("\"\xe3\x81\x82 \xed\x9f\xbf \xee\x80\x80\""),
    N("\""), N("\"abc"), N("\"\\"), N("[\"\\\"]"), N("[\"\\x00\"]"), N("[\"\\a\"]"), N("[\"\\u\"]"), N("[\"\\u1\"]"),
    N("[\"\\u12\"]"), N("[\"\\u123\"]"), N("[\"\\u00A\"]"), N("[\"\\u123g\"]"), N("[\"\\uD834\\u\"]"), N("[\"\\U0041\"]"),
    N("[\"\\'\"]"), N("[\"\\0\"]"), N("[\"a\nb\"]"), N("[\"\t\"]"), N("[\"\x1f\"]"), N("[\"\x00\"]"), N("[\"\\ \"]"),
    N("['single']"), N("[abc]"), N("[\"\\{[\"\\{"), N("[\"x\"\"]"), N("[\"0123456789abcdef\x01\"]"), N("[\\n]"),
    N("[\"\x80\"]"), N("[\"\xff\"]"), N("[\"\xc0\xaf\"]"), N("[\"\xe0\x80\xaf\"]"), N("[\"\xed\xa0\x80\"]"),
    N("[\"\xed\xbf\xbf\"]"), N("[\"\xf4\x90\x80\x80\"]"), N("[\"\xf8\x88\x80\x80\x80\"]"), N("[\"\xe2\x82\"]"),
    N("[\"\xf0\x80\x80\x80\"]"), N("[\"0123456789abcdef\xe2(\xa1\"]"), N("[\"\xc3"), N("[\"\\\xf0\x9f\x8c\x80\"]"), N("[\"\\u\xc3\xa9""00\"]"),
    /* words and structure */
    Y("true"), Y("false"), Y("null"), Y("[true,false,null]"), Y(" null "),
    N(""), N(" "), N("\n"), N("tru"), N("nul"), N("fals"), N("True"), N("NULL"), N("truex"), N("nulll"), N("\xef\xbb\xbf{}"),
    N("\xef\xbb\xbf"), N("<null>"), N("1 2"), N("\"a\" \"b\""), N(","), N(":"), N("{\"a\":true} x"), N("[1]\x00"), N("\x00"), N("*"),
    N("//\n1"), N("1;"), N("@"), N("\xe5"), N("[\"a\",\n4\n,1,"), N("undefined"), N("\xff\xfe[\x00]\x00"),
};

static void grammar_is_rfc_8259_and_nothing_else(void **state) {
    (void)state;
    size_t counts[2] = {0, 0};
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        const struct verdict *row = &verdicts[i];
        /* An exact-size copy, so that a read past the end is seen. */
        uint8_t *copy = test_malloc(row->text.size + 1);
        memcpy(copy + 1, row->text.data, row->text.size);
        bool valid = json_is_valid(slice_make(copy + 1, row->text.size), 0);
        test_free(copy);
        if (valid != (row->expected == 'y'))
            fail_msg("row %zu: %.*s", i, SLICE_ARG(row->text));
        counts[valid]++;
    }
    assert_true(counts[0] >= 60 && counts[1] >= 60);
}

static void each_prefix_of_a_document_is_refused(void **state) {
    (void)state;
    struct slice text = SLICE_OF("{\"a\":[1.5e3,true,null,{\"b\\n\":\"\xe2\x82\xac\\u20ac\"}],\"c\":-0}");
    assert_true(json_is_valid(text, 0));
    for (size_t size = 0; size < text.size; size++)
        assert_false(json_is_valid(slice_head(text, size), 0));
}

static void depth_is_capped(void **state) {
    (void)state;
    char text[2 * 300];
    for (unsigned depth = 1; depth <= 256; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(json_is_valid(slice_make(text, 2 * depth), 0), depth <= JSON_DEPTH_DEFAULT);
        assert_true(json_is_valid(slice_make(text, 2 * depth), depth));
        if (depth > 1)
            assert_false(json_is_valid(slice_make(text, 2 * depth), depth - 1));
    }
}

static void tokens_come_in_order_with_offsets(void **state) {
    (void)state;
    struct slice text = SLICE_OF(" {\"a\" : [1, \"x\\ty\"], \"b\": true}");
    static const struct {
        enum json_type type;
        size_t at;
        const char *raw;
    } expected[] = {
        {JSON_OBJECT, 1, "{"},     {JSON_NAME, 2, "a"},       {JSON_ARRAY, 8, "["},  {JSON_NUMBER, 9, "1"},
        {JSON_STRING, 12, "x\\ty"}, {JSON_ARRAY_END, 18, "]"}, {JSON_NAME, 21, "b"},  {JSON_TRUE, 26, "true"},
        {JSON_OBJECT_END, 30, "}"}, {JSON_END, 31, ""},        {JSON_END, 31, ""},
    };
    struct json json;
    json_init(&json, text, 0);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct json_item item;
        assert_int_equal(json_next(&json, &item), expected[i].type);
        assert_int_equal(item.at, expected[i].at);
        assert_true(slice_is(item.raw, expected[i].raw));
        assert_int_equal(item.has_escapes, i == 4);
    }
}

static void skip_gives_the_raw_value(void **state) {
    (void)state;
    struct json json;
    struct json_item item;
    json_init(&json, SLICE_OF("{\"a\": {\"b\":[1,2]} , \"c\":\"d\",\"e\":[ ]}"), 0);
    assert_int_equal(json_next(&json, &item), JSON_OBJECT);
    assert_int_equal(json_next(&json, &item), JSON_NAME);
    assert_int_equal(json_skip(&json, &item), JSON_OBJECT);
    assert_true(slice_is(item.raw, "{\"b\":[1,2]}"));
    assert_int_equal(json_next(&json, &item), JSON_NAME);
    assert_int_equal(json_skip(&json, &item), JSON_STRING);
    assert_true(slice_is(item.raw, "d"));
    assert_int_equal(json_next(&json, &item), JSON_NAME);
    assert_int_equal(json_skip(&json, &item), JSON_ARRAY);
    assert_true(slice_is(item.raw, "[ ]"));
    assert_int_equal(json_skip(&json, &item), JSON_OBJECT_END);
    assert_int_equal(json_next(&json, &item), JSON_END);
}

static void errors_stick_and_say_where(void **state) {
    (void)state;
    struct json json;
    struct json_item item;
    json_init(&json, SLICE_OF("[1,\n x]"), 0);
    assert_int_equal(json_skip(&json, &item), JSON_ERROR);
    assert_int_equal(json_offset(&json), 5);
    assert_int_equal(item.at, 5);
    assert_string_equal(json.error, "value expected");
    assert_int_equal(json_next(&json, &item), JSON_ERROR);
    assert_int_equal(json_offset(&json), 5);
}

static void positions_count_code_points(void **state) {
    (void)state;
    struct slice text = SLICE_OF("{\n  \"\xc3\xa9\xe2\x82\xac\": x\r\n}");
    struct json_position position = json_position(text, slice_find(text, 'x'));
    assert_int_equal(position.line, 2);
    assert_int_equal(position.column, 9);
    assert_int_equal(position.column_byte, 12);
    assert_true(slice_is(position.text, "  \"\xc3\xa9\xe2\x82\xac\": x"));
    position = json_position(text, 10000);
    assert_int_equal(position.line, 3);
    position = json_position(slice_make("", 0), 0);
    assert_int_equal(position.line, 1);
    assert_int_equal(position.column, 1);
}

static void escapes_are_resolved(void **state) {
    (void)state;
    static const struct {
        struct slice raw;
        struct slice meant; /* data NULL: refused */
    } rows[] = {
        {SLICE(""), SLICE("")},
        {SLICE("plain"), SLICE("plain")},
        {SLICE("\\\"\\\\\\/\\b\\f\\n\\r\\t"), SLICE("\"\\/\b\f\n\r\t")},
        {SLICE("a\\u0000b"), SLICE("a\0b")},
        {SLICE("\\u00e9\\u20AC\\ud83D\\uDe39!"), SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\xb9!")},
        {SLICE("\\ud800"), {NULL, 0}},
        {SLICE("\\udc00\\ud800"), {NULL, 0}},
        {SLICE("\\ud800x\\udc00"), {NULL, 0}},
        {SLICE("\\ud800\\ud800"), {NULL, 0}},
        {SLICE("\\ud800\\n0000"), {NULL, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t out[64];
        size_t size = json_unescape(out, rows[i].raw);
        assert_int_equal(size, json_unescape(NULL, rows[i].raw));
        if (!rows[i].meant.data) {
            assert_true(size == SIZE_MAX);
            continue;
        }
        assert_true(slice_equal(slice_make(out, size), rows[i].meant));
        struct json_item item = {.type = JSON_STRING, .has_escapes = true, .raw = rows[i].raw};
        assert_true(json_item_is(&item, rows[i].meant));
        assert_false(json_item_is(&item, SLICE_OF("something else")));
    }
}

static void numbers_are_exact_or_refused(void **state) {
    (void)state;
    int64_t value = 7;
    assert_true(json_number_to_i64(SLICE_OF("-9223372036854775808"), &value) && value == INT64_MIN);
    assert_true(json_number_to_i64(SLICE_OF("9223372036854775807"), &value) && value == INT64_MAX);
    assert_true(json_number_to_i64(SLICE_OF("-0"), &value) && value == 0);
    assert_false(json_number_to_i64(SLICE_OF("9223372036854775808"), &value));
    assert_false(json_number_to_i64(SLICE_OF("1.0"), &value));
    assert_false(json_number_to_i64(SLICE_OF("1e2"), &value));
    assert_true(json_number_is_integer(SLICE_OF("-12")));
    assert_false(json_number_is_integer(SLICE_OF("12.0")));
    assert_false(json_number_is_integer(SLICE_OF("12E1")));
    double number;
    assert_true(json_number_to_double(SLICE_OF("-12.5e-1"), &number) && number == -1.25);
    assert_true(json_number_to_double(SLICE_OF("1e-400"), &number) && number == 0);
    assert_false(json_number_to_double(SLICE_OF("1e400"), &number));
}

static void duplicate_names_are_found(void **state) {
    (void)state;
    struct json_names names;
    json_names_init(&names);
    struct json_item a = {.raw = SLICE("data")};
    struct json_item b = {.raw = SLICE("\\u0064ata"), .has_escapes = true};
    struct json_item c = {.raw = SLICE("\\u0064\\u0061ta"), .has_escapes = true};
    struct json_item other = {.raw = SLICE("dat")};
    assert_int_equal(json_names_add(&names, &b), JSON_NAMES_NEW);
    assert_int_equal(json_names_add(&names, &other), JSON_NAMES_NEW);
    assert_int_equal(json_names_add(&names, &a), JSON_NAMES_DUPLICATE);
    assert_int_equal(json_names_add(&names, &c), JSON_NAMES_DUPLICATE);
    char room[JSON_NAMES_MAX];
    for (size_t i = 2; i < JSON_NAMES_MAX; i++) {
        room[i] = (char)('0' + i);
        struct json_item one = {.raw = slice_make(&room[i], 1)};
        assert_int_equal(json_names_add(&names, &one), JSON_NAMES_NEW);
    }
    struct json_item last = {.raw = SLICE("last")};
    assert_int_equal(json_names_add(&names, &last), JSON_NAMES_FULL);
}

static void writer_places_commas_and_escapes(void **state) {
    (void)state;
    char room[512];
    struct buffer out;
    buffer_init_fixed(&out, room, sizeof room);
    struct json_write write;
    json_write_init(&write, &out);
    json_write_object(&write);
    json_write_member(&write, "a\"b", SLICE_OF("x\\\n\x01\x7f\xc3\xa9\xff"));
    json_write_name(&write, SLICE_OF("list"));
    json_write_array(&write);
    json_write_i64(&write, INT64_MIN);
    json_write_u64(&write, UINT64_MAX);
    json_write_array(&write);
    json_write_array_end(&write);
    json_write_null(&write);
    json_write_double(&write, 0.1);
    json_write_double(&write, 1.0 / 3.0);
    json_write_double(&write, 1e308 * 10);
    json_write_array_end(&write);
    json_write_member_bool(&write, "yes", true);
    json_write_member_text(&write, "none", NULL);
    json_write_member_raw(&write, "raw", SLICE_OF("{}"));
    json_write_name(&write, SLICE_OF("bytes"));
    json_write_base64(&write, SLICE_OF("\x00\xff"));
    json_write_object_end(&write);
    assert_int_equal(out.status, STATUS_OK);
    assert_true(json_is_valid(buffer_slice(&out), 0));
    assert_true(slice_is(buffer_slice(&out),
                         "{\"a\\\"b\":\"x\\\\\\n\\u0001\\u007f\xc3\xa9\xef\xbf\xbd\",\"list\":[-9223372036854775808,"
                         "18446744073709551615,[],null,0.1,0.3333333333333333,null],\"yes\":true,\"none\":null,"
                         "\"raw\":{},\"bytes\":\"AP8=\"}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar_is_rfc_8259_and_nothing_else),
        cmocka_unit_test(each_prefix_of_a_document_is_refused),
        cmocka_unit_test(depth_is_capped),
        cmocka_unit_test(tokens_come_in_order_with_offsets),
        cmocka_unit_test(skip_gives_the_raw_value),
        cmocka_unit_test(errors_stick_and_say_where),
        cmocka_unit_test(positions_count_code_points),
        cmocka_unit_test(escapes_are_resolved),
        cmocka_unit_test(numbers_are_exact_or_refused),
        cmocka_unit_test(duplicate_names_are_found),
        cmocka_unit_test(writer_places_commas_and_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
