/* CloudEvents protobuf event format 1.0.2: from bytes to a message. */
#include "base/text.h"
#include "message/check.h"
#include "message/encoding.h"
#include "message/store.h"
#include "message/wire.h"

struct decoder {
    struct message *message;
    struct buffer *extra;
    const struct message_rules *rules;
    struct message_fault *fault;
    bool has_data;
    struct slice any_url; /* of proto_data; data NULL: none */
};

static uint32_t offset_of(const struct decoder *d, struct slice bytes) {
    return (uint32_t)(bytes.data - d->message->wire);
}

static enum status broken(struct decoder *d, const char *where) {
    return store_fault(d->fault, (struct slice){0}, "protobuf: broken %s", where);
}

static enum status read_required(struct decoder *d, struct wire_reader *reader, enum attribute attribute) {
    const struct attribute_row *row = attribute_row(attribute);
    struct store_name name = {.text = row->name, .known = (uint8_t)attribute, .is_declared = true, .type = (uint8_t)row->type};
    struct slice text;
    if (!wire_bytes(reader, &text))
        return broken(d, "field");
    return store_text(d->message, &name, row->type, text, offset_of(d, text), d->fault);
}

static enum status read_specversion(struct decoder *d, struct wire_reader *reader) {
    struct slice text;
    if (!wire_bytes(reader, &text))
        return broken(d, "field");
    if (d->message->marks & MARK_SPECVERSION)
        return store_fault(d->fault, SLICE_OF("specversion"), "is there twice");
    if (text.size != 3 || memcmp(text.data, "1.0", 3) != 0)
        return store_fault(d->fault, SLICE_OF("specversion"), "must be \"1.0\"");
    d->message->marks |= MARK_SPECVERSION;
    return STATUS_OK;
}

/* -- attributes -- */

/* The field of CloudEventAttributeValue's oneof that has each type. */
static const uint8_t value_tags[] = {
    [ATTRIBUTE_BOOLEAN] = 0x08, [ATTRIBUTE_INTEGER] = 0x10, [ATTRIBUTE_STRING] = 0x1a,       [ATTRIBUTE_BINARY] = 0x22,
    [ATTRIBUTE_URI] = 0x2a,     [ATTRIBUTE_URI_REFERENCE] = 0x32, [ATTRIBUTE_TIMESTAMP] = 0x3a,
};

static enum status wrong_type(struct decoder *d, const struct store_name *name) {
    static const char *const fields[] = {
        [ATTRIBUTE_BOOLEAN] = "ce_boolean", [ATTRIBUTE_INTEGER] = "ce_integer",
        [ATTRIBUTE_STRING] = "ce_string",   [ATTRIBUTE_BINARY] = "ce_bytes",
        [ATTRIBUTE_URI] = "ce_uri",         [ATTRIBUTE_URI_REFERENCE] = "ce_uri_ref",
        [ATTRIBUTE_TIMESTAMP] = "ce_timestamp",
    };
    return store_fault(d->fault, name->text, "must be %s", fields[name->type]);
}

/* Whether a value may stand in that field: a URI is a URI-reference too. */
static bool takes(const struct store_name *name, unsigned type) {
    return !name->is_declared || name->type == type ||
           (name->type == ATTRIBUTE_URI_REFERENCE && type == ATTRIBUTE_URI);
}

static enum status store_value(struct decoder *d, const struct store_name *name, unsigned type, uint64_t number,
                               struct slice bytes) {
    int64_t seconds;
    int32_t nanos;
    if (!takes(name, type))
        return wrong_type(d, name);
    switch ((enum attribute_type)type) {
    case ATTRIBUTE_STRING:
    case ATTRIBUTE_URI:
    case ATTRIBUTE_URI_REFERENCE:
        return store_text(d->message, name, name->is_declared ? name->type : type, bytes, offset_of(d, bytes), d->fault);
    case ATTRIBUTE_INTEGER:
        /* Negative ones come with 64 bits; some writers cut them to 32. */
        if (number > UINT32_MAX && (int64_t)number < INT32_MIN)
            return store_fault(d->fault, name->text, "must be an integer of 32 bits");
        if (number > INT32_MAX && (int64_t)number > 0)
            return store_fault(d->fault, name->text, "must be an integer of 32 bits");
        return store_number(d->message, name, type, (int32_t)(int64_t)number, d->fault);
    case ATTRIBUTE_BOOLEAN:
        return store_number(d->message, name, type, number != 0, d->fault);
    case ATTRIBUTE_BINARY:
        return store_bytes(d->message, name, bytes, offset_of(d, bytes), d->fault);
    case ATTRIBUTE_TIMESTAMP:
        if (!timestamp_decode(bytes, &seconds, &nanos))
            return store_fault(d->fault, name->text, "must be a google.protobuf.Timestamp in its range");
        return store_timestamp(d->message, name, seconds, nanos, bytes, offset_of(d, bytes), d->fault);
    }
    return broken(d, "attribute");
}

static int type_of_tag(uint32_t tag) {
    for (int i = 0; i < (int)sizeof value_tags; i++)
        if (value_tags[i] == tag)
            return i;
    return -1;
}

static enum status read_value(struct decoder *d, const struct store_name *name, struct slice encoded) {
    struct wire_reader reader = {encoded.data, encoded.data + encoded.size};
    int found = -1;
    uint64_t number = 0;
    struct slice bytes = {0};
    while (reader.at < reader.end) {
        uint32_t tag;
        if (!wire_tag(&reader, &tag))
            return broken(d, "attribute");
        int type = type_of_tag(tag);
        if (type < 0) {
            if (tag >> 3 <= 7 || !wire_skip(&reader, tag))
                return broken(d, "attribute");
            continue;
        }
        if (found >= 0)
            return store_fault(d->fault, name->text, "has two values");
        found = type;
        if ((tag & 7) == WIRE_VARINT ? !wire_varint(&reader, &number) : !wire_bytes(&reader, &bytes))
            return broken(d, "attribute");
    }
    if (found < 0)
        return store_fault(d->fault, name->text, "has no value");
    return store_value(d, name, (unsigned)found, number, bytes);
}

/* A map entry: 1 key, 2 value. */
static bool split_entry(struct slice entry, struct slice *ret_key, struct slice *ret_value) {
    struct wire_reader reader = {entry.data, entry.data + entry.size};
    *ret_key = *ret_value = slice_make(NULL, 0);
    while (reader.at < reader.end) {
        uint32_t tag;
        if (!wire_tag(&reader, &tag))
            return false;
        bool read = tag == 0x0a   ? !ret_key->data && wire_bytes(&reader, ret_key)
                    : tag == 0x12 ? !ret_value->data && wire_bytes(&reader, ret_value)
                                  : tag >> 3 > 2 && wire_skip(&reader, tag);
        if (!read)
            return false;
    }
    return true;
}

static enum status read_attribute(struct decoder *d, struct wire_reader *reader) {
    struct slice entry, key, value;
    struct store_name name;
    if (!wire_bytes(reader, &entry) || !split_entry(entry, &key, &value))
        return broken(d, "attribute");
    enum status status = store_name(&name, key, d->rules, d->fault);
    if (status != STATUS_OK)
        return status;
    if (name.known == ATTRIBUTE_ID || name.known == ATTRIBUTE_SOURCE || name.known == ATTRIBUTE_TYPE)
        return store_fault(d->fault, key, "must not stand among the attributes");
    name.at = offset_of(d, key);
    return value.data ? read_value(d, &name, value) : store_fault(d->fault, key, "has no value");
}

/* -- data -- */

static enum status read_data(struct decoder *d, struct wire_reader *reader, enum data_form form) {
    struct slice bytes;
    if (!wire_bytes(reader, &bytes))
        return broken(d, "data");
    if (d->has_data)
        return store_fault(d->fault, (struct slice){0}, "there is more than one data");
    if (form == DATA_TEXT && !text_is_utf8(bytes))
        return store_fault(d->fault, SLICE_OF("text_data"), "must be UTF-8");
    d->has_data = true;
    d->message->data_form = (uint8_t)form;
    d->message->data = (struct span){bytes.size ? offset_of(d, bytes) : 0, (uint32_t)bytes.size};
    return STATUS_OK;
}

/* google.protobuf.Any: 1 type_url, 2 value; either is left out when empty. */
static enum status read_any(struct decoder *d, struct wire_reader *reader) {
    struct slice any, url, value;
    if (!wire_bytes(reader, &any) || !split_entry(any, &url, &value))
        return broken(d, "data");
    if (d->has_data)
        return store_fault(d->fault, (struct slice){0}, "there is more than one data");
    if (url.size == 0 || (!check_type_url(url) && !check_uri(url)))
        return store_fault(d->fault, SLICE_OF("proto_data"), "must have a type URL");
    d->has_data = true;
    d->any_url = url;
    d->message->data_form = DATA_ANY;
    d->message->data = (struct span){value.size ? offset_of(d, value) : 0, (uint32_t)value.size};
    return STATUS_OK;
}

/* Protobuf format section 2.3: the type URL is the dataschema, the content type application/protobuf. */
static enum status finish_any(struct decoder *d) {
    struct message *message = d->message;
    struct message_fault *fault = d->fault;
    const struct value *schema = message_value(message, ATTRIBUTE_DATASCHEMA);
    if (schema && !slice_equal(message_bytes(message, schema->span), d->any_url)) {
        /* Two schemas: the one that was spelled out stands, the payload is plain bytes. */
        message->data_form = DATA_BYTES;
    } else if (!schema) {
        struct store_name name = {.text = SLICE("dataschema"), .known = ATTRIBUTE_DATASCHEMA, .type = ATTRIBUTE_URI};
        enum status status = store_text(message, &name, ATTRIBUTE_URI, d->any_url, offset_of(d, d->any_url), fault);
        if (status != STATUS_OK)
            return status;
    }
    if (message_has(message, ATTRIBUTE_DATACONTENTTYPE))
        return STATUS_OK;
    struct store_name name = {.text = SLICE("datacontenttype"), .known = ATTRIBUTE_DATACONTENTTYPE};
    uint32_t at;
    if (!store_copy(message, d->extra, SLICE_OF(MEDIA_PROTOBUF), &at))
        return store_fault_status(fault, d->extra->status, "the attributes are too large");
    return store_text(message, &name, ATTRIBUTE_STRING, SLICE_OF(MEDIA_PROTOBUF), at, fault);
}

static enum status read_field(struct decoder *d, struct wire_reader *reader) {
    uint32_t tag;
    if (!wire_tag(reader, &tag))
        return broken(d, "field");
    switch (tag) {
    case 0x0a:
        return read_required(d, reader, ATTRIBUTE_ID);
    case 0x12:
        return read_required(d, reader, ATTRIBUTE_SOURCE);
    case 0x1a:
        return read_specversion(d, reader);
    case 0x22:
        return read_required(d, reader, ATTRIBUTE_TYPE);
    case 0x2a:
        return read_attribute(d, reader);
    case 0x32:
        return read_data(d, reader, DATA_BYTES);
    case 0x3a:
        return read_data(d, reader, DATA_TEXT);
    case 0x42:
        return read_any(d, reader);
    default:
        /* A known field of another wire type is broken, an unknown one is for later versions. */
        return tag >> 3 > 8 && wire_skip(reader, tag) ? STATUS_OK : broken(d, "field");
    }
}

enum status message_decode_proto(struct message *message, struct slice wire, struct buffer *extra,
                                 const struct message_rules *rules, struct message_fault *fault) {
    if (wire.size > rules->size_max || wire.size > UINT32_MAX / 2)
        return store_fault_status(fault, STATUS_TOO_LARGE, "the event is too large");
    struct decoder d = {.message = message, .extra = extra, .rules = rules, .fault = fault};
    store_begin(message, wire, ENCODING_PROTO);
    struct wire_reader reader = {message->wire, message->wire + wire.size};
    while (reader.at < reader.end) {
        enum status status = read_field(&d, &reader);
        if (status != STATUS_OK)
            return status;
    }
    if (!(message->marks & MARK_SPECVERSION))
        return store_fault(fault, SLICE_OF("specversion"), "is missing");
    enum status status = store_required(message, fault);
    return status == STATUS_OK && d.any_url.data ? finish_any(&d) : status;
}
