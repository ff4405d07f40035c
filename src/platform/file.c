/* Whole files: read, replaced in one step, locked. */
#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "platform/entropy.h"
#include "platform/sys.h"

#define READ_STEP 16384

static enum status status_of(int error_number) {
    switch (error_number) {
    case ENOENT:
    case ENOTDIR:
        return STATUS_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return STATUS_FORBIDDEN;
    case EMFILE:
    case ENFILE:
        return STATUS_NO_DESCRIPTORS;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_IO_ERROR;
    }
}

static enum status fail(struct fault *fault, const char *verb, const char *path) {
    int error_number = errno;
    const char *words = strerrordesc_np(error_number);
    return fault_set(fault, status_of(error_number), error_number, "cannot %s %s: %s", verb, path,
                     words ? words : "unknown error");
}

static int open_file(const char *path, int flags, mode_t mode) {
    int fd;
    do
        fd = sys()->open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static bool write_all(int fd, struct slice content) {
    while (content.size) {
        ssize_t count = sys()->write(fd, content.data, content.size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            errno = count == 0 ? EIO : errno;
            return false;
        }
        content = slice_skip(content, (size_t)count);
    }
    return true;
}

static enum status read_all(int fd, const char *path, size_t size_max, struct buffer *out, struct fault *fault) {
    size_t before = out->size;
    for (;;) {
        uint8_t *at = buffer_reserve(out, READ_STEP);
        if (!at)
            return fault_set(fault, out->status, 0, "cannot read %s: %s", path, status_row(out->status)->title);
        ssize_t count = sys()->read(fd, at, READ_STEP);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(fault, "read", path);
        if (count == 0)
            return STATUS_OK;
        if ((size_t)count > size_max - (out->size - before))
            return fault_set(fault, STATUS_TOO_LARGE, 0, "cannot read %s: it is longer than %zu bytes", path, size_max);
        buffer_added(out, (size_t)count);
    }
}

enum status file_read(const char *path, size_t size_max, struct buffer *out, struct fault *fault) {
    size_t before = out->size;
    int fd = open_file(path, O_RDONLY, 0);
    if (fd < 0)
        return fail(fault, "read", path);
    enum status status = read_all(fd, path, size_max, out, fault);
    if (status != STATUS_OK)
        out->size = before;
    sys()->close(fd);
    return status;
}

/* A rename is on the disk when its directory is. */
static bool sync_directory(const char *path) {
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 1;
    memcpy(directory, slash ? path : ".", size);
    directory[size] = '\0';
    int fd = open_file(size ? directory : "/", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return false;
    bool is_ok = sys()->fsync(fd) == 0 || errno == EINVAL; /* some file systems can't, and needn't */
    int error_number = errno;
    sys()->close(fd);
    errno = error_number;
    return is_ok;
}

static bool fill_and_move(int fd, const char *temporary, const char *path, struct slice content, mode_t mode) {
    bool is_ok = sys()->fchmod(fd, mode) == 0 && write_all(fd, content) && sys()->fsync(fd) == 0 &&
                 sys()->rename(temporary, path) == 0;
    int error_number = errno;
    sys()->close(fd);
    if (!is_ok)
        sys()->unlink(temporary);
    errno = error_number;
    return is_ok;
}

enum status file_replace(const char *path, struct slice content, mode_t mode, struct fault *fault) {
    char temporary[PATH_MAX];
    uint64_t random;
    if (!entropy_seed(&random))
        return fail(fault, "write", path);
    int size = snprintf(temporary, sizeof temporary, "%s.%016" PRIx64 ".tmp", path, random);
    if (size < 0 || (size_t)size >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return fail(fault, "write", path);
    }
    /* 0600 until the mode asked for is set: secrets are never readable in between. */
    int fd = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0 || !fill_and_move(fd, temporary, path, content, mode) || !sync_directory(path))
        return fail(fault, "write", path);
    return STATUS_OK;
}

enum status file_others_can_read(const char *path, bool *ret_can, struct fault *fault) {
    struct stat found;
    int fd = open_file(path, O_PATH, 0);
    if (fd < 0 || sys()->fstat(fd, &found) != 0) {
        enum status status = fail(fault, "examine", path);
        if (fd >= 0)
            sys()->close(fd);
        return status;
    }
    sys()->close(fd);
    *ret_can = (found.st_mode & (S_IRGRP | S_IROTH)) != 0;
    return STATUS_OK;
}

/* The file that we locked may have been removed by its last holder meanwhile: then the lock says nothing. */
static bool is_still_at(const char *path, int fd) {
    struct stat ours, theirs;
    return sys()->fstat(fd, &ours) == 0 && sys()->lstat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

static enum status lock(const char *path, int *ret_fd, struct fault *fault) {
    for (int tries = 0; tries < 16; tries++) {
        int fd = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
        if (fd < 0)
            return fail(fault, "write", path);
        if (sys()->flock(fd, LOCK_EX | LOCK_NB) != 0) {
            enum status status = errno == EWOULDBLOCK
                                     ? fault_set(fault, STATUS_ADDRESS_IN_USE, errno,
                                                 "cannot lock %s: another process runs with it", path)
                                     : fail(fault, "lock", path);
            sys()->close(fd);
            return status;
        }
        if (is_still_at(path, fd)) {
            *ret_fd = fd;
            return STATUS_OK;
        }
        sys()->close(fd);
    }
    return fault_set(fault, STATUS_ADDRESS_IN_USE, 0, "cannot lock %s: it is replaced again and again", path);
}

enum status file_pid_lock(const char *path, int *ret_fd, struct fault *fault) {
    char text[32];
    int fd = -1;
    enum status status = lock(path, &fd, fault);
    if (status != STATUS_OK)
        return status;
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (sys()->ftruncate(fd, 0) != 0 || !write_all(fd, slice_make(text, (size_t)size))) {
        status = fail(fault, "write", path);
        sys()->close(fd);
        return status;
    }
    *ret_fd = fd;
    return STATUS_OK;
}

void file_pid_unlock(const char *path, int fd) {
    sys()->unlink(path);
    sys()->close(fd);
}

void file_stamp(const char *path, struct file_stamp *ret) {
    struct stat found;
    *ret = (struct file_stamp){0};
    if (stat(path, &found) != 0)
        return;
    int64_t changed = found.st_mtim.tv_sec * INT64_C(1000000000) + found.st_mtim.tv_nsec;
    *ret = (struct file_stamp){changed, found.st_ino, found.st_size};
}
