/* Events and batches in protobuf. */
#include "event_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_value(const struct value *a, const struct value *b) {
    bool is_number = a->form == VALUE_NUMBER;
    return a->known == b->known && a->type == b->type && a->form == b->form && a->name_at == b->name_at &&
           a->name_size == b->name_size && (is_number ? a->number == b->number : a->span.at == b->span.at && a->span.size == b->span.size);
}

static void one(struct slice wire) {
    static struct event event;
    event_init(&event);
    enum status status = message_decode_proto(&event.message, wire, &event.extra, &event_rules, &event.fault);
    if (status != STATUS_OK) {
        ASSERT(event.fault.status == status && event.fault.text[0]);
        return;
    }
    event_check(&event.message);
    /* With what earlier inputs had in the same places. */
    static struct message_seen seen;
    static struct event again;
    struct message_rules rules = event_rules;
    rules.seen = &seen;
    for (int i = 0; i < 2; i++) {
        event_init(&again);
        ASSERT(message_decode_proto(&again.message, wire, &again.extra, &rules, &again.fault) == STATUS_OK);
        ASSERT(again.message.kind == event.message.kind && again.message.value_count == event.message.value_count);
        for (unsigned v = 0; v < event.message.value_count; v++)
            ASSERT(same_value(&again.message.values[v], &event.message.values[v]));
    }
    event_check_kept(&event.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct message_batch batch;
    struct message_fault fault;
    struct slice wire = slice_make(size ? data : (const uint8_t *)"", size), event;
    if (size > EVENT_SIZE_MAX)
        return 0;
    one(wire);
    if (message_batch_open(&batch, wire, true, &fault) == STATUS_OK)
        while (message_batch_next(&batch, &event))
            one(event);
    return 0;
}
