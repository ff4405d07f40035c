/* CloudEvents JSON event format 1.0.2: from a message to bytes. */
#include "base/json_write.h"
#include "base/json.h"
#include "base/text.h"
#include "message/encode.h"

static void write_value(struct buffer *out, const struct leaving *leaving) {
    char room[VALUE_ROOM];
    struct json_write write;
    json_write_init(&write, out);
    if (leaving->form == VALUE_NUMBER) {
        buffer_add(out, leaving_canonical(leaving, room, sizeof room));
        return;
    }
    if (leaving->form == VALUE_BYTES)
        json_write_base64(&write, leaving->bytes);
    else
        json_write_string(&write, leaving_canonical(leaving, room, sizeof room));
}

/* Names need no escapes. */
static void write_attribute(struct buffer *out, const struct leaving *leaving) {
    buffer_add(out, SLICE_OF(",\""));
    buffer_add(out, leaving->name);
    buffer_add(out, SLICE_OF("\":"));
    write_value(out, leaving);
}

/* An untouched event but for what is added: before its last brace. */
static enum status splice(const struct message *message, const struct overlay *overlay, struct buffer *out) {
    buffer_add(out, slice_make(message->wire, message->wire_size - 1));
    for (unsigned i = 0; i < overlay->count; i++) {
        const struct overlay_entry *entry = &overlay->entries[i];
        struct leaving leaving = {
            .name = attribute_row(entry->attribute)->name,
            .type = (uint8_t)attribute_row(entry->attribute)->type,
            .form = entry->is_number ? VALUE_NUMBER : VALUE_TEXT,
            .number = entry->is_number ? entry->number : 0,
            .bytes = entry->is_number ? slice_make(NULL, 0) : entry->text,
        };
        write_attribute(out, &leaving);
    }
    buffer_add_byte(out, '}');
    return out->status;
}

static void write_base64_data(const struct message *message, struct buffer *out) {
    struct slice bytes = message_bytes(message, message->data);
    struct json_write write;
    json_write_init(&write, out);
    buffer_add_text(out, ",\"data_base64\":");
    if (message->data_form == DATA_BASE64) {
        buffer_add_byte(out, '"');
        buffer_add(out, bytes);
        buffer_add_byte(out, '"');
        return;
    }
    if (message->data_form != DATA_STRING) {
        json_write_base64(&write, bytes);
        return;
    }
    /* A string whose content type became something else. Unescaped behind the place where its base64 will stand. */
    size_t size = message_data_size(message);
    size_t encoded = text_base64_size(size);
    uint8_t *at = buffer_reserve(out, encoded + 2 + size);
    if (!at)
        return;
    json_unescape(at + encoded + 2, bytes);
    at[0] = '"';
    text_base64_put((char *)at + 1, slice_make(at + encoded + 2, size));
    at[encoded + 1] = '"';
    buffer_added(out, encoded + 2);
}

static void write_string_data(const struct message *message, struct buffer *out) {
    struct slice bytes = message_bytes(message, message->data);
    buffer_add_text(out, ",\"data\":\"");
    if (message->data_form == DATA_STRING)
        buffer_add(out, bytes);
    else
        json_escape(out, bytes);
    buffer_add_byte(out, '"');
}

static void write_raw_data(const struct message *message, struct buffer *out) {
    buffer_add_text(out, ",\"data\":");
    buffer_add(out, message_bytes(message, message->data));
}

/* Section 3.1.1: bytes are base64, of a JSON type (or none) the value itself, else a string. What claims to be JSON and
 * isn't can only leave as bytes. */
static void write_data(const struct message *message, struct slice type, struct buffer *out) {
    enum media_class class = media_class(type);
    bool stands_raw = class == MEDIA_CLASS_JSON || class == MEDIA_CLASS_NONE;
    switch ((enum data_form)message->data_form) {
    case DATA_NONE:
        return;
    case DATA_JSON:
        if (stands_raw)
            write_raw_data(message, out);
        else
            write_string_data(message, out);
        return;
    case DATA_TEXT:
        if (class == MEDIA_CLASS_JSON && json_is_valid(message_bytes(message, message->data), JSON_DEPTH_DEFAULT - 1))
            write_raw_data(message, out);
        else if (stands_raw)
            write_base64_data(message, out);
        else
            write_string_data(message, out);
        return;
    case DATA_STRING:
        if (stands_raw)
            write_base64_data(message, out);
        else
            write_string_data(message, out);
        return;
    case DATA_BYTES:
    case DATA_BASE64:
    case DATA_ANY:
        write_base64_data(message, out);
        return;
    }
}

enum status message_encode_json(const struct message *message, const struct overlay *overlay, struct buffer *out) {
    if (message->encoding == ENCODING_JSON) {
        if (overlay_is_empty(overlay)) {
            buffer_add(out, slice_make(message->wire, message->wire_size));
            return out->status;
        }
        /* Of data without a content type its meaning may change: not in the fast way. */
        uint64_t slow = message_present(message) | ATTRIBUTE_BIT(ATTRIBUTE_DATACONTENTTYPE);
        if (!(message->marks & MARK_NULLS) && !(overlay->removed & message_present(message)) && !(overlay->set & slow))
            return splice(message, overlay, out);
    }
    struct leaving leaving;
    unsigned position = 0;
    buffer_add_text(out, "{\"specversion\":\"1.0\"");
    while (leaving_next(message, overlay, &position, &leaving))
        write_attribute(out, &leaving);
    write_data(message, encode_content_type(message, overlay), out);
    buffer_add_byte(out, '}');
    return out->status;
}
