/* Framed TCP streams, fed whole and in portions; both must come to the same. Byte 0: framing, data alone or events, role,
 * fifo (bits below). Byte 1: size of the portions. The rest: bytes of the peer, then silence, then the end. */
#include "protocol/battery/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { FRAMES_FRAMING = 15, FRAMES_RAW = 16, FRAMES_DIALLED = 32, FRAMES_FIFO = 64, FRAMES_ASKS = 128 };

struct outcome {
    uint64_t received, invalid, settled, written;
    enum status status;
};

static void begin(struct rig *rig, unsigned choices) {
    static const struct protocol_default defaults[] = {{SLICE("messagetype"), SLICE("query")}};
    bool fifo = choices & FRAMES_FIFO, dialled = fifo || choices & FRAMES_DIALLED;
    rig_setup(rig, fifo ? &protocol_fifo : &protocol_frames, dialled ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED);
    rig->quiet = true;
    rig->setup.frame = (struct protocol_frame){
        (enum protocol_framing)((choices & FRAMES_FRAMING) % PROTOCOL_FRAME_COUNT), 7, 20 * NS_PER_MS, SLICE("aba")};
    rig->setup.format = choices & (FRAMES_RAW | FRAMES_FIFO) ? PROTOCOL_FORMAT_RAW : PROTOCOL_FORMAT_CLOUDEVENTS;
    rig->setup.limits.message = 4096;
    rig->setup.pipeline = 4;
    if (choices & FRAMES_ASKS && !dialled) {
        rig->setup.defaults = defaults;
        rig->setup.default_count = 1;
    }
    if (choices & FRAMES_ASKS && dialled)
        rig->setup.greet = (struct protocol_greet){SLICE("*a*"), SLICE("aaaaaaa"), NS_PER_S};
    rig_open(rig);
}

static void ask(struct rig *rig) {
    uint8_t room[1024];
    struct buffer extra, out;
    struct message message;
    buffer_init(&out, 1u << 20);
    for (unsigned i = 0; i < 4 && rig->sink.room.messages; i++) {
        buffer_init_fixed(&extra, room, sizeof room);
        rig_message(&message, &extra, rig->protocol == &protocol_fifo && i != 2 ? KIND_QUERY : KIND_EVENT, "a", SLICE_OF("7 bytes"));
        enum status status = rig_send(rig, &message);
        ASSERT(status == STATUS_OK || status == STATUS_NOT_REPRESENTABLE);
        rig_take(rig, &out);
    }
    buffer_done(&out);
}

static struct outcome run(unsigned choices, struct slice bytes, size_t portion) {
    struct rig rig;
    int64_t live = memory_live();
    begin(&rig, choices);
    ask(&rig);
    for (size_t at = 0; at < bytes.size; at += portion)
        rig_feed(&rig, slice_head(slice_skip(bytes, at), portion));
    struct outcome outcome = {rig.received, rig.invalid, rig.settled, rig.out.added,
                              rig.sink.closing ? rig.sink.close_status : STATUS_OK};
    ASSERT(rig.partial.capacity < 1u << 20 && rig.sink.held < 65536);
    rig_wait(&rig, 30 * NS_PER_S);
    ask(&rig);
    rig_end(&rig);
    rig_done(&rig);
    ASSERT(memory_live() == live);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 2)
        return 0;
    struct slice rest = slice_make(bytes + 2, size - 2);
    struct outcome whole = run(bytes[0], rest, rest.size + 1), cut = run(bytes[0], rest, bytes[1] + 1u);
    ASSERT(whole.received == cut.received && whole.invalid == cut.invalid && whole.settled == cut.settled &&
           whole.written == cut.written && whole.status == cut.status);
    return 0;
}
