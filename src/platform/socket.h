/* Nonblocking sockets: making them, moving bytes and datagrams, and what an errno means to us.
 * All descriptors are close-on-exec. EINTR is retried here; no call blocks. */
#ifndef PLATFORM_SOCKET_H
#define PLATFORM_SOCKET_H

#include <sys/uio.h>

#include "base/address.h"
#include "base/fault.h"

/* Whatever isn't in the table is IO_ERROR. */
enum status socket_status(int error_number);

/* -- making; `fault` may be NULL; on failure nothing stays open -- */

enum socket_flags {
    SOCKET_REUSE_PORT = 1, /* each worker listens for itself, the kernel spreads (listen, datagrams) */
    SOCKET_IPV6_ONLY = 2,  /* "[::]:80" without IPv4 */
    SOCKET_TELL_CAST = 4,  /* datagrams: say of each whether it was for one, for a group, or for all */
};

#define SOCKET_BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

enum status socket_listen(const struct address *at, unsigned flags, int *ret_fd, struct fault *fault);
/* A stream socket at `path`, mode 0600 from its first moment. A socket file that nobody listens on any more is
 * removed; anything else in that place, or a living listener, is ADDRESS_IN_USE. */
enum status socket_listen_unix(const char *path, int *ret_fd, struct fault *fault);
/* Begins to connect (TCP_NODELAY set). OK: wait until writable, then ask socket_dial_result(). */
enum status socket_dial(const struct address *to, int *ret_fd, struct fault *fault);
enum status socket_dial_unix(const char *path, int *ret_fd, struct fault *fault);
/* Whether the connection stands. */
enum status socket_dial_result(int fd);
/* A datagram socket; never fragments (a datagram too large for the path is TOO_LARGE). Of groups it hears those that it
 * joined itself, not those that anybody on the host joined. */
enum status socket_datagram(const struct address *at, unsigned flags, int *ret_fd, struct fault *fault);

/* Probes of a silent connection: after `idle_s`, then each `interval_s`; lost after `count` without answer. idle_s 0:
 * none. What a listening socket has, those that it accepts have, too. Refusals are passed over: a Unix socket has none. */
void socket_keep_alive(int fd, int idle_s, int interval_s, int count);
/* The address bound to (port 0 resolved); ADDRESS_NONE for Unix sockets. */
struct address socket_local(int fd);
/* Bytes written that the peer has not taken yet; 0 when that can't be told. */
uint32_t socket_untaken(int fd);
/* No more writes; the peer sees the end after what was written. */
void socket_shut(int fd);
void socket_close(int fd);
/* Closes so that the peer sees a reset: for peers that broke the rules. */
void socket_close_reset(int fd);

/* -- moving -- */

enum socket_result {
    SOCKET_MOVED,  /* `count` > 0 */
    SOCKET_AGAIN,  /* not now: wait for readiness */
    SOCKET_END,    /* read: the peer sends no more */
    SOCKET_FAILED, /* `status` says why */
};

struct socket_io {
    enum socket_result result;
    enum status status;
    size_t count;
};

struct socket_io socket_read(int fd, void *data, size_t size);
/* May write less than given. Never raises SIGPIPE. */
struct socket_io socket_write(int fd, const struct iovec *parts, size_t part_count);
/* One connection: nonblocking, TCP_NODELAY. count is 1 when MOVED. A peer that went away before it was accepted is
 * skipped. FAILED with NO_DESCRIPTORS: stop accepting for a while, the descriptor stays readable. */
struct socket_io socket_accept(int fd, int *ret_fd, struct address *ret_peer);

#define SOCKET_BATCH 64
#define SOCKET_DATAGRAMS_HELD (4 << 20) /* bytes of datagrams that wait in the kernel, as far as it lets us */

enum socket_cast_kind {
    SOCKET_UNICAST, /* also where it isn't known */
    SOCKET_MULTICAST,
    SOCKET_BROADCAST,
};

struct socket_packet {
    void *data;
    size_t size;          /* receive: in the room, out what came; send: what to send */
    struct address peer;  /* send: family ADDRESS_NONE on a connected socket */
    bool is_cut;          /* receive: longer than the room; the rest is lost */
    uint8_t cast;         /* receive: enum socket_cast_kind, with SOCKET_TELL_CAST */
};

/* Up to SOCKET_BATCH at once; `count` of them are filled. An ICMP error that some earlier datagram met is no failure
 * of the socket: it is passed over. */
struct socket_io socket_receive(int fd, struct socket_packet *packets, size_t packet_count);
/* Sends from the first on; `count` were taken by the kernel. FAILED concerns the first one that is left: drop it
 * and go on. */
struct socket_io socket_send(int fd, const struct socket_packet *packets, size_t packet_count);

#endif
