/* Stream v1 over WebSocket: bytes of the peer as they are, or frames of stream v1, each of which is made a message; fed whole
 * and in portions. Bytes 0 and 1 as in protocol_run.h, and a bit for which of the two it is. */
#include "protocol_run.h"

#include "protocol/stream/frame.h"
#include "protocol/websocket/websocket.h"

enum { RUN_WRAPS = 64 };

/* Cuts where the frames end, as far as they say where, and puts a head before each. */
static void wrap(struct slice frames, bool masked, struct buffer *out) {
    static const uint8_t key[4];
    uint8_t head[WS_HEAD_MAX];
    while (frames.size) {
        size_t size = frames.size < FRAME_HEADER ? frames.size : FRAME_HEADER + (size_t)frame_get32(frames.data);
        struct slice one = slice_head(frames, size);
        buffer_add(out, slice_make(head, ws_head_write(head, WS_BINARY, false, one.size, masked ? key : NULL)));
        buffer_add(out, one);
        frames = slice_skip(frames, one.size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const struct slice hello = SLICE("\0\0\0\x2e\1\0\0\0{\"enc\":[\"json\"],\"auth\":{\"token\":\"itk_secret\"}}");
    static const struct slice welcome = SLICE("\0\0\0\x0e\2\0\0\0{\"enc\":\"json\"}");
    struct buffer made, begin;
    if (size < 2)
        return 0;
    bool dialled = bytes[0] & RUN_DIALLED;
    buffer_init(&made, 1u << 20);
    buffer_init(&begin, 1u << 10);
    wrap(dialled ? welcome : hello, !dialled, &begin);
    buffer_add(&made, slice_make(bytes, 2));
    if (bytes[0] & RUN_WRAPS)
        wrap(slice_make(bytes + 2, size - 2), !dialled, &made);
    else
        buffer_add(&made, slice_make(bytes + 2, size - 2));
    run(&protocol_websocket_stream, buffer_slice(&begin), made.data, made.size);
    buffer_done(&made);
    buffer_done(&begin);
    return 0;
}
