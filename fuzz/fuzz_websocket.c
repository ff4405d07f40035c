/* WebSocket: the frames of a connection, and the handshakes that make one; fed whole and in portions, both must come to
 * the same. Byte 0: what it is and how it is set up (bits below). Byte 1: size of the portions. The rest: bytes of the
 * peer, then silence, then the end. */
#include "protocol/battery/rig.h"
#include "protocol/websocket/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    WS_FUZZ_CONTENT = 3, /* enum ws_content; 3: plain, and each unit asks */
    WS_FUZZ_DIALLED = 4,
    WS_FUZZ_DEFLATE = 8,
    WS_FUZZ_STRANGER = 16, /* a key is due */
    WS_FUZZ_SENDS = 32,
    WS_FUZZ_SHUTS = 64, /* we say goodbye first */
    WS_FUZZ_HANDSHAKE = 128,
};

struct outcome {
    uint64_t received, invalid, settled, written, becomes;
    enum status status;
};

static const struct protocol *row(unsigned choices) {
    if (!(choices & WS_FUZZ_HANDSHAKE))
        return &protocol_websocket;
    return choices & WS_FUZZ_DIALLED ? &protocol_websocket_dial : &protocol_http1;
}

static void begin(struct rig *rig, unsigned choices) {
    static const struct protocol_default defaults[] = {{SLICE("messagetype"), SLICE("query")}};
    unsigned content = choices & WS_FUZZ_CONTENT;
    struct ws_agreed agreed = {.content = content < WS_STREAM ? (enum ws_content)content : WS_PLAIN,
                               .deflate = choices & WS_FUZZ_DEFLATE};
    rig_setup(rig, row(choices), choices & WS_FUZZ_DIALLED ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED);
    rig->quiet = true;
    rig->setup.path = SLICE_OF("/ticks");
    rig->setup.auth = choices & WS_FUZZ_STRANGER;
    rig->setup.limits.message = 4096;
    rig->setup.websocket.contents = WS_CONTENT_OURS | (content == 3 || content == WS_PLAIN ? WS_CONTENT_BIT(WS_PLAIN) : 0);
    rig->setup.websocket.deflate = choices & WS_FUZZ_DEFLATE;
    rig->setup.websocket.ping_ns = 20 * NS_PER_S;
    rig->setup.websocket.only = content == 2;
    if (content == 3) {
        rig->setup.defaults = defaults;
        rig->setup.default_count = 1;
    }
    if (!(choices & WS_FUZZ_HANDSHAKE))
        ASSERT(ws_gift_put(&rig->worker, &agreed, !(choices & WS_FUZZ_STRANGER)));
    rig_open(rig);
}

static void send_some(struct rig *rig) {
    static uint8_t data[2000]; /* enough to be deflated */
    uint8_t room[1024];
    struct buffer extra, out;
    struct message message;
    buffer_init(&out, 1u << 20);
    for (unsigned i = 0; i < 4 && rig->sink.room.messages && !rig->sink.closing; i++) {
        buffer_init_fixed(&extra, room, sizeof room);
        rig_message(&message, &extra, KIND_EVENT, "a", slice_make(data, i % 2 ? sizeof data : 7));
        uint64_t from = rig->out.added;
        if (rig_send(rig, &message) == STATUS_OK && rig->protocol == &protocol_websocket) {
            struct slice sent = chain_find(&rig->out, from, rig->out.added);
            struct message back;
            buffer_clear(&rig->worker.extra);
            if (sent.data && rig->protocol->recover(rig->state, sent, &back))
                ASSERT(message_data_size(&back) == message_data_size(&message));
        }
        rig_take(rig, &out);
    }
    buffer_done(&out);
}

static struct outcome run(unsigned choices, struct slice bytes, size_t portion) {
    struct rig rig;
    int64_t live = memory_live();
    begin(&rig, choices);
    if (choices & WS_FUZZ_SENDS)
        send_some(&rig);
    if (choices & WS_FUZZ_SHUTS && !rig.sink.closing)
        rig.protocol->shut(rig.state, STATUS_GOING_AWAY, rig.now);
    for (size_t at = 0; at < bytes.size; at += portion)
        rig_feed(&rig, slice_head(slice_skip(bytes, at), portion));
    struct outcome outcome = {rig.received, rig.invalid, rig.settled, rig.out.added, rig.becomes,
                              rig.sink.closing ? rig.sink.close_status : STATUS_OK};
    ASSERT(rig.partial.capacity < 1u << 20 && rig.sink.held < 65536);
    if (choices & WS_FUZZ_SENDS && !rig.sink.closing)
        send_some(&rig);
    rig_wait(&rig, 30 * NS_PER_S);
    if (choices & WS_FUZZ_SHUTS && rig.protocol == &protocol_websocket)
        ASSERT(rig.sink.closing || rig.received > rig.settled_in);
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
           whole.becomes == cut.becomes && whole.written == cut.written && whole.status == cut.status);
    return 0;
}
