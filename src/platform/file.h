/* Whole files: read, replaced in one step, locked. For start and reload; these calls block on the disk. */
#ifndef PLATFORM_FILE_H
#define PLATFORM_FILE_H

#include <sys/types.h>

#include "base/buffer.h"
#include "base/fault.h"

/* Appends all of the file to `out`. NOT_FOUND; TOO_LARGE when it is longer than `size_max` (nothing is appended);
 * FORBIDDEN; IO_ERROR; a directory is IO_ERROR. Pipes and devices are read to their end. */
enum status file_read(const char *path, size_t size_max, struct buffer *out, struct fault *fault);
/* Afterwards `path` holds either what it held or all of `content`, also after a crash: a temporary file beside it,
 * synced, renamed, the directory synced. */
enum status file_replace(const char *path, struct slice content, mode_t mode, struct fault *fault);
/* What a look at a file tells of whether it has changed. All zero: it isn't there. */
struct file_stamp {
    int64_t changed_ns;
    uint64_t inode;
    int64_t size;
};
void file_stamp(const char *path, struct file_stamp *ret_stamp);
/* Whether users other than the owner and root may read it: for files with secrets. */
enum status file_others_can_read(const char *path, bool *ret_can, struct fault *fault);

/* Writes our process id and holds a lock on the file as long as the descriptor is open. ADDRESS_IN_USE when another
 * process holds it. */
enum status file_pid_lock(const char *path, int *ret_fd, struct fault *fault);
/* Removes the file, then the lock, so that a successor never loses its own. */
void file_pid_unlock(const char *path, int fd);

#endif
