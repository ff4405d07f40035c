/* What a failure behind the router costs those before it:  load survive port=P ports=A,B,C fault=kill -- ROUTER ARGUMENT...
 *
 * Numbered events are posted at a fixed `rate`, by a schedule made beforehand, while backends at `ports` take them. After a
 * third of the time the first backend is killed, stopped (SIGSTOP, and let go on at the end) or nothing happens to it, as
 * `fault` says; with `slow` it takes so many milliseconds for each from the start. Told are: of what was accepted, how much
 * never arrived, how much arrived twice; and the 99th percentile from the scheduled time to the arrival, in windows of
 * 100 ms: before, in the worst window, in the first second after it and in all the time after that. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBERS_MAX (4u << 20)
#define WINDOWS_MAX 600u
#define WINDOW_NS UINT64_C(100000000)
#define STEPS 256u /* of a window's latencies: eight an octave of microseconds */
#define BACKENDS_MAX 16
#define GUESTS_MAX 4096
#define ROOM 16384u
#define DEPTH 64u /* open requests on a connection */
#define DRAIN_NS UINT64_C(20000000000)

struct fates {
    _Atomic uint8_t accepted[NUMBERS_MAX], arrived[NUMBERS_MAX];
    _Atomic uint32_t windows[WINDOWS_MAX][STEPS];
    _Atomic uint64_t begin; /* of the schedule */
    _Atomic uint64_t refused, unanswered, reached[BACKENDS_MAX];
};
static struct fates *fates;

static unsigned step_of(uint64_t ns) {
    uint64_t us = ns / 1000;
    if (us < 8)
        return (unsigned)us;
    unsigned octave = 63u - (unsigned)__builtin_clzll(us), step = (octave - 2) * 8 + (unsigned)(us >> (octave - 3) & 7);
    return step < STEPS ? step : STEPS - 1;
}

static double step_us(unsigned step) {
    return step < 8 ? step : (double)((8 + step % 8) << (step / 8 - 1));
}

static double percentile(unsigned from, unsigned to, double share) {
    uint64_t total = 0, seen = 0;
    for (unsigned w = from; w < to; w++)
        for (unsigned s = 0; s < STEPS; s++)
            total += fates->windows[w][s];
    for (unsigned s = 0; s < STEPS; s++) {
        for (unsigned w = from; w < to; w++)
            seen += fates->windows[w][s];
        if (total && (double)seen >= share * (double)total)
            return step_us(s);
    }
    return 0;
}

/* -- backends -- */

struct guest {
    int fd;
    size_t have;
    uint64_t due; /* when it is answered; 0: nothing is open */
    char in[ROOM];
};

/* `{"n":NUMBER}` */
static void arrives(const char *body, size_t size, unsigned self, uint64_t slow_ns) {
    const char *at = memmem(body, size, "\"n\":", 4);
    uint64_t number = at ? strtoull(at + 4, NULL, 10) : NUMBERS_MAX, begin = fates->begin;
    if (number >= NUMBERS_MAX)
        return;
    fates->reached[self]++;
    if (fates->arrived[number]++)
        return;
    const char *time = memmem(body, size, "\"t\":", 4);
    uint64_t scheduled = time ? strtoull(time + 4, NULL, 10) : 0, window = (scheduled - begin) / WINDOW_NS;
    if (scheduled >= begin && window < WINDOWS_MAX)
        fates->windows[window][step_of(now_ns() + slow_ns - scheduled)]++;
}

static void answer(struct guest *guest) {
    static const char text[] = "HTTP/1.1 204 No Content\r\n\r\n";
    guest->due = 0;
    if (send(guest->fd, text, sizeof text - 1, MSG_NOSIGNAL) < 0) {
        close(guest->fd);
        guest->fd = -1;
    }
}

static void serve(struct guest *guest, unsigned self, uint64_t slow_ns) {
    ssize_t size = read(guest->fd, guest->in + guest->have, ROOM - 1 - guest->have);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        close(guest->fd);
        guest->fd = -1;
        return;
    }
    guest->have += (size_t)size;
    guest->in[guest->have] = '\0';
    char *blank = memmem(guest->in, guest->have, "\r\n\r\n", 4);
    const char *length = blank ? strcasestr(guest->in, "\ncontent-length:") : NULL;
    size_t whole = blank ? (size_t)(blank - guest->in) + 4 + (length ? strtoul(length + 16, NULL, 10) : 0) : SIZE_MAX;
    if (guest->have < whole)
        return;
    arrives(guest->in, whole, self, slow_ns);
    guest->have -= whole;
    memmove(guest->in, guest->in + whole, guest->have);
    if (slow_ns)
        guest->due = now_ns() + slow_ns;
    else
        answer(guest);
}

static void backend(int listener, unsigned self, uint64_t slow_ns) {
    static struct guest *guests[GUESTS_MAX];
    struct epoll_event events[256], event = {.events = EPOLLIN, .data.ptr = NULL};
    unsigned count = 0;
    int loop = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(loop, events, 256, slow_ns ? 1 : -1);
        for (int i = 0; i < ready; i++) {
            struct guest *guest = events[i].data.ptr;
            if (guest) {
                if (guest->fd >= 0)
                    serve(guest, self, slow_ns);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0 || count == GUESTS_MAX || !(guest = calloc(1, sizeof *guest)))
                die("no place for one more connection");
            guest->fd = fd;
            guests[count++] = guest;
            event.data.ptr = guest;
            epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
        }
        for (unsigned i = 0; slow_ns && i < count; i++)
            if (guests[i]->due && guests[i]->due <= now_ns())
                answer(guests[i]);
    }
}

/* -- the publisher -- */

struct line {
    int fd;
    size_t have;
    unsigned open, first; /* numbers that wait for their answers, a ring */
    uint32_t numbers[DEPTH];
    char in[ROOM];
};

static void answered(struct line *line, const char *head) {
    uint32_t number = line->numbers[line->first % DEPTH];
    line->first++;
    line->open--;
    if (!strncmp(head, "HTTP/1.1 202", 12))
        fates->accepted[number] = 1;
    else
        fates->refused++;
}

static void listen_to(struct line *line) {
    ssize_t size = read(line->fd, line->in + line->have, ROOM - 1 - line->have);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        die("the router closed a connection");
    line->have += (size_t)size;
    for (;;) {
        line->in[line->have] = '\0';
        char *blank = memmem(line->in, line->have, "\r\n\r\n", 4);
        if (!blank)
            return;
        *blank = '\0';
        const char *length = strcasestr(line->in, "\ncontent-length:");
        *blank = '\r';
        size_t whole = (size_t)(blank - line->in) + 4 + (length ? strtoul(length + 16, NULL, 10) : 0);
        if (line->have < whole)
            return;
        answered(line, line->in);
        line->have -= whole;
        memmove(line->in, line->in + whole, line->have);
    }
}

static void post(struct line *line, uint32_t number, uint64_t scheduled) {
    char text[512], body[128];
    int size = snprintf(body, sizeof body, "{\"n\":%u,\"t\":%llu}", number, (unsigned long long)scheduled);
    size = snprintf(text, sizeof text,
                    "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nce-specversion: 1.0\r\nce-id: %u\r\nce-source: /load\r\n"
                    "ce-type: com.example.tick\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                    number, size, body);
    line->numbers[(line->first + line->open) % DEPTH] = number;
    line->open++;
    socket_write_all(line->fd, text, (size_t)size);
}

/* The next line with the fewest open requests of some; NULL: all are full. */
static struct line *free_line(struct line *lines, unsigned count, unsigned turn) {
    for (unsigned i = 0; i < count; i++)
        if (lines[(turn + i) % count].open < DEPTH)
            return &lines[(turn + i) % count];
    return NULL;
}

static unsigned open_requests(const struct line *lines, unsigned count) {
    unsigned open = 0;
    for (unsigned i = 0; i < count; i++)
        open += lines[i].open;
    return open;
}

static void publish(const struct options *options, uint32_t total) {
    struct line *lines = calloc(options->connections, sizeof *lines);
    struct epoll_event events[256];
    int loop = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < options->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        lines[i].fd = socket_connect(options->host, options->port);
        socket_nonblocking(lines[i].fd);
        epoll_ctl(loop, EPOLL_CTL_ADD, lines[i].fd, &event);
    }
    uint64_t begin = now_ns() + 200000000, step = 1000000000u / options->rate, until = 0;
    uint32_t number = 0;
    fates->begin = begin;
    while (number < total || (open_requests(lines, options->connections) && now_ns() < until)) {
        uint64_t now = now_ns();
        for (struct line *line; number < total && begin + number * step <= now &&
                                (line = free_line(lines, options->connections, number)) != NULL;
             number++)
            post(line, number, begin + number * step);
        if (number == total && !until)
            until = now + DRAIN_NS;
        int ready = epoll_wait(loop, events, 256, 1);
        for (int i = 0; i < ready; i++)
            listen_to(&lines[events[i].data.u32]);
    }
    fates->unanswered = open_requests(lines, options->connections);
}

/* -- all of them -- */

static pid_t child(void) {
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        die("fork failed");
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent))
        _exit(1);
    return pid;
}

static pid_t start_router(const struct options *options) {
    pid_t pid = child();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 1);
        execv(options->command[0], options->command);
        _exit(127);
    }
    return pid;
}

static void count_fates(uint32_t total, uint64_t *accepted, uint64_t *lost, uint64_t *twice) {
    *accepted = *lost = *twice = 0;
    for (uint32_t i = 0; i < total; i++) {
        *accepted += fates->accepted[i];
        *lost += fates->accepted[i] && !fates->arrived[i];
        *twice += fates->arrived[i] > 1;
    }
}

static void print_fates(const struct options *options, uint32_t total, unsigned count) {
    uint64_t accepted, lost, twice;
    uint64_t end = now_ns() + DRAIN_NS;
    do {
        nap(50000000);
        count_fates(total, &accepted, &lost, &twice);
    } while (lost && now_ns() < end);
    unsigned windows = (unsigned)((uint64_t)(options->seconds * 1e9) / WINDOW_NS), third = windows / 3;
    /* The first second warms up. */
    double before = percentile(third > 10 ? 10 : 0, third, 0.99), worst = 0;
    for (unsigned w = third; w < windows; w++) {
        double now = percentile(w, w + 1, 0.99);
        worst = now > worst ? now : worst;
    }
    printf("{\"fault\": \"%s\", \"rate\": %u, \"sent\": %u, \"accepted\": %llu, \"refused\": %llu, \"unanswered\": %llu, "
           "\"lost\": %llu, \"twice\": %llu, \"p99_before_us\": %.0f, \"p99_worst_us\": %.0f, \"p99_first_second_us\": %.0f, \"p99_later_us\": %.0f, "
           "\"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f, \"reached\": [",
           options->fault, options->rate, total, (unsigned long long)accepted, (unsigned long long)fates->refused,
           (unsigned long long)fates->unanswered, (unsigned long long)lost, (unsigned long long)twice, before, worst,
           percentile(third, third + 10, 0.99), percentile(third + 10, windows, 0.99), percentile(0, windows, 0.5), percentile(0, windows, 0.99), percentile(0, windows, 0.999));
    for (unsigned i = 0; i < count; i++)
        printf("%s%llu", i ? ", " : "", (unsigned long long)fates->reached[i]);
    printf("]}\n");
}

int load_survive(const struct options *options) {
    pid_t backends[BACKENDS_MAX];
    unsigned count = 0;
    uint32_t total = (uint32_t)(options->rate * options->seconds);
    if (!options->command || !options->ports || total > NUMBERS_MAX || options->seconds * 10 > WINDOWS_MAX)
        die("survive needs ports=A,B,.. and a router behind --, and at most %u events in %u s", NUMBERS_MAX, WINDOWS_MAX / 10);
    fates = mmap(NULL, sizeof *fates, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fates == MAP_FAILED)
        die("no memory to share");
    for (const char *at = options->ports; *at && count < BACKENDS_MAX; count++) {
        char *end;
        uint16_t port = (uint16_t)strtoul(at, &end, 10);
        int listener = socket_listen(&port, SOCK_STREAM);
        if ((backends[count] = child()) == 0)
            backend(listener, count, count ? 0 : (uint64_t)options->slow * 1000000);
        close(listener);
        at = *end ? end + 1 : end;
    }
    pid_t router = start_router(options), publisher;
    nap(1000000000);
    if ((publisher = child()) == 0) {
        publish(options, total);
        _exit(0);
    }
    while (!fates->begin)
        nap(1000000);
    uint64_t at = fates->begin + (uint64_t)(options->seconds / 3 * 1e9), now = now_ns();
    nap(at > now ? at - now : 1);
    if (strcmp(options->fault, "none") != 0)
        kill(backends[0], !strcmp(options->fault, "kill") ? SIGKILL : SIGSTOP);
    int status;
    waitpid(publisher, &status, 0);
    if (!strcmp(options->fault, "stop"))
        kill(backends[0], SIGCONT);
    if (status)
        die("the publisher failed");
    print_fates(options, total, count);
    kill(router, SIGTERM);
    waitpid(router, NULL, 0);
    for (unsigned i = 0; i < count; i++)
        kill(backends[i], SIGKILL);
    return 0;
}
