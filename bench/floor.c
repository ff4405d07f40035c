/* The floor: forwarders that parse nothing and keep nothing, the least that anyone can spend on the same bytes.
 *
 *     floor tcp IN OUT          all bytes of who connects to IN go to each that is connected to OUT
 *     floor pump IN BACKEND     each connection to IN gets one of its own to BACKEND, bytes go both ways
 *     floor udp IN OUT          datagrams to IN go to OUT
 *     floor answer IN SIZE      each SIZE bytes that come are answered by an HTTP 202 without body
 *
 * One thread, plain epoll, one rule: after a full read, read on (32 times at most), then write once to each sink. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READS_MAX 32
#define READ_SIZE (64u << 10)
#define READ_ON (16u << 10)
#define FDS_MAX 20000
#define SINKS_MAX 64
#define BATCH 32
#define DATAGRAM_SIZE 2048

static void fail(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int loop;

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

static struct sockaddr_in loopback(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int listen_on(uint16_t port, int type) {
    struct sockaddr_in address = loopback(port);
    int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        (type == SOCK_STREAM && listen(fd, 4096) != 0))
        fail("listen");
    watch(fd);
    return fd;
}

static int accept_from(int listener) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= FDS_MAX) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(fd);
    }
    return fd;
}

static uint8_t block[READS_MAX * READ_SIZE];

/* As many bytes as `fd` has at once; 0: none now, -1: it ended. */
static ssize_t read_on(int fd) {
    size_t have = 0;
    for (int i = 0; i < READS_MAX && have + READ_SIZE <= sizeof block; i++) {
        ssize_t size = read(fd, block + have, READ_SIZE);
        if (size <= 0)
            return have ? (ssize_t)have : size < 0 && errno == EAGAIN ? 0 : -1;
        have += (size_t)size;
        if ((size_t)size < READ_ON)
            break;
    }
    return (ssize_t)have;
}

/* Whoever doesn't take it holds all up: a forwarder without memory can do nothing else. */
static int write_all(int fd, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t written = send(fd, block + at, size - at, MSG_NOSIGNAL);
        if (written > 0) {
            at += (size_t)written;
            continue;
        }
        if (errno != EAGAIN)
            return -1;
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        poll(&wait, 1, 1000);
    }
    return 0;
}

static int sinks[SINKS_MAX], sink_count;

static void drop_sink(int fd) {
    for (int i = 0; i < sink_count; i++)
        if (sinks[i] == fd)
            sinks[i] = sinks[--sink_count];
    close(fd);
}

static void accept_sinks(int listener) {
    int sink;
    while (sink_count < SINKS_MAX && (sink = accept_from(listener)) >= 0)
        sinks[sink_count++] = sink;
}

static void run_tcp(uint16_t in, uint16_t out) {
    int in_fd = listen_on(in, SOCK_STREAM), out_fd = listen_on(out, SOCK_STREAM);
    struct epoll_event events[64];
    for (;;) {
        int count = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == in_fd) {
                accept_sinks(out_fd); /* who connected before the publisher misses nothing of it */
                accept_from(fd);
            } else if (fd == out_fd) {
                accept_sinks(fd);
            } else {
                ssize_t size = read_on(fd);
                if (size < 0)
                    drop_sink(fd);
                for (int j = sink_count; size > 0 && j-- > 0;)
                    if (write_all(sinks[j], (size_t)size) < 0)
                        drop_sink(sinks[j]);
            }
        }
    }
}

static int partner[FDS_MAX];

static void pump_open(int listener, uint16_t backend) {
    struct sockaddr_in address = loopback(backend);
    int front = accept_from(listener), one = 1;
    if (front < 0)
        return;
    int back = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (back < 0 || back >= FDS_MAX || connect(back, (const struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    (void)fcntl(back, F_SETFL, O_NONBLOCK);
    setsockopt(back, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(back);
    partner[front] = back;
    partner[back] = front;
}

static void run_pump(uint16_t in, uint16_t backend) {
    int in_fd = listen_on(in, SOCK_STREAM);
    struct epoll_event events[64];
    for (;;) {
        int count = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == in_fd) {
                pump_open(fd, backend);
                continue;
            }
            int other = partner[fd];
            ssize_t size = other ? read_on(fd) : 0;
            if (size >= 0 && (size == 0 || write_all(other, (size_t)size) == 0))
                continue;
            partner[fd] = partner[other] = 0;
            close(fd);
            close(other);
        }
    }
}

#define ANSWER "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

static void run_answer(uint16_t in, size_t size) {
    static size_t owed[FDS_MAX]; /* bytes that are not yet a request */
    size_t most = sizeof block / (sizeof ANSWER - 1);
    int in_fd = listen_on(in, SOCK_STREAM);
    struct epoll_event events[64];
    for (;;) {
        int count = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == in_fd) {
                int guest = accept_from(fd);
                if (guest >= 0)
                    owed[guest] = 0;
                continue;
            }
            ssize_t got = read_on(fd);
            if (got < 0) {
                close(fd);
                continue;
            }
            owed[fd] += (size_t)got;
            size_t answers = owed[fd] / size < most ? owed[fd] / size : most;
            owed[fd] -= answers * size;
            for (size_t j = 0; j < answers; j++)
                memcpy(block + j * (sizeof ANSWER - 1), ANSWER, sizeof ANSWER - 1);
            if (write_all(fd, answers * (sizeof ANSWER - 1)) < 0)
                close(fd);
        }
    }
}

static void run_udp(uint16_t in, uint16_t out) {
    static uint8_t datagrams[BATCH][DATAGRAM_SIZE];
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH];
    struct sockaddr_in address = loopback(out);
    struct epoll_event event;
    int size = 8 << 20, in_fd = listen_on(in, SOCK_DGRAM),
        out_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(in_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    if (out_fd < 0 || connect(out_fd, (const struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    for (;;) {
        epoll_wait(loop, &event, 1, -1);
        for (int turn = 0; turn < READS_MAX; turn++) {
            memset(messages, 0, sizeof messages);
            for (int i = 0; i < BATCH; i++) {
                pieces[i] = (struct iovec){.iov_base = datagrams[i], .iov_len = DATAGRAM_SIZE};
                messages[i].msg_hdr.msg_iov = &pieces[i];
                messages[i].msg_hdr.msg_iovlen = 1;
            }
            int got = recvmmsg(in_fd, messages, BATCH, 0, NULL);
            for (int i = 0; i < got; i++)
                pieces[i].iov_len = messages[i].msg_len;
            if (got > 0)
                (void)sendmmsg(out_fd, messages, (unsigned)got, 0);
            if (got < BATCH)
                break;
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fputs("usage: floor tcp|pump|udp IN OUT, floor answer IN SIZE\n", stderr);
        return 2;
    }
    uint16_t in = (uint16_t)strtoul(argv[2], NULL, 10), out = (uint16_t)strtoul(argv[3], NULL, 10);
    loop = epoll_create1(EPOLL_CLOEXEC);
    if (!strcmp(argv[1], "tcp"))
        run_tcp(in, out);
    else if (!strcmp(argv[1], "pump"))
        run_pump(in, out);
    else if (!strcmp(argv[1], "udp"))
        run_udp(in, out);
    else if (!strcmp(argv[1], "answer"))
        run_answer(in, strtoul(argv[3], NULL, 10));
    fprintf(stderr, "floor: no such kind: %s\n", argv[1]);
    return 2;
}
