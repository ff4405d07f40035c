/* Reading and writing the JSON of control frames and control events. */
#include "protocol/stream/control.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/json.h"

struct row {
    struct slice path;
    unsigned types;
};

static const struct row rows[CONTROL_MEMBER_COUNT] = {
#define CONTROL_ROW(NAME, path, types) [CONTROL_##NAME##_MEMBER] = {SLICE(path), CONTROL_##types},
    CONTROL_TABLE(CONTROL_ROW)
#undef CONTROL_ROW
};

enum status control_fault(struct message_fault *fault, enum status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    *fault = (struct message_fault){.status = status};
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return status;
}

/* The row of `name` inside of `parent` (data NULL: at the top); -1 for a foreign member. */
static int find_row(struct slice parent, const struct json_item *name) {
    for (int i = 0; i < CONTROL_MEMBER_COUNT; i++) {
        struct slice path = rows[i].path;
        if (parent.size) {
            if (!slice_starts(path, parent) || path.size <= parent.size || path.data[parent.size] != '/')
                continue;
            path = slice_skip(path, parent.size + 1);
        }
        if (json_item_is(name, path))
            return i;
    }
    return -1;
}

static bool read_text(struct control_value *value, const struct json_item *item, struct buffer *room) {
    value->text = item->raw;
    if (!item->has_escapes)
        return true;
    uint8_t *at = buffer_reserve(room, item->raw.size);
    size_t size = at ? json_unescape(at, item->raw) : SIZE_MAX;
    if (size == SIZE_MAX)
        return false;
    buffer_added(room, size);
    value->text = slice_make(at, size);
    return true;
}

static bool read_value(struct control_value *value, const struct json_item *item, struct buffer *room) {
    int64_t number;
    switch (item->type) {
    case JSON_STRING:
        value->type = CONTROL_TEXT;
        return read_text(value, item, room);
    case JSON_NUMBER:
        value->type = CONTROL_COUNT;
        if (!json_number_to_i64(item->raw, &number) || number < 0)
            return false;
        value->count = (uint64_t)number;
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        value->type = CONTROL_BOOL;
        value->count = item->type == JSON_TRUE;
        return true;
    case JSON_OBJECT:
    case JSON_ARRAY:
        value->type = item->type == JSON_OBJECT ? CONTROL_OBJECT : CONTROL_LIST;
        value->text = item->raw;
        return true;
    case JSON_NULL:
        return true; /* as absent */
    case JSON_ERROR:
    case JSON_END:
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
    case JSON_NAME:
        return false;
    }
    return false;
}

static bool read_object(struct control *control, struct slice text, struct slice parent, struct buffer *room,
                        struct message_fault *fault) {
    struct json json;
    struct json_item item;
    json_init(&json, text, 16);
    if (json_next(&json, &item) != JSON_OBJECT) {
        control_fault(fault, STATUS_MALFORMED_CONTROL, "no JSON object%s%s", json.error ? ": " : "",
                      json.error ? json.error : "");
        return false;
    }
    while (json_next(&json, &item) == JSON_NAME) {
        int at = find_row(parent, &item);
        if (json_skip(&json, &item) == JSON_ERROR)
            break;
        if (at < 0)
            continue;
        struct control_value *value = &control->values[at];
        const struct row *row = &rows[at];
        if (value->type != CONTROL_ABSENT || !read_value(value, &item, room) ||
            (value->type != CONTROL_ABSENT && !(value->type & row->types))) {
            control_fault(fault, STATUS_MALFORMED_CONTROL, "`%.*s` is there twice or has a wrong value",
                          SLICE_ARG(row->path));
            return false;
        }
        if (value->type == CONTROL_OBJECT && !parent.size && !read_object(control, value->text, row->path, room, fault))
            return false;
    }
    if (!json.error && json_next(&json, &item) == JSON_END)
        return true;
    control_fault(fault, STATUS_MALFORMED_CONTROL, "not JSON at byte %zu: %s", json_offset(&json),
                  json.error ? json.error : "bytes after the value");
    return false;
}

bool control_read(struct control *control, struct slice json, struct buffer *room, struct message_fault *fault) {
    memset(control, 0, sizeof *control);
    return read_object(control, json, slice_make(NULL, 0), room, fault);
}

bool control_list_has(const struct control_value *value, struct slice text, size_t *ret_index) {
    if (value->type == CONTROL_TEXT && slice_equal(value->text, text)) {
        if (ret_index)
            *ret_index = 0;
        return true;
    }
    if (value->type != CONTROL_LIST)
        return false;
    struct json json;
    struct json_item item;
    json_init(&json, value->text, 16);
    json_next(&json, &item);
    for (size_t i = 0; json_skip(&json, &item) != JSON_ARRAY_END && item.type != JSON_ERROR; i++) {
        if (item.type != JSON_STRING || !json_item_is(&item, text))
            continue;
        if (ret_index)
            *ret_index = i;
        return true;
    }
    return false;
}

enum status control_subscription(const struct control *control, struct protocol_subscription *ret_subscription,
                                 struct message_fault *fault) {
    uint64_t inflight = control_count(CONTROL(control, MAX_INFLIGHT), 0);
    struct slice from = CONTROL(control, FROM)->text;
    if (CONTROL(control, ACK)->type == CONTROL_TEXT)
        return control_fault(fault, STATUS_MALFORMED_CONTROL, "`ack` must be true or false");
    if (CONTROL(control, DURABLE)->type != CONTROL_ABSENT)
        return control_fault(fault, STATUS_NOT_SUPPORTED, "`durable` subscriptions are not supported yet");
    if (CONTROL(control, FILTERS)->type != CONTROL_ABSENT)
        return control_fault(fault, STATUS_NOT_SUPPORTED, "`filters` is not supported yet; write one CESQL `filter`");
    if (from.size && slice_is(from, "earliest"))
        return control_fault(fault, STATUS_NOT_SUPPORTED, "`from`: \"earliest\" is not supported yet");
    if (from.size && !slice_is(from, "new"))
        return control_fault(fault, STATUS_MALFORMED_CONTROL, "`from` must be \"new\" or \"earliest\"");
    if (inflight > UINT32_MAX)
        return control_fault(fault, STATUS_MALFORMED_CONTROL, "`max_inflight` is too big");
    *ret_subscription = (struct protocol_subscription){
        .filter = CONTROL(control, FILTER)->text,
        .group = CONTROL(control, GROUP)->text,
        .max_inflight = (uint32_t)inflight,
    };
    return STATUS_OK;
}

enum status control_identity(const struct control *control, const struct protocol_setup *setup, bool known,
                             struct protocol_hello *hello, struct message_fault *fault) {
    struct slice method = CONTROL(control, AUTH_METHOD)->text;
    struct slice token = CONTROL(control, AUTH_TOKEN)->text;
    hello->client = CONTROL(control, CLIENT)->text;
    hello->system = CONTROL(control, SYSTEM)->text;
    hello->is_intertie = slice_starts(hello->client, SLICE_OF("intertie/"));
    hello->window = (uint32_t)(control_count(CONTROL(control, CREDIT_MSGS), 0) & UINT32_MAX);
    if (slice_is(method, "mtls") && (!known || token.size))
        return control_fault(fault, STATUS_UNAUTHENTICATED,
                             known ? "`auth.token` comes with the method \"bearer\"" : "your certificate makes you nobody here");
    if (method.size && !slice_is(method, "none") && !slice_is(method, "bearer") && !slice_is(method, "mtls"))
        return control_fault(fault, STATUS_UNAUTHENTICATED, "this `auth.method` is not supported yet; use \"bearer\"");
    if (slice_is(method, "bearer") && token.size == 0)
        return control_fault(fault, STATUS_UNAUTHENTICATED, "`auth.token` is missing");
    if (slice_is(method, "none") && token.size)
        return control_fault(fault, STATUS_UNAUTHENTICATED, "`auth.token` comes with the method \"bearer\"");
    if (token.size && setup->keys_refused)
        return control_fault(fault, STATUS_UNAUTHENTICATED, "keys in clear text are refused here");
    if (token.size == 0 && setup->auth && !known)
        return control_fault(fault, STATUS_UNAUTHENTICATED, "a key is required here");
    hello->key = token;
    return STATUS_OK;
}

void control_problem(struct json_write *json, const struct protocol_setup *setup, enum status status,
                     const char *detail, struct slice id) {
    const struct status_row *row = status_row(status);
    char type[512];
    snprintf(type, sizeof type, "%.*s/problems/%s", SLICE_ARG(setup->public_url), row->reason);
    json_write_object(json);
    json_write_member_text(json, "type", type);
    json_write_member_text(json, "title", row->title);
    json_write_member_u64(json, "status", row->http);
    json_write_member_text(json, "reason", row->reason);
    if (detail && detail[0])
        json_write_member_text(json, "detail", detail);
    if (id.size)
        json_write_member(json, "id", id);
    json_write_object_end(json);
}
