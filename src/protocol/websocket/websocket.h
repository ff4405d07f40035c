/* WebSocket (RFC 6455) as a carrier of units, and what hangs on a connection that has become one. */
#ifndef PROTOCOL_WEBSOCKET_WEBSOCKET_H
#define PROTOCOL_WEBSOCKET_WEBSOCKET_H

#include "protocol/units/units.h"
#include "protocol/websocket/frame.h"
#include "protocol/http1/handshake.h"

#define WEBSOCKET_CLOSE_NS (5 * NS_PER_S) /* for the answer to our close frame */

/* The carrier's state. One allocation and no more, but for `message`. */
struct websocket {
    struct ws_agreed agreed;
    uint32_t max;  /* bytes of a message, its fragments together */
    bool masks;    /* dialled: we mask, the peer must not */
    bool is_broken; /* the stream can't be read on: no answer to our close frame can be expected */
    bool packed;   /* the next frame that is wrapped was deflated */
    bool pinged;   /* a ping is out */
    uint8_t opcode; /* of the message that has begun; 0: none has */
    bool is_packed; /* it is deflated */
    struct ws_utf8 utf8;
    struct buffer *message; /* its fragments; NULL: there are none */
    uint32_t frames;        /* that came */
    uint32_t frames_looked_at; /* when it was last asked whether the peer is there */
};

extern const struct carrier carrier_websocket;

/* What the WebSocket connections of a worker share; made when it is needed. */
struct websocket_worker;

#endif
