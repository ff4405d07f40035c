/* Heads, masks and UTF-8 in parts. */
#include "protocol/websocket/frame.h"

#include <string.h>

static uint64_t big_endian(const uint8_t *at, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

static enum ws_result bad(const char **ret_words, const char *words) {
    *ret_words = words;
    return WS_BAD;
}

enum ws_result ws_head_read(struct ws_head *head, struct slice bytes, const char **ret_words) {
    head->size = 2;
    if (bytes.size < 2)
        return WS_MORE;
    const uint8_t *at = bytes.data;
    head->fin = at[0] & 0x80;
    head->rsv1 = at[0] & 0x40;
    head->rsv2 = at[0] & 0x20;
    head->rsv3 = at[0] & 0x10;
    head->opcode = at[0] & 0x0f;
    head->masked = at[1] & 0x80;
    head->payload = at[1] & 0x7f;
    unsigned extended = head->payload == 126 ? 2 : head->payload == 127 ? 8 : 0;
    head->size = 2 + extended; /* so far it can be judged before it is whole */
    if (bytes.size < head->size)
        return WS_MORE;
    if (extended) {
        head->payload = big_endian(at + 2, extended);
        if (head->payload >> 63)
            return bad(ret_words, "a frame's length has its highest bit set");
        if (head->payload < 126 || (extended == 8 && head->payload <= 0xffff))
            return bad(ret_words, "a frame's length is not written in the shortest form");
    }
    head->size += head->masked ? 4 : 0;
    if (bytes.size < head->size)
        return WS_MORE;
    if (head->masked)
        memcpy(head->key, at + 2 + extended, 4);
    return WS_DONE;
}

size_t ws_head_write(uint8_t *at, unsigned opcode, bool rsv1, uint64_t payload, const uint8_t *key) {
    unsigned extended = payload < 126 ? 0 : payload <= 0xffff ? 2 : 8;
    at[0] = (uint8_t)(0x80 | (rsv1 ? 0x40 : 0) | opcode);
    at[1] = (uint8_t)((key ? 0x80u : 0) | (extended == 0 ? (unsigned)payload : extended == 2 ? 126u : 127u));
    for (unsigned i = 0; i < extended; i++)
        at[2 + i] = (uint8_t)(payload >> (8 * (extended - 1 - i)));
    if (key)
        memcpy(at + 2 + extended, key, 4);
    return 2 + extended + (key ? 4u : 0u);
}

void ws_mask(uint8_t *out, const uint8_t *in, size_t size, const uint8_t key[static 4]) {
    uint64_t wide, word;
    uint8_t twice[8];
    size_t i = 0;
    memcpy(twice, key, 4);
    memcpy(twice + 4, key, 4);
    memcpy(&wide, twice, 8);
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, in + i, 8);
        word ^= wide;
        memcpy(out + i, &word, 8);
    }
    for (; i < size; i++)
        out[i] = in[i] ^ key[i & 3];
}

bool ws_close_is_legal(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* The first byte of a character: how many follow, and what the next may be (RFC 3629 section 4). */
static bool begin(struct ws_utf8 *utf8, uint8_t byte) {
    utf8->low = 0x80;
    utf8->high = 0xbf;
    if (byte < 0x80)
        return true;
    if (byte < 0xc2 || byte > 0xf4)
        return false;
    utf8->left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0)
        utf8->low = 0xa0;
    else if (byte == 0xed)
        utf8->high = 0x9f;
    else if (byte == 0xf0)
        utf8->low = 0x90;
    else if (byte == 0xf4)
        utf8->high = 0x8f;
    return true;
}

bool ws_utf8_next(struct ws_utf8 *utf8, struct slice part) {
    const uint8_t *at = part.data, *end = part.data + part.size;
    while (at < end) {
        uint64_t word;
        if (utf8->left == 0 && end - at >= 8) {
            memcpy(&word, at, 8);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += 8;
                continue;
            }
        }
        uint8_t byte = *at++;
        if (utf8->left == 0) {
            if (!begin(utf8, byte))
                return false;
            continue;
        }
        if (byte < utf8->low || byte > utf8->high)
            return false;
        utf8->low = 0x80;
        utf8->high = 0xbf;
        utf8->left--;
    }
    return true;
}
