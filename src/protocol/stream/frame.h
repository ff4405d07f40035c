/* The frames of stream v1 as bytes: numbers are big-endian. */
#ifndef PROTOCOL_STREAM_FRAME_H
#define PROTOCOL_STREAM_FRAME_H

#include <stdint.h>
#include <string.h>

#define PREFACE_SIZE 8
#define PREFACE_FIRST 0xf5 /* starts no UTF-8, JSON, HTTP or TLS stream */

#define FRAME_HEADER 8           /* len u32 | type u8 | flags u8 | reserved u16 */
#define FRAME_MSG_HEADER 16      /* seq u64 | sub u32 | attempt u8 | 0 u24 */
#define FRAME_ACK_HEADER 12      /* cum u64 | n u16 | 0 u16 */
#define FRAME_ACK_ENTRY 16       /* seq u64 | outcome u8 | 0 u8 | code u16 | retry_ms u32 */
#define FRAME_SIZE_LEAST 81920u  /* payload that every peer takes */
#define FRAME_CONTROL_MAX 16384u /* payload of a frame that isn't MSG or ACK */

enum frame_type {
    FRAME_HELLO = 1,
    FRAME_WELCOME,
    FRAME_AUTH,
    FRAME_MSG,
    FRAME_ACK,
    FRAME_CREDIT,
    FRAME_SUBSCRIBE,
    FRAME_UNSUBSCRIBE,
    FRAME_RESULT,
    FRAME_PING,
    FRAME_PONG,
    FRAME_GOAWAY,
    FRAME_ERROR,
    FRAME_CANCEL,
};

#define FRAME_FLAG_IGNORABLE 0x80u /* of a type that the reader doesn't know: skip it */

enum msg_flag {
    MSG_NOACK = 0x01,
    MSG_COMPRESSED = 0x02,
    MSG_REDELIVERED = 0x04,
    MSG_SYNC = 0x08,
};

enum ack_outcome {
    ACK_ACCEPTED,
    ACK_REJECTED,
    ACK_RETRY,
    ACK_DUPLICATE,
    ACK_EXPIRED,
};

static inline uint64_t frame_get64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}
static inline uint32_t frame_get32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}
static inline uint16_t frame_get16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}
static inline void frame_put64(uint8_t *at, uint64_t value) {
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof value);
}
static inline void frame_put32(uint8_t *at, uint32_t value) {
    value = __builtin_bswap32(value);
    memcpy(at, &value, sizeof value);
}
static inline void frame_put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}
static inline void frame_put_header(uint8_t *at, uint32_t size, uint8_t type, uint8_t flags) {
    frame_put32(at, size);
    at[4] = type;
    at[5] = flags;
    at[6] = at[7] = 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frame_get and frame_put swap bytes");

#endif
