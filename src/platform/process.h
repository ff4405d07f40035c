/* What this process uses of the machine, for the `process_*` metrics. */
#ifndef PLATFORM_PROCESS_H
#define PLATFORM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process_usage {
    int64_t cpu_ns; /* user and system */
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t open_fds;
    int64_t max_fds;
    int64_t start_ns; /* since the epoch */
};

/* User and system, of this process so far; -1: not known. */
int64_t process_cpu_ns(void);
/* Reads /proc: for a scrape, not for a turn. Fields that can't be read are -1; false when that is so for any. */
bool process_usage(struct process_usage *ret_usage);

#endif
