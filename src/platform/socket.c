/* Nonblocking sockets: making them, and what an errno means to us. */
#include "platform/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "platform/sockaddr.h"
#include "platform/sys.h"

#define MAKE_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

static const struct {
    int error_number;
    enum status status;
} errno_rows[] = {
    {0, STATUS_OK},
    {ECONNRESET, STATUS_RESET},
    {ECONNABORTED, STATUS_RESET},
    {EPIPE, STATUS_PEER_CLOSED},
    {ENOTCONN, STATUS_PEER_CLOSED},
    {ECONNREFUSED, STATUS_REFUSED},
    {ENOENT, STATUS_REFUSED}, /* a Unix socket that isn't there */
    {ENETUNREACH, STATUS_UNREACHABLE},
    {EHOSTUNREACH, STATUS_UNREACHABLE},
    {ENETDOWN, STATUS_UNREACHABLE},
    {EHOSTDOWN, STATUS_UNREACHABLE},
    {EADDRNOTAVAIL, STATUS_UNREACHABLE},
    {EAFNOSUPPORT, STATUS_UNREACHABLE}, /* IPv6 to a host without */
    {ETIMEDOUT, STATUS_CONNECT_TIMEOUT},
    {EADDRINUSE, STATUS_ADDRESS_IN_USE},
    {EMFILE, STATUS_NO_DESCRIPTORS},
    {ENFILE, STATUS_NO_DESCRIPTORS},
    {ENOMEM, STATUS_NO_MEMORY},
    {ENOBUFS, STATUS_NO_MEMORY},
    {EMSGSIZE, STATUS_TOO_LARGE},
    {EACCES, STATUS_FORBIDDEN},
    {EPERM, STATUS_FORBIDDEN}, /* also a packet filter's refusal */
};

enum status socket_status(int error_number) {
    for (size_t i = 0; i < sizeof errno_rows / sizeof *errno_rows; i++)
        if (errno_rows[i].error_number == error_number)
            return errno_rows[i].status;
    return STATUS_IO_ERROR;
}

/* Ends a failed making: errno is read before anything else can change it. */
static enum status give_up(int fd, struct fault *fault, const char *verb, const char *where) {
    int error_number = errno;
    if (fd >= 0)
        sys()->close(fd);
    return fault_set(fault, socket_status(error_number), error_number, "cannot %s %s: %s", verb, where,
                     strerrordesc_np(error_number) ? strerrordesc_np(error_number) : "unknown error");
}

static int set_flag(int fd, int level, int name) {
    int on = 1;
    return sys()->setsockopt(fd, level, name, &on, sizeof on);
}

static void set_nodelay(int fd) {
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY); /* refused by Unix sockets only, which don't delay */
}

void socket_keep_alive(int fd, int idle_s, int interval_s, int count) {
    int on = idle_s > 0;
    sys()->setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (!on)
        return;
    sys()->setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    sys()->setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    sys()->setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* A socket bound to `at`. */
static int open_bound(const struct address *at, int type, unsigned flags) {
    struct sockaddr_storage storage;
    socklen_t size = sockaddr_write(&storage, at);
    int fd = sys()->socket(storage.ss_family, type | MAKE_FLAGS, 0);
    if (fd < 0)
        return -1;
    if (type == SOCK_STREAM && set_flag(fd, SOL_SOCKET, SO_REUSEADDR) != 0)
        goto failed;
    if (flags & SOCKET_REUSE_PORT && set_flag(fd, SOL_SOCKET, SO_REUSEPORT) != 0)
        goto failed;
    if (at->family == ADDRESS_IPV6) {
        int only = flags & SOCKET_IPV6_ONLY ? 1 : 0; /* said always: the system's default varies */
        if (sys()->setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0)
            goto failed;
    }
    if (sys()->bind(fd, (const struct sockaddr *)&storage, size) != 0)
        goto failed;
    return fd;
failed:;
    int error_number = errno;
    sys()->close(fd);
    errno = error_number;
    return -1;
}

enum status socket_listen(const struct address *at, unsigned flags, int *ret_fd, struct fault *fault) {
    char where[ADDRESS_TEXT_MAX];
    address_print(where, at);
    int fd = open_bound(at, SOCK_STREAM, flags);
    if (fd < 0 || sys()->listen(fd, SOCKET_BACKLOG) != 0)
        return give_up(fd, fault, "listen on", where);
    *ret_fd = fd;
    return STATUS_OK;
}

/* Datagrams that come while we do something else wait in the kernel, or are lost there. What it grants by default is some
 * hundred of them; a refusal only means less room. */
static void hold_bursts(int fd) {
    int size = SOCKET_DATAGRAMS_HELD;
    if (sys()->setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        (void)sys()->setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

/* ip(7): by default a socket hears each group that any socket of the host has joined. Kernels before 4.20 know no such
 * option for IPv6: nothing is lost then but that. */
static void hear_own_groups(int fd, bool is_ipv6) {
    int off = 0;
    (void)sys()->setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
    if (is_ipv6)
        (void)sys()->setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof off);
}

static bool tell_cast(int fd, bool is_ipv6) {
    bool is_ok = set_flag(fd, IPPROTO_IP, IP_PKTINFO) == 0;
    return is_ipv6 ? set_flag(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) == 0 : is_ok;
}

enum status socket_datagram(const struct address *at, unsigned flags, int *ret_fd, struct fault *fault) {
    char where[ADDRESS_TEXT_MAX];
    address_print(where, at);
    int fd = open_bound(at, SOCK_DGRAM, flags);
    if (fd < 0)
        return give_up(fd, fault, "receive on", where);
    /* A dual-stack socket sends IPv4 too: it needs both. */
    int discover = IP_PMTUDISC_DO, discover6 = IPV6_PMTUDISC_DO;
    bool is_ok = sys()->setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover) == 0;
    if (at->family == ADDRESS_IPV6)
        is_ok = sys()->setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover6, sizeof discover6) == 0 &&
                (is_ok || flags & SOCKET_IPV6_ONLY);
    if (!is_ok)
        return give_up(fd, fault, "forbid fragments on", where);
    if (flags & SOCKET_TELL_CAST && !tell_cast(fd, at->family == ADDRESS_IPV6))
        return give_up(fd, fault, "learn where to datagrams go on", where);
    hear_own_groups(fd, at->family == ADDRESS_IPV6);
    hold_bursts(fd);
    *ret_fd = fd;
    return STATUS_OK;
}

static enum status start_connect(int fd, const struct sockaddr *to, socklen_t size, const char *where, int *ret_fd,
                                 struct fault *fault) {
    /* Interrupted, the connect goes on by itself, just as when in progress. */
    if (fd < 0 || (sys()->connect(fd, to, size) != 0 && errno != EINPROGRESS && errno != EINTR))
        return give_up(fd, fault, "connect to", where);
    *ret_fd = fd;
    return STATUS_OK;
}

enum status socket_dial(const struct address *to, int *ret_fd, struct fault *fault) {
    char where[ADDRESS_TEXT_MAX];
    struct sockaddr_storage storage;
    socklen_t size = sockaddr_write(&storage, to);
    address_print(where, to);
    int fd = sys()->socket(storage.ss_family, SOCK_STREAM | MAKE_FLAGS, 0);
    if (fd >= 0)
        set_nodelay(fd);
    return start_connect(fd, (const struct sockaddr *)&storage, size, where, ret_fd, fault);
}

enum status socket_dial_result(int fd) {
    int error_number = 0;
    socklen_t size = sizeof error_number;
    if (sys()->getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0)
        error_number = errno;
    return socket_status(error_number);
}

/* -- Unix sockets -- */

static bool write_path(struct sockaddr_un *out, const char *path) {
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof out->sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(out->sun_path, path, size + 1);
    return true;
}

enum status socket_dial_unix(const char *path, int *ret_fd, struct fault *fault) {
    struct sockaddr_un un;
    if (!write_path(&un, path))
        return give_up(-1, fault, "connect to", path);
    int fd = sys()->socket(AF_UNIX, SOCK_STREAM | MAKE_FLAGS, 0);
    return start_connect(fd, (const struct sockaddr *)&un, sizeof un, path, ret_fd, fault);
}

/* Removes a socket file only when it is one and a connect shows that nobody listens there. */
static enum status remove_stale(const char *path, const struct sockaddr_un *un, struct fault *fault) {
    struct stat found;
    if (sys()->lstat(path, &found) != 0)
        return errno == ENOENT ? STATUS_OK : give_up(-1, fault, "listen on", path);
    if (!S_ISSOCK(found.st_mode))
        return fault_set(fault, STATUS_ADDRESS_IN_USE, EEXIST, "cannot listen on %s: it exists and is no socket", path);
    int fd = sys()->socket(AF_UNIX, SOCK_STREAM | MAKE_FLAGS, 0);
    if (fd < 0)
        return give_up(-1, fault, "listen on", path);
    bool is_dead = sys()->connect(fd, (const struct sockaddr *)un, sizeof *un) != 0 && errno == ECONNREFUSED;
    sys()->close(fd);
    if (!is_dead)
        return fault_set(fault, STATUS_ADDRESS_IN_USE, EADDRINUSE, "cannot listen on %s: another process does", path);
    if (sys()->unlink(path) != 0 && errno != ENOENT)
        return give_up(-1, fault, "remove the stale socket", path);
    return STATUS_OK;
}

enum status socket_listen_unix(const char *path, int *ret_fd, struct fault *fault) {
    struct sockaddr_un un;
    if (!write_path(&un, path))
        return give_up(-1, fault, "listen on", path);
    enum status status = remove_stale(path, &un, fault);
    if (status != STATUS_OK)
        return status;
    int fd = sys()->socket(AF_UNIX, SOCK_STREAM | MAKE_FLAGS, 0);
    /* Linux gives the file the mode of the socket, so there is no moment in which others could connect. */
    if (fd < 0 || sys()->fchmod(fd, 0600) != 0 || sys()->bind(fd, (const struct sockaddr *)&un, sizeof un) != 0 ||
        sys()->listen(fd, SOCKET_BACKLOG) != 0)
        return give_up(fd, fault, "listen on", path);
    *ret_fd = fd;
    return STATUS_OK;
}

/* -- all kinds -- */

struct address socket_local(int fd) {
    struct sockaddr_storage storage = {0};
    socklen_t size = sizeof storage;
    struct address address = {0};
    if (sys()->getsockname(fd, (struct sockaddr *)&storage, &size) == 0)
        sockaddr_read((const struct sockaddr *)&storage, &address);
    return address;
}

void socket_shut(int fd) {
    sys()->shutdown(fd, SHUT_WR);
}

void socket_close(int fd) {
    sys()->close(fd); /* EINTR too: Linux has let the descriptor go by then */
}

void socket_close_reset(int fd) {
    struct linger linger = {.l_onoff = 1};
    sys()->setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    sys()->close(fd);
}

struct socket_io socket_accept(int fd, int *ret_fd, struct address *ret_peer) {
    for (;;) {
        struct sockaddr_storage storage = {0};
        socklen_t size = sizeof storage;
        int peer = sys()->accept4(fd, (struct sockaddr *)&storage, &size, MAKE_FLAGS);
        if (peer >= 0) {
            *ret_fd = peer;
            *ret_peer = (struct address){0};
            if (sockaddr_read((const struct sockaddr *)&storage, ret_peer))
                set_nodelay(peer);
            return (struct socket_io){SOCKET_MOVED, STATUS_OK, 1};
        }
        if (errno == EAGAIN)
            return (struct socket_io){.result = SOCKET_AGAIN};
        /* accept(2): errors of the new connection arrive here; each concerns that one only. */
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN || errno == EHOSTDOWN ||
            errno == EHOSTUNREACH || errno == ENETUNREACH)
            continue;
        return (struct socket_io){SOCKET_FAILED, socket_status(errno), 0};
    }
}
