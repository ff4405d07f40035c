/* Making, finding and keeping messages. */
#include "message/message.h"

#include "base/assert.h"
#include "message/check.h"
#include "message/store.h"

/* -- words -- */

static const struct slice kind_names[KIND_COUNT] = {
    [KIND_EVENT] = SLICE("event"),         [KIND_REQUEST] = SLICE("request"),
    [KIND_RESPONSE] = SLICE("response"),   [KIND_COMMAND] = SLICE("command"),
    [KIND_QUERY] = SLICE("query"),         [KIND_NOTIFICATION] = SLICE("notification"),
    [KIND_HEARTBEAT] = SLICE("heartbeat"), [KIND_ERROR] = SLICE("error"),
};

struct slice message_kind_name(enum message_kind kind) {
    ASSERT((unsigned)kind < KIND_COUNT);
    return kind_names[kind];
}

bool message_kind_find(struct slice name, enum message_kind *ret_kind) {
    for (unsigned i = 0; i < KIND_COUNT; i++)
        if (slice_equal(kind_names[i], name)) {
            *ret_kind = (enum message_kind)i;
            return true;
        }
    return false;
}

int message_priority_find(struct slice name) {
    static const struct slice names[PRIORITY_COUNT] = {
        SLICE("low"), SLICE("normal"), SLICE("high"), SLICE("critical"), SLICE("emergency"),
    };
    if (name.size == 1 && name.data[0] >= '1' && name.data[0] <= '5')
        return name.data[0] - '0';
    for (int i = 0; i < PRIORITY_COUNT; i++)
        if (slice_equal(names[i], name))
            return i + 1;
    return 0;
}

/* -- finding -- */

const struct value *message_find(const struct message *message, struct slice name) {
    enum attribute known = attribute_find(name);
    if (known != ATTRIBUTE_OTHER)
        return message_value(message, known);
    for (size_t i = 0; i < message->value_count; i++) {
        const struct value *value = &message->values[i];
        if (value->known == ATTRIBUTE_OTHER && slice_equal(value_name(message, value), name))
            return value;
    }
    return NULL;
}

/* -- making -- */

void message_init(struct message *message, struct slice wire) {
    ASSERT(wire.size <= UINT32_MAX / 2);
    store_begin(message, wire, ENCODING_NONE);
}

static enum status out_of_room(const struct buffer *extra, struct message_fault *fault) {
    return store_fault_status(fault, extra->status, "the attributes are too large");
}

static enum status add_named(struct message *message, struct buffer *extra, struct store_name *name, struct slice text,
                             struct message_fault *fault) {
    int32_t number = 0;
    uint32_t at = 0;
    if (name->type == ATTRIBUTE_INTEGER || name->type == ATTRIBUTE_BOOLEAN) {
        bool parsed = name->type == ATTRIBUTE_INTEGER ? check_parse_integer(text, &number)
                                                      : check_parse_boolean(text, &number);
        if (!parsed)
            return store_fault(fault, name->text, "%s", check_text(name->known, name->type, text));
        return store_number(message, name, name->type, number, fault);
    }
    if (!store_copy(message, extra, text, &at))
        return out_of_room(extra, fault);
    enum status status = store_text(message, name, name->type, text, at, fault);
    if (status != STATUS_OK)
        store_extra_trim(message, extra, text.size);
    return status;
}

enum status message_add(struct message *message, struct buffer *extra, enum attribute attribute, struct slice text,
                        struct message_fault *fault) {
    const struct attribute_row *row = attribute_row(attribute);
    struct store_name name = {.text = row->name, .known = (uint8_t)attribute, .type = (uint8_t)row->type};
    return add_named(message, extra, &name, text, fault);
}

enum status message_add_named(struct message *message, struct buffer *extra, struct slice name, enum attribute_type type,
                              struct slice text, struct message_fault *fault) {
    struct store_name found;
    enum status status = store_name(&found, name, NULL, fault);
    if (status != STATUS_OK)
        return status;
    if (found.known != ATTRIBUTE_OTHER)
        return add_named(message, extra, &found, text, fault);
    found.type = (uint8_t)type;
    if (!store_copy(message, extra, name, &found.at))
        return out_of_room(extra, fault);
    status = add_named(message, extra, &found, text, fault);
    if (status != STATUS_OK)
        store_extra_trim(message, extra, name.size);
    return status;
}

void message_set_data(struct message *message, enum data_form form) {
    message->data_form = (uint8_t)form;
    message->data = (struct span){0, form == DATA_NONE ? 0 : message->wire_size};
}

enum status message_seal(struct message *message, const struct buffer *extra, struct message_fault *fault) {
    ASSERT(extra->size >= message->extra_size);
    if (message->extra_size)
        message->extra = extra->data + (extra->size - message->extra_size);
    return store_required(message, fault);
}

/* -- keeping -- */

static size_t head_size(const struct message *message) {
    size_t size = offsetof(struct message, values) + message->value_count * sizeof message->values[0];
    return (size + 7) & ~(size_t)7;
}

size_t message_kept_size(const struct message *message) {
    return head_size(message) + message->wire_size + message->extra_size;
}

struct message *message_keep(const struct message *message, struct block_pool *pool) {
    size_t head = head_size(message);
    size_t size = message_kept_size(message);
    struct block *block = pool ? block_take(pool, size) : block_new(size, NULL);
    if (!block)
        return NULL;
    struct message *kept = (struct message *)(void *)block->data;
    memcpy(kept, message, offsetof(struct message, values) + message->value_count * sizeof message->values[0]);
    uint8_t *bytes = block->data + head;
    memcpy(bytes, message->wire, message->wire_size);
    memcpy(bytes + message->wire_size, message->extra, message->extra_size);
    kept->wire = bytes;
    kept->extra = bytes + message->wire_size;
    kept->block = block;
    return kept;
}

struct message *message_ref(struct message *kept) {
    ASSERT(kept->block);
    block_ref(kept->block);
    return kept;
}

void message_unref(struct message *kept) {
    if (!kept)
        return;
    ASSERT(kept->block);
    block_unref(kept->block);
}

/* -- changes -- */

static struct overlay_entry *overlay_entry(struct overlay *overlay, enum attribute attribute) {
    overlay->removed &= ~ATTRIBUTE_BIT(attribute);
    if (overlay->set & ATTRIBUTE_BIT(attribute))
        for (unsigned i = 0; i < overlay->count; i++)
            if (overlay->entries[i].attribute == attribute)
                return &overlay->entries[i];
    ASSERT(overlay->count < OVERLAY_MAX);
    overlay->set |= ATTRIBUTE_BIT(attribute);
    struct overlay_entry *entry = &overlay->entries[overlay->count++];
    entry->attribute = (uint8_t)attribute;
    return entry;
}

static bool takes_number(enum attribute attribute) {
    enum attribute_type type = attribute_row(attribute)->type;
    return type == ATTRIBUTE_INTEGER || type == ATTRIBUTE_BOOLEAN;
}

void overlay_set_text(struct overlay *overlay, enum attribute attribute, struct slice text) {
    ASSERT(!takes_number(attribute));
    struct overlay_entry *entry = overlay_entry(overlay, attribute);
    entry->is_number = false;
    entry->text = text;
}

void overlay_set_number(struct overlay *overlay, enum attribute attribute, int32_t number) {
    ASSERT(takes_number(attribute));
    struct overlay_entry *entry = overlay_entry(overlay, attribute);
    entry->is_number = true;
    entry->number = number;
}

void overlay_remove(struct overlay *overlay, enum attribute attribute) {
    if (overlay->set & ATTRIBUTE_BIT(attribute)) {
        overlay->set &= ~ATTRIBUTE_BIT(attribute);
        for (unsigned i = 0; i < overlay->count; i++)
            if (overlay->entries[i].attribute == attribute) {
                memmove(&overlay->entries[i], &overlay->entries[i + 1],
                        (size_t)(overlay->count - i - 1) * sizeof overlay->entries[0]);
                overlay->count--;
                break;
            }
    }
    overlay->removed |= ATTRIBUTE_BIT(attribute);
}
