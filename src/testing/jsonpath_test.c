/* JSON trees, regular expressions, I-Regexp, and JSONPath where the compliance suite says nothing: limits, faults, paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "testing/iregexp.h"
#include "testing/jsonpath.h"
#include "testing/regex.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

struct world {
    struct arena arena;
    struct json_tree tree;
    struct buffer out;
};

static void begin(struct world *w, const char *json) {
    struct fault fault = {0};
    arena_init(&w->arena, 8 << 20);
    buffer_init(&w->out, 1 << 20);
    if (json_tree_parse(slice_from(json), 0, 0, &w->arena, &w->tree, &fault) != STATUS_OK)
        fail_msg("%s: %s", json, fault.text);
}

static void end(struct world *w) {
    arena_done(&w->arena);
    buffer_done(&w->out);
}

static bool write_path(void *context, uint32_t node) {
    struct world *w = context;
    if (w->out.size)
        buffer_add_byte(&w->out, ' ');
    jsonpath_write(&w->tree, node, &w->out);
    return true;
}

static const char *paths_of(struct world *w, const char *query) {
    struct jsonpath *path;
    struct jsonpath_fault fault;
    buffer_clear(&w->out);
    if (jsonpath_new(slice_from(query), &w->arena, &path, &fault) != STATUS_OK)
        fail_msg("%s: %zu: %s", query, fault.offset, fault.text);
    assert_int_equal(jsonpath_each(path, &w->tree, 0, write_path, w), STATUS_OK);
    jsonpath_free(path);
    buffer_add_byte(&w->out, '\0');
    return (const char *)w->out.data;
}

static void queries_find_nodes_and_their_paths(void **state) {
    (void)state;
    static const char document[] =
        "{\"items\":[{\"sku\":\"A-1\",\"qty\":2,\"tags\":[\"x\",\"y\"]},{\"sku\":\"B-2\",\"qty\":0},{\"sku\":\"C\\u00e9\"}],"
        "\"it's\":{\"a\\nb\":1},\"limit\":1,\"n\":null}";
    static const struct {
        const char *query, *paths;
    } cases[] = {
        {"$", "$"},
        {"$.items[0].sku", "$['items'][0]['sku']"},
        {"$.items[-1]", "$['items'][2]"},
        {"$.items[?@.qty > $.limit].sku", "$['items'][0]['sku']"},
        {"$.items[?@.qty].sku", "$['items'][0]['sku'] $['items'][1]['sku']"},
        {"$.items[?!@.qty].sku", "$['items'][2]['sku']"},
        {"$.items[::-1].sku", "$['items'][2]['sku'] $['items'][1]['sku'] $['items'][0]['sku']"},
        {"$..tags[*]", "$['items'][0]['tags'][0] $['items'][0]['tags'][1]"},
        {"$[\"it's\"]['a\\nb']", "$['it\\'s']['a\\nb']"},
        {"$.items[?match(@.sku, '[A-B]-\\\\d')]", ""}, /* \d is no I-Regexp: nothing matches */
        {"$.items[?match(@.sku, '[A-B]-[0-9]')].sku", "$['items'][0]['sku'] $['items'][1]['sku']"},
        {"$.items[?length(@.sku) == 2].sku", "$['items'][2]['sku']"},
        {"$.items[?count(@.tags[*]) == 2].qty", "$['items'][0]['qty']"},
        {"$.items[?@.qty == 0 || @.sku == 'A-1' && @.qty == 2].qty",
         "$['items'][0]['qty'] $['items'][1]['qty']"},
        {"$[?@ == null]", "$['n']"},
        {"$[?@.nothing == @.missing]", "$['items'] $['it\\'s'] $['limit'] $['n']"},
        {"$[?@ == $.items]", "$['items']"},
    };
    struct world w;
    begin(&w, document);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(paths_of(&w, cases[i].query), cases[i].paths);
    end(&w);
}

static void mistakes_name_their_place(void **state) {
    (void)state;
    static const struct {
        const char *query;
        size_t offset;
        const char *says;
    } cases[] = {
        {"", 0, "begins with $"},
        {"items", 0, "begins with $"},
        {"$.", 2, "expected a name"},
        {"$.items[", 8, "expected a selector"},
        {"$.items[0", 9, "expected `,` or `]`"},
        {"$.items[01]", 8, "leading zeros"},
        {"$.items[9007199254740992]", 8, "2^53"},
        {"$['a", 4, "without its end"},
        {"$['\\x']", 4, "no such escape"},
        {"$[?len(@) == 1]", 3, "no function `len`"},
        {"$[?length(@.*) == 1]", 10, "length() wants a value"},
        {"$[?count(1) == 1]", 9, "count() wants a query"},
        {"$[?count(@.a, @.b) == 1]", 14, "takes no more than 1"},
        {"$[?match(@.a) ]", 13, "takes 2, got 1"},
        {"$[?length(@.a)]", 3, "compare it"},
        {"$[?@.* == 1]", 3, "only values"},
        {"$[?@.a == ]", 10, "expected @"},
        {"$ ", 1, "the end"},
        {"$.a b", 3, "the end"},
    };
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct jsonpath *path;
        struct jsonpath_fault fault;
        assert_int_equal(jsonpath_new(slice_from(cases[i].query), &arena, &path, &fault), STATUS_BAD_CONFIG);
        if (fault.offset != cases[i].offset || !strstr(fault.text, cases[i].says))
            fail_msg("%s: %zu: %s", cases[i].query, fault.offset, fault.text);
    }
    arena_done(&arena);
}

static enum status compile(const char *head, const char *part, size_t times, const char *tail) {
    struct arena arena;
    struct buffer text;
    struct jsonpath *path = NULL;
    struct jsonpath_fault fault;
    arena_init(&arena, 8 << 20);
    buffer_init(&text, 1 << 20);
    buffer_add_text(&text, head);
    for (size_t i = 0; i < times; i++)
        buffer_add_text(&text, part);
    buffer_add_text(&text, tail);
    enum status status = jsonpath_new(buffer_slice(&text), &arena, &path, &fault);
    if (status == STATUS_OK)
        jsonpath_free(path);
    buffer_done(&text);
    arena_done(&arena);
    return status;
}

static void limits_hold(void **state) {
    (void)state;
    assert_int_equal(compile("$", ".a", JSONPATH_SEGMENTS_MAX, ""), STATUS_OK);
    assert_int_equal(compile("$", ".a", JSONPATH_SEGMENTS_MAX + 1, ""), STATUS_TOO_LARGE);
    assert_int_equal(compile("$.", "a", JSONPATH_TEXT_MAX - 2, ""), STATUS_OK);
    assert_int_equal(compile("$.", "a", JSONPATH_TEXT_MAX - 1, ""), STATUS_TOO_LARGE);
    assert_int_equal(compile("$[?", "(", JSONPATH_NESTING_MAX + 1, "@"), STATUS_TOO_LARGE);
    assert_int_equal(compile("$[?@", "[?@", JSONPATH_NESTING_MAX, ""), STATUS_TOO_LARGE);
}

static bool count_node(void *context, uint32_t node) {
    (void)node;
    ++*(uint64_t *)context;
    return true;
}

static void work_is_bounded(void **state) {
    (void)state;
    struct world w;
    struct jsonpath *path;
    struct jsonpath_fault fault;
    uint64_t count = 0;
    begin(&w, "[[[[[[[[[[[[[[[[[[[[1,2,3]]]]]]]]]]]]]]]]]]]]");
    assert_int_equal(jsonpath_new(SLICE_OF("$..*..*..*..*..*..*..*..*"), &w.arena, &path, &fault), STATUS_OK);
    assert_int_equal(jsonpath_each(path, &w.tree, 100000, count_node, &count), STATUS_TOO_LARGE);
    assert_true(count <= 100000);
    jsonpath_free(path);
    end(&w);
}

static void trees_refuse_what_is_no_value(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum status status;
        const char *says;
    } cases[] = {
        {"{\"a\":\n 01}", STATUS_MALFORMED_EVENT, "line 2"},
        {"\"\\ud800\"", STATUS_MALFORMED_EVENT, "lone surrogate"},
        {"{\"\\udc00\":1}", STATUS_MALFORMED_EVENT, "lone surrogate"},
        {"1e999", STATUS_MALFORMED_EVENT, "IEEE 754"},
        {"[1,2,3,4]", STATUS_TOO_LARGE, "too many"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena;
        struct json_tree tree;
        struct fault fault = {0};
        arena_init(&arena, 1 << 20);
        assert_int_equal(json_tree_parse(slice_from(cases[i].text), 4, 0, &arena, &tree, &fault),
                         cases[i].status);
        if (!strstr(fault.text, cases[i].says))
            fail_msg("%s: %s", cases[i].text, fault.text);
        arena_done(&arena);
    }
}

static void equal_is_by_meaning(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"{\"a\":1,\"b\":[1.0,\"x\"]}", "{\"b\":[1,\"\\u0078\"],\"a\":1e0}", true},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"true", "false", false},
        {"null", "null", true},
        {"-0", "0", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world a, b;
        uint64_t work = 1000;
        begin(&a, cases[i].a);
        begin(&b, cases[i].b);
        assert_int_equal(json_tree_equal(&a.tree, 0, &b.tree, 0, &work), cases[i].equal);
        work = 0;
        assert_false(json_tree_equal(&a.tree, 0, &b.tree, 0, &work));
        end(&a);
        end(&b);
    }
}

static void iregexp_takes_its_grammar_only(void **state) {
    (void)state;
    static const struct {
        const char *text, *words; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"a.b", "a[^\\n\\r]b"},
        {"(a|b)*", "(?:a|b)*"},
        {"[a-c]{2,3}", "[a-c]{2,3}"},
        {"[-a]", "[\\-a]"},
        {"[a-]", "[a\\-]"},
        {"[^a]", "[^a]"},
        {"\\p{Lu}", "\\p{Lu}"},
        {"\\P{N}", "\\P{N}"},
        {"a{2,}", "a{2,}"},
        {"\\.", "\\."},
        {"\\d", NULL},
        {"a**", NULL},
        {"(a", NULL},
        {"a)", NULL},
        {"[]", NULL},
        {"[a", NULL},
        {"[a-b-c]", NULL},
        {"a{x}", NULL},
        {"\\p{Xx}", NULL},
        {"\\p{Lx}", NULL},
        {"(?:a)", NULL},
        {"a*?", NULL},
        {"\\1", NULL},
        {"\\", NULL},
        {"{", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out;
        buffer_init(&out, 4096);
        bool ok = iregexp_translate(slice_from(cases[i].text), &out, NULL);
        if (ok != (cases[i].words != NULL) || (ok && !slice_is(buffer_slice(&out), cases[i].words)))
            fail_msg("%s: %d %.*s", cases[i].text, ok, SLICE_ARG(buffer_slice(&out)));
        buffer_done(&out);
    }
}

static void regexes_give_up_rather_than_run_away(void **state) {
    (void)state;
    struct regex *regex;
    struct fault fault = {0};
    struct slice found;
    static uint8_t as[4096];
    memset(as, 'a', sizeof as);
    assert_int_equal(regex_new(SLICE_OF("(a|aa)+[bc]"), REGEX_SEARCH, &regex, &fault), STATUS_OK);
    assert_int_equal(regex_match(regex, slice_make(as, sizeof as), NULL), REGEX_GAVE_UP);
    regex_free(regex);
    assert_int_equal(regex_new(SLICE_OF("b+"), REGEX_SEARCH, &regex, &fault), STATUS_OK);
    assert_int_equal(regex_match(regex, SLICE_OF("abbc"), &found), REGEX_YES);
    assert_true(slice_is(found, "bb"));
    assert_int_equal(regex_match(regex, SLICE_OF("abbc\xff"), NULL), REGEX_GAVE_UP);
    assert_int_equal(regex_match(regex, slice_make(NULL, 0), NULL), REGEX_NO);
    regex_free(regex);
    assert_int_equal(regex_new(SLICE_OF("a(b"), REGEX_SEARCH, &regex, &fault), STATUS_BAD_CONFIG);
    assert_non_null(strstr(fault.text, "at character 4"));
    assert_int_equal(regex_new(slice_make(as, sizeof as), REGEX_WHOLE, &regex, &fault), STATUS_OK);
    regex_free(regex);
    static uint8_t long_pattern[REGEX_PATTERN_MAX + 1];
    memset(long_pattern, 'a', sizeof long_pattern);
    assert_int_equal(regex_new(slice_make(long_pattern, sizeof long_pattern), REGEX_WHOLE, &regex, &fault),
                     STATUS_TOO_LARGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_find_nodes_and_their_paths),
        cmocka_unit_test(mistakes_name_their_place),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(trees_refuse_what_is_no_value),
        cmocka_unit_test(equal_is_by_meaning),
        cmocka_unit_test(iregexp_takes_its_grammar_only),
        cmocka_unit_test(regexes_give_up_rather_than_run_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
