/* SHA-1 (RFC 3174). Only for Sec-WebSocket-Accept, where it proves nothing but that the peer knows the protocol. */
#ifndef PROTOCOL_HTTP1_SHA1_H
#define PROTOCOL_HTTP1_SHA1_H

#include "base/slice.h"

#define SHA1_SIZE 20

void sha1(struct slice bytes, uint8_t out[static SHA1_SIZE]);

#endif
