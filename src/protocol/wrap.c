/* Wrapping payloads into events. */
#include "protocol/wrap.h"

#include "message/encoding.h"
#include "message/timestamp.h"

struct slice wrap_source(const struct protocol_setup *setup, struct slice system, char *room, size_t size) {
    struct buffer text;
    buffer_init_fixed(&text, room, size);
    buffer_add(&text, setup->public_url);
    buffer_add_text(&text, system.size ? "/systems/" : "/listeners/");
    buffer_add(&text, system.size ? system : setup->name);
    return buffer_slice(&text);
}

static enum attribute_type declared_type(const struct attribute_declared *declared, struct slice name) {
    for (size_t i = 0; declared && i < declared->count; i++)
        if (slice_equal(declared->rows[i].name, name))
            return declared->rows[i].type;
    return ATTRIBUTE_STRING;
}

static enum status add_defaults(struct message *message, struct buffer *extra, const struct wrap *wrap,
                                struct message_fault *fault) {
    for (size_t i = 0; i < wrap->default_count; i++) {
        const struct protocol_default *row = &wrap->defaults[i];
        enum attribute known = attribute_find(row->name);
        bool is_given = known == ATTRIBUTE_TARGET && wrap->target.size;
        bool is_ours = known == ATTRIBUTE_ID || (known == ATTRIBUTE_MESSAGETYPE && wrap->messagetype.size);
        if (is_given || is_ours || known == ATTRIBUTE_DATACONTENTTYPE)
            continue;
        enum status status =
            message_add_named(message, extra, row->name, declared_type(wrap->declared, row->name), row->value, fault);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status add_absent(struct message *message, struct buffer *extra, enum attribute attribute, struct slice text,
                              struct message_fault *fault) {
    return message_has(message, attribute) ? STATUS_OK : message_add(message, extra, attribute, text, fault);
}

static enum status add_required(struct message *message, struct buffer *extra, const struct wrap *wrap,
                                struct message_fault *fault) {
    char text[TIMESTAMP_TEXT_MAX];
    int64_t ns = wrap->now.ns;
    size_t size = timestamp_format(ns / NS_PER_S, (int32_t)(ns % NS_PER_S / NS_PER_MS * NS_PER_MS), text);
    enum status status = message_add(message, extra, ATTRIBUTE_ID, wrap->id, fault);
    if (status == STATUS_OK)
        status = add_absent(message, extra, ATTRIBUTE_SOURCE, wrap->source, fault);
    if (status == STATUS_OK)
        status = add_absent(message, extra, ATTRIBUTE_TYPE, wrap->type, fault);
    if (status == STATUS_OK)
        status = add_absent(message, extra, ATTRIBUTE_TIME, slice_make(text, size), fault);
    if (status == STATUS_OK && wrap->messagetype.size)
        status = message_add(message, extra, ATTRIBUTE_MESSAGETYPE, wrap->messagetype, fault);
    return status;
}

enum status wrap_begin(struct message *message, struct slice body, struct buffer *extra, const struct wrap *wrap,
                       struct message_fault *fault) {
    message_init(message, body);
    enum status status = message_http_header(message, extra, SLICE_OF("specversion"), SLICE_OF("1.0"), NULL, fault);
    if (status == STATUS_OK)
        status = add_defaults(message, extra, wrap, fault);
    return status == STATUS_OK ? add_required(message, extra, wrap, fault) : status;
}

struct slice wrap_content_type(const struct wrap *wrap, struct slice own, struct slice otherwise) {
    struct slice type = own;
    for (size_t i = 0; i < wrap->default_count && type.size == 0; i++)
        if (slice_equal(wrap->defaults[i].name, SLICE_OF("datacontenttype")))
            type = wrap->defaults[i].value;
    if (type.size == 0)
        type = otherwise;
    return type.size ? type : slice_make(NULL, 0);
}

enum status wrap_finish(struct message *message, struct buffer *extra, struct slice content_type,
                        struct message_fault *fault) {
    return message_http_finish(message, extra, content_type, fault);
}

enum status wrap_payload(const struct protocol_setup *setup, struct protocol_worker *worker, struct slice payload,
                         struct slice type, struct slice messagetype, struct slice media, struct message *message,
                         struct message_fault *fault, struct now now) {
    char id[UUID_TEXT_SIZE], source[WRAP_SOURCE_MAX];
    uint8_t receipt[16];
    uuid_make(&worker->ids, now.wall, receipt);
    uuid_text(receipt, id);
    struct wrap wrap = {.declared = setup->declared,
                        .defaults = setup->defaults,
                        .default_count = setup->default_count,
                        .id = slice_make(id, sizeof id),
                        .source = wrap_source(setup, setup->system, source, sizeof source),
                        .type = type,
                        .messagetype = messagetype,
                        .now = now.wall};
    enum status status = wrap_begin(message, payload, &worker->extra, &wrap, fault);
    if (status == STATUS_OK)
        status = wrap_finish(message, &worker->extra, wrap_content_type(&wrap, slice_make(NULL, 0), media), fault);
    memcpy(message->receipt, receipt, sizeof receipt);
    message->has_receipt = true;
    return status;
}
