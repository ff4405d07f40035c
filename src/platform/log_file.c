/* Where log lines go. */
#include "platform/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "platform/sys.h"

static int open_append(const char *path, uint64_t *ret_size) {
    int fd;
    do
        fd = sys()->open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    while (fd < 0 && errno == EINTR);
    struct stat found;
    if (fd >= 0)
        *ret_size = sys()->fstat(fd, &found) == 0 && S_ISREG(found.st_mode) ? (uint64_t)found.st_size : 0;
    return fd;
}

void log_file_init(struct log_file *file, int fd) {
    *file = (struct log_file){.fd = fd};
}

static enum status cannot_open(struct fault *fault, const char *path) {
    const char *words = strerrordesc_np(errno);
    return fault_set(fault, STATUS_IO_ERROR, errno, "cannot open the log file %s: %s", path,
                     words ? words : "unknown error");
}

enum status log_file_open(struct log_file *file, const char *path, uint64_t size_max, unsigned keep,
                          struct fault *fault) {
    ASSERT(keep <= LOG_FILE_KEEP_MAX);
    log_file_init(file, -1);
    file->path = memory_copy_text(path, strlen(path));
    if (!file->path)
        return fault_set(fault, STATUS_NO_MEMORY, 0, "out of memory");
    file->fd = open_append(path, &file->size);
    if (file->fd < 0) {
        enum status status = cannot_open(fault, path);
        log_file_close(file);
        return status;
    }
    file->size_max = size_max;
    file->keep = keep;
    return STATUS_OK;
}

void log_file_close(struct log_file *file) {
    if (file->path && file->fd >= 0)
        sys()->close(file->fd);
    memory_free(file->path);
    file->path = NULL;
    file->fd = -1;
}

enum status log_file_reopen(struct log_file *file, struct fault *fault) {
    uint64_t size = 0;
    if (!file->path)
        return STATUS_OK;
    int fd = open_append(file->path, &size);
    if (fd < 0)
        return cannot_open(fault, file->path);
    if (file->fd >= 0)
        sys()->close(file->fd);
    file->fd = fd;
    file->size = size;
    file->is_torn = false;
    return STATUS_OK;
}

static char *name_of(const struct log_file *file, struct buffer *out, unsigned number) {
    buffer_clear(out);
    buffer_add_text(out, file->path);
    if (number > 0)
        buffer_add_format(out, ".%u", number);
    buffer_add_byte(out, 0);
    return out->status == STATUS_OK ? (char *)out->data : NULL;
}

/* path.(keep-1) becomes path.keep, ..., path becomes path.1. When any step fails the file just grows on. */
static void turn_over(struct log_file *file) {
    struct buffer from, to;
    buffer_init(&from, 8192);
    buffer_init(&to, 8192);
    if (file->keep == 0)
        sys()->unlink(file->path);
    for (unsigned number = file->keep; number > 0; number--) {
        const char *old = name_of(file, &from, number - 1), *new = name_of(file, &to, number);
        if (old && new)
            sys()->rename(old, new); /* ENOENT: not so many yet */
    }
    buffer_done(&from);
    buffer_done(&to);
    log_file_reopen(file, NULL);
}

/* False: nothing more can be written now. `*ret_written` bytes are in the file. */
static bool write_some(int fd, struct slice lines, size_t *ret_written) {
    *ret_written = 0;
    while (*ret_written < lines.size) {
        ssize_t count = sys()->write(fd, lines.data + *ret_written, lines.size - *ret_written);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        *ret_written += (size_t)count;
    }
    return true;
}

bool log_file_write(struct log_file *file, struct slice lines, unsigned count) {
    size_t written = 0;
    if (lines.size == 0)
        return true;
    if (file->path && file->size_max && file->size > 0 && file->size + lines.size > file->size_max)
        turn_over(file);
    if (file->path && file->fd < 0)
        log_file_reopen(file, NULL);
    bool is_ok = file->fd >= 0;
    if (is_ok && file->is_torn) {
        is_ok = write_some(file->fd, SLICE_OF("\n"), &written);
        file->is_torn = !is_ok;
        file->size += written;
    }
    if (is_ok) {
        is_ok = write_some(file->fd, lines, &written);
        file->size += written;
        file->is_torn = !is_ok && written > 0 && lines.data[written - 1] != '\n';
    }
    if (is_ok)
        file->lines += count;
    else
        file->lines_lost += count;
    return is_ok;
}
