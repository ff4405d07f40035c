/* What this process uses of the machine. */
#include "platform/process.h"

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"
#include "platform/file.h"

#define PROC_MAX 65536

/* The index-th word, from 0; empty when there are fewer. */
static struct slice word(struct slice text, unsigned index) {
    for (; index > 0 && text.size; index--)
        text = slice_skip(text, slice_find(text, ' ') + 1);
    size_t end = slice_find(text, ' ');
    size_t line = slice_find(text, '\n');
    return slice_head(text, end < line ? end : line);
}

static int64_t number(struct slice text, int64_t unit) {
    uint64_t value;
    return text_to_u64(text, &value) && value < (uint64_t)(INT64_MAX / unit) ? (int64_t)value * unit : -1;
}

/* proc(5), /proc/self/stat: the command's name is in parentheses and may hold anything, so fields are counted from
 * the last ')'. */
static int64_t ticks_at_start(struct slice stat) {
    size_t at = stat.size;
    while (at > 0 && stat.data[at - 1] != ')')
        at--;
    return number(word(slice_skip(stat, at + 1), 19), 1); /* field 22; field 3 is the first here */
}

static int64_t boot_ns(void) {
    struct buffer text;
    int64_t at = -1;
    buffer_init(&text, 4 << 20); /* one long line per processor and the interrupts */
    if (file_read("/proc/stat", 2 << 20, &text, NULL) == STATUS_OK) {
        buffer_add_byte(&text, 0);
        const char *line = text.status == STATUS_OK ? strstr((const char *)text.data, "\nbtime ") : NULL;
        if (line)
            at = number(word(slice_from(line + 7), 0), NS_PER_S);
    }
    buffer_done(&text);
    return at;
}

static int64_t start_ns(void) {
    struct buffer text;
    int64_t ticks = -1, boot, per_second = sysconf(_SC_CLK_TCK);
    buffer_init(&text, PROC_MAX);
    if (file_read("/proc/self/stat", PROC_MAX / 2, &text, NULL) == STATUS_OK)
        ticks = ticks_at_start(buffer_slice(&text));
    buffer_done(&text);
    boot = boot_ns();
    return ticks < 0 || boot < 0 || per_second <= 0 ? -1 : boot + ticks * (NS_PER_S / per_second);
}

static void read_memory(struct process_usage *usage) {
    struct buffer text;
    int64_t page = sysconf(_SC_PAGESIZE);
    buffer_init(&text, PROC_MAX);
    usage->virtual_bytes = usage->resident_bytes = -1;
    if (page > 0 && file_read("/proc/self/statm", PROC_MAX / 2, &text, NULL) == STATUS_OK) {
        usage->virtual_bytes = number(word(buffer_slice(&text), 0), page);
        usage->resident_bytes = number(word(buffer_slice(&text), 1), page);
    }
    buffer_done(&text);
}

static int64_t count_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    int64_t count = 0;
    if (!directory)
        return -1;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 3; /* ".", "..", and the directory itself */
}

int64_t process_cpu_ns(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return -1;
    return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
           ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
}

bool process_usage(struct process_usage *ret_usage) {
    struct rlimit limit;
    struct process_usage usage = {0};
    usage.cpu_ns = process_cpu_ns();
    read_memory(&usage);
    usage.open_fds = count_descriptors();
    usage.max_fds = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (int64_t)(limit.rlim_cur & INT64_MAX) : -1;
    usage.start_ns = start_ns();
    *ret_usage = usage;
    return usage.cpu_ns >= 0 && usage.resident_bytes >= 0 && usage.virtual_bytes >= 0 && usage.open_fds >= 0 &&
           usage.max_fds >= 0 && usage.start_ns >= 0;
}
