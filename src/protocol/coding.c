/* Content codings on zlib and zstd. */
#define ZSTD_STATIC_LINKING_ONLY /* for contexts on an allocator of ours */
#include "protocol/coding.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"

#define KEPT_MAX (256u << 10) /* of a buffer between two bodies */
#define FIRST_STEP 16384u
#define ZSTD_LEVEL 1 /* time is dearer than bytes: the fast levels of both */
#define ZLIB_LEVEL 1
#define ZLIB_GZIP 16 /* added to its window bits */

struct coder {
    ZSTD_CCtx *zstd_pack;
    ZSTD_DCtx *zstd_unpack;
    z_stream *pack[CODING_COUNT]; /* GZIP, DEFLATE */
    z_stream *unpack;             /* of both */
    struct buffer packed;
    struct buffer plain;
    struct buffer recovered;
};

static const struct slice names[CODING_COUNT] = {
    [CODING_NONE] = SLICE("identity"),
    [CODING_ZSTD] = SLICE("zstd"),
    [CODING_GZIP] = SLICE("gzip"),
    [CODING_DEFLATE] = SLICE("deflate"),
};

struct slice coding_name(enum coding coding) {
    return names[coding];
}

enum coding coding_find(struct slice name) {
    for (enum coding coding = CODING_ZSTD; coding < CODING_COUNT; coding++)
        if (slice_equal_nocase(name, names[coding]))
            return coding;
    return slice_equal_nocase(name, SLICE_OF("x-gzip")) ? CODING_GZIP : CODING_NONE;
}

static struct coder *coder_of(struct coder **place) {
    if (!*place && (*place = memory_new(sizeof **place))) {
        buffer_init(&(*place)->packed, SIZE_MAX / 2);
        buffer_init(&(*place)->plain, SIZE_MAX / 2);
        buffer_init(&(*place)->recovered, SIZE_MAX / 2);
    }
    return *place;
}

/* -- memory of the libraries -- */

static void *zlib_take(void *user, uInt count, uInt size) {
    (void)user;
    return memory_alloc((size_t)count * size);
}

static void zlib_give(void *user, void *block) {
    (void)user;
    memory_free(block);
}

static void *zstd_take(void *user, size_t size) {
    (void)user;
    return memory_alloc(size);
}

static void zstd_give(void *user, void *block) {
    (void)user;
    if (block)
        memory_free(block);
}

static const ZSTD_customMem zstd_memory = {zstd_take, zstd_give, NULL};

/* -- pack -- */

static enum status pack_zstd(struct coder *coder, struct slice bytes, uint8_t *at, size_t room, size_t *ret_size) {
    if (!coder->zstd_pack) {
        coder->zstd_pack = ZSTD_createCCtx_advanced(zstd_memory);
        if (!coder->zstd_pack)
            return STATUS_NO_MEMORY;
        ZSTD_CCtx_setParameter(coder->zstd_pack, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    }
    *ret_size = ZSTD_compress2(coder->zstd_pack, at, room, bytes.data, bytes.size);
    if (!ZSTD_isError(*ret_size))
        return STATUS_OK;
    ZSTD_CCtx_reset(coder->zstd_pack, ZSTD_reset_session_only);
    return ZSTD_getErrorCode(*ret_size) == ZSTD_error_memory_allocation ? STATUS_NO_MEMORY : STATUS_TOO_LARGE;
}

static z_stream *new_stream(void) {
    z_stream *stream = memory_new(sizeof *stream);
    if (stream) {
        stream->zalloc = zlib_take;
        stream->zfree = zlib_give;
    }
    return stream;
}

static z_stream *packer(struct coder *coder, enum coding coding) {
    z_stream **stream = &coder->pack[coding];
    if (*stream)
        return *stream;
    int window = MAX_WBITS + (coding == CODING_GZIP ? ZLIB_GZIP : 0);
    *stream = new_stream();
    if (*stream && deflateInit2(*stream, ZLIB_LEVEL, Z_DEFLATED, window, MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) != Z_OK) {
        memory_free(*stream);
        *stream = NULL;
    }
    return *stream;
}

static enum status pack_zlib(struct coder *coder, enum coding coding, struct slice bytes, uint8_t *at, size_t room,
                             size_t *ret_size) {
    z_stream *stream = packer(coder, coding);
    if (!stream)
        return STATUS_NO_MEMORY;
    if (bytes.size > UINT32_MAX)
        return STATUS_TOO_LARGE;
    deflateReset(stream);
    stream->next_in = (Bytef *)(uintptr_t)bytes.data;
    stream->avail_in = (uInt)bytes.size;
    stream->next_out = at;
    stream->avail_out = (uInt)room;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return STATUS_TOO_LARGE;
    *ret_size = room - stream->avail_out;
    return STATUS_OK;
}

enum status coding_pack(struct coder **place, enum coding coding, struct slice bytes, struct slice *ret_packed) {
    struct coder *coder = coder_of(place);
    size_t size = 0;
    if (bytes.size < 2)
        return STATUS_TOO_LARGE;
    if (!coder)
        return STATUS_NO_MEMORY;
    buffer_clear(&coder->packed);
    uint8_t *at = buffer_reserve(&coder->packed, bytes.size - 1);
    if (!at)
        return STATUS_NO_MEMORY;
    enum status status = coding == CODING_ZSTD ? pack_zstd(coder, bytes, at, bytes.size - 1, &size)
                                               : pack_zlib(coder, coding, bytes, at, bytes.size - 1, &size);
    if (status == STATUS_OK && bytes.size > CODING_RATIO_FROM && bytes.size / CODING_RATIO >= size)
        return STATUS_TOO_LARGE;
    if (status == STATUS_OK)
        *ret_packed = slice_make(at, size);
    return status;
}

/* -- unpack -- */

struct unpacking {
    struct coder *coder;
    struct buffer *out;
    size_t max; /* of what may come out */
    bool by_ratio;
    const char *words;
};

static enum status malformed(struct unpacking *u, const char *words) {
    u->words = words;
    return STATUS_MALFORMED_EVENT;
}

static enum status too_large(struct unpacking *u) {
    u->words = u->by_ratio ? "the body unpacks to more than 100 times its size"
                           : "the body unpacks to more than `limits.message`";
    return STATUS_TOO_LARGE;
}

static enum status out_of_memory(struct unpacking *u) {
    u->words = "";
    return STATUS_NO_MEMORY;
}

static enum status unpack_frame(struct unpacking *u, struct slice frame) {
    size_t room = u->max - u->out->size;
    unsigned long long content = ZSTD_getFrameContentSize(frame.data, frame.size);
    if (content == ZSTD_CONTENTSIZE_ERROR)
        return malformed(u, "the body is not zstd");
    if (content != ZSTD_CONTENTSIZE_UNKNOWN && content > room)
        return too_large(u);
    if (content != ZSTD_CONTENTSIZE_UNKNOWN)
        room = (size_t)content;
    uint8_t *at = buffer_reserve(u->out, room);
    if (!at)
        return out_of_memory(u);
    size_t size = ZSTD_decompressDCtx(u->coder->zstd_unpack, at, room, frame.data, frame.size);
    if (!ZSTD_isError(size)) {
        buffer_added(u->out, size);
        return STATUS_OK;
    }
    switch ((int)ZSTD_getErrorCode(size)) {
    case ZSTD_error_dstSize_tooSmall:
        return content == ZSTD_CONTENTSIZE_UNKNOWN ? too_large(u) : malformed(u, "the zstd frame is damaged");
    case ZSTD_error_memory_allocation:
        return out_of_memory(u);
    case ZSTD_error_dictionary_wrong:
        return malformed(u, "the zstd frame needs a dictionary");
    default:
        return malformed(u, "the zstd frame is damaged");
    }
}

/* RFC 8878 section 3: frames one behind the other; skippable ones say nothing. Only frames of that document are handed
 * to the library, which knows older formats too. */
static enum status unpack_zstd(struct unpacking *u, struct slice rest) {
    if (!u->coder->zstd_unpack && !(u->coder->zstd_unpack = ZSTD_createDCtx_advanced(zstd_memory)))
        return out_of_memory(u);
    for (unsigned members = 0; rest.size || members == 0; members++) {
        uint32_t magic = 0;
        for (unsigned i = 0; i < 4 && i < rest.size; i++)
            magic |= (uint32_t)rest.data[i] << (8 * i);
        bool skips = (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
        if (members == CODING_MEMBERS_MAX)
            return malformed(u, "the body has more than 1024 zstd frames");
        if (!skips && magic != ZSTD_MAGICNUMBER)
            return malformed(u, members ? "something stands behind the zstd frame" : "the body is not zstd");
        size_t size = ZSTD_findFrameCompressedSize(rest.data, rest.size);
        if (ZSTD_isError(size) || size > rest.size)
            return malformed(u, "the zstd frame is damaged or cut short");
        enum status status = skips ? STATUS_OK : unpack_frame(u, slice_head(rest, size));
        if (status != STATUS_OK)
            return status;
        rest = slice_skip(rest, size);
    }
    return STATUS_OK;
}

static z_stream *unpacker(struct coder *coder, int window) {
    if (coder->unpack)
        return inflateReset2(coder->unpack, window) == Z_OK ? coder->unpack : NULL;
    coder->unpack = new_stream();
    if (coder->unpack && inflateInit2(coder->unpack, window) != Z_OK) {
        memory_free(coder->unpack);
        coder->unpack = NULL;
    }
    return coder->unpack;
}

/* Until the end of one member, or why not. */
static enum status inflate_member(struct unpacking *u, z_stream *stream, size_t step) {
    for (;;) {
        /* One byte more than may come out: whether it is filled tells too large from just fitting. */
        size_t room = u->max + 1 - u->out->size;
        if (room > step)
            room = step;
        uint8_t *at = buffer_reserve(u->out, room);
        if (!at)
            return out_of_memory(u);
        stream->next_out = at;
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_FINISH);
        buffer_added(u->out, room - stream->avail_out);
        if (result == Z_MEM_ERROR)
            return out_of_memory(u);
        if (u->out->size > u->max)
            return too_large(u);
        if (result == Z_STREAM_END)
            return STATUS_OK;
        if (result == Z_NEED_DICT)
            return malformed(u, "the body needs a dictionary");
        if (result != Z_OK && result != Z_BUF_ERROR)
            return malformed(u, "the compressed body is damaged");
        if (stream->avail_out)
            return malformed(u, "the compressed body is cut short");
        step *= 2;
    }
}

/* RFC 1952 section 2.2: members one behind the other. A zlib stream (RFC 1950) stands alone. */
static enum status unpack_zlib(struct unpacking *u, enum coding coding, struct slice packed) {
    bool is_gzip = coding == CODING_GZIP;
    z_stream *stream = unpacker(u->coder, MAX_WBITS + (is_gzip ? ZLIB_GZIP : 0));
    if (!stream)
        return out_of_memory(u);
    if (packed.size > UINT32_MAX)
        return too_large(u);
    stream->next_in = (Bytef *)(uintptr_t)packed.data;
    stream->avail_in = (uInt)packed.size;
    size_t step = packed.size * 4 > FIRST_STEP ? packed.size * 4 : FIRST_STEP;
    for (unsigned members = 1;; members++) {
        enum status status = inflate_member(u, stream, step);
        if (status != STATUS_OK || stream->avail_in == 0)
            return status;
        if (!is_gzip || stream->next_in[0] != 0x1f || (stream->avail_in > 1 && stream->next_in[1] != 0x8b))
            return malformed(u, "something stands behind the end of the compressed body");
        if (members == CODING_MEMBERS_MAX)
            return malformed(u, "the body has more than 1024 gzip members");
        inflateReset(stream);
    }
}

static enum status unpack(struct coder *coder, enum coding coding, struct slice packed, size_t max, struct buffer *out,
                          const char **ret_words) {
    size_t honest = packed.size > SIZE_MAX / CODING_RATIO ? SIZE_MAX / 4 : packed.size * CODING_RATIO;
    if (honest < CODING_RATIO_FROM)
        honest = CODING_RATIO_FROM;
    struct unpacking u = {.coder = coder, .out = out, .max = honest < max ? honest : max, .by_ratio = honest < max, .words = ""};
    buffer_clear(out);
    enum status status = coding == CODING_ZSTD ? unpack_zstd(&u, packed) : unpack_zlib(&u, coding, packed);
    *ret_words = u.words;
    return status;
}

enum status coding_unpack(struct coder **place, enum coding coding, struct slice packed, size_t max,
                          struct slice *ret_bytes, const char **ret_words) {
    struct coder *coder = coder_of(place);
    *ret_words = "";
    enum status status = coder ? unpack(coder, coding, packed, max, &coder->plain, ret_words) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        *ret_bytes = buffer_slice(&coder->plain);
    return status;
}

enum status coding_recover(struct coder **place, enum coding coding, struct slice packed, size_t max, struct slice *ret_bytes) {
    struct coder *coder = coder_of(place);
    const char *words;
    enum status status = coder ? unpack(coder, coding, packed, max, &coder->recovered, &words) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        *ret_bytes = buffer_slice(&coder->recovered);
    return status;
}

/* -- rest -- */

void coding_rest(struct coder *coder) {
    if (coder && coder->packed.capacity > KEPT_MAX)
        buffer_done(&coder->packed);
    if (coder && coder->plain.capacity > KEPT_MAX)
        buffer_done(&coder->plain);
    if (coder && coder->recovered.capacity > KEPT_MAX)
        buffer_done(&coder->recovered);
}

void coding_done(struct coder **place) {
    struct coder *coder = *place;
    if (!coder)
        return;
    ZSTD_freeCCtx(coder->zstd_pack);
    ZSTD_freeDCtx(coder->zstd_unpack);
    for (enum coding coding = CODING_GZIP; coding < CODING_COUNT; coding++) {
        if (coder->pack[coding])
            deflateEnd(coder->pack[coding]);
        memory_free(coder->pack[coding]);
    }
    if (coder->unpack)
        inflateEnd(coder->unpack);
    memory_free(coder->unpack);
    buffer_done(&coder->packed);
    buffer_done(&coder->plain);
    buffer_done(&coder->recovered);
    memory_free(coder);
    *place = NULL;
}
