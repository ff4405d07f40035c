/* The JSON reader: what it accepts, it accepts token by token too, and what it says of strings and numbers is whole. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the same tokens anew; false: has a lone surrogate, which can't be written. */
static bool rewrite(struct slice text, struct buffer *out) {
    struct json json;
    struct json_item item;
    struct json_write write;
    static uint8_t room[1 << 16];
    json_init(&json, text, 0);
    json_write_init(&write, out);
    for (;;) {
        enum json_type type = json_next(&json, &item);
        ASSERT(type != JSON_ERROR);
        ASSERT(item.at <= text.size && item.raw.data >= text.data && item.raw.data + item.raw.size <= text.data + text.size);
        double number;
        size_t length = 0;
        if (type == JSON_NAME || type == JSON_STRING) {
            length = json_unescape(NULL, item.raw);
            if (length == SIZE_MAX || length > sizeof room)
                return false;
            ASSERT(length <= item.raw.size && json_unescape(room, item.raw) == length);
            ASSERT(item.has_escapes || length == item.raw.size);
            ASSERT(text_is_utf8(slice_make(room, length)));
            ASSERT(json_item_is(&item, slice_make(room, length)));
        }
        switch (type) {
        case JSON_END:
            return true;
        case JSON_OBJECT:
            json_write_object(&write);
            break;
        case JSON_OBJECT_END:
            json_write_object_end(&write);
            break;
        case JSON_ARRAY:
            json_write_array(&write);
            break;
        case JSON_ARRAY_END:
            json_write_array_end(&write);
            break;
        case JSON_NAME:
            json_write_name(&write, slice_make(room, length));
            break;
        case JSON_STRING:
            json_write_string(&write, slice_make(room, length));
            break;
        case JSON_NUMBER:
            (void)json_number_to_double(item.raw, &number);
            json_write_raw(&write, item.raw);
            break;
        case JSON_TRUE:
        case JSON_FALSE:
            json_write_bool(&write, type == JSON_TRUE);
            break;
        case JSON_NULL:
            json_write_null(&write);
            break;
        case JSON_ERROR:
            UNREACHABLE();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t room[2][1 << 19];
    struct slice text = slice_make(size ? data : (const uint8_t *)"", size);
    struct buffer once, twice;
    if (size > 1 << 16)
        return 0;
    if (!json_is_valid(text, 0)) {
        struct json json;
        struct json_item item;
        json_init(&json, text, 0);
        enum json_type type;
        size_t steps = 0;
        while ((type = json_next(&json, &item)) != JSON_ERROR) {
            ASSERT(type != JSON_END);
            ASSERT(steps++ <= size);
        }
        ASSERT(json.error && json_offset(&json) <= size);
        struct json_position position = json_position(text, json_offset(&json));
        ASSERT(position.line >= 1 && position.column >= 1 && position.column <= position.column_byte);
        return 0;
    }
    buffer_init_fixed(&once, room[0], sizeof room[0]);
    buffer_init_fixed(&twice, room[1], sizeof room[1]);
    if (!rewrite(text, &once))
        return 0;
    ASSERT(json_is_valid(buffer_slice(&once), 0));
    ASSERT(rewrite(buffer_slice(&once), &twice) && slice_equal(buffer_slice(&once), buffer_slice(&twice)));
    return 0;
}
