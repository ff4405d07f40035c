/* Runs the JSONPath Compliance Test Suite: $INTERTIE_CONFORMANCE/jsonpath-compliance-test-suite/cts.json. Where it isn't
 * there, that is said and counted as skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "testing/jsonpath.h"

#define CASES_EXPECTED 600 /* at least: the suite grows */

struct run {
    const struct json_tree *suite;
    struct json_tree document;
    uint32_t nodes[1024];
    uint32_t count;
};

static bool keep(void *context, uint32_t node) {
    struct run *run = context;
    assert_true(run->count < sizeof run->nodes / sizeof *run->nodes);
    run->nodes[run->count++] = node;
    return true;
}

/* Whether the nodes found are the values of the array `expected`, and their paths those of `paths`. */
static bool agrees(const struct run *run, uint32_t expected, uint32_t paths) {
    uint64_t work = 1000000;
    if (run->suite->nodes[expected].count != run->count)
        return false;
    for (uint32_t i = 0; i < run->count; i++) {
        uint8_t room[4096];
        struct buffer path;
        if (!json_tree_equal(run->suite, json_tree_element(run->suite, expected, i), &run->document,
                             run->nodes[i], &work))
            return false;
        buffer_init_fixed(&path, room, sizeof room);
        jsonpath_write(&run->document, run->nodes[i], &path);
        if (paths != JSON_TREE_NONE &&
            !slice_equal(buffer_slice(&path),
                         run->suite->nodes[json_tree_element(run->suite, paths, i)].text))
            return false;
    }
    return true;
}

static uint32_t member(const struct json_tree *tree, uint32_t node, const char *name) {
    return json_tree_member(tree, node, slice_from(name));
}

static bool results_agree(const struct run *run, uint32_t test) {
    uint32_t one = member(run->suite, test, "result"), many = member(run->suite, test, "results");
    uint32_t paths = member(run->suite, test, "result_paths"),
             all_paths = member(run->suite, test, "results_paths");
    if (many == JSON_TREE_NONE)
        return agrees(run, one, paths);
    for (uint32_t i = 0; i < run->suite->nodes[many].count; i++)
        if (agrees(run, json_tree_element(run->suite, many, i),
                   all_paths == JSON_TREE_NONE ? JSON_TREE_NONE
                                               : json_tree_element(run->suite, all_paths, i)))
            return true;
    return false;
}

static bool passes(const struct json_tree *suite, uint32_t test) {
    static struct run run;
    struct arena arena;
    struct jsonpath *path = NULL;
    struct jsonpath_fault fault = {0};
    arena_init(&arena, 1 << 20);
    struct slice selector = suite->nodes[member(suite, test, "selector")].text;
    enum status status = jsonpath_new(selector, &arena, &path, &fault);
    bool valid = member(suite, test, "invalid_selector") == JSON_TREE_NONE,
         ok = valid == (status == STATUS_OK);
    if (ok && valid) {
        struct slice document = suite->nodes[member(suite, test, "document")].text;
        if (suite->nodes[member(suite, test, "document")].type == JSON_STRING)
            document = slice_make(document.data - 1, document.size + 2);
        run.suite = suite;
        run.count = 0;
        assert_int_equal(json_tree_parse(document, 0, 0, &arena, &run.document, NULL), STATUS_OK);
        assert_int_equal(jsonpath_each(path, &run.document, 0, keep, &run), STATUS_OK);
        ok = results_agree(&run, test);
    }
    if (!ok)
        print_message("# failed: %.*s: %.*s (%s)\n",
                      SLICE_ARG(suite->nodes[member(suite, test, "name")].text), SLICE_ARG(selector),
                      status == STATUS_OK ? "accepted" : fault.text);
    if (status != STATUS_OK)
        assert_true(fault.offset <= selector.size && fault.text[0]);
    jsonpath_free(path);
    arena_done(&arena);
    return ok;
}

static bool read_suite(struct buffer *out) {
    char path[2048];
    const char *conformance = getenv("INTERTIE_CONFORMANCE"), *source = getenv("INTERTIE_SOURCE");
    if (conformance)
        (void)snprintf(path, sizeof path, "%s/jsonpath-compliance-test-suite/cts.json", conformance);
    else
        (void)snprintf(path, sizeof path, "%s/../shared/conformance/jsonpath-compliance-test-suite/cts.json",
                       source ? source : ".");
    FILE *file = fopen(path, "rb");
    if (!file) {
        print_message("# skipped: no %s\n", path);
        return false;
    }
    size_t got;
    do {
        uint8_t *room = buffer_reserve(out, 65536);
        assert_non_null(room);
        got = fread(room, 1, 65536, file);
        buffer_added(out, got);
    } while (got > 0);
    fclose(file);
    return true;
}

static void conformance_suite_passes(void **state) {
    (void)state;
    struct buffer text;
    struct arena arena;
    struct json_tree suite;
    struct fault fault = {0};
    unsigned passed = 0, failed = 0;
    buffer_init(&text, 16 << 20);
    arena_init(&arena, 64 << 20);
    if (!read_suite(&text))
        skip();
    if (json_tree_parse(buffer_slice(&text), 0, 0, &arena, &suite, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    uint32_t tests = member(&suite, JSON_TREE_ROOT, "tests");
    for (uint32_t test = json_tree_first(&suite, tests); test != JSON_TREE_NONE;
         test = json_tree_next(&suite, test)) {
        bool ok = passes(&suite, test);
        passed += ok;
        failed += !ok;
    }
    print_message("# conformance: %u passed, %u failed\n", passed, failed);
    arena_done(&arena);
    buffer_done(&text);
    assert_int_equal(failed, 0);
    assert_true(passed >= CASES_EXPECTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformance_suite_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
