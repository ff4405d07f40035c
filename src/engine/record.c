/* The records of an input log, as bytes and back. */
#include "engine/record.h"

#include "base/map.h"
#include "base/pack.h"

#define ENGINE_INPUT_LAST INPUT_TIME

/* -- writing -- */

/* Where the body begins; the frame before it is filled in by seal(). */
static size_t begin(struct buffer *out, enum record_kind kind) {
    pack_u64(out, 0);
    pack_u8(out, (uint8_t)kind);
    return out->size - 1;
}

static void seal(struct buffer *out, size_t start) {
    if (out->status != STATUS_OK)
        return;
    struct slice body = slice_skip(buffer_slice(out), start);
    uint32_t frame[2] = {(uint32_t)body.size, crc32c(0, body)};
    for (size_t i = 0; i < RECORD_FRAME; i++)
        out->data[start - RECORD_FRAME + i] = (uint8_t)(frame[i / 4] >> (i % 4 * 8));
}

void record_header(struct buffer *out, const struct record_header *header) {
    size_t start = begin(out, RECORD_HEADER);
    pack_u32(out, RECORD_VERSION);
    pack_slice(out, header->program);
    pack_u32(out, header->worker);
    pack_u32(out, header->workers);
    pack_u64(out, header->seed);
    pack_slice(out, slice_make(header->secret.bytes, sizeof header->secret));
    pack_u32(out, header->connections_max);
    pack_u8(out, header->cut_through);
    pack_u8(out, header->memo);
    pack_u8(out, header->has_admin);
    seal(out, start);
}

void record_now(struct buffer *out, struct now now) {
    size_t start = begin(out, RECORD_NOW);
    pack_u64(out, (uint64_t)now.mono.ns);
    pack_u64(out, (uint64_t)now.wall.ns);
    seal(out, start);
}

static void pack_address(struct buffer *out, const struct address *address) {
    pack_u8(out, address->family);
    pack_u32(out, address->port);
    pack_u32(out, address->scope);
    pack_slice(out, slice_make(address->bytes, sizeof address->bytes));
}

void record_input(struct buffer *out, const struct engine_input *input) {
    size_t start = begin(out, RECORD_INPUT);
    pack_u8(out, (uint8_t)input->kind);
    pack_u32(out, input->listener);
    pack_u64(out, input->connection);
    pack_u64(out, input->size);
    pack_u32(out, input->pieces);
    pack_u32(out, input->from);
    pack_u32(out, (uint32_t)input->status);
    pack_u8(out, input->peer != NULL);
    if (input->peer)
        pack_address(out, input->peer);
    pack_u32(out, input->count);
    for (uint32_t i = 0; i < input->count; i++) {
        pack_address(out, &input->datagrams[i].from);
        pack_slice(out, input->datagrams[i].bytes);
    }
    pack_slice(out, input->bytes);
    seal(out, start);
}

void record_config(struct buffer *out, uint32_t generation, struct slice recorded) {
    size_t start = begin(out, RECORD_CONFIG);
    pack_u32(out, generation);
    pack_slice(out, recorded);
    seal(out, start);
}

void record_answer(struct buffer *out, const struct record_answer *answer) {
    size_t start = begin(out, RECORD_ANSWER);
    pack_u64(out, answer->connection);
    pack_u64(out, answer->token);
    pack_u32(out, (uint32_t)answer->status);
    pack_u32(out, answer->code);
    pack_slice(out, answer->type);
    pack_slice(out, answer->body);
    pack_slice(out, answer->lines);
    seal(out, start);
}

void record_turn(struct buffer *out, uint64_t hash, struct slice outcome) {
    size_t start = begin(out, RECORD_TURN);
    pack_u64(out, hash);
    pack_slice(out, outcome);
    seal(out, start);
}

void record_end(struct buffer *out, const struct engine *engine) {
    size_t start = begin(out, RECORD_END);
    pack_u64(out, record_totals(engine));
    seal(out, start);
}

void record_stopped(struct buffer *out, struct slice words) {
    size_t start = begin(out, RECORD_STOPPED);
    pack_slice(out, words);
    seal(out, start);
}

void record_mark(struct buffer *out, enum record_kind kind) {
    seal(out, begin(out, kind));
}

uint64_t record_hash(uint64_t before, struct slice outcome) {
    return map_hash(outcome, before);
}

uint64_t record_totals(const struct engine *engine) {
    const struct engine_totals *totals = engine_totals(engine);
    return map_hash(slice_make(totals, sizeof *totals), 0);
}

/* -- reading -- */

bool record_open(struct record_reader *reader, struct slice log) {
    *reader = (struct record_reader){log, RECORD_MAGIC_SIZE};
    return slice_starts(log, SLICE_OF(RECORD_MAGIC));
}

static void unpack_address(struct unpack *in, struct address *ret) {
    *ret = (struct address){.family = unpack_u8(in)};
    ret->port = (uint16_t)unpack_u32(in);
    ret->scope = unpack_u32(in);
    struct slice bytes = unpack_slice(in);
    in->is_bad |= bytes.size != sizeof ret->bytes || ret->family > ADDRESS_IPV6;
    if (!in->is_bad)
        memcpy(ret->bytes, bytes.data, sizeof ret->bytes);
}

static enum status unpack_status(struct unpack *in) {
    uint32_t status = unpack_u32(in);
    in->is_bad |= status >= STATUS_COUNT;
    return in->is_bad ? STATUS_OK : (enum status)status;
}

static void read_input(struct unpack *in, struct record *ret) {
    uint8_t kind = unpack_u8(in);
    in->is_bad |= kind > ENGINE_INPUT_LAST || kind == INPUT_CONFIG;
    struct engine_input *input = &ret->input;
    *input = (struct engine_input){.kind = (enum engine_input_kind)(in->is_bad ? INPUT_TIME : kind)};
    input->listener = unpack_u32(in);
    input->connection = unpack_u64(in);
    input->size = unpack_u64(in);
    input->pieces = unpack_u32(in);
    input->from = unpack_u32(in);
    input->status = unpack_status(in);
    if (unpack_u8(in)) {
        unpack_address(in, &ret->peer);
        input->peer = &ret->peer;
    }
    input->count = unpack_u32(in);
    in->is_bad |= input->count > RECORD_DATAGRAMS_MAX;
    for (uint32_t i = 0; i < input->count && !in->is_bad; i++) {
        unpack_address(in, &ret->datagrams[i].from);
        ret->datagrams[i].bytes = unpack_slice(in);
    }
    input->datagrams = ret->datagrams;
    input->bytes = unpack_slice(in);
}

static void read_header(struct unpack *in, struct record_header *ret) {
    *ret = (struct record_header){.version = unpack_u32(in)};
    if (ret->version != RECORD_VERSION) {
        in->rest.size = 0; /* whatever another version has there */
        return;
    }
    ret->program = unpack_slice(in);
    ret->worker = unpack_u32(in);
    ret->workers = unpack_u32(in);
    ret->seed = unpack_u64(in);
    struct slice secret = unpack_slice(in);
    in->is_bad |= secret.size != sizeof ret->secret;
    if (!in->is_bad)
        memcpy(&ret->secret, secret.data, sizeof ret->secret);
    ret->connections_max = unpack_u32(in);
    ret->cut_through = unpack_u8(in);
    ret->memo = unpack_u8(in);
    ret->has_admin = unpack_u8(in);
    in->is_bad |= ret->worker >= ret->workers || ret->workers > 4096;
}

static void read_answer(struct unpack *in, struct record_answer *ret) {
    ret->connection = unpack_u64(in);
    ret->token = unpack_u64(in);
    ret->status = unpack_status(in);
    ret->code = unpack_u32(in);
    ret->type = unpack_slice(in);
    ret->body = unpack_slice(in);
    ret->lines = unpack_slice(in);
}

static bool read_body(struct slice body, struct record *ret) {
    struct unpack in = unpack_from(body);
    ret->kind = (enum record_kind)unpack_u8(&in);
    switch (ret->kind) {
    case RECORD_HEADER:
        read_header(&in, &ret->header);
        break;
    case RECORD_NOW:
        ret->now.mono.ns = (int64_t)unpack_u64(&in);
        ret->now.wall.ns = (int64_t)unpack_u64(&in);
        break;
    case RECORD_INPUT:
        read_input(&in, ret);
        break;
    case RECORD_CONFIG:
        ret->config.generation = unpack_u32(&in);
        ret->config.recorded = unpack_slice(&in);
        break;
    case RECORD_ANSWER:
        read_answer(&in, &ret->answer);
        break;
    case RECORD_TURN:
        ret->turn.hash = unpack_u64(&in);
        ret->turn.outcome = unpack_slice(&in);
        break;
    case RECORD_END:
        ret->totals = unpack_u64(&in);
        break;
    case RECORD_STOPPED:
        ret->words = unpack_slice(&in);
        break;
    case RECORD_FINISH:
    case RECORD_ASKED:
    case RECORD_ASKED_END:
        break;
    default:
        return false;
    }
    return unpack_is_over(&in);
}

enum record_read record_next(struct record_reader *reader, struct record *ret) {
    struct slice rest = slice_skip(reader->log, (size_t)reader->at);
    struct unpack in = unpack_from(slice_head(rest, RECORD_FRAME));
    uint32_t size = unpack_u32(&in), crc = unpack_u32(&in);
    if (rest.size == 0 || (!in.is_bad && size == 0 && crc == 0))
        return RECORD_OVER;
    if (in.is_bad || size == 0) /* its size is written last */
        return RECORD_CUT;
    if (size > RECORD_SIZE_MAX)
        return RECORD_DAMAGED;
    struct slice body = slice_head(slice_skip(rest, RECORD_FRAME), size);
    if (body.size < size)
        return RECORD_CUT;
    if (crc32c(0, body) != crc || !read_body(body, ret))
        return RECORD_DAMAGED;
    reader->at += RECORD_FRAME + size;
    return RECORD_READ;
}
