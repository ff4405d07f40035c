/* Moving bytes and datagrams through nonblocking sockets. */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>

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

union told {
    char room[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
    struct cmsghdr header; /* aligns it */
};

struct batch {
    union told told[SOCKET_BATCH];
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
                                                         .msg_iovlen = 1,
                                                         .msg_control = batch->told[i].room,
                                                         .msg_controllen = sizeof batch->told[i].room}};
    }
    return filled;
}

/* ip(7): `ipi_addr` is where the datagram was sent to, `ipi_spec_dst` our own address that heard it. They differ when it was
 * for more than us. */
static uint8_t cast_ipv4(const struct in_pktinfo *info) {
    if ((ntohl(info->ipi_addr.s_addr) >> 28) == 14)
        return SOCKET_MULTICAST;
    return info->ipi_addr.s_addr == info->ipi_spec_dst.s_addr ? SOCKET_UNICAST : SOCKET_BROADCAST;
}

static uint8_t cast_of(struct msghdr *message) {
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        struct in_pktinfo info;
        struct in6_pktinfo info6;
        if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO && at->cmsg_len >= CMSG_LEN(sizeof info)) {
            memcpy(&info, CMSG_DATA(at), sizeof info);
            return cast_ipv4(&info);
        }
        if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO && at->cmsg_len >= CMSG_LEN(sizeof info6)) {
            memcpy(&info6, CMSG_DATA(at), sizeof info6);
            if (info6.ipi6_addr.s6_addr[0] == 0xff)
                return SOCKET_MULTICAST;
        }
    }
    return SOCKET_UNICAST;
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
        packets[i].cast = cast_of(&batch.headers[i].msg_hdr);
        packets[i].is_cut = batch.headers[i].msg_hdr.msg_flags & MSG_TRUNC;
        if (!sockaddr_read((const struct sockaddr *)&batch.peers[i], &packets[i].peer))
            packets[i].peer = (struct address){0};
    }
    return (struct socket_io){SOCKET_MOVED, STATUS_OK, (size_t)count};
}

/* -- sending datagrams, those of one size to one peer in one piece (UDP_SEGMENT, udp(7)) -- */

#define SEGMENTS_BYTES_MAX 65000 /* of one piece: what an IP packet could hold */

union segment_size {
    char room[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr header; /* aligns it */
};

struct out_batch {
    struct mmsghdr headers[SOCKET_BATCH];
    struct iovec parts[SOCKET_BATCH];
    struct sockaddr_storage peers[SOCKET_BATCH];
    union segment_size sizes[SOCKET_BATCH];
};

/* How many from the first on can go as one: of equal size, only the last may be shorter. */
static size_t segments(const struct socket_packet *packets, size_t count) {
    size_t found = 1, bytes = packets[0].size;
    if (packets[0].size == 0)
        return 1;
    while (found < count && packets[found].size <= packets[0].size && packets[found].size > 0 &&
           packets[found - 1].size == packets[0].size && bytes + packets[found].size <= SEGMENTS_BYTES_MAX &&
           address_equal(&packets[found].peer, &packets[0].peer))
        bytes += packets[found++].size;
    return found;
}

static void say_segment_size(struct msghdr *message, union segment_size *room, size_t size) {
    uint16_t value = (uint16_t)size;
    memset(room, 0, sizeof *room);
    message->msg_control = room->room;
    message->msg_controllen = sizeof room->room;
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof value);
    memcpy(CMSG_DATA(control), &value, sizeof value);
}

/* Returns how many headers that makes. */
static unsigned fill_out(struct out_batch *batch, const struct socket_packet *packets, size_t count, bool segmented) {
    unsigned filled = 0;
    count = count < SOCKET_BATCH ? count : SOCKET_BATCH;
    for (size_t i = 0; i < count; filled++) {
        size_t joined = segmented ? segments(packets + i, count - i) : 1;
        struct msghdr *message = &batch->headers[filled].msg_hdr;
        *message = (struct msghdr){.msg_iov = &batch->parts[i], .msg_iovlen = joined};
        if (packets[i].peer.family != ADDRESS_NONE) {
            message->msg_name = &batch->peers[filled];
            message->msg_namelen = sockaddr_write(&batch->peers[filled], &packets[i].peer);
        }
        if (joined > 1)
            say_segment_size(message, &batch->sizes[filled], packets[i].size);
        for (size_t end = i + joined; i < end; i++)
            batch->parts[i] = (struct iovec){packets[i].data, packets[i].size};
    }
    return filled;
}

/* The route's device may not be able to, or its packets be smaller: then each goes by itself, which also tells what is
 * the matter with it. */
static bool is_about_segments(int error_number) {
    return error_number == EIO || error_number == EINVAL || error_number == EOPNOTSUPP || error_number == EMSGSIZE;
}

struct socket_io socket_send(int fd, const struct socket_packet *packets, size_t packet_count) {
    ASSERT(packet_count > 0);
    struct out_batch batch;
    unsigned ready = fill_out(&batch, packets, packet_count, true);
    for (;;) {
        int count = sys()->sendmmsg(fd, batch.headers, ready, MSG_NOSIGNAL);
        size_t sent = 0;
        for (int i = 0; i < count; i++)
            sent += batch.headers[i].msg_hdr.msg_iovlen;
        if (count > 0)
            return (struct socket_io){SOCKET_MOVED, STATUS_OK, sent};
        if (count == 0)
            return (struct socket_io){.result = SOCKET_AGAIN};
        if (is_about_segments(errno) && batch.headers[0].msg_hdr.msg_iovlen > 1)
            ready = fill_out(&batch, packets, packet_count, false);
        else if (errno != EINTR)
            return failed(errno);
    }
}

uint32_t socket_untaken(int fd) {
    int count = 0;
    return ioctl(fd, SIOCOUTQ, &count) == 0 && count > 0 ? (uint32_t)count : 0;
}
