/* Check lines: what they mean, how they fail in words, which mistakes are refused and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "testing/check.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const struct check_field fields[] = {
    {"status", CHECK_NUMBER, CHECK_PLAIN, false},  {"duration", CHECK_NUMBER, CHECK_NS, false},
    {"errors", CHECK_NUMBER, CHECK_PERCENT, false}, {"peer", CHECK_TEXT, CHECK_PLAIN, false},
    {"tls.min", CHECK_NUMBER, CHECK_PLAIN, false}, {"alive", CHECK_BOOLEAN, CHECK_PLAIN, true},
};

static void field(void *context, size_t row, struct slice argument, struct check_value *ret) {
    (void)context;
    static const double numbers[] = {200, 150e6, 0.05, 0, 1.2};
    ret->type = fields[row].type;
    ret->unit = fields[row].unit;
    if (row == 3)
        ret->text = SLICE_OF("sensor");
    else if (row == 5)
        ret->boolean = slice_is(argument, "gw");
    else
        ret->number = numbers[row];
}

static bool header(void *context, struct slice name, unsigned n, struct slice *ret) {
    (void)context;
    static const char *const all[][2] = {{"content-type", "application/json"}, {"content-length", "42"}, {"set-cookie", "a=1"}, {"set-cookie", "b=2"}};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (slice_equal_nocase(name, slice_from(all[i][0])) && n-- == 0) {
            *ret = slice_from(all[i][1]);
            return true;
        }
    return false;
}

static bool attribute(void *context, struct slice name, struct check_value *ret) {
    (void)context;
    *ret = (struct check_value){.type = CHECK_TEXT, .text = SLICE_OF("com.example.tick")};
    return slice_is(name, "type");
}

static bool get(void *context, struct slice name, struct json_node *ret) {
    (void)context;
    *ret = (struct json_node){.type = JSON_STRING, .text = SLICE_OF("A-1\" or")};
    if (slice_is(name, "row.code"))
        *ret = (struct json_node){.type = JSON_NUMBER, .number = 200, .text = SLICE_OF("200")};
    return slice_is(name, "row.code") || slice_is(name, "sku");
}

static const struct variables variables = {get, NULL};
static const char body[] = "{\"sku\":\"A-1\\\" or\",\"qty\":2,\"tags\":[\"x\",\"y\"],\"deep\":[{\"id\":1},{\"id\":2}],\"none\":null,"
                           "\"ok\":true,\"empty\":[],\"uuid\":\"019ab3d0-6c1e-7a44-9d0b-3f5be1a2c701\",\"at\":\"2026-11-22T22:09:53Z\"}";

struct world {
    struct arena arena;
    struct json_tree tree;
    struct check_subject subject;
};

static void begin(struct world *w) {
    arena_init(&w->arena, 8 << 20);
    assert_int_equal(json_tree_parse(slice_from(body), 0, 0, &w->arena, &w->tree, NULL), STATUS_OK);
    w->subject = (struct check_subject){NULL, field, header, attribute, slice_from(body), &w->tree, NULL};
}

static enum status run(struct world *w, const char *line, struct check_difference *difference) {
    struct check *check;
    struct check_fault fault = {0};
    if (check_new(slice_from(line), fields, COUNT_OF(fields), &w->arena, &check, &fault) != STATUS_OK)
        fail_msg("%s: %zu: %s", line, fault.offset, fault.text);
    assert_true(slice_is(check_line(check), line));
    enum status status = check_run(check, &w->subject, &variables, difference);
    check_free(check);
    return status;
}

static void checks_hold(void **state) {
    (void)state;
    static const char *const lines[] = {
        "status == 200", "status != 404", "status in [200, 202]", "status not in [401, 403]", "status == ${row.code}",
        "status < 300", "status >= 200", "duration < 200ms", "duration <= 0.15s", "errors < 0.1%", "tls.min >= 1.2", "peer == sensor",
        "peer == \"sensor\"", "alive(gw)", "header content-type contains \"json\"", "header Content-Type startsWith application/",
        "header content-length == 42", "header content-length < 100", "header set-cookie == \"b=2\"", "header x-none not exists",
        "header set-cookie not contains \"c=\"", "attribute type endsWith .tick", "attribute subject not exists",
        "json $.sku == \"${sku}\"", "json $.sku == \"A-1\\\" or\"", "json $.qty == 2", "json $.qty isInteger", "json $.none == null",
        "json $.none isNull", "json $.ok", "json $.ok == true", "json $.ok isBoolean", "json $.tags contains \"x\"",
        "json $.tags not contains \"z\"", "json $.empty isEmpty", "json $.tags isList", "json $ isObject", "json $..id contains 2",
        "json $.deep[?@.id == 2].id contains 2", "json $.uuid isUuid", "json $.at isTime", "json $.missing not exists",
        "json $.sku matches /^A-[0-9]/", "json $.sku matches \"^A\"", "json $.sku isString", "json $.qty isNumber",
        "body contains \"tags\"", "bytes startsWith hex 7b 22", "bytes@1..2 == hex 22", "bytes@0 startsWith {", "u8@0 == 123", "u16be@0 == 31522",
        "u16le@0 == 8827", "i8@0 > 0", "u64be@9999 not exists", "  status   ==  200  ",
    };
    struct world w;
    struct check_difference difference;
    begin(&w);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (run(&w, lines[i], &difference) != STATUS_OK)
            fail_msg("%s: wanted %s, found %s", lines[i], difference.wanted, difference.found);
    arena_done(&w.arena);
}

static void failures_say_what_was_wanted_and_found(void **state) {
    (void)state;
    static const struct {
        const char *line, *wanted, *found;
    } cases[] = {
        {"status == 404", "404", "200"},
        {"status in [401, 403]", "in 401, 403", "200"},
        {"duration < 100ms", "< 100ms", "150ms"},
        {"errors == 0%", "0%", "0.05%"},
        {"peer == \"other\"", "\"other\"", "\"sensor\""},
        {"alive(b)", "is true", "false"},
        {"header content-type == text/plain", "\"text/plain\"", "\"application/json\""},
        {"header x-none exists", "exists", "nothing"},
        {"header x-none != 1", "!= 1", "nothing"},
        {"header set-cookie not contains \"b=\"", "not contains \"b=\"", "\"b=2\""},
        {"json $.qty == \"2\"", "\"2\"", "2"},
        {"json $.qty > \"1\"", "> \"1\"", "2"},
        {"json $.missing == 1", "1", "nothing"},
        {"json $.tags == 1", "1", "a list of 2"},
        {"bytes@0..2 == hex 00 01", "hex 00 01", "\"{\"\""},
        {"json $.sku == ${row.code}", "200", "\"A-1\" or\""},
    };
    struct world w;
    struct check_difference difference;
    begin(&w);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(run(&w, cases[i].line, &difference), STATUS_REJECTED);
        if (strcmp(difference.wanted, cases[i].wanted) != 0 || strcmp(difference.found, cases[i].found) != 0)
            fail_msg("%s: wanted %s, found %s", cases[i].line, difference.wanted, difference.found);
    }
    w.subject.json = NULL;
    w.subject.json_why = "line 1, column 2: a name without quotes";
    assert_int_equal(run(&w, "json $.qty == 2", &difference), STATUS_REJECTED);
    assert_string_equal(difference.found, "nothing: line 1, column 2: a name without quotes");
    assert_int_equal(run(&w, "status == ${nowhere}", &difference), STATUS_NOT_FOUND);
    assert_string_equal(difference.found, "no value for `${nowhere}`");
    arena_done(&w.arena);
}

static void mistakes_are_refused_with_their_place(void **state) {
    (void)state;
    static const struct {
        const char *line;
        size_t offset;
        const char *says;
    } cases[] = {
        {"", 0, "empty check"},
        {"statu == 200", 0, "did you mean `status`?"},
        {"zzzzzz == 200", 0, "what, how, value"},
        {"status = 200", 7, "did you mean `==`?"},
        {"status equals 200", 7, "no predicate `equals`"},
        {"status containz 2", 7, "did you mean `contains`?"},
        {"status ==", 9, "wants a value"},
        {"status == 200 OK", 14, "end of the line"},
        {"status == 200ms", 10, "a plain number"},
        {"status == \"200\"", 10, "a plain number"},
        {"duration < 200", 11, "a duration"},
        {"errors < 1", 9, "a share"},
        {"status in 200", 10, "wants a list"},
        {"status in [200", 14, "expected `,` or `]`"},
        {"status(x) == 1", 6, "takes nothing in brackets"},
        {"alive(x y)", 5, "without its end"},
        {"header", 6, "wants a name"},
        {"json $.a[ == 1", 10, "JSONPath: expected a selector"},
        {"json a == 1", 5, "JSONPath: a query begins with $"},
        {"peer == \"a", 8, "closing quote"},
        {"peer == \"\\x\"", 8, "no text of JSON"},
        {"peer matches /a(/", 13, "at character"},
        {"peer matches /", 13, "closing `/`"},
        {"peer contains true", 14, "wants a text"},
        {"bytes == hex 8", 13, "pairs"},
        {"bytes == hex zz", 13, "pairs"},
        {"bytes@5..2 isEmpty", 0, "FROM..END"},
        {"u24be@0 == 1", 0, "u16be@2"},
        {"u16@0 == 1", 0, "u16be@2"},
        {"peer == \"${\"", 8, "without its `}`"},
        {"status not", 10, "wants a predicate"},
    };
    struct arena arena;
    arena_init(&arena, 8 << 20);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct check *check;
        struct check_fault fault = {0};
        enum status status = check_new(slice_from(cases[i].line), fields, COUNT_OF(fields), &arena, &check, &fault);
        if (status != STATUS_BAD_CONFIG || fault.offset != cases[i].offset || !strstr(fault.text, cases[i].says))
            fail_msg("%s: %d %zu: %s", cases[i].line, (int)status, fault.offset, fault.text);
    }
    arena_done(&arena);
}

static enum status made_of(const char *head, const char *part, size_t times, const char *tail) {
    struct arena arena;
    struct buffer text;
    struct check *check;
    struct check_fault fault;
    arena_init(&arena, 8 << 20);
    buffer_init(&text, 1 << 20);
    buffer_add_text(&text, head);
    for (size_t i = 0; i < times; i++)
        buffer_add_text(&text, part);
    buffer_add_text(&text, tail);
    enum status status = check_new(buffer_slice(&text), fields, COUNT_OF(fields), &arena, &check, &fault);
    if (status == STATUS_OK)
        check_free(check);
    buffer_done(&text);
    arena_done(&arena);
    return status;
}

static void limits_hold(void **state) {
    (void)state;
    assert_int_equal(made_of("peer == ", "a", CHECK_LINE_MAX - 8, ""), STATUS_OK);
    assert_int_equal(made_of("peer == ", "a", CHECK_LINE_MAX - 7, ""), STATUS_TOO_LARGE);
    assert_int_equal(made_of("status in [1", ", 1", CHECK_LIST_MAX - 1, "]"), STATUS_OK);
    assert_int_equal(made_of("status in [1", ", 1", CHECK_LIST_MAX, "]"), STATUS_TOO_LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_hold),
        cmocka_unit_test(failures_say_what_was_wanted_and_found),
        cmocka_unit_test(mistakes_are_refused_with_their_place),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
