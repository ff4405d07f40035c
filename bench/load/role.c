/* The processes of a load, and what they share. */
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_NS UINT64_C(20000000000)
#define DRAIN_NS UINT64_C(5000000000)

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

struct shared *shared_new(void) {
    void *memory =
        mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("no memory to share");
    return memory;
}

pid_t role_start(role_run *run, const struct options *options, struct shared *shared) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        die("fork failed");
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    run(options, shared);
    _exit(0);
}

void role_wait(struct shared *shared, unsigned roles) {
    uint64_t end = now_ns() + READY_NS;
    while (shared_get(&shared->ready) < roles) {
        int status;
        if (waitpid(-1, &status, WNOHANG) > 0)
            die("a role ended before it was ready");
        if (now_ns() > end)
            die("no role was ready in time");
        nap(1000000);
    }
}

static void reap(pid_t pid) {
    int status = 0;
    while (pid && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (status)
        die("a role failed");
}

uint64_t arrived(const struct arrivals *arrivals) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < arrivals->count; i++)
        sum += shared_get(&arrivals->counters[i]);
    return sum - arrivals->base;
}

void role_stop(struct shared *shared, pid_t pub, pid_t sub, const struct arrivals *arrivals) {
    shared_set(&shared->stop, STOP_SENDING);
    uint64_t end = now_ns() + DRAIN_NS;
    while (
        !(shared_get(&shared->ended) && arrived(arrivals) >= shared_get(&shared->sent) * arrivals->count) &&
        now_ns() < end)
        nap(1000000);
    shared_set(&shared->stop, STOP);
    reap(pub);
    reap(sub);
}
