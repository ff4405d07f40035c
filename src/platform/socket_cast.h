/* One to many: groups that a datagram socket hears, and what it may send to groups and to all. */
#ifndef PLATFORM_SOCKET_CAST_H
#define PLATFORM_SOCKET_CAST_H

#include "base/address.h"
#include "base/fault.h"
#include "base/slice.h"

/* STATUS_UNREACHABLE when no interface has that name. Empty: 0, the kernel chooses. */
enum status socket_interface(struct slice name, uint32_t *ret_index, struct fault *fault);

/* Each interface of `group` is joined by itself; `interface` 0: the one that the kernel's routes name. */
enum status socket_join(int fd, const struct address *group, uint32_t interface, struct fault *fault);
void socket_leave(int fd, const struct address *group, uint32_t interface);

/* What a socket that sends may. */
struct socket_cast {
    uint32_t interface; /* groups: leave by this one; 0: as routed */
    uint8_t ttl; /* groups: hops (RFC 1112 section 6.1: 1 stays on the link) */
    bool loop; /* groups: this host hears it, too */
    bool broadcast;
};

enum status socket_may_cast(int fd, const struct address *to, const struct socket_cast *cast,
                            struct fault *fault);

/* Sockets that share a port, `count` of them as they were made: a datagram goes to the one that its four bytes at `offset`
 * say, so that equal ones always meet the same. Shorter ones go to the first. */
enum status socket_spread_by(int fd, uint32_t offset, uint32_t count, struct fault *fault);

/* The addresses of this host, at most `room` of them, ports 0. */
size_t socket_own_addresses(struct address *out, size_t room);
/* Datagrams that came while the socket had no room, since it was made: the kernel's own count, as of SO_RXQ_OVFL. */
uint32_t socket_overflows(int fd);

#endif
