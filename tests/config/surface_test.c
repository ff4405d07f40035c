/* The rows against the one list of keys and values, the generated reference, and the published examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/json.h"
#include "config/schema.h"
#include "config/write.h"
#include "source.h"

static struct slice next_line(struct slice *text) {
    struct slice line = slice_head(*text, slice_find(*text, '\n'));
    *text = slice_skip(*text, line.size + 1);
    return line;
}

static bool has_line(struct slice text, struct slice wanted) {
    while (text.size)
        if (slice_equal(next_line(&text), wanted))
            return true;
    return false;
}

static size_t lacking(struct slice in, struct slice from, const char *what) {
    size_t count = 0;
    while (from.size) {
        struct slice line = next_line(&from);
        if (line.size && line.data[0] != '#' && !has_line(in, line)) {
            print_error("%s: %.*s\n", what, SLICE_ARG(line));
            count++;
        }
    }
    return count;
}

static void surface_is_what_the_list_says(void **state) {
    struct buffer listed, rows;
    (void)state;
    buffer_init(&listed, 1 << 20);
    buffer_init(&rows, 1 << 20);
    assert_true(project_read("tests/config/surface.txt", &listed));
    assert_int_equal(config_surface(&rows), STATUS_OK);
    size_t wrong = lacking(buffer_slice(&rows), buffer_slice(&listed), "listed, but no row says so");
    wrong += lacking(buffer_slice(&listed), buffer_slice(&rows), "a row says so, but it is not listed");
    assert_int_equal(wrong, 0);
    assert_true(rows.size > 10000);
    buffer_done(&listed);
    buffer_done(&rows);
}

static void reference_is_current(void **state) {
    struct buffer committed, made;
    (void)state;
    buffer_init(&committed, 1 << 20);
    buffer_init(&made, 1 << 20);
    assert_true(project_read("docs/configuration-reference.md", &committed));
    assert_int_equal(config_reference(&made), STATUS_OK);
    assert_int_equal(lacking(buffer_slice(&made), buffer_slice(&committed), "in docs/configuration-reference.md, but not made"), 0);
    assert_true(slice_equal(buffer_slice(&committed), buffer_slice(&made)));
    buffer_done(&committed);
    buffer_done(&made);
}

static void schema_is_json_and_knows_each_section(void **state) {
    struct buffer out;
    (void)state;
    buffer_init(&out, 1 << 20);
    assert_int_equal(config_schema(&out), STATUS_OK);
    assert_true(json_is_valid(buffer_slice(&out), 64));
    buffer_add_byte(&out, 0);
    assert_non_null(strstr((const char *)out.data, "\"listeners\":{"));
    assert_non_null(strstr((const char *)out.data, "\"tests\":{\"not\":{}"));
    buffer_done(&out);
}

static void each_row_has_a_place_and_words(void **state) {
    struct arena arena;
    (void)state;
    arena_init(&arena, 4 << 20);
    const struct schema *root = schema_new(&arena);
    assert_non_null(root);
    for (size_t i = 0; config_tables[i]; i++)
        for (size_t k = 0; k < config_tables[i]->count; k++) {
            const struct config_row *row = &config_tables[i]->rows[k];
            size_t words = strlen(row->doc);
            assert_true(words > 2 && row->doc[words - 1] == '.');
            assert_true(row->type != ROW_ENUM || row->values);
            assert_true(row->type != ROW_REFERENCE || row->values);
            assert_true(!row->field || !(row->flags & ROW_PLANNED));
            assert_true(!row->policy || (row->flags & (ROW_SYSTEM | ROW_ROUTE) && row->field));
        }
    arena_done(&arena);
}

static enum status check(const char *path, bool no_files, struct config **ret, struct config_report *report) {
    struct buffer text;
    buffer_init(&text, CONFIG_FILE_MAX);
    assert_true(project_read(path, &text));
    buffer_add_byte(&text, 0);
    const struct text_file files[] = {{path, (const char *)text.data, false}, {0}};
    struct text_source source;
    struct config_options options = {.source = text_source_init(&source, files, NULL), .no_files = no_files};
    config_report_init(report);
    enum status status = config_validate(&options, slice_from(path), ret, report);
    config_report_sort(report);
    buffer_done(&text);
    return status;
}

static void quickstart_is_fine_without_a_warning(void **state) {
    struct config_report report;
    struct config *config = NULL;
    (void)state;
    assert_int_equal(check("examples/quickstart.yaml", false, &config, &report), STATUS_OK);
    assert_int_equal(report.problem_count, 0);
    assert_int_equal(config->listener_count, 2);
    assert_int_equal(config->system_count, 3);
    assert_int_equal(config->route_count, 2);
    assert_true(slice_is(config->listeners[1].name, "stream"));
    assert_int_equal(config->listeners[1].url.scheme, CONFIG_SCHEME_TCP);
    assert_int_equal(config->listeners[1].url.port, 7460);
    assert_true(config->systems[2].accept);
    assert_int_equal(config->routes[1].to_count, 2);
    assert_int_equal(config->routes[1].to[0], 1);
    assert_int_equal(config->routes[0].matches[0].patterns[0].kind, CONFIG_PATTERN_PREFIX);
    assert_true(slice_is(config->routes[0].matches[0].patterns[0].text, "com.example.price."));
    config_free(config);
    config_report_done(&report);
}

static void production_is_refused_by_its_planned_keys_alone(void **state) {
    struct config_report report;
    struct config *config = NULL;
    struct buffer listed, found;
    (void)state;
    buffer_init(&listed, 1 << 20);
    buffer_init(&found, 1 << 20);
    assert_int_equal(check("examples/production.yaml", true, &config, &report), STATUS_BAD_CONFIG);
    for (size_t i = 0; i < report.problem_count; i++)
        buffer_add_format(&found, "%u %.*s: %.*s\n", report.problems[i]->place.line, SLICE_ARG(report.problems[i]->path),
                          SLICE_ARG(report.problems[i]->message));
    assert_true(project_read("tests/config/production.txt", &listed));
    size_t wrong = lacking(buffer_slice(&found), buffer_slice(&listed), "expected, but not said");
    wrong += lacking(buffer_slice(&listed), buffer_slice(&found), "said, but not expected");
    assert_int_equal(wrong, 0);
    assert_int_equal(report.warning_count, 0);
    buffer_done(&listed);
    buffer_done(&found);
    config_report_done(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(surface_is_what_the_list_says),
        cmocka_unit_test(reference_is_current),
        cmocka_unit_test(schema_is_json_and_knows_each_section),
        cmocka_unit_test(each_row_has_a_place_and_words),
        cmocka_unit_test(quickstart_is_fine_without_a_warning),
        cmocka_unit_test(production_is_refused_by_its_planned_keys_alone),
    };
    return cmocka_run_group_tests_name("config/surface", tests, NULL, NULL);
}
