/* Sockets, as plain as they come: what fails ends the role. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address_of(const char *host, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("%s is no IPv4 address", host);
    return address;
}

static void bind_from(int fd, uint16_t from) {
    struct sockaddr_in address = address_of("127.0.0.1", from);
    struct linger at_once = {.l_onoff = 1};
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        die("bind to %u: %s", from, strerror(errno));
}

int socket_connect(const char *host, uint16_t port) {
    return socket_connect_from(host, port, 0);
}

int socket_connect_from(const char *host, uint16_t port, uint16_t from) {
    struct sockaddr_in address = address_of(host, port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && from)
        bind_from(fd, from);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        die("connect to %s:%u: %s", host, port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int socket_listen(uint16_t *port, int type) {
    struct sockaddr_in address = address_of("127.0.0.1", *port);
    socklen_t size = sizeof address;
    int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        (type == SOCK_STREAM && listen(fd, 4096) != 0) ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("listen on %u: %s", *port, strerror(errno));
    *port = ntohs(address.sin_port);
    return fd;
}

void socket_nonblocking(int fd) {
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void socket_write_all(int fd, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, 1000);
        } else if (written < 0 && errno != EINTR) {
            die("write: %s", strerror(errno));
        } else if (written > 0) {
            at += written;
            size -= (size_t)written;
        }
    }
}
