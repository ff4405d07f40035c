/* Log records: both written forms, exactly, and hostile values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "telemetry/log.h"

static struct log_record sample(void) {
    struct log_record record;
    log_record_init(&record, LOG_LEVEL_WARN, LOG_ROOM_ENGINE, (struct wall){INT64_C(1767323045678901234)},
                    "message ended");
    log_add_text(&record, "id", SLICE_OF("a b\"\\\n\x1b[31m\xff\xc2\x9bz"));
    log_add_text(&record, "reason", SLICE_OF("no-route"));
    log_add_u64(&record, "bytes", UINT64_MAX);
    log_add_i64(&record, "delta", INT64_MIN);
    log_add_bool(&record, "durable", true);
    log_add_ms(&record, "duration_ms", 12345678);
    return record;
}

static const char *written(struct buffer *out) {
    buffer_add_byte(out, 0);
    assert_int_equal(out->status, STATUS_OK);
    return (const char *)out->data;
}

static void json_lines_are_exact(void **state) {
    (void)state;
    struct log_record record = sample();
    struct buffer out;
    buffer_init(&out, 4096);
    log_write_json(&out, &record);
    assert_true(json_is_valid(buffer_slice(&out), 0));
    assert_string_equal(written(&out),
                        "{\"ts\":\"2026-01-02T03:04:05.678901Z\",\"level\":\"warn\",\"room\":\"engine\","
                        "\"msg\":\"message ended\",\"id\":\"a b\\\"\\\\\\n\\u001b[31m\xef\xbf\xbd\xc2\x9bz\","
                        "\"reason\":\"no-route\",\"bytes\":18446744073709551615,\"delta\":-9223372036854775808,"
                        "\"durable\":true,\"duration_ms\":12.345}\n");
    buffer_done(&out);
}

static void text_lines_cannot_steer_a_terminal(void **state) {
    (void)state;
    struct log_record record = sample();
    struct buffer out;
    buffer_init(&out, 4096);
    log_write_text(&out, &record, false);
    assert_string_equal(written(&out),
                        "2026-01-02T03:04:05.678901Z warn  engine: message ended "
                        "id=\"a b\\\"\\\\\\x0a\\x1b[31m\\xff\\u009bz\" reason=no-route bytes=18446744073709551615 "
                        "delta=-9223372036854775808 durable=true duration_ms=12.345\n");
    buffer_clear(&out);
    record.field_count = 0;
    log_write_text(&out, &record, true);
    assert_string_equal(written(&out), "2026-01-02T03:04:05.678901Z \x1b[33mwarn \x1b[0m engine: message ended\n");
    buffer_done(&out);
}

static void times_follow_the_calendar(void **state) {
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {INT64_C(951782399999999999), "2000-02-28T23:59:59.999999Z"},
        {INT64_C(951782400000000000), "2000-02-29T00:00:00.000000Z"},
        {INT64_C(4107542400000000000), "2100-03-01T00:00:00.000000Z"},
        {INT64_C(1798761599000001000), "2026-12-31T23:59:59.000001Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224Z"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct log_record record;
        struct buffer out;
        buffer_init(&out, 4096);
        log_record_init(&record, LOG_LEVEL_INFO, LOG_ROOM_CLI, (struct wall){rows[i].ns}, "x");
        log_write_json(&out, &record);
        assert_memory_equal(written(&out) + 7, rows[i].text, strlen(rows[i].text));
        buffer_done(&out);
    }
}

static void long_values_are_cut_between_characters(void **state) {
    (void)state;
    static uint8_t value[LOG_VALUE_MAX + 10];
    struct log_record record;
    struct buffer out;
    memset(value, 'x', sizeof value);
    memcpy(value + LOG_VALUE_MAX - 2, "\xe2\x82\xac", 3);
    log_record_init(&record, LOG_LEVEL_INFO, LOG_ROOM_CLI, (struct wall){0}, "x");
    log_add_text(&record, "v", slice_make(value, sizeof value));
    buffer_init(&out, 100000);
    log_write_json(&out, &record);
    assert_true(json_is_valid(buffer_slice(&out), 0));
    assert_null(strstr(written(&out), "\xef\xbf\xbd"));
    assert_non_null(strstr((const char *)out.data, "xxx...\"}\n"));
    assert_true(out.size < LOG_VALUE_MAX + 100);
    buffer_done(&out);
}

static void levels_hold_per_room(void **state) {
    (void)state;
    struct log_levels levels;
    enum log_level level;
    enum log_room room;
    log_levels_init(&levels, LOG_LEVEL_INFO);
    assert_true(log_room_find(SLICE_OF("protocol"), &room) && room == LOG_ROOM_PROTOCOL);
    assert_true(log_level_find(SLICE_OF("debug"), &level));
    levels.level[room] = (uint8_t)level;
    assert_true(log_is_enabled(&levels, LOG_ROOM_PROTOCOL, LOG_LEVEL_DEBUG));
    assert_false(log_is_enabled(&levels, LOG_ROOM_ENGINE, LOG_LEVEL_DEBUG));
    assert_true(log_is_enabled(&levels, LOG_ROOM_ENGINE, LOG_LEVEL_ERROR));
    assert_false(log_level_find(SLICE_OF("fatal"), &level));
    assert_false(log_room_find(SLICE_OF("base"), &room));
    assert_true(log_wants_color(true, NULL) && log_wants_color(true, ""));
    assert_false(log_wants_color(true, "1") || log_wants_color(false, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines_are_exact),
        cmocka_unit_test(text_lines_cannot_steer_a_terminal),
        cmocka_unit_test(times_follow_the_calendar),
        cmocka_unit_test(long_values_are_cut_between_characters),
        cmocka_unit_test(levels_hold_per_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
