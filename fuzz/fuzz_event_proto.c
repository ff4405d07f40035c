/* Events and batches in protobuf. */
#include "event_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(struct slice wire) {
    static struct event event;
    event_init(&event);
    enum status status = message_decode_proto(&event.message, wire, &event.extra, &event_rules, &event.fault);
    if (status != STATUS_OK) {
        ASSERT(event.fault.status == status && event.fault.text[0]);
        return;
    }
    event_check(&event.message);
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
