/* Exchanges that are streamed: what both roles do with bodies. They are read in their own framing and written in that of
 * the other side, never copied from one to the other unread (RFC 9112 section 6). */
#include "protocol/http1/inner.h"

#define CHUNK_ROOM 24 /* a size in hex and a line end */

/* -- out -- */

static unsigned write_hex(uint8_t *out, size_t size) {
    static const char digits[] = "0123456789abcdef";
    unsigned count = 1;
    for (size_t rest = size >> 4; rest; rest >>= 4)
        count++;
    for (unsigned i = count; i-- > 0; size >>= 4)
        out[i] = (uint8_t)digits[size & 15];
    return count;
}

/* In portions of the size that the pool of blocks keeps: larger blocks would come from the heap and go back to it each turn,
 * and their pages with them. */
#define PORTION (CHAIN_BLOCK_SIZE - 64)

static bool write_plain(struct chain *out, struct slice data) {
    while (data.size) {
        struct slice portion = slice_head(data, PORTION);
        if (!chain_add(out, portion))
            return false;
        data = slice_skip(data, portion.size);
    }
    return true;
}

static bool write_chunk(struct chain *out, struct slice data, bool last) {
    uint8_t head[CHUNK_ROOM];
    struct slice line = slice_make(head, write_hex(head, data.size));
    memcpy(head + line.size, "\r\n", 2);
    line.size += 2;
    if (data.size && (!chain_add(out, line) || !write_plain(out, data) || !chain_add(out, SLICE_OF("\r\n"))))
        return false;
    return !last || chain_add(out, SLICE_OF("0\r\n\r\n"));
}

bool relay_write(struct http1 *h, struct http1_relay *r, struct slice data, bool last) {
    struct chain *out = h->sink->out;
    r->out_done |= last;
    if (r->out_chunked)
        return write_chunk(out, data, last);
    if (!r->is_tunnel && !r->out_until_close) {
        if (data.size > r->out_left || (last && data.size < r->out_left))
            return false; /* our mistake: both sides were told the same length */
        r->out_left -= data.size;
    }
    return write_plain(out, data);
}

/* -- in -- */

bool relay_expect(struct http1_in *in, const struct http1_head *head) {
    chunked_init(&in->chunked);
    in->skip = head->length;
    switch (head->framing) {
    case HTTP1_NO_BODY:
        return false;
    case HTTP1_LENGTH:
        in->phase = PHASE_STREAM_LENGTH;
        return head->length > 0;
    case HTTP1_CHUNKED:
        in->phase = PHASE_STREAM_CHUNKS;
        return true;
    case HTTP1_UNTIL_CLOSE:
        break;
    }
    in->phase = PHASE_STREAM_ALL;
    return true;
}

/* False: no more for now, or for ever. */
static bool pass(struct http1 *h, struct slice data) {
    return h->sink->calls->stream_data(h->sink->user, data, false) && !h->sink->closing;
}

static enum http1_result ended_early(struct http1_in *in) {
    in->chunked.words = "it ends in its middle";
    return HTTP1_BAD;
}

static size_t read_chunks(struct http1 *h, struct http1_in *in, struct slice bytes, bool ended,
                          enum http1_result *ret_result) {
    struct slice rest = bytes, data;
    while (rest.size) {
        *ret_result = chunked_next(&in->chunked, &rest, &data);
        if (*ret_result != HTTP1_MORE || (data.size && !pass(h, data)))
            return bytes.size - rest.size;
    }
    if (ended)
        *ret_result = ended_early(in);
    return bytes.size;
}

size_t relay_read(struct http1 *h, struct http1_in *in, struct slice bytes, bool ended,
                  enum http1_result *ret_result, struct slice *ret_last) {
    struct slice piece = bytes;
    *ret_result = HTTP1_MORE;
    *ret_last = SLICE_OF("");
    if (in->phase == PHASE_STREAM_CHUNKS)
        return read_chunks(h, in, bytes, ended, ret_result);
    bool is_end = ended;
    if (in->phase == PHASE_STREAM_LENGTH) {
        if (piece.size >= in->skip)
            piece.size = (size_t)in->skip;
        in->skip -= piece.size;
        is_end = in->skip == 0;
        if (!is_end && ended)
            *ret_result = ended_early(in);
    }
    if (is_end) {
        *ret_result = HTTP1_DONE;
        *ret_last = piece;
    } else if (piece.size) {
        pass(h, piece);
    }
    return piece.size;
}

/* -- the row's -- */

static bool is_accepted(const struct http1 *h) {
    return h->setup->role == PROTOCOL_ACCEPTED;
}

static bool relay_is_free(const void *state) {
    const struct http1 *h = state;
    return !is_accepted(h) && relay_client_is_free(h);
}

static enum status relay_start(void *state, const struct protocol_stream *stream, struct now now) {
    return relay_request(state, stream, now);
}

static bool relay_head(void *state, const struct protocol_stream_answer *answer, struct now now) {
    return relay_answer(state, answer, now);
}

static bool relay_data(void *state, struct slice data, bool last, struct now now) {
    struct http1 *h = state;
    if (is_accepted(h))
        return relay_server_data(h, data, last, now);
    struct http1_relay *r = h->client.relay;
    if (!r)
        return false;
    bool ok = relay_write(h, r, data, last);
    if (r->is_tunnel && last)
        http1_close(h, STATUS_PEER_CLOSED);
    return ok;
}

static void relay_abort(void *state, enum status status, uint32_t retry_ms, struct now now) {
    struct http1 *h = state;
    if (is_accepted(h))
        relay_server_abort(h, status, retry_ms, now);
}

const struct protocol_streams http1_streams = {
    .is_free = relay_is_free,
    .begin = relay_start,
    .answer = relay_head,
    .data = relay_data,
    .abort = relay_abort,
};
