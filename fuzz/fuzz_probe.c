/* Probes: what a peer answers, whole and in portions: both must come to the same verdict. Byte 0: which probe and what it looks
 * for (bits below). Byte 1: size of the portions. The rest: bytes of the peer, then the end. */
#include "protocol/battery/rig.h"
#include "protocol/probe/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    PROBE_FUZZ_ROW = 3,
    PROBE_FUZZ_BODY = 4, /* http: a text is looked for. bytes: a pattern with `*` */
    PROBE_FUZZ_SHAKEN = 8, /* websocket: the handshake went well */
};

static struct probe_verdict run(unsigned choices, struct slice bytes, size_t portion) {
    static const struct protocol *const rows[] = {&protocol_probe_http, &protocol_probe_bytes,
                                                  &protocol_probe_stream, &protocol_probe_websocket};
    unsigned row = choices & PROBE_FUZZ_ROW;
    struct rig rig;
    int64_t live = memory_live();
    rig_setup(&rig, rows[row], PROTOCOL_DIALLED);
    rig.quiet = true;
    rig.setup.path = SLICE_OF("/healthz");
    rig.setup.host = SLICE_OF("h");
    rig.setup.timeouts.attempt_ns = NS_PER_S;
    rig.setup.websocket.contents = WS_CONTENT_BIT(WS_PLAIN);
    rig.setup.check.low = 200;
    rig.setup.check.high = 299;
    rig.setup.check.body = choices & PROBE_FUZZ_BODY ? SLICE_OF("aab") : slice_make("", 0);
    rig.setup.check.expect = choices & PROBE_FUZZ_BODY ? SLICE_OF("a*ab*") : SLICE_OF("+PONG");
    rig_open(&rig);
    struct probe *probe = rig.state;
    if (row == 3 && choices & PROBE_FUZZ_SHAKEN) {
        char accept[WS_ACCEPT_SIZE], answer[200];
        ws_accept_of(slice_make(probe->key, WS_KEY_SIZE), accept);
        (void)snprintf(
            answer, sizeof answer,
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
            WS_ACCEPT_SIZE, accept);
        rig_feed(&rig, slice_from(answer));
        ASSERT(!rig.sink.closing);
    }
    for (size_t at = 0; at < bytes.size; at += portion)
        rig_feed(&rig,
                 slice_head(slice_skip(bytes, at), bytes.size - at < portion ? bytes.size - at : portion));
    rig_end(&rig);
    ASSERT(probe->verdict.is_there && rig.sink.closing); /* an end is a verdict */
    struct probe_verdict verdict = probe->verdict;
    rig_done(&rig);
    ASSERT(memory_live() == live);
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < 2)
        return 0;
    struct slice rest = slice_make(bytes + 2, size - 2);
    struct probe_verdict whole = run(bytes[0], rest, rest.size + 1),
                         parts = run(bytes[0], rest, bytes[1] % 16 + 1u);
    ASSERT(whole.is_good == parts.is_good && strcmp(whole.words, parts.words) == 0);
    return 0;
}
