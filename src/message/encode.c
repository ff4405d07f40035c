/* What the encoders share. */
#include "message/encode.h"

#include "base/text.h"
#include "message/timestamp.h"

static void from_value(const struct message *message, const struct value *value, struct leaving *leaving) {
    leaving->name = value_name(message, value);
    leaving->known = value->known;
    leaving->type = value->type;
    leaving->form = value->form;
    if (value->form == VALUE_NUMBER) {
        leaving->number = value->number;
        leaving->bytes = slice_make(NULL, 0);
    } else {
        leaving->number = 0;
        leaving->bytes = message_bytes(message, value->span);
    }
}

static void from_entry(const struct overlay_entry *entry, struct leaving *leaving) {
    const struct attribute_row *row = attribute_row(entry->attribute);
    leaving->name = row->name;
    leaving->known = entry->attribute;
    leaving->type = (uint8_t)row->type;
    leaving->form = entry->is_number ? VALUE_NUMBER : VALUE_TEXT;
    leaving->number = entry->is_number ? entry->number : 0;
    leaving->bytes = entry->is_number ? slice_make(NULL, 0) : entry->text;
}

static const struct overlay_entry *find_entry(const struct overlay *overlay, unsigned known) {
    for (unsigned i = 0; i < overlay->count; i++)
        if (overlay->entries[i].attribute == known)
            return &overlay->entries[i];
    return NULL;
}

bool leaving_next(const struct message *message, const struct overlay *overlay, unsigned *position,
                  struct leaving *ret_leaving) {
    uint64_t removed = overlay ? overlay->removed : 0;
    uint64_t set = overlay ? overlay->set : 0;
    while (*position < message->value_count) {
        const struct value *value = &message->values[(*position)++];
        if (value->known != ATTRIBUTE_OTHER) {
            if (removed >> value->known & 1)
                continue;
            if (set >> value->known & 1) {
                from_entry(find_entry(overlay, value->known), ret_leaving);
                return true;
            }
        }
        from_value(message, value, ret_leaving);
        return true;
    }
    while (overlay && *position - message->value_count < overlay->count) {
        const struct overlay_entry *entry = &overlay->entries[(*position)++ - message->value_count];
        if (message->slot[entry->attribute])
            continue; /* went in place */
        from_entry(entry, ret_leaving);
        return true;
    }
    return false;
}

struct slice leaving_canonical(const struct leaving *leaving, char *room, size_t room_size) {
    int64_t seconds;
    int32_t nanos;
    switch ((enum value_form)leaving->form) {
    case VALUE_TEXT:
        return leaving->bytes;
    case VALUE_NUMBER:
        if (leaving->type == ATTRIBUTE_BOOLEAN)
            return leaving->number ? SLICE_OF("true") : SLICE_OF("false");
        return room_size > TEXT_U64_MAX ? slice_make(room, text_from_i64(room, leaving->number)) : slice_make(NULL, 0);
    case VALUE_BYTES:
        if (text_base64_size(leaving->bytes.size) > room_size)
            return slice_make(NULL, 0);
        return slice_make(room, text_base64_put(room, leaving->bytes));
    case VALUE_TIMESTAMP:
        if (room_size < TIMESTAMP_TEXT_MAX || !timestamp_decode(leaving->bytes, &seconds, &nanos))
            return slice_make(NULL, 0);
        return slice_make(room, timestamp_format(seconds, nanos, room));
    }
    return slice_make(NULL, 0);
}

struct slice encode_content_type(const struct message *message, const struct overlay *overlay) {
    if (overlay && overlay->removed & ATTRIBUTE_BIT(ATTRIBUTE_DATACONTENTTYPE))
        return slice_make("", 0);
    if (overlay && overlay->set & ATTRIBUTE_BIT(ATTRIBUTE_DATACONTENTTYPE))
        return find_entry(overlay, ATTRIBUTE_DATACONTENTTYPE)->text;
    return message_text(message, ATTRIBUTE_DATACONTENTTYPE);
}

bool encode_adds_json_type(const struct message *message, const struct overlay *overlay) {
    return message->data_form == DATA_JSON && encode_content_type(message, overlay).size == 0;
}

static size_t overlay_bound(const struct overlay *overlay, enum message_encoding to) {
    size_t size = 0;
    for (unsigned i = 0; overlay && i < overlay->count; i++)
        size += attribute_row(overlay->entries[i].attribute)->name.size +
                (overlay->entries[i].is_number ? 0 : overlay->entries[i].text.size) * (to == ENCODING_JSON ? 6 : 1) + 48;
    return size;
}

size_t message_encoded_bound(const struct message *message, const struct overlay *overlay, enum message_encoding to) {
    bool same = message->encoding == to && to != ENCODING_NONE;
    if (same && overlay_is_empty(overlay))
        return message->wire_size;
    size_t factor = to == ENCODING_JSON ? 6 : 1; /* a byte may become \u00XX */
    size_t size = 128 + overlay_bound(overlay, to);
    if (same)
        size += message->wire_size; /* it leaves with what it has that we don't know, unknown fields and blanks */
    for (unsigned i = 0; i < message->value_count; i++) {
        const struct value *value = &message->values[i];
        size += value_name(message, value).size + (value->form == VALUE_NUMBER ? 0 : value->span.size) * factor + 48;
    }
    /* Verbatim, as an escaped string, or as base64. */
    return size + (size_t)message->data.size * (message->data_form == DATA_JSON ? 1 : factor) + 16;
}
