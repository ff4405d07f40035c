/* Log records as data, and their two written forms. */
#include "telemetry/log.h"

#include "base/assert.h"
#include "base/json_write.h"
#include "base/text.h"

static const char *const level_names[LOG_LEVEL_COUNT] = {"debug", "info", "warn", "error"};

static const char *const room_names[LOG_ROOM_COUNT] = {
#define LOG_ROOM_NAME(name, text) text,
    LOG_ROOM_TABLE(LOG_ROOM_NAME)
#undef LOG_ROOM_NAME
};

void log_levels_init(struct log_levels *levels, enum log_level level) {
    memset(levels->level, (int)level, sizeof levels->level);
}

const char *log_level_name(enum log_level level) {
    ASSERT((unsigned)level < LOG_LEVEL_COUNT);
    return level_names[level];
}

const char *log_room_name(enum log_room room) {
    ASSERT((unsigned)room < LOG_ROOM_COUNT);
    return room_names[room];
}

bool log_level_find(struct slice name, enum log_level *ret_level) {
    for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++)
        if (slice_is(name, level_names[i])) {
            *ret_level = (enum log_level)i;
            return true;
        }
    return false;
}

bool log_room_find(struct slice name, enum log_room *ret_room) {
    for (unsigned i = 0; i < LOG_ROOM_COUNT; i++)
        if (slice_is(name, room_names[i])) {
            *ret_room = (enum log_room)i;
            return true;
        }
    return false;
}

void log_record_init(struct log_record *record, enum log_level level, enum log_room room, struct wall at,
                     const char *msg) {
    record->level = level;
    record->room = room;
    record->at = at;
    record->msg = msg;
    record->field_count = 0;
}

static struct log_field *add_field(struct log_record *record, const char *key, enum log_field_type type) {
    ASSERT(record->field_count < LOG_FIELDS_MAX);
    struct log_field *field = &record->fields[record->field_count++];
    field->key = key;
    field->type = type;
    return field;
}

void log_add_text(struct log_record *record, const char *key, struct slice value) {
    add_field(record, key, LOG_FIELD_TEXT)->text = value;
}
void log_add_u64(struct log_record *record, const char *key, uint64_t value) {
    add_field(record, key, LOG_FIELD_U64)->u64 = value;
}
void log_add_i64(struct log_record *record, const char *key, int64_t value) {
    add_field(record, key, LOG_FIELD_I64)->i64 = value;
}
void log_add_bool(struct log_record *record, const char *key, bool value) {
    add_field(record, key, LOG_FIELD_BOOL)->is_true = value;
}
void log_add_ms(struct log_record *record, const char *key, int64_t duration_ns) {
    add_field(record, key, LOG_FIELD_MS)->i64 = duration_ns;
}

/* -- values -- */

struct date {
    int64_t year;
    unsigned month, day;
};

/* Days since 1970-01-01 to a date of the Gregorian calendar; years begin in March here, so that the leap day is
 * the last day of one. */
static struct date date_from_days(int64_t days) {
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    struct date date;
    date.day = day_of_year - (153 * march_month + 2) / 5 + 1;
    date.month = march_month < 10 ? march_month + 3 : march_month - 9;
    date.year = (int64_t)year_of_era + era * 400 + (date.month <= 2);
    return date;
}

/* RFC 3339, UTC, microseconds. */
static void write_time(struct buffer *out, struct wall at) {
    int64_t us = at.ns / NS_PER_US - (at.ns % NS_PER_US < 0);
    int64_t us_per_day = INT64_C(86400) * 1000000;
    int64_t days = us / us_per_day - (us % us_per_day < 0);
    int64_t rest = us - days * us_per_day;
    struct date date = date_from_days(days);
    unsigned seconds = (unsigned)(rest / 1000000);
    buffer_add_format(out, "%04lld-%02u-%02uT%02u:%02u:%02u.%06uZ", (long long)date.year, date.month, date.day,
                      seconds / 3600, seconds / 60 % 60, seconds % 60, (unsigned)(rest % 1000000));
}

static void write_ms(struct buffer *out, int64_t ns) {
    int64_t us = ns / NS_PER_US;
    uint64_t size = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    buffer_add_format(out, "%s%llu.%03u", us < 0 ? "-" : "", (unsigned long long)(size / 1000), (unsigned)(size % 1000));
}

/* Not in the middle of a character. */
static struct slice cut(struct slice text) {
    if (text.size <= LOG_VALUE_MAX)
        return text;
    size_t size = LOG_VALUE_MAX;
    while (size > LOG_VALUE_MAX - 4 && (text.data[size] & 0xc0) == 0x80)
        size--;
    return slice_head(text, size);
}

/* -- JSON -- */

static void write_json_value(struct buffer *out, const struct log_field *field) {
    switch (field->type) {
    case LOG_FIELD_TEXT:
        buffer_add_byte(out, '"');
        json_escape(out, cut(field->text));
        buffer_add_text(out, field->text.size > LOG_VALUE_MAX ? "...\"" : "\"");
        return;
    case LOG_FIELD_U64:
        buffer_add_u64(out, field->u64);
        return;
    case LOG_FIELD_I64:
        buffer_add_i64(out, field->i64);
        return;
    case LOG_FIELD_BOOL:
        buffer_add_text(out, field->is_true ? "true" : "false");
        return;
    case LOG_FIELD_MS:
        write_ms(out, field->i64);
        return;
    }
    UNREACHABLE();
}

void log_write_json(struct buffer *out, const struct log_record *record) {
    buffer_add_text(out, "{\"ts\":\"");
    write_time(out, record->at);
    buffer_add_format(out, "\",\"level\":\"%s\",\"room\":\"%s\",\"msg\":\"", log_level_name(record->level),
                      log_room_name(record->room));
    json_escape(out, slice_from(record->msg));
    buffer_add_byte(out, '"');
    for (unsigned i = 0; i < record->field_count; i++) {
        buffer_add_format(out, ",\"%s\":", record->fields[i].key);
        write_json_value(out, &record->fields[i]);
    }
    buffer_add_text(out, "}\n");
}

/* -- text -- */

static bool is_plain(struct slice text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] == '"' || text.data[i] == '\\' || text.data[i] == '=' ||
            text.data[i] >= 0x7f)
            return false;
    return text.size > 0;
}

/* C1 controls (U+0080 to U+009F) steer terminals as well as C0 do. */
static void write_shown(struct buffer *out, struct slice text) {
    for (size_t at = 0; at < text.size;) {
        uint32_t point = 0;
        size_t length = text_utf8_next(slice_skip(text, at), &point);
        if (length == 0 || point < ' ' || (point >= 0x7f && point < 0xa0)) {
            buffer_add_format(out, length > 1 ? "\\u%04x" : "\\x%02x", length > 1 ? point : text.data[at]);
            at += length ? length : 1;
            continue;
        }
        if (point == '"' || point == '\\')
            buffer_add_byte(out, '\\');
        buffer_add(out, slice_make(text.data + at, length));
        at += length;
    }
}

static void write_text_value(struct buffer *out, const struct log_field *field) {
    if (field->type != LOG_FIELD_TEXT) {
        write_json_value(out, field);
        return;
    }
    if (is_plain(field->text) && field->text.size <= LOG_VALUE_MAX) {
        buffer_add(out, field->text);
        return;
    }
    buffer_add_byte(out, '"');
    write_shown(out, cut(field->text));
    buffer_add_text(out, field->text.size > LOG_VALUE_MAX ? "...\"" : "\"");
}

void log_write_text(struct buffer *out, const struct log_record *record, bool color) {
    static const char *const colors[LOG_LEVEL_COUNT] = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
    const char *name = log_level_name(record->level);
    write_time(out, record->at);
    buffer_add_format(out, " %s%-5s%s %s: ", color ? colors[record->level] : "", name, color ? "\x1b[0m" : "",
                      log_room_name(record->room));
    write_shown(out, slice_from(record->msg));
    for (unsigned i = 0; i < record->field_count; i++) {
        buffer_add_format(out, " %s%s%s=", color ? "\x1b[2m" : "", record->fields[i].key, color ? "\x1b[0m" : "");
        write_text_value(out, &record->fields[i]);
    }
    buffer_add_byte(out, '\n');
}

bool log_wants_color(bool is_terminal, const char *no_color) {
    return is_terminal && !(no_color && *no_color); /* https://no-color.org */
}
