/* Log records as data, and their two written forms. What writes lines to a file lives in platform.
 *
 * Lower rooms never log; runtime and the edges make records, most of them from endings and closes. */
#ifndef TELEMETRY_LOG_H
#define TELEMETRY_LOG_H

#include "base/buffer.h"
#include "base/clock.h"

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_COUNT
};

/* The rooms that `log.levels.*` names. */
#define LOG_ROOM_TABLE(X) \
    X(ADMIN, "admin") \
    X(CLI, "cli") \
    X(CONFIG, "config") \
    X(CONNECTION, "connection") \
    X(ENGINE, "engine") \
    X(PLATFORM, "platform") \
    X(PROTOCOL, "protocol") \
    X(RUNTIME, "runtime") \
    X(SECURITY, "security") \
    X(STORE, "store") \
    X(TESTING, "testing")

enum log_room {
#define LOG_ROOM_ENUM(name, text) LOG_ROOM_##name,
    LOG_ROOM_TABLE(LOG_ROOM_ENUM)
#undef LOG_ROOM_ENUM
    LOG_ROOM_COUNT
};

/* Which records are wanted. */
struct log_levels {
    uint8_t level[LOG_ROOM_COUNT]; /* enum log_level: this one and above */
};

enum log_field_type {
    LOG_FIELD_TEXT,
    LOG_FIELD_U64,
    LOG_FIELD_I64,
    LOG_FIELD_BOOL,
    LOG_FIELD_MS, /* a duration: given in ns, written in ms with three decimals; the key ends in `_ms` */
};

struct log_field {
    const char *key; /* lower case and '_', static text; not ts, level, room, msg */
    enum log_field_type type;
    union {
        struct slice text; /* borrowed */
        uint64_t u64;
        int64_t i64;
        bool is_true;
    };
};

#define LOG_FIELDS_MAX 16
#define LOG_VALUE_MAX 4096 /* bytes of a text value; the rest is cut, and "..." says so */

struct log_record {
    enum log_level level;
    enum log_room room;
    struct wall at;
    const char *msg; /* static text: what varies is in fields */
    unsigned field_count;
    struct log_field fields[LOG_FIELDS_MAX];
};

void log_levels_init(struct log_levels *levels, enum log_level level);
static inline bool log_is_enabled(const struct log_levels *levels, enum log_room room, enum log_level level) {
    return level >= levels->level[room];
}
const char *log_level_name(enum log_level level);
const char *log_room_name(enum log_room room);
/* By the names above; false when unknown. */
bool log_level_find(struct slice name, enum log_level *ret_level);
bool log_room_find(struct slice name, enum log_room *ret_room);

void log_record_init(struct log_record *record, enum log_level level, enum log_room room, struct wall at,
                     const char *msg);
/* Adding more than LOG_FIELDS_MAX is an error of the caller. Slices are borrowed until the record is written. */
void log_add_text(struct log_record *record, const char *key, struct slice value);
void log_add_u64(struct log_record *record, const char *key, uint64_t value);
void log_add_i64(struct log_record *record, const char *key, int64_t value);
void log_add_bool(struct log_record *record, const char *key, bool value);
void log_add_ms(struct log_record *record, const char *key, int64_t duration_ns);

/* One line with its newline: {"ts":"2026-01-02T03:04:05.678901Z","level":"info","room":"engine","msg":"...",fields}.
 * Always valid JSON and UTF-8: foreign bytes become U+FFFD. */
void log_write_json(struct buffer *out, const struct log_record *record);
/* One line for people: time, level, room, message, key=value. Control characters and foreign bytes are escaped, so
 * that no peer can steer a terminal. */
void log_write_text(struct buffer *out, const struct log_record *record, bool color);
/* Color is for terminals, and not where the environment variable NO_COLOR has a value that isn't empty. */
bool log_wants_color(bool is_terminal, const char *no_color);

#endif
