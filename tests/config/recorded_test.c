/* What was recorded of a load loads the same again, without the files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "config/recorded.h"
#include "source.h"

static const char *const variables[] = {"PORT", "7101", NULL};
static const struct text_file files[] = {
    {"dir/main.yaml",
     "include: [more/*.yaml]\nlisteners: {web: \"http://127.0.0.1:${PORT}\", other: \"http://127.0.0.1:${NONE:-7102}\"}\n"
     "systems: {desk: {accept: true}}\nenvironments: {test: {systems: {lamp: {accept: true}}}}\n", false},
    {"dir/more/a.yaml", "systems: {door: {accept: true}}\n", false},
    {NULL, NULL, false},
};

static struct config *record(struct buffer *out, const char *environment) {
    struct text_source source;
    struct slice sets[] = {SLICE("systems/desk/accept=false")};
    struct config_options options = {.source = text_source_init(&source, files, variables),
                                     .environment = slice_from(environment), .sets = sets, .set_count = 1};
    struct config_report report;
    struct config *config = NULL;
    config_report_init(&report);
    assert_int_equal(config_load_recorded(&options, SLICE_OF("dir/main.yaml"), out, &config, &report), STATUS_OK);
    config_report_done(&report);
    return config;
}

static enum status again(struct slice recorded, struct config **ret) {
    struct config_report report;
    config_report_init(&report);
    *ret = NULL;
    enum status status = config_load_again(recorded, ret, &report);
    config_report_done(&report);
    return status;
}

static void recorded_configuration_loads_the_same_without_its_files(void **state) {
    struct buffer out;
    struct config *copy;
    (void)state;
    for (int i = 0; i < 2; i++) {
        buffer_init(&out, 1 << 20);
        struct config *config = record(&out, i ? "test" : "");
        assert_int_equal(again(buffer_slice(&out), &copy), STATUS_OK);
        assert_true(slice_equal(config->text, copy->text));
        assert_string_equal(config->digest, copy->digest);
        assert_int_equal(copy->system_count, i ? 3 : 2);
        assert_int_equal(copy->listeners[0].url.port, 7101);
        config_free(config);
        config_free(copy);
        buffer_done(&out);
    }
}

static void each_cut_and_each_changed_byte_is_survived(void **state) {
    struct buffer out;
    struct config *copy;
    (void)state;
    buffer_init(&out, 1 << 20);
    config_free(record(&out, "test"));
    for (size_t size = 0; size < out.size; size++) {
        assert_int_not_equal(again(slice_head(buffer_slice(&out), size), &copy), STATUS_OK);
        assert_null(copy);
    }
    for (size_t at = 0; at < out.size; at++) {
        out.data[at] ^= 0x41;
        if (again(buffer_slice(&out), &copy) == STATUS_OK)
            config_free(copy);
        out.data[at] ^= 0x41;
    }
    buffer_done(&out);
}

static void recording_that_does_not_fit_is_refused(void **state) {
    struct text_source source;
    struct config_options options = {.source = text_source_init(&source, files, variables)};
    struct config_report report;
    struct config *config = NULL;
    struct buffer out;
    (void)state;
    int64_t live = memory_live();
    config_report_init(&report);
    buffer_init(&out, 200);
    assert_int_equal(config_load_recorded(&options, SLICE_OF("dir/main.yaml"), &out, &config, &report), STATUS_TOO_LARGE);
    assert_null(config);
    buffer_done(&out);
    config_report_done(&report);
    assert_int_equal(memory_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_configuration_loads_the_same_without_its_files),
        cmocka_unit_test(each_cut_and_each_changed_byte_is_survived),
        cmocka_unit_test(recording_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests_name("recorded", tests, NULL, NULL);
}
