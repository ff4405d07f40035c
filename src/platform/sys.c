/* The real system calls. */
#include "platform/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* The C library declares some of these with types of its own (unions of pointers, variadic, timeouts that are const
 * elsewhere), so they pass through a function of the plain type. */
static int real_bind(int fd, const struct sockaddr *address, socklen_t size) {
    return bind(fd, address, size);
}
static int real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
    return accept4(fd, address, size, flags);
}
static int real_connect(int fd, const struct sockaddr *address, socklen_t size) {
    return connect(fd, address, size);
}
static int real_getsockname(int fd, struct sockaddr *address, socklen_t *size) {
    return getsockname(fd, address, size);
}
/* Most messages are one piece to whoever is at the other end: without the header the kernel has less to copy in. */
static ssize_t real_sendmsg(int fd, const struct msghdr *message, int flags) {
    if (message->msg_iovlen == 1 && !message->msg_name && !message->msg_control)
        return send(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, flags);
    return sendmsg(fd, message, flags);
}
static int real_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    return recvmmsg(fd, messages, count, flags, timeout);
}
static int real_open(const char *path, int flags, mode_t mode) {
    return open(path, flags, mode);
}

const struct sys_table sys_real = {
    .socket = socket,
    .bind = real_bind,
    .listen = listen,
    .accept4 = real_accept4,
    .connect = real_connect,
    .shutdown = shutdown,
    .setsockopt = setsockopt,
    .getsockopt = getsockopt,
    .getsockname = real_getsockname,
    .sendmsg = real_sendmsg,
    .recvmmsg = real_recvmmsg,
    .sendmmsg = sendmmsg,
    .read = read,
    .write = write,
    .epoll_ctl = epoll_ctl,
    .open = real_open,
    .close = close,
    .fsync = fsync,
    .fchmod = fchmod,
    .fstat = fstat,
    .lstat = lstat,
    .ftruncate = ftruncate,
    .fallocate = posix_fallocate,
    .mmap = mmap,
    .munmap = munmap,
    .flock = flock,
    .rename = rename,
    .unlink = unlink,
    .getrandom = getrandom,
    .clock_gettime = clock_gettime,
};

const struct sys_table *sys_current = &sys_real;

void sys_replace(const struct sys_table *table) {
    sys_current = table ? table : &sys_real;
}
