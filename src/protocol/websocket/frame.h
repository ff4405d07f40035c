/* WebSocket frames (RFC 6455 section 5) as bytes: heads, masks, and what may stand in them. Pure; knows no connection. */
#ifndef PROTOCOL_WEBSOCKET_FRAME_H
#define PROTOCOL_WEBSOCKET_FRAME_H

#include "base/slice.h"

#define WS_HEAD_MAX 14
#define WS_CONTROL_MAX 125 /* payload of a control frame */
#define WS_REASON_MAX 123  /* of which two bytes are the code */

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xa,
};

struct ws_head {
    bool fin;
    bool rsv1, rsv2, rsv3;
    bool masked;
    uint8_t opcode;
    uint8_t key[4];
    size_t size;      /* of the head */
    uint64_t payload; /* bytes behind it */
};

enum ws_result { WS_MORE, WS_DONE, WS_BAD };

/* Reads a head. WS_MORE: not all of it is there, head->size says how many bytes are due at least. WS_BAD: its length
 * isn't written in the shortest form or has its highest bit set; `ret_words`. */
enum ws_result ws_head_read(struct ws_head *head, struct slice bytes, const char **ret_words);

static inline bool ws_is_control(unsigned opcode) {
    return opcode >= 8;
}
static inline bool ws_is_known(unsigned opcode) {
    return opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
}

/* Bytes of a head before so much payload. */
static inline size_t ws_head_size(uint64_t payload, bool masked) {
    return (payload < 126 ? 2u : payload <= 0xffff ? 4u : 10u) + (masked ? 4u : 0u);
}
/* Writes a final frame's head; returns its size. `key` NULL: not masked. */
size_t ws_head_write(uint8_t *at, unsigned opcode, bool rsv1, uint64_t payload, const uint8_t *key);

/* Masks or unmasks `size` bytes from `in` to `out`, which may be the same. `key` as it applies to the first of them. */
void ws_mask(uint8_t *out, const uint8_t *in, size_t size, const uint8_t key[static 4]);

/* Codes that may come in a close frame (section 7.4). */
bool ws_close_is_legal(unsigned code);

/* UTF-8 that comes in parts. Zeroed: nothing has come. */
struct ws_utf8 {
    uint8_t left;      /* continuation bytes that are due */
    uint8_t low, high; /* bounds of the next one; 0: the usual */
};
/* False as soon as no continuation could make it well formed. */
bool ws_utf8_next(struct ws_utf8 *utf8, struct slice part);
/* Whether it may end here. */
static inline bool ws_utf8_is_whole(const struct ws_utf8 *utf8) {
    return utf8->left == 0;
}

#endif
