/* CloudEvents JSON event format 1.0.2: from bytes to a message. */
#include "base/json.h"
#include "base/text.h"
#include "message/encoding.h"
#include "message/store.h"

struct decoder {
    struct message *message;
    struct buffer *extra;
    const struct message_rules *rules;
    struct message_fault *fault;
    struct json json;
    const uint8_t *base;       /* of the wire */
    struct json_names nulls;   /* members that are null and no known attribute */
    uint64_t null_attributes;
    bool has_specversion;
    bool has_data;
    bool has_base64;
    struct json_item data; /* of either */
    size_t data_end;
};

static enum status out_of_extra(struct decoder *d) {
    return store_fault_status(d->fault, d->extra->status, "the attributes are too large");
}

static enum status syntax_fault(struct decoder *d) {
    return store_fault(d->fault, (struct slice){0}, "JSON: %s at byte %zu", d->json.error, json_offset(&d->json));
}

/* What a name or a string means: where it stands, or unescaped into extra. */
static enum status text_of(struct decoder *d, const struct json_item *item, struct slice *ret_text, uint32_t *ret_at) {
    if (!item->has_escapes) {
        *ret_text = item->raw;
        *ret_at = (uint32_t)(item->raw.data - d->base);
        return STATUS_OK;
    }
    uint8_t *at = store_extra(d->message, d->extra, item->raw.size, ret_at);
    if (!at)
        return out_of_extra(d);
    size_t size = json_unescape(at, item->raw);
    if (size == SIZE_MAX)
        return store_fault(d->fault, (struct slice){0}, "JSON: lone surrogate in the string at byte %zu", item->at);
    store_extra_trim(d->message, d->extra, item->raw.size - size);
    *ret_text = slice_make(at, size);
    return STATUS_OK;
}

static enum status read_specversion(struct decoder *d) {
    static const struct slice name = SLICE("specversion");
    struct json_item item;
    if (d->has_specversion)
        return store_fault(d->fault, name, "is there twice");
    enum json_type type = json_skip(&d->json, &item);
    if (type == JSON_ERROR)
        return syntax_fault(d);
    if (type != JSON_STRING || !json_item_is(&item, SLICE_OF("1.0")))
        return store_fault(d->fault, name, "must be \"1.0\"");
    d->has_specversion = true;
    return STATUS_OK;
}

static enum status read_data(struct decoder *d, bool is_base64) {
    struct slice name = is_base64 ? SLICE_OF("data_base64") : SLICE_OF("data");
    if (is_base64 ? d->has_base64 : d->has_data)
        return store_fault(d->fault, name, "is there twice");
    if (d->has_base64 || d->has_data)
        return store_fault(d->fault, (struct slice){0}, "`data` and `data_base64` must not be there both");
    enum json_type type = json_skip(&d->json, &d->data);
    if (type == JSON_ERROR)
        return syntax_fault(d);
    if (is_base64 && type != JSON_STRING)
        return store_fault(d->fault, name, "must be a string");
    d->data_end = json_offset(&d->json);
    d->has_data = !is_base64;
    d->has_base64 = is_base64;
    return STATUS_OK;
}

/* CloudEvents JSON format section 2.2: null is absent. Still nobody may name the attribute a second time. */
static enum status read_null(struct decoder *d, const struct store_name *name) {
    struct json_item item = {.type = JSON_NAME, .raw = name->text};
    d->message->marks |= MARK_NULLS;
    if (name->known != ATTRIBUTE_OTHER) {
        if (d->message->slot[name->known] || (d->null_attributes & ATTRIBUTE_BIT(name->known)))
            return store_fault(d->fault, name->text, "is there twice");
        d->null_attributes |= ATTRIBUTE_BIT(name->known);
        return STATUS_OK;
    }
    switch (json_names_add(&d->nulls, &item)) {
    case JSON_NAMES_NEW:
        break;
    case JSON_NAMES_FULL:
        return store_fault(d->fault, name->text, "is one attribute too many: %d at most", JSON_NAMES_MAX);
    case JSON_NAMES_DUPLICATE:
        return store_fault(d->fault, name->text, "is there twice");
    }
    if (message_find(d->message, name->text))
        return store_fault(d->fault, name->text, "is there twice");
    return STATUS_OK;
}

static bool was_null(struct decoder *d, const struct store_name *name) {
    if (name->known != ATTRIBUTE_OTHER)
        return d->null_attributes >> name->known & 1;
    for (size_t i = 0; i < d->nulls.count; i++)
        if (slice_equal(d->nulls.items[i].raw, name->text))
            return true;
    return false;
}

static enum status read_string(struct decoder *d, const struct store_name *name, const struct json_item *item) {
    struct slice text;
    uint32_t at;
    if (name->type == ATTRIBUTE_INTEGER || name->type == ATTRIBUTE_BOOLEAN)
        return store_fault(d->fault, name->text, "must be a JSON %s",
                           name->type == ATTRIBUTE_INTEGER ? "number" : "boolean");
    enum status status = text_of(d, item, &text, &at);
    return status != STATUS_OK ? status : store_text(d->message, name, name->type, text, at, d->fault);
}

static enum status read_number(struct decoder *d, const struct store_name *name, const struct json_item *item) {
    int64_t number;
    if (name->is_declared && name->type != ATTRIBUTE_INTEGER)
        return store_fault(d->fault, name->text, "must be a JSON %s",
                           name->type == ATTRIBUTE_BOOLEAN ? "boolean" : "string");
    if (!json_number_to_i64(item->raw, &number) || number < INT32_MIN || number > INT32_MAX)
        return store_fault(d->fault, name->text, "must be an integer of 32 bits");
    return store_number(d->message, name, ATTRIBUTE_INTEGER, (int32_t)number, d->fault);
}

static enum status read_boolean(struct decoder *d, const struct store_name *name, bool value) {
    if (name->is_declared && name->type != ATTRIBUTE_BOOLEAN)
        return store_fault(d->fault, name->text, "must be a JSON %s",
                           name->type == ATTRIBUTE_INTEGER ? "number" : "string");
    return store_number(d->message, name, ATTRIBUTE_BOOLEAN, value, d->fault);
}

static enum status read_value(struct decoder *d, const struct store_name *name, const struct json_item *item) {
    if (item->type == JSON_NULL)
        return read_null(d, name);
    if ((d->message->marks & MARK_NULLS) && was_null(d, name))
        return store_fault(d->fault, name->text, "is there twice");
    if (item->type == JSON_STRING)
        return read_string(d, name, item);
    if (item->type == JSON_NUMBER)
        return read_number(d, name, item);
    if (item->type == JSON_TRUE || item->type == JSON_FALSE)
        return read_boolean(d, name, item->type == JSON_TRUE);
    return store_fault(d->fault, name->text, "must not be an %s", item->type == JSON_ARRAY ? "array" : "object");
}

/* What most attributes are: known, a string, verbatim. False: nothing was done. */
static bool read_plainly(struct decoder *d, unsigned known, const struct json_item *item) {
    if (known == ATTRIBUTE_OTHER || item->type != JSON_STRING || item->has_escapes || (d->message->marks & MARK_NULLS))
        return false;
    unsigned type = attribute_row(known)->type;
    return type != ATTRIBUTE_INTEGER && type != ATTRIBUTE_BOOLEAN &&
           store_known_text(d->message, known, type, item->raw, (uint32_t)(item->raw.data - d->base));
}

static enum status read_attribute(struct decoder *d, struct slice text, uint32_t at) {
    struct store_name name;
    struct json_item item;
    unsigned known = attribute_find(text);
    if (json_next(&d->json, &item) == JSON_ERROR)
        return syntax_fault(d);
    if (read_plainly(d, known, &item))
        return STATUS_OK;
    enum status status = store_name_known(&name, known, text, d->rules, d->fault);
    name.at = at;
    return status == STATUS_OK ? read_value(d, &name, &item) : status;
}

static enum status read_member(struct decoder *d, const struct json_item *item) {
    struct slice text;
    uint32_t at;
    enum status status = text_of(d, item, &text, &at);
    if (status != STATUS_OK)
        return status;
    if (text.size == 4 && memcmp(text.data, "data", 4) == 0)
        return read_data(d, false);
    if (text.size == 11) {
        if (memcmp(text.data, "specversion", 11) == 0)
            return read_specversion(d);
        if (memcmp(text.data, "data_base64", 11) == 0)
            return read_data(d, true);
    }
    return read_attribute(d, text, at);
}

static enum status finish_base64(struct decoder *d) {
    struct slice text;
    uint32_t at;
    /* Base64 has slashes, and some writers escape those. */
    enum status status = text_of(d, &d->data, &text, &at);
    if (status != STATUS_OK)
        return status;
    if (text_base64_get(NULL, text) == SIZE_MAX)
        return store_fault(d->fault, SLICE_OF("data_base64"), "must be base64 (RFC 4648 section 4)");
    d->message->data_form = DATA_BASE64;
    d->message->data = (struct span){text.size ? at : 0, (uint32_t)text.size};
    return STATUS_OK;
}

/* Section 3.1.2: of a JSON type (or none) `data` is the value itself, of any other it is a string with the text. */
static enum status finish_data(struct decoder *d) {
    struct message *message = d->message;
    enum media_class class = media_class(message_text(message, ATTRIBUTE_DATACONTENTTYPE));
    if (class == MEDIA_CLASS_JSON || class == MEDIA_CLASS_NONE) {
        size_t at = (size_t)(d->json.start - d->base) + d->data.at;
        message->data_form = DATA_JSON;
        message->data = (struct span){(uint32_t)at, (uint32_t)(d->data_end - d->data.at)};
        return STATUS_OK;
    }
    if (d->data.type != JSON_STRING)
        return store_fault(d->fault, SLICE_OF("data"), "must be a string unless `datacontenttype` is JSON");
    if (d->data.has_escapes && json_unescape(NULL, d->data.raw) == SIZE_MAX)
        return store_fault(d->fault, SLICE_OF("data"), "must not hold a lone surrogate");
    message->data_form = d->data.has_escapes ? DATA_STRING : DATA_TEXT;
    message->data = (struct span){d->data.raw.size ? (uint32_t)(d->data.raw.data - d->base) : 0,
                                  (uint32_t)d->data.raw.size};
    return STATUS_OK;
}

static enum status finish(struct decoder *d) {
    enum status status = STATUS_OK;
    if (!d->has_specversion)
        return store_fault(d->fault, SLICE_OF("specversion"), "is missing");
    status = store_required(d->message, d->fault);
    if (status == STATUS_OK && d->has_base64)
        status = finish_base64(d);
    if (status == STATUS_OK && d->has_data)
        status = finish_data(d);
    return status;
}

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct slice trim(struct slice wire) {
    while (wire.size && is_space(wire.data[0]))
        wire = slice_skip(wire, 1);
    while (wire.size && is_space(wire.data[wire.size - 1]))
        wire.size--;
    return wire;
}

enum status message_decode_json(struct message *message, struct slice wire, struct buffer *extra,
                                const struct message_rules *rules, struct message_fault *fault) {
    if (wire.size > rules->size_max || wire.size > UINT32_MAX / 2)
        return store_fault_status(fault, STATUS_TOO_LARGE, "the event is too large");
    struct decoder d; /* filled by hand: the table of null names is large and mostly unused */
    d.message = message;
    d.extra = extra;
    d.rules = rules;
    d.fault = fault;
    d.null_attributes = 0;
    d.has_specversion = d.has_data = d.has_base64 = false;
    json_names_init(&d.nulls);
    struct slice object = trim(wire);
    store_begin(message, object, ENCODING_JSON);
    d.base = message->wire;
    json_init(&d.json, object, JSON_DEPTH_DEFAULT);
    struct json_item item;
    if (json_next(&d.json, &item) != JSON_OBJECT)
        return d.json.error ? syntax_fault(&d) : store_fault(fault, (struct slice){0}, "an event is a JSON object");
    for (;;) {
        enum json_type type = json_next(&d.json, &item);
        if (type == JSON_OBJECT_END)
            break;
        enum status status = type == JSON_NAME ? read_member(&d, &item) : syntax_fault(&d);
        if (status != STATUS_OK)
            return status;
    }
    if (json_next(&d.json, &item) != JSON_END)
        return syntax_fault(&d);
    return finish(&d);
}
