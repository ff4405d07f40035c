/* Moving bytes and datagrams through nonblocking sockets. */
#include <errno.h>

#include "base/assert.h"
#include "platform/sockaddr.h"
#include "platform/socket.h"
#include "platform/sys.h"

#define PARTS_MAX 1024 /* IOV_MAX of Linux */

static struct socket_io failed(int error_number) {
    if (error_number == EAGAIN || error_number == EWOULDBLOCK)
        return (struct socket_io){.result = SOCKET_AGAIN};
    enum status status = socket_status(error_number);
    return (struct socket_io){SOCKET_FAILED, status == STATUS_CONNECT_TIMEOUT ? STATUS_RESET : status, 0};
}

struct socket_io socket_read(int fd, void *data, size_t size) {
    ASSERT(size > 0);
    for (;;) {
        ssize_t count = sys()->read(fd, data, size);
        if (count > 0)
            return (struct socket_io){SOCKET_MOVED, STATUS_OK, (size_t)count};
        if (count == 0)
            return (struct socket_io){.result = SOCKET_END};
        if (errno != EINTR)
            return failed(errno);
    }
}

struct socket_io socket_write(int fd, const struct iovec *parts, size_t part_count) {
    ASSERT(part_count > 0);
    struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)parts, /* only read */
        .msg_iovlen = part_count < PARTS_MAX ? part_count : PARTS_MAX,
    };
    for (;;) {
        ssize_t count = sys()->sendmsg(fd, &message, MSG_NOSIGNAL); /* writev() would raise SIGPIPE */
        if (count > 0)
            return (struct socket_io){SOCKET_MOVED, STATUS_OK, (size_t)count};
        if (count == 0)
            return (struct socket_io){.result = SOCKET_AGAIN};
        if (errno != EINTR)
            return failed(errno);
    }
}

struct batch {
    struct mmsghdr headers[SOCKET_BATCH];
    struct iovec parts[SOCKET_BATCH];
    struct sockaddr_storage peers[SOCKET_BATCH];
};

static unsigned fill_batch(struct batch *batch, const struct socket_packet *packets, size_t count) {
    unsigned filled = (unsigned)(count < SOCKET_BATCH ? count : SOCKET_BATCH);
    for (unsigned i = 0; i < filled; i++) {
        batch->parts[i] = (struct iovec){packets[i].data, packets[i].size};
        batch->headers[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &batch->peers[i],
                                                         .msg_namelen = sizeof batch->peers[i],
                                                         .msg_iov = &batch->parts[i],
                                                         .msg_iovlen = 1}};
    }
    return filled;
}

/* Errors that an unconnected datagram socket reports about some earlier datagram's way. */
static bool is_of_another_datagram(int error_number) {
    return error_number == ECONNREFUSED || error_number == EHOSTUNREACH || error_number == ENETUNREACH ||
           error_number == EHOSTDOWN || error_number == ENETDOWN;
}

struct socket_io socket_receive(int fd, struct socket_packet *packets, size_t packet_count) {
    ASSERT(packet_count > 0);
    struct batch batch;
    unsigned room = fill_batch(&batch, packets, packet_count);
    int count = -1;
    for (unsigned tries = 0; count < 0 && tries < SOCKET_BATCH; tries++) {
        count = sys()->recvmmsg(fd, batch.headers, room, 0, NULL);
        if (count < 0 && errno != EINTR && !is_of_another_datagram(errno))
            return failed(errno);
    }
    if (count <= 0)
        return (struct socket_io){.result = SOCKET_AGAIN};
    for (int i = 0; i < count; i++) {
        packets[i].size = batch.headers[i].msg_len;
        packets[i].is_cut = batch.headers[i].msg_hdr.msg_flags & MSG_TRUNC;
        if (!sockaddr_read((const struct sockaddr *)&batch.peers[i], &packets[i].peer))
            packets[i].peer = (struct address){0};
    }
    return (struct socket_io){SOCKET_MOVED, STATUS_OK, (size_t)count};
}

struct socket_io socket_send(int fd, const struct socket_packet *packets, size_t packet_count) {
    ASSERT(packet_count > 0);
    struct batch batch;
    unsigned ready = fill_batch(&batch, packets, packet_count);
    for (unsigned i = 0; i < ready; i++)
        batch.headers[i].msg_hdr.msg_namelen = sockaddr_write(&batch.peers[i], &packets[i].peer);
    for (;;) {
        int count = sys()->sendmmsg(fd, batch.headers, ready, MSG_NOSIGNAL);
        if (count > 0)
            return (struct socket_io){SOCKET_MOVED, STATUS_OK, (size_t)count};
        if (count == 0)
            return (struct socket_io){.result = SOCKET_AGAIN};
        if (errno != EINTR)
            return failed(errno);
    }
}
