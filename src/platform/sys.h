/* Every system call that can fail in an interesting way, behind one table, so that tests can make it fail:
 * EINTR, EAGAIN, short writes, EMFILE, ECONNRESET, ENOSPC.
 *
 * The table is replaced before threads start, and never in production. Waiting itself, signals and name resolution
 * don't pass here. */
#ifndef PLATFORM_SYS_H
#define PLATFORM_SYS_H

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

struct sys_table {
    int (*socket)(int domain, int type, int protocol);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t size);
    int (*listen)(int fd, int backlog);
    int (*accept4)(int fd, struct sockaddr *address, socklen_t *size, int flags);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t size);
    int (*shutdown)(int fd, int how);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t size);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *size);
    int (*getsockname)(int fd, struct sockaddr *address, socklen_t *size);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    int (*recvmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout);
    int (*sendmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);
    ssize_t (*read)(int fd, void *data, size_t size);
    ssize_t (*write)(int fd, const void *data, size_t size);
    int (*epoll_ctl)(int epoll_fd, int operation, int fd, struct epoll_event *event);
    int (*open)(const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    int (*fsync)(int fd);
    int (*fchmod)(int fd, mode_t mode);
    int (*fstat)(int fd, struct stat *status);
    int (*lstat)(const char *path, struct stat *status);
    int (*ftruncate)(int fd, off_t size);
    int (*fallocate)(int fd, off_t from, off_t size); /* posix_fallocate(): returns the error number */
    void *(*mmap)(void *at, size_t size, int protection, int flags, int fd, off_t from);
    int (*munmap)(void *at, size_t size);
    int (*flock)(int fd, int operation);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    ssize_t (*getrandom)(void *data, size_t size, unsigned flags);
    int (*clock_gettime)(clockid_t clock, struct timespec *time);
};

extern const struct sys_table sys_real;
extern const struct sys_table *sys_current; /* use sys() */

static inline const struct sys_table *sys(void) {
    return sys_current;
}
/* Tests: `table` must stay; NULL brings the real one back. */
void sys_replace(const struct sys_table *table);

#endif
