/* zlib's raw deflate, a message at a time. */
#include "protocol/websocket/deflate.h"

#define ZLIB_CONST
#include <zlib.h>

#include "base/memory.h"

#define STEP 16384 /* the output grows by so much, or twofold */
#define LEVEL 1    /* of nine: the first gives most of the gain for a third of the time */

struct ws_zip {
    z_stream in, out;
    bool has_in;
    unsigned out_bits; /* 0: not made */
};

/* An empty stored block without its first byte: what the sender has taken away (section 7.2.1). */
static const uint8_t tail[4] = {0x00, 0x00, 0xff, 0xff};

static voidpf take(voidpf opaque, uInt count, uInt size) {
    (void)opaque;
    return memory_array(count, size);
}

static void give(voidpf opaque, voidpf memory) {
    (void)opaque;
    memory_free(memory);
}

static bool made(struct ws_zip **zip) {
    if (!*zip)
        *zip = memory_new(sizeof **zip);
    return *zip != NULL;
}

static bool ready_in(struct ws_zip *zip) {
    if (zip->has_in)
        return inflateReset(&zip->in) == Z_OK;
    zip->in = (z_stream){.zalloc = take, .zfree = give};
    zip->has_in = inflateInit2(&zip->in, -15) == Z_OK;
    return zip->has_in;
}

static bool ready_out(struct ws_zip *zip, unsigned bits) {
    if (zip->out_bits == bits)
        return deflateReset(&zip->out) == Z_OK;
    if (zip->out_bits)
        deflateEnd(&zip->out);
    zip->out = (z_stream){.zalloc = take, .zfree = give};
    zip->out_bits = deflateInit2(&zip->out, LEVEL, Z_DEFLATED, -(int)bits, 8, Z_DEFAULT_STRATEGY) == Z_OK ? bits : 0;
    return zip->out_bits != 0;
}

static bool is_bomb(const struct buffer *out, size_t packed) {
    return out->size > WS_INFLATE_RATIO_FROM && out->size / WS_INFLATE_RATIO > packed;
}

/* Room behind what is there; false at the limit, which one byte more tells from just being full. */
static bool more_room(struct buffer *out, size_t *ret_room) {
    size_t left = out->max - out->size;
    size_t step = out->size > STEP ? out->size : STEP;
    *ret_room = left < step ? left : step;
    return *ret_room > 0 && buffer_reserve(out, *ret_room) != NULL;
}

/* All of zip->in.next_in; how it ended in `ret_status`. */
static enum status inflate_part(struct ws_zip *zip, struct buffer *out, size_t packed) {
    z_stream *z = &zip->in;
    for (;;) {
        size_t room = 0;
        uint8_t spare;
        bool is_full = !more_room(out, &room);
        if (is_full && out->status == STATUS_NO_MEMORY)
            return STATUS_NO_MEMORY;
        z->next_out = is_full ? &spare : out->data + out->size;
        z->avail_out = is_full ? 1 : (uInt)room;
        uInt before = z->avail_out;
        int result = inflate(z, Z_SYNC_FLUSH);
        if (is_full && z->avail_out == 0)
            return STATUS_TOO_LARGE;
        if (!is_full)
            buffer_added(out, before - z->avail_out);
        if (is_bomb(out, packed))
            return STATUS_TOO_LARGE;
        if (result == Z_STREAM_END) { /* a final block: section 7.2.3.4 lets others follow */
            if (inflateReset(z) != Z_OK)
                return STATUS_NO_MEMORY;
            if (z->avail_in == 0)
                return STATUS_OK;
            continue;
        }
        if (result == Z_MEM_ERROR)
            return STATUS_NO_MEMORY;
        if (result != Z_OK && result != Z_BUF_ERROR)
            return STATUS_MALFORMED_EVENT;
        if (z->avail_in == 0 && z->avail_out > 0)
            return STATUS_OK;
        if (result == Z_BUF_ERROR && z->avail_out > 0)
            return STATUS_MALFORMED_EVENT;
    }
}

enum status ws_inflate(struct ws_zip **zip, struct slice packed, struct buffer *out) {
    buffer_clear(out);
    if (!made(zip) || !ready_in(*zip))
        return STATUS_NO_MEMORY;
    const struct slice parts[] = {packed, {tail, sizeof tail}};
    for (unsigned i = 0; i < 2; i++) {
        (*zip)->in.next_in = parts[i].data;
        (*zip)->in.avail_in = (uInt)parts[i].size;
        enum status status = parts[i].size ? inflate_part(*zip, out, packed.size) : STATUS_OK;
        if (status != STATUS_OK)
            return status;
    }
    /* zlib says so: it stands behind the end of a block, as the tail left it, or of a final one. */
    return (*zip)->in.data_type & (128 | 64) ? STATUS_OK : STATUS_MALFORMED_EVENT;
}

bool ws_deflate(struct ws_zip **zip, struct slice bytes, unsigned bits, struct buffer *out) {
    buffer_clear(out);
    if (!made(zip) || !ready_out(*zip, bits))
        return false;
    z_stream *z = &(*zip)->out;
    uint8_t *room = buffer_reserve(out, bytes.size + sizeof tail);
    if (!room)
        return false;
    z->next_in = bytes.data;
    z->avail_in = (uInt)bytes.size;
    z->next_out = room;
    z->avail_out = (uInt)(bytes.size + sizeof tail);
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in > 0 || z->avail_out == 0)
        return false;
    buffer_added(out, bytes.size - z->avail_out); /* without the tail */
    return out->size < bytes.size;
}

void ws_zip_done(struct ws_zip **zip) {
    if (!*zip)
        return;
    if ((*zip)->has_in)
        inflateEnd(&(*zip)->in);
    if ((*zip)->out_bits)
        deflateEnd(&(*zip)->out);
    memory_free(*zip);
    *zip = NULL;
}
