/* Events collected for a batch. */
#include "protocol/http1/gather.h"

#include "base/memory.h"

#define EDGES 16 /* brackets, or an event's tag and length */

struct gather *gather_new(bool is_proto, size_t size_max, uint64_t first) {
    struct gather *gather = memory_new(sizeof *gather);
    if (!gather)
        return NULL;
    gather->is_proto = is_proto;
    gather->first = first;
    buffer_init(&gather->bytes, size_max + GATHER_EVENT_MAX + EDGES);
    buffer_init(&gather->cuts, UINT32_MAX);
    return gather;
}

void gather_free(struct gather *gather) {
    if (!gather)
        return;
    buffer_done(&gather->bytes);
    buffer_done(&gather->cuts);
    memory_free(gather);
}

/* CloudEventBatch { 1: events }: field 1, a message of so many bytes. */
static void add_tag(struct buffer *out, size_t size) {
    buffer_add_byte(out, 0x0a);
    for (; size > 0x7f; size >>= 7)
        buffer_add_byte(out, (uint8_t)(size & 0x7f) | 0x80);
    buffer_add_byte(out, (uint8_t)size);
}

enum status gather_add(struct gather *gather, struct slice event) {
    struct buffer *bytes = &gather->bytes, *cuts = &gather->cuts;
    size_t before = bytes->size, cuts_before = cuts->size;
    if (event.size > GATHER_EVENT_MAX)
        return STATUS_TOO_LARGE;
    if (gather->is_proto)
        add_tag(bytes, event.size);
    else
        buffer_add_byte(bytes, before ? ',' : '[');
    struct gather_cut cut = {(uint32_t)bytes->size, (uint32_t)event.size};
    buffer_add(bytes, event);
    buffer_add(cuts, slice_make(&cut, sizeof cut));
    enum status status = bytes->status != STATUS_OK ? bytes->status : cuts->status;
    if (status != STATUS_OK) {
        bytes->size = before;
        cuts->size = cuts_before;
        bytes->status = cuts->status = STATUS_OK;
        return status;
    }
    gather->count++;
    return STATUS_OK;
}

struct slice gather_event(const struct gather *gather, uint32_t index) {
    struct gather_cut cut;
    memcpy(&cut, gather->cuts.data + index * sizeof cut, sizeof cut);
    return slice_make(gather->bytes.data + cut.at, cut.size);
}
