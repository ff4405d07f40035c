/* CloudEvents protobuf event format 1.0.2: from a message to bytes. */
#include "base/text.h"
#include "message/check.h"
#include "message/encode.h"
#include "message/timestamp.h"
#include "message/wire.h"

/* A CloudEventAttributeValue about to be written. */
struct leaf {
    uint8_t tag;
    uint8_t form; /* enum value_form, or: */
    struct slice bytes;
    uint64_t number;
    int64_t seconds;
    int32_t nanos;
    size_t payload; /* behind tag (and length) */
    size_t size;    /* all of it */
};

#define LEAF_BASE64 0xff /* text that stands for bytes */

static size_t timestamp_size(int64_t seconds, int32_t nanos) {
    return (seconds ? 1 + wire_varint_size((uint64_t)seconds) : 0) + (nanos ? 1 + wire_varint_size((uint64_t)nanos) : 0);
}

/* False when the format can't hold it: a timestamp of the year 0. */
static bool leaf_of_timestamp(struct leaf *leaf, struct slice text) {
    if (!timestamp_parse(text, &leaf->seconds, &leaf->nanos) || leaf->seconds < INT64_C(-62135596800))
        return false;
    leaf->form = VALUE_TIMESTAMP;
    leaf->bytes = slice_make(NULL, 0);
    leaf->payload = timestamp_size(leaf->seconds, leaf->nanos);
    return true;
}

static bool leaf_of_text(struct leaf *leaf, const struct leaving *leaving) {
    leaf->form = VALUE_TEXT;
    leaf->bytes = leaving->bytes;
    leaf->payload = leaving->bytes.size;
    if (leaving->type == ATTRIBUTE_TIMESTAMP)
        return leaf_of_timestamp(leaf, leaving->bytes);
    if (leaving->type == ATTRIBUTE_BINARY) {
        leaf->form = LEAF_BASE64;
        leaf->payload = text_base64_get(NULL, leaving->bytes);
        return leaf->payload != SIZE_MAX;
    }
    return true;
}

static bool leaf_of(struct leaf *leaf, const struct leaving *leaving) {
    static const uint8_t tags[] = {
        [ATTRIBUTE_BOOLEAN] = 0x08, [ATTRIBUTE_INTEGER] = 0x10,       [ATTRIBUTE_STRING] = 0x1a,    [ATTRIBUTE_BINARY] = 0x22,
        [ATTRIBUTE_URI] = 0x2a,     [ATTRIBUTE_URI_REFERENCE] = 0x32, [ATTRIBUTE_TIMESTAMP] = 0x3a,
    };
    leaf->tag = tags[leaving->type];
    if (leaving->form == VALUE_NUMBER) {
        leaf->form = VALUE_NUMBER;
        leaf->number = (uint64_t)(int64_t)leaving->number;
        leaf->size = 1 + wire_varint_size(leaf->number);
        return true;
    }
    if (leaving->form == VALUE_TEXT) {
        if (!leaf_of_text(leaf, leaving))
            return false;
    } else {
        leaf->form = VALUE_BYTES; /* an encoded Timestamp too goes as it came */
        leaf->bytes = leaving->bytes;
        leaf->payload = leaving->bytes.size;
    }
    leaf->size = 1 + wire_varint_size(leaf->payload) + leaf->payload;
    return true;
}

static uint8_t *put_bytes(uint8_t *at, struct slice bytes) {
    if (bytes.size)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static uint8_t *put_leaf(uint8_t *at, const struct leaf *leaf) {
    *at++ = leaf->tag;
    if (leaf->form == VALUE_NUMBER)
        return wire_put_varint(at, leaf->number);
    at = wire_put_varint(at, leaf->payload);
    if (leaf->form == LEAF_BASE64) {
        text_base64_get(at, leaf->bytes);
        return at + leaf->payload;
    }
    if (leaf->form != VALUE_TIMESTAMP)
        return put_bytes(at, leaf->bytes);
    if (leaf->seconds) {
        *at++ = 0x08;
        at = wire_put_varint(at, (uint64_t)leaf->seconds);
    }
    if (leaf->nanos) {
        *at++ = 0x10;
        at = wire_put_varint(at, (uint64_t)leaf->nanos);
    }
    return at;
}

/* One entry of the map `attributes`. */
static enum status write_entry(const struct leaving *leaving, struct buffer *out) {
    struct leaf leaf;
    if (!leaf_of(&leaf, leaving))
        return STATUS_MALFORMED_EVENT;
    size_t key = 2 + leaving->name.size; /* at most 64 */
    size_t entry = key + 1 + wire_varint_size(leaf.size) + leaf.size;
    uint8_t *at = buffer_reserve(out, 1 + wire_varint_size(entry) + entry);
    if (!at)
        return out->status;
    *at++ = 0x2a;
    at = wire_put_varint(at, entry);
    *at++ = 0x0a;
    *at++ = (uint8_t)leaving->name.size;
    at = put_bytes(at, leaving->name);
    *at++ = 0x12;
    at = wire_put_varint(at, leaf.size);
    at = put_leaf(at, &leaf);
    buffer_added(out, (size_t)(at - (out->data + out->size)));
    return STATUS_OK;
}

static uint8_t *reserve_field(struct buffer *out, uint8_t tag, size_t size) {
    uint8_t *at = buffer_reserve(out, 1 + wire_varint_size(size) + size);
    if (!at)
        return NULL;
    *at++ = tag;
    uint8_t *end = wire_put_varint(at, size);
    buffer_added(out, (size_t)(end - at) + 1 + size);
    return end;
}

static void write_field(struct buffer *out, uint8_t tag, struct slice bytes) {
    uint8_t *at = reserve_field(out, tag, bytes.size);
    if (at)
        put_bytes(at, bytes);
}

static uint8_t required_tag(unsigned known) {
    return known == ATTRIBUTE_ID ? 0x0a : known == ATTRIBUTE_SOURCE ? 0x12 : known == ATTRIBUTE_TYPE ? 0x22 : 0;
}

/* Whether the data leaves as google.protobuf.Any, whose URL and type say dataschema and datacontenttype. */
static bool leaves_as_any(const struct message *message, const struct overlay *overlay, struct slice type) {
    uint64_t touched = overlay ? overlay->removed | overlay->set : 0;
    if (touched & (ATTRIBUTE_BIT(ATTRIBUTE_DATASCHEMA) | ATTRIBUTE_BIT(ATTRIBUTE_DATACONTENTTYPE)))
        return false;
    if (message->data_form == DATA_ANY)
        return true;
    return message->data_form != DATA_NONE && slice_equal(type, SLICE_OF(MEDIA_PROTOBUF)) &&
           message_has(message, ATTRIBUTE_DATASCHEMA) && check_type_url(message_text(message, ATTRIBUTE_DATASCHEMA));
}

static uint8_t *put_data(const struct message *message, uint8_t *at, size_t size) {
    struct buffer out;
    buffer_init_fixed(&out, at, size);
    message_data_write(message, &out);
    return at + size;
}

static void write_any(const struct message *message, struct buffer *out) {
    struct slice url = message_text(message, ATTRIBUTE_DATASCHEMA);
    size_t size = message_data_size(message);
    size_t url_field = 1 + wire_varint_size(url.size) + url.size;
    uint8_t *at = reserve_field(out, 0x42, url_field + (size ? 1 + wire_varint_size(size) + size : 0));
    if (!at)
        return;
    *at++ = 0x0a;
    at = put_bytes(wire_put_varint(at, url.size), url);
    if (size) {
        *at++ = 0x12;
        put_data(message, wire_put_varint(at, size), size);
    }
}

static void write_data(const struct message *message, struct slice type, struct buffer *out) {
    enum media_class class = media_class(type);
    bool is_text = false;
    switch ((enum data_form)message->data_form) {
    case DATA_NONE:
        return;
    case DATA_JSON:
        is_text = class != MEDIA_CLASS_OTHER;
        break;
    case DATA_TEXT:
    case DATA_STRING:
        is_text = class == MEDIA_CLASS_JSON || class == MEDIA_CLASS_TEXT || message->encoding == ENCODING_PROTO;
        break;
    case DATA_BYTES:
    case DATA_BASE64:
    case DATA_ANY:
        break;
    }
    size_t size = message_data_size(message);
    uint8_t *at = reserve_field(out, is_text ? 0x3a : 0x32, size);
    if (at)
        put_data(message, at, size);
}

static enum status write_whole(const struct message *message, const struct overlay *overlay, struct buffer *out) {
    struct slice type = encode_content_type(message, overlay);
    bool as_any = leaves_as_any(message, overlay, type);
    struct leaving leaving;
    unsigned position = 0;
    write_field(out, 0x1a, SLICE_OF("1.0"));
    while (leaving_next(message, overlay, &position, &leaving)) {
        if (required_tag(leaving.known) && leaving.known != ATTRIBUTE_OTHER) {
            write_field(out, required_tag(leaving.known), leaving.bytes);
            continue;
        }
        if (as_any && (leaving.known == ATTRIBUTE_DATASCHEMA ||
                       (leaving.known == ATTRIBUTE_DATACONTENTTYPE && slice_equal(type, SLICE_OF(MEDIA_PROTOBUF)))))
            continue;
        enum status status = write_entry(&leaving, out);
        if (status != STATUS_OK)
            return status;
    }
    if (encode_adds_json_type(message, overlay)) {
        leaving = (struct leaving){.name = SLICE("datacontenttype"), .form = VALUE_TEXT, .bytes = SLICE(MEDIA_JSON)};
        type = leaving.bytes;
        enum status status = write_entry(&leaving, out);
        if (status != STATUS_OK)
            return status;
    }
    if (as_any)
        write_any(message, out);
    else
        write_data(message, type, out);
    return out->status;
}

enum status message_encode_proto(const struct message *message, const struct overlay *overlay, struct buffer *out) {
    if (message->encoding != ENCODING_PROTO)
        return write_whole(message, overlay, out);
    if (!overlay_is_empty(overlay)) {
        uint64_t present = message_present(message);
        uint64_t slow = ATTRIBUTE_BIT(ATTRIBUTE_DATASCHEMA) | ATTRIBUTE_BIT(ATTRIBUTE_DATACONTENTTYPE);
        if ((overlay->removed & present) || (overlay->set & (present | slow)))
            return write_whole(message, overlay, out);
    }
    /* Entries of a map may stand behind everything else. */
    buffer_add(out, slice_make(message->wire, message->wire_size));
    struct leaving leaving;
    unsigned position = message->value_count;
    while (leaving_next(message, overlay, &position, &leaving)) {
        enum status status = write_entry(&leaving, out);
        if (status != STATUS_OK)
            return status;
    }
    return out->status;
}
