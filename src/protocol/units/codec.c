/* Between the payload of a unit and a message. */
#include "base/json.h"
#include "message/encoding.h"
#include "protocol/units/units.h"
#include "protocol/wrap.h"

static enum units_codec codec_of(const struct units *s, struct slice payload) {
    if (s->codec_is_one || payload.size == 0)
        return (enum units_codec)s->codec;
    return payload.data[0] == '{' ? UNITS_JSON : UNITS_PROTO; /* no event in protobuf begins with that byte */
}

/* What a plain payload is, where its carrier knows text from bytes. */
static struct slice guess_type(struct slice payload, bool is_text) {
    if (!is_text)
        return SLICE_OF("application/octet-stream");
    return json_is_valid(payload, JSON_DEPTH_LIMIT) ? SLICE_OF("application/json") : SLICE_OF("text/plain; charset=utf-8");
}

static enum status wrap_unit(struct units *s, struct slice payload, bool is_text, struct message *message,
                             struct message_fault *fault, struct now now) {
    const char *type = is_text ? s->carrier->text_type : s->carrier->binary_type;
    return wrap_payload(s->setup, s->worker, payload, slice_from(type), s->fifo ? SLICE_OF("response") : slice_make("", 0),
                        guess_type(payload, is_text), message, fault, now);
}

enum status units_decode(struct units *s, struct slice payload, bool is_text, struct message *message,
                         struct message_fault *fault, struct now now) {
    struct buffer *extra = &s->worker->extra;
    fault->attribute[0] = fault->text[0] = '\0';
    buffer_clear(extra);
    enum units_codec codec = codec_of(s, payload);
    if (codec == UNITS_RAW)
        return wrap_unit(s, payload, is_text, message, fault, now);
    enum status status = codec == UNITS_PROTO ? message_decode_proto(message, payload, extra, &s->rules, fault)
                                              : message_decode_json(message, payload, extra, &s->rules, fault);
    if (status == STATUS_OK && !s->is_dialled && !s->codec_is_one)
        s->codec = (uint8_t)codec; /* it gets what it shows to understand */
    return status;
}

size_t units_bound(const struct units *s, const struct message *message, const struct overlay *overlay) {
    switch ((enum units_codec)s->codec) {
    case UNITS_RAW:
        return message_data_size(message);
    case UNITS_PROTO:
        return message_encoded_bound(message, overlay, ENCODING_PROTO);
    case UNITS_JSON:
        break;
    }
    return message_encoded_bound(message, overlay, ENCODING_JSON);
}

/* JSON has line ends only as white space between tokens (in strings they are escaped): a space is as good. */
void units_flatten(uint8_t *bytes, size_t size) {
    uint8_t *at = bytes, *end = bytes + size;
    while ((at = memchr(at, '\n', (size_t)(end - at))))
        *at = ' ';
    for (at = bytes; (at = memchr(at, '\r', (size_t)(end - at)));)
        *at = ' ';
}

enum status units_encode(struct units *s, const struct message *message, const struct overlay *overlay, struct buffer *out) {
    switch ((enum units_codec)s->codec) {
    case UNITS_RAW:
        message_data_write(message, out);
        return out->status;
    case UNITS_PROTO:
        return message_encode_proto(message, overlay, out);
    case UNITS_JSON:
        break;
    }
    enum status status = message_encode_json(message, overlay, out);
    if (status == STATUS_OK && s->carrier->one_line)
        units_flatten(out->data, out->size);
    return status;
}

struct slice units_find_id(const struct units *s, struct slice payload) {
    struct json json;
    struct json_item item, value;
    if (codec_of(s, payload) != UNITS_JSON)
        return slice_make(NULL, 0);
    json_init(&json, payload, 0);
    if (json_next(&json, &item) != JSON_OBJECT)
        return slice_make(NULL, 0);
    while (json_next(&json, &item) == JSON_NAME && json_skip(&json, &value) != JSON_ERROR)
        if (value.type == JSON_STRING && !value.has_escapes && json_item_is(&item, SLICE_OF("id")))
            return slice_head(value.raw, value.raw.size <= UNITS_ID_MAX ? value.raw.size : 0);
    return slice_make(NULL, 0);
}
