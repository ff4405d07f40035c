/* Input: an expression, then a NUL, then JSON data. Whatever compiles must run, and both ways of running must agree. */
#include "base/assert.h"
#include "base/buffer.h"
#include "policy/cesql.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void add(struct message *message, struct buffer *extra, enum attribute attribute, const char *text) {
    struct message_fault fault;
    ASSERT(message_add(message, extra, attribute, slice_from(text), &fault) == STATUS_OK);
}

static void build(struct message *message, struct buffer *extra, struct slice data) {
    struct message_fault fault;
    message_init(message, data);
    if (data.size)
        message_set_data(message, DATA_BYTES);
    add(message, extra, ATTRIBUTE_ID, "1");
    add(message, extra, ATTRIBUTE_SOURCE, "/systems/crm");
    add(message, extra, ATTRIBUTE_TYPE, "com.example.order");
    add(message, extra, ATTRIBUTE_TIME, "2026-01-01T00:00:00.5Z");
    add(message, extra, ATTRIBUTE_DATACONTENTTYPE, "application/json");
    add(message, extra, ATTRIBUTE_SUBJECT, "\xc3\xa9t\xc3\xa9");
    add(message, extra, ATTRIBUTE_MSGHEADERS, "{\"x-a\":\"b\"}");
    ASSERT(message_add_named(message, extra, SLICE_OF("n"), ATTRIBUTE_INTEGER, SLICE_OF("-7"), &fault) == STATUS_OK);
    ASSERT(message_seal(message, extra, &fault) == STATUS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static uint8_t scratch[CESQL_SCRATCH_MAX], room[1024];
    struct slice text = slice_head(slice_make(bytes, size), slice_find(slice_make(bytes, size), 0));
    struct slice data = slice_skip(slice_make(bytes, size), text.size + 1);
    struct arena arena;
    struct message message;
    struct buffer extra;
    const struct cesql *cesql;
    struct cesql_fault fault;
    struct cesql_lints lints;
    struct now now = {{1}, {INT64_C(1800000000) * NS_PER_S}};
    arena_init(&arena, 1 << 20);
    enum status status = cesql_compile(text, NULL, &arena, &cesql, &fault, &lints);
    if (status == STATUS_OK) {
        struct cesql_result result;
        buffer_init_fixed(&extra, room, sizeof room);
        build(&message, &extra, data);
        cesql_evaluate(cesql, &message, now, scratch, &result);
        bool passes = !result.errors && result.type == CESQL_BOOLEAN && result.number;
        ASSERT(cesql_matches(cesql, &message, now) == passes);
    } else {
        ASSERT(status == STATUS_BAD_CONFIG || status == STATUS_TOO_LARGE);
        ASSERT(fault.text[0] && fault.offset <= CESQL_TEXT_MAX && fault.offset <= text.size);
    }
    arena_done(&arena);
    return 0;
}
