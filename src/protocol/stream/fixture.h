/* For tests of stream v1 only, behind "protocol/battery/rig.h": frames in and out of a rig. */
#ifndef PROTOCOL_STREAM_FIXTURE_H
#define PROTOCOL_STREAM_FIXTURE_H

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/stream/frame.h"

#define PREFACE "\xf5its\x01\0\0\0"

static struct buffer wire; /* what the rig wrote */

static inline void put_frame(struct buffer *out, unsigned type, unsigned flags, struct slice payload) {
    uint8_t *at = buffer_reserve(out, FRAME_HEADER + payload.size);
    frame_put_header(at, (uint32_t)payload.size, (uint8_t)type, (uint8_t)flags);
    if (payload.size)
        memcpy(at + FRAME_HEADER, payload.data, payload.size);
    buffer_added(out, FRAME_HEADER + payload.size);
}

static inline void feed_frame(struct rig *rig, unsigned type, unsigned flags, struct slice payload) {
    struct buffer out;
    buffer_init(&out, 4u << 20);
    put_frame(&out, type, flags, payload);
    rig_feed(rig, buffer_slice(&out));
    buffer_done(&out);
}

static inline void feed_text(struct rig *rig, unsigned type, const char *json) {
    feed_frame(rig, type, 0, slice_from(json));
}

static inline void feed_msg(struct rig *rig, uint64_t seq, unsigned flags, const char *event) {
    uint8_t payload[4096] = {0};
    frame_put64(payload, seq);
    memcpy(payload + FRAME_MSG_HEADER, event, strlen(event));
    feed_frame(rig, FRAME_MSG, flags, slice_make(payload, FRAME_MSG_HEADER + strlen(event)));
}

#define EVENT "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"t\"}"

static inline void feed_ack(struct rig *rig, uint64_t cum, unsigned count, const uint8_t (*entries)[FRAME_ACK_ENTRY]) {
    uint8_t payload[FRAME_ACK_HEADER + 16 * FRAME_ACK_ENTRY] = {0};
    frame_put64(payload, cum);
    frame_put16(payload + 8, (uint16_t)count);
    if (count)
        memcpy(payload + FRAME_ACK_HEADER, entries, count * FRAME_ACK_ENTRY);
    feed_frame(rig, FRAME_ACK, 0, slice_make(payload, FRAME_ACK_HEADER + count * FRAME_ACK_ENTRY));
}

static inline struct slice output(struct rig *rig) {
    buffer_clear(&wire);
    rig_take(rig, &wire);
    return buffer_slice(&wire);
}

/* The next frame of `bytes`; its payload. */
static inline struct slice next_frame(struct slice *bytes, unsigned *ret_type, unsigned *ret_flags) {
    assert_true(bytes->size >= FRAME_HEADER);
    uint32_t size = frame_get32(bytes->data);
    *ret_type = bytes->data[4];
    if (ret_flags)
        *ret_flags = bytes->data[5];
    assert_true(bytes->size >= FRAME_HEADER + size);
    struct slice payload = slice_make(bytes->data + FRAME_HEADER, size);
    *bytes = slice_skip(*bytes, FRAME_HEADER + size);
    return payload;
}

static inline struct slice only_frame(struct rig *rig, unsigned type) {
    struct slice bytes = output(rig);
    unsigned got;
    struct slice payload = next_frame(&bytes, &got, NULL);
    assert_int_equal(got, type);
    assert_int_equal(bytes.size, 0);
    return payload;
}

static inline bool contains(struct slice text, const char *part) {
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static inline void assert_error(struct rig *rig, unsigned code, enum status status) {
    char text[32];
    struct slice bytes = output(rig), payload = {0};
    unsigned type = 0;
    while (bytes.size)
        payload = next_frame(&bytes, &type, NULL);
    assert_int_equal(type, FRAME_ERROR);
    snprintf(text, sizeof text, "\"code\":%u,", code);
    assert_true(contains(payload, text));
    assert_true(rig->sink.closing);
    assert_true(rig->sink.reading_done);
    assert_int_equal(rig->sink.close_status, status);
    assert_int_equal(rig->sink.room.messages, 0);
}

/* An accepted connection that is open; its WELCOME is taken. */
static inline void open_with(struct rig *rig, const char *hello) {
    rig_open(rig);
    rig_feed(rig, slice_make(PREFACE, 8));
    feed_text(rig, FRAME_HELLO, hello);
    assert_false(rig->sink.closing);
    struct slice bytes = output(rig);
    assert_memory_equal(bytes.data, PREFACE, 8);
    bytes = slice_skip(bytes, 8);
    unsigned type;
    next_frame(&bytes, &type, NULL);
    assert_int_equal(type, FRAME_WELCOME);
    rig_log(rig);
}

static inline void accepted(struct rig *rig) {
    rig_setup(rig, &protocol_stream1, PROTOCOL_ACCEPTED);
    rig->settle_as = STATUS_COUNT;
    open_with(rig, "{\"client\":\"x/1\",\"enc\":[\"json\"]}");
}

static inline void settle(struct rig *rig, uint64_t first, uint64_t last, enum status status, uint32_t retry_ms) {
    rig->protocol->settle(rig->state, first, last, status, retry_ms, rig->now);
}

static struct message made_message;
static uint8_t message_room[4096];

static inline const struct message *made(enum message_kind kind) {
    static struct buffer extra;
    buffer_init_fixed(&extra, message_room, sizeof message_room);
    rig_message(&made_message, &extra, kind, "m", slice_make(NULL, 0));
    return &made_message;
}

static inline void sends(struct rig *rig, unsigned count) {
    while (count--)
        assert_int_equal(rig_send(rig, made(KIND_EVENT)), STATUS_OK);
    output(rig);
    rig_log(rig);
}

#endif
