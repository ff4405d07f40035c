/* Finds what a pointer names (RFC 6901) in a message's JSON data or in its `msgheaders`. */
#include "base/buffer.h"
#include "policy/cesql_ops.h"

static bool charge(struct cesql_run *run, size_t bytes) {
    if (bytes >= run->work) {
        run->work = 0;
        cesql_raise(run, CESQL_ERROR_GENERIC);
        return false;
    }
    run->work -= bytes;
    return true;
}

/* RFC 6901 section 4: digits without leading zeros. */
static bool read_index(struct slice token, size_t *ret) {
    size_t value = 0;
    if (token.size == 0 || token.size > 9 || (token.size > 1 && token.data[0] == '0'))
        return false;
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] < '0' || token.data[i] > '9')
            return false;
        value = value * 10 + (size_t)(token.data[i] - '0');
    }
    *ret = value;
    return true;
}

static enum cesql_found in_object(struct json *json, struct slice token, struct json_item *ret) {
    unsigned matches = 0;
    struct json_item name, value;
    enum json_type type;
    while ((type = json_next(json, &name)) == JSON_NAME) {
        bool wanted = json_item_is(&name, token);
        if (json_skip(json, &value) == JSON_ERROR)
            return CESQL_FOUND_BAD;
        if (wanted) {
            matches++;
            *ret = value;
        }
    }
    if (type != JSON_OBJECT_END || matches > 1)
        return CESQL_FOUND_BAD;
    return matches ? CESQL_FOUND : CESQL_FOUND_ABSENT;
}

static enum cesql_found in_array(struct json *json, struct slice token, struct json_item *ret) {
    size_t wanted = SIZE_MAX;
    bool found = false;
    (void)read_index(token, &wanted);
    struct json_item value;
    for (size_t i = 0;; i++) {
        enum json_type type = json_skip(json, &value);
        if (type == JSON_ARRAY_END)
            return found ? CESQL_FOUND : CESQL_FOUND_ABSENT;
        if (type == JSON_ERROR)
            return CESQL_FOUND_BAD;
        if (i == wanted) {
            found = true;
            *ret = value;
        }
    }
}

/* One step down. Reads all of `text`, so that what follows can't contradict what was found. */
static enum cesql_found descend(struct slice text, struct slice token, struct json_item *ret) {
    struct json json;
    struct json_item item;
    enum cesql_found found;
    json_init(&json, text, JSON_DEPTH_LIMIT);
    enum json_type type = json_next(&json, &item);
    if (type == JSON_OBJECT)
        found = in_object(&json, token, ret);
    else if (type == JSON_ARRAY)
        found = in_array(&json, token, ret);
    else
        found = type == JSON_ERROR ? CESQL_FOUND_BAD : CESQL_FOUND_ABSENT;
    if (found != CESQL_FOUND_BAD && json_next(&json, &item) != JSON_END)
        found = CESQL_FOUND_BAD;
    return found;
}

static enum cesql_found walk(struct cesql_run *run, struct slice text, const struct cesql_pointer *pointer,
                             struct json_item *ret) {
    struct json json;
    if (!charge(run, text.size))
        return CESQL_FOUND_BAD;
    if (pointer->count == 0) { /* all of it */
        struct json_item end;
        json_init(&json, text, JSON_DEPTH_LIMIT);
        if (json_skip(&json, ret) == JSON_ERROR || json_next(&json, &end) != JSON_END)
            return CESQL_FOUND_BAD;
        return CESQL_FOUND;
    }
    for (size_t i = 0; i < pointer->count; i++) {
        if (i > 0) {
            if (ret->type != JSON_OBJECT && ret->type != JSON_ARRAY)
                return CESQL_FOUND_ABSENT;
            text = ret->raw;
            if (!charge(run, text.size))
                return CESQL_FOUND_BAD;
        }
        enum cesql_found found = descend(text, pointer->tokens[i], ret);
        if (found != CESQL_FOUND)
            return found;
    }
    return CESQL_FOUND;
}

/* The payload as JSON text: verbatim where it is, else unescaped or decoded into the scratch. */
static struct slice payload(struct cesql_run *run) {
    const struct message *message = run->message;
    if (message->data_form == DATA_NONE || (message->data_form != DATA_JSON && !message_data_is_json(message)))
        return slice_make(NULL, 0);
    struct slice data = message_data_verbatim(message);
    if (data.data)
        return data;
    struct buffer out;
    size_t size = message_data_size(message);
    uint8_t *room = size <= CESQL_SCRATCH_MAX ? cesql_scratch(run, size) : NULL;
    if (!room)
        return slice_make(NULL, 0);
    buffer_init_fixed(&out, room, size);
    message_data_write(message, &out);
    return out.status == STATUS_OK ? buffer_slice(&out) : slice_make(NULL, 0);
}

static enum cesql_found find(struct cesql_run *run, const struct cesql_pointer *pointer, struct json_item *ret) {
    if (pointer->header) {
        if (!message_has(run->message, ATTRIBUTE_MSGHEADERS))
            return CESQL_FOUND_ABSENT;
        return walk(run, message_text(run->message, ATTRIBUTE_MSGHEADERS), pointer, ret);
    }
    if (!run->data_ready) {
        run->data = payload(run);
        run->data_ready = true;
    }
    return run->data.data ? walk(run, run->data, pointer, ret) : CESQL_FOUND_BAD;
}

enum cesql_found cesql_data_find(struct cesql_run *run, uint32_t pointer, struct json_item *ret) {
    if (run->found[pointer] == CESQL_FOUND_UNKNOWN)
        run->found[pointer] = (uint8_t)find(run, &run->cesql->pointers[pointer], &run->items[pointer]);
    *ret = run->items[pointer];
    return (enum cesql_found)run->found[pointer];
}
