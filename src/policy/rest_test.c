/* REST routes: templates, hosts, methods, header fields, order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/rest.h"

struct given {
    struct slice name, value;
};

static struct slice field(const void *head, struct slice name, unsigned index) {
    const struct given *given = head;
    for (; given && given->name.data; given++)
        if (slice_equal(given->name, name) && index-- == 0)
            return given->value;
    return slice_make(NULL, 0);
}

static struct rest_ask ask(const char *method, const char *host, const char *path) {
    return (struct rest_ask){.method = slice_from(method), .path = slice_from(path), .host = slice_from(host),
                             .from = UINT32_MAX, .listener = 0, .field = field};
}

static int find(const struct rest_rule *rules, size_t count, const struct rest_ask *asked) {
    struct arena arena;
    const struct rest_table *table;
    arena_init(&arena, 16u << 20);
    assert_int_equal(rest_compile(rules, count, &arena, &table), STATUS_OK);
    int found = rest_find(table, asked);
    arena_done(&arena);
    return found;
}

static int find_path(const char *pattern, const char *path) {
    struct slice one = slice_from(pattern);
    assert_null(rest_path_check(one));
    struct rest_rule rule = {.paths = &one, .path_count = 1};
    struct rest_ask asked = ask("GET", "h", path);
    return find(&rule, 1, &asked);
}

static void templates_match_segment_by_segment(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *path;
        int found;
    } cases[] = {
        {"/products/{sku}", "/products/A-1", 0},  {"/products/{sku}", "/products/", -1},
        {"/products/{sku}", "/products", -1},     {"/products/{sku}", "/products/a/b", -1},
        {"/products/{sku}", "/products/a/", -1},  {"/", "/", 0},
        {"/", "/a", -1},                          {"/a/", "/a/", 0},
        {"/a/", "/a", -1},                        {"/files/**", "/files/", 0},
        {"/files/**", "/files/a/b", 0},           {"/files/**", "/files", -1},
        {"/**", "/", 0},                          {"/**", "/x/y", 0},
        {"/{a}/{b}", "/1/2", 0},                  {"/{a}/x/{b}", "/1/x/2", 0},
        {"/{a}/x/{b}", "/1/y/2", -1},             {"/a%2Fb", "/a%2Fb", 0},
        {"/a/b", "/a%2Fb", -1},                   {"/A", "/a", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(find_path(cases[i].pattern, cases[i].path), cases[i].found);
}

static void the_lowest_rule_wins_not_the_narrowest(void **state) {
    (void)state;
    struct slice paths[] = {SLICE("/a/{x}"), SLICE("/a/b"), SLICE("/**")};
    struct rest_rule rules[] = {
        {.paths = &paths[2], .path_count = 1, .methods = (struct slice[]){SLICE("DELETE")}, .method_count = 1},
        {.paths = &paths[0], .path_count = 1},
        {.paths = &paths[1], .path_count = 1},
        {.paths = &paths[2], .path_count = 1},
    };
    struct rest_ask get = ask("GET", "h", "/a/b"), drop = ask("DELETE", "h", "/a/b"), other = ask("GET", "h", "/q");
    assert_int_equal(find(rules, 4, &get), 1);
    assert_int_equal(find(rules, 4, &drop), 0);
    assert_int_equal(find(rules, 4, &other), 3);
}

static void a_literal_that_leads_nowhere_does_not_hide_a_name(void **state) {
    (void)state;
    struct slice paths[] = {SLICE("/a/b/c"), SLICE("/a/{x}/d")};
    struct rest_rule rules[] = {{.paths = &paths[0], .path_count = 1}, {.paths = &paths[1], .path_count = 1}};
    struct rest_ask asked = ask("GET", "h", "/a/b/d");
    assert_int_equal(find(rules, 2, &asked), 1);
}

static void hosts_match_exactly_or_by_suffix_without_port(void **state) {
    (void)state;
    struct slice exact = SLICE("files.acme.example"), suffix = SLICE("*.acme.example");
    struct rest_rule rules[] = {{.hosts = &exact, .host_count = 1}, {.hosts = &suffix, .host_count = 1}, {0}};
    static const struct {
        const char *host;
        int found;
    } cases[] = {
        {"files.acme.example", 0},   {"FILES.acme.example:8080", 0}, {"files.acme.example.", 0}, {"a.acme.example", 1},
        {"a.b.acme.example", 1},     {"acme.example", 2},            {"evilacme.example", 2},    {"", 2},
        {"[::1]:80", 2},             {"x.acme.example.evil", 2},     {".acme.example", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rest_ask asked = ask("GET", cases[i].host, "/x");
        assert_int_equal(find(rules, 3, &asked), cases[i].found);
    }
}

static void methods_headers_listener_and_sender_must_all_hold(void **state) {
    (void)state;
    struct slice methods[] = {SLICE("GET"), SLICE("PUT")}, values[] = {SLICE("one"), SLICE("two")}, there = SLICE("*");
    struct rest_header headers[] = {{SLICE("x-kind"), values, 2}, {SLICE("x-any"), &there, 1}};
    uint32_t listener = 3, from = 7;
    struct rest_rule rule = {.methods = methods, .method_count = 2, .headers = headers, .header_count = 2, .listeners = &listener,
                             .listener_count = 1, .from = &from, .from_count = 1};
    struct given given[] = {{SLICE("x-kind"), SLICE("three")}, {SLICE("x-kind"), SLICE("two")}, {SLICE("x-any"), SLICE("q")}, {{NULL, 0}, {NULL, 0}}};
    struct rest_ask asked = ask("HEAD", "h", "/x");
    asked.head = given;
    asked.listener = 3;
    asked.from = 7;
    assert_int_equal(find(&rule, 1, &asked), 0);
    asked.method = SLICE_OF("get");
    assert_int_equal(find(&rule, 1, &asked), -1);
    asked.method = SLICE_OF("PUT");
    asked.from = 8;
    assert_int_equal(find(&rule, 1, &asked), -1);
    asked.from = 7;
    asked.listener = 0;
    assert_int_equal(find(&rule, 1, &asked), -1);
    asked.listener = 3;
    asked.head = given + 2;
    assert_int_equal(find(&rule, 1, &asked), -1);
}

static void names_are_captured(void **state) {
    (void)state;
    struct slice paths[] = {SLICE("/x/{only}"), SLICE("/p/{sku}/v/{version}/**")};
    struct rest_rule rule = {.paths = paths, .path_count = 2};
    struct rest_parameters parameters;
    rest_capture(&rule, SLICE_OF("/p/A-1/v/2/and/more"), &parameters);
    assert_int_equal(parameters.count, 2);
    assert_true(slice_is(parameters.items[0].name, "sku") && slice_is(parameters.items[0].value, "A-1"));
    assert_true(slice_is(parameters.items[1].name, "version") && slice_is(parameters.items[1].value, "2"));
    rest_capture(&rule, SLICE_OF("/q"), &parameters);
    assert_int_equal(parameters.count, 0);
}

static void bad_templates_are_refused_in_words(void **state) {
    (void)state;
    static const char *const bad[] = {"", "a", "/a b", "/a?b", "/{x}y", "/{}", "/**/a", "/a*", "/../a", "/{X Y}", "/\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(rest_path_check(slice_from(bad[i])));
    char long_path[200] = "";
    for (int i = 0; i < REST_SEGMENTS_MAX; i++)
        snprintf(long_path + 2 * i, 4, "/a");
    assert_null(rest_path_check(slice_from(long_path)));
    snprintf(long_path + 2 * REST_SEGMENTS_MAX, 4, "/a");
    assert_non_null(rest_path_check(slice_from(long_path)));
    static const char *const hosts[] = {"", "*.", "a:80", "A.b", "a/b", "*a.b"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        assert_non_null(rest_host_check(slice_from(hosts[i])));
    assert_null(rest_host_check(SLICE_OF("*.a.example")));
    assert_null(rest_host_check(SLICE_OF("[::1]")));
}

static void ten_thousand_routes_are_found_by_their_segments(void **state) {
    (void)state;
    enum { COUNT = 10000 };
    char(*texts)[24] = calloc(COUNT, sizeof *texts);
    struct slice *paths = calloc(COUNT, sizeof *paths);
    struct rest_rule *rules = calloc(COUNT, sizeof *rules);
    struct arena arena;
    const struct rest_table *table;
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "/r%d/{id}", i);
        paths[i] = slice_from(texts[i]);
        rules[i] = (struct rest_rule){.paths = &paths[i], .path_count = 1};
    }
    arena_init(&arena, 64u << 20);
    assert_int_equal(rest_compile(rules, COUNT, &arena, &table), STATUS_OK);
    for (int i = 0; i < COUNT; i += 97) {
        char path[32];
        snprintf(path, sizeof path, "/r%d/x", i);
        struct rest_ask asked = ask("GET", "h", path);
        assert_int_equal(rest_find(table, &asked), i);
    }
    arena_done(&arena);
    free(rules);
    free(paths);
    free(texts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_match_segment_by_segment),
        cmocka_unit_test(the_lowest_rule_wins_not_the_narrowest),
        cmocka_unit_test(a_literal_that_leads_nowhere_does_not_hide_a_name),
        cmocka_unit_test(hosts_match_exactly_or_by_suffix_without_port),
        cmocka_unit_test(methods_headers_listener_and_sender_must_all_hold),
        cmocka_unit_test(names_are_captured),
        cmocka_unit_test(bad_templates_are_refused_in_words),
        cmocka_unit_test(ten_thousand_routes_are_found_by_their_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
