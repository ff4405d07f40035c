/* For fuzz targets of protocols: input -> one instance, fed whole and in portions; both must come to the same.
 * Byte 0: how it is set up (bits below). Byte 1: size of the portions. The rest: bytes of the peer. */
#ifndef FUZZ_PROTOCOL_RUN_H
#define FUZZ_PROTOCOL_RUN_H

#include "protocol/battery/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    RUN_DIALLED = 1,
    RUN_AUTH = 2,
    RUN_HOLD = 4,   /* settles at the end, backwards */
    RUN_REFUSE = 8, /* settles with an error */
    RUN_BEGUN = 16, /* the target says what the peer has sent before */
    RUN_SENDS = 32, /* we send messages, so that they can be settled */
};

struct run_result {
    uint64_t received, invalid, settled;
    enum status status;
};

static inline void run_send(struct rig *rig) {
    uint8_t room[1024];
    struct buffer extra;
    struct message message;
    for (unsigned i = 0; i < 5 && rig->sink.room.messages; i++) {
        char id[2] = {(char)('a' + i), 0};
        buffer_init_fixed(&extra, room, sizeof room);
        rig_message(&message, &extra, i == 3 ? KIND_QUERY : KIND_EVENT, id, slice_make(NULL, 0));
        ASSERT(rig_send(rig, &message) == STATUS_OK);
    }
}

static inline void run_settle(struct rig *rig, unsigned options) {
    enum status status = options & RUN_REFUSE ? STATUS_NO_ROUTE : STATUS_OK;
    for (uint64_t token = rig->received; token > rig->settled_in; token--)
        rig->protocol->settle(rig->state, token, token, status, 0, rig->now);
    rig->settled_in = rig->received;
}

static inline struct run_result run_once(const struct protocol *protocol, unsigned options, struct slice begin,
                                         struct slice bytes, size_t portion) {
    struct rig rig;
    int64_t live = memory_live();
    rig_setup(&rig, protocol, options & RUN_DIALLED ? PROTOCOL_DIALLED : PROTOCOL_ACCEPTED);
    rig.quiet = true;
    rig.setup.auth = options & RUN_AUTH;
    rig.setup.answers = true;
    rig.setup.limits.message = 65536;
    rig.settle_as = options & RUN_HOLD ? STATUS_COUNT : options & RUN_REFUSE ? STATUS_NO_ROUTE : STATUS_OK;
    rig_open(&rig);
    if (options & RUN_BEGUN)
        rig_feed(&rig, begin);
    if (options & RUN_SENDS)
        run_send(&rig);
    for (size_t at = 0; at < bytes.size; at += portion)
        rig_feed(&rig, slice_head(slice_skip(bytes, at), portion));
    if (options & RUN_HOLD)
        run_settle(&rig, options);
    ASSERT(rig.pool.held < 64u << 20 && rig.partial.capacity < 4u << 20);
    struct run_result result = {rig.received, rig.invalid, rig.settled, rig.sink.closing ? rig.sink.close_status : STATUS_OK};
    rig_wait(&rig, 30 * NS_PER_S);
    rig_end(&rig);
    if (options & RUN_HOLD)
        run_settle(&rig, options); /* a line may have ended with its sender */
    rig_done(&rig);
    ASSERT(memory_live() == live);
    return result;
}

/* `begin`: what the peer says before, with RUN_BEGUN. */
static inline void run(const struct protocol *protocol, struct slice begin, const uint8_t *bytes, size_t size) {
    if (size < 2)
        return;
    struct slice rest = slice_make(bytes + 2, size - 2);
    struct run_result whole = run_once(protocol, bytes[0], begin, rest, rest.size + 1);
    struct run_result cut = run_once(protocol, bytes[0], begin, rest, bytes[1] + 1u);
    ASSERT(whole.received == cut.received && whole.invalid == cut.invalid && whole.settled == cut.settled &&
           whole.status == cut.status);
}

#endif
