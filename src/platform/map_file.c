/* Files as memory. */
#include "platform/map_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/sys.h"

static enum status fail(struct fault *fault, int error_number, const char *verb, const char *path) {
    const char *words = strerrordesc_np(error_number);
    enum status status = error_number == ENOENT || error_number == ENOTDIR ? STATUS_NOT_FOUND
                         : error_number == EACCES || error_number == EPERM ? STATUS_FORBIDDEN
                         : error_number == ENOMEM                          ? STATUS_NO_MEMORY
                                                                           : STATUS_IO_ERROR;
    return fault_set(fault, status, error_number, "cannot %s %.180s: %s", verb, path, words ? words : "unknown error");
}

static int open_file(const char *path, int flags) {
    int fd;
    do
        fd = sys()->open(path, flags | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    return fd;
}

enum status map_file_create(struct map_file *file, const char *path, struct fault *fault) {
    *file = (struct map_file){.fd = open_file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)};
    return file->fd >= 0 ? STATUS_OK : fail(fault, errno, "make", path);
}

static void drop_window(struct map_file *file) {
    if (file->window)
        sys()->munmap(file->window, file->window_size);
    file->window = NULL;
    file->window_size = 0;
}

static bool move_window(struct map_file *file, size_t count, struct fault *fault) {
    uint64_t at = file->size & ~(uint64_t)65535; /* any system's page size divides it */
    size_t size = (size_t)(file->size - at) + count;
    size = size < MAP_FILE_STEP ? MAP_FILE_STEP : (size + 65535) & ~(size_t)65535;
    int failed = EINTR;
    while (failed == EINTR)
        failed = sys()->fallocate(file->fd, (off_t)at, (off_t)size);
    if (failed) {
        fail(fault, failed, "extend", "the file");
        return false;
    }
    void *window = sys()->mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, (off_t)at);
    if (window == MAP_FAILED) {
        fail(fault, errno, "map", "the file");
        return false;
    }
    drop_window(file);
    file->window = window;
    file->window_at = at;
    file->window_size = size;
    return true;
}

uint8_t *map_file_reserve(struct map_file *file, size_t count, struct fault *fault) {
    size_t used = (size_t)(file->size - file->window_at);
    if ((!file->window || file->window_size - used < count) && !move_window(file, count, fault))
        return NULL;
    return file->window + (file->size - file->window_at);
}

void map_file_close(struct map_file *file) {
    if (file->fd < 0)
        return;
    drop_window(file);
    int cut = sys()->ftruncate(file->fd, (off_t)file->size);
    (void)cut; /* zeros at the end then: as after a crash */
    sys()->close(file->fd);
    file->fd = -1;
}

enum status map_file_read(const char *path, struct slice *ret, struct fault *fault) {
    struct stat found;
    enum status status = STATUS_OK;
    int fd = open_file(path, O_RDONLY);
    if (fd < 0)
        return fail(fault, errno, "read", path);
    if (sys()->fstat(fd, &found) != 0) {
        status = fail(fault, errno, "read", path);
    } else if (!S_ISREG(found.st_mode)) {
        status = fault_set(fault, STATUS_IO_ERROR, 0, "cannot read %.180s: it is no file", path);
    } else if (found.st_size == 0) {
        *ret = slice_make("", 0);
    } else {
        void *at = sys()->mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED)
            status = fail(fault, errno, "read", path);
        else
            *ret = slice_make(at, (size_t)found.st_size);
    }
    sys()->close(fd);
    return status;
}

void map_file_forget(struct slice content) {
    if (content.size)
        sys()->munmap((void *)(uintptr_t)content.data, content.size);
}
