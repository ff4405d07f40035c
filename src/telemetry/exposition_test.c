/* Exposition: golden text in both formats, and what promtool says to every metric of the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "telemetry/exposition.h"

#define TEXT(literal) SLICE_OF(literal)

static struct metrics *sample(void) {
    struct metrics *set = metrics_new(100);
    metrics_add(set, METRICS_SERIES(set, METRIC_DIAL_FAILURES, TEXT("a\"b\\c\nd"), TEXT("")), 3);
    metrics_add(set, METRICS_SERIES(set, METRIC_DIAL_FAILURES, TEXT(""), TEXT("")), 4);
    metrics_move(set, METRICS_SERIES(set, METRIC_QUEUE_DEPTH, TEXT("a"), TEXT("5")), -2);
    metrics_record(set, METRICS_SERIES(set, METRIC_DELIVERY_DURATION, TEXT("a")), 300000, 2);
    metrics_record(set, METRICS_SERIES(set, METRIC_DELIVERY_DURATION, TEXT("a")), 30000000000, 1);
    METRICS_SERIES(set, METRIC_BUILD, TEXT("1"), TEXT("cc"));
    metrics_set(set, METRICS_PLAIN(set, METRIC_PROCESS_CPU), 1500000000);
    return set;
}

static void write_sample(struct buffer *out, enum exposition_format format) {
    struct metrics *set = sample();
    struct metrics_view view;
    buffer_init(out, 1 << 20);
    assert_int_equal(metrics_view_init(&view, &set, 1), STATUS_OK);
    exposition_write(out, &view, format);
    buffer_add_byte(out, 0);
    assert_int_equal(out->status, STATUS_OK);
    metrics_view_done(&view);
    metrics_free(set);
}

static void prometheus_text_is_exact(void **state) {
    (void)state;
    struct buffer out;
    write_sample(&out, EXPOSITION_PROMETHEUS);
    assert_string_equal(
        (const char *)out.data,
        "# HELP intertie_delivery_duration_seconds Time from the arrival of a message to its delivery or reply.\n"
        "# TYPE intertie_delivery_duration_seconds histogram\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.0001\"} 0\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.00025\"} 0\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.0005\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.001\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.0025\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.005\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.01\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.025\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.05\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.075\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.1\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.25\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.5\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"0.75\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"1\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"2.5\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"5\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"7.5\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"10\"} 2\n"
        "intertie_delivery_duration_seconds_bucket{system=\"a\",le=\"+Inf\"} 3\n"
        "intertie_delivery_duration_seconds_sum{system=\"a\"} 30.0006\n"
        "intertie_delivery_duration_seconds_count{system=\"a\"} 3\n"
        "# HELP intertie_queue_depth Messages waiting for a recipient.\n"
        "# TYPE intertie_queue_depth gauge\n"
        "intertie_queue_depth{system=\"a\",priority=\"5\"} -2\n"
        "# HELP intertie_dial_failures_total Attempts to connect to an endpoint that failed.\n"
        "# TYPE intertie_dial_failures_total counter\n"
        "intertie_dial_failures_total 4\n"
        "intertie_dial_failures_total{system=\"a\\\"b\\\\c\\nd\"} 3\n"
        "# HELP intertie_build_info What this program was built from.\n"
        "# TYPE intertie_build_info gauge\n"
        "intertie_build_info{version=\"1\",compiler=\"cc\"} 1\n"
        "# HELP process_cpu_seconds_total CPU time used, user and system.\n"
        "# TYPE process_cpu_seconds_total counter\n"
        "process_cpu_seconds_total 1.5\n");
    buffer_done(&out);
}

static void openmetrics_names_families_units_and_end(void **state) {
    (void)state;
    struct buffer out;
    write_sample(&out, EXPOSITION_OPENMETRICS);
    const char *text = (const char *)out.data;
    static const char *const parts[] = {
        "# TYPE intertie_dial_failures counter\nintertie_dial_failures_total 4\n",
        "# TYPE intertie_build info\nintertie_build_info{version=\"1\",compiler=\"cc\"} 1\n",
        "# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\nprocess_cpu_seconds_total 1.5\n",
        "le=\"1.0\"} 2\n",
        "le=\"0.00025\"} 0\n",
        "le=\"+Inf\"} 3\n",
    };
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (!strstr(text, parts[i]))
            fail_msg("missing: %s", parts[i]);
    assert_string_equal(text + strlen(text) - 7, "\n# EOF\n");
    buffer_done(&out);
}

static void accept_chooses_the_format(void **state) {
    (void)state;
    static const struct {
        const char *accept;
        enum exposition_format format;
    } rows[] = {
        {"", EXPOSITION_PROMETHEUS},
        {"*/*", EXPOSITION_PROMETHEUS},
        {"text/plain", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text", EXPOSITION_OPENMETRICS},
        {"text/plain;q=0.2, Application/OpenMetrics-Text; version=1.0.0;q=0.8", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;q=0.0,*/*", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-textile", EXPOSITION_PROMETHEUS},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(exposition_choose(slice_from(rows[i].accept)), rows[i].format);
}

static void a_full_buffer_is_told(void **state) {
    (void)state;
    struct metrics *set = sample();
    struct metrics_view view;
    struct buffer out;
    buffer_init(&out, 1000);
    assert_int_equal(metrics_view_init(&view, &set, 1), STATUS_OK);
    exposition_write(&out, &view, EXPOSITION_PROMETHEUS);
    assert_int_equal(out.status, STATUS_TOO_LARGE);
    metrics_view_done(&view);
    metrics_free(set);
    buffer_done(&out);
}

/* Every row of the table at once. Both label values and an unlabelled one. */
static void promtool_accepts_every_metric(void **state) {
    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip();
    struct metrics *set = metrics_new(100);
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        struct slice plain[METRIC_LABELS_MAX] = {TEXT("a"), TEXT("b"), TEXT("c")};
        struct slice odd[METRIC_LABELS_MAX] = {TEXT("\xc3\xa4 \"\\\n{}"), TEXT(""), TEXT("=,")};
        uint32_t handles[2] = {metrics_series(set, (enum metric)i, plain), metrics_series(set, (enum metric)i, odd)};
        for (int j = 0; j < 2; j++) {
            metrics_set(set, handles[j], 1234567890123);
            metrics_record(set, handles[j], 2500000, 7);
        }
    }
    struct metrics_view view;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(metrics_view_init(&view, &set, 1), STATUS_OK);
    exposition_write(&out, &view, EXPOSITION_PROMETHEUS);
    FILE *tool = popen("promtool check metrics", "w");
    assert_non_null(tool);
    assert_int_equal(fwrite(out.data, 1, out.size, tool), out.size);
    assert_int_equal(pclose(tool), 0);
    buffer_done(&out);
    metrics_view_done(&view);
    metrics_free(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prometheus_text_is_exact),
        cmocka_unit_test(openmetrics_names_families_units_and_end),
        cmocka_unit_test(accept_chooses_the_format),
        cmocka_unit_test(a_full_buffer_is_told),
        cmocka_unit_test(promtool_accepts_every_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
