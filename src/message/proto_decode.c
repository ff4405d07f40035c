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

static enum status read_required(struct decoder *d, enum attribute attribute, struct slice text) {
    const struct attribute_row *row = attribute_row(attribute);
    struct store_name name = {.text = row->name, .known = (uint8_t)attribute, .is_declared = true, .type = (uint8_t)row->type};
    return store_text(d->message, &name, row->type, text, offset_of(d, text), d->fault);
}

static enum status read_specversion(struct decoder *d, struct slice text) {
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

static enum status store_attribute(struct decoder *d, struct slice key, struct slice value) {
    struct store_name name;
    enum status status = store_name(&name, key, d->rules, d->fault);
    if (status != STATUS_OK)
        return status;
    if (name.known == ATTRIBUTE_ID || name.known == ATTRIBUTE_SOURCE || name.known == ATTRIBUTE_TYPE)
        return store_fault(d->fault, key, "must not stand among the attributes");
    name.at = offset_of(d, key);
    return value.data ? read_value(d, &name, value) : store_fault(d->fault, key, "has no value");
}

/* As nearly every writer lays it out: key, then value, short, nothing else. Single bytes are compared on purpose: going
 * through readers in memory costs more than the whole rest. */
static inline bool is_plain_entry(struct slice entry) {
    const uint8_t *at = entry.data;
    if (entry.size < 4 || entry.size > 0x7f || at[0] != 0x0a || at[1] > entry.size - 4)
        return false;
    return at[at[1] + 2] == 0x12 && at[at[1] + 3] == entry.size - 4 - at[1];
}

static __attribute__((noinline)) enum status read_attribute(struct decoder *d, struct slice entry) {
    struct slice key, value;
    if (is_plain_entry(entry)) {
        key = slice_make(entry.data + 2, entry.data[1]);
        value = slice_make(entry.data + key.size + 4, entry.size - key.size - 4);
    } else if (!split_entry(entry, &key, &value)) {
        return broken(d, "attribute");
    }
    return store_attribute(d, key, value);
}

/* -- data -- */

static enum status read_data(struct decoder *d, struct slice bytes, enum data_form form) {
    if (d->has_data)
        return store_fault(d->fault, (struct slice){0}, "there is more than one data");
    if (form == DATA_TEXT && !check_is_plain(bytes) && !text_is_utf8(bytes))
        return store_fault(d->fault, SLICE_OF("text_data"), "must be UTF-8");
    d->has_data = true;
    d->message->data_form = (uint8_t)form;
    d->message->data = (struct span){bytes.size ? offset_of(d, bytes) : 0, (uint32_t)bytes.size};
    return STATUS_OK;
}

/* google.protobuf.Any: 1 type_url, 2 value; either is left out when empty. */
static enum status read_any(struct decoder *d, struct slice any) {
    struct slice url, value;
    if (!split_entry(any, &url, &value))
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

static __attribute__((noinline)) enum status read_field(struct decoder *d, unsigned tag, struct slice bytes) {
    switch (tag) {
    case 0x0a:
        return read_required(d, ATTRIBUTE_ID, bytes);
    case 0x12:
        return read_required(d, ATTRIBUTE_SOURCE, bytes);
    case 0x1a:
        return read_specversion(d, bytes);
    case 0x22:
        return read_required(d, ATTRIBUTE_TYPE, bytes);
    case 0x2a:
        return read_attribute(d, bytes);
    case 0x32:
        return read_data(d, bytes, DATA_BYTES);
    case 0x3a:
        return read_data(d, bytes, DATA_TEXT);
    case 0x42:
        return read_any(d, bytes);
    default:
        return STATUS_OK;
    }
}

/* What most attributes are: short, known, of a type that needs no second look. False: nothing was done. */
static inline bool read_plain_attribute(struct message *message, struct slice entry) {
    if (!is_plain_entry(entry))
        return false;
    struct slice key = slice_make(entry.data + 2, entry.data[1]);
    struct slice value = slice_make(entry.data + key.size + 4, entry.size - key.size - 4);
    unsigned known = attribute_find(key);
    if (known <= ATTRIBUTE_TYPE || known == ATTRIBUTE_OTHER || value.size < 2)
        return false;
    unsigned type = attribute_row(known)->type;
    if (value.data[0] != value_tags[type])
        return false;
    if (type == ATTRIBUTE_INTEGER)
        return value.size == 2 && value.data[1] < 0x80 && store_known_number(message, known, type, value.data[1]);
    if (value.data[1] != value.size - 2)
        return false;
    struct slice bytes = slice_make(value.data + 2, value.size - 2);
    uint32_t at = (uint32_t)(bytes.data - message->wire);
    if (type == ATTRIBUTE_TIMESTAMP)
        return store_known_timestamp(message, known, bytes, at);
    return (type == ATTRIBUTE_STRING || type == ATTRIBUTE_URI_REFERENCE) && store_known_text(message, known, type, bytes, at);
}

/* The same of a whole field. */
static inline bool read_plainly(struct message *message, unsigned tag, struct slice bytes) {
    uint32_t at = (uint32_t)(bytes.data - message->wire);
    switch (tag) {
    case 0x2a:
        return read_plain_attribute(message, bytes);
    case 0x0a:
        return store_known_text(message, ATTRIBUTE_ID, ATTRIBUTE_STRING, bytes, at);
    case 0x12:
        return store_known_text(message, ATTRIBUTE_SOURCE, ATTRIBUTE_URI_REFERENCE, bytes, at);
    case 0x22:
        return store_known_text(message, ATTRIBUTE_TYPE, ATTRIBUTE_STRING, bytes, at);
    default:
        return false;
    }
}

/* -- what was seen before -- */

static inline uint64_t load64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* Of 8 to 64 bytes; a call of memcmp() would cost as much as the whole comparison. */
static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t size) {
    uint64_t differs = load64(a + size - 8) ^ load64(b + size - 8);
    for (size_t i = 0; i + 8 < size; i += 8)
        differs |= load64(a + i) ^ load64(b + i);
    return differs == 0;
}

/* The same field stood in the same place before: what it means is known. */
static inline bool read_seen(struct message *message, const struct message_seen *seen, unsigned index, const uint8_t *at,
                             size_t size) {
    if (seen->fields[index].size != size || !same_bytes(seen->bytes[index], at, size))
        return false;
    unsigned known = seen->fields[index].known;
    if (message->slot[known] || message->value_count == MESSAGE_VALUES_MAX)
        return false; /* is there twice, or too many: those who read it in full say so */
    struct value *value = store_slot(message, known, seen->fields[index].type, VALUE_TEXT);
    value->span.at = (uint32_t)(at - message->wire) + seen->fields[index].value_at;
    value->span.size = seen->fields[index].value_size;
    if (known == ATTRIBUTE_MESSAGETYPE)
        message->kind = seen->fields[index].kind;
    return true;
}

/* A field that was just read in full, if the next event may have it again. Not an id, and no time. */
static inline void see(struct message_seen *seen, unsigned index, const struct message *message, const uint8_t *at,
                       size_t size) {
    const struct value *value = &message->values[message->value_count - 1];
    uint32_t field_at = (uint32_t)(at - message->wire);
    if (size < 8 || size > MESSAGE_SEEN_SIZE || value->form != VALUE_TEXT || value->known == ATTRIBUTE_ID ||
        value->known == ATTRIBUTE_OTHER || value->known == ATTRIBUTE_EXPIRYTIME)
        return;
    seen->fields[index].size = (uint8_t)size;
    seen->fields[index].known = value->known;
    seen->fields[index].type = value->type;
    seen->fields[index].kind = message->kind;
    seen->fields[index].value_at = (uint8_t)(value->span.at - field_at);
    seen->fields[index].value_size = (uint8_t)value->span.size;
    memcpy(seen->bytes[index], at, size);
}

/* A field that is short, as most are; `index` is its place. False: nothing was done. */
static inline bool read_short(struct decoder *d, unsigned index, const uint8_t *at, struct slice bytes) {
    struct message_seen *seen = index < MESSAGE_SEEN_FIELDS ? d->rules->seen : NULL;
    size_t size = bytes.size + 2;
    if (seen && read_seen(d->message, seen, index, at, size))
        return true;
    if (!read_plainly(d->message, at[0], bytes))
        return false;
    if (seen)
        see(seen, index, d->message, at, size);
    return true;
}

/* All known fields have a length; a known one of another wire type is broken, an unknown one is for later versions. */
static const uint8_t *read_any_field(struct decoder *d, const uint8_t *at, const uint8_t *end, enum status *ret_status) {
    struct wire_reader reader = {at, end};
    struct slice bytes;
    uint32_t tag;
    bool read = wire_tag(&reader, &tag);
    if (read && tag >> 3 <= 8 && (tag & 7) == WIRE_LENGTH) {
        read = wire_bytes(&reader, &bytes);
        *ret_status = read ? read_field(d, tag, bytes) : STATUS_OK;
    } else {
        read = read && tag >> 3 > 8 && wire_skip(&reader, tag);
        *ret_status = STATUS_OK;
    }
    if (!read)
        *ret_status = broken(d, "field");
    return reader.at;
}

enum status message_decode_proto(struct message *message, struct slice wire, struct buffer *extra,
                                 const struct message_rules *rules, struct message_fault *fault) {
    if (wire.size > rules->size_max || wire.size > UINT32_MAX / 2)
        return store_fault_status(fault, STATUS_TOO_LARGE, "the event is too large");
    struct decoder d = {.message = message, .extra = extra, .rules = rules, .fault = fault};
    store_begin(message, wire, ENCODING_PROTO);
    const uint8_t *at = message->wire;
    const uint8_t *end = at + wire.size;
    for (unsigned index = 0; at < end; index++) {
        enum status status;
        size_t left = (size_t)(end - at);
        if (left >= 2 && at[0] <= 0x42 && (at[0] & 7) == WIRE_LENGTH && at[0] >= 0x0a && at[1] < 0x80 && at[1] <= left - 2) {
            struct slice bytes = slice_make(at + 2, at[1]);
            status = read_short(&d, index, at, bytes) ? STATUS_OK : read_field(&d, at[0], bytes);
            at += 2 + bytes.size;
        } else {
            at = read_any_field(&d, at, end, &status);
        }
        if (status != STATUS_OK)
            return status;
    }
    if (!(message->marks & MARK_SPECVERSION))
        return store_fault(fault, SLICE_OF("specversion"), "is missing");
    enum status status = store_required(message, fault);
    return status == STATUS_OK && d.any_url.data ? finish_any(&d) : status;
}
