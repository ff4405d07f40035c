/* Datagrams, both roles. Byte 0: bit 0 dialled, bit 1 answers, bit 2 refuses. Then datagrams: length u16, bytes. */
#include "protocol/battery/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void answer(struct rig *rig, uint64_t token, const struct message *message) {
    uint8_t room[1024];
    struct buffer extra;
    struct message reply;
    if (!rig->sink.terms.inline_reply || !message_kind_asks(message->kind))
        return;
    uint64_t before = rig->out.added;
    buffer_init_fixed(&extra, room, sizeof room);
    rig_message(&reply, &extra, KIND_RESPONSE, "r", slice_make(NULL, 0));
    enum status status = rig_send_to(rig, &reply, 0, token);
    ASSERT(status == STATUS_OK || status == STATUS_TOO_LARGE);
    ASSERT(rig->out.added - before <= 1200);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct rig rig;
    int64_t live = memory_live();
    if (size == 0)
        return 0;
    rig_setup(&rig, &protocol_datagram, bytes[0] & 1 ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED);
    rig.quiet = true;
    rig.setup.answers = bytes[0] & 2;
    rig.settle_as = bytes[0] & 4 ? STATUS_NO_ROUTE : STATUS_OK;
    rig.on_message = answer;
    rig_open(&rig);
    struct slice rest = slice_make(bytes + 1, size - 1);
    uint64_t in = 0;
    while (rest.size >= 2) {
        size_t count = (size_t)(rest.data[0] << 8 | rest.data[1]);
        struct slice one = slice_head(slice_skip(rest, 2), count);
        rig.protocol->datagram(rig.state, one, &rig.peer, rig.now);
        in += one.size;
        rest = slice_skip(rest, 2 + one.size);
    }
    ASSERT(rig.out.added <= 3 * in);
    rig_done(&rig);
    ASSERT(memory_live() == live);
    return 0;
}
