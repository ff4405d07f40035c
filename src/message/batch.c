/* Batches: the frame is checked whole, then events are handed out one by one. */
#include "base/assert.h"
#include "base/json.h"
#include "message/encoding.h"
#include "message/store.h"
#include "message/wire.h"

/* Positions a reader at the next element; `rest` is what follows the opening bracket or a comma. */
static enum status open_json(struct message_batch *batch, struct slice bytes, struct message_fault *fault) {
    struct json json;
    struct json_item item;
    json_init(&json, bytes, JSON_DEPTH_DEFAULT + 1);
    if (json_next(&json, &item) != JSON_ARRAY)
        return store_fault(fault, (struct slice){0}, "a batch is a JSON array");
    batch->rest = slice_skip(bytes, json_offset(&json));
    enum json_type type;
    while ((type = json_skip(&json, &item)) != JSON_ARRAY_END)
        if (type == JSON_ERROR)
            return store_fault(fault, (struct slice){0}, "JSON: %s at byte %zu", json.error, json_offset(&json));
    if (json_next(&json, &item) != JSON_END)
        return store_fault(fault, (struct slice){0}, "JSON: %s at byte %zu", json.error, json_offset(&json));
    return STATUS_OK;
}

/* CloudEventBatch: 1 events. */
static bool next_proto(struct wire_reader *reader, struct slice *ret_event) {
    while (reader->at < reader->end) {
        uint32_t tag;
        if (!wire_tag(reader, &tag))
            return false;
        if (tag == 0x0a)
            return wire_bytes(reader, ret_event);
        if (tag >> 3 == 1 || !wire_skip(reader, tag))
            return false;
    }
    return false;
}

static enum status open_proto(struct message_batch *batch, struct slice bytes, struct message_fault *fault) {
    struct slice event;
    if (bytes.size == 0)
        bytes = SLICE_OF("");
    struct wire_reader reader = {bytes.data, bytes.data + bytes.size};
    while (next_proto(&reader, &event)) {
    }
    if (reader.at != reader.end)
        return store_fault(fault, (struct slice){0}, "protobuf: broken batch");
    batch->rest = bytes;
    return STATUS_OK;
}

enum status message_batch_open(struct message_batch *batch, struct slice bytes, bool is_proto, struct message_fault *fault) {
    batch->is_proto = is_proto;
    batch->index = 0;
    return is_proto ? open_proto(batch, bytes, fault) : open_json(batch, bytes, fault);
}

static bool next_json(struct message_batch *batch, struct slice *ret_event) {
    struct json json;
    struct json_item item;
    struct slice rest = batch->rest;
    /* Known to be valid: what stands here is white space, a comma, and the element or the end. */
    while (rest.data[0] == ' ' || rest.data[0] == '\t' || rest.data[0] == '\n' || rest.data[0] == '\r' || rest.data[0] == ',')
        rest = slice_skip(rest, 1);
    if (rest.data[0] == ']')
        return false;
    json_init(&json, rest, JSON_DEPTH_DEFAULT);
    enum json_type type = json_skip(&json, &item);
    ASSERT(type != JSON_ERROR);
    size_t end = json_offset(&json);
    *ret_event = slice_make(rest.data + item.at, end - item.at); /* with the quotes of a string */
    batch->rest = slice_skip(rest, end);
    return true;
}

bool message_batch_next(struct message_batch *batch, struct slice *ret_event) {
    bool found;
    if (batch->is_proto) {
        struct wire_reader reader = {batch->rest.data, batch->rest.data + batch->rest.size};
        found = next_proto(&reader, ret_event);
        batch->rest = slice_make(reader.at, (size_t)(reader.end - reader.at));
    } else {
        found = next_json(batch, ret_event);
    }
    batch->index += found;
    return found;
}
