/* A datagram socket that speaks with one peer only. */
#ifndef PLATFORM_SOCKET_PEER_H
#define PLATFORM_SOCKET_PEER_H

#include "platform/socket.h"
#include "platform/socket_cast.h"

/* Bound to any free port and connected: the kernel drops what others send, and tells when nobody listens there. On
 * failure nothing stays open; `fault` may be NULL. To all of a network only where `cast` allows it: else it is FORBIDDEN. */
enum status socket_dial_datagram(const struct address *to, const struct socket_cast *cast, int *ret_fd, struct fault *fault);

#endif
