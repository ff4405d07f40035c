/* Time and CPU time. */
#include "load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void nap(uint64_t ns) {
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    nanosleep(&time, NULL);
}

/* schedstat counts nanoseconds where utime and stime count ticks; both come from the same clock. */
static struct cpu thread_cpu(pid_t pid, const char *thread) {
    char path[320], line[128];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, thread);
    FILE *file = fopen(path, "re");
    struct cpu cpu = {0};
    if (!file)
        return cpu;
    char *end = line;
    if (fgets(line, sizeof line, file)) {
        cpu.ns = strtoull(line, &end, 10);
        cpu.wait_ns = strtoull(end, NULL, 10);
    }
    fclose(file);
    return cpu;
}

static void add_process(struct cpu *sum, pid_t pid) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (!threads)
        return;
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        struct cpu cpu = thread_cpu(pid, entry->d_name);
        sum->ns += cpu.ns;
        sum->wait_ns += cpu.wait_ns;
    }
    closedir(threads);
}

struct cpu cpu_of(const pid_t *pids, unsigned count) {
    struct cpu sum = {0};
    for (unsigned i = 0; i < count; i++)
        if (pids[i])
            add_process(&sum, pids[i]);
    return sum;
}
