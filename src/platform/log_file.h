/* Where log lines go: a descriptor (stderr), or a file that is reopened, and turned over when it is full.
 *
 * A full disk never stops the program: lines that can't be written are counted, and writing is tried again with the
 * next one. One thread. */
#ifndef PLATFORM_LOG_FILE_H
#define PLATFORM_LOG_FILE_H

#include "base/fault.h"
#include "base/slice.h"

#define LOG_FILE_KEEP_MAX 999

struct log_file {
    char *path; /* NULL: a descriptor of somebody else */
    int fd;     /* -1: couldn't be opened again; tried with each line */
    uint64_t size;
    uint64_t size_max; /* `log.rotate.size`; 0: never turned over */
    unsigned keep;     /* `log.rotate.keep`: path.1 is the newest of them */
    bool is_torn;      /* the last line was cut by a failure: the next begins a new line */
    uint64_t lines;
    uint64_t lines_lost;
};

void log_file_init(struct log_file *file, int fd);
/* Appends, created with mode 0640. `keep` is LOG_FILE_KEEP_MAX at most; 0 throws the full file away. On failure
 * nothing is to be freed. */
enum status log_file_open(struct log_file *file, const char *path, uint64_t size_max, unsigned keep,
                          struct fault *fault);
void log_file_close(struct log_file *file);
/* Whole lines, each with its newline; `count` of them. False when they were lost. */
bool log_file_write(struct log_file *file, struct slice lines, unsigned count);
/* After somebody moved the file away. On failure the old one stays in use. */
enum status log_file_reopen(struct log_file *file, struct fault *fault);

#endif
