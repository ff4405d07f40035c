/* Outgoing content modes. */
#include "protocol/http1/leave.h"

#include "protocol/http1/coded.h"

static const struct slice media[] = {
    [API_JSON] = SLICE("application/cloudevents+json"),
    [API_PROTO] = SLICE("application/cloudevents+protobuf"),
    [API_BATCH_JSON] = SLICE("application/cloudevents-batch+json"),
    [API_BATCH_PROTO] = SLICE("application/cloudevents-batch+protobuf"),
};

struct slice leave_media(enum api_mode mode) {
    return media[mode];
}

/* CloudEventBatch { 1: events }: the event behind its tag and length, which is only known afterwards. */
static enum status batch_proto(const struct message *message, const struct overlay *overlay, struct buffer *out) {
    uint8_t head[12] = {0x0a};
    size_t size = 1, start = out->size;
    enum status status = message_encode_proto(message, overlay, out);
    size_t event = out->size - start;
    if (status != STATUS_OK)
        return status;
    for (size_t left = event;; left >>= 7) {
        head[size++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        if (left <= 0x7f)
            break;
    }
    if (!buffer_reserve(out, size))
        return out->status;
    memmove(out->data + start + size, out->data + start, event);
    memcpy(out->data + start, head, size);
    buffer_added(out, size);
    return STATUS_OK;
}

static enum status encode_body(enum api_mode mode, const struct message *message, const struct overlay *overlay,
                               struct buffer *out) {
    enum status status;
    if (mode == API_BATCH_PROTO)
        return batch_proto(message, overlay, out);
    if (mode == API_PROTO)
        return message_encode_proto(message, overlay, out);
    if (mode == API_BATCH_JSON)
        buffer_add_byte(out, '[');
    status = message_encode_json(message, overlay, out);
    if (mode == API_BATCH_JSON)
        buffer_add_byte(out, ']');
    return status == STATUS_OK ? out->status : status;
}

static void add_length(struct buffer *out, size_t size) {
    buffer_add(out, SLICE_OF("Content-Length: "));
    buffer_add_u64(out, size);
    buffer_add(out, SLICE_OF("\r\n"));
}

static enum status prepare_binary(struct leave *leave, bool plainly, const struct message *message,
                                  const struct overlay *overlay, struct buffer *scratch) {
    enum status status = plainly ? message_http_plain_headers(message, overlay, scratch)
                                 : message_http_headers(message, overlay, scratch);
    if (status != STATUS_OK)
        return status;
    leave->body = slice_make(NULL, 0);
    leave->body_size = message_data_size(message);
    leave->lines = buffer_slice(scratch);
    return scratch->status;
}

static enum status prepare_structured(struct leave *leave, const struct message *message,
                                      const struct overlay *overlay, struct buffer *scratch) {
    enum message_encoding same = leave->mode == API_JSON ? ENCODING_JSON : leave->mode == API_PROTO ? ENCODING_PROTO
                                                                                                    : ENCODING_NONE;
    bool as_it_came = same != ENCODING_NONE && message->encoding == same && overlay_is_empty(overlay);
    enum status status = as_it_came ? STATUS_OK : encode_body(leave->mode, message, overlay, scratch);
    if (status != STATUS_OK)
        return status;
    size_t body_size = as_it_came ? message->wire_size : scratch->size, lines_at = scratch->size;
    buffer_add(scratch, SLICE_OF("Content-Type: "));
    buffer_add(scratch, media[leave->mode]);
    buffer_add(scratch, SLICE_OF("\r\n"));
    leave->body = as_it_came ? slice_make(message->wire, body_size) : slice_make(scratch->data, body_size);
    leave->body_size = body_size;
    leave->lines = slice_skip(buffer_slice(scratch), lines_at);
    return scratch->status;
}

enum status leave_prepare(struct leave *leave, enum api_mode mode, enum api_mode otherwise,
                          const struct message *message, const struct overlay *overlay, struct buffer *scratch) {
    leave->mode = mode;
    leave->coding = CODING_NONE;
    leave->varies = false;
    buffer_clear(scratch);
    if (mode == API_BINARY) {
        enum status status = prepare_binary(leave, otherwise != API_BINARY, message, overlay, scratch);
        if (status != STATUS_MALFORMED_EVENT && status != STATUS_NOT_SUPPORTED)
            return status;
        leave->mode = status == STATUS_NOT_SUPPORTED ? otherwise : API_JSON;
        buffer_clear(scratch);
    }
    return prepare_structured(leave, message, overlay, scratch);
}

void leave_write(const struct leave *leave, const struct message *message, bool only_head, struct buffer *out) {
    buffer_add(out, leave->lines);
    if (leave->varies)
        buffer_add(out, SLICE_OF("Vary: Accept-Encoding\r\n"));
    coded_line(leave->coding, out);
    add_length(out, leave->body_size);
    buffer_add(out, SLICE_OF("\r\n"));
    if (only_head)
        return;
    if (leave->body.data)
        buffer_add(out, leave->body);
    else if (leave->body_size)
        message_data_write(message, out);
}
