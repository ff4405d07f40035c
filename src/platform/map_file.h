/* Files as memory. One that grows is written without a system call for each piece, and what was written outlives the
 * process however it ends: killed or crashed in the next instruction. One that is read may be larger than memory. */
#ifndef PLATFORM_MAP_FILE_H
#define PLATFORM_MAP_FILE_H

#include "base/fault.h"
#include "base/slice.h"

#define MAP_FILE_STEP (4u << 20) /* a file grows by so much at a time */

struct map_file {
    int fd;
    uint8_t *window; /* what is mapped of it, or NULL */
    uint64_t window_at;
    size_t window_size;
    uint64_t size; /* bytes written; behind them zeros until the close */
};

/* A new file for its owner alone (0600). One that exists is refused. */
enum status map_file_create(struct map_file *file, const char *path, struct fault *fault);
/* `count` bytes to fill, then counted by map_file_added(). NULL with `fault` when the disk is full; nothing is lost then.
 * Room is taken on the disk before it is used, so that a full disk is an answer here and no signal later. */
uint8_t *map_file_reserve(struct map_file *file, size_t count, struct fault *fault);
static inline void map_file_added(struct map_file *file, size_t count) {
    file->size += count;
}
/* Cuts what was taken and not used. */
void map_file_close(struct map_file *file);

/* A whole file to read. An empty one is an empty slice. */
enum status map_file_read(const char *path, struct slice *ret_content, struct fault *fault);
void map_file_forget(struct slice content);

#endif
